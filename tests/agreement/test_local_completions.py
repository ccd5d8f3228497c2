"""A slice of lm-evaluation-harness's `local-completions` against the gateway."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.xdist_group("smollm2")
def test_lm_eval_scores_over_http_what_howgood_scores(shared: Path) -> None:
    pytest.importorskip("lm_eval", reason="needs the extra `agreement`")
    script = Path(__file__).with_name("local_completions.py")
    done = subprocess.run([sys.executable, str(script), "--documents", "10"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    [line] = [line for line in done.stdout.splitlines() if line.startswith("hellaswag")]
    assert line.split()[1:3] == ["10", "40"]
    assert line.endswith("yes")
