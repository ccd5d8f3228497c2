"""Reading what lm-evaluation-harness writes: `results_<time>.json` and, beside it, `samples_<task>_<time>.jsonl`.

One run a task. A row of samples is one document under one filter; a document's rows become one trial, whose scores of
several filters stand side by side (`exact_match,strict-match`). Formats of 0.4 (lm_eval/result_schema.py); older files
lack some keys, which are then unknown.
"""

from __future__ import annotations

import glob
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from howgood.core.errors import DataError
from howgood.core.text import shorten
from howgood.core.types import Instance, Likelihood, Outcome, Prediction, Published, Score, System, Trial
from howgood.interpret.base import Interpretation
from howgood.interpret.estimate import Mean, Per, Perplexity, Several
from howgood.runs.interop.files import decode, read
from howgood.runs.interop.keeping import Rules, Source, free
from howgood.runs.interop.plain import known, mapping, number, own_words, text, whole_number

PROGRAM = "lm_eval"
MAX_LINE = 64 * 2**20
"""Bytes that a line of samples may have."""
ROLLING = {"word_perplexity": "words", "byte_perplexity": "bytes", "bits_per_byte": "bytes"}
"""Metrics that a document gives as a pair, its log-likelihood and how many units it has."""
CORRECT = re.compile(r"(acc|exact_match|em|pass@\d+)(_\w+)?|\w+_acc", re.ASCII)
"""Metrics that say how right an answer is, from 0 to 1."""
COMMON = ("doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash",
          "prompt_hash", "target_hash")  # fmt: skip


class Results(Struct):
    """A results file."""

    results: dict[str, dict[str, Any]]
    configs: Any = None
    versions: Any = None
    config: Any = None
    higher_is_better: Any = None
    date: Any = None
    lm_eval_version: Any = None
    transformers_version: Any = None
    model_name: Any = None
    model_source: Any = None
    system_instruction: Any = None
    chat_template_sha: Any = None
    fewshot_as_multiturn: Any = None
    max_length: Any = None
    total_evaluation_time_seconds: Any = None
    n_shot: Any = msgspec.field(name="n-shot", default=None)
    n_samples: Any = msgspec.field(name="n-samples", default=None)


class Row(Struct):
    """What is read of a row of samples; the values of its metrics stand beside these under their own names."""

    doc_id: int
    doc: Any = None
    target: Any = None
    arguments: Any = None
    resps: Any = None
    filtered_resps: Any = None
    filter: str = "none"
    metrics: Any = None


class Marks(Struct):
    """The values of a document under one filter, and the answer that the filter read."""

    values: dict[str, Any]
    answer: str | None = None


def is_results(head: bytes) -> bool:
    """Whether a .json file that begins so holds results of lm-eval."""
    return re.match(rb'\s*\{\s*"results"', head) is not None


def sources(path: Path) -> list[Source]:
    """The runs that a results file tells of: one for each task that has samples beside it. Raises `DataError` where
    none has."""
    told = read(path, Results)
    time = path.stem.removeprefix("results").removeprefix("_")
    tasks = [task for task in told.results if _samples(path, task, time).is_file()]
    if not tasks:
        raise DataError(
            f"{path} has no samples_*.jsonl beside it, so there are no answers to import; "
            "run lm_eval with --log_samples"
        )
    groups = set(mapping(told.configs)) or set(told.results)
    missing = sorted(task for task in told.results if task in groups and task not in tasks)
    note = (f"without samples beside the results, and so not imported: {', '.join(missing)}",) if missing else ()
    return [_source(path, told, task, _samples(path, task, time), note) for task in tasks]


def _samples(path: Path, task: str, time: str) -> Path:
    """Where the samples of a task are. Its name is from a file: it leads nowhere but beside it. Before 0.4.3 the files
    had no time, and the model's arguments before the task's name."""
    if any(letter in task for letter in "/\\\0"):
        return path.parent / "-"
    if time:
        return path.parent / f"samples_{task}_{time}.jsonl"
    old = sorted(path.parent.glob(f"*_{glob.escape(task)}.jsonl"), key=lambda found: len(found.name))
    return old[0] if old else path.parent / "-"


