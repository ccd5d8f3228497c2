"""IFEval's verification, strict and loose, of recorded answers: howgood beside lm-evaluation-harness.

python benchmarks_perf/ifeval.py PROMPTS.jsonl ANSWERS.jsonl[.gz]

PROMPTS is IFEval's input_data.jsonl, ANSWERS has prompt and response on each line. The harness needs langdetect,
immutabledict and NLTK's punkt_tab; where it cannot be loaded only howgood is measured. CPU seconds, the second of two
rounds, so that what is loaded once does not count; its instructions are also checked to be the same, one by one.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from howgood.benchmarks.instructions.ifeval import to_instance
from howgood.core.types import Instance, Prediction
from howgood.outputs.verify import Verify

LANGUAGE = ("language:response_language", "change_case:english_capital", "change_case:english_lowercase")
Pairs = list[tuple[dict[str, Any], str]]
Flags = list[list[bool]]


def rows_of(path: str) -> list[dict[str, Any]]:
    data = Path(path).read_bytes()
    return [json.loads(line) for line in (gzip.decompress(data) if path.endswith(".gz") else data).splitlines()]


def ours(pairs: Pairs) -> Flags:
    verify = Verify()
    instances: list[Instance] = [to_instance(row, 0) for row, _ in pairs]
    answers = [Prediction(text=text, stop_reason="stop") for _, text in pairs]
    scores = [verify(instance, answer) for instance, answer in zip(instances, answers, strict=True)]
    return [[value == 1 for _, value in score.parts] for score in scores]


def harness() -> Callable[[Pairs], Flags] | None:
    try:
        from langdetect import DetectorFactory
        from lm_eval.tasks.ifeval.utils import process_results
    except Exception as error:
        print(f"lm-evaluation-harness is left out: {type(error).__name__}: {error}")
        return None
    DetectorFactory.seed = 0
    return lambda pairs: [process_results(row, [text])["inst_level_strict_acc"] for row, text in pairs]


def seconds(work: Callable[[Pairs], Flags], pairs: Pairs) -> tuple[float, Flags]:
    work(pairs)
    start = time.process_time()
    flags = work(pairs)
    return time.process_time() - start, flags


def main() -> None:
    prompts = {row["prompt"]: row for row in rows_of(sys.argv[1])}
    answers = rows_of(sys.argv[2])
    everything = [(prompts[row["prompt"]], row["response"]) for row in answers if row["prompt"] in prompts]
    plain = [pair for pair in everything if not set(pair[0]["instruction_id_list"]) & set(LANGUAGE)]
    theirs = harness()
    for name, pairs in (("without language detection", plain), ("all", everything)):
        took, flags = seconds(ours, pairs)
        words = f"{name}: {len(pairs)} answers, howgood {took:.3f} s"
        if theirs is not None:
            other, found = seconds(theirs, pairs)
            same = sum(a == b for mine, one in zip(flags, found, strict=True) for a, b in zip(mine, one, strict=True))
            words += f", lm-eval {other:.3f} s ({other / took:.1f} times); {same} of {sum(map(len, flags))} flags equal"
        print(words)


if __name__ == "__main__":
    main()
