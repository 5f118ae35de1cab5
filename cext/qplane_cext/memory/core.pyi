"""Quantum memory for a whole network: exact states, lazy ageing, generation-counted handles.

Docstrings are in core.pyx (``help(QuantumMemory)``); concepts and conventions in docs/memory.md.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qplane_cext.memory.bursts import Bursts

_Basis = Literal["X", "Y", "Z", 0, 1, 2] | Sequence[float]
_Protocol = Literal["bbpssw", "dejmps", "epl"]

class SlotInfo(NamedTuple):
    node: int
    purpose: int
    slice: int
    deadline_ps: int | None

class GateNoise:
    def __init__(
        self,
        two_qubit_error: float = 0.0,
        one_qubit_error: float = 0.0,
        readout_error: float = 0.0,
    ) -> None: ...

class QuantumMemory:
    def __new__(
        cls, capacity: int = 65536, *, seed: int = 0, exact_only: bool = False
    ) -> QuantumMemory: ...
    # creation
    def profile(
        self,
        t1_s: float = ...,
        t2_s: float = ...,
        population: float = 0.0,
        *,
        twirl: bool = False,
    ) -> int: ...
    def create_pair(
        self,
        now_ps: int,
        state: float | ArrayLike = 1.0,
        profile_a: int = 0,
        profile_b: int = 0,
        bell: int = 0,
    ) -> tuple[int, int]: ...
    def create_qubit(
        self,
        now_ps: int,
        state: Sequence[float] | NDArray[np.float64] = ...,
        profile: int = 0,
        error: float = 0.0,
    ) -> int: ...
    def create_state(
        self, now_ps: int, state: Any, profiles: int | Sequence[int] = 0
    ) -> tuple[int, ...]: ...
    def ghz(
        self, n: int, now_ps: int, profiles: int | Sequence[int] = 0, *, exact: bool = False
    ) -> tuple[int, ...]: ...
    def graph_state(
        self,
        n: int,
        edges: ArrayLike,
        now_ps: int,
        profiles: int | Sequence[int] = 0,
        *,
        exact: bool = False,
    ) -> tuple[int, ...]: ...
    # gates and channels
    def age(self, qubit: int, now_ps: int) -> None: ...
    def pauli(
        self,
        qubit: int,
        now_ps: int,
        pauli: int | str,
        error: float = 0.0,
        *,
        node: int | None = None,
    ) -> None: ...
    def gate(
        self, qubit: int, now_ps: int, name: str, error: float = 0.0, *, node: int | None = None
    ) -> None: ...
    def rotate(
        self,
        qubit: int,
        now_ps: int,
        axis: _Basis,
        angle_rad: float,
        error: float = 0.0,
        *,
        node: int | None = None,
    ) -> None: ...
    def cnot(
        self,
        control: int,
        target: int,
        now_ps: int,
        error: float = 0.0,
        *,
        node: int | None = None,
    ) -> None: ...
    def cz(
        self, first: int, second: int, now_ps: int, error: float = 0.0, *, node: int | None = None
    ) -> None: ...
    def pauli_channel(self, qubit: int, now_ps: int, px: float, py: float, pz: float) -> None: ...
    def depolarise(self, qubit: int, now_ps: int, p: float) -> None: ...
    def dephase(self, qubit: int, now_ps: int, p: float) -> None: ...
    def damp(
        self,
        qubit: int,
        now_ps: int,
        gamma: float,
        population: float = 0.0,
        *,
        twirl: bool = False,
    ) -> None: ...
    # measurement
    def measure(
        self,
        qubit: int,
        now_ps: int,
        rng: np.random.Generator,
        basis: _Basis = "Z",
        readout_error: float = 0.0,
        *,
        node: int | None = None,
    ) -> int: ...
    def measure_pair(
        self,
        a: int,
        b: int,
        now_ps: int,
        rng: np.random.Generator,
        basis: _Basis = "Z",
        readout_error: float = 0.0,
        *,
        node: int | None = None,
    ) -> tuple[int, int]: ...
    def swap(
        self,
        left: int,
        right: int,
        now_ps: int,
        rng: np.random.Generator,
        noise: GateNoise | None = None,
        frame: int = 0,
        *,
        node: int | None = None,
    ) -> int: ...
    def bell_measure(
        self,
        left: int,
        right: int,
        now_ps: int,
        rng: np.random.Generator,
        noise: GateNoise | None = None,
        *,
        node: int | None = None,
    ) -> int: ...
    def teleport(
        self,
        qubit: int,
        half: int,
        now_ps: int,
        rng: np.random.Generator,
        noise: GateNoise | None = None,
        *,
        node: int | None = None,
    ) -> int: ...
    def superdense_encode(
        self,
        half: int,
        now_ps: int,
        bits: int,
        error: float = 0.0,
        *,
        node: int | None = None,
    ) -> None: ...
    def superdense_decode(
        self,
        half: int,
        received: int,
        now_ps: int,
        rng: np.random.Generator,
        noise: GateNoise | None = None,
        *,
        node: int | None = None,
    ) -> int: ...
    def distil(
        self,
        keep: tuple[int, int],
        spend: tuple[int, int],
        now_ps: int,
        rng: np.random.Generator,
        protocol: _Protocol = "dejmps",
        noise: GateNoise | None = None,
    ) -> tuple[bool, int, int]: ...
    def distil_end(
        self,
        keep: int,
        spend: int,
        now_ps: int,
        rng: np.random.Generator,
        end: Literal["a", "b"],
        protocol: _Protocol = "dejmps",
        noise: GateNoise | None = None,
    ) -> int: ...
    def distil_in_turn(
        self,
        keep: tuple[int, int],
        spend: tuple[int, int],
        now_a_ps: int,
        now_b_ps: int,
        rng: np.random.Generator,
        protocol: _Protocol = "dejmps",
        noise_a: GateNoise | None = None,
        noise_b: GateNoise | None = None,
    ) -> tuple[bool, int, int]: ...
    def pump(
        self,
        keep: tuple[int, int],
        spend: Iterable[tuple[int, int]],
        now_ps: int,
        rng: np.random.Generator,
        protocol: _Protocol = "dejmps",
        noise: GateNoise | None = None,
    ) -> int: ...
    def reset(
        self, qubit: int, now_ps: int, error: float = 0.0, *, node: int | None = None
    ) -> None: ...
    def free(self, qubit: int, *, node: int | None = None) -> None: ...
    # slots
    def add_node(self, slots: int) -> int: ...
    def assign(
        self,
        qubit: int,
        node: int,
        purpose: int = 0,
        slice: int = 0,
        deadline_ps: int | None = None,
    ) -> None: ...
    def slot(self, qubit: int) -> SlotInfo: ...
    def expire(self, now_ps: int) -> list[int]: ...
    # the truth, for metrics and analysis
    def fidelity(
        self,
        a: int,
        b: int,
        now_ps: int | None = None,
        bell: int = 0,
        *,
        b_now_ps: int | None = None,
    ) -> float: ...
    def members(self, qubit: int) -> tuple[int, ...]: ...
    def pauli_vector(self, qubit: int, now_ps: int | None = None) -> NDArray[np.float64]: ...
    def density_matrix(self, *qubits: int, now_ps: int | None = None) -> NDArray[np.complex128]: ...
    def to_qutip(self, *qubits: int, now_ps: int | None = None) -> Any: ...
    def stabilizers(self, qubit: int) -> list[str] | None: ...
    def form(self, qubit: int) -> Literal["one", "bell", "pair", "vector", "tableau"]: ...
    def partner(self, qubit: int) -> int | None: ...
    def clock(self, qubit: int) -> int: ...
    def is_live(self, qubit: int) -> bool: ...
    @property
    def live(self) -> int: ...
    @property
    def capacity(self) -> int: ...
    @property
    def bursts(self) -> Bursts: ...
