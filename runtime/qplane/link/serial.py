"""Numbers that wrap: comparison as in RFC 1982, sound while what is alive spans less than half."""

from __future__ import annotations

PAIR_BITS = 32
"""Width of a pair sequence number."""


def ahead(of: int, number: int, bits: int) -> int:
    """How far `number` is ahead of `of`, from -2**(bits-1) to 2**(bits-1) - 1."""
    half = 1 << (bits - 1)
    return (number - of + half) % (1 << bits) - half


def pairs_ahead(of: int, seq: int) -> int:
    """`ahead` for pair sequence numbers."""
    return ahead(of, seq, PAIR_BITS)


def pair_after(seq: int, by: int = 1) -> int:
    """The pair sequence number `by` after `seq`."""
    return (seq + by) % (1 << PAIR_BITS)
