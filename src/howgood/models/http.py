"""A model behind an HTTP server, in one of four dialects.

What a server can do is not asked of it but said by its name and options before the run begins (`models/servers.py`).
In the OpenAI dialect every one chats; raw text is continued where `completion=true`, given text is scored where
`logprobs=true` (both are the default for `vllm/...` alone: Ollama wraps raw text in a chat template, llama.cpp's server
scores only what it generates, and the hosted chat models do neither).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import cached_property
from typing import Any, Literal

from msgspec.structs import replace

from howgood.core.errors import ModelError, RequestError, Unsupported
from howgood.core.types import Generate, Likelihood, Loglikelihood, Prediction, Request, Rolling, Token, Usage
from howgood.models import prices
from howgood.models.base import Capabilities, Echo, Model, text_of
from howgood.models.dialects import LengthField, Takes, ThinkingForm, echo, has_images, is_json, prompt_logprobs
from howgood.models.dialects.echo import Scores, first_scored
from howgood.models.failures import FilteredPrompt
from howgood.models.replies import Answer
from howgood.models.servers import DIALECTS, DialectName, Scoring, Server, takes_of
from howgood.models.stopping import stopped
from howgood.models.streaming import Until
from howgood.models.transport import Transport

LISTED = 64
"""The most texts that are scored in one request."""
HOW_LONG: dict[DialectName, ThinkingForm] = {
    "openai": "effort",
    "responses": "effort",
    "anthropic": "adaptive",
    "google": "level",
}
"""How a model is told how long to think of which the user says that it can be told (`effort=true`)."""


class HTTPModel(Model):
    """`model` on a `server`.

    Options: `concurrency`, requests in flight; `timeout`, seconds for one try; `stream`, receive answers piece by
    piece, which tells the time to the first token. `dialect`, what the server speaks (`api`: which of OpenAI's two).
    `chat=false` for a base model without chat template; `completion`, `logprobs`, `images` and `effort`, what the
    server can do (None: what is known about it); `scoring`, how it scores given text. `thinks`, whether the model
    thinks before it answers, so that no stop string may be sent; `sampling=false` for models that take no temperature
    or top_p; `length_field`, the server's name for the token limit. `prefix`, the text that precedes a text with
    nothing before it, so that its first token is scored too (for most models their BOS or EOS token, such as
    `<|endoftext|>`).
    """

    def __init__(
        self,
        name: str,
        server: Server,
        model: str,
        *,
        concurrency: int = 64,
        timeout: float = 600.0,
        stream: bool = False,
        dialect: DialectName | None = None,
        api: Literal["chat", "responses"] | None = None,
        chat: bool = True,
        completion: bool | None = None,
        logprobs: bool | None = None,
        scoring: Scoring | None = None,
        images: bool | None = None,
        effort: bool | None = None,
        thinks: bool | None = None,
        sampling: bool | None = None,
        length_field: Literal["auto", "max_tokens", "max_completion_tokens"] = "auto",
        prefix: str = "",
    ) -> None:
        if not (concurrency >= 1 and timeout > 0):
            raise ModelError(f"{name}: concurrency must be at least 1 and timeout more than 0 seconds")
        server = _speaking(name, server, dialect, api)
        self.name, self.server, self.model = name, server, model
        self.dialect: DialectName = server.dialect
        self.concurrency, self.prefix, self.streams = concurrency, prefix, stream
        self.paid = server.paid
        self.scoring: Scoring = scoring or server.scoring or "echo"
        self.takes = self._takes(sampling, thinks, effort, None if length_field == "auto" else length_field)
        self.capabilities = self._can(chat, completion, logprobs, scoring, images)
        self._codec = DIALECTS[server.dialect]
        self.transport = Transport(
            name,
            server.url,
            server.key,
            server.headers,
            self._codec.read_error,
            needs_key=server.needs_key,
            concurrency=concurrency,
            timeout=timeout,
        )

    def _takes(
        self, sampling: bool | None, thinks: bool | None, effort: bool | None, length: LengthField | None
    ) -> Takes:
        """What the model takes in a request: what is known, unless the user says otherwise."""
        takes = takes_of(self.server, self.model)
        return Takes(
            sampling=takes.sampling if sampling is None else sampling,
            stops=takes.stops if thinks is None else not thinks,
            length=length or takes.length,
            thinking=takes.thinking
            if effort is None
            else (takes.thinking or HOW_LONG[self.dialect])
            if effort
            else None,
        )

    def _can(
        self, chat: bool, completion: bool | None, logprobs: bool | None, scoring: Scoring | None, images: bool | None
    ) -> Capabilities:
        server, raw = self.server, self.dialect == "openai"
        if not raw and (completion or scoring or not chat):
            raise ModelError(f"{self.name}: only the OpenAI dialect has raw text; {self.dialect} takes messages alone")
        if logprobs and self.dialect == "anthropic":
            raise ModelError(f"{self.name}: the Anthropic dialect has no log-probabilities")
        scores = raw and ((scoring or server.scoring) is not None if logprobs is None else logprobs)
        openai_thinks = server.provider in ("openai", "azure") and not self.takes.stops
        tells = server.logprobs and self.dialect != "anthropic" and not openai_thinks if logprobs is None else logprobs
        return Capabilities(
            generate=True,
            chat=chat,
            completion=raw and ((server.completion or scores or not chat) if completion is None else completion),
            loglikelihood=scores,
            loglikelihood_rolling=scores,
            images=chat and (server.images if images is None else images),
            tools=chat and server.tools,
            schema=chat and server.schema,
            logprobs=tells,
            effort=chat and self.takes.thinking is not None,
        )

    def describe(self) -> dict[str, Any]:
        told: dict[str, Any] = {"kind": "http", "server": self.server.url, "model": self.model}
        if self.dialect != "openai":
            told["dialect"] = self.dialect
        if not self.takes.sampling:
            told["sampling"] = "the model's own: temperature and top_p are not sent"
        if not self.takes.stops or self.dialect == "responses":
            told["stops"] = "applied to the answer when it is there, so that none fires inside the thinking"
        if self.dialect in ("anthropic", "responses"):
            told["seed"] = "not sent: the server takes none"
        if self.capabilities.loglikelihood:
            told |= {"scoring": self.scoring, "prefix": self.prefix}
        return told

    def lanes(self, request: Request) -> int:
        return 0 if self.paid else self.concurrency  # what costs money is no single server

    def price(self, usage: Usage) -> float | None:
        return self._pricing(usage)

    @cached_property
    def _pricing(self) -> Callable[[Usage], float | None]:
        return prices.pricing(self.model, self.server.provider)

    def encode(self, request: Generate) -> tuple[str, dict[str, Any]]:
        """What is sent for a request: the path below the server's base URL, and the JSON body. Raises `Unsupported`
        for what the model cannot do."""
        can, prompt = self.capabilities, request.prompt
        if isinstance(prompt, str):
            if not can.completion:
                raise Unsupported(f"{self.name} takes messages, no raw text (add ,completion=true if its server does)")
            if request.tools or request.schema is not None:
                raise Unsupported(f"{self.name} takes tools and schemas with messages only, not with raw text")
        else:
            if not can.chat:
                raise Unsupported(f"{self.name} takes raw text, no messages (chat=false)")
            if has_images(prompt) and not can.images:
                raise Unsupported(f"{self.name} is not known to take images (add ,images=true if it does)")
            if not can.tools and (request.tools or any(m.tool_calls or m.role == "tool" for m in prompt)):
                raise Unsupported(f"{self.name} is not known to call tools")
            if request.schema is not None and not can.schema:
                raise Unsupported(f"{self.name} cannot hold its answer to a schema")
        if request.logprobs is not None and not can.logprobs:
            raise Unsupported(f"{self.name} gives no log-probabilities of what it writes")
        return self._codec.encode(self.model, request, self.takes)

    def check_request(self, request: Generate) -> None:
        self.encode(request)

    def decode(self, request: Generate, reply: bytes) -> Prediction:
        """The prediction in the body of a reply to `encode`'s request: stop strings applied, thinking kept apart, and
        with its cost. Raises `RequestError`, and what a dialect's `decode` raises."""
        return self._finished(request, self._codec.decode(reply))

    async def generate(self, request: Generate) -> Prediction:
        path, body = self.encode(request)
        size = _size(request)
        try:
            if self.streams:
                path, body = self._codec.streamed(path, body)
                answer = await self.transport.stream(path, body, self._codec.Stream, size=size)
            else:
                answer = await self.transport.ask(path, body, self._codec.decode, size=size)
        except FilteredPrompt:
            return self._filtered()
        return self._timed(request, answer)

    async def stream(self, request: Generate) -> AsyncIterator[str | Prediction]:
        path, body = self._codec.streamed(*self.encode(request))
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        sent = asyncio.ensure_future(
            self.transport.stream(path, body, self._codec.Stream, pieces.put_nowait, size=_size(request))
        )
        sent.add_done_callback(lambda _: pieces.put_nowait(None))
        until = Until(request.stop)
        try:
            while (piece := await pieces.get()) is not None:
                if fresh := until.feed(piece):
                    yield fresh
            answer = await sent
        except FilteredPrompt:
            yield self._filtered()
            return
        finally:
            sent.cancel()
        if rest := until.end():
            yield rest
        yield self._timed(request, answer)

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        if not self.capabilities.loglikelihood:
            return await super().loglikelihood(request)
        if not isinstance(request.prompt, str):
            raise Unsupported(f"{self.name} scores raw text only: its chat template is the server's own")
        # Spaces at the end of the prompt belong to the next word's token (lm-evaluation-harness's convention too).
        context = request.prompt.rstrip()
        spaces = request.prompt[len(context) :]
        return await self._score(context, [spaces + text for text in request.continuations])

    async def loglikelihood_rolling(self, request: Rolling) -> Prediction:
        if not self.capabilities.loglikelihood_rolling:
            return await super().loglikelihood_rolling(request)
        scored = await self._score("", [request.text])
        tokens = scored.likelihoods[0].tokens
        if request.max_length is not None and tokens > request.max_length:
            raise Unsupported(
                f"{self.name} scores a text in one piece, and this one has {tokens} tokens where windows of "
                f"{request.max_length} are asked for; cutting windows needs the tokenizer: use hf/..."
            )
        return scored

    async def echo(self, request: Echo) -> Prediction:
        if not self.capabilities.loglikelihood:
            return await super().echo(request)
        answer = await self._ask_scores([request.text], request.alternatives)
        scores, usage = answer.value
        try:
            unscored, tokens = scores[0].scored(request.alternatives)
        except ValueError as error:
            raise RequestError(f"{self.name}: {error}") from None
        return Prediction(
            text=unscored,
            tokens=tokens,
            usage=usage,
            latency=answer.latency,
            retries=answer.retries,
            cost=self.price(usage),
        )

    async def check(self) -> None:
        await self.transport.check()

    async def close(self) -> None:
        await self.transport.close()

    def _timed(self, request: Generate, answer: Answer[Prediction]) -> Prediction:
        prediction = self._finished(request, answer.value)
        return replace(prediction, latency=answer.latency, first_token=answer.first, retries=answer.retries)

    def _filtered(self) -> Prediction:
        """What a prompt that a filter refused comes to: nothing was read or written, so nothing is owed."""
        free = not self.paid or prices.known(self.model, self.server.provider)
        return Prediction(text="", stop_reason="filter", cost=0.0 if free else None)

    def _finished(self, request: Generate, prediction: Prediction) -> Prediction:
        """A dialect's prediction with what does not depend on the dialect."""
        answer = prediction.text or ""
        silent = not answer and not prediction.tool_calls
        if silent and prediction.reasoning and prediction.stop_reason == "stop" and request.stop and self.takes.stops:
            raise RequestError(
                f"{self.name} stopped inside its thinking, as at one of the stop strings; add ,thinks=true to its name"
            )
        if answer and request.logprobs is not None and not prediction.tokens and prediction.stop_reason != "refusal":
            raise RequestError(f"{self.name}: its server gives no log-probabilities of what it writes", fatal=True)
        if request.schema is not None and prediction.stop_reason == "stop" and not is_json(answer):
            raise RequestError(f"{self.name}: the answer is no JSON; its server seems to pass over the schema")
        cost = prediction.cost
        if cost is None or self.server.provider == prices.LOCAL:
            cost = self.price(prediction.usage)
        # Servers take few stop strings, some models none, and some servers leave the one that was met in the text.
        cut = stopped(prediction, request.stop)
        return replace(cut, tokens=_tokens_of(cut.text or "", answer, prediction.tokens), cost=cost)

    async def _score(self, context: str, texts: Sequence[str]) -> Prediction:
        """The likelihood of each text after the context (where it is empty, after the prefix)."""
        context = context or self.prefix
        wholes = [context + text for text in texts]
        together = LISTED if self.server.lists or self.scoring == "prompt_logprobs" else 1
        parts = [wholes[at : at + together] for at in range(0, len(wholes), together)]
        tasks = [asyncio.ensure_future(self._ask_scores(part)) for part in parts]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # when one failed, the others are of no use
                task.cancel()
        scores = [scores for answer in answers for scores in answer.value[0]]
        usage = sum((answer.value[1] for answer in answers), Usage())
        return Prediction(
            likelihoods=tuple(
                self._likelihood(s, whole, len(context)) for s, whole in zip(scores, wholes, strict=True)
            ),
            usage=usage,
            latency=max((answer.latency for answer in answers), default=0.0),  # they were sent at once
            retries=sum(answer.retries for answer in answers),
            cost=self.price(usage),
        )

    async def _ask_scores(self, texts: Sequence[str], alternatives: int = 0) -> Answer[tuple[list[Scores], Usage]]:
        form = prompt_logprobs if self.scoring == "prompt_logprobs" else echo
        body = form.score_body(self.model, texts, alternatives)
        size = sum(_tokens_in(text) for text in texts)
        return await self.transport.ask("completions", body, lambda reply: form.read_scores(reply, texts), size=size)

    def _likelihood(self, scores: Scores, whole: str, start: int) -> Likelihood:
        """The likelihood of `whole[start:]`."""
        try:
            first = first_scored(scores, whole, start)
        except ValueError as error:
            raise RequestError(f"{self.name}: {error}; hf/... has the tokenizer and can score it") from None
        logprobs = [p for p in scores.logprobs[first:] if p is not None]
        if len(logprobs) < len(scores.logprobs) - first:
            raise RequestError(
                f"{self.name}: its server gives the first token of a text no log-probability; name what precedes it, "
                "such as ,prefix=<|endoftext|> (the model's BOS or EOS token)",
                fatal=True,
            )
        return Likelihood(sum(logprobs), len(logprobs), scores.greedy(first), tuple(logprobs))


def _speaking(
    name: str, server: Server, dialect: DialectName | None, api: Literal["chat", "responses"] | None
) -> Server:
    """The server in the dialect that the user chose."""
    chosen: DialectName | None = dialect
    if api is not None:
        chosen = "openai" if api == "chat" else "responses"
        if dialect not in (None, chosen) or server.dialect not in ("openai", "responses"):
            raise ModelError(f"{name}: api={api} is a choice between OpenAI's endpoints, and this is {dialect or name}")
    return server if chosen is None else replace(server, dialect=chosen)


def _size(request: Generate) -> int:
    """How many tokens a request may take, roughly: for limits of tokens per minute."""
    prompt = request.prompt
    texts = [prompt] if isinstance(prompt, str) else [text_of(message) for message in prompt]
    return sum(map(_tokens_in, texts)) + request.max_tokens


def _tokens_in(text: str) -> int:
    return len(text) // 4 + 1


def _tokens_of(text: str, answer: str, tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """The tokens of `text`, the beginning of `answer`: without those of the thinking before and of what was cut off.
    All of them where they do not join to the answer (a character spread over several tokens)."""
    if not tokens:
        return tokens
    joined = "".join(token.text for token in tokens)
    if joined == text or not answer or not joined.rstrip().endswith(answer.rstrip()):
        return tokens
    start = joined.rstrip().rindex(answer.rstrip())
    kept, place = [], 0
    for token in tokens:
        if place + len(token.text) > start and place < start + len(text):
            kept.append(token)
        place += len(token.text)
    return tuple(kept)
