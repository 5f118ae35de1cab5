"""Outcomes of test pairs on their way to the other end."""

from __future__ import annotations

from qplane.link.feu import CalibrationPoint, FidelityEstimator
from qplane.link.outcomes import TestOutcomes
from qplane.wire.egp import OutcomesBody
from qplane.wire.service import Basis


def estimator() -> FidelityEstimator:
    return FidelityEstimator([CalibrationPoint(0, 0.1, 0.9, 0.9)])


def test_a_pair_with_a_lower_number_than_the_last_is_told_as_well() -> None:
    """A spare pair is handed over late, when one of its request's turned out void."""
    sent: list[OutcomesBody] = []
    here, there = estimator(), estimator()
    near = TestOutcomes(here, lambda low, bits: sent.append(OutcomesBody(low, 0, bits)))
    far = TestOutcomes(there, lambda low, bits: None)
    for seq in (101, 102, 100, 140):
        near.measured(seq, 0, Basis.Z, 1)
        far.measured(seq, 0, Basis.Z, 1)
    near.flush()
    for body in sent:
        far.receive(OutcomesBody.from_bytes(body.to_bytes()))
    assert there.tests[0].pairs == 4
