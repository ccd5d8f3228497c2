"""Reading the logs of Inspect (`.eval` archives and `.json`): what was run, and every sample of it as a trial.

Schema: `EvalLog` version 2, and what is left of version 1 (https://inspect.aisi.org.uk/eval-logs.html). An archive
holds a member for each sample or, where it is chunked, a folder of them; a log without `header.json` is of a run that
crashed, of which `_journal/start.json` tells how it began.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from howgood.core.errors import DataError
from howgood.core.types import (
    Image,
    Instance,
    Message,
    Outcome,
    Part,
    Prediction,
    Prompt,
    Published,
    Score,
    StopReason,
    System,
    Text,
    Token,
    ToolCall,
    Trial,
    Usage,
)
from howgood.runs.interop import own_rules
from howgood.runs.interop.files import MAX_MEMBER, Archive, read
from howgood.runs.interop.keeping import Rules, Source, free
from howgood.runs.interop.plain import known, listed, mapping, number, own_words, text, whole_number

PROGRAM = "inspect_ai"
ATTACHMENT = re.compile(r"attachment://([0-9a-f]{32}|\d+)(?![0-9a-z])")
DATA_URI = re.compile(r"data:([\w.+/-]+);base64,(.+)", re.DOTALL)
SHELL, MONOLITH = re.compile(r"(samples/.+_epoch_\d+)/sample\.json"), re.compile(r"samples/.+_epoch_\d+\.json")
VALUES = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
"""What Inspect takes these words for (`value_to_float`)."""
OUTCOMES: dict[str, Outcome] = {"C": "right", "I": "wrong", "P": "partial", "N": "unanswered"}
STOPS: dict[str, StopReason] = {
    "stop": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "filter",
    "tool_calls": "tool",
}
MEANS = ("accuracy", "mean")
"""The metrics of Inspect that are means of a score over samples."""
ROLES = ("system", "user", "assistant", "tool")


class Header(Struct):
    """A log without its samples."""

    eval: dict[str, Any]
    status: str = "started"
    plan: Any = None
    results: Any = None
    stats: Any = None
    error: Any = None


class Sample(Struct):
    """What is read of a sample; events, which hold most of it, are passed over."""

    id: int | str
    epoch: int = 1
    input: Any = ""
    choices: list[str] | None = None
    target: Any = ""
    messages: Any = None
    message_refs: Any = None
    output: Any = None
    scores: Any = None
    score: Any = None  # of version 1
    metadata: Any = None
    model_usage: Any = None
    total_time: float | None = None
    working_time: float | None = None
    error: Any = None
    limit: Any = None
    attachments: Any = None


class Log(Header):
    """A log in one document."""

    samples: list[Sample] = field(default_factory=list)


def is_log(head: bytes) -> bool:
    """Whether a .json file that begins so is an Inspect log."""
    return re.match(rb'\s*\{\s*"(version|status|eval)"', head) is not None and b'"eval"' in head


def source(path: Path) -> Source:
    """The run in a log. Raises `DataError` for what is no log."""
    if path.suffix == ".json":
        log = read(path, Log)
        return _source(path, log, lambda: (_trial(sample, _Told.of(log)) for sample in log.samples), len(log.samples))
    with Archive(path) as archive:
        whole = "header.json" in archive
        if not whole and "_journal/start.json" not in archive:
            raise DataError(f"{path} is no Inspect log: it has neither header.json nor _journal/start.json")
        header = archive.decode("header.json" if whole else "_journal/start.json", Header)
        if not whole:
            header.status = "started"
        names = len(_sample_names(archive))
    return _source(path, header, lambda: _samples(path, _Told.of(header)), names)


class _Told(Struct):
    """What the header says that every sample needs: the model, and of which scorers a number says how right it is."""

    model: str
    shares: frozenset[str]

    @classmethod
    def of(cls, header: Header) -> _Told:
        shares = {_score_name(s) for s in _scores(header) if "accuracy" in mapping(s.get("metrics"))}
        return cls(text(header.eval.get("model")), frozenset(shares))


def _source(path: Path, header: Header, trials: Any, count: int) -> Source:
    spec, stats, results = header.eval, mapping(header.stats), mapping(header.results)
    dataset, config = mapping(spec.get("dataset")), mapping(spec.get("config"))
    ids = dataset.get("sample_ids")
    order = [str(one) for one in ids] if isinstance(ids, list) else []
    epochs = whole_number(config.get("epochs")) or 1
    planned = whole_number(results.get("total_samples")) or (len(order) * epochs or None)
    names = [_score_name(score) for score in _scores(header)]
    versions = mapping(spec.get("packages"))
    task = text(spec.get("task")) or "unnamed"
    version = spec.get("task_version")
    started, finished = text(stats.get("started_at")), text(stats.get("completed_at"))
    model = text(spec.get("model")) or "unknown"
    whole = own_rules.written(mapping(spec.get("metadata")).get("howgood"), task)
    maker = "howgood" if "howgood" in versions and PROGRAM not in versions else PROGRAM  # howgood writes such logs too
    return Source(
        program=maker,
        version=text(versions.get(maker)) or None,
        files=[path],
        name=path.name,
        benchmark=task,
        system=System(model, {"kind": "imported"} | own_words(mapping(spec.get("model_args")))),
        rules=Rules(
            version=whole_number(version),
            data=known({
                "source": dataset.get("location") or dataset.get("name") or "unknown",
                "name": dataset.get("name"),
                "shuffled": dataset.get("shuffled"),
                "task_version": version,
            }),
            call=_call(header),
            outputs=known({
                "scorers": [own_words(s, "name", "options") for s in listed(spec.get("scorers")) if isinstance(s, dict)]
                or names
            }),
            # A limit takes part of the data set; its size is that of what the task loaded.
            instances=whole_number(dataset.get("samples")),
        ),
        trials=trials,
        title=text(spec.get("task_display_name")) if spec.get("task_display_name") != task else "",
        headline=_headline(results, names),
        whole=whole,
        interpret=own_rules.mean(whole, names) if whole else None,
        published=tuple(_published(header)),
        order=order,
        planned=planned,
        unfinished=_unfinished(header, count),
        started=text(spec.get("created")) or started,
        finished=finished or None,
        seconds=_between(started, finished),
        environment={name: text(v) for name, v in versions.items()},
        notes=("tool definitions, events and the sample store are not taken over; the log keeps them",),
    )  # fmt: skip


def _call(header: Header) -> dict[str, Any]:
    plan = mapping(header.plan)
    steps = [
        {"solver": text(step.get("solver"))} | own_words(mapping(step.get("params")))
        for step in listed(plan.get("steps"))
        if isinstance(step, dict)
    ]
    config = own_words(mapping(header.eval.get("model_generate_config"))) | own_words(mapping(plan.get("config")))
    return known({"solvers": steps, "task_args": own_words(mapping(header.eval.get("task_args")))} | config)


def _scores(header: Header) -> list[dict[str, Any]]:
    results = mapping(header.results)
    found = [score for score in listed(results.get("scores")) if isinstance(score, dict)]
    if not found and isinstance(results.get("scorer"), dict):  # version 1 had one scorer
        found = [{"name": text(results["scorer"].get("name")), "metrics": results.get("metrics")}]
    return found


def _score_name(score: dict[str, Any]) -> str:
    """The name of the column that holds what these metrics are of."""
    name, scorer = text(score.get("name")), text(score.get("scorer"))
    return free(name if not scorer or scorer == name else f"{scorer}.{name}")


def _headline(results: dict[str, Any], names: list[str]) -> str | None:
    told = mapping(results.get("headline"))
    name = _score_name({"name": told.get("score"), "scorer": told.get("scorer")}) if told.get("score") else ""
    return name if name in names else names[0] if names else None


def _published(header: Header) -> Iterator[Published]:
    several = len(_scores(header)) > 1
    for score in _scores(header):
        name, reducer = _score_name(score), score.get("reducer")
        metrics = {key: number(mapping(value).get("value")) for key, value in mapping(score.get("metrics")).items()}
        se = metrics.get("stderr")
        for metric, value in metrics.items():
            if value is None or (metric == "stderr" and any(mean in metrics for mean in MEANS)):
                continue
            mean = metric in MEANS and reducer in (None, "mean")
            label = ", ".join([f"{name} {metric}" if several else metric, *([f"reducer {reducer}"] if reducer else [])])
            yield Published(label, value, se if metric in MEANS else None, name if mean else None)


def _unfinished(header: Header, count: int) -> str | None:
    if header.status == "success":
        return None
    words = {
        "started": "it crashed or was still running",
        "cancelled": "it was cancelled",
        "error": "it ended in an error",
    }
    why = text(mapping(header.error).get("message"))
    told = words.get(header.status, f"its status is {header.status}")
    return f"as Inspect's log says, {told} after {count:,} samples{f' ({why[:200]})' if why else ''}"


def _between(started: str, finished: str) -> float:
    try:
        return max(0.0, (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _sample_names(archive: Archive) -> list[tuple[str, bool]]:
    """The samples of an archive, and whether each is in chunks; in the order in which they were written."""
    found = []
    for name in archive.members:
        if MONOLITH.fullmatch(name):
            found.append((name, False))
        elif shell := SHELL.fullmatch(name):
            found.append((shell[1], True))
    return found


def _samples(path: Path, told: _Told) -> Iterator[Trial]:
    with Archive(path) as archive:
        names = _sample_names(archive)
        chunks = _chunks(archive) if any(chunked for _, chunked in names) else {}
        for name, chunked in names:
            if chunked:
                sample = archive.decode(f"{name}/sample.json", Sample)
                _assemble(archive, name, sample, chunks)
            else:
                sample = archive.decode(name, Sample)
            yield _trial(sample, told)


def _chunks(archive: Archive) -> dict[tuple[str, str], list[tuple[int, str]]]:
    """The members of each sample's sequences, with the index of their first item, in order."""
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for name in archive.members:
        if match := re.fullmatch(r"(samples/.+_epoch_\d+)/(messages|attachments)/(\d{1,18})\.json", name):
            found.setdefault((match[1], match[2]), []).append((int(match[3]), name))
    for members in found.values():
        members.sort()
    return found


