"""Single-click, source in the middle, end to end: closed forms against brute force, and against
what was published of single-click."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qplane_cext.sim.photonic import FibreLink, double_click
from qplane_cext.sim.schemes import (
    PSI_MINUS,
    PSI_PLUS,
    end_to_end,
    single_click,
    source_in_the_middle,
)

PAULIS = [
    np.eye(2),
    np.array([[0, 1], [1, 0]]),
    np.array([[0, -1j], [1j, 0]]),
    np.diag([1, -1]),
]
MODES = 8  # at detector c and d, each in the wave packet of a's photon and beside it; lost a, b;
# and what a memory that was excited twice emitted first: a, b


def correlations(rho):
    return np.array(
        [[np.trace(rho @ np.kron(p, q)).real for q in PAULIS] for p in PAULIS]
    ) / np.trace(rho)


def created(operators):
    """Amplitudes by occupation of the modes, after these creation operators act on the vacuum."""
    state = {(0,) * MODES: 1.0 + 0j}
    for operator in operators:
        after = {}
        for occupation, amplitude in state.items():
            for mode, weight in operator.items():
                more = list(occupation)
                more[mode] += 1
                key = tuple(more)
                after[key] = after.get(key, 0) + amplitude * weight * math.sqrt(more[mode])
        state = after
    return state


def pattern_probability(wanted, n_c, n_d, dark, resolving):
    """That detector `wanted` alone shows one click (resolving: counts one, the other none)."""

    def chance(n, clicks):
        if resolving:
            counts = {n: 1 - dark, n + 1: dark}
            return counts.get(1 if clicks else 0, 0.0)
        silent = (1 - dark) if n == 0 else 0.0
        return 1 - silent if clicks else silent

    return chance(n_c, wanted == 0) * chance(n_d, wanted == 1)


def emitted(photon, lost_mode, double):
    """Creation operators and their amplitude, of a memory that emits: once, or twice."""
    return [([photon], math.sqrt(1 - double)), ([photon, {lost_mode: 1.0}], math.sqrt(double))]


def brute_force_single_click(
    eta_a, eta_b, bright_a, bright_b, dark, visibility, phase, resolving, double, unprepared
):
    """(p, R) of either herald: all photons and modes in Fock space, the phase by quadrature, and
    all combinations of memories that were in |1> instead of |0> before their rotation."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(16)
    weights = weights / weights.sum()
    found = []
    for wanted in (0, 1):
        rho = np.zeros((4, 4), dtype=complex)
        for (node, likely), flips in itertools.product(
            zip(nodes, weights, strict=True), itertools.product((False, True), repeat=2)
        ):
            weight = likely * math.prod(
                error if flip else 1 - error for flip, error in zip(flips, unprepared, strict=True)
            )
            rotated = [
                (math.sqrt(bright), -math.sqrt(1 - bright))
                if flip
                else (math.sqrt(1 - bright), math.sqrt(bright))
                for flip, bright in zip(flips, (bright_a, bright_b), strict=True)
            ]
            turn = np.exp(1j * phase * node)
            a = {0: math.sqrt(eta_a / 2), 1: math.sqrt(eta_a / 2), 4: math.sqrt(1 - eta_a)}
            b = {5: math.sqrt(1 - eta_b) * turn}
            for mode, share, sign in (
                (0, visibility, 1),
                (1, visibility, -1),
                (2, 1 - visibility, 1),
                (3, 1 - visibility, -1),
            ):
                b[mode] = sign * math.sqrt(eta_b * share / 2) * turn
            states = []
            for bit_a, bit_b in itertools.product((0, 1), repeat=2):
                memory = rotated[0][bit_a] * rotated[1][bit_b]
                light = {}
                for one, other in itertools.product(
                    emitted(a, 6, double[0]) if bit_a else [([], 1.0)],
                    emitted(b, 7, double[1]) if bit_b else [([], 1.0)],
                ):
                    for key, amplitude in created(one[0] + other[0]).items():
                        light[key] = light.get(key, 0) + memory * one[1] * other[1] * amplitude
                states.append(light)
            for i, j in itertools.product(range(4), repeat=2):
                for occupation, amplitude in states[i].items():
                    other = states[j].get(occupation, 0)
                    n_c, n_d = occupation[0] + occupation[2], occupation[1] + occupation[3]
                    chance = pattern_probability(wanted, n_c, n_d, dark, resolving)
                    rho[i, j] += weight * chance * amplitude * np.conj(other)
        found.append((np.trace(rho).real, correlations(rho)))
    return found


