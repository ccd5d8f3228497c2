"""How far judges can be trusted, out of what they said: bias is measured, not hoped away."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct

from howgood.core.types import Estimate, Verdict
from howgood.interpret import statistics
from howgood.interpret.statistics import Spread

LIST = re.compile(r"^\s*(?:[-*•+]|\d{1,3}[.)])\s", re.MULTILINE)
FEWEST = 10
"""Comparisons of different lengths (or of one list) below which no preference for them is told."""
ALIKE = 0.5
"""A system whose answers are, to more than this share, one and the same text is flagged."""


class Case(NamedTuple):
    """What was judged of one trial: the answer, the baseline's (None where the answer stood alone), the verdicts.
    Trials of one `cluster` (None: of one id) are not independent."""

    id: str
    answer: str
    baseline: str | None
    verdicts: tuple[Verdict, ...]
    epoch: int = 0
    cluster: str | None = None


class JudgeReport(Struct, frozen=True):
    """What one judge did. `verdicts` were given, of which `unread` could not be read. Of comparisons in both orders:
    `consistent`, the share in which the same answer won both times; `first`, how far what stands first is preferred
    (0.5: not at all). `longer` and `lists` are the shares of comparisons in which the longer answer, or the one with a
    list, was preferred (0.5: neither helps). `own` is the mean verdict on the evaluated system less that of the other
    judges, where the judge is of the system's family and others are not. Where none of it can be told it is None."""

    judge: str
    verdicts: int
    unread: int
    problems: dict[str, int]
    consistent: Estimate | None = None
    first: Estimate | None = None
    longer: Estimate | None = None
    lists: Estimate | None = None
    own: Estimate | None = None
    same_family: bool = False


class Audit(Struct, frozen=True):
    """What is known of the judging of one run: each judge's report, how far judges `agree` (Krippendorff's alpha; None
    with one judge), of how many `answers` how many were `distinct`, and `warnings` in words."""

    judges: tuple[JudgeReport, ...]
    agree: Estimate | None
    answers: int
    distinct: int
    warnings: tuple[str, ...]


def audit(cases: Sequence[Case], system: str) -> Audit:
    """The audit of the cases of one run of a system of this name."""
    names = sorted({verdict.judge for case in cases for verdict in case.verdicts})
    reports = tuple(_report(name, cases, system, names) for name in names)
    texts = [case.answer.strip() for case in cases]
    distinct = len(set(texts))
    agree = _agreement(cases, names)
    return Audit(reports, agree, len(texts), distinct, tuple(_warnings(reports, agree, texts)))


def family(name: str) -> str:
    """The family of a model by its name: openai/gpt-4-1106-preview is of gpt, meta-llama/Llama-3-8B of llama."""
    last = name.partition(",")[0].rstrip("/").rpartition("/")[2].rpartition("#")[2]
    word = re.match(r"[A-Za-z]+", last)
    found = word[0].lower() if word else last.lower()
    return {"chatgpt": "gpt", "o": "gpt"}.get(found, found)


def has_list(text: str) -> bool:
    """Whether a text has two lines or more of a list."""
    return len(LIST.findall(text)) >= 2


def _report(name: str, cases: Sequence[Case], system: str, names: Sequence[str]) -> JudgeReport:
    said = [(case, verdict) for case in cases for verdict in case.verdicts if verdict.judge == name]
    problems: dict[str, int] = defaultdict(int)
    for _, verdict in said:
        if verdict.problem:
            problems[verdict.problem] += 1
    pairs: list[tuple[Case, float, float]] = []
    preferred: list[tuple[Case, float]] = []
    for case in cases:
        mine = [verdict for verdict in case.verdicts if verdict.judge == name and "preference" in verdict.values]
        both = {verdict.first: verdict.values["preference"] for verdict in mine}
        if both.keys() == {True, False}:
            pairs.append((case, both[True], both[False]))
        if mine:
            preferred.append((case, sum(verdict.values["preference"] for verdict in mine) / len(mine)))
    same = [(case, float((a > 0.5) - (a < 0.5) == (b > 0.5) - (b < 0.5))) for case, a, b in pairs]
    return JudgeReport(
        judge=name,
        verdicts=len(said),
        unread=sum(problems.values()),
        problems=dict(sorted(problems.items(), key=lambda one: -one[1])),
        consistent=_share("consistent", same, "the same winner in both orders"),
        first=_share(
            "first", [(case, (a + 1 - b) / 2) for case, a, b in pairs], "mean preference for what stands first"
        ),
        longer=_liked("longer", preferred, lambda text: float(len(text))),
        lists=_liked("lists", preferred, lambda text: float(has_list(text))),
        own=_own(name, cases, system, names),
        same_family=family(name) == family(system),
    )


