"""What an arena keeps: systems, battles, turns and votes, in an SQLite file or in PostgreSQL."""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
from msgspec import Struct

from howgood.core.errors import DataError, HowgoodError, MissingExtra
from howgood.core.text import digest, shorten
from howgood.interpret.rating import style

try:
    import sqlalchemy as sql
except ImportError:
    raise MissingExtra("an arena's database", "arena") from None

from howgood.arena.answers import Answered
from howgood.arena.schema import BATTLES, FACTS, METADATA, SYSTEMS, TURNS, VERSION

Winner = Literal["a", "b", "tie", "bothbad"]
PENDING = 600.0
"""A battle begun so many seconds ago may still end in a vote."""
PATIENCE = 10
"""Seconds in which a PostgreSQL server has to answer a new connection."""
LOCKED = 30
"""Seconds in which another process has to let go of the SQLite file."""


class Denied(HowgoodError):
    """What a visitor may not do, in words for them."""


class Variant(Struct, frozen=True):
    """A system as it was registered: one name with other `details` is another variant. `label` tells it from all
    others. `shown` counts the battles it was in, `votes` those whose vote counts; `seconds` and `cost` (US dollars) are
    the means of its answers, None where there are none or where the cost of one is not known."""

    id: int
    name: str
    label: str
    variant: str
    details: dict[str, Any]
    registered: float
    shown: int
    votes: int
    seconds: float | None
    cost: float | None


class Turn(Struct, frozen=True):
    """What was asked and answered. `ended` is None where the answers were cut off."""

    prompt: str
    answers: tuple[str | None, str | None]
    errors: tuple[str | None, str | None]
    leaks: tuple[str | None, str | None]
    ended: float | None


class Battle(Struct, frozen=True):
    id: str
    voter: str
    systems: tuple[int, int]
    turns: tuple[Turn, ...]
    winner: Winner | None

    @property
    def open(self) -> bool:
        """Whether it can go on: no vote yet, and all that was asked is answered."""
        return self.winner is None and all(turn.ended and not any(turn.errors) for turn in self.turns)


class Ballot(Struct, frozen=True):
    """A vote that was kept: of which systems, and why it does not count (empty where it does)."""

    systems: tuple[int, int]
    left_out: str


