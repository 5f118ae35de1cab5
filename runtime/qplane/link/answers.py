"""The OK for a pair and the ERR for a failure, as both message and Python object."""

from __future__ import annotations

from qplane.link.bases import fixed_basis, in_frame
from qplane.link.messages import Best, Failure, Ok
from qplane.link.mhp import Pair
from qplane.link.numbers import SeqRange
from qplane.link.serving import Serving
from qplane.wire.service import (
    Basis,
    Err,
    OkKeep,
    OkMeasure,
    ServiceError,
    encode_fidelity,
)


def ok(
    serving: Serving, pair: Pair, *, remote_node_id: int, fidelity: float, logical_id: int | None
) -> Ok:
    """Hand over `pair`; with a `logical_id` it is in memory, else it was measured."""
    terms = serving.item.terms
    directionality = 0 if serving.at_origin else 1
    goodness = encode_fidelity(fidelity)
    if logical_id is not None:
        keep = OkKeep(
            create_id=terms.create_id,
            logical_qubit_id=logical_id,
            directionality=directionality,
            seq=pair.seq & 0xFFFF,
            purpose_id=terms.purpose_id,
            remote_node_id=remote_node_id,
            goodness=goodness,
            time_of_goodness=pair.cycle & 0xFFFF,
        )
        return Ok(keep, pair.seq, fidelity, pair.qubit)
    basis, outcome = _measured(serving, pair)
    measure = OkMeasure(
        create_id=terms.create_id,
        outcome=outcome,
        directionality=directionality,
        basis=basis,
        seq=pair.seq & 0xFFFF,
        purpose_id=terms.purpose_id,
        remote_node_id=remote_node_id,
        goodness=goodness,
    )
    return Ok(measure, pair.seq, fidelity)


def _measured(serving: Serving, pair: Pair) -> tuple[Basis, int]:
    """Basis and outcome; the originator's as if the pair were Φ+."""
    basis, outcome = pair.basis, pair.outcome
    if basis is None:
        fixed = fixed_basis(serving.item.measurement(serving.at_origin))
        assert fixed is not None  # or the request was refused
        basis, outcome = fixed[0], outcome ^ fixed[1]
    return in_frame(basis, outcome, pair.bell) if serving.at_origin else (basis, outcome)


def failure(
    create_id: int,
    error: ServiceError,
    origin_node_id: int,
    pairs: SeqRange | None = None,
    best: Best | None = None,
    why: str = "",
) -> Failure:
    """ERR, about `pairs` or about what is missing of the request."""
    message = Err(
        create_id=create_id,
        error=error,
        has_range=int(pairs is not None),
        seq_low=0 if pairs is None else pairs.low & 0xFFFF,
        seq_high=0 if pairs is None else pairs.high & 0xFFFF,
        origin_node_id=origin_node_id,
    )
    return Failure(message, pairs, best, why)
