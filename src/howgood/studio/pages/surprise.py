"""A text coloured by how surprised a model was by each token, and what two models' surprise differs by."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import msgspec
from msgspec import Meta, Struct, field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from howgood.report import surprise
from howgood.report.surprise import Both, Spelled, Word
from howgood.runs.store import SavedRun
from howgood.studio.page import page
from howgood.studio.pages.instance import trial_of
from howgood.studio.trials import Row, Trials
from howgood.web.guard import Refused

if TYPE_CHECKING:
    from howgood.studio.server import Studio

PIECES = 2_000
"""Tokens on one page."""
WORDS = 30
"""Words with the highest surprise, or difference, that are listed."""
OTHERS = 200


class Wanted(Struct, frozen=True):
    """The other run, and the piece of the text that the page begins with."""

    other: Annotated[str, Meta(max_length=300)] = field(default="", name="with")
    start: Annotated[int, Meta(ge=0, le=10**9)] = 0


class Listed(Struct, frozen=True):
    """A word, where its page begins, its bits, and by how many the other model's differ (None: there is no other)."""

    text: str
    start: int
    bits: float
    difference: float | None = None


class Total(Struct, frozen=True):
    """A model's surprise by the whole text."""

    run: SavedRun
    bits: float
    tokens: int
    per_byte: float
    perplexity: float


async def first(studio: Studio, request: Request) -> Response:
    """Leads to the run's first text."""
    return await studio.reading(_first, studio, request)


def _first(studio: Studio, request: Request) -> Response:
    run = studio.library.run(request.path_params["run"])
    with Trials(run) as trials:
        found = trials.ask('select "index", epoch from trials order by 1, 2 limit 1')
    if not found:
        raise Refused(404, "The run has no trial yet.")
    name = quote(run.path.name, safe="")
    return RedirectResponse(f"/runs/{name}/surprise/{found[0]['index']}.{found[0]['epoch']}", 303)


async def show(studio: Studio, request: Request) -> Response:
    try:
        wanted = msgspec.convert({k: v for k, v in request.query_params.items() if v}, Wanted, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(400, f"The address asks for what there is not: {error}") from None
    return await studio.reading(_page, studio, request, wanted)


def _page(studio: Studio, request: Request, wanted: Wanted) -> Response:
    run = studio.library.run(request.path_params["run"])
    index, epoch = trial_of(request)
    with Trials(run) as trials:
        row = trials.row(index, epoch)
    if row is None:
        raise Refused(404, "The run has no such trial.")
    text, likelihood = row.get("prompt") or "", _whole(row)
    if likelihood is None or not text:
        raise Refused(404, "No text was scored whole in this trial; its own page shows what was asked and answered.")
    other = studio.library.run(wanted.other) if wanted.other else None
    theirs: Row | None = None
    problem = ""
    if other is not None:
        theirs, problem = _theirs(other, row, text)
    tokens = surprise.spelled(text, *_reading(likelihood))
    both = None if theirs is None else surprise.compared(text, _reading(likelihood), _reading(theirs))
    if theirs is not None and both is None and tokens is not None:
        problem = _unspelled(theirs)
    pieces: Sequence[Both | Spelled] = both if both is not None else tokens or ()
    ends = list(accumulate(len(piece.text) for piece in pieces))
    totals = [_total(run, likelihood, text)]
    if theirs is not None and other is not None:
        totals.append(_total(other, theirs, text))
    same = [one for one in studio.library.runs() if one.rules.benchmark == run.rules.benchmark and one.id != run.id]
    return page(
        request,
        "surprise.html.j2",
        run=run,
        row_id=row["id"],
        index=index,
        epoch=epoch,
        other=other,
        others=same[:OTHERS],
        totals=totals,
        problem=problem or ("" if tokens is not None else _unspelled(likelihood)),
        both=None if both is None else both[wanted.start : wanted.start + PIECES],
        tokens=None if tokens is None else tokens[wanted.start : wanted.start + PIECES],
        numbers=() if tokens is not None else _numbers(likelihood, wanted.start),
        total=len(pieces) or len(likelihood.get("token_logprobs") or ()),
        start=wanted.start,
        step=PIECES,
        words=_differing(both, ends) if both is not None else _listed(surprise.surprising(tokens or (), WORDS), ends),
        steps=surprise.STEPS,
        apart=surprise.APART,
    )


def _whole(row: Row) -> Row | None:
    """The likelihood of the one text that was scored; None in a trial of another kind."""
    likelihoods: list[Row] = row.get("likelihoods") or []
    return likelihoods[0] if len(likelihoods) == 1 and not row.get("choices") and not row.get("targets") else None


def _reading(likelihood: Row) -> surprise.Reading:
    return likelihood.get("token_lengths") or (), likelihood.get("token_logprobs") or ()


def _theirs(other: SavedRun, row: Row, text: str) -> tuple[Row | None, str]:
    """The other run's likelihood of the very same text, or why there is none."""
    with Trials(other) as trials:
        found = trials.ask('select "index", epoch from trials where id = ? and prompt = ? limit 1', row["id"], text)
        there = trials.row(found[0]["index"], found[0]["epoch"]) if found else None
    likelihood = None if there is None else _whole(there)
    return likelihood, "" if likelihood is not None else "The other run has not scored this text."


def _unspelled(likelihood: Row) -> str:
    """Why a text cannot be coloured."""
    if not likelihood.get("token_logprobs"):
        return "The model told the likelihood of the whole text alone, not of its tokens, so nothing can be coloured."
    if not likelihood.get("token_lengths"):
        return (
            "The run does not hold where its tokens end in the text; a new run of the benchmark will (hf/... models)."
        )
    return "What the run holds of its tokens does not make up the text, so nothing can be coloured."


def _numbers(likelihood: Row, start: int) -> tuple[Spelled, ...]:
    """Tokens whose texts are not known."""
    return tuple(surprise.token("", one) for one in (likelihood.get("token_logprobs") or ())[start : start + PIECES])


def _total(run: SavedRun, likelihood: Row, text: str) -> Total:
    nats, tokens = -likelihood["logprob"], likelihood["tokens"]
    size = len(text.encode(errors="replace"))
    bits = nats / math.log(2)
    return Total(run, bits, tokens, bits / max(1, size), math.exp(min(700.0, nats / max(1, tokens))))


def _listed(words: Sequence[Word], ends: Sequence[int]) -> list[Listed]:
    return [Listed(word.text, _start(word.place, ends), word.bits) for word in words]


def _differing(both: Sequence[Both], ends: Sequence[int]) -> list[Listed]:
    """The pieces by which the two differ most."""
    order = sorted(range(len(both)), key=lambda place: -abs(both[place].difference))[:WORDS]
    return [
        Listed(both[place].text.strip() or both[place].text, place // PIECES * PIECES, both[place].first,
               both[place].difference)
        for place in order
    ]  # fmt: skip


def _start(place: int, ends: Sequence[int]) -> int:
    """The first piece of the page that a character is on."""
    return bisect_right(ends, place) // PIECES * PIECES


ROUTES = (
    ("GET", "/runs/{run}/surprise", first),
    ("GET", "/runs/{run}/surprise/{index:int}.{epoch:int}", show),
)
