"""From the sections of a network file to a :class:`Network`: what needs several sections at once.

Decides ids, ports, link numbers, addresses and routes, in the order of the file, and refuses what
does not fit together. Errors carry the place in the file as a path of keys and indices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from qplane.net.errors import InconsistentError
from qplane.net.model import (
    Circuit,
    Herald,
    Host,
    LabelPath,
    Link,
    LinkEnd,
    Network,
    Node,
    Ping,
    Slice,
    Telemetry,
)
from qplane.net.program_names import PAIR_EVENTS
from qplane.net.routes import NoPathError, ShortestPaths
from qplane.net.schema import CircuitSection, LinkSection, Memory, NetworkFile
from qplane.net.slices import slice_name, slices_of
from qplane.net.tunnels import check_tunnels

MAX_STATION_LINKS = 32
"""Links of one heralding station: what its P4 program keeps records for."""


def build(file: NetworkFile) -> Network:
    """Raises InconsistentError."""
    nodes = _nodes(file)
    links, next_port = _links(file, nodes)
    slices = slices_of(file, nodes)
    circuits = _circuits(file, nodes, links)
    hosts = _hosts(file, nodes, next_port)
    pings = _pings(file, hosts)
    check_tunnels(links, hosts)
    for index, section in enumerate(file.links):
        slice_name(file, "links", index, section.slice)
    network = Network(
        name=file.network.name,
        seed=file.network.seed,
        nodes=nodes,
        links=links,
        circuits=circuits,
        hosts=hosts,
        pings=pings,
        faults=file.faults,
        slices=slices,
        telemetry=_telemetry(file),
        switch_allowance_ps=file.network.switch_allowance,
        label_paths=_label_paths(file, hosts),
    )
    _check_slots(network)
    return network


def _telemetry(file: NetworkFile) -> Telemetry:
    for name in file.telemetry.events:
        if name not in PAIR_EVENTS.values():
            known = ", ".join(PAIR_EVENTS.values())
            raise InconsistentError(
                ("telemetry", "events", name), f"no such event; there are: {known}"
            )
    return Telemetry(dict(file.telemetry.events), file.telemetry.anomalies)


def _known(kind: str, names: Mapping[str, object]) -> str:
    return f"{kind}: {', '.join(names)}" if names else f"there are no {kind}"


def _nodes(file: NetworkFile) -> dict[str, Node]:
    if not file.nodes:
        raise InconsistentError(("nodes",), "a network has at least one node")
    taken: dict[int, str] = {}
    for name, section in file.nodes.items():
        if section.id is not None:
            if section.id in taken:
                raise InconsistentError(
                    ("nodes", name, "id"),
                    f"node {taken[section.id]} has it too; ids are unique",
                )
            taken[section.id] = name
    nodes: dict[str, Node] = {}
    next_id = 1
    for name, section in file.nodes.items():
        memory: Memory | None = None
        if section.memory is not None:
            memory = file.memories.get(section.memory)
            if memory is None:
                raise InconsistentError(
                    ("nodes", name, "memory"),
                    f"no such memory; {_known('memories', file.memories)}",
                )
        node_id = section.id
        if node_id is None:
            while next_id in taken:
                next_id += 1
            node_id = next_id
            taken[node_id] = name
        if section.station and memory is not None:
            raise InconsistentError(
                ("nodes", name, "station"), "a heralding station has detectors and no memory"
            )
        nodes[name] = Node(name, node_id, memory, section.station)
    return nodes


def _links(file: NetworkFile, nodes: dict[str, Node]) -> tuple[tuple[Link, ...], dict[str, int]]:
    """The links, and the next free switch port of every node."""
    next_port = dict.fromkeys(nodes, 1)
    next_number = dict.fromkeys(nodes, 0)
    links: list[Link] = []
    for index, section in enumerate(file.links):
        for place, name in enumerate(section.between):
            if name not in nodes:
                raise InconsistentError(
                    ("links", index, "between", place),
                    f"no such node; {_known('nodes', nodes)}",
                )
            if nodes[name].is_station:
                raise InconsistentError(
                    ("links", index, "between", place),
                    "a heralding station is no end of a link; the link between two nodes names it "
                    "with herald",
                )
        without = [name for name in section.between if not nodes[name].is_quantum]
        if section.quantum and without:
            raise InconsistentError(
                ("links", index, "quantum"),
                f"node {without[0]} has no memory, so that this link can't carry qubits",
            )
        quantum = not without and section.quantum is not False
        if quantum and not section.can_herald:
            raise InconsistentError(
                ("links", index),
                "no attempt on this link can succeed: no photon is ever detected, or the detectors "
                "never stop clicking (see length, attenuation, emission_efficiency, "
                "detector_efficiency, dark_counts)",
            )
        ends: list[LinkEnd] = []
        for name in section.between:
            ends.append(LinkEnd(name, next_port[name], next_number[name] if quantum else -1))
            next_port[name] += 1
            next_number[name] += quantum
        herald = _herald(index, section, quantum, nodes, next_port, next_number)
        links.append(Link(index, ends[0], ends[1], quantum, section, herald))
    return tuple(links), next_port


def _herald(
    index: int,
    section: LinkSection,
    quantum: bool,
    nodes: dict[str, Node],
    next_port: dict[str, int],
    next_number: dict[str, int],
) -> Herald | None:
    """A link's station, with the next free ports on all three nodes."""
    station = section.herald
    if station is None or (isinstance(station, bool) and not quantum):
        return None
    if isinstance(station, bool):
        station = _own_station(section, nodes)
        next_port[station], next_number[station] = 1, 0
    if station not in nodes or not nodes[station].is_station:
        stations = {name: node for name, node in nodes.items() if node.is_station}
        raise InconsistentError(
            ("links", index, "herald"),
            f"no such station; {_known('stations', stations)} (a node with station = true)",
        )
    if not quantum:
        raise InconsistentError(
            ("links", index, "herald"), "this link carries no qubits, so there is nothing to herald"
        )
    number = next_number[station]
    if number >= MAX_STATION_LINKS:
        raise InconsistentError(
            ("links", index, "herald"), f"a station serves at most {MAX_STATION_LINKS} links"
        )
    next_number[station] += 1
    ports = []
    for name in (*section.between, station, station):
        ports.append(next_port[name])
        next_port[name] += 1
    return Herald(station, number, (ports[0], ports[1]), (ports[2], ports[3]))


