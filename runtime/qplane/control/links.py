"""What the link layer holds of a network: memory slots, and the epochs of the pairs' numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from qplane.control.errors import SlotsError
from qplane.control.slots import Slots, foreign_slots, without
from qplane.control.topology import Topology
from qplane.net import DEFAULT_SLICE, Link, LinkEnd
from qplane.net.model import Herald

MOST_SELDOM = 1 << 23
"""Largest interval of copies of pairs: their numbers have 24 bits."""

EPOCHS = 256
"""Epochs of pair numbers before they come round (8 bits)."""

MOST_SLOTS = 16
"""Slots of a link end: OK names kept pairs in 4 bits."""


@dataclass(frozen=True)
class LinkSlots:
    """Slots of the device of `node` that its link number `number` has for itself."""

    node: str
    number: int
    slots: Slots


@dataclass(frozen=True)
class LinkSampling:
    """Each `every`-th pair (0: none) of a station's link `number` is copied to the controller."""

    station: str
    number: int
    every: int


@dataclass(frozen=True)
class LinkHoldings:
    """All of it. `epochs` by station; a station that is not there is in epoch 0. `sampling`: what
    was asked for at run time, in place of the network file's."""

    epochs: Mapping[str, int] = field(default_factory=dict)
    slots: tuple[LinkSlots, ...] = ()
    sampling: tuple[LinkSampling, ...] = ()

    def epoch(self, station: str) -> int:
        """The epoch in which a station numbers pairs."""
        return self.epochs.get(station, 0)

    def renumbered(self, stations: Iterable[str]) -> LinkHoldings:
        """With these stations in their next epoch."""
        fresh = {name: (self.epoch(name) + 1) % EPOCHS for name in stations}
        return replace(self, epochs={**self.epochs, **fresh})

    def sampled(self, link: Link) -> int:
        """Each so many-th pair of it is copied to the controller; 0: none."""
        for asked in self.sampling:
            if link.herald is not None and (asked.station, asked.number) == link.herald[:2]:
                return asked.every
        return link.options.sample_heralds or 0

    def with_sampling(self, herald: Herald, every: int) -> LinkHoldings:
        """With so many pairs of the link of `herald` copied."""
        others = [s for s in self.sampling if (s.station, s.number) != herald[:2]]
        asked = LinkSampling(herald.station, herald.number, every)
        return replace(self, sampling=(*others, asked))

    def of(self, end: LinkEnd) -> Slots | None:
        """The slots of one end of a link; None: nothing is reserved there."""
        for held in self.slots:
            if (held.node, held.number) == (end.node, end.number):
                return held.slots
        return None

    def at(self, node: str) -> list[Slots]:
        """Slots of a node that circuits can't have."""
        return [held.slots for held in self.slots if held.node == node]


NOTHING_HELD = LinkHoldings()


def reserved(
    topology: Topology,
    holdings: LinkHoldings,
    in_use: Mapping[str, Sequence[Slots]],
    *,
    asked_only: bool,
) -> LinkHoldings:
    """With slots for each end of a link with a heralding station that has none yet.

    A link has as many as it asks for (`link_slots`). One that does not ask gets an equal share of
    half of what is left, or, with `asked_only`, nothing for now. `in_use`: what circuits have, by
    node. The last slots are taken, as photons come from the first. Raises SlotsError.
    """
    ends = [
        (link, end)
        for link in topology.network.links
        if link.herald is not None and topology.is_quantum(link)
        for end in (link.a, link.b)
        if holdings.of(end) is None
    ]
    taken = list(holdings.slots)
    for link, end in ends:
        if link.options.link_slots is not None:
            free = _free(topology, end.node, in_use, taken)
            taken.append(_asked(topology, link, end, free, link.options.link_slots))
    if asked_only:
        return replace(holdings, slots=tuple(taken))
    rest = [end for link, end in ends if link.options.link_slots is None]
    for node in dict.fromkeys(end.node for end in rest):
        sharers = [end for end in rest if end.node == node]
        free = _free(topology, node, in_use, taken)
        half = -(-sum(hole.count for hole in free) // 2)
        for place, end in enumerate(sharers):
            share = half // len(sharers) + (place < half % len(sharers))
            taken.append(LinkSlots(node, end.number, _cut(free, min(share, MOST_SLOTS))))
    return replace(holdings, slots=tuple(taken))


def _free(
    topology: Topology,
    node: str,
    in_use: Mapping[str, Sequence[Slots]],
    taken: Collection[LinkSlots],
) -> list[Slots]:
    free = [Slots(0, topology.devices[node].features.slots)]
    held = [link.slots for link in taken if link.node == node]
    foreign = foreign_slots(topology.network, node, DEFAULT_SLICE)
    for used in (*in_use.get(node, ()), *held, *foreign):
        free = without(free, used)
    return free


def _asked(
    topology: Topology, link: Link, end: LinkEnd, free: list[Slots], wanted: int
) -> LinkSlots:
    longest = max((hole.count for hole in free), default=0)
    if longest < wanted:
        total = topology.devices[end.node].features.slots
        raise SlotsError(
            f"link {link.name} asks for {wanted} slots in a row (link_slots); the longest run of "
            f"free ones has {longest}, of {total} in all",
            node=end.node,
        )
    return LinkSlots(end.node, end.number, _cut(free, wanted))


def _cut(free: list[Slots], count: int) -> Slots:
    """Take slots from the end of the last hole that is long enough, else all of the longest."""
    if not count or not free:
        return Slots(0, 0)
    fitting = [place for place, hole in enumerate(free) if hole.count >= count]
    if not fitting:
        longest = max(free, key=lambda hole: hole.count)
        free.remove(longest)
        return longest
    hole = free[fitting[-1]]
    free[fitting[-1]] = Slots(hole.first, hole.count - count)
    return Slots(hole.first + hole.count - count, count)
