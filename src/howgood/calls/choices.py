"""Choice questions in three formulations, picked by what the model can do and always named in the rules:

- `letter-likelihood`: the choices are listed under letters and the letter with the highest likelihood is the answer
  (Hendrycks et al., arXiv:2009.03300);
- `letter-generation`: the choices are listed and the model writes its answer, from which a letter is read;
- `cloze-likelihood`: the choices are not shown; the one the model finds most likely after the question is the answer
  (Brown et al., arXiv:2005.14165).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from howgood.calls.base import Settings, SingleRequest, conversation, decoding, settled
from howgood.core.errors import Unsupported
from howgood.core.text import LETTERS
from howgood.core.types import Effort, Generate, Instance, Likelihood, Loglikelihood, Prediction, Prompt, Request
from howgood.inputs.fewshot import Shots
from howgood.models.base import Capabilities
from howgood.outputs.choice import ChoiceAccuracy

Method = Literal["auto", "letter-likelihood", "letter-generation", "cloze-likelihood"]
RAW_TOKENS = 16
"""The most that a raw completion of "Answer:" is given: it writes a letter and ends its line, it does not think."""
ASK_LETTER = f"\n\n{ChoiceAccuracy.ending}"


def text_of(instance: Instance) -> str:
    """The instance's question as text."""
    if not isinstance(instance.input, str):
        raise Unsupported(f"instance {instance.id} is a conversation; this call takes a question in text")
    return instance.input


def cloze_question(instance: Instance) -> str:
    return f"Question: {text_of(instance)}\nAnswer:"


def subject_header(instance: Instance) -> str:
    """The line above questions on the instance's subject, its stratum (Hendrycks et al., arXiv:2009.03300)."""
    subject = str(instance.stratum).replace("_", " ")
    return f"The following are multiple choice questions (with answers) about {subject}.\n\n"


@dataclass(frozen=True)
class Choices(SingleRequest):
    """A choice question.

    `question` gives the text above the listed choices, `cloze` the text that a choice continues, `header` what stands
    once at the top. `prefer` orders the formulations for `method="auto"`: the first that the model can do is taken.
    `max_tokens` bounds an answer written in a chat; a raw completion gets 16 tokens unless the user says otherwise.
    """

    header: Callable[[Instance], str] | str = ""
    shots: Shots | None = None
    method: Method = "auto"
    prefer: tuple[Method, ...] = ("letter-likelihood", "letter-generation")
    question: Callable[[Instance], str] = text_of
    cloze: Callable[[Instance], str] = cloze_question
    join: str = "\n\n"
    max_tokens: int = 1024
    temperature: float = 0.0
    chat: bool = False
    effort: Effort | None = None
    thinking: int | None = None

    def bind(self, can: Capabilities, settings: Settings) -> Choices:
        able = {
            "letter-likelihood": can.loglikelihood,
            "cloze-likelihood": can.loglikelihood,
            "letter-generation": can.generate,
        }
        wanted = self.prefer if self.method == "auto" else (self.method,)
        method = next((m for m in wanted if able[m]), None)
        if method is None:
            gives = "no log-likelihoods" if not can.loglikelihood else "no generated text"
            remedy = f"{can.remedy}, or " if can.remedy and not can.loglikelihood else ""
            raise Unsupported(
                f"the model cannot do {' or '.join(wanted)} (it gives {gives}); {remedy}try another -P method="
            )
        if method != "letter-generation" and (settings.effort is not None or settings.thinking is not None):
            raise Unsupported(
                f"{method} compares likelihoods, without thinking; leave out --effort and --thinking, or take -P "
                "method=letter-generation"
            )
        chat = settings.chat
        if chat is None:
            # Likelihoods are compared on raw text, as published; a written answer takes the format the model knows.
            chat = can.chat and (method == "letter-generation" or not can.completion)
        call = self if chat else replace(self, max_tokens=min(self.max_tokens, RAW_TOKENS))
        return replace(call, method=method, **settled(call, chat, can, settings))

    def describe(self) -> dict[str, Any]:
        rules: dict[str, Any] = {
            "kind": "choices",
            "method": self.method,
            "format": "chat" if self.chat else "completion",
            "shots": self.shots.describe() if self.shots else {"n": 0},
        }
        if self.method == "letter-generation":
            rules |= decoding(self)
            if self._stop:
                rules["stop"] = list(self._stop)
        return rules

    def request(self, instance: Instance, shots: tuple[Instance, ...], seed: int) -> Request:
        prompt = self._prompt(instance, shots)
        if self.method == "letter-generation":
            return Generate(
                prompt,
                max_tokens=self.max_tokens,
                temperature=self.temperature,
                stop=self._stop,
                seed=seed,
                effort=self.effort,
                thinking=self.thinking,
            )
        answers = instance.choices if self.method == "cloze-likelihood" else LETTERS[: len(instance.choices)]
        space = "" if self.chat else " "
        return Loglikelihood(prompt, tuple(space + answer for answer in answers))

    def imagine(self, instance: Instance, right: bool) -> Prediction:
        picked = next(i for i in range(len(instance.choices)) if (i in instance.gold) == right)
        if self.method == "letter-generation":
            return Prediction(text=f"Answer: {LETTERS[picked]}", stop_reason="stop")
        # Above every other choice even after dividing by its length.
        return Prediction(
            likelihoods=tuple(
                Likelihood(-0.001 if i == picked else -50.0 * max(1, len(choice)), 1)
                for i, choice in enumerate(instance.choices)
            )
        )

    @property
    def _stop(self) -> tuple[str, ...]:
        # A raw completion ends with its line; a chat model may think first.
        return () if self.chat else ("\n",)

    def _prompt(self, instance: Instance, shots: tuple[Instance, ...]) -> Prompt:
        header = self.header if isinstance(self.header, str) else self.header(instance)
        if self.chat:
            turns = [(self._ask(shot), self._answer(shot)) for shot in shots]
            return conversation(header.strip(), turns, self._ask(instance))
        worked = [f"{self._ask(shot)} {self._answer(shot)}" for shot in shots]
        return header + self.join.join([*worked, self._ask(instance)])

    def _ask(self, instance: Instance) -> str:
        if self.method == "cloze-likelihood":
            return self.cloze(instance)
        if len(instance.choices) > len(LETTERS):
            raise Unsupported(f"instance {instance.id} has {len(instance.choices)} choices; letters reach 26")
        listed = "".join(f"\n{letter}. {choice}" for letter, choice in zip(LETTERS, instance.choices, strict=False))
        if self.chat and self.method == "letter-generation":
            return f"{self.question(instance)}\n{listed}{ASK_LETTER}"
        return f"{self.question(instance)}{listed}\nAnswer:"

    def _answer(self, shot: Instance) -> str:
        if self.method == "cloze-likelihood":
            return shot.choices[shot.gold[0]]
        letter = LETTERS[shot.gold[0]]
        return f"Answer: {letter}" if self.chat and self.method == "letter-generation" else letter
