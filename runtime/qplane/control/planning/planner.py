"""Which path, slots, cut-off and turns a circuit gets, or why it gets none.

A request asks for a mean fidelity, a mean rate, or both. Every path of a few candidates is tried
with more and more slots and fewer and fewer turns granted to others; for each of these there is one
best cut-off, the longest with which the fidelity is still reached, because a longer one only makes
the rate grow. Where swapping alone does not reach the fidelity, pairs are distilled between the
ends, in one round or two. What meets the request with the least resources is taken: the shares of
the devices' slots and of the links' time that it binds.

A promise holds whatever the other circuits do. Their turns may be taken or not: the rate is that
with all turns taken, the fidelity the lower one of both extremes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from qplane.control.errors import NoPathError, RefusedError
from qplane.control.planning.load import Load, Promise
from qplane.control.planning.model import (
    DELIVERIES,
    Estimate,
    LinkModel,
    NodeModel,
    alone,
    best_fidelity,
    estimate,
    models,
    most_rate_per_s,
)
from qplane.control.planning.paths import Path, candidates
from qplane.control.slots import MAX_SLOTS_PER_SIDE
from qplane.control.topology import Topology
from qplane.net import Circuit

TURNS = (16, 8, 6, 4, 3, 2, 1)
"""Circuits on a link, this one included, that a plan reckons with; more are better."""

TURNS_UNASKED = 4
"""The most that is granted where no rate was asked for."""

SLOTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, MAX_SLOTS_PER_SIDE)

PAIRS_PER_LINK = 4096
"""Records of the P4 program for each link: a pair's must outlive it, whoever's pairs come next."""

ROUNDS = 2
"""Of distillation, at most, where the request does not say how many."""

ROUGH = 200
"""Deliveries that tell what is nowhere near the request."""

_STEPS = 5
"""Bisections of the logarithm of the cut-off."""

_OFFERS = 9
"""Cut-offs that are tried for what a refusal offers."""


@dataclass(frozen=True)
class Choice:
    """A circuit as it shall be, with what it will deliver. `cost` is a sum of shares bound."""

    path: Path
    slots: int
    cutoff_ps: int
    rounds: int
    promise: Promise
    estimate: Estimate
    cost: float

    def applied(self, circuit: Circuit) -> Circuit:
        """The circuit with what was chosen filled in."""
        return replace(
            circuit,
            path=self.path,
            slots=self.slots,
            cutoff_ps=self.cutoff_ps,
            distil=self.rounds,
        )


@dataclass(frozen=True)
class _Option:
    """One path with one division of the links' time, and rounds of distillation."""

    path: Path
    links: list[LinkModel]
    nodes: list[NodeModel]
    rounds: int = 0


def choose(topology: Topology, circuit: Circuit, load: Load) -> Choice:
    """The cheapest way to give `circuit` what it asks for beside what stands.

    `circuit.slots` and `circuit.cutoff_ps` are kept to where they are given. Raises NoPathError
    where no path is left, RefusedError where none is good enough; its text says what would be
    possible.
    """
    paths = candidates(topology, load, circuit.head, circuit.tail)
    if not paths:
        raise NoPathError(
            f"circuit {circuit.name}: no path from {circuit.head} to {circuit.tail}; there is no "
            "chain of quantum links that answer and have a turn left for one more circuit"
        )
    best: Choice | None = None
    for path in paths:
        found = _on_path(topology, circuit, load, path, math.inf if best is None else best.cost)
        if found is not None and (best is None or found.cost < best.cost):
            best = found
    if best is None:
        raise RefusedError(_refusal(topology, circuit, load, paths))
    return best


def _on_path(
    topology: Topology, circuit: Circuit, load: Load, path: Path, limit: float
) -> Choice | None:
    """The cheapest choice on one path that costs less than `limit`."""
    models_of_path = models(topology, circuit.head, path)
    rounds = [
        count
        for count in _rounds(circuit)
        if best_fidelity(*models_of_path, count) >= circuit.fidelity
    ]
    if not rounds:
        return None
    most_turns = TURNS[0] if circuit.rate_per_s else TURNS_UNASKED
    best: Choice | None = None
    for slots in _slots(topology, circuit, load, path):
        for turns in TURNS:
            if turns > most_turns:
                continue
            option = _option(models_of_path, load, path, turns)
            cost = _cost(topology, circuit, option, slots)
            if cost >= limit:
                break  # fewer turns only cost more
            reached = _in_some_rounds(circuit, option, slots, rounds)
            if reached is not None:
                option, cutoff_ps, found = reached
                best = _chosen(circuit, option, slots, cutoff_ps, found, cost)
                limit = cost
                break
    return best


