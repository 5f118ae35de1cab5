"""What a circuit over a given path would deliver: rate and fidelity from what the devices say.

Links and nodes are described as their devices calibrated them, never as the network file has them.
A device tells two numbers for the quality of its pairs, fidelity and |<ZZ>|. No heralding scheme
prefers a phase, so that |<XX>| = |<YY>|, and all three are known. A device that does not tell
|<ZZ>| is taken to make Werner states.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from qplane.control.routing import message_delay_ps
from qplane.control.topology import Topology
from qplane.net import Link
from qplane.wire import DeviceFeatures, LinkFeatures, from_fraction
from qplane_cext.planning.chain import simulate_chain

DELIVERIES = 2000
"""Pairs from which an estimate is made: 2 to 3 % for the rate of a circuit of one slot."""

EVENTS = 500
"""Steps of the simulation in which one must come on the average: a circuit that delivers less than
one in some ten of its links' pairs is not worth their time, and would take seconds to reckon."""

SEED = 20_260_101
"""The same random numbers for every estimate, so that two of them differ by their causes alone."""

Correlations = tuple[float, float, float]


@dataclass(frozen=True)
class LinkModel:
    """A link as calibrated. `turns`: circuits that take turns on it, this one included; the others'
    attempts succeed with `other_success`. `bright_state`: n / 65535, 0 the link's own. `rounds` of
    distillation before its pairs are swapped.
    """

    success: float
    attempt_ps: int
    herald_ps: int
    delay_ps: int
    correlations: Correlations
    turns: int = 1
    other_success: float = 1.0
    bright_state: int = 0
    rounds: int = 0

    @property
    def fidelity(self) -> float:
        return (1 + sum(self.correlations)) / 4

    @property
    def alone_ps(self) -> float:
        """Mean time that a pair takes if nobody else uses the link."""
        return self.attempt_ps / self.success

    @property
    def mean_ps(self) -> float:
        """Mean time that a pair takes, with all turns taken."""
        others = (self.turns - 1) / self.other_success
        return (1 / self.success + others) * self.attempt_ps

    @property
    def longest_ps(self) -> float:
        """The same for a pair that went through its rounds, each of which takes two and succeeds
        with a probability of 1/2 at least."""
        return self.mean_ps * (1 << 2 * self.rounds)


@dataclass(frozen=True)
class NodeModel:
    """Memory and swap of a node; times infinite where there is no such decay."""

    t1_s: float
    t2_s: float
    swap_ps: int = 0
    swap_success: float = 1.0
    one_qubit_error: float = 0.0
    two_qubit_error: float = 0.0
    readout_error: float = 0.0

    @property
    def swap_factors(self) -> Correlations:
        """What a Bell measurement leaves of XX, YY and ZZ (docs/memory.md): its CNOT depolarises
        all three, its Hadamard XX and YY, and each of its two bits may be read wrongly."""
        gate_z = 1 - self.two_qubit_error
        gate_x = gate_z * (1 - self.one_qubit_error)
        seen = 1 - 2 * self.readout_error
        return gate_x * seen, gate_x * seen * seen, gate_z * seen


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


def correlations(features: LinkFeatures) -> Correlations:
    """Of a heralded pair, signs taken out."""
    fidelity = from_fraction(features.fidelity)
    if not features.zz:
        return werner(fidelity)
    zz = features.zz / 0xFFFF
    xx = max(4 * fidelity - 1 - zz, 0.0) / 2
    return xx, xx, zz


def pair_ps(features: LinkFeatures) -> int:
    """Mean time for a pair of a link that nobody else uses; of one that makes none, 146 years."""
    if not features.success:
        return 1 << 62
    return round(features.attempt_ps / from_fraction(features.success))


def link_model(features: LinkFeatures, turns: int = 1, bright_state: int = 0) -> LinkModel:
    """From a device's calibration. Photons are taken to meet in the middle of the fibre."""
    success = from_fraction(features.success)
    return LinkModel(
        success=success,
        attempt_ps=features.attempt_ps,
        herald_ps=features.delay_ps,
        delay_ps=features.delay_ps,
        correlations=correlations(features),
        turns=turns,
        other_success=success,
        bright_state=bright_state,
    )


def node_model(features: DeviceFeatures) -> NodeModel:
    """From a device's features."""
    return NodeModel(
        t1_s=features.t1_ps * 1e-12 or math.inf,
        t2_s=features.t2_ps * 1e-12 or math.inf,
        swap_ps=features.swap_time_ps,
        swap_success=from_fraction(features.swap_success),
        one_qubit_error=from_fraction(features.one_qubit_error),
        two_qubit_error=from_fraction(features.two_qubit_error),
        readout_error=from_fraction(features.readout_error),
    )


def models(
    topology: Topology, head: str, path: Sequence[Link]
) -> tuple[list[LinkModel], list[NodeModel]]:
    """Of the links of a path, as they are by themselves, and the nodes along it, from `head` on."""
    name = head
    nodes = [node_model(topology.devices[name].features)]
    for link in path:
        name = link.far(name).node
        nodes.append(node_model(topology.devices[name].features))
    return [_with(topology, link, 0) for link in path], nodes


def settings(topology: Topology, link: Link) -> list[LinkModel]:
    """What a circuit may choose on a link, fastest first: each slower one has more fidelity. Where
    there is nothing to choose, the link as it is."""
    found = [_with(topology, link, setting.bright_state) for setting in topology.settings(link)]
    found.sort(key=lambda model: -model.success)
    best: list[LinkModel] = []
    for model in found:
        if not best or model.fidelity > best[-1].fidelity:
            best.append(model)
    return best or [_with(topology, link, 0)]


