"""Which path, slots, cut-off and turns a circuit gets, or why it gets none.

A request asks for a mean fidelity, a mean rate, or both. Every path of a few candidates is tried
with more and more slots and fewer and fewer turns granted to others; for each of these there is one
best cut-off, the longest with which the fidelity is still reached, because a longer one only makes
the rate grow. On links whose bright state a circuit may choose (single-click), more population
makes more pairs of less fidelity: the fastest settings with which the fidelity can be reached are
tried first. Where swapping alone does not reach the fidelity, pairs are distilled, in one round or
two: between the ends, or on the links before they are swapped. What meets the request with the
least resources is taken: the shares of the devices' slots and of the links' time that it binds.

A promise holds whatever the other circuits do. Their turns may be taken or not: the rate is that
with all turns taken, the fidelity the lower one of both extremes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from qplane.control.errors import NoPathError, RefusedError
from qplane.control.planning.load import Load, Promise
from qplane.control.planning.model import (
    Estimate,
    LinkModel,
    best_fidelity,
    models,
    most_rate_per_s,
)
from qplane.control.planning.offers import admissible, refusal
from qplane.control.planning.options import (
    Option,
    cutoffs,
    is_met,
    option_of,
    reckon,
    records_suffice,
    slots_to_try,
    ways_to_try,
)
from qplane.control.planning.paths import Path, candidates
from qplane.control.topology import Topology
from qplane.net import Circuit

TURNS = (16, 8, 6, 4, 3, 2, 1)
"""Circuits on a link, this one included, that a plan reckons with; more are better."""

TURNS_UNASKED = 4
"""The most that is granted where no rate was asked for."""

_STEPS = 5
"""Bisections of the logarithm of the cut-off."""


@dataclass(frozen=True)
class Choice:
    """A circuit as it shall be, with what it will deliver. `cost` is a sum of shares bound."""

    path: Path
    slots: int
    cutoff_ps: int
    rounds: int
    bright_states: tuple[int, ...]
    link_rounds: tuple[int, ...]
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
            link_rounds=self.link_rounds,
            bright_states=self.bright_states,
        )


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
    if best is None:  # the bisection of the cut-off may have missed what a refusal would offer
        offer = admissible(topology, circuit, load, paths)
        if offer is not None:
            cost = _cost(topology, circuit, offer.option, offer.slots)
            return _chosen(
                circuit, offer.option, offer.slots, offer.cutoff_ps, offer.estimate, cost
            )
        raise RefusedError(refusal(topology, circuit, load, paths))
    return best


def _on_path(
    topology: Topology, circuit: Circuit, load: Load, path: Path, limit: float
) -> Choice | None:
    """The cheapest choice on one path that costs less than `limit`."""
    _, nodes = models(topology, circuit.head, path)
    ways = _ways(topology, circuit, load, path)
    if not ways:
        return None
    most_turns = TURNS[0] if circuit.rate_per_s else TURNS_UNASKED
    best: Choice | None = None
    for slots in slots_to_try(topology, circuit, load, path):
        for turns in TURNS:
            if turns > most_turns:
                continue
            options = [option_of(links, nodes, load, path, turns, count) for count, links in ways]
            cost = _cost(topology, circuit, options[0], slots)
            if cost >= limit:
                break  # fewer turns only cost more
            reached = _first_met(circuit, options, slots)
            if reached is not None:
                option, cutoff_ps, found = reached
                best = _chosen(circuit, option, slots, cutoff_ps, found, cost)
                limit = cost
                break
    return best


def _ways(
    topology: Topology, circuit: Circuit, load: Load, path: Path
) -> list[tuple[int, list[LinkModel]]]:
    """Rounds of distillation and settings of the links to try, with which the fidelity is possible:
    as few rounds as suffice first, and of those the fastest settings. They all cost the same."""
    _, nodes = models(topology, circuit.head, path)
    return [
        (count, links)
        for count, links in ways_to_try(topology, circuit, load, path)
        if best_fidelity(links, nodes, count) >= circuit.fidelity
    ]


def _first_met(
    circuit: Circuit, options: Sequence[Option], slots: int
) -> tuple[Option, int, Estimate] | None:
    """The first way that meets the request, with its cut-off."""
    for option in options:
        if option.most_rounds < slots:
            reached = _meet(circuit, option, slots)
            if reached is not None:
                return option, *reached
    return None


def _chosen(
    circuit: Circuit, option: Option, slots: int, cutoff_ps: int, found: Estimate, cost: float
) -> Choice:
    promise = Promise(
        fidelity=circuit.fidelity or found.sure_fidelity,
        rate_per_s=circuit.rate_per_s or found.sure_rate_per_s,
        turns=tuple(link.turns for link in option.links),
        turn_ps=tuple(round(link.attempt_ps / link.other_success) for link in option.links),
    )
    bright_states = tuple(link.bright_state for link in option.links)
    link_rounds = tuple(link.rounds for link in option.links)
    return Choice(
        option.path,
        slots,
        cutoff_ps,
        option.rounds,
        bright_states,
        link_rounds,
        promise,
        found,
        cost,
    )


def _cost(topology: Topology, circuit: Circuit, option: Option, slots: int) -> float:
    """Shares of the links' time, and of the devices' slots, that are bound."""
    time = sum(1 / link.turns for link in option.links)
    memory = 0.0
    for link in option.path:
        for end in (link.a, link.b):
            memory += slots / topology.devices[end.node].features.slots
    return time + memory


def _meet(circuit: Circuit, option: Option, slots: int) -> tuple[int, Estimate] | None:
    """A cut-off (0: none) and what comes of it, if the request is met."""
    if most_rate_per_s(option.links, slots, option.rounds) < circuit.rate_per_s:
        return None
    if circuit.cutoff_ps:
        found = reckon(circuit, option, slots, circuit.cutoff_ps)
        return (circuit.cutoff_ps, found) if found and is_met(circuit, found) else None
    # Without a cut-off the rate is highest.
    found = reckon(circuit, option, slots, 0)
    if found is None or found.sure_rate_per_s < circuit.rate_per_s:
        return None
    if found.sure_fidelity >= circuit.fidelity and records_suffice(option, slots, 0, found):
        return 0, found
    least, most = cutoffs(option)
    for _ in range(_STEPS):
        cutoff_ps = round(math.sqrt(least * most))
        found = reckon(circuit, option, slots, cutoff_ps)
        if found is None or found.sure_rate_per_s < circuit.rate_per_s:
            if found is not None and found.sure_fidelity < circuit.fidelity:
                return None  # a longer one loses fidelity, a shorter one rate
            least = cutoff_ps
        elif found.sure_fidelity >= circuit.fidelity and records_suffice(
            option, slots, cutoff_ps, found
        ):
            return cutoff_ps, found
        else:
            most = cutoff_ps
    return None


def check_turns(circuit: Circuit, path: Path, load: Load) -> None:
    """Raise RefusedError where a circuit that asks for nothing would break another's promise."""
    for link in path:
        if not load.has_turn(link):
            raise RefusedError(
                f"circuit {circuit.name}: link {link.name} serves {load.circuits[link.index]} "
                "circuits already, and one of them was promised that there would not be more"
            )
