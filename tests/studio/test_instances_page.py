"""The page of a run's instances: what it lists, how it is asked, and that hostile words stay words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from studio_visitor import Visitor, make_run
from test_trials import make, trial

from howgood.core.types import Estimate, Instance, Prediction, Score, Trial, Usage
from howgood.runs import notes, store
from howgood.runs.store import SavedRun
from howgood.studio.pages.trials import told

EVIL = "</td><script>alert(1)</script>\"'&\u202e\x00" + "long" * 2_000


def rows(page: str) -> list[tuple[str, str]]:
    """The epoch and the id of each row of the table, in order."""
    return re.findall(r'<td class="id"><a href="/runs/[^"]+/trials/\d+\.(\d+)[^"]*"><bdi>(.*?)</bdi>', page)


def ids(page: str) -> list[str]:
    return [re.sub("<wbr>", "", name) for _, name in rows(page)]


@pytest.fixture
def run(runs: Path) -> SavedRun:
    found = make(runs, [trial(i) for i in range(120)])
    found.outcomes = {"right": 35, "wrong": 17, "truncated": 17, "refused": 17, "failed": 17, "partial": 17}
    found.usage = Usage(10, 10)
    found.took = [Estimate("latency", 0.3, 0.1, 0.2, 0.4, 120, "median")]
    store.save(found)
    return found


async def test_a_real_run_is_listed_with_its_questions_and_answers(visitor: Visitor, runs: Path) -> None:
    run = make_run(runs, limit=6)
    page = await visitor.get(f"/runs/{run.id}/trials")
    frame = run.trials
    assert ids(page) == frame["id"].to_list()
    assert "6 trials" in page
    for row in frame.iter_rows(named=True):
        assert f'href="/runs/{run.id}/trials/{row["index"]}.0"' in page
        assert f'<span class="{row["outcome"]}">{row["outcome"]}</span>' in page


async def test_pages_follow_each_other_and_keep_what_was_asked(visitor: Visitor, run: SavedRun) -> None:
    address = f"/runs/{run.id}/trials"
    first = await visitor.get(address)
    assert len(rows(first)) == 50
    assert f'<a rel="next" href="{address}?start=50">' in first
    assert 'rel="prev"' not in first
    second = await visitor.get(f"{address}?start=50&sort=-answer")
    assert f'<a rel="prev" href="{address}?sort=-answer">' in second
    assert f'<a rel="next" href="{address}?sort=-answer&amp;start=100">' in second
    assert "51 to 100 of 120" in second
    last = await visitor.get(f"{address}?start=100")
    assert len(rows(last)) == 20
    beyond = await visitor.get(f"{address}?start=5000")
    assert "There are no more trials from here on." in beyond


async def test_a_filter_in_the_address_is_shown_in_the_form_and_kept_by_links(visitor: Visitor, run: SavedRun) -> None:
    page = await visitor.get(f"/runs/{run.id}/trials?outcome=refused&group=subject+1&answer_min=2&sort=-latency")
    found = [one for one in (trial(i) for i in range(120))
             if one.score.outcome == "refused" and one.instance.stratum == "subject 1"
             and one.prediction.usage.output >= 2]  # fmt: skip
    found.sort(key=lambda one: (-one.prediction.latency, one.index, one.epoch))
    assert [(name, int(epoch)) for epoch, name in rows(page)] == [(one.instance.id, one.epoch) for one in found]
    assert len(found) > 1
    assert f"{len(found)} of 120 trials" in page
    assert 'name="outcome" value="refused" checked' in page
    assert '<option selected value="subject 1">' in page
    assert '<details class="ranges" open>' in page
    assert 'name="answer_min" value="2"' in page
    assert '<input type="hidden" name="sort" value="-latency">' in page
    assert 'aria-sort="descending"' in page
    opened = re.findall(r'<td class="id"><a href="([^"]+)"', page)[0]
    assert opened.endswith("?outcome=refused&amp;group=subject+1&amp;answer_min=2&amp;sort=-latency")


async def test_a_heading_turns_the_order(visitor: Visitor, run: SavedRun) -> None:
    address = f"/runs/{run.id}/trials"
    assert f'href="{address}?sort=-latency">Time' in await visitor.get(address)
    assert f'href="{address}?sort=latency">Time' in await visitor.get(f"{address}?sort=-latency")
    assert f'href="{address}?sort=-index">Instance' in await visitor.get(address)


async def test_words_are_searched_and_counted_later(visitor: Visitor, run: SavedRun) -> None:
    address = f"/runs/{run.id}/trials"
    few = await visitor.get(f"{address}?q=what+is+11")
    assert ids(few) == ["q11", "q30", "q31", "q32", "q33", "q34", "q35", "q36", "q37", "q38", "q39"]
    assert "11 of 120 trials" in few
    many = await visitor.get(f"{address}?q=what+is")
    assert f'data-count="{address}/count?q=what+is"' in many
    assert "Some of 120 trials" in many
    assert await visitor.get(f"{address}/count?q=what+is") == '{"n":120}'
    right = sum(trial(i).score.outcome == "right" and trial(i).instance.stratum == "subject 2" for i in range(120))
    narrowed = await visitor.get(f"{address}/count?q=what+is&outcome=right&group=subject+2")
    assert narrowed == f'{{"n":{right}}}'


async def test_nothing_found_says_so(visitor: Visitor, run: SavedRun) -> None:
    address = f"/runs/{run.id}/trials"
    page = await visitor.get(f"{address}?q=nowhere")
    assert "No trial meets all of that." in page
    assert "0 of 120 trials" in page
    assert f'<a href="{address}">All 120 trials</a>' in page
    assert "No trial is flagged. Open one and press" in await visitor.get(f"{address}?flagged=1")
    notes.add(run, notes.Note("q3", 1, "flag", "ann"))
    assert ids(await visitor.get(f"{address}?flagged=1")) == ["q3"]


async def test_where_systems_disagree(visitor: Visitor, run: SavedRun, runs: Path) -> None:
    other = make(runs, [trial(i, 1) for i in range(120)])
    address = f"/runs/{run.id}/trials?with={other.path.name}"
    page = await visitor.get(address + "&differ=lower")
    found = [i for i in range(120)
             if None not in (mine := trial(i).score.values.get("acc"), theirs := trial(i, 1).score.values.get("acc"))
             and mine < theirs]  # fmt: skip
    assert f"{len(found)} of 120 trials" in page
    assert page.count('<td class="other"') == len(found) <= 50
    assert f'<option selected value="{other.path.name}">' in page
    assert '<option selected value="lower">' in page
    await visitor.get(f"/runs/{run.id}/trials?differ=any", 409)
    await visitor.get(f"/runs/{run.id}/trials?with=../../etc", 404)


@pytest.mark.parametrize(
    "query", ["sort=drop", "start=-1", "score_min=x", "differ=what", "flagged=maybe", "q=" + "x" * 401]
)
async def test_an_address_that_means_nothing_is_told_so(visitor: Visitor, run: SavedRun, query: str) -> None:
    page = await visitor.get(f"/runs/{run.id}/trials?{query}", 400)
    assert "The address asks for what there is not" in page
    assert "Traceback" not in page


async def test_hostile_words_are_only_words(visitor: Visitor, runs: Path) -> None:
    one = Trial(
        Instance(EVIL, EVIL, (EVIL,), stratum=EVIL),
        0,
        0,
        EVIL,
        Prediction(text=EVIL),
        Score({"acc": 1.0}, "right", answer=EVIL[:90]),
    )
    failed = Trial(Instance("b", "?"), 1, 0, "?", Prediction(error=EVIL), Score({}, "failed"))
    run = make(runs, [one, failed])
    for query in ("", "?q=%3C%2Ftd%3E%3Cscript%3E", "?group=%3Cscript%3E", "?q=%00%ff", "?outcome=%3Cb%3E"):
        page = await visitor.get(f"/runs/{run.id}/trials{query}")
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert "\x00" not in page
        assert "longlong" * 100 not in page
    page = await visitor.get(f"/runs/{run.id}/trials")
    assert "&lt;script&gt;alert(1)&lt;" in page
    assert "⟨U+202E⟩" in page


async def test_a_run_without_trials_is_no_fault(visitor: Visitor, runs: Path) -> None:
    run = make(runs, [], "running")
    assert "None is done yet." in await visitor.get(f"/runs/{run.id}/trials")
    run = make(runs, [], "interrupted")
    page = await visitor.get(f"/runs/{run.path.name}/trials")
    assert "The run has no trials" in page
    await visitor.get("/runs/nothing/trials", 404)


async def test_what_no_trial_has_is_no_column(visitor: Visitor, run: SavedRun) -> None:
    headings = re.findall(r'<th scope="col"[^>]*>(?:<a [^>]*>)?([^<]+)', await visitor.get(f"/runs/{run.id}/trials"))
    assert headings == ["Instance", "Outcome", "acc", "Group", "Question and answer", "Tokens in", "Tokens out", "Time"]
    run.usage, run.took = Usage(), []
    store.save(run)
    headings = re.findall(r'<th scope="col"[^>]*>(?:<a [^>]*>)?([^<]+)', await visitor.get(f"/runs/{run.id}/trials"))
    assert headings == ["Instance", "Outcome", "acc", "Group", "Question and answer"]


def test_an_answer_is_shown_with_what_was_read_from_it() -> None:
    assert told({"text": "The answer is 7.", "answer": "7", "error": None}) == ("7", "The answer is 7.")
    assert told({"text": "7, I think", "answer": "7", "error": None}) == ("", "7, I think")
    assert told({"text": None, "answer": "B", "error": None}) == ("B", "")
    assert told({"text": None, "answer": None, "error": "lost"}) == ("", "lost")
