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
    most `turns[i]` circuits, this one included.
    """

    fidelity: float
    rate_per_s: float
    turns: tuple[int, ...]


class Use(NamedTuple):
    """What one standing circuit uses: its links, its slots by node, what it was promised."""

    path: Sequence[Link]
    slots: Sequence[tuple[str, Slots]]
    promise: Promise | None


@dataclass
class Load:
    """Circuits on each link and how many it may serve, by link index; free slots by node."""

    circuits: dict[int, int] = field(default_factory=dict)
    limits: dict[int, int] = field(default_factory=dict)
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

    def has_slots(self, node: str, sides: int, count: int) -> bool:
        """Whether `sides` ranges of `count` slots are free."""
        return sum(hole.count // count for hole in self.free.get(node, ())) >= sides
