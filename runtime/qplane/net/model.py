"""A network with everything decided that the file leaves open: ids, ports, link numbers, routes.

These classes are plain and immutable. The orchestrator builds the emulated network from them, the
controller programs the switches from them; the physics in a :class:`Link` or a `Memory` is for the
former alone (the controller asks the devices).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from qplane.net.schema import Faults, LinkSection, Memory

CPU_PORT = 510
QUANTUM_PORT = 509
"""Switch ports that are the same on every node; neighbours and hosts have 1, 2, 3 ..."""

GATEWAY_IP = "169.254.1.1"
"""What every host uses as its gateway, on every port: each switch answers ARP for it.

Hosts have a prefix length of 32, so that all they send goes through the gateway and is routed.
"""

DEFAULT_SLICE = "default"
"""The slice of all that names none; its number is 0."""

FIBRE_M_PER_S = 2e8
"""Speed of light in fibre."""


@dataclass(frozen=True)
class Node:
    """A switch and, where `memory` is given, its quantum device. `id` is the device id.

    A heralding station is a switch with detectors on its quantum port.
    """

    name: str
    id: int
    memory: Memory | None
    is_station: bool = False

    @property
    def mac(self) -> str:
        """The switch's own address, as hosts and neighbours see it; locally administered."""
        return "06:00:" + ":".join(f"{self.id >> shift & 255:02x}" for shift in (24, 16, 8, 0))

    @property
    def is_quantum(self) -> bool:
        """Whether a quantum device hangs on the quantum port."""
        return self.memory is not None

    @property
    def has_quantum_port(self) -> bool:
        """Whether anything hangs there: a quantum device, or a station's detectors."""
        return self.is_quantum or self.is_station

    @property
    def program(self) -> str:
        """The P4 program that the node's switch runs."""
        return "herald" if self.is_station else "qnode"


class LinkEnd(NamedTuple):
    """A link at a node: its switch port, and the device's number for it (-1: classical)."""

    node: str
    port: int
    number: int


class Herald(NamedTuple):
    """The heralding station of a link, `number` its own number for it.

    It has a channel of its own to either end; ports at the ends and at the station, end a first.
    """

    station: str
    number: int
    end_ports: tuple[int, int]
    station_ports: tuple[int, int]


@dataclass(frozen=True)
class Link:
    """A fibre between two nodes. `options` are the keys of its [[links]] table."""

    index: int
    a: LinkEnd
    b: LinkEnd
    quantum: bool
    options: LinkSection
    herald: Herald | None = None

    @property
    def name(self) -> str:
        return f"{self.a.node}-{self.b.node}"

    @property
    def length_m(self) -> float:
        return self.options.length

    @property
    def delay_ps(self) -> int:
        """Propagation delay from end to end."""
        return round(self.length_m / FIBRE_M_PER_S * 1e12)

    @property
    def tunnel(self) -> tuple[str, str] | None:
        """Addresses of nodes a and b, between which circuits' messages go as MPLS-in-UDP (RFC 7510)
        over other links; None: they go over the fibre."""
        addresses = self.options.tunnel
        return None if addresses is None else (addresses[0], addresses[1])

    def address(self, node: str) -> str:
        """The tunnel's address at `node`. Raises KeyError where there is none."""
        if self.tunnel is None:
            raise KeyError(f"link {self.name} has no tunnel")
        return self.tunnel[0] if self.end(node) is self.a else self.tunnel[1]

    def end(self, node: str) -> LinkEnd:
        """The end at `node`. Raises KeyError where the link does not touch it."""
        for end in (self.a, self.b):
            if end.node == node:
                return end
        raise KeyError(f"link {self.name} does not touch {node}")

    @property
    def arms_m(self) -> tuple[float, float]:
        """Fibre from either end to the station."""
        share = self.options.station
        return self.length_m * share, self.length_m * (1 - share)

    def far(self, node: str) -> LinkEnd:
        """The end that is not at `node`. Raises KeyError where the link does not touch it."""
        return self.b if self.end(node) is self.a else self.a


