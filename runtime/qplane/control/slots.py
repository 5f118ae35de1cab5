"""How a device's memory slots are divided among the circuits that use it.

A circuit uses a device from its up side, its down side, or (a repeater) both; each side gets a
range of slots of its own, because a range must not be shared: a side that fills it would starve
the other. A side either wants a fixed number (the file's `slots`) or takes an equal share of what
the fixed ones leave (`slots` 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from qplane.control.errors import SlotsError
from qplane.net import Network

MAX_SLOTS_PER_SIDE = 32
"""Depth of the ring in which the P4 program keeps the waiting pairs of one side."""


@dataclass(frozen=True, order=True, slots=True)
class Slots:
    """A range of slots of one device."""

    first: int
    count: int


class Demand(NamedTuple):
    """What one side of a circuit wants: that many slots, or a share of the rest (0)."""

    circuit: str
    slots: int


def divide(
    node: str, total: int, demands: Sequence[Demand], taken: Sequence[Slots] = ()
) -> list[Slots]:
    """A range for each demand, disjoint from each other and from `taken`.

    Shares differ by one slot at most, unless `taken` leaves holes; the earlier ones are the larger.
    Raises SlotsError where a side would get no slot or less than it wants.
    """
    for demand in demands:
        if demand.slots > MAX_SLOTS_PER_SIDE:
            raise SlotsError(
                f"circuit {demand.circuit} wants {demand.slots} slots on one side; "
                f"{MAX_SLOTS_PER_SIDE} is the most that a switch keeps track of",
                node=node,
            )
    free = _holes(total, taken)
    needed = sum(max(demand.slots, 1) for demand in demands)
    available = sum(hole.count for hole in free)
    if needed > available:
        names = ", ".join(dict.fromkeys(demand.circuit for demand in demands))
        raise SlotsError(
            f"more circuits than slots: {needed} wanted by {names}, {available} of {total} free",
            node=node,
        )
    ranges: dict[int, Slots] = {}
    for index, demand in enumerate(demands):
        if demand.slots:
            ranges[index] = take(free, demand.slots)
            if ranges[index].count < demand.slots:
                raise SlotsError(
                    f"circuit {demand.circuit} wants {demand.slots} slots in a row; the longest "
                    f"run of free ones has {ranges[index].count}",
                    node=node,
                )
    sharers = [index for index, demand in enumerate(demands) if not demand.slots]
    for done, index in enumerate(sharers):
        left = sum(hole.count for hole in free)
        share = -(-left // (len(sharers) - done))
        ranges[index] = take(free, min(share, MAX_SLOTS_PER_SIDE))
    return [ranges[index] for index in range(len(demands))]


def foreign_slots(network: Network, node: str, slice_name: str) -> list[Slots]:
    """The slots of a node that a slice may not use: those of other slices, or all but its own."""
    return [
        Slots(first, last - first + 1) for first, last in network.foreign_slots(node, slice_name)
    ]


def _holes(total: int, taken: Sequence[Slots]) -> list[Slots]:
    """The ranges that are free in a device of `total` slots."""
    found = []
    first = 0
    for used in sorted(taken):
        if used.first > first:
            found.append(Slots(first, used.first - first))
        first = max(first, used.first + used.count)
    if first < total:
        found.append(Slots(first, total - first))
    return found


def without(free: Sequence[Slots], used: Slots) -> list[Slots]:
    """What a range leaves of ranges."""
    left = []
    for hole in free:
        before = min(used.first, hole.first + hole.count) - hole.first
        after = hole.first + hole.count - max(used.first + used.count, hole.first)
        if before > 0:
            left.append(Slots(hole.first, min(before, hole.count)))
        if after > 0:
            count = min(after, hole.count)
            left.append(Slots(hole.first + hole.count - count, count))
    return left if used.count else list(free)


def take(free: list[Slots], count: int) -> Slots:
    """Cut `count` slots from the first hole that is long enough, else all of the longest."""
    for place, hole in enumerate(free):
        if hole.count >= count:
            free[place] = Slots(hole.first + count, hole.count - count)
            return Slots(hole.first, count)
    longest = max(free, key=lambda hole: hole.count)
    free.remove(longest)
    return longest
