"""The remaining time in TRACK: what takes longer than the budget is given up at both ends."""

import pytest

from e2e import rig

SLOW = {**rig.DEPHASING, "swap_time": '"300 us"'}


@pytest.mark.parametrize("request_", ["keep", "early"])
def test_a_track_that_is_late_makes_its_pair_expire_both_ways(request_):
    """Four nodes, swaps of 0.3 ms: what needs more than the budget is not delivered."""
    text = rig.chain(
        4, slots=2, memory=SLOW, cutoff="20 ms", circuit={"budget": "450 us", "request": request_}
    )
    outcome = rig.simulate(text, pairs=300)
    rig.assert_clean(outcome)
    assert outcome.summary.pair_events["time up"] > 30
    assert outcome.counters["releases"] + outcome.counters["voids"] > 30
    # Both ends' TRACKs were in time: neither half was heralded long before the last delivery.
    pairs = outcome.pairs
    last = pairs["head_delivered_ps"].clip(min=pairs["tail_delivered_ps"])
    if request_ == "keep":
        assert (last - pairs["emitted_ps"]).max() < 2_000_000_000


def test_no_budget_that_an_end_can_wait_for_costs_a_pair():
    outcome = rig.simulate(rig.chain(4, slots=2, memory=SLOW), pairs=300)
    rig.assert_clean(outcome)
    assert "time up" not in outcome.summary.pair_events