def _assemble(
    archive: Archive, name: str, sample: Sample, chunks: dict[tuple[str, str], list[tuple[int, str]]]
) -> None:
    """Put a chunked sample's messages, attachments and metadata into it."""
    sequences: dict[str, list[Any]] = {"messages": [], "attachments": []}
    for sequence, items in sequences.items():
        for start, member in chunks.get((name, sequence), []):
            if start != len(items):
                raise DataError(f"{archive.path}, {name}: the {sequence} before number {start} are missing")
            items += archive.decode(member, list[Any])
    pool = sequences["messages"]
    refs = sample.message_refs if isinstance(sample.message_refs, list) else []
    sample.messages = []
    for ref in refs:
        ends = ref if isinstance(ref, list) else []
        if len(ends) != 2 or not all(isinstance(end, int) for end in ends) or not 0 <= ends[0] <= ends[1] <= len(pool):
            raise DataError(f"{archive.path}, {name}: its messages are not all there")
        sample.messages += pool[ends[0] : ends[1]]
    sample.attachments = {str(place): content for place, content in enumerate(sequences["attachments"])}
    if f"{name}/metadata.json" in archive:
        sample.metadata = archive.decode(f"{name}/metadata.json", dict[str, Any])


def _trial(sample: Sample, told: _Told) -> Trial:
    attached = {k: v for k, v in mapping(sample.attachments).items() if isinstance(v, str)}
    if attached:
        room = [MAX_MEMBER]  # an attachment may be named very often
        for name in ("input", "messages", "output", "target"):
            setattr(sample, name, _filled(getattr(sample, name), attached, room))
    asked = _prompt(sample.input)
    messages = [_message(m) for m in listed(sample.messages) if isinstance(m, dict)]
    prompt, transcript = _parts(messages, asked)
    output = mapping(sample.output)
    metadata = dict(mapping(sample.metadata))
    own = mapping(metadata.pop("howgood", None))  # what `inspect_out` wrote there
    targets = sample.target if isinstance(sample.target, list) else [sample.target]
    instance = Instance(
        str(sample.id),
        asked,
        tuple(text(target) for target in targets if target not in (None, "")),
        tuple(sample.choices or ()),
        stratum=text(own.get("stratum")) or None,
        cluster=text(own.get("cluster")) or None,
        metadata=metadata,
    )
    prediction = _prediction(sample, output, messages, transcript, told.model)
    return Trial(instance, 0, max(0, sample.epoch - 1), prompt, prediction, _score(sample, prediction, told))


