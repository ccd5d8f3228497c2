"""Perturbations: what they change, what they never touch, and that they are the same on every machine."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from howgood.calls.base import Settings
from howgood.core.errors import DataError, HowgoodError, UnknownName, Unsupported
from howgood.core.types import Instance, Loglikelihood, Message
from howgood.inputs.perturb import variants
from howgood.inputs.perturb.spelling import NEIGHBOURS
from howgood.inputs.perturb.variants import Variants
from howgood.models.registry import load_model
from howgood.outputs.base import judge
from howgood.runs.plan import Options, make_plan

LETTERS: dict[str, Any] = {"kind": "choices", "method": "letter-likelihood", "shots": {"n": 5}}
WRITTEN: dict[str, Any] = {"kind": "generation", "shots": {"n": 0}}
TEXT = 'Janet sells sixteen eggs at $2 each in "Market Street". What does `Total_Cost(eggs)` in NaCl mL return?'


def changed(text: str, perturb: str, seed: int = 0, **fields: Any) -> list[str]:
    """The texts of an instance's variants."""
    made = Variants.of((perturb,), seed, WRITTEN, ())
    assert made
    return [str(i.input) for n, i in made.made(Instance("1", text, **fields)) if n]


def test_case_changes_free_words_alone() -> None:
    lower, upper, title = changed(TEXT, "case,n=3")
    assert lower == TEXT.replace("Janet", "janet").replace("What", "what")
    # Numbers in words, quotations, code, formulas and units stay; so do words of fewer than four letters.
    assert upper == TEXT.replace("Janet", "JANET").replace("sells", "SELLS").replace("What", "WHAT").replace(
        "does", "DOES"
    ).replace("return?", "RETURN?").replace(" eggs at", " EGGS at")
    assert title == TEXT.replace("sells", "Sells").replace("does", "Does").replace("return?", "Return?").replace(
        " eggs at", " Eggs at"
    )


def test_typos_are_neighbours_on_the_keyboard_and_their_number_is_the_rate() -> None:
    assert set(NEIGHBOURS["g"]) == set("tyfhvb")
    assert set(NEIGHBOURS["q"]) == set("wa")
    assert set(NEIGHBOURS["p"]) == set("ol")
    text = "yellow trains carry heavy stones through narrow valleys beside frozen rivers"
    words = text.split()
    (slips,) = changed(text, "typos,rate=0.4")
    differing = [(a, b) for a, b in zip(words, slips.split(), strict=True) if a != b]
    assert len(differing) == 4  # 0.4 of eleven words of five letters and more
    for before, after in differing:
        places = [k for k, (x, y) in enumerate(zip(before, after, strict=True)) if x != y]
        assert len(places) == 1
        assert places[0] > 0
        assert after[places[0]] in NEIGHBOURS[before[places[0]]]


def test_the_same_variant_is_made_everywhere_and_others_differ() -> None:
    text = "yellow trains carry heavy stones through narrow valleys beside frozen rivers"
    assert changed(text, "typos") == changed(text, "typos")
    assert changed(text, "typos,n=3")[:1] == changed(text, "typos")
    assert len(set(changed(text, "typos,n=3"))) == 3
    assert changed(text, "typos", seed=1) != changed(text, "typos", seed=0)
    # Written down once, so that a change of what is made is seen (and VERSION raised).
    assert changed(text, "typos") == [PINNED]


PINNED = "yellow trains carru heavy stones through narrow valleyd beside frozen rivers"


@pytest.mark.parametrize(
    "text",
    [
        "12 + 30 = 42",
        "```python\nreturn another_value\n```",
        "def longer_name(value):\n    return something",
        "| first | second |\n| words | other |",
        "$\\frac{alpha}{gamma}$",
        "https://example.org/some/longer/address",
        '"everything stands within quotation marks"',
        "0 0 3 0\n0 8 0 0",
        "DNA RNA ATP NATO",
        "eleven twelve hundred except never least",
    ],
)
def test_what_an_answer_hangs_on_is_never_touched(text: str) -> None:
    for perturb in ("typos,rate=1", "case,n=3"):
        assert changed(text, perturb) == []


def test_short_answers_are_not_respelt_in_the_question() -> None:
    (slips,) = changed(
        "Which river flows through Normandy towards Rouen?", "typos,rate=1", targets=("the river Seine",)
    )
    assert " river " in slips
    assert "Normandy" not in slips
    text = "Which river flows through Normandy towards Rouen?"
    assert "Normandy" in changed(text, "typos,rate=1", targets=("Normandy",))[0]


def test_whitespace_adds_spaces_and_nothing_else() -> None:
    text = "Some words, then 3 others; `a b` and a last one."
    (spaced,) = changed(text, "whitespace,rate=1")
    assert spaced.split() == text.split()
    assert "then 3 others" in spaced
    assert "`a b`" in spaced
    assert spaced.count(" ") > text.count(" ")


