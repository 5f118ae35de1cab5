"""What is kept of delivered pairs; the accumulators as a whole are tested in test_network."""

import numpy as np
import pytest

from qplane_cext.sim.record import Quantiles


def histogram(values):
    bins = np.zeros(4400, dtype=np.uint64)
    for value in values:
        bins[0 if value < 1 else 1 + int(np.floor(np.log(value) / np.log(1.01)))] += 1
    return bins


def test_quantiles_are_within_half_a_percent():
    values = np.sort(np.random.default_rng(1).lognormal(20, 2, 50_000))
    quantiles = Quantiles(histogram(values))
    for q in (0.0, 0.1, 0.5, 0.99, 1.0):
        exact = values[min(int(q * len(values)), len(values) - 1)]
        assert quantiles(q) == pytest.approx(exact, rel=0.0051)


def test_quantiles_of_nothing_and_of_zeros():
    assert np.isnan(Quantiles(histogram([]))(0.5))
    assert Quantiles(histogram([0, 0, 0]))(0.5) == 0.0


@pytest.mark.parametrize("q", [-0.1, 1.5, float("nan")])
def test_a_quantile_is_asked_for_between_0_and_1(q):
    with pytest.raises(ValueError, match="it must lie in 0 to 1"):
        Quantiles(histogram([1]))(q)
