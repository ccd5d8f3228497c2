"""Your own questions and answers: a csv, jsonl, json, tsv or parquet file as a benchmark, in one line.

howgood run support.csv --ask "{question}" --answer answer --check contains
"""

from __future__ import annotations

import difflib
import math
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from howgood.calls.base import Call
from howgood.calls.choices import Choices
from howgood.calls.generation import Generation
from howgood.core.errors import DataError, HowgoodError
from howgood.core.registry import benchmark
from howgood.core.text import LETTERS
from howgood.core.types import Instance
from howgood.inputs.base import Inputs, Row
from howgood.inputs.local import OwnFile
from howgood.interpret.base import Interpretation
from howgood.interpret.estimate import Mean, Several
from howgood.outputs.base import Outputs
from howgood.outputs.choice import ChoiceAccuracy
from howgood.outputs.extract import target_number
from howgood.outputs.judge.graded import RUBRIC as GRADE_RUBRIC
from howgood.outputs.judge.graded import Graded
from howgood.outputs.judge.pairwise import RUBRIC as PAIR_RUBRIC
from howgood.outputs.judge.pairwise import Pairwise
from howgood.outputs.match import F1, Match, Numeric
from howgood.runs.benchmark import Benchmark

Check = Literal["auto", "exact", "normalized", "contains", "starts", "number", "f1", "choice", "grade", "compare"]
Verdict = Literal["json", "logprobs"]
CHECKS: dict[str, Outputs] = {
    "exact": Match("exact"),
    "normalized": Match("normalized"),
    "contains": Match("contains"),
    "starts": Match("starts"),
    "number": Numeric(),
    "f1": F1(),
    "choice": ChoiceAccuracy(),
}
"""How an answer can be checked against the right one, by name."""
JUDGED = ("grade", "compare")
"""Checks that a judge (--judge MODEL) decides."""

FIELD = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")
QUESTIONS = ("question", "prompt", "input", "instruction", "query", "text")
ANSWERS = ("answer", "target", "label", "expected", "output", "response")


@benchmark(
    "own-file",
    purpose="capability",
    cite="",
    data="a .csv, .tsv, .jsonl, .json or .parquet file of your own with a column of questions and one of answers",
)
def own_file(
    file: str,
    ask: str | None = None,
    answer: str | None = None,
    check: Check = "auto",
    choices: str | None = None,
    id: str | None = None,
    stratum: str | None = None,
    cluster: str | None = None,
    system: str = "",
    rubric: str = "",
    criteria: str = "",
    verdict: Verdict = "json",
) -> Benchmark:
    """Your own questions and answers

    `ask` is the question with a {column} wherever a cell goes ({{ and }} are braces). `answer` names the column of the
    right answer, where a list holds several right ones. `check` compares: exact, normalized (but for case,
    punctuation and articles; what auto takes), contains, starts, number (the answer's last number) or f1.

    Where no answer is the right one a judge decides, named by --judge: check grade has it grade the answer (the column
    `answer`, if there is one, as a reference), check compare has it choose between the answer and that of the column
    `answer`, shown in both orders. `rubric` says what makes an answer good, in words or as the path of a text file;
    `criteria` names things, with commas between, that each get a grade; `verdict` logprobs reads the verdict from the
    judge's probabilities, for judges that write no JSON.

    `choices` makes it a choice question (check: choice): a column that holds a list, or the columns of the choices
    with commas between. The right answer is then, in all rows alike, a letter, an index from 0 or the text of a choice.

    `id` names the column of unique ids (else the row's number is its id), `stratum` one whose groups get estimates
    of their own, `cluster` one of rows that are not independent, such as questions on one document. `system` stands
    before every question. Raises `DataError` naming the rows that cannot be used, `HowgoodError` for what is missing.
    """
    source = OwnFile(file)
    known = columns_of(source)
    if ask is None or (answer is None and check != "grade"):
        missing = "--ask (what to ask)" if ask is None else "--answer (the column of right answers)"
        raise HowgoodError(f"{file} needs {missing}; it has the columns {listed(known)}. {example(file, known, check)}")
    if check == "auto":
        check = "choice" if choices else "normalized"
    if (check == "choice") != bool(choices):
        raise HowgoodError(
            "--choices goes with --check choice, and with no other check"
            if choices
            else f"--check choice needs --choices COLUMN[,COLUMN...]; {file} has the columns {listed(known)}"
        )
    options = () if choices is None else (choices,) if choices in known else tuple(map(str.strip, choices.split(",")))
    asked = fields(ask)
    for name in (*asked, *options, *filter(None, (answer, id, stratum, cluster))):
        if name not in known:
            raise DataError(unknown_column(file, name, known))
    form = examined(source, Form(ask, asked, answer, check, options, id, stratum, cluster))
    header = f"{system}\n\n" if system else ""
    stop = () if check in JUDGED else ("\n\n",)
    call: Call = Choices(header=header) if options else Generation(header=header, stop=stop)
    judging = {"rubric": rubric, "criteria": criteria} if check in JUDGED else {}
    if check not in JUDGED and (rubric or criteria or verdict != "json"):
        raise HowgoodError("-P rubric, criteria and verdict are for a judge: --check grade or --check compare")
    outputs = judged(check, verdict=verdict, **judging) if judging else CHECKS[check]
    interpret: Interpretation = Mean()
    if check == "compare":
        interpret = Several(Mean("preference", others=False), Mean("consistent", by=None, others=False))
    return Benchmark(inputs=Inputs(form.instance, (source,)), call=call, outputs=outputs, interpret=interpret)


