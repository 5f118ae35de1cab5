"""Bodies of the link layer's lower half, the MHP: GEN and REPLY, and the frames of its device.

GEN and REPLY have the same body on the wire (QCI) and on the quantum port (device frame). The
messages follow Dahlberg et al., "A Link Layer Protocol for Quantum Networks" (SIGCOMM 2019) and
draft-dahlberg-ll-quantum-03; ``docs/wire.md`` has their bit tables.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from qplane.wire.layout import Layout, Record, clock_ps, duration_ps, enum, uint

BRIGHT_ONE = (1 << 16) - 1
"""A bright-state parameter n stands for n / 65535."""


class MhpKind(IntEnum):
    """What becomes of a pair."""

    KEEP = 0
    MEASURE = 1


class MhpOutcome(IntEnum):
    """What the station heralds."""

    FAIL = 0
    PSI_PLUS = 1
    PSI_MINUS = 2


class MhpError(IntEnum):
    """Why an attempt came to nothing, other than by bad luck."""

    NONE = 0
    QUEUE_MISMATCH = 1
    TIME_MISMATCH = 2
    NO_CLASSICAL_OTHER = 3
    GEN_FAIL = 4


class MhpState(IntEnum):
    """How an order stands, or why it ended."""

    NONE = 0
    WAITING = 1
    RUNNING = 2
    COMPLETE = 3
    WINDOW_OVER = 4
    STOPPED = 5
    SUPERSEDED = 6
    REFUSED = 7
    UNKNOWN = 8


class ActionStatus(IntEnum):
    """What became of a QUBIT_RELEASE, QUBIT_PAULI, QUBIT_MOVE or QUBIT_MEASURE."""

    DONE = 0
    STALE = 1
    REFUSED = 2


class LinkScheme(IntEnum):
    """How a link heralds its pairs."""

    NONE = 0
    DOUBLE_CLICK = 1
    SINGLE_CLICK = 2
    SOURCE = 3
    END_TO_END = 4


ORDER_BASIS = 7
"""``basis`` of a result that was measured along the rotations of its order."""


@dataclass(frozen=True, slots=True)
class GenBody(Record):
    """Body of GEN: this node attempts in ``cycle`` for the queue item named.

    ``present``: a photon was stored here (only where a source stands in the middle).
    """

    LAYOUT: ClassVar = Layout(
        "GEN body",
        uint("queue_id", 8),
        uint("queue_seq", 8),
        enum("kind", 1, MhpKind),
        uint("present", 1),
        uint("reserved", 14),
        uint("cycle", 64),
    )
    queue_id: int
    queue_seq: int
    kind: MhpKind
    present: int
    cycle: int


@dataclass(frozen=True, slots=True)
class ReplyBody(Record):
    """Body of REPLY: what the station says of an attempt; the queue id is the node's own, echoed.

    ``mhp_seq`` is the number of this pair, or, where there is none, of the link's last.
    """

    LAYOUT: ClassVar = Layout(
        "REPLY body",
        uint("queue_id", 8),
        uint("queue_seq", 8),
        uint("other_queue_id", 8),
        uint("other_queue_seq", 8),
        uint("mhp_seq", 32),
        enum("outcome", 2, MhpOutcome),
        uint("reserved", 6),
        enum("error_code", 8, MhpError),
        uint("reserved2", 16),
        uint("cycle", 64),
    )
    queue_id: int
    queue_seq: int
    other_queue_id: int
    other_queue_seq: int
    mhp_seq: int
    outcome: MhpOutcome
    error_code: MhpError
    cycle: int


@dataclass(frozen=True, slots=True)
class OutcomeBody(Record):
    """Body of MHP_OUTCOME: which pattern the station's detectors saw in ``cycle``."""

    LAYOUT: ClassVar = Layout(
        "Outcome body",
        enum("outcome", 2, MhpOutcome),
        uint("reserved", 30),
        uint("cycle", 64),
    )
    outcome: MhpOutcome
    cycle: int


@dataclass(frozen=True, slots=True)
class MhpOrder(Record):
    """Body of MHP_START and MHP_STOP: make ``pairs`` pairs in the cycles of a window.

    ``probability_*`` are n / 255, ``rotation_*`` in units of 2π/256, ``bright_state`` n / 65535.
    """

    LAYOUT: ClassVar = Layout(
        "MHP order",
        uint("transaction", 32),
        uint("queue_id", 8),
        uint("queue_seq", 8),
        enum("kind", 1, MhpKind),
        uint("random_basis", 2),
        uint("reserved", 5),
        uint("probability_1", 8),
        uint("probability_2", 8),
        uint("rotation_x1", 8),
        uint("rotation_y", 8),
        uint("rotation_x2", 8),
        uint("bright_state", 16),
        uint("pairs", 16),
        uint("slot_first", 16),
        uint("slot_count", 16),
        uint("first_cycle", 64),
        uint("end_cycle", 64),
    )
    transaction: int
    queue_id: int
    queue_seq: int
    kind: MhpKind = MhpKind.KEEP
    random_basis: int = 0  # qplane.wire.service.RandomBasis
    probability_1: int = 0
    probability_2: int = 0
    rotation_x1: int = 0
    rotation_y: int = 0
    rotation_x2: int = 0
    bright_state: int = 0
    pairs: int = 0
    slot_first: int = 0
    slot_count: int = 0
    first_cycle: int = 0
    end_cycle: int = 0


