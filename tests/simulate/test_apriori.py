"""A-priori values against a direct simulation of the waiting times, and against limits."""

import math

import numpy as np
import pytest

from qplane.simulate.apriori import SWITCH_PS, LinkModel, apriori
from qplane.simulate.expected import BELL_SIGNS, NodePhysics, expected

IDEAL = NodePhysics(math.inf, math.inf, 0.0, 0.0, 0.0)
STATES = {bell: np.diag(BELL_SIGNS[bell]) for bell in (2, 3)}


def link(attempt_ps=125_000_000, delay_ps=125_000_000, success=0.1):
    return LinkModel(attempt_ps, delay_ps, success, STATES)


def simulate(first, second, swap_ps, cycles, rng):
    """Storage times of the four halves from head to tail, and the mean duration of a cycle."""
    start1 = start2 = 0
    rows = []
    for count1, count2 in zip(
        rng.geometric(first.success, cycles), rng.geometric(second.success, cycles), strict=True
    ):
        herald1 = start1 + count1 * first.attempt_ps
        herald2 = start2 + count2 * second.attempt_ps
        swapped = max(herald1, herald2) + SWITCH_PS + swap_ps
        seen = swapped + SWITCH_PS
        head = max(seen, herald2 + second.delay_ps + 2 * SWITCH_PS) + first.delay_ps + SWITCH_PS
        tail = max(seen, herald1 + first.delay_ps + 2 * SWITCH_PS) + second.delay_ps + SWITCH_PS
        rows.append((head - herald1, swapped - herald1, swapped - herald2, tail - herald2))
        start1, start2 = head, tail
    return np.array(rows) + first.attempt_ps, max(start1, start2) / cycles


@pytest.mark.parametrize(
    ("first", "second", "swap_ps"),
    [
        (link(), link(), 10_000_000),
        (link(success=0.3), link(success=0.05), 0),
        (link(delay_ps=40_000_000), link(delay_ps=90_000_000), 300_000_000),
    ],
)
def test_two_links_agree_with_a_simulation_of_the_waiting_times(first, second, swap_ps):
    rng = np.random.default_rng(5)
    cycles = 40_000
    nodes = [NodePhysics(0.05, 0.004, 0.02, 0.01, 0.01)] * 3
    stored, duration = simulate(first, second, swap_ps, cycles, rng)
    # Bell states heralded and outcomes hardly matter here (T1 is long): draw them evenly.
    pairs = {
        "head_node": np.zeros(cycles, dtype=int),
        "tail_node": np.full(cycles, 2),
        "hop_count": np.full(cycles, 2),
        "hop_start": 2 * np.arange(cycles),
    }
    hops = {
        "link": np.tile([0, 1], cycles),
        "bell": rng.integers(2, 4, 2 * cycles).astype(np.uint8),
        "outcome": rng.integers(0, 4, 2 * cycles).astype(np.uint8),
        "swap_node": np.tile([1, -1], cycles),
        "head_stored_ps": stored[:, [0, 2]].ravel(),
        "tail_stored_ps": stored[:, [1, 3]].ravel(),
    }
    sampled = expected(pairs, hops, [first.states, second.states], nodes)
    theory = apriori([first, second], nodes, swap_ps, 0)
    for mean, sample in (
        (theory.fidelity, sampled.fidelity),
        (theory.z_error, sampled.z_error),
        (theory.x_error, sampled.x_error),
    ):
        # successive cycles are hardly correlated; 5 standard errors leave room for it
        assert abs(mean - sample.mean()) < 5 * sample.std() / math.sqrt(cycles)
    assert theory.rate_per_s == pytest.approx(1e12 / duration, rel=0.02)


def test_the_waiting_time_of_two_links_is_the_known_one():
    """Without delays the links begin together: (3 - 2p)/(p(2 - p)) attempts for both."""
    p = 0.07
    both = link(attempt_ps=10**12, delay_ps=0, success=p)
    theory = apriori([both, both], [IDEAL] * 3, 0, 0)
    attempts = (3 - 2 * p) / (p * (2 - p))
    assert 1 / theory.rate_per_s == pytest.approx(attempts, rel=1e-4)


def test_ideal_pairs_are_perfect():
    theory = apriori([link(), link()], [IDEAL] * 3, 10_000_000, 0)
    assert theory.fidelity == pytest.approx(1, abs=1e-9)
    assert theory.z_error == pytest.approx(0, abs=1e-9)


def test_one_link_stores_for_an_attempt_and_a_delay():
    t2 = 1e-3
    node = NodePhysics(math.inf, t2, 0, 0, 0)
    theory = apriori([link()], [node, node], 0, 0)
    stored_s = (125e6 + 125e6 + 2e6) * 1e-12
    assert theory.fidelity == pytest.approx((1 + math.exp(-2 * stored_s / t2)) / 2, rel=1e-12)
    assert theory.rate_per_s == pytest.approx(1 / (125e-6 / 0.1 + 127e-6), rel=1e-9)


@pytest.mark.parametrize(
    ("links", "cutoff_ps"),
    [
        ([link()] * 3, 0),
        ([link(), link(attempt_ps=1000)], 0),
        ([link(), link()], 500_000_000),
    ],
)
def test_where_there_is_no_closed_form_none_is_claimed(links, cutoff_ps):
    assert apriori(links, [IDEAL] * (len(links) + 1), 0, cutoff_ps) is None


def test_a_cutoff_that_is_never_reached_does_not_matter():
    free = apriori([link(), link()], [IDEAL] * 3, 0, 0)
    assert apriori([link(), link()], [IDEAL] * 3, 0, 10**12) == free