def judged(check: Check, rubric: str, criteria: str, verdict: Verdict) -> Outputs:
    """What a judge is asked, as the user says it. Raises `HowgoodError` for what does not go together."""
    words = read_rubric(rubric)
    names = tuple(name.strip() for name in criteria.split(",") if name.strip())
    if check == "compare":
        if names:
            raise HowgoodError("-P criteria goes with --check grade; a comparison has one verdict")
        return Pairwise(rubric=words or PAIR_RUBRIC, verdict_by=verdict)
    if names and verdict == "logprobs":
        raise HowgoodError("-P verdict=logprobs reads one grade; leave out -P criteria")
    if not all(re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name) and name != "score" for name in names):
        raise HowgoodError(
            f"-P criteria takes names such as clear,correct (small letters, digits, _), not '{criteria}'"
        )
    high = 5 if verdict == "logprobs" else 10
    asked = tuple((name, name.replace("_", " ")) for name in names)
    return Graded(rubric=words or GRADE_RUBRIC, criteria=asked, verdict_by=verdict, high=high)


def read_rubric(text: str) -> str:
    """A rubric in words, or the text of the file at this path."""
    path = Path(text)
    if text and len(text) < 500 and "\n" not in text and (path.is_file() or path.suffix in (".txt", ".md")):
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise HowgoodError(f"the rubric {text} cannot be read: {error}") from error
    return text.strip()


class Unusable(ValueError):
    """A row that cannot be used, and why."""


