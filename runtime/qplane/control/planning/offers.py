"""What a refusal says: what would be possible instead."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from qplane.control.planning.load import Load
from qplane.control.planning.model import Estimate, best_fidelity, models
from qplane.control.planning.options import (
    Option,
    cutoffs,
    option_of,
    reckon,
    rounds_to_try,
    settings_to_try,
    slots_to_try,
)
from qplane.control.planning.paths import Path
from qplane.control.topology import Topology
from qplane.net import Circuit

_OFFERS = 9
"""Cut-offs that are tried for what a refusal offers."""

_SETTINGS = 4
"""Likewise settings of the links of a path."""


def refusal(topology: Topology, circuit: Circuit, load: Load, paths: Sequence[Path]) -> str:
    wanted = _terms(circuit.fidelity, circuit.rate_per_s)
    text = f"circuit {circuit.name}: {wanted} is not possible from {circuit.head} to {circuit.tail}"
    feasible = [
        (path, slots)
        for path in paths
        for slots in list(slots_to_try(topology, circuit, load, path))[-1:]  # the most
    ]
    if not feasible:
        return f"{text}: no slots are left for it on any path"
    offers = []
    tries = [
        (option, slots)
        for path, slots in feasible
        for option in _offered(topology, circuit, load, path)
        if option.rounds < slots
    ]
    if circuit.fidelity:
        rates = [_best(circuit, *each, of_rate=True) for each in tries]
        rate = max((found.sure_rate_per_s for found in rates if found), default=0.0)
        if rate > 0:
            offers.append(_terms(circuit.fidelity, _rounded_down(rate)))
    if not offers or circuit.rate_per_s:
        asked = circuit.rate_per_s
        found = _most_fidelity(circuit, tries)
        if found is None and not offers:  # neither of the two can be had
            asked = 0.0
            found = _most_fidelity(replace(circuit, rate_per_s=0.0), tries)
        if found is not None:
            rate = asked or _rounded_down(found.sure_rate_per_s)
            offers.append(_terms(math.floor(1000 * found.sure_fidelity) / 1000, rate))
    if not offers:
        rounds = max(rounds_to_try(circuit))
        best = max(
            best_fidelity(links, models(topology, circuit.head, path)[1], count)
            for path in paths
            for links in settings_to_try(topology, circuit, load, path)
            for count in rounds_to_try(circuit)
        )
        with_ = f", also with {rounds} rounds of distillation" if rounds else ""
        return f"{text}; no path gives more than {best:.3f} at any rate{with_}"
    return f"{text}; {', or '.join(offers)} is"


def _most_fidelity(circuit: Circuit, tries: Sequence[tuple[Option, int]]) -> Estimate | None:
    """The highest fidelity with the rate asked for."""
    found = [_best(circuit, *each, of_rate=False) for each in tries]
    return max((f for f in found if f), key=lambda f: f.sure_fidelity, default=None)


def _offered(topology: Topology, circuit: Circuit, load: Load, path: Path) -> Iterator[Option]:
    """All to oneself: what a refusal may offer of a path, some settings of its links."""
    _, nodes = models(topology, circuit.head, path)
    settings_of_path = list(settings_to_try(topology, circuit, load, path))
    for links in settings_of_path[:: math.ceil(len(settings_of_path) / _SETTINGS) or 1]:
        for rounds in rounds_to_try(circuit):
            yield option_of(links, nodes, load, path, 1, rounds)


def _best(circuit: Circuit, option: Option, slots: int, *, of_rate: bool) -> Estimate | None:
    """The highest rate with the fidelity asked for, or the highest fidelity with the rate."""
    if of_rate and best_fidelity(option.links, option.nodes, option.rounds) < circuit.fidelity:
        return None
    best: Estimate | None = None
    for cutoff_ps in _descending(circuit, option):
        # A shorter cut-off gives more fidelity and a lower rate.
        least_rate = 0.0 if of_rate else circuit.rate_per_s
        found = reckon(replace(circuit, rate_per_s=least_rate), option, slots, cutoff_ps)
        if found is None or found.sure_rate_per_s < least_rate:
            break
        if not of_rate:
            best = found
        elif found.sure_fidelity >= circuit.fidelity:
            return found
    return best


def _descending(circuit: Circuit, option: Option) -> Iterator[int]:
    """Cut-offs to try for an offer, longest first."""
    if circuit.cutoff_ps:
        yield circuit.cutoff_ps
        return
    least, most = cutoffs(option)
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
