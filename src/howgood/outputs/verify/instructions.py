"""The 25 instructions of IFEval that a program can verify (Zhou et al., arXiv:2311.07911), each as the authors' code
decides it: https://github.com/google-research/google-research/tree/master/instruction_following_eval

Words that the data gives are taken literally, where the authors' code takes them as regular expressions: in IFEval's
own data they are the same. Every check takes time linear in the answer, so that a hostile one is no trap.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Literal

import msgspec
from msgspec import Struct

from howgood.outputs.verify import words
from howgood.outputs.verify.language import language

Relation = Literal["less than", "at least"]

BULLET = re.compile(r"(?m)^[^\S\n]*+\*[^*].*$")
DASH = re.compile(r"(?m)^[^\S\n]*+-")
DIVIDER = re.compile(r"\s?\*\*\*\s?")
HIGHLIGHT, BOLD = re.compile(r"\*[^\n*]*\*"), re.compile(r"\*\*[^\n*]*\*\*")
FENCES = ("```json", "```Json", "```JSON", "```")
OPTIONS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
POSTSCRIPTS = {"P.P.S": re.compile(r"p\.\s?p\.\s?s"), "P.S.": re.compile(r"p\.\s?s\.")}


class Instruction(Struct, frozen=True, tag_field="id", forbid_unknown_fields=True):
    """An instruction with its arguments, named as IFEval's data names them."""

    @property
    def id(self) -> str:
        return str(self.__struct_config__.tag)

    @property
    def wanted(self) -> str:
        """What is asked for, in words."""
        raise NotImplementedError

    def follows(self, text: str) -> bool:
        """Whether an answer that is not blank follows it."""
        raise NotImplementedError

    def seen(self, text: str) -> str:
        """What there is instead, in words, for an answer that does not follow it; "" where there is nothing to add."""
        return ""

    def check(self) -> None:
        """Raises `ValueError` where the arguments make no sense."""


class Counted(Instruction, frozen=True):
    """An instruction about how many of something there must be."""

    noun: ClassVar[str] = ""

    def bound(self) -> tuple[str, int]:
        """The relation (less than, at least or exactly) and the number."""
        raise NotImplementedError

    def count(self, text: str) -> int:
        raise NotImplementedError

    @property
    def wanted(self) -> str:
        relation, number = self.bound()
        return f"{relation} {number} {self.named()}"

    def named(self) -> str:
        return self.noun

    def follows(self, text: str) -> bool:
        (relation, number), count = self.bound(), self.count(text)
        return (
            count < number
            if relation == "less than"
            else count >= number
            if relation == "at least"
            else (count == number)
        )

    def seen(self, text: str) -> str:
        return f"there are {self.count(text)}"


class Existence(Instruction, frozen=True, tag="keywords:existence"):
    keywords: list[str]

    @property
    def wanted(self) -> str:
        return f"the keywords {quoted(self.keywords)}"

    def missing(self, text: str) -> list[str]:
        return [word for word in sorted(self.keywords) if not literal(word).search(text)]

    def follows(self, text: str) -> bool:
        return not self.missing(text)

    def seen(self, text: str) -> str:
        return f"without {quoted(self.missing(text))}"


class Frequency(Counted, frozen=True, tag="keywords:frequency"):
    keyword: str
    frequency: int
    relation: Relation

    def bound(self) -> tuple[str, int]:
        return self.relation, self.frequency

    def named(self) -> str:
        return f"times {quoted([self.keyword])}"

    def count(self, text: str) -> int:
        return len(literal(self.keyword.strip()).findall(text))


class ForbiddenWords(Instruction, frozen=True, tag="keywords:forbidden_words"):
    forbidden_words: list[str]

    @property
    def wanted(self) -> str:
        return f"none of the words {quoted(self.forbidden_words)}"

    def found(self, text: str) -> list[str]:
        return [word for word in sorted(set(self.forbidden_words)) if literal(word, whole=True).search(text)]

    def follows(self, text: str) -> bool:
        return not self.found(text)

    def seen(self, text: str) -> str:
        return f"there is {quoted(self.found(text))}"


