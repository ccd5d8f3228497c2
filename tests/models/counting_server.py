"""A real OpenAI-compatible server on 127.0.0.1 that answers by rule and counts what it is asked, in its own threads."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class CountingServer(ThreadingHTTPServer):
    """Answers `number N` with N modulo 3, and counts in `asked` how often each N was asked; each takes `seconds`."""

    daemon_threads = True

    def __init__(self, seconds: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seconds = seconds
        self.asked: Counter[int] = Counter()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert isinstance(self.server, CountingServer)
        number = int(body["messages"][-1]["content"].split()[-1])
        self.server.asked[number] += 1
        time.sleep(self.server.seconds)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": str(number % 3)}}
        reply = json.dumps({"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 1}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(reply)))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # killed while it waited
            self.end_headers()
            self.wfile.write(reply)

    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def serve_counting(seconds: float = 0.005) -> Iterator[CountingServer]:
    server = CountingServer(seconds)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
