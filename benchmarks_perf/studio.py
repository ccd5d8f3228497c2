"""How long the studio takes to answer, and what it holds, however many trials a run has; and beside `inspect view`.

Run: python benchmarks_perf/studio.py [--sizes 1000 100000 1000000] [--rounds 5] [--samples 20000] [--no-browser]

First the server alone: for each size a run (made here, every row of its own words), a studio in a process of its own,
and its pages: the time to the first byte of each, the first time and the median of the rest, the CPU seconds that the
server takes for one (two threads share the work), and its memory (resident) after each. Then one Inspect log of so many
samples, written by Inspect: `inspect view` and the studio (which has imported it) by turns, each in a fresh process and
a fresh Chromium (Debian's, by Playwright), until the table of samples shows; with the memory of the page's process, of
its JavaScript, and of the server. Medians.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from beside import child, installed, tell

GROUP = 10_000
WORDS = 60, 80
"""Words of a question and of an answer."""
BIN = Path(sys.executable).parent
LOG = "2026-01-01T00-00-00+00-00_sums_0001.eval"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


def make(folder: Path, n: int) -> None:
    """A run of n trials, each with its own words, written as columns straight away."""
    import polars as pl
    from polars.io.plugins import register_io_source

    from howgood.core.types import Estimate, Rules, Run, System, Usage
    from howgood.runs import columns, store

    schema = columns.schema(["exact_match"])
    draw = random.Random(0)
    words = [f"{draw.choice('bcdfgklmnprst')}{draw.choice('aeiou')}{i:x}" for i in range(5_000)]
    said = [[" ".join(draw.choices(words, k=k)) for k in WORDS] for _ in range(GROUP)]
    base = pl.DataFrame({"q": [q for q, _ in said], "a": [a for _, a in said], "k": range(GROUP)})

    def frames() -> Iterator[pl.DataFrame]:
        for start in range(0, n, GROUP):
            i = pl.col("k").cast(pl.Int64) + start
            question = pl.format("{} of case{}", pl.col("q"), i)
            right = (i * 7919) % 10 < 4
            rows = base.head(min(GROUP, n - start)).select(
                id=pl.format("q{}", i),
                epoch=pl.lit(0, pl.Int32),
                index=i,
                stratum=pl.format("subject {}", i % 57),
                input=question,
                prompt=pl.concat_str(pl.lit('[{"role":"user","content":"Answer. '), question, pl.lit('"}]')),
                text=pl.format("{} {}", pl.col("a"), i),
                answer=pl.format("{}", i % 1000),
                outcome=pl.when(right)
                .then(pl.lit("right"))
                .when(i % 50 == 1)
                .then(pl.lit("truncated"))
                .otherwise(pl.lit("wrong")),
                exact_match=right.cast(pl.Float64),
                input_tokens=100 + i % 400,
                output_tokens=20 + (i * 31) % 300,
                latency=0.2 + (i * 7919 % 9973) / 1e3,
                cost=1e-5 * (i % 97),
                replayed=pl.lit(False),
                retries=pl.lit(0, pl.Int32),
            )
            yield rows.select(
                rows[name].cast(kind).alias(name) if name in rows.columns else _empty(kind).alias(name)
                for name, kind in schema.items()
            )

    def source(*_: Any) -> Iterator[pl.DataFrame]:
        yield from frames()

    rules = Rules("sums", 1, {"instances": n}, {}, {}, {}, {})
    run = store.create(Run(str(n), "sums", {}, {}, System("m", {}), rules, {}, {}, "2026-01-01T00:00:00Z", n), folder)
    lazy = register_io_source(source, schema=schema)
    lazy.sink_parquet(run.path / "trials.parquet", row_group_size=GROUP, maintain_order=True)
    run.status, run.usage, run.cost = "finished", Usage(300 * n, 170 * n), 4.8e-4 * n
    counted = pl.scan_parquet(run.path / "trials.parquet").group_by("outcome").len().collect()
    run.outcomes = dict(counted.iter_rows())
    run.estimates = [Estimate("exact_match", 0.4, 0.01, 0.38, 0.42, n, "mean, Wilson", percent=True)]
    store.save(run)


def _empty(kind: Any) -> Any:
    import polars as pl

    return pl.lit([] if isinstance(kind, pl.List) else None, kind)


@contextmanager
def serving(*command: str) -> Iterator[int]:
    """A server of the environment's own programs, and its process's number; told to end afterwards."""
    process = subprocess.Popen(
        [str(BIN / command[0]), *command[1:]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait(port: int, path: str = "/") -> float:
    """Seconds until a server answers."""
    begun = time.perf_counter()
    while True:
        try:
            first_byte(port, path)
            return time.perf_counter() - begun
        except OSError:
            if time.perf_counter() - begun > 120:
                raise SystemExit(f"nothing answers on port {port}") from None
            time.sleep(0.02)


def first_byte(port: int, path: str) -> tuple[float, str]:
    """Seconds to the first byte of an answer, and the whole answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    begun = time.perf_counter()
    connection.request("GET", path, headers={"Accept": "text/html"})
    answer = connection.getresponse()
    took = time.perf_counter() - begun
    text = answer.read().decode(errors="replace")
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}: {text[:300]}")
    return took, text


