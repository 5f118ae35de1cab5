"""The real-time clock; the virtual one is tested with the simulation that owns it."""

import asyncio

import pytest

from qplane.clock import PS_PER_SECOND, RealClock


async def _answer() -> str:
    return "here"


def test_time_advances_by_at_least_the_sleep():
    async def scenario() -> int:
        clock = RealClock()
        before = clock.now_ps()
        await clock.sleep(PS_PER_SECOND // 1000)
        return clock.now_ps() - before

    assert asyncio.run(scenario()) >= PS_PER_SECOND // 1000


def test_wait_for_returns_the_result():
    async def scenario() -> str:
        return await RealClock().wait_for(_answer(), PS_PER_SECOND)

    assert asyncio.run(scenario()) == "here"


def test_a_time_out_is_a_timeout_error_and_cancels():
    async def scenario() -> bool:
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError, match="nothing within 1000000 ps"):
            await RealClock().wait_for(never, 1_000_000)
        return never.cancelled()

    assert asyncio.run(scenario())


def test_a_cancellation_at_the_moment_of_the_result_is_not_lost():
    async def scenario() -> None:
        result: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = asyncio.create_task(RealClock().wait_for(result, PS_PER_SECOND))
        await asyncio.sleep(0)
        result.set_result(None)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(scenario())


def test_who_is_cancelled_cancels_what_it_waits_for():
    async def scenario() -> bool:
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = asyncio.create_task(RealClock().wait_for(never, PS_PER_SECOND))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return never.cancelled()

    assert asyncio.run(scenario())
