"""Repeater chains with cut-offs: the algorithm of Li, Coopmans and Elkouss.

"Efficient optimization of cutoffs in quantum repeater chains", IEEE Transactions on Quantum
Engineering 2, 1 (2021), arXiv:2005.04946: distribution of the waiting time in steps of one attempt,
and mean Werner parameter of the pairs by the time they took. Cut-off on the difference of the two
waiting times (their DIF-TIME-CUT-OFF): what waits for longer than `cutoff` steps is discarded, and
both halves begin anew. Written from the paper's recursion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """By time in steps: probability, and probability times mean Werner parameter."""

    chance: Floats
    weight: Floats

    @property
    def mean_steps(self) -> float:
        return float(np.dot(np.arange(len(self.chance)), self.chance) / self.chance.sum())

    @property
    def werner(self) -> float:
        return float(self.weight.sum() / self.chance.sum())


def elementary(success: float, werner: float, steps: int) -> Pairs:
    """A link that succeeds with a probability per attempt; times up to `steps`."""
    chance = np.zeros(steps)
    chance[1:] = success * (1 - success) ** np.arange(steps - 1)
    return Pairs(chance, werner * chance)


def swapped(left: Pairs, right: Pairs, coherence: float, cutoff: int, success: float) -> Pairs:
    """Both sides are waited for, the earlier at most `cutoff` steps, and swapped.

    `coherence`: steps in which the Werner parameter of what waits falls to 1/e; `success` of the
    swap. After a cut-off and after a swap that failed all begins anew.
    """
    steps = len(left.chance)
    decay = np.exp(-np.arange(cutoff + 1) / coherence)
    ready, weight, lost = np.zeros(steps), np.zeros(steps), np.zeros(steps)
    for early, late, least in ((left, right, 0), (right, left, 1)):  # by how much one is earlier
        waits = (np.arange(cutoff + 1) >= least).astype(float)
        ready += late.chance * _convolved(early.chance, waits)
        weight += late.weight * _convolved(early.weight, waits * decay)
    for early, late in ((left, right), (right, left)):
        # P(late > t + cutoff) for early at t: over at t + cutoff
        after = np.concatenate((1 - np.cumsum(late.chance), np.zeros(cutoff)))
        count = steps - cutoff
        lost[cutoff:] += early.chance[:count] * after[cutoff : cutoff + count]
    prepared, prepared_weight = _repeated(ready, lost), _repeated(weight, lost)
    failed = (1 - success) * prepared
    return Pairs(
        _repeated(success * prepared, failed), _repeated(success * prepared_weight, failed)
    )


def _convolved(values: Floats, window: Floats) -> Floats:
    """Their convolution, as long as the values."""
    size = len(values) + len(window)
    result = np.fft.irfft(np.fft.rfft(values, size) * np.fft.rfft(window, size), size)
    return np.asarray(result[: len(values)])


def _repeated(good: Floats, bad: Floats) -> Floats:
    """Distribution of the sum of any number of `bad` times and a `good` one: x = good + bad * x.

    By Fourier transform, as the paper does it; times beyond the end wrap around, so they must not
    matter.
    """
    size = 2 * len(good)
    result = np.fft.irfft(np.fft.rfft(good, size) / (1 - np.fft.rfft(bad, size)), size)
    return np.asarray(result[: len(good)])


def key_fraction(werner: float) -> float:
    """Of BB84 with one-way post-processing: 1 - 2h((1 - w)/2), not below 0."""
    error = (1 - werner) / 2
    if error <= 0:
        return 1.0
    entropy = -error * np.log2(error) - (1 - error) * np.log2(1 - error)
    return float(max(0.0, 1 - 2 * entropy))
