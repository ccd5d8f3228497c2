"""The real Inspect, in a process of its own: it changes the standard library's zipfile.

python inspect_peer.py write FOLDER      a log in each of its formats, of one task of six samples
python inspect_peer.py read FILE...      what it reads in logs, as JSON
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TASK = "adding"


def write(folder: Path) -> None:
    from inspect_ai import Task
    from inspect_ai import eval as run
    from inspect_ai.dataset import Sample
    from inspect_ai.log._recorders.chunked.convert import convert_eval_logs_to_chunked
    from inspect_ai.model import ChatMessageUser, ContentImage, ContentText, ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import includes, match
    from inspect_ai.solver import generate, system_message

    image = ContentImage(image="data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
                               "YPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")  # fmt: skip
    seen = Sample(id="image", input=[ChatMessageUser(content=[ContentText(text="Look."), image])], target="7")
    samples = [seen, *(Sample(id=f"q{i}", input=f"{i}+1?", target=str(i + 1), metadata={"k": i}) for i in range(5))]

    def outputs() -> Any:
        for count in range(1_000):
            made = ModelOutput.from_content("mockllm/model", f"It is {count % 8}")
            made.usage = ModelUsage(input_tokens=10, output_tokens=3, total_tokens=33, input_tokens_cache_read=20)
            yield made

    solver = [system_message("Add."), generate()]
    task = Task(dataset=samples, solver=solver, scorer=[match(), includes()], name=TASK, epochs=2)
    for format in ("eval", "json"):
        model = get_model("mockllm/model", custom_outputs=outputs(), memoize=False)
        [log] = run(task, model=model, log_dir=str(folder / format), log_format=format, display="none", max_samples=1)
        assert log.status == "success", log.error
    convert_eval_logs_to_chunked(str(folder / "eval"), str(folder / "chunked"))


def read(paths: list[str]) -> list[dict[str, Any]]:
    from inspect_ai.analysis import samples_df
    from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries

    found = []
    for path in paths:
        log = read_eval_log(path)
        summaries = read_eval_log_sample_summaries(path)
        assert log.results is not None
        found.append({
            "status": log.status,
            "task": log.eval.task,
            "model": log.eval.model,
            "scores": {s.name: {m.name: m.value for m in s.metrics.values()} for s in log.results.scores},
            "samples": [json.loads(sample.model_dump_json()) for sample in log.samples or []],
            "summaries": len(summaries),
            "rows": len(samples_df(path)),
        })  # fmt: skip
    return found


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    else:
        print(json.dumps(read(sys.argv[2:])))
