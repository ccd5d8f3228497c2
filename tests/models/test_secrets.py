"""A planted key is searched for in everything that howgood writes, also where the server repeats it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from faults import in_turn, serve
from howgood.models import secrets
from howgood.models.secrets import scrub, scrub_bytes, secret

KEY = "sk-planted/0123456789+abcdef"
BACKEND = """
import getpass, pathlib, sys, time
from keyring.backend import KeyringBackend

class Good(KeyringBackend):
    priority = 9
    def set_password(self, service, name, password):
        raise NotImplementedError
    def get_password(self, service, name):
        pathlib.Path(__file__).with_name("reached").touch()
        return self.look() if (service, name) == ("howgood", "HOWGOOD_TEST_KEY") else None
    def look(self):
        return {key!r}

class Prompting(Good):
    def look(self):
        return getpass.getpass("the keyring's password: ")

class Asking(Good):
    def look(self):
        return input("the keyring's password: ")

class Crashing(Good):
    def look(self):
        raise RuntimeError("no bus")

class Dying(Good):
    def look(self):
        print("half a key", flush=True)
        sys.exit(3)

class Hanging(Good):
    def look(self):
        time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(secrets, "_handed_out", {})
    secrets._from_keyring.cache_clear()
    yield
    secrets._from_keyring.cache_clear()


@pytest.fixture
def keyring(tmp_path: Path) -> dict[str, str]:
    """The environment in which Python finds keyrings of our own."""
    pytest.importorskip("keyring")
    (tmp_path / "own_keyring.py").write_text(BACKEND.format(key=KEY))
    return {"PYTHONPATH": str(tmp_path), "PYTHON_KEYRING_BACKEND": "own_keyring.Good"}


class TestWhereKeysComeFrom:
    def test_the_environment_comes_first(self, monkeypatch: pytest.MonkeyPatch, keyring: dict[str, str]) -> None:
        for name, value in keyring.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HOWGOOD_TEST_KEY", " from the environment\n")
        assert secret("HOWGOOD_TEST_KEY") == "from the environment"
        monkeypatch.delenv("HOWGOOD_TEST_KEY")
        assert secret("HOWGOOD_TEST_KEY") == KEY
        assert secret("HOWGOOD_OTHER_KEY") == ""

    @pytest.mark.parametrize("backend", ["Prompting", "Asking", "Crashing", "Dying", "Hanging", "NoSuch"])
    def test_a_keyring_that_fails_holds_no_key(
        self,
        backend: str,
        monkeypatch: pytest.MonkeyPatch,
        keyring: dict[str, str],
        tmp_path: Path,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(secrets, "LONGEST_LOOK", 3.0)
        for name, value in (keyring | {"PYTHON_KEYRING_BACKEND": f"own_keyring.{backend}"}).items():
            monkeypatch.setenv(name, value)
        assert secret("HOWGOOD_TEST_KEY") == ""
        assert capfd.readouterr() == ("", "")
        assert (tmp_path / "reached").exists() is (backend != "NoSuch")

    def test_without_the_package_nothing_is_started(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(secrets.importlib.util, "find_spec", lambda name: None)
        monkeypatch.setattr(subprocess, "run", None)
        assert secret("HOWGOOD_TEST_KEY") == ""


class TestScrubbing:
    def test_every_key_that_was_handed_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("A_KEY", KEY)
        monkeypatch.setenv("B_KEY", "another-key")
        text = f"Bearer {KEY}, ?key=sk-planted%2F0123456789%2Babcdef, another-key"
        assert scrub(text) == text  # nobody has asked for them
        secret("A_KEY")
        secret("B_KEY")
        assert scrub(text) == "Bearer ***, ?key=***, ***"
        assert scrub_bytes(text.encode()) == b"Bearer ***, ?key=***, ***"

    def test_placeholders_stay(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("A_KEY", "EMPTY")
        assert secret("A_KEY") == "EMPTY"
        assert scrub("EMPTY") == "EMPTY"


async def howgood(folder: Path, *arguments: str, **environment: str) -> tuple[int | None, str]:
    """The exit status of a howgood process that keeps all it writes in `folder`, and what it printed."""
    own = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "HOWGOOD_RUNS": str(folder / "runs")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "howgood.cli.main", *arguments),
        env=os.environ | own | environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    return process.returncode, printed.decode()


def contents(folder: Path) -> str:
    """All that lies in a folder, with what stands compressed in columns."""
    texts = []
    for path in folder.rglob("*"):
        if path.is_file():
            texts.append(path.read_bytes().decode("utf-8", errors="replace"))
            if path.suffix == ".parquet":
                texts.append(pl.read_parquet(path).write_json())
    return "\n".join(texts)


def holds(text: str) -> bool:
    """Whether any part of a text could be the key, in whatever form."""
    return "planted" in text or "0123456789" in text


def questions(folder: Path, words: list[str]) -> list[str]:
    """The arguments that ask a model to say each word."""
    folder.mkdir()
    (folder / "words.jsonl").write_text("".join(json.dumps({"q": f"say {w}", "a": w}) + "\n" for w in words))
    return ["run", "words.jsonl", "--ask", "{q}", "--answer", "a", "--check", "contains"]


class TestRuns:
    async def test_a_run_that_ends(self, tmp_path: Path) -> None:
        folder = tmp_path / "work"
        run = questions(folder, ["good", "echoed", "wrong", "late"])
        async with serve(in_turn(echoed="echo good", wrong="echo 400", late=["echo 500"])) as server:
            status, printed = await howgood(folder, *run, "-m", f"{server.url}#m", HOWGOOD_API_KEY=KEY)
            assert {headers["Authorization"] for _, headers in server.seen} == {f"Bearer {KEY}"}
        assert server.requests == {"good": 1, "echoed": 1, "wrong": 1, "late": 2}
        assert status == 1, printed
        for command in (["show", "last", "--failed"], ["show", "last", "1"], ["report", "last"]):
            printed += (await howgood(folder, *command, HOWGOOD_API_KEY=KEY))[1]
        kept = contents(folder)
        assert list(folder.glob("runs/*/trials.parquet"))
        assert list(folder.glob("runs/*/report.html"))
        assert kept.count("Bearer ***") >= 2  # the echoes are there, without the key
        assert not holds(kept)
        assert not holds(printed)

    @pytest.mark.parametrize("reply", ["echo 401", "redirect"])
    async def test_a_run_that_fails(self, reply: str, tmp_path: Path, keyring: dict[str, str]) -> None:
        folder = tmp_path / "work"
        run = questions(folder, ["a", "b"])
        text = BACKEND.format(key=KEY).replace("HOWGOOD_TEST_KEY", "HOWGOOD_API_KEY")
        (tmp_path / "own_keyring.py").write_text(text)
        async with serve(lambda word, before: reply) as server:
            status, printed = await howgood(folder, *run, "-m", f"{server.url}#m", **keyring)
            assert server.seen[0][1]["Authorization"] == f"Bearer {KEY}"
        assert status == 1, printed
        assert "failed" in printed
        kept = contents(folder)
        assert "run.json" in {path.name for path in folder.rglob("*")}
        assert not holds(kept)
        assert not holds(printed)
