"""Ethernet, MPLS and the associated channel header: what our messages travel in."""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from qplane.wire.errors import WireError
from qplane.wire.layout import Layout, Record, fixed, uint

MIN_FRAME_BYTES = 60  # IEEE 802.3, without the frame check sequence; shorter frames may be padded
FIRST_LABEL = 16  # RFC 3032: the labels below are special-purpose
LAST_LABEL = (1 << 20) - 1
GAL_LABEL = 13
CHANNEL_TYPE_QCI = 0x7FF8
UDP_PORT_MPLS = 6635  # RFC 7510

_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")


class EtherType(IntEnum):
    """The EtherTypes of our own messages."""

    MPLS = 0x8847
    QCI = 0x88B5
    DEVICE = 0x88B6


def parse_mac(text: str) -> int:
    """The number of an address such as ``02:00:00:00:00:01``. Raises WireError."""
    if not _MAC.fullmatch(text):
        raise WireError("Ethernet address", "text", text, "six bytes such as 02:00:00:00:00:01")
    return int(text.replace(":", ""), 16)


def format_mac(address: int) -> str:
    """The address as text, such as ``02:00:00:00:00:01``."""
    return address.to_bytes(6, "big").hex(":")


@dataclass(frozen=True, slots=True)
class Ethernet(Record):
    """Ethernet header; addresses are 48-bit numbers, see ``parse_mac``."""

    LAYOUT: ClassVar = Layout(
        "Ethernet header", uint("dst", 48), uint("src", 48), uint("ethertype", 16)
    )
    dst: int
    src: int
    ethertype: int


@dataclass(frozen=True, slots=True)
class LabelStackEntry(Record):
    """MPLS label stack entry (RFC 3032)."""

    LAYOUT: ClassVar = Layout(
        "MPLS label stack entry", uint("label", 20), uint("tc", 3), uint("s", 1), uint("ttl", 8)
    )
    label: int
    tc: int
    s: int
    ttl: int


GAL = LabelStackEntry(label=GAL_LABEL, tc=0, s=1, ttl=1)


@dataclass(frozen=True, slots=True)
class AssociatedChannel(Record):
    """Associated channel header (RFC 5586)."""

    LAYOUT: ClassVar = Layout(
        "associated channel header",
        fixed("nibble", 4, 1),
        fixed("version", 4, 0),
        uint("reserved", 8),
        uint("channel_type", 16),
    )
    channel_type: int = CHANNEL_TYPE_QCI


def frame_payload(frame: bytes, used: int) -> bytes:
    """The first ``used`` bytes of a frame that may be padded to Ethernet's minimum.

    Raises WireError if it is shorter, or longer without being such a padded frame.
    """
    if len(frame) < used or len(frame) > max(used, MIN_FRAME_BYTES):
        raise WireError(
            "frame", "size", len(frame), f"{used} bytes, or padded to {MIN_FRAME_BYTES}"
        )
    return frame[:used]
