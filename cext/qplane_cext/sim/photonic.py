"""Heralded entanglement of two memories through a station between them: closed forms.

Double-click (Barrett and Kok, Phys. Rev. A 71, 060310(R), 2005), in its time-bin form. Each memory
emits one photon, entangled with it: (|0, early> + |1, late>)/√2. Both photons meet at a 50:50 beam
splitter with one threshold detector at each output. An attempt succeeds when in each of the two
windows exactly one of the detectors clicks: the same one twice heralds Ψ+, one after the other Ψ−.

Derivation. η_a, η_b: probability that a photon is emitted, collected, arrives and is detected
(equal detectors, so their loss may be moved before the beam splitter). d: probability of a dark
count per detector and window. V = |<φ_a|φ_b>|²: overlap of the two photons, the visibility of their
interference. Exactly one click in a window that k of the photons are sent to:

    k = 0:  q0      = 2d(1−d)
    k = 1:  q1(η)   = (1−d) [η + 2d(1−η)]
    k = 2:  q2      = (1−d) [η_a η_b (1+V)/2 + η_a(1−η_b) + η_b(1−η_a) + 2d(1−η_a)(1−η_b)]

where (1+V)/2 is the probability that two photons leave by the same output (Hong, Ou, Mandel 1987).
Memories in 01 or 10 send one photon into each window, in 00 or 11 both into one; each has weight
1/4:

    p   = [q1(η_a) q1(η_b) + q2 q0] / 2
    <ZZ> = [q2 q0 − q1(η_a) q1(η_b)] / (2p)

01 and 10 stay coherent only where both photons are detected, since a lost photon tells where it
came from; early and late click contribute an overlap <φ_a|φ_b> and <φ_b|φ_a>:

    |<01|ρ|10>| = η_a η_b (1−d)² V / (4p),    <XX> = <YY> = ± twice that (+ for Ψ+, − for Ψ−)

All other correlations vanish, the two heralds are equally likely. With d = 0: p = η_a η_b / 2 and
F = (1+V)/2.

Errors of the emitters (as in schemes.py). A memory that is excited twice, probability x, leaves a
lost photon in the window in which it emits; these are different ones for |0> and |1>, so only the
share 1−x of either memory stays coherent. One that is prepared in the other basis state,
probability ε, is rotated into (|0> − |1>)/√2: its coherence has the other sign. So both of them
emit as before, and |<01|ρ|10>| is multiplied by (1−x)² (1−2ε)².
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qplane_cext.sim.schemes import (
    PSI_MINUS,
    PSI_PLUS,
    Herald,
    OfEnds,
    check_errors,
    check_probabilities,
    check_success,
    end_to_end,
    of_ends,
    single_click,
    source_in_the_middle,
)

Scheme = Literal["double-click", "single-click", "source", "end-to-end"]
SCHEMES: dict[str, int] = {"double-click": 1, "single-click": 2, "source": 3, "end-to-end": 4}
"""Their numbers on the wire."""


def double_click(
    eta_a: float,
    eta_b: float,
    dark_count_probability: float = 0.0,
    visibility: float = 1.0,
    double_excitation: OfEnds = 0.0,
    preparation_error: OfEnds = 0.0,
) -> Herald:
    """Success probability and heralded states of one double-click attempt.

    eta_a, eta_b: probability that the photon of either side is detected, all losses included.
    dark_count_probability: per detector and window. Derivation in the module's docstring.
    Raises ValueError for what is not a probability, and where no herald is possible.
    """
    check_probabilities(
        eta_a=eta_a,
        eta_b=eta_b,
        dark_count_probability=dark_count_probability,
        visibility=visibility,
    )
    check_errors(double_excitation, preparation_error)
    d = dark_count_probability
    q0 = 2 * d * (1 - d)
    q1_a = (1 - d) * (eta_a + 2 * d * (1 - eta_a))
    q1_b = (1 - d) * (eta_b + 2 * d * (1 - eta_b))
    q2 = (1 - d) * (
        eta_a * eta_b * (1 + visibility) / 2
        + eta_a * (1 - eta_b)
        + eta_b * (1 - eta_a)
        + 2 * d * (1 - eta_a) * (1 - eta_b)
    )
    p = (q1_a * q1_b + q2 * q0) / 2
    check_success(p, eta_a=eta_a, eta_b=eta_b, dark_count=d)
    zz = (q2 * q0 - q1_a * q1_b) / (2 * p)
    xx = eta_a * eta_b * (1 - d) ** 2 * visibility / (2 * p)
    for twice, error in zip(of_ends(double_excitation), of_ends(preparation_error), strict=True):
        xx *= (1 - twice) * (1 - 2 * error)
    states = {
        PSI_PLUS: np.diag([1.0, xx, xx, zz]),
        PSI_MINUS: np.diag([1.0, -xx, -xx, zz]),
    }
    return Herald(p, states, (1 + 2 * xx - zz) / 4)


@dataclass(frozen=True)
class FibreLink:
    """A fibre with a heralding station (or source) at ``station_fraction`` of it from end a.

    End to end, end a emits and end b stores, and the station stands beside b.
    """

    length_km: float
    station_fraction: float = 0.5
    attenuation_db_per_km: float = 0.2
    speed_m_per_s: float = 2e8
    # emitted, collected and coupled into the fibre; two numbers: of end a, of end b
    emission_efficiency: OfEnds = 1.0
    detector_efficiency: float = 1.0  # of a photon that arrives: detected, or stored and heralded
    dark_count_probability: float = 0.0
    visibility: float = 1.0
    emission_ps: int = 0  # from the start of an attempt to the first emission
    attempt_ps: int | None = None
    aligned: bool = False  # attempts begin at multiples of their duration
    scheme: Scheme = "double-click"
    # single-click: α where none is asked for; of two numbers the ratio is kept where one is
    bright_state: OfEnds = 0.1
    balanced: bool = False  # single-click: α is shared out so that both ends' photons come alike
    phase_std_rad: float = 0.0  # single-click
    number_resolving: bool = False  # single-click: the detectors
    pair_probability: float = 1.0  # source: a pair per attempt
    double_excitation: OfEnds = 0.0  # of a memory that emits
    preparation_error: OfEnds = 0.0  # of a memory that emits: it was in the other basis state

    def __post_init__(self) -> None:
        at_least_zero = ("length_km", "attenuation_db_per_km", "emission_ps", "phase_std_rad")
        probabilities = (
            "station_fraction",
            "detector_efficiency",
            "dark_count_probability",
            "visibility",
            "pair_probability",
        )
        of_both = ("emission_efficiency", "bright_state", "double_excitation", "preparation_error")
        if self.scheme not in SCHEMES:
            raise ValueError(f"scheme is {self.scheme!r}; it must be one of {', '.join(SCHEMES)}")
        if self.scheme == "end-to-end" and self.station_fraction != 1:
            raise ValueError(
                f"station_fraction is {self.station_fraction}; end to end, the station stands "
                "beside end b, at 1"
            )
        for name in at_least_zero:
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")
        for name in probabilities:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie in 0 to 1")
        for name in of_both:
            for value in of_ends(getattr(self, name)):
                if not 0 <= value <= 1:
                    raise ValueError(f"{name} is {value}; it must lie in 0 to 1")
        alpha_a, alpha_b = of_ends(self.bright_state)
        if alpha_a != alpha_b and (self.balanced or not alpha_a or not alpha_b):
            raise ValueError(
                f"bright_state is {self.bright_state}; two different numbers are more than 0, and "
                "not balanced as well"
            )
        if self.scheme == "source" and any(
            (*of_ends(self.double_excitation), *of_ends(self.preparation_error))
        ):
            raise ValueError(
                "double_excitation and preparation_error are of memories that emit; with a source "
                "they store"
            )
        if not 0 < self.speed_m_per_s < float("inf"):
            raise ValueError(f"speed_m_per_s is {self.speed_m_per_s}; it must be positive")
        if self.attempt_ps is not None and self.attempt_ps < self.least_attempt_ps:
            raise ValueError(
                f"attempt_ps is {self.attempt_ps}, shorter than emission and the round trip to the "
                f"station, {self.least_attempt_ps}: the memory does not know yet whether it is free"
            )
        if self.period_ps <= 0:
            raise ValueError("attempt_ps must be given where emission_ps and length_km are 0")

    @property
    def arms_km(self) -> tuple[float, float]:
        """Fibre from end a and from end b to the station."""
        return (
            self.length_km * self.station_fraction,
            self.length_km * (1 - self.station_fraction),
        )

    @property
    def arms_ps(self) -> tuple[int, int]:
        """Propagation delay of the two arms."""
        first, second = (round(km * 1e15 / self.speed_m_per_s) for km in self.arms_km)
        return first, second

    @property
    def born_ps(self) -> tuple[int, int]:
        """When the half of end a, of end b comes into being, from the start of an attempt.

        Where photons meet at the station, the longer arm's memory emits first; a source's photons
        are stored after their arms; end to end, b stores what a has sent.
        """
        a, b = self.arms_ps
        if self.scheme == "source":
            return self.emission_ps + a, self.emission_ps + b
        if self.scheme == "end-to-end":
            return self.emission_ps, self.emission_ps + a
        longer = max(a, b)
        return self.emission_ps + longer - a, self.emission_ps + longer - b

    @property
    def herald_ps(self) -> int:
        """When the station knows whether an attempt succeeded, from its start: it has seen the
        photons, or heard from the ends of a source's arms what they have stored."""
        longer = max(self.arms_ps)
        return self.emission_ps + (2 * longer if self.scheme == "source" else longer)

    @property
    def least_attempt_ps(self) -> int:
        """Until the farther node has heard from the station."""
        return self.herald_ps + max(self.arms_ps)

    @property
    def period_ps(self) -> int:
        """Time from the start of one attempt to the start of the next."""
        return self.least_attempt_ps if self.attempt_ps is None else self.attempt_ps

    @property
    def detection(self) -> tuple[float, float]:
        """Probability that the photon of end a, of end b, is detected: η = 10^(−αL/10) and more.

        From a source: that it is stored there. End to end both are those of the one photon.
        """
        first, second = (
            efficiency * self.detector_efficiency * 10 ** (-self.attenuation_db_per_km * km / 10)
            for efficiency, km in zip(of_ends(self.emission_efficiency), self.arms_km, strict=True)
        )
        return (first, first) if self.scheme == "end-to-end" else (first, second)

    @property
    def bright_shares(self) -> tuple[float, float]:
        """By what α is multiplied at end a and at end b; α is their geometric mean. Where balanced,
        α_a η_a = α_b η_b: a click tells as little as it can of who emitted."""
        alpha_a, alpha_b = of_ends(self.bright_state)
        if alpha_a != alpha_b:
            return float(np.sqrt(alpha_a / alpha_b)), float(np.sqrt(alpha_b / alpha_a))
        eta_a, eta_b = self.detection
        if not self.balanced or not eta_a or not eta_b:
            return 1.0, 1.0
        return float(np.sqrt(eta_b / eta_a)), float(np.sqrt(eta_a / eta_b))

    @property
    def mean_bright_state(self) -> float:
        """Single-click: α where none is asked for, the geometric mean of both ends'."""
        alpha_a, alpha_b = of_ends(self.bright_state)
        return alpha_a if alpha_a == alpha_b else float(np.sqrt(alpha_a * alpha_b))

    def herald(self, bright_a: float | None = None, bright_b: float | None = None) -> Herald:
        """What an attempt yields; ``bright_*``: populations of single-click, None: the default.

        Raises ValueError where no attempt can succeed.
        """
        eta_a, eta_b = self.detection
        d, visibility = self.dark_count_probability, self.visibility
        errors = (self.double_excitation, self.preparation_error)
        if self.scheme == "single-click":
            share_a, share_b = self.bright_shares
            return single_click(
                eta_a,
                eta_b,
                min(1.0, share_a * (self.mean_bright_state if bright_a is None else bright_a)),
                min(1.0, share_b * (self.mean_bright_state if bright_b is None else bright_b)),
                d,
                visibility,
                self.phase_std_rad,
                self.number_resolving,
                *errors,
            )
        if self.scheme == "source":
            return source_in_the_middle(eta_a, eta_b, self.pair_probability, d, visibility)
        if self.scheme == "end-to-end":
            return end_to_end(eta_a, d, visibility, *(of_ends(error)[0] for error in errors))
        return double_click(eta_a, eta_b, d, visibility, *errors)


def aged(
    state: NDArray[np.float64], half: int, age_ps: int, t1_s: float, t2_s: float
) -> NDArray[np.float64]:
    """A pair's R after one half (0 or 1) has aged alone towards |0> with T1, T2.

    The half that is emitted earlier because its fibre is longer has this age, the same in every
    attempt, when the other one comes into being.
    """
    seconds = age_ps * 1e-12
    transfer = np.diag(
        [1.0, np.exp(-seconds / t2_s), np.exp(-seconds / t2_s), np.exp(-seconds / t1_s)]
    )
    transfer[3, 0] = -np.expm1(-seconds / t1_s)
    return transfer @ state if half == 0 else state @ transfer.T
