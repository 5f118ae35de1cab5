"""From CREATE to the terms of a queue item: what can't be done is found here."""

from __future__ import annotations

from typing import NamedTuple

from qplane.link.bases import is_measurable
from qplane.link.feu import Choice, FidelityEstimator
from qplane.link.items import Item
from qplane.link.messages import Best
from qplane.link.mhp import MhpTiming, QueueId
from qplane.wire.dqp import DqpBody
from qplane.wire.service import (
    PROBABILITY_ONE,
    Create,
    RequestType,
    ServiceError,
    TimeUnit,
    decode_fidelity,
)

_UNIT_PS = {
    TimeUnit.MICROSECOND: 1_000_000,
    TimeUnit.MILLISECOND: 1_000_000_000,
    TimeUnit.SECOND: 1_000_000_000_000,
}

_TERMS = [
    field.name
    for field in Create.LAYOUT.fields
    if field.name not in ("remote_node_id", "time_unit", "max_time") and not field.is_reserved
]


class Refusal(NamedTuple):
    """Why a CREATE can't be taken, for people; with UNSUPP, the best that the link gives."""

    error: ServiceError
    why: str
    best: Best | None = None


def terms(
    create: Create,
    *,
    remote_node_id: int,
    timing: MhpTiming,
    estimator: FidelityEstimator,
    capacity: int,
) -> DqpBody | Refusal:
    """The terms of a request, without id and times. `capacity`: pairs that fit into memory.

    CREATE for a message that makes no sense on this link; UNSUPP for what the link can't do: the
    fidelity, the time (one attempt per pair for M, a full cycle per pair for K), so many pairs at
    once, a basis that OK has no code for.
    """
    if create.number == 0:
        return Refusal(ServiceError.CREATE, "number is 0")
    if create.remote_node_id != remote_node_id:
        why = f"remote_node_id is {create.remote_node_id}; the neighbour is {remote_node_id}"
        return Refusal(ServiceError.CREATE, why)
    for end in ("local", "remote"):
        first, second = (getattr(create, f"probability_{end}_{n}") for n in (1, 2))
        if first + second > PROBABILITY_ONE:
            why = f"probabilities of {end} bases are {first} and {second} of {PROBABILITY_ONE}"
            return Refusal(ServiceError.CREATE, why)
    kind = create.request_type
    min_fidelity = decode_fidelity(create.min_fidelity)
    choice = estimator.choose(min_fidelity, kind)
    if choice is None:
        why = f"no setting has a fidelity of {min_fidelity:.5g}"
        return Refusal(ServiceError.UNSUPP, why, _best(estimator.best(kind), timing, kind))
    best = _best(choice, timing, kind)
    least_ps = create.number * timing.pair_cycles(kind) * timing.cycle_ps
    limit_ps = max_time_ps(create)
    if limit_ps and least_ps > limit_ps:
        why = f"{least_ps * 1e-9:.5g} ms is the least, {limit_ps * 1e-9:.5g} ms was given"
        return Refusal(ServiceError.UNSUPP, why, best)
    expected_cycles = _expected_cycles(choice, timing, kind)
    wanted = DqpBody(
        queue_id=create.priority,
        cycles_per_pair=min(round(expected_cycles), 0xFFFFFFFF),
        bright_state=choice.bright_state,
        **{name: getattr(create, name) for name in _TERMS},
    )
    item = Item(QueueId(create.priority, 0), wanted)
    at_once = create.number if item.holds_all else 1
    if kind is RequestType.KEEP and capacity < at_once:
        why = f"{at_once} at once; this end's memory has room for {capacity}"
        return Refusal(ServiceError.UNSUPP, why, best)
    if kind is RequestType.MEASURE and not (
        is_measurable(item.measurement(True)) and is_measurable(item.measurement(False))
    ):
        return Refusal(ServiceError.UNSUPP, "OK has no code for such a fixed basis", best)
    return wanted


def _expected_cycles(choice: Choice, timing: MhpTiming, kind: RequestType) -> float:
    """Of a pair, on average."""
    return timing.pair_cycles(kind) + timing.attempt_cycles(kind) * (1 / choice.success - 1)


def _best(choice: Choice, timing: MhpTiming, kind: RequestType) -> Best:
    cycles = _expected_cycles(choice, timing, kind)
    return Best(choice.fidelity, 1e12 / (cycles * timing.cycle_ps))


def max_time_ps(create: Create) -> int:
    """The time limit of a CREATE; 0: none."""
    return create.max_time * _UNIT_PS[create.time_unit]
