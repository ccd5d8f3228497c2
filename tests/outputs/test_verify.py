from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from howgood.core.errors import MissingExtra
from howgood.core.types import Instance, Outcome, Prediction, StopReason
from howgood.outputs.base import judge
from howgood.outputs.verify import Compat, Verify, read_instructions
from howgood.outputs.verify.instructions import KINDS
from howgood.outputs.verify.language import language
from howgood.outputs.verify.verify import loose_forms
from howgood.outputs.verify.words import capital_words, sentences, words
from limits import in_time

ENGLISH = "this is a plain sentence in the english language and there is nothing else in it"
CASES: list[tuple[str, dict[str, Any], dict[str, bool]]] = [
    # Keywords are found inside of other words, whatever their case, and literally.
    (
        "keywords:existence",
        {"keywords": ["art", "C++"]},
        {"A PARTY in c++": True, "art": False, "a C+ part": False, "artC++": True},
    ),
    (
        "keywords:frequency",
        {"keyword": " ab ", "frequency": 2, "relation": "at least"},
        {"abAB": True, "ab": False, "cab, abc": True},
    ),
    (
        "keywords:frequency",
        {"keyword": "ab", "frequency": 2, "relation": "less than"},
        {"abAB": False, "ab": True, "no": True},
    ),
    # Forbidden words only as whole ones.
    ("keywords:forbidden_words", {"forbidden_words": ["art"]}, {"a party": True, "the ART.": False, "art_1": True}),
    (
        "keywords:letter_frequency",
        {"letter": "Q", "let_frequency": 2, "let_relation": "at least"},
        {"qQ": True, "q": False},
    ),
    (
        "keywords:letter_frequency",
        {"letter": "#", "let_frequency": 2, "let_relation": "less than"},
        {"##": False, "#": True},
    ),
    # What has no language (digits) passes, as in the authors' code.
    (
        "language:response_language",
        {"language": "de"},
        {
            "Das ist ein ganz gewöhnlicher deutscher Satz, und nichts weiter.": True,
            "This is an ordinary sentence of the English language.": False,
            "12 + 3 = 15": True,
        },
    ),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 2, "relation": "at least"},
        {"Dr. Smith went home. He slept.": True, "Dr. Smith met Mr. Jones.": False, "One\ntwo": False},
    ),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 2, "relation": "less than"},
        {"Dr. Smith went home. He slept.": False, "Dr. Smith went home.": True},
    ),
    # Empty ends do not count, an empty one between makes it wrong.
    (
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 2},
        {"a\n***\nb": True, "***a***b***": True, "a***b***c": False, "a*** ***b": False, "a\n\nb": False, "***": False},
    ),
    (
        "length_constraints:number_words",
        {"num_words": 3, "relation": "at least"},
        {"don't stop": True, "a b": False, "a-b_c d": True},
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Next"},
        {
            "First.\n\nnext one": True,
            'First.\n\n\'"NEXT," he said': True,
            "First.\n\nNext's door": True,
            "First.\n\nNextdoor": False,
            "First.\n\nnext\n\nlast": False,
            # The count is without blank paragraphs, the place with them.
            "First.\n\n\n\nnext": False,
        },
    ),
    (
        "detectable_content:number_placeholders",
        {"num_placeholders": 2},
        {
            "[a] and [b c]": True,
            "[a] [b": False,
            "[[a] b]": False,
            "[a\n] [b]": False,
            "[]][x]": True,
            "[a](u) []": True,
        },
    ),
    (
        "detectable_content:postscript",
        {"postscript_marker": "P.S."},
        {"bye\np.s. one": True, "P. S. one": True, "PS: one": False, "P.S": False},
    ),
    (
        "detectable_content:postscript",
        {"postscript_marker": "P.P.S"},
        {"P.P.S. one": True, "p. p. s": True, "P.S. one": False},
    ),
    ("detectable_content:postscript", {"postscript_marker": "N.B."}, {"n.b. so": True, "nabe": False}),
    (
        "detectable_format:number_bullet_lists",
        {"num_bullets": 2},
        {
            "* a\n* b": True,
            "\n\n  - a\n* b": True,
            "* a\n- b\n---": False,
            "** a **\n* b\n* c": True,
            "1. a\n2. b": False,
            # A lone asterisk takes the next line with it.
            "*\n* a\n- b": True,
        },
    ),
    (
        "detectable_format:constrained_response",
        {},
        {"Well. My answer is no. Yes.": True, "my answer is yes.": False},
    ),
    # A bold section counts once; a bullet's asterisk opens a highlight.
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        {"*a* *b*": True, "**a**": False, "**a** *b*": True, "* item *x*": False, "*a\nb* *c*": False, "* * **": False},
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Section", "num_sections": 2},
        {
            "Section 1 a Section 2 b": True,
            "Section1Section 2": True,
            "Section A Section B": False,
            "SECTION 1 2": False,
        },
    ),
    (
        "detectable_format:json_format",
        {},
        {
            '{"a": 1}': True,
            '```json\n{"a": 1}\n```': True,
            "```\n[1]\n```": True,
            "1": True,
            "Here: {}": False,
            "{'a': 1}": False,
            "```JavaScript\n{}```": False,
        },
    ),
    (
        "detectable_format:title",
        {},
        {"<<joy>>": True, "<< >>": False, "<<a\nb>>": False, "<<<>>>": False, "<<>> <<a>>": True, ">> <<": False},
    ),
    (
        "combination:two_responses",
        {},
        {"a******b": True, "******a******b******": True, "a****** a": False, "a************b": False, "a": False},
    ),
    (
        "combination:repeat_prompt",
        {"prompt_to_repeat": "Say it. "},
        {" say IT. So: it": True, "I say it.": False},
    ),
    (
        "startend:end_checker",
        {"end_phrase": " The end. "},
        {"so. the END.\n": True, '"so. The end."': True, "The end. Bye": False},
    ),
    ("startend:quotation", {}, {' "a" ': True, '"': False, "“a”": False, '"a': False}),
    # As tokens: IT'S is two, ALL-IN one.
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        {"I am A": True, "IT'S so": True, "ALL-IN now": False, "Not Me": False},
    ),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "less than"},
        {"I AM": False, "ALL-IN": True},
    ),
    (
        "change_case:english_capital",
        {},
        {
            ENGLISH.upper(): True,
            ENGLISH: False,
            "DAS IST EIN GANZ GEWÖHNLICHER SATZ UND NICHTS WEITER": False,
            "1": False,
        },
    ),
    (
        "change_case:english_lowercase",
        {},
        {ENGLISH: True, ENGLISH.title(): False, "das ist ein ganz gewöhnlicher deutscher satz": False},
    ),
    ("punctuation:no_comma", {}, {"a; b": True, "a, b": False}),
]


