"""What a cached answer costs: howgood's response cache beside its peers'.

Run: python benchmarks_perf/cache.py [--requests 20000] [--run]. A peer that is not installed is left out: diskcache
(pip install diskcache), and sqlitedict with autocommit, which lm-evaluation-harness keeps its answers in. Peers get the
same digests as keys and the same predictions as values, one after the other, as they are used; howgood's are asked for
through the whole model by 32 workers. A store is counted until it outlives the process. `--run` adds whole runs of as
many trials, the last all out of the cache. Prints wall and CPU microseconds for one request, and the ratio of wall time
to ours.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from howgood.core.types import Generate, Message, Prediction, Usage
from howgood.models.base import Capabilities, Model
from howgood.models.cache import Cached, Keys
from howgood.models.responses import Responses

WORKERS = 32
Figures = dict[tuple[str, str], tuple[float, float]]


class Instant(Model):
    """Answers at once, with as many words as a short chain of thought has."""

    name = "bench/instant"
    capabilities = Capabilities(generate=True, chat=True)

    async def generate(self, request: Generate) -> Prediction:
        return answer(request)


def answer(request: Generate) -> Prediction:
    text = " ".join(f"step {n} of {request.seed}" for n in range(60))
    return Prediction(text=text, stop_reason="stop", usage=Usage(input=900, output=240), latency=1.25, cost=0.0031)


def requests(n: int) -> list[Generate]:
    """Requests of some 4,000 characters each, as few-shot questions are."""
    header = Message("system", "Answer the question as the examples do. " * 80)
    return [Generate((header, Message("user", f"question {i} " * 50)), temperature=0.7, seed=i) for i in range(n)]


@contextmanager
def timed(figures: Figures, who: str, what: str, n: int) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    figures[who, what] = (time.perf_counter() - wall) / n * 1e6, (time.process_time() - cpu) / n * 1e6


async def ours(folder: Path, asked: list[Generate], figures: Figures) -> None:
    model = Cached(Instant(), Responses(folder / "howgood.sqlite"))

    async def work(left: Iterator[Generate]) -> None:
        for request in left:
            await model.send(request)

    for what in ("store", "look up"):
        left = iter(asked)
        with timed(figures, "howgood", what, len(asked)):
            await asyncio.gather(*(work(left) for _ in range(WORKERS)))


def peer(
    who: str,
    asked: list[Generate],
    figures: Figures,
    put: Callable[[str, Prediction], object],
    get: Callable[[str], object],
) -> None:
    keys = Keys(Instant())
    with timed(figures, who, "store", len(asked)):
        for request in asked:
            key = keys(request).digest.hex()
            if get(key) is None:
                put(key, answer(request))
    with timed(figures, who, "look up", len(asked)):
        for request in asked:
            assert get(keys(request).digest.hex()) is not None


def peers(folder: Path, asked: list[Generate], figures: Figures) -> None:
    if importlib.util.find_spec("diskcache"):
        import diskcache

        store = diskcache.Cache(str(folder / "diskcache"))
        peer("diskcache", asked, figures, store.set, store.get)
        store.close()
    if importlib.util.find_spec("sqlitedict"):
        import sqlitedict

        held = sqlitedict.SqliteDict(str(folder / "sqlitedict.sqlite"), autocommit=True)

        def put(key: str, prediction: Prediction) -> None:
            held[key] = prediction
            held.commit(blocking=True)  # autocommit alone returns before anything is written

        peer("sqlitedict", asked, figures, put, held.get)
        held.close()


def runs(folder: Path, n: int) -> None:
    import howgood as hg

    data = folder / "numbers.jsonl"
    data.write_text("".join(json.dumps({"q": f"number {i}", "a": "4"}) + "\n" for i in range(n)))
    os.environ |= {"HOWGOOD_CACHE": str(folder / "runs.sqlite"), "HOWGOOD_RUNS": str(folder / "runs")}
    for cache, what in ((False, "without a cache"), (True, "storing all"), (True, "replaying all")):
        wall, cpu = time.perf_counter(), time.process_time()
        options = {"cache": cache, "ask": "{q}", "answer": "a", "temperature": 0.7}
        run = hg.run(str(data), "reference/constant,text=4", **options)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        replayed = run.trials["replayed"].sum()
        print(f"run of {n:,} trials, {what}: {wall:.2f} s, CPU {cpu:.2f} s, {replayed:,} replayed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--run", action="store_true")
    given = parser.parse_args()
    figures: Figures = {}
    asked = requests(given.requests)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(ours(folder, asked, figures))
        peers(folder, asked, figures)
        print(f"{'what':<8} {'who':<12} {'wall us':>8} {'CPU us':>8} {'each s':>10} {'ratio':>6}")
        for (who, what), (wall, cpu) in sorted(figures.items(), key=lambda item: (item[0][1], item[1])):
            ratio = wall / figures["howgood", what][0]
            print(f"{what:<8} {who:<12} {wall:>8.0f} {cpu:>8.0f} {1e6 / wall:>10,.0f} {ratio:>6.1f}")
        if given.run:
            runs(folder, given.requests)


if __name__ == "__main__":
    main()