def _source(path: Path, told: Results, task: str, samples: Path, notes: tuple[str, ...]) -> Source:
    config, general = mapping(mapping(told.configs).get(task)), mapping(told.config)
    numbers = told.results[task]
    marks, filters, documents = _others(samples)
    metrics = _metrics(samples, filters)
    lower = {name for name, up in mapping(mapping(told.higher_is_better).get(task)).items() if up is False}
    lower |= {text(one.get("metric")) for one in _metric_list(config) if one.get("higher_is_better") is False}
    made = _interpretation(metrics, filters, config)
    counted = mapping(mapping(told.n_samples).get(task))
    seconds = _seconds(told.total_evaluation_time_seconds)
    started = _started(told.date)
    version = mapping(told.versions).get(task)
    return Source(
        program=PROGRAM,
        version=text(told.lm_eval_version) or None,
        files=[path, samples],
        name=path.name,
        part=task,
        benchmark=task,
        system=System(_model_name(told, general), _model(told, general)),
        rules=Rules(
            version=whole_number(version),
            data=known({
                "source": config.get("dataset_path") or "unknown",
                "name": config.get("dataset_name"),
                "split": config.get("test_split") or config.get("validation_split"),
                "task_version": version,
            }),
            call=_call(told, task, config),
            outputs=known({
                "metrics": [text(one.get("metric")) for one in _metric_list(config)] or list(metrics),
                "filters": [name for name in filters if name != "none"],
            }),
            instances=whole_number(counted.get("original")),
        ),
        trials=partial(_trials, samples, marks, filters, text(config.get("output_type"))),
        headline=made.headline,
        interpret=made.interpret,
        published=tuple(_published(numbers, metrics, filters, config)),
        planned=whole_number(counted.get("effective")) or documents,
        started=started,
        seconds=seconds,
        environment=known({"lm_eval": text(told.lm_eval_version), "transformers": text(told.transformers_version)}),
        notes=(*notes, *made.notes),
        lower=frozenset(_column(name, which, filters) for name in lower for which in filters),
        identity=lambda instance: [instance.id, instance.metadata or instance.input, instance.targets],
    )  # fmt: skip


def _metric_list(config: dict[str, Any]) -> list[dict[str, Any]]:
    given = config.get("metric_list")
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def _model_name(told: Results, general: dict[str, Any]) -> str:
    """The model's name: what lm-eval calls so, or the weights it was given, or the kind of model."""
    if isinstance(told.model_name, str) and told.model_name:
        return told.model_name
    arguments = general.get("model_args")
    if isinstance(arguments, str):
        arguments = dict(part.split("=", 1) for part in arguments.split(",") if "=" in part)
    named = mapping(arguments)
    return text(named.get("pretrained") or named.get("model") or general.get("model")) or "unknown"


def _model(told: Results, general: dict[str, Any]) -> dict[str, Any]:
    arguments = general.get("model_args")
    if isinstance(arguments, str):
        arguments = dict(part.split("=", 1) for part in arguments.split(",") if "=" in part)
    names = ("model_num_parameters", "model_dtype", "model_revision", "model_sha", "batch_size", "device")
    kept = own_words(general, *names)
    return {"kind": "imported", "type": text(general.get("model")) or None} | own_words(mapping(arguments)) | kept


def _call(told: Results, task: str, config: dict[str, Any]) -> dict[str, Any]:
    shots = mapping(told.n_shot).get(task, config.get("num_fewshot"))
    chat = bool(told.chat_template_sha)
    return known({
        "method": config.get("output_type"),
        "shots": {"n": whole_number(shots)} if whole_number(shots) is not None else None,
        "generation": own_words(mapping(config.get("generation_kwargs"))),
        "chat_template": text(told.chat_template_sha)[:12] if chat else None,
        "system_instruction": text(told.system_instruction)[:500] or None,
        "fewshot_as_multiturn": told.fewshot_as_multiturn if chat else None,
        "max_length": whole_number(told.max_length),
        "repeats": config.get("repeats"),
    })  # fmt: skip


def _started(date: Any) -> str:
    seconds = number(date)
    if seconds is None or not 0 <= seconds < 1e11:
        return ""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _seconds(given: Any) -> float:
    try:
        found = float(given)
    except (TypeError, ValueError):
        return 0.0
    return found if math.isfinite(found) and found >= 0 else 0.0


def _column(metric: str, filter: str, filters: list[str]) -> str:
    """The score of a metric under a filter; the filter is named where there are several."""
    return free(metric if len(filters) < 2 else f"{metric},{filter}")