def _rounds(circuit: Circuit) -> Sequence[int]:
    """Rounds of distillation to try."""
    if circuit.distil is not None:
        return (circuit.distil,)
    if not circuit.fidelity or circuit.complete or circuit.request == "early":
        return (0,)
    return range(ROUNDS + 1)


def _in_some_rounds(
    circuit: Circuit, option: _Option, slots: int, rounds: Sequence[int]
) -> tuple[_Option, int, Estimate] | None:
    """With as few rounds as suffice; they cost the same slots and the same time on the links."""
    for count in rounds:
        if count < slots:
            distilled = replace(option, rounds=count)
            reached = _meet(circuit, distilled, slots)
            if reached is not None:
                return distilled, *reached
    return None


def _chosen(
    circuit: Circuit, option: _Option, slots: int, cutoff_ps: int, found: Estimate, cost: float
) -> Choice:
    promise = Promise(
        fidelity=circuit.fidelity or found.sure_fidelity,
        rate_per_s=circuit.rate_per_s or found.sure_rate_per_s,
        turns=tuple(link.turns for link in option.links),
    )
    return Choice(option.path, slots, cutoff_ps, option.rounds, promise, found, cost)


def _option(
    models_of_path: tuple[list[LinkModel], list[NodeModel]], load: Load, path: Path, turns: int
) -> _Option:
    links, nodes = models_of_path
    shared = []
    for model, link in zip(links, path, strict=True):
        granted = load.turns(link, turns)
        limit = load.limits.get(link.index)
        # More than a standing promise allows will never come.
        shared.append(replace(model, turns=granted if limit is None else min(granted, limit)))
    return _Option(path, shared, nodes)


def _slots(topology: Topology, circuit: Circuit, load: Load, path: Path) -> Iterator[int]:
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


def _cost(topology: Topology, circuit: Circuit, option: _Option, slots: int) -> float:
    """Shares of the links' time, and of the devices' slots, that are bound."""
    time = sum(1 / link.turns for link in option.links)
    memory = 0.0
    for link in option.path:
        for end in (link.a, link.b):
            memory += slots / topology.devices[end.node].features.slots
    return time + memory


def _meet(circuit: Circuit, option: _Option, slots: int) -> tuple[int, Estimate] | None:
    """A cut-off (0: none) and what comes of it, if the request is met."""
    if most_rate_per_s(option.links, slots) < circuit.rate_per_s * (1 << option.rounds):
        return None
    if circuit.cutoff_ps:
        found = _both(circuit, option, slots, circuit.cutoff_ps)
        return (circuit.cutoff_ps, found) if found and _is_met(circuit, found) else None
    # Without a cut-off the rate is highest.
    found = _both(circuit, option, slots, 0)
    if found is None or found.sure_rate_per_s < circuit.rate_per_s:
        return None
    if found.sure_fidelity >= circuit.fidelity and _records_suffice(option, slots, 0, found):
        return 0, found
    least, most = _cutoffs(option)
    for _ in range(_STEPS):
        cutoff_ps = round(math.sqrt(least * most))
        found = _both(circuit, option, slots, cutoff_ps)
        if found is None or found.sure_rate_per_s < circuit.rate_per_s:
            if found is not None and found.sure_fidelity < circuit.fidelity:
                return None  # a longer one loses fidelity, a shorter one rate
            least = cutoff_ps
        elif found.sure_fidelity >= circuit.fidelity and _records_suffice(
            option, slots, cutoff_ps, found
        ):
            return cutoff_ps, found
        else:
            most = cutoff_ps
    return None


def _is_met(circuit: Circuit, found: Estimate) -> bool:
    return found.sure_fidelity >= circuit.fidelity and found.sure_rate_per_s >= circuit.rate_per_s


def _both(circuit: Circuit, option: _Option, slots: int, cutoff_ps: int) -> Estimate | None:
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
    circuit: Circuit, option: _Option, slots: int, cutoff_ps: int, *, deliveries: int
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


def _cutoffs(option: _Option) -> tuple[int, int]:
    """The range in which a cut-off makes sense: a herald must come within it."""
    herald_ps = max(link.herald_ps for link in option.links)
    slowest_ps = max(link.mean_ps for link in option.links)
    least = herald_ps + max(link.attempt_ps for link in option.links)
    return least, max(2 * least, round(20 * slowest_ps))


def _records_suffice(option: _Option, slots: int, cutoff_ps: int, found: Estimate) -> bool:
    """Whether the record of a pair stands until it is done, while its link makes others."""
    waits = max(len(option.links) - 1, 1)
    longest_ps = cutoff_ps or max(21 * slots * link.mean_ps for link in option.links)
    lifetime_ps = waits * longest_ps + 4 * sum(link.delay_ps for link in option.links)
    if option.rounds:  # until there is another pair of as many rounds; seven times the mean
        lifetime_ps += round(7e12 / found.rate_per_s)
    return all(
        lifetime_ps * link.success / link.attempt_ps < PAIRS_PER_LINK for link in option.links
    )


