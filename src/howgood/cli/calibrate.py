"""howgood calibrate: few human labels and many verdicts, together."""

from __future__ import annotations

from typing import Annotated

import typer

from howgood.cli.options import console


def calibrate(
    run: Annotated[str, typer.Argument(help="A run with labels (`howgood label`).")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Estimate what people would say of all answers: from those that they labelled and the run's verdicts on all, the
    mean with its interval, how biased the judge is, what its verdicts are worth in labels, and how many more labels
    would halve the interval."""
    import msgspec

    from howgood.api import load
    from howgood.report.terminal.calibrated import calibrated_view
    from howgood.runs.labels import calibrate as calibrated

    saved = load(run)
    found = calibrated(saved)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        console().print(calibrated_view(saved, found))
