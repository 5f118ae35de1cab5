"""Virtual time and a bad network, for the link layer's state machines without anything else."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from qplane.link.timers import Timer, TimerQueue
from qplane.wire.qci import Body, QciMessage, QciType

US = 1_000_000
MS = 1_000_000_000


class World:
    """A clock that jumps from timer to timer; a :class:`qplane.link.timers.TimerService`."""

    def __init__(self, seed: int = 1) -> None:
        self.random = Random(seed)
        self.events = 0
        self._now_ps = 0
        self._queue = TimerQueue()

    def now_ps(self) -> int:
        return self._now_ps

    def at(self, when_ps: int, callback: Callable[[], None]) -> Timer:
        timer = Timer(callback)
        self._queue.add(max(when_ps, self._now_ps), timer)
        return timer

    def after(self, delay_ps: int, callback: Callable[[], None]) -> Timer:
        return self.at(self._now_ps + delay_ps, callback)

    def step(self) -> bool:
        """Run the next callback; False if there is none."""
        next_ps = self._queue.next_ps()
        if next_ps is None:
            return False
        self._now_ps = next_ps
        callback = self._queue.pop_due(next_ps)
        assert callback is not None
        callback()
        self.events += 1
        return True

    def run(self, until: Callable[[], bool] = lambda: False, for_ps: int | None = None) -> bool:
        """Until `until()`, or nothing is left, or time is up; whether `until()` holds."""
        end_ps = math.inf if for_ps is None else self._now_ps + for_ps
        while not until():
            next_ps = self._queue.next_ps()
            if next_ps is None or next_ps > end_ps:
                if for_ps is not None:
                    self._now_ps = self._now_ps if end_ps is math.inf else int(end_ps)
                return until()
            self.step()
        return True


@dataclass
class Faults:
    """Probabilities for each message."""

    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0

    @property
    def any(self) -> bool:
        return any((self.loss, self.duplication, self.reordering))


class Channel:
    """One direction between two ends; messages travel as bytes.

    `drop` sees each message's running number and type and may take it out. Reordering delays a
    message, or a copy, by up to ten times the delay.
    """

    def __init__(
        self,
        world: World,
        delay_ps: int,
        receive: Callable[[QciType, Body], None],
        faults: Faults | None = None,
    ) -> None:
        self.world = world
        self.delay_ps = delay_ps
        self.receive = receive
        self.faults = faults or Faults()
        self.drop: Callable[[QciType, Body], bool] = lambda type, body: False
        self.sent = 0

    def send(self, type: QciType, body: Body) -> None:
        self.sent += 1
        if self.drop(type, body):
            return
        data = QciMessage(type, body).to_bytes(0)
        random, faults = self.world.random, self.faults
        if not faults.any:
            self._arrive(data, 0.0)
            return
        if random.random() >= faults.loss:
            self._arrive(data, faults.reordering)
        if random.random() < faults.duplication:
            self._arrive(data, max(faults.reordering, 0.5))

    def _arrive(self, data: bytes, late: float) -> None:
        delay_ps = self.delay_ps
        if late and self.world.random.random() < late:
            delay_ps += round(self.world.random.random() * 10 * self.delay_ps)

        def arrive() -> None:
            message = QciMessage.from_bytes(data, 0)
            self.receive(message.type, message.body)

        self.world.after(delay_ps, arrive)
