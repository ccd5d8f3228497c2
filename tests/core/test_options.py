"""Options as a user writes them, as the types that a function declares."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from howgood.core.errors import HowgoodError, UnknownName
from howgood.core.options import parse_options


def make(name: str, *, n: int = 1, path: Path | None = None, how: Literal["a", "b"] = "a", needed: float) -> None: ...


class Made:
    def __init__(self, *, count: int = 0) -> None: ...


def test_values_take_the_declared_types() -> None:
    found = parse_options("thing", "make", make, ["n=3", "path=x/y", "how=b", "needed=1e3"])
    assert found == {"n": 3, "path": Path("x/y"), "how": "b", "needed": 1000.0}
    assert parse_options("thing", "Made", Made, ["count=2"]) == {"count": 2}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["m=3"], "there is no thing option 'm'.* make takes: n, path, how, needed."),
        (["n=three"], "thing option n takes int, not 'three'"),
        (["how=c"], r"thing option how takes a \| b, not 'c'"),
        (["n"], "thing option n needs a value: n=VALUE"),
        ([], "make needs an option: make,needed=VALUE"),
    ],
)
def test_what_is_wrong_is_told(options: list[str], message: str) -> None:
    with pytest.raises(HowgoodError, match=message):
        parse_options("thing", "make", make, options)


def test_taken_parameters_are_no_options() -> None:
    with pytest.raises(UnknownName):
        parse_options("thing", "make", make, ["n=3"], taken=["n", "needed"])
