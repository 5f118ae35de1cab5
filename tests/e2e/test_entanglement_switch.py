"""The entanglement switch delivers q·k·μ/2 pairs a second; see entanglement_switch.py."""

import math

import pytest

from e2e.entanglement_switch import SLOTS, measure, share_with_buffers


def test_k_links_deliver_what_the_switch_can():
    found = measure(4, 12_000)
    share, share_error = share_with_buffers(4, SLOTS, steps=200_000)
    error = math.hypot(found.error, found.expected * share_error)
    assert abs(found.rate - share * found.expected) < 4 * error
    assert 0.98 < share < 1
    assert max(found.delivered) < 1.2 * min(found.delivered)  # none is preferred


def test_buffers_of_one_circuit_are_a_walk():
    share, error = share_with_buffers(2, SLOTS, steps=200_000)
    assert share == pytest.approx(1 - 1 / (2 * SLOTS + 1), abs=4 * error)
