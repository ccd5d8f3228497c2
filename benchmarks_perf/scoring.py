"""howgood and lm-evaluation-harness score the same requests on the same weights, alternately, each in a process of its
own; numbers compared, wall and CPU time, peak memory, tokens forwarded against nodes of the trie.

    python benchmarks_perf/scoring.py [mmlu hellaswag wikitext] [--rounds 3] [--subjects A,B] [--questions 50]
        [--hellaswag 200] [--pages 8] [--batch-sizes 1,4,16]

Needs the extra `perf` and the folder ../shared/data (or HOWGOOD_DATA). The requests are those that lm-eval 0.4.13 makes
of its own tasks: MMLU 5-shot in 4 subjects, HellaSwag, WikiText-2. lm-eval gets the batch size that is fastest for it
on an eighth of them. A side's time is that of its answers, from strings to log-likelihoods; loading the weights and a
request to warm up are not in it. Ends with 1 when a log-likelihood differs by more than 1e-4 (or 1e-5 of itself, which
is more for endings and texts of many tokens: float32 rounds each), or a score differs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "agreement"))

import lm_eval_agreement as agreement  # noqa: E402

SPINS = "300000"
"""GNU OpenMP's own default where nothing is set (libgomp's manual, GOMP_SPINCOUNT)."""
SUBJECTS = "abstract_algebra,anatomy,astronomy,business_ethics"

Request = dict[str, Any]
"""One of lm-eval's requests: `key` (task and document), `strings`, `document`."""


# The requests


def mmlu(subjects: str, questions: int, folder: Path) -> list[str]:
    tasks = []
    rows = {name: list(agreement.lines(agreement.SHARED / "mmlu" / name)) for name in ("test.jsonl.gz", "dev.jsonl")}
    for subject in subjects.split(","):
        test, dev = ([row for row in each if row["subject"] == subject] for each in rows.values())
        files = {
            "test": agreement.write(folder / f"{subject}-test.json", test[:questions]),
            "dev": agreement.write(folder / f"{subject}-dev.json", dev),
        }
        tasks.append(agreement.define(f"mmlu/default/mmlu_{subject}.yaml", folder, files))
    return tasks


def requests_of(tasks: list[str], folder: Path) -> list[Request]:
    """What lm-eval would ask a model for these tasks."""
    from lm_eval.api.model import LM
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    asked: list[Request] = []

    def note(requests: list[Any]) -> None:
        asked.extend(
            {"key": f"{r.task_name}/{r.doc_id:06d}", "strings": list(r.args), "document": r.doc} for r in requests
        )

    class Recorder(LM):  # type: ignore[misc]
        def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
            note(requests)
            return [(0.0, False)] * len(requests)

        def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
            note(requests)
            return [0.0] * len(requests)

        def generate_until(self, requests: list[Any]) -> list[str]:
            raise NotImplementedError

    manager = TaskManager(include_path=folder, include_defaults=False)
    shots = 5 if tasks[0].startswith("mmlu") else 0
    simple_evaluate(Recorder(), tasks=tasks, num_fewshot=shots, task_manager=manager, bootstrap_iters=0)
    return asked


# The two sides, each called in a process of its own


def time_of(work: Any) -> tuple[Any, dict[str, float]]:
    cpu, wall = time.process_time(), time.perf_counter()
    found = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found, {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "peak": peak}


def lm_eval(asked: list[Request], batch_size: int) -> dict[str, Any]:
    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    from howgood.models.embedded import smollm2_path
    from howgood.models.huggingface import HuggingFaceModel, load

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    checkpoint = HuggingFaceModel("smollm2", str(smollm2_path()))._checkpoint
    weights = load.load_weights(checkpoint, torch.float32, torch.device("cpu"))
    model = HFLM(pretrained=weights, tokenizer=load.load_tokenizer(checkpoint), batch_size=batch_size)
    rolling = len(asked[0]["strings"]) == 1
    kind = "loglikelihood_rolling" if rolling else "loglikelihood"
    send = getattr(model, kind)
    warm = ("The model",) if rolling else ("The", " model")
    send([Instance(kind, {}, warm, 0)], disable_tqdm=True)
    instances = [Instance(kind, r["document"], tuple(r["strings"]), n) for n, r in enumerate(asked)]
    found, taken = time_of(lambda: send(instances, disable_tqdm=True))
    return taken | {"logprobs": [float(a if isinstance(a, float) else a[0]) for a in found]}


