"""Server-sent events, the form in which models write their answers piece by piece
(https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream)."""

from __future__ import annotations

from collections.abc import Iterator


class Events:
    """Cuts the bytes of a stream into events, however they arrive. An event is its name ("message" where the server
    gives none) and its data; comments, ids and reconnection times mean nothing to a request that cannot be resumed."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[tuple[str, str]]:
        """The events that are complete with these bytes."""
        self._rest.append(chunk)
        if b"\n" in chunk or b"\r" in chunk:
            lines = b"".join(self._rest).splitlines(keepends=True)
            whole = lines[-1].endswith(b"\n")  # an \r at the end may be half of an \r\n
            self._rest = [] if whole else [lines.pop()]
            yield from self._read(lines)

    def end(self) -> Iterator[tuple[str, str]]:
        """The last event of a server that leaves out the empty line after it; whether it is whole, its reader sees."""
        lines = b"".join(self._rest).splitlines()
        self._rest = []
        yield from self._read([*lines, b""])

    def _read(self, lines: list[bytes]) -> Iterator[tuple[str, str]]:
        for line in lines:
            text = line.decode("utf-8", errors="replace").rstrip("\r\n").removeprefix("\ufeff")
            if text:
                field, _, value = text.partition(":")
                value = value.removeprefix(" ")
                if field == "data":
                    self._data.append(value)
                elif field == "event":
                    self._name = value
                continue
            name, data = self._name or "message", self._data
            self._name, self._data = "", []
            if data:
                yield name, "\n".join(data)
