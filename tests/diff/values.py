"""Numbers that packets and table entries have in common, so that random entries are hit.

A program may have values of its own for a field (`KNOWN`); others are made of bytes of which many
are small.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

_EDGES = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)


def byte(rng: Random) -> int:
    """A byte: often small, sometimes at an edge, else anything."""
    draw = rng.random()
    if draw < 0.6:
        return rng.randrange(16)
    if draw < 0.8:
        return rng.choice(_EDGES)
    return rng.randrange(256)


def number(rng: Random, bits: int, known: Sequence[int] = ()) -> int:
    """A number of that many bits."""
    if known and rng.random() < 0.95:
        return rng.choice(known)
    value = int.from_bytes(bytes(byte(rng) for _ in range((bits + 7) // 8)), "big")
    return value & ((1 << bits) - 1)


def to_bytes(value: int) -> bytes:
    """P4Runtime's canonical byte string: the shortest."""
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
