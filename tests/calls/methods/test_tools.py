"""Tools: functions of a file, the loop until an answer, and all that can go wrong in it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from method_models import CHATS, Calling, Scripted, spent, wants

from howgood.calls.base import Settings, opened
from howgood.calls.generation import Generation
from howgood.calls.methods.registry import apply
from howgood.calls.methods.tools import LONGEST_RESULT, MOST_CALLS, Tools
from howgood.core.errors import HowgoodError, RequestError, Unsupported
from howgood.core.types import Instance, Message, Prediction, ToolCall, Usage
from howgood.models.base import Capabilities
from howgood.outputs.base import judge
from howgood.outputs.match import Numeric

SUM = Instance("sum", "2 + 3?", targets=("5",))
FILE = '''
"""Tools of a test."""
from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from math import sqrt


@dataclass
class Point:
    x: float
    y: float = 0.0


def add(a: int, b: int = 1) -> int:
    """Add two numbers.

    Both are whole."""
    return a + b


def distance(point: Point) -> float:
    return sqrt(point.x**2 + point.y**2)


async def later(word: str) -> dict[str, str]:
    await asyncio.sleep(0)
    return {"word": word}


def broken() -> None:
    raise SystemExit("never mind")


def long() -> str:
    return "x" * 50_000


def forever() -> None:
    threading.Event().wait()


def _hidden() -> None: ...
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "functions.py"
    path.write_text(FILE)
    return path


async def ask(path: Path, *answers: str | Prediction | RequestError, steps: int = 10, timeout: float = 30):
    call = Tools(Generation(), python=path, steps=steps, timeout=timeout).bind(CHATS, Settings())
    model = Scripted(*answers)
    async with opened(call):
        return await call(call.request(SUM, (), 7), model), model


def test_functions_are_told_by_their_hints_and_docstrings(file: Path) -> None:
    call = Tools(Generation(), python=file).bind(CHATS, Settings())
    tools = {tool.name: tool for tool in call.request(SUM, (), 0).tools}
    assert list(tools) == ["add", "distance", "later", "broken", "long", "forever"]
    assert tools["add"].description == "Add two numbers.\n\nBoth are whole."
    assert tools["add"].parameters == {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer", "default": 1}},
        "required": ["a"],
        "additionalProperties": False,
    }
    point = tools["distance"].parameters
    assert point["properties"]["point"] == {"$ref": "#/$defs/Point"}
    assert point["$defs"]["Point"]["required"] == ["x"]
    told = call.describe()["methods"][0]
    assert (told["tools"], told["steps"]) == (list(tools), 10)
    renamed = file.rename(file.with_name("renamed.py"))
    assert Tools(Generation(), python=renamed).bind(CHATS, Settings()).describe()["methods"][0] == told


async def test_the_model_calls_until_it_answers(file: Path) -> None:
    found, model = await ask(
        file, wants(("add", '{"a": 2, "b": 3}'), ("distance", '{"point": {"x": 3, "y": 4}}')), spent("It is 5")
    )
    asked = Message("user", "2 + 3?")
    calls = (ToolCall("call0", "add", '{"a": 2, "b": 3}'), ToolCall("call1", "distance", '{"point": {"x": 3, "y": 4}}'))
    turn = (
        Message("assistant", "", tool_calls=calls),
        Message("tool", "5", tool_call_id="call0"),
        Message("tool", "5.0", tool_call_id="call1"),
    )
    assert model.requests[1].prompt == (asked, *turn)
    assert model.requests[0].tools == model.requests[1].tools
    assert found.transcript == (*turn, Message("assistant", "It is 5"))
    assert (found.text, found.cost, found.usage, found.latency) == ("It is 5", 0.5, Usage(input=20, output=2), 1.0)
    assert judge(Numeric(), SUM, found).outcome == "right"


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("add", '{"a": 2}', "3"),
        ("later", '{"word": "so"}', '{"word":"so"}'),
        (
            "add",
            '{"a": "two"}',
            "Error: the arguments of add are not as they must be: Expected `int`, got `str` - at `$.a`",
        ),
        (
            "add",
            '{"a": 1, "c": 2}',
            "Error: the arguments of add are not as they must be: Object contains unknown field `c`",
        ),
        ("add", "{a: 1", "Error: the arguments of add are not as they must be: JSON is malformed"),
        ("add", "", "Error: the arguments of add are not as they must be: Object missing required field `a`"),
        ("broken", "{}", "Error: it raised SystemExit: never mind"),
        (
            "_hidden",
            "{}",
            "Error: there is no tool of this name; there are add, distance, later, broken, long, forever",
        ),
        ("open", '{"file": "/etc/passwd"}', "Error: there is no tool of this name"),
    ],
)
async def test_what_a_call_gives_the_model(file: Path, name: str, arguments: str, result: str) -> None:
    found, _ = await ask(file, wants((name, arguments)), "done")
    assert str(found.transcript[1].content).startswith(result)
    assert (found.text, found.error) == ("done", None)


async def test_a_long_result_is_cut(file: Path) -> None:
    found, _ = await ask(file, wants(("long", "{}")), "done")
    result = str(found.transcript[1].content)
    assert len(result) < LONGEST_RESULT + 100
    assert "[... 30000 characters left out ...]" in result


async def test_a_tool_that_never_ends_is_not_waited_for(file: Path) -> None:
    found, _ = await ask(file, wants(("forever", "{}")), "done", timeout=0.01)
    assert found.transcript[1].content == "Error: forever took longer than 0.01 seconds"


async def test_a_model_that_only_calls_gives_no_answer(file: Path) -> None:
    found, model = await ask(file, *[wants(("add", '{"a": 1}'))] * 3, steps=2)
    assert len(model.requests) == 3
    assert found.stop_reason == "length"
    assert judge(Numeric(), SUM, found).outcome == "truncated"
    assert found.cost == 0.75
    last = msgspec.structs.replace(wants(("add", "{}")), text="#### 5, or so I guess")
    found, _ = await ask(file, wants(("add", "{}")), last, steps=1)
    assert judge(Numeric(), SUM, found).outcome == "truncated"
    assert found.transcript[-1].content == "#### 5, or so I guess"


async def test_a_turn_of_very_many_calls_is_answered_in_bounds(file: Path) -> None:
    found, _ = await ask(file, wants(*[("add", '{"a": 1}')] * (MOST_CALLS + 5)), "done")
    results = [str(m.content) for m in found.transcript if m.role == "tool"]
    assert results == ["2"] * MOST_CALLS + [f"Error: only {MOST_CALLS} tools can be called at once"] * 5


async def test_a_call_that_fails_on_the_way_keeps_what_was_spent(file: Path) -> None:
    found, _ = await ask(file, wants(("add", '{"a": 1}')), RequestError("too busy"))
    assert (found.error, found.cost, len(found.transcript)) == ("too busy", 0.25, 2)
    with pytest.raises(RequestError, match="wrong key"):
        await ask(file, wants(("add", '{"a": 1}')), RequestError("wrong key", fatal=True))


async def test_each_vote_uses_the_tools(file: Path) -> None:
    around, outputs = apply(("vote,n=2", f"tools,python={file}"), Generation(), Numeric())
    call = around.bind(CHATS, Settings())
    found = await call(call.request(SUM, (), 7), Calling(("add", '{"a": 2, "b": 3}'), answer="5"))
    assert (found.attempts, found.cost) == (("5", "5"), 1.0)
    assert judge(outputs, SUM, found).explanation == "votes: 5 x2"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("def f(x): ...", "the function f cannot be a tool: x has no type hint"),
        ("def f(*x: int): ...", "cannot be passed by name"),
        ("def f(x: 'Nothing'): ...", "the function f cannot be a tool: name 'Nothing' is not defined"),
        ("def f(x: object): ...", "the function f cannot be a tool"),
        ("from math import sqrt\nx = 1", "defines no function"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_file_without_usable_tools_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "functions.py"
    path.write_text(content)
    with pytest.raises(HowgoodError, match=message):
        Tools(Generation(), python=path).bind(CHATS, Settings())


def test_what_cannot_be_done_is_told_before_the_run(file: Path) -> None:
    for can, settings, message in (
        (Capabilities(generate=True, chat=True), Settings(), "the model cannot call tools"),
        (CHATS, Settings(chat=False), "needs a model with a chat format"),
    ):
        with pytest.raises(Unsupported, match=message):
            Tools(Generation(), python=file).bind(can, settings)
    for tools, message in (
        (Tools(Generation()), "tools needs tools"),
        (Tools(Generation(), python=file, steps=0), "steps=1 or more"),
        (Tools(Generation(), python=file.parent / "none.py"), "there is no file"),
    ):
        with pytest.raises(HowgoodError, match=message):
            tools.bind(CHATS, Settings())


async def test_tools_run_beside_each_other(file: Path) -> None:
    call = Tools(Generation(), python=file, timeout=20).bind(CHATS, Settings())
    asked = [
        call(call.request(SUM, (), seed), Scripted(wants(("add", f'{{"a": {seed}}}')), "done")) for seed in range(20)
    ]
    found = await asyncio.gather(*asked)
    assert [p.transcript[1].content for p in found] == [str(seed + 1) for seed in range(20)]
