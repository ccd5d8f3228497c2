"""Reading the run folders of HELM: `run_spec.json`, `scenario_state.json`, `per_instance_stats.json` and `stats.json`.

A trial is one instance under one draw of worked examples (a train trial, kept as epoch); where each reference was asked
apart its requests are the trial's likelihoods. Its scores are HELM's own per-instance statistics. (Formats of
helm/benchmark: run_spec.py, adaptation/scenario_state.py, metrics/statistic.py; absent values are left out there.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from howgood.core.errors import DataError
from howgood.core.types import (
    Instance,
    Likelihood,
    Message,
    Outcome,
    Prediction,
    Prompt,
    Published,
    Score,
    StopReason,
    System,
    Trial,
    Usage,
)
from howgood.runs.interop.files import read
from howgood.runs.interop.keeping import Rules, Source, free
from howgood.runs.interop.plain import known, listed, mapping, number, own_words, text, whole_number

PROGRAM = "helm"
SPEC, STATE, EACH, STATS = "run_spec.json", "scenario_state.json", "per_instance_stats.json", "stats.json"
BOOKKEEPING = re.compile(
    r"num_.*|max_prob|logprob.*|inference_.*|training_.*|finish_reason.*|batch_size|predicted_index|"
    r"prompt_.*|.*_tokens?(_.*)?|.*runtime.*|bits_per_byte|perplexity|.*energy.*|.*co2.*"
)
"""Statistics that do not say how good an answer is."""
CORRECT = re.compile(r".*(exact_match|math_equiv|_correct|accuracy|ifeval_strict).*")
"""Statistics that say how right an answer is, from 0 to 1."""
STOPS: dict[str, StopReason] = {"length": "length", "stop": "stop", "endoftext": "stop", "content_filter": "filter"}

Key = tuple[str, int]


class State(Struct):
    """One request of a run, and what came back."""

    instance: dict[str, Any]
    request: dict[str, Any]
    reference_index: int | None = None
    request_mode: str | None = None
    train_trial_index: int = 0
    output_mapping: dict[str, str] | None = None
    result: dict[str, Any] | None = None


class States(Struct):
    request_states: list[State]


class Statistics(Struct):
    """The statistics of one instance."""

    instance_id: str
    stats: list[dict[str, Any]]
    train_trial_index: int = 0
    perturbation: Any = None


def source(folder: Path) -> Source:
    """The run in a folder. Raises `DataError` where a file is missing, as in a run that did not come to its end."""
    files = [folder / name for name in (SPEC, STATE, EACH, STATS)]
    if missing := [path.name for path in files if not path.is_file()]:
        raise DataError(f"{folder} is no whole run of HELM: it has no {', '.join(missing)}")
    spec = read(files[0], dict[str, Any])
    adapter, scenario = mapping(spec.get("adapter_spec")), mapping(spec.get("scenario_spec"))
    states = read(files[1], States).request_states
    asked = [state for state in states if not state.instance.get("perturbation")]
    each: dict[Key, Statistics] = {}
    for one in read(files[2], list[Statistics]):  # an instance is there once for each of its metrics
        if not one.perturbation:
            each.setdefault(
                (one.instance_id, one.train_trial_index), Statistics(one.instance_id, [])
            ).stats += one.stats
    splits = sorted({text(state.instance.get("split")) for state in asked})
    named = _metrics(spec)
    found = {name for one in each.values() for name in _values(one)}
    ranked = [*named, *(_values(next(iter(each.values()))) if each else ())]
    headline = next((name for name in ranked if name in found), None)
    model = text(adapter.get("model")) or text(adapter.get("model_deployment")) or "unknown"
    notes = ["HELM does not say in a run's folder which of its metrics is the main one: the first it lists leads here"]
    if left := len(states) - len(asked):
        notes.append(f"{left:,} requests of perturbed instances are not taken over")
    times = [time for state in asked if (time := number(mapping(state.result).get("request_datetime"))) is not None]
    return Source(
        program=PROGRAM,
        version=None,
        files=files,
        name=folder.name,
        benchmark=_benchmark(text(spec.get("name")) or folder.name),
        system=System(model, {"kind": "imported"} | own_words(adapter, "model_deployment")),
        rules=Rules(
            data=known({
                "source": text(scenario.get("class_name")) or "unknown",
                "split": " and ".join(splits) or None,
            } | own_words(mapping(scenario.get("args")))),
            call=_call(adapter),
            outputs=known({"metrics": named, "annotators": [
                text(mapping(one).get("class_name")) for one in listed(spec.get("annotators"))
            ]}),
        ),
        trials=lambda: _trials(asked, each, len(splits) > 1),
        headline=headline,
        published=tuple(_published(files[3], found, splits)),
        started=_time(min(times)) if times else "",
        finished=_time(max(times)) if times else None,
        notes=tuple(notes),
    )  # fmt: skip


def _benchmark(name: str) -> str:
    """The run's name without the model's: `mmlu:subject=anatomy,method=joint`."""
    scenario, colon, arguments = name.partition(":")
    kept = [part for part in arguments.split(",") if part and not re.match(r"model(_deployment)?=", part)]
    return scenario + (colon + ",".join(kept) if kept else "")


def _call(adapter: dict[str, Any]) -> dict[str, Any]:
    names = ("method", "instructions", "temperature", "max_tokens", "stop_sequences", "num_outputs", "num_train_trials")
    shots = whole_number(adapter.get("max_train_instances"))
    return known({"shots": None if shots is None else {"n": shots}}) | own_words(adapter, *names)


def _metrics(spec: dict[str, Any]) -> list[str]:
    """The metrics that the run's specification names, in its order."""
    found: list[str] = []
    for one in listed(spec.get("metric_specs")):
        names = mapping(mapping(one).get("args")).get("names")
        found += [free(name) for name in listed(names) if isinstance(name, str)]
    return list(dict.fromkeys(found))


