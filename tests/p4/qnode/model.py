"""What a node does with pairs, swaps and messages, in plain Python: the oracle of ``test_model``.

It knows nothing of P4, registers or packing. Of the hardware it has two limits: a record's place is
its sequence number modulo RECORDS, and at most RING pairs wait on one side of a circuit.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from qplane.wire import BellIndex, ExpireReason, PairBody, QciFlag, QciMessage, QciType
from qplane.wire import DeviceType as D

from .node import DOWN, UP, Circuit, End, Out, Side, command, qci, qubit, sent

RECORDS = 4096
RING = 32
FIRST_TTL = 255


class State(Enum):
    EARLY = auto()  # only messages came so far
    WAITING = auto()
    SWAPPING = auto()
    SWAPPED = auto()
    DELIVERED = auto()
    EXPIRED = auto()
    LOST = auto()  # dead at a repeater that may have swapped it and forgotten that


IN_MEMORY = (State.WAITING, State.SWAPPING)
DEAD = (State.EXPIRED, State.LOST)


@dataclass
class Track:
    origin_seq: int
    bell: int


@dataclass
class Beyond:
    """What a message becomes that crosses the swap: which pair it is about, what it takes up."""

    seq: int
    bell: int


@dataclass
class Record:
    circuit: int
    seq: int
    state: State
    bell: int = 0
    handle: tuple[int, int] = (0, 0)
    track: Track | None = None
    partner: int | None = None  # the other pair of its swap
    beyond: Beyond | None = None


@dataclass
class Step:
    """What came out, or why nothing did."""

    out: list[Out] = field(default_factory=list)
    drop: str | None = None


class NodeModel:
    """A node with some circuits."""

    def __init__(self, circuits: dict[int, Circuit]) -> None:
        self.circuits = circuits
        self.records: dict[tuple[int, int], Record] = {}
        self.waiting: dict[tuple[int, int], deque[int]] = {}
        # At ends: the pair by its number at the other end; None: dead before it was known.
        self.origins: dict[tuple[int, int], int | None] = {}

    # ---- records ----

    def at(self, side: Side, seq: int) -> Record | None:
        """Whatever stands at a pair's place."""
        return self.records.get((side.link, seq % RECORDS))

    def find(self, circuit: int, side: Side, seq: int) -> Record | None:
        """The pair's own record."""
        record = self.at(side, seq)
        if record is not None and (record.circuit, record.seq) == (circuit, seq):
            return record
        return None

    def put(self, side: Side, record: Record) -> Record:
        self.records[side.link, record.seq % RECORDS] = record
        return record

    def may_take_place(self, side: Side, seq: int) -> bool:
        """Whether a message that is ahead of its pair may open a record for it."""
        record = self.at(side, seq)
        if record is None:
            return True
        is_later = 0 < (seq - record.seq) % 2**32 < 2**31
        return is_later and record.state not in IN_MEMORY

    # ---- device events ----

    def pair(
        self, number: int, direction: int, seq: int, handle: tuple[int, int], bell: int
    ) -> Step:
        circuit = self.circuits[number]
        side = circuit.sides()[direction]
        known = self.find(number, side, seq)
        if known is not None and known.state in DEAD:
            return Step([command(D.RELEASE, side, qubit(side, seq, handle))])
        if known is not None and known.state is not State.EARLY:
            return Step(drop="DEVICE_STALE")
        track = known.track if known is not None else None
        there = self.at(side, seq)
        if known is None and there is not None and there.state in IN_MEMORY:
            expire = qci(QciType.EXPIRE, seq, seq, reason=ExpireReason.NO_ROOM)
            release = command(D.RELEASE, side, qubit(side, seq, handle))
            return Step([sent(side, expire), release])
        record = Record(number, seq, State.WAITING, bell, handle, track)
        if isinstance(circuit, End):
            self.put(side, record)
            step = Step([sent(side, qci(QciType.TRACK, seq, seq, bell))])
            if track is not None:
                step.out.append(self.deliver(circuit, record))
            return step
        partner = self.take_partner(number, circuit, direction)
        if partner is not None:
            other = circuit.sides()[UP + DOWN - direction]
            self.put(side, record)
            record.state = partner.state = State.SWAPPING
            record.partner, partner.partner = partner.seq, seq
            second = {"link2": other.link, "seq2": partner.seq}
            second |= {"slot2": partner.handle[0], "generation2": partner.handle[1]}
            return Step([command(D.SWAP, side, qubit(side, seq, handle, **second))])
        queue = self.waiting.setdefault((number, direction), deque())
        while len(queue) == RING and not self.is_waiting(number, side, queue[0]):
            queue.popleft()
        if len(queue) == RING:
            self.put(side, replace(record, state=State.EXPIRED))
            expire = qci(QciType.EXPIRE, seq, seq, reason=ExpireReason.NO_ROOM)
            return Step([sent(side, expire), command(D.RELEASE, side, qubit(side, seq, handle))])
        queue.append(seq)
        self.put(side, record)
        return Step()

    def is_waiting(self, number: int, side: Side, seq: int) -> bool:
        record = self.find(number, side, seq)
        return record is not None and record.state is State.WAITING

    def take_partner(self, number: int, circuit: Circuit, direction: int) -> Record | None:
        """The oldest pair that waits on the other side; those that died are forgotten."""
        other = UP + DOWN - direction
        side = circuit.sides()[other]
        queue = self.waiting.get((number, other), deque())
        while queue:
            seq = queue.popleft()
            if self.is_waiting(number, side, seq):
                return self.find(number, side, seq)
        return None

    def swap_done(
        self, number: int, direction: int, seq: int, other_seq: int, bell: int | None
    ) -> Step:
        """The outcome of a swap; ``bell`` is None if it failed."""
        circuit = self.circuits[number]
        other_direction = UP + DOWN - direction
        side, other = circuit.sides()[direction], circuit.sides()[other_direction]
        first = self.find(number, side, seq)
        second = self.find(number, other, other_seq)
        found = [record for record in (first, second) if record is not None]
        if not found or any(record.state is State.SWAPPED for record in found):
            return Step(drop="DEVICE_STALE")
        done = (
            bell is not None
            and first is not None
            and second is not None
            and first.state is second.state is State.SWAPPING
            and first.partner == other_seq
        )
        if not done:
            for record in found:
                record.state = State.EXPIRED
            reason = ExpireReason.SWAP_FAILED
            return Step(
                [
                    sent(side, qci(QciType.EXPIRE, seq, seq, reason=reason)),
                    sent(other, qci(QciType.EXPIRE, other_seq, other_seq, reason=reason)),
                ]
            )
        assert first is not None and second is not None and bell is not None
        first.state = second.state = State.SWAPPED
        first.beyond = Beyond(second.seq, bell ^ second.bell)
        second.beyond = Beyond(first.seq, bell ^ first.bell)
        return Step(
            [
                sent(
                    outwards,
                    qci(
                        QciType.TRACK,
                        record.beyond.seq,
                        record.track.origin_seq,
                        record.track.bell ^ record.beyond.bell,
                    ),
                )
                for record, outwards in ((first, other), (second, side))
                if record.track is not None and record.beyond is not None
            ]
        )

    def cut_off(self, number: int, direction: int, seq: int) -> Step:
        """The device reports EXPIRED."""
        circuit = self.circuits[number]
        side = circuit.sides()[direction]
        record = self.find(number, side, seq)
        at_end = isinstance(circuit, End)
        if not at_end and (record is None or record.state not in (State.WAITING, State.SWAPPING)):
            return Step(drop="DEVICE_STALE")
        if record is not None:
            record.state = State.EXPIRED
        expire = qci(QciType.EXPIRE, seq, seq, reason=ExpireReason.CUTOFF, ack=at_end)
        return Step([sent(side, expire)])

    # ---- messages ----

    def message(self, number: int, direction: int, message: QciMessage, ttl: int) -> Step:
        if ttl <= 1:
            return Step(drop="TTL")
        assert isinstance(message.body, PairBody)
        circuit = self.circuits[number]
        side = circuit.sides()[direction]
        body = message.body
        if message.flags & QciFlag.LOST and not isinstance(circuit, End):
            return Step([self.as_lost(circuit, direction, message, ttl)])
        if message.flags & QciFlag.LOST and message.type is QciType.EXPIRE:
            seq = self.origins.get((number, body.origin_seq))
            if seq is None:
                self.origins[number, body.origin_seq] = None
                return Step([sent(side, m) for m in self.acknowledgement(message)])
            body = replace(body, pair_seq=seq)
        record = self.find(number, side, body.pair_seq)
        if record is not None and record.state is State.SWAPPED:
            return self.onward(number, circuit, direction, record, message, ttl)
        handler = {
            QciType.TRACK: self.track,
            QciType.EXPIRE: self.expire,
            QciType.EXPIRE_ACK: self.acknowledged,
        }[message.type]
        return handler(number, circuit, side, record, message, body, ttl)

    @staticmethod
    def as_lost(circuit: Circuit, direction: int, message: QciMessage, ttl: int) -> Out:
        """The message goes on, naming its pair as its origin does."""
        assert isinstance(message.body, PairBody)
        body = replace(message.body, pair_seq=message.body.origin_seq)
        outwards = circuit.sides()[UP + DOWN - direction]
        lost = replace(message, body=body, flags=message.flags | QciFlag.LOST)
        return sent(outwards, lost, ttl - 1)

    @staticmethod
    def acknowledgement(message: QciMessage) -> list[QciMessage]:
        """Of an EXPIRE, if it asks for one."""
        assert isinstance(message.body, PairBody)
        if not message.flags & QciFlag.ACK_REQUESTED:
            return []
        lost = message.flags & QciFlag.LOST
        body = message.body
        seq = body.origin_seq if lost else body.pair_seq
        answer = qci(QciType.EXPIRE_ACK, seq, body.origin_seq)
        return [replace(answer, flags=lost)]

    def onward(
        self,
        number: int,
        circuit: Circuit,
        direction: int,
        record: Record,
        message: QciMessage,
        ttl: int,
    ) -> Step:
        assert record.beyond is not None and isinstance(message.body, PairBody)
        bell = message.body.bell
        if message.type is QciType.TRACK:
            bell = BellIndex(bell ^ record.beyond.bell)
        body = replace(message.body, pair_seq=record.beyond.seq, bell=bell)
        outwards = circuit.sides()[UP + DOWN - direction]
        asked = message.type is QciType.EXPIRE and message.flags & QciFlag.ACK_REQUESTED
        if asked and self.find(number, outwards, record.beyond.seq) is None:
            # The acknowledgement from beyond would not find its way back.
            return Step([self.as_lost(circuit, direction, message, ttl)])
        return Step([sent(outwards, replace(message, body=body), ttl - 1)])

    @staticmethod
    def deliver(circuit: End, record: Record) -> Out:
        record.state = State.DELIVERED
        assert record.track is not None
        body = qubit(circuit.side, record.seq, record.handle, seq2=record.track.origin_seq)
        corrects = 1 if circuit.direction == UP else 0
        return command(D.DELIVER, circuit.side, body, record.track.bell, corrects)

    def track(
        self,
        number: int,
        circuit: Circuit,
        side: Side,
        record: Record | None,
        message: QciMessage,
        body: PairBody,
        ttl: int,
    ) -> Step:
        track = Track(body.origin_seq, body.bell)
        given_up = isinstance(circuit, End) and (
            self.origins.get((number, body.origin_seq), body.pair_seq) is None
        )
        if record is None and not self.may_take_place(side, body.pair_seq):
            return Step([sent(side, self.answer(body, ExpireReason.UNKNOWN_PAIR))])
        if record is not None and record.state in DEAD:
            return Step([sent(side, self.answer(body, ExpireReason.DEAD_PAIR))])
        if record is not None and record.state is State.DELIVERED:
            return Step(drop="TRACK_DUPLICATE")
        if given_up:
            step = Step([sent(side, self.answer(body, ExpireReason.DEAD_PAIR))])
            if record is not None and record.state is State.WAITING:
                half = qubit(side, record.seq, record.handle)
                step.out.append(command(D.RELEASE, side, half, flags=1))
            self.put(side, Record(number, body.pair_seq, State.EXPIRED))
            return step
        if isinstance(circuit, End):
            self.origins[number, body.origin_seq] = body.pair_seq
        if record is None:
            self.put(side, Record(number, body.pair_seq, State.EARLY, track=track))
            return Step()
        record.track = track
        if record.state is State.WAITING and isinstance(circuit, End):
            return Step([self.deliver(circuit, record)])
        return Step()

    @staticmethod
    def answer(body: PairBody, reason: ExpireReason) -> QciMessage:
        return qci(QciType.EXPIRE, body.pair_seq, body.origin_seq, reason=reason)

    def expire(
        self,
        number: int,
        circuit: Circuit,
        side: Side,
        record: Record | None,
        message: QciMessage,
        body: PairBody,
        ttl: int,
    ) -> Step:
        asked = bool(message.flags & QciFlag.ACK_REQUESTED)
        step = Step([sent(side, m) for m in self.acknowledgement(message)])
        if record is None or record.state in (State.EARLY, *DEAD):
            is_end = isinstance(circuit, End)
            is_known = is_end or (record is not None and record.state is State.EXPIRED)
            if record is not None or self.may_take_place(side, body.pair_seq):
                dead = State.EXPIRED if is_known else State.LOST
                self.put(side, Record(number, body.pair_seq, dead))
            if asked and is_end:
                step.out.append(command(D.VOID, side, qubit(side, body.pair_seq)))
            elif asked and not is_known:
                (direction,) = (d for d, s in circuit.sides().items() if s is side)
                return Step([self.as_lost(circuit, direction, message, ttl)])
            return step
        half = qubit(side, record.seq, record.handle)
        if record.state is State.DELIVERED:
            if not asked:
                return Step()
            assert record.track is not None
            half = replace(half, seq2=record.track.origin_seq)
            step.out.append(command(D.VOID, side, half))
        elif record.state is State.WAITING:
            announce = 1 if isinstance(circuit, End) and not asked else 0
            step.out.append(command(D.RELEASE, side, half, flags=announce))
        record.state = State.EXPIRED
        return step

    def acknowledged(
        self,
        number: int,
        circuit: Circuit,
        side: Side,
        record: Record | None,
        message: QciMessage,
        body: PairBody,
        ttl: int,
    ) -> Step:
        if not isinstance(circuit, End):
            return Step(drop="ACK_STALE")
        return Step([command(D.EXPIRE_CONFIRMED, side, qubit(side, body.pair_seq))])