class Database:
    """A database by its URL, `postgresql://user@host/name`, or by the path of an SQLite file. With `create` its tables
    are made where they are missing. Calls block; one writes at a time. Raises `DataError` where it cannot be reached or
    is no arena's."""

    def __init__(self, where: str, *, create: bool = True) -> None:
        url = _url(where, create)
        self._lite = url.get_backend_name() == "sqlite"
        # A password may stand in the query too.
        shown = url.set(drivername="postgresql", query={}).render_as_string()
        self.name = str(url.database) if self._lite else shown
        try:
            self._engine = _engine(url)
        except ImportError:
            raise MissingExtra("an arena in PostgreSQL", "postgresql") from None
        with self._told():
            if create:
                METADATA.create_all(self._engine)
            elif not sql.inspect(self._engine).has_table(FACTS.name):
                raise DataError(f"{self.name} holds no arena; `howgood arena serve` makes one")
            version = self._fact("version", lambda: VERSION)
        if version != VERSION:
            raise DataError(f"{self.name} is of another version of howgood ({version}, and this one reads {VERSION})")

    def secret(self) -> bytes:
        """What cookies are signed by: made once, and the same for all servers on this database."""
        return bytes.fromhex(self._fact("secret", lambda: secrets.token_hex(32)))

    def register(self, name: str, details: dict[str, Any]) -> int:
        """The number of a system; a new one where it was never here with these details."""
        variant = digest(details)
        key = (SYSTEMS.c.name == _kept(name)) & (SYSTEMS.c.variant == variant)
        values = {
            "name": _kept(name),
            "variant": variant,
            "details": _kept(msgspec.json.encode(details, order="sorted").decode()),
            "registered": time.time(),
        }
        with self._writing() as c:
            found = c.scalar(sql.select(SYSTEMS.c.id).where(key))
            if found is None:
                self._insert_new(c, SYSTEMS, values)
                found = c.scalar(sql.select(SYSTEMS.c.id).where(key))
        assert found is not None
        return int(found)

    def begin(self, voter: str, address: str, systems: tuple[int, int], prompt: str) -> str:
        """A new battle with its first turn; its id."""
        battle = secrets.token_hex(16)
        now = time.time()
        with self._writing() as c:
            c.execute(
                sql.insert(BATTLES).values(
                    id=battle, voter=voter, address=address, model_a=systems[0], model_b=systems[1], started=now
                )
            )
            c.execute(sql.insert(TURNS).values(battle=battle, number=0, prompt=_kept(prompt), started=now))
        return battle

    def go_on(self, battle: str, voter: str, prompt: str, most_turns: int) -> Battle:
        """Another turn of a battle; the battle as it was before. Raises `Denied`."""
        with self._writing() as c:
            found = _battle(c, battle, voter)
            if not found.open:
                raise Denied("This battle cannot go on. Start a new one.")
            if len(found.turns) >= most_turns:
                raise Denied(f"A battle has at most {most_turns} turns. Vote, or start a new one.")
            values = {"battle": battle, "number": len(found.turns), "prompt": _kept(prompt), "started": time.time()}
            c.execute(sql.insert(TURNS).values(values))
        return found

    def end_turn(self, battle: str, number: int, answers: tuple[Answered, Answered]) -> None:
        values: dict[str, Any] = {"ended": time.time()}
        for side, one in zip("ab", answers, strict=True):
            kept = {
                "answer": _kept(one.text),
                "error": None if one.error is None else _kept(one.error),
                "leak": one.leak,
                "seconds": one.seconds,
                "tokens": one.tokens,
                "cost": one.cost,
            }
            values |= {f"{name}_{side}": value for name, value in kept.items()}
        with self._writing() as c:
            c.execute(sql.update(TURNS).where((TURNS.c.battle == battle) & (TURNS.c.number == number)).values(values))

    def vote(self, battle: str, voter: str, winner: Winner, *, bot: bool = False, read: float = 0.0) -> Ballot:
        """Keep a vote, the only one of its battle. It counts unless a bot gave it, an answer says who wrote it, or the
        same visitor or address voted on the same pair and prompts before. Raises `Denied` for a battle that is not this
        voter's, is not finished, was voted on, or whose last answer is not `read` seconds old."""
        with self._writing() as c:
            if not self._lite:  # votes of one battle wait for each other
                c.execute(sql.select(BATTLES.c.id).where(BATTLES.c.id == battle).with_for_update())
            found = _battle(c, battle, voter)
            if found.winner is not None:
                raise Denied("You have voted on this battle already.")
            if not found.open:
                raise Denied("Without an answer from both systems there is nothing to vote on. Start a new battle.")
            now = time.time()
            if now - max(turn.ended or now for turn in found.turns) < read:
                raise Denied("That was quick. Read both answers, then vote.")
            prompt_id = digest([" ".join(turn.prompt.casefold().split()) for turn in found.turns])
            left_out = _left_out(c, found, prompt_id, bot)
            texts = ["\n\n".join(turn.answers[side] or "" for turn in found.turns) for side in (0, 1)]
            values: dict[str, Any] = {"winner": winner, "voted": now, "left_out": left_out, "prompt_id": prompt_id}
            for side, text in zip("ab", texts, strict=True):
                values |= {f"{name}_{side}": n for name, n in zip(style.FEATURES, style.counts(text), strict=True)}
            mine = (BATTLES.c.id == battle) & BATTLES.c.winner.is_(None)
            c.execute(sql.update(BATTLES).where(mine).values(values))
        return Ballot(found.systems, left_out or "")

    def pairs(self) -> list[tuple[int, int, str | None, int]]:
        """How often each pair ended how: (model_a, model_b, winner, number) of votes that count, and of battles begun
        lately that may still get a vote (winner None)."""
        lately = BATTLES.c.winner.is_(None) & (BATTLES.c.started > time.time() - PENDING)
        number = sql.func.count()
        query = (
            sql.select(BATTLES.c.model_a, BATTLES.c.model_b, BATTLES.c.winner, number)
            .where(sql.or_(lately, BATTLES.c.winner.is_not(None) & BATTLES.c.left_out.is_(None)))
            .group_by(BATTLES.c.model_a, BATTLES.c.model_b, BATTLES.c.winner)
        )
        with self._reading() as c:
            return [(int(a), int(b), winner, int(n)) for a, b, winner, n in c.execute(query)]

    def variants(self) -> list[Variant]:
        """Every system that was ever registered, in the order in which they came."""
        counts: Counter[tuple[int, bool]] = Counter()
        counting = BATTLES.c.winner.is_not(None) & BATTLES.c.left_out.is_(None)
        with self._reading() as c:
            rows = c.execute(sql.select(SYSTEMS).order_by(SYSTEMS.c.id)).all()
            for side in (BATTLES.c.model_a, BATTLES.c.model_b):
                query = sql.select(side, counting.label("counts"), sql.func.count()).group_by(side, counting)
                for system, counted, n in c.execute(query):
                    counts[int(system), bool(counted)] += int(n)
            spent = _spent(c)
        labels = _labels(rows)
        return [
            Variant(
                row.id,
                row.name,
                labels[row.id],
                row.variant,
                msgspec.json.decode(row.details),
                row.registered,
                counts[row.id, True] + counts[row.id, False],
                counts[row.id, True],
                *spent.get(row.id, (None, None)),
            )
            for row in rows
        ]

    def labels(self) -> dict[int, str]:
        """What each system is called: its name, and a digest where another system has the same one."""
        with self._reading() as c:
            return _labels(c.execute(sql.select(SYSTEMS)).all())

    def votes(self) -> dict[str, list[Any]]:
        """The votes that count, as columns that `howgood.rate` takes, in the order in which they were given."""
        turns = sql.select(sql.func.count()).where(TURNS.c.battle == BATTLES.c.id).scalar_subquery()
        columns = [
            BATTLES.c.id.label("battle"),
            BATTLES.c.model_a,
            BATTLES.c.model_b,
            BATTLES.c.winner,
            BATTLES.c.voter,
            BATTLES.c.voted.label("time"),
            BATTLES.c.prompt_id,
            turns.label("turns"),
            *(BATTLES.c[f"{name}_{side}"] for name in style.FEATURES for side in "ab"),
        ]
        query = (
            sql.select(*columns)
            .where(BATTLES.c.winner.is_not(None) & BATTLES.c.left_out.is_(None))
            .order_by(BATTLES.c.voted, BATTLES.c.id)
        )
        labels = self.labels()
        with self._reading() as c:
            rows = c.execute(query).all()
        values = zip(*rows, strict=True) if rows else ((),) * len(columns)
        table = {column.name: list(one) for column, one in zip(columns, values, strict=True)}
        for side in ("model_a", "model_b"):
            table[side] = [labels[code] for code in table[side]]
        table["winner"] = [f"model_{winner}" if winner in ("a", "b") else winner for winner in table["winner"]]
        return table

    def left_out(self) -> dict[str, int]:
        """How many battles are no vote that counts, and why."""
        failed = sql.or_(TURNS.c.error_a.is_not(None), TURNS.c.error_b.is_not(None))
        with self._reading() as c:
            why = sql.select(BATTLES.c.left_out, sql.func.count()).where(BATTLES.c.left_out.is_not(None))
            found = {WHY[reason]: int(n) for reason, n in c.execute(why.group_by(BATTLES.c.left_out))}
            without = int(c.scalar(sql.select(sql.func.count()).where(BATTLES.c.winner.is_(None))) or 0)
            errors = sql.select(sql.func.count(sql.distinct(TURNS.c.battle))).where(failed)
            broken = int(c.scalar(errors) or 0)
        told = {"a system failed": broken, "no vote": without - broken, **found}
        return {reason: n for reason, n in told.items() if n}

    def texts(self, battles: Sequence[str]) -> list[list[Turn]]:
        """The turns of each of these battles, of which there may be a thousand."""
        query = sql.select(TURNS).where(TURNS.c.battle.in_(battles)).order_by(TURNS.c.battle, TURNS.c.number)
        found: dict[str, list[Turn]] = {}
        with self._reading() as c:
            for row in c.execute(query):
                found.setdefault(row.battle, []).append(_turn(row))
        return [found.get(one, []) for one in battles]

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fact(self, name: str, make: Any) -> str:
        """A fact, made where it is not there yet; two who make it at once agree."""
        known = sql.select(FACTS.c.value).where(FACTS.c.name == name)
        with self._reading() as c:
            found = c.scalar(known)
        if found is None:
            with self._writing() as c:
                if c.scalar(known) is None:
                    self._insert_new(c, FACTS, {"name": name, "value": make()})
            with self._reading() as c:
                found = c.scalar(known)
        return str(found)

    def _insert_new(self, c: sql.Connection, table: sql.Table, values: dict[str, Any]) -> None:
        """Insert, unless another was quicker."""
        if self._lite:
            from sqlalchemy.dialects.sqlite import insert as lite

            c.execute(lite(table).values(values).on_conflict_do_nothing())
        else:
            from sqlalchemy.dialects.postgresql import insert

            c.execute(insert(table).values(values).on_conflict_do_nothing())

    @contextmanager
    def _writing(self) -> Iterator[sql.Connection]:
        with self._told(), self._engine.connect().execution_options(writes=True) as c, c.begin():
            yield c

    @contextmanager
    def _reading(self) -> Iterator[sql.Connection]:
        with self._told(), self._engine.connect() as c:
            yield c

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sql.exc.SQLAlchemyError as error:
            why = shorten(str(getattr(error, "orig", None) or error), 200)
            raise DataError(f"the arena's database {self.name} does not answer: {why}") from None


