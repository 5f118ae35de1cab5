"""Bases and Pauli frames, against matrices."""

from __future__ import annotations

import numpy as np
import pytest

from qplane.link.bases import fixed_basis, in_frame
from qplane.link.end import _ROTATIONS
from qplane.link.mhp import Measurement
from qplane.wire.qci import BellIndex
from qplane.wire.service import Basis

X = np.array([[0, 1], [1, 0]], dtype=complex)
Y = np.array([[0, -1j], [1j, 0]])
Z = np.diag([1.0, -1.0]).astype(complex)
I2 = np.eye(2, dtype=complex)
OBSERVABLES = {
    Basis.Z: Z,
    Basis.X: X,
    Basis.Y: Y,
    Basis.Z_PLUS_45: (Z + X) / np.sqrt(2),
    Basis.Z_MINUS_45: (Z - X) / np.sqrt(2),
}


def rotation(pauli: np.ndarray, steps: int) -> np.ndarray:
    angle = 2 * np.pi * steps / 256
    return np.cos(angle / 2) * I2 - 1j * np.sin(angle / 2) * pauli


@pytest.mark.parametrize("frame", BellIndex)
@pytest.mark.parametrize("basis", Basis)
def test_a_frame_on_paper_is_the_gate(basis: Basis, frame: BellIndex) -> None:
    """Outcome o of A on |ψ> is outcome o' of A' on P|ψ>: A = (−1)^(o+o') P† A' P."""
    for outcome in (0, 1):
        after, new_outcome = in_frame(basis, outcome, frame)
        pauli = (X if frame >> 1 else I2) @ (Z if frame & 1 else I2)
        sign = (-1) ** (outcome ^ new_outcome)
        expected = sign * pauli.conj().T @ OBSERVABLES[after] @ pauli
        np.testing.assert_allclose(OBSERVABLES[basis], expected, atol=1e-12)


@pytest.mark.parametrize("x1", [0, 32, 64, 96, 128, 192, 224])
@pytest.mark.parametrize("y", [0, 32, 64, 128, 192, 224])
@pytest.mark.parametrize("x2", [0, 32, 64, 128, 192])
def test_fixed_bases_are_found_where_ok_has_a_code(x1: int, y: int, x2: int) -> None:
    unitary = rotation(X, x2) @ rotation(Y, y) @ rotation(X, x1)
    measured = unitary.conj().T @ Z @ unitary
    found = fixed_basis(Measurement(rotation_x1=x1, rotation_y=y, rotation_x2=x2))
    matching = [
        (basis, flip)
        for basis, observable in OBSERVABLES.items()
        for flip in (0, 1)
        if np.allclose(measured, (-1) ** flip * observable)
    ]
    assert found == (matching[0] if matching else None)


@pytest.mark.parametrize("basis", [Basis.Z, Basis.X, Basis.Y])
def test_a_kept_pair_is_measured_in_the_basis_asked_for(basis: Basis) -> None:
    assert fixed_basis(_ROTATIONS[basis]) == (basis, 0)