def _with(topology: Topology, link: Link, bright_state: int) -> LinkModel:
    model = link_model(topology.features_at(link, bright_state), bright_state=bright_state)
    if link.tunnel is None:
        return model
    # Pairs come by the fibre, messages do not.
    return replace(model, delay_ps=message_delay_ps(topology.network, link, topology.down))


def estimate(
    links: Sequence[LinkModel],
    nodes: Sequence[NodeModel],
    slots: int,
    cutoff_ps: int = 0,
    *,
    rounds: int = 0,
    least_rate_per_s: float = 0.0,
    deliveries: int = DELIVERIES,
) -> Estimate | None:
    """Rate and fidelity with `slots` on each side of each link; `cutoff_ps` 0: none; `rounds` of
    distillation between the ends.

    None where fewer than `least_rate_per_s` / 2 would come, or too few of the links' pairs would
    ever be delivered (`EVENTS`): that is given up early.
    """
    return _estimate(
        tuple(links), tuple(nodes), slots, cutoff_ps, least_rate_per_s, deliveries, rounds
    )


@lru_cache(maxsize=10_000)
def _estimate(
    links: tuple[LinkModel, ...],
    nodes: tuple[NodeModel, ...],
    slots: int,
    cutoff_ps: int,
    least_rate_per_s: float,
    deliveries: int,
    rounds: int,
) -> Estimate | None:
    slow = least_rate_per_s / 2 or 0.05 / max(link.longest_ps * 1e-12 for link in links) / 4**rounds
    horizon_ps = min(round(1e12 * deliveries / slow), (1 << 62) - 1)
    result = simulate_chain(
        links,
        nodes,
        slots=slots,
        cutoff_ps=cutoff_ps,
        deliveries=deliveries,
        seed=SEED,
        horizon_ps=horizon_ps,
        most_events=EVENTS * deliveries,
        rounds=rounds,
    )
    rate, fidelity, latency = result["rate_per_s"], result["fidelity"], result["latency_ps"]
    if result["deliveries"] < deliveries or rate is None or fidelity is None or latency is None:
        return None
    return Estimate(*rate, *fidelity, latency[0])


def alone(links: Sequence[LinkModel]) -> list[LinkModel]:
    """The same links with no other circuit on them."""
    return [replace(link, turns=1) for link in links]


def best_fidelity(links: Sequence[LinkModel], nodes: Sequence[NodeModel], rounds: int = 0) -> float:
    """Of a pair whose link pairs are all heralded at once: no cut-off can give more. With `rounds`
    of distillation, of pairs that wait for nothing; likewise on the links.

    The halves age from emission to herald, and at the ends until the TRACKs have come.
    """
    xx = yy = zz = 1.0
    message_ps = sum(link.delay_ps for link in links)
    for place, link in enumerate(links):
        born_ps = 0 if link.rounds else link.herald_ps
        made = _made(link, nodes[place], nodes[place + 1])
        xx, yy, zz = (a * b for a, b in zip((xx, yy, zz), made, strict=True))
        for node, is_end in (
            (nodes[place], place == 0),
            (nodes[place + 1], place == len(links) - 1),
        ):
            stored_s = (born_ps + (message_ps if is_end else node.swap_ps)) * 1e-12
            dephased = math.exp(-stored_s / node.t2_s)
            xx, yy, zz = xx * dephased, yy * dephased, zz * math.exp(-stored_s / node.t1_s)
    for node in nodes[1:-1]:
        fx, fy, fz = node.swap_factors
        xx, yy, zz = xx * fx, yy * fy, zz * fz
    for _ in range(rounds):
        xx, yy, zz = distilled((xx, yy, zz), nodes[0], nodes[-1])
    return (1 + xx + yy + zz) / 4


def _made(link: LinkModel, left: NodeModel, right: NodeModel) -> Correlations:
    """The best that a link can give a circuit: as heralded, or distilled when both ends have told
    each other of it."""
    if not link.rounds:
        return link.correlations
    stored_s = (link.herald_ps + link.delay_ps) * 1e-12
    dephased = math.exp(-stored_s / left.t2_s - stored_s / right.t2_s)
    kept = math.exp(-stored_s / left.t1_s - stored_s / right.t1_s)
    xx, yy, zz = link.correlations
    pair = xx * dephased, yy * dephased, zz * kept
    for _ in range(link.rounds):
        pair = distilled(pair, left, right)
    return pair


def distilled(pair: Correlations, head: NodeModel, tail: NodeModel) -> Correlations:
    """What DEJMPS makes of two such pairs (docs/memory.md has the convention)."""
    gate = (1 - head.two_qubit_error) * (1 - tail.two_qubit_error)
    turn = (1 - head.one_qubit_error) * (1 - tail.one_qubit_error)
    seen = (1 - 2 * head.readout_error) * (1 - 2 * tail.readout_error)
    xx, yy, zz = pair
    success = 1 + gate * seen * (turn * yy) ** 2
    return (
        gate * turn**2 * (xx * xx + seen * zz * zz) / success,
        gate * turn**2 * xx * zz * (1 + seen) / success,
        gate * turn * yy * (1 + seen) / success,
    )


def most_rate_per_s(links: Sequence[LinkModel], slots: int, rounds: int = 0) -> float:
    """An upper bound: no link makes more, and an end keeps each half for a round trip at least.
    Each of the `rounds` of distillation between the ends takes two pairs for one."""
    message_ps = sum(link.delay_ps for link in links)
    bound = math.inf
    for place, link in enumerate(links):
        bound = min(bound, 1e12 / (link.mean_ps * (1 << link.rounds)))
        if place in (0, len(links) - 1):
            one_turn_ps = link.attempt_ps / link.success
            bound = min(bound, slots * 1e12 / (one_turn_ps + message_ps))
    return bound / (1 << rounds)