def verified(
    ids: list[str], kwargs: list[dict[str, Any]], prediction: Prediction | str, compat: Compat = "none"
) -> Any:
    instance = Instance("1", "", metadata={"instruction_id_list": ids, "kwargs": kwargs})
    given = Prediction(text=prediction, stop_reason="stop") if isinstance(prediction, str) else prediction
    return judge(Verify(compat), instance, given)


def test_every_instruction_has_a_case() -> None:
    assert len(KINDS) == 25
    assert {name for name, *_ in CASES} == set(KINDS)


@pytest.mark.parametrize(
    ("name", "kwargs", "text", "follows"),
    [(name, kwargs, text, follows) for name, kwargs, texts in CASES for text, follows in texts.items()],
)
def test_an_instruction_is_followed_or_not(name: str, kwargs: dict[str, Any], text: str, follows: bool) -> None:
    (instruction,) = read_instructions([name], [kwargs])
    assert instruction.id == name
    assert instruction.follows(text) is follows


def test_the_loose_forms_are_the_eight() -> None:
    forms = ["*a*\n b \n*c*", "a\n b \nc", "b \n*c*", "*a*\n b", "b", "b \nc", "a\n b"]
    assert ["*a*\n b \n*c*", *loose_forms("*a*\n b \n*c*")] == forms
    # The answer as it is, the one that is not stripped, comes back where only space around it is cut.
    assert [*loose_forms(" a ")] == [""]


