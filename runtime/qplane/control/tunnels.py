"""Tunnels of links (MPLS-in-UDP, RFC 7510): circuits' messages across an IP network.

The plan of a circuit names the port of the link itself. Where its messages leave follows from the
links that are up, so that they go around one that is down without another plan.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from qplane.control.entries import Entry, Value, table_entry
from qplane.control.mac import node_mac
from qplane.control.plans import SidePlan
from qplane.control.routing import next_links
from qplane.net import Link, Network
from qplane.wire import EtherType
from qplane.wire.tunnel import ETHERTYPE_IPV4, ETHERTYPE_IPV6, in_udp

FIRST_TUNNEL = 512
"""Numbers of tunnels stand for ports in the pipeline; from here on none is a port's."""


class Exit(NamedTuple):
    """Where a tunnel's packets leave a node: the port, and the next node's MAC address."""

    port: int
    dst_mac: int


def number(link: Link, node: str) -> int:
    """The tunnel's number at one of its ends."""
    return FIRST_TUNNEL + link.end(node).number


def exit_of(network: Network, link: Link, node: str, down: Collection[int] = ()) -> Exit:
    """The next hop from `node` to the other end of the link's tunnel.

    Where every way is interrupted, that of the undisturbed network.
    """
    goal = link.far(node).node
    towards = next_links(network, goal, down)
    first = towards[node] if node in towards else next_links(network, goal)[node]
    return Exit(first.end(node).port, node_mac(network.nodes[first.far(node).node].id))


def entries(network: Network, down: Collection[int] = ()) -> Iterator[tuple[str, Entry]]:
    """By node: what the ends of tunnels take in, and the routes to the ends on all other nodes."""
    goals: dict[str, str] = {}  # node of each address
    for link in network.links:
        if link.tunnel is None:
            continue
        for end in (link.a, link.b):
            here = ipaddress.ip_address(link.address(end.node))
            peer = ipaddress.ip_address(link.address(link.far(end.node).node))
            goals[str(here)] = end.node
            yield (
                end.node,
                table_entry(
                    f"tunnel_ipv{here.version}",
                    {"dst": int(here), "src": int(peer)},
                    "set_tunnel",
                    tunnel=number(link, end.node),
                ),
            )
    for address, goal in goals.items():
        ip = ipaddress.ip_address(address)
        for name, link in next_links(network, goal, down).items():
            yield (
                name,
                table_entry(
                    f"ipv{ip.version}_route",
                    {"dst": (int(ip), ip.max_prefixlen)},
                    "route",
                    port=link.end(name).port,
                    src_mac=node_mac(network.nodes[name].id),
                    dst_mac=node_mac(network.nodes[link.far(name).node].id),
                ),
            )


def adjacency(
    match: Mapping[str, Value], side: SidePlan, node: str, src_mac: int, leaving: Exit
) -> Entry:
    """The other end of the tunnel, as the neighbour on that side of a circuit."""
    here = ipaddress.ip_address(side.link.address(node))
    peer = ipaddress.ip_address(side.link.address(side.neighbour))
    return table_entry(
        "adjacency",
        match,
        f"set_tunnel_ipv{here.version}",
        label=side.label,
        src_mac=src_mac,
        dst_mac=leaving.dst_mac,
        src_ip=int(here),
        dst_ip=int(peer),
    )


def leaving(
    network: Network, side: SidePlan, node: str, frame: bytes, down: Collection[int] = ()
) -> tuple[int, bytes]:
    """Port and frame by which a circuit's MPLS frame leaves a node on a side: as it is, or in the
    tunnel that the link there has."""
    if side.link.tunnel is None:
        return side.port, frame
    exit_ = exit_of(network, side.link, node, down)
    ethertype, datagram = in_udp(
        frame[14:], side.link.address(node), side.link.address(side.neighbour)
    )
    addresses = exit_.dst_mac.to_bytes(6, "big") + frame[6:12]
    return exit_.port, addresses + ethertype.to_bytes(2, "big") + datagram


def arrived(packet: bytes) -> bytes:
    """A packet-in as the frame that it would be without a tunnel.

    A switch takes off IP and UDP and leaves the Ethernet header, which still says IP; no IP packet
    comes to a controller.
    """
    if int.from_bytes(packet[12:14], "big") not in (ETHERTYPE_IPV4, ETHERTYPE_IPV6):
        return packet
    return packet[:12] + EtherType.MPLS.to_bytes(2, "big") + packet[14:]
