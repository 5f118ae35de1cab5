"""Quantum memory (first version; the C level in core.pxd is what other extensions use)."""

import numpy as np
from numpy.typing import ArrayLike

class QuantumMemory:
    def __init__(
        self, capacity: int = 65536, *, exact_only: bool = False, seed: int = 0
    ) -> None: ...
    def profile(self, t1_s: float, t2_s: float, population: float = 0.0) -> int: ...
    def create_pair(
        self, now_ps: int, R: ArrayLike, profile_a: int = 0, profile_b: int = 0
    ) -> tuple[int, int]: ...
    def swap(
        self,
        left: int,
        right: int,
        now_ps: int,
        rng: np.random.Generator,
        *,
        two_qubit_error: float = 0,
        one_qubit_error: float = 0,
        readout_error: float = 0,
    ) -> tuple[int, int]: ...
    def measure(
        self,
        q: int,
        now_ps: int,
        rng: np.random.Generator,
        axis: int = 0,
        readout_error: float = 0,
    ) -> int: ...
    def pauli(self, q: int, now_ps: int, pauli_xz: int, gate_error: float = 0) -> None: ...
    def free(self, q: int) -> None: ...
    def fidelity(self, a: int, t_a_ps: int, b: int, t_b_ps: int, bell: int = 0) -> float: ...
    def live(self) -> int: ...
