"""Reading AlpacaEval's `annotations.json`: what a judge said of a model's answers beside a baseline's.

One run for each model in the file. `preference` is 1 where the judge takes the first answer (the baseline's), 2 where
it takes the second, anything between where it is weighted by probability, and 1.5 (0 in old files) for a tie. Answers
that the file does not hold are read from `model_outputs.json` beside it, the published win rates from
`leaderboard.csv`. (https://github.com/tatsu-lab/alpaca_eval; arXiv:2404.04475)
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from howgood.core.errors import DataError
from howgood.core.types import Instance, Message, Prediction, Published, Score, System, Trial, Verdict
from howgood.interpret.estimate import Mean
from howgood.runs.interop.files import read, whole
from howgood.runs.interop.keeping import Rules, Source
from howgood.runs.interop.plain import mapping, number, text

PROGRAM = "alpaca_eval"
Rows = list[dict[str, Any]]


def is_annotations(head: bytes) -> bool:
    """Whether a .json file that begins so holds annotations."""
    return (
        head.lstrip().startswith(b"[")
        and b'"instruction"' in head
        and re.search(rb'"generator_[12]"', head) is not None
    )


def sources(path: Path) -> list[Source]:
    """The runs in a file of annotations: one a model and a judge. Raises `DataError`."""
    rows = read(path, Rows)
    groups: dict[tuple[str, str, str], Rows] = {}
    for place, row in enumerate(rows, start=1):
        if "preference" not in row or not isinstance(row.get("instruction"), str):
            raise DataError(f"{path}, row {place}: no annotation, it has no instruction or no preference")
        names = (text(row.get("generator_2")), text(row.get("generator_1")), text(row.get("annotator")))
        groups.setdefault(names, []).append(row)
    outputs = _outputs(path.parent / "model_outputs.json")
    files = [path, *(p for p in (path.parent / "model_outputs.json",) if p.is_file())]
    return [
        _source(path, files, rows, *names, outputs, part="" if len(groups) == 1 else " ".join(names))
        for names, rows in groups.items()
    ]


def _source(
    path: Path,
    files: list[Path],
    rows: Rows,
    model: str,
    baseline: str,
    judge: str,
    outputs: dict[tuple[str, str], str],
    part: str,
) -> Source:
    judge = judge or "unknown"
    published = tuple(_published(path.parent / "leaderboard.csv", model))
    return Source(
        program=PROGRAM,
        version=None,
        files=files,
        name=path.name,
        part=part,
        benchmark="alpaca_eval",
        system=System(model or "unknown", {"kind": "imported"}),
        rules=Rules(
            data={"source": "tatsu-lab/alpaca_eval as annotated", "baseline": baseline or "unknown"},
            outputs={"kind": "pairwise", "judges": [{"name": judge}]},
        ),
        trials=partial(_trials, rows, model, judge, outputs),
        headline="preference",
        interpret=Mean("preference", by="stratum", others=False),
        published=published,
        notes=(
            "the length-controlled win rate needs the difficulty of each instruction, which annotations do not hold",
        ),
        identity=lambda instance: [instance.input, instance.targets],
    )


def _outputs(path: Path) -> dict[tuple[str, str], str]:
    """The answers in a file of model outputs, by generator and instruction."""
    if not path.is_file():
        return {}
    return {
        (text(row.get("generator")), text(row.get("instruction"))): text(row.get("output")) for row in read(path, Rows)
    }


def _published(path: Path, model: str) -> Iterator[Published]:
    """The win rates of a model in a leaderboard, as shares; it writes them in percent."""
    if not path.is_file():
        return
    try:
        table = list(csv.DictReader(io.StringIO(whole(path).decode("utf-8"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path} is no leaderboard of AlpacaEval ({error}); take it away to import without it"
        ) from error
    for row in table:
        if next(iter(row.values()), None) != model:
            continue
        for name, score in (("win_rate", "preference"), ("length_controlled_winrate", None)):
            value, se = _percent(row.get(name)), _percent(row.get("standard_error"))
            if value is not None:
                yield Published(name, value, se if score else None, score)


def _percent(given: str | None) -> float | None:
    try:
        return number(float(given) / 100) if given else None
    except ValueError:
        return None


def _trials(rows: Rows, model: str, judge: str, outputs: dict[tuple[str, str], str]) -> Iterator[Trial]:
    times: dict[str, int] = {}
    for row in rows:
        instruction = text(row["instruction"])
        # Places differ between models that lack some answers; the instruction is what pairs them.
        id = hashlib.sha256(instruction.encode()).hexdigest()[:12]
        times[id] = times.get(id, 0) + 1
        yield _trial(row, id if times[id] == 1 else f"{id}-{times[id]}", instruction, model, judge, outputs)


def _trial(
    row: dict[str, Any], id: str, instruction: str, model: str, judge: str, outputs: dict[tuple[str, str], str]
) -> Trial:
    baseline = row.get("output_1")
    answer = row["output_2"] if isinstance(row.get("output_2"), str) else outputs.get((model, instruction))
    stratum = row.get("dataset")
    instance = Instance(
        id,
        (Message("user", instruction),),
        (baseline,) if isinstance(baseline, str) else (),
        stratum=stratum if isinstance(stratum, str) else None,
    )
    value = _preference(row.get("preference"))
    said = row.get("raw_completion")
    reply = Prediction(
        text=said if isinstance(said, str) else _words(mapping(said)),
        latency=max(0.0, number(row.get("time_per_example")) or 0.0),
        cost=number(row.get("price_per_example")),
    )
    values = {} if value is None else {"preference": value}
    problem = "the judge's verdict could not be read" if value is None else None
    verdict = Verdict(judge, "", reply, values, problem)
    scores = dict(values)
    if value is not None and answer is not None and isinstance(baseline, str):
        scores |= {"length": float(len(answer)), "baseline_length": float(len(baseline))}
    score = Score(scores, "unjudged" if value is None else "scored", explanation=problem, verdicts=(verdict,))
    return Trial(instance, 0, 0, instance.input, Prediction(text=answer), score)


def _words(reply: dict[str, Any]) -> str | None:
    """What a judge wrote, out of the reply of its server."""
    content = mapping(reply.get("message")).get("content", reply.get("text"))
    if isinstance(content, str):
        return content
    return msgspec.json.encode(reply).decode()[:2_000] if reply else None


def _preference(given: Any) -> float | None:
    """How far the judge prefers the model's answer, from 0 to 1."""
    value = number(given)
    if value is None or value < 0 or value > 2:
        return None
    return 0.5 if value == 0 else min(1.0, max(0.0, value - 1.0))
