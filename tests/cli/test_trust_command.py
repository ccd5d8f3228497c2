"""`howgood trust` as a user meets it."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from howgood.cli.trust import trust
from howgood.core.errors import UnknownName

app = typer.Typer()
app.command()(trust)


def test_a_page_and_what_it_will_take() -> None:
    result = CliRunner().invoke(app, ["reference/ngram"], env={"COLUMNS": "100"})
    assert result.exit_code == 0
    assert result.stdout.startswith("reference/ngram: its probabilities can be trusted: all 8 checks are ok\n")
    assert result.stderr.startswith("8 checks: at most ")
    assert "  sampling agrees: at most 1,400 requests, about 14,000 tokens\n" in result.stderr


def test_json_and_the_exit_status_of_a_fault() -> None:
    result = CliRunner().invoke(app, ["reference/random", "--json", "--seed", "4"])
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["verdict"], told["seed"], told["described"]["kind"]) == ("wrong", 4, "Random")
    assert [finding["name"] for finding in told["findings"] if finding["verdict"] == "wrong"] == [
        "sums to one",
        "adds up",
    ]
    assert told["findings"][0]["tolerance"] == 1e-4


def test_a_name_that_does_not_exist_is_no_verdict() -> None:
    result = CliRunner().invoke(app, ["reference/ngrm"])
    assert isinstance(result.exception, UnknownName)
    with pytest.raises(UnknownName, match="reference/ngram"):
        raise result.exception
