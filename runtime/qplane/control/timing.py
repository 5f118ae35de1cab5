"""The two times that a circuit's devices are given: cut-offs, and the interval of repetition.

A repeater discards a qubit at the circuit's cut-off, as the file says. An end node can't use that
value: its qubit has to wait until every swap on the way is done and the other end's TRACK
has come, however late the last link was. With R repeaters, that takes at most

    R · wait + R · swap + round trip

where *wait* is how long a qubit waits at a repeater for its partner. That is the cut-off. Where
there is none, it is the time within which the slowest link of the circuit makes a pair with
probability 1 - 10⁻⁹ (21 times its mean), times the number of circuits that take turns on it, times
the number of slots, because that many pairs may stand in line at a repeater. The round trip covers
the herald of the last link and the TRACK along all of them: it counts each link's delay twice, its
attempt, and :data:`HOP_ALLOWANCE_PS` for each switch; with a tunnel, its way is added.

Where pairs are distilled between the ends, a pair waits there for others: 2 to the power of the
rounds times the wait for a pair and a round trip more.

An end that gives up too early only costs a pair, and both ends are told. So the value need not be
tight, but it must be finite: it is what frees the slot when messages are lost for good. For the
same reason repeaters get it as their cut-off where the file has none: a pair between two repeaters
that waits on both sides when the circuit is stopped would stay for ever.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from qplane.control.errors import DiscoveryError
from qplane.wire import DeviceFeatures, LinkFeatures, from_fraction

HOP_ALLOWANCE_PS = 1_000_000_000
"""What a message may wait in one switch on its way: 1 ms, a software switch under load."""

WAIT_IN_MEANS = math.log(1e9)
"""A geometric wait is longer than that many means with probability 10⁻⁹."""

LONGEST_PS = (1 << 62) - 1


class LinkUse(NamedTuple):
    """A link of the circuit as calibrated, and who waits for its pairs.

    `circuits` take turns on it; `slots` is the larger number that this one has at either end.
    `detour_ps` is what messages take longer than by the fibre, one way (a tunnel).
    """

    features: LinkFeatures
    circuits: int
    slots: int
    detour_ps: int = 0


class Timing(NamedTuple):
    """Cut-offs of the repeaters and of the ends, and the ends' interval of repeating EXPIRED."""

    cutoff_ps: int
    end_cutoff_ps: int
    retry_ps: int


def timing(
    cutoff_ps: int,
    links: Sequence[LinkUse],
    repeaters: Sequence[DeviceFeatures],
    rounds: int = 0,
) -> Timing:
    """The times of a circuit over `links`, with those `repeaters` between them; cut-off 0: none.

    `rounds` of distillation between the ends.
    """
    hops = len(links)
    round_trip_ps = 2 * hops * HOP_ALLOWANCE_PS + sum(
        2 * (link.features.delay_ps + link.detour_ps) for link in links
    )
    waits_ps = 0
    if repeaters:
        waits_ps = len(repeaters) * (cutoff_ps or _longest_wait(links))
    end_cutoff_ps = (
        waits_ps
        + sum(device.swap_time_ps for device in repeaters)
        + sum(link.features.attempt_ps for link in links)
        + round_trip_ps
    )
    if rounds:
        end_cutoff_ps += (1 << rounds) * (_longest_wait(links) + round_trip_ps)
    end_cutoff_ps = min(end_cutoff_ps, LONGEST_PS)
    return Timing(cutoff_ps or end_cutoff_ps, end_cutoff_ps, 2 * round_trip_ps)


def _longest_wait(links: Sequence[LinkUse]) -> int:
    return max(_wait_for_a_pair(link) for link in links)


def _wait_for_a_pair(link: LinkUse) -> int:
    success = from_fraction(link.features.success)
    if success == 0:
        raise DiscoveryError(
            f"the link to node id {link.features.remote_node_id} has success probability 0, so "
            "that a circuit over it needs a cut-off"
        )
    means = link.circuits * link.slots * WAIT_IN_MEANS
    return min(math.ceil(means * link.features.attempt_ps / success), LONGEST_PS)
