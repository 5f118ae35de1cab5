"""The entanglement switch delivers q·k·μ/2 pairs a second; see entanglement_switch.py."""

from e2e.entanglement_switch import measure

SHORTFALL = 0.03


def test_k_links_deliver_what_the_switch_can():
    found = measure(4, 12_000)
    least = found.expected * (1 - SHORTFALL) - 4 * found.error
    assert least < found.rate < found.expected + 4 * found.error
    assert max(found.delivered) < 1.2 * min(found.delivered)  # none is preferred
