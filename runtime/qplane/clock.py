"""Time as protocol and controller code sees it: one interface, virtual or real.

Code that takes a :class:`Clock` does not know which one it runs on. It obeys two rules, which cost
nothing in real time and make virtual time deterministic:

- time passes only inside :meth:`Clock.sleep` and :meth:`Clock.wait_for`; to have several things
  happen at one instant, start all of them, then wait once;
- what is awaited in :meth:`Clock.wait_for` is an event of the network (a reply that comes as a
  packet-in), never a gRPC call: those take no virtual time and are simply awaited.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Protocol, TypeVar

T = TypeVar("T")

PS_PER_SECOND = 1_000_000_000_000
_PS_PER_NS = 1_000


class Clock(Protocol):
    """The time of one node or controller, in integer picoseconds from an arbitrary origin."""

    def now_ps(self) -> int:
        """The present instant; never goes backwards."""
        ...

    async def sleep(self, delay_ps: int) -> None:
        """Return `delay_ps` later."""
        ...

    async def wait_for(self, awaitable: Awaitable[T], timeout_ps: int, *, gather_ps: int = 0) -> T:
        """The result of `awaitable`; TimeoutError if it is not there `timeout_ps` from now.

        On a time-out the awaitable is cancelled. Who waits for many packet-ins that come one after
        the other, and does nothing between them, is content to get those of `gather_ps` together:
        that lets a virtual clock pause once for all of them.
        """
        ...


class RealClock:
    """Wall time: monotonic, read from the operating system, slept in asyncio's event loop."""

    def now_ps(self) -> int:
        return time.monotonic_ns() * _PS_PER_NS

    async def sleep(self, delay_ps: int) -> None:
        await asyncio.sleep(delay_ps / PS_PER_SECOND)

    async def wait_for(self, awaitable: Awaitable[T], timeout_ps: int, *, gather_ps: int = 0) -> T:
        try:
            return await within(awaitable, timeout_ps / PS_PER_SECOND)
        except TimeoutError as error:
            raise TimeoutError(f"nothing within {timeout_ps} ps") from error


async def within(awaitable: Awaitable[T], timeout_s: float) -> T:
    """The result of `awaitable`; TimeoutError if it is not there `timeout_s` of wall time from now.

    Stands for ``asyncio.wait_for``, which before Python 3.12 loses a cancellation that comes when
    the result is just there: who was cancelled goes on for ever.
    """
    task = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait({task}, timeout=timeout_s)
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    finally:
        task.cancel()
    if task.cancelled():
        raise TimeoutError(f"nothing within {timeout_s:g} s")
    return task.result()
