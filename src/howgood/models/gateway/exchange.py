"""One call to the gateway, from its body to its line in the log."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from howgood.core.errors import HowgoodError, RequestError, Unsupported
from howgood.core.types import Generate, Prediction, Usage
from howgood.models.base import Echo, Model
from howgood.models.gateway.asked import Asked, Endpoint, Refusal, check_fits
from howgood.models.gateway.bounds import most_dollars, most_usage
from howgood.models.gateway.keys import Account, Bill
from howgood.models.gateway.log import Call
from howgood.models.http import HTTPModel
from howgood.models.wrapper import Wrapper

CLIENT_GONE = 499
"""The status in the log of a call that was not answered to its end because nobody waited any more (nginx's)."""

logger = logging.getLogger("howgood.gateway")


class Exchange:
    """What `http` asks of the model at an `endpoint`, on somebody's account."""

    def __init__(self, model: Model, endpoint: Endpoint, http: web.Request, account: Account) -> None:
        self.model, self.endpoint, self.http, self.account = model, endpoint, http, account
        self.id = endpoint.prefix + secrets.token_hex(12)
        self.time, self.began = datetime.now(UTC), time.perf_counter()
        self.status = 200
        self.requests: tuple[Generate | Echo, ...] = ()
        self.predictions: list[Prediction] = []
        self.error: str | None = None

    async def answer(self) -> web.StreamResponse:
        """Answer the call, or refuse it in its dialect's form. Raises only when nobody waits for it any more."""
        try:
            return await self._answer()
        except (asyncio.CancelledError, ConnectionResetError):
            self.status, self.error = CLIENT_GONE, "the client went away, or the gateway was stopped"
            raise
        except Exception as error:
            return refused(self.endpoint, self._refusal(error))

    def call(self) -> Call:
        """The line for the log."""
        costs = [p.cost for p in self.predictions if p.cost is not None]
        return Call(
            id=self.id,
            time=self.time.isoformat(timespec="milliseconds"),
            key=self.account.name,
            dialect=self.endpoint.dialect,
            path=self.http.path,
            status=self.status,
            requests=self.requests,
            predictions=tuple(self.predictions),
            usage=sum((p.usage for p in self.predictions), Usage()),
            cost=sum(costs) if self.predictions and len(costs) == len(self.predictions) else None,
            latency=time.perf_counter() - self.began,
            error=self.error,
        )

    async def _answer(self) -> web.StreamResponse:
        try:
            body = await self.http.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise Refusal("size", f"the request is too large: {error.text}") from None
        except web.RequestPayloadError:
            raise Refusal("request", "the request broke off") from None
        asked = self.endpoint.read(body)
        if asked.model != self.model.name:
            raise Refusal("model", f"there is no model {asked.model[:100]!r} here, only {self.model.name!r}")
        self.requests = asked.requests
        for request in asked.requests:
            check_fits(request, self.model.capabilities, self.model.name)
        tokens, dollars = 0, None
        if self.account.limited:
            most = most_usage(self.model, asked.requests)
            tokens, dollars = most.input + most.output, most_dollars(self.model, asked.requests)
        async with self.account.billed(tokens, dollars) as bill:
            return await (self._stream(asked, bill) if asked.stream else self._whole(asked, bill))

    async def _whole(self, asked: Asked, bill: Bill) -> web.Response:
        found = await asyncio.gather(*map(self._send, asked.requests), return_exceptions=True)
        bill.predictions = self.predictions = [p for p in found if isinstance(p, Prediction)]
        for error in found:
            if isinstance(error, BaseException):
                raise error
        return _json(self.endpoint.reply(asked, self.predictions, self.id))

    async def _stream(self, asked: Asked, bill: Bill) -> web.StreamResponse:
        """The answers, one after the other. What fails before anything is written has an error's status; what fails
        later ends the stream with the dialect's event for errors."""
        events = self.endpoint.events(asked, self.id)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})

        async def write(data: bytes) -> None:
            if not response.prepared:
                await response.prepare(self.http)
                data = events.start() + data
            await response.write(data)

        try:
            for index, request in enumerate(asked.requests):
                assert isinstance(request, Generate)  # an echo is not streamed
                told = False
                async with aclosing(self.model.stream(request)) as pieces:  # type: ignore[type-var]
                    async for piece in pieces:
                        if isinstance(piece, Prediction):
                            self.predictions.append(_sound(piece))
                        elif piece:
                            told = True
                            await write(events.text(index, piece))
                await write(events.finish(index, self.predictions[index], told))
            await write(events.end(self.predictions))
        except ConnectionResetError:
            raise
        except Exception as error:
            if not told or len(self.predictions) > index:  # else nobody knows what the answer that broke off took
                bill.predictions = self.predictions
            if not response.prepared:
                raise
            await write(events.error(self._refusal(error)))
        else:
            bill.predictions = self.predictions
        return response

    async def _send(self, request: Generate | Echo) -> Prediction:
        if isinstance(request, Echo):
            return await self.model.echo(request)
        return _sound(await self.model.generate(request))

    def _refusal(self, error: Exception) -> Refusal:
        """How the client is told of an error, and the log."""
        if isinstance(error, Refusal):
            refusal = error
        elif isinstance(error, Unsupported):
            refusal = Refusal("request", str(error))
        elif isinstance(error, RequestError | HowgoodError):
            # What a model on this machine cannot answer is the request's fault: it is too long, say.
            local = isinstance(error, RequestError) and not error.fatal and not _is_remote(self.model)
            refusal = Refusal("request" if local else "failure", str(error))
        else:
            logger.error("a call to %s failed", self.model.name, exc_info=error)
            refusal = Refusal(
                "failure", f"the gateway failed on this call ({type(error).__name__}): see its own output"
            )
        self.status, self.error = refusal.status, str(refusal)
        return refusal


def refused(endpoint: Endpoint, refusal: Refusal) -> web.Response:
    """An error in its dialect's form. The official clients heed the header: none of these is worth another try."""
    response = _json(endpoint.error(refusal), refusal.status)
    response.headers["x-should-retry"] = "false"
    return response


def _json(content: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(content), status=status, content_type="application/json")


def _is_remote(model: Model) -> bool:
    while isinstance(model, Wrapper):
        model = model.model
    return isinstance(model, HTTPModel)


def _sound(prediction: Prediction) -> Prediction:
    if prediction.error is not None:
        raise RequestError(prediction.error)
    return prediction
