"""Outcomes of test pairs: told to the other end, and compared with what it tells.

Nothing is repeated: an EGP_OUTCOMES that is lost makes a smaller sample, not another one, as loss
does not depend on outcomes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from qplane.link.feu import TEST_BASES, FidelityEstimator
from qplane.link.serial import pair_after, pairs_ahead
from qplane.wire.egp import OutcomesBody
from qplane.wire.service import Basis

PER_MESSAGE = 32

_T = TypeVar("_T")

_BASIS_CODES = {Basis.Z: 0, Basis.X: 1, Basis.Y: 2}
_BASES = {code: basis for basis, code in _BASIS_CODES.items()}
_KEPT = 4096  # outcomes of one end that wait for the other's


class _Measured(NamedTuple):
    bright_state: int
    basis: Basis
    outcome: int


class TestOutcomes:
    """One end's. `send` takes the first pair's number and the 128 bits of the message."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    def __init__(self, estimator: FidelityEstimator, send: Callable[[int, int], None]) -> None:
        self._estimator = estimator
        self._send = send
        self._here: OrderedDict[int, _Measured] = OrderedDict()
        self._there: OrderedDict[int, tuple[Basis, int]] = OrderedDict()
        self._batch: dict[int, _Measured] = {}

    def measured(self, seq: int, bright_state: int, basis: Basis, outcome: int) -> None:
        """This end measured a test pair."""
        if basis not in TEST_BASES:
            return
        if self._batch and not 0 <= pairs_ahead(next(iter(self._batch)), seq) < PER_MESSAGE:
            self.flush()  # a spare pair of an earlier request comes late, with a lower number
        measured = self._batch[seq] = _Measured(bright_state, basis, outcome)
        self._keep(self._here, seq, measured)
        self._compare(seq)

    @property
    def awaited(self) -> int:
        """Pairs that this end has measured and whose other outcome it has not heard of."""
        return len(self._here)

    def flush(self) -> None:
        """Tell the other end what it has not been told."""
        if not self._batch:
            return
        low = next(iter(self._batch))
        bits = 0
        for seq, (_, basis, outcome) in self._batch.items():
            entry = 8 | _BASIS_CODES[basis] << 1 | outcome
            bits |= entry << 4 * (PER_MESSAGE - 1 - pairs_ahead(low, seq))
        self._batch = {}
        self._send(low, bits)

    def receive(self, body: OutcomesBody) -> None:
        """The other end's outcomes."""
        for place in range(PER_MESSAGE):
            entry = body.outcomes >> 4 * (PER_MESSAGE - 1 - place) & 15
            basis = _BASES.get(entry >> 1 & 3)
            if entry & 8 and basis is not None:
                seq = pair_after(body.seq_low, place)
                self._keep(self._there, seq, (basis, entry & 1))
                self._compare(seq)

    def _compare(self, seq: int) -> None:
        """Count a pair that both ends have measured, once."""
        if seq not in self._here or seq not in self._there:
            return
        here = self._here.pop(seq)
        basis, outcome = self._there.pop(seq)
        if basis is here.basis:
            self._estimator.add_test(here.bright_state, basis, here.outcome, outcome)

    @staticmethod
    def _keep(outcomes: OrderedDict[int, _T], seq: int, value: _T) -> None:
        outcomes[seq] = value
        if len(outcomes) > _KEPT:
            outcomes.popitem(last=False)