def _rows(path: Path) -> Iterator[tuple[Row, dict[str, Any]]]:
    """The rows of a file of samples, each with the values of its metrics. Raises `DataError` that names the line."""
    with path.open("rb") as file:
        for count, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), start=1):
            where = f"{path}, line {count}"
            if len(line) > MAX_LINE:
                raise DataError(f"{where}: longer than {MAX_LINE // 2**20} MiB, which no answer needs; not read")
            if line.isspace():
                continue
            record = decode(line, dict[str, Any], where)
            try:
                row = msgspec.convert(record, Row)
            except msgspec.ValidationError as error:
                raise DataError(f"{where} is no sample of lm-eval: {shorten(str(error), 200)}") from error
            yield row, record


def _values(row: Row, record: dict[str, Any]) -> dict[str, Any]:
    names = row.metrics if isinstance(row.metrics, list) else [name for name in record if name not in COMMON]
    return {name: record[name] for name in names if isinstance(name, str) and name in record}


def _others(path: Path) -> tuple[dict[int, dict[str, Marks]], list[str], int]:
    """What the filters after the first one say of each document; the filters in order; and how many documents there
    are. One pass that keeps no prompts."""
    filters: list[str] = []
    marks: dict[int, dict[str, Marks]] = {}
    documents = 0
    for row, record in _rows(path):
        if row.filter not in filters:
            filters.append(row.filter)
        if row.filter == filters[0]:
            documents += 1
        else:
            marks.setdefault(row.doc_id, {})[row.filter] = Marks(_values(row, record), _answer(row))
    if not filters:
        raise DataError(f"{path} has no samples; run lm_eval with --log_samples again")
    return marks, filters, documents


def _metrics(path: Path, filters: list[str]) -> list[str]:
    """The metrics of the first row, in its order."""
    row, record = next(_rows(path))
    return list(_values(row, record))


def _answer(row: Row) -> str | None:
    """What a filter made of the responses, where it is text."""
    found = row.filtered_resps
    while isinstance(found, list) and len(found) == 1:
        found = found[0]
    return found if isinstance(found, str) else None


class _Made(Struct):
    """What the numbers mean: the interpretation, its headline, and what cannot be taken over."""

    interpret: Interpretation
    headline: str | None
    notes: tuple[str, ...] = ()


def _interpretation(metrics: list[str], filters: list[str], config: dict[str, Any]) -> _Made:
    units: list[Per] = []
    if "word_perplexity" in metrics:
        units.append("word")
    if "byte_perplexity" in metrics or "bits_per_byte" in metrics:
        units.append("byte")
    if units:
        return _Made(Perplexity(units=tuple(units), nll="nll"), "nll")
    plain = [_column(metric, filters[0], filters) for metric in metrics if metric != "perplexity"]
    if "perplexity" in metrics:
        item = Perplexity(units=("item",), nll="nll")
        if not plain:
            return _Made(item, "nll")
        return _Made(Several(Mean(plain[0], others=False), item), plain[0])
    aggregated = {text(one.get("metric")): one.get("aggregation") for one in _metric_list(config)}
    others = [m for m in metrics if aggregated.get(m) not in (None, "mean")]
    notes = tuple(f"{m} is aggregated by {shorten(text(aggregated[m]), 60)}, so its mean here is another number"
                  for m in others)  # fmt: skip
    means = [m for m in metrics if m not in others]
    first = _column((means or metrics or ["score"])[0], filters[0], filters)
    return _Made(Mean(score=first), first, notes)


def _published(
    numbers: dict[str, Any], metrics: list[str], filters: list[str], config: dict[str, Any]
) -> Iterator[Published]:
    aggregated = {text(one.get("metric")): one.get("aggregation") for one in _metric_list(config)}
    for key, given in numbers.items():
        value = number(given)
        metric, _, filter = key.partition(",")
        if value is None or metric in ("sample_len", "sample_count") or metric.endswith("_stderr"):
            continue
        se = number(numbers.get(f"{metric}_stderr,{filter}" if filter else f"{metric}_stderr"))
        score: str | None = _column(metric, filter or filters[0], filters)
        if metric in ROLLING:
            score = metric
        elif metric not in metrics or aggregated.get(metric) not in (None, "mean"):
            score = "perplexity" if metric == "perplexity" else None
        yield Published(key, value, se, score)


def _trials(path: Path, marks: dict[int, dict[str, Marks]], filters: list[str], kind: str) -> Iterator[Trial]:
    for row, record in _rows(path):
        if row.filter == filters[0]:
            yield _trial(row, _values(row, record), marks.get(row.doc_id, {}), filters, kind)


