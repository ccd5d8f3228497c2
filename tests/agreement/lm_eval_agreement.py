"""howgood and lm-evaluation-harness side by side: the same model, the same requests, every log-likelihood compared.

lm-eval 0.4.13 runs its own task definitions of HellaSwag, MMLU (5-shot) and WikiText-2 on local copies of the data; the
context and continuation strings it builds are put to howgood's model too. Each side gets weights of its own from the
same file, and reads them with its own code. Needs the extra `agreement` and the folder ../shared/data.

    python tests/agreement/lm_eval_agreement.py [--hellaswag 100] [--mmlu 100] [--wikitext 4|all] [--batch-size 1]

Ends with 1 when a log-likelihood differs by more than 1e-4 relative, or an accuracy or a perplexity differs.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import importlib.util
import json
import logging
import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from howgood.core.types import Loglikelihood, Prediction, Rolling
from howgood.models.embedded import smollm2_path
from howgood.models.huggingface import HuggingFaceModel, load

SHARED = Path(__file__).parents[3] / "shared" / "data"
TOLERANCE = 1e-4

Key = tuple[str, int]
"""A document: lm-eval's task and the document's number in it."""


@dataclass
class Document:
    """What one side says of a document: the log-likelihoods of its requests, in order, and what to make of them: the
    number of the right choice and the choices' lengths, or (for a text) its words."""

    logprobs: list[float]
    gold: int | None = None
    lengths: list[int] = field(default_factory=list)
    words: int = 0

    def right(self, normalised: bool) -> bool:
        scores = [p / n for p, n in zip(self.logprobs, self.lengths, strict=True)] if normalised else self.logprobs
        return scores.index(max(scores)) == self.gold


@dataclass
class Side:
    """All documents of one task family as one side scored them, and the seconds it took."""

    documents: dict[Key, Document]
    seconds: float

    def accuracy(self, normalised: bool = False) -> float:
        return sum(d.right(normalised) for d in self.documents.values()) / len(self.documents)

    def word_perplexity(self) -> float:
        logprob = math.fsum(p for d in self.documents.values() for p in d.logprobs)
        return math.exp(-logprob / sum(d.words for d in self.documents.values()))


@dataclass
class Asked:
    """One of lm-eval's requests: its document, its place among the document's requests, its strings, the answer."""

    key: Key
    place: int
    strings: tuple[str, ...]
    logprob: float
    document: dict[str, Any]


