"""Questions answered in words: what is sent, how attempts are made, and that spoiled answers are wrong."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from howgood.calls.base import Settings, spoil, summed
from howgood.calls.choices import text_of
from howgood.calls.generation import Generation, together
from howgood.core.errors import Unsupported
from howgood.core.text import digest
from howgood.core.types import Generate, Instance, Message, Prediction, Usage
from howgood.inputs.fewshot import Shots
from howgood.models.base import Capabilities, Model
from howgood.outputs.base import judge
from howgood.outputs.match import Match, Numeric

CHATS = Capabilities(generate=True, chat=True)
THINKS = Capabilities(generate=True, chat=True, effort=True)
COMPLETES = Capabilities(generate=True, completion=True)
SUM = Instance("sum", "2 + 3?", targets=("It is 5.\n#### 5",))
EXAMPLE = Instance("example", "1 + 1?", targets=("#### 2",))
CALL = Generation(question=lambda i: f"Q: {text_of(i)}\nA:", header="Work it out.\n\n", stop=("Q:",), max_tokens=50)


class Counting(Model):
    """Answers with the number of the request, and keeps the requests."""

    name = "counting"
    capabilities = COMPLETES

    def __init__(self) -> None:
        self.requests: list[Generate] = []

    async def generate(self, request: Generate) -> Prediction:
        self.requests.append(request)
        usage = Usage(input=10, output=len(self.requests))
        return Prediction(text=str(len(self.requests)), stop_reason="stop", usage=usage, latency=0.5, cost=0.25)


def test_raw_text_is_continued() -> None:
    call = CALL.bind(COMPLETES, Settings())
    assert call.request(SUM, (EXAMPLE,), 3) == Generate(
        "Work it out.\n\nQ: 1 + 1?\nA: #### 2\n\nQ: 2 + 3?\nA:", max_tokens=50, stop=("Q:",), seed=3
    )
    assert call.describe() == {
        "kind": "generation",
        "format": "completion",
        "shots": {"n": 0},
        "max_tokens": 50,
        "temperature": 0.0,
        "stop": ["Q:"],
    }


def test_a_chat_is_answered_and_ends_by_itself() -> None:
    call = CALL.bind(CHATS, Settings())
    assert call.request(SUM, (EXAMPLE,), 3) == Generate(
        (
            Message("system", "Work it out."),
            Message("user", "Q: 1 + 1?\nA:"),
            Message("assistant", "#### 2"),
            Message("user", "Q: 2 + 3?\nA:"),
        ),
        max_tokens=50,
        seed=3,
    )
    assert "stop" not in call.describe()


def test_an_instance_that_is_a_conversation_is_sent_as_it_is() -> None:
    turns = (Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "2 + 3?"))
    request = Generation(header="Be brief.").bind(CHATS, Settings()).request(Instance("1", turns), (), 0)
    assert request.prompt == (Message("system", "Be brief."), *turns)
    with pytest.raises(Unsupported, match="needs a model with a chat format"):
        Generation().bind(COMPLETES, Settings()).request(Instance("1", turns), (), 0)


@pytest.mark.parametrize(
    ("can", "chat", "message"),
    [
        (Capabilities(loglikelihood=True, completion=True), None, "cannot generate"),
        (COMPLETES, True, "no chat format"),
        (CHATS, False, "only chats"),
    ],
)
def test_what_a_model_cannot_do_is_told_at_once(can: Capabilities, chat: bool | None, message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        Generation().bind(can, Settings(chat=chat))


def test_settings_change_the_call_and_its_rules() -> None:
    settings = Settings(shots=1, max_tokens=7, temperature=0.3)
    call = Generation(shots=Shots(5, split="train")).bind(CHATS, settings)
    assert call.shots == Shots(1, split="train")
    assert {"max_tokens": 7, "temperature": 0.3}.items() <= call.describe().items()


async def test_later_attempts_are_sampled_with_seeds_of_their_own() -> None:
    model = Counting()
    call = Generation(attempts=3).bind(COMPLETES, Settings())
    found = await call(call.request(SUM, (), 100), model)
    assert [(r.temperature, r.seed) for r in model.requests] == [(0.0, 100), (1.0, 101), (1.0, 102)]
    assert (found.text, found.attempts) == ("1", ("1", "2", "3"))
    assert (found.usage, found.latency, found.cost) == (Usage(input=30, output=6), 1.5, 0.75)
    assert {"attempts": 3, "retry_temperature": 1.0}.items() <= call.describe().items()


async def test_one_attempt_is_one_request() -> None:
    model = Counting()
    call = Generation().bind(COMPLETES, Settings(temperature=0.7))
    assert (await call(call.request(SUM, (), 5), model)).attempts == ()
    assert [(r.temperature, r.seed) for r in model.requests] == [(0.7, 5)]


def test_how_long_to_think_reaches_the_request_and_the_rules() -> None:
    can = msgspec.structs.replace(CHATS, effort=True)
    call = CALL.bind(can, Settings(effort="low", thinking=200))
    request = call.request(SUM, (), 3)
    assert (request.effort, request.thinking, request.max_tokens) == ("low", 200, 250)
    assert {"effort": "low", "thinking": 200, "max_tokens": 250}.items() <= call.describe().items()
    plain = CALL.bind(can, Settings())
    assert (plain.request(SUM, (), 3).effort, plain.request(SUM, (), 3).thinking) == (None, None)
    assert not {"effort", "thinking"} & set(plain.describe())


@pytest.mark.parametrize(
    ("can", "settings", "message"),
    [
        (CHATS, Settings(effort="high"), "cannot be told how long to think; leave out --effort and --thinking"),
        (CHATS, Settings(thinking=100), "cannot be told how long to think"),
        (THINKS, Settings(thinking=100, max_tokens=100), "--thinking 100 leaves no room for an answer"),
    ],
)
def test_thinking_that_cannot_be_is_told_at_once(can: Capabilities, settings: Settings, message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        Generation().bind(can, settings)


def test_an_answer_can_be_held_to_a_schema() -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
    call = Generation(schema=schema)
    bound = call.bind(msgspec.structs.replace(CHATS, schema=True), Settings())
    assert bound.request(SUM, (), 0).schema == schema
    assert bound.describe()["schema"] == digest(schema)
    with pytest.raises(Unsupported, match="cannot be held to a JSON Schema"):
        call.bind(CHATS, Settings())


def test_what_several_calls_took_is_added_up() -> None:
    one = Prediction(text="a", usage=Usage(5, 1), latency=1.0, first_token=0.3, cost=0.5, retries=1, replayed=True)
    other = Prediction(text="b", usage=Usage(7, 2), latency=2.0, first_token=0.1, cost=0.25, retries=2, replayed=True)
    found = summed(other, [one, other])
    assert found == Prediction(
        text="b", usage=Usage(12, 3), latency=3.0, first_token=0.3, cost=0.75, retries=3, replayed=True
    )
    assert not summed(one, [one, msgspec.structs.replace(other, replayed=False)]).replayed


def test_attempts_keep_why_each_ended() -> None:
    tries = [Prediction(text="a", stop_reason="stop"), Prediction(text=None, stop_reason="length")]
    assert together(tries).attempts == ("a", "")
    assert together(tries).stop_reasons == ("stop", "length")


@pytest.mark.parametrize(
    ("reasons", "together_reason"),
    [(("stop", "stop"), "stop"), (("length", "length"), "length"), (("filter", "stop"), "stop"), ((None, None), None)],
)
def test_one_answer_that_was_cut_or_filtered_does_not_spoil_the_others(
    reasons: tuple[None, ...], together_reason: str | None
) -> None:
    tries = [Prediction(text="a", stop_reason=reason, cost=0.1) for reason in reasons]
    assert together(tries).stop_reason == together_reason


def test_a_cost_that_is_unknown_stays_unknown() -> None:
    assert together([Prediction(text="a", cost=0.1), Prediction(text="b")]).cost is None


@given(st.integers(), st.text())
def test_a_spoiled_number_is_another_number(value: int, words: str) -> None:
    instance = Instance("1", "?", targets=(f"{words}\n#### {value}",))
    for right in (True, False):
        score = judge(Numeric(), instance, Generation().imagine(instance, right))
        assert score.values["exact_match"] == float(right)


@given(st.text().filter(str.strip))
def test_a_spoiled_text_no_longer_matches(target: str) -> None:
    assert spoil(target).strip() != target.strip()
    instance = Instance("1", "?", targets=(target,))
    for how in ("exact", "normalized"):
        assert judge(Match(how), instance, Generation().imagine(instance, False)).outcome != "right"


def test_an_instance_without_a_target_cannot_be_a_worked_example() -> None:
    with pytest.raises(Unsupported, match="instance x has no target"):
        CALL.bind(COMPLETES, Settings()).request(SUM, (Instance("x", "?"),), 0)
