"""EXPIRE: telling the other end which pairs do not count, until it has acknowledged.

Pairs that follow one another are told together: while the other end has not answered, what is added
to a range waits. So however many pairs come for a request that is over, one EXPIRE is under way.
"""

from __future__ import annotations

from collections.abc import Callable

from qplane.link.numbers import SeqRange
from qplane.link.retry import Retry
from qplane.link.serial import pairs_ahead
from qplane.link.timers import TimerService


class Expiry:
    """EXPIREs under way. `send` puts one on the link."""

    def __init__(
        self, timers: TimerService, round_trip_ps: int, send: Callable[[SeqRange], None]
    ) -> None:
        self._timers = timers
        self._round_trip_ps = round_trip_ps
        self._send = send
        self._pending: dict[int, SeqRange] = {}  # by their first number
        self._low: dict[int, int] = {}  # of each of them, by its end
        self._retries: dict[int, Retry] = {}  # by their first number

    def expire(self, pairs: SeqRange) -> None:
        """These pairs are void at both ends."""
        told = self._pending.get(pairs.low)
        if told is not None:
            if pairs_ahead(told.high, pairs.high) > 0:
                self.expire(SeqRange(told.high, pairs.high))
            return
        low = self._low.pop(pairs.low, None)
        if low is None:
            self._tell(pairs)
        else:
            self._put(SeqRange(low, pairs.high))

    def acknowledged(self, pairs: SeqRange) -> None:
        """The other end knows."""
        told = self._pending.get(pairs.low)
        if told is None or not 0 < pairs_ahead(told.low, pairs.high) <= pairs_ahead(*told):
            return
        del self._pending[told.low], self._low[told.high]
        self._retries.pop(told.low).cancel()
        if pairs.high != told.high:
            self._tell(SeqRange(pairs.high, told.high))

    def _put(self, pairs: SeqRange) -> None:
        self._pending[pairs.low] = pairs
        self._low[pairs.high] = pairs.low

    def _tell(self, pairs: SeqRange) -> None:
        self._put(pairs)
        self._retries[pairs.low] = Retry(
            self._timers, self._round_trip_ps, lambda: self._send(self._pending[pairs.low])
        )

    @property
    def is_settled(self) -> bool:
        """Whether the other end knows of all of them."""
        return not self._pending
