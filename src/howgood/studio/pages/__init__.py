"""The pages. Each module has `ROUTES`: (method, path, handler), a handler taking the studio and the request."""

from __future__ import annotations

from howgood.studio.pages import beside, compare, label, leaderboard, one_run, runs, trials

PAGES = (runs, beside, compare, label, one_run, trials, leaderboard)
