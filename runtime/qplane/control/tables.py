"""What should stand in the tables of each switch: the classical part, and that of each circuit."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import IntEnum

from qplane.control import label_paths, slices, telemetry, tunnels
from qplane.control.entries import CloneSession, DefaultAction, Entry, Group, table_entry
from qplane.control.links import NOTHING_HELD, LinkHoldings
from qplane.control.mac import node_mac
from qplane.control.plans import CircuitPlan, HopPlan, Side
from qplane.control.routing import message_delay_ps, next_links
from qplane.net import CPU_PORT, DEFAULT_SLICE, GATEWAY_IP, QUANTUM_PORT, Network
from qplane.wire import parse_mac

ENTRANCES = ("port_kind", "label_in", "pair_in", "my_mac", "arp_responder")
"""Tables that let packets in: they are filled last and emptied first, so that no packet meets half
a circuit."""


PS_PER_US = 1_000_000
LONGEST_US = (1 << 31) - 1
"""The pipeline compares remaining times as signed numbers."""

REPLICA_A, REPLICA_B = 1, 2
"""Replication ids of a station's REPLY to either end of a link."""


class PortKind(IntEnum):
    """What hangs on a port; decides which frames are accepted there."""

    HOST = 0
    NEIGHBOUR = 1
    QUANTUM = 2


def classical(
    network: Network,
    down: Collection[int] = (),
    time_scale: float = 1.0,
    links: LinkHoldings = NOTHING_HELD,
) -> dict[str, list[Entry]]:
    """Entries that no circuit has a part in, by node: ports, gateways, routes that avoid the links
    `down` (indices). `time_scale`, `links` as in :func:`ports`."""
    entries = ports(network, time_scale, links)
    for name, node in network.nodes.items():
        if not node.is_station:
            entries[name] += _gateways(network, name)
    for goal in dict.fromkeys(host.node for host in network.hosts.values()):
        for name, entry in _routes(network, goal, down):
            entries[name].append(entry)
    for name, entry in tunnels.entries(network, down):
        entries[name].append(entry)
    for name, entry in label_paths.entries(network, down):
        entries[name].append(entry)
    return entries


def ports(
    network: Network,
    time_scale: float = 1.0,
    links: LinkHoldings = NOTHING_HELD,
) -> dict[str, list[Entry]]:
    """What hangs on each port, and the limits of slices, by node. Needed before a device is asked
    anything: its answers are accepted from a quantum port alone.

    `time_scale` is how long a second of the network takes by the switches' own clocks; `links` has
    the epochs in which stations number pairs.
    """
    entries = {
        name: []
        if node.is_station
        else [
            *_ports(network, name),
            *slices.limits(network, name, time_scale),
            *telemetry.entries(network.telemetry),
        ]
        for name, node in network.nodes.items()
    }
    for name, entry in stations(network, links):
        entries[name].append(entry)
    return entries


def _ports(network: Network, name: str) -> Iterator[Entry]:
    for link in network.links_of(name):
        in_slice = slices.number(network, link.options.slice or DEFAULT_SLICE)
        yield _port(link.end(name).port, PortKind.NEIGHBOUR, in_slice)
    for host in network.hosts_of(name):
        yield _port(host.port, PortKind.HOST, slices.number(network, host.slice))
    for port in network.herald_ports(name):
        yield _port(port, PortKind.NEIGHBOUR)
    if network.nodes[name].is_quantum:
        yield _port(QUANTUM_PORT, PortKind.QUANTUM)
        yield DefaultAction("node", "set_node", (("node_id", network.nodes[name].id),))


def stations(network: Network, links: LinkHoldings) -> Iterator[tuple[str, Entry]]:
    """What carries GEN and REPLY between the ends of links and their heralding stations."""
    for link in network.links:
        herald = link.herald
        if herald is None:
            continue
        yield (
            herald.station,
            table_entry("port_kind", {"ingress_port": QUANTUM_PORT}, "set_detectors"),
        )
        group = herald.number + 1
        replicas = tuple(sorted(zip(herald.station_ports, (REPLICA_A, REPLICA_B), strict=True)))
        yield herald.station, Group(group, replicas)
        yield (
            herald.station,
            table_entry(
                "link_group",
                {"link": herald.number},
                "set_group",
                group=group,
                epoch=links.epoch(herald.station),
            ),
        )
        every = links.sampled(link)
        if every:
            yield herald.station, CloneSession(telemetry.HERALD_SESSION, ((CPU_PORT, 1),))
            yield (
                herald.station,
                table_entry(
                    "sampling",
                    {"link": herald.number},
                    "sample",
                    mask=every - 1,
                    session=telemetry.HERALD_SESSION,
                ),
            )
        station_mac = node_mac(network.nodes[herald.station].id)
        ends = zip((link.a, link.b), herald.end_ports, herald.station_ports, strict=True)
        for is_b, (end, port, station_port) in enumerate(ends):
            mac = node_mac(network.nodes[end.node].id)
            yield (
                herald.station,
                table_entry(
                    "port_kind",
                    {"ingress_port": station_port},
                    "set_node",
                    link=herald.number,
                    is_b=is_b,
                ),
            )
            yield (
                herald.station,
                table_entry(
                    "node",
                    {"egress_port": station_port},
                    "set_macs",
                    src_mac=station_mac,
                    dst_mac=mac,
                ),
            )
            yield (
                end.node,
                table_entry(
                    "gen_out",
                    {"link": end.number},
                    "send_gen",
                    port=port,
                    src_mac=mac,
                    dst_mac=station_mac,
                ),
            )
            yield (
                end.node,
                table_entry(
                    "reply_in",
                    {"ingress_port": port},
                    "take_reply",
                    link=end.number,
                    device_port=QUANTUM_PORT,
                ),
            )


