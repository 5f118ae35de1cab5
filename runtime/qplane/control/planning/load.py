"""What standing circuits leave of a network: slots of the devices, turns on the links."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from qplane.control.slots import Slots, foreign_slots, without
from qplane.control.topology import Topology
from qplane.net import Link, Network


class Promise(NamedTuple):
    """What a circuit was admitted for.

    Mean fidelity and mean rate of its pairs are not below these as long as link `path[i]` serves at
    most `turns[i]` circuits, this one included, of which none takes longer for a pair than
    `turn_ps[i]` in the mean.
    """

    fidelity: float
    rate_per_s: float
    turns: tuple[int, ...]
    turn_ps: tuple[int, ...] = ()


class Use(NamedTuple):
    """What one standing circuit uses: its links, its slots by node, what it was promised, the mean
    time that it takes for a pair of each link."""

    path: Sequence[Link]
    slots: Sequence[tuple[str, Slots]]
    promise: Promise | None
    pair_ps: Sequence[int] = ()


@dataclass
class Load:
    """Circuits on each link and how many it may serve, by link index; the longest mean turn of one
    of them, and the longest that they all bear; free slots by node."""

    circuits: dict[int, int] = field(default_factory=dict)
    limits: dict[int, int] = field(default_factory=dict)
    slowest_ps: dict[int, int] = field(default_factory=dict)
    bearable_ps: dict[int, int] = field(default_factory=dict)
    free: dict[str, list[Slots]] = field(default_factory=dict)

    @classmethod
    def of(cls, topology: Topology, uses: Iterable[Use] = ()) -> Load:
        """The load that circuits put on a network."""
        load = cls()
        for name, device in topology.devices.items():
            load.free[name] = [Slots(0, device.features.slots)]
        for use in uses:
            load.add(use)
        return load

    def add(self, use: Use) -> None:
        """One more circuit."""
        for place, link in enumerate(use.path):
            self.circuits[link.index] = self.circuits.get(link.index, 0) + 1
            if use.promise is not None:
                turns = use.promise.turns[place]
                self.limits[link.index] = min(turns, self.limits.get(link.index, turns))
        for link, pair_ps in zip(use.path, use.pair_ps, strict=False):  # old plans have none
            self.slowest_ps[link.index] = max(pair_ps, self.slowest_ps.get(link.index, 0))
        bearable = use.promise.turn_ps if use.promise is not None else ()
        for link, turn_ps in zip(use.path, bearable, strict=False):
            self.bearable_ps[link.index] = min(turn_ps, self.bearable_ps.get(link.index, turn_ps))
        for node, slots in use.slots:
            self.free[node] = without(self.free.get(node, ()), slots)

    def of_slice(self, network: Network, slice_name: str) -> Load:
        """The same, with those of the free slots that a slice may use."""
        if not network.slices:
            return self
        free = {}
        for node, holes in self.free.items():
            free[node] = holes
            for foreign in foreign_slots(network, node, slice_name):
                free[node] = without(free[node], foreign)
        return replace(self, free=free)

    def has_turn(self, link: Link) -> bool:
        """Whether the link can serve one more circuit with all promises kept."""
        limit = self.limits.get(link.index)
        return limit is None or self.circuits.get(link.index, 0) < limit

    def turns(self, link: Link, wanted: int) -> int:
        """Turns to reckon with for a new circuit: `wanted`, or what there would be if more."""
        return max(wanted, self.circuits.get(link.index, 0) + 1)

    def bears(self, link: Link, pair_ps: int) -> bool:
        """Whether all circuits of the link bear turns of this mean."""
        return pair_ps <= self.bearable_ps.get(link.index, pair_ps)

    def turn_ps(self, link: Link, own_ps: int) -> int:
        """Mean turn of others to reckon with for a circuit, none of which takes longer."""
        return max(own_ps, self.slowest_ps.get(link.index, 0))

    def has_slots(self, node: str, sides: int, count: int) -> bool:
        """Whether `sides` ranges of `count` slots are free."""
        return sum(hole.count // count for hole in self.free.get(node, ())) >= sides
