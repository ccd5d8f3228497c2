"""From a name with options to a method: `cot`, `vote,n=8`, `retrieval,docs=FOLDER`."""

from __future__ import annotations

import importlib
import itertools
import typing
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from howgood.calls.base import Call
from howgood.calls.methods.base import Method
from howgood.core.errors import HowgoodError, UnknownName
from howgood.core.options import absolute, parse_options
from howgood.outputs.base import Outputs


class Kind(Struct, frozen=True):
    """A method's form with a line of help, and the class that it is (imported when it is asked for). `open_ended` names
    the option whose value may have commas in it."""

    form: str
    help: str
    target: str
    open_ended: str = ""

    def load(self) -> type[Method]:
        module, _, name = self.target.partition(":")
        found: type[Method] = getattr(importlib.import_module(f"howgood.calls.methods.{module}"), name)
        return found


# From the inside out: first what is put to the model, then how one answer comes about, last how many there are.
METHODS = {
    "retrieval": Kind(
        "retrieval,docs=PATH", "passages of your documents before the question", "retrieval:Retrieval", "by"
    ),
    "cot": Kind("cot", "think step by step, then answer", "cot:ChainOfThought"),
    "tools": Kind(
        "tools,python=FILE.py", "functions of yours, or of an MCP server (mcp=COMMAND), to call", "tools:Tools", "mcp"
    ),
    "turns": Kind("turns", "a second turn: check the answer, give the final one", "turns:Turns", "say"),
    "best": Kind("best,n=4", "the likeliest of n answers, or the one a judge takes (by=MODEL)", "best:Best", "by"),
    "augment": Kind(
        "augment,n=8",
        "puzzles of grids turned, mirrored and recoloured; most votes are the attempts",
        "augment:Augment",
    ),
    "vote": Kind("vote,n=8", "the answer that most of n samples give", "vote:Vote"),
}
"""Every method, in the order in which they are put around a call."""


class Loaded(Struct, frozen=True):
    """A method with its options. `text` is its name and options as they mean the same from any folder."""

    name: str
    text: str
    options: dict[str, Any]


def load(text: str) -> Loaded:
    """The method of this name and options (after commas, as in `vote,n=8`). Paths are made absolute. Raises
    `UnknownName` with the nearest names, `HowgoodError` for a bad value."""
    name, *given = text.split(",")
    kind = METHODS.get(name)
    if kind is None:
        raise UnknownName("method", name, METHODS, f"There are {', '.join(METHODS)}.")
    around = kind.load().around
    hints = typing.get_type_hints(around)
    written = [absolute(option, hints) for option in _joined(given, kind.open_ended, hints)]
    options = parse_options("method", name, around, written)
    return Loaded(name, ",".join((name, *written)), options)


def apply(texts: Iterable[str], call: Call, outputs: Outputs) -> tuple[Call, Outputs]:
    """A benchmark's call and outputs with these methods around them, in the order of `METHODS` however they are named:
    one system has one set of rules. Raises `HowgoodError` for a method named twice."""
    methods = sorted(map(load, texts), key=lambda method: list(METHODS).index(method.name))
    for one, other in itertools.pairwise(methods):
        if one.name == other.name:
            raise HowgoodError(f"the method {one.name} is given twice: {one.text} and {other.text}; leave out one")
    for method in methods:
        call, outputs = METHODS[method.name].load().around(call, outputs, **method.options)
    return call, outputs


def known_methods() -> list[tuple[str, str]]:
    """The forms a method can have, each with one line of help."""
    return [(kind.form, kind.help) for kind in METHODS.values()]


def _joined(options: list[str], open_ended: str, known: dict[str, Any]) -> list[str]:
    """Options, with a part that names none of the method's own as the rest of an open-ended value before it: the judge
    in `best,by=hf/ORG/NAME,dtype=float32` has an option of its own."""
    out: list[str] = []
    for option in options:
        if out and open_ended and out[-1].startswith(f"{open_ended}=") and option.partition("=")[0] not in known:
            out[-1] += f",{option}"
        else:
            out.append(option)
    return out
