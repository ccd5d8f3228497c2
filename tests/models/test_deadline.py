"""One limit on the time of many requests."""

from __future__ import annotations

import asyncio

import pytest

from howgood.models.deadline import Deadline


async def held(deadline: Deadline, seconds: float) -> str:
    async with deadline:
        await asyncio.sleep(seconds)
    return "done"


async def test_each_has_its_own_time() -> None:
    deadline, ended = Deadline(0.2), []
    loop = asyncio.get_running_loop()

    async def one(begins: float, lasts: float) -> None:
        await asyncio.sleep(begins)
        begun = loop.time()
        try:
            await held(deadline, lasts)
            ended.append((begins, "done"))
        except TimeoutError:
            ended.append((begins, "over"))
            assert 0.19 < loop.time() - begun < 0.3

    await asyncio.gather(*(one(begins, lasts) for begins, lasts in ((0, 9), (0.05, 0.1), (0.1, 9), (0.12, 0.01))))
    assert ended == [(0.12, "done"), (0.05, "done"), (0, "over"), (0.1, "over")]
    assert await held(deadline, 0.0) == "done"  # also after it had nothing to look at


async def test_a_task_goes_on_after_its_time_was_over() -> None:
    async def twice() -> int:
        deadline, over = Deadline(0.02), 0
        for _ in range(2):
            try:
                await held(deadline, 9)
            except TimeoutError:
                over += 1
        await asyncio.sleep(0)
        return over

    task = asyncio.create_task(twice())
    assert await task == 2
    assert task.cancelling() == 0


async def test_being_cancelled_from_elsewhere_is_no_timeout() -> None:
    deadline = Deadline(0.02)
    early = asyncio.create_task(held(deadline, 9))
    await asyncio.sleep(0)
    early.cancel()
    both = asyncio.create_task(held(deadline, 9))
    asyncio.get_running_loop().call_later(0.02, both.cancel)  # set first, and so before the time is over
    for task in (early, both):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_one_timer_does_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    deadline, set_for = Deadline(60.0), []
    loop = asyncio.get_running_loop()
    call_at = loop.call_at

    def counted(when: float, *given: object) -> asyncio.TimerHandle:
        set_for.append(when)
        return call_at(when, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_at", counted)

    async def nothing() -> None:
        async with deadline:
            pass

    await asyncio.gather(*(nothing() for _ in range(100)))
    assert len(set_for) == 1
