"""The progress of a run: a bar with rate, cost, budget and time left in a terminal, plain lines elsewhere; and the
question whether to go on, once a few trials say what all will take."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from howgood.core.text import duration, money

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

    from howgood.runs.forecast import Forecast
    from howgood.runs.progress import Progress

EVERY = 0.1
"""Seconds between updates of the bar."""
EVERY_LINE = 15.0
"""Seconds between lines where there is no terminal."""
ODD = ("failed", "unjudged", "unsupported", "truncated", "refused", "filtered", "empty")


@contextmanager
def watch(screen: Console, benchmark: str, system: str, *, yes: bool = False) -> Iterator[Watch]:
    """Show a run's progress while the block runs; yields what to call with the progress, and whose `confirm` to ask
    with the forecast: `yes` goes on whatever it is."""
    title = f"{benchmark} on {system}"
    if not screen.is_terminal:
        yield Watch(screen, title, yes)
        return
    with _bar(screen) as bar:
        yield BarWatch(screen, title, yes, bar)


class Watch:
    """Shows the progress as lines."""

    def __init__(self, screen: Console, title: str, yes: bool) -> None:
        self.screen, self.title, self.yes = screen, title, yes
        self.begun = self.shown = time.monotonic()
        self.progress: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        self.progress, now = progress, time.monotonic()
        if progress.done == progress.planned or progress.stopping or now - self.shown > EVERY_LINE:
            self.shown = now
            took = now - self.begun
            self.say(f"{self.title}: {progress.done}/{progress.planned} in {duration(took)} ({_facts(progress, took)})")

    def confirm(self, forecast: Forecast) -> bool:
        """Whether a run is to go on after its forecast. Within the budget it is; else whoever is there is asked. Where
        nobody is, it goes on if the budget will probably do."""
        budget = self.progress.budget if self.progress else None
        self.say(f"{self.title}: {forecast}")
        if self.yes or budget is None or not forecast.may_exceed(budget):
            return True
        if self.screen.is_terminal and sys.stdin.isatty():
            return self.ask(f"The budget is {budget}, and the run stops there. Go on? [y/N] ")
        if forecast.exceeds(budget):
            self.say(f"{self.title}: that is more than the budget of {budget}; --yes goes on until it is used up")
            return False
        return True

    def ask(self, question: str) -> bool:
        with _interruptible():
            try:
                return self.screen.input(question, markup=False).strip().lower() in ("y", "yes")
            except EOFError:
                return False

    def say(self, text: str) -> None:
        self.screen.print(text, markup=False, soft_wrap=True)


class BarWatch(Watch):
    """Shows the progress as a bar."""

    def __init__(self, screen: Console, title: str, yes: bool, bar: Bar) -> None:
        super().__init__(screen, title, yes)
        self.bar, self.task = bar, bar.add_task(title, total=None, facts="")
        self.shown = 0.0

    def __call__(self, progress: Progress) -> None:
        self.progress, now = progress, time.monotonic()
        if now - self.shown < EVERY and progress.done < progress.planned and not progress.stopping:
            return
        self.shown = now
        facts = _facts(progress, now - self.begun)
        self.bar.update(self.task, total=progress.planned, completed=progress.done, facts=facts)

    def ask(self, question: str) -> bool:
        self.bar.stop()
        try:
            return super().ask(question)
        finally:
            self.bar.start()


def _facts(progress: Progress, seconds: float) -> str:
    if progress.stopping:
        return "stopping; what was finished is kept (Ctrl-C again to stop at once)"
    fresh = progress.done - progress.resumed
    rate = fresh / seconds if seconds > 0 else 0.0
    odd = {name: n for name, n in progress.outcomes.items() if name in ODD}
    facts = [f"{rate:.1f}/s", *_money(progress), *(f"{n} {name}" for name, n in odd.items())]
    return ", ".join(facts)


def _money(progress: Progress) -> Iterator[str]:
    """What was spent of each limit of the budget, and what all will take; without a budget, the cost."""
    from howgood.runs.budget import written

    if progress.budget is None:
        yield money(progress.cost)
        return
    spent = {"dollars": progress.spent, "tokens": progress.tokens, "seconds": progress.seconds}
    for kind, limit in progress.budget.limits():
        amount, all_in_all = spent[kind], progress.forecast and getattr(progress.forecast, kind)
        told = f"{'unknown' if amount is None else written(kind, amount)} of {written(kind, limit)}"
        yield f"{told} (needs about {written(kind, all_in_all.value)})" if all_in_all else told


def _bar(screen: Console) -> Bar:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[facts]}", markup=False),
        TimeRemainingColumn(compact=True),
        console=screen,
    )


@contextmanager
def _interruptible() -> Iterator[None]:
    """While a run goes on Ctrl-C asks it to stop; here it must end the waiting for an answer, and with it all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
