"""The leaderboard: like beside like, missing as missing, and a ranking that moves with its weights."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from report_pages import HOSTILE
from report_runs import choice_trial, grid_run, perplexity_run, rules, save_run
from studio_visitor import Visitor

from howgood.core.types import Estimate
from howgood.interpret.leaderboard import drawn, standings
from howgood.report import comparisons, numbers
from howgood.runs.store import SavedRun

N = 40


def chosen_run(root: Path, right: int, system: str, benchmark: str = "one", **fields: Any) -> SavedRun:
    """A run of 40 questions, right on the first so many."""
    trials = [choice_trial(i, 1 if i < right else 0) for i in range(N)]
    given = fields.pop("given", None) or rules(benchmark=benchmark)
    name = fields.pop("name", f"{benchmark}0")
    return save_run(root, trials, system=system, given=given, name=name, **fields)


def words(page: str) -> str:
    text = re.sub(r"<svg.*?</svg>|<title>.*?</title>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text.replace("<wbr>", ""))).split())


def ranking(page: str) -> list[str]:
    """The ranked rows as text."""
    body = page.split('id="standing"')[1].split("</section>")[0]
    return [words(row) for row in re.findall(r"<tr data-system.*?</tr>", body, re.DOTALL)]


def cells(page: str) -> dict[str, list[str]]:
    """The table of all results: each system's cells as text."""
    body = page.split('class="results"')[1].split("<tbody>")[1].split("</tbody>")[0]
    rows = {}
    for row in body.split("<tr>")[1:]:
        name, *rest = re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)
        rows[words(name)] = [words(cell) for cell in rest]
    return rows


def took(name: str, value: float) -> Estimate:
    return Estimate(name, value, 0.0, value, value, N, "given")


async def test_the_ranking_is_that_of_the_draws(visitor: Visitor, runs: Path) -> None:
    first = [chosen_run(runs, n, name) for name, n in (("a", 30), ("b", 25), ("c", 8))]
    second = [chosen_run(runs, n, name, "two") for name, n in (("a", 10), ("b", 20), ("c", 36))]
    # The newest first, as the page takes them.
    columns = []
    for some in (first, second):
        newest = sorted(some, key=lambda run: (run.started, run.path.name), reverse=True)
        columns.append(drawn(newest, seed=int(some[0].rules.hash[:8], 16)))
    keys = [some[0].rules.hash for some in (first, second)]
    for weights in ((1, 1), (8, 1), (0.5, 5)):
        page = await visitor.get(f"/leaderboard?w-{keys[0]}={weights[0]}&w-{keys[1]}={weights[1]}")
        expected = standings(columns, weights)
        found = ranking(page)
        assert len(found) == 3
        for row, one in zip(found, expected, strict=True):
            span = f"{one.rank_low}" if one.rank_low == one.rank_high else f"{one.rank_low}–{one.rank_high}"
            told = f"{numbers.value(one.score)} {numbers.interval(one.score)} {comparisons.probability(one.best)}"
            assert row.startswith(f"{one.rank} {span} {one.system} {told}")
    assert ranking(await visitor.get(f"/leaderboard?w-{keys[0]}=8&w-{keys[1]}=1"))[0].split()[2] == "a"
    assert ranking(await visitor.get(f"/leaderboard?w-{keys[0]}=0.5&w-{keys[1]}=5"))[0].split()[2] == "c"
    # Without weights both count alike.
    assert ranking(await visitor.get("/leaderboard")) == ranking(
        await visitor.get(f"/leaderboard?w-{keys[0]}=3&w-{keys[1]}=3")
    )


async def test_weights_live_in_the_address_and_work_without_a_script(visitor: Visitor, runs: Path) -> None:
    run = chosen_run(runs, 30, "a")
    chosen_run(runs, 20, "b")
    key = run.rules.hash
    page = await visitor.get(f"/leaderboard?w-{key}=2.5&run={run.id}")
    form = page.split('<form id="weights"')[1].split("</form>")[0]
    slider = re.search(r"<input type=\"range\"[^>]*>", form)
    assert slider is not None
    assert f'id="w-{key}" name="w-{key}" min="0" max="10" step="0.5" value="2.5"' in slider[0]
    assert f'<label for="w-{key}">' in form
    assert f'<input type="hidden" name="run" value="{run.id}">' in form
    assert '<button type="submit"' in form
    assert len(ranking(page)) == 1


