"""Runs with perturbations: what is asked, resumed, compared and read elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import howgood as hg
from howgood.calls.generation import Generation
from howgood.core.errors import HowgoodError, Unsupported
from howgood.core.types import Generate, Instance, Loglikelihood, Prediction, Usage
from howgood.inputs.base import Inputs
from howgood.interpret.estimate import Mean
from howgood.models.base import Capabilities
from howgood.outputs.match import Match
from howgood.runs import evaluate


class CaseBlind(hg.Model):
    """Answers yes to every question but those whose prompt has no capital letter in it."""

    name = "case-blind"
    capabilities = Capabilities(generate=True, completion=True)

    def __init__(self) -> None:
        self.asked = 0

    async def generate(self, request: Generate) -> Prediction:
        self.asked += 1
        assert isinstance(request.prompt, str)
        right = request.prompt != request.prompt.lower()
        return Prediction(text="yes" if right else "no", stop_reason="stop", usage=Usage(1, 1), cost=0.0)


@pytest.fixture
def questions(tmp_path: Path) -> str:
    file = tmp_path / "questions.csv"
    file.write_text("question,answer\n" + "".join(f"Does question {n} have an answer,yes\n" for n in range(12)))
    return str(file)


def ask(file: str, **options: Any) -> hg.Estimate | Any:
    return hg.run(file, model=CaseBlind(), ask="{question}", answer="answer", **options)


def test_the_headline_is_that_of_the_questions_as_they_are(questions: str) -> None:
    run = ask(questions, perturb=["case", "whitespace,n=2"])
    values = {estimate.name: estimate.value for estimate in run.estimates}
    assert values == {
        "normalized_match": 1,
        "normalized_match_mean": 0.75,
        "normalized_match_worst": 0,
        "flips": pytest.approx(1 / 3),
    }
    assert run.estimate.n == 12
    assert run.planned == len(run.trials) == 48
    assert run.estimate.clusters is None
    found = hg.robustness(run)
    case, spaces = found.perturbations
    assert (case.name, case.change.difference.value) == ("case", -1)
    assert (spaces.name, spaces.change.difference.value) == ("whitespace", 0)
    assert case.adjusted is not None
    assert case.adjusted < 0.001
    assert list(run.rules.sample["perturb"]) == ["seed", "version", "case", "whitespace"]


def test_the_headline_is_the_same_from_the_table(questions: str) -> None:
    run = ask(questions, perturb=["case", "whitespace,n=2"], epochs=2)
    estimates, groups = Mean()(evaluate.scores(run, variants=False))
    assert run.estimates[: len(estimates)] == estimates
    assert run.groups == groups


def test_variants_of_the_users_own_making_are_not_in_the_headline() -> None:
    asked = Instance("a", "Is it", targets=("yes",))
    made = Instance("a~mine.1", "is it", targets=("yes",), variant="mine.1")
    benchmark = hg.Benchmark(Inputs.of([asked, made]), Generation(), Match("normalized"), Mean())
    run = hg.run(benchmark, CaseBlind())
    assert (run.estimate.value, run.estimate.n, len(run.trials)) == (1, 1, 2)
    assert Mean()(evaluate.scores(run)) == (run.estimates, run.groups)


def test_trials_tell_their_variant(questions: str) -> None:
    run = ask(questions, perturb="case", limit=3)
    rows = run.trials.select("id", "variant", "cluster").rows()
    ids = sorted({id for id, variant, _ in rows if variant is None})
    assert len(ids) == 3
    assert sorted(rows, key=str) == sorted(
        [row for id in ids for row in ((id, None, f"~{id}"), (f"{id}~case.1", "case.1", f"~{id}"))], key=str
    )


def test_a_run_with_and_one_without_pair_on_the_questions_as_they_are(questions: str) -> None:
    plain, perturbed = ask(questions), ask(questions, perturb="case")
    assert plain.rules.hash != perturbed.rules.hash
    found = hg.compare(plain, perturbed)
    assert (found.difference.n, found.difference.value, found.only_a, found.only_b) == (12, 0, 0, 0)
    assert any(name.startswith("sample.perturb") for name, _, _ in found.rules)
    assert found.split is None


def test_two_runs_with_perturbations_can_be_compared_at_their_worst(questions: str) -> None:
    a, b = ask(questions, perturb="case"), ask(questions, perturb="case")
    assert hg.compare(a, b).split is not None
    worst = hg.compare(a, b, score="normalized_match_worst")
    assert (worst.a.value, worst.b.value, worst.difference.value) == (0, 0, 0)


def test_a_stopped_run_resumes_with_the_same_variants(questions: str) -> None:
    whole = ask(questions, perturb="typos")

    class Dying(CaseBlind):
        async def generate(self, request: Generate) -> Prediction:
            if self.asked >= 5:
                raise KeyboardInterrupt
            return await super().generate(request)

    with pytest.raises(KeyboardInterrupt):
        hg.run(questions, model=Dying(), ask="{question}", answer="answer", perturb="typos")
    stopped = hg.load("last")
    model = CaseBlind()
    resumed = hg.resume(stopped, model=model)
    assert resumed.status == "finished"
    assert model.asked < 24
    columns = ["id", "variant", "epoch", "prompt", "normalized_match"]
    assert resumed.trials.select(columns).sort("id").equals(whole.trials.select(columns).sort("id"))
    assert resumed.estimate.value == whole.estimate.value


def test_without_perturbations_there_is_nothing_to_tell(questions: str) -> None:
    run = ask(questions, limit=2)
    assert run.trials["variant"].to_list() == [None, None]
    with pytest.raises(HowgoodError, match="--perturb"):
        hg.robustness(run)
    assert not evaluate.is_perturbed(run)


def test_nothing_is_called_where_a_perturbation_makes_no_sense(questions: str) -> None:
    model = CaseBlind()
    for perturb, words in (("choice-order", "changes none"), ("wording", "no wordings"), ("shot-order", "no order")):
        with pytest.raises(Unsupported, match=words):
            hg.run(questions, model=model, ask="{question}", answer="answer", perturb=perturb)
    with pytest.raises(HowgoodError, match="given twice"):
        hg.run(questions, model=model, ask="{question}", answer="answer", perturb=["case", "case,n=2"])
    assert model.asked == 0


class Guess(hg.Model):
    """Likelihoods by the letters' places alone: another order of the choices is another answer."""

    name = "first"
    capabilities = Capabilities(loglikelihood=True, completion=True)

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        from howgood.core.types import Likelihood

        return Prediction(likelihoods=tuple(Likelihood(-float(n), 1) for n in range(len(request.continuations))))


def test_a_model_that_always_takes_the_first_choice_is_found_out(tmp_path: Path) -> None:
    file = tmp_path / "choices.csv"
    rows = "".join(f"Which is right in {n},yes,no,maybe,never,yes\n" for n in range(200))
    file.write_text(f"question,a,b,c,d,answer\n{rows}")
    run = hg.run(
        str(file), model=Guess(), ask="{question}", answer="answer", choices="a,b,c,d", perturb="choice-order,n=3"
    )
    found = hg.robustness(run)
    assert run.estimate.value == 1
    # The right choice is first in 5 of the 23 other orders.
    assert found.perturbations[0].change.b.value == pytest.approx(5 / 23, abs=0.06)
    assert found.worst.value < 0.05
