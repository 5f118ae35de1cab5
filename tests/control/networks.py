"""Networks for the tests, and what their devices would answer."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import pairwise

import networkx as nx

from qplane.control.topology import Device, Topology
from qplane.net import Network, loads
from qplane.wire import QCI_VERSION, DeviceFeatures, LinkFeatures, LinkScheme, to_fraction


def network(
    nodes: Iterable[str],
    links: Iterable[tuple[str, str, float]],
    *,
    circuits: Iterable[tuple[str, str, str, str]] = (),
    hosts: Iterable[tuple[str, str, str]] = (),
    slots: int = 8,
    classical: Sequence[str] = (),
    faults: str = "",
) -> Network:
    """A network file's model: links are (node, node, km), circuits (name, from, to, other keys),
    hosts (name, node, ip); the nodes in `classical` have no memory;
    `faults` is a section of its own."""
    text = ['[network]\nname = "test"', f"[memories.m]\nslots = {slots}", "[nodes]"]
    for node in nodes:
        text.append(f"{node} = {{}}" if node in classical else f'{node} = {{ memory = "m" }}')
    for a, b, km in links:
        text.append(f'[[links]]\nbetween = ["{a}", "{b}"]\nlength = "{km} km"')
    for name, head, tail, more in circuits:
        text.append(f'[[circuits]]\nname = "{name}"\nfrom = "{head}"\nto = "{tail}"\n{more}')
    for name, node, ip in hosts:
        text.append(f'[[hosts]]\nname = "{name}"\nnode = "{node}"\nip = "{ip}"')
    return loads("\n".join([*text, faults]), file="test.toml")


def chain(length: int, **more: object) -> Network:
    """Nodes n0, n1 ... in a row, 10 km apart."""
    names = [f"n{index}" for index in range(length)]
    links = [(a, b, 10.0) for a, b in pairwise(names)]
    return network(names, links, **more)  # type: ignore[arg-type]


def random_network(seed: int, size: int, **more: object) -> Network:
    """A connected random graph with links of random lengths."""
    rng = random.Random(seed)
    graph = nx.gnp_random_graph(size, 2.5 / size, seed=seed)
    for a, b in pairwise(range(size)):
        if not nx.has_path(graph, a, b):
            graph.add_edge(a, b)
    links = [(f"n{a}", f"n{b}", round(rng.uniform(1, 50), 3)) for a, b in graph.edges]
    return network([f"n{index}" for index in range(size)], links, **more)  # type: ignore[arg-type]


def device(net: Network, node: str, transaction: int = 0) -> Device:
    """What the quantum device of a node truthfully says."""
    memory = net.nodes[node].memory
    assert memory is not None
    links = {
        link.end(node).number: LinkFeatures(
            transaction=transaction,
            remote_node_id=net.nodes[link.far(node).node].id,
            remote_link=link.far(node).number,
            scheme=LinkScheme.DOUBLE_CLICK,
            zz=0,
            length_m=round(link.length_m),
            attempt_ps=2 * link.delay_ps,
            success=to_fraction(0.01),
            fidelity=to_fraction(0.95),
            delay_ps=link.delay_ps,
        )
        for link in net.quantum_links_of(node)
    }
    features = DeviceFeatures(
        transaction=transaction,
        node_id=net.nodes[node].id,
        qci_version=QCI_VERSION,
        links=len(links),
        slots=memory.slots,
        t1_ps=memory.t1_ps,
        t2_ps=memory.t2_ps,
        swap_time_ps=10_000_000,
        two_qubit_error=0,
        readout_error=0,
    )
    return Device(features, links)


def discovered(net: Network, silent: Sequence[str] = ()) -> Topology:
    """The topology when all devices but the `silent` ones have answered."""
    devices = {
        node.name: device(net, node.name)
        for node in net.nodes.values()
        if node.is_quantum and node.name not in silent
    }
    return Topology(net, devices)
