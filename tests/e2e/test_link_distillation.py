"""Distillation on links, before swapping: fidelity, agreement, nothing left behind.

Each link of a circuit is fed by a circuit of its own over that link, which distils."""

import numpy as np
import pytest

from e2e import rig
from e2e.test_distillation import MIXED
from e2e.test_faults import FAULTS
from qplane.net import loads
from qplane.simulate.summary import link_model


def correlations_of(link):
    """|XX|, |YY|, |ZZ| as heralded: every frame is corrected before the distillation."""
    state = next(iter(link_model(link).states.values()))
    return np.abs(np.diag(state)[1:])


def distilled(correlations, rounds):
    """DEJMPS without errors on Φ+-like pairs (Deutsch et al. 1996), in correlations."""
    xx, yy, zz = correlations
    for _ in range(rounds):
        success = 1 + yy * yy
        xx, yy, zz = (xx * xx + zz * zz) / success, 2 * xx * zz / success, 2 * yy / success
    return np.array([xx, yy, zz])


def ideal(text, rounds):
    product = np.ones(3)
    for link in loads(text).links:
        product *= distilled(correlations_of(link), rounds)
    return (1 + product.sum()) / 4


@pytest.mark.parametrize(("nodes", "rounds"), [(2, 1), (3, 1), (5, 1), (3, 2)])
def test_fidelity_is_that_of_distilled_and_then_swapped_pairs(nodes, rounds):
    memory = {"slots": 2 * rounds + 2}
    circuit = {"distil_links": rounds}
    text = rig.chain(nodes, slots=rounds + 1, memory=memory, link=MIXED, circuit=circuit)
    outcome = rig.simulate(text, pairs=300)
    rig.assert_clean(outcome)
    assert np.allclose(outcome.pairs["fidelity"], ideal(text, rounds), atol=1e-9)
    assert (outcome.hops["rounds"] == rounds).all()
    assert (outcome.pairs["rounds"] == 0).all()
    assert outcome.counters["fed"] >= 2 * 300 * (nodes - 1)
    assert outcome.counters["stale_distils"] == outcome.counters["distil_repeated"] == 0


@pytest.mark.parametrize("request_", ["measure", "early"])
def test_requests_and_completion_are_as_without(request_):
    circuit = {"distil_links": 1, "request": request_, "complete": True}
    text = rig.chain(4, slots=3, memory={"slots": 6}, link=MIXED, circuit=circuit)
    outcome = rig.simulate(text, pairs=1000)
    rig.assert_clean(outcome)
    pairs = outcome.pairs
    alike = pairs["head_basis"] == pairs["tail_basis"]
    errors = (pairs["head_bit"] != pairs["tail_bit"])[alike]
    shares = [errors[pairs["head_basis"][alike] == basis].mean() for basis in (0, 1)]
    lost = 1 - ideal(text, 1)
    assert max(shares) - 0.03 < 2 * lost < 2 * sum(shares) + 0.03
    assert outcome.counters["completed"] > 0


@pytest.mark.parametrize("case", FAULTS)
@pytest.mark.parametrize("nodes", [2, 4])
def test_a_faulty_channel_never_makes_a_wrong_pair(case, nodes):
    text = rig.chain(
        nodes,
        slots=4,
        cutoff="20 ms",
        memory={**rig.NOISY, "t1": '"1 s"', "t2": '"1 s"', "slots": 8},
        link=MIXED,
        faults=FAULTS[case],
        circuit={"distil_links": 1},
    )
    outcome = rig.simulate(text, pairs=300, until_ps=10**15)
    rig.assert_clean(outcome)
    if case == "loss":
        assert outcome.counters["distil_repeated"] > 0
        assert outcome.counters["held_lost"] > 0


def test_swaps_that_fail_and_short_cutoffs():
    memory = {**rig.DEPHASING, "swap_success": 0.6, "slots": 8}
    circuit = {"distil_links": 1}
    text = rig.chain(4, slots=4, memory=memory, link=MIXED, cutoff="2 ms", circuit=circuit)
    outcome = rig.simulate(text, pairs=200)
    rig.assert_clean(outcome)
    assert outcome.counters["swaps_without_outcome"] > 0
    assert outcome.counters["expired"] > 0
