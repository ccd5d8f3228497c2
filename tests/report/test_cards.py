"""The four questions answered in words that are true of the rules, and the command that runs it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from report_runs import LETTERS, choice_run, grid_run, perplexity_run, rules, save_run, written_run

from howgood.core.registry import Card
from howgood.core.types import Run, System
from howgood.report import cards

WRITTEN = {"method": "letter-generation", "max_tokens": 16, "temperature": 0.7}


def asked(tmp_path: Path, **parts: Any) -> Run:
    return save_run(tmp_path, [], given=rules(**parts), status="running", card=Card("b", "B", "capability", ""))


def test_a_sample_of_choice_questions(tmp_path: Path) -> None:
    run = choice_run(tmp_path)
    answers = dict(cards.four_questions(run))
    assert list(answers) == [
        "What are the inputs?",
        "How is the model called?",
        "How are outputs judged?",
        "What does the number mean?",
    ]
    assert answers["What are the inputs?"] == (
        "200 of 14,042 questions, a random sample with seed 0. From local mmlu/test.jsonl.gz, split test, "
        "sha256:ab12ab12ab12. Content digest 3f9a00c1d2e3."
    )
    assert answers["How is the model called?"] == (
        "The choices are listed under letters, and the likelihood the model gives to each letter is measured "
        "(letter by likelihood). 5 worked examples from dev, the first ones, of the instance's own stratum; as raw "
        "text."
    )
    assert answers["How are outputs judged?"] == "Right if the letter of the right choice is the most likely one."
    assert answers["What does the number mean?"] == (
        "The mean acc over instances, each counting the same. Here acc is 20.0%, 95% interval [15.0, 26.1], over "
        "200 instances (mean, stratified by 4 strata, Wilson). Guessing reaches 25%, people reach 89.8% (estimated by "
        "the authors for experts)."
    )


def test_written_answers(tmp_path: Path) -> None:
    run = written_run(tmp_path)
    assert cards.inputs(run).startswith("All 8 instances. From hub openai/gsm8k, split test, revision e53f048856ff.")
    assert cards.call(run) == (
        "The model writes its answer. Decoded greedily, at most 1,024 tokens. No worked examples; in the model's chat "
        "format."
    )
    assert "counted as what they are" in cards.outputs(run)
    assert "over 7 instances, without 1 trial that failed" in cards.meaning(run)


def test_whole_texts(tmp_path: Path) -> None:
    run = perplexity_run(tmp_path)
    assert cards.inputs(run).startswith("All 24 texts.")
    assert cards.call(run) == (
        "The likelihood the model gives to the whole text is measured, in windows of as many tokens as the model "
        "takes. The text is cleaned by detokenize first."
    )
    assert "perplexity per word and byte and token" in cards.meaning(run).lower()
    assert "lower is better" in cards.meaning(run)


def test_tasks_with_two_attempts(tmp_path: Path) -> None:
    run = grid_run(tmp_path)
    assert "It has 2 attempts, the later ones at temperature 1." in cards.call(run)
    assert cards.outputs(run).startswith("Solved if any attempt is exactly the target grid")
    assert cards.meaning(run).startswith("The mean solved of each cluster, averaged over clusters.")
    assert "over 1 instance (" in cards.meaning(run)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"sample": {"n": 57, "epochs": 3, "how": "stratified", "seed": 7}}, "57 of 14,042 questions, a stratified"),
        ({"sample": {"n": "all", "epochs": 3}}, "All 14,042 questions, each asked 3 times."),
    ],
)
def test_samples(tmp_path: Path, parts: dict[str, Any], words: str) -> None:
    assert cards.inputs(asked(tmp_path, **parts)).startswith(words)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (LETTERS | WRITTEN, "Decoded at temperature 0.7, at most 16 tokens."),
        (LETTERS | {"method": "cloze-likelihood"}, "The choices are not shown"),
        (LETTERS | {"shots": {"n": 0}}, "No worked examples; as raw text."),
        (LETTERS | {"shots": {"n": 1, "how": "random"}, "shots_from": "train"}, "1 worked example from train, drawn"),
        ({"kind": "rolling", "max_length": 1024, "context": 512}, "1,024 tokens, each token after at least 512"),
        ({"kind": "generation", "stop": ["\n\n", "Q:"], "temperature": 0}, 'Decoded greedily, up to "\\n\\n" or "Q:".'),
        ({"kind": "tournament", "rounds": 3}, "kind tournament; rounds 3."),
    ],
)
def test_calls(tmp_path: Path, call: dict[str, Any], words: str) -> None:
    assert words in cards.call(asked(tmp_path, call=call))


def test_the_command_runs_it_again(tmp_path: Path) -> None:
    run = choice_run(tmp_path, n=4)
    assert cards.command(run) == "howgood run mmlu --model smollm2 --limit 200"
    options = {"limit": 50, "sample": "stratified", "seed": 3, "settings": {"shots": 0, "chat": False, "max_tokens": 9}}
    changed = {"options": options, "parameters": {"subjects": "a b; rm -rf /", "normalized": True}}
    assert cards.command(msgspec.structs.replace(run, **changed)) == (
        "howgood run mmlu --model smollm2 --limit 50 --sample stratified --seed 3 --shots 0 --max-tokens 9 --no-chat "
        "-P 'subjects=a b; rm -rf /' -P normalized=true"
    )
    perturbed = msgspec.structs.replace(run, options={"perturb": ["typos,n=2", "case"]}, parameters={})
    assert cards.command(perturbed) == "howgood run mmlu --model smollm2 --perturb typos,n=2 --perturb case"


def test_the_command_for_a_file_does_not_name_it_twice(tmp_path: Path) -> None:
    run = choice_run(tmp_path, n=4)
    own = msgspec.structs.replace(
        run, benchmark="my data.csv", options={}, parameters={"file": "my data.csv", "answer": "reply"}
    )
    assert cards.command(own) == "howgood run 'my data.csv' --model smollm2 -P answer=reply"
    assert cards.command(msgspec.structs.replace(run, benchmark="unnamed")) is None


def test_only_what_can_be_wrong_is_looked_at_for_it(tmp_path: Path) -> None:
    run = choice_run(tmp_path, n=4)
    assert cards.look_closer(run, "3e7a") == "howgood show 3e7a --wrong"
    surprise = msgspec.structs.replace(run, outcomes={"scored": 3, "failed": 1})
    assert cards.look_closer(surprise, "3e7a") == "howgood show 3e7a"
    assert cards.look_closer(msgspec.structs.replace(surprise, verdicts=4), "3e7a") == "howgood show 3e7a --wrong"


def test_how_it_ended(tmp_path: Path) -> None:
    run = written_run(tmp_path)
    assert cards.ending(run, run.outcomes) == "Incomplete: 1 of 8 trials failed. To try them again:"
    stopped = save_run(tmp_path, [], status="interrupted", message="stopped by the user", name="e", planned=40)
    assert cards.ending(stopped, {"right": 7}) == (
        "Interrupted: stopped by the user. 7 of 40 trials are here. To run the rest:"
    )


def test_recorded_answers_are_not_said_to_be_the_models_own_writing(tmp_path: Path) -> None:
    run = written_run(tmp_path)
    run.system = System("replay/answers.jsonl", {"kind": "replay", "file": "answers.jsonl", "sha256": "ab"})
    assert cards.call(run) == "Answers recorded in answers.jsonl are read; how they were made is not known."
