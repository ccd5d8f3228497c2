"""The thread of a local model: what it waits for before the first batch."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from howgood.core.types import Prediction
from howgood.models.huggingface import worker
from howgood.models.huggingface.worker import Job, Worker


class Together:
    """An engine that answers all it has at each step, and notes how many these were."""

    def __init__(self) -> None:
        self.waiting: list[Job] = []
        self.steps: list[int] = []

    def add(self, job: Job) -> None:
        self.waiting.append(job)

    def step(self) -> None:
        self.steps.append(len(self.waiting))
        for job in self.waiting:
            job.answer(Prediction(text="yes"))
        self.waiting = []


async def test_the_first_batch_is_not_one_of_one_also_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(worker, "time", clock)
    monkeypatch.setattr(worker, "LINGER", 0.5)
    engine = Together()
    thread = Worker(lambda: engine)
    for pause in (0.0, 60.0):
        clock.now += pause
        first = Job()
        thread.submit(first)
        await asyncio.sleep(0.05)  # the thread has taken it
        second = Job()
        thread.submit(second)
        assert [(await job.future).text for job in (first, second)] == ["yes", "yes"]
        await asyncio.sleep(0.05)  # the thread is idle again
    await asyncio.to_thread(thread.stop)
    assert engine.steps == [2, 2]
