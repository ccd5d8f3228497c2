"""eval.yaml: what its solvers and scorers become, what is refused by name, and a repository run off a real server."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from howgood.benchmarks.hub_eval import CHAIN_OF_THOUGHT, ONE_CHOICE, as_benchmark
from howgood.benchmarks.hub_file import MAX_BYTES, Evaluation, Fields, Step, Task, chosen, load_yaml
from howgood.core.errors import DataError, Unsupported
from howgood.core.types import Image, Instance, Message, Prediction, Text
from howgood.inputs.base import Given
from howgood.models.base import Capabilities
from howgood.outputs.base import judge
from howgood.runs.benchmark import Benchmark
from howgood.runs.check import Imagined
from howgood.runs.plan import Options, make_plan
from limits import in_time

sys.path.insert(0, str(Path(__file__).parents[1] / "inputs"))  # the server that the Hub's own tests use
from hub_server import HubServer, commit_of

CHATS = Imagined("chat", Capabilities(generate=True, chat=True))
QUESTION = {"question": "Capital of Peru?", "options": ["Quito", "Lima", "La Paz"], "answer": 1, "story": "A {map}."}
CHOICES = Fields("question", "answer", choices="options")


def task(fields: Fields, solvers: list[Step], scorers: list[str | Step], **more: Any) -> Task:
    steps = [Step(step) if isinstance(step, str) else step for step in scorers]
    return Task(field_spec=fields, solvers=solvers, scorers=steps, **more)


def made(task: Task, *rows: dict[str, Any]) -> tuple[Benchmark, list[Instance]]:
    benchmark = as_benchmark(task, Given({"test": rows or (QUESTION,)}))
    return benchmark, list(benchmark.inputs.instances())


def asked(benchmark: Benchmark) -> list[tuple[str, str]]:
    plan = make_plan(benchmark, CHATS, {}, Options())
    ((_, instance),) = plan.instances()
    prompt = plan.request(instance).prompt  # type: ignore[union-attr]
    return [(message.role, message.content) for message in prompt]  # type: ignore[union-attr, misc]


def value(benchmark: Benchmark, instance: Instance, text: str) -> float:
    return next(iter(judge(benchmark.outputs, instance, Prediction(text=text, stop_reason="stop")).values.values()))


# --- solvers


def test_multiple_choice_is_asked_in_inspects_words() -> None:
    benchmark, (instance,) = made(task(CHOICES, [Step("multiple_choice")], ["choice"]))
    assert (instance.choices, instance.gold, instance.targets) == (("Quito", "Lima", "La Paz"), (1,), ("B",))
    assert asked(benchmark) == [
        (
            "user",
            "Answer the following multiple choice question. The entire content of your response should be of the "
            "following format: 'ANSWER: $LETTER' (without quotes) where LETTER is one of A,B,C.\n\n"
            "Capital of Peru?\n\nA) Quito\nB) Lima\nC) La Paz",
        )
    ]
    assert value(benchmark, instance, "ANSWER: B") == 1.0
    assert value(benchmark, instance, "ANSWER: C") == 0.0


def test_templates_are_filled_one_after_the_other() -> None:
    fields = Fields("question", "answer", choices="options", metadata=["story"])
    solvers = [
        Step("system_message", {"template": "You are {who}. {unknown}", "who": "a guide"}),
        Step("prompt_template", {"template": "{story}\n{prompt}\n{{kept}} {unknown}"}),
        Step("multiple_choice", {"template": "{question}\n{choices}"}),
    ]
    benchmark, _ = made(task(fields, solvers, ["choice"]))
    assert asked(benchmark) == [
        ("system", "You are a guide. {unknown}"),
        ("user", "A {map}.\nCapital of Peru?\n{kept} {unknown}\nA) Quito\nB) Lima\nC) La Paz"),
    ]


def test_chain_of_thought_and_what_generate_sets() -> None:
    fields = Fields("question", "literal:Lima: the city")
    solvers = [Step("chain_of_thought"), Step("generate", {"max_tokens": 99, "temperature": 0.6})]
    benchmark, (instance,) = made(task(fields, solvers, ["includes"]))
    assert instance.targets == ("Lima: the city",)
    assert asked(benchmark) == [("user", CHAIN_OF_THOUGHT.replace("{prompt}", "Capital of Peru?"))]
    request = make_plan(benchmark, CHATS, {}, Options()).request(instance)
    assert (request.max_tokens, request.temperature) == (99, 0.6)  # type: ignore[union-attr]
    cot, _ = made(task(CHOICES, [Step("multiple_choice", {"cot": True})], ["choice"]))
    assert "Think step by step before answering." in asked(cot)[0][1]


def test_an_image_stands_beside_the_text() -> None:
    fields = Fields("question", "literal:x", input_image="picture")
    uri = "data:image/png;base64," + base64.b64encode(b"PNG").decode()
    rows = ({"question": "What?", "picture": uri}, {"question": "And?", "picture": None})
    _, (seen, unseen) = made(task(fields, [Step("generate")], ["includes"]), *rows)
    assert seen.input == (Message("user", (Text("What?"), Image(b"PNG", "image/png"))),)
    assert unseen.input == "And?"
    for broken in ("https://example.com/a.png", "data:text/html;base64,eA==", "data:image/png;base64,%%%"):
        with pytest.raises(DataError, match="image"):
            made(task(fields, [Step("generate")], ["includes"]), {"question": "What?", "picture": broken})


def test_choices_are_shuffled_the_same_way_in_every_run() -> None:
    rows = tuple({"question": f"q{n}", "options": ["r", "x", "y", "z"], "answer": "A"} for n in range(40))
    shuffled = task(CHOICES, [Step("multiple_choice")], ["choice"], shuffle_choices=True)
    _, first = made(shuffled, *rows)
    assert first == made(shuffled, *rows)[1]
    assert all(i.choices[i.gold[0]] == "r" and i.targets == ("ABCD"[i.gold[0]],) for i in first)
    assert {i.gold[0] for i in first} == {0, 1, 2, 3}
    assert all(f"{i.targets[0]}) r" in str(i.input) for i in first)


@pytest.mark.parametrize(
    ("solvers", "named"),
    [
        ([Step("self_critique"), Step("generate")], "solver self_critique"),
        ([Step("use_tools"), Step("generate")], "solver use_tools"),
        ([Step("generate"), Step("generate")], "solver generate with another solver after it"),
        ([Step("chain_of_thought")], "no solver calls the model"),
        ([Step("generate", {"num_choices": 3})], "num_choices"),
        ([Step("generate", {"max_tokens": 0})], "max_tokens"),
        ([Step("multiple_choice", {"multiple_correct": True})], "multiple_correct"),
        ([Step("prompt_template")], "prompt_template"),
    ],
)
def test_a_solver_that_cannot_be_had_is_named(solvers: list[Step], named: str) -> None:
    with pytest.raises(Unsupported, match=named):
        made(task(CHOICES, solvers, ["choice"]))


# --- scorers

RIGHT_AND_WRONG = [
    (Step("match"), "It is Lima.", "Lima or Quito"),
    (Step("match", {"location": "begin"}), "lima, I think", "I think Lima"),
    (Step("match", {"location": "any"}), "I say Lima, yes", "I say limas"),
    (Step("match", {"location": "exact"}), " lima. ", "Lima it is"),
    (Step("includes"), "so LIMA it is", "so Quito it is"),
    (Step("exact"), "The Lima!", "Lima, Peru"),
    (Step("f1"), "lima", "quito"),
    (Step("pattern", {"pattern": r"city is (\w+)"}), "the City is LIMA", "Lima"),
    (Step("pattern", {"pattern": r"(\w+), (\w+)"}), "Peru, Lima", "Peru, Quito"),
    (Step("answer", {"pattern": "word"}), "ANSWER: Quito\nno:\nanswer: lima.", "ANSWER: Quito. Lima"),
    (Step("answer", {"pattern": "line"}), "Hm.\nANSWER:  Lima ", "ANSWER: Lima, Peru"),
]


@pytest.mark.parametrize(("scorer", "right", "wrong"), RIGHT_AND_WRONG, ids=lambda value: str(value)[:40])
def test_scorers_tell_right_from_wrong(scorer: Step, right: str, wrong: str) -> None:
    benchmark, (instance,) = made(task(Fields("question", "literal:Lima"), [Step("generate")], [scorer]))
    assert value(benchmark, instance, right) == 1.0
    assert value(benchmark, instance, wrong) == 0.0


def test_numbers_letters_and_all_groups() -> None:
    numeric = task(Fields("q", "a"), [Step("generate")], [Step("match", {"numeric": True})])
    benchmark, (instance,) = made(numeric, {"q": "6 * 7?", "a": 42})
    assert instance.targets == ("42",)
    assert [value(benchmark, instance, text) for text in ("6, 7: $42.00", "42 or 43")] == [1.0, 0.0]
    letters = task(CHOICES, [Step("multiple_choice")], [Step("answer", {"pattern": "letter"})])
    benchmark, (instance,) = made(letters)
    assert [value(benchmark, instance, f"ANSWER: {text}") for text in ("b", "B) Lima", "Bern", "A")] == [1, 1, 0, 0]
    every = task(
        Fields("question", "literal:x"),
        [Step("generate")],
        [Step("pattern", {"pattern": "(.)-(.)", "match_all": True, "ignore_case": False})],
    )
    benchmark, (instance,) = made(every)
    assert [value(benchmark, instance, text) for text in ("x-x", "x-y", "X-x", "xx")] == [1, 0, 0, 0]


def test_several_scorers_stand_side_by_side() -> None:
    benchmark, (instance,) = made(task(Fields("question", "literal:Lima"), [Step("generate")], ["exact", "f1"]))
    score = judge(benchmark.outputs, instance, Prediction(text="Lima city", stop_reason="stop"))
    assert score.values == {"exact": 0.0, "f1": pytest.approx(2 / 3)}
    assert set(benchmark.outputs.describe()) == {"kind", "exact", "f1"}


def test_a_hostile_expression_is_read_in_linear_time() -> None:
    scorer = Step("pattern", {"pattern": r"^(a+)+$(b)"})
    benchmark, (instance,) = made(task(Fields("question", "literal:x"), [Step("generate")], [scorer]))
    with in_time():
        assert value(benchmark, instance, "a" * 5_000 + "!") == 0.0


@pytest.mark.parametrize(
    ("scorer", "named"),
    [
        (Step("model_graded_qa"), r"scorer model_graded_qa \(it is graded by another model\)"),
        (Step("model_graded_fact"), "scorer model_graded_fact"),
        (Step("math"), "scorer math"),
        (Step("mine"), "scorer mine"),
        (Step("match", {"ignore_case": False}), "match with ignore_case: false"),
        (Step("match", {"numeric": True, "location": "any"}), "numeric: true and location: any"),
        (Step("f1", {"stop_words": ["x"]}), "f1 with stop_words"),
        (Step("pattern", {"pattern": "(?=x)(y)"}), "look-around"),
        (Step("pattern", {"pattern": "xy"}), "no group"),
        (Step("answer"), "scorer answer"),
    ],
)
def test_a_scorer_that_cannot_be_had_is_named(scorer: Step, named: str) -> None:
    with pytest.raises(Unsupported, match=named):
        made(task(Fields("question", "literal:x"), [Step("generate")], [scorer]))


def test_gold_answers_are_right_and_spoiled_ones_wrong() -> None:
    scorers: list[str | Step] = ["includes", "match", "exact", "f1", Step("answer", {"pattern": "line"})]
    for scorer in scorers:
        benchmark, (instance,) = made(task(Fields("question", "literal:Lima"), [Step("generate")], [scorer]))
        for right in (True, False):
            prediction = benchmark.call.imagine(instance, right)
            assert value(benchmark, instance, prediction.text or "") == float(right), scorer
    benchmark, (instance,) = made(task(CHOICES, [Step("multiple_choice")], ["choice"]))
    assert [value(benchmark, instance, benchmark.call.imagine(instance, r).text or "") for r in (True, False)] == [1, 0]


# --- rows and tasks


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"answer": "D"}, "the target 'D' is no letter of a choice, from A to C"),
        ({"answer": "Lima"}, "no letter of a choice"),
        ({"answer": 26}, "no index of a choice"),
        ({"answer": "A,B"}, "several choices are right"),
        ({"answer": None}, "'answer' is empty"),
        ({"options": ["x"]}, "1 choices"),
        ({"question": ""}, "'question' is empty"),
        ({"question": [{"role": "user"}]}, "'question' holds a list"),
    ],
)
def test_a_row_that_does_not_fit_is_told(change: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=rf"row 1 of given in Python.*{told}"):
        made(task(CHOICES, [Step("multiple_choice")], ["choice"]), QUESTION | change)


def test_a_missing_column_is_told() -> None:
    with pytest.raises(DataError, match=r"there is no column 'options', which eval.yaml names"):
        made(task(CHOICES, [Step("multiple_choice")], ["choice"]), {"question": "x", "answer": 0})


def test_what_does_not_fit_together_is_refused() -> None:
    plain = Fields("question", "literal:A")
    for wrong in (
        task(plain, [Step("multiple_choice")], ["includes"]),
        task(plain, [Step("generate")], ["choice"]),
        task(CHOICES, [Step("generate")], ["includes"], shuffle_choices=True),
        task(plain, [Step("generate")], ["includes"], epochs=4, epoch_reducer="pass_at_4"),
        task(plain, [Step("generate")], ["includes", "includes"]),
    ):
        with pytest.raises(Unsupported):
            made(wrong)
    made(task(plain, [Step("generate")], ["includes"], epochs=4, epoch_reducer="mean"))


def test_a_task_is_chosen_by_name_or_is_the_only_one() -> None:
    two = Evaluation([Task("a:1"), Task("b")])
    assert chosen(two, "b", "o/n").id == "b"
    assert chosen(Evaluation([Task()]), None, "o/n").id is None
    with pytest.raises(DataError, match=r"run one, as in hf/o/n/a:1\. Its tasks: a:1, b"):
        chosen(two, None, "o/n")
    with pytest.raises(DataError, match="no task 'c'; its tasks: a:1, b"):
        chosen(two, "c", "o/n")


BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a: [1", "YAML"),
        ("!!python/object/apply:os.system ['true']", "YAML"),
        ("&a [*a]", "contains itself"),
        (BOMB, "more than 100000 values"),
        ("[" * 20_000, "YAML"),
        ("x" * (MAX_BYTES + 1), "larger than 1 MiB"),
    ],
    ids=["broken", "code", "cycle", "bomb", "deep", "long"],
)
def test_hostile_yaml_is_refused(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "eval.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=told):
        load_yaml(path, "eval.yaml")


# --- off a server

SRC = Path(__file__).parents[2] / "src"
RUN = """
import json, sys
from howgood.core.errors import HowgoodError
from howgood.models.base import Capabilities
from howgood.runs.check import Imagined
from howgood.runs.plan import Options, make_plan
try:
    plan = make_plan(sys.argv[1], Imagined("chat", Capabilities(generate=True, chat=True)), {}, Options())
    rows = [[i.id, i.input, list(i.targets)] for _, i in plan.instances()]
    print(json.dumps({"rows": rows, "data": plan.rules.data, "name": plan.card.name}))
