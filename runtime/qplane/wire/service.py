"""Messages of the link-layer service, as draft-dahlberg-ll-quantum-03 (section 4) has them.

CREATE goes from the higher layer to the link layer; ACK, OK and ERR come back and begin with a
4-bit type. ``docs/link-layer.md`` has the bit tables.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, TypeAlias

from qplane.wire.errors import WireError
from qplane.wire.layout import Layout, Record, enum, fixed, uint

FIDELITY_ONE = (1 << 16) - 1
PROBABILITY_ONE = (1 << 8) - 1


class TimeUnit(IntEnum):
    """Unit of CREATE's max_time."""

    MICROSECOND = 0
    MILLISECOND = 1
    SECOND = 2


class RequestType(IntEnum):
    """K or M; the draft gives no code, this is the usual one."""

    KEEP = 0
    MEASURE = 1


class RandomBasis(IntEnum):
    """Among which bases an end chooses at random."""

    NONE = 0
    XZ = 1
    XYZ = 2
    CHSH = 3


class Basis(IntEnum):
    """The basis that an OK of type M was measured in."""

    Z = 0
    X = 1
    Y = 2
    Z_PLUS_45 = 3
    Z_MINUS_45 = 4


class ServiceType(IntEnum):
    """The first four bits of what the link layer answers."""

    ACK = 1
    OK_KEEP = 2
    OK_MEASURE = 3
    ERR = 4


class ServiceError(IntEnum):
    """Why a request, or a range of its pairs, came to nothing."""

    UNSUPP = 1
    CREATE = 2
    REJECTED = 3
    OTHER = 4
    EXPIRE = 5
    TIMEOUT = 6


def encode_fidelity(fidelity: float) -> int:
    """A fidelity in [0, 1] as n / 65535, nearest. Raises WireError outside."""
    if not 0.0 <= fidelity <= 1.0:
        raise WireError("CREATE", "min_fidelity", fidelity, "a number from 0 to 1")
    return round(fidelity * FIDELITY_ONE)


def decode_fidelity(value: int) -> float:
    """n / 65535."""
    return value / FIDELITY_ONE


@dataclass(frozen=True, slots=True)
class Create(Record):
    """CREATE, 24 bytes: a request for ``number`` pairs with the node at the link's other end.

    ``max_time`` is in ``time_unit``; 0 is no limit. ``*_probability_*`` are n / 255. ``rotation_*``
    are a fixed basis: rotations by 2π/256·n about X, then Y, then X again.
    """

    LAYOUT: ClassVar = Layout(
        "CREATE",
        uint("remote_node_id", 32),
        uint("min_fidelity", 16),
        enum("time_unit", 2, TimeUnit),
        uint("max_time", 14),
        uint("purpose_id", 16),
        uint("number", 16),
        uint("priority", 3),
        enum("request_type", 1, RequestType),
        uint("atomic", 1),
        uint("consecutive", 1),
        enum("random_basis_local", 2, RandomBasis),
        enum("random_basis_remote", 2, RandomBasis),
        uint("reserved", 6),
        uint("probability_local_1", 8),
        uint("probability_local_2", 8),
        uint("probability_remote_1", 8),
        uint("probability_remote_2", 8),
        uint("rotation_local_x1", 8),
        uint("rotation_local_y", 8),
        uint("rotation_local_x2", 8),
        uint("rotation_remote_x1", 8),
        uint("rotation_remote_y", 8),
        uint("rotation_remote_x2", 8),
    )
    remote_node_id: int
    min_fidelity: int
    time_unit: TimeUnit
    max_time: int
    purpose_id: int
    number: int
    priority: int = 0
    request_type: RequestType = RequestType.KEEP
    atomic: int = 0
    consecutive: int = 0
    random_basis_local: RandomBasis = RandomBasis.NONE
    random_basis_remote: RandomBasis = RandomBasis.NONE
    probability_local_1: int = 0
    probability_local_2: int = 0
    probability_remote_1: int = 0
    probability_remote_2: int = 0
    rotation_local_x1: int = 0
    rotation_local_y: int = 0
    rotation_local_x2: int = 0
    rotation_remote_x1: int = 0
    rotation_remote_y: int = 0
    rotation_remote_x2: int = 0


@dataclass(frozen=True, slots=True)
class Ack(Record):
    """ACK, 4 bytes: the request was taken and has this id."""

    LAYOUT: ClassVar = Layout(
        "ACK",
        fixed("type", 4, ServiceType.ACK),
        uint("create_id", 16),
        uint("reserved", 12),
    )
    create_id: int


@dataclass(frozen=True, slots=True)
class OkKeep(Record):
    """OK for a K request, 16 bytes: a pair is in memory. ``goodness`` is a fidelity, n / 65535."""

    LAYOUT: ClassVar = Layout(
        "OK keep",
        fixed("type", 4, ServiceType.OK_KEEP),
        uint("create_id", 16),
        uint("logical_qubit_id", 4),
        uint("directionality", 1),
        uint("reserved", 7),
        uint("seq", 16),
        uint("purpose_id", 16),
        uint("remote_node_id", 32),
        uint("goodness", 16),
        uint("time_of_goodness", 16),
    )
    create_id: int
    logical_qubit_id: int
    directionality: int
    seq: int
    purpose_id: int
    remote_node_id: int
    goodness: int
    time_of_goodness: int


@dataclass(frozen=True, slots=True)
class OkMeasure(Record):
    """OK for an M request, 16 bytes: a pair was measured, with this outcome in this basis."""

    LAYOUT: ClassVar = Layout(
        "OK measure",
        fixed("type", 4, ServiceType.OK_MEASURE),
        uint("create_id", 16),
        uint("outcome", 1),
        uint("directionality", 1),
        enum("basis", 3, Basis),
        uint("reserved", 7),
        uint("seq", 16),
        uint("purpose_id", 16),
        uint("remote_node_id", 32),
        uint("goodness", 16),
        uint("reserved2", 16),
    )
    create_id: int
    outcome: int
    directionality: int
    basis: Basis
    seq: int
    purpose_id: int
    remote_node_id: int
    goodness: int


@dataclass(frozen=True, slots=True)
class Err(Record):
    """ERR, 12 bytes. With ``has_range`` it is about the pairs seq_low (inclusive) to seq_high."""

    LAYOUT: ClassVar = Layout(
        "ERR",
        fixed("type", 4, ServiceType.ERR),
        uint("create_id", 16),
        enum("error", 4, ServiceError),
        uint("has_range", 1),
        uint("reserved", 7),
        uint("seq_low", 16),
        uint("seq_high", 16),
        uint("origin_node_id", 32),
    )
    create_id: int
    error: ServiceError
    has_range: int
    seq_low: int
    seq_high: int
    origin_node_id: int


Answer: TypeAlias = Ack | OkKeep | OkMeasure | Err

_ANSWERS: dict[int, type[Ack | OkKeep | OkMeasure | Err]] = {
    ServiceType.ACK: Ack,
    ServiceType.OK_KEEP: OkKeep,
    ServiceType.OK_MEASURE: OkMeasure,
    ServiceType.ERR: Err,
}


def parse_answer(data: bytes) -> Answer:
    """What the link layer answers, by its type. Raises WireError."""
    kind = data[0] >> 4 if data else 0
    if kind not in _ANSWERS:
        expected = "one of " + ", ".join(f"{value:d} {value.name}" for value in ServiceType)
        raise WireError("link-layer answer", "type", kind, expected)
    return _ANSWERS[kind].from_bytes(data)