def resident(process: int) -> float:
    """What a process and those it started hold, in MB."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,rss="], capture_output=True, text=True, check=True).stdout
    rows = [tuple(map(int, line.split())) for line in listed.splitlines()]
    family = {process}
    for _ in range(6):
        family |= {pid for pid, parent, _ in rows if parent in family}
    return sum(rss for pid, _, rss in rows if pid in family) / 1024


def worked(process: int) -> float:
    """CPU seconds that a process has taken so far."""
    times = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def server(n: int, rounds: int, folder: Path) -> None:
    run = f"/runs/{n}"
    pages = {
        "runs": "/",
        "run": run,
        "instances": f"{run}/trials",
        "filtered": f"{run}/trials?outcome=wrong&answer_min=300&latency_max=2",
        "sorted": f"{run}/trials?sort=-latency",
        "deep": f"{run}/trials?start={max(0, n - 100)}",
        "instance": f"{run}/trials/{n // 2}.0",
        "found, common": f"{run}/trials?q=Answer",
        "found, once": f"{run}/trials?q=case{n // 2 + 1}+",
        "figures": f"{run}/figures",
    }
    port = free()
    with serving("howgood", "studio", str(folder), "--port", str(port)) as process:
        wait(port)
        before = resident(process)
        for name, path in pages.items():
            first = first_byte(port, path)[0]
            spent = worked(process)
            then = statistics.median(first_byte(port, path)[0] for _ in range(rounds))
            spent = (worked(process) - spent) / rounds
            print(f"{n:>10,} {name:<14} {first:>8.3f} {then:>8.3f} {spent:>8.3f} {resident(process):>8.0f}", flush=True)
        print(f"{n:>10,} {'(at its start)':<14} {'':>26} {before:>8.0f}")


def write_log(folder: Path, n: int) -> None:
    """An Inspect log of n samples, by Inspect's own recorder, which does it as a run would: `write_eval_log` takes a
    time that grows with the square of n."""
    import asyncio

    from inspect_ai.log import (
        EvalConfig,
        EvalDataset,
        EvalMetric,
        EvalPlan,
        EvalResults,
        EvalSample,
        EvalScore,
        EvalSpec,
        EvalStats,
    )
    from inspect_ai.log._recorders.eval import EvalRecorder
    from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput
    from inspect_ai.scorer import Score

    draw = random.Random(0)
    words = [f"{draw.choice('bcdfgklmnprst')}{draw.choice('aeiou')}{i:x}" for i in range(5_000)]
    now = "2026-01-01T00:00:00+00:00"
    dataset = EvalDataset(name="sums", samples=n, sample_ids=[f"q{i}" for i in range(n)])
    spec = EvalSpec(created=now, task="sums", dataset=dataset, model="mockllm/model", config=EvalConfig())
    accuracy = {"accuracy": EvalMetric(name="accuracy", value=1 / 3)}
    score = EvalScore(name="match", scorer="match", metrics=accuracy)
    results = EvalResults(total_samples=n, completed_samples=n, scores=[score])

    def sample(i: int) -> EvalSample:
        question, answer = (" ".join(draw.choices(words, k=k)) for k in WORDS)
        return EvalSample(
            id=f"q{i}",
            epoch=1,
            input=question,
            target=str(i),
            messages=[ChatMessageUser(content=question), ChatMessageAssistant(content=answer)],
            output=ModelOutput.from_content("mockllm/model", answer),
            scores={"match": Score(value="C" if i % 3 == 0 else "I", answer=answer[:20])},
        )

    async def record() -> None:
        recorder = EvalRecorder(str(folder))
        await recorder.log_init(spec, str(folder / LOG))
        await recorder.log_start(spec, EvalPlan())
        for i in range(n):
            await recorder.log_sample(spec, sample(i))
            if i % 250 == 249:
                await recorder.flush(spec)
        await recorder.log_finish(spec, "success", EvalStats(started_at=now, completed_at=now), results, None)

    asyncio.run(record())


def browse(what: str, folder: str) -> None:
    """One program's table of samples, from the start of its server, in a browser of its own."""
    from playwright.sync_api import sync_playwright

    port = free()
    if what == "inspect":
        command = ["inspect", "view", "start", "--log-dir", folder, "--port", str(port)]
        path, rows = f"/#/logs/{LOG}/samples", "[class*=ag-row], [role=row]"
    else:
        command = ["howgood", "studio", f"{folder}/runs", "--port", str(port)]
        run = next(Path(folder, "runs").glob("*/run.json")).parent.name
        path, rows = f"/runs/{run}/trials", ".trials tbody tr"
    begun = time.perf_counter()
    with serving(*command) as process, sync_playwright() as playwright:
        wait(port)
        started = time.perf_counter() - begun
        flags = ["--no-sandbox", "--disable-gpu", "--enable-precise-memory-info"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        times = []
        for _ in range(2):  # the second time with what the first left in the browser
            begun = time.perf_counter()
            page.goto("about:blank")
            page.goto(f"http://127.0.0.1:{port}{path}", wait_until="commit")
            page.wait_for_function(
                SHOWN,
                arg=rows,
                timeout=120_000,
            )
            times.append(time.perf_counter() - begun)
        page.wait_for_timeout(1_500)
        heap = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
        tell(
            server_starts=started,
            first=times[0],
            again=times[1],
            heap=heap,
            page=renderers(),
            server=resident(process),
        )


# Some rows of the table hold a sample's name.
SHOWN = "rows => [...document.querySelectorAll(rows)].filter(row => /\\bq\\d+\\b/.test(row.innerText)).length > 3"


def renderers() -> float:
    """What the largest process of a page holds of those that this process started, in MB."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,rss=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 3) for line in listed.splitlines()]
    family = {str(os.getpid())}
    for _ in range(8):
        family |= {row[0] for row in rows if row[1] in family}
    return max(int(row[2]) for row in rows if row[0] in family and "--type=renderer" in row[3]) / 1024


FIGURES = {
    "server_starts": "starts s",
    "first": "table s",
    "again": "again s",
    "heap": "JS MB",
    "page": "page MB",
    "server": "server MB",
}


def beside_inspect(folder: Path, samples: int, rounds: int) -> None:
    names = installed(["howgood", "inspect"])
    if "inspect" not in names or CHROMIUM is None:
        raise SystemExit("this part needs inspect-ai and Chromium (CHROMIUM names its program)")
    if not (folder / LOG).exists():
        child(__file__, "--log", str(folder), samples)
    if not (folder / "runs").is_dir():
        environment = {**os.environ, "HOWGOOD_RUNS": str(folder / "runs")}
        subprocess.run([str(BIN / "howgood"), "import", str(folder)], check=True, env=environment, capture_output=True)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            found[name].append(child(__file__, "--browse", name, str(folder)))
    middle = {name: {k: statistics.median(r[k] for r in told) for k in FIGURES} for name, told in found.items()}
    print(f"\n{samples:,} samples   " + " ".join(f"{words:>10}" for words in FIGURES.values()))
    for name, m in middle.items():
        print(f"{name:<15} " + " ".join(f"{m[k]:>10.4g}" for k in FIGURES))
    print(f"{'ratio':<15} " + " ".join(f"{middle['inspect'][k] / middle['howgood'][k]:>10.3g}" for k in FIGURES))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--folder", help="keep what is made here, and use it again")
    parser.add_argument("--make", nargs=2)
    parser.add_argument("--log", nargs=2)
    parser.add_argument("--browse", nargs=2)
    given = parser.parse_args()
    if given.make:
        make(Path(given.make[0]), int(given.make[1]))
        tell()
    if given.log:
        write_log(Path(given.log[0]), int(given.log[1]))
        tell()
    if given.browse:
        browse(*given.browse)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(given.folder or temporary)
        print(f"{'trials':>10} {'page':<14} {'first s':>8} {'then s':>8} {'CPU s':>8} {'MB held':>8}")
        for n in given.sizes:
            runs = folder / f"runs-{n}"
            if not runs.is_dir():
                child(__file__, "--make", runs, n)
            server(n, given.rounds, runs)
        if not given.no_browser:
            (folder / "logs").mkdir(exist_ok=True)
            beside_inspect(folder / "logs", given.samples, given.rounds)


if __name__ == "__main__":
    main()
