"""QCI messages: quantum control information, on a circuit or on a link."""

import zlib
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import ClassVar, TypeAlias

from qplane.wire.dqp import DqpBody
from qplane.wire.egp import EgpBody, OutcomesBody
from qplane.wire.errors import WireError
from qplane.wire.ethernet import (
    CHANNEL_TYPE_QCI,
    FIRST_LABEL,
    GAL,
    GAL_LABEL,
    LAST_LABEL,
    AssociatedChannel,
    Ethernet,
    EtherType,
    LabelStackEntry,
    frame_payload,
)
from qplane.wire.layout import Layout, Record, clock_ps, enum, fixed, uint
from qplane.wire.link import GenBody, ReplyBody

QCI_VERSION = 1
FIRST_TTL = 255  # of a message on a circuit, where it begins


class QciType(IntEnum):
    """What a QCI message says."""

    TRACK = 0x01
    EXPIRE = 0x02
    EXPIRE_ACK = 0x03
    COMPLETE = 0x04
    CORRECTION = 0x05
    CORRECTION_ACK = 0x06
    DISTIL = 0x07
    CIRCUIT_PING = 0x08
    CIRCUIT_PONG = 0x09
    HELLO = 0x10
    PING = 0x11
    PONG = 0x12
    DQP_ADD = 0x20
    DQP_ACK = 0x21
    DQP_REJ = 0x22
    DQP_HELLO = 0x23
    DQP_ERR = 0x24
    EGP_EXPIRE = 0x28
    EGP_EXPIRE_ACK = 0x29
    EGP_MEMORY_REQUEST = 0x2A
    EGP_MEMORY_ACK = 0x2B
    EGP_OUTCOMES = 0x2C
    GEN = 0x30
    REPLY = 0x31


class QciFlag(IntFlag):
    """Flags of the QCI header."""

    NONE = 0
    ACK_REQUESTED = 1
    SAMPLE = 2  # CIRCUIT_PING, CIRCUIT_PONG
    LOST = 4  # EXPIRE, EXPIRE_ACK: pair_seq is the origin's, as a repeater lost the record


AUTHENTICATION_FLAG = 8  # kept for a later version; refused until then


class BellIndex(IntEnum):
    """The four Bell states; the left bit says X, the right bit Z, from Φ+."""

    PHI_PLUS = 0
    PHI_MINUS = 1
    PSI_PLUS = 2
    PSI_MINUS = 3

    def compose(self, other: "BellIndex") -> "BellIndex":
        """The frame of this one and the other together."""
        return BellIndex(self ^ other)


class ExpireReason(IntEnum):
    """Why a pair is dead."""

    NONE = 0
    CUTOFF = 1
    SWAP_FAILED = 2
    UNKNOWN_PAIR = 3
    DEAD_PAIR = 4
    NO_ROOM = 5
    TIME_UP = 6


class CircuitRole(IntEnum):
    """What a node is on a circuit."""

    END = 0
    REPEATER = 1


@dataclass(frozen=True, slots=True)
class QciHeader(Record):
    """The 8 bytes before each body; ``length`` counts them and the body."""

    LAYOUT: ClassVar = Layout(
        "QCI header",
        fixed("version", 4, QCI_VERSION),
        uint("flags", 4),
        enum("type", 8, QciType),
        uint("length", 16),
        uint("checksum", 32),
    )
    flags: int
    type: QciType
    length: int
    checksum: int


@dataclass(frozen=True, slots=True)
class PairBody(Record):
    """Body of the messages about one pair of a circuit; ``remaining_us`` 0: no limit."""

    LAYOUT: ClassVar = Layout(
        "pair body",
        uint("pair_seq", 32),
        uint("origin_seq", 32),
        enum("bell", 2, BellIndex),
        uint("reserved", 6),
        enum("reason", 8, ExpireReason),
        uint("reserved2", 16),
        uint("remaining_us", 32),
    )
    pair_seq: int
    origin_seq: int
    bell: BellIndex = BellIndex.PHI_PLUS
    reason: ExpireReason = ExpireReason.NONE
    remaining_us: int = 0