def _port(port: int, kind: PortKind, in_slice: int = 0) -> Entry:
    match = {"ingress_port": port}
    return table_entry("port_kind", match, "set_port_kind", kind=int(kind), slice=in_slice)


def _gateways(network: Network, name: str) -> Iterator[Entry]:
    mac = node_mac(network.nodes[name].id)
    yield table_entry("my_mac", {"dst": mac}, "NoAction")
    gateway = int(ipaddress.ip_address(GATEWAY_IP))
    for host in network.hosts_of(name):
        match = {"ingress_port": host.port, "target_ip": gateway}
        yield table_entry("arp_responder", match, "arp_reply", mac=mac)


def _routes(network: Network, goal: str, down: Collection[int]) -> Iterator[tuple[str, Entry]]:
    """Routes of all nodes to the hosts on node `goal`."""
    towards = next_links(network, goal, down)
    for host in network.hosts_of(goal):
        ip = ipaddress.ip_address(host.ip)
        table = f"ipv{ip.version}_route"
        match = {"dst": (int(ip), ip.max_prefixlen)}
        for name, node in network.nodes.items():
            if name == goal:
                port, mac = host.port, parse_mac(host.mac)
            elif name in towards:
                link = towards[name]
                port = link.end(name).port
                mac = node_mac(network.nodes[link.far(name).node].id)
            else:
                continue
            yield (
                name,
                table_entry(
                    table, match, "route", port=port, src_mac=node_mac(node.id), dst_mac=mac
                ),
            )


def circuit(network: Network, plan: CircuitPlan) -> dict[str, list[Entry]]:
    """Entries of one circuit and its feeders, by node."""
    entries: dict[str, list[Entry]] = {}
    for hop in (hop for part in plan.parts for hop in part.hops):
        entries.setdefault(hop.node, []).extend(at_hop(network, hop))
    return entries


def at_hop(
    network: Network, hop: HopPlan, time_scale: float = 1.0, down: Collection[int] = ()
) -> Iterator[Entry]:
    """Entries of one circuit at one node; `time_scale` as in :func:`ports`, `down` the indices of
    links that the way through tunnels avoids."""
    exits = {
        side.port: tunnels.exit_of(network, side.link, hop.node, down)
        for side in hop.sides
        if side.link.tunnel is not None
    }
    for group, replicas in hop.groups():
        leaving = ((exits[p].port if p in exits else p, copy) for p, copy in replicas)
        yield Group(group, tuple(sorted(leaving)))
    mac = node_mac(network.nodes[hop.node].id)
    for side in hop.sides:
        match = {"circuit": hop.circuit_id, "copy": int(side.side)}
        if side.port in exits:
            yield tunnels.adjacency(match, side, hop.node, mac, exits[side.port])
            continue
        yield table_entry(
            "adjacency",
            match,
            "set_adjacency",
            label=side.label,
            src_mac=mac,
            dst_mac=node_mac(network.nodes[side.neighbour].id),
        )
    ports = {
        side.port: exits[side.port].port if side.port in exits else side.port for side in hop.sides
    }
    delays_ps = {side.port: message_delay_ps(network, side.link, down) for side in hop.sides}
    yield _role(hop, time_scale, ports, delays_ps)
    number = slices.number(network, hop.slice)
    for side in hop.sides:
        to = {"circuit_id": hop.circuit_id, "side": int(side.side), "slice": number}
        tunnelled = side.link.tunnel is not None
        ingress = tunnels.number(side.link, hop.node) if tunnelled else side.port
        match = {"ingress": ingress, "label": side.label}
        yield table_entry("label_in", match, "set_circuit", **to)
        match = {"link": side.number, "label": side.label}
        yield table_entry("pair_in", match, "set_circuit", **to)


def _clock_us(duration_ps: int, time_scale: float) -> int:
    """A time of the network by a switch's clock, rounded up, as far as the field goes."""
    return min(math.ceil(duration_ps * time_scale / PS_PER_US), LONGEST_US)


def _role(
    hop: HopPlan, time_scale: float, ports: Mapping[int, int], delays_ps: Mapping[int, int]
) -> Entry:
    """What the node is to the circuit. `ports`, `delays_ps`: where messages of each side leave and
    how long they take, by the port of its link."""
    match = {"circuit": hop.circuit_id}
    if hop.is_end:
        (side,) = hop.sides
        return table_entry(
            "circuit",
            match,
            "end_node",
            device_port=QUANTUM_PORT,
            side=int(side.side),
            link=side.number,
            port=ports[side.port],
            group_device=side.group,
            request=int(hop.request),
            complete=int(hop.complete),
            budget_us=_clock_us(hop.budget_ps, time_scale),
            delay_us=_clock_us(delays_ps[side.port], time_scale),
            far_node=hop.far_node,
            far_link=hop.far_link,
            serial=hop.serial,
        )
    up, down = hop.sides
    assert up.side is Side.UP  # order of HopPlan.sides
    return table_entry(
        "circuit",
        match,
        "repeater",
        device_port=QUANTUM_PORT,
        link_up=up.number,
        port_up=ports[up.port],
        group_device_up=up.group,
        link_down=down.number,
        port_down=ports[down.port],
        group_device_down=down.group,
        group_both=hop.group_both,
        delay_up_us=_clock_us(delays_ps[up.port], time_scale),
        delay_down_us=_clock_us(delays_ps[down.port], time_scale),
    )


def desired(network: Network, plans: Iterable[CircuitPlan]) -> dict[str, list[Entry]]:
    """All entries by node: the classical ones and those of the plans."""
    entries = classical(network)
    for plan in plans:
        for name, more in circuit(network, plan).items():
            entries[name].extend(more)
    return entries
