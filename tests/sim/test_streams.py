"""Random streams and the geometric sampler."""

import math
from collections import Counter

import pytest

from qplane_cext.sim.streams import sample_geometric


@pytest.mark.parametrize("p", [0.9, 0.5, 0.03])
def test_attempts_are_geometric(p):
    n = 200_000
    counts = Counter(sample_geometric(11, p, n))
    assert min(counts) == 1
    bins = [k for k in range(1, 400) if n * p * (1 - p) ** (k - 1) >= 20]
    chi2 = 0.0
    for k in bins:
        expected = n * p * (1 - p) ** (k - 1)
        chi2 += (counts[k] - expected) ** 2 / expected
    rest = n * (1 - p) ** len(bins)
    observed_rest = n - sum(counts[k] for k in bins)
    chi2 += (observed_rest - rest) ** 2 / rest
    # chi-squared with len(bins) degrees of freedom: mean len(bins), variance twice that
    assert abs(chi2 - len(bins)) < 4 * math.sqrt(2 * len(bins))


def test_rare_successes_have_the_right_mean():
    p, n = 1e-9, 20_000
    mean = sum(sample_geometric(5, p, n)) / n
    assert abs(mean - 1 / p) < 4 * (1 / p) / math.sqrt(n)


def test_certain_success_takes_one_attempt():
    assert set(sample_geometric(5, 1.0, 100)) == {1}


def test_least_probabilities_stay_in_range():
    assert all(0 < k <= 4 * 10**18 for k in sample_geometric(5, 1e-300, 100))


def test_seeds_make_streams():
    assert sample_geometric(1, 0.1, 50) == sample_geometric(1, 0.1, 50)
    assert sample_geometric(1, 0.1, 50) != sample_geometric(2, 0.1, 50)
    with pytest.raises(ValueError, match="seed is -1"):
        sample_geometric(-1, 0.1, 1)
