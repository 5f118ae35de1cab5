"""The rule for cut-offs, with numbers worked out by hand."""

import math
from dataclasses import replace

import pytest

from qplane.control import DiscoveryError
from qplane.control.timing import HOP_ALLOWANCE_PS, LONGEST_PS, LinkUse, timing
from qplane.wire import to_fraction

from .networks import chain, device

NET = chain(3)
LINK = device(NET, "n0").links[0]  # 10 km: delay 50 µs, attempt 100 µs, success 0.01
REPEATER = device(NET, "n1").features  # swap 10 µs
US = 1_000_000
ROUND_TRIP = 2 * 2 * 50 * US + 2 * 2 * HOP_ALLOWANCE_PS


def uses(circuits=1, slots=1):
    return [LinkUse(LINK, circuits, slots)] * 2


def test_with_a_cutoff_the_ends_wait_that_long_for_each_repeater():
    times = timing(20_000 * US, uses(), [REPEATER])
    assert times.cutoff_ps == 20_000 * US
    assert times.end_cutoff_ps == (20_000 + 10 + 2 * 100) * US + ROUND_TRIP
    assert times.retry_ps == 2 * ROUND_TRIP


def test_without_a_cutoff_the_ends_wait_for_a_pair_that_is_late_beyond_reason():
    times = timing(0, uses(circuits=3, slots=2), [REPEATER])
    wait = 3 * 2 * math.log(1e9) * 100 * US / 0.01
    assert times.cutoff_ps == times.end_cutoff_ps
    expected = wait + (10 + 2 * 100) * US + ROUND_TRIP
    assert times.end_cutoff_ps == pytest.approx(expected, rel=1e-6)


def test_without_a_repeater_nothing_is_waited_for_but_the_message():
    times = timing(0, uses()[:1], [])
    assert times.end_cutoff_ps == 100 * US + ROUND_TRIP // 2


def test_a_hopeless_link_needs_a_cutoff():
    hopeless = LinkUse(replace(LINK, success=0), 1, 1)
    with pytest.raises(DiscoveryError, match="success probability 0"):
        timing(0, [hopeless] * 2, [REPEATER])
    assert timing(US, [hopeless] * 2, [REPEATER]).end_cutoff_ps > US


def test_the_end_cutoff_stays_within_the_clock():
    rare = LinkUse(replace(LINK, success=1, attempt_ps=1 << 60), 1, 1)
    assert to_fraction(1.0) > 1
    assert timing(0, [rare] * 2, [REPEATER]).end_cutoff_ps == LONGEST_PS
