"""The tables of an arena's database, the same in SQLite and in PostgreSQL. Times are in seconds since 1970."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

VERSION = "1"

METADATA = MetaData()
FACTS = Table(
    "arena_facts",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)
"""`version` of these tables, and the `secret` that cookies are signed by."""

SYSTEMS = Table(
    "arena_systems",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("variant", String(12), nullable=False),
    Column("details", Text, nullable=False),
    Column("registered", Float, nullable=False),
    Index("arena_systems_once", "name", "variant", unique=True),
)
"""Every system that was ever in the arena. One name with other details (weights, limits) is another system."""

BATTLES = Table(
    "arena_battles",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("voter", String(32), nullable=False),
    Column("address", String(32), nullable=False),
    Column("model_a", Integer, ForeignKey("arena_systems.id"), nullable=False),
    Column("model_b", Integer, ForeignKey("arena_systems.id"), nullable=False),
    Column("started", Float, nullable=False),
    Column("winner", String(8)),
    Column("voted", Float),
    Column("left_out", String(12)),
    Column("prompt_id", String(12)),
    *(Column(f"{name}_{side}", Integer) for name in ("length", "headers", "lists", "bold") for side in "ab"),
    Index("arena_battles_prompt", "prompt_id"),
    Index("arena_battles_started", "started"),
)
"""`voter` and `address` are digests. `winner` is a, b, tie or bothbad, None before the vote; `left_out` says why a vote
does not count; `prompt_id` is the digest of all prompts, and the last columns count the answers' style."""

TURNS = Table(
    "arena_turns",
    METADATA,
    Column("battle", String(32), ForeignKey("arena_battles.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("prompt", Text, nullable=False),
    Column("started", Float, nullable=False),
    Column("ended", Float),
    *(
        Column(f"{name}_{side}", kind)
        for name, kind in (
            ("answer", Text),
            ("error", Text),
            ("leak", Text),
            ("seconds", Float),
            ("tokens", Integer),
            ("cost", Float),
        )
        for side in "ab"
    ),
)
"""A turn without `ended` was cut off. `leak` is what in an answer says who wrote it."""
