"""Distillation between the ends of a circuit: fidelity, agreement, nothing left behind."""

import numpy as np
import pytest

from e2e import rig
from e2e.test_faults import FAULTS
from qplane.net import loads
from qplane.simulate.summary import link_model

MIXED = {"length": '"10 km"', "visibility": 0.85}


def dejmps(correlations, rounds):
    """Success probabilities and the fidelity after so many rounds, from XX, YY, ZZ of Φ+-like
    pairs, by the recurrence of Deutsch et al. (1996)."""
    xx, yy, zz = correlations
    p = np.array([1 + xx - yy + zz, 1 - xx + yy + zz, 1 + xx + yy - zz, 1 - xx - yy - zz]) / 4
    a, d, c, b = p  # Φ+, Φ-, Ψ+, Ψ-
    successes = []
    for _ in range(rounds):
        success = (a + b) ** 2 + (c + d) ** 2
        a, b, c, d = np.array([a * a + b * b, 2 * c * d, c * c + d * d, 2 * a * b]) / success
        successes.append(success)
    return successes, a


def correlations_of(text):
    """XX, YY, ZZ that a circuit over all links has to Φ+ where nothing but the links is noisy."""
    product = np.ones(3)
    for link in loads(text).links:
        state = next(iter(link_model(link).states.values()))
        product *= np.abs(np.diag(state)[1:])
    return product * [1, -1, 1]


@pytest.mark.parametrize(("nodes", "rounds"), [(2, 1), (3, 1), (3, 2), (4, 3)])
def test_fidelity_and_success_are_those_of_the_recurrence(nodes, rounds):
    memory = {"slots": 2 * rounds + 2}
    text = rig.chain(nodes, slots=rounds + 1, memory=memory, link=MIXED, circuit={"distil": rounds})
    outcome = rig.simulate(text, pairs=600)
    rig.assert_clean(outcome)
    assert (outcome.pairs["rounds"] == rounds).all()
    successes, fidelity = dejmps(correlations_of(text), rounds)
    assert np.allclose(outcome.pairs["fidelity"], fidelity, atol=1e-9)
    counters = outcome.counters
    assert counters["stale_distils"] == counters["distil_repeated"] == 0
    # Each end counts each success and each failure. Of n tries in the last round 600 succeeded.
    tried = (counters["distilled"] + counters["distil_failures"]) / 2
    wanted = sum(
        600 * 2 ** (rounds - 1 - level) / np.prod(successes[level:]) for level in range(rounds)
    )
    spread = np.sqrt(wanted * (1 - min(successes))) + 2**rounds
    assert abs(tried - wanted) < 4 * spread


@pytest.mark.parametrize("request_", ["keep", "measure"])
def test_bits_measured_of_distilled_pairs_have_the_errors_of_their_fidelity(request_):
    circuit = {"distil": 1, "request": request_}
    text = rig.chain(3, slots=3, memory={"slots": 8}, link=MIXED, circuit=circuit)
    outcome = rig.simulate(text, pairs=3000)
    rig.assert_clean(outcome)
    pairs = outcome.pairs
    errors = pairs["head_bit"] != pairs["tail_bit"]
    # F = 1 - (share of errors in Z + in X + in Y)/2, the last of which nobody measures here.
    shares = [errors[pairs["head_basis"] == basis].mean() for basis in (0, 1)]
    lost = 1 - pairs["fidelity"].mean()
    assert max(shares) - 0.03 < 2 * lost < 2 * sum(shares) + 0.03
    raw = 1 - dejmps(correlations_of(text), 0)[1]
    assert lost < 0.8 * raw


@pytest.mark.parametrize("case", FAULTS)
@pytest.mark.parametrize("rounds", [1, 2])
def test_a_faulty_channel_never_makes_a_wrong_pair(case, rounds):
    """Messages of the distillation are lost, doubled, late or damaged like all others."""
    text = rig.chain(
        3,
        slots=4,
        cutoff="20 ms",
        memory={**rig.NOISY, "t1": '"1 s"', "t2": '"1 s"', "slots": 8},
        link=MIXED,
        faults=FAULTS[case],
        circuit={"distil": rounds},
    )
    outcome = rig.simulate(text, pairs=400, until_ps=10**15)
    rig.assert_clean(outcome)
    assert (outcome.pairs["rounds"] == rounds).all()
    counters = outcome.counters
    if case == "loss":
        assert counters["distil_repeated"] > 0
        assert counters["held_lost"] > 0


def test_swaps_that_fail_and_short_cutoffs():
    memory = {**rig.DEPHASING, "swap_success": 0.6, "slots": 8}
    text = rig.chain(4, slots=4, memory=memory, link=MIXED, cutoff="2 ms", circuit={"distil": 1})
    outcome = rig.simulate(text, pairs=200)
    rig.assert_clean(outcome)


def test_noisy_gates_and_decay_cost_fidelity():
    """By how much, the model of tests/control/planning says, which is held against the engine."""
    memory = {**rig.NOISY, "slots": 8}
    text = rig.chain(2, slots=2, memory=memory, link=MIXED, circuit={"distil": 1})
    outcome = rig.simulate(text, pairs=1000)
    rig.assert_clean(outcome)
    _, ideal = dejmps(correlations_of(text), 1)
    assert 0.7 < outcome.pairs["fidelity"].mean() < ideal
