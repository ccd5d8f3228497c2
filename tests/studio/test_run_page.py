"""The page of one run: what it says, what it counts, and what it draws."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from studio_visitor import Visitor, make_run
from test_trials import make, trial

from howgood.core.types import Instance, Prediction, Score, System, Trial, Usage
from howgood.interpret import statistics
from howgood.runs import store
from howgood.studio import figures
from howgood.studio.trials import Trials


def plain(i: int, value: float, **known: object) -> Trial:
    outcome = {1.0: "right", 0.0: "wrong"}.get(value, "partial")
    return Trial(
        Instance(f"q{i}", "?", **{k: v for k, v in known.items() if k == "cluster"}),  # type: ignore[arg-type]
        i,
        0,
        "?",
        Prediction(text="x", usage=Usage(100 + i, 5), latency=float(known.get("latency", 1.0))),  # type: ignore[arg-type]
        Score({"acc": value}, outcome),  # type: ignore[arg-type]
    )


def test_parts_are_of_about_one_size_and_their_means_have_the_intervals_of_estimates(runs: Path) -> None:
    values = [float((i * 7) % 10 < i / 10) for i in range(100)]
    run = make(runs, [plain(i, values[i]) for i in range(100)])
    with Trials(run) as trials:
        bins = figures.against(trials, "input_tokens")
        assert figures.against(trials, "latency")[0].mean.n == 100  # one value for all is one part
        assert figures.against(trials, "nothing") == []
    assert len(bins) == 10
    assert sum(part.mean.n for part in bins) == 100
    for part in bins:
        rows = [values[i] for i in range(100) if part.low <= 100 + i <= part.high]
        assert part.mean.n == len(rows)
        spread = statistics.mean_se(rows)
        assert part.mean.value == pytest.approx(spread.value)
        assert part.mean.se == pytest.approx(spread.se, abs=1e-12)
        assert (part.mean.low, part.mean.high) == pytest.approx(statistics.share_interval(spread, True, False))
        assert part.mean.percent


def test_trials_of_one_cluster_are_not_independent(runs: Path) -> None:
    values = [float(i // 5 % 3 == 0) for i in range(60)]
    run = make(runs, [plain(i, values[i], cluster=f"c{i // 5}", latency=i % 2) for i in range(60)])
    with Trials(run) as trials:
        bins = figures.against(trials, "latency")
    assert [part.mean.n for part in bins] == [30, 30]
    for place, part in enumerate(bins):
        chosen = [i for i in range(60) if i % 2 == place]
        spread = statistics.mean_se([values[i] for i in chosen], clusters=[i // 5 for i in chosen])
        assert part.mean.se == pytest.approx(spread.se)
        assert (part.mean.low, part.mean.high) == pytest.approx(statistics.share_interval(spread, True, True))
        assert part.mean.high - part.mean.low > 0.3


def test_scores_that_are_no_shares_take_students_t(runs: Path) -> None:
    values = [float(i % 7) - 2 for i in range(40)]
    run = make(runs, [plain(i, values[i], latency=i // 20) for i in range(40)])
    with Trials(run) as trials:
        first, second = figures.against(trials, "latency")
        bars = figures.histogram(trials)
    spread = statistics.mean_se(values[:20])
    assert (first.mean.low, first.mean.high) == pytest.approx(statistics.t_interval(spread))
    assert not second.mean.percent
    assert [(bar.low, bar.high, bar.n) for bar in bars] == [(v - 2.0, v - 2.0, values.count(v - 2.0)) for v in range(7)]


def test_many_values_are_counted_in_equal_parts(runs: Path) -> None:
    values = [math.sqrt(i) for i in range(200)]
    run = make(runs, [plain(i, values[i]) for i in range(200)])
    with Trials(run) as trials:
        bars = figures.histogram(trials)
    assert len(bars) == 24
    width = values[-1] / 24
    for place, bar in enumerate(bars):
        assert bar.n == sum(min(23, int(value / width)) == place for value in values)
        assert bar.high - bar.low == pytest.approx(width)


def test_how_hard_an_instance_is_is_what_others_score_on_it(runs: Path) -> None:
    run = make(runs, [plain(i, float(i % 4 < 2)) for i in range(40)])
    others = [
        make(runs, [plain(i, float(i % 2)) for i in range(40)]),
        make(runs, [plain(i, float(i % 4 == 1)) for i in range(30)]),
    ]
    with Trials(run, beside=others) as trials:
        bins = figures.hardness(trials)
    share = {i: ((i % 2) + (i % 4 == 1)) / 2 if i < 30 else float(i % 2) for i in range(40)}
    assert [part.low for part in bins] == [0.0, 0.5, 1.0]
    for part in bins:
        chosen = [float(i % 4 < 2) for i in range(40) if share[i] == part.low]
        assert (part.mean.n, part.mean.value) == (len(chosen), pytest.approx(sum(chosen) / len(chosen)))


async def test_the_page_says_what_was_asked_and_found(visitor: Visitor, runs: Path) -> None:
    run = make_run(runs, limit=8)
    page = await visitor.get(f"/runs/{run.id}")
    assert page.count("<h1") == 1
    for question in (
        "What are the inputs?",
        "How is the model called?",
        "How are outputs judged?",
        "What does the number mean?",
    ):
        assert question in page
    assert f'<p class="big">{100 * run.estimate.value:.1f}%</p>' in page
    for outcome, n in run.outcomes.items():
        assert f'<a href="/runs/{run.id}/trials?outcome={outcome}">{outcome}</a> <b>{n}</b>' in page
    for group in run.groups:
        assert f'<a href="/runs/{run.id}/trials?group={group.group.replace(" ", "%20")}">' in page
    assert "howgood run quickstart-questions --model reference/uniform --limit 8" in page
    assert f'href="/runs/{run.id}/card"' in page
    assert f'data-address="/runs/{run.id}/figures"' in page
    assert run.rules.hash in page


async def test_figures_are_drawn_with_links_to_their_trials(visitor: Visitor, runs: Path) -> None:
    run = make(runs, [plain(i, float(i % 3 == 0), latency=i / 10) for i in range(40)])
    page = await visitor.get(f"/runs/{run.id}/figures")
    assert "<html" not in page
    assert "Distribution of scores" in page
    assert (
        page.count('<svg class="chart" role="img"') == 3
    )  # scores, prompt length, latency; all answers are of one length
    assert "most often 0, 26 of 40 trials" in page
    link = re.findall(r'<a href="(/runs/[^"]+latency_min=[^"]+)">', page)[0].replace("&amp;", "&")
    listed = await visitor.get(link)
    n = int(re.findall(r"latency_min=.*?<td class=\"number\">(\d+)</td>", page, re.S)[0])
    assert f"{n} of" in listed
    assert " style=" not in page
    assert "<script" not in page


async def test_other_systems_say_how_hard_instances_are(visitor: Visitor, runs: Path) -> None:
    first = make_run(runs, "reference/uniform", limit=8)
    assert "difficulty" not in await visitor.get(f"/runs/{first.id}/figures")
    for name in ("a <b>", "c"):
        other = make_run(runs, "reference/random", limit=8)
        other.system = System(name, {})
        store.save(other)
    page = await visitor.get(f"/runs/{first.id}/figures")
    assert "Compare with 2 other systems" in await visitor.get(f"/runs/{first.id}")
    assert "How hard an instance is: what they scored on average (c, a &lt;b&gt;)." in page


async def test_a_running_run_tells_what_is_there_so_far(visitor: Visitor, runs: Path) -> None:
    run = make(runs, [trial(i) for i in range(14)], "running")
    page = await visitor.get(f"/runs/{run.id}")
    assert f'<div id="running" data-run="{run.id}">' in page
    assert "howgood resume" not in page
    figures_page = await visitor.get(f"/runs/{run.id}/figures")
    assert "Outcomes so far" in figures_page
    assert f'<a href="/runs/{run.id}/trials?outcome=right">right</a> <b>4</b>' in figures_page
    empty = make(runs, [], "running")
    assert "There are no scores yet." in await visitor.get(f"/runs/{empty.path.name}/figures")


async def test_a_card_says_who_could_use_the_number(visitor: Visitor, runs: Path) -> None:
    run = make_run(runs, limit=8)
    page = await visitor.get(f"/runs/{run.id}/card")
    for words in ("<h1>Evaluation card</h1>", "A policy maker", "Known flaws", "To make it again"):
        assert words in page


async def test_hostile_words_of_a_record_are_only_words(visitor: Visitor, runs: Path) -> None:
    evil = "</script><script>alert(1)</script>\u202e"
    run = make_run(runs, limit=4)
    run.message, run.card["title"], run.status = evil, evil, "incomplete"
    run.outcomes[evil] = 1
    store.save(run)
    for path in ("", "/figures", "/card"):
        page = await visitor.get(f"/runs/{run.id}{path}")
        assert "<script>alert" not in page
        assert "\u202e" not in page


async def test_a_table_that_is_gone_is_told_where_it_is_missed(visitor: Visitor, runs: Path) -> None:
    run = make_run(runs, limit=4)
    (run.path / "trials.parquet").unlink()
    assert f'<p class="big">{100 * run.estimate.value:.1f}%</p>' in await visitor.get(f"/runs/{run.id}")
    assert "trials.parquet is missing" in await visitor.get(f"/runs/{run.id}/figures", 409)
    await visitor.get("/runs/nothing", 404)
    await visitor.get("/runs/..%2f..%2fetc", 404)