class LetterFrequency(Counted, frozen=True, tag="keywords:letter_frequency"):
    letter: str
    let_frequency: int
    let_relation: Relation

    def bound(self) -> tuple[str, int]:
        return self.let_relation, self.let_frequency

    def named(self) -> str:
        return f"times the letter {quoted([self.letter])}"

    def count(self, text: str) -> int:
        return text.lower().count(self.letter.lower())

    def check(self) -> None:
        if len(self.letter) != 1:
            raise ValueError(f"letter is {self.letter!r}, not one character")

    @property
    def known_upstream(self) -> bool:
        """Whether the authors' code counts this letter; it draws another one at random in place of what is not a-z."""
        return "a" <= self.letter.lower() <= "z"


class ResponseLanguage(Instruction, frozen=True, tag="language:response_language"):
    language: str

    @property
    def wanted(self) -> str:
        return f"the language {self.language}"

    def follows(self, text: str) -> bool:
        # A text whose language cannot be told (digits alone) passes, as in the authors' code.
        return language(text) in (self.language, None)

    def seen(self, text: str) -> str:
        return f"detected as {language(text)}"


class NumberSentences(Counted, frozen=True, tag="length_constraints:number_sentences"):
    num_sentences: int
    relation: Relation
    noun = "sentences"

    def bound(self) -> tuple[str, int]:
        return self.relation, self.num_sentences

    def count(self, text: str) -> int:
        return words.sentences(text)


class NumberParagraphs(Counted, frozen=True, tag="length_constraints:number_paragraphs"):
    num_paragraphs: int
    noun = "paragraphs with *** between them, none of them empty"

    def bound(self) -> tuple[str, int]:
        return "exactly", self.num_paragraphs

    def count(self, text: str) -> int:
        return filled(DIVIDER.split(text))


class NumberWords(Counted, frozen=True, tag="length_constraints:number_words"):
    num_words: int
    relation: Relation
    noun = "words"

    def bound(self) -> tuple[str, int]:
        return self.relation, self.num_words

    def count(self, text: str) -> int:
        return words.words(text)


class NthParagraphFirstWord(Instruction, frozen=True, tag="length_constraints:nth_paragraph_first_word"):
    num_paragraphs: int
    nth_paragraph: int
    first_word: str

    @property
    def wanted(self) -> str:
        return (
            f"{self.num_paragraphs} paragraphs with empty lines between them, number {self.nth_paragraph} beginning "
            f"with {quoted([self.first_word])}"
        )

    def read(self, text: str) -> tuple[int, str]:
        """How many paragraphs are not blank, and the first word of the nth of all; "" where there is none."""
        paragraphs = text.split("\n\n")
        count = sum(1 for paragraph in paragraphs if paragraph.strip())
        nth = paragraphs[self.nth_paragraph - 1].strip() if self.nth_paragraph <= count else ""
        word = nth.split(None, 1)[0].lstrip("'").lstrip('"') if nth else ""
        return count, re.split(r"[.,?!'\"]", word, maxsplit=1)[0].lower()

    def follows(self, text: str) -> bool:
        return self.read(text) == (self.num_paragraphs, self.first_word.lower())

    def seen(self, text: str) -> str:
        count, word = self.read(text)
        return f"there are {count}, and that word is {quoted([word])}"

    def check(self) -> None:
        if not 1 <= self.nth_paragraph <= self.num_paragraphs:
            raise ValueError(f"nth_paragraph is {self.nth_paragraph}, of {self.num_paragraphs} paragraphs")


class NumberPlaceholders(Counted, frozen=True, tag="detectable_content:number_placeholders"):
    num_placeholders: int
    noun = "placeholders in [square brackets]"

    def bound(self) -> tuple[str, int]:
        return "at least", self.num_placeholders

    def count(self, text: str) -> int:
        # How often \[.*?\] matches: one for each ] of a line with a [ between it and the ] before.
        return sum("[" in part for line in text.split("\n") for part in line.split("]")[:-1])


