"""What may be tried for a circuit on a path: slots, turns, settings of the links, rounds; and what
comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from qplane.control.planning.load import Load
from qplane.control.planning.model import (
    DELIVERIES,
    Estimate,
    LinkModel,
    NodeModel,
    alone,
    estimate,
    models,
    settings,
)
from qplane.control.planning.paths import Path
from qplane.control.slots import MAX_SLOTS_PER_SIDE
from qplane.control.topology import Topology
from qplane.net import Circuit, Link
from qplane.wire import DISTILLED_LINKS

SLOTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, MAX_SLOTS_PER_SIDE)

ROUNDS = 2
"""Of distillation, at most, where the request does not say how many."""

PAIRS_PER_LINK = 4096
"""Records of the P4 program for each link: a pair's must outlive it, whoever's pairs come next."""

ROUGH = 200
"""Deliveries that tell what is nowhere near the request."""


@dataclass(frozen=True)
class Option:
    """One path with a setting of its links, a division of their time, rounds of distillation."""

    path: Path
    links: list[LinkModel]
    nodes: list[NodeModel]
    rounds: int = 0

    @property
    def most_rounds(self) -> int:
        """Between the ends or on a link: one more slot is needed there."""
        return max(self.rounds, *(link.rounds for link in self.links))


def can_distil(topology: Topology, link: Link) -> bool:
    """Whether pairs can be distilled on the link: its number + 16 stands for them at both ends."""
    return all(
        end.number < DISTILLED_LINKS
        and end.number + DISTILLED_LINKS not in topology.devices[end.node].links
        for end in (link.a, link.b)
    )


def rounds_to_try(circuit: Circuit) -> Sequence[int]:
    """Rounds of distillation to try."""
    if circuit.distil is not None:
        return (circuit.distil,)
    if circuit.distil_links:
        return (0,)
    if not circuit.fidelity or circuit.complete or circuit.request == "early":
        return (0,)
    return range(ROUNDS + 1)


def ways_to_try(
    topology: Topology, circuit: Circuit, load: Load, path: Path
) -> Iterator[tuple[int, list[LinkModel]]]:
    """Rounds of distillation between the ends, and settings of the links with their own rounds:
    as few rounds as possible first, and of those between the ends first, in fast settings."""
    settings_of_path = list(settings_to_try(topology, circuit, load, path))
    between = [(rounds, links) for rounds in rounds_to_try(circuit) for links in settings_of_path]
    on_links = [
        (0, [replace(link, rounds=count) for link, count in zip(links, counts, strict=True)])
        for links in settings_of_path
        for counts in _link_rounds_to_try(topology, circuit, path, links)
    ]
    if circuit.distil_links:
        between = []
    yield from sorted(
        [*between, *on_links], key=lambda way: max(way[0], *(m.rounds for m in way[1]))
    )


def _link_rounds_to_try(
    topology: Topology, circuit: Circuit, path: Path, links: Sequence[LinkModel]
) -> Iterator[tuple[int, ...]]:
    """Rounds on each link: one on those of least fidelity, on more and more of them; two on all."""
    able = all(can_distil(topology, link) for link in path)
    if circuit.distil_links is not None:
        if circuit.distil_links and able:
            yield (circuit.distil_links,) * len(path)
        return
    if circuit.distil is not None or not circuit.fidelity or not able or len(path) == 1:
        return
    for bound in sorted({link.fidelity for link in links}):
        yield tuple(int(link.fidelity <= bound) for link in links)
    yield (2,) * len(path)


def settings_to_try(
    topology: Topology, circuit: Circuit, load: Load, path: Path
) -> Iterator[list[LinkModel]]:
    """Settings of a path's links, fastest first; then, step by step, those with the least fidelity
    are made better. Other circuits of a link bear each of them."""
    if not circuit.fidelity:
        yield models(topology, circuit.head, path)[0]
        return
    choices = []
    for link in path:
        borne = [m for m in settings(topology, link) if load.bears(link, round(m.alone_ps))]
        if not borne:
            return
        choices.append(borne)
    places = [0] * len(path)
    while True:
        links = [choice[place] for choice, place in zip(choices, places, strict=True)]
        yield links
        better = [index for index, choice in enumerate(choices) if places[index] + 1 < len(choice)]
        if not better:
            return
        worst = min(links[index].fidelity for index in better)
        for index in better:
            places[index] += links[index].fidelity <= worst + 1e-6


def option_of(
    links: list[LinkModel],
    nodes: list[NodeModel],
    load: Load,
    path: Path,
    turns: int,
    rounds: int,
) -> Option:
    shared = []
    for model, link in zip(links, path, strict=True):
        granted = load.turns(link, turns)
        limit = load.limits.get(link.index)
        if limit is not None:
            granted = min(granted, limit)  # more than a standing promise allows will never come
        turn_ps = load.turn_ps(link, round(model.alone_ps))
        other_success = min(model.attempt_ps / turn_ps, 1.0)
        shared.append(replace(model, turns=granted, other_success=other_success))
    return Option(path, shared, nodes, rounds)


def slots_to_try(topology: Topology, circuit: Circuit, load: Load, path: Path) -> Iterator[int]:
    """Numbers of slots to try that are free on every node of the path."""
    nodes = [circuit.head]
    for link in path:
        nodes.append(link.far(nodes[-1]).node)
    for slots in (circuit.slots,) if circuit.slots else SLOTS:
        sides = [1 if place in (0, len(path)) else 2 for place in range(len(nodes))]
        if not all(
            load.has_slots(node, side, slots) for node, side in zip(nodes, sides, strict=True)
        ):
            return
        yield slots


def reckon(circuit: Circuit, option: Option, slots: int, cutoff_ps: int) -> Estimate | None:
    """The estimate with all turns taken, its fidelity not above that with none taken."""
    rough = _with_turns(circuit, option, slots, cutoff_ps, deliveries=ROUGH)
    if rough is None or _is_hopeless(circuit, rough):
        return rough
    found = _with_turns(circuit, option, slots, cutoff_ps, deliveries=DELIVERIES)
    if found is None or all(link.turns == 1 for link in option.links):
        return found
    idle = estimate(alone(option.links), option.nodes, slots, cutoff_ps, rounds=option.rounds)
    if idle is None or idle.sure_fidelity >= found.sure_fidelity:
        return found
    return replace(found, fidelity=idle.fidelity, fidelity_error=idle.fidelity_error)


def _with_turns(
    circuit: Circuit, option: Option, slots: int, cutoff_ps: int, *, deliveries: int
) -> Estimate | None:
    return estimate(
        option.links,
        option.nodes,
        slots,
        cutoff_ps,
        rounds=option.rounds,
        least_rate_per_s=circuit.rate_per_s,
        deliveries=deliveries,
    )


def _is_hopeless(circuit: Circuit, rough: Estimate) -> bool:
    """Whether more pairs would not change that this is not good enough."""
    return (
        rough.rate_per_s + 5 * rough.rate_error < circuit.rate_per_s
        or rough.fidelity + 5 * rough.fidelity_error < circuit.fidelity
    )


def cutoffs(option: Option) -> tuple[int, int]:
    """The range in which a cut-off makes sense: a herald must come within it."""
    herald_ps = max(link.herald_ps for link in option.links)
    slowest_ps = max(link.longest_ps for link in option.links)
    least = herald_ps + max(link.attempt_ps for link in option.links)
    return least, max(2 * least, round(20 * slowest_ps))


def is_met(circuit: Circuit, found: Estimate) -> bool:
    return found.sure_fidelity >= circuit.fidelity and found.sure_rate_per_s >= circuit.rate_per_s


def records_suffice(option: Option, slots: int, cutoff_ps: int, found: Estimate) -> bool:
    """Whether the record of a pair stands until it is done, while its link makes others."""
    waits = max(len(option.links) - 1, 1)
    longest_ps = cutoff_ps or max(21 * slots * link.longest_ps for link in option.links)
    if cutoff_ps:  # a pair waits on its link for another to be distilled with
        longest_ps += max((21 * link.longest_ps for link in option.links if link.rounds), default=0)
    lifetime_ps = waits * longest_ps + 4 * sum(link.delay_ps for link in option.links)
    if option.rounds:  # until there is another pair of as many rounds; seven times the mean
        lifetime_ps += round(7e12 / found.rate_per_s)
    return all(
        lifetime_ps * link.success / link.attempt_ps < PAIRS_PER_LINK for link in option.links
    )
