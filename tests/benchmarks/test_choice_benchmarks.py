"""The standard choice benchmarks: all of their local rows, as lm-evaluation-harness prompts them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from plans import CHATS, COMPLETES, Planned

from howgood.calls.base import Settings
from howgood.core.errors import Unsupported
from howgood.core.registry import find
from howgood.core.types import Generate, Instance, Likelihood, Loglikelihood, Message, Prediction
from howgood.inputs.base import Given, Row
from howgood.runs.check import check
from howgood.runs.plan import Options, Plan

SIZES = {
    "arc-easy": 2_376,
    "arc-challenge": 1_172,
    "openbookqa": 500,
    "boolq": 3_270,
    "piqa": 1_838,
    "commonsense-qa": 1_221,
    "social-iqa": 1_954,
    "winogrande": 1_267,
}
HEADLINES = {"arc-challenge": "acc_norm", "openbookqa": "acc_norm"}


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_gold_answers_are_right_and_spoiled_ones_wrong(name: str, size: int, shared: Path) -> None:
    found = check(name, {}, Options(data=str(shared / "data")))
    assert [one.way for one in found] == ["a model that can do everything", "a model that only chats"]
    assert [(one.instances, one.faults) for one in found] == [(size, [])] * 2


@pytest.mark.parametrize("name", SIZES)
def test_the_headline_is_the_one_that_tables_give(name: str, planned: Planned) -> None:
    plan = planned(name)
    instance = next(plan.instances())[1]
    score = plan.benchmark.outputs(instance, plan.benchmark.call.imagine(instance, True))
    assert next(iter(score.values)) == HEADLINES.get(name, "acc")


def hub_rows(name: str, plan: Plan) -> list[Row]:
    """Our instances as rows with the columns that the Hub's data sets have."""
    rows: list[Row] = []
    for _, instance in plan.instances():
        text, choices, gold = str(instance.input), list(instance.choices), instance.gold[0]
        row: Row
        if name in ("arc-easy", "arc-challenge"):
            labels = ["1", "2", "3", "4"]
            row = {"question": text, "choices": {"text": choices, "label": labels}, "answerKey": labels[gold]}
        elif name == "openbookqa":
            row = {"question_stem": text, "choices": {"text": choices, "label": [*"ABCD"]}, "answerKey": "ABCD"[gold]}
        elif name == "boolq":
            passage, _, question = text.rpartition("\nQuestion: ")
            row = {"passage": passage, "question": question.removesuffix("?"), "label": gold}
        elif name == "piqa":
            row = {"goal": text, "sol1": choices[0], "sol2": choices[1], "label": gold}
        elif name == "commonsense-qa":
            choices = [*choices, "a fifth"]  # which the local copy lacks
            row = {"question": text, "choices": {"text": choices, "label": [*"ABCDE"]}, "answerKey": "ABCDE"[gold]}
        elif name == "social-iqa":
            context, _, question = text.rpartition(". ")
            row = {"context": f"{context}.", "question": question, "label": str(gold + 1)}
            row |= dict(zip(("answerA", "answerB", "answerC"), [*choices, "a third"], strict=True))
        else:
            row = {"sentence": text, "option1": choices[0], "option2": choices[1], "answer": str(gold + 1)}
        rows.append(row)
    return rows


def from_hub(name: str, rows: list[Row]) -> list[Instance]:
    inputs = find(name)[0].build().inputs
    return list(type(inputs)(inputs.to_instance, (Given({"test": tuple(rows)}),)).instances())


@pytest.mark.parametrize("name", SIZES)
def test_rows_of_the_hub_become_the_same_instances(name: str, planned: Planned) -> None:
    plan = planned(name)
    ours = [instance for _, instance in plan.instances()]
    theirs = from_hub(name, hub_rows(name, plan))
    more = {"commonsense-qa": ("a fifth",), "social-iqa": ("a third",)}.get(name, ())
    for one, other in zip(ours, theirs, strict=True):
        assert (one.id, one.input, one.gold) == (other.id, other.input, other.gold)
        assert (*one.choices, *more) == other.choices


PEERS = {
    "arc-easy": ("arc/arc_easy.yaml", "test"),
    "arc-challenge": ("arc/arc_challenge.yaml", "test"),
    "openbookqa": ("openbookqa/openbookqa.yaml", "test"),
    "boolq": ("super_glue/boolq/default.yaml", "validation"),
    "piqa": ("piqa/piqa.yaml", "validation"),
    "commonsense-qa": ("commonsense_qa/default.yaml", "validation"),
    "social-iqa": ("siqa/siqa.yaml", "validation"),
}


