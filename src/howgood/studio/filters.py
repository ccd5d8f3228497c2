"""Which trials of a run are wanted, from an address's query to a condition in SQL with its values apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from howgood.report.instances import ORDER
from howgood.web.guard import Refused

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

ODD = "odd"
"""Stands for every outcome without a proper answer."""
PROPER = ("right", "wrong", "partial", "scored")
LONGEST_GROUP = 500
"""Characters of a group's name that an address takes."""
LEVEL = '"(level)"'
"""The column by which trials of two runs are compared; no score is called that."""
SORTS = ("index", "id", "outcome", "group", "score", "prompt", "answer", "latency", "cost")
Number = Annotated[float, Meta(ge=-1e300, le=1e300)]
Whole = Annotated[int, Meta(ge=0, le=10**12)]
Differ = Literal["", "any", "lower", "higher", "same"]


class Filter(Struct, frozen=True, omit_defaults=True):
    """The trials that are wanted: those that meet all that is given.

    `q` stands in the instance's own input, choices or targets, in the answer or in what was read from it, in any case
    (not in the worked examples, which are in every prompt); `outcome` is one of several, `odd` among them for all that
    are no proper answer; `group` a stratum; `score_...` bounds the headline score, `prompt_...` and `answer_...`
    tokens, `latency_...` seconds, `cost_...` US dollars, both ends included. `other` (in an address `with`) is the id
    of another run of the same instances: its score stands beside, and `differ` keeps those trials that scored lower
    than there, higher, just the same, or not the same (`any`). `flagged` keeps what people flagged.
    """

    q: Annotated[str, Meta(max_length=400)] = ""
    outcome: Annotated[tuple[Annotated[str, Meta(max_length=40)], ...], Meta(max_length=20)] = ()
    group: Annotated[str, Meta(max_length=LONGEST_GROUP)] = ""
    score_min: Number | None = None
    score_max: Number | None = None
    prompt_min: Whole | None = None
    prompt_max: Whole | None = None
    answer_min: Whole | None = None
    answer_max: Whole | None = None
    latency_min: Number | None = None
    latency_max: Number | None = None
    cost_min: Number | None = None
    cost_max: Number | None = None
    other: Annotated[str, Meta(max_length=300)] = field(default="", name="with")
    differ: Differ = ""
    flagged: bool = False

    @property
    def narrows(self) -> bool:
        """Whether anything is left out."""
        return msgspec.structs.replace(self, other="") != Filter()


Sort = Annotated[str, Meta(pattern=f"^-?({'|'.join(SORTS)})$")]
"""What trials are sorted by, after a minus from the largest on; what has none comes last."""


class Asked(Struct, frozen=True, omit_defaults=True):
    """What an address of trials asks for: which, in which order, and from which on."""

    filter: Filter = Filter()
    sort: Sort = "index"
    start: Annotated[int, Meta(ge=0, le=10**9)] = 0

    def query(self, **changed: Any) -> dict[str, Any]:
        """The parts of an address that ask for this, some changed; what is left as it is without is left out."""
        query: dict[str, Any] = msgspec.to_builtins(self.filter)
        query["sort"] = self.sort if self.sort != "index" else ""
        query["start"] = self.start or ""
        return query | changed


def asked(params: QueryParams) -> Asked:
    """What a request's query asks for. Raises `Refused` (400) for what it cannot mean."""
    given: dict[str, Any] = {name: value for name, value in params.items() if value != ""}
    if chosen := [value for value in params.getlist("outcome") if value]:
        given["outcome"] = chosen
    try:
        order: dict[str, Any] = {name: given[name] for name in ("sort", "start") if name in given}
        return msgspec.convert(order | {"filter": given}, Asked, strict=False)
    except msgspec.ValidationError as error:
        where = str(error).rpartition("$.")[2].removeprefix("filter.").strip("`")
        raise Refused(
            400, f"The address asks for what there is not: {str(error).split(' - at ')[0]} ({where})"
        ) from None


