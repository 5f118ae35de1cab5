"""Density matrices and Pauli vectors: conversions in plain NumPy, for analysis and input."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIGMA = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


def density_matrix(pauli_vector: NDArray[np.float64]) -> NDArray[np.complex128]:
    """The 2^n x 2^n density matrix of a Pauli vector of shape (4,) * n, first qubit leftmost."""
    n = pauli_vector.ndim
    rho: NDArray[Any] = pauli_vector.astype(np.complex128)
    for _ in range(n):  # each step takes the first Pauli axis to a row and a column axis at the end
        rho = np.tensordot(rho, _SIGMA, axes=([0], [0])) / 2
    rows, columns = range(0, 2 * n, 2), range(1, 2 * n, 2)
    return np.ascontiguousarray(rho.transpose(*rows, *columns).reshape(2**n, 2**n))


def pauli_vector(rho: NDArray[np.complex128]) -> NDArray[np.float64]:
    """The Pauli vector, shape (4,) * n, of a 2^n x 2^n density matrix."""
    n = rho.shape[0].bit_length() - 1
    rest: NDArray[Any] = rho.reshape((2,) * (2 * n))
    for k in range(n):  # rows are axes 0 .. n-k-1, columns follow, Pauli axes are appended
        rest = np.tensordot(rest, _SIGMA, axes=([0, n - k], [2, 1]))
    return np.ascontiguousarray(rest.real)


def as_density_matrix(state: Any, name: str, tolerance: float = 1e-9) -> NDArray[np.complex128]:
    """A checked density matrix from a matrix, a state vector, or a QuTiP object.

    :raises ValueError: with ``name``, where it is not a state of one to eight qubits.
    """
    if hasattr(state, "full"):  # qutip.Qobj, without importing it
        state = state.full()
    try:
        a = np.asarray(state, dtype=np.complex128)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name}: must be a density matrix, a state vector or a QuTiP object, not {state!r}"
        ) from None
    if a.ndim == 2 and a.shape[1] == 1:
        a = a[:, 0]
    if a.ndim == 1:
        a = np.outer(a, a.conj())
    size = a.shape[0] if a.ndim else 0
    if a.ndim != 2 or a.shape[1] != size or size not in {2**n for n in range(1, 9)}:
        raise ValueError(f"{name}: shape {a.shape} is not that of 1 to 8 qubits")
    if not np.isfinite(a).all():
        raise ValueError(f"{name}: has entries that are not finite")
    if abs(np.trace(a) - 1) > tolerance:
        raise ValueError(f"{name}: trace is {np.trace(a).real:g}, must be 1")
    if np.abs(a - a.conj().T).max() > tolerance:
        raise ValueError(f"{name}: is not Hermitian")
    least = float(np.linalg.eigvalsh(a)[0])
    if least < -tolerance:
        raise ValueError(f"{name}: has the eigenvalue {least:g}, must be positive")
    return a
