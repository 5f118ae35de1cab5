"""The memory's verbs over NumPy arrays, without the GIL (docstrings in bursts.pyx)."""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from qplane_cext.memory.core import GateNoise, QuantumMemory, _Basis, _Protocol

_Handles = NDArray[np.uint64]
_Times = int | NDArray[np.int64]

@final
class Bursts:
    def __init__(self, memory: QuantumMemory) -> None: ...
    def create_pairs(
        self, n: int, now_ps: _Times, state: Any = 1.0, profile_a: int = 0, profile_b: int = 0
    ) -> tuple[_Handles, _Handles]: ...
    def ghz(self, count: int, n: int, now_ps: int, profile: int = 0) -> _Handles: ...
    def swap(
        self,
        left: _Handles,
        right: _Handles,
        now_ps: _Times,
        rng: np.random.Generator,
        noise: GateNoise | None = None,
    ) -> NDArray[np.int8]: ...
    def measure(
        self,
        qubits: _Handles,
        now_ps: _Times,
        rng: np.random.Generator,
        basis: _Basis = "Z",
        readout_error: float = 0.0,
    ) -> NDArray[np.int8]: ...
    def measure_pairs(
        self,
        a: _Handles,
        b: _Handles,
        now_ps: _Times,
        rng: np.random.Generator,
        basis: _Basis = "Z",
        readout_error: float = 0.0,
    ) -> tuple[NDArray[np.int8], NDArray[np.int8]]: ...
    def pauli(
        self,
        qubits: _Handles,
        now_ps: _Times,
        paulis: NDArray[np.int8],
        rng: np.random.Generator,
        error: float = 0.0,
    ) -> None: ...
    def age(self, qubits: _Handles, now_ps: _Times, rng: np.random.Generator) -> None: ...
    def distil(
        self,
        keep_a: _Handles,
        keep_b: _Handles,
        spend_a: _Handles,
        spend_b: _Handles,
        now_ps: _Times,
        rng: np.random.Generator,
        protocol: _Protocol = "dejmps",
        noise: GateNoise | None = None,
    ) -> NDArray[np.bool_]: ...
    def free(self, qubits: _Handles, rng: np.random.Generator) -> None: ...
    def fidelity(
        self, a: _Handles, b: _Handles, now_ps: _Times | None = None, bell: int = 0
    ) -> NDArray[np.float64]: ...
