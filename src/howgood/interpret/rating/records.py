"""What a leaderboard holds: plain records, the same for the terminal, for JSON and from Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, to_builtins

from howgood.core.types import Estimate
from howgood.interpret.rating.ties import Ties

if TYPE_CHECKING:
    import polars as pl


class Rated(Struct, frozen=True):
    """One model: its rating on the Elo scale with its own interval, and the interval [joint_low, joint_high] that holds
    together with those of all others; `rank` and the ranks [rank_low, rank_high] that cannot be excluded, for all
    models at once; `best`, how probable it is that it is the best; its votes; `win_rate`, its mean share against each
    opponent it met, a tie being half; `beats`, how probable it is to win against the baseline; `plain`, its rating
    without control of style; `elo`."""

    model: str
    rating: float
    se: float
    low: float
    high: float
    joint_low: float
    joint_high: float
    rank: int
    rank_low: int
    rank_high: int
    best: float
    votes: int
    wins: int
    losses: int
    ties: int
    win_rate: float
    beats: Estimate | None = None
    plain: float | None = None
    elo: float | None = None


class Unrated(Struct, frozen=True):
    """A model that no chain of votes joins to those rated."""

    model: str
    votes: int


class Flip(Struct, frozen=True):
    """Without `votes` of the votes, `other` would lead and not `leader`; `which` are the (winner, loser, number) of
    most of them, a tie with the two names in any order under `ties`."""

    leader: str
    other: str
    votes: int
    share: float
    which: list[tuple[str, str, int]]
    ties: list[tuple[str, str, int]]


class Suspect(Struct, frozen=True):
    """A voter whose votes are unlike the others': p-values adjusted by Holm over all voters and both tests."""

    voter: str
    votes: int
    against: float
    side: float
    first: float


class Changed(Struct, frozen=True):
    """A model's ratings in spans of time, less the mean of the models followed, with standard errors; `p` (Holm) that
    it is the same in all."""

    model: str
    ratings: list[float]
    errors: list[float]
    p: float


class Worth(Struct, frozen=True):
    """What one vote on a pair is expected to tell, in nats."""

    a: str
    b: str
    gain: float


class Leaderboard(Struct, frozen=True):
    """Ratings of `models`, the best first. `votes` were used, rows were `left_out` and why; `unrated` models are not
    joined to the others. `tied` is how often equals tie, where ties have a model; `style` the weight of each feature in
    log-odds for one answer that has a root mean square more of it. `agreement` is Krippendorff's alpha of voters on the
    same pair and item. `notes` say what is to be borne in mind."""

    models: list[Rated]
    votes: int
    both_bad: int
    left_out: dict[str, int]
    unrated: list[Unrated]
    ties: Ties
    tied: Estimate | None
    style: list[Estimate]
    flip: Flip | None
    voters: int | None
    suspects: list[Suspect]
    agreement: Estimate | None
    spans: list[float]
    followed: int
    changed: list[Changed]
    next: list[Worth]
    notes: list[str]
    method: str
    baseline: str | None
    level: float
    seed: int

    @property
    def frame(self) -> pl.DataFrame:
        """The models as a table, a row each."""
        import polars as pl

        return pl.DataFrame([to_builtins(one) for one in self.models])

    def __str__(self) -> str:
        lines = [f"{self.votes:,} votes, {self.method}"]
        for one in self.models:
            ranks = f"{one.rank} ({one.rank_low}-{one.rank_high})"
            lines.append(f"{ranks:>12}  {one.model}  {one.rating:.0f} [{one.low:.0f}, {one.high:.0f}], n {one.votes:,}")
        return "\n".join([*lines, *self.notes])

    __repr__ = __str__