def test_strict_and_loose_scores() -> None:
    ids = ["detectable_format:json_format", "punctuation:no_comma", "length_constraints:number_words"]
    kwargs: list[dict[str, Any]] = [{}, {}, {"num_words": 2, "relation": "less than"}]
    score = verified(ids, kwargs, "Sure, here it is\n[1]\n")
    assert score.values == {
        "prompt_strict": 0,
        "prompt_loose": 1,  # without its first line it is all that was asked for
        "instructions": 3,
        "followed_strict": 0,
        "followed_loose": 3,
    }
    assert score.outcome == "wrong"
    assert score.explanation.splitlines() == [
        "NOT followed: detectable_format:json_format: JSON and nothing else, perhaps between ``` "
        "(followed in the loose sense)",
        "NOT followed: punctuation:no_comma: no comma; there are 1 (followed in the loose sense)",
        "NOT followed: length_constraints:number_words: less than 2 words; there are 5 (followed in the loose sense)",
    ]


def test_each_instruction_may_be_followed_in_a_form_of_its_own() -> None:
    ids = ["startend:end_checker", "combination:repeat_prompt"]
    score = verified(ids, [{"end_phrase": "one"}, {"prompt_to_repeat": "two"}], "one\ntwo")
    assert score.values == {
        "prompt_strict": 0, "prompt_loose": 1, "instructions": 2, "followed_strict": 0, "followed_loose": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("prediction", "outcome", "followed"),
    [
        (Prediction(text="one two", stop_reason="stop"), "right", 1),
        (Prediction(text="one, two", stop_reason="stop"), "wrong", 0),
        (Prediction(text=" \n", stop_reason="stop"), "empty", 0),
        (Prediction(text=None, stop_reason="stop"), "empty", 0),
        (Prediction(text="one, two", stop_reason="length"), "truncated", 0),
        (Prediction(text="I'm sorry, I can't help.", stop_reason="stop"), "refused", 0),
    ],
)
def test_blank_answers_follow_nothing(prediction: Prediction, outcome: Outcome, followed: int) -> None:
    score = verified(["punctuation:no_comma"], [{}], prediction)
    assert (score.outcome, score.values["followed_loose"], score.values["instructions"]) == (outcome, followed, 1)


def test_a_refusal_counts_for_what_it_follows() -> None:
    ids = ["punctuation:no_comma", "startend:quotation"]
    score = verified(ids, [{}, {}], "I cannot help with that.")
    assert score.outcome == "refused"
    assert score.values == {
        "prompt_strict": 0, "prompt_loose": 0, "instructions": 2, "followed_strict": 1, "followed_loose": 1,
    }  # fmt: skip


@pytest.mark.parametrize(("letter", "upstream"), [("#", 0), ("!", 0), ("a", 1), ("Z", 1)])
def test_letters_that_are_none_are_literal_or_fail(letter: str, upstream: int) -> None:
    kwargs = [{"letter": letter, "let_frequency": 2, "let_relation": "at least"}]
    assert verified(["keywords:letter_frequency"], kwargs, letter * 2).values["prompt_strict"] == 1
    score = verified(["keywords:letter_frequency"], kwargs, letter * 2, "upstream")
    assert score.values["prompt_strict"] == score.values["prompt_loose"] == upstream


