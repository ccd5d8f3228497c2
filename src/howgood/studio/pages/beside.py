"""Side by side: a prompt or a set of them, answers that stream beside each other, and which of them is best."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from howgood.arena import preferences
from howgood.arena.preferences import Preferred
from howgood.studio.beside import LONGEST_PROMPT, MOST_PROMPTS, MOST_SYSTEMS, Round, prompts_of
from howgood.studio.page import page
from howgood.web.guard import Refused, body
from howgood.web.serving import EventStream, event

if TYPE_CHECKING:
    from howgood.studio.server import Studio

LONGEST_SET = 1_000_000
LONGEST_WORDS = 4_000
MOST_TOKENS = 8_192
SHOWN = 50
"""Preferences on the page, the latest first."""
FILES = {
    ".jsonl": ("application/x-ndjson", "benchmark"),
    ".csv": ("text/csv", "votes"),
    ".parquet": ("application/vnd.apache.parquet", "votes"),
}
Id = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]


class Set(Struct):
    text: Annotated[str, Meta(max_length=LONGEST_SET)]


class Ask(Struct):
    """A prompt for the systems at these places of the list that the studio was started with."""

    prompt: Annotated[str, Meta(max_length=LONGEST_PROMPT)]
    systems: Annotated[list[Annotated[int, Meta(ge=0)]], Meta(max_length=MOST_SYSTEMS)]
    blind: bool = True
    max_tokens: Annotated[int, Meta(ge=1, le=MOST_TOKENS)] = 512
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.7


class Name(Struct):
    round: Id


class Prefer(Struct):
    round: Id
    preferred: Preferred
    words: Annotated[str, Meta(max_length=LONGEST_WORDS)] = ""


async def show(studio: Studio, request: Request) -> Response:
    return await studio.reading(_page, studio, request)


def _page(studio: Studio, request: Request) -> Response:
    beside = studio.beside
    kept = beside.kept()
    return page(
        request,
        "beside.html.j2",
        systems=[model.name for model in beside.models],
        most=MOST_SYSTEMS,
        most_prompts=MOST_PROMPTS,
        most_tokens=MOST_TOKENS,
        longest=LONGEST_PROMPT,
        longest_words=LONGEST_WORDS,
        where=None if beside.folder is None else str(beside.folder / preferences.FILE),
        total=len(kept),
        latest=kept[: -SHOWN - 1 : -1],
        tallies=preferences.tallies(kept),
        rows=len(preferences.benchmark(kept)),
        counted=preferences.counted(kept),
    )


async def read_set(studio: Studio, request: Request) -> Response:
    """The prompts in a pasted text."""
    given = await body(request, Set, f"A set has at most {LONGEST_SET:,} characters.", 4 * LONGEST_SET)
    return JSONResponse({"prompts": await studio.reading(prompts_of, given.text)})


async def ask(studio: Studio, request: Request) -> Response:
    """The answers to a prompt, as server-sent events."""
    given = await body(request, Ask, f"A prompt has at most {LONGEST_PROMPT:,} characters.")
    asked = studio.beside.begin(given.prompt, given.systems, given.blind, given.max_tokens, given.temperature)
    return EventStream(_events(studio, asked))


async def _events(studio: Studio, asked: Round) -> AsyncIterator[bytes]:
    async with aclosing(studio.beside.answers(asked)) as events:  # type: ignore[type-var]
        async for told in events:
            yield event(told)


async def name(studio: Studio, request: Request) -> Response:
    """Who the systems are, before a preference, which then is not blind."""
    given = await body(request, Name)
    return JSONResponse({"systems": studio.beside.name(given.round)})


async def prefer(studio: Studio, request: Request) -> Response:
    """Keep which answer was preferred; who the systems are."""
    given = await body(request, Prefer, f"Words on it have at most {LONGEST_WORDS:,} characters.")
    told = await studio.reading(studio.beside.prefer, given.round, given.preferred, given.words)
    return JSONResponse({"systems": told})


async def download(studio: Studio, request: Request) -> Response:
    """What was noted as a file: a benchmark, or votes."""
    suffix = f".{request.path_params['suffix']}"
    if suffix not in FILES:
        raise Refused(404, "There is no such file.")
    kept: Any = await studio.reading(studio.beside.kept)
    content, _ = await studio.reading(preferences.as_file, kept, suffix)
    kind, what = FILES[suffix]
    named = {"Content-Disposition": f'attachment; filename="{what}{suffix}"'}
    return Response(content, media_type=kind, headers=named)


ROUTES = (
    ("GET", "/beside", show),
    ("POST", "/beside/set", read_set),
    ("POST", "/beside/ask", ask),
    ("POST", "/beside/names", name),
    ("POST", "/beside/prefer", prefer),
    ("GET", "/beside/preferences.{suffix}", download),
)
