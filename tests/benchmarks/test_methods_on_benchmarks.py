"""The same benchmark, as a model alone and as a system: GSM8K and MMLU on the shared data with methods around them."""

from __future__ import annotations

from pathlib import Path

import howgood as hg
from howgood.calls.base import Settings
from howgood.core.types import Generate, Prediction
from howgood.inputs.files import read_rows
from howgood.models.base import Capabilities, Model
from howgood.models.registry import load_model
from howgood.outputs.extract import target_number
from howgood.runs.check import Imagined
from howgood.runs.plan import Options, make_plan


class Solver(Model):
    """Knows GSM8K's answers, and gives the right one to two of three samples (told apart by their seeds)."""

    name, concurrency = "solver", 4
    capabilities = Capabilities(generate=True, chat=True)

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers, self.asked = answers, dict[str, int]()

    async def generate(self, request: Generate) -> Prediction:
        question = str(request.prompt[-1].content).removeprefix("Question: ").partition("\nAnswer:")[0]
        turn = self.asked[question] = self.asked.get(question, 0) + 1
        answer = "#### 123456789" if turn % 3 == 2 else f"Step by step.\n#### {self.answers[question]}"
        return Prediction(text=answer, stop_reason="stop", cost=0.01)


def test_gsm8k_by_a_model_by_cot_and_by_votes(shared: Path) -> None:
    data = str(shared / "data")
    answers = {
        row["question"]: str(target_number(row["answer"])) for row in read_rows(shared / "data/gsm8k/test.jsonl")
    }
    found = {}
    for methods in ((), ("cot",), ("cot", "vote,n=3")):
        run = hg.run("gsm8k", Solver(answers), method=methods, limit=5, shots=0, data=data)
        assert run.outcomes == {"right": 5}
        found[methods] = run
    alone, cot, voted = found.values()
    assert "methods" not in alone.rules.call
    assert cot.rules.call["methods"] == [{"name": "cot", "version": 1}]
    assert voted.rules.call["methods"] == [{"name": "cot", "version": 1}, {"name": "vote", "n": 3}]
    assert len({run.rules.hash for run in found.values()}) == 3
    assert (alone.cost, cot.cost) == (0.05, 0.05)
    assert round(voted.cost or 0, 9) == 0.15
    assert all("x2, 123456789 x1" in told for told in voted.trials["explanation"])
    differing = {name for name, _, _ in alone.rules.differences(voted.rules)}
    assert {"call.methods", "call.temperature", "outputs.vote"} <= differing


def test_mmlu_by_likelihood_becomes_a_written_answer(shared: Path) -> None:
    everything = Imagined("imagined", Capabilities(True, True, True, completion=True, chat=True))
    options = Options(limit=5, data=str(shared / "data"), methods=("cot",))
    plan = make_plan("mmlu", everything, {}, options)
    alone = make_plan("mmlu", everything, {}, Options(limit=5, data=str(shared / "data")))
    assert alone.rules.call["method"] == "letter-likelihood"
    assert plan.rules.call["method"] == "letter-generation"
    for _, instance in plan.instances():
        request = plan.request(instance)
        assert isinstance(request, Generate)
        assert str(request.prompt[-1].content).endswith("Think step by step before you answer.")


async def test_samples_of_a_real_model_differ_and_their_seeds_repeat_them() -> None:
    """SmolLM2 on one word problem."""
    model = load_model("smollm2")
    settings = Settings(shots=0, max_tokens=8)
    options = Options(limit=1, settings=settings, methods=("vote,n=3",))
    plan = make_plan("quickstart-word-problems", model, {}, options)
    _, instance = next(plan.instances())
    try:
        found = [await plan.benchmark.call(plan.request(instance), model) for _ in range(2)]
    finally:
        await model.close()
    assert len(set(found[0].attempts)) > 1
    assert found[0].attempts == found[1].attempts
    assert found[0].usage.output == 24
    assert (plan.benchmark.outputs(instance, found[0]).explanation or "").startswith("votes: ")
