"""Runs in the exchange format of the EvalEval coalition: Every Eval Ever 0.3.0 (arXiv:2606.14516).

A folder `data/<benchmark>/<developer>/<model>/` with `<uuid>.json`, the results, and `<uuid>_samples.jsonl`, a line for
each trial. What is not known of a model (who serves it, whether its weights are open) is said to be unknown.
"""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from pathlib import Path
from typing import Any

import msgspec

from howgood.core.types import NOT_JUDGED, Estimate, Message
from howgood.models.base import text_of
from howgood.runs.columns import score_names
from howgood.runs.interop.rows import as_prompt, rows
from howgood.runs.store import SavedRun

VERSION = "0.3.0"
ODD = ("truncated", "refused", "empty", "filtered", "unanswered", "unjudged", "unsupported")


def write(run: SavedRun, folder: Path) -> list[Path]:
    """Write the two files of a run below a folder. Trials without an answer that could be judged are left out of the
    samples, which must have a score."""
    from howgood.runs.interop.exporting import whole

    developer, _, model = run.system.name.rpartition("/")
    place = Path("data") / _plain(run.rules.benchmark) / _plain(developer or "unknown") / _plain(model)
    name = _uuid(run.id)
    results, samples = place / f"{name}.json", place / f"{name}_samples.jsonl"
    identity = f"{run.rules.benchmark}/{run.system.name}/{int(time.time())}"
    names = score_names(run.columns)
    with whole(folder / samples) as part:
        count, digest = _write_samples(run, part, identity, names)
    detailed = {
        "format": "jsonl",
        "file_path": samples.as_posix(),
        "hash_algorithm": "sha256",
        "checksum": digest,
        "total_rows": count,
    }
    record = _aggregate(run, identity, names) | {"detailed_evaluation_results": detailed}
    with whole(folder / results) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2))
    return [folder / results, folder / samples]


def _aggregate(run: SavedRun, identity: str, names: list[str]) -> dict[str, Any]:
    origin = run.origin
    library = (
        {"name": origin.program, "version": origin.version or "unknown"}
        if origin
        else {"name": "howgood", "version": str(run.environment.get("howgood", "unknown"))}
    )
    made = {
        "schema_version": VERSION,
        "evaluation_id": identity,
        "retrieved_timestamp": identity.rpartition("/")[2],
        "source_metadata": {
            "source_name": library["name"],
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "other",
        },
        "eval_library": library,
        "model_info": _model(run),
        "evaluation_results": [_result(run, one, names) for one in (*run.estimates, *run.groups)],
    }
    if run.started[:1].isdigit():
        made["evaluation_timestamp"] = run.started
    return made


def _model(run: SavedRun) -> dict[str, Any]:
    told = {key: str(value) for key, value in run.system.model.items() if isinstance(value, str | int | float | bool)}
    if run.system.methods:
        told["methods"] = " + ".join(run.system.methods)
    return {
        "name": run.system.label,
        "id": run.system.name,
        "additional_details": told | {"deployment_type": "unknown", "model_availability": "unknown"},
    }


def _result(run: SavedRun, estimate: Estimate, names: list[str]) -> dict[str, Any]:
    group = f" ({estimate.group})" if estimate.group else ""
    uncertainty: dict[str, Any] = {"num_samples": estimate.n}
    if estimate.se is not None:
        uncertainty["standard_error"] = {"value": estimate.se, "method": estimate.method}
    if max(abs(estimate.low), abs(estimate.high)) < 1e300:
        uncertainty["confidence_interval"] = {
            "lower": estimate.low,
            "upper": estimate.high,
            "confidence_level": estimate.level,
            "method": estimate.method,
        }
    # A continuous score must say where it ends; of one that is no share nothing narrower is known.
    ends: tuple[Any, Any] = (0.0, 1.0) if estimate.percent else ("-Infinity", "Infinity")
    return {
        "evaluation_result_id": f"{run.id}#{estimate.name}{group}",
        "evaluation_name": f"{run.rules.benchmark}{group}",
        "source_data": _data(run),
        "metric_config": {
            "metric_name": estimate.name,
            "evaluation_description": estimate.method,
            "lower_is_better": not estimate.higher_is_better,
            "score_type": "continuous",
            "min_score": ends[0],
            "max_score": ends[1],
        },
        "score_details": {"score": estimate.value, "uncertainty": uncertainty},
        "generation_config": _generation(run),
    }


def _data(run: SavedRun) -> dict[str, Any]:
    data = run.rules.data
    source = str(data.get("source", "unknown"))
    details = {key: str(data[key]) for key in ("revision", "digest", "split") if data.get(key)} | {"source": source}
    base = {"dataset_name": run.rules.benchmark, "additional_details": details}
    if hub := re.fullmatch(r"hub ([\w.-]+/[\w.-]+)(?: at \S+)?", source):
        samples = {"samples_number": data["instances"]} if data.get("instances") else {}
        return base | {"source_type": "hf_dataset", "hf_repo": hub[1]} | samples
    return base | {"source_type": "other"}


