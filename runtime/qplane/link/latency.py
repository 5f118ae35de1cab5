"""How long a message between the two ends of a link and its answer take, from the network file."""

from __future__ import annotations

from qplane.net import Link, Network

LONGEST_MESSAGE_BITS = 8 * 128
"""The largest message of the link layer with its headers, and some more."""


def exchange_ps(network: Network, link: Link) -> int:
    """What a message and its answer need beside the fibre's delay.

    Sending them at the link's bandwidth, twice two switches with their controllers
    (`switch_allowance` of the network file), and the mean of the extra delays that the file asks
    for, if any.
    """
    faults = network.faults
    sending_ps = round(LONGEST_MESSAGE_BITS / link.options.bandwidth * 1e12)
    extra_ps = faults.mean_delay if faults.delay or faults.reordering else 0
    return 2 * (sending_ps + 2 * network.switch_allowance_ps + extra_ps)
