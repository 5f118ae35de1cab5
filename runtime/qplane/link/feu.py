"""Fidelity estimation unit (FEU): what a link gives, from calibration and from test pairs.

It sees what a node can see: the device's calibration, and outcomes of pairs that both ends have
measured.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from qplane.wire.service import Basis, RequestType

CALIBRATION_ERROR = 0.01
"""Standard deviation of a calibrated fidelity, as far as anybody has said."""

TEST_BASES = (Basis.Z, Basis.X, Basis.Y)


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """What the device says of one bright-state parameter (n / 65535; 0: the link has none).

    `success` is that of one attempt; fidelities are to the heralded Bell state.
    """

    bright_state: int
    success: float
    fidelity_keep: float
    fidelity_measure: float

    def fidelity(self, kind: RequestType) -> float:
        """That of a pair kept, or of a pair measured."""
        return self.fidelity_keep if kind is RequestType.KEEP else self.fidelity_measure


class Estimate(NamedTuple):
    """A number and its standard error."""

    value: float
    error: float


class Choice(NamedTuple):
    """How a request would be served."""

    bright_state: int
    fidelity: float
    success: float  # of one attempt


@dataclass
class ErrorCounts:
    """Test pairs in one basis of both ends: how many, and how many were not as in Φ+."""

    pairs: int = 0
    errors: int = 0

    @property
    def rate(self) -> Estimate:
        """The quantum bit error rate. Its error is that of (errors + 1) / (pairs + 2), never 0."""
        if not self.pairs:
            return Estimate(0.5, 0.5)
        smooth = (self.errors + 1) / (self.pairs + 2)
        return Estimate(self.errors / self.pairs, math.sqrt(smooth * (1 - smooth) / self.pairs))


@dataclass
class PairTests:
    """Test pairs of one bright-state parameter. `flip`: that readout alone makes an error of one,
    which is what the devices say of themselves: errors in counts are of pairs and readout."""

    flip: float = 0.0
    counts: dict[Basis, ErrorCounts] = field(
        default_factory=lambda: {basis: ErrorCounts() for basis in TEST_BASES}
    )

    def add(self, basis: Basis, outcome_here: int, outcome_there: int) -> None:
        """Both ends measured in `basis`. In Φ+, Z and X agree and Y does not."""
        counted = self.counts[basis]
        counted.pairs += 1
        counted.errors += (outcome_here == outcome_there) == (basis is Basis.Y)

    @property
    def pairs(self) -> int:
        """Those in the same basis at both ends."""
        return sum(counted.pairs for counted in self.counts.values())

    @property
    def fidelity(self) -> Estimate | None:
        """F = 1 − (Q_X + Q_Y + Q_Z) / 2 with the pair's own Q, of which Q(1−f) + (1−Q)f is seen;
        None until each basis has a pair, and where readout tells nothing."""
        rates = [counted.rate for counted in self.counts.values()]
        seen = 1 - 2 * self.flip
        if seen <= 0 or not all(counted.pairs for counted in self.counts.values()):
            return None
        return Estimate(
            1 - sum((rate.value - self.flip) / seen for rate in rates) / 2,
            math.sqrt(sum(rate.error**2 for rate in rates)) / 2 / seen,
        )


class FidelityEstimator:
    """Estimates for one link. `points` are sorted by bright-state parameter here."""

    def __init__(
        self,
        points: Sequence[CalibrationPoint],
        calibration_error: float = CALIBRATION_ERROR,
        readout_errors: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """`readout_errors`: of either end's device.

        Raises ValueError without a point, or with two for one bright-state parameter.
        """
        self.points = sorted(points, key=lambda point: point.bright_state)
        self._places = [point.bright_state for point in self.points]
        if not self._places or len(set(self._places)) != len(self._places):
            raise ValueError(f"calibrated bright-state parameters are {self._places}")
        first, second = readout_errors
        self._flip = first * (1 - second) + second * (1 - first)
        self._calibration_error = calibration_error
        self.tests: dict[int, PairTests] = {}

    # ---- what is learnt ----

    def add_test(self, bright_state: int, basis: Basis, here: int, there: int) -> None:
        """A test pair that both ends measured in `basis`."""
        self.tests.setdefault(bright_state, PairTests(self._flip)).add(basis, here, there)

    @property
    def error_rates(self) -> dict[Basis, ErrorCounts]:
        """Test pairs and errors in each basis, whatever the bright-state parameter."""
        return {
            basis: ErrorCounts(
                sum(tests.counts[basis].pairs for tests in self.tests.values()),
                sum(tests.counts[basis].errors for tests in self.tests.values()),
            )
            for basis in TEST_BASES
        }

    @property
    def correction(self) -> Estimate:
        """By how much pairs are better than calibrated: all tests, weighed against calibration.

        A calibration that the tests contradict is taken to be as wrong as they say.
        """
        weight = weighted = 0.0
        for bright_state, tests in self.tests.items():
            tested = tests.fidelity
            if tested is not None:
                calibrated = self.calibrated(bright_state).fidelity_measure
                weight += 1 / tested.error**2
                weighted += (tested.value - calibrated) / tested.error**2
        if not weight:
            return Estimate(0.0, self._calibration_error)
        difference = weighted / weight
        error_squared = max(self._calibration_error**2, difference**2 - 1 / weight)
        total = weight + 1 / error_squared
        return Estimate(weighted / total, math.sqrt(1 / total))

    # ---- what it says ----

    def calibrated(self, bright_state: int) -> CalibrationPoint:
        """Calibration there: a cubic through the four points around it, that of the nearest
        outside; linear where there are fewer than four."""
        place = bisect_left(self._places, bright_state)
        if place < len(self._places) and self._places[place] == bright_state:
            return self.points[place]
        if place in (0, len(self.points)):
            return self.points[min(place, len(self.points) - 1)]
        count = 4 if len(self.points) >= 4 else 2
        first = min(max(0, place - count // 2), len(self.points) - count)
        around = self.points[first : first + count]
        weights = _lagrange([point.bright_state for point in around], bright_state)

        def there(figures: Sequence[float]) -> float:
            return sum(weight * figure for weight, figure in zip(weights, figures, strict=True))

        return CalibrationPoint(
            bright_state,
            there([point.success for point in around]),
            there([point.fidelity_keep for point in around]),
            there([point.fidelity_measure for point in around]),
        )

    def fidelity(self, bright_state: int, kind: RequestType) -> Estimate:
        """Of a pair when it is reported."""
        correction = self.correction
        value = self.calibrated(bright_state).fidelity(kind) + correction.value
        return Estimate(min(1.0, max(0.0, value)), correction.error)

    def choose(self, min_fidelity: float, kind: RequestType) -> Choice | None:
        """The bright-state parameter of the highest rate whose estimate meets `min_fidelity`."""
        correction = self.correction.value
        least = min_fidelity - correction
        best: CalibrationPoint | None = None
        candidates = list(self.points)
        for low, high in zip(self.points, self.points[1:], strict=False):
            crossing = self._last_that_meets(low, high, least, kind)
            if crossing is not None:
                candidates.append(self.calibrated(crossing))
        for point in candidates:
            if point.fidelity(kind) >= least and (best is None or point.success > best.success):
                best = point
        return None if best is None else self._choice(best, kind)

    def best(self, kind: RequestType) -> Choice:
        """The highest fidelity that the link gives."""
        return self._choice(max(self.points, key=lambda point: point.fidelity(kind)), kind)

    def fastest(self, kind: RequestType) -> Choice:
        """The highest rate that the link gives."""
        return self._choice(max(self.points, key=lambda point: point.success), kind)

    def _choice(self, point: CalibrationPoint, kind: RequestType) -> Choice:
        return Choice(
            point.bright_state, self.fidelity(point.bright_state, kind).value, point.success
        )

    def _last_that_meets(
        self, low: CalibrationPoint, high: CalibrationPoint, least: float, kind: RequestType
    ) -> int | None:
        """Between two points, one good enough and one not: the last parameter that is."""
        meets = low.fidelity(kind) >= least
        if meets == (high.fidelity(kind) >= least):
            return None
        inside, outside = low.bright_state, high.bright_state
        if not meets:
            inside, outside = outside, inside
        while abs(inside - outside) > 1:
            middle = (inside + outside) // 2
            if self.calibrated(middle).fidelity(kind) >= least:
                inside = middle
            else:
                outside = middle
        return inside


def _lagrange(places: Sequence[int], place: int) -> list[float]:
    """Weights of the values at `places` in the polynomial through them, at `place`."""
    return [
        math.prod((place - other) / (own - other) for other in places if other != own)
        for own in places
    ]