@dataclass(frozen=True)
class Circuit:
    """Entanglement wanted between `head` and `tail`.

    `slots` memory slots on each side of each link; 0: an equal share of what there is, or what
    `fidelity` and `rate_per_s` need: means over its pairs that are asked for (0: not asked).
    `budget_ps`: what a TRACK may take from end to end.
    `request`: what the ends do with a pair. `complete`: each hears that the other has delivered.
    `distil`: rounds of distillation between the ends; None: what `fidelity` needs, else none.
    `distil_links`: rounds on each link of its path, before swapping; None: likewise.
    `link_rounds`: that for each link of the path; none given: as `distil_links` says.
    `bright_states`: of each link of the path, n / 65535; 0, or none given: the link's own.
    """

    name: str
    head: str
    tail: str
    slots: int
    cutoff_ps: int  # 0: none given
    path: tuple[Link, ...]
    fidelity: float = 0.0
    rate_per_s: float = 0.0
    slice: str = DEFAULT_SLICE
    request: str = "keep"  # or "measure", "early"
    complete: bool = False
    budget_ps: int = 0  # 0: as long as an end node keeps a qubit
    distil: int | None = None
    bright_states: tuple[int, ...] = ()
    distil_links: int | None = None
    link_rounds: tuple[int, ...] = ()

    @property
    def asks(self) -> bool:
        """Whether a quality is asked for, so that the controller has to plan and admit it."""
        return self.fidelity > 0 or self.rate_per_s > 0

    def nodes(self) -> Iterator[str]:
        """The nodes passed, head-end first."""
        node = self.head
        yield node
        for link in self.path:
            node = link.far(node).node
            yield node


@dataclass(frozen=True)
class Host:
    """An ordinary computer on `port` of `node`; see GATEWAY_IP for how it is reached."""

    name: str
    node: str
    port: int
    ip: str
    mac: str
    slice: str = DEFAULT_SLICE


@dataclass(frozen=True)
class LabelPath:
    """A label-switched path: what host `source` sends with `label` comes to host `target` without
    it, and belongs to `slice` on its whole way."""

    name: str
    source: str
    target: str
    label: int
    slice: str = DEFAULT_SLICE


@dataclass(frozen=True)
class Slice:
    """A share of every node: rates that its messages and its classical traffic may have (0: any),
    and the memory slots that are its alone, first and last, by node."""

    name: str
    number: int
    qci_per_s: float = 0.0
    qci_burst: int = 0
    classical_bytes_per_s: float = 0.0
    classical_burst_bytes: int = 0
    slots: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ping:
    """ICMP echo from host `source` to host `target`; `count` 0: as long as the run lasts."""

    source: str
    target: str
    interval_ps: int
    count: int


@dataclass(frozen=True)
class Telemetry:
    """What switches tell without being asked: every n-th packet with which an event happened (by
    its name), and what they refuse."""

    events: Mapping[str, int] = field(default_factory=dict)
    anomalies: bool = False


@dataclass(frozen=True)
class Network:
    """A whole network. Mappings keep the order of the file."""

    name: str
    seed: int
    nodes: Mapping[str, Node]
    links: tuple[Link, ...]
    circuits: Mapping[str, Circuit]
    hosts: Mapping[str, Host]
    pings: tuple[Ping, ...]
    faults: Faults
    slices: Mapping[str, Slice] = field(default_factory=dict)
    telemetry: Telemetry = Telemetry()
    switch_allowance_ps: int = 1_000_000_000
    label_paths: tuple[LabelPath, ...] = ()

    def slot_pool(self, node: str, slice_name: str) -> str:
        """Which slice's range the slots of a slice come from at a node; "": what no range has."""
        found = self.slices.get(slice_name)
        return slice_name if found is not None and node in found.slots else ""

    def foreign_slots(self, node: str, slice_name: str) -> list[tuple[int, int]]:
        """Ranges of slots of a node, first and last, that a slice may not use."""
        pool = self.slot_pool(node, slice_name)
        if not pool:
            return [s.slots[node] for s in self.slices.values() if node in s.slots]
        first, last = self.slices[pool].slots[node]
        return [(0, first - 1)] * (first > 0) + [(last + 1, 0xFFFF)]

    def links_of(self, node: str) -> list[Link]:
        """The links that touch `node`, in the order of its ports."""
        return list(self._links_by_node.get(node, ()))

    @cached_property
    def _links_by_node(self) -> Mapping[str, list[Link]]:
        found: dict[str, list[Link]] = {}
        for link in self.links:
            for node in dict.fromkeys((link.a.node, link.b.node)):
                found.setdefault(node, []).append(link)
        return found

    def quantum_links_of(self, node: str) -> list[Link]:
        """Those of them that carry qubits, in the order of the device's link numbers."""
        return [link for link in self.links_of(node) if link.quantum]

    def herald_ports(self, node: str) -> list[int]:
        """The ports of a node that lead to stations, or, at a station, to nodes."""
        ports = []
        for link in self.links:
            if link.herald is not None:
                ends = zip((link.a.node, link.b.node), link.herald.end_ports, strict=True)
                ports += [port for name, port in ends if name == node]
                if link.herald.station == node:
                    ports += link.herald.station_ports
        return ports

    def hosts_of(self, node: str) -> list[Host]:
        """The hosts on `node`, in the order of its ports."""
        return [host for host in self.hosts.values() if host.node == node]