def howgood(asked: list[Request]) -> dict[str, Any]:
    from howgood.core.types import Loglikelihood, Prediction, Rolling
    from howgood.models.embedded import smollm2_path
    from howgood.models.huggingface import HuggingFaceModel, network, plan

    forwarded = 0
    usual = network.Network.states

    def counted(self: Any, tokens: Any, *rest: Any) -> Any:
        nonlocal forwarded
        forwarded += tokens.numel()
        return usual(self, tokens, *rest)

    model = HuggingFaceModel("smollm2", str(smollm2_path()))
    groups: dict[str, list[str]] = {}
    for request in asked:
        groups.setdefault(request["key"], []).append(request["strings"])

    async def send(group: list[Any]) -> Prediction:
        if len(group[0]) == 1:
            return await model.loglikelihood_rolling(Rolling(group[0][0]))
        return await model.loglikelihood(Loglikelihood(group[0][0], tuple(strings[1] for strings in group)))

    async def send_all() -> list[Prediction]:
        return await asyncio.gather(*map(send, groups.values()))

    asyncio.run(model.loglikelihood(Loglikelihood("The", (" model",))))
    network.Network.states = counted  # type: ignore[method-assign]
    found, taken = time_of(lambda: asyncio.run(send_all()))
    logprobs = [likelihood.logprob for prediction in found for likelihood in prediction.likelihoods]
    encoder = model._encoder
    items = [
        item
        for group in groups.values()
        for item in (
            encoder.windows(group[0][0], None, 1)
            if len(group[0]) == 1
            else encoder.continuations(group[0][0], [strings[1] for strings in group])
        )
    ]
    items.sort(key=lambda item: tuple(item.inputs))
    read = {(*item.inputs[:place],) for item in items for place in range(item.first + 1, len(item.inputs) + 1)}
    config = model._config
    layer = 2 * config.hidden_size * (config.num_attention_heads + config.num_key_value_heads) * config.head_dim
    layer += 3 * config.hidden_size * config.intermediate_size
    head = config.hidden_size * config.vocab_size
    return taken | {
        "logprobs": logprobs,
        "forwarded": forwarded,
        "nodes": len(plan.fold(items)),
        "whole": sum(len(item.inputs) for item in items),
        "gflop": 2 * (config.num_hidden_layers * layer * forwarded + head * len(read)) / 1e9,
        "peak_gflops": matmul_peak(),
    }


def matmul_peak() -> float:
    """The most GFLOP/s per second of CPU time that torch multiplies float32 matrices with here."""
    import torch

    a, b = torch.randn(1024, 2048), torch.randn(2048, 2048)
    best = 0.0
    for multiply in (
        torch.nn.functional.linear,
        lambda x, w: torch.ops.mkldnn._linear_pointwise(x, w, None, "none", [], ""),
    ):
        for _ in range(5):
            start = time.process_time()
            multiply(a, b)
            best = max(best, 2 * 1024 * 2048 * 2048 / 1e9 / (time.process_time() - start))
    return best


