"""What the terminal shows: every figure with its uncertainty, at 80 columns, and no output that it obeys."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from report_runs import choice_run, choice_trial, grid_run, perplexity_run, rules, save_run, written_run, written_trial
from rich.cells import cell_len
from rich.console import Console, RenderableType

from howgood.api import compare
from howgood.benchmarks.suites import Part, Suite
from howgood.core.registry import Card, Entry
from howgood.report.terminal.benchmarks import card_view, suite_view
from howgood.report.terminal.comparisons import comparison_view
from howgood.report.terminal.instances import instance_view, instances_table
from howgood.report.terminal.parts import broken
from howgood.report.terminal.runs import estimates_table, run_view, runs_table, short_ids


def printed(view: RenderableType, width: int = 80, colour: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=colour, highlight=False, color_system="truecolor" if colour else None
    )
    console.print(view)
    lines = out.getvalue()
    if not colour:
        assert all(cell_len(line) <= width for line in lines.splitlines())
    return lines


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("width", [80, 120, 200])
def test_estimates(tmp_path: Path, width: int) -> None:
    runs = [choice_run(tmp_path), written_run(tmp_path), perplexity_run(tmp_path), grid_run(tmp_path)]
    out = printed(estimates_table(runs), width)
    lines = out.splitlines()
    mmlu = next(i for i, line in enumerate(lines) if line.startswith("mmlu"))
    assert "20.0% [15.0, 26.1]" in lines[mmlu]
    assert "━●━" in lines[mmlu]
    assert "200" in lines[mmlu]
    assert "128k" in lines[mmlu]
    assert "1 min 23 s" in lines[mmlu]
    assert max(map(cell_len, lines)) <= width
    assert lines[mmlu + 1].split() == ["smollm2", "acc", "↑", "0", "800", "$0.00"]
    assert "word_perplexity ↓" in out
    assert "100.0% [20.7, 100.0]" in out
    assert "gsm8k on smollm2: incomplete; 1 empty, 1 failed, 1 filtered, 1 refused, 1 truncated" in flat(out)


LONG = "hf/HuggingFaceTB/SmolLM2-360M-Instruct,dtype=bfloat16,revision=main"


def test_long_names_are_not_broken_within_a_word(tmp_path: Path) -> None:
    runs = [
        choice_run(tmp_path, n=8, given=rules(benchmark="quickstart-word-problems")),
        choice_run(tmp_path, n=8, name="aa11", system=LONG, given=rules(benchmark="own")),
    ]
    for table in (estimates_table(runs), runs_table(runs)):
        out = printed(table)
        column = 18 if "started" in out else 0
        names = "".join(line[column:].split(" ")[0] for line in out.splitlines())
        assert "quickstart-word-problems" in names
        assert LONG in names
        for piece in ("problems", "HuggingFaceTB/", "Instruct,", "dtype=bfloat16,", "revision=main"):
            assert piece in out
        assert LONG in printed(table, 170)
    assert len(printed(runs_table(runs), 170).splitlines()) == 3
    assert broken("x" * 30, 12).plain.splitlines() == ["x" * 12, "x" * 12, "x" * 6]


def test_the_bar_gives_way_before_the_names(tmp_path: Path) -> None:
    run = choice_run(tmp_path, n=200, given=rules(benchmark="quickstart-instructions"))
    lines = printed(estimates_table([run])).splitlines()
    assert lines[2].startswith("quickstart-instructions ")
    assert 9 <= sum(line_part in "┄━●" for line_part in lines[2]) < 20


def test_unknown_cost_is_said(tmp_path: Path) -> None:
    assert "unknown" in printed(estimates_table([choice_run(tmp_path, n=8, cost=None)]))


def test_a_run_without_estimates(tmp_path: Path) -> None:
    run = save_run(
        tmp_path, [choice_trial(i, 1) for i in range(7)], status="interrupted", message="stopped", planned=200
    )
    assert "7 of 200" in printed(estimates_table([run]))
    assert "none yet" in printed(runs_table([run]))
    view = flat(printed(run_view(run)))
    assert f"Interrupted: stopped. 7 of 200 trials are here. To run the rest: howgood resume {run.id}" in view


def test_no_runs() -> None:
    assert "benchmark" in printed(estimates_table([]))
    assert "benchmark" in printed(runs_table([]))


def test_runs_are_named_by_what_is_enough() -> None:
    ids = ["t_mmlu_a_k3x9", "t_mmlu_b_k3x9", "t_gsm8k_a_aa11"]
    assert short_ids(ids) == ["a_k3x9", "b_k3x9", "aa11"]


def test_one_run(tmp_path: Path) -> None:
    run = choice_run(tmp_path)
    out = flat(printed(run_view(run)))
    for words in (
        "What are the inputs? 200 of 14,042 questions",
        "acc ↑ 20.0% [15.0, 26.1]",
        "business ethics acc ↑ 20.0% [11.2, 33.0]",
        "160 wrong, 40 right",
        "128,000 in, 800 out",
        "kind transformers, revision 12fd25f",
        run.rules.hash,
        "howgood run mmlu --model smollm2 --limit 200",
        f"howgood show {run.id} --wrong",
    ):
        assert words in out


def test_a_comparison_says_first_what_differs(tmp_path: Path) -> None:
    a = choice_run(tmp_path)
    b = choice_run(tmp_path, shift=1, name="aa11", given=rules(call={**rules().call, "method": "cloze-likelihood"}))
    comparison = compare(a, b)
    view = comparison_view(a, b, comparison)
    out = flat(printed(view))
    assert out.index("their rules differ in") < out.index("call.method") < out.index("B − A")
    assert "letter-likelihood cloze-likelihood" in out
    assert "\x1b[31mcall.method" in printed(view, colour=True)
    assert f"on {comparison.gained} / {comparison.lost} instances" in out
    assert "exact McNemar" in out
    assert "points" in out
    assert "in 8 of 10 such comparisons" in out
    assert "shared instance" not in out
    twin = choice_run(tmp_path, name="bb22")
    same = flat(printed(comparison_view(a, twin, compare(a, twin))))
    assert f"The same rules ({a.rules.hash})" in same
    assert "cannot be told" in same


def test_a_run_compared_with_itself(tmp_path: Path) -> None:
    a = choice_run(tmp_path)
    out = flat(printed(comparison_view(a, a, compare(a, a))))
    assert "one and the same run" in out
    assert "B − A" not in out


def test_a_comparison_of_runs_that_share_a_part_says_so(tmp_path: Path) -> None:
    a, b = choice_run(tmp_path), choice_run(tmp_path, shift=1, n=80, name="aa11")
    out = printed(comparison_view(a, b, compare(a, b)))
    lines = [line.split() for line in out.splitlines()]
    assert [line[-5:] for line in lines if line[:1] in (["A"], ["B"]) and "%" in line[1]] == [
        ["on", "the", "80", "shared", "instances"]
    ] * 2


def test_instances(tmp_path: Path) -> None:
    out = printed(instances_table(written_run(tmp_path).trials))
    assert "truncated" in out
    assert "HTTP 500 from the server" in out
    assert len(out.splitlines()) == 9


def test_one_instance_of_each_kind(tmp_path: Path) -> None:
    choice = flat(printed(instance_view(choice_run(tmp_path).trials.row(0, named=True))))
    assert "→ A It is rigid" in choice
    assert "✓ B It lets some molecules through" in choice
    assert "73.7% -0.60" in choice
    written = flat(printed(instance_view(written_run(tmp_path).trials.row(0, named=True))))
    assert "system Answer with a number. user Mira's hens" in written
    assert "Answer as it was read 18" in written
    grid = printed(instance_view(grid_run(tmp_path).trials.row(0, named=True)), colour=True)
    assert "\x1b[38;2;255;255;255;48;2;0;0;0m" not in grid  # no black cell in this task
    assert "48;2;46;204;64m" in grid
    text = flat(printed(instance_view(perplexity_run(tmp_path).trials.row(0, named=True))))
    assert "nats over 60 tokens" in text


HOSTILE = [
    "[bold red]markup[/] [link=https://evil.example]x[/link] :smile: [/]",
    "\x1b[2J\x1b[31m\x1b]0;title\x07 \x9b31m",
    "pay\u202etxt.exe\u2066",
    "x" * 5_000_000,
    "a\rb\x08c\x00",
    "Z" + "\u0301" * 5_000,
]


def test_hostile_outputs_are_shown_not_obeyed(tmp_path: Path) -> None:
    trials = [
        written_trial(i, text, "wrong", targets=(text,), answer=text, prompt=text, reasoning=text)
        for i, text in enumerate(HOSTILE)
    ]
    trials.append(written_trial(9, None, "failed", error=HOSTILE[0] + HOSTILE[1]))
    run = save_run(tmp_path, trials, status="incomplete", message=HOSTILE[1], system=HOSTILE[0][:20])
    views = [estimates_table([run]), runs_table([run]), run_view(run), instances_table(run.trials)]
    views += [instance_view(row) for row in run.trials.iter_rows(named=True)]
    out = "".join(printed(view) for view in views)
    assert not {"\x1b", "\x07", "\x9b", "\r", "\x08", "\x00", "\u202e", "\u2066"} & set(out)
    assert "[bold red]markup[/] [link=https://evil.example]x[/link] :smile:" in out
    assert "␛[2J␛[31m␛]0;title␇" in out
    assert "pay⟨U+202E⟩txt.exe" in out
    assert "4,980,000 characters left out" in out
    assert len(out) < 500_000


def build(subject: str, shots: int = 5) -> None:
    """A title.

    What it is about,
    [in brackets]. Raises `DataError` where
    it fails.

    Raises `HowgoodError` too.

    The end.
    """


def test_a_suite_and_a_card() -> None:
    suite = Suite("A first look", (Part("mmlu", {"shots": 0}, 40), Part("gsm8k")))
    assert "mmlu 40 shots=0" in flat(printed(suite_view("quickstart", suite)))
    assert "gsm8k all" in flat(printed(suite_view("quickstart", suite)))
    card = Card("mmlu", "A title.", "capability", "arXiv:2009.03300", 0.25, 0.898, "experts", flaws=("Six [in] ten.",))
    out = flat(printed(card_view(Entry(card, build))))
    for words in (
        "paper arXiv:2009.03300",
        "guessing 0.25",
        "people 0.898 (experts)",
        "Known flaws • Six [in] ten.",
        "subject str must be given",
        "shots int 5",
        "About What it is about, [in brackets]. The end.",
    ):
        assert words in out
    assert "Raises" not in out
