"""howgood compare of many runs, irt, run --items, card: on real runs of systems whose ability is known."""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path

import msgspec
import pytest
from markdown_it import MarkdownIt

import howgood as hg
from howgood.cli.card import card
from howgood.cli.compare import compare
from howgood.cli.irt import irt
from howgood.core.errors import DataError, HowgoodError
from howgood.core.types import Generate, Prediction
from howgood.interpret.items import read, write
from howgood.interpret.multiple import holm
from howgood.models.base import Capabilities, Model
from howgood.runs.store import SavedRun

N = 120


class Able(Model):
    """Right on question n with the probability of its ability against the question's difficulty, n/N from -2 to 2."""

    capabilities = Capabilities(generate=True, chat=True)
    concurrency = 8

    def __init__(self, name: str, ability: float) -> None:
        self.name, self.ability = name, ability

    async def generate(self, request: Generate) -> Prediction:
        assert not isinstance(request.prompt, str)
        word = str(request.prompt[-1].content).split()[-1]
        p = 1 / (1 + math.exp(-2 * (self.ability - (4 * int(word[1:]) / N - 2))))
        right = random.Random(f"{self.name}{word}{request.seed}").random() < p
        return Prediction(text=word if right else "no", stop_reason="stop", latency=0.1, cost=0.001)


