"""Delivered fidelity and error rates against the closed form, over 3 and 9 nodes.

The closed form is NumPy on the storage times; the pairs went through the quantum-memory extension,
driven by device frames that the compiled P4 program sent.
"""

import pytest

from e2e import rig

CASES = {
    "pure dephasing": (rig.DEPHASING, rig.LOSSLESS),
    "T2 = 2 T1": (rig.RELAXING, rig.LOSSLESS),
    "lossy links, noisy gates": (rig.NOISY, rig.LOSSY),
}


@pytest.mark.parametrize("nodes", [3, 9])
@pytest.mark.parametrize("case", CASES)
def test_fidelity_and_qber_are_those_of_the_closed_form(case, nodes):
    memory, link = CASES[case]
    outcome = rig.simulate(rig.chain(nodes, memory=memory, link=link), pairs=10_000)
    rig.assert_clean(outcome)
    assert outcome.summary.delivered >= 10_000
    assert abs(rig.deviation_of_fidelity(outcome)) < 4
    assert abs(rig.deviation_of_qber(outcome, 0)) < 4
    assert abs(rig.deviation_of_qber(outcome, 1)) < 4
    # noise is there at all, or this test would hold anything against nothing
    assert 0.3 < outcome.circuit().fidelity.value < 0.995


@pytest.mark.parametrize("case", CASES)
def test_three_nodes_deliver_what_is_known_before_the_run(case):
    memory, link = CASES[case]
    circuit = rig.simulate(rig.chain(3, memory=memory, link=link), pairs=10_000).circuit()
    for estimate in (circuit.fidelity, circuit.qber_z, circuit.qber_x, circuit.rate_per_s):
        assert abs(estimate.value - estimate.a_priori) <= 4 * estimate.std_error


def test_perfect_nodes_deliver_perfect_pairs():
    outcome = rig.simulate(rig.chain(5, memory=rig.PERFECT, slots=2), pairs=2000)
    rig.assert_clean(outcome)
    circuit = outcome.circuit()
    assert circuit.fidelity.value == pytest.approx(1, abs=1e-9)
    assert circuit.qber_z.value == circuit.qber_x.value == 0


def test_a_station_that_is_not_in_the_middle():
    link = {**rig.LOSSY, "station": 0.2, "emission_time": '"3 us"'}
    outcome = rig.simulate(rig.chain(4, memory=rig.DEPHASING, link=link), pairs=3000)
    rig.assert_clean(outcome)
    assert abs(rig.deviation_of_fidelity(outcome)) < 4
    assert abs(rig.deviation_of_qber(outcome, 1)) < 4