def test_only_the_last_thing_the_user_says_is_changed() -> None:
    turns = (Message("user", "Another question"), Message("assistant", "Answer"), Message("user", "Further question"))
    made = Variants.of(("case",), 0, WRITTEN, ())
    assert made
    _, (_, variant) = made.made(Instance("1", turns))
    assert [m.content for m in variant.input if isinstance(m, Message)] == [
        "Another question",
        "Answer",
        "further question",
    ]


def test_choices_move_with_the_right_one() -> None:
    made = Variants.of(("choice-order,n=5",), 0, LETTERS, ())
    assert made
    before = Instance("1", "?", choices=("one", "two", "three", "all of the above"), gold=(1,))
    after = [i for n, i in made.made(before) if n]
    assert len({i.choices for i in after}) == 5  # 3! orders of those that may move, without the first one
    for instance in after:
        assert instance.choices[instance.gold[0]] == "two"
        assert instance.choices[3] == "all of the above"
        assert instance.choices != before.choices
    assert after[0].id == "1~choice-order.1"
    assert after[0].variant == "choice-order.1"


def test_targets_that_name_a_choice_by_letter_follow_it() -> None:
    made = Variants.of(("choice-order,n=3",), 0, LETTERS, ())
    assert made
    before = Instance("1", "?", ("B", "So the answer is (B), not (A)."), choices=("no", "yes", "maybe"), gold=(1,))
    for number, instance in made.made(before):
        letters = {choice: "ABC"[place] for place, choice in enumerate(instance.choices)}
        assert instance.targets == (letters["yes"], f"So the answer is ({letters['yes']}), not ({letters['no']}).")
        assert number == 0 or instance.choices != before.choices


@pytest.mark.parametrize("choices", [("x", "y", "Both A and B"), ("x", "y", "A and C only"), ("x", "y", "Option A")])
def test_choices_that_name_each_other_stay(choices: tuple[str, ...]) -> None:
    made = Variants.of(("choice-order",), 0, LETTERS, ())
    assert made
    assert [n for n, _ in made.made(Instance("1", "?", choices=choices, gold=(0,)))] == [0]


def test_gold_is_anywhere_once_choices_are_shuffled() -> None:
    made = Variants.of(("choice-order",), 0, LETTERS, ())
    assert made
    choices = ("a1", "b1", "c1", "d1")
    places = Counter(
        i.gold[0] for k in range(2400) for n, i in made.made(Instance(str(k), "?", choices=choices, gold=(0,))) if n
    )
    # Of the 23 other orders 5 leave the first one where it is, and 6 put it in each other place.
    for place, share in enumerate((5 / 23, 6 / 23, 6 / 23, 6 / 23)):
        assert places[place] / 2400 == pytest.approx(share, abs=0.04)


def test_worked_examples_change_their_order_alone() -> None:
    made = Variants.of(("shot-order,n=2",), 0, LETTERS, ())
    assert made
    shown = tuple(Instance(str(k), f"q{k}") for k in range(5))
    orders = [made.shots(shown, i) for _, i in made.made(Instance("x", "?"))]
    assert orders[0] == shown
    assert all(sorted(order, key=lambda i: i.id) == list(shown) for order in orders)
    assert len({tuple(i.id for i in order) for order in orders}) == 3


def test_wordings_are_around_the_question_and_its_worked_examples(tmp_path: Path) -> None:
    file = tmp_path / "wordings.txt"
    file.write_text("Say: {input}\n\nTell me,\n{input}\n")
    made = Variants.of((f"wording,file={file}",), 0, WRITTEN, ("unused {input}",))
    assert made
    instance = Instance("1", "Why {input}?")
    (_, own), (_, one), (_, two) = made.made(instance)
    assert (own.input, one.input, two.input) == ("Why {input}?", "Say: Why {input}?", "Tell me,\nWhy {input}?")
    assert [i.input for i in made.shots((Instance("s", "How?"),), one)] == ["Say: How?"]
    assert made.describe()["wording"] == {"n": 2, "wordings": ["Say: {input}", "Tell me,\n{input}"]}


def test_paraphrases_belong_to_single_instances(tmp_path: Path) -> None:
    file = tmp_path / "other.jsonl"
    file.write_text('{"id": "1", "input": "How come?"}\n{"id": "1", "input": "What for?"}\n')
    made = Variants.of((f"paraphrase,n=2,file={file}",), 0, WRITTEN, ())
    assert made
    assert [i.input for _, i in made.made(Instance("1", "Why?"))] == ["Why?", "How come?", "What for?"]
    assert [i.input for _, i in made.made(Instance("2", "Who?"))] == ["Who?"]
    assert made.count([Instance("1", "Why?"), Instance("2", "Who?")]) == 4


