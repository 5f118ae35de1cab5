"""Whether what is asked of a circuit makes sense at all, whoever asks."""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from qplane.arguments import described, fits
from qplane.control.errors import ControlError
from qplane.control.slots import MAX_SLOTS_PER_SIDE
from qplane.control.timing import LONGEST_PS
from qplane.net import DEFAULT_SLICE, Circuit, Network
from qplane.net.names import checked_name

MOST_ROUNDS = 3
"""Of distillation."""

REQUESTS = ("keep", "measure", "early")


def check(circuit: Circuit, network: Network) -> None:
    """Raise ControlError where it makes no sense; its text names the field."""
    for problem in _problems(circuit, network):
        raise ControlError(f"circuit {circuit.name}: {problem}")


@functools.cache
def _hints() -> dict[str, Any]:
    return typing.get_type_hints(Circuit)


def _problems(circuit: Circuit, network: Network) -> Iterator[str]:
    for field in fields(circuit):
        value, hint = getattr(circuit, field.name), _hints()[field.name]
        if not fits(value, hint):
            yield f"{field.name} is {value!r}; it should be {described(hint)}"
    try:
        checked_name(circuit.name)
    except ValueError as error:
        yield str(error)
    if circuit.head == circuit.tail:
        yield f"both ends are {circuit.head}"
    for end in (circuit.head, circuit.tail):
        if end not in network.nodes:
            yield f"no node is named {end}"
    if circuit.slice not in (DEFAULT_SLICE, *network.slices):
        yield f"no slice is named {circuit.slice}"
    if circuit.request not in REQUESTS:
        yield f"request is {circuit.request!r}; {', '.join(REQUESTS)} are possible"
    if not 0 <= circuit.slots <= MAX_SLOTS_PER_SIDE:
        yield f"slots is {circuit.slots}; 0 to {MAX_SLOTS_PER_SIDE} are possible"
    for name, time_ps in (("cutoff", circuit.cutoff_ps), ("budget", circuit.budget_ps)):
        if not 0 <= time_ps <= LONGEST_PS:
            yield f"{name} is {time_ps} ps; 0 to {LONGEST_PS} are possible"
    if not 0 <= circuit.fidelity <= 1:
        yield f"fidelity is {circuit.fidelity}; 0 to 1 are possible"
    if circuit.rate_per_s < 0:
        yield f"rate_per_s is {circuit.rate_per_s}; 0 and more are possible"
    for name, rounds in (("distil", circuit.distil), ("distil_links", circuit.distil_links)):
        if rounds is not None and not 0 <= rounds <= MOST_ROUNDS:
            yield f"{name} is {rounds}; 0 to {MOST_ROUNDS} are possible"
    if circuit.path and not _leads(circuit):
        over = ", ".join(link.name for link in circuit.path)
        yield f"its path ({over}) does not lead from {circuit.head} to {circuit.tail}"


def _leads(circuit: Circuit) -> bool:
    """Whether the path begins at the head and ends at the tail, each link where the last one ended,
    and passes no node twice."""
    passed = [circuit.head]
    for link in circuit.path:
        if passed[-1] not in (link.a.node, link.b.node):
            return False
        passed.append(link.far(passed[-1]).node)
    return passed[-1] == circuit.tail and len(set(passed)) == len(passed)