@pytest.mark.parametrize("name", PEERS)
def test_prompts_are_those_of_lm_eval(name: str, planned: Planned) -> None:
    pytest.importorskip("lm_eval")
    from peer_tasks import peer_task

    file, split = PEERS[name]
    plan = planned(name)
    rows = hub_rows(name, plan)[::7]
    task: Any = peer_task(file, **{split: rows, "train": rows[:1]})
    docs = list(task.test_docs() if split == "test" else task.validation_docs())
    for theirs, ours in zip(docs, from_hub(name, rows), strict=True):
        request = plan.request(ours)
        assert isinstance(request, Loglikelihood)
        assert request.prompt == task.fewshot_context(theirs, 0)
        assert request.continuations == tuple(f" {choice}" for choice in task.doc_to_choice(theirs))
        target = task.doc_to_target(theirs)
        assert ours.gold == ("ABCDE".index(target) if isinstance(target, str) else int(target),)


def test_examples_stand_above_as_lm_eval_writes_them(planned: Planned) -> None:
    pytest.importorskip("lm_eval")
    from peer_tasks import peer_task

    for name in ("arc-easy", "boolq", "openbookqa"):
        plan = planned(name, shots=2)
        instance = next(plan.instances())[1]
        by_id = {one.id: row for (_, one), row in zip(plan.instances(), hub_rows(name, plan), strict=True)}
        shown = [by_id[shot.id] for shot in plan.shots(instance)]
        file, split = PEERS[name]
        task = peer_task(file, **{split: [by_id[instance.id]], "train": shown})
        task.sampler.sample = lambda n, eval_doc=None, df=None, rows=shown: rows[:n]
        (theirs,) = task.test_docs() if split == "test" else task.validation_docs()
        request = plan.request(instance)
        assert isinstance(request, Loglikelihood)
        assert request.prompt == task.fewshot_context(theirs, 2)


def test_winogrande_scores_what_follows_the_blank(planned: Planned) -> None:
    pytest.importorskip("lm_eval")
    from peer_tasks import peer_task

    plan = planned("winogrande")
    rows = hub_rows("winogrande", plan)
    task = peer_task("winogrande/default.yaml", validation=rows, train=rows[:1])
    for theirs, (_, ours) in zip(task.validation_docs(), plan.instances(), strict=True):
        request = plan.request(ours)
        assert isinstance(request, Loglikelihood)
        fillings, wholes = request.continuations[:2], request.continuations[2:]
        # What lm-eval conditions on, and what it scores after it.
        assert [f"{request.prompt}{filling}" for filling in fillings] == task.doc_to_choice(theirs)
        rest = task.doc_to_target(theirs)
        assert wholes == tuple(f"{filling} {rest}" for filling in fillings)
        assert ours.gold == (task.doc_to_text(theirs),)


def test_winogrande_is_right_by_the_difference(planned: Planned) -> None:
    plan = planned("winogrande")
    instance = Instance("0", "The cup broke as _ fell.", choices=("it", "the floor"), gold=(0,))
    # The second filling is likelier, and so is its whole; the words after the first are likelier.
    logprobs = (-6.0, -2.0, -9.0, -7.0)
    prediction = Prediction(likelihoods=tuple(Likelihood(logprob, 3) for logprob in logprobs))
    score = plan.benchmark.outputs(instance, prediction)
    assert (score.values, score.outcome, score.answer) == ({"acc": 1.0}, "right", "it")


def test_winogrande_by_letters_is_a_choice_like_others(planned: Planned) -> None:
    plan = planned("winogrande", method="letter-likelihood")
    instance = next(plan.instances())[1]
    request = plan.request(instance)
    assert isinstance(request, Loglikelihood)
    assert request.continuations == (" A", " B")
    far_apart = Prediction(likelihoods=(Likelihood(-9.0, 1), Likelihood(-1.0, 1)))
    assert plan.benchmark.outputs(instance, far_apart).values == {"acc": float(instance.gold == (1,))}


def test_winogrande_by_likelihood_has_no_examples(planned: Planned) -> None:
    call = find("winogrande")[0].build().call
    with pytest.raises(Unsupported, match="leave out --shots"):
        call.bind(COMPLETES, Settings(shots=2))
    assert call.bind(CHATS, Settings(shots=2)).shots.n == 2


def test_twins_and_shared_contexts_are_clusters(planned: Planned) -> None:
    clusters = {
        name: Counter(instance.cluster for _, instance in planned(name).instances())
        for name in ("winogrande", "social-iqa", "boolq")
    }
    assert {name: (len(found), max(found.values())) for name, found in clusters.items()} == {
        "winogrande": (1_032, 2),
        "social-iqa": (1_930, 2),
        "boolq": (2_938, 9),
    }


def test_a_model_that_only_chats_sees_the_choices(planned: Planned) -> None:
    plan = planned("piqa", CHATS)
    instance = next(plan.instances())[1]
    request = plan.request(instance)
    assert isinstance(request, Generate)
    (turn,) = request.prompt
    first, second = instance.choices
    assert isinstance(turn, Message)
    assert turn.content == (
        f"Question: {instance.input}\n\nA. {first}\nB. {second}\n\n"
        "End with a line 'Answer: X', where X is the letter of the right choice."
    )
