"""Judges whose verdicts are known, for tests."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from howgood.core.errors import RequestError
from howgood.core.types import Generate, Prediction, Token, Usage
from howgood.models.base import Capabilities, Model, text_of

WRITES = Capabilities(generate=True, chat=True, logprobs=True)


class Judge(Model):
    """Replies what a function makes of what it is asked: a text, a prediction or an error. Each reply takes 100 tokens
    in, 10 out and a cent."""

    def __init__(self, reply: Callable[[str], str | Prediction | RequestError], name: str = "judge") -> None:
        self.name, self.capabilities, self.reply = name, WRITES, reply
        self.asked: list[Generate] = []
        self.closed = False

    async def generate(self, request: Generate) -> Prediction:
        self.asked.append(request)
        assert not isinstance(request.prompt, str)
        said = self.reply("\n".join(map(text_of, request.prompt)))
        if isinstance(said, RequestError):
            raise said
        if isinstance(said, Prediction):
            return said
        return Prediction(text=said, stop_reason="stop", usage=Usage(100, 10), cost=0.01, latency=0.1)

    async def close(self) -> None:
        self.closed = True


def texts(asked: str) -> list[str]:
    """The texts that stand as data in what a judge was asked."""
    mark = re.findall(r"#[0-9a-f]{16}#", asked)[-1]
    return [json.loads(string) for string in re.findall(rf'{mark}\n(".*")\n{mark}', asked)]


def token(text: str, **alternatives: float) -> Prediction:
    """A reply of one token, and the log-probabilities of those that could have stood there."""
    return Prediction(text=text, tokens=(Token(text, alternatives.get(text, 0.0), alternatives),), cost=0.01)
