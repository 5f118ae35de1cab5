"""The memory's verbs over NumPy arrays, without the GIL (docstrings in bursts.pyx)."""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from qplane_cext.memory.core import Basis, GateNoise, Protocol, QuantumMemory

Handles = NDArray[np.uint64]
Times = int | NDArray[np.int64]

@final
class Bursts:
    def __init__(self, memory: QuantumMemory) -> None: ...
    def create_pairs(
        self, n: int, now_ps: Times, state: Any = 1.0, profile_a: int = 0, profile_b: int = 0
    ) -> tuple[Handles, Handles]: ...
    def ghz(self, count: int, n: int, now_ps: int, profile: int = 0) -> Handles: ...
    def swap(
        self,
        left: Handles,
        right: Handles,
        now_ps: Times,
        rng: np.random.Generator,
        noise: GateNoise | None = None,
    ) -> NDArray[np.int8]: ...
    def measure(
        self,
        qubits: Handles,
        now_ps: Times,
        rng: np.random.Generator,
        basis: Basis = "Z",
        readout_error: float = 0.0,
    ) -> NDArray[np.int8]: ...
    def measure_pairs(
        self,
        a: Handles,
        b: Handles,
        now_ps: Times,
        rng: np.random.Generator,
        basis: Basis = "Z",
        readout_error: float = 0.0,
    ) -> tuple[NDArray[np.int8], NDArray[np.int8]]: ...
    def pauli(
        self,
        qubits: Handles,
        now_ps: Times,
        paulis: NDArray[np.int8],
        rng: np.random.Generator,
        error: float = 0.0,
    ) -> None: ...
    def age(self, qubits: Handles, now_ps: Times, rng: np.random.Generator) -> None: ...
    def distil(
        self,
        keep_a: Handles,
        keep_b: Handles,
        spend_a: Handles,
        spend_b: Handles,
        now_ps: Times,
        rng: np.random.Generator,
        protocol: Protocol = "dejmps",
        noise: GateNoise | None = None,
    ) -> NDArray[np.bool_]: ...
    def free(self, qubits: Handles, rng: np.random.Generator) -> None: ...
    def fidelity(
        self, a: Handles, b: Handles, now_ps: Times | None = None, bell: int = 0
    ) -> NDArray[np.float64]: ...