WHY = {
    "leak": "an answer says who wrote it",
    "duplicate": "a second vote of the same visitor or address on the same pair and prompts",
    "bot": "given by a bot",
}


def _url(where: str, create: bool) -> sql.URL:
    if "://" not in where:
        path = Path(where).expanduser().absolute()
        if not create and not path.is_file():
            raise DataError(f"there is no arena at {where}; name the file or URL that `howgood arena serve` was given")
        try:  # what people wrote is for the owner's eyes, and so is what cookies are signed by
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise DataError(f"the arena's database {path} cannot be opened: {error.strerror or error}") from None
        return sql.URL.create("sqlite+pysqlite", database=str(path))
    try:
        url = sql.make_url(where)
    except sql.exc.ArgumentError:
        url = None
    if url is None or url.get_backend_name() != "postgresql":
        kind = where.partition("://")[0]
        raise DataError(f"a database is an SQLite file or postgresql://user@host/name, and not {shorten(kind, 30)}://")
    return url.set(drivername="postgresql+psycopg")


def _engine(url: sql.URL) -> sql.Engine:
    if url.get_backend_name() == "postgresql":
        return sql.create_engine(url, connect_args={"connect_timeout": PATIENCE}, pool_pre_ping=True)
    engine = sql.create_engine(url, connect_args={"timeout": LOCKED, "isolation_level": None})

    @sql.event.listens_for(engine, "connect")
    def _settings(connection: Any, _: Any) -> None:
        # A write-ahead log lets boards be read while votes are written; FULL keeps a vote that was thanked for.
        for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {setting}").close()

    @sql.event.listens_for(engine, "begin")
    def _begin(connection: sql.Connection) -> None:
        # A transaction that will write takes the lock at once, so that it never has to be tried again.
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _battle(c: sql.Connection, battle: str, voter: str) -> Battle:
    row = c.execute(sql.select(BATTLES).where((BATTLES.c.id == battle) & (BATTLES.c.voter == voter))).first()
    if row is None:
        raise Denied("There is no such battle of yours. Start a new one.")
    turns = c.execute(sql.select(TURNS).where(TURNS.c.battle == battle).order_by(TURNS.c.number)).all()
    return Battle(row.id, row.voter, (row.model_a, row.model_b), tuple(map(_turn, turns)), row.winner)