def _generation(run: SavedRun) -> dict[str, Any]:
    call = run.rules.call
    arguments = {
        name: call[name] for name in ("temperature", "top_p", "max_tokens") if isinstance(call.get(name), int | float)
    }
    details = {"rules_hash": run.rules.hash}
    for part in ("sample", "call", "outputs", "interpret"):
        details[part] = msgspec.json.encode(getattr(run.rules, part)).decode()
    return {"generation_args": arguments, "additional_details": details}


def _write_samples(run: SavedRun, path: Path, identity: str, names: list[str]) -> tuple[int, str]:
    count, made = 0, hashlib.sha256()
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        for row in rows(run):
            if not names or row["outcome"] in NOT_JUDGED or row[names[0]] is None:
                continue
            line = encode(_sample(run, row, identity, names)) + b"\n"
            made.update(line)
            file.write(line)
            count += 1
    return count, made.hexdigest()


def _sample(run: SavedRun, row: dict[str, Any], identity: str, names: list[str]) -> dict[str, Any]:
    transcript = msgspec.json.decode(row["transcript"] or "[]", type=tuple[Message, ...])
    reference = list(row["targets"] or [])
    raw = _as_words(row["input"])
    answer = row["text"] if row["text"] is not None else row["answer"] or ""
    made: dict[str, Any] = {
        "schema_version": VERSION,
        "evaluation_id": identity,
        "model_id": run.system.name,
        "evaluation_name": run.rules.benchmark,
        "evaluation_result_id": f"{run.id}#{run.estimates[0].name}" if run.estimates else f"{run.id}#{names[0]}",
        "sample_id": row["id"] if row["epoch"] == 0 else f"{row['id']}#{row['epoch'] + 1}",
        "sample_hash": hashlib.sha256((raw + "".join(reference)).encode()).hexdigest(),
        "interaction_type": "single_turn",
        "input": {"raw": raw, "formatted": row["prompt"], "reference": reference, "choices": row["choices"] or None},
        "output": {"raw": list(row["attempts"] or [answer])},
        "answer_attribution": [],
        "evaluation": {"score": row[names[0]], "is_correct": row["outcome"] == "right"},
        "token_usage": {
            "input_tokens": row["input_tokens"],
            "output_tokens": row["output_tokens"],
            "total_tokens": row["input_tokens"] + row["output_tokens"],
            "input_tokens_cache_read": row["cached_tokens"],
            "input_tokens_cache_write": row["cache_write_tokens"],
            "reasoning_tokens": row["reasoning_tokens"],
        },
        "error": row["outcome"] if row["outcome"] in ODD else None,
        "metadata": _details(row, names),
    }
    if row["reasoning"]:
        made["output"]["reasoning_trace"] = [row["reasoning"]]
    if row["latency"]:
        first = None if row["first_token"] is None else 1000 * row["first_token"]
        made["performance"] = {"latency_ms": 1000 * row["latency"], "time_to_first_token_ms": first}
    turn = 0
    if transcript:
        asked = as_prompt(row["prompt"])
        said = (*((Message("user", asked),) if isinstance(asked, str) else asked), *transcript)
        calls = sum(len(message.tool_calls) for message in said)
        made |= {
            "interaction_type": "agentic" if calls else "multi_turn",
            "output": None,
            "messages": [_message(place, message) for place, message in enumerate(said)],
        }
        made["evaluation"] |= {"num_turns": len(said), "tool_calls_count": calls}
        turn = len(said) - 1
    if row["answer"] is not None:
        place = f"messages[{turn}].content" if transcript else "output.raw"
        method = str(run.rules.outputs.get("kind", "custom"))
        made["answer_attribution"] = [
            {"turn_idx": turn, "source": place, "extracted_value": row["answer"], "extraction_method": method,
             "is_terminal": True}
        ]  # fmt: skip
    return made


def _details(row: dict[str, Any], names: list[str]) -> dict[str, str]:
    found = {
        key: row[key] for key in ("stratum", "cluster", "variant", "outcome", "cost", *names) if row[key] is not None
    }
    return {key: str(value) for key, value in found.items()}


def _message(place: int, message: Message) -> dict[str, Any]:
    made: dict[str, Any] = {"turn_idx": place, "role": message.role, "content": text_of(message)}
    if message.tool_calls:
        made["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": {"json": call.arguments}} for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        made["tool_call_id"] = [message.tool_call_id]
    return made


def _as_words(written: str) -> str:
    """An input as text: of a conversation all that is said in it."""
    prompt = as_prompt(written)
    return prompt if isinstance(prompt, str) else "\n\n".join(text_of(message) for message in prompt)


def _plain(name: str) -> str:
    """A name as a folder's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80] or "unknown"


def _uuid(run: str) -> str:
    """A name of the form that the format asks for (UUID 4), the same for one run each time."""
    return str(uuid.UUID(bytes=hashlib.sha256(run.encode()).digest()[:16], version=4))
