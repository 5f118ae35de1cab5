"""Measurement bases: fixed ones by rotations, and what a Pauli frame does to an outcome.

A heralded pair is one of four Bell states. The originator's end makes Φ+ of it: for a kept pair by
a gate, for a measured one on paper, which is this module. A Pauli either flips the outcome of a
measurement or leaves it; for Z±π/4 it may exchange the two bases.
"""

from __future__ import annotations

import math

from qplane.link.mhp import Measurement
from qplane.wire.qci import BellIndex
from qplane.wire.service import Basis, RandomBasis

_HALF = math.sqrt(0.5)
_AXES: dict[Basis, tuple[float, float, float]] = {
    Basis.Z: (0.0, 0.0, 1.0),
    Basis.X: (1.0, 0.0, 0.0),
    Basis.Y: (0.0, 1.0, 0.0),
    Basis.Z_PLUS_45: (_HALF, 0.0, _HALF),
    Basis.Z_MINUS_45: (-_HALF, 0.0, _HALF),
}
"""Bloch vectors of the outcome 0."""


def _axis(measurement: Measurement) -> tuple[float, float, float]:
    """The Bloch vector measured when rotating about X, Y, X and then measuring Z."""
    x, y, z = 0.0, 0.0, 1.0
    # Backwards from the Z axis: the last rotation first, each by the opposite angle.
    for steps, about_y in (
        (measurement.rotation_x2, False),
        (measurement.rotation_y, True),
        (measurement.rotation_x1, False),
    ):
        cos, sin = math.cos(2 * math.pi * steps / 256), math.sin(2 * math.pi * steps / 256)
        if about_y:
            x, z = cos * x - sin * z, sin * x + cos * z
        else:
            y, z = cos * y + sin * z, -sin * y + cos * z
    return x, y, z


def fixed_basis(measurement: Measurement) -> tuple[Basis, int] | None:
    """The basis that fixed rotations measure, and 1 if its outcomes are exchanged.

    None where it is not one of those that OK has a code for.
    """
    axis = _axis(measurement)
    for basis, vector in _AXES.items():
        overlap = sum(a * b for a, b in zip(axis, vector, strict=True))
        if abs(overlap) > 1 - 1e-9:
            return basis, int(overlap < 0)
    return None


def is_measurable(measurement: Measurement) -> bool:
    """Whether the basis, or each that may be chosen at random, has a code."""
    return measurement.random is not RandomBasis.NONE or fixed_basis(measurement) is not None


def in_frame(basis: Basis, outcome: int, frame: BellIndex) -> tuple[Basis, int]:
    """A measurement on one half, as if the Pauli `frame` had been applied to it before."""
    has_x, has_z = frame >> 1, frame & 1
    if basis is Basis.Z:
        return basis, outcome ^ has_x
    if basis is Basis.X:
        return basis, outcome ^ has_z
    if basis is Basis.Y:
        return basis, outcome ^ has_x ^ has_z
    if has_x ^ has_z:
        basis = Basis.Z_MINUS_45 if basis is Basis.Z_PLUS_45 else Basis.Z_PLUS_45
    return basis, outcome ^ has_x
