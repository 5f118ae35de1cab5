"""What the link layer wants of the physical layer (MHP), and what it hears from there.

The device makes the attempts; the heralding station numbers the pairs. An :class:`Order` says what
to attempt for, until the next one takes its place. `qplane.link.device` speaks to real devices.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol

from qplane.wire.qci import BellIndex
from qplane.wire.service import Basis, RandomBasis, RequestType


class QueueId(NamedTuple):
    """Absolute queue id: which queue, and the place in it. The same at both ends."""

    queue: int
    seq: int


class Qubit(NamedTuple):
    """Handle of a qubit in memory; a slot that is filled anew has another generation."""

    slot: int
    generation: int


@dataclass(frozen=True, slots=True)
class SlotRange:
    """Consecutive memory slots."""

    first: int
    count: int


class Measurement(NamedTuple):
    """The basis of an M order: chosen at random, or fixed by rotations of 2π/256·n (X, Y, X)."""

    random: RandomBasis = RandomBasis.NONE
    probability_1: int = 0  # n / 255; XZ: of X; XYZ: of X; CHSH: of Z+π/4
    probability_2: int = 0  # XYZ: of Y
    rotation_x1: int = 0
    rotation_y: int = 0
    rotation_x2: int = 0


class Order(NamedTuple):
    """Attempt for queue item `id` from `first_cycle` on, until `pairs` more pairs are there."""

    id: QueueId
    kind: RequestType
    pairs: int
    first_cycle: int
    bright_state: int
    slots: SlotRange
    measurement: Measurement


class MhpErrorCode(IntEnum):
    """Why an attempt can't have made a pair, beyond bad luck."""

    QUEUE_MISMATCH = 1
    TIME_MISMATCH = 2
    NO_CLASSICAL_OTHER = 3
    GEN_FAIL = 4


@dataclass(frozen=True, slots=True)
class Pair:
    """A heralded pair: the half in memory (K: `qubit`) or its measurement (M: `basis`, `outcome`).

    `basis` None: the order's rotations. `attempts` of this order so far.
    """

    id: QueueId
    seq: int
    bell: BellIndex
    cycle: int
    attempts: int
    qubit: Qubit | None = None
    basis: Basis | None = None
    outcome: int = 0


@dataclass(frozen=True, slots=True)
class MhpError:
    """Attempts for `id` are in vain. `last_seq`: the last pair that the station heralded."""

    id: QueueId
    error: MhpErrorCode
    last_seq: int


@dataclass(frozen=True, slots=True)
class MhpTiming:
    """The cycles of a link. Cycle n is [n·cycle_ps, (n+1)·cycle_ps) of the network's clock."""

    cycle_ps: int
    keep_cycles: int  # a K attempt takes so many
    reply_cycles: int  # after so many a REPLY counts as lost
    round_trip_ps: int  # of a message between the two nodes and back
    recovery_cycles: int = 0  # after a K pair, before the next attempt

    @property
    def round_trip_cycles(self) -> int:
        """The same, rounded up."""
        return -(-self.round_trip_ps // self.cycle_ps)

    def attempt_cycles(self, kind: RequestType) -> int:
        """How long one attempt takes."""
        return self.keep_cycles if kind is RequestType.KEEP else 1

    def pair_cycles(self, kind: RequestType) -> int:
        """The least that a pair takes."""
        return self.keep_cycles + self.recovery_cycles if kind is RequestType.KEEP else 1


class Mhp(Protocol):
    """One end of a link at its device. Calls return at once; what comes of them are events."""

    def start(self, order: Order) -> None:
        """Take this order from its first cycle on, in place of the one before."""
        ...

    def stop(self, id: QueueId) -> None:
        """Attempt no more for it."""
        ...

    def release(self, qubit: Qubit) -> None:
        """Discard a qubit; a handle that is not valid any more does nothing."""
        ...

    def correct(self, qubit: Qubit, pauli: BellIndex) -> None:
        """Apply X where the left bit is set, Z where the right one is."""
        ...
