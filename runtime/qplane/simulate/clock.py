"""Virtual time for the controller: the engine runs while somebody waits, and else stands still.

The engine's clock is moved in :meth:`VirtualClock.advance` alone. It pauses whenever a switch sends
a packet to the controller, and goes on once the controller has dealt with it and what the
controller sent has arrived; gRPC calls therefore take no virtual time, however long they really
take, and a run depends on nothing but its seed.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from qplane_cext.sim.network import Network, StopReason

T = TypeVar("T")

_SETTLE_SECONDS = 30.0
"""Real time without any progress after which a controller is stuck, not slow."""

_TURNS = 16
"""Turns of the event loop that a result takes at most from a packet handler to who awaits it."""

_LOOK_AGAIN_SECONDS = 0.001
"""After so long it is looked again whether all has arrived, also if nobody called `wake`."""


class ControllerStuckError(RuntimeError):
    """Packets to or from the controller do not arrive; virtual time can't go on."""


class Interrupted(Exception):
    """The user asked to stop (Ctrl-C) while the controller was waiting for the network."""


class VirtualClock:
    """A :class:`qplane.clock.Clock` over the engine's time.

    `pending` returns how many packets between switches and controller are under way in either
    direction, and what they are, for the error.
    """

    def __init__(self, network: Network, pending: Callable[[], tuple[int, str]]) -> None:
        self._network = network
        self._pending = pending
        self._deadlines: list[int] = []
        self._waiters: list[asyncio.Event] = []
        self._engine = asyncio.Lock()
        self._is_settled = False  # nobody but waiters has run since all had arrived
        self._arrived: asyncio.Event | None = None  # while the engine stands still for packets
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0  # where the loop runs
        self.deliveries: int | None = None
        """Stop :meth:`advance` once so many pairs are delivered."""
        self.on_progress: Callable[[], None] | None = None
        """Called about ten times a second of real time while the engine runs."""

    def now_ps(self) -> int:
        return self._network.now_ps

    async def sleep(self, delay_ps: int) -> None:
        deadline = self.now_ps() + delay_ps
        await self._until(deadline)

    async def wait_for(self, awaitable: Awaitable[T], timeout_ps: int, *, gather_ps: int = 0) -> T:
        task = asyncio.ensure_future(awaitable)
        try:
            await self._until(self.now_ps() + timeout_ps, task, gather_ps)
            if not task.done():
                raise TimeoutError(f"nothing within {timeout_ps} ps of virtual time")
            return task.result()
        finally:
            task.cancel()

    async def advance(self, until_ps: int | None, gather_ps: int = 0) -> StopReason:
        """Run the engine to `until_ps`, the earliest deadline of a waiter, or a packet-in.

        After a packet-in it goes on for `gather_ps`, as far as nothing else stops it. Returns after
        the controller has dealt with what the engine paused for; who only wants time to pass takes
        :meth:`sleep`. Raises ControllerStuckError when that never happens.
        """
        self._is_settled = False
        try:
            reason = await self._advance(until_ps, gather_ps)
            assert reason is not None
            return reason
        finally:
            self._is_settled = False
            self._look_again()

    async def _advance(
        self, until_ps: int | None, gather_ps: int, is_over: Callable[[], bool] = lambda: False
    ) -> StopReason | None:
        """None: it was over once all had arrived."""
        async with self._engine:
            if not self._is_settled:
                await self._settle()
            if is_over():
                return None
            ends = [*self._deadlines] if until_ps is None else [*self._deadlines, until_ps]
            reason = self._run(min(ends, default=None), stop_on_cpu=True)
            if reason == "cpu" and gather_ps:
                end = self._network.now_ps + gather_ps
                reason = self._run(min([*ends, end]), stop_on_cpu=False)
            self._is_settled = True  # unless somebody begins or ends to wait meanwhile
            self._look_again()
            await self._settle()
            return reason

    def _run(self, until_ps: int | None, *, stop_on_cpu: bool) -> StopReason:
        return self._network.run(
            until_ps=until_ps,
            deliveries=self.deliveries,
            stop_on_cpu=stop_on_cpu,
            on_progress=self.on_progress,
        )

    async def _until(
        self,
        deadline: int,
        task: asyncio.Future[Any] | None = None,
        gather_ps: int = 0,
    ) -> None:
        """Run the engine until `task` is done, or the deadline.

        One of those who wait runs it. The others look again after each step, and at once when
        their task is done: what they do then may set an earlier deadline.
        """
        woken = asyncio.Event()
        if task is not None:
            task.add_done_callback(lambda _: woken.set())
        self._deadlines.append(deadline)
        self._waiters.append(woken)
        self._is_settled = False

        def is_over() -> bool:
            return (task is not None and task.done()) or self.now_ps() >= deadline

        try:
            await self._settle()
            while not is_over():
                if self._engine.locked():
                    woken.clear()
                    await woken.wait()
                elif await self._advance(deadline, gather_ps, is_over) == "interrupted":
                    raise Interrupted
        finally:
            self._is_settled = False
            self._deadlines.remove(deadline)
            self._waiters.remove(woken)
            self._look_again()

    def _look_again(self) -> None:
        for woken in self._waiters:
            woken.set()

    def wake(self) -> None:
        """Some packet has arrived, at a switch or at the controller. From any thread.

        Without it the clock notices by itself, but later.
        """
        arrived, loop = self._arrived, self._loop
        if arrived is None or loop is None:
            return
        if threading.get_ident() == self._thread:
            arrived.set()
        else:
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(arrived.set)

    async def _settle(self) -> None:
        """Let everything that is under way between switches and controller arrive, and what is sent
        because of it."""
        while True:
            if self._pending()[0]:
                await self._arrivals()
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            if not self._pending()[0]:
                break

    async def _arrivals(self) -> None:
        limit, seen = 0.0, ""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        arrived = self._arrived = asyncio.Event()
        try:
            while (under_way := self._pending())[0]:
                if under_way[1] != seen:  # something arrives: much to do is not stuck
                    seen, limit = under_way[1], time.monotonic() + _SETTLE_SECONDS
                elif time.monotonic() > limit:
                    raise ControllerStuckError(
                        f"for {_SETTLE_SECONDS:.0f} s there is still under way: {seen}"
                    )
                again = self._loop.call_later(_LOOK_AGAIN_SECONDS, arrived.set)
                await arrived.wait()
                again.cancel()
                arrived.clear()
        finally:
            self._arrived = None
