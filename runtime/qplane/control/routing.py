"""Paths: of circuits over quantum links, and of classical packets to the hosts."""

from __future__ import annotations

from collections.abc import Collection

import networkx as nx

from qplane.control.errors import NoPathError
from qplane.control.topology import Topology
from qplane.net import Circuit, Link, Network, routes


def circuit_path(topology: Topology, circuit: Circuit) -> tuple[Link, ...]:
    """The links of the circuit from head to tail, over nodes whose devices answered.

    Its own path where all of that can be used; else the one with the least fibre, then the fewest
    hops. Raises NoPathError.
    """
    if circuit.path and all(map(topology.is_quantum, circuit.path)):
        return circuit.path
    for end in (circuit.head, circuit.tail):
        if end not in topology.devices:
            raise NoPathError(
                f"circuit {circuit.name}: no path, its end {end} has no quantum device that answers"
            )
    try:
        return routes.shortest_path(
            topology.network.links, circuit.head, circuit.tail, topology.is_quantum
        )
    except routes.NoPathError as error:
        raise NoPathError(
            f"circuit {circuit.name}: no path, no chain of quantum links whose devices answer "
            f"leads from {circuit.head} to {circuit.tail}"
        ) from error


def next_links(network: Network, goal: str, down: Collection[int] = ()) -> dict[str, Link]:
    """For each node that can reach `goal` without the links `down` (indices), the link that its
    packets to there take. Packets never take a link whose messages have a tunnel of their own.

    Least delay (a hop counts as a picosecond), then the link that stands first in the file.
    Following the links never returns to a node passed before.
    """
    around: dict[str, list[Link]] = {name: [] for name in network.nodes}
    graph = nx.Graph()
    graph.add_nodes_from(network.nodes)
    for link in network.links:
        if link.index in down or link.tunnel is not None:
            continue
        ends = link.a.node, link.b.node
        for name in ends:
            around[name].append(link)
        parallel = graph.get_edge_data(*ends)
        if parallel is None or _cost(link) < parallel["cost"]:
            graph.add_edge(*ends, cost=_cost(link))
    distance = nx.single_source_dijkstra_path_length(graph, goal, weight="cost")
    return {
        name: next(
            link
            for link in around[name]
            if distance[link.far(name).node] + _cost(link) == distance[name]
        )
        for name in network.nodes
        if name != goal and name in distance
    }


def message_delay_ps(network: Network, link: Link, down: Collection[int] = ()) -> int:
    """How long a circuit's messages are under way from one end of a link to the other: in the
    fibre, or through all those of its tunnel's way (of the undisturbed network's where all are
    interrupted). Switches come on top."""
    if link.tunnel is None:
        return link.delay_ps
    node, goal = link.a.node, link.b.node
    towards = next_links(network, goal, down)
    if node not in towards:
        towards = next_links(network, goal)
    delay_ps = 0
    while node != goal:
        delay_ps += towards[node].delay_ps
        node = towards[node].far(node).node
    return delay_ps


def _cost(link: Link) -> int:
    """Its delay, and a picosecond for the hop, so that a link of no length costs something."""
    return link.delay_ps + 1