def test_variants_are_of_one_cluster_and_can_be_undone() -> None:
    made = Variants.of(("case",), 0, WRITTEN, ())
    assert made
    for instance in (Instance("1", "Some words"), Instance("1", "Some words", cluster="passage")):
        both = [i for _, i in made.made(instance)]
        assert both[0].cluster == both[1].cluster
        assert variants.original(both[0]) == instance
        assert msgspec.structs.replace(variants.original(both[1]), input="Some words", variant=None) == instance


@pytest.mark.parametrize(
    ("perturb", "call", "words"),
    [
        ("choice-order", LETTERS | {"method": "cloze-likelihood"}, "not listed"),
        ("shot-order", WRITTEN, "0 worked examples have no order"),
        ("shot-order,n=2", LETTERS | {"shots": {"n": 2}}, "no 2 other orders"),
        ("typos", {"kind": "rolling"}, "likelihood of a given text"),
        ("wording", WRITTEN, "gives no wordings"),
    ],
)
def test_what_makes_no_sense_is_said_at_once(perturb: str, call: dict[str, Any], words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        Variants.of((perturb,), 0, call, ())


@pytest.mark.parametrize(
    ("perturb", "words"),
    [
        ("typo", "typos"),
        ("typos,rate=2", "rate"),
        ("typos,n=0", "1 to 20"),
        ("case,n=4", "1 to 3"),
        ("wording,file=/nowhere/at/all", "cannot be read"),
    ],
)
def test_bad_options_get_one_clear_line(perturb: str, words: str) -> None:
    with pytest.raises(HowgoodError, match=words) as caught:
        variants.load(perturb)
    assert "\n" not in str(caught.value)


def test_files_of_wordings_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "w.txt"
    for text, words in (
        ("", "no wordings"),
        ("No slot", "0 slots"),
        ("{input}", "alone"),
        ("{input}{input}", "2 slots"),
    ):
        file.write_text(text)
        with pytest.raises(DataError, match=words):
            variants.load(f"wording,file={file}")
    file.write_text('{"id": 1}')
    with pytest.raises(DataError, match="line 1"):
        variants.load(f"paraphrase,file={file}")
    with pytest.raises(UnknownName):
        variants.load("paraphrase,files=x")


def test_a_perturbation_that_changes_nothing_is_refused() -> None:
    made = Variants.of(("choice-order",), 0, WRITTEN, ())
    assert made
    with pytest.raises(Unsupported, match="changes none"):
        made.count([Instance("1", "Why?")])


@pytest.mark.parametrize("name", ["mmlu", "gsm8k", "hellaswag", "arc-challenge", "mmlu-pro"])
def test_the_right_answers_of_variants_stay_right(name: str, shared: Path) -> None:
    """On real questions: every variant's gold answer scores 1, a spoiled one 0, and each can be asked."""
    choices = name in ("mmlu", "mmlu-pro")
    asked = ("case,n=3", "typos,n=2", "whitespace", *(["choice-order,n=2"] if choices else []))
    options = Options(limit=60, data=str(shared / "data"), perturb=asked, settings=Settings())
    plan = make_plan(name, load_model("reference/uniform"), {}, options)
    seen: Counter[str | None] = Counter()
    for _, instance in plan.instances():
        seen[instance.variant] += 1
        plan.request(instance)
        for right in (True, False):
            score = judge(plan.benchmark.outputs, instance, plan.benchmark.call.imagine(instance, right))
            assert next(iter(score.values.values())) == right, (instance, right)
    assert seen[None] == 60
    assert seen["typos.1"] > 40
    assert seen.total() == plan.total


def test_a_variant_is_shown_its_originals_examples(shared: Path) -> None:
    options = Options(limit=5, data=str(shared / "data"), perturb=("case", "shot-order"), settings=Settings(shots=3))
    plan = make_plan("gsm8k", load_model("reference/uniform"), {}, options)
    by_id = {i.id: [s.id for s in plan.shots(i)] for _, i in plan.instances()}
    plain = make_plan("gsm8k", load_model("reference/uniform"), {}, msgspec.structs.replace(options, perturb=()))
    for _, instance in plain.instances():
        own = [s.id for s in plain.shots(instance)]
        assert by_id[instance.id] == own == by_id[f"{instance.id}~case.1"]
        other = by_id[f"{instance.id}~shot-order.1"]
        assert sorted(other) == sorted(own)
        assert other != own


def test_what_is_asked_differs_only_where_it_should(shared: Path) -> None:
    options = Options(limit=30, data=str(shared / "data"), perturb=("typos",))
    plan = make_plan("mmlu", load_model("reference/uniform"), {}, options)
    requests = {i.id: plan.request(i) for _, i in plan.instances()}
    for id, request in requests.items():
        if id.endswith("~typos.1"):
            own = requests[id.removesuffix("~typos.1")]
            assert isinstance(request, Loglikelihood)
            assert isinstance(own, Loglikelihood)
            assert request.continuations == own.continuations
            differing = sum(a != b for a, b in zip(str(request.prompt), str(own.prompt), strict=True))
            assert 1 <= differing <= len(str(own.prompt).split("\n\n")[-1]) / 10
