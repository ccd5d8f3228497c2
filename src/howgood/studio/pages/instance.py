"""One trial: what was asked, what every system answered, how that was read and judged, and what people noted of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from howgood.core.errors import HowgoodError
from howgood.core.types import Verdict
from howgood.report import diffs, markdown, surprise
from howgood.report.conversation import Turn, conversation, laid_out, turns
from howgood.report.instances import Choice, Shot, shot
from howgood.report.reading import place_of
from howgood.report.safe import show as bounded
from howgood.runs import notes
from howgood.runs.columns import score_names
from howgood.runs.notes import Kind, Note
from howgood.runs.store import SavedRun
from howgood.studio.filters import Asked, asked
from howgood.studio.page import page
from howgood.studio.trials import Row, Trials
from howgood.web.guard import Refused, body

if TYPE_CHECKING:
    from markupsafe import Markup

    from howgood.studio.server import Studio

BESIDE = 5
"""Other systems whose answers stand beside."""
LOOKED_AT = 12
"""Other runs that are looked through for the same instance."""
LONGEST = 40_000
"""Characters of a text on the page; the whole of it is one link away."""
TOKENS = 1_500
"""Tokens of an answer that are coloured."""
TURNS = 60
GRIDS = 20
TARGETS = 10
SHORT = 80
"""Characters of a target that stands in a line of its own."""
VERDICTS = 20
ITEMS = 200
"""Targets, attempts, parts and notes that are listed, at most so many of each."""
RENDERING = 1.5
"""Seconds that a page may take to render Markdown; what is left then is shown as it was written."""
LARGEST_PLACE = 2**40
PARTS = ("prompt", "text", "reasoning", "input", "transcript", "verdicts", "metadata")
"""Columns whose whole text can be had by itself."""

Pieces = tuple[tuple[str, str], ...]
"""A text as (kind, words): kind "" is plain, `read` where the answer was read, `first` and `second` where two texts
differ, `cut` what says that something was left out."""


class Said(Struct, frozen=True):
    """A text in the ways it can be looked at: `raw`, `rendered` (None: it has no markup), and as a `change` of another
    (None: there is none, or too much differs)."""

    raw: Pieces
    rendered: Markup | None = None
    change: Pieces | None = None


class Answer(Struct, frozen=True):
    """A system's answer: its run, the trial, the answer's text (None where it wrote none), what is different of the
    rules, and the tokens it was written in where the run has them."""

    run: SavedRun
    shot: Shot
    index: int
    own: bool
    said: Said | None
    tokens: tuple[surprise.Spelled, ...]
    tokens_left_out: int
    scored: tuple[tuple[str, tuple[surprise.Spelled, ...]], ...]
    rules: tuple[str, ...]
    far: bool
    parts: tuple[tuple[str, float], ...]


class Judged(Struct, frozen=True):
    """A verdict, what the judge was asked, and what it replied."""

    verdict: Verdict
    asked: tuple[Turn, ...]
    reply: Said | None


class Noted(Struct):
    kind: Kind
    author: Annotated[str, Meta(max_length=64)]
    text: Annotated[str, Meta(max_length=notes.LONGEST)] = ""


async def show(studio: Studio, request: Request) -> Response:
    return await studio.reading(_page, studio, request, asked(request.query_params))


def _page(studio: Studio, request: Request, want: Asked) -> Response:
    run = studio.library.run(request.path_params["run"])
    index, epoch = trial_of(request)
    other = _other(studio, want, run)
    with Trials(run, other) as trials:
        row = trials.row(index, epoch)
        if row is None:
            raise Refused(404, "The run has no such trial.")
        near = trials.neighbours(want.filter, want.sort, index, epoch)
        epochs = trials.ask("select epoch from trials where id = ? order by 1 limit 50", row["id"]) if epoch or (
            run.options.get("epochs") or 1) != 1 else []  # fmt: skip
    renders = _Renderer()
    own = _answer(run, row, None, renders)
    beside = [_answer(there, found, own, renders) for there, found in _beside(studio, run, row, other)]
    examples, prompt = _prompt(run, row)
    kept = [note for note in notes.read(run) if (note.id, note.epoch) == (row["id"], row["epoch"])]
    question = None if own.shot.task else renders.said(own.shot.question)
    reasoning = renders.said(own.shot.reasoning) if own.shot.reasoning else None
    judged = [_judged(verdict, renders) for verdict in own.shot.verdicts[:VERDICTS]]
    pairwise = run.rules.outputs.get("kind") == "pairwise"
    targets = _targets(own.shot, renders)
    texts = [question, reasoning, *(one.said for one in (own, *beside)), *(one.reply for one in judged), *targets]
    views = _views([one for one in texts if isinstance(one, Said)])
    return page(
        request,
        "instance.html.j2",
        run=run,
        shot=own.shot,
        index=index,
        epoch=epoch,
        here=f"/runs/{run.path.name}/trials",
        before=near.before,
        after=near.after,
        epochs=[one["epoch"] for one in epochs],
        query_now=want.query(),
        narrowed=want.filter.narrows,
        answers=[own, *beside],
        views=views,
        view=views[0][0],
        question=question,
        targets=targets,
        pairwise=pairwise,
        examples=examples,
        prompt=prompt,
        transcript=_some(conversation(row.get("transcript")), TURNS),
        judged=judged,
        verdicts_left_out=len(own.shot.verdicts) - VERDICTS,
        reasoning=reasoning,
        metadata=laid_out(row["metadata"]) if row.get("metadata") else None,
        notes=kept[-ITEMS:],
        flag=notes.flagged(kept).get((row["id"], row["epoch"])),
        corrections=[note for note in kept if note.kind == "correction"][-1:],
        surprise=_has_surprise(row),
        steps=surprise.STEPS,
        whole=[name for name in PARTS if row.get(name)],
        chat_template=run.system.model.get("chat_template") if prompt and prompt[-1].role else None,
    )


def trial_of(request: Request) -> tuple[int, int]:
    """The trial that an address names. Raises `Refused` (404)."""
    index, epoch = request.path_params["index"], request.path_params["epoch"]
    if index > LARGEST_PLACE or epoch >= 2**20:
        raise Refused(404, "The run has no such trial.")
    return index, epoch


def _other(studio: Studio, want: Asked, run: SavedRun) -> SavedRun | None:
    if not want.filter.other:
        return None
    return studio.library.run(want.filter.other)


def _views(texts: Sequence[Said]) -> list[tuple[str, str]]:
    """The ways in which a page's texts can be looked at, with their names; first the one that it opens with."""
    found = [("rendered", "as meant")] if any(one.rendered is not None for one in texts) else []
    found.append(("raw", "raw"))
    return found + ([("change", "changes")] if any(one.change is not None for one in texts) else [])


