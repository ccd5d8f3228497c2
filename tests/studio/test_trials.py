"""Reading a run's trials: rows, pages, filters, neighbours, against what plain Python says of the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.datastructures import QueryParams

from howgood.core.errors import HowgoodError
from howgood.core.types import Instance, Message, Prediction, Rules, Run, Score, System, Trial, Usage
from howgood.runs import columns, notes, store
from howgood.runs.journal import Journal
from howgood.runs.store import SavedRun
from howgood.studio import figures
from howgood.studio.filters import SORTS, Asked, Filter, asked
from howgood.studio.trials import Neighbours, Trials, neighbours, row, table
from howgood.web.guard import Refused

OUTCOMES = ("right", "wrong", "truncated", "refused", "right", "failed", "partial")


def trial(i: int, shift: int = 0) -> Trial:
    """Trials whose values repeat with different periods, some without a cost, and some that failed."""
    outcome = OUTCOMES[(i + shift) % len(OUTCOMES)]
    value = {"right": 1.0, "partial": 0.5}.get(outcome, 0.0)
    failed = outcome == "failed"
    return Trial(
        Instance(f"q{i % 40}", f'What is {i}? say "yes"', ("yes",), stratum=f"subject {i % 3}" if i % 5 else None),
        i % 40,
        i // 40,
        (Message("system", "Be brief."), Message("user", f'What is {i}?\nSay "yes"')),
        Prediction(
            text=None if failed else f"Well {i}, 100%_sure [a-z]+ Straße",
            usage=Usage(10 + i % 4, i % 7),
            latency=0.1 * (i % 6),
            cost=None if i % 3 == 0 else 0.01 * (i % 5),
            error="lost" if failed else None,
        ),
        Score({} if failed else {"acc": value, "f1": value / 2}, outcome, answer=f"a{i}"),  # type: ignore[arg-type]
    )


def make(folder: Path, trials: list[Trial], status: str = "finished") -> SavedRun:
    rules = Rules("sums", 1, {}, {}, {}, {}, {})
    run = store.create(Run("r", "sums", {}, {}, System("m", {}), rules, {}, {}, "2026-01-01", len(trials)), folder)
    journal = Journal(run.path)
    for one in trials:
        journal.write(one)
    journal.close()
    if status == "finished":
        columns.compact(run.path, columns.contents(run.path))
        journal.path.unlink()
    run.status = status  # type: ignore[assignment]
    store.save(run)
    return run


ALL = [trial(i) for i in range(80)]


@pytest.fixture
def run(runs: Path) -> SavedRun:
    return make(runs, ALL)


def value(one: Trial, sort: str) -> Any:
    """What a trial is sorted by, in Python."""
    ranks = ["wrong", "partial", "truncated", "refused", "filtered", "empty", "unanswered", "unjudged", "unsupported",
             "failed", "scored", "right"]  # fmt: skip
    return {
        "index": one.index,
        "id": one.instance.id,
        "outcome": ranks.index(one.score.outcome),
        "group": one.instance.stratum,
        "score": one.score.values.get("acc"),
        "prompt": one.prediction.usage.input,
        "answer": one.prediction.usage.output,
        "latency": one.prediction.latency,
        "cost": one.prediction.cost,
    }[sort]


def ordered(trials: list[Trial], sort: str) -> list[tuple[int, int]]:
    """Keys in the order of a sort: ties in the order of the benchmark, those that have none last."""
    by = sort.removeprefix("-")
    trials = sorted(trials, key=lambda one: (one.index, one.epoch))
    known = [one for one in trials if value(one, by) is not None]
    rest = [one for one in trials if value(one, by) is None]
    known.sort(key=lambda one: value(one, by), reverse=sort != by)
    if sort != by:  # sorting in reverse keeps ties as they were
        assert [value(one, by) for one in known] == sorted((value(one, by) for one in known), reverse=True)
    return [(one.index, one.epoch) for one in known + rest]


def test_a_trial_is_read_with_all_its_columns(run: SavedRun) -> None:
    found = row(run, 7, 1)
    assert found is not None
    whole = run.trials.filter((run.trials["index"] == 7) & (run.trials["epoch"] == 1)).row(0, named=True)
    assert found == whole
    assert found["answer"] == "a47"
    assert row(run, 7, 2) is None
    assert row(run, -1, 0) is None


@pytest.mark.parametrize("sort", [way + name for name in SORTS for way in ("", "-")])
def test_pages_and_neighbours_are_in_the_order_asked_for(run: SavedRun, sort: str) -> None:
    right = ordered(ALL, sort)
    with Trials(run) as trials:
        pages = [trials.page(Filter(), sort, start, 30, ["outcome"]) for start in (0, 30, 60, 90)]
        assert [(found["index"], found["epoch"]) for page in pages for found in page.rows] == right
        assert [page.more for page in pages] == [True, True, False, False]
        for place in (0, 1, 17, 40, 78, 79):
            found = trials.neighbours(Filter(), sort, *right[place])
            assert found.before == (right[place - 1] if place else None)
            assert found.after == (right[place + 1] if place < 79 else None)


FILTERS: list[tuple[Filter, Any]] = [
    (Filter(outcome=("right",)), lambda t: t.score.outcome == "right"),
    (Filter(outcome=("odd", "partial")), lambda t: t.score.outcome not in ("right", "wrong")),
    (Filter(group="subject 1"), lambda t: t.instance.stratum == "subject 1"),
    (Filter(score_min=0.5), lambda t: t.score.values.get("acc", -1) >= 0.5),
    (Filter(score_min=0.25, score_max=0.75), lambda t: t.score.outcome == "partial"),
    (Filter(prompt_min=12, prompt_max=12), lambda t: t.prediction.usage.input == 12),
    (Filter(answer_max=2), lambda t: t.prediction.usage.output <= 2),
    (Filter(latency_min=0.45), lambda t: t.prediction.latency > 0.4),
    (Filter(cost_max=0.0), lambda t: t.prediction.cost == 0),
    (Filter(q="WELL 4"), lambda t: t.prediction.text is not None and "Well 4" in t.prediction.text),
    (Filter(q="100%_sure [a-z]+"), lambda t: t.prediction.text is not None),
    (Filter(q="STRASSE"), lambda t: False),
    (Filter(q="strAßE"), lambda t: t.prediction.text is not None),
    (Filter(q='? say "YES"'), lambda t: True),
    (Filter(q="be brief"), lambda t: False),  # which only the prompt says
    (Filter(q="a17"), lambda t: t.score.answer == "a17"),
    (Filter(q="'; drop view trials; --"), lambda t: False),
    (Filter(q="\\E|.*"), lambda t: False),
    (Filter(q="\x00"), lambda t: False),
    (
        Filter(outcome=("wrong", "refused"), group="subject 2", q="what"),
        lambda t: t.score.outcome in ("wrong", "refused") and t.instance.stratum == "subject 2",
    ),
]


def test_words_of_the_instance_are_found_and_those_of_worked_examples_are_not(runs: Path) -> None:
    shown = 'Question: Is "tin" a metal?\nAnswer: yes\n\n'
    said: list[tuple[Any, dict[str, Any]]] = [
        ("Is glass a metal?", {"targets": ("no, a mineral",)}),
        ((Message("system", "Be brief."), Message("user", 'Is "ice"\na metal?')), {"targets": ("no",)}),
        ("Which is a metal?", {"choices": ("Basalt", "Zinc"), "gold": (1,)}),
    ]
    made = [
        Trial(Instance(f"q{i}", asked, **more), i, 0, f"{shown}{asked}", Prediction(text="hm"), Score({}, "unjudged"))
        for i, (asked, more) in enumerate(said)
    ]
    with Trials(make(runs, made)) as trials:
        for words, found in (
            ("glass", [0]),
            ("MINERAL", [0]),
            ('is "ice"\nA metal', [1]),
            ("zinc", [2]),
            ("basalt\nzinc", [2]),
            ("tin", []),
            ("question:", []),
            ("a metal", [0, 1, 2]),
        ):
            page = trials.page(Filter(q=words), "index", 0, 9, ["text"])
            assert [one["index"] for one in page.rows] == found, words


@pytest.mark.parametrize(("wanted", "meets"), FILTERS)
def test_filters_keep_what_they_say(run: SavedRun, wanted: Filter, meets: Any) -> None:
    right = ordered([one for one in ALL if meets(one)], "index")
    with Trials(run) as trials:
        assert trials.count(wanted) == len(right)
        page = trials.page(wanted, "index", 0, 100, ["text"])
        assert [(found["index"], found["epoch"]) for found in page.rows] == right
        if len(right) > 2:
            assert trials.neighbours(wanted, "index", *right[1]) == Neighbours(right[0], right[2])
        counted = trials.outcomes(wanted)
        assert sum(counted.values()) == len(right)


def test_the_nearest_trial_is_found_however_far_it_is(run: SavedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("howgood.studio.trials.NEAR", 2)
    right = ordered([one for one in ALL if one.score.outcome == "partial"], "index")
    for sort, keys in (("index", right), ("-index", sorted(right, key=lambda key: (-key[0], key[1])))):
        with Trials(run) as trials:
            for place, key in enumerate(keys):
                found = trials.neighbours(Filter(outcome=("partial",)), sort, *key)
                assert found.before == (keys[place - 1] if place else None)
                assert found.after == (keys[place + 1] if place + 1 < len(keys) else None)


def test_another_run_stands_beside(run: SavedRun, runs: Path) -> None:
    others = [trial(i, 1) for i in range(70)]
    other = make(runs, others)
    theirs = {(one.instance.id, one.epoch): one for one in others}

    def pair(one: Trial) -> tuple[float | None, float | None] | None:
        there = theirs.get((one.instance.id, one.epoch))
        return None if there is None else (one.score.values.get("acc"), there.score.values.get("acc"))

    tests = {
        "any": lambda a, b: a != b,
        "lower": lambda a, b: None not in (a, b) and a < b,
        "higher": lambda a, b: None not in (a, b) and a > b,
        "same": lambda a, b: None not in (a, b) and a == b,
    }
    with Trials(run, other) as trials:
        for differ, holds in tests.items():
            right = ordered([one for one in ALL if (both := pair(one)) is not None and holds(*both)], "index")
            wanted = Filter(differ=differ)  # type: ignore[arg-type]
            page = trials.page(wanted, "index", 0, 100, ["outcome"])
            assert [(found["index"], found["epoch"]) for found in page.rows] == right
            assert trials.count(wanted) == len(right) > 0
        page = trials.page(Filter(), "index", 0, 100, ["outcome"])
        for found in page.rows:
            there = theirs.get((found["id"], found["epoch"]))
            assert found["other_outcome"] == (there.score.outcome if there else None)
            assert found["other_score"] == (there.score.values.get("acc") if there else None)
    assert neighbours(run, Filter(differ="same"), "index", 0, 0, other).before is None
    with Trials(run) as alone, pytest.raises(HowgoodError, match="no other run to differ from"):
        alone.count(Filter(differ="any"))


def test_what_is_flagged_is_found_and_no_longer_when_it_is_not(run: SavedRun) -> None:
    with Trials(run) as trials:
        assert trials.count(Filter(flagged=True)) == 0
        notes.add(run, notes.Note("q3", 1, "flag", "ann"))
        notes.add(run, notes.Note("q'9", 0, "flag", "ann"))  # no trial of this run
        page = trials.page(Filter(flagged=True), "index", 0, 10, [])
        assert [(found["id"], found["epoch"]) for found in page.rows] == [("q3", 1)]
        notes.add(run, notes.Note("q3", 1, "unflag", "ann"))
        assert trials.count(Filter(flagged=True)) == 0


def test_a_cell_holds_the_last_turn_and_is_cut(runs: Path) -> None:
    turns = (Message("user", "first"), Message("assistant", "so?"), Message("user", "the last " + "x" * 5_000))
    long = Trial(Instance("a", turns), 0, 0, turns, Prediction(text="y" * 9_000), Score({"acc": 1.0}, "right"))
    broken = Trial(Instance("b", '[{"role":"user" 1'), 1, 0, "?", Prediction(text="z"), Score({"acc": 1.0}, "right"))
    with Trials(make(runs, [long, broken])) as trials:
        first, second = trials.page(Filter(), "index", 0, 2, ["input", "text", "targets", "acc"]).rows
        assert first["input"] == "the last " + "x" * 1_991
        assert first["text"] == "y" * 2_000
        assert first["targets"] == []
        assert first["acc"] == 1.0
        assert second["input"] == '[{"role":"user" 1'
        with pytest.raises(HowgoodError, match="trials have no column 'nothing'"):
            trials.page(Filter(), "index", 0, 2, ["nothing"])


def test_a_running_run_is_read_from_its_journal_as_it_grows(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("howgood.studio.trials.SELDOM", 0)
    running = make(runs, ALL[:5], "running")
    for n in (5, 6, 7, 8):
        with Trials(running) as trials:
            assert trials.count(Filter()) == n
            assert trials.row(n - 1, 0) is not None
            assert trials.row(n, 0) is None
        with (running.path / "journal-9.jsonl").open("ab") as file:
            file.write(msgspec.json.encode(ALL[n]) + b"\n")
    assert not (running.path / "trials.parquet").exists()
    assert len([*table(running).parent.glob("*.parquet")]) < 60
    empty = make(runs, [], "interrupted")
    with Trials(empty) as trials:
        assert trials.count(Filter(q="x")) == 0
        assert trials.page(Filter(score_min=0.1), "-score", 0, 5, ["input"]).rows == []
        assert trials.neighbours(Filter(), "score", 0, 0).after is None


def test_a_journal_that_took_long_is_not_read_at_every_look(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("howgood.studio.trials.SELDOM", 1e9)
    running = make(runs, ALL[:5], "running")
    first = table(running)
    (running.path / "journal-9.jsonl").write_bytes(msgspec.json.encode(ALL[5]) + b"\n")
    assert table(running) == first


def test_a_table_of_an_older_howgood_is_read(run: SavedRun) -> None:
    path = run.path / "trials.parquet"
    run.trials.drop("latency", "stratum", "cost", "choices").write_parquet(path)
    with Trials(run) as trials:
        assert trials.count(Filter(latency_min=0.0)) == 0
        assert trials.count(Filter(q="what is 17?")) == 1
        assert trials.page(Filter(), "-cost", 0, 3, ["stratum", "latency"]).rows[0]["latency"] is None
        assert trials.groups(10) == []


def test_files_that_are_no_tables_say_so(run: SavedRun) -> None:
    path = run.path / "trials.parquet"
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(HowgoodError, match=r"trials.parquet cannot be read: "):
        Trials(run)
    path.unlink()
    with pytest.raises(HowgoodError, match=r"trials.parquet is missing, so the run's instances cannot be shown"):
        Trials(run)


def test_a_folder_whose_name_is_a_pattern_is_one_folder(tmp_path: Path) -> None:
    for name in ("it's a b runs", odd := "it's [a] * run?"):
        (tmp_path / name).mkdir()
        made = make(tmp_path / name, ALL[:3])
    assert made.path.parent.name == odd
    with Trials(made, made, [made]) as trials:
        assert trials.count(Filter()) == 3


def test_no_query_reaches_another_file(run: SavedRun, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with Trials(run) as trials:
        for query in (f"select * from '{tmp_path}/secret.csv'", f"copy trials to '{tmp_path}/out.csv'"):
            with pytest.raises(HowgoodError, match="cannot be read"):
                trials.ask(query)
        with pytest.raises(HowgoodError, match="cannot be read"):
            trials.ask("set enable_external_access = true")


def test_an_address_says_what_is_asked() -> None:
    query = "q=a+b&outcome=right&outcome=odd&outcome=&score_min=0.5&cost_max=&flagged=1&with=r2&differ=any"
    found = asked(QueryParams(query + "&sort=-cost&start=50"))
    wanted = Filter(q="a b", outcome=("right", "odd"), score_min=0.5, flagged=True, other="r2", differ="any")
    assert found == Asked(wanted, "-cost", 50)
    from howgood.studio.page import query as written

    assert asked(QueryParams(written(found.query()))) == found
    assert asked(QueryParams("")) == Asked()
    assert Asked().query() == {"sort": "", "start": ""}


@pytest.mark.parametrize(
    "query",
    ["sort=text", "sort=--cost", "start=-1", "start=x", "score_min=abc", "score_min=1e999", "cost_max=nan", "differ=x",
     "flagged=perhaps", "q=" + "x" * 401, "prompt_min=-1", "outcome=" + "x" * 41, "outcome=a&" * 21],
)  # fmt: skip
def test_an_address_that_means_nothing_is_refused(query: str) -> None:
    with pytest.raises(Refused, match="The address asks for what there is not") as refused:
        asked(QueryParams(query))
    assert refused.value.status == 400


def test_scores_may_have_any_name(runs: Path) -> None:
    names = ("level", "share", "place", "unit", "n", "s", 'say "x"')
    trials_of = [
        Trial(Instance(f"q{i}", "?", cluster=f"c{i // 2}"), i, 0, "?", Prediction(text="x", latency=i),
              Score({name: float(i % 2) for name in names}, "right" if i % 2 else "wrong"))
        for i in range(20)
    ]  # fmt: skip
    for name in names:
        trials_of = [
            msgspec.structs.replace(
                one, score=msgspec.structs.replace(one.score, values={name: one.score.values[name], **one.score.values})
            )
            for one in trials_of
        ]
        run, other = make(runs, trials_of), make(runs, trials_of[::2])
        with Trials(run, other, [other]) as trials:
            assert trials.headline == name
            assert trials.count(Filter(differ="same")) == 10
            assert trials.count(Filter(score_min=1)) == 10
            assert [part.mean.n for part in figures.against(trials, "latency")] == [9, 11]
            assert [(part.low, part.mean.value) for part in figures.hardness(trials)] == [(0.0, 0.0)]
            found = trials.row(3, 0)
            assert found is not None
            assert set(found) == set(run.columns)


def test_an_incomplete_run_without_its_table_is_read_from_its_journals(tmp_path: Path) -> None:
    run = make(tmp_path, [trial(0), trial(1)], "stopped")
    run.status = "incomplete"
    with Trials(run) as trials:
        assert trials.count(Filter()) == 2