@dataclass(frozen=True, slots=True)
class CircuitPingBody(Record):
    """Body of CIRCUIT_PING and CIRCUIT_PONG; all from ``hop`` on is the answering node's."""

    LAYOUT: ClassVar = Layout(
        "circuit ping body",
        uint("nonce", 32),
        clock_ps("time_ps"),
        uint("sample_first", 32),
        uint("sample_count", 16),
        uint("hop", 8),
        enum("role", 8, CircuitRole),
        uint("node_id", 32),
        uint("held", 16),
        uint("other_held", 16),
        uint("ring", 8),
        uint("other_ring", 8),
        uint("reserved", 16),
        uint("age_us", 32),
        uint("other_age_us", 32),
        uint("first_slot", 16),
        uint("last_slot", 16),
    )
    nonce: int
    time_ps: int
    sample_first: int = 0
    sample_count: int = 0
    hop: int = 0
    role: CircuitRole = CircuitRole.END
    node_id: int = 0
    held: int = 0
    other_held: int = 0
    ring: int = 0
    other_ring: int = 0
    age_us: int = 0
    other_age_us: int = 0
    first_slot: int = 0
    last_slot: int = 0


@dataclass(frozen=True, slots=True)
class ProbeBody(Record):
    """Body of HELLO, PING and PONG."""

    LAYOUT: ClassVar = Layout(
        "probe body",
        uint("node_id", 32),
        uint("port", 16),
        uint("nonce", 16),
        clock_ps("time_ps"),
    )
    node_id: int
    port: int
    nonce: int
    time_ps: int


Body: TypeAlias = (
    PairBody | CircuitPingBody | ProbeBody | DqpBody | EgpBody | OutcomesBody | GenBody | ReplyBody
)

BODIES: dict[QciType, type[Body]] = {
    QciType.TRACK: PairBody,
    QciType.EXPIRE: PairBody,
    QciType.EXPIRE_ACK: PairBody,
    QciType.COMPLETE: PairBody,
    QciType.CORRECTION: PairBody,
    QciType.DISTIL: PairBody,
    QciType.CORRECTION_ACK: PairBody,
    QciType.CIRCUIT_PING: CircuitPingBody,
    QciType.CIRCUIT_PONG: CircuitPingBody,
    QciType.HELLO: ProbeBody,
    QciType.PING: ProbeBody,
    QciType.PONG: ProbeBody,
    QciType.DQP_ADD: DqpBody,
    QciType.DQP_ACK: DqpBody,
    QciType.DQP_REJ: DqpBody,
    QciType.DQP_HELLO: DqpBody,
    QciType.DQP_ERR: DqpBody,
    QciType.EGP_EXPIRE: EgpBody,
    QciType.EGP_EXPIRE_ACK: EgpBody,
    QciType.EGP_MEMORY_REQUEST: EgpBody,
    QciType.EGP_MEMORY_ACK: EgpBody,
    QciType.EGP_OUTCOMES: OutcomesBody,
    QciType.GEN: GenBody,
    QciType.REPLY: ReplyBody,
}


def qci_checksum(label: int, message: bytes) -> int:
    """CRC-32 of a QCI message (header and body) under ``label``; 0 on a link."""
    covered = (label << 12).to_bytes(4, "big") + message[:4] + message[8:]
    return zlib.crc32(covered)


@dataclass(frozen=True, slots=True)
class QciMessage:
    """A QCI header and its body, without what they travel in."""

    type: QciType
    body: Body
    flags: QciFlag = QciFlag.NONE

    def __post_init__(self) -> None:
        if not isinstance(self.body, BODIES[self.type]):
            title = f"QCI {self.type.name}"
            raise WireError(title, "body", self.body, f"a {BODIES[self.type].__name__}")
        if not 0 <= self.flags < AUTHENTICATION_FLAG:
            expected = f"a value below {AUTHENTICATION_FLAG}, which is kept for authentication"
            raise WireError("QCI header", "flags", int(self.flags), expected)

    def to_bytes(self, label: int) -> bytes:
        """Header with checksum, and body. ``label`` is that of the circuit here; 0 on a link."""
        body = self.body.to_bytes()
        length = QciHeader.LAYOUT.size + len(body)
        bare = QciHeader(self.flags, self.type, length, checksum=0).to_bytes() + body
        checksum = qci_checksum(label, bare)
        return bare[:4] + checksum.to_bytes(4, "big") + body

    @classmethod
    def from_bytes(cls, data: bytes, label: int) -> "QciMessage":
        """The message in ``data``, which it fills, sent under ``label`` (0 on a link).

        Raises WireError on an unknown version or type, a wrong length or a wrong checksum.
        """
        header = QciHeader.from_bytes(data[: QciHeader.LAYOUT.size])
        body = BODIES[header.type]
        length = QciHeader.LAYOUT.size + body.LAYOUT.size
        if header.length != length:
            raise WireError(f"QCI {header.type.name}", "length", header.length, str(length))
        if len(data) != length:
            raise WireError(f"QCI {header.type.name}", "size", len(data), f"{length} bytes")
        checksum = qci_checksum(label, data)
        if header.checksum != checksum:
            found = f"0x{header.checksum:08x}"
            raise WireError("QCI header", "checksum", found, f"0x{checksum:08x} (label {label})")
        return cls(
            header.type, body.from_bytes(data[QciHeader.LAYOUT.size :]), QciFlag(header.flags)
        )


