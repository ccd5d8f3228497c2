"""Our own style and scripts, served by name out of memory: no path from a URL reaches the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from howgood.web.guard import Refused

if TYPE_CHECKING:
    from markupsafe import Markup
    from starlette.responses import Response

SHARED = Path(__file__).parent / "static"
"""What all servers of pages have in common: `web.css`, after the style of reports, and `web.js`."""
TEMPLATES = Path(__file__).parent / "templates"
"""`frame.html.j2`, which all pages stand in, and the page that asks for a token."""
TYPES = {".css": "text/css", ".js": "text/javascript"}


class File(Struct, frozen=True):
    """A file as it is served, and the digest that its address carries, so that a browser can keep it."""

    content: bytes
    kind: str
    digest: str


class Files:
    """The style sheets and scripts among some files, by their names."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._files = {path.name: _file(path) for path in paths if path.suffix in TYPES}

    def address(self, name: str) -> str:
        """Where a page finds a file."""
        return f"/static/{name}?{self._files[name].digest}"

    def modules(self) -> Markup:
        """An import map: with it `import "./web.js"` is the very module that a page loads by its address, and no second
        one, and none that a browser kept from before."""
        from markupsafe import Markup

        scripts = [name for name in self._files if name.endswith(".js")]
        return Markup(
            msgspec.json.encode({"imports": {f"/static/{name}": self.address(name) for name in scripts}}).decode()
        )

    def answer(self, name: str) -> Response:
        """A file as the answer to a request. Raises `Refused`."""
        from starlette.responses import Response

        found = self._files.get(name)
        if found is None:
            raise Refused(404, "There is no such file.")
        kept = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(found.content, media_type=found.kind, headers=kept)

    def globals(self) -> dict[str, Any]:
        """What templates call: `static(name)` and `modules()`."""
        return {"static": self.address, "modules": self.modules}


def _file(path: Path) -> File:
    content = path.read_bytes()
    return File(content, TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:16])
