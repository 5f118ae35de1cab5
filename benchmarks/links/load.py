"""Requests to a link of the real engine: at random, or always some in the queue."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from random import Random
from typing import NamedTuple

from world import SECOND, World  # beside this script

from qplane.link.end import LinkEnd
from qplane.link.request import Request


class Kind(NamedTuple):
    """A class of requests: its queue, and from how many to how many pairs each wants."""

    name: str
    priority: int
    keep: bool
    fewest: int
    most: int


class Served(NamedTuple):
    """A request that has ended."""

    asked_ps: int
    latency_ps: int
    pairs: int


class Load:
    """Makes requests of several kinds, takes their pairs and lets go of them at once.

    At the other end the link layer's own consumer of the default purpose does so. `served` has the
    requests that have ended, `asked` and `pairs` count by kind.
    """

    def __init__(self, w: World, seed: int, min_fidelity: float = 0.0) -> None:
        self.w = w
        self.served: dict[str, list[Served]] = defaultdict(list)
        self.asked: Counter[str] = Counter()
        self.pairs: Counter[str] = Counter()
        self._min_fidelity = min_fidelity
        self._random = Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    def poisson(self, kind: Kind, per_s: float) -> None:
        """Requests at random times, at either end alike."""
        self._start(self._arrivals(kind, per_s, Random(self._random.random())))

    def backlog(self, kind: Kind, depth: int) -> None:
        """So many requests at a time, at either end alike: the queue never is empty."""
        for number in range(depth):
            self._start(self._again(kind, self.w.ends[number % 2], Random(self._random.random())))

    def stop(self) -> None:
        """Make no more requests; those under way go on."""
        self._stopped = True

    async def close(self) -> None:
        """Give up what is under way."""
        self.stop()
        for task in list(self._tasks):
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result

    def _start(self, coroutine) -> None:  # type: ignore[no-untyped-def]
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        """What fails stays, for :meth:`close` to raise."""
        if task.cancelled() or task.exception() is None:
            self._tasks.discard(task)

    async def _arrivals(self, kind: Kind, per_s: float, random: Random) -> None:
        next_ps = self.w.clock.now_ps()
        while not self._stopped:
            # From one to the next, however long it takes to ask.
            next_ps += round(random.expovariate(per_s) * SECOND)
            await self.w.clock.sleep(max(0, next_ps - self.w.clock.now_ps()))
            # Asked at once, not in a task that begins later: virtual time does not wait for those.
            asked = await self._ask(kind, self.w.ends[random.randrange(2)], random)
            self._start(self._take(kind, *asked))

    async def _again(self, kind: Kind, end: LinkEnd, random: Random) -> None:
        while not self._stopped:
            await self._take(kind, *await self._ask(kind, end, random))

    async def _ask(self, kind: Kind, end: LinkEnd, random: Random) -> tuple[LinkEnd, Request, int]:
        asked_ps = self.w.clock.now_ps()
        self.asked[kind.name] += 1
        request = await end.create(
            random.randint(kind.fewest, kind.most),
            keep=kind.keep,
            priority=kind.priority,
            min_fidelity=self._min_fidelity,
        )
        return end, request, asked_ps

    async def _take(self, kind: Kind, end: LinkEnd, request: Request, asked_ps: int) -> None:
        async for ok in request:
            self.pairs[kind.name] += 1
            await end.release(ok)
        latency_ps = self.w.clock.now_ps() - asked_ps
        self.served[kind.name].append(Served(asked_ps, latency_ps, request.wanted))