def _labels(rows: Sequence[Any]) -> dict[int, str]:
    named = Counter(row.name for row in rows)
    return {row.id: row.name if named[row.name] == 1 else f"{row.name} ({row.variant[:6]})" for row in rows}


def _spent(c: sql.Connection) -> dict[int, tuple[float | None, float | None]]:
    """The mean seconds and the mean cost of each system's answers."""
    sums: dict[int, list[float]] = {}
    for side in "ab":
        system, seconds, cost = BATTLES.c[f"model_{side}"], TURNS.c[f"seconds_{side}"], TURNS.c[f"cost_{side}"]
        query = (
            sql.select(system, *(f(x) for x in (seconds, cost) for f in (sql.func.count, sql.func.sum)))
            .join_from(TURNS, BATTLES, TURNS.c.battle == BATTLES.c.id)
            .where(seconds.is_not(None), TURNS.c[f"error_{side}"].is_(None))
            .group_by(system)
        )
        for found, *values in c.execute(query):
            before = sums.setdefault(int(found), [0.0] * 4)
            sums[int(found)] = [x + float(value or 0) for x, value in zip(before, values, strict=True)]
    return {
        found: (seconds / n, cost / known if known == n else None) for found, (n, seconds, known, cost) in sums.items()
    }


def _turn(row: Any) -> Turn:
    return Turn(
        row.prompt,
        (row.answer_a, row.answer_b),
        (row.error_a, row.error_b),
        (row.leak_a, row.leak_b),
        row.ended,
    )


def _left_out(c: sql.Connection, battle: Battle, prompt_id: str, bot: bool) -> str | None:
    if bot:
        return "bot"
    if any(leak for turn in battle.turns for leak in turn.leaks):
        return "leak"
    address = sql.select(BATTLES.c.address).where(BATTLES.c.id == battle.id).scalar_subquery()
    a, b = battle.systems
    earlier = (
        sql.select(BATTLES.c.id)
        .where(BATTLES.c.prompt_id == prompt_id, BATTLES.c.winner.is_not(None), BATTLES.c.left_out.is_(None))
        .where(sql.or_(BATTLES.c.voter == battle.voter, BATTLES.c.address == address))
        .where(BATTLES.c.model_a.in_((a, b)), BATTLES.c.model_b.in_((a, b)))
    )
    return "duplicate" if c.execute(earlier.limit(1)).first() else None


def _kept(text: str) -> str:
    """A text that every database can hold: no NUL, no half of a surrogate pair."""
    return text.encode("utf-8", errors="replace").decode().replace("\0", "\ufffd")