@dataclass(frozen=True)
class Form:
    """How the rows of a file become instances. `read` gives a choice's index from the written answer."""

    ask: str
    asked: tuple[str, ...]
    answer: str | None
    check: Check
    choices: tuple[str, ...] = ()
    id: str | None = None
    stratum: str | None = None
    cluster: str | None = None
    read: Callable[[str, tuple[str, ...]], int | None] | None = None
    reading: str = ""

    def instance(self, row: Row, index: int) -> Instance:
        """The instance of a row. Raises `Unusable`."""
        question = filled(self.ask, {name: cell(row, name) for name in self.asked})
        choices = self._choices(row)
        answers = cells(row, self.answer) if self.answer else ()
        for written in answers if self.check == "number" else ():
            if target_number(written) is None:
                raise Unusable(f"'{self.answer}' is {shown(written)}, which is no number such as 18, -2.5 or 1e-3")
        return Instance(
            cell(row, self.id) if self.id else str(index + 1),
            question,
            targets=() if choices else answers,
            choices=choices,
            gold=tuple(self._gold(answer, choices) for answer in answers) if choices else (),
            stratum=cell(row, self.stratum, needed=False) or None if self.stratum else None,
            cluster=cell(row, self.cluster, needed=False) or None if self.cluster else None,
        )

    def _choices(self, row: Row) -> tuple[str, ...]:
        if not self.choices:
            return ()
        if len(self.choices) > 1:
            choices = tuple(cell(row, name) for name in self.choices)
        elif isinstance(row.get(self.choices[0]), list):
            choices = cells(row, self.choices[0])
        else:
            raise Unusable(f"'{self.choices[0]}' holds no list; name a column for each choice: --choices a,b,c,d")
        if not 2 <= len(choices) <= len(LETTERS):
            raise Unusable(f"{len(choices)} choices, where 2 to {len(LETTERS)} can be listed")
        if len(set(choices)) < len(choices):
            raise Unusable("two choices are the same")
        return choices

    def _gold(self, answer: str, choices: tuple[str, ...]) -> int:
        index = self.read(answer, choices) if self.read else None
        if index is None:
            raise Unusable(
                f"'{self.answer}' is {shown(answer)}, which is {self.reading.format(LETTERS[len(choices) - 1])}"
            )
        return index


def by_text(answer: str, choices: tuple[str, ...]) -> int | None:
    plain = [choice.strip() for choice in choices]
    return plain.index(answer.strip()) if answer.strip() in plain else None


def by_letter(answer: str, choices: tuple[str, ...]) -> int | None:
    letter = answer.strip().upper()
    return LETTERS.index(letter) if len(letter) == 1 and letter in LETTERS[: len(choices)] else None


def by_index(answer: str, choices: tuple[str, ...]) -> int | None:
    digits = answer.strip()
    index = int(digits) if re.fullmatch(r"\d{1,2}", digits, re.ASCII) else -1
    return index if 0 <= index < len(choices) else None


READINGS = {
    "none of the choices": by_text,
    "no letter from A to {}": by_letter,
    "no index of a choice, counted from 0": by_index,
}


def examined(source: OwnFile, form: Form) -> Form:
    """The form with the one reading of the choices that fits every row. Raises `DataError`, counting the rows that
    cannot be used, or where two readings fit and mean different choices."""
    forms = [replace(form, read=read, reading=name) for name, read in READINGS.items()] if form.choices else [form]
    faults: list[list[str]] = [[] for _ in forms]
    differs: dict[tuple[int, int], int] = {}
    rows = 0
    for index, row in enumerate(source.rows("test")):
        rows += 1
        golds: list[tuple[int, ...] | None] = []
        for candidate, found in zip(forms, faults, strict=True):
            try:
                golds.append(candidate.instance(row, index).gold)
            except Unusable as fault:
                golds.append(None)
                # Of a fault in every row of a long file only the first ones are told.
                found.append(f"row {index + 1}: {fault}" if len(found) < 3 else "")
        for a, b in combinations(range(len(forms)), 2):
            if golds[a] != golds[b]:
                differs.setdefault((a, b), index + 1)
    fitting = [n for n, found in enumerate(faults) if not found]
    if not fitting:
        worst = min(faults, key=len)
        told = "; ".join(worst[:3]) + ("; ..." if len(worst) > 3 else "")
        raise DataError(
            f"{source.path}: {len(worst)} of {rows} rows cannot be used: {told}. Mend them or take them out"
        )
    for pair in combinations(fitting, 2):
        if pair in differs:
            raise DataError(
                f"{source.path}, row {differs[pair]}: '{form.answer}' can be read in two ways, as the text of a "
                "choice, its letter or its index, and they mean different choices; write the answers in another way"
            )
    return forms[fitting[0]]


