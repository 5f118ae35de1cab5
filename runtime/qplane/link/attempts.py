"""What the device attempts for: the item that the scheduler picks of those that can be served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from qplane.link.memory import QuantumMemory
from qplane.link.mhp import Mhp, MhpTiming, Order, QueueId
from qplane.link.peer_memory import PeerMemory
from qplane.link.scheduler import Fcfs, Scheduler
from qplane.link.serving import Serving
from qplane.link.timers import Timer, TimerService
from qplane.wire.service import RequestType

_PATIENCE = 8
"""Times the expected wait without a pair after which something may be wrong."""


class _Running(NamedTuple):
    """What the device attempts for, and how many pairs it still makes."""

    id: QueueId
    pairs: int


class Attempts:
    """One end's. Both ends start an item at the same cycle, as they reckon from the same events.

    `too_long` is called, again and again, while an item is served and no pair comes for far longer
    than expected.
    """

    def __init__(
        self,
        *,
        timing: MhpTiming,
        timers: TimerService,
        mhp: Mhp,
        memory: QuantumMemory,
        peer_memory: PeerMemory,
        serving: Mapping[QueueId, Serving],
        too_long: Callable[[Serving], None],
    ) -> None:
        self.scheduler: Scheduler = Fcfs()
        self._timing = timing
        self._timers = timers
        self._mhp = mhp
        self._memory = memory
        self._peer_memory = peer_memory
        self._serving = serving
        self._too_long = too_long
        self._running: _Running | None = None
        self._wake: Timer | None = None
        self._wake_cycle = 0
        self._impatience: Timer | None = None

    def made(self, id: QueueId) -> None:
        """The device made a pair of its order."""
        if self._running is not None and self._running.id == id:
            self._running = _Running(id, self._running.pairs - 1)

    def after(self, cycle: int) -> None:
        """Decide anew, from when both ends know what came of the attempt in `cycle`."""
        timing = self._timing
        self.decide(cycle + max(timing.keep_cycles, timing.reply_cycles) + timing.recovery_cycles)

    def decide(self, from_cycle: int = 0) -> None:
        """Have the device attempt for what is to be served from `from_cycle` on."""
        cycle = max(self.cycle() + 1, from_cycle)
        ready: list[Serving] = []
        later: int | None = None
        for serving in self._serving.values():
            if serving.is_complete:
                continue
            start = serving.item.terms.start_cycle
            if start > cycle:
                later = start if later is None else min(later, start)
            elif self._has_memory(serving):
                ready.append(serving)
        if later is not None:
            self._wake_at(later)
        if ready:
            self._serve(min(ready, key=lambda s: self.scheduler.key(s.item)), cycle)
        elif self._running is not None:
            self._mhp.stop(self._running.id)
            self._running = None

    def cycle(self) -> int:
        """The present cycle of the link."""
        return self._timers.now_ps() // self._timing.cycle_ps

    def _serve(self, serving: Serving, cycle: int) -> None:
        item = serving.item
        if self._running == _Running(item.id, serving.missing):
            return
        self.scheduler.serve(item)
        self._running = _Running(item.id, serving.missing)
        self._mhp.start(
            Order(
                id=item.id,
                kind=item.kind,
                pairs=serving.missing,
                first_cycle=cycle,
                bright_state=item.terms.bright_state,
                slots=self._memory.slots,
                measurement=item.measurement(serving.at_origin),
            )
        )
        self._be_patient(serving)

    def _has_memory(self, serving: Serving) -> bool:
        """Whether a K item finds room at both ends, as far as this one knows."""
        if serving.item.kind is not RequestType.KEEP:
            return True
        free = self._memory.free
        for other in self._serving.values():
            if other is not serving and other.item.holds_all and other.pairs:
                free -= other.missing  # kept for it
        needed = serving.missing if serving.item.holds_all else 1
        return free >= needed and self._peer_memory.has(needed)

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
        wait_ps = _PATIENCE * (
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
            if len(serving.pairs) == have:
                self._too_long(serving)
            self._be_patient(serving)

        self._impatience = self._timers.at(self._timers.now_ps() + wait_ps, check)
