"""Device frames: between a switch and its quantum device, on the quantum port alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import ClassVar, TypeAlias

from qplane.wire.errors import WireError
from qplane.wire.ethernet import MIN_FRAME_BYTES, Ethernet, EtherType, frame_payload
from qplane.wire.layout import Layout, Record, clock_ps, duration_ps, enum, fixed, uint
from qplane.wire.link import (
    Calibration,
    GenBody,
    LinkScheme,
    MhpOrder,
    MhpResult,
    MhpStatus,
    OutcomeBody,
    QubitAction,
    ReplyBody,
)
from qplane.wire.qci import BellIndex
from qplane.wire.teleport import TeleportOrder, TeleportResult

DEVICE_VERSION = 1
SWITCH_MAC = 0x020000000001
DEVICE_MAC = 0x020000000002
WHOLE_DEVICE = 0xFF  # in place of a link number
DISTILLED_LINKS = 16  # link n + 16 has the pairs of link n that were distilled there
MOST_MESSAGES = 31  # in one frame: as many link controls as fit into 1,500 bytes
FRACTION_ONE = (1 << 32) - 1


class DeviceType(IntEnum):
    """What a device frame says. 0x01 to 0x3F: events; 0x41 to 0x7F: controller and link layer;
    0x81 and more: commands."""

    PAIR = 0x01
    SWAPPED = 0x02
    SWAP_FAILED = 0x03
    EXPIRED = 0x04
    DELIVERED = 0x05
    TELEPORTED = 0x06
    DISTILLED = 0x07
    MHP_GEN = 0x10
    MHP_OUTCOME = 0x11
    FEATURES_REQUEST = 0x41
    DEVICE_FEATURES = 0x42
    LINK_FEATURES = 0x43
    LINK_START = 0x44
    LINK_STOP = 0x45
    LINK_STATUS_REQUEST = 0x46
    LINK_STATUS = 0x47
    MHP_START = 0x50
    MHP_STOP = 0x51
    MHP_STATUS = 0x52
    MHP_PAIR = 0x53
    MHP_MEASURED = 0x54
    MHP_ERROR = 0x55
    QUBIT_RELEASE = 0x56
    QUBIT_PAULI = 0x57
    QUBIT_MOVE = 0x58
    QUBIT_MEASURE = 0x59
    QUBIT_DONE = 0x5A
    CALIBRATION_REQUEST = 0x5B
    CALIBRATION = 0x5C
    TELEPORT_ORDER = 0x5D
    TELEPORT_ANSWER = 0x5E
    TELEPORT_RESULT = 0x5F
    SWAP = 0x81
    DELIVER = 0x82
    RELEASE = 0x83
    VOID = 0x84
    EXPIRE_CONFIRMED = 0x85
    CONFIRM = 0x86
    COMPLETED = 0x87
    APPLY_CORRECTION = 0x88
    CORRECTION_CONFIRMED = 0x89
    DISTIL = 0x8A
    MHP_REPLY = 0x90

    @property
    def is_from_device(self) -> bool:
        """Whether the device sends it; else the switch or, through it, the controller does."""
        return self in _FROM_DEVICE


_FROM_DEVICE = frozenset(
    {
        DeviceType.PAIR,
        DeviceType.SWAPPED,
        DeviceType.SWAP_FAILED,
        DeviceType.EXPIRED,
        DeviceType.DELIVERED,
        DeviceType.TELEPORTED,
        DeviceType.DISTILLED,
        DeviceType.DEVICE_FEATURES,
        DeviceType.LINK_FEATURES,
        DeviceType.LINK_STATUS,
        DeviceType.MHP_GEN,
        DeviceType.MHP_OUTCOME,
        DeviceType.MHP_STATUS,
        DeviceType.MHP_PAIR,
        DeviceType.MHP_MEASURED,
        DeviceType.MHP_ERROR,
        DeviceType.QUBIT_DONE,
        DeviceType.CALIBRATION,
        DeviceType.TELEPORT_ANSWER,
        DeviceType.TELEPORT_RESULT,
    }
)


_IN_LISTS = frozenset(
    {
        DeviceType.DEVICE_FEATURES,
        DeviceType.LINK_FEATURES,
        DeviceType.LINK_START,
        DeviceType.LINK_STOP,
        DeviceType.LINK_STATUS_REQUEST,
        DeviceType.LINK_STATUS,
    }
)
"""Messages of which one frame may carry several."""


class DeviceFlag(IntFlag):
    """Flags of the device frame header; what they mean depends on the type."""

    NONE = 0
    CORRECT = 1  # DELIVER, CONFIRM
    ANNOUNCE = 1  # RELEASE, VOID
    MEASURED = 1  # DELIVERED
    END = 1  # LINK_START
    ASK = 1  # DISTILLED, DISTIL
    REPORT = 2  # DELIVER, CONFIRM
    DISTILLED = 2  # DELIVERED
    MEASURE = 4  # DELIVER
    FAR = 4  # VOID
    EARLY = 8  # DELIVER


class LinkStatusCode(IntEnum):
    """What LINK_STATUS answers."""

    IDLE = 0
    GENERATING = 1
    UNKNOWN_LABEL = 2
    REFUSED = 3


def to_fraction(value: float) -> int:
    """A probability or fidelity as n of n/(2³² − 1). Raises WireError outside 0 to 1."""
    if not 0 <= value <= 1:
        raise WireError("fraction", "value", value, "a number from 0 to 1")
    return round(value * FRACTION_ONE)


def from_fraction(count: int) -> float:
    """The probability or fidelity that n of n/(2³² − 1) stands for."""
    return count / FRACTION_ONE


@dataclass(frozen=True, slots=True)
class DeviceHeader(Record):
    """The 4 bytes that all device frames begin with."""

    LAYOUT: ClassVar = Layout(
        "device frame header",
        fixed("version", 4, DEVICE_VERSION),
        uint("flags", 4),
        enum("type", 8, DeviceType),
        uint("link", 8),
        enum("bell", 2, BellIndex),
        uint("reserved", 6),
    )
    flags: int
    type: DeviceType
    link: int
    bell: BellIndex


@dataclass(frozen=True, slots=True)
class QubitBody(Record):
    """Body of the events and commands about qubits."""

    LAYOUT: ClassVar = Layout(
        "qubit body",
        uint("label", 20),
        uint("reserved", 12),
        uint("seq", 32),
        uint("slot", 16),
        uint("generation", 16),
        uint("link2", 8),
        uint("reserved2", 24),
        uint("seq2", 32),
        uint("slot2", 16),
        uint("generation2", 16),
        clock_ps("time_ps"),
    )
    label: int
    seq: int
    slot: int
    generation: int
    link2: int = 0
    seq2: int = 0
    slot2: int = 0
    generation2: int = 0
    time_ps: int = 0


@dataclass(frozen=True, slots=True)
class Transaction(Record):
    """Body of FEATURES_REQUEST."""

    LAYOUT: ClassVar = Layout("transaction", uint("transaction", 32))
    transaction: int


@dataclass(frozen=True, slots=True)
class DeviceFeatures(Record):
    """Body of DEVICE_FEATURES; T1 and T2 of 0 are infinite, errors are fractions."""

    LAYOUT: ClassVar = Layout(
        "device features",
        uint("transaction", 32),
        uint("node_id", 32),
        uint("qci_version", 8),
        uint("links", 8),
        uint("slots", 16),
        duration_ps("t1_ps"),
        duration_ps("t2_ps"),
        duration_ps("swap_time_ps"),
        uint("two_qubit_error", 32),
        uint("readout_error", 32),
        uint("one_qubit_error", 32),
        uint("swap_success", 32),
    )
    transaction: int
    node_id: int
    qci_version: int
    links: int
    slots: int
    t1_ps: int
    t2_ps: int
    swap_time_ps: int
    two_qubit_error: int
    readout_error: int
    one_qubit_error: int = 0
    swap_success: int = FRACTION_ONE


@dataclass(frozen=True, slots=True)
class LinkFeatures(Record):
    """Body of LINK_FEATURES; success and fidelity are fractions."""

    LAYOUT: ClassVar = Layout(
        "link features",
        uint("transaction", 32),
        uint("remote_node_id", 32),
        uint("remote_link", 8),
        enum("scheme", 8, LinkScheme),
        uint("zz", 16),
        uint("length_m", 32),
        duration_ps("attempt_ps"),
        uint("success", 32),
        uint("fidelity", 32),
        duration_ps("delay_ps"),
    )
    transaction: int
    remote_node_id: int
    remote_link: int
    scheme: LinkScheme
    zz: int
    length_m: int
    attempt_ps: int
    success: int
    fidelity: int
    delay_ps: int


@dataclass(frozen=True, slots=True)
class LinkControl(Record):
    """Body of LINK_START, LINK_STOP, LINK_STATUS_REQUEST and LINK_STATUS."""

    LAYOUT: ClassVar = Layout(
        "link control",
        uint("transaction", 32),
        uint("label", 20),
        uint("slice", 6),
        uint("rounds", 6),
        uint("slot_first", 16),
        uint("slot_count", 16),
        duration_ps("cutoff_ps"),
        duration_ps("retry_ps"),
        uint("in_use", 16),
        uint("unconfirmed", 16),
        enum("status", 8, LinkStatusCode),
        uint("reserved", 4),
        uint("feeds", 20),
        uint("linger_ms", 16),
        uint("bright_state", 16),
        uint("last_seq", 32),
    )
    transaction: int
    label: int
    slice: int = 0
    rounds: int = 0
    slot_first: int = 0
    slot_count: int = 0
    cutoff_ps: int = 0
    retry_ps: int = 0
    in_use: int = 0
    unconfirmed: int = 0
    status: LinkStatusCode = LinkStatusCode.IDLE
    feeds: int = 0
    linger_ms: int = 0
    bright_state: int = 0
    last_seq: int = 0


DeviceBody: TypeAlias = (
    QubitBody
    | Transaction
    | DeviceFeatures
    | LinkFeatures
    | LinkControl
    | GenBody
    | OutcomeBody
    | ReplyBody
    | MhpOrder
    | MhpStatus
    | MhpResult
    | QubitAction
    | Calibration
    | TeleportOrder
    | TeleportResult
)

BODIES: dict[DeviceType, type[DeviceBody]] = {
    DeviceType.FEATURES_REQUEST: Transaction,
    DeviceType.DEVICE_FEATURES: DeviceFeatures,
    DeviceType.LINK_FEATURES: LinkFeatures,
    DeviceType.LINK_START: LinkControl,
    DeviceType.LINK_STOP: LinkControl,
    DeviceType.LINK_STATUS_REQUEST: LinkControl,
    DeviceType.LINK_STATUS: LinkControl,
    DeviceType.MHP_GEN: GenBody,
    DeviceType.MHP_OUTCOME: OutcomeBody,
    DeviceType.MHP_REPLY: ReplyBody,
    DeviceType.MHP_START: MhpOrder,
    DeviceType.MHP_STOP: MhpOrder,
    DeviceType.MHP_STATUS: MhpStatus,
    DeviceType.MHP_PAIR: MhpResult,
    DeviceType.MHP_MEASURED: MhpResult,
    DeviceType.MHP_ERROR: MhpResult,
    DeviceType.QUBIT_RELEASE: QubitAction,
    DeviceType.QUBIT_PAULI: QubitAction,
    DeviceType.QUBIT_MOVE: QubitAction,
    DeviceType.QUBIT_MEASURE: QubitAction,
    DeviceType.QUBIT_DONE: QubitAction,
    DeviceType.CALIBRATION_REQUEST: Calibration,
    DeviceType.CALIBRATION: Calibration,
    DeviceType.TELEPORT_ORDER: TeleportOrder,
    DeviceType.TELEPORT_ANSWER: TeleportOrder,
    DeviceType.TELEPORT_RESULT: TeleportResult,
}
BODIES |= {type_: QubitBody for type_ in DeviceType if type_ not in BODIES}


@dataclass(frozen=True, slots=True)
class DeviceFrame:
    """A device frame: header and body, as a whole Ethernet frame."""

    type: DeviceType
    link: int
    body: DeviceBody
    bell: BellIndex = BellIndex.PHI_PLUS
    flags: DeviceFlag = DeviceFlag.NONE

    def __post_init__(self) -> None:
        if not isinstance(self.body, BODIES[self.type]):
            title = f"device frame {self.type.name}"
            raise WireError(title, "body", self.body, f"a {BODIES[self.type].__name__}")

    def to_bytes(self) -> bytes:
        """The frame, not padded, with the addresses that its direction requires."""
        return self._ethernet() + self._message()

    def _ethernet(self) -> bytes:
        dst, src = DEVICE_MAC, SWITCH_MAC
        if self.type.is_from_device:
            dst, src = src, dst
        return Ethernet(dst, src, EtherType.DEVICE).to_bytes()

    def _message(self) -> bytes:
        header = DeviceHeader(self.flags, self.type, self.link, self.bell)
        return header.to_bytes() + self.body.to_bytes()

    @staticmethod
    def list_to_bytes(frames: Sequence["DeviceFrame"]) -> bytes:
        """One frame with the messages of several, in their order. Raises WireError."""
        title = "device frame with several messages"
        if not 1 <= len(frames) <= MOST_MESSAGES:
            raise WireError(title, "messages", len(frames), f"1 to {MOST_MESSAGES}")
        if len(frames) > 1:
            for frame in frames:
                if frame.type not in _IN_LISTS:
                    raise WireError(title, "type", frame.type.name, "of link control or features")
                if frame.type.is_from_device is not frames[0].type.is_from_device:
                    raise WireError(title, "type", frame.type.name, "one direction for all")
        return frames[0]._ethernet() + b"".join(frame._message() for frame in frames)

    @classmethod
    def from_bytes(cls, frame: bytes) -> "DeviceFrame":
        """The message in ``frame``, which may be padded to Ethernet's minimum. Raises WireError.

        The addresses are not looked at.
        """
        header = cls._header(frame, 14)
        data = frame_payload(frame, 18 + BODIES[header.type].LAYOUT.size)[18:]
        return cls._made(header, data)

    @classmethod
    def list_from_bytes(cls, frame: bytes) -> list["DeviceFrame"]:
        """As :meth:`from_bytes`, of a frame that may carry several messages."""
        header = cls._header(frame, 14)
        size = 4 + BODIES[header.type].LAYOUT.size
        if header.type not in _IN_LISTS or len(frame) <= max(14 + size, MIN_FRAME_BYTES):
            return [cls.from_bytes(frame)]
        messages = []
        at = 14
        while at < len(frame):
            header = cls._header(frame, at)
            if header.type not in _IN_LISTS:
                raise WireError("device frame", "type", header.type.name, "one of those in lists")
            size = BODIES[header.type].LAYOUT.size
            messages.append(cls._made(header, frame[at + 4 : at + 4 + size]))
            at += 4 + size
        return messages

    @staticmethod
    def _header(frame: bytes, at: int) -> DeviceHeader:
        ethernet = Ethernet.from_bytes(frame[:14])
        if ethernet.ethertype != EtherType.DEVICE:
            raise WireError("device frame", "ethertype", hex(ethernet.ethertype), "0x88b6")
        return DeviceHeader.from_bytes(frame[at : at + 4])

    @classmethod
    def _made(cls, header: DeviceHeader, body: bytes) -> "DeviceFrame":
        made = BODIES[header.type].from_bytes(body)
        return cls(header.type, header.link, made, header.bell, DeviceFlag(header.flags))
