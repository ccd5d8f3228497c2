"""How a run's scores are spread, and what they hang together with: counted by duckdb, drawn by Vega-Lite."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from howgood.core.types import Estimate
from howgood.interpret.statistics import Spread, share_interval, t_interval
from howgood.report import numbers
from howgood.studio.filters import LEVEL, name
from howgood.studio.trials import Trials

BINS = 10
FEWEST = 8
"""Trials in a part, at least about so many."""
BARS = 24
SEVERAL = 12
"""Different values up to which each one is counted by itself."""
SHARE = '"(share)"'
"""The column of what others score on an instance; no score is called that."""
MOST_COMPARED = 3_000_000
"""Trials of other systems that are read to say how hard each instance is."""
MOST_SYSTEMS = 10


class Bar(Struct, frozen=True):
    """How many trials have a score from `low` to `high`, which are one where each value is counted by itself."""

    low: float
    high: float
    n: int


class Bin(Struct, frozen=True):
    """The mean score of the trials for which something lies between `low` and `high`, both of them included."""

    low: float
    high: float
    mean: Estimate


def histogram(trials: Trials) -> list[Bar]:
    """How often each value of the headline score is there, or each of `BARS` equal parts of its range."""
    if trials.headline is None:
        return []
    score = name(trials.headline)
    values = trials.ask(
        f"select {score} as low, count(*) as n from trials where isfinite({score}) "
        f"group by 1 order by 1 limit {SEVERAL + 1:d}"
    )
    if len(values) <= SEVERAL:
        return [Bar(row["low"], row["low"], row["n"]) for row in values]
    ends = trials.ask(f"select min({score}) as low, max({score}) as high from trials where isfinite({score})")[0]
    low, width = ends["low"], (ends["high"] - ends["low"]) / BARS
    counted = trials.ask(
        f"select least(floor(({score} - ?) / ?), ?)::integer as place, count(*) as n from trials "
        f"where isfinite({score}) group by 1 order by 1",
        low,
        width,
        BARS - 1,
    )
    found = {row["place"]: row["n"] for row in counted}
    return [Bar(low + place * width, low + (place + 1) * width, found.get(place, 0)) for place in range(BARS)]


def against(trials: Trials, column: str) -> list[Bin]:
    """The mean headline score in (at most `BINS`) parts of the trials of about the same size, by a column of numbers;
    nothing where that is the same for all. A part's ends are the least and the largest number in it."""
    if trials.headline is None or column not in trials.columns:
        return []
    known = f"isfinite({name(trials.headline)}) and isfinite({name(column)}::double)"
    number = int(trials.ask(f"select count(*) as n from trials where {known}")[0]["n"])
    parts = max(2, min(BINS, number // FEWEST))
    steps = [place / parts for place in range(1, parts)]
    cuts = trials.ask(f"select quantile_disc({name(column)}, {steps}) as cuts from trials where {known}")[0]["cuts"]
    return _binned(trials, "trials", f"{name(column)}::double", sorted({float(cut) for cut in cuts or []}))


def hardness(trials: Trials) -> list[Bin]:
    """The mean headline score by the share of other systems' score on the same instances: how hard they are for
    others. `trials` needs the runs of those `beside` it."""
    if trials.headline is None:
        return []
    # With few systems there are few shares, and each is a part by itself; else ten equal parts of 0 to 1.
    source = (
        f"(select t.*, h.{SHARE} from trials t join "
        f"(select id, round(avg({LEVEL}), 6) as {SHARE} from beside group by id) h on t.id = h.id)"
    )
    shares = trials.ask(
        f"select distinct {SHARE} as share from {source} where {SHARE} is not null order by 1 limit {BINS + 2:d}"
    )
    few = len(shares) <= BINS + 1
    cuts = [row["share"] for row in shares][1:] if few else [place / BINS for place in range(1, BINS)]
    return _binned(trials, source, SHARE, cuts)


def _binned(trials: Trials, source: str, x: str, cuts: list[float]) -> list[Bin]:
    """The mean score of each part; a part begins at a cut. Trials of one cluster, or of one instance, are not
    independent: their sums are (ultimate clusters, as in `interpret/statistics.py`)."""
    score = name(trials.headline or "")
    place = " + ".join(f"({x} >= {cut!r})::integer" for cut in cuts) or "0"
    known = f"from {source} where isfinite({score}) and isfinite({x})"
    clustered = bool(trials.ask("select 1 from trials where cluster is not null or epoch > 0 limit 1"))
    if clustered:
        units = (
            f"select {place} as place, coalesce(cluster, id) as unit, count(*)::double as n, sum({score}) as s, "
            f"min({x}) as low, max({x}) as high, min({score}) as least, max({score}) as most, "
            f"count_if({score} not in (0, 1)) as inside {known} group by 1, 2"
        )
    else:
        units = (
            f"select {place} as place, 1.0::double as n, {score} as s, {x} as low, {x} as high, {score} as least, "
            f"{score} as most, ({score} not in (0, 1))::integer as inside {known}"
        )
    rows = trials.ask(
        "select place, sum(n)::bigint as n, count(*) as units, sum(s) as s, min(low) as low, max(high) as high, "
        "min(least) as least, max(most) as most, sum(inside) as inside, sum(s * s) as ss, sum(s * n) as sn, "
        f"sum(n * n) as nn from ({units}) group by place order by place"
    )
    binary = not any(row["inside"] for row in rows)
    return [Bin(row["low"], row["high"], _mean(trials, row, binary, clustered)) for row in rows]


def _mean(trials: Trials, row: dict[str, Any], binary: bool, clustered: bool) -> Estimate:
    """The mean of a part from its sums over units: SE² = G/(G-1) Σ_c (s_c - n_c x̄)² / n² (CR1)."""
    n, units, mean = row["n"], row["units"], row["s"] / row["n"]
    around = max(0.0, row["ss"] - 2 * mean * row["sn"] + mean**2 * row["nn"])
    se = math.sqrt(units / (units - 1) * around) / n if units > 1 else None
    spread = Spread(mean, se, units - 1, n, units, 1, n, n**2 / row["nn"])
    share = row["least"] >= 0 and row["most"] <= 1
    low, high = share_interval(spread, binary, clustered) if share else t_interval(spread)
    method = f"mean, {'clusters, ' if clustered else ''}{'Wilson' if share else 't'}"
    return Estimate(trials.headline or "", mean, se, low, high, n, method, percent=share)


# Drawing


WIDTH, HEIGHT = 380, 190


def draw_histogram(bars: Sequence[Bar], score: str) -> dict[str, Any]:
    """Bars over the score; where each value is counted by itself, over its name."""
    several = bars and all(bar.low == bar.high for bar in bars)
    values = [{"low": bar.low, "high": bar.high, "n": bar.n, "value": f"{bar.low:.4g}"} for bar in bars]
    y = {"field": "n", "type": "quantitative", "title": "trials", "axis": {"tickCount": 4, "format": "~s"}}
    if several:
        x = {"field": "value", "type": "ordinal", "sort": None, "title": score, "axis": {"labelAngle": 0}}
        encoding: dict[str, Any] = {"x": x, "y": y}
    else:
        x = {"field": "low", "type": "quantitative", "bin": {"binned": True}, "title": score, "axis": {"tickCount": 5}}
        encoding = {"x": x, "x2": {"field": "high"}, "y": y}
    mark = {"type": "bar", "color": "var(--accent)", "opacity": 0.75, **({"width": {"band": 0.7}} if several else {})}
    return {"width": WIDTH, "height": HEIGHT, "data": {"values": values}, "mark": mark, "encoding": encoding}


def draw_bins(bins: Sequence[Bin], along: str, overall: Estimate | None) -> dict[str, Any]:
    """Means with their intervals, one place each for parts of about the same size, and the whole's mean as a line."""
    score, percent = bins[0].mean.name, all(part.mean.percent for part in bins)
    values = [
        {
            "place": place,
            "label": label(part),
            "mean": part.mean.value,
            "low": part.mean.low if numbers.bounded(part.mean) else part.mean.value,
            "high": part.mean.high if numbers.bounded(part.mean) else part.mean.value,
        }
        for place, part in enumerate(bins)
    ]
    x = {
        "field": "label",
        "type": "ordinal",
        "sort": None,
        "title": along,
        "axis": {"labelAngle": -45 if any(len(label(part)) > 4 for part in bins) else 0, "labelOverlap": False},
    }
    scale = {"domain": [0, 1]} if percent else {"zero": False, "nice": True}
    axis = {"tickCount": 5, **({"format": "%"} if percent else {})}
    y = {"field": "mean", "type": "quantitative", "title": score, "scale": scale, "axis": axis}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "rule", "color": "var(--accent)", "strokeWidth": 4, "opacity": 0.45, "strokeCap": "round"},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {"mark": {"type": "circle", "color": "var(--accent)", "size": 55, "opacity": 1}, "encoding": {"x": x, "y": y}},
    ]
    if overall is not None and overall.name == score and overall.percent == percent:
        layers.insert(
            0,
            {
                "mark": {"type": "rule", "color": "var(--soft)", "strokeDash": [3, 3]},
                "encoding": {"y": {"datum": overall.value}},
            },
        )
    return {"width": WIDTH, "height": HEIGHT, "data": {"values": values}, "layer": layers}


def label(part: Bin) -> str:
    """A part's ends in a few characters."""
    low, high = _short(part.low), _short(part.high)
    return low if low == high else f"{low}–{high}"


def _short(number: float) -> str:
    if number >= 10_000:
        return f"{number / 1000:.3g}k" if number < 1e6 else f"{number / 1e6:.3g}M"
    return f"{number:.3g}" if abs(number) < 1000 else f"{number:.0f}"
