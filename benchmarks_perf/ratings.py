"""What ratings with intervals cost, beside arena-rank and evalica, on the same votes.

Run: python benchmarks_perf/ratings.py [--votes 4000000] [--models 200] [--rounds 3] [--peers PYTHON] [--style]

Votes are drawn from known ratings, models as unevenly met as in an arena, 30 % ties (none with --style). Every
measurement is a process of its own that reads the votes as integer codes (from names too, for what a file takes), and
times only the work: sums, ratings and 95 % intervals (evalica has none). Rounds alternate. Prints the median CPU and
wall seconds, the peak memory of the process and what the work added to it, and how far the ratings are from ours in
points.

arena-rank pins numpy and jax to other versions than ours may be, so the peers may live in an environment of their own:
python -m venv PEERS, PEERS/bin/pip install arena-rank==0.1.1 evalica==0.4.2, then --peers PEERS/bin/python. A peer that
is not there is left out. Linear algebra is held to one thread, or waiting threads would count as work.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SCALE = 400 / np.log(10)
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
Votes = dict[str, Any]


def drawn(votes: int, models: int, ties: float, seed: int = 0) -> Votes:
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, models + 1) ** 0.7
    share /= share.sum()
    a, b = (rng.choice(models, votes, p=share).astype(np.int16) for _ in "ab")
    b = np.where(a == b, (b + 1) % models, b).astype(np.int16)
    truth = rng.normal(0, 1, models)
    z = rng.normal(0, 1, (votes, 4)).astype(np.float32)
    p = 1 / (1 + np.exp(-(truth[a] - truth[b] + z @ np.array([0.25, 0.05, 0.1, 0.0]))))
    outcome = np.where(rng.random(votes) < ties, 2, np.where(rng.random(votes) < p, 0, 1)).astype(np.int8)
    return {"a": a, "b": b, "outcome": outcome, "z": z, "models": models}


def ours(votes: Votes) -> Callable[[], Any]:
    from howgood.interpret import joint
    from howgood.interpret.rating import graph, ranks
    from howgood.interpret.rating.fit import fit
    from howgood.interpret.rating.votes import tally

    a, b, outcome, models = (votes[name] for name in ("a", "b", "outcome", "models"))

    def work() -> Any:
        """Ratings, own and joint intervals, ranks that hold at once, the probability of the best, and connectivity."""
        summed = tally(a, b, outcome, models)
        graph.groups(summed)
        found = fit(summed)
        se = np.sqrt(np.diag(found.spread))
        draws = joint.deviations(found.spread)
        joint.critical(draws, se)
        ranks.rank_intervals(found.ratings, found.spread, drawn=draws)
        ranks.best(found.ratings + draws)
        return found.ratings * SCALE, se * SCALE

    return work


def ours_styled(votes: Votes) -> Callable[[], Any]:
    from howgood.interpret.rating.fit import fit
    from howgood.interpret.rating.votes import each

    a, b, outcome, models, z = (votes[name] for name in ("a", "b", "outcome", "models", "z"))

    def work() -> Any:
        found = fit(each(a, b, outcome, models, z.astype(float)))
        return found.ratings * SCALE, np.sqrt(np.diag(found.spread)) * SCALE, found.style.tolist()

    return work


def ours_from_names(votes: Votes) -> Callable[[], Any]:
    from howgood.interpret.rating.battles import read
    from howgood.interpret.rating.fit import fit
    from howgood.interpret.rating.votes import tally

    path = votes["file"]

    def work() -> Any:
        battles = read(path)
        found = fit(tally(battles.a, battles.b, battles.outcome, len(battles.models)))
        order = [battles.models.index(f"model-{i:04}") for i in range(votes["models"])]
        return found.ratings[order] * SCALE, np.sqrt(np.diag(found.spread))[order] * SCALE

    return work


def arena_rank(votes: Votes) -> Callable[[], Any]:
    from arena_rank.models.bradley_terry import BradleyTerry
    from arena_rank.utils.data_utils import PairDataset

    frame = named(votes)

    def work() -> Any:
        data = PairDataset.from_pandas(frame)
        model = BradleyTerry(n_competitors=len(data.competitors))
        return by_name(model.compute_ratings_and_cis(data, significance_level=0.05))

    return work


def arena_rank_styled(votes: Votes, reg: float = 0.0) -> Callable[[], Any]:
    from arena_rank.models.contextual_bradley_terry import ContextualBradleyTerry
    from arena_rank.utils.data_utils import ContextualPairDataset

    columns = {f"z{k}": votes["z"][:, k] for k in range(4)}
    frame = named(votes).assign(**columns)

    def work() -> Any:
        data = ContextualPairDataset.from_pandas(frame, feature_cols=list(columns), reweighted=False)
        model = ContextualBradleyTerry(n_competitors=len(data.competitors), n_features=4, reg=reg)
        return by_name(model.compute_ratings_and_cis(data, significance_level=0.05))

    return work


def named(votes: Votes) -> Any:
    import pandas as pd

    names = np.array([f"model-{i:04}" for i in range(votes["models"])])
    words = np.array(["model_a", "model_b", "tie"])
    return pd.DataFrame({"model_a": names[votes["a"]], "model_b": names[votes["b"]], "winner": words[votes["outcome"]]})


def by_name(found: dict[str, Any]) -> tuple[Any, ...]:
    """arena-rank's ratings and standard errors in order of name, and the weights of style."""
    order = np.argsort(found["competitors"])
    rating, low, high = (np.asarray(found[x])[order] for x in ("ratings", "rating_lower", "rating_upper"))
    style = [np.asarray(found["coeffs"]).tolist()] if "coeffs" in found else []
    return rating, (high - low) / 2 / 1.959964, *style


