"""A leaderboard: ratings with intervals, ranks with what cannot be excluded, and what they rest on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from howgood.core.errors import DataError, UnknownName
from howgood.core.types import Estimate
from howgood.interpret import agreement, joint
from howgood.interpret.multiple import holm
from howgood.interpret.rating import bootstrap, graph, influence, nextpair, ranks, voters
from howgood.interpret.rating import drift as drifts
from howgood.interpret.rating import elo as elos
from howgood.interpret.rating import ties as reading
from howgood.interpret.rating.battles import Battles, read
from howgood.interpret.rating.fit import CENTRE, SCALE, Fit, clustered, fit, shifted
from howgood.interpret.rating.records import Changed, Flip, Leaderboard, Rated, Suspect, Unrated, Worth
from howgood.interpret.rating.ties import TIES, Ties
from howgood.interpret.rating.votes import TIE, Tally, each, even_weights, tally
from howgood.interpret.statistics import normal_quantile

if TYPE_CHECKING:
    from howgood.interpret.statistics import Floats, Ints

Intervals = Literal["sandwich", "bootstrap"]
PRIOR = 1.0
"""Virtual wins and losses of each model where the votes alone leave a rating infinite."""
FEW = 20
"""A model with fewer votes has an interval that rests on too few."""
FEW_CLUSTERS = 20
NEXT = 3
SUSPECT = 0.01
"""A voter with a smaller p-value, adjusted for the number of voters, is named."""
CHANGED = 0.05
"""A model with a smaller p-value, adjusted likewise, is told to have changed."""


def rate(
    battles: Any,
    *,
    ties: Ties = "half",
    style: bool = False,
    baseline: str | None = None,
    reweight: bool = False,
    intervals: Intervals = "sandwich",
    cluster: str | None = None,
    elo: bool = False,
    level: float = 0.95,
    seed: int = 0,
) -> Leaderboard:
    """Rate models from votes on pairs of them (Bradley-Terry), with intervals and ranks.

    `battles` is a csv, tsv, jsonl or parquet file, or a table of columns, with model_a, model_b and winner (see
    `battles.read` for the words and for the columns weight, voter, time and item). `ties` is "half", "davidson" or
    "rao-kupper"; `style` controls for length, headers, lists and bold; `baseline` is a model at 1000; `reweight` lets
    every pair count alike; `intervals` are from the "sandwich" or a "bootstrap"; `cluster` names the column of votes
    that belong together (default: the voter's, "none" for none). Raises `DataError` for what is no table of battles.
    """
    return leaderboard(
        read(battles, cluster, style),
        ties=ties,
        baseline=baseline,
        reweight=reweight,
        intervals=intervals,
        elo=elo,
        level=level,
        seed=seed,
    )


def leaderboard(
    battles: Battles,
    *,
    ties: Ties = "half",
    baseline: str | None = None,
    reweight: bool = False,
    intervals: Intervals = "sandwich",
    elo: bool = False,
    level: float = 0.95,
    seed: int = 0,
) -> Leaderboard:
    """Rate the models of battles.

    `ties` says how a tie is read (see `ties`); `baseline` is a model at exactly 1000, whose chance against each other
    is told; `reweight` makes every pair count alike; style is controlled for where the battles have features. Raises
    `DataError` where there is nothing to compare.
    """
    if ties not in TIES:
        raise UnknownName("way to read ties", ties, TIES)
    if intervals not in ("sandwich", "bootstrap"):
        raise UnknownName("kind of interval", intervals, ("sandwich", "bootstrap"))
    if not 0 < level < 1:
        raise DataError(f"a confidence lies between 0 and 1, and {level:g} does not")
    notes: list[str] = []
    battles, unrated = _joined(battles)
    if baseline is not None and baseline not in battles.models:
        raise UnknownName("model", baseline, battles.models, "The baseline is one of the models that are rated.")
    m = len(battles.models)
    weight = battles.weight
    if reweight:
        even = even_weights(battles.a, battles.b, m)
        weight = even if weight is None else weight * even
    votes = tally(battles.a, battles.b, battles.outcome, m, weight)
    prior = _prior(votes, battles.models, notes)
    rows = votes if battles.features is None else _styled(battles, weight)
    fitted = fit(rows, ties, prior)
    if ties != "half" and fitted.ties == "half":
        every = bool(votes.counts[:, TIE].sum())
        notes.append(f"{'every' if every else 'no'} vote is a tie, so how often equals tie cannot be told")
    by = _clusters(battles, notes)
    if by is not None:
        fitted = clustered(fitted, battles.a, battles.b, battles.outcome, by, weight, battles.features)
    notes += _warnings(votes, fitted, battles.models)
    samples: Floats | None = None
    if intervals == "bootstrap":
        samples = _samples(battles, fitted, rows, by, weight, seed)
        import numpy as np

        fitted = fitted._replace(covariance=np.cov(samples, rowvar=False))
    models = _rated(battles, votes, fitted, baseline, samples, level, seed)
    if battles.features is not None:
        models = _with_plain(models, fit(votes, ties, prior), battles.models, baseline)
    if elo:
        models = _with_elo(models, battles)
    span, begins, followed, changed = _drift(battles, ties, notes)
    return Leaderboard(
        models=sorted(models, key=lambda one: (one.rank, one.model)),
        votes=len(battles.a),
        both_bad=battles.both_bad,
        left_out=battles.left_out,
        unrated=unrated,
        ties=fitted.ties,
        tied=_tied(fitted, len(battles.a), level),
        style=_weights(fitted, battles, level),
        flip=_flip(rows, fitted, battles.models),
        voters=None if battles.voter is None else len(_present(battles.voter)),
        suspects=_suspects(battles, fitted),
        agreement=_agreement(battles, level, seed),
        spans=begins if span else [],
        followed=followed,
        changed=changed,
        next=_next(fitted, battles.models),
        notes=notes,
        method=_method(fitted, battles, by, intervals, reweight),
        baseline=baseline,
        level=level,
        seed=seed,
    )


def _joined(battles: Battles) -> tuple[Battles, list[Unrated]]:
    """The largest group of models that votes join, and the models outside it."""
    import numpy as np

    votes = tally(battles.a, battles.b, battles.outcome, len(battles.models))
    group = graph.groups(votes)
    if not group.any():
        return battles, []
    number = votes.won().sum(axis=1)
    unrated = [Unrated(name, int(n)) for name, n, one in zip(battles.models, number, group, strict=True) if one]
    kept = np.flatnonzero(group == 0)
    place = np.full(len(group), -1)
    place[kept] = np.arange(len(kept))
    inside = battles.chosen(group[battles.a] == 0)
    told = {**battles.left_out, "about models that no vote joins to those rated": len(battles.a) - len(inside.a)}
    return inside._replace(
        models=[battles.models[i] for i in kept], a=place[inside.a], b=place[inside.b], left_out=told
    ), sorted(unrated, key=lambda one: -one.votes)


def _prior(votes: Tally, models: list[str], notes: list[str]) -> float:
    """No prior, unless some ratings would be infinite."""
    import numpy as np

    if not graph.tiers(votes).any():
        return 0.0
    won = votes.won()
    words = []
    for said, rows in (("won", won[:, [1, 2]].sum(axis=1) == 0), ("lost", won[:, [0, 2]].sum(axis=1) == 0)):
        who = [models[i] for i in np.flatnonzero(rows)]
        if who:
            more = f" and {len(who) - 3} more" if len(who) > 3 else ""
            words.append(f"{', '.join(who[:3])}{more} {said} every vote")
    why = "; ".join(words) or "some models won every vote against the rest"
    notes.append(
        f"{why}: their ratings would be infinite, so each model has one virtual win and one virtual loss against an "
        "average one"
    )
    return PRIOR


def _styled(battles: Battles, weight: Floats | None) -> Tally:
    assert battles.features is not None
    return each(battles.a, battles.b, battles.outcome, len(battles.models), battles.features, weight)


def _present(codes: Ints) -> Ints:
    import numpy as np

    return np.unique(codes[codes >= 0])


def _clusters(battles: Battles, notes: list[str]) -> Ints | None:
    """The codes of what belongs together, each row without one on its own; None where every vote stands alone."""
    import numpy as np

    if battles.cluster is None:
        return None
    known = battles.cluster >= 0
    codes = np.where(known, battles.cluster, int(battles.cluster.max()) + 1 + np.arange(len(known)))
    _, codes = np.unique(codes, return_inverse=True)
    count = int(codes.max()) + 1
    if count == len(codes):
        return None
    if count < 2:
        notes.append(f"all votes have one {battles.clustered_by}: intervals say nothing of others, only of these votes")
        return None
    if count < FEW_CLUSTERS:
        notes.append(f"the votes have only {count} different {battles.clustered_by}s, so intervals are too narrow")
    return codes.astype(np.int64)


def _warnings(votes: Tally, fitted: Fit, models: list[str]) -> list[str]:
    import numpy as np

    notes = []
    won = votes.won()
    few = np.flatnonzero(won.sum(axis=1) < FEW)
    if len(few):
        names = ", ".join(models[i] for i in few[:3]) + (f" and {len(few) - 3} more" if len(few) > 3 else "")
        notes.append(f"fewer than {FEW} votes, too few for an interval to be relied on: {names}")
    if len(fitted.only_ties) == len(models):
        notes.append(
            "every vote is a tie: no model is told from another; intervals are as wide as for votes without ties"
        )
    elif fitted.only_ties:
        notes.append(f"all votes tie of {', '.join(models[i] for i in fitted.only_ties[:3])}: intervals err upwards")
    return notes


def _samples(battles: Battles, fitted: Fit, rows: Tally, by: Ints | None, weight: Floats | None, seed: int) -> Floats:
    if by is None:
        return bootstrap.resampled(fitted, rows, seed=seed)

    def build(drawn: Floats) -> Tally:
        own = drawn if weight is None else drawn * weight
        if battles.features is not None:
            return _styled(battles, own)
        return tally(battles.a, battles.b, battles.outcome, len(battles.models), own)

    return bootstrap.resampled_clusters(fitted, build, by, seed=seed)


def _rated(
    battles: Battles,
    votes: Tally,
    fitted: Fit,
    baseline: str | None,
    samples: Floats | None,
    level: float,
    seed: int,
) -> list[Rated]:
    import numpy as np

    m, names = len(battles.models), battles.models
    place = None if baseline is None else names.index(baseline)
    ratings, spread = (fitted.ratings, fitted.spread) if place is None else shifted(fitted, place)
    se = np.sqrt(np.maximum(np.diag(spread), 0.0))
    drawn = joint.deviations(fitted.spread, seed=seed)
    moved = drawn if place is None else drawn - drawn[:, [place]]
    reach, z = joint.critical(moved, se, level), normal_quantile(level)
    low, high = ratings - z * se, ratings + z * se
    possible = fitted.ratings + drawn
    if samples is not None:
        possible = samples[:, :m]
        centred = possible if place is None else possible - possible[:, [place]]
        low, high = np.quantile(centred, [(1 - level) / 2, (1 + level) / 2], axis=0)
    rank_low, rank_high = ranks.rank_intervals(fitted.ratings, fitted.spread, level, drawn)
    rank, best = ranks.ranks(fitted.ratings), ranks.best(possible)
    won, rate = votes.won().astype(int), win_rates(votes)
    out = []
    for i, name in enumerate(names):
        beats = None
        if place is not None and i != place:
            p = [float(x) for x in reading.beats(fitted.ties, np.array([ratings[i], low[i], high[i]]), fitted.eta)]
            n = int(votes.counts[((votes.a == i) & (votes.b == place)) | ((votes.a == place) & (votes.b == i))].sum())
            beats = Estimate(f"beats {baseline}", p[0], None, p[1], p[2], n, "from the ratings", level, percent=True)
        ends = (ratings[i], low[i], high[i], ratings[i] - reach * se[i], ratings[i] + reach * se[i])
        value, lower, upper, joint_low, joint_high = (float(CENTRE + SCALE * x) for x in ends)
        out.append(
            Rated(
                name,
                value,
                float(SCALE * se[i]),
                lower,
                upper,
                joint_low,
                joint_high,
                int(rank[i]),
                int(rank_low[i]),
                int(rank_high[i]),
                float(best[i]),
                int(won[i].sum()),
                int(won[i, 0]),
                int(won[i, 1]),
                int(won[i, 2]),
                float(rate[i]),
                beats,
            )
        )
    return out


def win_rates(votes: Tally) -> Floats:
    """Each model's mean over the opponents it met of its share of the votes, a tie being half."""
    import numpy as np

    n, half = votes.counts.sum(axis=1), votes.counts[:, 2] / 2
    shares, met = np.zeros(votes.models), np.zeros(votes.models)
    for side, won in ((votes.a, votes.counts[:, 0] + half), (votes.b, votes.counts[:, 1] + half)):
        shares += np.bincount(side, won / n, votes.models)
        met += np.bincount(side, minlength=votes.models)
    return shares / met


def _with_plain(models: list[Rated], plain: Fit, names: list[str], baseline: str | None) -> list[Rated]:
    from msgspec.structs import replace

    ratings = plain.ratings - (plain.ratings[names.index(baseline)] if baseline else 0.0)
    by_name = dict(zip(names, ratings.tolist(), strict=True))
    return [replace(one, plain=CENTRE + SCALE * by_name[one.model]) for one in models]


def _with_elo(models: list[Rated], battles: Battles) -> list[Rated]:
    import numpy as np
    from msgspec.structs import replace

    order = slice(None) if battles.time is None else np.argsort(battles.time, kind="stable")
    found = elos.elo(battles.a[order], battles.b[order], battles.outcome[order], len(battles.models))
    by_name = dict(zip(battles.models, found.tolist(), strict=True))
    return [replace(one, elo=by_name[one.model]) for one in models]


def _tied(fitted: Fit, n: int, level: float) -> Estimate | None:
    """How often two equal models tie: ν/(2 + ν) or tanh(η/2)."""
    if fitted.ties == "half":
        return None
    se, z = math.sqrt(float(fitted.covariance[-1, -1])), normal_quantile(level)
    ends = (fitted.eta, fitted.eta - z * se, fitted.eta + z * se)
    if fitted.ties == "davidson":
        value, low, high = (math.exp(x) / (2 + math.exp(x)) for x in ends)
    else:
        value, low, high = (math.tanh(max(x, 0.0) / 2) for x in ends)
    return Estimate("ties between equals", value, None, low, high, n, fitted.ties, level, percent=True)


def _weights(fitted: Fit, battles: Battles, level: float) -> list[Estimate]:
    z = normal_quantile(level)
    out = []
    for k, name in enumerate(battles.feature_names):
        place = fitted.models + k
        value, se = float(fitted.parameters[place]), math.sqrt(float(fitted.covariance[place, place]))
        out.append(Estimate(name, value, se, value - z * se, value + z * se, len(battles.a), "log-odds", level))
    return out


def _flip(votes: Tally, fitted: Fit, models: list[str]) -> Flip | None:
    found = influence.flip(votes, fitted)
    if found is None:
        return None
    which = [(models[a if o == 0 else b], models[b if o == 0 else a], n) for a, b, o, n in found.cells if o != TIE]
    ties = [(models[a], models[b], n) for a, b, o, n in found.cells if o == TIE]
    return Flip(models[found.leader], models[found.other], found.votes, found.share, which[:NEXT], ties[:NEXT])


def _suspects(battles: Battles, fitted: Fit) -> list[Suspect]:
    if battles.voter is None:
        return []
    known = battles.voter >= 0
    if not known.any():
        return []
    judged = voters.judge(battles.a[known], battles.b[known], battles.outcome[known], battles.voter[known], fitted)
    adjusted = holm([*judged.against.tolist(), *judged.side.tolist()])
    count = len(judged.votes)
    out = []
    for i in range(count):
        against, side = adjusted[i], adjusted[count + i]
        if against is not None and side is not None and min(against, side) < SUSPECT:
            out.append(Suspect(battles.voters[i], int(judged.votes[i]), against, side, float(judged.first[i])))
    return sorted(out, key=lambda one: (min(one.against, one.side), -one.votes))


def _agreement(battles: Battles, level: float, seed: int) -> Estimate | None:
    """Krippendorff's alpha of the voters of one pair on one item, ordinal: worse, as good, better."""
    import numpy as np

    if battles.item is None or battles.voter is None:
        return None
    m = len(battles.models)
    a, b = battles.a.astype(np.int64), battles.b.astype(np.int64)
    value = np.where(battles.outcome == TIE, 1, np.where((battles.outcome == 0) == (a < b), 2, 0))
    unit = (battles.item.astype(np.int64) * m + np.minimum(a, b)) * m + np.maximum(a, b)
    known = battles.item >= 0
    try:
        return agreement.krippendorff(unit[known], value[known], "ordinal", interval=level, seed=seed)
    except DataError:  # no pair was voted on twice, or all votes are alike
        return None


def _drift(battles: Battles, ties: Ties, notes: list[str]) -> tuple[bool, list[float], int, list[Changed]]:
    import numpy as np

    if battles.time is None:
        return False, [], 0, []
    known = np.isfinite(battles.time)
    if not known.all():
        notes.append(f"the time of {np.count_nonzero(~known):,} votes cannot be read; they are left out of the drift")
    if not known.any():
        return False, [], 0, []
    span, begins = drifts.spans(battles.time[known])
    a, b, outcome = (x[known] for x in (battles.a, battles.b, battles.outcome))
    found = drifts.drift(a, b, outcome, len(battles.models), span, begins, ties)
    if found is None:
        return False, [], 0, []
    changed = [
        Changed(battles.models[code], (SCALE * found.ratings[:, j]).tolist(), (SCALE * found.errors[:, j]).tolist(), p)
        for j, (code, p) in enumerate(zip(found.models.tolist(), found.p, strict=True))
        if p is not None and p < CHANGED
    ]
    return True, begins.tolist(), len(found.models), sorted(changed, key=lambda one: one.p)


def _next(fitted: Fit, models: list[str]) -> list[Worth]:
    import numpy as np

    gain = np.triu(nextpair.information_gain(fitted.ratings, fitted.spread), 1)
    order = np.argsort(-gain, axis=None, kind="stable")[:NEXT]
    pairs = [(int(x) // len(models), int(x) % len(models)) for x in order]
    return [Worth(models[i], models[j], float(gain[i, j])) for i, j in pairs if gain[i, j] > 0]


def _method(fitted: Fit, battles: Battles, by: Ints | None, intervals: str, reweight: bool) -> str:
    ties = {"half": "a tie as half a win", "davidson": "Davidson's ties", "rao-kupper": "Rao and Kupper's ties"}
    words = ["Bradley-Terry", ties[fitted.ties]]
    if battles.feature_names:
        words.append(f"style controlled: {', '.join(battles.feature_names)}")
    if reweight:
        words.append("every pair counts alike")
    if battles.weight is not None:
        words.append("votes weighted")
    words.append(
        "sandwich errors" if intervals == "sandwich" else f"Bayesian bootstrap, {bootstrap.RESAMPLES} resamples"
    )
    if by is not None:
        words.append(f"clustered by {battles.clustered_by}")
    if fitted.prior:
        words.append("weak prior")
    return ", ".join(words)
