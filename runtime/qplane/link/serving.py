"""One item as one end serves it: its pairs, which of them were handed over, when it is complete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from qplane.link.items import Item
from qplane.link.messages import Consumer
from qplane.link.mhp import Pair
from qplane.link.retry import Retry
from qplane.link.timers import Timer


@dataclass
class Serving:
    """Pairs come with rising numbers, so the first `number` that are not void are the item's.

    Both ends have the same of them, once each knows which the other missed. Those beyond (the
    device makes attempts while REPLYs are under way) are spare, in case one turns out void.
    """

    item: Item
    at_origin: bool
    consumer: Consumer
    pairs: dict[int, Pair] = field(default_factory=dict)
    handed_over: set[int] = field(default_factory=set)
    asked_ps: int | None = None  # when the other end was asked how it stands
    timeout: Timer | None = None
    closing: Retry | None = None  # the originator's: asks the other end to close
    abandoned: Timer | None = None  # the other end's: the originator has not asked

    @property
    def is_complete(self) -> bool:
        """Whether all pairs are here."""
        return len(self.pairs) >= self.item.number

    @property
    def missing(self) -> int:
        """Pairs still to be made."""
        return max(0, self.item.number - len(self.pairs))

    def due(self) -> Iterator[Pair]:
        """Pairs to hand over now: each as it comes (consecutive), or all when all are there."""
        if self.item.terms.consecutive or self.is_complete:
            for pair in islice(self.pairs.values(), self.item.number):
                if pair.seq not in self.handed_over:
                    yield pair

    def kept_back(self) -> list[Pair]:
        """Pairs that were not handed over."""
        return [pair for pair in self.pairs.values() if pair.seq not in self.handed_over]

    def cancel_timers(self) -> None:
        """It is over."""
        for timer in (self.timeout, self.closing, self.abandoned):
            if timer is not None:
                timer.cancel()