except HowgoodError as error:
    print(json.dumps({"error": str(error), "kind": type(error).__name__}))
"""
EVAL = """
name: Sums
description: Small sums.
evaluation_framework: inspect-ai
tasks:
  - id: sums
    config: {config}
    split: {split}
    field_spec: {{input: q, target: a}}
    solvers: [{{name: generate}}]
    scorers: [{{name: match, args: {{numeric: true}}}}]
"""


def parquet(*questions: str) -> bytes:
    buffer = BytesIO()
    pl.DataFrame({"q": questions, "a": list(range(len(questions)))}).write_parquet(buffer)
    return buffer.getvalue()


def evaluation(config: str = "default", split: str = "test") -> bytes:
    return EVAL.format(config=config, split=split).encode()


def planned(server: HubServer, name: str, home: Path, **environment: str) -> dict[str, Any]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING")) and "proxy" not in k.lower()}
    environment = {
        **clean,
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "PYTHONPATH": str(SRC),
        **environment,
    }
    out = subprocess.run([sys.executable, "-c", RUN, name], env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(out.stdout)
    return found


README = b"""---
license: mit
configs:
- config_name: hard
  data_files:
  - split: test
    path: sub/h-*.jsonl
---
# Sums
"""
ROWS = b'{"q": "1 - 1?", "a": 0}\n', b'{"q": "2 - 1?", "a": 1}\n'
SHARD = "test-00000-of-00001.parquet"
WHERE = {
    "data folder": {"eval.yaml": evaluation(), f"data/{SHARD}": parquet("1 - 1?", "2 - 1?")},
    "config folder": {"eval.yaml": evaluation("hard"), f"hard/{SHARD}": parquet("1 - 1?", "2 - 1?")},
    "jsonl": {"eval.yaml": evaluation(split="dev"), "dev.jsonl": b"".join(ROWS)},
    "readme": {
        "README.md": README,
        "eval.yaml": evaluation("hard"),
        f"hard/{SHARD}": parquet("the wrong one"),
        "sub/h-0.jsonl": ROWS[0],
        "sub/h-1.jsonl": ROWS[1],
    },
}


@pytest.mark.parametrize("where", WHERE)
def test_rows_are_found_where_they_are(where: str, tmp_path: Path) -> None:
    files = WHERE[where]
    with HubServer() as server:
        server.add("datasets/me/sums", files)
        found = planned(server, "hf/me/sums", tmp_path)
        assert found["rows"] == [["1", "1 - 1?", ["0"]], ["2", "2 - 1?", ["1"]]]
        assert found["name"] == "sums"
        assert found["data"]["revision"] == commit_of(files)
        server.asked.clear()
        assert planned(server, "hf/me/sums", tmp_path, HF_HUB_OFFLINE="1")["rows"] == found["rows"]
        assert server.asked == []


def test_rows_are_found_in_what_the_hub_converted(tmp_path: Path) -> None:
    with HubServer() as server:
        server.add("datasets/me/sums", {"eval.yaml": evaluation(), "sums.py": b""})
        server.add("datasets/me/sums", {"default/test/0000.parquet": parquet("1 - 1?")}, "refs/convert/parquet")
        found = planned(server, "hf/me/sums", tmp_path)
    assert found["rows"] == [["1", "1 - 1?", ["0"]]]


def test_tasks_and_revisions_are_part_of_the_name(tmp_path: Path) -> None:
    two = evaluation() + evaluation(split="other").split(b"tasks:\n")[1].replace(b"id: sums", b"id: other")
    with HubServer() as server:
        server.add("datasets/me/sums", {"eval.yaml": two, "test.csv": b"q,a\nx,1\n", "other.csv": b"q,a\ny,2\n"})
        server.add("datasets/me/sums", {"eval.yaml": evaluation(), "test.csv": b"q,a\nold,3\n"}, "v1")
        assert planned(server, "hf/me/sums/other", tmp_path)["rows"] == [["1", "y", ["2"]]]
        assert planned(server, "hf/me/sums@v1", tmp_path)["rows"] == [["1", "old", ["3"]]]
        assert "run one, as in hf/me/sums/sums" in planned(server, "hf/me/sums", tmp_path)["error"]


@pytest.mark.parametrize(
    ("files", "told", "kind"),
    [
        ({"README.md": b"# x"}, "eval.yaml", "DataError"),
        ({"eval.yaml": evaluation()}, "no files that can be read for config 'default', split 'test'", "DataError"),
        ({"eval.yaml": b"tasks: 3"}, "eval.yaml of me/sums: Expected `array`, got `int`", "DataError"),
        ({"eval.yaml": b"- a"}, "eval.yaml of me/sums", "DataError"),
        ({"eval.yaml": b"evaluation_framework: other\ntasks: [{id: a}]"}, "it is made for other", "Unsupported"),
        ({"eval.yaml": evaluation(split="'test[:9]'")}, "more than a split's name", "Unsupported"),
    ],
)
def test_what_is_missing_is_told(files: dict[str, bytes], told: str, kind: str, tmp_path: Path) -> None:
    with HubServer() as server:
        server.add("datasets/me/sums", files)
        found = planned(server, "hf/me/sums", tmp_path)
    assert told in found["error"]
    assert "\n" not in found["error"]
    assert found["kind"] == kind


def test_a_gated_set_says_how_to_get_access(tmp_path: Path) -> None:
    with HubServer() as server:
        server.add("datasets/me/sums", {"eval.yaml": evaluation(), "test.csv": b"q,a\nx,1\n"}, gated=True)
        found = planned(server, "hf/me/sums", tmp_path)
        assert found["kind"] == "AccessError"
        assert "gated" in found["error"]
        assert planned(server, "hf/me/sums", tmp_path, HF_TOKEN=server.token)["rows"] == [["1", "x", ["1"]]]


def test_a_name_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    with HubServer() as server:
        assert "write hf/OWNER/NAME" in planned(server, "hf/sums", tmp_path)["error"]
        assert server.asked == []


def test_the_prompt_is_inspects() -> None:
    assert ONE_CHOICE.format(letters="A,B").endswith("where LETTER is one of A,B.")


def test_the_answer_that_a_pattern_reads_does_not_know_the_targets() -> None:
    """Answers are voted on: three samples that say the same must have one vote, whichever group is the target."""
    pattern = [Step("pattern", {"pattern": r"(\w+), (\w+)"})]
    for target in ("Peru", "Lima", "Quito"):
        benchmark, (instance,) = made(task(Fields("question", f"literal:{target}"), [Step("generate")], pattern))
        assert judge(benchmark.outputs, instance, Prediction(text="Peru, Lima")).answer == "Peru, Lima"
