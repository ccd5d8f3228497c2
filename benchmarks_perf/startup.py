"""How long a user waits before anything happens: howgood's start beside its peers'.

Run: python benchmarks_perf/startup.py [--runs 11]. A peer that is not installed is left out. Prints the median of wall
seconds and the peak memory of whole processes, and the ratio to ours. Modules are compiled, as they are after the first
start of an installed package.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
OURS = {
    "import": [sys.executable, "-c", "import howgood"],
    "--help": [str(BIN / "howgood"), "--help"],
    "list": [str(BIN / "howgood"), "list"],
}
PEERS = {
    "lm_eval": {
        "import": [sys.executable, "-c", "import lm_eval.evaluator"],
        "--help": [str(BIN / "lm-eval"), "--help"],
        "list": [str(BIN / "lm-eval"), "ls", "tasks"],
    },
    "inspect_ai": {
        "import": [sys.executable, "-c", "import inspect_ai"],
        "--help": [str(BIN / "inspect"), "--help"],
    },
}


def measure(command: list[str], runs: int) -> tuple[float, float]:
    """Median wall seconds and peak memory (MB) over some runs, after one that is not counted."""
    seconds, peak = [], 0
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for turn in range(runs + 1):
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        _, _, usage = os.wait4(process.pid, 0)
        if turn:
            seconds.append(time.perf_counter() - begun)
            peak = max(peak, usage.ru_maxrss)
    return statistics.median(seconds), peak / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=11)
    runs = parser.parse_args().runs
    ours = {what: measure(command, runs) for what, command in OURS.items()}
    print(f"{'what':<8} {'who':<12} {'seconds':>8} {'MB':>6} {'ratio':>7}")
    for what, (seconds, memory) in ours.items():
        print(f"{what:<8} {'howgood':<12} {seconds:>8.3f} {memory:>6.0f} {'1.0':>7}")
        for peer, commands in PEERS.items():
            if importlib.util.find_spec(peer) and what in commands:
                theirs, megabytes = measure(commands[what], max(1, runs // 3))
                print(f"{what:<8} {peer:<12} {theirs:>8.3f} {megabytes:>6.0f} {theirs / seconds:>7.1f}")


if __name__ == "__main__":
    main()
