"""What the controller wants to stand: the circuits, and how far the tables of all nodes go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from qplane.control.links import LinkHoldings
from qplane.control.plans import CircuitPlan
from qplane.control.topology import Device
from qplane.net import Circuit

SERIALS = 1 << 16
"""Serial numbers of plans (16 bits in qnode.p4), then they begin again."""


class Base(IntEnum):
    """The entries that no circuit has a part in."""

    NOTHING = 0
    PORTS = 1  # what hangs on each port: enough to ask the devices
    CLASSICAL = 2  # gateways and routes as well


@dataclass(frozen=True)
class Standing:
    """A circuit that stands: what was asked for, how it is done.

    `version` counts the plans that a circuit of that name has had. A circuit that is rerouted
    drains in its old version while the new one carries it; a draining one generates nothing.
    `used` says that there may be pairs of it in some memory.
    """

    circuit: Circuit
    plan: CircuitPlan
    version: int = 0
    generating: bool = False
    draining: bool = False
    used: bool = False

    @property
    def key(self) -> tuple[str, int]:
        return self.circuit.name, self.version


@dataclass(frozen=True)
class Intent:
    """All of it. Immutable; a change makes a new one.

    `serial` is the next plan's serial number: plans that come and go have the same circuit numbers,
    and what a switch's registers say of one must not be taken for another's. The first is the
    store's to give (see :class:`qplane.control.store.Store`).
    """

    base: Base = Base.NOTHING
    circuits: Mapping[tuple[str, int], Standing] = field(default_factory=dict)
    links: LinkHoldings = field(default_factory=LinkHoldings)
    serial: int = 0

    def current(self) -> Iterator[Standing]:
        """The circuits in the version that carries them."""
        return (standing for standing in self.circuits.values() if not standing.draining)

    def draining(self) -> Iterator[Standing]:
        """Old versions of rerouted circuits, until their memory is empty."""
        return (standing for standing in self.circuits.values() if standing.draining)

    def plans(self) -> list[CircuitPlan]:
        """All plans that have entries, the draining ones included."""
        return [standing.plan for standing in self.circuits.values()]

    def _next_version(self, name: str) -> int:
        return max((version for n, version in self.circuits if n == name), default=-1) + 1

    def put(self, *standings: Standing) -> Intent:
        """With these circuits added or exchanged."""
        return replace(self, circuits={**self.circuits, **{s.key: s for s in standings}})

    def begun(self, standings: Sequence[Standing]) -> tuple[Intent, list[Standing]]:
        """With these circuits added as new plans; they, with their versions and serial numbers."""
        numbers = range(self.serial, self.serial + len(standings))
        fresh = [
            replace(
                standing,
                plan=standing.plan.numbered(number % SERIALS),
                version=self._next_version(standing.circuit.name),
            )
            for number, standing in zip(numbers, standings, strict=True)
        ]
        return replace(self.put(*fresh), serial=numbers.stop % SERIALS), fresh

    def without(self, keys: Iterable[tuple[str, int]]) -> Intent:
        gone = set(keys)
        return replace(self, circuits={k: s for k, s in self.circuits.items() if k not in gone})


@dataclass(frozen=True)
class Remembered:
    """What a store held when it was opened."""

    intent: Intent
    devices: Mapping[str, Device]
    interrupted: tuple[Standing, ...] = ()
    """Circuits of a change that its controller did not live to finish: to be taken back."""