shares = st.floats(0.02, 0.98)


@settings(max_examples=15)
@given(
    eta_a=shares,
    eta_b=shares,
    bright_a=shares,
    bright_b=shares,
    dark=st.floats(0, 0.3),
    visibility=st.floats(0, 1),
    phase=st.floats(0, 0.8),
    resolving=st.booleans(),
    double=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    unprepared=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_single_click_is_what_fock_space_says(**arguments):
    renamed = {
        "dark": "dark_count_probability",
        "phase": "phase_std_rad",
        "resolving": "number_resolving",
        "double": "double_excitation",
        "unprepared": "preparation_error",
    }
    herald = single_click(**{renamed.get(k, k): value for k, value in arguments.items()})
    brute = brute_force_single_click(**arguments)
    assert herald.p_success == pytest.approx(sum(p for p, _ in brute), rel=1e-12)
    for (p, state), bell in zip(brute, (PSI_PLUS, PSI_MINUS), strict=True):
        assert p == pytest.approx(herald.p_success / 2, rel=1e-12)
        assert herald.states[bell] == pytest.approx(state, abs=1e-12)


def dephased(rho, visibility):
    z = np.kron(PAULIS[3], np.eye(2))
    return (1 + visibility) / 2 * rho + (1 - visibility) / 2 * z @ rho @ z


def lost(rho, side):
    """One qubit is traced out; the memory there is in |0>."""
    tensor = rho.reshape(2, 2, 2, 2)
    ground = np.diag([1.0, 0.0])
    if side == 0:
        return np.kron(ground, np.einsum("ijil->jl", tensor))
    return np.kron(np.einsum("ijkj->ik", tensor), ground)


PSI = np.outer([0, 1, 1, 0], [0, 1, 1, 0]) / 2


@given(shares, shares, shares, st.floats(0, 1), st.floats(0, 1))
def test_a_source_is_what_its_branches_say(eta_a, eta_b, mu, dark, visibility):
    rho = mu * eta_a * eta_b * dephased(PSI, visibility)
    rho = rho + mu * eta_a * (1 - eta_b) * dark * lost(PSI, 1)
    rho = rho + mu * (1 - eta_a) * eta_b * dark * lost(PSI, 0)
    neither = mu * (1 - eta_a) * (1 - eta_b) + 1 - mu
    rho = rho + neither * dark**2 * np.diag([1.0, 0, 0, 0])
    herald = source_in_the_middle(eta_a, eta_b, mu, dark, visibility)
    assert herald.p_success == pytest.approx(np.trace(rho).real, rel=1e-12)
    assert herald.states[PSI_PLUS] == pytest.approx(correlations(rho), abs=1e-12)
    assert list(herald.states) == [PSI_PLUS]


@given(shares, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_end_to_end_is_what_its_branches_say(eta, dark, visibility, double, unprepared):
    """The first photon of two tells the memory's state; prepared wrongly, Ψ− is made of Ψ+."""
    both = (1 - double) * PSI + double * np.diag(np.diag(PSI))
    both = (1 - unprepared) * both + unprepared * dephased(both, -1)
    rho = eta * dephased(both, visibility) + (1 - eta) * dark * lost(both, 1)
    herald = end_to_end(eta, dark, visibility, double, unprepared)
    assert herald.p_success == pytest.approx(np.trace(rho).real, rel=1e-12)
    assert herald.states[PSI_PLUS] == pytest.approx(correlations(rho), abs=1e-12)


@given(
    shares,
    shares,
    shares,
    shares,
    st.floats(0, 0.5),
    st.floats(0, 1),
    st.floats(0, 3),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_fidelity_and_states_agree_and_states_are_states(a, b, x, y, dark, visibility, phase, bad):
    heralds = [
        single_click(a, b, x, y, dark, visibility, phase, False, *bad),
        single_click(a, b, x, y, dark, visibility, phase, True, *bad),
        source_in_the_middle(a, b, x, dark, visibility),
        end_to_end(a, dark, visibility, *bad),
        double_click(a, b, dark, visibility, *bad),
    ]
    for herald in heralds:
        assert 0 < herald.p_success <= 1
        for bell, r in herald.states.items():
            rho = sum(
                r[i, j] * np.kron(PAULIS[i], PAULIS[j])
                for i, j in itertools.product(range(4), repeat=2)
            )
            assert np.linalg.eigvalsh(rho / 4).min() > -1e-12
            sign = 1 if bell == PSI_PLUS else -1
            target = np.array([0, 1, sign, 0]) / math.sqrt(2)
            assert (target @ rho @ target / 4).real == pytest.approx(herald.fidelity, abs=1e-12)


@pytest.mark.parametrize("km", [0, 1, 10, 25, 50, 100, 200])
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.3])
def test_single_click_trades_rate_for_fidelity_as_published(km, alpha):
    """p ≈ 2αη, F ≈ 1−α (Humphreys et al. 2018, Dahlberg et al. 2019) to a relative αη."""
    link = FibreLink(
        length_km=max(km, 1e-3),
        scheme="single-click",
        bright_state=alpha,
        emission_efficiency=0.1,
        number_resolving=True,
    )
    eta = 0.1 * 10 ** (-0.2 * max(km, 1e-3) / 2 / 10)
    assert link.detection == pytest.approx((eta, eta))
    herald = link.herald()
    assert herald.p_success == pytest.approx(2 * alpha * eta * (1 - alpha * eta), rel=1e-12)
    assert herald.fidelity == pytest.approx((1 - alpha) / (1 - alpha * eta), rel=1e-12)
    assert herald.p_success == pytest.approx(2 * alpha * eta, rel=1.001 * alpha * eta)
    assert abs(herald.fidelity - (1 - alpha)) < alpha * eta


@pytest.mark.parametrize(
    ("alpha", "rate_hz", "fidelity", "error"), [(0.05, 6.0, 0.81, 0.02), (0.3, 39.0, 0.60, 0.02)]
)
def test_single_click_is_as_fast_and_as_good_as_the_experiment(alpha, rate_hz, fidelity, error):
    """Humphreys et al., Nature 558, 268 (2018): two NV centres 2 m apart, an attempt each 5.5 us,
    detection probabilities 2.8e-4 and 4.2e-4, visibility 0.9, 20 dark counts a second in windows
    of 25 ns, a phase of 14.3 degrees, double excitation 4 %, initialisation 99 %. Rates are of
    attempts alone, and published as whole numbers.
    """
    photons = {
        "dark_count_probability": 20 * 25e-9,
        "visibility": 0.9,
        "phase_std_rad": np.radians(14.3),
    }
    alone = single_click(2.8e-4, 4.2e-4, alpha, alpha, **photons)
    herald = single_click(
        2.8e-4, 4.2e-4, alpha, alpha, **photons, double_excitation=0.04, preparation_error=0.01
    )
    assert alone.p_success / 5.5e-6 == pytest.approx(rate_hz, rel=0.1)
    assert herald.p_success / 5.5e-6 == pytest.approx(rate_hz, rel=0.3)
    assert herald.fidelity == pytest.approx(fidelity, abs=2 * error)
    assert alone.fidelity > fidelity + 3 * error  # the emitters' errors are what it takes


@pytest.mark.parametrize("scheme", ["double-click", "single-click", "source", "end-to-end"])
@pytest.mark.parametrize("loss", [{}, {"dark_count_probability": 1e-6, "visibility": 0.9}])
def test_every_scheme_falls_off_with_its_own_power_of_the_loss(scheme, loss):
    """Per kilometre: single-click as half of the fibre, the others as the whole of it."""
    fraction = 1.0 if scheme == "end-to-end" else 0.5
    rates = []
    for km in range(1, 202, 10):
        link = FibreLink(
            length_km=km,
            station_fraction=fraction,
            scheme=scheme,
            detector_efficiency=0.8,
            bright_state=0.05,
            **loss,
        )
        herald = link.herald()
        rates.append(herald.p_success)
        assert 0.2 < herald.fidelity <= 1
        if not loss and scheme != "single-click":
            assert herald.fidelity == pytest.approx(1.0)
    assert all(a > b for a, b in itertools.pairwise(rates))
    if not loss:
        decades = math.log10(rates[-2] / rates[-1])
        power = 0.1 if scheme == "single-click" else 0.2
        assert decades == pytest.approx(power, rel=0.01)


def test_dark_counts_drown_a_long_link():
    near, far = (
        FibreLink(
            length_km=km, scheme="single-click", bright_state=0.05, dark_count_probability=1e-6
        ).herald()
        for km in (20, 400)
    )
    assert near.fidelity > 0.94
    assert far.fidelity < 0.9 * near.fidelity


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"eta_a": 1.5}, "eta_a"),
        ({"bright_b": -0.1}, "bright_b"),
        ({"phase_std_rad": -1.0}, "phase_std_rad"),
        ({"double_excitation": 1.1}, "double_excitation"),
        ({"preparation_error": -0.1}, "preparation_error"),
        ({"bright_a": 0.0, "bright_b": 0.0}, "no attempt can succeed"),
    ],
)
def test_bad_arguments_are_named(change, name):
    arguments = {"eta_a": 0.5, "eta_b": 0.5, "bright_a": 0.1, "bright_b": 0.1} | change
    with pytest.raises(ValueError, match=name):
        single_click(**arguments)