class Postscript(Instruction, frozen=True, tag="detectable_content:postscript"):
    postscript_marker: str

    @property
    def wanted(self) -> str:
        return f"a postscript beginning with {self.postscript_marker.strip()}"

    def follows(self, text: str) -> bool:
        marker = self.postscript_marker.strip()
        pattern = POSTSCRIPTS.get(marker) or literal(marker.lower())
        return pattern.search(text.lower()) is not None


class NumberBulletLists(Counted, frozen=True, tag="detectable_format:number_bullet_lists"):
    num_bullets: int
    noun = "bullet points, lines that begin with * or -"

    def bound(self) -> tuple[str, int]:
        return "exactly", self.num_bullets

    def count(self, text: str) -> int:
        return sum(1 for pattern in (BULLET, DASH) for _ in pattern.finditer(text))


class ConstrainedResponse(Instruction, frozen=True, tag="detectable_format:constrained_response"):
    @property
    def wanted(self) -> str:
        return f"one of {quoted(OPTIONS)}"

    def follows(self, text: str) -> bool:
        return any(option in text for option in OPTIONS)


class NumberHighlightedSections(Counted, frozen=True, tag="detectable_format:number_highlighted_sections"):
    num_highlights: int
    noun = "sections *highlighted* so"

    def bound(self) -> tuple[str, int]:
        return "at least", self.num_highlights

    def count(self, text: str) -> int:
        found = [mark.strip("*") for pattern in (HIGHLIGHT, BOLD) for mark in pattern.findall(text)]
        return sum(1 for inside in found if inside.strip())


class MultipleSections(Counted, frozen=True, tag="detectable_format:multiple_sections"):
    section_spliter: str
    num_sections: int

    def bound(self) -> tuple[str, int]:
        return "at least", self.num_sections

    def named(self) -> str:
        return f"sections, each headed {self.section_spliter.strip()} and its number"

    def count(self, text: str) -> int:
        return len(numbered(self.section_spliter.strip()).findall(text))


class JsonFormat(Instruction, frozen=True, tag="detectable_format:json_format"):
    wanted = "JSON and nothing else, perhaps between ```"

    def follows(self, text: str) -> bool:
        text = text.strip()
        for fence in FENCES:
            text = text.removeprefix(fence)
        try:
            json.loads(text.removesuffix("```").strip())
        except (ValueError, RecursionError):  # no JSON, or nested more deeply than anyone writes
            return False
        return True


class Title(Instruction, frozen=True, tag="detectable_format:title"):
    wanted = "a title in <<double angular brackets>>"

    def follows(self, text: str) -> bool:
        return any(map(titled, text.split("\n")))


class TwoResponses(Instruction, frozen=True, tag="combination:two_responses"):
    wanted = "two different responses with ****** between them"

    def follows(self, text: str) -> bool:
        parts = text.split("******")
        kept = [part.strip() for part in parts if part.strip()]
        return filled(parts) == 2 and len(kept) == 2 and kept[0] != kept[1]


class RepeatPrompt(Instruction, frozen=True, tag="combination:repeat_prompt"):
    prompt_to_repeat: str
    wanted = "the request word for word, then the answer"

    def follows(self, text: str) -> bool:
        return text.strip().lower().startswith(self.prompt_to_repeat.strip().lower())


class EndChecker(Instruction, frozen=True, tag="startend:end_checker"):
    end_phrase: str

    @property
    def wanted(self) -> str:
        return f"an end with {quoted([self.end_phrase.strip()])}"

    def follows(self, text: str) -> bool:
        return text.strip().strip('"').lower().endswith(self.end_phrase.strip().lower())


class Quotation(Instruction, frozen=True, tag="startend:quotation"):
    wanted = 'all of it between double quotation marks ("")'

    def follows(self, text: str) -> bool:
        text = text.strip()
        return len(text) > 1 and text[0] == text[-1] == '"'


