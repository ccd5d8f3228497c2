"""Single trials made ready to be shown: which ones a page shows, and what is to be seen of each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from howgood.core.text import LETTERS
from howgood.core.types import Instance, Message, Outcome, Prediction, Verdict
from howgood.models.base import text_of
from howgood.outputs.grid import Grid, read_grid
from howgood.report.grids import Task, read_task
from howgood.runs.columns import score_names

if TYPE_CHECKING:
    import polars as pl

    from howgood.runs.store import SavedRun

Row = dict[str, Any]

ORDER: tuple[Outcome, ...] = (
    "wrong", "partial", "truncated", "refused", "filtered", "empty", "unanswered", "unjudged", "unsupported", "failed",
    "scored",
    "right",
)  # fmt: skip
"""Outcomes in the order they are shown: what went wrong first."""

SAMPLE = {"right": 10, "scored": 10}
SAMPLE_OTHERS = 20
"""How many trials of an outcome a page shows."""
MOST_CHOICES = 60


class Choice(Struct, frozen=True):
    """One choice of a question: whether it is right, whether it was picked, its log-likelihood in nats,
    and its `share` of the likelihood of all choices, from 0 to 1."""

    label: str
    text: str
    right: bool
    picked: bool
    logprob: float | None = None
    share: float | None = None


class Shot(Struct, frozen=True):
    """A trial as it is shown. `question` is the instance's own text, `turns` the prompt as (role, text), one of role ""
    for raw text; `facts` are small things worth a line; an ARC instance has a `task`, its target and its attempts as
    grids. Of very many choices only some are there, so many were left out."""

    id: str
    epoch: int
    outcome: str
    stratum: str | None
    question: str
    turns: tuple[tuple[str, str], ...]
    targets: tuple[str, ...]
    text: str | None
    attempts: tuple[str, ...]
    answer: str | None
    reasoning: str | None
    explanation: str | None
    error: str | None
    choices: tuple[Choice, ...]
    scores: dict[str, float]
    facts: tuple[str, ...]
    task: Task | None
    target_grid: Grid | None
    attempt_grids: tuple[Grid | None, ...]
    verdicts: tuple[Verdict, ...] = ()
    choices_left_out: int = 0

    @property
    def read_apart(self) -> bool:
        """Whether the answer that was read has to be told: it is not the text itself, nor seen in choices or grids."""
        scored = bool(self.choices) and self.text is None
        return self.answer is not None and self.answer != self.text and not self.task and not scored

    @property
    def length(self) -> int:
        """Characters of the prompt."""
        return sum(len(text) for _, text in self.turns)


class Sample(Struct, frozen=True):
    """Some of a run's trials of one outcome, `total` in all."""

    outcome: str
    total: int
    shots: tuple[Shot, ...]


