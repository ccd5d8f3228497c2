"""Ctrl-C where a run asks whether to go on: a real terminal, a real process, a real server."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from counting_server import serve_counting

if sys.platform == "win32":
    pytest.skip("terminals as POSIX has them", allow_module_level=True)

import fcntl
import pty
import termios


def ask_and_answer(tmp_path: Path, keys: bytes) -> tuple[int, int, str]:
    """The exit status of a run of two benchmarks whose forecast is above their budget, when `keys` are pressed at the
    first question and then n; how many requests were made; and what was shown."""
    for name in ("first", "second"):
        lines = [json.dumps({"n": n, "answer": str(n % 3)}) for n in range(100)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "prices.json").write_text('{"http*": {"input": 1e6, "output": 1e6}}')
    with serve_counting() as server:
        command = [sys.executable, "-m", "howgood.cli.main", "run", "first.jsonl", "second.jsonl", "--budget", "$400"]
        command += ["--ask", "number {n}", "--answer", "answer", "-m", f"{server.url}/v1#rule"]
        own, child = pty.openpty()
        settings = {"HOWGOOD_PRICES": "prices.json", "HOWGOOD_RUNS": "runs", "TERM": "xterm", "COLUMNS": "200"}
        process = subprocess.Popen(
            command,
            stdin=child,
            stdout=child,
            stderr=child,
            cwd=tmp_path,
            env=os.environ | settings,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # Ctrl-C goes to the terminal's own session
        )
        os.close(child)
        shown, answered = b"", 0
        while True:
            if not select.select([own], [], [], 120)[0]:
                process.kill()
                pytest.fail(f"nothing more was shown after {shown.decode()}")
            try:
                shown += os.read(own, 4096)
            except OSError:  # the other end is closed
                break
            if shown.count(b"Go on? [y/N]") > answered:
                # Python's input() does not see a Ctrl-C of the moment before it reads, which nobody can press in time.
                time.sleep(1)
                os.write(own, b"n\n" if answered else keys)
                answered += 1
        os.close(own)
        return process.wait(), server.asked.total(), shown.decode()


def test_ctrl_c_at_the_question_ends_all(tmp_path: Path) -> None:
    status, asked, shown = ask_and_answer(tmp_path, b"\x03")
    assert (status, asked) == (130, 20), shown
    assert len(list((tmp_path / "runs").glob("*/run.json"))) == 1


def test_no_ends_one_run_and_the_next_has_its_own_budget(tmp_path: Path) -> None:
    status, asked, shown = ask_and_answer(tmp_path, b"n\n")
    assert (status, asked) == (1, 40), shown
    assert shown.count("not gone on with after the forecast of $8") == 2
