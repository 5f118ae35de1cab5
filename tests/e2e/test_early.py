"""Early delivery (request E): an end has its qubit before its frame; CONFIRM or VOID follow."""

import pytest

from e2e import rig
from e2e.test_faults import FAULTS

EARLY = {"request": "early", "complete": True}


def assert_confirmed(outcome):
    """All pairs were handed over early; those delivered at both ends, and no others, count."""
    counters = outcome.counters
    assert counters["early_delivers"] == counters["delivers"] >= 2 * outcome.summary.delivered
    assert counters["confirms"] >= 2 * outcome.summary.delivered
    assert counters["confirms"] + counters["voids"] >= counters["delivers"]
    assert counters["unknown_completed"] == 0
    assert counters["voids_after_complete"] == 0


@pytest.mark.parametrize("memory", [rig.RELAXING, rig.NOISY], ids=["relaxing", "noisy"])
def test_early_pairs_are_as_good_as_their_age(memory):
    outcome = rig.simulate(rig.chain(4, slots=2, memory=memory, circuit=EARLY), pairs=2000)
    rig.assert_clean(outcome)
    assert_confirmed(outcome)
    assert abs(rig.deviation_of_fidelity(outcome)) < 4
    for basis in (0, 1):
        assert abs(rig.deviation_of_qber(outcome, basis)) < 4


def test_an_early_end_has_its_qubit_before_the_other_one_exists():
    text = rig.chain(4, slots=2, memory=rig.PERFECT, circuit=EARLY)
    kept = rig.simulate(rig.chain(4, slots=2, memory=rig.PERFECT), pairs=500)
    early = rig.simulate(text, pairs=500)
    rig.assert_clean(early)
    at_head_kept, at_head_early = (
        run.hops["head_stored_ps"][run.pairs["hop_start"]] for run in (kept, early)
    )
    assert (at_head_early == 51_000_000).all()  # the herald over 10 km, and the switch
    assert at_head_kept.mean() > 4 * 51_000_000


@pytest.mark.parametrize("case", FAULTS)
def test_early_pairs_under_faults(case):
    text = rig.chain(4, slots=2, cutoff="20 ms", faults=FAULTS[case], circuit=EARLY)
    outcome = rig.simulate(text, pairs=700)
    rig.assert_clean(outcome)
    assert_confirmed(outcome)
    assert abs(rig.deviation_of_fidelity(outcome)) < 4
    for basis in (0, 1):
        assert abs(rig.deviation_of_qber(outcome, basis)) < 4


def test_early_pairs_and_swaps_that_fail():
    memory = {**rig.DEPHASING, "swap_success": 0.6}
    outcome = rig.simulate(rig.chain(4, memory=memory, cutoff="20 ms", circuit=EARLY), pairs=500)
    rig.assert_clean(outcome)
    assert_confirmed(outcome)
    assert outcome.counters["device_voids"] > 100
