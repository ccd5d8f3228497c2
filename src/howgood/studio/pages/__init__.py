"""The pages. Each module has `ROUTES`: (method, path, handler), a handler taking the studio and the request."""

from __future__ import annotations

from howgood.studio.pages import beside, compare, instance, label, leaderboard, one_run, runs, surprise, trials

PAGES = (runs, beside, compare, instance, surprise, trials, one_run, label, leaderboard)