def _trial(row: Row, own: dict[str, Any], others: dict[str, Marks], filters: list[str], kind: str) -> Trial:
    asked = _requests(row.arguments)
    prompt = text(asked[0][0]) if asked else ""
    responses = row.resps if isinstance(row.resps, list) else []
    likelihoods = tuple(one for response in responses if (one := _likelihood(response)) is not None)
    texts = tuple(one for response in responses for one in _texts(response))
    target = text(row.target)
    choices, gold = tuple[str, ...](), tuple[int, ...]()
    if kind == "multiple_choice" and likelihoods:
        choices, gold = _choices(asked, target, len(likelihoods))
    targets = tuple(choices[g] for g in gold) or ((target,) if target else ())
    values, pair = _numbers(own, filters[0], filters)
    answer = _answer(row) if not likelihoods else None
    words = []
    for name, marked in others.items():
        values |= _numbers(marked.values, name, filters)[0]
        if marked.answer is not None:
            words.append(f"{name} read: {marked.answer}")
    if pair is not None and not texts:
        prompt = prompt or target
    instance = Instance(
        str(row.doc_id), prompt, targets, choices, gold, metadata=row.doc if isinstance(row.doc, dict) else {}
    )
    prediction = Prediction(
        text=texts[0] if texts else None,
        likelihoods=likelihoods,
        attempts=texts if len(texts) > 1 else (),
    )
    if likelihoods and choices:
        best = max(range(len(choices)), key=lambda place: likelihoods[place].logprob)
        answer = choices[best]
    headline = next(iter(values), "")
    outcome = _outcome(headline.partition(",")[0], values.get(headline))
    return Trial(instance, 0, 0, prompt, prediction, Score(values, outcome, answer, "\n".join(words) or None))


def _requests(given: Any) -> list[list[Any]]:
    """The arguments of each request of a row, in order: `{gen_args_0: {arg_0, arg_1}}`, or lists in older files."""
    if isinstance(given, dict):
        return [list(mapping(one).values()) for one in given.values() if mapping(one)]
    if isinstance(given, list):
        return [one for one in given if isinstance(one, list) and one]
    return []


def _likelihood(response: Any) -> Likelihood | None:
    """A response that is a log-likelihood: `[["-3.2", "False"]]`, in numbers or in text; or one of a whole text."""
    while isinstance(response, list) and len(response) == 1 and isinstance(response[0], list):
        response = response[0]
    if not isinstance(response, list) or not response or len(response) > 2:
        return None
    if len(response) == 2 and str(response[1]) not in ("True", "False"):
        return None
    try:
        logprob = float(response[0])
    except (TypeError, ValueError):
        return None
    if len(response) == 1 and isinstance(response[0], str):
        return None
    if not math.isfinite(logprob):
        return None
    return Likelihood(logprob, 0, len(response) == 2 and str(response[1]) == "True")


def _texts(response: Any) -> Iterator[str]:
    """The texts of a response; a list of them where there were repeats."""
    if isinstance(response, str):
        yield response
    elif isinstance(response, list) and all(isinstance(one, str) for one in response) and not _likelihood(response):
        yield from response


def _choices(asked: list[list[Any]], target: str, count: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """What was chosen from, and the right one: `target` is its place. Requests beyond the choices (as for mutual
    information) are left out."""
    found = [text(one[1]) for one in asked if len(one) > 1][:count]
    if len(found) < count:
        return (), ()
    if not target.isdigit() or int(target) >= count:
        return tuple(found), ()
    return tuple(found), (int(target),)


def _numbers(own: dict[str, Any], filter: str, filters: list[str]) -> tuple[dict[str, float], list[Any] | None]:
    """The metrics of a row as scores, and the pair of a whole text's log-likelihood and length where it is one."""
    values: dict[str, float] = {}
    pair = None
    for metric, given in own.items():
        if metric in ROLLING and isinstance(given, list) and len(given) == 2:
            loglikelihood, size = number(given[0]), number(given[1])
            if loglikelihood is not None and size is not None:
                pair = given
                values |= {"nll": -loglikelihood, ROLLING[metric]: size}
        elif metric == "perplexity" and number(given) is not None:
            values["nll"] = -float(given)
        elif isinstance(given, bool):
            values[_column(metric, filter, filters)] = float(given)
        elif (value := number(given)) is not None:
            values[_column(metric, filter, filters)] = value
    if pair is not None:
        values = {name: values[name] for name in ("nll", "words", "bytes") if name in values}
    return values, pair


def _outcome(metric: str, value: float | None) -> Outcome:
    if value is None:
        return "unjudged"
    if CORRECT.fullmatch(metric) and 0 <= value <= 1:
        return "right" if value == 1 else "wrong" if value == 0 else "partial"
    return "scored"
