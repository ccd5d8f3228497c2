"""Answers that were once given, in one SQLite file, by the digest of what was asked.

Several processes use the file at once. Reading happens where it is asked for and never waits for a writer (WAL:
https://www.sqlite.org/wal.html); all writing of a process is done by one thread, which puts what has gathered into one
transaction. With synchronous=NORMAL a committed transaction outlives the process (kill -9), though perhaps not a power
cut: then the last answers are gone, and the file is whole.

So that nothing is asked twice by two processes, who asks holds a claim. Claims belong to an owner (a process), whose
lease its writing thread renews; when the process dies, the lease runs out and others may ask.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import secrets
import sqlite3
import threading
import time
import warnings
import zlib
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from howgood.core.errors import HowgoodError
from howgood.core.folders import user_cache
from howgood.core.types import Prediction
from howgood.models.writer import Work, Writer, waited

T = TypeVar("T")
Claim = Literal["mine", "answered", "busy"]

LEASE = 20.0
"""Seconds after which the claims of a process that died are free; renewed in a third of that."""
PATIENCE = 30.0
"""Seconds that a writer waits for the other processes' transactions."""
LARGEST = 128 * 2**20
"""Bytes that one answer or the fields of one request may have, before compression."""

VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key BLOB PRIMARY KEY, model TEXT NOT NULL, instance TEXT NOT NULL, prompt INTEGER NOT NULL,
    made REAL NOT NULL, cost REAL, fields BLOB NOT NULL, answer BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS answers_instance ON answers (instance);