def check_turns(circuit: Circuit, path: Path, load: Load) -> None:
    """Raise RefusedError where a circuit that asks for nothing would break another's promise."""
    for link in path:
        if not load.has_turn(link):
            raise RefusedError(
                f"circuit {circuit.name}: link {link.name} serves {load.circuits[link.index]} "
                "circuits already, and one of them was promised that there would not be more"
            )


# ---- refusals ----


def _refusal(topology: Topology, circuit: Circuit, load: Load, paths: Sequence[Path]) -> str:
    wanted = _terms(circuit.fidelity, circuit.rate_per_s)
    text = f"circuit {circuit.name}: {wanted} is not possible from {circuit.head} to {circuit.tail}"
    feasible = [
        (path, slots) for path in paths for slots in _widest(_slots(topology, circuit, load, path))
    ]
    if not feasible:
        return f"{text}: no slots are left for it on any path"
    offers = []
    tries = [
        (path, slots, rounds)
        for path, slots in feasible
        for rounds in _rounds(circuit)
        if rounds < slots
    ]
    if circuit.fidelity:
        rates = [_best(topology, circuit, load, *each, of_rate=True) for each in tries]
        rate = max((found.sure_rate_per_s for found in rates if found), default=0.0)
        if rate > 0:
            offers.append(_terms(circuit.fidelity, _rounded_down(rate)))
    if not offers or circuit.rate_per_s:
        asked = circuit.rate_per_s
        found = _most_fidelity(topology, circuit, load, tries)
        if found is None and not offers:  # neither of the two can be had
            asked = 0.0
            found = _most_fidelity(topology, replace(circuit, rate_per_s=0.0), load, tries)
        if found is not None:
            rate = asked or _rounded_down(found.sure_rate_per_s)
            offers.append(_terms(math.floor(1000 * found.sure_fidelity) / 1000, rate))
    if not offers:
        rounds = max(_rounds(circuit))
        best = max(
            best_fidelity(*models(topology, circuit.head, path), count)
            for path in paths
            for count in _rounds(circuit)
        )
        with_ = f", also with {rounds} rounds of distillation" if rounds else ""
        return f"{text}; no path gives more than {best:.3f} at any rate{with_}"
    return f"{text}; {', or '.join(offers)} is"


def _most_fidelity(
    topology: Topology, circuit: Circuit, load: Load, tries: Sequence[tuple[Path, int, int]]
) -> Estimate | None:
    """The highest fidelity with the rate asked for, over paths, slots, rounds."""
    found = [_best(topology, circuit, load, *each, of_rate=False) for each in tries]
    return max((f for f in found if f), key=lambda f: f.sure_fidelity, default=None)


def _widest(slots: Iterator[int]) -> Sequence[int]:
    return list(slots)[-1:]


def _best(
    topology: Topology,
    circuit: Circuit,
    load: Load,
    path: Path,
    slots: int,
    rounds: int,
    *,
    of_rate: bool,
) -> Estimate | None:
    """The highest rate with the fidelity asked for, or the highest fidelity with the rate."""
    option = replace(_option(models(topology, circuit.head, path), load, path, 1), rounds=rounds)
    if best_fidelity(option.links, option.nodes, rounds) < (circuit.fidelity if of_rate else 0):
        return None
    best: Estimate | None = None
    for cutoff_ps in _descending(circuit, option):
        # A shorter cut-off gives more fidelity and a lower rate.
        least_rate = 0.0 if of_rate else circuit.rate_per_s
        found = _both(replace(circuit, rate_per_s=least_rate), option, slots, cutoff_ps)
        if found is None or found.sure_rate_per_s < least_rate:
            break
        if not of_rate:
            best = found
        elif found.sure_fidelity >= circuit.fidelity:
            return found
    return best


def _descending(circuit: Circuit, option: _Option) -> Iterator[int]:
    """Cut-offs to try for an offer, longest first."""
    if circuit.cutoff_ps:
        yield circuit.cutoff_ps
        return
    least, most = _cutoffs(option)
    for step in range(_OFFERS):
        yield round(most * (least / most) ** (step / (_OFFERS - 1)))


def _rounded_down(rate: float) -> float:
    """To two digits, so that what is offered is also admitted."""
    if rate <= 0:
        return 0.0
    scale = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return math.floor(rate / scale) * scale


def _terms(fidelity: float, rate_per_s: float) -> str:
    parts = []
    if fidelity:
        parts.append(f"fidelity {fidelity:.3g}")
    if rate_per_s:
        parts.append(f"{rate_per_s:.4g} pairs/s")
    return " at ".join(parts)