def _message_end(frame: bytes, start: int) -> int:
    """Where the QCI message that starts at ``start`` ends, by its own length field."""
    return start + int.from_bytes(frame[start + 2 : start + 4], "big")


@dataclass(frozen=True, slots=True)
class CircuitFrame:
    """A QCI message on a circuit, as a whole Ethernet frame; addresses as in ``Ethernet``."""

    dst: int
    src: int
    label: int
    message: QciMessage
    ttl: int = FIRST_TTL
    tc: int = 0

    def __post_init__(self) -> None:
        if not FIRST_LABEL <= self.label <= LAST_LABEL:
            expected = f"a circuit's, from {FIRST_LABEL} to {LAST_LABEL}"
            raise WireError("MPLS label stack entry", "label", self.label, expected)

    def to_bytes(self) -> bytes:
        """The frame, not padded."""
        return b"".join(
            (
                Ethernet(self.dst, self.src, EtherType.MPLS).to_bytes(),
                LabelStackEntry(self.label, self.tc, 0, self.ttl).to_bytes(),
                GAL.to_bytes(),
                AssociatedChannel().to_bytes(),
                self.message.to_bytes(self.label),
            )
        )

    @classmethod
    def from_bytes(cls, frame: bytes) -> "CircuitFrame":
        """The message in ``frame``, which may be padded to Ethernet's minimum. Raises WireError."""
        ethernet = Ethernet.from_bytes(frame[:14])
        if ethernet.ethertype != EtherType.MPLS:
            raise WireError("QCI on a circuit", "ethertype", hex(ethernet.ethertype), "0x8847")
        entry = LabelStackEntry.from_bytes(frame[14:18])
        gal = LabelStackEntry.from_bytes(frame[18:22])
        if entry.s or gal.label != GAL_LABEL or not gal.s:
            expected = "the circuit's entry and the GAL (label 13, bottom of stack)"
            raise WireError("QCI on a circuit", "label stack", (entry, gal), expected)
        channel = AssociatedChannel.from_bytes(frame[22:26])
        if channel.channel_type != CHANNEL_TYPE_QCI:
            found = hex(channel.channel_type)
            raise WireError("associated channel header", "channel_type", found, "0x7ff8")
        message = frame_payload(frame, _message_end(frame, 26))[26:]
        return cls(
            ethernet.dst,
            ethernet.src,
            entry.label,
            QciMessage.from_bytes(message, entry.label),
            entry.ttl,
            entry.tc,
        )


@dataclass(frozen=True, slots=True)
class LinkFrame:
    """A QCI message on a link, as a whole Ethernet frame; addresses as in ``Ethernet``."""

    dst: int
    src: int
    message: QciMessage

    def to_bytes(self) -> bytes:
        """The frame, not padded."""
        return Ethernet(self.dst, self.src, EtherType.QCI).to_bytes() + self.message.to_bytes(0)

    @classmethod
    def from_bytes(cls, frame: bytes) -> "LinkFrame":
        """The message in ``frame``, which may be padded to Ethernet's minimum. Raises WireError."""
        ethernet = Ethernet.from_bytes(frame[:14])
        if ethernet.ethertype != EtherType.QCI:
            raise WireError("QCI on a link", "ethertype", hex(ethernet.ethertype), "0x88b5")
        message = frame_payload(frame, _message_end(frame, 14))[14:]
        return cls(ethernet.dst, ethernet.src, QciMessage.from_bytes(message, 0))
