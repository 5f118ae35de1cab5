"""Pair sequence numbers of one link as one end sees them: what is new, missing, late, void."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from qplane.link.serial import epochs_ahead, pair_after, pairs_ahead


class SeqRange(NamedTuple):
    """Pair sequence numbers from `low` (inclusive) to `high` (exclusive)."""

    low: int
    high: int

    def __contains__(self, seq: object) -> bool:
        return isinstance(seq, int) and (
            0 <= pairs_ahead(self.low, seq) < pairs_ahead(self.low, self.high)
        )


def among(pairs: SeqRange, known: Collection[int]) -> list[int]:
    """Those of `known` that are in the range; its numbers are looked up where they are fewer."""
    count = pairs_ahead(pairs.low, pairs.high)
    if epochs_ahead(pairs.low, pairs.high) or count > len(known):
        return [seq for seq in known if seq in pairs]
    return [seq for by in range(count) if (seq := pair_after(pairs.low, by)) in known]


def ranges(seqs: Iterable[int]) -> list[SeqRange]:
    """Rising numbers as the fewest ranges."""
    found: list[SeqRange] = []
    for seq in seqs:
        if found and found[-1].high == seq:
            found[-1] = SeqRange(found[-1].low, pair_after(seq))
        else:
            found.append(SeqRange(seq, pair_after(seq)))
    return found


class Arrival(NamedTuple):
    """What a pair's number says: whether it counts, and which before it never came."""

    counts: bool
    missing: SeqRange | None


class PairNumbers:
    """`expected` is the next number; the heralding station counts them up."""

    def __init__(self, first: int) -> None:
        self.expected = first
        self._void: list[SeqRange] = []  # the other end gave these up before they came

    def arrive(self, seq: int) -> Arrival:
        """A pair has this number."""
        distance = pairs_ahead(self.expected, seq)
        if distance < 0:
            return Arrival(False, None)
        missing = SeqRange(self.expected, seq) if distance else None
        counts = not any(seq in void for void in self._void)
        self._go_on(pair_after(seq))
        return Arrival(counts, missing)

    def catch_up(self, expected: int) -> SeqRange | None:
        """The station is at `expected`: what is missing before it, None if nothing is."""
        if pairs_ahead(self.expected, expected) <= 0:
            return None
        missing = SeqRange(self.expected, expected)
        self._go_on(expected)
        return missing

    def void(self, pairs: SeqRange) -> None:
        """The other end gave these up: should they still come, they do not count."""
        if pairs_ahead(self.expected, pairs.high) > 0:
            self._void = _joined([*self._void, pairs], self.expected)

    def _go_on(self, expected: int) -> None:
        self.expected = expected
        self._void = [v for v in self._void if pairs_ahead(expected, v.high) > 0]


def _joined(pairs: Iterable[SeqRange], origin: int) -> list[SeqRange]:
    """The same in the fewest ranges, in the order of their distance from `origin`."""
    found: list[SeqRange] = []
    for item in sorted(pairs, key=lambda item: pairs_ahead(origin, item.low)):
        if found and pairs_ahead(found[-1].high, item.low) <= 0:
            if pairs_ahead(found[-1].high, item.high) > 0:
                found[-1] = SeqRange(found[-1].low, item.high)
        else:
            found.append(item)
    return found