def _liked(name: str, preferred: Sequence[tuple[Case, float]], measure: Callable[[str], float]) -> Estimate | None:
    """The share of comparisons that the answer with more of something won, ties half."""
    found = []
    for case, liked in preferred:
        more = measure(case.answer) - measure(case.baseline) if case.baseline is not None else 0.0
        if more:
            won = float(liked > 0.5) if liked != 0.5 else 0.5
            found.append((case, won if more > 0 else 1 - won))
    return _share(name, found, "ties half") if len(found) >= FEWEST else None


def _own(name: str, cases: Sequence[Case], system: str, names: Sequence[str]) -> Estimate | None:
    """The judge's mean verdict on a system of its family, less that of judges of other families, paired by trial."""
    others = [other for other in names if family(other) != family(system)]
    if family(name) != family(system) or not others:
        return None
    differences = []
    for case in cases:
        means = _means(case.verdicts)
        rest = [means[other] for other in others if other in means]
        if name in means and rest:
            differences.append((case, means[name] - sum(rest) / len(rest)))
    return _mean("own", differences, f"paired with {', '.join(others)}, t")


def _means(verdicts: Iterable[Verdict]) -> dict[str, float]:
    """Each judge's mean headline over its verdicts of one trial."""
    values: dict[str, list[float]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.values:
            values[verdict.judge].append(next(iter(verdict.values.values())))
    return {judge: sum(found) / len(found) for judge, found in values.items()}


def _agreement(cases: Sequence[Case], names: Sequence[str]) -> Estimate | None:
    """Krippendorff's alpha of the judges, their headlines taken as numbers."""
    from howgood.core.errors import DataError
    from howgood.interpret.agreement import krippendorff

    if len(names) < 2:
        return None
    rated = [(place, value) for place, case in enumerate(cases) for value in _means(case.verdicts).values()]
    try:
        return krippendorff([place for place, _ in rated], [value for _, value in rated], "interval")
    except DataError:  # all verdicts alike, or none twice: nothing to agree on
        return None


def _share(name: str, values: Sequence[tuple[Case, float]], method: str) -> Estimate | None:
    if not values:
        return None
    spread, binary, clustered = _spread(values)
    low, high = statistics.share_interval(spread, binary, clustered)
    return Estimate(name, spread.value, spread.se, low, high, len(values), f"{method}, Wilson", percent=True)


def _mean(name: str, values: Sequence[tuple[Case, float]], method: str) -> Estimate | None:
    if len(values) < 2:
        return None
    spread, *_ = _spread(values)
    return Estimate(name, spread.value, spread.se, *statistics.t_interval(spread), len(values), method)


def _spread(values: Sequence[tuple[Case, float]]) -> tuple[Spread, bool, bool]:
    """The mean of the values with its error, whether all are 0 or 1, and whether some are not independent."""
    import numpy as np

    found = np.array([value for _, value in values], float)
    units = [case.cluster or case.id for case, _ in values]
    clustered = len(set(units)) < len(units)
    spread = statistics.mean_se(found, clusters=np.unique(units, return_inverse=True)[1] if clustered else None)
    return spread, statistics.is_binary(found), clustered


def _warnings(reports: Sequence[JudgeReport], agree: Estimate | None, texts: Sequence[str]) -> Iterable[str]:
    written = [text for text in texts if text]
    if len(written) >= FEWEST:
        share = Counter(written).most_common(1)[0][1] / len(written)
        if share > ALIKE:
            yield (
                f"{share:.0%} of the answers are one and the same text: a constant answer can win by speaking to the "
                "judge (arXiv:2410.07137); read it"
            )
    for report in reports:
        yield from _of_one(report)
    if agree is not None and agree.high < 0.667:
        yield f"the judges agree little (alpha {agree.value:.2f}): their mean is no better than the best of them"


def _of_one(report: JudgeReport) -> Iterable[str]:
    name = report.judge
    if report.verdicts and report.unread / report.verdicts > 0.05:
        yield f"{report.unread} of {report.verdicts} verdicts of {name} could not be read"
    consistent, first, longer = report.consistent, report.first, report.longer
    if consistent is not None and consistent.low < 0.5:
        yield (
            f"{name} may contradict itself in half of the pairs or more when the answers change places "
            f"(the same winner in {consistent.value:.0%}): such verdicts say little of the answers"
        )
    if first is not None and not first.low <= 0.5 <= first.high:
        side = "first" if first.value > 0.5 else "second"
        yield f"{name} leans to the answer that stands {side} ({first.value:.0%} for the first); both orders balance it"
    if longer is not None and longer.low > 0.6:
        yield f"{name} prefers the longer answer in {longer.value:.0%} of pairs; look at the length-controlled rate"
    if report.same_family:
        yield f"{name} is of the evaluated system's family; judges are known to prefer their own"
