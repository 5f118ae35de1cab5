"""Which pairs of a link count: what the station's numbers say, and the two ends' word on them.

The station numbers at most one pair a cycle. A number further ahead than the cycles since it was
last heard of allow can't be: whoever says so is not believed, or one forged or damaged message
would void all pairs to come up to there. Only the station, or the controller that restarted it,
begins a new epoch.
"""

from __future__ import annotations

from collections.abc import Callable

from qplane.link.expiry import Expiry
from qplane.link.mhp import MhpTiming
from qplane.link.numbers import PairNumbers, SeqRange
from qplane.link.serial import epochs_ahead, number_in_epoch, pair_after, pairs_ahead
from qplane.link.timers import Timer, TimerService


class Numbering:
    """One end's. `send_expire` tells the other end that pairs are void; repeated until it knows.

    `implausible` counts numbers that can't be.
    """

    def __init__(
        self,
        first_seq: int,
        *,
        timing: MhpTiming,
        timers: TimerService,
        send_expire: Callable[[SeqRange], None],
    ) -> None:
        self.implausible = 0
        self._timing = timing
        self._timers = timers
        self._numbers = PairNumbers(first_seq)
        self._expiry = Expiry(timers, timing.round_trip_ps, send_expire)
        self._peer_expected = first_seq
        self._catching_up: Timer | None = None
        self._heard_cycle = self._cycle()  # of the attempt whose number was heard last
        self._has_heard = False

    @property
    def expected(self) -> int:
        """The number of the next pair."""
        return self._numbers.expected

    @property
    def is_settled(self) -> bool:
        """Whether the other end knows of all void pairs, and none may be missing here."""
        return self.is_told and self._catching_up is None

    @property
    def is_told(self) -> bool:
        """Whether the other end knows of all pairs that are void here."""
        return self._expiry.is_settled

    def may_be_voided(self, seq: int) -> bool:
        """Whether the other end has not counted this pair yet."""
        return pairs_ahead(self._peer_expected, seq) >= 0

    # ---- the station's word ----

    def arrive(self, seq: int, cycle: int) -> bool:
        """A pair has this number, from the attempt in `cycle`; whether it counts."""
        if not self._can_be_at_station(pair_after(seq), cycle):
            return False
        arrival = self._numbers.arrive(seq)
        self._heard_cycle = max(self._heard_cycle, cycle)
        self._has_heard = True
        self.miss(arrival.missing)
        return arrival.counts

    def station_is_at(self, last_seq: int) -> None:
        """The last pair that the station heralded has this number; 0: the device knows of none."""
        expected = pair_after(last_seq)
        if last_seq and self._can_be_at_station(expected, self._cycle()):
            self.miss(self._numbers.catch_up(expected))

    def renumber(self, first_seq: int) -> None:
        """The station was restarted and begins anew there."""
        self.miss(self._numbers.catch_up(first_seq))
        self._heard_cycle = self._cycle()

    # ---- the other end's word ----

    def peer_expects(self, expected: int) -> None:
        """The other end has seen pairs up to there; what this end has not, is late or lost."""
        if not self._can_be(expected):
            return
        if pairs_ahead(self._peer_expected, expected) > 0:
            self._peer_expected = expected
        behind = pairs_ahead(self.expected, self._peer_expected) > 0
        if behind and self._catching_up is None:
            wait_ps = self._timing.round_trip_ps + (
                self._timing.reply_cycles * self._timing.cycle_ps
            )
            heard = self._peer_expected
            self._catching_up = self._timers.at(
                self._timers.now_ps() + wait_ps, lambda: self._catch_up(heard)
            )

    def peer_lacks(self, pairs: SeqRange) -> bool:
        """The other end has not got these; False where that can't be."""
        if pairs_ahead(pairs.low, pairs.high) <= 0:
            self.implausible += 1
            return False
        if not self._can_be(pairs.high):
            return False
        self._numbers.void(pairs)
        return True

    def peer_knows(self, pairs: SeqRange) -> None:
        """It has acknowledged that these are void."""
        self._expiry.acknowledged(pairs)

    # ---- this end's word ----

    def miss(self, missing: SeqRange | None) -> None:
        """This end does not have these pairs, so nobody may use them."""
        if missing is not None:
            self._expiry.expire(missing)

    def _catch_up(self, expected: int) -> None:
        self._catching_up = None
        self.miss(self._numbers.catch_up(expected))
        self.peer_expects(self._peer_expected)

    # ---- what can be ----

    def _cycle(self) -> int:
        return self._timers.now_ps() // self._timing.cycle_ps

    def _can_be(self, expected: int) -> bool:
        """Whether the station can be there in the epoch that this end knows of."""
        ahead = pairs_ahead(self.expected, expected)
        can_be = ahead <= 0 or (
            epochs_ahead(self.expected, expected) == 0 and ahead <= self._most(self._cycle())
        )
        self.implausible += not can_be
        return can_be

    def _can_be_at_station(self, expected: int, cycle: int) -> bool:
        """The same from the station, which may have begun a later epoch. What it says first may be
        any number: it may have counted for long before this end listened."""
        number = number_in_epoch(expected)
        if epochs_ahead(self.expected, expected) == 0:
            number = pairs_ahead(self.expected, expected)
        most = self._most(cycle) if self._has_heard else cycle + self._timing.reply_cycles
        can_be = pairs_ahead(self.expected, expected) <= 0 or number <= most
        self.implausible += not can_be
        return can_be

    def _most(self, cycle: int) -> int:
        """Pairs that can have been made up to `cycle` since the last one that was heard of."""
        return max(0, cycle - self._heard_cycle) + self._timing.reply_cycles
