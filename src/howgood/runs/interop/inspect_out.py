"""A run as a log of Inspect (`.eval`), which its viewer, its VS Code extension and `read_eval_log` read.

An archive with a member for each sample (see `inspect_log.py`), deflated, which every version reads. When each call was
made is not known of a run, so there are no events: a sample's conversation is in its messages.
"""

from __future__ import annotations

import base64
import math
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import msgspec

from howgood.core.types import NOT_JUDGED, Estimate, Message, Text, ToolCall
from howgood.runs.columns import score_names
from howgood.runs.interop.rows import as_prompt, rows, turns
from howgood.runs.store import SavedRun

STOPS = {"stop": "stop", "length": "max_tokens", "filter": "content_filter", "refusal": "content_filter",
         "tool": "tool_calls"}  # fmt: skip
STATUS = {"finished": "success", "incomplete": "success", "interrupted": "cancelled", "failed": "error",
          "running": "started"}  # fmt: skip
LONGEST = 1_000
"""Characters of a text in the list of samples; the samples themselves are whole."""
SUMMARIES = (
    "id",
    "epoch",
    "input",
    "choices",
    "target",
    "scores",
    "model_usage",
    "total_time",
    "working_time",
    "error",
)


def write(run: SavedRun, path: Path) -> None:
    """Write the log, holding one slice of trials in memory."""
    names = score_names(run.columns)
    letters = bool(names) and _binary(run, names[0])
    encode = msgspec.json.Encoder().encode
    count = 0
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        tempfile.TemporaryFile() as summaries,
    ):
        spec = _spec(run, names, letters)
        plan = {"name": "plan", "steps": [{"solver": "howgood", "params": run.rules.call}], "config": _config(run)}
        archive.writestr("_journal/start.json", encode({"version": 2, "eval": spec, "plan": plan}))
        summaries.write(b"[")
        for row in rows(run):
            sample = _sample(row, run.system.label, names, letters)
            name = f"samples/{sample['id']}_epoch_{sample['epoch']}.json"
            archive.writestr(name, encode(sample))
            summaries.write(b"," if count else b"")
            summaries.write(encode(_summary(sample)))
            count += 1
        summaries.write(b"]")
        summaries.seek(0)
        with archive.open("summaries.json", "w", force_zip64=True) as member:
            shutil.copyfileobj(summaries, member)
        header = {
            "version": 2,
            "status": STATUS[run.status],
            "eval": spec,
            "plan": plan,
            "results": _results(run, names, letters, count),
            "stats": _stats(run),
        }
        if run.status == "failed":
            header["error"] = {"message": run.message or "the run failed", "traceback": "", "traceback_ansi": ""}
        archive.writestr("header.json", encode(header))


def _binary(run: SavedRun, name: str) -> bool:
    """Whether a score says right or wrong of every trial, so that it can be told in Inspect's letters."""
    frame = run.read([name, "outcome"])
    known = frame.filter(~frame["outcome"].is_in(NOT_JUDGED))
    return known[name].is_in([0.0, 1.0]).all() and "scored" not in known["outcome"]


def _spec(run: SavedRun, names: list[str], letters: bool) -> dict[str, Any]:
    sample, data = run.rules.sample, run.rules.data
    ids = run.read(["id"])["id"].unique(maintain_order=True).to_list()
    made = run.environment if run.origin else {"howgood": run.environment.get("howgood", "unknown")}
    return {
        "eval_id": run.id,
        "run_id": run.id,
        "created": _time(run.started) or "1970-01-01T00:00:00+00:00",  # Inspect must have one
        "task": run.rules.benchmark,
        "task_id": run.id,
        "task_version": run.rules.version,
        "task_args": run.parameters,
        "dataset": {
            "name": run.rules.benchmark,
            "location": str(data.get("source", "unknown")),
            "samples": max(len(ids), data.get("instances") or 0),  # of the data set; the ids are those asked
            "sample_ids": ids,
            "shuffled": False,
        },
        "model": run.system.label,
        "model_args": {},
        "config": {"epochs": sample.get("epochs", 1)},
        "packages": {name: str(version) for name, version in made.items()},
        "scorers": [
            {"name": name, "options": {}, "metrics": [{"name": _metric(name, names, letters), "options": {}}]}
            for name in names
        ],
        "metadata": {"howgood": {"rules_hash": run.rules.hash, "rules": msgspec.to_builtins(run.rules)}},
    }  # fmt: skip