@dataclass(frozen=True, slots=True)
class MhpStatus(Record):
    """Body of MHP_STATUS: how an order stands; ``cycle`` is the device's present one."""

    LAYOUT: ClassVar = Layout(
        "MHP status",
        uint("transaction", 32),
        uint("queue_id", 8),
        uint("queue_seq", 8),
        enum("state", 8, MhpState),
        uint("reserved", 8),
        uint("pairs_left", 16),
        uint("reserved2", 16),
        uint("cycle", 64),
        uint("attempts", 64),
    )
    transaction: int
    queue_id: int
    queue_seq: int
    state: MhpState
    pairs_left: int
    cycle: int
    attempts: int


@dataclass(frozen=True, slots=True)
class MhpResult(Record):
    """Body of MHP_PAIR, MHP_MEASURED and MHP_ERROR: what an attempt came to.

    ``surplus``: not one of the running order's pairs: heralded after its last, in an attempt made
    while REPLYs were under way, or for the order before. ``time_ps``: when this half came into
    being.
    """

    LAYOUT: ClassVar = Layout(
        "MHP result",
        uint("queue_id", 8),
        uint("queue_seq", 8),
        uint("other_queue_id", 8),
        uint("other_queue_seq", 8),
        uint("mhp_seq", 32),
        enum("error", 8, MhpError),
        uint("basis", 3),
        uint("outcome", 1),
        uint("surplus", 1),
        uint("reserved", 3),
        uint("pairs_left", 16),
        uint("slot", 16),
        uint("generation", 16),
        uint("cycle", 64),
        uint("attempts", 64),
        clock_ps("time_ps"),
    )
    queue_id: int
    queue_seq: int
    other_queue_id: int
    other_queue_seq: int
    mhp_seq: int
    error: MhpError
    basis: int
    outcome: int
    surplus: int
    pairs_left: int
    slot: int
    generation: int
    cycle: int
    attempts: int
    time_ps: int


@dataclass(frozen=True, slots=True)
class QubitAction(Record):
    """Body of QUBIT_RELEASE, QUBIT_PAULI, QUBIT_MOVE, QUBIT_MEASURE, and of QUBIT_DONE.

    ``pauli``: bit 1 an X, bit 0 a Z. QUBIT_MOVE: to ``slot2``; QUBIT_DONE: the qubit's handle
    there. QUBIT_MEASURE: rotations as in an order, then Z.
    """

    LAYOUT: ClassVar = Layout(
        "Qubit action",
        uint("transaction", 32),
        uint("slot", 16),
        uint("generation", 16),
        uint("slot2", 16),
        uint("generation2", 16),
        uint("pauli", 2),
        uint("outcome", 1),
        uint("reserved", 5),
        enum("status", 8, ActionStatus),
        uint("rotation_x1", 8),
        uint("rotation_y", 8),
        uint("rotation_x2", 8),
        uint("reserved2", 24),
        clock_ps("time_ps"),
    )
    transaction: int
    slot: int
    generation: int
    slot2: int = 0
    generation2: int = 0
    pauli: int = 0
    outcome: int = 0
    status: ActionStatus = ActionStatus.DONE
    rotation_x1: int = 0
    rotation_y: int = 0
    rotation_x2: int = 0
    time_ps: int = 0


@dataclass(frozen=True, slots=True)
class Calibration(Record):
    """Body of CALIBRATION_REQUEST and CALIBRATION: what was measured of a link beforehand.

    In a request only ``transaction`` and ``bright_state`` count. Fractions are n / (2³² − 1).
    """

    LAYOUT: ClassVar = Layout(
        "Calibration",
        uint("transaction", 32),
        uint("bright_state", 16),
        enum("scheme", 8, LinkScheme),
        uint("reserved", 8),
        uint("success", 32),
        uint("fidelity_keep", 32),
        uint("fidelity_measure", 32),
        uint("bright_least", 16),
        uint("bright_most", 16),
        duration_ps("cycle_ps"),
        uint("keep_cycles", 32),
        uint("reply_cycles", 32),
        uint("recovery_cycles", 32),
        uint("zz", 16),
        uint("reserved2", 16),
        uint("cycle", 64),
        duration_ps("delay_near_ps"),
        duration_ps("delay_far_ps"),
        uint("efficiency_near", 32),
        uint("efficiency_far", 32),
        uint("dark_count", 32),
        uint("visibility", 32),
        uint("phase_std_urad", 32),
        uint("reserved3", 32),
    )
    transaction: int
    bright_state: int
    scheme: LinkScheme = LinkScheme.NONE
    success: int = 0
    fidelity_keep: int = 0
    fidelity_measure: int = 0
    bright_least: int = 0
    bright_most: int = 0
    cycle_ps: int = 0
    keep_cycles: int = 0
    reply_cycles: int = 0
    recovery_cycles: int = 0
    zz: int = 0
    cycle: int = 0
    delay_near_ps: int = 0
    delay_far_ps: int = 0
    efficiency_near: int = 0
    efficiency_far: int = 0
    dark_count: int = 0
    visibility: int = 0
    phase_std_urad: int = 0
