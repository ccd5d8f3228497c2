"""The long tail of providers, through the package litellm (https://docs.litellm.ai): `litellm/PROVIDER/NAME`.

Keys are where litellm looks for them, in the environment. It sends, retries and prices in its own way; howgood's
limits, time to first token and log-probabilities are for the models that howgood speaks to itself.
"""

from __future__ import annotations

import importlib.util
import os
import time
from typing import Any

from msgspec.structs import replace

from howgood.core.errors import MissingExtra, ModelError, RequestError, Unsupported
from howgood.core.text import one_line, shorten
from howgood.core.types import Generate, Prediction
from howgood.models.base import Capabilities, Model
from howgood.models.dialects import ErrorReply, MalformedReply, Takes, dollars, has_images, openai
from howgood.models.secrets import scrub, secret
from howgood.models.stopping import stopped

FATAL = ("AuthenticationError", "PermissionDeniedError", "NotFoundError", "UnsupportedParamsError")
"""Errors of litellm that every other request would get too."""
REFUSED = "ContentPolicyViolationError"
RETRIES = 4
KEYS = ("_KEY", "_TOKEN", "_SECRET")
"""How the names of variables end that hold what nobody may read."""


class LiteLLMModel(Model):
    """`source` is litellm's name for the model, such as `bedrock/anthropic.claude-sonnet-4-6`.

    Options: `concurrency`, requests in flight; `timeout`, seconds for one try; `images`, whether it takes them;
    `thinks`, whether it thinks before it answers, so that no stop string may be sent; `sampling=false` for models that
    take no temperature or top_p. Raises `MissingExtra` where litellm is not installed.
    """

    paid = True

    def __init__(
        self,
        name: str,
        source: str,
        *,
        concurrency: int = 16,
        timeout: float = 600.0,
        images: bool = False,
        thinks: bool = False,
        sampling: bool = True,
    ) -> None:
        if importlib.util.find_spec("litellm") is None:
            raise MissingExtra(name, "litellm")
        if not (concurrency >= 1 and timeout > 0):
            raise ModelError(f"{name}: concurrency must be at least 1 and timeout more than 0 seconds")
        self.name, self.source, self.concurrency, self.timeout = name, source, concurrency, timeout
        self.takes = Takes(sampling=sampling, stops=not thinks, thinking="effort")
        self.capabilities = Capabilities(generate=True, chat=True, images=images, tools=True, schema=True, effort=True)

    def describe(self) -> dict[str, Any]:
        from importlib.metadata import version

        told = {"kind": "litellm", "model": self.source, "litellm": version("litellm")}
        if not self.takes.sampling:
            told["sampling"] = "the model's own: temperature and top_p are not sent"
        return told

    def check_request(self, request: Generate) -> None:
        self._encode(request)

    async def generate(self, request: Generate) -> Prediction:
        body = self._encode(request)
        started = time.monotonic()
        reply, cost = await self._complete(body)
        latency = time.monotonic() - started
        if reply is None:
            return Prediction(text="", stop_reason="filter")
        try:
            prediction = openai.decode(reply)
        except (MalformedReply, ErrorReply) as error:
            raise RequestError(self._say(error)) from None
        return replace(stopped(prediction, request.stop), latency=latency, cost=cost)

    def _encode(self, request: Generate) -> dict[str, Any]:
        if isinstance(request.prompt, str):
            raise Unsupported(f"{self.name} takes messages, no raw text")
        if has_images(request.prompt) and not self.capabilities.images:
            raise Unsupported(f"{self.name} is not known to take images (add ,images=true if it does)")
        if request.logprobs is not None:
            raise Unsupported(f"{self.name} gives no log-probabilities of what it writes")
        _, body = openai.encode(self.source, request, self.takes)
        return body

    async def _complete(self, body: dict[str, Any]) -> tuple[bytes | None, float | None]:
        """The reply in the OpenAI dialect, and what litellm says it cost; None where a filter refused the prompt."""
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else its import asks the network for prices
        import litellm

        litellm.suppress_debug_info = True  # else it prints
        try:
            response = await litellm.acompletion(**body, timeout=self.timeout, num_retries=RETRIES)
        except Exception as error:  # litellm has no base class for all that it raises
            kind = type(error).__name__
            if kind == REFUSED:
                return None, None
            raise RequestError(self._say(f"{kind}: {error}"), fatal=kind in FATAL) from None
        hidden = getattr(response, "_hidden_params", None) or {}
        return response.model_dump_json().encode(), dollars(hidden.get("response_cost"))

    def _say(self, words: object) -> str:
        """An error's text: one bounded line without the keys that litellm may have taken from the environment."""
        for variable in os.environ:
            if variable.endswith(KEYS):
                secret(variable)  # from now on it is hidden
        return f"{self.name}: {shorten(one_line(scrub(str(words))), 300)}"
