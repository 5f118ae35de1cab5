"""Candidate paths of a circuit: the best few by fidelity, by rate, and by fibre."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import islice, pairwise

import networkx as nx

from qplane.control.planning.load import Load
from qplane.control.planning.model import link_model, node_model
from qplane.control.topology import Topology
from qplane.net import Link
from qplane.wire import from_fraction

CANDIDATES = 3
"""Paths looked at in each of the orders."""

Path = tuple[Link, ...]


def candidates(
    topology: Topology, load: Load, head: str, tail: str, *, each: int = CANDIDATES
) -> list[Path]:
    """Paths over links that have a turn left, none twice, promising ones first.

    The orders are: least loss of correlations, link pairs and waits taken together; least time for
    a pair of each link; least fibre. Of parallel links only the best is looked at.
    """
    usable = [link for link in topology.network.links if _is_usable(topology, load, link)]
    found: dict[tuple[int, ...], Path] = {}
    for cost in (_loss, _time, _fibre):
        for path in islice(_paths(topology, load, usable, head, tail, cost), each):
            found.setdefault(tuple(link.index for link in path), path)
    return list(found.values())


def _is_usable(topology: Topology, load: Load, link: Link) -> bool:
    return (
        topology.is_quantum(link)
        and topology.link_features(link).success > 0
        and load.has_turn(link)
    )


_Cost = Callable[[Topology, Load, Link], float]


def _paths(
    topology: Topology, load: Load, links: list[Link], head: str, tail: str, cost: _Cost
) -> Iterator[Path]:
    graph = nx.Graph()
    for link in links:
        ends = link.a.node, link.b.node
        weight = cost(topology, load, link)
        parallel = graph.get_edge_data(*ends)
        if parallel is None or weight < parallel["weight"]:
            graph.add_edge(*ends, weight=weight, link=link)
    if head not in graph or tail not in graph:
        return
    try:
        for nodes in nx.shortest_simple_paths(graph, head, tail, weight="weight"):
            yield tuple(graph[a][b]["link"] for a, b in pairwise(nodes))
    except nx.NetworkXNoPath:
        return


def _loss(topology: Topology, load: Load, link: Link) -> float:
    """-ln of the correlations left after this link: its pair, one wait for it, one swap."""
    features = topology.link_features(link)
    weight = (4 * from_fraction(features.fidelity) - 1) / 3
    if weight <= 0:
        return math.inf
    model = link_model(features, load.turns(link, 1))
    ends = [node_model(topology.devices[end.node].features) for end in (link.a, link.b)]
    waits = sum(model.mean_ps * 1e-12 / node.t2_s for node in ends) / 2
    swap = math.prod(max(sum(node.swap_factors) / 3, 1e-9) for node in ends) ** 0.5
    return waits - math.log(weight) - math.log(swap) + 1e-9


def _time(topology: Topology, load: Load, link: Link) -> float:
    """Mean time for a pair, in seconds."""
    return link_model(topology.link_features(link), load.turns(link, 1)).mean_ps * 1e-12


def _fibre(topology: Topology, load: Load, link: Link) -> float:
    return link.length_m + 1.0
