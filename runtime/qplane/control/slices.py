"""What a switch is told of slices: how much each may send, and which memory slots are its own."""

from __future__ import annotations

import math
from collections.abc import Iterator

from qplane.control.entries import Entry, MeterRate, table_entry
from qplane.control.errors import ControlError
from qplane.net import DEFAULT_SLICE, Network


def number(network: Network, name: str) -> int:
    """A slice's number. Raises ControlError where a circuit from a store is in a slice that the
    network has no more."""
    if name in network.slices:
        return network.slices[name].number
    if name == DEFAULT_SLICE:
        return 0
    known = ", ".join(network.slices) or "none"
    raise ControlError(f"the network has no slice {name}; there are: {known}")


def limits(network: Network, node: str, time_scale: float) -> Iterator[Entry]:
    """Meters and slot ranges at a node.

    Meters run by the switch's own clock, where a second of the network takes `time_scale` seconds:
    rates are divided by it, and not rounded below one a second. Bursts stay as they are.
    """
    for found in network.slices.values():
        for meter, per_s, burst in (
            ("qci_meter", found.qci_per_s, found.qci_burst),
            ("classical_meter", found.classical_bytes_per_s, found.classical_burst_bytes),
        ):
            if per_s:
                yield MeterRate(meter, found.number, max(math.floor(per_s / time_scale), 1), burst)
        if node in found.slots:
            first, last = found.slots[node]
            yield table_entry(
                "slot_range",
                {"slice": found.number},
                "set_slot_range",
                first_slot=first,
                last_slot=last,
            )