def _parts(messages: list[Message], asked: Prompt) -> tuple[Prompt, tuple[Message, ...]]:
    """What was put to the model first, and the conversation after that where it took more than one call."""
    first = next((place for place, message in enumerate(messages) if message.role == "assistant"), len(messages))
    prompt: Prompt = tuple(messages[:first]) or asked
    rest = tuple(messages[first:])
    return prompt, rest if len(rest) > 1 else ()


def _prompt(given: Any) -> Prompt:
    if isinstance(given, list):
        return tuple(_message(message) for message in given if isinstance(message, dict))
    return text(given)


def _message(given: dict[str, Any]) -> Message:
    role = given.get("role")
    calls = tuple(
        ToolCall(text(call.get("id")), text(call.get("function")), _arguments(call.get("arguments")))
        for call in listed(given.get("tool_calls"))
        if isinstance(call, dict)
    )
    call_id = given.get("tool_call_id")
    return Message(
        role if role in ROLES else "user",
        _content(given.get("content")),
        calls,
        text(call_id) if call_id is not None else None,
    )


def _arguments(given: Any) -> str:
    return given if isinstance(given, str) else msgspec.json.encode(given).decode()


def _content(given: Any) -> str | tuple[Part, ...]:
    """A message's content without what the model thought; what is neither text nor an image is named."""
    if not isinstance(given, list):
        return text(given)
    parts: list[Part] = []
    for part in given:
        kind = mapping(part).get("type")
        if kind == "text":
            parts.append(Text(text(part.get("text"))))
        elif kind == "image":
            parts.append(_image(text(part.get("image"))))
        elif kind != "reasoning":
            parts.append(Text(f"[{kind or 'unknown content'}]"))
    if all(isinstance(part, Text) for part in parts):
        return "\n".join(part.text for part in parts if isinstance(part, Text))
    return tuple(parts)


