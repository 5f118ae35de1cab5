"""Fidelity estimation: the bright-state parameter it picks, and its estimates from test pairs."""

from __future__ import annotations

from random import Random

import pytest

from qplane.link.feu import CalibrationPoint, Estimate, FidelityEstimator, PairTests
from qplane.link.policy import TEST_PURPOSE
from qplane.wire.service import Basis, RandomBasis, RequestType

from .rig import Link
from .world import MS, World

KEEP, MEASURE = RequestType.KEEP, RequestType.MEASURE


def single_click(bright_state: int, eta: float) -> CalibrationPoint:
    """Number-resolving, no dark counts: F = (1−α)/(1−α·η), p = 2α·η·(1−α·η)... per attempt."""
    alpha = bright_state / 65535
    fidelity = (1 - alpha) / (1 - alpha * eta)
    return CalibrationPoint(bright_state, 2 * alpha * eta * (1 - alpha * eta), fidelity, fidelity)


def points(eta: float, count: int = 25) -> list[CalibrationPoint]:
    states = sorted({round(66 * (60000 / 66) ** (n / (count - 1))) for n in range(count)})
    return [single_click(state, eta) for state in states]


@pytest.mark.parametrize("eta", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("min_fidelity", [0.6, 0.8, 0.9, 0.99])
def test_the_largest_bright_state_that_meets_the_fidelity_is_picked(
    eta: float, min_fidelity: float
) -> None:
    """Against the law inverted: α = (1−F)/(1−F·η), to a step of n/65535.

    At half of all photons and α above a half the cubic between calibrated points shows: 3e-4.
    """
    choice = FidelityEstimator(points(eta)).choose(min_fidelity, KEEP)
    assert choice is not None
    exact = (1 - min_fidelity) / (1 - min_fidelity * eta)
    assert choice.fidelity >= min_fidelity
    assert choice.bright_state / 65535 == pytest.approx(
        exact, rel=3e-4 if (eta, min_fidelity) == (0.5, 0.6) else 0, abs=1 / 65535
    )
    beyond = FidelityEstimator(points(eta)).fidelity(choice.bright_state + 1, KEEP)
    assert beyond.value < min_fidelity


def test_a_fidelity_that_no_bright_state_gives_is_not_promised() -> None:
    estimator = FidelityEstimator(points(0.1))
    assert estimator.choose(0.9999, KEEP) is None
    assert estimator.best(KEEP).fidelity == pytest.approx(1 - 66 / 65535, abs=1e-3)


def test_kept_and_measured_pairs_have_fidelities_of_their_own() -> None:
    estimator = FidelityEstimator([CalibrationPoint(0, 0.1, 0.7, 0.9)])
    assert estimator.choose(0.8, KEEP) is None
    choice = estimator.choose(0.8, MEASURE)
    assert choice is not None
    assert choice.fidelity == pytest.approx(0.9)


def test_test_pairs_outweigh_a_wrong_calibration() -> None:
    """The device believes 0.95, pairs are 0.80: after enough tests the link says so."""
    estimator = FidelityEstimator([CalibrationPoint(0, 0.1, 0.95, 0.95)])
    random = Random(4)
    for _ in range(30_000):
        basis = random.choice([Basis.X, Basis.Y, Basis.Z])
        differs = random.random() < 2 * (1 - 0.80) / 3
        estimator.add_test(0, basis, 0, int(differs) ^ (basis is Basis.Y))
    estimate = estimator.fidelity(0, MEASURE)
    assert estimate.value == pytest.approx(0.80, abs=4 * estimate.error)
    assert estimator.choose(0.9, MEASURE) is None


def test_without_test_pairs_calibration_stands_with_its_error() -> None:
    estimator = FidelityEstimator([CalibrationPoint(0, 0.1, 0.9, 0.9)], calibration_error=0.02)
    assert estimator.fidelity(0, KEEP) == Estimate(pytest.approx(0.9), pytest.approx(0.02))


def test_estimates_on_20_random_links_are_within_2_standard_errors() -> None:
    """Through the whole protocol: random bases at both ends, outcomes exchanged and compared.

    The estimate is from the sample alone. Of 20 that are right, 19 lie within 2 standard errors on
    average; fewer than 17 happens once in a hundred times. None may be beyond 4.
    """
    random = Random(8)
    distances = []
    for seed in range(20):
        fidelity = random.uniform(0.55, 0.99)
        link = Link(World(seed), success=random.uniform(0.2, 0.9), fidelity=fidelity)
        link.create(
            seed % 2,
            number=450,
            purpose_id=TEST_PURPOSE,
            min_fidelity=0,
            request_type=MEASURE,
            random_basis_local=RandomBasis.XYZ,
            random_basis_remote=RandomBasis.XYZ,
            probability_local_1=85,
            probability_local_2=85,
            probability_remote_1=85,
            probability_remote_2=85,
        )
        assert link.world.run(lambda link=link: link.is_idle, for_ps=1000 * MS)
        link.world.run(for_ps=MS)
        seen = [egp.estimator.tests[0].fidelity for egp in link.ends]
        assert seen[0] is not None
        assert seen[0] == seen[1]
        distances.append(abs(seen[0].value - fidelity) / seen[0].error)
    assert sum(distance <= 2 for distance in distances) >= 17, distances
    assert max(distances) < 4


def test_errors_of_readout_are_not_the_pairs() -> None:
    """Perfect pairs, of whose outcomes readouts of 2 % and 3 % flip 4.88 %; the QBER has them."""
    estimator = FidelityEstimator([CalibrationPoint(0, 0.1, 1, 1)], readout_errors=(0.02, 0.03))
    for basis in (Basis.X, Basis.Y, Basis.Z):
        for n in range(10_000):
            estimator.add_test(0, basis, 0, int((n < 488) != (basis is Basis.Y)))
    tested = estimator.tests[0].fidelity
    assert tested is not None
    assert tested.value == pytest.approx(1.0, abs=1e-12)
    assert tested.error > 0.001
    assert estimator.error_rates[Basis.X].rate.value == pytest.approx(0.0488)
    blind = FidelityEstimator([CalibrationPoint(0, 0.1, 1, 1)], readout_errors=(0.5, 0.0))
    for basis in (Basis.X, Basis.Y, Basis.Z):
        blind.add_test(0, basis, 0, 0)
    assert blind.tests[0].fidelity is None
    assert blind.fidelity(0, MEASURE).value == 1.0


def test_error_rates_are_those_of_each_basis() -> None:
    tests = PairTests()
    for n in range(100):
        tests.add(Basis.Z, 0, int(n < 3))
        tests.add(Basis.X, 1, int(n >= 5))
        tests.add(Basis.Y, 1, int(n < 7))
    rates = {basis: counted.rate.value for basis, counted in tests.counts.items()}
    assert rates == pytest.approx({Basis.Z: 0.03, Basis.X: 0.05, Basis.Y: 0.07})
    assert tests.fidelity is not None
    assert tests.fidelity.value == pytest.approx(1 - 0.15 / 2)