@pytest.mark.parametrize(
    ("ids", "kwargs", "fault"),
    [
        (["punctuation:no_dot"], [{}], "there is no instruction 'punctuation:no_dot'"),
        (
            ["length_constraints:number_words"],
            [{"num_words": 3}],
            "number_words: Object missing required field `relation`",
        ),
        (
            ["length_constraints:number_words"],
            [{"num_words": "3", "relation": "at least"}],
            "Expected `int`, got `str`",
        ),
        (["length_constraints:number_words"], [{"num_words": 3, "relation": "about"}], "Invalid enum value 'about'"),
        (["punctuation:no_comma"], [{"relation": "at least"}], "unknown field `relation`"),
        (["punctuation:no_comma"], [], "1 instructions with 0 kwargs"),
        ([], [], "0 instructions"),
        (
            ["keywords:letter_frequency"],
            [{"letter": "ab", "let_frequency": 1, "let_relation": "at least"}],
            "not one character",
        ),
        (
            ["length_constraints:nth_paragraph_first_word"],
            [{"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "a"}],
            "nth_paragraph is 3, of 2 paragraphs",
        ),
    ],
)
def test_instructions_that_make_no_sense_are_told(ids: list[str], kwargs: list[dict[str, Any]], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_instructions(ids, kwargs)


def test_arguments_of_other_instructions_may_be_null() -> None:
    (instruction,) = read_instructions(["startend:quotation"], [{"num_words": None, "relation": None}])
    assert instruction.id == "startend:quotation"


def test_a_text_always_has_the_same_language() -> None:
    text = "sol la ti do"
    first = language(text)
    random.seed(5)
    assert {language(text) for _ in range(20)} == {first}
    assert language("12345") is None
    assert language("これは日本語の文章です。") == "ja"


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("I, ROBOT", 2), ("IT'S DON'T", 4), ("it's HIS'", 1), ("CANNOT", 2), ("U.S.A.", 1), ("A/B A--B", 3),
     ("X...Y", 2), ("1A 11", 1), ("(NO)YES", 2), ("12:30PM A:B", 3), ("IT'S.", 2)],
)  # fmt: skip
def test_capital_words_are_treebank_tokens(text: str, count: int) -> None:
    assert capital_words(text) == count


def test_words_and_sentences() -> None:
    assert words("don't stop_it, 12.5!") == 5
    assert sentences("Dr. J. R. Smith came. And this? Yes!") == 3
    assert sentences("") == 0


def test_capital_words_agree_with_nltk(shared: Path) -> None:
    destructive = pytest.importorskip("nltk.tokenize.destructive")
    from punkt import sent_tokenize

    tokenizer = destructive.NLTKWordTokenizer()
    paths = sorted((shared / "reference" / "ifeval" / "m-ifeval-en").glob("*.gz"))[:1]
    answers = [
        json.loads(line)["response"] for path in paths for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    assert answers
    for text in answers[:40]:
        shout = text.upper()
        tokens = [token for sentence in sent_tokenize(shout) for token in tokenizer.tokenize(sentence)]
        assert capital_words(shout) == sum(token.isupper() for token in tokens)


SIZE = 1_000_000
HOSTILE = {
    "brackets": "[" * SIZE,
    "angles": "<" * SIZE,
    "stars": "*" * SIZE,
    "lines": "\n" * SIZE + "x",
    "spaces": " " * SIZE + "x",
    "nested": "[" * (SIZE // 2) + "]" * (SIZE // 2),
    "digits": "Section" + "1" * SIZE,
    "dots": "x. " * (SIZE // 3),
    "mail": "a@" * (SIZE // 2),
    "quotes": "'\"" * (SIZE // 2),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_is_judged_in_time(name: str) -> None:
    """Linear in the answer: a pattern that backtracks over one of these would take hours."""
    arguments = {kind: kwargs for kind, kwargs, _ in CASES}
    instructions = read_instructions([*arguments], [*arguments.values()])
    text = HOSTILE[name]
    for instruction in instructions:
        with in_time():
            instruction.follows(text)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"howgood\[ifeval\]"):
        Verify()


def test_the_rules_name_what_decides() -> None:
    rules = Verify("upstream").describe()
    assert (rules["kind"], rules["compat"]) == ("instructions", "upstream")
    assert {"langdetect", "punkt"} < rules.keys()


def test_a_filtered_answer_is_told_apart() -> None:
    reason: StopReason = "filter"
    assert verified(["punctuation:no_comma"], [{}], Prediction(text="", stop_reason=reason)).outcome == "filtered"
