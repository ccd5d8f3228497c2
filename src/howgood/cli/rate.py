"""howgood rate: a leaderboard from comparisons of two."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from howgood.cli.options import console


def rate(
    battles: Annotated[
        list[str],
        typer.Argument(
            metavar="BATTLES.CSV | RUN...",
            help="A csv, tsv, jsonl or parquet file: model_a, model_b, winner (a model's name, model_a, model_b, tie, "
            "bothbad; or left, right), and if you have them weight, voter, time, item. Or runs in which judges "
            "compared answers with a baseline's.",
        ),
    ],
    ties: Annotated[
        Literal["half", "davidson", "rao-kupper"], typer.Option(help="How a tie is read: half a win, or by a model.")
    ] = "half",
    style: Annotated[
        bool,
        typer.Option(
            "--style",
            help="Control for style, from length_a, length_b, headers_, lists_, bold_, or from answer_a, answer_b.",
        ),
    ] = False,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", "-b", metavar="MODEL", help="A model at 1000, against which all are told."),
    ] = None,
    reweight: Annotated[
        bool, typer.Option("--reweight", help="Let every pair of models count alike, however often it was voted on.")
    ] = False,
    intervals: Annotated[
        Literal["sandwich", "bootstrap"], typer.Option(help="Where intervals come from; the sandwich is quick.")
    ] = "sandwich",
    cluster: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Votes that belong together; default: a voter's; none: each alone."),
    ] = None,
    elo: Annotated[
        bool, typer.Option("--elo", help="Show online Elo ratings too, which depend on the order of the votes.")
    ] = False,
    level: Annotated[float, typer.Option(help="The confidence of intervals and ranks.")] = 0.95,
    seed: Annotated[int, typer.Option(help="What samples are drawn by.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the leaderboard as JSON.")] = False,
) -> None:
    """Rate models from votes on pairs of them (Bradley-Terry): ratings with intervals, ranks with those that cannot be
    excluded, the probability of being the best, and how few votes the first place rests on."""
    import msgspec

    from howgood.interpret.rating import board as ratings
    from howgood.report.terminal.rating import leaderboard_view

    board = ratings.rate(
        _votes(battles),
        ties=ties,
        style=style,
        baseline=baseline,
        reweight=reweight,
        intervals=intervals,
        cluster=cluster,
        elo=elo,
        level=level,
        seed=seed,
    )
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(board), indent=2).decode())
    else:
        console().print(leaderboard_view(board))


def _votes(named: list[str]) -> Any:
    """The one file that is named, or the verdicts of the runs."""
    from howgood.api import load
    from howgood.core.registry import is_data_file
    from howgood.validity.judges import votes_of

    if len(named) == 1 and (is_data_file(named[0]) or "/" in named[0]):
        return named[0]
    return votes_of([load(name) for name in named])