# The data, in the form of lm-eval's tasks


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def write(path: Path, rows: Sequence[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def define(definition: str, folder: Path, files: dict[str, str]) -> str:
    """Put lm-eval's own definition of a task into the folder, with local files for data; returns the task's name."""
    [package] = importlib.util.find_spec("lm_eval").submodule_search_locations or []  # type: ignore[union-attr]
    included = {"include": f"{package}/tasks/{definition}"}
    changes = {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": files}}
    path = folder / Path(definition).name
    path.write_text(json.dumps(included | changes), encoding="utf-8")  # JSON is YAML too
    return path.stem


def hellaswag(n: int, folder: Path) -> list[str]:
    rows = []
    for row in list(lines(SHARED / "perplexity/hellaswag/hellaswag_val_first2000.jsonl.gz"))[:n]:
        activity, _, context = row["query"].partition(": ")
        parts = {"activity_label": activity, "ctx_a": context, "ctx_b": "", "endings": row["endings"]}
        rows.append({**parts, "label": str(row["label"])})
    path = write(folder / "hellaswag.json", rows)
    return [define("hellaswag/hellaswag.yaml", folder, {"train": path, "validation": path})]


def mmlu(n: int, folder: Path) -> list[str]:
    """`n` questions, as evenly over the 57 subjects as can be, each subject with its own five examples."""
    tests: dict[str, list[Any]] = {}
    shots: dict[str, list[Any]] = {}
    for rows, name in ((tests, "test.jsonl.gz"), (shots, "dev.jsonl")):
        for row in lines(SHARED / "mmlu" / name):
            rows.setdefault(row["subject"], []).append(row)
    tasks = []
    for number, subject in enumerate(sorted(tests)):
        if count := n // len(tests) + (number < n % len(tests)):
            test = write(folder / f"{subject}-test.json", tests[subject][:count])
            dev = write(folder / f"{subject}-dev.json", shots[subject])
            tasks.append(define(f"mmlu/default/mmlu_{subject}.yaml", folder, {"test": test, "dev": dev}))
    return tasks


def wikitext(n: int | None, folder: Path) -> list[str]:
    """The first `n` pages; a page begins at a heading of the first level."""
    text = gzip.decompress((SHARED / "perplexity/wikitext-2-raw/wiki.test.raw.gz").read_bytes()).decode()
    pages = [page for page in re.split(r"(?m)^(?= = [^=\n].* = $)", text) if page.strip()]
    path = write(folder / "wikitext.json", [{"page": page} for page in pages[:n]])
    files = dict.fromkeys(("train", "validation", "test"), path)
    return [define("wikitext/wikitext.yaml", folder, files)]


# The two sides


def run_lm_eval(
    tasks: list[str], folder: Path, weights: Any, tokenizer: Any, batch_size: int
) -> tuple[Side, list[Asked]]:
    """lm-eval's own evaluation of tasks in a folder, with its requests and answers written down."""
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    asked: list[Asked] = []
    seconds = 0.0

    class Recorded(HFLM):  # type: ignore[misc]
        def _record(self, requests: list[Any], found: list[Any]) -> list[Any]:
            for request, answer in zip(requests, found, strict=True):
                logprob = answer if isinstance(answer, float) else answer[0]
                key = (request.task_name, request.doc_id)
                asked.append(Asked(key, request.idx, request.args, logprob, request.doc))
            return found

        def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[Any]:
            nonlocal seconds
            start = time.perf_counter()
            found = super().loglikelihood(requests, disable_tqdm=True)
            seconds += time.perf_counter() - start
            return self._record(requests, found)

        def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[Any]:
            nonlocal seconds
            start = time.perf_counter()
            found = super().loglikelihood_rolling(requests, disable_tqdm=True)
            seconds += time.perf_counter() - start
            return self._record(requests, found)

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    model = Recorded(pretrained=weights, tokenizer=tokenizer, batch_size=batch_size)
    shots = 5 if tasks[0].startswith("mmlu") else 0
    manager = TaskManager(include_path=folder, include_defaults=False)
    results = simple_evaluate(model, tasks=tasks, num_fewshot=shots, task_manager=manager, bootstrap_iters=0)
    side = Side(documents_of(asked, [request.logprob for request in asked]), seconds)
    check_own_aggregates(side, results["results"])
    return side, asked


def run_howgood(asked: list[Asked], model: HuggingFaceModel) -> Side:
    """The same requests, put to howgood's model: a document's continuations in one request, all in flight at once."""
    groups: dict[Key, list[Asked]] = {}
    for request in asked:
        groups.setdefault(request.key, []).append(request)

    async def send(group: list[Asked]) -> Prediction:
        if len(group[0].strings) == 1:
            return await model.loglikelihood_rolling(Rolling(group[0].strings[0]))
        [context] = {request.strings[0] for request in group}
        return await model.loglikelihood(Loglikelihood(context, tuple(request.strings[1] for request in group)))

    async def send_all() -> list[Prediction]:
        return await asyncio.gather(*map(send, groups.values()))

    asyncio.run(model.loglikelihood(Loglikelihood("The", (" model",))))  # loads the weights
    start = time.perf_counter()
    predictions = asyncio.run(send_all())
    seconds = time.perf_counter() - start
    ordered = [request for group in groups.values() for request in group]
    logprobs = [likelihood.logprob for prediction in predictions for likelihood in prediction.likelihoods]
    return Side(documents_of(ordered, logprobs), seconds)


def documents_of(asked: list[Asked], logprobs: list[float]) -> dict[Key, Document]:
    documents: dict[Key, Document] = {}
    for request, logprob in sorted(zip(asked, logprobs, strict=True), key=lambda pair: (pair[0].key, pair[0].place)):
        if request.key not in documents:
            document = request.document
            gold = document.get("gold", document.get("answer"))
            # Words as lm-eval counts them: of the page before it is de-tokenised.
            words = len(re.split(r"\s+", document["page"])) if "page" in document else 0
            documents[request.key] = Document([], gold, words=words)
        documents[request.key].logprobs.append(logprob)
        documents[request.key].lengths.append(len(request.strings[-1]) - 1)  # the choice without its space
    return documents


def check_own_aggregates(side: Side, results: dict[str, dict[str, Any]]) -> None:
    """That this script makes of lm-eval's answers what lm-eval does: else comparing the two sides would say nothing."""
    tasks = {task for task, _ in side.documents}
    sizes = {task: sum(key[0] == task for key in side.documents) for task in tasks}
    for metric, own in (
        ("acc,none", lambda: side.accuracy()),
        ("acc_norm,none", lambda: side.accuracy(normalised=True)),
        ("word_perplexity,none", lambda: side.word_perplexity()),
    ):
        if all(metric in results[task] for task in tasks):
            theirs = sum(results[task][metric] * sizes[task] for task in tasks) / sum(sizes.values())
            assert math.isclose(own(), theirs, rel_tol=1e-9), (metric, own(), theirs)


# The comparison


def compare(name: str, theirs: Side, mine: Side) -> tuple[list[str], bool]:
    """A line of the table, and whether the two sides agree."""
    pairs = [
        (a, b)
        for key, document in theirs.documents.items()
        for a, b in zip(document.logprobs, mine.documents[key].logprobs, strict=True)
    ]
    worst = max(abs(a - b) / abs(a) for a, b in pairs)
    agree = worst <= TOLERANCE and len(theirs.documents) == len(mine.documents)
    if name == "wikitext":
        values = [side.word_perplexity() for side in (theirs, mine)]
        agree = agree and abs(values[0] - values[1]) <= TOLERANCE * values[0]
        shown = [f"ppl {value:.4f}" for value in values]
    else:
        scores = [(side.accuracy(), side.accuracy(normalised=True)) for side in (theirs, mine)]
        agree = agree and scores[0] == scores[1]
        shown = [f"{acc:.4f} / {norm:.4f}" for acc, norm in scores]
    times = [f"{side.seconds:.1f} s" for side in (theirs, mine)]
    documents = str(len(theirs.documents))
    return [name, documents, str(len(pairs)), f"{worst:.1e}", *shown, *times, "yes" if agree else "NO"], agree


def table(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in padded)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hellaswag", type=int, default=100, help="questions (0: none)")
    parser.add_argument("--mmlu", type=int, default=100, help="questions, spread over the subjects (0: none)")
    parser.add_argument("--wikitext", default="4", help="pages of 62, or all")
    parser.add_argument("--batch-size", type=int, default=1, help="lm-eval's")
    given = parser.parse_args(arguments)

    rows = [["task", "docs", "requests", "max rel diff", "lm-eval", "howgood", "lm-eval", "howgood", "agree"]]
    fine = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # datasets is to read the local files and ask nobody.
        os.environ |= {"HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": name}
        model = HuggingFaceModel("smollm2", str(smollm2_path()))
        checkpoint = model._checkpoint
        weights = load.load_weights(checkpoint, model._dtype, model._devices[0])
        tokenizer = load.load_tokenizer(checkpoint)
        pages = None if given.wikitext == "all" else int(given.wikitext)
        families = {
            "hellaswag": hellaswag(given.hellaswag, folder) if given.hellaswag else [],
            "mmlu": mmlu(given.mmlu, folder),
            "wikitext": wikitext(pages, folder) if pages != 0 else [],
        }
        for family, tasks in families.items():
            if tasks:
                theirs, asked = run_lm_eval(tasks, folder, weights, tokenizer, given.batch_size)
                row, agree = compare(family, theirs, run_howgood(asked, model))
                rows.append(row)
                fine = fine and agree
        asyncio.run(model.close())
    from importlib.metadata import version

    print(table(rows))
    packages = ("lm_eval", "transformers", "torch", "accelerate", "datasets")
    print(", ".join(f"{package} {version(package)}" for package in packages))
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
