"""The conventions of perplexity: what each preset reads, in which windows, and what it divides by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import Planned

from howgood.core.errors import HowgoodError
from howgood.core.types import Likelihood, Prediction, Rolling
from howgood.inputs.texts import hugging_face_lines, penn_treebank_detokenizer, wikitext_detokenizer
from howgood.models.huggingface.encode import windows
from howgood.outputs.base import judge
from howgood.runs.plan import Plan

WHOLE = {"max_length": 1024, "stride": 1024, "context": 1}
OWN = {"max_length": None, "stride": None, "context": 1}


def counted(plan: Plan) -> dict[str, float]:
    """The words and bytes of all documents."""
    values: dict[str, float] = {"documents": 0, "words": 0, "bytes": 0}
    for _, instance in plan.instances():
        values["documents"] += 1
        found = judge(plan.benchmark.outputs, instance, Prediction(likelihoods=(Likelihood(-1.0, 1),))).values
        values = {name: value + found.get(name, 0) for name, value in values.items()}
    return values


@pytest.mark.parametrize(
    ("name", "parameters", "call", "units", "documents", "words"),
    [
        ("wikitext-2", {}, OWN | {"clean": "wikitext_detokenizer"}, "word", 62, 241_335),
        ("wikitext-2", {"preset": "gpt2"}, WHOLE | {"clean": "wikitext_detokenizer"}, "word", 1, 245_569),
        (
            "wikitext-2",
            {"preset": "hf-guide"},
            {"max_length": 1024, "stride": 512, "context": 513, "clean": "hugging_face_lines"},
            "token",
            1,
            245_569,
        ),
        # The Penn Treebank's 82,430 tokens, and WikiText's 245,569, are words and ends of lines.
        ("penn-treebank", {}, WHOLE | {"clean": "penn_treebank_detokenizer"}, "word", 1, 82_430),
        (
            "penn-treebank",
            {"documents": "apart"},
            WHOLE | {"clean": "penn_treebank_detokenizer"},
            "word",
            3_761,
            82_430,
        ),
        ("wikitext-103", {"preset": "gpt2"}, WHOLE | {"clean": "wikitext_detokenizer"}, "word", 1, 245_569),
        ("one-billion-word", {"version": "sample"}, OWN | {"clean": "news_detokenizer"}, "word", 1_000, 25_906),
        (
            "one-billion-word",
            {"version": "sample", "preset": "gpt2"},
            WHOLE | {"clean": "news_detokenizer"},
            "word",
            1,
            26_906,
        ),
    ],
)
def test_what_a_preset_stands_for(
    planned: Planned,
    name: str,
    parameters: dict[str, Any],
    call: dict[str, Any],
    units: str,
    documents: int,
    words: int,
) -> None:
    plan = planned(name, **parameters)
    told = {key: plan.rules.call[key] for key in call}
    assert told == call
    assert plan.rules.interpret["units"][0] == units
    found = counted(plan)
    assert (found["documents"], found["words"]) == (documents, words)


def test_what_is_read_is_the_whole_text_in_the_form_of_the_preset(planned: Planned) -> None:
    requests = {}
    for preset in ("gpt2", "hf-guide"):
        plan = planned("wikitext-2", preset=preset)
        ((_, instance),) = plan.instances()
        assert len(str(instance.input).encode()) == 1_290_590
        requests[preset] = (plan.request(instance), str(instance.input))
    request, text = requests["gpt2"]
    assert request == Rolling(wikitext_detokenizer(text), 1024, 1)
    request, text = requests["hf-guide"]
    assert request == Rolling(hugging_face_lines(text), 1024, 513)


def test_the_user_can_change_each_rule(planned: Planned) -> None:
    plan = planned("wikitext-2", preset="hf-guide", documents="apart", form="detokenized", stride=1024)
    assert plan.rules.data["instances"] == 62
    assert {key: plan.rules.call[key] for key in (*WHOLE, "clean")} == WHOLE | {"clean": "wikitext_detokenizer"}
    # Another window has another overlap: none, unless it is said too.
    assert planned("wikitext-2", preset="hf-guide", max_length=256).rules.call["stride"] == 256
    smaller = planned("penn-treebank", preset="hf-guide", form="stored", max_length=256, stride=64).rules.call
    assert (smaller["max_length"], smaller["stride"], smaller["context"], smaller["clean"]) == (256, 64, 193, "none")
    rules = {planned("penn-treebank", **{k: v}).rules.hash for k, v in [("preset", "gpt2"), ("form", "stored")]}
    assert len(rules) == 2


def test_sentences_are_read_apart_or_together(planned: Planned) -> None:
    apart = [str(instance.input) for _, instance in planned("penn-treebank", preset="lm-eval").instances()]
    (joined,) = (str(instance.input) for _, instance in planned("penn-treebank").instances())
    assert apart[0] == "no it was n't black monday"
    assert joined == "".join(f"{sentence}\n" for sentence in apart)
    plan = planned("penn-treebank", preset="lm-eval")
    assert plan.request(next(plan.instances())[1]) == Rolling(penn_treebank_detokenizer(apart[0]), None, 1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"stride": 512}, "give max_length too"),
        ({"max_length": 256, "stride": 512}, "a stride of 512 tokens does not fit a window of 256"),
        ({"max_length": 0}, "a window of 0 tokens reads no text"),
        ({"max_length": 8, "stride": 0}, "a stride of 0 tokens does not fit"),
        ({"preset": "gpt-2"}, r"parameter preset of wikitext-2 takes lm-eval \| gpt2 \| hf-guide"),
    ],
)
def test_windows_that_cannot_be_are_told(planned: Planned, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(HowgoodError, match=message):
        planned("wikitext-2", **parameters)


def guide(count: int, length: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """The windows of the Hugging Face guide over `count` tokens: where each begins, and from where to where it scores.
    Of the first nothing stands before token 0, so that it is not scored."""
    scored = 0
    for begin in range(0, count, stride):
        end = min(begin + length, count)
        yield begin, max(scored, begin + 1), end
        scored = end
        if end == count:
            return


@given(st.integers(2, 200), st.integers(2, 40), st.data())
def test_the_guides_windows(count: int, length: int, data: st.DataObject) -> None:
    """Ours score the tokens that the guide's score, each with one more before it (the guide counts the last token of a
    window, which predicts nothing) and in the last window with as many as there is room for."""
    stride = data.draw(st.integers(1, length - 1))
    ours = windows(range(count), [-1], length, length - stride + 1)
    theirs = list(guide(count, length, stride))
    assert [(w.targets[0], w.targets[-1] + 1) for w in ours[1:]] == [(a, b) for _, a, b in theirs[1:]]
    assert (list(ours[0].targets), theirs[0]) == (list(range(min(length, count))), (0, 1, min(length, count)))
    assert [w.inputs[0] for w in ours[1:-1]] == [begin - 1 for begin, _, _ in theirs[1:-1]]
    if len(ours) > 1:
        assert ours[-1].inputs[0] <= theirs[-1][0] - 1