def _time(told: str) -> str:
    """A time that is known; nothing for another word."""
    return told if told[:1].isdigit() else ""


def _metric(name: str, names: list[str], letters: bool) -> str:
    return "accuracy" if letters and name == names[0] else "mean"


def _config(run: SavedRun) -> dict[str, Any]:
    call = run.rules.call
    return {
        name: call[name] for name in ("temperature", "max_tokens", "top_p") if isinstance(call.get(name), int | float)
    }


def _results(run: SavedRun, names: list[str], letters: bool, count: int) -> dict[str, Any]:
    missing = sum(run.outcomes.get(name, 0) for name in NOT_JUDGED)
    told = [_told(estimate, names, letters) for estimate in run.estimates]
    return {"total_samples": run.planned, "completed_samples": count - run.outcomes.get("failed", 0),
            "scores": [score | {"unscored_samples": missing} for score in told]}  # fmt: skip


def _told(estimate: Estimate, names: list[str], letters: bool) -> dict[str, Any]:
    """An estimate as a metric of a scorer; what is no mean of one score stands under its own name."""
    own = estimate.name in names
    metric = _metric(estimate.name, names, letters) if own else estimate.name
    values = {metric: estimate.value} | ({} if estimate.se is None else {"stderr": estimate.se})
    low, high = (None if abs(end) > 1e300 else end for end in (estimate.low, estimate.high))
    return {
        "name": estimate.name,
        "scorer": estimate.name if own else names[0],
        "scored_samples": estimate.n,
        "params": {},
        "metrics": {name: {"name": name, "value": value, "params": {}} for name, value in values.items()},
        "metadata": {"low": low, "high": high, "level": estimate.level, "method": estimate.method},
    }


def _stats(run: SavedRun) -> dict[str, Any]:
    usage = run.usage
    total = _usage(usage.input, usage.output, usage.cached, usage.cache_writes, usage.reasoning, run.cost)
    return {"started_at": _time(run.started), "completed_at": run.finished or "",
            "model_usage": {run.system.label: total}}  # fmt: skip


def _usage(
    input: int, output: int, cached: int, writes: int, reasoning: int, cost: float | None
) -> dict[str, float | None]:
    """Inspect counts cached tokens apart from the input's."""
    return {
        "input_tokens": input - cached - writes,
        "output_tokens": output,
        "total_tokens": input + output,
        "input_tokens_cache_read": cached,
        "input_tokens_cache_write": writes,
        "reasoning_tokens": reasoning,
        "total_cost": cost,
    }


def _sample(row: dict[str, Any], model: str, names: list[str], letters: bool) -> dict[str, Any]:
    given, prompt = as_prompt(row["input"]), turns(as_prompt(row["prompt"]))
    transcript = msgspec.json.decode(row["transcript"] or "[]", type=tuple[Message, ...])
    answer = _answer(row)
    counts = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
    input, output, cached, writes, reasoning = (row[name] or 0 for name in counts)
    usage = _usage(input, output, cached, writes, reasoning, row["cost"])
    stop = STOPS.get(row["stop_reason"], "stop" if row["stop_reason"] is None else "unknown")
    message: dict[str, Any] = {"role": "assistant", "content": _with_thinking(answer, row["reasoning"]), "model": model}
    choice: dict[str, Any] = {"message": message, "stop_reason": stop}
    if row["answer_tokens"]:
        content = [{"token": t["text"], "logprob": t["logprob"]} for t in row["answer_tokens"]]
        choice["logprobs"] = {"content": content}
    answered = row["error"] is None and answer is not None
    said = [_message(m) for m in (*prompt, *transcript)]
    targets = row["targets"] or []
    sample: dict[str, Any] = {
        "id": row["id"],
        "epoch": row["epoch"] + 1,
        "input": given if isinstance(given, str) else [_message(m) for m in given],
        "choices": row["choices"] or None,
        "target": targets[0] if len(targets) == 1 else targets or "",
        "messages": said if transcript or not answered else [*said, message],
        "output": {
            "model": model,
            "choices": [choice] if answered else [],
            "completion": answer or "",
            "usage": usage,
            "time": row["latency"],
        },
        "scores": _scores(row, names, letters),
        "metadata": _metadata(row),
        "model_usage": {model: usage},
        "total_time": row["latency"],
        "working_time": row["latency"],
    }
    if row["error"] is not None:
        sample["error"] = {"message": row["error"], "traceback": "", "traceback_ansi": ""}
    return sample