CREATE INDEX IF NOT EXISTS answers_prompt ON answers (prompt);
CREATE INDEX IF NOT EXISTS answers_model ON answers (model, made, cost);
CREATE TABLE IF NOT EXISTS owners (id TEXT PRIMARY KEY, until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS claims (key BLOB PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
    id TEXT PRIMARY KEY, model TEXT NOT NULL, size INTEGER NOT NULL, made REAL NOT NULL, owner TEXT NOT NULL,
    called REAL, remote TEXT);
CREATE TABLE IF NOT EXISTS items (
    batch TEXT NOT NULL, key BLOB NOT NULL, instance TEXT NOT NULL, prompt INTEGER NOT NULL, fields BLOB NOT NULL,
    tries INTEGER NOT NULL, PRIMARY KEY (batch, key));
CREATE INDEX IF NOT EXISTS items_key ON items (key);
"""
LIVE = "EXISTS (SELECT 1 FROM owners WHERE owners.id = {} AND owners.until > :now)"


class Key(Struct, frozen=True):
    """What was asked: the `digest` (sha256) of its `fields` (JSON), and by what it is found when another request is
    compared with it: the `model`, the `instance` and a number made of the `prompt`."""

    digest: bytes
    fields: bytes
    model: str
    instance: str
    prompt: int


class Entry(Struct, frozen=True):
    """A stored answer: when it was `made` (unix time), and the `fields` (JSON) of what was asked."""

    made: float
    fields: bytes


class Held(Struct, frozen=True):
    """What is stored for one model: how many answers, what they cost (US dollars; None: not known of every one), the
    bytes they take, and when the first and the last were made (unix time)."""

    model: str
    answers: int
    cost: float | None
    size: int
    first: float
    last: float


def cache_path() -> Path:
    """Where the answers are kept: HOWGOOD_CACHE, or responses.sqlite in howgood's cache folder."""
    named = os.environ.get("HOWGOOD_CACHE")
    return Path(named) if named else user_cache() / "responses.sqlite"


_opened: dict[tuple[Path, int], Responses] = {}


def responses(path: Path | None = None) -> Responses:
    """The answers in the file at `path` (None: `cache_path`), opened once in the life of a process. Raises
    `HowgoodError` where it cannot be used."""
    place = ((path or cache_path()).absolute(), os.getpid())  # a forked child has none of its parent's threads
    if place not in _opened:
        _opened[place] = Responses(place[0])
        atexit.register(_opened[place].flush)
    return _opened[place]


class Responses:
    """The answers in the SQLite file at `path`, made if there is none. Use `responses` to open it.

    Raises `HowgoodError` where the file cannot be made, is damaged or may not be written: before anything is paid.
    Later troubles (a full disk) raise `sqlite3.Error`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.owner = secrets.token_hex(8)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._reader = self._connect()
            self._prepare()
            writing = self._connect()
        except (sqlite3.Error, OSError) as error:
            raise HowgoodError(f"cannot use the cache {path}: {error}. {_remedy(path, error)}") from error
        self._reading = threading.Lock()
        self._claims: set[bytes] = set()
        self._told = False
        self._writer = Writer(writing, self._renew, lambda: LEASE / 3 if self._claims else None)

    def read(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self._reading:
            return self._reader.execute(sql, values).fetchall()

    def submit(self, work: Work[T]) -> Future[T]:
        """Have `work` done inside a transaction of the writing thread; see `Writer`."""
        return self._writer.submit(work)

    async def done(self, work: Work[T]) -> T:
        """`submit`, waited for. The work is done even when the waiting is cancelled."""
        return await waited(self.submit(work))

    def flush(self) -> None:
        """Wait until what was submitted is in the file."""
        with contextlib.suppress(sqlite3.Error, TimeoutError):
            self.submit(lambda db: None).result(PATIENCE)

    def find(self, digest: bytes) -> Prediction | None:
        """The answer to what has this digest, marked as replayed. None where there is none that can be read."""
        rows = self.read("SELECT answer FROM answers WHERE key = ?", digest)
        if not rows:
            return None
        try:
            prediction = _prediction(unpack(rows[0][0]))
        except (msgspec.DecodeError, ValueError):
            return None  # damaged, or written by another version: it is asked again and written anew
        return msgspec.structs.replace(prediction, replayed=True)

    def entry(self, digest: bytes) -> Entry | None:
        """What is known of a stored answer."""
        rows = self.read("SELECT made, fields FROM answers WHERE key = ?", digest)
        return next(_entries(rows), None)

    def near(self, key: Key, most: int) -> list[Entry]:
        """Stored answers to requests that resemble one: of the same instance or prompt, else the model's latest."""
        alike = "SELECT key FROM answers WHERE prompt = ? UNION SELECT key FROM answers WHERE instance = ?"
        latest = "ORDER BY made DESC LIMIT ?"
        found = self.read(
            f"SELECT made, fields FROM answers WHERE key IN ({alike}) {latest}", key.prompt, key.instance or None, most
        )
        if not found:
            found = self.read(f"SELECT made, fields FROM answers WHERE model = ? {latest}", key.model, most)
        return list(_entries(found))

    def size(self) -> int:
        """Bytes that the file takes."""
        return sum(part.stat().st_size for end in ("", "-wal") if (part := Path(f"{self.path}{end}")).exists())

    def live(self, owner: str) -> bool:
        """Whether the process that calls itself so is still at work."""
        return bool(self.read("SELECT 1 FROM owners WHERE id = ? AND until > ?", owner, time.time()))

    async def claim(self, digest: bytes) -> Claim:
        """Ask for the right to ask: `mine` until `put` or `release`; `answered` meanwhile; or `busy`: another asks."""
        future = self.submit(lambda db: self._claim(db, digest))
        try:
            return await waited(future)
        except asyncio.CancelledError:  # nobody is left to give it back
            future.add_done_callback(
                lambda f: self.release(digest) if not f.exception() and f.result() == "mine" else None
            )
            raise

    def release(self, digest: bytes) -> None:
        """Give a claim back."""
        if digest in self._claims:
            self.submit(lambda db: self._release(db, digest))

    async def put(self, key: Key, prediction: Prediction) -> None:
        """Keep an answer, and give the claim back. When this returns the answer outlives the process."""
        answer, now = pack_answer(prediction), time.time()

        def work(db: sqlite3.Connection) -> None:
            keep(db, key, prediction.cost, answer, now)
            self._release(db, key.digest)

        await self.done(work)

    def warn(self, error: Exception) -> None:
        """Say once that answers are no longer kept."""
        if not self._told:
            self._told = True
            words = f"the cache {self.path} failed ({error}), so answers may be paid for again"
            warnings.warn(f"{words}. {_remedy(self.path, error)}", RuntimeWarning, stacklevel=2)

    def held(self) -> list[Held]:
        """What is stored, by model."""
        rows = self.read(
            "SELECT model, count(*), CASE WHEN count(cost) = count(*) THEN sum(cost) END, "
            "sum(length(fields) + length(answer)), min(made), max(made) FROM answers GROUP BY model ORDER BY model"
        )
        return [Held(*row) for row in rows]

    def prune(self, before: float | None = None, model: str | None = None) -> int:
        """Forget the answers made before a time (unix) and of a model, or all; return how many they were."""
        where, values = ["1"], dict[str, object]()
        if before is not None:
            where, values = [*where, "made < :before"], values | {"before": before}
        if model is not None:
            where, values = [*where, "model = :model"], values | {"model": model}
        sql = f"DELETE FROM answers WHERE {' AND '.join(where)}"
        count = self.submit(lambda db: db.execute(sql, values).rowcount).result()
        with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(self._connect()) as connection:
            connection.execute("VACUUM")  # gives the room back, unless another process is at work on the file
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _prepare(self) -> None:
        """Bring the file into form, and let go of what dead processes held."""
        db = self._reader
        if db.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise OSError("its file system cannot share memory between processes (WAL)")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise OSError(f"it was written by a newer howgood (form {version})")
        db.execute("BEGIN IMMEDIATE")
        for statement in SCHEMA.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("DELETE FROM owners WHERE until <= ?", (time.time(),))
        db.execute("DELETE FROM claims WHERE owner NOT IN (SELECT id FROM owners)")
        db.execute("COMMIT")

    def _claim(self, db: sqlite3.Connection, digest: bytes) -> Claim:
        if db.execute("SELECT 1 FROM answers WHERE key = ?", (digest,)).fetchone():
            return "answered"
        self._renew(db, claiming=True)
        # A claim of our own that we do not hold was given back in vain, as on a full disk.
        left = "claims.owner = :owner AND NOT :held"
        taken = db.execute(
            "INSERT INTO claims VALUES (:key, :owner) ON CONFLICT (key) DO UPDATE SET owner = excluded.owner "
            f"WHERE {left} OR NOT {LIVE.format('claims.owner')}",
            {"key": digest, "owner": self.owner, "now": time.time(), "held": digest in self._claims},
        )
        if not taken.rowcount:
            return "busy"
        self._claims.add(digest)
        return "mine"

    def _renew(self, db: sqlite3.Connection, claiming: bool = False) -> None:
        """Make the lease longer where there is a claim that needs it."""
        now = time.time()
        held = db.execute("SELECT until FROM owners WHERE id = ?", (self.owner,)).fetchone()
        if (claiming or self._claims) and not (held and now + LEASE / 2 < held[0] <= now + LEASE):
            db.execute("INSERT OR REPLACE INTO owners VALUES (?, ?)", (self.owner, now + LEASE))

    def _release(self, db: sqlite3.Connection, digest: bytes) -> None:
        self._claims.discard(digest)
        db.execute("DELETE FROM claims WHERE key = ? AND owner = ?", (digest, self.owner))


def keep(db: sqlite3.Connection, key: Key, cost: float | None, answer: bytes, now: float) -> None:
    """Write an answer (packed), inside a transaction."""
    db.execute(
        "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (key.digest, key.model, key.instance, key.prompt, now, cost, pack(key.fields), answer),
    )


def pack_answer(prediction: Prediction) -> bytes:
    """An answer as it is stored."""
    return pack(_encode(prediction))


def pack(content: bytes) -> bytes:
    """Content as it is stored. Raises `ValueError` for more than can be read back."""
    if len(content) > LARGEST:
        raise ValueError(f"{len(content)} bytes are more than the {LARGEST} that can be kept")
    return zlib.compress(content, 1)


def unpack(stored: object) -> bytes:
    """Stored content as it was. Raises `ValueError` for what is damaged."""
    if not isinstance(stored, bytes):
        raise ValueError("no bytes")
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(stored, LARGEST)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not stream.eof:
        raise ValueError("it is cut off, or larger than anything that is kept")
    return content


# MessagePack and not JSON, which has no infinity: a log-likelihood can be one.
_encode = msgspec.msgpack.Encoder().encode
_prediction = msgspec.msgpack.Decoder(Prediction).decode


def _entries(rows: list[tuple[Any, ...]]) -> Iterator[Entry]:
    for made, fields in rows:
        with contextlib.suppress(ValueError):
            yield Entry(made, unpack(fields))


def _remedy(path: Path, error: Exception) -> str:
    words = str(error)
    if "full" in words:
        return "Free some space"
    if "malformed" in words or "not a database" in words:
        return f"It is damaged: move it away (or `sqlite3 {path.name} .recover`); a new one is made"
    return "Choose another file with HOWGOOD_CACHE, or go without: --no-cache"
