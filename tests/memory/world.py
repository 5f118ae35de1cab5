"""A second reference, independent of reference.py and of the memory's formulas.

One density matrix of all qubits as a tensor; noise is the solution of the master equation of
Lindblad (generators summed, exponentiated as matrices), gates are exponentials of Hamiltonians,
measurements are projections. Written from the definitions in docs/memory.md alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.complex128]

SX = np.array([[0, 1], [1, 0]], dtype=complex)
SY = np.array([[0, -1j], [1j, 0]])
SZ = np.array([[1, 0], [0, -1]], dtype=complex)
ONE = np.eye(2, dtype=complex)
AXES = {"X": (1.0, 0.0, 0.0), "Y": (0.0, 1.0, 0.0), "Z": (0.0, 0.0, 1.0)}
# Bell states by index: |00> + |11>, |00> - |11>, |01> + |10>, |01> - |10>
BELL = np.array([[1, 0, 0, 1], [1, 0, 0, -1], [0, 1, 1, 0], [0, 1, -1, 0]]) / np.sqrt(2)


def exponential(a: Array) -> Array:
    """exp of a small matrix by scaling, a Taylor series and squaring."""
    halvings = max(0, int(np.ceil(np.log2(max(np.abs(a).sum(), 1e-300)))) + 4)
    term, total = np.eye(len(a), dtype=complex), np.eye(len(a), dtype=complex)
    for k in range(1, 20):
        term = term @ (a / 2**halvings) / k
        total = total + term
    for _ in range(halvings):
        total = total @ total
    return total


def dissipator(jump: Array) -> Array:
    """D[rho] = L rho L^+ - (L^+ L rho + rho L^+ L)/2 on a row-major rho as a vector."""
    n, product = np.eye(len(jump)), jump.conj().T @ jump
    return (
        np.kron(jump, jump.conj()) - (np.kron(product, n) + np.kron(n, product.T)) / 2
    )  # fmt: skip


def idle(t_s: float, t1_s: float, t2_s: float, population: float) -> Array:
    """Jumps down and up with rates that sum to 1/T1 and balance at `population`, and phase flips
    that make coherences decay at 1/T2."""
    generator = np.zeros((4, 4), dtype=complex)
    generator += (1 - population) / t1_s * dissipator(np.array([[0, 1], [0, 0]], dtype=complex))
    generator += population / t1_s * dissipator(np.array([[0, 0], [1, 0]], dtype=complex))
    generator += (1 / t2_s - 1 / (2 * t1_s)) / 2 * dissipator(SZ)
    return exponential(generator * t_s)


def turn(axis: Sequence[float], angle: float) -> Array:
    """exp(-i angle/2 n.sigma)."""
    return exponential(-0.5j * angle * (axis[0] * SX + axis[1] * SY + axis[2] * SZ))


class World:
    """Qubits by name, in one tensor: row indices of all, then column indices of all."""

    def __init__(self) -> None:
        self.names: list[Hashable] = []
        self.rho: Array = np.ones((), dtype=complex)

    def add(self, rho: Array, names: Sequence[Hashable]) -> None:
        n, k = len(self.names), len(names)
        joint = np.multiply.outer(self.rho, rho.reshape((2,) * (2 * k)))
        order = [*range(n), *range(2 * n, 2 * n + k), *range(n, 2 * n)]
        order += range(2 * n + k, 2 * n + 2 * k)
        self.rho = joint.transpose(order)
        self.names += list(names)

    def channel(self, superoperator: Array, names: Sequence[Hashable]) -> None:
        """A linear map on the row-major density matrix of some qubits."""
        n, k = len(self.names), len(names)
        rows = [self.names.index(q) for q in names]
        at = rows + [n + r for r in rows]
        tensor = superoperator.reshape((2,) * (4 * k))
        out = np.tensordot(tensor, self.rho, axes=(range(2 * k, 4 * k), at))
        self.rho = np.moveaxis(out, range(2 * k), at)

    def unitary(self, u: Array, names: Sequence[Hashable]) -> None:
        self.channel(np.kron(u, u.conj()), names)

    def depolarise(self, p: float, names: Sequence[Hashable]) -> None:
        d = 2 ** len(names)
        mixed = np.eye(d).ravel() / d
        self.channel((1 - p) * np.eye(d * d) + p * np.outer(mixed, np.eye(d).ravel()), names)

    def pauli_channel(self, px: float, py: float, pz: float, name: Hashable) -> None:
        total = (1 - px - py - pz) * np.eye(4, dtype=complex)
        for p, s in ((px, SX), (py, SY), (pz, SZ)):
            total = total + p * np.kron(s, s.conj())
        self.channel(total, [name])

    def project(self, effect: Array, names: Sequence[Hashable]) -> float:
        """Keeps what an effect (a positive operator) selects and drops the qubits; its chance."""
        n = len(self.names)
        rows = [self.names.index(q) for q in names]
        tensor = effect.reshape((2,) * (2 * len(names)))  # Tr(E rho) sums E[c, r] rho[r, c]
        self.rho = np.tensordot(tensor, self.rho, axes=(range(2 * len(names)),
                                                        [n + r for r in rows] + rows))  # fmt: skip
        self.names = [q for q in self.names if q not in names]
        chance = float(self.total())
        self.rho = self.rho / chance
        return chance

    def total(self) -> float:
        d = 2 ** len(self.names)
        return float(np.trace(self.rho.reshape(d, d)).real)

    def drop(self, names: Sequence[Hashable]) -> None:
        self.project(np.eye(2 ** len(names), dtype=complex), names)

    def measure(self, axis: Sequence[float], bit: int, name: Hashable, error: float = 0.0) -> float:
        along = axis[0] * SX + axis[1] * SY + axis[2] * SZ
        wanted, other = (ONE + along) / 2, (ONE - along) / 2
        if bit:
            wanted, other = other, wanted
        return self.project((1 - error) * wanted + error * other, [name])

    def bell(
        self, k: int, names: Sequence[Hashable], two: float, one: float, error: float
    ) -> float:
        """The circuit of a Bell measurement, with a noisy CNOT, a noisy H and noisy read-out."""
        self.unitary(np.eye(4, dtype=complex)[[0, 1, 3, 2]], names)
        self.depolarise(two, names)
        self.unitary((SX + SZ) / np.sqrt(2), names[:1])
        self.depolarise(one, names[:1])
        effects = []
        for bit in (k & 1, k >> 1):
            right, wrong = np.diag([1 - bit, bit]), np.diag([bit, 1 - bit])
            effects.append((1 - error) * right + error * wrong)
        return self.project(np.kron(*effects).astype(complex), names)

    def state(self, names: Sequence[Hashable]) -> Array:
        rest = World()
        rest.names, rest.rho = list(self.names), self.rho
        gone = [q for q in self.names if q not in names]
        if gone:
            rest.drop(gone)
        order = [rest.names.index(q) for q in names]
        n, d = len(names), 2 ** len(names)
        return rest.rho.transpose(order + [n + r for r in order]).reshape(d, d)
