"""Ways of making a pair other than double-click (photonic.py): exact closed forms.

Names as in RFC 9340, section 4.4.1: a heralding station in the middle, a source in the middle, or
one end that sends to the other. η_a, η_b: probability that the photon of either side is detected
(or stored), all losses included; d: probability of a dark count per detector and window; V:
visibility. Basis states of two memories a, b: |ab>; R[i, j] = <σ_i ⊗ σ_j>.

**Single-click** (Cabrillo et al., Phys. Rev. A 59, 1025 (1999); Humphreys et al., Nature 558, 268
(2018)). Each memory is brought into √(1−α)|0> + √α|1> and emits a photon from |1> (the *bright*
state) alone; the two modes meet at a beam splitter with a detector at each output, and exactly one
click in the one window heralds. With k photons sent, that has the probability

    k = 0:  q0    = 2d(1−d)
    k = 1:  q1(η) = (1−d) [η + 2d(1−η)]                          threshold detectors
    k = 2:  q2    = (1−d) [η_a η_b (1+V)/2 + η_a(1−η_b) + η_b(1−η_a) + 2d(1−η_a)(1−η_b)]

where a detector that resolves photon numbers must count one: no second photon (the term with 1+V is
gone) and no dark count on top of a photon (its 1−d becomes (1−d)²). Weights α_a, α_b then give the
populations of |00>, |01>, |10>, |11>; only where the one photon itself was detected the memories
keep coherence between |01> and |10>:

    |<01|ρ|10>| p = √(α_a(1−α_a) α_b(1−α_b) η_a η_b V) (1−d) c,     c = <cos φ> = exp(−σ²/2)

(√V is the overlap of the modes; φ, with standard deviation σ, the phase between the two paths,
Gaussian). Detector + heralds Ψ+, detector − Ψ−, equally often. With d = 0, V = c = 1, equal sides
and number resolution: p = 2αη(1−αη), F = (1−α)/(1−αη); for small η: p ≈ 2αη, F ≈ 1−α.

Two errors of the emitters (Hermans et al., New J. Phys. 25, 013011 (2023); supplement of Humphreys
et al., section IV):

- *Double excitation*, probability x each time that a memory emits: it emits a photon during the
  exciting pulse, outside the detection window, and another one within. The first one is lost and
  tells who emitted. Its mode is empty with amplitude √(1−x) if the memory is bright, and surely if
  it is dark, so the coherence between |01> and |10> is multiplied by √(1−x) for either memory.
- *Preparation*, probability ε: the memory is in the other basis state before it is rotated, and
  √α|0> − √(1−α)|1> comes out. So the bright population is (1−ε)α + ε(1−α), and √(α(1−α)) becomes
  (1−2ε) √(α(1−α)).

**Source in the middle.** With probability μ a source sends a pair of photons in two time bins,
(|early, late> + |late, early>)/√2, one to each end, whose memory stores it and says so
(probability η each), or says so falsely (d, when nothing was stored; it is in |0> then). Both must.
Coherence of what both stored is V.

**End to end.** The memory at a emits a photon entangled with it, (|0, late> + |1, early>)/√2, which
the memory at b stores and says so, η; falsely d. Both errors of the emitter at a leave populations
as they are (it always emits) and multiply the coherence by (1−x)(1−2ε): see photonic.py.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PSI_PLUS, PSI_MINUS = 2, 3
"""Bell indices of the heralds."""

OfEnds = float | tuple[float, float]
"""One probability for both memories, or that of a's and that of b's."""


class Herald(NamedTuple):
    """What a heralding scheme yields per attempt."""

    p_success: float
    states: dict[int, NDArray[np.float64]]  # Bell index -> R[i, j] = <s_i x s_j>; equally likely
    fidelity: float  # to the heralded Bell state, the same for all


def check_probabilities(**arguments: float) -> None:
    """ValueError names the first that is not one."""
    for name, value in arguments.items():
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} is {value}; it must lie in 0 to 1")


def of_ends(value: OfEnds) -> tuple[float, float]:
    """That of a's memory and that of b's."""
    return value if isinstance(value, tuple) else (value, value)


def check_errors(double_excitation: OfEnds, preparation_error: OfEnds) -> None:
    """ValueError names the first that is no probability."""
    for x, error in zip(of_ends(double_excitation), of_ends(preparation_error), strict=True):
        check_probabilities(double_excitation=x, preparation_error=error)


def check_success(p_success: float, **arguments: float) -> None:
    """ValueError where no attempt can succeed."""
    if p_success <= 0.0:
        given = ", ".join(f"{name} {value:g}" for name, value in arguments.items())
        raise ValueError(f"no attempt can succeed with {given}")


def single_click(
    eta_a: float,
    eta_b: float,
    bright_a: float,
    bright_b: float,
    dark_count_probability: float = 0.0,
    visibility: float = 1.0,
    phase_std_rad: float = 0.0,
    number_resolving: bool = False,
    double_excitation: OfEnds = 0.0,
    preparation_error: OfEnds = 0.0,
) -> Herald:
    """One single-click attempt with the bright-state populations α of either side.

    eta_a, eta_b: probability that the photon of a bright memory is detected, all losses included.
    dark_count_probability: per detector and window. phase_std_rad: for a published mean c of
    cos φ it is √(−2 ln c). Raises ValueError for what is not a probability, and where no herald is
    possible.
    """
    check_probabilities(
        eta_a=eta_a,
        eta_b=eta_b,
        bright_a=bright_a,
        bright_b=bright_b,
        dark_count_probability=dark_count_probability,
        visibility=visibility,
    )
    check_errors(double_excitation, preparation_error)
    if not 0.0 <= phase_std_rad < float("inf"):
        raise ValueError(f"phase_std_rad is {phase_std_rad}; it must not be negative")
    d = dark_count_probability
    quiet = (1 - d) ** 2 if number_resolving else 1 - d  # beside a detected photon
    q0 = 2 * d * (1 - d)

    def q1(eta: float) -> float:
        return quiet * eta + q0 * (1 - eta)

    q2 = quiet * (eta_a * (1 - eta_b) + eta_b * (1 - eta_a)) + q0 * (1 - eta_a) * (1 - eta_b)
    if not number_resolving:
        q2 += quiet * eta_a * eta_b * (1 + visibility) / 2
    unprepared = of_ends(preparation_error)
    emits_a, emits_b = (
        error + (1 - 2 * error) * alpha
        for error, alpha in zip(unprepared, (bright_a, bright_b), strict=True)
    )
    p00 = (1 - emits_a) * (1 - emits_b) * q0
    p01 = (1 - emits_a) * emits_b * q1(eta_b)
    p10 = emits_a * (1 - emits_b) * q1(eta_a)
    p11 = emits_a * emits_b * q2
    p = p00 + p01 + p10 + p11
    check_success(p, eta_a=eta_a, eta_b=eta_b, bright_a=bright_a, bright_b=bright_b, dark_count=d)
    coherence = np.sqrt(
        bright_a * (1 - bright_a) * bright_b * (1 - bright_b) * eta_a * eta_b * visibility
    ) * (quiet * np.exp(-(phase_std_rad**2) / 2))
    for twice, error in zip(of_ends(double_excitation), unprepared, strict=True):
        coherence *= np.sqrt(1 - twice) * (1 - 2 * error)
    states = {
        bell: _correlations(p00 / p, p01 / p, p10 / p, p11 / p, sign * float(coherence) / p)
        for bell, sign in ((PSI_PLUS, 1), (PSI_MINUS, -1))
    }
    return Herald(p, states, (p01 + p10 + 2 * float(coherence)) / (2 * p))


def source_in_the_middle(
    eta_a: float,
    eta_b: float,
    pair_probability: float = 1.0,
    dark_count_probability: float = 0.0,
    visibility: float = 1.0,
) -> Herald:
    """One attempt of a source between two memories that herald what they store. Raises as above."""
    d, mu = dark_count_probability, pair_probability
    check_probabilities(
        eta_a=eta_a,
        eta_b=eta_b,
        pair_probability=mu,
        dark_count_probability=d,
        visibility=visibility,
    )
    both = mu * eta_a * eta_b
    a_alone = mu * eta_a * (1 - eta_b) * d  # a stored, b says so falsely
    b_alone = mu * (1 - eta_a) * eta_b * d
    neither = (mu * (1 - eta_a) * (1 - eta_b) + 1 - mu) * d * d
    p = both + a_alone + b_alone + neither
    check_success(p, eta_a=eta_a, eta_b=eta_b, pair_probability=mu, dark_count=d)
    state = _correlations(
        (a_alone / 2 + b_alone / 2 + neither) / p,
        (both / 2 + b_alone / 2) / p,
        (both / 2 + a_alone / 2) / p,
        0.0,
        both * visibility / (2 * p),
    )
    return Herald(p, {PSI_PLUS: state}, (state[1, 1] * 2 + 1 - state[3, 3]) / 4)


def end_to_end(
    eta: float,
    dark_count_probability: float = 0.0,
    visibility: float = 1.0,
    double_excitation: float = 0.0,
    preparation_error: float = 0.0,
) -> Herald:
    """One attempt in which a emits and b stores and says so. Raises as above."""
    d = dark_count_probability
    check_probabilities(
        eta=eta,
        dark_count_probability=d,
        visibility=visibility,
        double_excitation=double_excitation,
        preparation_error=preparation_error,
    )
    coherence = visibility * (1 - double_excitation) * (1 - 2 * preparation_error)
    false = (1 - eta) * d
    p = eta + false
    check_success(p, eta=eta, dark_count=d)
    state = _correlations(
        false / 2 / p, eta / 2 / p, (eta / 2 + false / 2) / p, 0.0, eta * coherence / (2 * p)
    )
    return Herald(p, {PSI_PLUS: state}, (state[1, 1] * 2 + 1 - state[3, 3]) / 4)


def _correlations(
    p00: float, p01: float, p10: float, p11: float, coherence: float
) -> NDArray[np.float64]:
    """R of a state that is diagonal but for <01|ρ|10>, which is real."""
    state = np.zeros((4, 4))
    state[0, 0] = 1.0  # the sum of the four, without its rounding
    state[3, 3] = p00 + p11 - p01 - p10
    state[3, 0] = p00 + p01 - p10 - p11
    state[0, 3] = p00 + p10 - p01 - p11
    state[1, 1] = state[2, 2] = 2 * coherence
    return state