def fields(template: str) -> tuple[str, ...]:
    """The columns a template names, once each. Raises `HowgoodError` for a brace that opens or closes nothing."""
    names: dict[str, None] = {}
    for match in FIELD.finditer(template):
        if match[0] in ("{", "}"):
            raise HowgoodError(
                f"--ask: the '{match[0]}' at character {match.start() + 1} is alone; write {match[0] * 2}"
            )
        if match[1]:
            names[match[1]] = None
    if not names:
        raise HowgoodError("--ask names no {column}, so every row would ask the same; put one in, as in '{question}'")
    return tuple(names)


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its fields replaced, once: what stands in a value is never a field."""
    parts = list(_parts(template))
    parts[1::2] = [values[name] for name in parts[1::2]]
    return "".join(parts)


@lru_cache
def _parts(template: str) -> tuple[str, ...]:
    """A template's texts and, between them, its fields."""
    parts, end = [""], 0
    for match in FIELD.finditer(template):
        parts[-1] += template[end : match.start()]
        end = match.end()
        if match[1]:
            parts += [match[1], ""]
        else:
            parts[-1] += match[0][0]
    return (*parts[:-1], parts[-1] + template[end:])


def cell(row: Row, name: str, needed: bool = True) -> str:
    """A cell as text. Raises `Unusable` where it is empty though needed, or no text, number, truth value or date."""
    return as_text(row.get(name), name, needed)


def cells(row: Row, name: str) -> tuple[str, ...]:
    """A cell as one text or, where it holds a list, several."""
    value = row.get(name)
    if not isinstance(value, list):
        return (as_text(value, name),)
    if not value:
        raise Unusable(f"'{name}' is an empty list")
    return tuple(as_text(inner, name) for inner in value)


def as_text(value: Any, name: str, needed: bool = True) -> str:
    """A value as people write it: 18.0 is 18, a truth value true or false."""
    if isinstance(value, str) and value.strip():  # nearly always, and quick
        return value
    from datetime import date, time, timedelta
    from decimal import Decimal

    if value is None or (isinstance(value, float) and math.isnan(value)):
        text = ""
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, float | Decimal) and -(10**15) < value < 10**15 and value == int(value):
        text = str(int(value))
    elif isinstance(value, str | int | float | Decimal | date | time | timedelta):
        text = str(value)
    else:
        raise Unusable(f"'{name}' holds {'a list' if isinstance(value, list) else 'an object'}, not a text or a number")
    if needed and not text.strip():
        raise Unusable(f"'{name}' is empty")
    return text


def columns_of(source: OwnFile) -> list[str]:
    """All columns that a row of the file has, in order; a line of jsonl may leave some out."""
    names: dict[str, None] = {}
    for row in source.rows("test"):
        if row.keys() != names.keys():
            names |= dict.fromkeys(row)
    return list(names)


def unknown_column(file: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name.lower(), [k.lower() for k in known], n=1, cutoff=0.5)
    meant = [k for k in known if k.lower() in near]
    suggestion = f" Did you mean {shown(meant[0])}?" if meant else ""
    return f"{file} has no column {shown(name)}; it has {listed(known)}.{suggestion}"


def example(file: str, known: list[str], check: Check) -> str:
    """A command line for a file, with the columns that look like the question and the answer."""
    lower = {name.lower(): name for name in known}
    question = next((lower[name] for name in QUESTIONS if name in lower), known[0])
    answer = next((lower[name] for name in ANSWERS if name in lower and lower[name] != question), known[-1])
    ask = shlex.quote("{" + question + "}")
    how = f"{check} --judge MODEL" if check in JUDGED else "contains"
    return f"For example: howgood run {shlex.quote(file)} --ask {ask} --answer {shlex.quote(answer)} --check {how}"


def shown(text: str) -> str:
    """A stranger's words in quotes, safe to print, with the space around them that may be what is wrong."""
    return repr(text if len(text) <= 40 else f"{text[:39]}…")


def listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(map(shown, names[:20])) + (", ..." if len(names) > 20 else "")