def _image(given: str) -> Part:
    match = DATA_URI.fullmatch(given)
    if match is None:
        return Text(f"[image {given[:200]}]")
    try:
        return Image(base64.b64decode(match[2], validate=True), match[1])
    except binascii.Error:
        return Text("[image that cannot be read]")


def _reasoning(message: dict[str, Any]) -> str | None:
    content = message.get("content")
    parts = [p for p in content if mapping(p).get("type") == "reasoning"] if isinstance(content, list) else []
    return "\n".join(text(part.get("reasoning")) for part in parts) or None


def _prediction(
    sample: Sample, output: dict[str, Any], messages: list[Message], transcript: tuple[Message, ...], model: str
) -> Prediction:
    choices = [choice for choice in listed(output.get("choices")) if isinstance(choice, dict)]
    first = choices[0] if choices else {}
    message = mapping(first.get("message"))
    answered = [m for m in messages if m.role == "assistant"]
    completion = output.get("completion")
    if isinstance(completion, str):
        answer: str | None = completion
    else:
        content = _content(message["content"]) if "content" in message else None
        answer = content if isinstance(content, str) else None
    if not choices and not answered:
        answer = None
    usage, cost = _usage(mapping(sample.model_usage).get(model) or output.get("usage"))
    latency = number(output.get("time")) if len(answered) <= 1 else None
    error = mapping(sample.error)
    failed = text(error.get("message")) or ("it failed" if sample.error else None)
    return Prediction(
        text=answer,
        reasoning=_reasoning(message),
        stop_reason=STOPS.get(text(first.get("stop_reason"))),
        tokens=_tokens(first),
        tool_calls=_message(message).tool_calls if message else (),
        transcript=transcript,
        usage=usage,
        latency=max(0.0, latency or sample.working_time or sample.total_time or 0.0),
        cost=cost,
        error=failed,
    )


def _tokens(choice: dict[str, Any]) -> tuple[Token, ...]:
    found = []
    for one in listed(mapping(choice.get("logprobs")).get("content")):
        logprob = number(mapping(one).get("logprob"))
        if logprob is None:
            return ()
        found.append(Token(text(one.get("token")), logprob))
    return tuple(found)