def _targets(told: Shot, renders: _Renderer) -> list[str | Said]:
    """The targets that are shown, long ones as texts that can be looked at in several ways."""
    if told.choices or told.task:
        return []
    return [text if len(text) <= SHORT else renders.said(text) for text in told.targets[:TARGETS]]


class _Renderer:
    """Renders texts until the time for that is over."""

    def __init__(self) -> None:
        self._until = time.monotonic() + RENDERING

    def said(self, text: str, at: tuple[int, int] | None = None, change: Pieces | None = None) -> Said:
        made = markdown.render(text) if time.monotonic() < self._until else None
        return Said(pieces(text, at), made, change)


def pieces(text: str, at: tuple[int, int] | None = None) -> Pieces:
    """A text with the place marked where the answer was read; of a long one its beginning and its end."""
    if len(text) <= LONGEST:
        spans = [(0, text)]
    else:
        tail = LONGEST // 4
        spans = [(0, text[: LONGEST - tail]), (len(text) - tail, text[-tail:])]
    made: list[tuple[str, str]] = []
    for start, span in spans:
        if start:
            made.append(("cut", bounded(text, LONGEST).gap))
        if at is not None and start <= at[0] and at[1] <= start + len(span):
            a, b = at[0] - start, at[1] - start
            made += [("", span[:a]), ("read", span[a:b]), ("", span[b:])]
        else:
            made.append(("", span))
    return tuple(made)


def _answer(run: SavedRun, row: Row, own: Answer | None, renders: _Renderer) -> Answer:
    """An answer, marked as a change of the run's `own` one where both wrote something else."""
    told = shot(row, score_names([*row]))
    told = msgspec.structs.replace(told, attempt_grids=told.attempt_grids[:GRIDS])
    said, far = None, False
    if told.text:
        change = None
        if own is not None and own.shot.text and own.shot.text != told.text:
            found = diffs.words(own.shot.text, told.text)
            far = found is None
            change = (
                None if found is None else tuple(("" if one.side == "both" else one.side, one.text) for one in found)
            )
        said = renders.said(told.text, place_of(told.answer, told.text), change)
    tokens = row.get("answer_tokens") or ()
    return Answer(
        run=run,
        shot=told,
        index=row["index"],
        own=own is None,
        said=said,
        tokens=tuple(surprise.token(one["text"], one["logprob"]) for one in tokens[:TOKENS]),
        tokens_left_out=max(0, len(tokens) - TOKENS),
        scored=_scored(row, told.choices),
        rules=() if own is None else _different(own.run, run),
        far=far,
        parts=_parts(row),
    )


def _different(first: SavedRun, second: SavedRun) -> tuple[str, ...]:
    if first.rules.hash == second.rules.hash:
        return ()
    return tuple(name for name, _, _ in first.rules.differences(second.rules) if not name.startswith("data.files"))[:6]


def _scored(row: Row, shown: Sequence[Choice]) -> tuple[tuple[str, tuple[surprise.Spelled, ...]], ...]:
    """The tokens of texts that were scored, not written, where each has several: their texts are not in the run."""
    likelihoods = row.get("likelihoods") or ()
    if _has_surprise(row) or max((len(one.get("token_logprobs") or ()) for one in likelihoods), default=0) < 2:
        return ()
    names = [one.label for one in shown] if row.get("choices") else ["target"]
    return tuple(
        (name, tuple(surprise.token("", logprob) for logprob in (one.get("token_logprobs") or ())[:TOKENS]))
        for name, one in zip(names, likelihoods, strict=False)
    )


