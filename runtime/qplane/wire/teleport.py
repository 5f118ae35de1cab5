"""Bodies of the device frames with which an application teleports over a circuit's pairs."""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from qplane.wire.layout import Layout, Record, clock_ps, enum, uint

FULL_TURN = 1 << 32
"""Angles are n / 2³² of a full turn."""


class TeleportRole(IntEnum):
    """What an end of the circuit does with the pairs that are delivered from now on."""

    NONE = 0  # what it would do without an order
    SENDER = 1
    RECEIVER = 2


class TeleportStatus(IntEnum):
    """What TELEPORT_ANSWER says; as in LINK_STATUS."""

    DONE = 0
    UNKNOWN_LABEL = 2


@dataclass(frozen=True, slots=True)
class TeleportOrder(Record):
    """Body of TELEPORT_ORDER and TELEPORT_ANSWER.

    ``count``: teleportations to make as the sender, 0: no end. ``polar`` (from +Z) and ``azimuth``
    (from +X), in units of 2π/2³², are the Bloch angles of the state that the sender teleports, or
    of the axis along which the receiver measures.
    """

    LAYOUT: ClassVar = Layout(
        "teleport order",
        uint("transaction", 32),
        uint("label", 20),
        uint("reserved", 12),
        enum("role", 8, TeleportRole),
        enum("status", 8, TeleportStatus),
        uint("count", 16),
        uint("polar", 32),
        uint("azimuth", 32),
    )
    transaction: int
    label: int
    role: TeleportRole
    status: TeleportStatus = TeleportStatus.DONE
    count: int = 0
    polar: int = 0
    azimuth: int = 0


@dataclass(frozen=True, slots=True)
class TeleportResult(Record):
    """Body of TELEPORT_RESULT: one teleportation, as either end saw it.

    The header's ``bell`` has the two bits. ``head_seq`` names the pair by its sequence number at
    the head-end, ``transaction`` the order. ``outcome`` is what the receiver measured: 0 is the
    state along the order's axis.
    """

    LAYOUT: ClassVar = Layout(
        "teleport result",
        uint("transaction", 32),
        uint("label", 20),
        uint("reserved", 12),
        uint("head_seq", 32),
        enum("role", 8, TeleportRole),
        uint("outcome", 1),
        uint("reserved2", 23),
        clock_ps("time_ps"),
    )
    transaction: int
    label: int
    head_seq: int
    role: TeleportRole
    outcome: int = 0
    time_ps: int = 0
