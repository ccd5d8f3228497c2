"""Small drawings as inline SVG: intervals, shares, outcomes. Sizes along x are per cents, so they fit any width.

Colours come from the page's style sheet through classes; nothing here holds text from data or a model.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from msgspec import Struct

from howgood.core.types import Estimate
from howgood.interpret.statistics import UNBOUNDED
from howgood.report import costs, numbers


class Scale(Struct, frozen=True):
    """What the left and the right end of a drawing stand for."""

    low: float
    high: float

    def place(self, x: float) -> float:
        """Where a number stands, in per cent from the left, kept on the drawing."""
        share = (x - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 2)


SHARE = Scale(0.0, 1.0)


def scale(estimates: Sequence[Estimate]) -> Scale | None:
    """The scale on which estimates of one kind can be compared by eye: 0 to 1 for shares, else from the lowest to the
    highest end. None where there is nothing to compare or no end is known."""
    if not estimates:
        return None
    if all(e.percent for e in estimates):
        return SHARE
    known = [e for e in estimates if numbers.bounded(e)]
    if len(known) < 2 or len({(e.name, e.percent) for e in estimates}) > 1:
        return None
    low, high = min(e.low for e in known), max(e.high for e in known)
    return Scale(low, high) if high > low else None


def interval(estimate: Estimate, on: Scale, marks: Sequence[tuple[str, float]] = ()) -> str:
    """An estimate as a dot on its interval; `marks` are (class, number) drawn as upright lines, such as baselines."""
    low, value, high = on.place(estimate.low), on.place(estimate.value), on.place(estimate.high)
    lines = "".join(
        f'<line class="mark {kind}" x1="{on.place(x)}%" x2="{on.place(x)}%" y1="3" y2="21"/>' for kind, x in marks
    )
    label = f"{numbers.value(estimate)}, interval {numbers.interval(estimate)}"
    return (
        f'<svg class="interval" width="100%" height="24" role="img" aria-label="{label}">'
        f'<line class="track" x1="0" x2="100%" y1="12" y2="12"/>{lines}'
        f'<line class="range" x1="{low}%" x2="{high}%" y1="12" y2="12"/>'
        f'<circle class="value" cx="{value}%" cy="12" r="4.5"/></svg>'
    )


def reach(estimates: Sequence[Estimate]) -> float:
    """How far from zero a drawing of differences has to reach on each side; 0 where none can be drawn."""
    return max((_reach(e) for e in estimates if numbers.bounded(e)), default=0.0)


def difference(estimate: Estimate, reach: float = 0.0) -> str:
    """A difference on a scale with zero in the middle, which reaches as far as it has to, or as far as is said."""
    if not numbers.bounded(estimate):
        return ""
    end = reach or _reach(estimate)
    return interval(estimate, Scale(-end, end), [("zero", 0.0)]) if end else ""


def _reach(estimate: Estimate) -> float:
    return max(abs(estimate.low), abs(estimate.high), abs(estimate.value)) * 1.15


def share(x: float, kind: str = "") -> str:
    """A share from 0 to 1 as a bar."""
    width = round(100 * min(1.0, max(0.0, x)), 2) if x == x else 0
    return (
        '<svg class="share" width="100%" height="8" aria-hidden="true"><rect class="track" width="100%" height="8" '
        f'rx="2"/><rect class="fill {kind}" width="{width}%" height="8" rx="2"/></svg>'
    )


def outcomes(counted: Sequence[tuple[str, int]]) -> str:
    """Outcomes side by side in one bar, each as wide as its share; (class, count) in the order given."""
    total, left, parts = sum(n for _, n in counted), 0.0, []
    for kind, n in counted:
        width = 100 * n / total
        parts.append(f'<rect class="{kind}" x="{left:.3f}%" width="{width:.3f}%" height="12"/>')
        left += width
    return f'<svg class="outcomes" width="100%" height="12" aria-hidden="true">{"".join(parts)}</svg>'


def front(front: costs.Front) -> str:
    """Quality (upwards) against cost (to the right, in equal ratios): each system a numbered dot with both intervals,
    in the order of `front.standings`, and the front as a line of steps through those that no other beats."""
    spent = [_plot_range(s.cost.low, s.cost.value, s.cost.high) for s in front.standings]
    lowest = min((low for low, _, _ in spent if low > 0), default=0.0)
    if lowest == 0.0:  # something costs nothing: the axis cannot be of ratios
        ratio = False
        across = Scale(0.0, max(high for _, _, high in spent) * 1.08 or 1.0)
    else:
        ratio = True
        ends = math.log(lowest), math.log(max(high for _, _, high in spent))
        margin = max(0.08 * (ends[1] - ends[0]), 0.05)
        across = Scale(ends[0] - margin, ends[1] + margin)
    scores = [_plot_range(s.score.low, s.score.value, s.score.high) for s in front.standings]
    low, high = min(s[0] for s in scores), max(s[2] for s in scores)
    margin = 0.08 * (high - low) or 0.05
    upwards = Scale(low - margin, high + margin)
    if not front.standings[0].score.higher_is_better:
        upwards = Scale(upwards.high, upwards.low)

    def x(value: float) -> float:
        return across.place(math.log(max(value, lowest)) if ratio else value)

    def y(value: float) -> float:
        return round(100 - upwards.place(value), 2)

    steps = [(x(s.cost.value), y(s.score.value)) for s in front.standings if s.by is None]
    lines = "".join(
        f'<line class="step" x1="{x0}%" y1="{y0}%" x2="{x1}%" y2="{y0}%"/>'
        f'<line class="step" x1="{x1}%" y1="{y0}%" x2="{x1}%" y2="{y1}%"/>'
        for (x0, y0), (x1, y1) in itertools.pairwise(steps)
    )
    dots = "".join(
        f'<g class="{standing.place.verdict}"><line x1="{x(cost[0])}%" y1="{y(score[1])}%" x2="{x(cost[2])}%" '
        f'y2="{y(score[1])}%"/><line x1="{x(cost[1])}%" y1="{y(score[0])}%" x2="{x(cost[1])}%" y2="{y(score[2])}%"/>'
        f'<circle cx="{x(cost[1])}%" cy="{y(score[1])}%" r="9"/>'
        f'<text x="{x(cost[1])}%" y="{y(score[1])}%" dy="4">{place + 1}</text></g>'
        for place, (standing, cost, score) in enumerate(zip(front.standings, spent, scores, strict=True))
    )
    label = f"quality against {front.axis} of {len(front.standings)} systems; the table below says the same"
    kind = "in equal ratios" if ratio else "from zero"
    best = "better" if front.standings[0].score.higher_is_better else "better (lower)"
    return (
        f'<svg width="100%" height="280" role="img" aria-label="{label}">'
        '<line class="axis" x1="0" x2="100%" y1="100%" y2="100%"/><line class="axis" x1="0" x2="0" y1="0" y2="100%"/>'
        f'{lines}{dots}<text class="name" x="8" y="14">↑ {best}</text>'
        f'<text class="name end" x="100%" y="100%" dy="-8">{front.axis}, {kind} →</text></svg>'
    )


def _plot_range(low: float, value: float, high: float) -> tuple[float, float, float]:
    """An interval whose unknown ends are drawn at the value itself."""
    known = UNBOUNDED
    return (value if low <= -known else low), value, (value if high >= known else high)