def test_ends_that_differ_are_balanced_by_their_bright_states():
    """Station a quarter of the way, and end b collects a third as much: both clicks alike."""
    link = FibreLink(
        length_km=20.0,
        station_fraction=0.25,
        emission_efficiency=(0.3, 0.1),
        scheme="single-click",
        bright_state=0.1,
        balanced=True,
    )
    assert link.detection == pytest.approx((0.3 * 10**-0.1, 0.1 * 10**-0.3))
    share_a, share_b = link.bright_shares
    assert share_a * link.detection[0] == pytest.approx(share_b * link.detection[1])
    assert share_a * share_b == pytest.approx(1.0)
    explicit = single_click(*link.detection, 0.05 * share_a, 0.05 * share_b)
    assert link.herald(0.05, 0.05).fidelity == pytest.approx(explicit.fidelity)
    assert explicit.fidelity > single_click(*link.detection, 0.05, 0.05).fidelity


def test_each_end_has_its_own_bright_state_and_errors():
    """The ratio of the two bright states is kept where another mean is asked for."""
    errors = {"double_excitation": (0.04, 0.07), "preparation_error": (0.01, 0.02)}
    link = FibreLink(length_km=1.0, scheme="single-click", bright_state=(0.04, 0.09), **errors)
    assert link.mean_bright_state == pytest.approx(0.06)
    assert link.herald().fidelity == pytest.approx(
        single_click(*link.detection, 0.04, 0.09, **errors).fidelity, rel=1e-12
    )
    assert link.herald(0.03, 0.03).p_success == pytest.approx(
        single_click(*link.detection, 0.02, 0.045, **errors).p_success, rel=1e-12
    )
    swapped = {name: value[::-1] for name, value in errors.items()}
    turned = FibreLink(length_km=1.0, scheme="single-click", bright_state=(0.09, 0.04), **swapped)
    assert turned.herald().fidelity == pytest.approx(link.herald().fidelity, rel=1e-12)
    only_a = FibreLink(
        length_km=1.0, station_fraction=1.0, scheme="end-to-end", double_excitation=(0.1, 0.9)
    )
    assert only_a.herald().fidelity == pytest.approx((1 + 0.9) / 2, abs=1e-9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"bright_state": (0.1, 0.2), "balanced": True},
        {"bright_state": (0.1, 0.0)},
        {"bright_state": (0.1, 1.5)},
    ],
)
def test_bright_states_that_can_not_be_are_named(wrong):
    with pytest.raises(ValueError, match="bright_state is"):
        FibreLink(length_km=1, scheme="single-click", **wrong)


