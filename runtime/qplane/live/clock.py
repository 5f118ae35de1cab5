"""The time of a network that runs in real time: the engine's, by the wall clock."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from qplane.clock import PS_PER_SECOND, RealClock
from qplane_cext.sim.pacing import Pacer

T = TypeVar("T")


class NetworkClock:
    """A :class:`qplane.clock.Clock`: one second of it takes the time-scale's seconds of wall time.

    Its origin is the engine's, so devices and their controller agree on the number of a cycle.
    Time-outs are for the network and for the software in it, which gets no faster where the network
    does: below a time-scale of 1 they last as long as they would at 1.
    """

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._wall = RealClock()

    @property
    def time_scale(self) -> float:
        return self._pacer.time_scale

    def now_ps(self) -> int:
        return self._pacer.now_ps()

    async def sleep(self, delay_ps: int) -> None:
        await self._wall.sleep(self._wall_ps(delay_ps))

    async def wait_for(self, awaitable: Awaitable[T], timeout_ps: int, *, gather_ps: int = 0) -> T:
        return await self._wall.wait_for(awaitable, max(timeout_ps, self._wall_ps(timeout_ps)))

    def _wall_ps(self, duration_ps: int) -> int:
        return int(duration_ps * self.time_scale)

    def network_ps(self, wall_s: float) -> int:
        """How much of the network's time passes in so many seconds of wall time."""
        return int(wall_s * PS_PER_SECOND / self.time_scale)