def _answer(row: dict[str, Any]) -> str | None:
    """What the model wrote; where likelihoods were compared, the choice that had the greatest."""
    text: str | None = row["text"]
    return row["answer"] if text is None and row["likelihoods"] else text


def _with_thinking(answer: str | None, reasoning: str | None) -> Any:
    if not reasoning:
        return answer or ""
    return [{"type": "reasoning", "reasoning": reasoning}, {"type": "text", "text": answer or ""}]


def _scores(row: dict[str, Any], names: list[str], letters: bool) -> dict[str, Any]:
    if row["outcome"] in NOT_JUDGED:
        return {}
    found = {}
    for place, name in enumerate(names):
        value = row[name]
        if value is None or not math.isfinite(value):
            continue
        told = ("C" if value else "I") if letters and place == 0 else value
        score = {"value": told, "answer": row["answer"], "metadata": {"outcome": row["outcome"]}}
        found[name] = score | ({"explanation": row["explanation"]} if row["explanation"] else {})
    return found


def _metadata(row: dict[str, Any]) -> dict[str, Any]:
    own = msgspec.json.decode(row["metadata"] or "{}", type=dict[str, Any])
    kept = {
        name: row[name] for name in ("stratum", "cluster", "variant", "outcome", "first_token") if row[name] is not None
    }
    if row["likelihoods"]:
        kept["likelihoods"] = [{"logprob": x["logprob"], "tokens": x["tokens"]} for x in row["likelihoods"]]
    return own | {"howgood": kept}


def _message(message: Message) -> dict[str, Any]:
    content: Any = message.content
    if not isinstance(content, str):
        content = [
            {"type": "text", "text": part.text}
            if isinstance(part, Text)
            else {"type": "image", "image": f"data:{part.media_type};base64,{base64.b64encode(part.data).decode()}"}
            for part in content
        ]
    made: dict[str, Any] = {"role": message.role, "content": content}
    if message.tool_calls:
        made["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        made["tool_call_id"] = message.tool_call_id
    return made


def _call(call: ToolCall) -> dict[str, Any]:
    """A tool call; arguments that are no JSON object are kept as they were written."""
    made: dict[str, Any] = {"id": call.id, "function": call.name, "type": "function"}
    try:
        return made | {"arguments": msgspec.json.decode(call.arguments, type=dict[str, Any])}
    except (msgspec.DecodeError, RecursionError):
        return made | {"arguments": {"raw": call.arguments}, "parse_error": "the arguments are no JSON object"}


def _summary(sample: dict[str, Any]) -> dict[str, Any]:
    """A sample in the list of samples: long texts cut, and messages as their text."""
    made = {name: sample[name] for name in SUMMARIES if sample.get(name) is not None}
    if isinstance(made["input"], str):
        made["input"] = made["input"][:LONGEST]
    else:
        made["input"] = [m | {"content": _short(m["content"])} for m in made["input"]]
    if isinstance(made["target"], str):
        made["target"] = made["target"][:LONGEST]
    made["scores"] = {
        name: {key: value[:LONGEST] if isinstance(value, str) else value for key, value in score.items()}
        for name, score in made["scores"].items()
    }
    if "error" in made:
        made["error"] = made["error"]["message"][:LONGEST]
    made["completed"] = True
    made["message_count"] = len(sample["messages"])
    return made


def _short(content: Any) -> str:
    if isinstance(content, str):
        return content[:LONGEST]
    return "".join(part.get("text", "[image]") for part in content)[:LONGEST]
