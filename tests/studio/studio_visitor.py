"""A visitor of a studio, and runs that were really made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Self

import aiohttp

import howgood as hg
from howgood.studio.server import Studio


class Visitor:
    """Asks a studio as a browser would."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    async def __aenter__(self) -> Self:
        # The cookie jar of aiohttp leaves out cookies of bare addresses unless told otherwise.
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, path: str, status: int = 200, **headers: str) -> str:
        """A page's text; its status is checked."""
        asked = {"Accept": "text/html", **headers}
        async with self._session.get(self.studio.url + path, headers=asked) as response:
            text = await response.text()
            assert response.status == status, text[:2_000]
            self.headers = response.headers
            return text

    async def post(self, path: str, value: Any, status: int = 200, **headers: str) -> Any:
        """Write as a page of the studio would; the answer's JSON."""
        page = await self.get("/")
        csrf = re.search(r'<meta name="csrf" content="([0-9a-f]+)">', page)
        assert csrf is not None
        known = {"Origin": self.studio.url, "X-CSRF": csrf[1], **headers}
        async with self._session.post(self.studio.url + path, json=value, headers=known) as response:
            assert response.status == status, await response.text()
            return await response.json()


def make_run(
    runs: Path, model: str = "reference/uniform", benchmark: str = "quickstart-questions", **options: Any
) -> Any:
    """A real run in this folder."""
    return hg.run(benchmark, model=model, folder=runs, **options)
