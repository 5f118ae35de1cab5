"""What a circuit's ends do with its pairs: measure them, tell each other of deliveries."""

import pytest

from e2e import rig
from e2e.test_faults import FAULTS


def assert_completed(outcome, *, all_of_them):
    """COMPLETED came for deliveries that the other end has made, and for no others."""
    counters = outcome.counters
    assert counters["unknown_completed"] == 0
    delivered = outcome.summary.delivered
    if all_of_them:
        assert counters["completed"] == 2 * delivered
    else:
        assert 0.5 * delivered < counters["completed"] < 2 * delivered


@pytest.mark.parametrize("memory", [rig.RELAXING, rig.NOISY], ids=["relaxing", "noisy"])
def test_measured_pairs_have_the_errors_of_kept_ones(memory):
    text = rig.chain(3, slots=2, memory=memory, circuit={"request": "measure", "complete": True})
    outcome = rig.simulate(text, pairs=4000)
    rig.assert_clean(outcome)
    assert outcome.counters["measures"] == outcome.counters["delivers"] >= 8000
    assert_completed(outcome, all_of_them=True)
    for basis in (0, 1):
        assert abs(rig.deviation_of_qber(outcome, basis)) < 4
    assert abs(rig.deviation_of_fidelity(outcome)) < 4


@pytest.mark.parametrize("case", ["loss", "all"])
def test_measured_pairs_under_faults(case):
    text = rig.chain(
        3,
        slots=2,
        cutoff="20 ms",
        faults=FAULTS[case],
        circuit={"request": "measure", "complete": True},
    )
    outcome = rig.simulate(text, pairs=1500)
    rig.assert_clean(outcome)
    assert_completed(outcome, all_of_them=False)
    for basis in (0, 1):
        assert abs(rig.deviation_of_qber(outcome, basis)) < 4