def side(name: str, path: Path, batch_size: int = 1, part: int = 1) -> dict[str, Any]:
    """Run one side in a process of its own on every `part`th request."""
    command = [sys.executable, __file__, "--side", name, "--requests", str(path), "--batch", str(batch_size)]
    # howgood shortens how long torch's threads spin, in the whole process; lm-eval's threads do as they do without it.
    environment = os.environ | ({"GOMP_SPINCOUNT": SPINS} if name == "lm-eval" else {})
    done = subprocess.run([*command, "--part", str(part)], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run_side(given: argparse.Namespace) -> None:
    asked = json.loads(given.requests.read_text())
    keys = list(dict.fromkeys(request["key"] for request in asked))
    some = set(keys[:: given.part])
    asked = [request for request in asked if request["key"] in some]
    print(json.dumps(lm_eval(asked, given.batch) if given.side == "lm-eval" else howgood(asked)))


# The comparison


def score_of(asked: list[Request], logprobs: list[float]) -> float:
    """Accuracy, or perplexity per word."""
    documents: dict[str, list[float]] = {}
    facts = {}
    for request, logprob in zip(asked, logprobs, strict=True):
        documents.setdefault(request["key"], []).append(logprob)
        facts[request["key"]] = request["document"]
    if len(asked[0]["strings"]) == 1:
        words = sum(len(document["page"].split()) for document in facts.values())
        return math.exp(-math.fsum(logprobs) / words)
    right = [
        found.index(max(found)) == int(facts[key].get("gold", facts[key].get("answer", facts[key].get("label"))))
        for key, found in documents.items()
    ]
    return sum(right) / len(right)


def compare(name: str, asked: list[Request], path: Path, rounds: int, batch_sizes: list[int]) -> bool:
    asked.sort(key=lambda request: request["key"])
    path.write_text(json.dumps(asked))
    part = 8 if len(asked) >= 64 else 1
    tried = {size: side("lm-eval", path, size, part)["cpu"] for size in batch_sizes} if len(batch_sizes) > 1 else {}
    best = min(tried, key=lambda size: tried[size], default=batch_sizes[0])
    runs: dict[str, list[dict[str, Any]]] = {"lm-eval": [], "howgood": []}
    for _ in range(rounds):
        for each, found in runs.items():
            found.append(side(each, path, best))
    theirs, mine = runs["lm-eval"][0], runs["howgood"][0]
    pairs = list(zip(theirs["logprobs"], mine["logprobs"], strict=True))
    worst = max(abs(a - b) for a, b in pairs)
    same = all(math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-4) for a, b in pairs)
    scores = [score_of(asked, found["logprobs"]) for found in (theirs, mine)]
    same = same and math.isclose(*scores, rel_tol=1e-6)
    print(
        f"\n{name}: {len(asked)} requests; lm-eval with batches of {best}",
        *(f"({n}: {s:.1f} s CPU)" for n, s in tried.items()),
    )
    print(f"{'':10}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'score':>9}")
    medians = {}
    for (each, found), score in zip(runs.items(), scores, strict=True):
        medians[each] = {what: statistics.median(run[what] for run in found) for what in ("wall", "cpu", "peak")}
        values = medians[each]
        print(f"{each:10}{values['wall']:9.1f}{values['cpu']:9.1f}{values['peak']:9.0f}{score:9.4f}")
    wall, cpu = (medians["lm-eval"][what] / medians["howgood"][what] for what in ("wall", "cpu"))
    print(f"faster: {wall:.2f} times by wall time, {cpu:.2f} by CPU time; largest difference {worst:.1e}, same: {same}")
    share = mine["gflop"] / medians["howgood"]["cpu"] / mine["peak_gflops"]
    ratio = mine["forwarded"] / mine["nodes"]
    print(
        f"tokens forwarded / trie nodes: {mine['forwarded']} / {mine['nodes']} = {ratio:.3f} "
        f"(each request whole: {mine['whole']}); matrix products of weights: {mine['gflop']:.0f} GFLOP, "
        f"{share:.0%} of the measured peak ({mine['peak_gflops']:.0f} GFLOP/s a core)",
        flush=True,
    )
    return same


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["mmlu", "hellaswag", "wikitext"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=50, help="of MMLU, in each subject")
    parser.add_argument("--subjects", default=SUBJECTS, help="of MMLU")
    parser.add_argument("--hellaswag", type=int, default=200, help="questions of HellaSwag")
    parser.add_argument("--pages", type=int, default=8, help="of WikiText-2, of 62")
    parser.add_argument("--batch-sizes", default="1,4,16", help="that lm-eval may choose from")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--requests", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--part", type=int, default=1, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        run_side(given)
        return 0
    make = {
        "mmlu": lambda folder: mmlu(given.subjects, given.questions, folder),
        "hellaswag": lambda folder: agreement.hellaswag(given.hellaswag, folder),
        "wikitext": lambda folder: agreement.wikitext(given.pages, folder),
    }
    fine = True
    sizes = [int(size) for size in given.batch_sizes.split(",")]
    with tempfile.TemporaryDirectory() as name:
        os.environ |= {"HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": name}
        for what in given.what:
            folder = Path(name) / what
            folder.mkdir()
            asked = requests_of(make[what](folder), folder)
            fine = compare(what, asked, folder / "requests.json", given.rounds, sizes) and fine
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