class CapitalWordFrequency(Counted, frozen=True, tag="change_case:capital_word_frequency"):
    capital_frequency: int
    capital_relation: Relation
    noun = "words in CAPITALS"

    def bound(self) -> tuple[str, int]:
        return self.capital_relation, self.capital_frequency

    def count(self, text: str) -> int:
        return words.capital_words(text)


class EnglishCapital(Instruction, frozen=True, tag="change_case:english_capital"):
    wanted = "English, all letters capital"

    def follows(self, text: str) -> bool:
        return text.isupper() and language(text) in ("en", None)

    def seen(self, text: str) -> str:
        return f"detected as {language(text)}" if text.isupper() else "there are small letters"


class EnglishLowercase(Instruction, frozen=True, tag="change_case:english_lowercase"):
    wanted = "English, no letter capital"

    def follows(self, text: str) -> bool:
        return text.islower() and language(text) in ("en", None)

    def seen(self, text: str) -> str:
        return f"detected as {language(text)}" if text.islower() else "there are capital letters"


class NoComma(Counted, frozen=True, tag="punctuation:no_comma"):
    wanted = "no comma"

    def bound(self) -> tuple[str, int]:
        return "exactly", 0

    def count(self, text: str) -> int:
        return text.count(",")


KINDS: dict[str, type[Instruction]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (
        *(Existence, Frequency, ForbiddenWords, LetterFrequency, ResponseLanguage, NumberSentences, NumberParagraphs),
        *(NumberWords, NthParagraphFirstWord, NumberPlaceholders, Postscript, NumberBulletLists, ConstrainedResponse),
        *(NumberHighlightedSections, MultipleSections, JsonFormat, Title, TwoResponses, RepeatPrompt, EndChecker),
        *(Quotation, CapitalWordFrequency, EnglishCapital, EnglishLowercase, NoComma),
    )
}
"""The instructions by the name that IFEval's data gives them."""


def read_instructions(ids: Sequence[str], arguments: Sequence[Mapping[str, Any]]) -> tuple[Instruction, ...]:
    """The instructions of a prompt from IFEval's two columns: `instruction_id_list`, and `kwargs`, a record for each
    (the ones on the Hub name every argument that any instruction has, null where it is not this one's). Raises
    `ValueError` for an instruction that is not known or lacks an argument, saying which."""
    if not ids or len(ids) != len(arguments):
        raise ValueError(f"{len(ids)} instructions with {len(arguments)} kwargs; there must be one record for each")
    made = []
    for name, given in zip(ids, arguments, strict=True):
        if name not in KINDS:
            raise ValueError(f"there is no instruction {name!r}; there are {', '.join(KINDS)}")
        try:
            instruction = msgspec.convert({k: v for k, v in given.items() if v is not None}, KINDS[name])
            instruction.check()
        except (msgspec.ValidationError, ValueError) as fault:
            raise ValueError(f"instruction {name}: {fault}") from None
        made.append(instruction)
    return tuple(made)


@cache
def literal(word: str, whole: bool = False) -> re.Pattern[str]:
    """A word wherever it stands, whatever its case; a `whole` one only between places where words begin and end."""
    edge = r"\b" if whole else ""
    return re.compile(f"{edge}{re.escape(word)}{edge}", re.IGNORECASE)


@cache
def numbered(heading: str) -> re.Pattern[str]:
    return re.compile(rf"\s?{re.escape(heading)}\s?\d+\s?")


def filled(parts: list[str]) -> int:
    """How many parts of a divided text are not blank; -1 where one between two others is, which is not allowed."""
    if not all(part.strip() for part in parts[1:-1]):
        return -1
    return sum(1 for part in parts if part.strip())


def titled(line: str) -> bool:
    """Whether <<[^\\n]+>> matches in a line, and what it matches is more than brackets and space."""
    start, end = line.find("<<"), line.rfind(">>")
    return 0 <= start <= end - 3 and bool(line[start : end + 2].lstrip("<").rstrip(">").strip())


def quoted(texts: Sequence[str]) -> str:
    """Texts in quotation marks, shortened, with commas between."""
    from howgood.core.text import shorten

    return ", ".join(f"“{shorten(text, 60)}”" for text in texts)
