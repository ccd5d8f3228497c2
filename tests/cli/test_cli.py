"""The command line as a user meets it: what it prints, where it leaves things, and one clear line for each mistake."""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import howgood as hg
from howgood.cli import list_
from howgood.cli.main import COMMANDS, _named, build, main

Output = tuple[int, str, str]


class Shell:
    """Runs `howgood ...` in this process and gives (exit status, what it printed, what it complained about)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: str) -> Output:
        self.monkeypatch.setattr(sys, "argv", ["howgood", *arguments])
        self.monkeypatch.setenv("COLUMNS", "120")
        try:
            main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        printed = self.capsys.readouterr()
        return status, printed.out, printed.err


@pytest.fixture
def howgood(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


@pytest.fixture
def support(tmp_path: Path) -> Path:
    file = tmp_path / "support.csv"
    rows = [f"Is {i} even?,{'no' if i % 2 else 'yes'}" for i in range(40)]
    file.write_text("\n".join(["question,answer", *rows]) + "\n")
    return file


OWN = ("--ask", "{question}", "--answer", "answer", "--check", "contains")


def test_from_an_own_csv_to_a_decision(howgood: Shell, support: Path) -> None:
    for answer in ("yes", "no"):
        status, out, _ = howgood("run", str(support), *OWN, "-m", f"reference/constant,text={answer}")
        assert status == 0
        assert "support" in out
        assert "report.html" in out
    a, b = hg.list_runs()
    assert a.estimate.value == b.estimate.value == 0.5
    status, out, _ = howgood("show", a.id)
    assert status == 0
    assert "support.csv" in out
    status, out, _ = howgood("show", a.id, "--wrong", "--limit", "3")
    assert status == 0
    assert "3 of 20" in out
    wrong = a.trials.filter(a.trials["outcome"] == "wrong")["id"][0]
    status, out, _ = howgood("show", a.id, "--instance", wrong)
    assert "even?" in out
    status, out, _ = howgood("compare", a.id, b.id)
    assert status == 0
    assert "40" in out
    query = "select system, avg(contains_match) m from trials group by 1 order by 1"
    status, out, _ = howgood("sql", query, "--csv")
    assert out.splitlines()[0] == "system,m"
    assert [line.rsplit(",", 1)[1] for line in out.splitlines()[1:]] == ["0.5", "0.5"]
    status, out, _ = howgood("runs")
    assert out.count("support") >= 2


def test_what_would_be_sent_can_be_seen_first(howgood: Shell, support: Path) -> None:
    status, out, _ = howgood(
        "prompt", str(support), "-P", "ask=Q: {question}", "--answer", "answer", "--id", "3", "-m", "reference/echo",
        "--max-tokens", "7", "--temperature", "0.5",
    )  # fmt: skip
    assert status == 0
    assert "Q: Is 2 even?" in out
    assert "target:   yes" in out
    assert '"max_tokens":7,"temperature":0.5' in out
    assert hg.list_runs() == []


def test_an_own_file_is_told_of_in_the_same_words_everywhere(howgood: Shell, support: Path) -> None:
    by_id = ("--ask", "Q: {question}", "--answer", "answer", "--check", "contains", "-P", "id=question")
    status, out, _ = howgood("prompt", str(support), *by_id, "-m", "reference/echo")
    assert status == 0
    assert "instance: Is 0 even?" in out
    status, out, _ = howgood("check", str(support), *by_id)
    assert status == 0
    assert out.count("support.csv: 40 instances, generation") == 2
    assert out.count("  example Is 0 even?: Q: Is 0 even? → yes\n") == 2


def test_list_describe_check(howgood: Shell) -> None:
    status, out, _ = howgood("list")
    assert status == 0
    assert re.search(r"\nreasoning\n(  .*\n)*  arc-agi-1 +ARC-AGI-1: 400 tasks of coloured grids, .*\.\n", out)
    assert re.search(r"\nsuites\n  quickstart  A first look .*\n", out)
    status, out, _ = howgood("describe", "mmlu")
    assert "2009.03300" in out
    assert "method" in out
    status, out, _ = howgood("check", "quickstart-questions")
    assert status == 0
    assert "letter-likelihood" in out
    assert "letter-generation" in out
    assert "What does a thermometer measure? → Temperature\n" in out
    assert "→ Temperature (written: Answer: " in out
    status, out, _ = howgood("list", "--models")
    assert "smollm2" in out


def test_the_list_folds_beside_the_names_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("NO_COLOR", "1")
    list_._print([("mmlu", "57 subjects, four choices"), ("x", "\x1b[2J")], indent="  ")
    assert capsys.readouterr().out == "  mmlu  57 subjects, four\n        choices\n  x     ␛[2J\n"


def test_a_report_and_a_resume(howgood: Shell, support: Path, tmp_path: Path) -> None:
    howgood("run", str(support), *OWN, "-m", "reference/constant,text=yes", "--limit", "7")
    status, out, _ = howgood("report", "last", "-o", str(tmp_path / "r.html"))
    assert status == 0
    assert "<!doctype html>" in (tmp_path / "r.html").read_text().lower()[:200]
    status, out, _ = howgood("resume", "last")
    assert status == 0
    assert "nothing is missing" in out
    record = json.loads((hg.load("last").path / "run.json").read_bytes())
    assert len(record["sampled"]) == 7


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("run", "hellaswga"), "there is no benchmark or suite 'hellaswga'. Did you mean hellaswag"),
        (("run", "quickstrat"), "Did you mean quickstart or"),
        (("trust", "smolm2"), "there is no model 'smolm2'. Did you mean smollm2"),
        (("run", "quickstart-questions", "-m", "smolm2"), "smollm2"),
        (("run", "quickstart-questions", "-m", "reference/random", "-P", "shot=3"), "no parameter 'shot'"),
        (("run", "quickstart-questions", "-m", "reference/random", "-P", "shots"), "-P takes KEY=VALUE"),
        (("run", "quickstart-questions", "-m", "reference/random", "--limit", "0"), "--limit must be at least 1"),
        (("run", "SUPPORT", "--ask", "{qestion}", "--answer", "answer"), "qestion"),
        (("run", "SUPPORT", "--ask", "{question}", "--answer", "anser"), "anser"),
        (("run", "SUPPORT"), "--ask"),
        (("run", "missing.csv", "--ask", "{q}"), "missing.csv"),
        (("run", "quickstart-questions", "--data", "/nowhere/at/all", "-m", "reference/random"), "/nowhere/at/all"),
        (("prompt", "quickstart-endings", "--instance", "x", "-m", "reference/echo"), "Ids here are such as 0, 1, 2."),
        (("show", "nothing"), "no runs in"),
        (("sql", "select"), "the query failed"),
    ],
)
def test_one_clear_line_for_each_mistake(
    howgood: Shell, support: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    status, _, err = howgood(*(str(support) if a == "SUPPORT" else a for a in arguments))
    assert status == 2
    assert err.startswith("howgood: ")
    assert len(err.splitlines()) == 1
    assert complaint in err
    assert hg.list_runs() == []


ESCAPES = "\x1b[2J\x1b]0;title\x07"


def harmless(text: str) -> str:
    assert not {"\x1b", "\x07", "\x9b", "\r"} & set(text)
    return text


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    file = tmp_path / "hostile.jsonl"
    rows = [{"q": f"Say {ESCAPES} {i}", "a": f"b{ESCAPES}{i}", "name": f"it's {ESCAPES}\n{i}"} for i in range(3)]
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


def test_hostile_data_are_shown_not_obeyed(howgood: Shell, hostile: Path) -> None:
    own = ("--ask", "{q}", "--answer", "a", "-P", "id=name")
    _, out, _ = howgood("prompt", str(hostile), *own, "-m", "reference/echo")
    assert "Say ␛[2J␛]0;title␇ 0" in harmless(out)
    _, out, _ = howgood("check", str(hostile), *own)
    assert "␛[2J" in harmless(out)
    howgood("run", str(hostile), *own, "-m", "reference/constant,text=no")
    _, out, _ = howgood("show", "last", "--wrong")
    assert "--instance 'it'\"'\"'s ␛[2J␛]0;title␇" in harmless(out)
    _, out, _ = howgood("sql", "select id, input from trials")
    assert "Say ␛[2J" in harmless(out)
    status, _, err = howgood("show", "last", "--instance", f"it's {ESCAPES}\n")
    assert status == 2
    assert "␛[2J" in harmless(err)
    assert len(err.splitlines()) == 1
    hostile.write_text(hostile.read_text() + "\n" + hostile.read_text())
    status, _, err = howgood("prompt", str(hostile), *own, "-m", "reference/echo")
    assert status == 2
    assert "two instances have the id 'it's ␛[2J" in harmless(err)
    assert len(err.splitlines()) == 1


def test_what_was_not_answered_is_hinted_at(howgood: Shell, support: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    rows = [{"id": str(i + 1), "text": "" if i < 3 else "perhaps"} for i in range(40)]
    answers.write_text("\n".join(map(json.dumps, rows)))
    howgood("run", str(support), *OWN, "-m", f"replay/{answers}")
    run = hg.load("last")
    _, out, _ = howgood("show", "last", "--wrong")
    assert f"3 more did not answer: howgood show {run.id} --errors" in out
    _, out, _ = howgood("show", "last", "--wrong", "--errors")
    assert "did not answer" not in out
    howgood("run", str(support), *OWN, "-m", "reference/constant,text=yes no")
    _, out, _ = howgood("show", "last", "--wrong")
    assert "none of 40 trials" in out
    (run.path / "trials.parquet").unlink()
    status, _, err = howgood("show", run.id, "--wrong")
    assert status == 2
    assert len(err.splitlines()) == 1
    assert "trials.parquet is missing" in err


def test_a_run_without_trials_says_why(howgood: Shell, support: Path) -> None:
    howgood("run", str(support), *OWN, "-m", "reference/constant,text=yes", "--limit", "2")
    run = hg.load("last")
    (run.path / "trials.parquet").unlink()
    record = json.loads((run.path / "run.json").read_bytes())
    record |= {"status": "failed", "message": "the server is gone", "outcomes": {}, "estimates": []}
    (run.path / "run.json").write_text(json.dumps(record))
    status, _, err = howgood("show", "last", "--wrong")
    assert status == 2
    assert f"run {run.id} has no trials (failed: the server is gone)" in err


def test_sql_keeps_to_the_width(howgood: Shell, monkeypatch: pytest.MonkeyPatch, support: Path) -> None:
    howgood("run", str(support), *OWN, "-m", "reference/constant,text=yes", "--limit", "2")
    _, out, _ = howgood("sql", "select run, benchmark, system, prompt, text from trials")
    assert max(map(len, out.splitlines())) == 120


def test_every_command_stands_in_a_group_in_words_of_its_own(howgood: Shell) -> None:
    status, out, _ = howgood("--help")
    assert status == 0
    for panel, commands in COMMANDS.items():
        assert f"\n{panel}\n" in out
        for name, words in commands.items():
            assert f"\n  {name} " in out
            assert f"  {words}\n" in out


@pytest.mark.parametrize("name", [name for commands in COMMANDS.values() for name in commands])
def test_a_command_is_listed_by_the_beginning_of_its_description(name: str) -> None:
    """Up to the first stop of any kind, and nothing but the command itself is imported to run it."""
    app = build([name])
    (command,) = [c for c in app.registered_commands if c.name == name and c.callback is not _named] or [None]
    group = next((g.typer_instance for g in app.registered_groups if g.name == name), None)
    described = inspect.getdoc(command.callback) if command else group and group.info.help
    listed = next(commands[name] for commands in COMMANDS.values() if name in commands)
    assert f"{re.split(r'[.:;]', ' '.join(str(described).split()))[0]}." == listed
    assert sum(c.callback is _named for c in app.registered_commands) == sum(map(len, COMMANDS.values())) - 1


@pytest.mark.parametrize(("typed", "meant"), [("labl", "label"), ("scale ladde", "ladder"), ("cache stat", "stats")])
def test_the_nearest_command_is_suggested_once(typed: str, meant: str) -> None:
    found = CliRunner().invoke(build(typed.split()), typed.split())
    assert found.exit_code == 2
    assert found.output.count(f"Did you mean '{meant}'?") == 1
