"""EXPIRE: telling the other end which pairs do not count, until it has acknowledged."""

from __future__ import annotations

from collections.abc import Callable

from qplane.link.numbers import SeqRange
from qplane.link.retry import Retry
from qplane.link.timers import TimerService


class Expiry:
    """EXPIREs under way. `send` puts one on the link."""

    def __init__(
        self, timers: TimerService, round_trip_ps: int, send: Callable[[SeqRange], None]
    ) -> None:
        self._timers = timers
        self._round_trip_ps = round_trip_ps
        self._send = send
        self._pending: dict[SeqRange, Retry] = {}

    def expire(self, pairs: SeqRange) -> None:
        """These pairs are void at both ends."""
        if pairs not in self._pending:
            self._pending[pairs] = Retry(
                self._timers, self._round_trip_ps, lambda: self._send(pairs)
            )

    def acknowledged(self, pairs: SeqRange) -> None:
        """The other end knows."""
        retry = self._pending.pop(pairs, None)
        if retry is not None:
            retry.cancel()

    @property
    def is_settled(self) -> bool:
        """Whether the other end knows of all of them."""
        return not self._pending
