"""Names and options of methods, and how several are put around one call."""

from __future__ import annotations

import inspect
from itertools import permutations
from pathlib import Path

import pytest
from method_models import CHATS

from howgood.calls.base import Settings
from howgood.calls.choices import Choices
from howgood.calls.generation import Generation
from howgood.calls.likelihood import Continuation, WholeText
from howgood.calls.methods.base import own_call
from howgood.calls.methods.registry import METHODS, apply, known_methods, load
from howgood.core.errors import HowgoodError, UnknownName, Unsupported
from howgood.core.types import Instance
from howgood.models.base import Capabilities
from howgood.outputs.base import judge
from howgood.outputs.choice import ChoiceAccuracy
from howgood.outputs.grid import GridMatch
from howgood.outputs.match import F1, Match, Numeric

EVERYTHING = Capabilities(True, True, True, True, True, True, True, True, True, True)
SUM = Instance("sum", "2 + 3?", targets=("5",))
CHOICE = Instance("sky", "Which colour has the sky?", choices=("red", "blue"), gold=(1,))
GRID = Instance("grid", "1 2\n3 4", targets=("1 2\n3 4",))


def test_a_name_and_its_options() -> None:
    assert load("vote,n=5").options == {"n": 5}
    assert load("cot").options == {}
    assert load("best,n=2,by=hf/ORG/NAME,dtype=float32").options == {"n": 2, "by": "hf/ORG/NAME,dtype=float32"}
    assert load("best,by=http://h/v1#m,logprobs=true,n=3").options == {"by": "http://h/v1#m,logprobs=true", "n": 3}
    assert load("turns,say=Sure, or not?").options == {"say": "Sure, or not?"}
    assert load("tools,mcp=npx -y server a,b").options == {"mcp": "npx -y server a,b"}


def test_paths_mean_the_same_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = load("retrieval,docs=notes,k=2")
    assert found.text == f"retrieval,docs={tmp_path}/notes,k=2"
    assert found.options == {"docs": tmp_path / "notes", "k": 2}
    assert load(found.text) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("voting", "there is no method 'voting'. Did you mean vote?"),
        ("vote,m=3", "there is no method option 'm'.* vote takes: n."),
        ("vote,n=few", "method option n takes int, not 'few'"),
        ("vote,n", "method option n needs a value: n=VALUE"),
        ("retrieval", "retrieval needs an option: retrieval,docs=VALUE"),
        ("cot,k=1", "there is no method option 'k'. cot takes none."),
    ],
)
def test_what_is_wrong_with_a_name_is_told(text: str, message: str) -> None:
    with pytest.raises(HowgoodError, match=message):
        load(text)


def test_an_unknown_method_is_an_unknown_name() -> None:
    with pytest.raises(UnknownName):
        load("")


def test_the_rules_are_the_same_in_whatever_order_methods_are_named() -> None:
    found = []
    for texts in permutations(("cot", "best,n=2", "vote,n=3", "turns")):
        call, outputs = apply(texts, Generation(), Numeric())
        found.append((call.bind(CHATS, Settings()).describe(), outputs.describe()))
    assert all(one == found[0] for one in found)
    assert [method["name"] for method in found[0][0]["methods"]] == ["cot", "turns", "best", "vote"]
    assert found[0][0]["kind"] == "generation"


def test_a_method_given_twice_is_refused() -> None:
    with pytest.raises(HowgoodError, match="the method vote is given twice: vote,n=3 and vote,n=5"):
        apply(("vote,n=3", "vote,n=5"), Generation(), Numeric())


def test_without_methods_nothing_changes() -> None:
    call, outputs = Generation(), Numeric()
    assert apply((), call, outputs) == (call, outputs)


def test_every_form_that_is_told_names_its_method_and_its_options() -> None:
    for name, kind in METHODS.items():
        assert kind.load().name == name
        options = {
            p.name for p in inspect.signature(kind.load().around).parameters.values() if p.kind is p.KEYWORD_ONLY
        }
        named = {part.partition("=")[0] for part in kind.form.split(",")[1:]} | ({kind.open_ended} - {""})
        assert named <= options
    assert [form.split(",")[0] for form, _ in known_methods()] == list(METHODS)


@pytest.mark.parametrize("method", ["cot", "vote,n=3", "best,n=2", "turns"])
@pytest.mark.parametrize(
    ("call", "outputs", "instance"),
    [
        (Choices(), ChoiceAccuracy(), CHOICE),
        (Choices(prefer=("cloze-likelihood",)), ChoiceAccuracy(normalized=True), CHOICE),
        (Generation(), Numeric(), SUM),
        (Generation(), Match("exact"), SUM),
        (Generation(), Match("contains"), SUM),
        (Generation(), F1(), SUM),
        (Generation(), GridMatch(), GRID),
    ],
)
def test_right_answers_stay_right_and_spoiled_ones_wrong(
    method: str, call: Generation | Choices, outputs: Match, instance: Instance
) -> None:
    around, judging = apply((method,), call, outputs)
    bound = around.bind(EVERYTHING, Settings())
    judging = judging.bind(bound.describe())
    for right in (True, False):
        score = judge(judging, instance, bound.imagine(instance, right))
        assert next(iter(score.values.values())) == float(right)
        assert score.outcome == ("right" if right else "wrong")


@pytest.mark.parametrize("method", ["cot", "vote", "best", "turns"])
@pytest.mark.parametrize("call", [Continuation(), WholeText()])
def test_the_likelihood_of_given_text_has_no_methods_that_write(method: str, call: Continuation) -> None:
    around, _ = apply((method,), call, Match())
    with pytest.raises(Unsupported, match=f"the model writes nothing; leave out {method}"):
        around.bind(EVERYTHING, Settings())


@pytest.mark.parametrize("method", ["cot", "vote"])
def test_a_formulation_that_the_user_chose_is_not_changed(method: str) -> None:
    around, _ = apply((method,), Choices(method="letter-likelihood"), ChoiceAccuracy())
    with pytest.raises(Unsupported, match=f"leave out {method} or -P method=letter-likelihood"):
        around.bind(EVERYTHING, Settings())


@pytest.mark.parametrize("method", ["vote", "best", "turns"])
def test_several_attempts_at_a_question_are_not_sampled_again(method: str) -> None:
    around, _ = apply((method,), Generation(attempts=2), GridMatch())
    with pytest.raises(Unsupported, match=f"takes 2 attempts at each question already; leave out {method}"):
        around.bind(EVERYTHING, Settings())


def test_the_benchmarks_own_call_is_inside() -> None:
    call = Generation()
    around, _ = apply(("cot", "vote"), call, Numeric())
    assert own_call(around) is call
