"""The time of a network that runs in real time: wall time divided by the time-scale.

Time-outs are for the network and for the software in it, which gets no faster where the network
does: below a time-scale of 1 they last as long as they would at 1.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from qplane.clock import PS_PER_SECOND, RealClock

T = TypeVar("T")


class NetworkClock:
    """A :class:`qplane.clock.Clock`: one second of it takes `time_scale` seconds of wall time."""

    def __init__(self, time_scale: float) -> None:
        self.time_scale = time_scale
        self._wall = RealClock()

    def now_ps(self) -> int:
        return int(self._wall.now_ps() / self.time_scale)

    async def sleep(self, delay_ps: int) -> None:
        await self._wall.sleep(self.wall_ps(delay_ps))

    async def wait_for(self, awaitable: Awaitable[T], timeout_ps: int) -> T:
        return await self._wall.wait_for(awaitable, max(timeout_ps, self.wall_ps(timeout_ps)))

    def wall_ps(self, duration_ps: int) -> int:
        """How long that takes on the wall."""
        return int(duration_ps * self.time_scale)

    def network_ps(self, wall_s: float) -> int:
        """How much of the network's time passes in so many seconds of wall time."""
        return int(wall_s * PS_PER_SECOND / self.time_scale)
