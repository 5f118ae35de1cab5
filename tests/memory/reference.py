"""Brute-force density matrices in plain NumPy: the reference that the memory is held against."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.complex128]

I2 = np.eye(2, dtype=complex)
X = np.array([[0, 1], [1, 0]], dtype=complex)
Y = np.array([[0, -1j], [1j, 0]])
Z = np.diag([1, -1]).astype(complex)
PAULI = (I2, X, Y, Z)
H = (X + Z) / math.sqrt(2)
S = np.diag([1, 1j])
CNOT = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], dtype=complex)
CZ = np.diag([1, 1, 1, -1]).astype(complex)
BELL = np.array([[1, 0, 0, 1], [1, 0, 0, -1], [0, 1, 1, 0], [0, 1, -1, 0]]) / math.sqrt(2)


def projector(vector: Sequence[complex]) -> Matrix:
    v = np.asarray(vector, dtype=complex)
    return np.outer(v, v.conj())


def rotation(axis: Sequence[float], angle: float) -> Matrix:
    generator = sum(c * p for c, p in zip(axis, PAULI[1:], strict=True))
    return math.cos(angle / 2) * I2 - 1j * math.sin(angle / 2) * generator


def random_state(rng: np.random.Generator, n: int) -> Matrix:
    """A random mixed state of full rank, not close to any special form."""
    g = rng.normal(size=(2**n, 2**n)) + 1j * rng.normal(size=(2**n, 2**n))
    rho = g @ g.conj().T
    return rho / np.trace(rho)


class Reference:
    """A density matrix over named qubits; every operation is a sum over Kraus operators."""

    def __init__(self, rho: Matrix | None = None, names: str = "") -> None:
        self.rho = np.ones((1, 1), dtype=complex) if rho is None else np.asarray(rho, dtype=complex)
        self.names = list(names)

    def copy(self) -> Reference:
        return Reference(self.rho, "".join(self.names))

    def add(self, rho: Matrix, names: str) -> None:
        self.rho = np.kron(self.rho, rho)
        self.names += list(names)

    def lift(self, operator: Matrix, names: str) -> Matrix:
        """The operator on the named qubits as one on all."""
        n, k = len(self.names), len(names)
        order = [self.names.index(c) for c in names]
        order += [i for i in range(n) if i not in order]
        full = np.kron(operator, np.eye(2 ** (n - k))).reshape((2,) * (2 * n))
        back = [order.index(i) for i in range(n)]
        return full.transpose(back + [n + i for i in back]).reshape(2**n, 2**n)

    def kraus(self, operators: Sequence[Matrix], names: str) -> None:
        lifted = [self.lift(k, names) for k in operators]
        self.rho = sum(k @ self.rho @ k.conj().T for k in lifted)

    def unitary(self, u: Matrix, names: str) -> None:
        self.kraus([u], names)

    def depolarise(self, p: float, names: str) -> None:
        """rho -> (1 - p) rho + p I/2^n on the named qubits, as a mixture of Paulis."""
        n = len(names)
        paulis = [np.ones((1, 1))]
        for _ in range(n):
            paulis = [np.kron(a, b) for a in paulis for b in PAULI]
        weights = [p / 4**n] * 4**n
        weights[0] += 1 - p
        self.kraus([math.sqrt(w) * a for w, a in zip(weights, paulis, strict=True)], names)

    def damp(self, gamma: float, population: float, name: str) -> None:
        """Generalised amplitude damping."""
        down, up = math.sqrt(1 - population), math.sqrt(population)
        keep, lose = math.sqrt(1 - gamma), math.sqrt(gamma)
        self.kraus(
            [
                down * np.array([[1, 0], [0, keep]]),
                down * np.array([[0, lose], [0, 0]]),
                up * np.array([[keep, 0], [0, 1]]),
                up * np.array([[0, 0], [lose, 0]]),
            ],
            name,
        )

    def age(self, t_s: float, t1_s: float, t2_s: float, population: float, name: str) -> None:
        """T1 as generalised amplitude damping, then pure dephasing 1/Tphi = 1/T2 - 1/(2 T1)."""
        self.damp(-math.expm1(-t_s / t1_s), population, name)
        coherence = math.exp(-t_s * (1 / t2_s - 1 / (2 * t1_s)))
        self.kraus([math.sqrt((1 + coherence) / 2) * I2, math.sqrt((1 - coherence) / 2) * Z], name)

    def outcome(self, operator: Matrix, names: str) -> tuple[float, Reference]:
        """Probability of a projector, and the state after it without the named qubits."""
        after = self.copy()
        after.kraus([operator], names)
        p = float(np.trace(after.rho).real)
        for c in names:
            after.discard(c)
        after.rho = after.rho / p if p > 0 else after.rho
        return p, after

    def measure(self, axis: Sequence[float], bit: int, name: str) -> tuple[float, Reference]:
        along = sum(c * p for c, p in zip(axis, PAULI[1:], strict=True))
        return self.outcome((I2 + (1 - 2 * bit) * along) / 2, name)

    def discard(self, name: str) -> None:
        n, k = len(self.names), self.names.index(name)
        t = self.rho.reshape((2,) * (2 * n))
        self.rho = np.trace(t, axis1=k, axis2=n + k).reshape(2 ** (n - 1), 2 ** (n - 1))
        self.names.remove(name)

    def bell(
        self, k: int, names: str, two: float = 0.0, one: float = 0.0
    ) -> tuple[float, Reference]:
        """Bell measurement by its circuit: CNOT, H on the first qubit, read-out in Z."""
        noisy = self.copy()
        noisy.unitary(CNOT, names)
        noisy.depolarise(two, names)
        noisy.unitary(H, names[0])
        noisy.depolarise(one, names[0])
        bits = np.zeros(4)
        bits[2 * (k & 1) + (k >> 1)] = 1  # first qubit read: phase bit; second: parity bit
        return noisy.outcome(projector(bits), names)

    def state(self, names: str) -> Matrix:
        """The reduced state of the named qubits, in that order."""
        rest = self.copy()
        for c in self.names:
            if c not in names:
                rest.discard(c)
        n = len(names)
        order = [rest.names.index(c) for c in names]
        t = rest.rho.reshape((2,) * (2 * n))
        return t.transpose(order + [n + i for i in order]).reshape(2**n, 2**n)