def _own_station(section: LinkSection, nodes: dict[str, Node]) -> str:
    """A new node, called after the link."""
    name, copies = "-".join(section.between), 1
    while name in nodes:
        copies += 1
        name = f"{'-'.join(section.between)}-{copies}"
    nodes[name] = Node(name, max(node.id for node in nodes.values()) + 1, None, True)
    return name


def _circuits(
    file: NetworkFile, nodes: Mapping[str, Node], links: tuple[Link, ...]
) -> dict[str, Circuit]:
    circuits: dict[str, Circuit] = {}
    paths = ShortestPaths(links, lambda link: link.quantum)
    for index, section in enumerate(file.circuits):
        if section.name in circuits:
            raise InconsistentError(
                ("circuits", index, "name"), "another circuit has this name; names are unique"
            )
        circuit = Circuit(
            name=section.name,
            head=section.head,
            tail=section.tail,
            slots=section.slots or 0,
            cutoff_ps=section.cutoff or 0,
            path=_path(index, section, nodes, paths),
            fidelity=section.fidelity or 0.0,
            rate_per_s=section.rate or 0.0,
            slice=slice_name(file, "circuits", index, section.slice),
            request=section.request,
            budget_ps=section.budget or 0,
            complete=section.complete,
            distil=section.distil,
            distil_links=section.distil_links,
        )
        if not circuit.asks:
            _check_cutoff(index, circuit)
        circuits[section.name] = circuit
    return circuits


def _check_cutoff(index: int, circuit: Circuit) -> None:
    """A repeater's qubit must live to hear from the heralding station."""
    if not circuit.cutoff_ps:
        return
    for repeater in list(circuit.nodes())[1:-1]:
        for link in circuit.path:
            if repeater not in (link.a.node, link.b.node):
                continue
            share = link.options.station if link.a.node == repeater else 1 - link.options.station
            herald_ps = round(2 * share * link.delay_ps)
            if circuit.cutoff_ps <= herald_ps:
                raise InconsistentError(
                    ("circuits", index, "cutoff"),
                    f"no pair could be swapped at node {repeater}: a herald on link {link.name} "
                    f"comes {herald_ps / 1e6:g} us after the photon was sent; a longer one is "
                    "wanted",
                )


def _path(
    index: int, section: CircuitSection, nodes: Mapping[str, Node], paths: ShortestPaths
) -> tuple[Link, ...]:
    for key, name in (("from", section.head), ("to", section.tail)):
        if name not in nodes:
            raise InconsistentError(
                ("circuits", index, key), f"no such node; {_known('nodes', nodes)}"
            )
        if not nodes[name].is_quantum:
            raise InconsistentError(
                ("circuits", index, key), "this node has no memory, so no circuit can end there"
            )
    try:
        return paths.path(section.head, section.tail)
    except NoPathError as error:
        raise InconsistentError(
            ("circuits", index, "to"),
            f"no path: no chain of quantum links leads there from {section.head}",
        ) from error


