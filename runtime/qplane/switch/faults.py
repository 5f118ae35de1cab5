"""What goes wrong in the packet path: it only counts there, and is told in the log from here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

# Counters of the packet path (SwitchCore.stats) and of packet I/O that a fault makes grow.
FAULTS = {
    "assert_failed": "P4 assertions failed",
    "register_index_out_of_range": "register indices out of range",
    "counter_index_out_of_range": "counter indices out of range",
    "meter_index_out_of_range": "meter indices out of range",
    "stack_index_out_of_range": "header stack indices out of range",
    "divisions_by_zero": "divisions by zero",
    "parser_loops": "packets dropped in a parser that does not end",
    "action_loops": "packets dropped in an action that does not end",
    "passes_cut": "resubmitted or recirculated packets dropped: too many passes",
    "dropped_priority": "packets dropped: their priority has no queue",
    "too_long": "packets dropped: too long",
    "out_of_memory": "packets without memory",
    "digests_lost": "digests lost",
    "packet_ins_dropped": "packet-ins lost: no primary, or it does not read",
}


class FaultLog:
    """Warns of each fault that has come since the last look, with how often."""

    def __init__(self, counts: Callable[[], Mapping[str, int]]) -> None:
        self._counts = counts
        self._seen: dict[str, int] = {}

    def look(self) -> None:
        """Log what is new."""
        counts = self._counts()
        for name, text in FAULTS.items():
            count = counts[name]
            new = count - self._seen.get(name, 0)
            if new > 0:
                log.warning("%s: %d, %d since the start (%s)", text, new, count, name)
            self._seen[name] = count