def evalica(votes: Votes) -> Callable[[], Any]:
    import evalica as peer
    import pandas as pd

    words = np.array([peer.Winner.X, peer.Winner.Y, peer.Winner.Draw])
    names = [f"model-{i:04}" for i in range(votes["models"])]
    first, second = (np.array(names)[votes[side]].tolist() for side in "ab")
    winners, index = words[votes["outcome"]].tolist(), pd.Index(names)

    def work() -> Any:
        scores = peer.bradley_terry(first, second, winners, index=index).scores
        return np.log(scores.reindex(names).to_numpy()) * SCALE, None

    return work


KINDS = {
    "howgood": ours,
    "arena-rank": arena_rank,
    "evalica": evalica,
    "howgood, from a parquet file": ours_from_names,
    "howgood, style": ours_styled,
    "arena-rank, style": arena_rank_styled,
    "arena-rank, style, its own penalty": functools.partial(arena_rank_styled, reg=1.0),
}


def measure(kind: str, folder: Path) -> None:
    """One process: read the votes, warm up on a few others, do the work, and tell what it took."""
    KINDS[kind](read(folder / "few", "style" in kind))()
    work = KINDS[kind](read(folder / "all", "style" in kind))
    before, wall, cpu = resident("VmRSS"), time.perf_counter(), time.process_time()
    rating, se, *more = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resident("VmHWM")
    told = {"wall": wall, "cpu": cpu, "peak": peak, "added": peak - before, "style": more[0] if more else None}
    told["rating"] = (np.asarray(rating) - np.mean(rating)).tolist()
    told["se"] = None if se is None else np.asarray(se).tolist()
    print("RESULT" + json.dumps(told))


def read(folder: Path, style: bool) -> Votes:
    votes: Votes = {name: np.load(folder / f"{name}.npy") for name in ("a", "b", "outcome", *(("z",) if style else ()))}
    return votes | {"models": int((folder / "models").read_text()), "file": folder / "battles.parquet"}


def resident(name: str) -> float:
    """Memory of this process in MiB: VmRSS now, VmHWM at most."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def run(kind: str, folder: Path, python: str, threads: bool) -> dict[str, Any] | None:
    environment = {**os.environ, **({} if threads else ONE_THREAD), "PYTHONPATH": ""}
    command = [python, __file__, "--measure", kind, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    if not lines:
        last = done.stderr.strip().splitlines()[-1:] or ["no output"]
        print(f"{kind}: left out ({last[0][:160]})", file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(lines[0].removeprefix("RESULT"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--votes", type=int, default=4_000_000)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default=sys.executable, help="a Python that has arena-rank and evalica")
    parser.add_argument("--style", action="store_true", help="the style-controlled fits, on at most a million votes")
    parser.add_argument("--threads", action="store_true", help="let linear algebra have its threads")
    parser.add_argument("--measure", choices=KINDS)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if shutil.which(given.peers) is None:
        parser.error(f"there is no Python at {given.peers}")
    if given.measure:
        measure(given.measure, given.folder)
        return
    kinds = [kind for kind in KINDS if ("style" in kind) == given.style]
    count = min(given.votes, 1_000_000) if given.style else given.votes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ties = 0.0 if given.style else 0.3
        write(drawn(count, given.models, ties), folder / "all")
        write(drawn(50 * given.models, given.models, ties, seed=1), folder / "few")
        found: dict[str, list[dict[str, Any]]] = {}
        for _ in range(given.rounds):
            for kind in list(kinds):
                one = run(kind, folder, sys.executable if "howgood" in kind else given.peers, given.threads)
                if one is None:
                    kinds.remove(kind)
                else:
                    found.setdefault(kind, []).append(one)
        show(found, count, given.models)


def write(votes: Votes, folder: Path) -> None:
    import polars as pl

    folder.mkdir()
    for column in ("a", "b", "outcome", "z"):
        np.save(folder / f"{column}.npy", votes[column])
    (folder / "models").write_text(str(votes["models"]))
    names = pl.Series([f"model-{i:04}" for i in range(votes["models"])])
    columns = {word: names.gather(votes[side]) for side, word in (("a", "model_a"), ("b", "model_b"))}
    winner = pl.Series(["model_a", "model_b", "tie"]).gather(votes["outcome"].astype(np.int64))
    pl.DataFrame({**columns, "winner": winner}).write_parquet(folder / "battles.parquet")


def show(found: dict[str, list[dict[str, Any]]], votes: int, models: int) -> None:
    print(f"{votes:,} votes, {models} models, numpy {np.__version__}, {len(next(iter(found.values())))} rounds\n")
    print("| | CPU s | wall s | peak MiB | added MiB | CPU against ours | furthest rating | errors against ours |")
    print("|---|---|---|---|---|---|---|---|")
    first = next(kind for kind in found if kind.startswith("howgood"))
    own = found[first][0]
    base = statistics.median(one["cpu"] for one in found[first])
    for kind, rounds in found.items():
        cpu, wall, peak, added = (statistics.median(o[x] for o in rounds) for x in ("cpu", "wall", "peak", "added"))
        away = float(np.abs(np.subtract(rounds[0]["rating"], own["rating"])).max())
        errors = "none" if rounds[0]["se"] is None else f"{np.median(np.divide(rounds[0]['se'], own['se'])):.4f}"
        sizes = f"{cpu:.3f} | {wall:.3f} | {peak:.0f} | {added:.0f} | {cpu / base:.1f}"
        print(f"| {kind} | {sizes} | {away:.2g} points | {errors} |")
    for kind, rounds in found.items():
        if rounds[0]["style"]:
            print(f"\n{kind}: weights {', '.join(f'{x:.4f}' for x in rounds[0]['style'])}; drawn 0.25, 0.05, 0.1, 0")


if __name__ == "__main__":
    main()
