"""What a circuit over a given path would deliver: rate and fidelity from what the devices say.

Links and nodes are described as their devices calibrated them, never as the network file has them.
A device tells one number for the quality of its pairs, the fidelity; the model takes such pairs as
Werner states. Two Bell-diagonal pairs of fidelities F1, F2 swap to at least F1·F2, Werner pairs to
(1-F1)(1-F2)/3 more, which bounds what that costs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from qplane.control.topology import Topology
from qplane.net import Link
from qplane.wire import DeviceFeatures, LinkFeatures, from_fraction
from qplane_cext.planning.chain import simulate_chain

DELIVERIES = 2000
"""Pairs from which an estimate is made: 2 to 3 % for the rate of a circuit of one slot."""

SEED = 20_260_101
"""The same random numbers for every estimate, so that two of them differ by their causes alone."""

Correlations = tuple[float, float, float]


@dataclass(frozen=True)
class LinkModel:
    """A link as calibrated. `turns`: circuits that take turns on it, this one included."""

    success: float
    attempt_ps: int
    herald_ps: int
    delay_ps: int
    correlations: Correlations
    turns: int = 1

    @property
    def fidelity(self) -> float:
        return (1 + sum(self.correlations)) / 4

    @property
    def mean_ps(self) -> float:
        """Mean time that a pair takes, with all turns taken."""
        return self.turns * self.attempt_ps / self.success


@dataclass(frozen=True)
class NodeModel:
    """Memory and swap of a node; times infinite where there is no such decay."""

    t1_s: float
    t2_s: float
    swap_ps: int = 0
    swap_success: float = 1.0
    swap_factors: Correlations = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Estimate:
    """What to expect of a circuit, each mean with its standard error."""

    rate_per_s: float
    rate_error: float
    fidelity: float
    fidelity_error: float
    latency_ps: float

    @property
    def sure_rate_per_s(self) -> float:
        """What the mean rate is not below, but for three standard errors."""
        return self.rate_per_s - 3 * self.rate_error

    @property
    def sure_fidelity(self) -> float:
        """Likewise."""
        return self.fidelity - 3 * self.fidelity_error


def werner(fidelity: float) -> Correlations:
    """|<XX>|, |<YY>|, |<ZZ>| of a Werner state."""
    weight = (4 * fidelity - 1) / 3
    return weight, weight, weight


def link_model(features: LinkFeatures, turns: int = 1) -> LinkModel:
    """From a device's calibration. Photons are taken to meet in the middle of the fibre."""
    return LinkModel(
        success=from_fraction(features.success),
        attempt_ps=features.attempt_ps,
        herald_ps=features.delay_ps,
        delay_ps=features.delay_ps,
        correlations=werner(from_fraction(features.fidelity)),
        turns=turns,
    )


def node_model(features: DeviceFeatures) -> NodeModel:
    """From a device's features. A Bell measurement depolarises by its two-qubit gate's error, and
    each of its two bits is read wrongly with the read-out error."""
    gate = 1 - from_fraction(features.two_qubit_error)
    seen = 1 - 2 * from_fraction(features.readout_error)
    return NodeModel(
        t1_s=features.t1_ps * 1e-12 or math.inf,
        t2_s=features.t2_ps * 1e-12 or math.inf,
        swap_ps=features.swap_time_ps,
        swap_factors=(gate * seen, gate * seen * seen, gate * seen),
    )


def models(
    topology: Topology, head: str, path: Sequence[Link]
) -> tuple[list[LinkModel], list[NodeModel]]:
    """Of the links of a path and the nodes along it, from `head` on."""
    name = head
    nodes = [node_model(topology.devices[name].features)]
    links = []
    for link in path:
        links.append(link_model(topology.link_features(link)))
        name = link.far(name).node
        nodes.append(node_model(topology.devices[name].features))
    return links, nodes


def estimate(
    links: Sequence[LinkModel],
    nodes: Sequence[NodeModel],
    slots: int,
    cutoff_ps: int = 0,
    *,
    least_rate_per_s: float = 0.0,
    deliveries: int = DELIVERIES,
) -> Estimate | None:
    """Rate and fidelity with `slots` on each side of each link; `cutoff_ps` 0: none.

    None where fewer than `least_rate_per_s` / 2 would come: that is given up early.
    """
    return _estimate(tuple(links), tuple(nodes), slots, cutoff_ps, least_rate_per_s, deliveries)


@lru_cache(maxsize=10_000)
def _estimate(
    links: tuple[LinkModel, ...],
    nodes: tuple[NodeModel, ...],
    slots: int,
    cutoff_ps: int,
    least_rate_per_s: float,
    deliveries: int,
) -> Estimate | None:
    slow = least_rate_per_s / 2 or 0.05 / max(link.mean_ps * 1e-12 for link in links)
    horizon_ps = min(round(1e12 * deliveries / slow), (1 << 62) - 1)
    result = simulate_chain(
        links,
        nodes,
        slots=slots,
        cutoff_ps=cutoff_ps,
        deliveries=deliveries,
        seed=SEED,
        horizon_ps=horizon_ps,
    )
    rate, fidelity, latency = result["rate_per_s"], result["fidelity"], result["latency_ps"]
    if rate is None or fidelity is None or latency is None:
        return None
    return Estimate(*rate, *fidelity, latency[0])


def alone(links: Sequence[LinkModel]) -> list[LinkModel]:
    """The same links with no other circuit on them."""
    return [replace(link, turns=1) for link in links]


def best_fidelity(links: Sequence[LinkModel], nodes: Sequence[NodeModel]) -> float:
    """Of a pair whose link pairs are all heralded at once: no cut-off can give more.

    The halves age from emission to herald, and at the ends until the TRACKs have come.
    """
    xx = yy = zz = 1.0
    message_ps = sum(link.delay_ps for link in links)
    for place, link in enumerate(links):
        xx, yy, zz = (a * b for a, b in zip((xx, yy, zz), link.correlations, strict=True))
        for node, is_end in (
            (nodes[place], place == 0),
            (nodes[place + 1], place == len(links) - 1),
        ):
            stored_s = (link.herald_ps + (message_ps if is_end else node.swap_ps)) * 1e-12
            dephased = math.exp(-stored_s / node.t2_s)
            xx, yy, zz = xx * dephased, yy * dephased, zz * math.exp(-stored_s / node.t1_s)
    for node in nodes[1:-1]:
        fx, fy, fz = node.swap_factors
        xx, yy, zz = xx * fx, yy * fy, zz * fz
    return (1 + xx + yy + zz) / 4


def most_rate_per_s(links: Sequence[LinkModel], slots: int) -> float:
    """An upper bound: no link makes more, and an end keeps each half for a round trip at least."""
    message_ps = sum(link.delay_ps for link in links)
    bound = math.inf
    for place, link in enumerate(links):
        bound = min(bound, 1e12 / link.mean_ps)
        if place in (0, len(links) - 1):
            one_turn_ps = link.attempt_ps / link.success
            bound = min(bound, slots * 1e12 / (one_turn_ps + message_ps))
    return bound
