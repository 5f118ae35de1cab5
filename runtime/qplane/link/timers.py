"""Timers of protocol code: callbacks at given instants, on any clock.

The protocols of the link layer are plain state machines: they react to a message, an event of the
device or a timer, and never wait. One :class:`Timers` serves all of them: were each end of each
link to wait in a task of its own, an event would cost the more the more links there are.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Protocol

from qplane.clock import Clock


class Timer:
    """One callback to come. `cancel` may be called at any time, also after it has run."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Never run it."""
        self.callback = None

    @property
    def is_armed(self) -> bool:
        """Whether it will still run."""
        return self.callback is not None


class TimerService(Protocol):
    """What protocol code sees of time."""

    def now_ps(self) -> int:
        """The present instant."""
        ...

    def at(self, when_ps: int, callback: Callable[[], None]) -> Timer:
        """Run `callback` at `when_ps`, or as soon as possible if that has passed."""
        ...


class TimerQueue:
    """Pending timers, ordered by instant, then by when they were made."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._number = count()

    def add(self, when_ps: int, timer: Timer) -> None:
        heapq.heappush(self._heap, (when_ps, next(self._number), timer))

    def next_ps(self) -> int | None:
        """When the next timer is due; None without any."""
        while self._heap and not self._heap[0][2].is_armed:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now_ps: int) -> Callable[[], None] | None:
        """The next callback that is due, taken out."""
        due = self.next_ps()
        if due is None or due > now_ps:
            return None
        timer = heapq.heappop(self._heap)[2]
        callback, timer.callback = timer.callback, None
        return callback


class Timers:
    """Timers on a :class:`qplane.clock.Clock`.

    :meth:`run` is a task that lives as long as the protocols do. `flush` is awaited after callbacks
    have run, for what they want sent. Without a timer to come it leaves the clock alone, so virtual
    time stands still when nobody has anything to do.
    """

    def __init__(self, clock: Clock, flush: Callable[[], Awaitable[None]]) -> None:
        self._clock = clock
        self._flush = flush
        self._queue = TimerQueue()
        self._changed = asyncio.Event()

    def now_ps(self) -> int:
        return self._clock.now_ps()

    def at(self, when_ps: int, callback: Callable[[], None]) -> Timer:
        timer = Timer(callback)
        earliest = self._queue.next_ps()
        self._queue.add(when_ps, timer)
        if earliest is None or when_ps < earliest:
            self._changed.set()
        return timer

    async def run(self) -> None:
        """Run callbacks when they are due, until cancelled."""
        while True:
            self._changed.clear()
            due = self._queue.pop_due(self._clock.now_ps())
            if due is not None:
                while due is not None:
                    due()
                    due = self._queue.pop_due(self._clock.now_ps())
                await self._flush()
                continue
            next_ps = self._queue.next_ps()
            if next_ps is None:
                await self._changed.wait()
                continue
            with suppress(TimeoutError):  # the next timer is due then
                await self._clock.wait_for(
                    self._changed.wait(), max(1, next_ps - self._clock.now_ps())
                )
