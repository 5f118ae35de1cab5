"""Label-switched paths of hosts' packets (RFC 3031): MPLS forwarding, and slices by label.

A path has one label on its whole way, so that a captured packet says whose it is; the last switch
takes it off.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from qplane.control import slices
from qplane.control.entries import Entry, table_entry
from qplane.control.mac import node_mac
from qplane.control.routing import next_links
from qplane.net import LabelPath, Network
from qplane.wire import parse_mac
from qplane.wire.tunnel import ETHERTYPE_IPV4


def entries(network: Network, down: Collection[int] = ()) -> Iterator[tuple[str, Entry]]:
    """By node, around the links `down` (indices); a path that is interrupted has none."""
    for path in network.label_paths:
        yield from _path(network, path, down)


def _path(network: Network, path: LabelPath, down: Collection[int]) -> Iterator[tuple[str, Entry]]:
    source, target = network.hosts[path.source], network.hosts[path.target]
    towards = next_links(network, target.node, down)
    node, port_in = source.node, source.port
    in_slice = slices.number(network, path.slice)
    match = {"label": path.label}
    if node != target.node and node not in towards:
        return
    while True:
        came = {"ingress_port": port_in, "label": path.label}
        yield node, table_entry("label_slice", came, "set_slice", slice=in_slice)
        src_mac = node_mac(network.nodes[node].id)
        if node == target.node:
            break
        link = towards[node]
        far = link.far(node)
        yield (
            node,
            table_entry(
                "mpls_label",
                match,
                "label_swap",
                label=path.label,
                port=link.end(node).port,
                src_mac=src_mac,
                dst_mac=node_mac(network.nodes[far.node].id),
            ),
        )
        node, port_in = far.node, far.port
    yield (
        node,
        table_entry(
            "mpls_label",
            match,
            "label_pop",
            ethertype=ETHERTYPE_IPV4,
            port=target.port,
            src_mac=src_mac,
            dst_mac=parse_mac(target.mac),
        ),
    )
