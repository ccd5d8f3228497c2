"""CORE's tasks on their real data: prompts as published, gold answers right, the choice by likelihood per token."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from plans import CHATS, Planned

from howgood.benchmarks.core import data
from howgood.benchmarks.core.call import InContext, LikeliestPerToken
from howgood.benchmarks.core.data import BLOBS, LlmFoundry, git_blob
from howgood.calls.base import Settings
from howgood.core.errors import DataError, Unsupported
from howgood.core.registry import catalogue, find
from howgood.core.types import Instance, Likelihood, Loglikelihood, Prediction, Trial
from howgood.inputs.files import read_rows
from howgood.interpret.core_score import TASKS
from howgood.interpret.table import Table
from howgood.models.base import Capabilities
from howgood.models.reference import FittedNgram, Uniform
from howgood.outputs.base import judge
from howgood.runs.check import check
from howgood.runs.plan import Options, make_plan

ABSENT = ("core-squad", "core-coqa")
"""Their files are not in the shared folder; they are fetched from llm-foundry."""
NOT_WHOLE = (
    *("hellaswag", "lambada_openai", "squad", "coqa"),  # not in the folder of llm-foundry's files
    *("bigbench_qa_wikidata", "bigbench_language_identification"),  # shortened there
)
SHORTENED = {"core-hellaswag": 2_000, "core-hellaswag-zeroshot": 2_000, "core-bigbench-qa-wikidata": 4_000}
SIZES = {
    "core-jeopardy": 2_117,
    "core-arc-easy": 2_376,
    "core-arc-challenge": 1_172,
    "core-copa": 100,
    "core-commonsense-qa": 1_221,
    "core-piqa": 1_838,
    "core-openbook-qa": 500,
    "core-lambada-openai": 5_153,
    "core-winograd": 273,
    "core-winogrande": 1_267,
    "core-bigbench-dyck-languages": 1_000,
    "core-agi-eval-lsat-ar": 230,
    "core-bigbench-cs-algorithms": 1_320,
    "core-bigbench-operators": 210,
    "core-bigbench-repeat-copy-logic": 32,
    "core-boolq": 3_270,
    "core-bigbench-language-identification": 1_500,
    **SHORTENED,
}


def test_every_task_of_core_is_a_benchmark_with_its_shots_and_baseline() -> None:
    assert {task.benchmark for task in TASKS} == {one.name for one in catalogue() if one.section == "core"}
    assert {*SIZES, *ABSENT} == {task.benchmark for task in TASKS}
    for task in TASKS:
        entry, _ = find(task.benchmark)
        assert entry.card.random == task.v2
        assert entry.build().call.shots.n == task.shots
        assert entry.card.flaws
        assert entry.card.cite.startswith("https://")


@pytest.mark.parametrize("name", SIZES)
def test_gold_answers_are_right_and_spoiled_ones_wrong(name: str, shared: Path) -> None:
    (found,) = check(name, {}, Options(data=str(shared / "data")))
    assert (found.instances, found.faults) == (SIZES[name], [])


@pytest.mark.parametrize("path", sorted(path for path in BLOBS if Path(path).stem not in NOT_WHOLE))
def test_the_shared_files_are_the_published_ones_byte_for_byte(path: str, shared: Path) -> None:
    plain = shared / "data" / "dclm_core" / path
    content = (
        plain.read_bytes() if plain.exists() else gzip.decompress(plain.with_name(f"{plain.name}.gz").read_bytes())
    )
    assert git_blob(content) == BLOBS[path]


def request_of(planned: Planned, name: str, shots: int | None = None) -> tuple[Loglikelihood, Instance, Instance]:
    plan = planned(name, shots=shots)
    instance = next(plan.instances())[1]
    request = plan.request(instance)
    assert isinstance(request, Loglikelihood)
    return request, instance, (*plan.shots(instance), instance)[0]


def test_choices_follow_the_delimiter_and_are_not_listed(planned: Planned, shared: Path) -> None:
    request, _, shown = request_of(planned, "core-arc-easy", shots=1)
    row = next(read_rows(shared / "data/dclm_core/world_knowledge/arc_easy.jsonl.gz"))
    answer = shown.choices[shown.gold[0]]
    assert request.prompt == f"{shown.input}\nAnswer: {answer}\n{row['query']}\nAnswer:"
    assert request.continuations == tuple(f" {choice}" for choice in row["choices"])


def test_where_letters_are_the_choices_the_delimiter_is_a_space(planned: Planned, shared: Path) -> None:
    request, _, _ = request_of(planned, "core-commonsense-qa", shots=0)
    row = next(read_rows(shared / "data/dclm_core/commonsense_reasoning/commonsense_qa.jsonl"))
    assert request == Loglikelihood(row["query"], (" A", " B", " C", " D"))
    assert row["query"].endswith("\nAnswer:")


def test_one_continuation_is_scored_in_a_language_modelling_task(planned: Planned, shared: Path) -> None:
    request, _, shown = request_of(planned, "core-jeopardy", shots=1)
    row = next(read_rows(shared / "data/dclm_core/world_knowledge/jeopardy_all.jsonl.gz"))
    assert request.prompt == f"{shown.input}\nAnswer: {shown.targets[0]}\n{row['context']}\nAnswer:"
    assert request.continuations == (f" {row['continuation']}",)


def test_ten_examples_are_shown_and_never_the_question_itself(planned: Planned) -> None:
    plan = planned("core-boolq")
    for _, instance in itertools.islice(plan.instances(), 50):
        shots = plan.shots(instance)
        assert len({shot.id for shot in shots}) == 10
        assert instance.cluster not in {shot.cluster for shot in shots}


def test_a_schema_scores_what_follows_either_context(planned: Planned) -> None:
    request, instance, _ = request_of(planned, "core-winograd")
    assert request.prompt == "The city councilmen refused the demonstrators a permit because the"
    ends = (" city councilmen", " demonstrators")
    assert request.continuations == (*ends, *(f"{end} feared violence." for end in ends))
    assert instance.gold == (0,)


@pytest.mark.parametrize(
    ("contexts", "prompt", "ends"),
    [
        (("He met Ann and Ann", "He met Ann and Anna"), "He met Ann and", (" Ann", " Anna")),  # one begins the other
        (("Ann", "Bob"), "", ("Ann", "Bob")),  # nothing is shared
        (("Ann left as Ann", "Ann left as Abe"), "Ann left as", (" Ann", " Abe")),
    ],
)
def test_contexts_are_cut_between_words(contexts: tuple[str, ...], prompt: str, ends: tuple[str, ...]) -> None:
    request = InContext("schema").request(Instance("", "", ("left.",), contexts, (0,)), (), 0)
    assert request == Loglikelihood(prompt, (*ends, *(f"{end} left." for end in ends)))


async def test_a_schema_s_difference_is_the_likelihood_after_the_context(tmp_path: Path) -> None:
    """Against asking for each context by itself, with a model of known probabilities."""
    (tmp_path / "text.txt").write_text("the cat sat on the mat and the dog sat on the log. " * 20)
    model = FittedNgram(file=str(tmp_path / "text.txt"), order=3)
    contexts, target = ("on the mat the cat", "on the mat the dog"), "sat down."
    instance = Instance("", "", (target,), contexts, (0,))
    together = await model.send(InContext("schema").request(instance, (), 0))
    one, two, after_one, after_two = together.likelihoods
    for context, before, after in zip(contexts, (one, two), (after_one, after_two), strict=True):
        (alone,) = (await model.send(Loglikelihood(context, (f" {target}",)))).likelihoods
        assert after.logprob - before.logprob == pytest.approx(alone.logprob, abs=1e-9)
        assert after.tokens - before.tokens == alone.tokens


def test_choices_are_compared_per_token() -> None:
    """A sum would take the short choice, -2 against -3; per token the long one is likelier, -1.5 a token."""
    instance = Instance("", "?", choices=("short", "long answer"), gold=(1,))
    found = Prediction(likelihoods=(Likelihood(-2.0, 1), Likelihood(-3.0, 2)))
    assert judge(LikeliestPerToken(), instance, found).values == {"acc": 1.0}
    tie = Prediction(likelihoods=(Likelihood(-2.0, 1), Likelihood(-4.0, 2)))
    assert judge(LikeliestPerToken(), instance, tie).answer == "short"


def test_a_schema_ignores_how_likely_the_contexts_are() -> None:
    instance = Instance("", "", ("x y",), ("a", "b"), (1,))
    found = Prediction(
        likelihoods=(Likelihood(-1.0, 1), Likelihood(-30.0, 1), Likelihood(-6.0, 3), Likelihood(-34.0, 3))
    )
    assert judge(LikeliestPerToken(), instance, found).values == {"acc": 1.0}


def test_passages_and_pairs_are_clusters(planned: Planned) -> None:
    for name, clusters in (("core-agi-eval-lsat-ar", 40), ("core-boolq", 2_938), ("core-winograd", 171)):
        assert len({instance.cluster for _, instance in planned(name).instances()}) == clusters


def test_questions_on_one_text_are_a_cluster_where_answers_are_written_too(tmp_path: Path) -> None:
    squad = [f"Context: {text} is old.\nQuestion: How old is {text}?\nAnswer: " for text in ("It", "It", "She")]
    head, last = "Below is a story.\nStory: Once, a cat", "Final question:\nQuestion: What?\nAnswer: "
    asked = "Preceding questions:\nQuestion: Who?\nAnswer: Cotton"
    coqa = [f"{head}.\n\n{last}", f"{head}.\n{asked}\n\n{last}", f"{head} sat.\n\n{last}"]
    for name, contexts in (("squad", squad), ("coqa", coqa)):
        file = tmp_path / "dclm_core" / "reading_comprehension" / f"{name}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{json.dumps({'context': one, 'continuation': 'x'})}\n" for one in contexts))
        options = Options(data=str(tmp_path), settings=Settings(shots=0))
        plan = make_plan(f"core-{name}", Uniform(), {}, options)
        first, second, third = (instance.cluster for _, instance in plan.instances())
        assert first is not None
        assert first == second != third


def test_jeopardy_s_categories_count_alike(planned: Planned) -> None:
    plan = planned("core-jeopardy")
    right = {"literature": 1.0, "science": 0.5}
    trials: list[Trial] = []
    seen: dict[Any, int] = {}
    for index, instance in plan.instances():
        seen[instance.stratum] = seen.get(instance.stratum, -1) + 1
        share = right.get(str(instance.stratum), 0.0)
        greedy = seen[instance.stratum] % 2 == 0 if share == 0.5 else share == 1
        found = Prediction(likelihoods=(Likelihood(-1.0, 1, greedy=greedy),))
        trials.append(Trial(instance, index, 0, "", found, judge(plan.benchmark.outputs, instance, found)))
    (estimate,), groups = plan.benchmark.interpret(Table.of(trials))
    assert len(groups) == 5
    assert estimate.value == pytest.approx((1.0 + 0.5) / 5)
    assert estimate.value != pytest.approx((490 + 238) / 2_117)


def test_a_model_without_likelihoods_is_told_so(planned: Planned) -> None:
    with pytest.raises(Unsupported, match="core-copa: the model gives no log-likelihoods"):
        planned("core-copa", CHATS)


@pytest.mark.parametrize("settings", [Settings(chat=True), Settings(effort="low"), Settings(thinking=9)])
def test_settings_that_change_the_text_are_refused(settings: Settings) -> None:
    able = Capabilities(True, True, True, completion=True, chat=True, effort=True)
    with pytest.raises(Unsupported, match="leave out"):
        InContext("choice").bind(able, settings)


class TestFetching:
    path = "commonsense_reasoning/copa.jsonl"

    @pytest.fixture
    def site(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setattr(data, "RAW", (tmp_path / "site").as_uri())
        file = tmp_path / "site" / data.REPOSITORY / data.COMMIT / "scripts/eval/local_data" / self.path
        file.parent.mkdir(parents=True)
        return file

    def test_a_file_is_fetched_once_and_then_read_from_the_cache(self, site: Path, shared: Path) -> None:
        content = (shared / "data/dclm_core" / self.path).read_bytes()
        site.write_bytes(content)
        rows = list(LlmFoundry(self.path).rows("test"))
        assert (len(rows), rows[0]["choices"]) == (
            100,
            ["the toilet filled with water.", "water flowed from the spout."],
        )
        site.unlink()
        assert list(LlmFoundry(self.path).rows("test")) == rows

    def test_another_content_is_refused_and_not_kept(self, site: Path, tmp_path: Path) -> None:
        site.write_text('{"query": "?", "choices": ["a", "b"], "gold": 0}\n')
        with pytest.raises(DataError, match=r"49 bytes that are not the published file; .* as dclm_core/commonsense"):
            list(LlmFoundry(self.path).rows("test"))
        assert not list(tmp_path.glob("cache/**/*.jsonl"))

    def test_without_a_network_the_way_around_is_told(self, site: Path) -> None:
        with pytest.raises(DataError, match=r"cannot be read .*check the network, or put the file into a data folder"):
            list(LlmFoundry(self.path).rows("test"))