def _values(one: Statistics) -> dict[str, float]:
    """The statistics of an instance that say how good the answer is."""
    found = {}
    for stat in one.stats:
        name, value = text(mapping(stat.get("name")).get("name")), number(stat.get("mean"))
        if name and value is not None and not BOOKKEEPING.fullmatch(name):
            found[free(name)] = value
    return found


def _stated(one: Statistics | None, name: str, part: str) -> float | None:
    """The `part` (sum, mean) of a statistic of this name."""
    for stat in one.stats if one else ():
        if mapping(stat.get("name")).get("name") == name:
            return number(stat.get(part))
    return None


def _counted(one: Statistics | None, name: str) -> int:
    return whole_number(_stated(one, name, "sum")) or 0


def _published(path: Path, found: set[str], splits: list[str]) -> Iterator[Published]:
    for stat in read(path, list[dict[str, Any]]):
        name, value = mapping(stat.get("name")), number(stat.get("mean"))
        label = free(text(name.get("name")))
        if value is None or label not in found or name.get("perturbation") or name.get("sub_split"):
            continue
        split = text(name.get("split"))
        yield Published(f"{label} {split}".strip(), value, None, label if len(splits) == 1 else None)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if 0 <= seconds < 1e11 else ""


def _trials(states: list[State], each: dict[Key, Statistics], by_split: bool) -> Iterator[Trial]:
    grouped: dict[Key, list[State]] = {}
    for place, state in enumerate(states):
        id = text(state.instance.get("id")) or f"request {place + 1}"
        grouped.setdefault((id, state.train_trial_index), []).append(state)
    for (id, train), asked in grouped.items():
        yield _trial(id, train, asked, each.get((id, train)), by_split)


def _trial(id: str, train: int, asked: list[State], told: Statistics | None, by_split: bool) -> Trial:
    first = asked[0]
    references = [mapping(one) for one in listed(first.instance.get("references"))]
    outputs = [text(mapping(one.get("output")).get("text")) for one in references]
    right = tuple(place for place, one in enumerate(references) if "correct" in listed(one.get("tags")))
    several = len(outputs) > 1
    instance = Instance(
        id,
        _input(mapping(first.instance.get("input"))),
        tuple(outputs[place] for place in right),
        tuple(outputs) if several else (),
        right if several else (),
        stratum=text(first.instance.get("split")) or None if by_split else None,
        metadata=mapping(first.instance.get("extra_data")),
    )
    apart = [state for state in asked if state.reference_index is not None and state.request_mode != "calibration"]
    prediction = _apart(apart, outputs) if apart else _answered(first, told)
    values = _values(told) if told else {}
    answer = None
    if apart:
        place = _stated(told, "predicted_index", "mean")
        answer = outputs[int(place)] if place is not None and 0 <= place < len(outputs) else None
    elif first.output_mapping and prediction.text is not None:
        answer = first.output_mapping.get(prediction.text.strip())
    if prediction.error is not None:
        score = Score({}, "failed", explanation=prediction.error)
    else:
        score = Score(values, _outcome(values, prediction), answer)
    return Trial(instance, 0, max(0, train), _prompt(first.request), prediction, score)