class Where(Struct):
    """A condition in SQL over `trials` (as t, and o for the other run's), and its values."""

    parts: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, part: str, *values: Any) -> None:
        self.parts.append(f"({part})")
        self.values += values

    @property
    def sql(self) -> str:
        return " and ".join(self.parts) or "true"


def where(asked: Filter, headline: str | None, flagged: list[tuple[str, int]] | None) -> Where:
    """The condition of a filter; `headline` names the headline score's column (None: no trial has one), `flagged` are
    the ids and epochs of what people flagged. `differ` needs the other run joined as o, with its `score`."""
    made = Where()
    if asked.outcome:
        named = [name for name in asked.outcome if name != ODD]
        told = [f"t.outcome in ({places(named)})"] if named else []
        if ODD in asked.outcome:
            told.append(f"t.outcome not in ({places(PROPER)})")
        made.add(" or ".join(told), *named, *(PROPER if ODD in asked.outcome else ()))
    if asked.group:
        made.add("t.stratum = ?", asked.group)
    score = f"t.{name(headline)}" if headline else "null::double"
    bounds = (
        (score, asked.score_min, asked.score_max),
        ("t.input_tokens", asked.prompt_min, asked.prompt_max),
        ("t.output_tokens", asked.answer_min, asked.answer_max),
        ("t.latency", asked.latency_min, asked.latency_max),
        ("t.cost", asked.cost_min, asked.cost_max),
    )
    for column, low, high in bounds:
        if low is not None:
            made.add(f"{column} >= ?", low)
        if high is not None:
            made.add(f"{column} <= ?", high)
    if asked.differ:
        than = {"lower": "<", "higher": ">", "same": "=", "any": "is distinct from"}[asked.differ]
        made.add(f"t.{LEVEL} {than} o.{LEVEL}")
    if asked.flagged:
        pairs = flagged or []
        keys = ", ".join("(?, ?)" for _ in pairs)
        made.add(
            f"(t.id, t.epoch) in (values {keys})" if pairs else "false", *(value for pair in pairs for value in pair)
        )
    if asked.q:
        _search(made, asked.q)
    return made


def _search(made: Where, words: str) -> None:
    """The words anywhere, in any case. A conversation is kept as JSON, where they may stand escaped."""
    # A regular expression without cases is as fast as a plain search; lower() and ilike take twice as long.
    plain = "(?is)" + re.escape(words)
    lists = [f"array_to_string({column}, chr(10))" for column in ("t.choices", "t.targets")]
    columns = ["t.input", "t.text", "t.answer", *lists]
    told, values = [f"regexp_matches({column}, ?)" for column in columns], [plain] * len(columns)
    escaped = msgspec.json.encode(words.encode(errors="replace").decode()).decode()[1:-1]
    if escaped != words:
        told.append("regexp_matches(t.input, ?)")
        values.append("(?is)" + re.escape(escaped))
    made.add(" or ".join(told), *values)


def order(sort: str, headline: str | None) -> tuple[str, bool]:
    """The expression that a sort goes by, and whether from the largest on."""
    ranks = " ".join(f"when '{outcome}' then {place}" for place, outcome in enumerate(ORDER))
    expressions = {
        "index": 't."index"',
        "id": "t.id",
        "outcome": f"case t.outcome {ranks} else {len(ORDER)} end",
        "group": "t.stratum",
        "score": f"t.{name(headline)}" if headline else "null::double",
        "prompt": "t.input_tokens",
        "answer": "t.output_tokens",
        "latency": "t.latency",
        "cost": "t.cost",
    }
    return expressions[sort.removeprefix("-")], sort.startswith("-")


def name(column: str) -> str:
    """A column's name in SQL."""
    return '"' + column.replace('"', '""') + '"'


def places(values: Sequence[Any]) -> str:
    """A place in SQL for each of some values."""
    return ", ".join("?" * len(values))
