"""Who may ask for pairs of a link: purposes, and slices that share it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from qplane.link.items import Item
from qplane.wire.dqp import DqpBody, DqpReason
from qplane.wire.service import RequestType

TEST_PURPOSE = 0xFFFF
"""Test pairs for the fidelity estimation; both ends always accept it."""


@dataclass(frozen=True)
class Slice:
    """Purposes from `first` to `last` (inclusive) that together may have `items` in the queue."""

    name: str
    first: int
    last: int
    items: int

    def __contains__(self, purpose_id: object) -> bool:
        return isinstance(purpose_id, int) and self.first <= purpose_id <= self.last


@dataclass(frozen=True)
class Policy:
    """What one end accepts from the other. Without slices, all purposes that have a listener."""

    slices: tuple[Slice, ...] = ()

    def judge(
        self, terms: DqpBody, listening: Iterable[int], capacity: int, queue: Iterable[Item]
    ) -> DqpReason:
        """NONE, or why an item is rejected. `capacity`: pairs that fit into memory here."""
        if terms.purpose_id != TEST_PURPOSE and terms.purpose_id not in listening:
            return DqpReason.POLICY
        if terms.request_type is RequestType.KEEP and capacity < (
            terms.number if Item.would_hold_all(terms) else 1
        ):
            return DqpReason.SLICE
        if not self.slices or terms.purpose_id == TEST_PURPOSE:
            return DqpReason.NONE
        slice_ = next((s for s in self.slices if terms.purpose_id in s), None)
        if slice_ is None:
            return DqpReason.POLICY
        standing = Counter(item.terms.purpose_id in slice_ for item in queue)[True]
        return DqpReason.NONE if standing < slice_.items else DqpReason.SLICE
