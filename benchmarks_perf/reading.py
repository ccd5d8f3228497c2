"""How long one waits for the trials of a run that has ended.

Run: python benchmarks_perf/reading.py [--rounds 5]. Makes runs of 20,000 and of 1,000,000 trials (the second takes a
minute or two), then reads them in fresh processes: the whole table of the small one; of the large one the first page of
50 rows with every column, one score, and two first pages as the studio shows them: the wrong answers of one subject
that took long, and all trials in whose words a number stands, the slowest first. Prints medians of wall and CPU seconds
without the imports, and peak memory.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from beside import child, medians, tell

SIZES = {"table": 20_000, "page": 1_000_000, "score": 1_000_000, "filter": 1_000_000, "search": 1_000_000}
PAGE = 50


def make(folder: Path, n: int) -> None:
    """A run's folder with n trials that were answered by nobody in particular."""
    from howgood.core.types import Instance, Message, Prediction, Rules, Run, Score, System, Trial, Usage
    from howgood.runs import columns, store
    from howgood.runs.journal import Journal

    rules = Rules("sums", 1, {}, {}, {}, {}, {})
    run = store.create(Run(str(n), "sums", {}, {}, System("m", {}), rules, {}, {}, "2026-01-01", n), folder)
    journal = Journal(run.path)
    for i in range(n):
        question, right = f"What is {i} + {i + 1}?", i % 3 == 0
        answer = str(2 * i + 2 - right)
        prediction = Prediction(
            text=f"The answer is {answer}.",
            stop_reason="stop",
            usage=Usage(9, 5),
            latency=0.2 + i % 97 / 1e3,
            cost=1e-5,
        )
        score = Score({"exact_match": float(right)}, "right" if right else "wrong", answer=answer)
        instance = Instance(f"q{i}", question, targets=(str(2 * i + 1),), stratum=f"subject {i % 57}")
        journal.write(Trial(instance, i, 0, (Message("user", question),), prediction, score))
    journal.close()
    held = columns.contents(run.path)
    columns.compact(run.path, held)
    run.status = "finished"
    store.save(run)
    for path in held.files:
        path.unlink()


def part(what: str, folder: str) -> None:
    import duckdb  # noqa: F401
    import polars  # noqa: F401

    from howgood.runs import store

    wall, cpu = time.perf_counter(), time.process_time()
    run = store.load(Path(folder) / str(SIZES[what]))
    if what == "table":
        frame = run.trials
    elif what == "page":
        frame = run.page(0, PAGE)
    elif what == "score":
        frame = run.read(["exact_match"])
    else:
        from howgood.studio.filters import Filter
        from howgood.studio.trials import Trials

        wrong = Filter(outcome=("wrong",), group="subject 7", latency_min=0.25, cost_min=1e-6)
        asked, sort = (wrong, "index") if what == "filter" else (Filter(q="777"), "-latency")
        with Trials(run) as trials:
            frame = trials.page(asked, sort, 0, PAGE, ("input", "answer", "outcome", "latency", "cost")).rows
    tell(rows=len(frame), wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--part", nargs=2)
    parser.add_argument("--make", nargs=2)
    given = parser.parse_args()
    if given.part:
        part(*given.part)
    if given.make:
        make(Path(given.make[0]), int(given.make[1]))
        tell()
    with tempfile.TemporaryDirectory() as folder:
        for n in sorted({*SIZES.values()}):
            child(__file__, "--make", folder, n)
        print(f"{'what':<7} {'trials':>10} {'rows read':>10} {'wall s':>8} {'CPU s':>8} {'MB':>6}")
        for what, n in SIZES.items():
            rounds: list[dict[str, Any]] = [child(__file__, "--part", what, folder) for _ in range(given.rounds)]
            m = medians(rounds)
            print(f"{what:<7} {n:>10,} {m['rows']:>10,} {m['wall']:>8.3f} {m['cpu']:>8.3f} {m['mb']:>6.0f}")


if __name__ == "__main__":
    main()
