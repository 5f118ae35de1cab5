"""What a refusal says: what would be possible instead. All of it is admitted if it is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from qplane.control.planning.load import Load
from qplane.control.planning.model import Estimate, best_fidelity, models, most_rate_per_s
from qplane.control.planning.options import (
    Option,
    cutoffs,
    is_met,
    option_of,
    reckon,
    records_suffice,
    rounds_to_try,
    slots_to_try,
    ways_to_try,
)
from qplane.control.planning.paths import Path
from qplane.control.topology import Topology
from qplane.net import Circuit

_CUTOFFS = 9
"""Cut-offs that are tried for what a refusal offers."""

_SETTINGS = 4
"""Likewise settings of the links of a path, for each number of rounds."""

_RETREATS = 5
"""How often an offer is made a little smaller where it would not be admitted."""

_Try = tuple[Option, int]
"""An option and a number of slots."""


@dataclass(frozen=True)
class Offer:
    """A way to serve a circuit with what comes of it."""

    option: Option
    slots: int
    cutoff_ps: int
    estimate: Estimate


def admissible(
    topology: Topology, circuit: Circuit, load: Load, paths: Sequence[Path]
) -> Offer | None:
    """A way that meets the request, among those that a refusal would offer."""
    for way in _tries(topology, circuit, load, paths):
        if _is_conceivable(circuit, way):
            found = _first(circuit, way)
            if found is not None:
                return found
    return None


def refusal(topology: Topology, circuit: Circuit, load: Load, paths: Sequence[Path]) -> str:
    """Why a circuit is refused, and what would be possible."""
    wanted = _terms(circuit.fidelity, circuit.rate_per_s)
    text = f"circuit {circuit.name}: {wanted} is not possible from {circuit.head} to {circuit.tail}"
    if not any(any(True for _ in slots_to_try(topology, circuit, load, path)) for path in paths):
        return f"{text}: no slots are left for it on any path"
    tries = _tries(topology, circuit, load, paths)
    offers = []
    found = _most_rate(circuit, tries)
    if found is not None:
        rate = _rounded_down(found.estimate.sure_rate_per_s)
        offers += _confirmed(circuit, found, circuit.fidelity, rate)
    if circuit.fidelity and (not offers or circuit.rate_per_s):
        rate = circuit.rate_per_s
        found = _most_fidelity(circuit, tries)
        if found is None and not offers:  # neither of the two can be had
            found = _most_fidelity(replace(circuit, rate_per_s=0.0), tries)
            rate = 0.0
        if found is not None:
            fidelity = math.floor(1000 * found.estimate.sure_fidelity) / 1000
            rate = rate or _rounded_down(found.estimate.sure_rate_per_s)
            offers += _confirmed(circuit, found, fidelity, rate)
    if not offers:
        best = max(
            (
                best_fidelity(links, models(topology, circuit.head, path)[1], count)
                for path in paths
                for count, links in ways_to_try(topology, circuit, load, path)
            ),
            default=0.0,
        )
        rounds = max(rounds_to_try(circuit))
        with_ = f", also with {rounds} rounds of distillation" if rounds else ""
        return f"{text}; no path gives more than {best:.3f} at any rate{with_}"
    return f"{text}; {', or '.join(offers)} is"


def _confirmed(circuit: Circuit, found: Offer, fidelity: float, rate: float) -> list[str]:
    """The terms, a little below these where another estimate is just short of them; or nothing."""
    for _ in range(_RETREATS):
        asked = replace(circuit, fidelity=fidelity, rate_per_s=rate)
        if fidelity < 0 or _first(asked, (found.option, found.slots)) is None:
            if rate == circuit.rate_per_s:
                fidelity = round(fidelity - 0.001, 3)
            else:
                rate = _rounded_down(0.98 * rate)
        else:
            return [_terms(fidelity, rate)]
    return []


def _most_rate(circuit: Circuit, tries: Sequence[_Try]) -> Offer | None:
    """The highest rate with the fidelity asked for."""
    free = replace(circuit, rate_per_s=0.0)
    best: Offer | None = None
    for way in tries:
        if _is_conceivable(circuit, way) and (best is None or _may_be_faster(way, best)):
            found = _first(free, way)
            if found is not None and (
                best is None or found.estimate.sure_rate_per_s > best.estimate.sure_rate_per_s
            ):
                best = found
    return best


def _may_be_faster(way: _Try, than: Offer) -> bool:
    option, slots = way
    bound = most_rate_per_s(option.links, slots, option.rounds)
    return bound > than.estimate.sure_rate_per_s


def _most_fidelity(circuit: Circuit, tries: Sequence[_Try]) -> Offer | None:
    """The highest fidelity with the rate asked for."""
    best: Offer | None = None
    asked = replace(circuit, fidelity=0.0)
    for way in tries:
        if not _is_conceivable(asked, way):
            continue
        for offer in _descending(asked, way):
            if offer.estimate.sure_rate_per_s >= circuit.rate_per_s and (
                best is None or offer.estimate.sure_fidelity > best.estimate.sure_fidelity
            ):
                best = offer
        if best is not None:  # what is clearly worse need not be known well
            asked = replace(circuit, fidelity=best.estimate.sure_fidelity)
    return best


def _is_conceivable(circuit: Circuit, way: _Try) -> bool:
    option, _ = way
    return best_fidelity(option.links, option.nodes, option.rounds) >= circuit.fidelity


def _first(circuit: Circuit, way: _Try) -> Offer | None:
    """With the longest cut-off that meets the request."""
    return next(
        (offer for offer in _descending(circuit, way) if is_met(circuit, offer.estimate)), None
    )


def _descending(circuit: Circuit, way: _Try) -> Iterator[Offer]:
    """What comes of the cut-offs to try, longest first, as long as anything comes."""
    option, slots = way
    lengths = [circuit.cutoff_ps]
    if not circuit.cutoff_ps:
        least, most = cutoffs(option)
        lengths += [
            round(most * (least / most) ** (step / (_CUTOFFS - 1))) for step in range(_CUTOFFS)
        ]
    for cutoff_ps in lengths:
        found = reckon(circuit, option, slots, cutoff_ps)
        if found is None:
            return
        if records_suffice(option, slots, cutoff_ps, found):
            yield Offer(option, slots, cutoff_ps, found)


def _tries(topology: Topology, circuit: Circuit, load: Load, paths: Sequence[Path]) -> list[_Try]:
    """All to oneself: what may be offered of each path, with as many slots as there are."""
    tries = []
    for path in paths:
        slots = max(slots_to_try(topology, circuit, load, path), default=0)
        _, nodes = models(topology, circuit.head, path)
        by_rounds: dict[tuple[int, int], list[Option]] = {}
        for count, links in ways_to_try(topology, circuit, load, path):
            option = option_of(links, nodes, load, path, 1, count)
            if option.most_rounds < slots:
                by_rounds.setdefault((count, option.most_rounds), []).append(option)
        for options in by_rounds.values():
            step = math.ceil(len(options) / _SETTINGS)
            tries += [(option, slots) for option in options[::step]]
    return tries


def _rounded_down(rate: float) -> float:
    """To two digits, so that what is offered is also admitted."""
    if rate <= 0:
        return 0.0
    digits = 1 - math.floor(math.log10(rate))
    return math.floor(rate * 10.0**digits) / 10.0**digits


def _terms(fidelity: float, rate_per_s: float) -> str:
    parts = []
    if fidelity:
        parts.append(f"fidelity {fidelity:.10g}")
    if rate_per_s:
        parts.append(f"{rate_per_s:.10g} pairs/s")
    return " at ".join(parts)
