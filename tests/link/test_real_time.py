"""The same state machines on the wall clock, through Timers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from qplane.clock import RealClock
from qplane.link.mhp import MhpTiming
from qplane.link.timers import Timer, Timers
from qplane.wire.service import RandomBasis, RequestType

from .rig import Link
from .world import MS

TIMING = MhpTiming(cycle_ps=MS, keep_cycles=2, reply_cycles=3, round_trip_ps=10 * MS)


class RealWorld(Timers):
    """What the rig wants of a world."""

    def __init__(self) -> None:
        async def flush() -> None:
            pass

        super().__init__(RealClock(), flush)
        self.random = Random(1)
        self.started_ps = RealClock().now_ps()

    def now_ps(self) -> int:
        """From 0, so that cycle numbers are small."""
        return super().now_ps() - self.started_ps

    def at(self, when_ps: int, callback: Callable[[], None]) -> Timer:
        return super().at(when_ps + self.started_ps, callback)

    def after(self, delay_ps: int, callback: Callable[[], None]) -> Timer:
        return self.at(self.now_ps() + delay_ps, callback)


@pytest.mark.parametrize("drop_each", [0, 5])
def test_requests_are_served_by_the_wall_clock(drop_each: int) -> None:
    """Also where each fifth message is lost."""

    async def main() -> None:
        world = RealWorld()
        running = asyncio.create_task(world.run())
        link = Link(world, success=0.5, timing=TIMING)  # type: ignore[arg-type]
        for channel in link.channels:
            channel.drop = lambda type, body, channel=channel: (
                drop_each > 0 and channel.sent % drop_each == 0
            )
        kept = link.create(0, number=5)
        measured = link.create(
            1,
            number=20,
            consecutive=0,
            request_type=RequestType.MEASURE,
            random_basis_local=RandomBasis.XZ,
        )

        async def idle() -> None:
            while not link.is_idle:
                await asyncio.sleep(0.005)

        await asyncio.wait_for(idle(), 30)
        running.cancel()
        link.check([(0, kept), (1, measured)])
        assert (len(kept.oks), len(measured.oks)) == (5, 20)

    asyncio.run(main())
