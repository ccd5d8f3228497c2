"""The pace of requests on a clock of our own, and the limiter that keeps to it on the real one."""

from __future__ import annotations

import asyncio
import math
import random

import pytest

from howgood.models.limits import CUT, FIRST_LIMIT, LONGEST_PAUSE, Limiter, Pace, limiter_of, seconds_until

WALL = 1_700_000_000.0


def window(pace: Pace, wanted: int) -> int:
    """As many requests at once as may go, up to those wanted, are answered; how many those were."""
    went = 0
    while went < wanted and pace.delay(0, 0) == 0:
        pace.begin(0)
        went += 1
    for _ in range(went):
        pace.answered(pace.cuts)
        pace.end()
    return went


class TestGrowth:
    def test_doubles_while_it_is_used(self) -> None:
        pace = Pace(12 * FIRST_LIMIT)
        assert pace.limit == FIRST_LIMIT
        for expected in [n * FIRST_LIMIT for n in (2, 4, 8, 12, 12)]:
            while pace.delay(0, 0) == 0:
                pace.begin(0)
            for _ in range(pace.in_flight):  # each that ends is followed by as many as may go
                pace.answered(pace.cuts)
                pace.end()
                while pace.delay(0, 0) == 0:
                    pace.begin(0)
            assert pace.limit == pace.in_flight == expected
            for _ in range(pace.in_flight):
                pace.end()

    def test_never_when_it_is_not_used(self) -> None:
        pace = Pace(100)
        for _ in range(50):
            assert window(pace, FIRST_LIMIT - 1) == FIRST_LIMIT - 1
        assert pace.limit == FIRST_LIMIT

    def test_starts_no_higher_than_its_ceiling(self) -> None:
        pace = Pace(3)
        for _ in range(9):
            assert window(pace, 99) == 3

    def test_by_one_a_window_after_a_push_back(self) -> None:
        pace = Pace(100)
        pace.limit = 40.0
        pace.in_flight = 40
        pace.pushed_back(0, pace.cuts)
        assert pace.limit == pytest.approx(40 * CUT)
        pace.in_flight = pace.cuts = 0
        pace.limit = 10.0
        for _ in range(10):  # a whole window of answers, always as many in flight as may be
            pace.in_flight = int(pace.limit)
            pace.answered(pace.cuts)
        assert pace.limit == pytest.approx(11, abs=0.1)


class TestPushBack:
    def test_is_counted_once_for_all_that_were_in_flight(self) -> None:
        pace = Pace(64)
        pace.limit, pace.in_flight = 20.0, 20
        for _ in range(20):
            pace.pushed_back(0, 0)
            pace.end()
        assert pace.limit == pytest.approx(20 * CUT)
        pace.begin(0)
        pace.pushed_back(0, pace.cuts)
        assert pace.limit == 1  # one was in flight, and even that was too many

    def test_answers_from_before_the_cut_do_not_grow_the_limit(self) -> None:
        pace = Pace(64)
        pace.limit, pace.in_flight = 20.0, 20
        pace.pushed_back(0, 0)
        before = pace.limit
        pace.answered(0)
        assert pace.limit == before

    def test_cuts_what_is_used_not_what_would_be_allowed(self) -> None:
        pace = Pace(64)
        pace.limit, pace.in_flight = 60.0, 10
        pace.pushed_back(0, 0)
        assert pace.limit == pytest.approx(10 * CUT)

    def test_never_below_one(self) -> None:
        pace = Pace(8)
        for _ in range(20):
            pace.begin(0)
            pace.pushed_back(0, pace.cuts)
            pace.end()
        assert pace.limit == 1
        assert pace.delay(0, 0) == 0

    def test_pauses_the_whole_account(self) -> None:
        pace = Pace(8)
        pace.begin(0)
        pace.pushed_back(100, 0, after=7)
        pace.pushed_back(101, 0, after=2)  # a shorter one does not shorten it
        pace.end()
        assert pace.delay(103, 0) == 4
        assert pace.delay(107, 0) == 0

    def test_settles_near_what_a_server_takes(self) -> None:
        """A server that takes 24 requests at once and refuses the rest, in rounds."""
        pace, chance, taken = Pace(200), random.Random(1), []
        for _ in range(3_000):
            went = 0
            while went < 200 and pace.delay(0, 0) == 0:
                pace.begin(0)
                went += 1
            cuts = pace.cuts
            order = list(range(went))
            chance.shuffle(order)
            for place in order:
                if place < 24:
                    pace.answered(cuts)
                else:
                    pace.pushed_back(0, cuts)
                pace.end()
            taken.append(went)
        settled = taken[200:]
        assert max(settled) <= 26
        assert sum(settled) / len(settled) > 0.72 * 24