def _input(given: dict[str, Any]) -> Prompt:
    if messages := given.get("messages"):
        return _messages(messages)
    if media := mapping(given.get("multimedia_content")).get("media_objects"):
        return "\n".join(text(m.get("text")) or f"[{text(m.get('content_type'))}]" for m in map(mapping, listed(media)))
    return text(given.get("text"))


def _messages(given: Any) -> tuple[Message, ...]:
    roles = ("system", "user", "assistant")
    return tuple(
        Message(one["role"] if one.get("role") in roles else "user", text(one.get("content")))
        for one in map(mapping, listed(given))
    )


def _prompt(request: dict[str, Any]) -> Prompt:
    return _messages(request["messages"]) if request.get("messages") else text(request.get("prompt"))


def _completion(state: State) -> tuple[dict[str, Any], str | None]:
    """The first completion of a request, or why there is none."""
    result = mapping(state.result)
    completions = result.get("completions")
    if not result.get("success", False):
        return {}, text(result.get("error")) or "the request failed"
    if not isinstance(completions, list) or not completions:
        return {}, "there is no completion"
    return mapping(completions[0]), None


def _answered(state: State, told: Statistics | None) -> Prediction:
    completion, error = _completion(state)
    if error is not None:
        return Prediction(error=error)
    reason = mapping(completion.get("finish_reason")).get("reason")
    texts = tuple(text(mapping(one).get("text")) for one in mapping(state.result)["completions"])
    return Prediction(
        text=text(completion.get("text")),
        attempts=texts if len(texts) > 1 else (),
        reasoning=text(mapping(completion.get("thinking")).get("text")) or None,
        stop_reason=STOPS.get(text(reason)),
        usage=Usage(_counted(told, "num_prompt_tokens"), _counted(told, "num_output_tokens")),
        latency=max(0.0, number(mapping(state.result).get("request_time")) or 0.0),
    )


def _apart(states: list[State], outputs: list[str]) -> Prediction:
    """The likelihoods of references that were asked one by one, where they can be told from the prompt's."""
    found, latency = list[Likelihood | None](), 0.0
    for state in sorted(states, key=lambda state: state.reference_index or 0):
        completion, error = _completion(state)
        if error is not None:
            return Prediction(error=error)
        place = state.reference_index or 0
        found.append(_ending(completion, outputs[place]) if place < len(outputs) else None)
        latency += max(0.0, number(mapping(state.result).get("request_time")) or 0.0)
    whole = tuple(one for one in found if one is not None)
    return Prediction(likelihoods=whole if len(whole) == len(outputs) else (), latency=latency)


def _ending(completion: dict[str, Any], reference: str) -> Likelihood | None:
    """The likelihood of the last tokens of an echoed prompt, those that spell the reference and the space before it."""
    said, total, count = "", 0.0, 0
    for token in reversed(listed(completion.get("tokens"))):
        logprob = number(mapping(token).get("logprob"))
        if logprob is None or len(said) > len(reference):
            return None
        said, total, count = text(token.get("text")) + said, total + logprob, count + 1
        if said in (f" {reference}", reference) and said:
            return Likelihood(total, count)
    return None


def _outcome(values: dict[str, float], prediction: Prediction) -> Outcome:
    shares = [value for name, value in values.items() if CORRECT.fullmatch(name)]
    if not values:
        return "unjudged"
    if not shares or not 0 <= shares[0] <= 1:
        return "scored"
    if shares[0] == 1:
        return "right"
    if prediction.stop_reason == "length":
        return "truncated"
    if prediction.text is not None and not prediction.text.strip():
        return "empty"
    return "wrong" if shares[0] == 0 else "partial"
