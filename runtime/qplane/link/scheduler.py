"""Which item of the queue is served next: first come, strict priority, weighted fair queueing.

Both ends decide for themselves from what they agreed on, and so decide alike. The smallest key is
served. Queue 0 is the most urgent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from qplane.link.items import Item

QUEUES = 8
"""One for each priority of CREATE."""

_FRACTION = 256
"""Virtual time counts in so many parts of a cycle."""

Key = tuple[int, ...]


class Scheduler(Protocol):
    """An order among the items of a link."""

    @property
    def name(self) -> str:
        """As the user names it."""
        ...

    def finish(self, queue: int, cycles: int) -> int:
        """Virtual finish time of an item that takes `cycles`; the master asks once per item."""
        ...

    def serve(self, item: Item) -> None:
        """Hear that `item` is being served."""
        ...

    def key(self, item: Item) -> Key:
        """The smallest is served first."""
        ...


class Fcfs:
    """First come, first served: by the cycle from which both ends know the item."""

    name = "fcfs"

    def finish(self, queue: int, cycles: int) -> int:
        return 0

    def serve(self, item: Item) -> None:
        pass

    def key(self, item: Item) -> Key:
        return item.terms.start_cycle, item.id.queue, item.id.seq


class StrictPriority:
    """The most urgent queue first; first come, first served in each."""

    name = "priority"

    def finish(self, queue: int, cycles: int) -> int:
        return 0

    def serve(self, item: Item) -> None:
        pass

    def key(self, item: Item) -> Key:
        return item.id.queue, item.terms.start_cycle, item.id.seq


class Wfq:
    """Weighted fair queueing by virtual finish time; weight 0 is strict priority over all others.

    start = max(now, last finish of that queue), finish = start + cycles / relative weight. *Now* is
    virtual time: the finish time of the item in service (self-clocked fair queueing, Golestani,
    INFOCOM 1994). With the wall clock's time in its place, a strict queue that takes its part would
    let the others' last finish times fall behind now, and their shares with them.
    """

    name = "wfq"

    def __init__(self, weights: Sequence[int]) -> None:
        """`weights` of queue 0, 1, ...; queues beyond them have weight 1. Raises ValueError."""
        if len(weights) > QUEUES or any(weight < 0 for weight in weights):
            raise ValueError(f"weights are {list(weights)}; up to {QUEUES} numbers from 0 up")
        self.weights = (*weights, *[1] * (QUEUES - len(weights)))
        self._total = sum(weights) or 1
        self._now = 0
        self._last_finish = [0] * QUEUES

    def finish(self, queue: int, cycles: int) -> int:
        weight = self.weights[queue]
        if weight == 0:
            return 0
        start = max(self._now, self._last_finish[queue])
        self._last_finish[queue] = start + max(1, cycles * _FRACTION * self._total // weight)
        return self._last_finish[queue]

    def serve(self, item: Item) -> None:
        if self.weights[item.id.queue]:
            self._now = max(self._now, item.terms.virtual_finish)

    def key(self, item: Item) -> Key:
        if self.weights[item.id.queue] == 0:
            return 0, item.id.queue, item.terms.start_cycle, item.id.seq
        return 1, item.terms.virtual_finish, item.id.queue, item.id.seq


def scheduler(name: str, weights: Sequence[int] = ()) -> Scheduler:
    """By the user's name of it. Raises ValueError for another name or weights that can't be."""
    if name == "wfq":
        return Wfq(weights)
    if name not in ("fcfs", "priority"):
        raise ValueError(f"scheduler is {name!r}; it is one of fcfs, priority, wfq")
    if weights:
        raise ValueError(f"weights are {list(weights)}; only wfq has weights")
    return Fcfs() if name == "fcfs" else StrictPriority()
