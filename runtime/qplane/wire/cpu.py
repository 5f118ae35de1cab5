"""The controller headers of the CPU port.

Over P4Runtime they travel as packet metadata; these are the bytes in front of the packet where a
CPU port is a plain interface.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from qplane.wire.layout import Layout, Record, enum, uint


class PacketInReason(IntEnum):
    """Why the switch sent a packet to the controller."""

    DEVICE_FRAME = 1
    LINK_QCI = 2
    CIRCUIT_PONG = 3
    SAMPLE = 4
    TELEMETRY = 5
    HERALD = 6


@dataclass(frozen=True, slots=True)
class PacketIn(Record):
    """Header of a packet to the controller."""

    LAYOUT: ClassVar = Layout(
        "packet_in", uint("ingress_port", 9), enum("reason", 7, PacketInReason), uint("detail", 16)
    )
    ingress_port: int
    reason: PacketInReason
    detail: int = 0  # TELEMETRY: the event's number


@dataclass(frozen=True, slots=True)
class PacketOut(Record):
    """Header of a packet from the controller."""

    LAYOUT: ClassVar = Layout("packet_out", uint("egress_port", 9), uint("pad", 23))
    egress_port: int