class TestQuotas:
    def test_waits_till_the_reset_when_the_next_request_is_not_covered(self) -> None:
        pace = Pace(8)
        pace.told(10, WALL, {"x-ratelimit-remaining-requests": "2", "x-ratelimit-reset-requests": "6s"})
        for _ in range(2):
            assert pace.delay(11, 0) == 0
            pace.begin(0)
        assert pace.delay(11, 0) == 5
        assert pace.delay(16, 0) == 0  # it is filled up again, and the next reply tells how far

    def test_tokens(self) -> None:
        pace = Pace(8)
        pace.told(0, WALL, {"x-ratelimit-remaining-tokens": "1000", "x-ratelimit-reset-tokens": "20ms"})
        assert pace.delay(0, 1000) == 0
        assert pace.delay(0, 1001) == pytest.approx(0.02)
        pace.begin(900)
        assert pace.delay(0, 100) == 0
        assert pace.delay(0, 101) == pytest.approx(0.02)
        pace.begin(100)
        assert pace.delay(0, 0) == pytest.approx(0.02)  # of unknown size, but not of none

    def test_as_anthropic_tells_them(self) -> None:
        pace = Pace(8)
        headers = {
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:50Z",  # 30 s after WALL
            "anthropic-ratelimit-tokens-remaining": "50000",
            "anthropic-ratelimit-tokens-reset": "2023-11-14T22:14:20Z",
        }
        pace.told(5, WALL, headers)
        assert pace.delay(5, 100) == 30
        assert pace.delay(5, 60_000) == 60

    def test_the_wait_is_bounded(self) -> None:
        pace = Pace(8)
        pace.told(0, WALL, {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "23h59m0s"})
        assert pace.delay(0, 0) == LONGEST_PAUSE

    @pytest.mark.parametrize("remaining", ["-1", "", "many", "1e9", "9" * 400, "0.5"])
    @pytest.mark.parametrize("reset", ["5s", "soon"])
    def test_what_is_no_number_is_not_believed(self, remaining: str, reset: str) -> None:
        pace = Pace(8)
        pace.told(0, WALL, {"x-ratelimit-remaining-requests": remaining, "x-ratelimit-reset-requests": reset})
        assert pace.delay(0, 0) == 0

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("1s", 1),
            ("6m0s", 360),
            ("20ms", 0.02),
            ("1h2m3.5s", 3723.5),
            ("1d", 86400),
            ("7.66s", 7.66),
            ("12", 12),
            ("2023-11-14T22:13:21Z", 1),
            ("2023-11-14T23:13:22+01:00", 2),
            ("2023-11-14T22:13:00", 0),
            ("", None),
            ("1s later", None),
            ("-5s", None),
            ("nan", None),
            ("inf", None),
            ("9" * 400 + "s", None),
        ],
    )
    def test_resets(self, text: str, seconds: float | None) -> None:
        assert seconds_until(text, WALL) == (None if seconds is None else pytest.approx(seconds))


class TestLimiter:
    async def test_in_the_order_of_arrival_and_never_more_than_the_limit(self) -> None:
        limiter, order, most = Limiter(3), [], 0

        async def one(number: int) -> None:
            nonlocal most
            async with limiter.turn(0):
                order.append(number)
                most = max(most, limiter.pace.in_flight)
                await asyncio.sleep(0)

        await asyncio.gather(*(one(number) for number in range(20)))
        assert order == list(range(20))
        assert most == 3
        assert limiter.pace.in_flight == 0

    async def test_a_pause_ends_by_itself(self) -> None:
        limiter = Limiter(4)
        async with limiter.turn(0) as turn:
            turn.pushed_back(0.05)
        begun = asyncio.get_running_loop().time()
        async with limiter.turn(0):
            assert asyncio.get_running_loop().time() - begun >= 0.03

    async def test_who_is_cancelled_takes_no_turn(self) -> None:
        limiter = Limiter(1)
        went: list[int] = []

        async def one(number: int) -> None:
            async with limiter.turn(0):
                went.append(number)
                await asyncio.sleep(0)

        async with limiter.turn(0):
            tasks = [asyncio.create_task(one(number)) for number in range(4)]
            await asyncio.sleep(0)
            tasks[0].cancel()
            tasks[2].cancel()
        tasks[1].cancel()  # its turn has come, but it does not run yet
        await asyncio.gather(*tasks, return_exceptions=True)
        assert went == [3]
        assert limiter.pace.in_flight == 0
        async with limiter.turn(0):
            pass

    async def test_one_for_each_account(self) -> None:
        first = limiter_of("http://a/v1", "KEY", 4)
        assert limiter_of("http://a/v1", "KEY", 16) is first
        assert first.pace.ceiling == 16
        assert limiter_of("http://a/v1", "OTHER", 4) is not first
        assert limiter_of("http://b/v1", "KEY", 4) is not first

    def test_one_for_each_event_loop(self) -> None:
        async def mine() -> Limiter:
            return limiter_of("http://a/v1", "KEY", 4)

        assert asyncio.run(mine()) is not asyncio.run(mine())

    def test_a_full_account_waits_for_another_to_end(self) -> None:
        pace = Pace(1)
        pace.begin(0)
        assert pace.delay(0, 0) == math.inf