def test_a_source_has_no_emitters_to_go_wrong():
    with pytest.raises(ValueError, match="with a source they store"):
        FibreLink(length_km=1, scheme="source", double_excitation=0.1)


def test_end_to_end_wants_its_station_beside_the_second_end():
    with pytest.raises(ValueError, match="station_fraction"):
        FibreLink(length_km=1, scheme="end-to-end")
    with pytest.raises(ValueError, match="scheme"):
        FibreLink(length_km=1, scheme="triple-click")


def test_halves_come_into_being_when_their_scheme_says():
    """20 km, station a quarter of the way: arms of 25 and 75 us; emission after 1 us."""
    fibre = {"length_km": 20.0, "station_fraction": 0.25, "emission_ps": 1_000_000}
    middle = FibreLink(**fibre)
    assert middle.born_ps == (51_000_000, 1_000_000)
    assert (middle.herald_ps, middle.least_attempt_ps) == (76_000_000, 151_000_000)
    source = FibreLink(scheme="source", **fibre)
    assert source.born_ps == (26_000_000, 76_000_000)
    assert (source.herald_ps, source.least_attempt_ps) == (151_000_000, 226_000_000)
    end = FibreLink(scheme="end-to-end", **(fibre | {"station_fraction": 1.0}))
    assert end.born_ps == (1_000_000, 101_000_000)
    assert (end.herald_ps, end.least_attempt_ps) == (101_000_000, 201_000_000)