async def test_missing_cells_are_missing_and_who_lacks_a_benchmark_is_not_ranked(visitor: Visitor, runs: Path) -> None:
    one = chosen_run(runs, 30, "a")
    chosen_run(runs, 20, "b")
    two = chosen_run(runs, 10, "a", "two")
    page = await visitor.get("/leaderboard")
    assert [row.split()[2] for row in ranking(page)] == ["a", "b"]  # by what most have
    rows = cells(page)
    assert rows["b"][1] == "not run"
    assert rows["a"][1].startswith(f"{numbers.value(two.estimate)} {numbers.interval(two.estimate)} n 40")
    both = await visitor.get(f"/leaderboard?w-{one.rules.hash}=1&w-{two.rules.hash}=1")
    assert [row.split()[2] for row in ranking(both)] == ["a"]
    assert "Not ranked, for want of a run by these rules: b lacks two" in words(both)
    none = words(await visitor.get(f"/leaderboard?w-{one.rules.hash}=0"))
    assert "No benchmark has a weight" in none


async def test_other_rules_stand_apart_and_the_newest_run_counts(visitor: Visitor, runs: Path) -> None:
    old = chosen_run(runs, 5, "a", name="old0", started="2026-11-20T10:00:00+00:00")
    new = chosen_run(runs, 30, "a", name="new0")
    chosen_run(runs, 20, "b")
    other = rules(benchmark="one", call={**rules().call, "method": "cloze-likelihood"})
    apart = chosen_run(runs, 40, "c", given=other, name="els0")
    page = await visitor.get("/leaderboard")
    assert "left out is 1 older" in words(page)
    assert old.id not in page.split('class="results"')[1]
    assert new.id in page
    assert [row.split()[2] for row in ranking(page)] == ["a", "b"]
    assert f"other rules {apart.rules.hash}" in words(page)
    assert cells(page)["c"][0] == "not run"
    assert cells(page)["c"][1].startswith("100.0%")


async def test_costs_and_times_are_by_the_same_weights(visitor: Visitor, runs: Path) -> None:
    one = chosen_run(runs, 30, "a", took=[took("cost", 0.01), took("latency_p95", 2.0)])
    two = chosen_run(runs, 30, "a", "two", took=[took("cost", 0.05), took("latency_p95", 7.0)])
    page = await visitor.get(f"/leaderboard?w-{one.rules.hash}=3&w-{two.rules.hash}=1")
    (row,) = ranking(page)
    assert row.endswith("$0.02 7 s")  # (3 · 0.01 + 0.05)/4; the slowest


async def test_numbers_that_are_no_shares_are_shown_and_not_weighed(visitor: Visitor, runs: Path) -> None:
    chosen_run(runs, 30, "a")
    perplexity_run(runs)
    grid_run(runs)
    text = words(await visitor.get("/leaderboard"))
    assert "the number is no share of which more is better, so it cannot be weighed beside others" in text
    assert "word_perplexity ↓" in text


async def test_no_runs_and_thirty_systems(visitor: Visitor, runs: Path) -> None:
    assert "There is no run with a number here yet" in words(await visitor.get("/leaderboard"))
    for i in range(30):
        chosen_run(runs, i + 5, f"system {i:02}")
    page = await visitor.get("/leaderboard")
    found = ranking(page)
    assert len(found) == 30
    assert " system 29 " in found[0]
    assert "30 systems on 1 benchmark." in words(page)


async def test_bad_addresses_are_refused_in_words(visitor: Visitor, runs: Path) -> None:
    run = chosen_run(runs, 30, "a")
    for query, status in (
        (f"w-{run.rules.hash}=-1", 400),
        (f"w-{run.rules.hash}=11", 400),
        (f"w-{run.rules.hash}=much", 400),
        (f"w-{run.rules.hash}=nan", 400),
        ("run=../../etc/passwd", 404),
        ("w-000000000000=5", 200),
        ("w-<script>=5", 200),
    ):
        await visitor.get(f"/leaderboard?{query}", status=status)


async def test_hostile_names_are_harmless(visitor: Visitor, runs: Path) -> None:
    for text in HOSTILE[:6]:
        save_run(runs, [choice_trial(i, i % 2) for i in range(8)], system=text, name="aaaa",
                 given=rules(benchmark="one"))  # fmt: skip
    page = await visitor.get("/leaderboard")
    assert "<script>alert" not in page
    assert "<svg onload" not in page
    assert "<iframe" not in page
    assert page.count("data-system=") == 6
    assert 'style="' not in page
