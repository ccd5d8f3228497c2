"""A model asked through its provider's batch API: half the price, and answers within a day instead of at once.

What is asked for at the same time is handed in as one batch. It goes on at the provider whatever happens here: each is
written down in the cache's file before it is handed in, and whoever asks for one of its requests later, also after a
crash, waits for it instead of asking again. Where a crash fell between the making of a batch and the word of it, the
account's latest batches are looked through: OpenAI keeps an id of our own with each, by which it is known; Anthropic
does not, so there the batches of the same size made since are waited for, and known by the ids of their results.

What remains: a batch that Anthropic makes only after it was looked for (half a minute after the crash) is made and paid
for a second time; so is one whose record was lost with the cache's file.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import time
from typing import TYPE_CHECKING

import msgspec

from howgood.core.errors import HowgoodError, RequestError, Unsupported
from howgood.core.text import one_line, shorten
from howgood.core.types import Generate, Loglikelihood, Prediction, Rolling, Usage
from howgood.models import pending
from howgood.models.batch_services import AnthropicBatches, OpenAIBatches, Result, Service, State
from howgood.models.cache import Cached, Keys, request_of
from howgood.models.dialects import ErrorReply, MalformedReply
from howgood.models.failures import Uncertain
from howgood.models.pending import Item, Pending
from howgood.models.responses import Key, Responses, pack_answer, responses
from howgood.models.wrapper import Wrapper

if TYPE_CHECKING:
    from howgood.models.base import Model
    from howgood.models.http import HTTPModel

DISCOUNT = 0.5
"""What a request in a batch costs of the list price, at OpenAI and at Anthropic."""
QUIET, LONGEST_GATHER = 1.0, 60.0
"""Seconds without a new request after which a batch is handed in, and seconds after which it is in any case."""
FIRST_LOOK, LONGEST_LOOK = 2.0, 60.0
"""Seconds between two looks at a batch: at first, and at most."""
LONGEST_OUTAGE = 3600.0
"""Seconds for which a server that cannot be reached is looked for."""
SETTLED = 30.0
"""Seconds in which a batch that a server was told to make appears in its list."""
SKEW = 300.0
"""Seconds that two clocks may differ."""
MOST_RESULTS = 900 * 2**20
"""Bytes of results that one batch may have, so that they can be fetched."""
_handed_in: set[str] = set()
"""The batches that this process is just handing in."""


def batched(model: Model, cache: bool | None = None) -> Model:
    """The model asked in batches, behind the cache, which batches need. Raises `Unsupported` for a model whose provider
    has no batch API, `HowgoodError` where there is to be no cache or its file cannot be used."""
    from howgood.models.http import HTTPModel

    # A server of unknown make may speak either; one that does not says so.
    services: dict[str, type[OpenAIBatches | AnthropicBatches]] = {
        "openai": OpenAIBatches,
        "responses": OpenAIBatches,
        "anthropic": AnthropicBatches,
    }
    if isinstance(model, Cached):
        return model
    known = isinstance(model, HTTPModel) and model.server.provider in ("openai", "anthropic", None)
    if not isinstance(model, HTTPModel) or not known or model.dialect not in services:
        raise Unsupported(f"{model.name} has no batch API (OpenAI's and Anthropic's models have); leave out --batch")
    if cache is False:
        raise HowgoodError("--batch keeps its answers in the cache until they are asked for; leave out --no-cache")
    answers = responses()
    return Cached(Batched(model, services[model.dialect](model.transport), answers), answers, keeps=False)


class Batched(Wrapper):
    """`model`, whose requests are handed in through a batch `service`; the batches' records and answers are kept among
    `answers`. It only generates. A prediction's latency is the time that its batch took, its cost half the list price.

    An item that expired or met a fault of the server is handed in once more; after that, and for every other error, the
    request fails with the server's words.
    """

    def __init__(self, model: HTTPModel, service: Service, answers: Responses) -> None:
        super().__init__(model)
        self._http, self._service, self._answers, self._keys = model, service, answers, Keys(model)
        self.capabilities = msgspec.structs.replace(
            model.capabilities, loglikelihood=False, loglikelihood_rolling=False
        )
        self.concurrency, self.share = service.most, DISCOUNT
        self._wanted: dict[bytes, _Wanted] = {}
        self._gathered: list[_Wanted] = []
        self._gatherer: asyncio.Task[None] | None = None
        self._followers: dict[str, asyncio.Task[None]] = {}

    def price(self, usage: Usage) -> float | None:
        price = self._http.price(usage)
        return None if price is None else self.share * price

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        raise Unsupported(f"{self.name} scores no text in batches; leave out --batch")

    async def loglikelihood_rolling(self, request: Rolling) -> Prediction:
        raise Unsupported(f"{self.name} scores no text in batches; leave out --batch")

    async def generate(self, request: Generate) -> Prediction:
        key = self._keys(request)
        wanted = self._wanted.get(key.digest)
        if wanted is None:
            path, body = self._http.encode(request)
            line = self._service.line(key.digest.hex(), path, body)
            wanted = self._wanted[key.digest] = _Wanted(key, path, line, _room(request))
        answer: asyncio.Future[Prediction] = asyncio.get_running_loop().create_future()
        wanted.waiting.append(answer)
        try:
            if len(wanted.waiting) == 1:
                self._seek(wanted)
            return await answer
        finally:
            wanted.waiting.remove(answer)
            if not wanted.waiting and self._wanted.get(key.digest) is wanted:
                del self._wanted[key.digest]

    async def release(self) -> None:
        """Wait until a batch that is just being handed in is written down, and follow none any more: they go on at the
        provider."""
        if self._gatherer is not None and not self._gatherer.done():
            await asyncio.wait([self._gatherer], timeout=SETTLED)
        for task in (self._gatherer, *self._followers.values()):
            if task is not None:
                task.cancel()

    def _seek(self, wanted: _Wanted) -> None:
        """Follow the batch that holds a request, or have it handed in."""
        batch = pending.holding(self._answers, wanted.key.digest)
        # A batch's record ends when its answers are kept: without one, there may be an answer where there was none.
        found = self._answers.find(wanted.key.digest) if batch is None else None
        if found is not None:
            self._pass_on(wanted, found)
        elif batch is not None:
            wanted.batch = batch.id
            self._follow(batch)
        else:
            self._gather(wanted)

    def _gather(self, wanted: _Wanted) -> None:
        wanted.batch = None
        self._gathered.append(wanted)
        if self._gatherer is None or self._gatherer.done():
            self._gatherer = asyncio.create_task(self._hand_in())

    async def _hand_in(self) -> None:
        """Hand in what is gathered, whenever nothing new came for a while or a batch is full."""
        while self._gathered:
            size, begun = 0, time.monotonic()
            while size < len(self._gathered) < self._service.most and time.monotonic() - begun < LONGEST_GATHER:
                size = len(self._gathered)
                await asyncio.sleep(QUIET)
            while group := self._group():
                await self._submit(group)

    def _group(self) -> list[_Wanted]:
        """Take what goes into one batch: one endpoint, no more than the service takes or can be fetched again."""
        group: list[_Wanted] = []
        left: list[_Wanted] = []
        size = room = 0
        for wanted in self._gathered:
            if not wanted.waiting:
                continue
            fits = size + len(wanted.line) < self._service.largest and room + wanted.room < MOST_RESULTS
            same = not group or (fits and len(group) < self._service.most and wanted.path == group[0].path)
            if same:
                group.append(wanted)
                size, room = size + len(wanted.line) + 1, room + wanted.room
            else:
                left.append(wanted)
        self._gathered = left
        return group

    async def _submit(self, group: list[_Wanted]) -> None:
        """Write a batch down, hand it in, and follow it."""
        answers, service, lines = self._answers, self._service, [wanted.line for wanted in group]
        batch = Pending(secrets.token_hex(16), group[0].key.model, len(group), time.time(), answers.owner)
        for wanted in group:
            wanted.batch = batch.id
        _handed_in.add(batch.id)
        try:
            await pending.write_down(answers, batch, [Item(wanted.key, wanted.tries) for wanted in group])
            prepared = await service.prepare(batch.id, lines)
            if await pending.write_called(answers, batch.id):
                state = await service.create(batch.id, group[0].path, prepared, lines)
                batch = msgspec.structs.replace(batch, remote=state.remote)
                await pending.write_remote(answers, batch.id, state.remote)
        except Uncertain:
            pass  # whether it was made is looked up by who follows it
        except RequestError as error:
            await self._drop(batch, error)
            return
        except Exception as error:  # who waits must be told, whatever it was
            if batch.remote is None:
                self._fail(batch, self._broken(error))
                return
            answers.warn(error)
        finally:
            _handed_in.discard(batch.id)
        self._follow(batch)

    def _follow(self, batch: Pending) -> None:
        """See to it that a batch is waited for."""
        task = self._followers.get(batch.id)
        if task is None or task.done():
            self._followers[batch.id] = asyncio.create_task(self._see_through(batch))

    async def _see_through(self, batch: Pending) -> None:
        """Wait for a batch and pass on what became of its requests."""
        try:
            if not await self._fetch(batch):
                await self._answers.done(lambda db: pending.forget(db, batch.id))
        except RequestError as error:
            self._fail(batch, error)
        except Exception as error:
            self._fail(batch, self._broken(error))
        finally:
            self._followers.pop(batch.id, None)
        for wanted in self._of(batch):  # it was never made, or another process has fetched it meanwhile
            self._seek(wanted)

    async def _fetch(self, batch: Pending) -> bool:
        """Wait for a batch's results and keep them; False if it was never made."""
        ids = {digest.hex() for digest in pending.digests(self._answers, batch.id)}
        for remote in [batch.remote] if batch.remote else await self._look_for(batch):
            state = await self._ended(remote)
            if state.failed is not None:
                words = f"{self.name}: the batch {remote} failed: {_words(state.failed)}"
                await self._drop(batch, RequestError(words, fatal=True))
                return True
            results = await self._service.results(state)
            if batch.remote or state.tag == batch.id or any(result.id in ids for result in results):
                await self._finish(batch, state, results)
                return True
        return False

    async def _ended(self, remote: str) -> State:
        """The state of a batch once it has ended."""
        pause, reached = FIRST_LOOK, time.monotonic()
        while True:
            try:
                state = await self._service.state(remote)
                if state.ended:
                    return state
                reached = time.monotonic()
            except Uncertain as error:
                if time.monotonic() - reached > LONGEST_OUTAGE:
                    raise RequestError(f"{error} (the batch {remote} goes on there)", fatal=True) from None
            except RequestError as error:
                remedy = f"if it is gone for good: howgood cache prune --batch {remote}"
                raise RequestError(f"{error} (asked for the batch {remote}; {remedy})", fatal=True) from None
            await asyncio.sleep(pause)
            pause = min(LONGEST_LOOK, 1.5 * pause)

    async def _look_for(self, batch: Pending) -> list[str]:
        """Where a batch may be that was to be handed in when its process ended, or lost the connection."""
        answers = self._answers
        while batch.id in _handed_in:
            await asyncio.sleep(FIRST_LOOK)
        current: Pending | None = batch
        while current is not None and current.owner != answers.owner:
            if not answers.live(current.owner) and await pending.take_over(answers, current):
                break
            await asyncio.sleep(FIRST_LOOK)  # the other process is at it
            current = pending.pending_batch(answers, batch.id)
        current = pending.pending_batch(answers, batch.id)
        if current is None or current.remote is not None:
            return [current.remote] if current and current.remote else []
        if current.called is None:
            return []
        for wait in (SETTLED, 0.0):
            recent = await self._service.recent(current.called - SKEW)
            known = {other.remote for other in pending.pending(answers)}
            same = [s for s in recent if s.tag == batch.id]
            alike = [s for s in reversed(recent) if s.tag is None and s.size == batch.size and s.remote not in known]
            if same or alike:
                return [s.remote for s in same or alike]
            await asyncio.sleep(wait)
        return []

    async def _finish(self, batch: Pending, state: State, results: list[Result]) -> None:
        """Keep all answers, whoever asked for them, then pass them on."""
        items = {item.key.digest.hex(): item for item in pending.items(self._answers, batch)}
        found: dict[str, Prediction | RequestError] = {}
        for number, result in enumerate(results):
            if result.id in items:
                found[result.id] = self._read(items[result.id].key, result, state)
            if number % 200 == 0:
                await asyncio.sleep(0)  # reading many takes a while
        answered = [(items[id].key, answer) for id, answer in found.items() if isinstance(answer, Prediction)]
        kept = [(key, answer.cost, pack_answer(answer)) for key, answer in answered]
        try:
            await pending.finish(self._answers, batch.id, kept)
        except sqlite3.Error as error:
            self._answers.warn(error)
        for id, item in items.items():
            outcome = found.get(id) or self._error("it has no result for this request", state)
            wanted = self._wanted.get(item.key.digest)
            if wanted is None:
                continue
            if isinstance(outcome, _Unanswered) and item.tries == 0:
                wanted.tries = 1
                self._gather(wanted)
            else:
                self._pass_on(wanted, outcome)

    def _read(self, key: Key, result: Result, state: State) -> Prediction | RequestError:
        """What became of a request."""
        if result.reply is None:
            told = self._http.transport.read_error(result.error)
            if told.filtered:
                free = self._http.price(Usage(input=1, output=1)) is not None  # nothing was read, so nothing is owed
                return Prediction(text="", stop_reason="filter", latency=state.seconds, cost=0.0 if free else None)
            return self._error(str(told), state, again=result.again)
        request = request_of(key.fields)
        assert isinstance(request, Generate)
        try:
            prediction = self._http.decode(request, result.reply)
        except (MalformedReply, ErrorReply, RequestError) as error:
            return self._error(str(error), state)
        cost = None if prediction.cost is None else self.share * prediction.cost
        return msgspec.structs.replace(prediction, cost=cost, latency=state.seconds)

    def _error(self, words: str, state: State, again: bool = False) -> RequestError:
        kind = _Unanswered if again else RequestError
        return kind(f"{self.name}: the batch {state.remote} says: {_words(words)}")

    def _pass_on(self, wanted: _Wanted, outcome: Prediction | RequestError) -> None:
        """Tell those who wait for a request what became of it."""
        wanted.batch = None
        for answer in wanted.waiting:
            if answer.done():
                continue
            if isinstance(outcome, Prediction):
                answer.set_result(outcome)
            else:
                answer.set_exception(outcome)

    def _of(self, batch: Pending) -> list[_Wanted]:
        """The requests that wait for a batch."""
        return [wanted for wanted in self._wanted.values() if wanted.batch == batch.id]

    def _fail(self, batch: Pending, error: RequestError) -> None:
        for wanted in self._of(batch):
            self._pass_on(wanted, error)

    async def _drop(self, batch: Pending, error: RequestError) -> None:
        """Let go of a batch that has no answers."""
        try:
            await self._answers.done(lambda db: pending.forget(db, batch.id))
        except sqlite3.Error as failure:
            self._answers.warn(failure)
        self._fail(batch, error)

    def _broken(self, error: Exception) -> RequestError:
        words = f"a batch could not be followed (cache {self._answers.path}): {type(error).__name__}: {error}"
        return RequestError(f"{self.name}: {words}", fatal=True)


class _Unanswered(RequestError):
    """A request that a batch left without answer through no fault of its own."""


class _Wanted:
    """A request that is waited for: how it stands in a batch (`line`, for the endpoint `path`), how much `room` its
    result may take (bytes), how often batches have failed it, the id of the `batch` that holds it, and who is
    `waiting`."""

    def __init__(self, key: Key, path: str, line: bytes, room: int) -> None:
        self.key, self.path, self.line, self.room = key, path, line, room
        self.tries = 0
        self.batch: str | None = None
        self.waiting: list[asyncio.Future[Prediction]] = []


def _room(request: Generate) -> int:
    """Bytes that the result of a request may take."""
    token = 8 if request.logprobs is None else 120 * (1 + request.logprobs)
    return 2_000 + token * request.max_tokens


def _words(text: str) -> str:
    return shorten(one_line(text), 300)
