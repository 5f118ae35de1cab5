"""What the device attempts for: the item that the scheduler picks of those that can be served."""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable
from typing import NamedTuple

from qplane.link.memory import QuantumMemory
from qplane.link.mhp import Mhp, MhpTiming, Order, QueueId
from qplane.link.peer_memory import PeerMemory
from qplane.link.scheduler import Fcfs, Key, Scheduler
from qplane.link.serving import Serving
from qplane.link.timers import Timer, TimerService
from qplane.wire.service import RequestType

_PATIENCE = 8
"""Times the expected wait without a pair after which something may be wrong."""

_MOST_DOUBLINGS = 6
"""Of that patience, while nothing comes at all."""

_PIECE = 32
"""Pairs that one order asks for, at most. By the wall clock a device may make them faster than this
end hears of them, and what it is ahead by stands in the way of all other messages."""


class _Running(NamedTuple):
    """An order at the device: its first cycle, and how many pairs of it are still to come."""

    id: QueueId
    first_cycle: int
    pairs: int


class Attempts:
    """One end's. Both ends start an item at the same cycle, as they reckon from the same events.

    `too_long` is called, again and again, while an item is served and no pair comes for far longer
    than expected; `give_back` with an item whose pairs stand in the way of others, that have begun
    as well, as theirs do in its own.
    """

    def __init__(
        self,
        *,
        timing: MhpTiming,
        timers: TimerService,
        mhp: Mhp,
        memory: QuantumMemory,
        peer_memory: PeerMemory,
        too_long: Callable[[Serving], None],
        give_back: Callable[[Serving], None],
    ) -> None:
        self._scheduler: Scheduler = Fcfs()
        self._timing = timing
        self._timers = timers
        self._mhp = mhp
        self._memory = memory
        self._peer_memory = peer_memory
        self._too_long = too_long
        self._give_back = give_back
        self._order: list[tuple[Key, QueueId]] = []  # sorted: the first is served first
        self._serving: dict[QueueId, Serving] = {}
        self._starts: list[int] = []  # heap of first cycles to come
        self._holders: dict[QueueId, Serving] = {}  # began to fill memory that they need whole
        self._running: _Running | None = None
        self._wake: Timer | None = None
        self._wake_cycle = 0
        self._impatience: Timer | None = None
        self._fruitless = 0  # times that the order was given without a pair since

    @property
    def scheduler(self) -> Scheduler:
        """What sets the order."""
        return self._scheduler

    def use_scheduler(self, scheduler: Scheduler) -> None:
        """Sort anew."""
        self._scheduler = scheduler
        self._order = sorted(
            (scheduler.key(serving.item), id) for id, serving in self._serving.items()
        )
        self.decide()

    def add(self, serving: Serving) -> None:
        """An item has come."""
        item = serving.item
        self._serving[item.id] = serving
        insort(self._order, (self._scheduler.key(item), item.id))
        heapq.heappush(self._starts, item.terms.start_cycle)
        self.decide()

    def remove(self, serving: Serving) -> None:
        """An item has ended."""
        item = serving.item
        del self._serving[item.id]
        self._holders.pop(item.id, None)
        del self._order[bisect_left(self._order, (self._scheduler.key(item), item.id))]
        self.decide()

    def made(self, id: QueueId, cycle: int) -> None:
        """The device made a pair for this item, in `cycle`."""
        self._fruitless = 0
        running = self._running
        if running is not None and running.id == id and cycle >= running.first_cycle:
            self._running = running._replace(pairs=running.pairs - 1)
        serving = self._serving.get(id)
        if serving is not None and serving.item.holds_all:
            self._holders[id] = serving

    def after(self, cycle: int) -> None:
        """Decide anew, from when both ends know what came of the attempt in `cycle`."""
        timing = self._timing
        self.decide(cycle + max(timing.keep_cycles, timing.reply_cycles) + timing.recovery_cycles)

    def decide(self, from_cycle: int = 0) -> None:
        """Have the device attempt for what is to be served from `from_cycle` on."""
        cycle = max(self.cycle() + 1, from_cycle)
        while self._starts and self._starts[0] <= cycle:
            heapq.heappop(self._starts)
        if self._starts:
            self._wake_at(self._starts[0])
        chosen = self._first(cycle)
        if chosen is not None:
            self._serve(chosen, cycle)
        elif self._running is not None:
            self._mhp.stop(self._running.id)
            self._running = None

    def _first(self, cycle: int) -> Serving | None:
        """The first item that can be served in `cycle`."""
        ahead = self._ahead()
        for _, id in self._order:
            serving = self._serving[id]
            is_open = not serving.is_complete and serving.item.terms.start_cycle <= cycle
            if is_open and self._has_memory(serving, serving is ahead):
                return serving
        return None

    def _ahead(self) -> Serving | None:
        """Of several that have begun to fill the memory that they need whole, the one to finish.

        A pair that was under way when another item took its turn still comes, and so two can have
        begun that do not both find room. Then the first that does goes ahead of the others; where
        none does, the last gives its pairs back. What decides is the same at both ends.
        """
        begun = self._begun()
        if len(begun) < 2:
            return None
        room = self._memory.capacity - sum(len(serving.pairs) for serving in begun)
        for serving in begun:
            if serving.missing <= room:
                return serving
        self._timers.at(self._timers.now_ps(), self._make_room)
        return None

    def _begun(self) -> list[Serving]:
        """Items with some of the pairs that they need all at once, the first in order first."""
        begun = [s for s in self._holders.values() if s.pairs and not s.is_complete]
        return sorted(begun, key=lambda serving: self._scheduler.key(serving.item))

    def _make_room(self) -> None:
        if self._ahead() is None and len(begun := self._begun()) > 1:
            self._give_back(begun[-1])

    def cycle(self) -> int:
        """The present cycle of the link."""
        return self._timers.now_ps() // self._timing.cycle_ps

    def _serve(self, serving: Serving, cycle: int) -> None:
        item, running = serving.item, self._running
        left = 0 if running is None or running.id != item.id else running.pairs
        if 0 < left <= serving.missing:
            return
        self.scheduler.serve(item)
        pairs = min(_PIECE, serving.missing)
        self._running = _Running(item.id, cycle, pairs)
        self._mhp.start(
            Order(
                id=item.id,
                kind=item.kind,
                pairs=pairs,
                first_cycle=cycle,
                bright_state=item.terms.bright_state,
                slots=self._memory.slots,
                measurement=item.measurement(serving.at_origin),
            )
        )
        self._be_patient(serving)

    def _has_memory(self, serving: Serving, is_ahead: bool) -> bool:
        """Whether a K item finds room at both ends, as far as this one knows."""
        if serving.item.kind is not RequestType.KEEP:
            return True
        needed = serving.missing if serving.item.holds_all else 1
        for other in self._holders.values():
            if other is not serving and other.pairs and not is_ahead:
                needed += other.missing  # kept for it, at both ends
        return self._memory.free >= needed and self._peer_memory.has(needed)

    def _wake_at(self, cycle: int) -> None:
        """Decide once more when an item may start."""
        if self._wake is not None and self._wake.is_armed:
            if self._wake_cycle <= cycle:
                return
            self._wake.cancel()
        self._wake_cycle = cycle
        self._wake = self._timers.at(cycle * self._timing.cycle_ps, self.decide)

    def _be_patient(self, serving: Serving) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
        terms, timing = serving.item.terms, self._timing
        wait_ps = (_PATIENCE << min(self._fruitless, _MOST_DOUBLINGS)) * (
            (terms.cycles_per_pair + timing.keep_cycles + timing.reply_cycles) * timing.cycle_ps
            + timing.round_trip_ps
        )
        have = len(serving.pairs)

        def check() -> None:
            is_served = self._running is not None and self._running.id == serving.item.id
            if not is_served or self._serving.get(serving.item.id) is not serving:
                return
            if serving.is_complete:
                return
            if len(serving.pairs) > have:
                self._be_patient(serving)
                return
            self._too_long(serving)
            self._running = None  # the device may have lost the order: it is given once more
            self._fruitless += 1
            self.decide()

        self._impatience = self._timers.at(self._timers.now_ps() + wait_ps, check)
