from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from plans import Planned

from howgood.benchmarks.knowledge.gpqa import PASSWORD
from howgood.core.types import Loglikelihood
from howgood.runs.check import check
from howgood.runs.plan import Options

SIZES = {"main": 448, "extended": 546, "diamond": 198}


@pytest.mark.parametrize(("subset", "size"), SIZES.items())
def test_the_sets_have_their_published_sizes(subset: str, size: int, shared: Path) -> None:
    found = check("gpqa", {"subset": subset}, Options(data=str(shared / "data")))
    assert [(one.instances, one.faults) for one in found] == [(size, [])] * 2


def test_every_right_choice_is_the_authors(planned: Planned, shared: Path) -> None:
    with zipfile.ZipFile(shared / "data" / "gpqa" / "dataset.zip") as archive:
        text = archive.read("dataset/gpqa_diamond.csv", pwd=PASSWORD.encode()).decode()
    rows = {row["Record ID"]: row for row in csv.DictReader(io.StringIO(text))}
    for _, instance in planned("gpqa").instances():
        row = rows[instance.id]
        wrong = [row[f"Incorrect Answer {number}"].strip() for number in (1, 2, 3)]
        assert [instance.choices[place] for place in instance.gold] == [row["Correct Answer"].strip()]
        assert sorted(instance.choices) == sorted([row["Correct Answer"].strip(), *wrong])


def test_a_choice_that_is_written_twice_is_right_twice(planned: Planned) -> None:
    twice = [i for _, i in planned("gpqa", subset="main").instances() if len(i.gold) > 1]
    assert [len({instance.choices[place] for place in instance.gold}) for instance in twice] == [1]


def test_the_order_of_choices_is_a_rule(planned: Planned) -> None:
    one, same, other = planned("gpqa"), planned("gpqa", order=0), planned("gpqa", order=1)
    assert one.rules == same.rules
    assert one.rules.data["choices"] == "shuffled by seed 0"
    assert "data.choices" in {name for name, *_ in one.rules.differences(other.rules)}
    places = Counter(instance.gold[0] for _, instance in one.instances())
    assert places == {0: 57, 1: 51, 2: 44, 3: 46}
    moved = [a.choices != b.choices for (_, a), (_, b) in zip(one.instances(), other.instances(), strict=True)]
    assert 150 < sum(moved) < 198  # 1 in 24 orders is the same by chance


def test_the_order_does_not_depend_on_who_else_is_asked(planned: Planned) -> None:
    extended = {instance.id: instance.choices for _, instance in planned("gpqa", subset="extended").instances()}
    same = [extended[i.id] == i.choices for _, i in planned("gpqa").instances() if i.id in extended]
    assert all(same)
    assert len(same) == 198


def test_the_prompt(planned: Planned) -> None:
    plan = planned("gpqa")
    instance = next(plan.instances())[1]
    a, b, c, d = instance.choices
    assert plan.request(instance) == Loglikelihood(
        f"What is the correct answer to this question: {instance.input}\n\nChoices:\n"
        f"A. {a}\nB. {b}\nC. {c}\nD. {d}\nAnswer:",
        (" A", " B", " C", " D"),
    )
