"""Numbers that wrap: comparison as in RFC 1982, sound while what is alive spans less than half.

A pair sequence number is an epoch (8 bits) and a number in it (24 bits). The heralding station
counts; it begins a new epoch, at 1, when it may have lost its count.
"""

from __future__ import annotations

NUMBER_BITS = 24
EPOCH_BITS = 8

_NUMBERS = 1 << NUMBER_BITS


def ahead(of: int, number: int, bits: int) -> int:
    """How far `number` is ahead of `of`, from -2**(bits-1) to 2**(bits-1) - 1."""
    half = 1 << (bits - 1)
    return (number - of + half) % (1 << bits) - half


def epochs_ahead(of: int, seq: int) -> int:
    """How many epochs pair `seq` is ahead of pair `of`."""
    return ahead(of >> NUMBER_BITS, seq >> NUMBER_BITS, EPOCH_BITS)


def pairs_ahead(of: int, seq: int) -> int:
    """How far pair `seq` is ahead of pair `of`; any later epoch is ahead of all of an epoch."""
    return 2 * _NUMBERS * epochs_ahead(of, seq) + ahead(of, seq, NUMBER_BITS)


def pair_after(seq: int, by: int = 1) -> int:
    """The pair sequence number `by` after `seq` in its epoch."""
    return seq & ~(_NUMBERS - 1) | (seq + by) % _NUMBERS


def number_in_epoch(seq: int) -> int:
    """The number without its epoch."""
    return seq % _NUMBERS


def first_of_epoch(epoch: int) -> int:
    """The sequence number of the first pair in it."""
    return epoch % (1 << EPOCH_BITS) << NUMBER_BITS | 1
