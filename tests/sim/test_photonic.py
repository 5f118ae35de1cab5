"""The closed form of double-click heralding against an enumeration over photons and clicks."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qplane_cext.sim.photonic import PSI_MINUS, PSI_PLUS, FibreLink, aged, double_click

PAULIS = [
    np.array(m, dtype=complex)
    for m in ([[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]])
]


def split(mode):
    """A 50:50 beam splitter on creation operators: path a or b to outputs 1 and 2."""
    path, window, internal = mode
    sign = 1 if path == "a" else -1
    return [((1, window, internal), 1 / math.sqrt(2)), ((2, window, internal), sign / math.sqrt(2))]


def photon(path, bit, visibility):
    """Creation operator of the photon of a memory in state `bit`, before the beam splitter. The
    second photon differs from the first in an internal degree of freedom."""
    if path == "a":
        return [(("a", bit, "same"), 1.0)]
    return [
        (("b", bit, "same"), math.sqrt(visibility)),
        (("b", bit, "other"), math.sqrt(1 - visibility)),
    ]


def fock(operators):
    """Amplitudes over sorted tuples of occupied modes, of creation operators on the vacuum."""
    state = {(): 1.0}
    for operator in operators:
        grown = {}
        for modes, amplitude in state.items():
            for mode, factor in operator:
                for out, beam in split(mode):
                    key = tuple(sorted((*modes, out)))
                    # a†|n> = sqrt(n+1)|n+1>
                    gain = math.sqrt(modes.count(out) + 1)
                    grown[key] = grown.get(key, 0.0) + amplitude * factor * beam * gain
        state = grown
    return state


def enumerated(eta_a, eta_b, dark, visibility, double, unprepared):
    """p and the two unnormalised states, summed over losses, photon outcomes, dark counts, memories
    that emit twice, and memories prepared in |1>, which are rotated into (|0> - |1>)/√2."""
    rho = {PSI_PLUS: np.zeros((4, 4), complex), PSI_MINUS: np.zeros((4, 4), complex)}
    both = [True, False]
    for arrived_a, arrived_b, twice_a, twice_b, flip_a, flip_b in itertools.product(both, repeat=6):
        weight = (eta_a if arrived_a else 1 - eta_a) * (eta_b if arrived_b else 1 - eta_b)
        for happens, chance in zip(
            (twice_a, twice_b, flip_a, flip_b),
            (*double, *unprepared),
            strict=True,
        ):
            weight *= chance if happens else 1 - chance
        if not weight:
            continue
        # What was lost tells its window: states with different losses stay apart.
        by_loss = {}
        for a, b in itertools.product([0, 1], repeat=2):
            lost = (
                None if arrived_a else a,
                None if arrived_b else b,
                a if twice_a else None,
                b if twice_b else None,
            )
            sign = (-1) ** (flip_a * a + flip_b * b)
            operators = []
            if arrived_a:
                operators.append(photon("a", a, visibility))
            if arrived_b:
                operators.append(photon("b", b, visibility))
            for modes, amplitude in fock(operators).items():
                vector = by_loss.setdefault((lost, modes), np.zeros(4, complex))
                vector[2 * a + b] += sign * amplitude / 2
        for (_, modes), vector in by_loss.items():
            lit = {(detector, window) for detector, window, _ in modes}
            for darks in itertools.product([0, 1], repeat=4):
                chance = math.prod(dark if d else 1 - dark for d in darks)
                places = itertools.product([1, 2], [0, 1])
                clicks = lit | {place for place, d in zip(places, darks, strict=True) if d}
                early = [d for d, window in clicks if window == 0]
                late = [d for d, window in clicks if window == 1]
                if len(early) == len(late) == 1:
                    which = PSI_PLUS if early == late else PSI_MINUS
                    rho[which] += weight * chance * np.outer(vector, vector.conj())
    return rho


def correlations(rho):
    return np.array([[np.trace(np.kron(p, q) @ rho).real for q in PAULIS] for p in PAULIS])


PROBABILITY = st.floats(0, 1)
OF_ENDS = st.tuples(PROBABILITY, PROBABILITY)


@settings(max_examples=25)
@given(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0, 0.3), PROBABILITY, OF_ENDS, OF_ENDS)
def test_closed_form_is_the_enumeration(eta_a, eta_b, dark, visibility, double, unprepared):
    arguments = (eta_a, eta_b, dark, visibility, double, unprepared)
    herald = double_click(*arguments)
    rho = enumerated(*arguments)
    total = sum(np.trace(r).real for r in rho.values())
    assert herald.p_success == pytest.approx(total, rel=1e-12)
    for bell, state in rho.items():
        assert np.trace(state).real == pytest.approx(total / 2, rel=1e-9)
        np.testing.assert_allclose(
            herald.states[bell], correlations(state / np.trace(state)), atol=1e-12
        )


@given(st.floats(0.001, 1), PROBABILITY)
def test_without_dark_counts_it_is_barrett_and_kok(eta, visibility):
    herald = double_click(eta, eta, 0.0, visibility)
    assert herald.p_success == pytest.approx(eta**2 / 2, rel=1e-12)
    assert herald.fidelity == pytest.approx((1 + visibility) / 2, rel=1e-12)


def test_dark_counts_alone_herald_nothing_of_use():
    herald = double_click(0.0, 0.0, 0.01)
    np.testing.assert_allclose(herald.states[PSI_PLUS], np.diag([1.0, 0, 0, 0]), atol=1e-12)
    assert herald.fidelity == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.5, 1.0), "eta_a is 1.5"),
        ((0.5, -0.1), "eta_b is -0.1"),
        ((0.5, 0.5, 2.0), "dark_count_probability is 2.0"),
        ((0.5, 0.5, 0.0, float("nan")), "visibility is nan"),
        ((0.0, 0.5), "no attempt can succeed"),
    ],
)
def test_what_is_no_probability_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        double_click(*arguments)


def test_fibre_budget_and_timing():
    link = FibreLink(
        50.0,
        station_fraction=0.4,
        emission_efficiency=0.5,
        detector_efficiency=0.8,
        emission_ps=1_000_000,
    )
    assert link.arms_ps == (100_000_000, 150_000_000)
    assert link.period_ps == 301_000_000
    assert link.detection == pytest.approx((0.4 * 10**-0.4, 0.4 * 10**-0.6))
    assert FibreLink(50.0, attempt_ps=10**9).period_ps == 10**9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length_km": -1.0}, "length_km is -1.0"),
        ({"station_fraction": 1.2}, "station_fraction is 1.2"),
        ({"attempt_ps": 1000}, "attempt_ps is 1000, shorter than"),
        ({"length_km": 0.0}, "attempt_ps must be given"),
        ({"speed_m_per_s": 0.0}, "speed_m_per_s is 0"),
    ],
)
def test_impossible_fibres_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        FibreLink(**({"length_km": 20.0} | changes))


def test_ageing_of_one_half_follows_its_kraus_operators():
    t1_s, t2_s, age_ps = 2e-3, 1e-3, 700_000_000
    state = double_click(0.7, 0.4, 0.01, 0.9).states[PSI_MINUS]
    gone = 1 - math.exp(-age_ps * 1e-12 / t1_s)
    coherence = math.exp(-age_ps * 1e-12 / t2_s) / math.sqrt(1 - gone)
    decay = [np.diag([1, math.sqrt(1 - gone)]), np.array([[0, math.sqrt(gone)], [0, 0]])]
    dephase = [
        math.sqrt((1 + coherence) / 2) * PAULIS[0],
        math.sqrt((1 - coherence) / 2) * PAULIS[3],
    ]
    rho = sum(state[i, j] * np.kron(PAULIS[i], PAULIS[j]) / 4 for i in range(4) for j in range(4))
    for half in (0, 1):
        out = np.zeros((4, 4), complex)
        for k, d in itertools.product(decay, dephase):
            pair = (d @ k, np.eye(2)) if half == 0 else (np.eye(2), d @ k)
            out += np.kron(*pair) @ rho @ np.kron(*pair).conj().T
        np.testing.assert_allclose(
            aged(state, half, age_ps, t1_s, t2_s), correlations(out), atol=1e-12
        )
