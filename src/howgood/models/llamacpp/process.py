"""Starting, asking and ending the process that llama.cpp runs in (`server`)."""

from __future__ import annotations

import atexit
import contextlib
import http.client
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from howgood.core.errors import ModelError, RequestError
from howgood.core.text import one_line, shorten
from howgood.models.servers import Server

SERVER = Path(__file__).with_name("server.py")
LONGEST_END = 5.0
"""Seconds that the process has to end by itself."""
LONGEST_ASKED = 60.0
"""Seconds that a small question may take."""
LOG_READ = 4000
"""Bytes at the log's end that are looked at when the process died."""
STAMP = re.compile(r"[\d.]+ [EWI] ")
"""The time and level that begin a line of llama.cpp's log."""
OUTER = re.compile(STAMP.pattern + r"(srv|cmn) ")
"""Lines of its outer layers, which repeat that something failed, and tell of single requests."""


class LocalServer(Server, frozen=True):
    """A server that this process started, and alone may ask: by `token`, which was made for it."""

    token: str = ""

    def headers(self, secret: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class Process:
    """llama.cpp with a model loaded. `name` is the model's, for errors. Raises `ModelError` when it does not start."""

    def __init__(self, name: str, path: Path, *, slots: int, context: int, threads: int) -> None:
        self.name = name
        token = secrets.token_hex(16)
        settings = {"path": str(path), "slots": slots, "context": context, "threads": threads, "token": token}
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as the process lives)
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(SERVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for howgood, which ends this process
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        atexit.register(self.stop)
        self._process.stdin.write(json.dumps(settings).encode() + b"\n")
        self._process.stdin.flush()
        told = self._process.stdout.readline()
        url = json.loads(told).get("url") if told else None
        if url is None:
            self.stop()
            raise ModelError(
                f"{name}: llama.cpp cannot load {path.name} with room for {slots * context} tokens ({self.fate()}): "
                "check the file, or use fewer slots or a smaller context"
            )
        self.server = LocalServer(f"{url}/v1", provider="local", completion=True, token=token)

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON reply to a small question of llama.cpp's own. Raises `RequestError`."""
        connection = http.client.HTTPConnection(urlsplit(self.server.url).netloc, timeout=LONGEST_ASKED)
        try:
            connection.request("POST", path, json.dumps(body), self.server.headers(""))
            response = connection.getresponse()
            reply = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RequestError(f"{self.name}: llama.cpp gave no answer ({error})", fatal=self.ended) from error
        finally:
            connection.close()
        if response.status != 200:
            words = shorten(one_line(str(reply.get("error", {}).get("message", reply))), 300)
            raise RequestError(f"{self.name}: llama.cpp says: {words}")
        return reply

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def fate(self) -> str:
        """How the process ended, and the last error it wrote."""
        code = self._process.poll()
        ending = f"signal {-code}" if code is not None and code < 0 else f"status {code}"
        return f"{ending}; {self._last_error()}"

    def stop(self) -> None:
        """End the process and give back its memory."""
        atexit.unregister(self.stop)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # it is dead already
                    pipe.close()
        try:
            self._process.wait(LONGEST_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_error(self) -> str:
        """The last error that says why, of those that llama.cpp wrote one after another on its way out."""
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - LOG_READ))
        lines = self._log.read().decode("utf-8", errors="replace").splitlines()
        inner = [line for line in lines if line.strip() and not OUTER.match(line)]
        telling = [line for line in inner if "error" in line] or inner or ["no error was written"]
        return shorten(one_line(STAMP.sub("", telling[-1])), 300)


def _environment() -> dict[str, str]:
    """The user's environment. llama.cpp's threads (GNU OpenMP) wait for each other by spinning, which keeps the
    processor from the very thread they wait for as soon as anything else runs: with both of 2 cores busy, an answer was
    written at 3 tokens a second, and at 40 with short spins."""
    return {"GOMP_SPINCOUNT": "1000"} | dict(os.environ)
