"""The other end's memory, as it last said: pairs that find no room there are not attempted."""

from __future__ import annotations

from collections.abc import Callable

from qplane.link.retry import Retry
from qplane.link.serial import ahead
from qplane.link.timers import TimerService
from qplane.wire.egp import EgpBody

_BITS = 32

_LATEST = 64
"""A message so far behind is no late one: what was heard before it was forged or damaged."""


class PeerMemory:
    """Until the other end has said anything, it is taken to have room.

    While it has too little, it is asked again and again (`ask`); `changed` is called when it says
    that it has more.
    """

    def __init__(
        self,
        timers: TimerService,
        round_trip_ps: int,
        ask: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self._timers = timers
        self._round_trip_ps = round_trip_ps
        self._ask = ask
        self._changed = changed
        self._free: int | None = None
        self._heard_serial: int | None = None
        self._serial = 0
        self._told: int | None = None
        self._asking: Retry | None = None

    def has(self, slots: int) -> bool:
        """Whether it has room for so many pairs; if not, it is asked until it has."""
        if self._free is None or self._free >= slots:
            return True
        if self._asking is None:
            self._asking = Retry(self._timers, self._round_trip_ps, self._ask)
        return False

    def hear(self, body: EgpBody) -> None:
        """It said how much is free; an older message that comes later counts for nothing."""
        serial = body.serial
        heard = self._heard_serial
        if heard is not None and -_LATEST < ahead(heard, serial, _BITS) <= 0:
            return
        self._heard_serial = serial
        before, self._free = self._free, body.free_communication + body.free_storage
        if before is None or self._free > before:
            if self._asking is not None:
                self._asking.cancel()
                self._asking = None
            self._changed()

    # ---- what this end says ----

    @property
    def wants_to_know(self) -> bool:
        """Whether the other end was told last that there is no room."""
        return self._told == 0

    def told(self, free: int) -> None:
        """This end says how much is free."""
        self._told = free

    def next_serial(self) -> int:
        """Of the message that says so."""
        self._serial = (self._serial + 1) % (1 << _BITS)
        return self._serial