def _has_surprise(row: Row) -> bool:
    """Whether the trial is a whole text that was scored token by token."""
    likelihoods = row.get("likelihoods") or ()
    return len(likelihoods) == 1 and not row.get("choices") and not row.get("targets") and row.get("text") is None


def _parts(row: Row) -> tuple[tuple[str, float], ...]:
    """What was judged apart within the answer."""
    try:
        return tuple(msgspec.json.decode(row.get("parts") or "[]", type=list[tuple[str, float]])[:ITEMS])
    except (msgspec.DecodeError, RecursionError, ValueError):
        return ()


def _beside(studio: Studio, run: SavedRun, row: Row, first: SavedRun | None) -> Iterator[tuple[SavedRun, Row]]:
    """The same instance in other runs of the benchmark, of each system under the same rules in its newest one; the one
    that the address names first."""
    seen, found = {(run.system.label, run.rules.hash)}, 0
    same = [other for other in studio.library.runs() if other.rules.benchmark == run.rules.benchmark]
    for other in ([first] if first is not None and first.id != run.id else []) + same[: 10 * LOOKED_AT]:
        key = other.system.label, other.rules.hash
        if found == BESIDE or len(seen) > LOOKED_AT:
            return
        if key in seen or other.id == run.id:
            continue
        seen.add(key)
        try:
            there = _same(other, row)
        except HowgoodError:  # its own page says what is wrong with it
            continue
        if there is not None:
            found += 1
            yield other, there


def _same(other: SavedRun, row: Row) -> Row | None:
    """The trial of another run with the same instance."""
    with Trials(other) as trials:
        there = trials.row(row["index"], row["epoch"])
        if there is not None and there["id"] == row["id"]:
            return there
        by_id = trials.ask(
            'select "index", epoch from trials where id = ? order by abs(epoch - ?) limit 1', row["id"], row["epoch"]
        )
        return trials.row(by_id[0]["index"], by_id[0]["epoch"]) if by_id else None


def _prompt(run: SavedRun, row: Row) -> tuple[tuple[Turn, ...], tuple[Turn, ...]]:
    """The worked examples that the prompt begins with, and the rest of it: together the prompt as it was sent."""
    sent, question = conversation(row.get("prompt")), row.get("input") or ""
    shots = run.rules.call.get("shots")
    number = shots.get("n") if isinstance(shots, dict) else shots
    if not number or question.startswith('[{"role":'):
        return (), _some(sent, TURNS)
    if len(sent) == 1 and not sent[0].role:
        text = row["prompt"]
        place = text.rfind(question[:2_000]) if question else -1
        return ((Turn("", (text[:place],)),), (Turn("", (text[place:],)),)) if place > 0 else ((), sent)
    last = max((at for at, turn in enumerate(sent) if turn.role == "user"), default=0)
    start = 1 if sent and sent[0].role == "system" else 0
    return _some(sent[start:last], TURNS), (*sent[:start], *sent[last:])


def _some(found: tuple[Turn, ...], most: int) -> tuple[Turn, ...]:
    """The turns that are shown: of very many the first and the last ones."""
    if len(found) <= most:
        return found
    half = most // 2
    return (*found[:half], Turn("", (f"… {len(found) - most:,} turns left out …",)), *found[-half:])


def _judged(verdict: Verdict, renders: _Renderer) -> Judged:
    prompt = verdict.prompt
    told = (Turn("", (prompt,)),) if isinstance(prompt, str) else turns(prompt)
    return Judged(verdict, _some(told, TURNS), renders.said(verdict.reply.text) if verdict.reply.text else None)


async def note(studio: Studio, request: Request) -> Response:
    """Keep a flag, a comment or a correction."""
    given = await body(request, Noted)
    return await studio.reading(_note, studio, request, given)


def _note(studio: Studio, request: Request, given: Noted) -> Response:
    run = studio.library.to_write(request.path_params["run"])
    with Trials(run) as trials:
        row = trials.row(*trial_of(request))
    if row is None:
        raise Refused(404, "The run has no such trial.")
    kept = notes.add(run, Note(row["id"], row["epoch"], given.kind, given.author, given.text))
    return JSONResponse(msgspec.to_builtins(kept))


async def whole(studio: Studio, request: Request) -> Response:
    """One text of a trial as it is, by itself, as plain text."""
    return await studio.reading(_whole, studio, request)


def _whole(studio: Studio, request: Request) -> Response:
    part = request.path_params["part"]
    if part not in PARTS:
        raise Refused(404, f"There is no such text; there are {', '.join(PARTS)}.")
    with Trials(studio.library.run(request.path_params["run"])) as trials:
        row = trials.row(*trial_of(request))
    if row is None or row.get(part) is None:
        raise Refused(404, "The run has no such text.")
    return Response(str(row[part]).encode(errors="replace"), media_type="text/plain; charset=utf-8")


TRIAL = "/runs/{run}/trials/{index:int}.{epoch:int}"
ROUTES = (("GET", TRIAL, show), ("POST", TRIAL + "/notes", note), ("GET", TRIAL + "/{part}.txt", whole))