def _check_slots(network: Network) -> None:
    wanted: Counter[tuple[str, str]] = Counter()  # by node and pool of slots
    held = _link_slots(network)
    for index, circuit in enumerate(network.circuits.values()):
        if circuit.asks:
            continue  # its path and its slots are the controller's choice
        for link in circuit.path:
            for end in (link.a, link.b):
                pool = network.slot_pool(end.node, circuit.slice)
                wanted[end.node, pool] += max(circuit.slots, 1)
        for name in circuit.nodes():
            pool = network.slot_pool(name, circuit.slice)
            usable = _usable_slots(network.nodes[name], pool, network.slices)
            usable -= 0 if pool else held[name]
            if wanted[name, pool] > usable:
                share = (f" for slice {pool}" if pool else " for it") if network.slices else ""
                raise InconsistentError(
                    ("circuits", index, "slots"),
                    "more circuits than slots: the circuits up to this one need "
                    f"{wanted[name, pool]} slots at node {name}, which has {usable}{share} (a "
                    "circuit needs its slots on each of its links, and the nodes on its way have "
                    "two of them)",
                )


def _link_slots(network: Network) -> Counter[str]:
    """What links ask for at each node. Emitters must not be held, so they have to be left over."""
    wanted: Counter[str] = Counter()
    for link in network.links:
        for node in (link.a.node, link.b.node):
            if link.options.link_slots is None:
                continue
            wanted[node] += link.options.link_slots
            memory = network.nodes[node].memory
            assert memory is not None  # or the link carries no qubits
            usable = _usable_slots(network.nodes[node], "", network.slices)
            usable -= memory.emitters or 0
            if wanted[node] > usable:
                raise InconsistentError(
                    ("links", link.index, "link_slots"),
                    f"the links up to this one ask for {wanted[node]} slots at node {node}, which "
                    f"has {usable} for them",
                )
    return wanted


def _usable_slots(node: Node, pool: str, slices: Mapping[str, Slice]) -> int:
    """How many slots of a node a pool has: a slice's range, or ("") what the ranges leave."""
    assert node.memory is not None  # a quantum link joins nodes with memories
    sizes = {name: _size(s.slots[node.name]) for name, s in slices.items() if node.name in s.slots}
    return sizes[pool] if pool else node.memory.slots - sum(sizes.values())


def _size(slots: tuple[int, int]) -> int:
    return slots[1] - slots[0] + 1


def _hosts(
    file: NetworkFile, nodes: Mapping[str, Node], next_port: dict[str, int]
) -> dict[str, Host]:
    hosts: dict[str, Host] = {}
    by_ip: dict[str, str] = {}
    for index, section in enumerate(file.hosts):
        if section.name in hosts:
            raise InconsistentError(
                ("hosts", index, "name"), "another host has this name; names are unique"
            )
        if section.node not in nodes:
            raise InconsistentError(
                ("hosts", index, "node"), f"no such node; {_known('nodes', nodes)}"
            )
        if section.ip in by_ip:
            raise InconsistentError(
                ("hosts", index, "ip"), f"host {by_ip[section.ip]} has this address too"
            )
        by_ip[section.ip] = section.name
        port = next_port[section.node]
        next_port[section.node] += 1
        number = index + 1
        mac = f"02:00:01:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        hosts[section.name] = Host(
            section.name,
            section.node,
            port,
            section.ip,
            mac,
            slice_name(file, "hosts", index, section.slice),
        )
    return hosts


def _label_paths(file: NetworkFile, hosts: Mapping[str, Host]) -> tuple[LabelPath, ...]:
    paths: dict[int, LabelPath] = {}  # by label: a switch looks at nothing else
    names: set[str] = set()
    for index, section in enumerate(file.label_paths):
        if section.name in names:
            raise InconsistentError(
                ("label_paths", index, "name"), "another path has this name; names are unique"
            )
        names.add(section.name)
        for key, name in (("from", section.source), ("to", section.target)):
            if name not in hosts:
                raise InconsistentError(
                    ("label_paths", index, key), f"no such host; {_known('hosts', hosts)}"
                )
        if section.source == section.target:
            raise InconsistentError(("label_paths", index, "to"), "a path joins two hosts")
        if section.label in paths:
            raise InconsistentError(
                ("label_paths", index, "label"),
                f"path {paths[section.label].name} has it too; labels are unique",
            )
        in_slice = slice_name(file, "label_paths", index, section.slice)
        paths[section.label] = LabelPath(
            section.name, section.source, section.target, section.label, in_slice
        )
    return tuple(paths.values())


def _pings(file: NetworkFile, hosts: Mapping[str, Host]) -> tuple[Ping, ...]:
    pings: list[Ping] = []
    for index, section in enumerate(file.pings):
        for key, name in (("from", section.source), ("to", section.target)):
            if name not in hosts:
                raise InconsistentError(
                    ("pings", index, key), f"no such host; {_known('hosts', hosts)}"
                )
        if section.source == section.target:
            raise InconsistentError(("pings", index, "to"), "a host does not ping itself")
        pings.append(Ping(section.source, section.target, section.interval, section.count or 0))
    return tuple(pings)
