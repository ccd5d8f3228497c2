"""howgood rate, as a user sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from howgood.cli import main
from howgood.cli.rate import rate

LINES = ["model_a,model_b,winner,voter"]
LINES += [f"{a},{b},{w},v{i % 25}" for i, (a, b, w) in enumerate([("new", "old", "a"), ("old", "new", "a")] * 40)]
LINES += [f"new,old,{'a' if i % 3 else 'bothbad'},v{i}" for i in range(25)] + ["new,old,Sure!,v1", "a‮b,c,a,v1"]


@pytest.fixture
def battles(tmp_path: Path) -> Path:
    path = tmp_path / "battles.csv"
    path.write_text("\n".join(LINES))
    return path


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_the_leaderboard(battles: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    rate([str(battles)], ties="davidson", elo=True)
    out = said(capsys)
    assert "2 models, 105 votes: Bradley-Terry, Davidson's ties, sandwich errors, clustered by voter" in out
    assert "1 vote the winner 'Sure!'" in out
    assert "2 models a⟨U+202E⟩b (1 vote), c (1 vote): nothing compares them" in out
    assert "both bad 9 votes, taken as ties" in out
    assert "old would lead and not new" in out
    assert "of 25 voters" in out


def test_a_baseline_and_json(battles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rate([str(battles)], baseline="old")
    out = said(capsys)
    assert "beats the baseline" in out
    assert "old is at 1000" in out
    rate([str(battles)], as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [one["model"] for one in told["models"]] == ["new", "old"]
    assert told["left_out"]["the winner 'Sure!'"] == 1


def test_names_are_whole_in_eighty_columns(
    battles: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for options in ({"baseline": "old"}, {"elo": True}, {"baseline": "old", "ties": "rao-kupper"}):
        rate([str(battles)], **options)  # type: ignore[arg-type]
        lines = capsys.readouterr().out.splitlines()
        assert any(" new " in line for line in lines)
        assert max(map(len, lines)) <= 80


def test_a_mistake_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "no.csv"
    path.write_text("question,answer\na,b\n")
    for arguments, why in (
        ([str(path)], "no column model_a nor model_b nor winner"),
        ([str(tmp_path / "none.csv")], "there is no file"),
    ):
        monkeypatch.setattr("sys.argv", ["howgood", "rate", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main.main()
        error = capsys.readouterr().err
        assert stopped.value.code == 2
        assert why in error
        assert error.count("\n") == 1