def sample(run: SavedRun, share: float = 1.0) -> list[Sample]:
    """A bounded sample of a run's trials for each outcome, evenly spaced in the benchmark's order, so that every part
    of it is seen; `share` scales how many. Only the rows that are shown are read in full."""
    trials = _scan(run)
    names = score_names(trials.collect_schema().names())
    outcomes = trials.select("outcome").collect()["outcome"]
    totals = {str(name): int(n) for name, n in outcomes.value_counts().iter_rows()}
    parts = []
    for name in sorted(totals, key=place):
        n = min(totals[name], max(2, round(SAMPLE.get(name, SAMPLE_OTHERS) * share)))
        found = (outcomes == name).arg_true()
        # A slice of one row is pushed down to the file; a filter would hold every row's texts in memory.
        rows = [trials.slice(int(found[i * len(found) // n]), 1).collect().row(0, named=True) for i in range(n)]
        parts.append(Sample(name, totals[name], tuple(shot(row, names) for row in rows)))
    return parts


def question_of(instance: Instance) -> str:
    """The instance's own text; of a conversation the last message."""
    return instance.input if isinstance(instance.input, str) else text_of(instance.input[-1])


def right_answers(instance: Instance) -> tuple[str, ...]:
    """The right answers as text: the targets, or the right ones of the choices."""
    return instance.targets or tuple(instance.choices[place] for place in instance.gold)


def shot(row: Row, names: list[str]) -> Shot:
    """What is to be seen of one trial; `names` are the score columns, the headline first."""
    task = read_task(row.get("metadata"))
    every = choices(row, names)
    shown = _few(every)
    targets, attempts = tuple(row.get("targets") or ()), tuple(row.get("attempts") or ())
    written = attempts or ((row["text"],) if row.get("text") is not None else ())
    return Shot(
        id=row["id"],
        epoch=row["epoch"],
        outcome=row["outcome"],
        stratum=row.get("stratum"),
        question=turns(row.get("input") or "")[-1][1],
        turns=turns(row.get("prompt") or ""),
        targets=targets,
        text=row.get("text"),
        attempts=attempts if len(attempts) > 1 else (),
        answer=row.get("answer"),
        reasoning=row.get("reasoning"),
        explanation=row.get("explanation"),
        error=row.get("error"),
        choices=shown,
        scores={name: row[name] for name in names if row.get(name) is not None},
        facts=tuple(_facts(row)),
        task=task,
        target_grid=read_grid(targets[0]) if task and targets else None,
        attempt_grids=tuple(read_grid(text) for text in written) if task else (),
        verdicts=verdicts(row),
        choices_left_out=len(every) - len(shown),
    )


def _few(every: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """The choices that are shown: of very many the first, and those that are right or were picked."""
    rest = [choice for choice in every[MOST_CHOICES:] if choice.right or choice.picked]
    return (*every[:MOST_CHOICES], *rest[:MOST_CHOICES])


def verdicts(row: Row) -> tuple[Verdict, ...]:
    """What judges said of a trial; where that cannot be read, one verdict that says so."""
    if not row.get("verdicts"):
        return ()
    try:
        return msgspec.json.decode(row["verdicts"], type=tuple[Verdict, ...])
    except (msgspec.DecodeError, RecursionError, ValueError):
        return (Verdict("unknown judge", "", Prediction(), problem="what is stored cannot be read"),)


def verdict_line(verdict: Verdict) -> str:
    """A verdict in one line: the judge, the place of the answer it judged, and what was read."""
    place = {None: "", True: ", shown first", False: ", shown second"}[verdict.first]
    read = ", ".join(f"{name} {value:.4g}" for name, value in verdict.values.items())
    return f"{verdict.judge}{place}: {read or f'not read, {verdict.problem}'}"


def turns(prompt: str) -> tuple[tuple[str, str], ...]:
    """A stored prompt as turns: a conversation's roles and texts, or raw text under no role."""
    if prompt.startswith('[{"role":'):
        try:
            messages = msgspec.json.decode(prompt, type=tuple[Message, ...])
        except (msgspec.DecodeError, RecursionError, ValueError):
            return (("", prompt),)
        return tuple((message.role, text_of(message)) for message in messages)
    return (("", prompt),)


def choices(row: Row, names: list[str]) -> tuple[Choice, ...]:
    """The choices of a question with their likelihoods, if it has any.

    A share is the likelihood of one choice among all of them (a softmax of log-likelihoods); where the headline is
    `acc_norm`, of the likelihoods per character, so that the longest bar is the choice that was picked.
    """
    texts = row.get("choices") or []
    if not texts:
        return ()
    likelihoods = row.get("likelihoods") or []
    shares: list[float | None] = [None] * len(texts)
    if len(likelihoods) == len(texts):
        by_character = bool(names) and names[0] == "acc_norm"
        lengths = [max(1, len(text)) if by_character else 1 for text in texts]
        shares = [*_softmax([x["logprob"] / n for x, n in zip(likelihoods, lengths, strict=True)])]
    gold, picked = set(row.get("gold") or ()), row.get("answer")
    if shares[0] is not None:
        picked = _label(max(range(len(texts)), key=lambda i: shares[i] or 0.0))
    made = []
    for number, (text, share) in enumerate(zip(texts, shares, strict=True)):
        label = _label(number)
        logprob = None if share is None else likelihoods[number]["logprob"]
        made.append(Choice(label, text, number in gold, picked == label, logprob, share))
    return tuple(made)


def _scan(run: SavedRun) -> pl.LazyFrame:
    import polars as pl

    # Journals have no columns to pick from.
    return pl.scan_parquet(run.table, glob=False) if run.table else run.trials.lazy()


def _facts(row: Row) -> list[str]:
    facts = []
    likelihoods = row.get("likelihoods") or []
    if len(likelihoods) == 1:
        facts += _surprise(likelihoods[0])
    if row.get("input_tokens") or row.get("output_tokens"):
        facts.append(f"{row['input_tokens']:,} tokens in, {row['output_tokens']:,} out")
    if row.get("reasoning_tokens"):
        facts.append(f"{row['reasoning_tokens']:,} tokens of hidden reasoning")
    if row.get("stop_reason") not in (None, "stop"):
        facts.append(f"stopped by {row['stop_reason']}")
    if row.get("latency"):
        facts.append(f"{row['latency']:.2f} s")
    return facts


def _surprise(likelihood: dict[str, Any]) -> list[str]:
    tokens = likelihood["tokens"]
    facts = [f"log-likelihood {likelihood['logprob']:,.2f} nats over {tokens:,} token{'' if tokens == 1 else 's'}"]
    if tokens > 1:
        facts.append(f"perplexity {math.exp(min(700, -likelihood['logprob'] / tokens)):,.4g} a token")
    if likelihood["greedy"]:
        facts.append("greedy decoding would have written it")
    return facts


def _label(number: int) -> str:
    return LETTERS[number] if number < len(LETTERS) else str(number + 1)


def _softmax(values: list[float]) -> list[float]:
    top = max(values)
    if not math.isfinite(top):
        return [math.nan] * len(values)
    weights = [math.exp(value - top) if value == value else 0.0 for value in values]
    return [weight / sum(weights) for weight in weights]


def place(outcome: str) -> int:
    """An outcome's place in `ORDER`; one that is not known comes last."""
    return next((i for i, name in enumerate(ORDER) if name == outcome), len(ORDER))