def _usage(given: Any) -> tuple[Usage, float | None]:
    """Tokens and cost. Where the parts add up to the total only together with those of the cache, `input_tokens` leave
    the cached ones out."""
    told = mapping(given)
    names = ("input_tokens", "output_tokens", "input_tokens_cache_read", "input_tokens_cache_write", "total_tokens")
    input, output, cached, writes, total = (whole_number(told.get(name)) or 0 for name in names)
    if total == input + output + cached + writes:
        input += cached + writes
    reasoning = whole_number(told.get("reasoning_tokens")) or 0
    cost = number(told.get("total_cost"))
    return Usage(input, output, cached, reasoning, writes), cost if cost is None or cost >= 0 else None


def _score(sample: Sample, prediction: Prediction, told: _Told) -> Score:
    if prediction.error is not None:
        return Score({}, "failed", explanation=prediction.error)
    scores = mapping(sample.scores) or ({"score": sample.score} if sample.score else {})
    values: dict[str, float] = {}
    words, read = [], None
    outcome: Outcome | None = None
    for name, given in scores.items():
        score = mapping(given)
        value = score.get("value")
        several = value if isinstance(value, dict) else {None: value}
        for inner, one in several.items():
            label = free(name if inner is None else f"{name}.{inner}")
            as_number = _value(one)
            if as_number is None:
                if one is not None and not isinstance(one, float):
                    words.append(f"{label}: {text(one)}")
                continue
            values[label] = as_number
            if outcome is None:
                outcome = _outcome(one, as_number, label in told.shares, prediction)
        if score.get("answer") is not None and read is None:
            read = text(score["answer"])
        if (explanation := text(score.get("explanation"))) and explanation not in (prediction.text, read):
            words.append(explanation if len(scores) == 1 else f"{name}: {explanation}")
    limit = mapping(sample.limit)
    if limit:
        words.append(f"stopped at its limit of {text(limit.get('limit'))} ({text(limit.get('type'))})")
    return Score(values, outcome or "unjudged", read, "\n".join(words) or None)


def _value(given: Any) -> float | None:
    """A score's value as Inspect reads it (`value_to_float`); None for what is no number, or NaN (unscored)."""
    if isinstance(given, bool | int | float):
        return float(given) if math.isfinite(given) else None
    if not isinstance(given, str):
        return None
    if (known := VALUES.get(given, VALUES.get(given.lower()) if len(given) > 1 else None)) is not None:
        return known
    try:
        found = float(given)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _outcome(given: Any, value: float, share: bool, prediction: Prediction) -> Outcome:
    """What became of a trial: right or wrong only where the value says so, or its metric is an accuracy."""
    if isinstance(given, str) and given in OUTCOMES:
        outcome = OUTCOMES[given]
    elif isinstance(given, bool) or (share and 0 <= value <= 1):
        outcome = "right" if value >= 1 else "wrong" if value <= 0 else "partial"
    else:
        return "scored"
    if outcome == "wrong" and prediction.stop_reason == "length":
        return "truncated"
    if outcome == "wrong" and prediction.stop_reason == "filter":
        return "filtered"
    if outcome == "wrong" and not (prediction.text or "").strip() and not prediction.tool_calls:
        return "empty"
    return outcome


def _filled(value: Any, attached: dict[str, str], room: list[int]) -> Any:
    """The value with what it refers to put in its place. Raises `DataError` where that would be too much."""
    if isinstance(value, str):
        if "attachment://" not in value:
            return value
        return ATTACHMENT.sub(lambda m: _attached(m, attached, room), value)
    if isinstance(value, list):
        return [_filled(inner, attached, room) for inner in value]
    if isinstance(value, dict):
        return {key: _filled(inner, attached, room) for key, inner in value.items()}
    return value


def _attached(match: re.Match[str], attached: dict[str, str], room: list[int]) -> str:
    content = attached.get(match[1], match[0])
    room[0] -= len(content)
    if room[0] < 0:
        raise DataError(f"the attachments of a sample come to more than {MAX_MEMBER // 2**20} MiB; not read")
    return content
