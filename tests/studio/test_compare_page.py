"""Comparing runs in the studio: what is said of two, of many, of none, against the comparison's own functions."""

from __future__ import annotations

import html
import math
import re
from pathlib import Path
from typing import Any

import msgspec
from report_pages import HOSTILE
from report_runs import choice_run, choice_trial, rules, save_run, written_run
from studio_visitor import Visitor

import howgood as hg
from howgood.core.types import Estimate
from howgood.report import numbers
from howgood.report.document import document
from howgood.runs.journal import Journal
from howgood.runs.store import SavedRun

N = 40


def chosen_run(root: Path, right: set[int], system: str, name: str = "aaaa", **fields: Any) -> SavedRun:
    """A run of 40 questions of four groups, right on these."""
    picked = [1 if index in right else 0 for index in range(N)]
    return save_run(root, [choice_trial(i, p) for i, p in enumerate(picked)], system=system, name=name, **fields)


def words(page: str) -> str:
    """A page's text on one line."""
    text = re.sub(r"<svg.*?</svg>|<title>.*?</title>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def spaced(estimate: Estimate) -> str:
    return f"{numbers.difference(estimate)} {numbers.interval(estimate)}"


async def test_two_runs_are_told_whole(visitor: Visitor, runs: Path) -> None:
    a = chosen_run(runs, set(range(20)), "one")
    b = chosen_run(runs, set(range(4, 30)), "other", "bbbb")
    made = hg.compare(a, b)
    page = await visitor.get(f"/compare?run={a.id}&run={b.id}")
    text = words(page)
    assert f"The same rules, {a.rules.hash}" in text
    assert f"{numbers.difference(made.difference)} acc, B minus A, 95% interval" in text
    # Right in both: 4 to 19; only in A: 0 to 3; only in B: 20 to 29; in none: 30 to 39.
    assert "B right B wrong A right 16 both 4 B lost A wrong 10 B gained 10 neither" in text
    assert "They are both right or both wrong on 65% of 40" in text
    group = next(e for e in _groups(a, b) if e.group == "anatomy")
    assert f"anatomy {spaced(group)}" in text
    assert made.detectable is not None
    need = math.ceil(40 * (made.detectable / 0.01) ** 2)
    assert f"To see 1 point in 8 of 10 such comparisons you need n = {need:,}; here it is 40." in text
    assert "exact McNemar" in text
    assert 'style="' not in page
    assert "<script>" not in page


def _groups(a: SavedRun, b: SavedRun) -> list[Estimate]:
    from howgood.interpret.pairs import by_group, pair
    from howgood.runs.evaluate import scores

    return [group.difference for group in by_group(pair(scores(a), scores(b), a.rules.interpret))]


async def test_instances_that_flipped_are_listed_and_lead_to_their_page(visitor: Visitor, runs: Path) -> None:
    a = chosen_run(runs, set(range(20)), "one")
    b = chosen_run(runs, set(range(4, 30)), "other", "bbbb")
    places = {"gained": range(20, 30), "lost": range(4), "both": range(4, 20), "neither": range(30, 40)}
    for show, found in places.items():
        page = await visitor.get(f"/compare?run={a.id}&run={b.id}&show={show}")
        listed = re.findall(rf'href="/runs/{a.id}/trials/(\d+)\.0\?with={b.id}"', page)
        assert sorted(map(int, listed)) == list(found)
        among = re.search(rf'href="(/runs/{a.id}/trials[?][^"]+)"', page)
        assert among is not None
        table = await visitor.get(html.unescape(among[1]))
        assert {int(index) for index in re.findall(rf"/runs/{a.id}/trials/(\d+)[.]0", table)} == set(found)
    first = await visitor.get(f"/compare?run={a.id}&run={b.id}&show=both")
    assert "right" in words(first.split('id="flips"')[1])
    c = chosen_run(runs, set(), "none", "cccc")
    d = chosen_run(runs, set(range(40)), "all", "dddd")
    base = f"/compare?run={c.id}&run={d.id}"
    pages = [await visitor.get(f"{base}&start={start}") for start in (0, 20)]
    assert "1 to 20 of 40" in words(pages[0])
    assert "21 to 40 of 40" in words(pages[1])
    listed = [re.findall(r"/trials/(\d+)\.0", page) for page in pages]
    assert sorted(int(index) for page in listed for index in page) == list(range(40))
    assert "There are no more." in words(await visitor.get(f"{base}&start=400"))


async def test_other_rules_are_told_in_red_before_any_number(visitor: Visitor, runs: Path) -> None:
    a = chosen_run(runs, set(range(20)), "one")
    other = rules(call={**rules().call, "method": "cloze-likelihood"})
    b = chosen_run(runs, set(range(30)), "one", "bbbb", given=other)
    page = await visitor.get(f"/compare?run={a.id}&run={b.id}")
    assert '<table class="differing">' in page
    told = page.index("These are two different games: their rules differ")
    assert told < page.index("cloze-likelihood") < page.index(" points</p>")
    assert "B did better than A, by other rules" in words(page)


async def test_many_runs_are_held_against_the_first(visitor: Visitor, runs: Path) -> None:
    several = [chosen_run(runs, set(range(10 + 5 * i)), f"system {i}", f"n{i:03}") for i in range(4)]
    query = "&".join(f"run={run.id}" for run in several)
    text = words(await visitor.get(f"/compare?{query}"))
    found = hg.compare_many(*several)
    for pair in found.pairs:
        assert f"{pair.b} " in text
        assert spaced(pair.comparison.difference) in text
        assert pair.adjusted is not None
    assert "p answers for all 3 comparisons (Holm)" in text
    # Kappa of 10 and 15 right of 40, by hand: agreement 35/40, by chance (150 + 750)/1600.
    kappa = (35 / 40 - 900 / 1600) / (1 - 900 / 1600)
    assert f"{kappa:.2f} 87.5%" in text
    assert f"/compare?run={several[0].id}&amp;run={several[2].id}" in await visitor.get(f"/compare?{query}")


async def test_thirty_systems(visitor: Visitor, runs: Path) -> None:
    several = [chosen_run(runs, set(range(i + 5)), f"system {i}", f"n{i:03}") for i in range(30)]
    text = words(await visitor.get("/compare?" + "&".join(f"run={run.id}" for run in several)))
    assert "30 runs beside each other" in text
    assert "p answers for all 29 comparisons" in text


async def test_what_cannot_be_compared_says_why_and_what_can(visitor: Visitor, runs: Path) -> None:
    a, other = chosen_run(runs, set(range(20)), "one"), written_run(runs)
    b = chosen_run(runs, set(range(10)), "other", "bbbb")
    page = await visitor.get(f"/compare?run={a.id}&run={other.id}")
    text = words(page)
    assert "These runs cannot be compared" in text
    assert "They are of mmlu, gsm8k: only runs of one benchmark have instances in common" in text
    assert f'href="/compare?run={a.id}&amp;run={b.id}"' in page
    assert "gsm8k on smollm2 has no other run here; give it one: howgood run gsm8k" in text
    assert f"/leaderboard?run={a.id}&amp;run={other.id}" in page
    mixed = words(await visitor.get(f"/compare?run={a.id}&run={other.id}&run={b.id}"))
    assert "Left out is what has no partner here" in mixed
    assert "Which of the two is better cannot be told" in mixed or "is better than" in mixed


async def test_runs_without_a_shared_instance(visitor: Visitor, runs: Path) -> None:
    a = chosen_run(runs, set(range(20)), "one")
    b = save_run(runs, [choice_trial(i, 1) for i in range(100, 110)], system="other", name="bbbb")
    assert "the two share no instance" in words(await visitor.get(f"/compare?run={a.id}&run={b.id}"))


async def test_the_picker_makes_the_right_comparison_the_easy_one(visitor: Visitor, runs: Path) -> None:
    assert "There are no two runs of one benchmark here" in words(await visitor.get("/compare"))
    a = chosen_run(runs, set(range(20)), "one")
    assert "With one run only mmlu" in words(await visitor.get("/compare"))
    assert "There is no other run of mmlu here" in words(await visitor.get(f"/compare?run={a.id}"))
    b = chosen_run(runs, set(range(10)), "other", "bbbb")
    old = chosen_run(runs, set(range(10)), "other", "aaab", started="2026-11-23T10:00:00+00:00")
    given = rules(call={**rules().call, "method": "cloze-likelihood"})
    c = chosen_run(runs, set(range(10)), "third", "cccc", given=given)
    page = await visitor.get("/compare")
    assert re.findall(r'name="run" value="([^"]+)" checked', page) in ([a.id, b.id], [b.id, a.id])
    assert "1 older run of the same system" in words(page)
    assert old.id not in page
    assert "differs in call.method" in words(page)
    one = await visitor.get(f"/compare?run={a.id}")
    same, _, different = one.partition("Other rules")
    assert f'href="/compare?run={a.id}&amp;run={b.id}"' in same
    assert f'href="/compare?run={a.id}&amp;run={c.id}"' not in same
    assert f'href="/compare?run={a.id}&amp;run={c.id}"' in different


async def test_bad_addresses_are_refused_in_words(visitor: Visitor, runs: Path) -> None:
    a = chosen_run(runs, set(range(20)), "one")
    await visitor.get("/compare?run=nothing&run=here", status=404)
    await visitor.get(f"/compare?run=..%2f..%2fetc&run={a.id}", status=404)
    await visitor.get(f"/compare?run={a.id}&show=everything", status=400)
    await visitor.get(f"/compare?run={a.id}&start=-1", status=400)
    await visitor.get("/compare?" + "&".join(f"run={i}" for i in range(61)), status=400)
    # One run given twice is one run.
    assert "There is no other run of mmlu here" in words(await visitor.get(f"/compare?run={a.id}&run={a.id}"))


async def test_hostile_names_and_texts_are_harmless(visitor: Visitor, runs: Path) -> None:
    some = []
    for side, name in enumerate(("aaaa", "bbbb", "cccc")):
        trials = []
        for index, text in enumerate(HOSTILE[:11]):
            trial = choice_trial(index, (index + side) % 2)
            instance = msgspec.structs.replace(trial.instance, id=text, stratum=text, input=text)
            trials.append(msgspec.structs.replace(trial, instance=instance))
        system = HOSTILE[side]
        some.append(save_run(runs, trials, system=system, name=name))
    for chosen in (some[:2], some):
        page = await visitor.get("/compare?" + "&".join(f"run={run.id}" for run in chosen))
        assert "<script>alert" not in page
        assert "<svg onload" not in page
        assert "<iframe" not in page
        assert "\u202e" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in await visitor.get("/compare")
    assert "<script>alert" not in await visitor.get(f"/compare?run={some[0].id}")


async def test_a_comparison_is_made_anew_when_a_run_changes(visitor: Visitor, runs: Path) -> None:
    a = chosen_run(runs, set(range(20)), "one")
    b = choice_run(runs, n=N, system="other", name="bbbb")
    address = f"/compare?run={a.id}&run={b.id}"
    before = words(await visitor.get(address))
    assert words(await visitor.get(address)) == before
    assert "renamed" not in before
    path = b.path / "run.json"
    path.write_text(path.read_text().replace('"other"', '"renamed"'))
    assert "renamed" in words(await visitor.get(address))


async def test_runs_that_still_run_are_compared_as_they_are_now(visitor: Visitor, runs: Path) -> None:
    a = chosen_run(runs, set(range(20)), "one")
    b = save_run(runs, [choice_trial(i, 1) for i in range(10)], system="other", name="bbbb", status="running")
    address = f"/compare?run={a.id}&run={b.id}"
    assert "10 instances (30 only in A)" in words(await visitor.get(address))
    journal = Journal(b.path)
    journal.write(choice_trial(10, 1))
    journal.close()
    assert "11 instances (29 only in A)" in words(await visitor.get(address))


async def test_two_systems_on_two_benchmarks_have_a_difference_over_both(visitor: Visitor, runs: Path) -> None:
    some = []
    for benchmark in ("mmlu", "second"):
        given = rules(benchmark=benchmark)
        some.append(chosen_run(runs, set(range(20)), "one", f"{benchmark[:3]}0", given=given))
        some.append(chosen_run(runs, set(range(4, 30)), "other", f"{benchmark[:3]}1", given=given))
    text = words(await visitor.get("/compare?" + "&".join(f"run={run.id}" for run in some)))
    (overall,) = hg.compare_many(*some).overall
    assert f"other minus one mean over 2 benchmarks {spaced(overall.difference)}" in text
    assert f"**{numbers.difference(overall.difference)}**" in document(some)
    assert text.count("B minus A, 95% interval") == 2
