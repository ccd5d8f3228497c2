"""Runs that are kept elsewhere: copied as far as they are looked at, and no further."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

import howgood as hg
from howgood.core.errors import HowgoodError
from howgood.runs import remote, store
from howgood.runs.remote import Mirror, is_address


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "FRESH", 0.0)


def put(run: Any, files: Any, root: str) -> None:
    """Copy a run to a file system of fsspec."""
    for path in run.path.iterdir():
        files.pipe_file(f"{root}/{run.id}/{path.name}", path.read_bytes())


@pytest.fixture
def memory() -> Iterator[Any]:
    import fsspec

    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()


def test_records_are_copied_at_once_and_trials_when_they_are_opened(memory: Any, tmp_path: Path) -> None:
    run = hg.run("quickstart-questions", model="reference/uniform", limit=3, folder=tmp_path / "runs")
    put(run, memory, "/bucket/runs")
    mirror = Mirror("memory://bucket/runs")
    mirror.refresh()
    (found,) = store.runs(mirror.path)
    assert (found.id, found.estimates) == (run.id, run.estimates)
    assert sorted(path.name for path in found.path.iterdir()) == ["copied.json", "run.json"]
    mirror.fetch(run.id)
    assert store.load(run.id, mirror.path).trials.equals(run.trials)


def test_what_changed_is_copied_again_and_what_is_gone_is_forgotten(memory: Any, tmp_path: Path) -> None:
    run = hg.run("quickstart-questions", model="reference/uniform", limit=3, folder=tmp_path / "runs")
    put(run, memory, "/bucket/runs")
    mirror = Mirror("memory://bucket/runs")
    mirror.refresh()
    run.message = "looked at again"
    store.save(run)
    put(run, memory, "/bucket/runs")
    mirror.refresh()
    assert store.load(run.id, mirror.path).message == "looked at again"
    memory.rm(f"/bucket/runs/{run.id}", recursive=True)
    mirror.refresh()
    assert store.runs(mirror.path) == []


def test_names_from_elsewhere_are_no_paths(memory: Any) -> None:
    for name in ("...", "-x", "a b", ".hidden"):
        memory.pipe_file(f"/bucket/runs/{name}/run.json", b"{}")
    mirror = Mirror("memory://bucket/runs")
    mirror.refresh()
    assert list(mirror.path.iterdir()) == []
    mirror.fetch("../../etc")


def test_a_record_that_is_too_large_is_told_and_not_copied(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "LARGEST_RECORD", 2_000_000)
    memory.pipe_file("/bucket/runs/vast/run.json", b" " * 2_000_001)
    mirror = Mirror("memory://bucket/runs")
    with pytest.raises(HowgoodError) as caught:
        mirror.refresh()
    assert str(caught.value) == (
        "memory://bucket/runs/vast/run.json has 2 MB, which no run's record takes; move it away from the runs"
    )
    assert list(mirror.path.iterdir()) == []


def test_an_address_that_nothing_reads_is_told() -> None:
    with pytest.raises(HowgoodError, match="cannot read nonsense://bucket"):
        Mirror("nonsense://bucket/runs")
    assert [is_address(text) for text in ("s3://b/runs", "runs", "/runs", "C:/runs", "gs://b")] == [
        True, False, False, False, True,
    ]  # fmt: skip


class Bucket(BaseHTTPRequestHandler):
    """As much of S3 as reading needs: listing by prefix, heads and contents; objects are files below `root`."""

    root: Path
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        bucket, _, key = unquote(asked.path).lstrip("/").partition("/")
        if "AWS4-HMAC-SHA256 Credential=reader/" not in self.headers.get("Authorization", ""):
            return self.answer(403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
        if not key:
            return self.answer(200, self.listing(bucket, parse_qs(asked.query)), Content_Type="application/xml")
        file = self.root / bucket / key
        if not file.is_file():
            return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        content = file.read_bytes()
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        return self.answer(200, content, ETag=tag, Last_Modified="Sun, 29 Nov 2026 10:00:00 GMT")

    def listing(self, bucket: str, query: dict[str, list[str]]) -> bytes:
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        keys = sorted(str(p.relative_to(self.root / bucket)) for p in (self.root / bucket).rglob("*") if p.is_file())
        files, folders = list[str](), list[str]()
        for key in (key for key in keys if key.startswith(prefix)):
            head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if found:
                folders.append(prefix + head + delimiter)
                continue
            content = (self.root / bucket / key).read_bytes()
            files.append(
                f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size><ETag>{hashlib.md5(content).hexdigest()}"
                "</ETag><LastModified>2026-11-29T10:00:00.000Z</LastModified></Contents>"
            )
        parts = [f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in dict.fromkeys(folders)]
        return (
            '<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>'
            f"<KeyCount>{len(files) + len(parts)}</KeyCount>{''.join(files + parts)}</ListBucketResult>"
        ).encode()


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder behind a bucket `results` on a server that speaks S3."""
    pytest.importorskip("s3fs", reason="needs the extra s3")
    root = tmp_path / "objects"
    (root / "results").mkdir(parents=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Bucket,), {"root": root}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield root / "results"
    server.shutdown()
    server.server_close()


def test_runs_in_a_bucket(bucket: Path) -> None:
    run = hg.run("quickstart-questions", model="reference/uniform", limit=3, folder=bucket / "team" / "runs")
    mirror = Mirror("s3://results/team/runs")
    mirror.refresh()
    mirror.fetch(run.id)
    assert store.load(run.id, mirror.path).trials.equals(run.trials)


def test_a_bucket_that_may_not_be_read_is_told(bucket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "stranger")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    mirror = Mirror("s3://results/team/runs")
    with pytest.raises(HowgoodError, match="cannot read the runs at s3://results/team/runs: "):
        mirror.refresh()
