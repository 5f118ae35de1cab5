"""What is calibrated of a link, for circuits and for the link layer, and the times of an attempt
where it has a heralding station of its own."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qplane_cext.sim.photonic import SCHEMES, FibreLink, aged
from qplane_cext.sim.schemes import Herald

BRIGHT_ONE = 65535
MOST_BRIGHT = 32767
"""Largest bright-state parameter that is calibrated: beyond 1/2, errors outnumber pairs."""

GEN_BYTES = 34
REPLY_BYTES = 42
"""Frames of Ethernet header and message."""

Pair = tuple[int, int]

STATION_CYCLES = 256
"""Cycles of a link that a station has records of (p4src/herald.p4)."""


@dataclass(frozen=True)
class Attempts:
    """Of a link without a station; ``own``: what they give where no bright state is asked for;
    ``times_s``: T1 and T2 of either device."""

    model: FibreLink
    own: Herald
    times_s: tuple[tuple[float, float], tuple[float, float]]

    def figures(self, bright_a: int, bright_b: int) -> tuple[float, list[tuple[int, list[float]]]]:
        """Success probability, and by Bell index the state when the later half has just come into
        being, for two bright-state parameters n / 65535; 0: the link's own. Raises ValueError where
        no attempt can succeed."""
        herald = self.own
        if bright_a or bright_b:
            herald = _herald(self.model, bright_a, bright_b)
        return herald.p_success, [
            (bell, _flat(_kept(self.model, state, self.times_s)))
            for bell, state in herald.states.items()
        ]

    def calibration(self, side: int, bright: int) -> Iterator[tuple[int, int]]:
        """The fields of CALIBRATION behind bright_state: bytes and value. No cycle: no station."""
        try:
            herald = _herald(self.model, bright, bright)
        except ValueError:  # no attempt can succeed with this parameter
            herald = None
        fidelity = herald.fidelity if herald else 0.0
        return _calibration(self.model, side, herald, fidelity, 0, 0, 0)


@dataclass(frozen=True)
class Memory:
    """What a device does to its half."""

    t1_s: float
    t2_s: float
    moves: bool  # to a storage slot, once the pair is heralded
    move_ps: int
    move_error: float


@dataclass(frozen=True)
class Heralding:
    """Times in picoseconds from the start of an attempt.

    ``up_ps``: from a device to the station's switch; ``down_ps``: from there back, switches
    included; ``margin_ps``: how much later than that the station and the devices still wait.
    """

    model: FibreLink
    memories: tuple[Memory, Memory]
    up_ps: Pair
    down_ps: Pair
    margin_ps: int
    asked_cycle_ps: int | None

    def __post_init__(self) -> None:
        if self.asked_cycle_ps is not None and self.asked_cycle_ps < max(1, self.model.emission_ps):
            raise ValueError(
                f"cycle_ps is {self.asked_cycle_ps}; it must not be shorter than emission_ps, "
                f"{self.model.emission_ps}"
            )
        if self.attempt_cycles > STATION_CYCLES:
            raise ValueError(
                f"cycle_ps is {self.asked_cycle_ps}; a REPLY takes {self.attempt_ps} ps and the "
                f"station remembers {STATION_CYCLES} cycles, so it must be at least "
                f"{-(-self.attempt_ps // STATION_CYCLES)}"
            )

    @property
    def gen_ps(self) -> Pair:
        """GEN leaves: at once, or, where a source sends the photons, once one is stored."""
        return self.model.born_ps if self.model.scheme == "source" else (0, 0)

    @property
    def outcome_ps(self) -> int:
        """The detectors report: when both GENs should be there."""
        gens = (gen + up for gen, up in zip(self.gen_ps, self.up_ps, strict=True))
        return max(self.model.herald_ps, *gens) + self.margin_ps

    @property
    def reply_ps(self) -> Pair:
        """REPLY is back at either device."""
        return self.outcome_ps + self.down_ps[0], self.outcome_ps + self.down_ps[1]

    @property
    def attempt_ps(self) -> int:
        """A memory is free for the next attempt."""
        return max(self.model.period_ps, max(self.reply_ps) + self.margin_ps)

    @property
    def cycle_ps(self) -> int:
        """Duration of a cycle; without a wish a K attempt takes one."""
        return self.attempt_ps if self.asked_cycle_ps is None else self.asked_cycle_ps

    @property
    def attempt_cycles(self) -> int:
        """Cycles that a K attempt takes, or an M attempt's REPLY."""
        return -(-self.attempt_ps // self.cycle_ps)

    @property
    def recovery_cycles(self) -> int:
        """Cycles that both ends leave out after a pair, as one of them moves its half."""
        longest = max(memory.move_ps if memory.moves else 0 for memory in self.memories)
        return -(-longest // self.cycle_ps)

    def herald(self, bright_a: int, bright_b: int) -> Herald:
        """For two bright-state parameters n / 65535; 0: the link's default."""
        return _herald(self.model, bright_a, bright_b)

    def figures(
        self, bright_a: int, bright_b: int
    ) -> tuple[float, list[tuple[int, list[float], list[float]]]]:
        """Success probability; by Bell index the state when both halves have just come into being,
        and when the later one has. Raises ValueError where no attempt can succeed."""
        herald = self.herald(bright_a, bright_b)
        first, second = ((memory.t1_s, memory.t2_s) for memory in self.memories)
        times_s = (first, second)
        return herald.p_success, [
            (bell, _flat(state), _flat(_kept(self.model, state, times_s)))
            for bell, state in herald.states.items()
        ]

    def fidelity_kept(self, herald: Herald) -> float:
        """To the heralded Bell state, when both devices have reported it: aged, and moved if so."""
        bell, state = next(iter(herald.states.items()))
        for half, memory in enumerate(self.memories):
            age = max(self.reply_ps) - self.model.born_ps[half]
            if memory.moves:
                age += memory.move_ps
            state = aged(state, half, age, memory.t1_s, memory.t2_s)
            if memory.moves:
                noise = np.diag([1.0, *[1 - memory.move_error] * 3])
                state = noise @ state if half == 0 else state @ noise
        sign = 1.0 if bell == 2 else -1.0
        return float((1 + sign * (state[1, 1] + state[2, 2]) - state[3, 3]) / 4)

    def calibration(self, side: int, bright: int) -> Iterator[tuple[int, int]]:
        """The fields of CALIBRATION behind bright_state: bytes and value. The cycle is left 0."""
        try:
            herald = self.herald(bright, bright)
        except ValueError:  # no attempt can succeed with this parameter
            herald = None
        return _calibration(
            self.model,
            side,
            herald,
            self.fidelity_kept(herald) if herald else 0.0,
            self.cycle_ps,
            self.attempt_cycles,
            self.recovery_cycles,
        )


def most_bright(scheme: str) -> int:
    """Largest bright-state parameter that may be asked for; 0: the scheme knows none."""
    return MOST_BRIGHT if scheme == "single-click" else 0


def zz_of(herald: Herald) -> float:
    """Size of a heralded pair's correlation in Z."""
    return min(abs(float(next(iter(herald.states.values()))[3, 3])), 1.0)


def _herald(model: FibreLink, bright_a: int, bright_b: int) -> Herald:
    a, b = (n / BRIGHT_ONE if n else None for n in (bright_a, bright_b))
    return model.herald(a, b)


def _kept(
    model: FibreLink,
    state: NDArray[np.float64],
    times_s: tuple[tuple[float, float], tuple[float, float]],
) -> NDArray[np.float64]:
    """The earlier half aged until the later one comes into being."""
    born = model.born_ps
    earlier = int(born[1] < born[0])
    t1_s, t2_s = times_s[earlier]
    return aged(state, earlier, abs(born[0] - born[1]), t1_s, t2_s)


def _calibration(
    model: FibreLink,
    side: int,
    herald: Herald | None,
    fidelity_kept: float,
    cycle_ps: int,
    attempt_cycles: int,
    recovery_cycles: int,
) -> Iterator[tuple[int, int]]:
    most = most_bright(model.scheme)
    yield 1, SCHEMES[model.scheme]
    yield 1, 0
    yield 4, _fraction(herald.p_success if herald else 0.0)
    yield 4, _fraction(fidelity_kept)
    yield 4, _fraction(herald.fidelity if herald else 0.0)
    yield 2, min(most, 1)
    yield 2, most
    yield 8, cycle_ps
    yield 4, attempt_cycles
    yield 4, attempt_cycles
    yield 4, recovery_cycles
    yield 2, round(zz_of(herald) * 0xFFFF) if herald else 0
    yield 2, 0
    yield 8, 0
    yield 8, model.arms_ps[side]
    yield 8, model.arms_ps[1 - side]
    yield 4, _fraction(model.detection[side])
    yield 4, _fraction(model.detection[1 - side])
    yield 4, _fraction(model.dark_count_probability)
    yield 4, _fraction(model.visibility)
    yield 4, min(round(model.phase_std_rad * 1e6), 0xFFFFFFFF)
    yield 4, 0


def _flat(state: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in state.ravel()]


def _fraction(probability: float) -> int:
    return round(probability * 0xFFFFFFFF)