ABILITIES = {"low": -1.0, "middle": 0.0, "high": 1.0, "top*": 1.6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for name in ("words", "more"):
        rows = [{"id": f"{i:03}", "question": f"Say w{i}", "answer": f"w{i}"} for i in range(N)]
        (folder / f"{name}.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
    return folder


def asked(folder: Path, system: str, file: str = "words", **options: object) -> SavedRun:
    able = Able(system, ABILITIES.get(system, 0.5))
    given = {"ask": "{question}", "answer": "answer", "id": "id", "folder": folder / "runs"} | options
    return hg.run(str(folder / f"{file}.jsonl"), able, **given)


@pytest.fixture(scope="module")
def runs(folder: Path) -> list[SavedRun]:
    return [asked(folder, system) for system in ABILITIES]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_every_system_against_the_first(
    runs: list[SavedRun], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    compare([str(run.path) for run in runs])
    out = said(capsys)
    assert "Differences, paired, B minus A" in out
    assert "top* − low" in out
    assert "middle − high" not in out
    assert "p answers for all 3 comparisons (Holm)" in out
    assert "quality against cost" in out
    found = hg.compare_many(*runs)
    alone = [hg.compare(runs[0], run) for run in runs[1:]]
    assert [pair.comparison.difference for pair in found.pairs] == [one.difference for one in alone]
    assert [pair.adjusted for pair in found.pairs] == holm([one.p for one in alone])
    assert found.overall == ()
    assert "top* − low" in str(found)


def test_every_two_systems(runs: list[SavedRun]) -> None:
    found = hg.compare_many(*runs, pairs=True)
    assert [(pair.a, pair.b) for pair in found.pairs] == [
        ("low", "middle"), ("low", "high"), ("low", "top*"), ("middle", "high"), ("middle", "top*"), ("high", "top*")
    ]  # fmt: skip


def test_two_systems_on_two_benchmarks(
    runs: list[SavedRun], folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    four = [runs[0], asked(folder, "low", "more"), runs[1], asked(folder, "middle", "more")]
    found = hg.compare_many(*four)
    assert [(pair.benchmark, pair.a, pair.b) for pair in found.pairs] == [
        ("words", "low", "middle"),
        ("more", "low", "middle"),
    ]
    (overall,) = found.overall
    each = [pair.comparison.difference.value for pair in found.pairs]
    assert overall.difference.value == pytest.approx(sum(each) / 2)
    compare([str(run.path) for run in four])
    assert "mean over 2 benchmarks" in said(capsys)
    # In whatever order a benchmark's runs are given, a pair is the same pair on each.
    mixed = hg.compare_many(*four, asked(folder, "high", "more"), runs[2], pairs=True)
    swapped = hg.compare_many(runs[0], runs[2], runs[1], four[3], asked(folder, "high", "more"), four[1], pairs=True)
    assert {(one.a, one.b) for one in swapped.overall} == {("low", "high"), ("low", "middle"), ("high", "middle")}
    value = {frozenset((one.a, one.b)): abs(one.difference.value) for one in mixed.overall}
    assert value == {frozenset((one.a, one.b)): pytest.approx(abs(one.difference.value)) for one in swapped.overall}


def test_runs_that_cannot_be_paired_are_said(runs: list[SavedRun], folder: Path) -> None:
    other = asked(folder, "high", "more", limit=20)
    with pytest.raises(HowgoodError, match="no two of these runs are of one benchmark: they are of words, more"):
        hg.compare_many(runs[0], other)
    again = asked(folder, "low", limit=20)
    with pytest.raises(HowgoodError, match=r"low has 2 runs of words: .*; give one of them"):
        hg.compare_many(runs[0], again, other)
    doubles = hg.compare_many(runs[0], again, runs[1])
    assert [pair.a for pair in doubles.pairs] == [f"low {runs[0].id[-4:]}"] * 2
    with pytest.raises(HowgoodError, match="takes two runs or more"):
        compare([str(runs[0].path)])


def test_a_sixth_of_the_questions_gives_all_of_them(
    runs: list[SavedRun], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "items.json"
    irt([str(run.path) for run in runs], out=str(out))
    words = said(capsys)
    assert "words 2PL, 120 questions, 4 systems" in words
    assert "20 of 120 are picked. Ask the next system only these:" in words
    assert "--model MODEL" in words
    made = read(out)
    assert made.systems["top*"] > made.systems["high"] > made.systems["middle"] > made.systems["low"]
    # Hard questions are found to be hard.
    by_b = [one for _, one in sorted(zip(made.items.b, made.items.ids, strict=True))]
    assert sum(int(one) for one in by_b[-30:]) / 30 > 85
    assert sum(int(one) for one in by_b[:30]) / 30 < 35

    part = asked(folder, "next", items=str(out))
    whole = asked(folder, "next")
    assert sorted(part.sampled or []) == sorted(made.picked)
    assert part.rules.sample["how"] == "items"
    first, second = part.estimates[:2]
    assert (first.n, second.name) == (20, "normalized_match_all")
    assert second.low <= whole.estimate.value <= second.high
    assert second.high - second.low < first.high - first.low
    ability, measured = hg.measure(out, part)
    assert measured == second
    assert made.systems["middle"] < ability.value < made.systems["top*"]
    irt([str(part.path)], items=str(out))
    assert "normalized_match of all 120" in said(capsys)


def test_items_of_other_questions_are_refused(runs: list[SavedRun], folder: Path, tmp_path: Path) -> None:
    made = hg.fit_items(*runs, runs[0], pick=30)
    assert len(made.picked) == 30
    assert made.items.systems == len(made.systems) == len(made.errors) == 4  # a run given twice is one system
    assert all(0 < error < 1 for error in made.errors.values())
    write(made, tmp_path / "items.json")
    with pytest.raises(DataError, match="the items are of words, not of more"):
        asked(folder, "next", "more", items=tmp_path / "items.json")
    with pytest.raises(HowgoodError, match="leave out --limit"):
        asked(folder, "next", items=tmp_path / "items.json", limit=3)
    changed = msgspec.structs.replace(made, digest="0" * 12)
    write(changed, tmp_path / "changed.json")
    with pytest.raises(DataError, match="the questions have changed"):
        asked(folder, "next", items=tmp_path / "changed.json")
    part = asked(folder, "low", limit=20)
    with pytest.raises(DataError, match="of 120 instances these runs have 20"):
        hg.fit_items(part, asked(folder, "middle", limit=20))
    with pytest.raises(HowgoodError, match="-o and --pick are for fitting"):
        irt([str(part.path)], items="x.json", pick=20)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[]", "is no file of items"),
        (b'{"benchmark": "b"}', "is no file of items"),
        (b'{"benchmark":"b","digest":"d","score":"s","systems":{},"picked":[],"items":{"ids":["a"],"a":[1],"b":[],'
         b'"se_a":[1],"se_b":[1],"systems":3}}', "one id and four numbers each"),
        (b'{"benchmark":"b","digest":"d","score":"s","systems":{},"picked":[],"items":{"ids":["a"],"a":[0],"b":[1],'
         b'"se_a":[1],"se_b":[1],"systems":3}}', "not above zero"),
        (b'{"benchmark":"b","digest":"d","score":"s","systems":{},"picked":["z"],"items":{"ids":["a"],"a":[1],"b":[1],'
         b'"se_a":[1],"se_b":[1],"systems":3}}', "picked that is no item"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_items(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "items.json").write_bytes(content)
    with pytest.raises(DataError, match=words):
        read(tmp_path / "items.json")


def test_epochs_give_pass_at_k(folder: Path) -> None:
    run = asked(folder, "middle", epochs=4, temperature=1.0, limit=40)
    found = {one.name: one for one in run.estimates}
    assert list(found) == ["normalized_match", "pass@4", "pass^4", "majority@4"]
    right = run.trials.group_by("id").agg(hits=("normalized_match")).to_dict(as_series=False)["hits"]
    counts = [sum(hits) for hits in right]
    assert found["pass@4"].value == pytest.approx(sum(c > 0 for c in counts) / 40)
    assert found["pass^4"].value == pytest.approx(sum(c == 4 for c in counts) / 40)
    # All wrong answers are one answer: three of four carry the vote, two of four half of it.
    assert found["majority@4"].value == pytest.approx(sum((c > 2) + (c == 2) / 2 for c in counts) / 40)
    other = asked(folder, "high", epochs=4, temperature=1.0, limit=40)
    at_2 = hg.compare(run, other, score="pass@2").difference
    expected = [c * (c - 1) / 12 + c * (4 - c) / 6 for c in counts]  # 1 - C(4-c, 2)/C(4, 2)
    assert hg.compare(run, other, score="pass@2").a.value == pytest.approx(sum(expected) / 40)
    assert at_2.value > 0
    with pytest.raises(DataError, match="run it with --epochs 5"):
        hg.compare(run, other, score="pass@5")


def test_a_card_says_what_the_number_is_good_for(runs: list[SavedRun], capsys: pytest.CaptureFixture[str]) -> None:
    card(str(runs[3].path))
    out = capsys.readouterr().out
    assert out.startswith("# Evaluation card: words on top\\*\n")
    for user in ("A buyer", "A researcher", "A policy maker", "A model developer"):
        assert f"**{user}**" in out
    right = runs[3].outcomes["right"]
    assert f"({right} of 120)".replace("(", "").replace(")", "") in out
    assert "with probability 95%" in out
    assert "was not tested here" in out
    assert "--model 'top*'" in out
    made = hg.card(runs[3])
    smallest = hg.power(runs[3]).detectable(N)
    assert f"{100 * smallest:.1f} points" in made.uses[0].can[0]
    assert made.markdown() == out
    assert str(made) == out
    card(str(runs[3].path), as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["rules_hash"] == runs[3].rules.hash
    assert found["estimates"][0]["value"] == runs[3].estimate.value
    assert [use["user"] for use in found["uses"]] == [use.user for use in made.uses]


def test_a_card_of_epochs_splits_the_error(folder: Path) -> None:
    run = asked(folder, "middle", epochs=4, temperature=1.0, limit=40)
    words = next(line for line in hg.card(run).uncertainty if line.startswith("Its squared error"))
    shares = [float(x) for x in re.findall(r"([\d.]+)%", words)]
    assert sum(shares) == pytest.approx(100, abs=0.2)


def test_a_card_of_guesses_says_so(folder: Path) -> None:
    made = hg.card(hg.run("quickstart-questions", "reference/random", folder=folder / "runs"))
    assert any("nothing better is shown" in line for line in made.answer)
    assert made.flaws
    assert "flaws" not in made.flaws[0]


def test_hostile_names_cannot_format_a_card(folder: Path) -> None:
    run = asked(folder, "<b>x</b>|![a](http://b)\u202e", limit=20)
    text = hg.card(run).markdown()
    page = MarkdownIt("commonmark").enable("table").render(text)
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    for tag in ("<b>", "<a ", "<img"):
        assert tag not in page
    assert "\u202e" not in text
