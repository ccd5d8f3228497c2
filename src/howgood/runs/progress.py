"""How far a run is, what it took so far, and why it ended."""

from __future__ import annotations

from msgspec import Struct, field

from howgood.core.types import NOT_JUDGED, Paid, Prediction, Run, RunStatus, Trial, Usage
from howgood.runs.budget import Budget
from howgood.runs.columns import as_text
from howgood.runs.forecast import CHARACTERS, Forecast

STOPPED = "stopped by the user"
"""The message of a run that was interrupted from outside."""


class Progress(Struct):
    """How far a run is: trials `done` of `planned` (of which `resumed` were there before), outcomes, tokens, cost;
    `stopping` once the user asked to stop.

    `spent` (US dollars; None: not known), `tokens` and `seconds` of work are what counts against the `budget`: answers
    from howgood's cache are left out, failed trials and earlier sessions are not; what judges took is in them, and is
    told apart in `verdicts` and `judging`. `forecast` is there after the pilot.
    """

    planned: int
    done: int = 0
    resumed: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    usage: Usage = Usage()
    cost: float | None = 0.0
    stopping: bool = False
    spent: float | None = 0.0
    tokens: int = 0
    seconds: float = 0.0
    verdicts: int = 0
    judging: Paid = Paid()
    budget: Budget | None = None
    forecast: Forecast | None = None

    def add(self, trial: Trial) -> None:
        self.done += 1
        outcome = trial.score.outcome
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.usage = self.usage + trial.prediction.usage
        self.pay(trial)
        cost = trial.prediction.cost
        if cost is None and outcome in NOT_JUDGED:
            return  # a request without an answer costs nothing that is known of
        self.cost = None if cost is None or self.cost is None else self.cost + cost

    def pay(self, trial: Trial) -> None:
        """Count what a trial took against the budget; also of one that failed and will be run again."""
        for verdict in trial.score.verdicts:
            self._pay_judge(verdict.reply)
        prediction = trial.prediction
        if prediction.replayed:
            return
        usage, cost = prediction.paid.usage, prediction.paid.cost
        self.tokens += (usage.input + usage.output) or _rough_tokens(trial)
        if cost is None and trial.score.outcome in NOT_JUDGED:
            return
        self.spent = None if cost is None or self.spent is None else self.spent + cost

    def _pay_judge(self, reply: Prediction) -> None:
        total, paid = self.judging, reply.paid
        self.verdicts += 1
        self.judging = Paid(total.usage + reply.usage, _plus(total.cost, reply.cost))
        self.tokens += paid.usage.input + paid.usage.output
        self.spent = _plus(self.spent, paid.cost)


def _plus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b


class Ending(Struct, frozen=True):
    """Why a run ended before its last trial."""

    status: RunStatus
    message: str


def stopped(run: Run) -> bool:
    """Whether a run was stopped from outside, as by Ctrl-C: then what was to follow it is not wanted either."""
    return run.status == "interrupted" and run.message == STOPPED


def _rough_tokens(trial: Trial) -> int:
    """About how many tokens a trial took whose server did not count them: a budget in tokens must end all the same."""
    if trial.score.outcome in NOT_JUDGED:
        return 0
    told = len(as_text(trial.prompt)) + len(trial.prediction.text or "") + len(trial.prediction.reasoning or "")
    return round(told / CHARACTERS)
