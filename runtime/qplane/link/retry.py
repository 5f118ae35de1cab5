"""Sending again until an answer comes: three times at three round trips, then ever more seldom."""

from __future__ import annotations

from collections.abc import Callable

from qplane.link.timers import Timer, TimerService

ATTEMPTS = 3
WAIT_ROUND_TRIPS = 3
_SELDOM = 1024  # round trips between two attempts, at most


class Retry:
    """Calls `send` at once and then until cancelled.

    `give_up` is called once, after three attempts without an answer, and ends it. Without one it
    goes on with a wait that doubles: for what the other end must hear, however long that takes.
    """

    def __init__(
        self,
        timers: TimerService,
        round_trip_ps: int,
        send: Callable[[], None],
        give_up: Callable[[], None] | None = None,
    ) -> None:
        self._timers = timers
        self._round_trip_ps = round_trip_ps
        self._send = send
        self._give_up = give_up
        self._attempts = 0
        self._wait = WAIT_ROUND_TRIPS
        self._timer: Timer
        self._attempt()

    def cancel(self) -> None:
        """The answer came."""
        self._timer.cancel()

    def _attempt(self) -> None:
        if self._attempts >= ATTEMPTS:
            if self._give_up is not None:
                self._give_up()
                return
            self._wait = min(2 * self._wait, _SELDOM)
        self._attempts += 1
        self._timer = self._timers.at(
            self._timers.now_ps() + self._wait * self._round_trip_ps, self._attempt
        )
        self._send()
