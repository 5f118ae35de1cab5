"""Distributed queue protocol: one queue of requests, the same at both ends of a link.

The master gives each item its place (queue sequence number, modulo 256), whoever asked. An ADD is
answered by ACK, which fixes the item's terms, or by REJ; it is sent three times. What its sender
gave up is withdrawn at the other end, for as long as that takes: until then the item's place is not
used again. So after any disturbance both ends hold the same items.

Neither side can crowd the other out: of each queue, a side may have `WINDOW` items; the rest wait
at home.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from qplane.link.items import Item, agreed
from qplane.link.mhp import QueueId
from qplane.link.retry import Retry
from qplane.link.scheduler import QUEUES
from qplane.link.serial import ahead
from qplane.link.timers import TimerService
from qplane.wire.dqp import DqpBody, DqpReason
from qplane.wire.qci import QciType

WINDOW = 60
"""Items of one side in one queue: both sides' together are less than half of the 256 places."""

UNANSWERED = 60
"""ADDs of one side under way; likewise for communication sequence numbers."""

_BITS = 8
_PLACES = 1 << _BITS

Key = tuple[int, int]


class DqpUser(Protocol):
    """What the queue asks and tells; the EGP."""

    def admit(self, terms: DqpBody) -> DqpReason:
        """NONE to accept the other end's item, else why not."""
        ...

    def start_cycle(self) -> int:
        """The first cycle by which the other end will have this end's answer."""
        ...

    def virtual_finish(self, queue: int, cycles: int) -> int:
        """See Scheduler.finish."""
        ...

    def expected_seq(self) -> int:
        """The pair sequence number that this end expects next."""
        ...

    def added(self, item: Item) -> None:
        """Both ends have it."""
        ...

    def refused(self, create_id: int, reason: DqpReason) -> None:
        """The other end said no to an item of this end."""
        ...

    def unanswered(self, create_id: int) -> None:
        """The other end did not answer about an item of this end; it is given up."""
        ...

    def withdrawn(self, item: Item) -> None:
        """The other end gave it up; it is not in the queue any more."""
        ...

    def standing(self, item: Item, closing: bool) -> DqpReason:
        """HOLDING or DONE: the other end asks how an item stands.

        With `closing` it has all pairs itself; after DONE it ends the item, and so must this end.
        """
        ...

    def stands(self, item: Item, reason: DqpReason) -> None:
        """How it stands at the other end: HOLDING, DONE or UNKNOWN."""
        ...


@dataclass
class _Asked:
    """An item of this end that the other has not answered about."""

    terms: DqpBody
    retry: Retry | None = None


class DistributedQueue:
    """One end. `send` puts a message on the link, where it may be lost, doubled or late."""

    def __init__(
        self,
        *,
        is_master: bool,
        node_id: int,
        timers: TimerService,
        round_trip_ps: int,
        send: Callable[[QciType, DqpBody], None],
        user: DqpUser,
    ) -> None:
        self.is_master = is_master
        self._node_id = node_id
        self._timers = timers
        self._round_trip_ps = round_trip_ps
        self._send_body = send
        self._user = user
        self._items: dict[QueueId, Item] = {}
        self._by_key: dict[Key, Item] = {}
        self._backlog: list[deque[DqpBody]] = [deque() for _ in range(QUEUES)]
        self._asked: dict[int, _Asked] = {}  # by communication sequence number
        self._withdrawing: dict[int, tuple[DqpBody, Retry]] = {}  # by create id
        self._answered: dict[int, tuple[int, QciType, DqpBody]] = {}  # by comm. seq.: create id
        self._next_comm = 0
        self._next_place = [0] * QUEUES
        self._mine = [0] * QUEUES  # own items in each queue, asked ones included

    # ---- what is in the queue ----

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, id: QueueId) -> bool:
        return id in self._items

    def get(self, key: Key) -> Item | None:
        """The item that its originator calls so."""
        return self._by_key.get(key)

    def order(self, queue: int) -> list[Item]:
        """The items of one queue, first place first."""
        items = [item for item in self._items.values() if item.id.queue == queue]
        if not items:
            return []
        some = items[0].id.seq
        return sorted(items, key=lambda item: ahead(some, item.id.seq, _BITS))

    def waiting(self) -> int:
        """Own items that are not in the queue yet."""
        return len(self._asked) + sum(len(backlog) for backlog in self._backlog)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way."""
        return not self.waiting() and not self._withdrawing

    # ---- what this end wants ----

    def add(self, terms: DqpBody) -> None:
        """Put a request into the queue `terms.queue_id`; `added`, `refused` or `unanswered`."""
        self._backlog[terms.queue_id].append(terms)
        self._pump()

    def close(self, item: Item) -> None:
        """Take out an item that ended at both ends, or whose end both see for themselves."""
        if self._items.get(item.id) is item:
            self._take_out(item)
            self._pump()

    def withdraw(self, create_id: int) -> None:
        """Take an own request back, wherever it is; the other end hears of it."""
        for backlog in self._backlog:
            for terms in backlog:
                if terms.create_id == create_id:
                    backlog.remove(terms)
                    return
        for comm_seq, asked in self._asked.items():
            if asked.terms.create_id == create_id:
                self._give_up(comm_seq)
                return
        item = self._by_key.get((self._node_id, create_id))
        if item is not None:
            self._take_out(item, free=False)
            self._start_withdrawing(item.terms)

    def ask(self, item: Item, *, closing: bool = False) -> None:
        """Ask the other end how an item stands; `stands` if an answer comes."""
        reason = DqpReason.CLOSE if closing else DqpReason.ASK
        self._send(QciType.DQP_HELLO, replace(item.terms, reason=reason))

    # ---- ADD ----

    def _pump(self) -> None:
        for queue, backlog in enumerate(self._backlog):
            while backlog and self._mine[queue] < WINDOW and self._has_comm_seq():
                place = self._free_place(queue) if self.is_master else 0
                if place is None:
                    break
                terms = replace(backlog.popleft(), queue_seq=place, comm_seq=self._next_comm)
                self._mine[queue] += 1
                self._ask(terms)

    def _has_comm_seq(self) -> bool:
        if len(self._asked) >= UNANSWERED:
            return False
        in_use = [*self._asked, *(terms.comm_seq for terms, _ in self._withdrawing.values())]
        return all(0 < ahead(seq, self._next_comm, _BITS) <= _PLACES // 4 for seq in in_use)

    def _free_place(self, queue: int) -> int | None:
        """The next place, unless an item from half a turn ago still stands."""
        place = self._next_place[queue]
        taken = [id.seq for id in self._items if id.queue == queue]
        taken += [a.terms.queue_seq for a in self._asked.values() if a.terms.queue_id == queue]
        taken += [t.queue_seq for t, _ in self._withdrawing.values() if t.queue_id == queue]
        if any(ahead(other, place, _BITS) <= 0 for other in taken):
            return None
        self._next_place[queue] = (place + 1) % _PLACES
        return place

    def _ask(self, terms: DqpBody) -> None:
        comm_seq = terms.comm_seq
        self._next_comm = (comm_seq + 1) % _PLACES
        if self.is_master:
            cycles = terms.cycles_per_pair * terms.number
            finish = self._user.virtual_finish(terms.queue_id, cycles)
            terms = replace(terms, virtual_finish=finish)
        asked = self._asked[comm_seq] = _Asked(terms)
        asked.retry = Retry(
            self._timers,
            self._round_trip_ps,
            lambda: self._send(QciType.DQP_ADD, terms),
            lambda: self._unanswered(comm_seq),
        )

    def _unanswered(self, comm_seq: int) -> None:
        create_id = self._asked[comm_seq].terms.create_id
        self._give_up(comm_seq)
        self._user.unanswered(create_id)

    def _give_up(self, comm_seq: int) -> None:
        self._start_withdrawing(self._settle(comm_seq))

    def _settle(self, comm_seq: int) -> DqpBody:
        """Ask no more."""
        asked = self._asked.pop(comm_seq)
        assert asked.retry is not None  # set where it was made
        asked.retry.cancel()
        return asked.terms

    def _start_withdrawing(self, terms: DqpBody) -> None:
        body = replace(terms, reason=DqpReason.WITHDRAWN)
        retry = Retry(self._timers, self._round_trip_ps, lambda: self._send(QciType.DQP_ERR, body))
        self._withdrawing[terms.create_id] = terms, retry

    # ---- messages ----

    def receive(self, type: QciType, body: DqpBody) -> None:
        """A message of the other end."""
        if type is QciType.DQP_ADD:
            self._on_add(body)
        elif type is QciType.DQP_ACK:
            self._on_ack(body)
        elif type is QciType.DQP_REJ:
            self._on_rej(body)
        elif type is QciType.DQP_HELLO:
            self._on_hello(body)
        elif body.reason is DqpReason.WITHDRAWN:
            self._on_withdrawn(body)
        elif body.reason is DqpReason.UNKNOWN:
            self._on_unknown(body)

    def _on_add(self, body: DqpBody) -> None:
        known = self._answered.get(body.comm_seq)
        if known is not None and known[0] == body.create_id:
            self._send(known[1], known[2])
            return
        if body.queue_id >= QUEUES or body.origin_node_id == self._node_id:
            return  # a neighbour in error, or an echo of our own message
        reason = self._user.admit(body)
        if reason is not DqpReason.NONE:
            self._answer(QciType.DQP_REJ, replace(body, reason=reason))
            return
        place = self._free_place(body.queue_id) if self.is_master else body.queue_seq
        if place is None:
            return  # it will ask again; an old item still has to leave
        finish = body.virtual_finish
        if self.is_master:
            cycles = body.cycles_per_pair * body.number
            finish = self._user.virtual_finish(body.queue_id, cycles)
        answer = replace(
            body,
            queue_seq=place,
            start_cycle=self._user.start_cycle(),
            virtual_finish=finish,
        )
        self._answer(QciType.DQP_ACK, answer)
        self._put_in(agreed(body, answer))

    def _answer(self, type: QciType, body: DqpBody) -> None:
        """Remember the answer for as long as a copy of the question may come."""
        self._answered.pop(body.comm_seq, None)
        self._answered[body.comm_seq] = body.create_id, type, body
        if len(self._answered) > _PLACES // 2:
            del self._answered[next(iter(self._answered))]
        self._send(type, body)

    def _on_ack(self, body: DqpBody) -> None:
        asked = self._asked.get(body.comm_seq)
        if asked is None or asked.terms.create_id != body.create_id:
            return
        if body.queue_id != asked.terms.queue_id:
            return
        item = agreed(asked.terms, body)
        if not _is_about(body, item):
            # The other end has taken something else than was asked for.
            self._unanswered(body.comm_seq)
            return
        self._settle(body.comm_seq)
        self._put_in(item)
        self._pump()

    def _on_rej(self, body: DqpBody) -> None:
        asked = self._asked.get(body.comm_seq)
        if asked is None or asked.terms.create_id != body.create_id:
            return
        terms = self._settle(body.comm_seq)
        self._mine[terms.queue_id] -= 1
        self._user.refused(terms.create_id, body.reason)
        self._pump()

    def _on_withdrawn(self, body: DqpBody) -> None:
        unknown = replace(body, reason=DqpReason.UNKNOWN)
        item = self._by_key.get((body.origin_node_id, body.create_id))
        if item is not None:
            self._take_out(item)
            self._user.withdrawn(item)
        known = self._answered.get(body.comm_seq)
        if known is None or known[0] == body.create_id:
            # A copy of its ADD may still be under way; it must not bring the item back.
            self._answer(QciType.DQP_ERR, unknown)
        else:
            self._send(QciType.DQP_ERR, unknown)
        self._pump()

    def _on_unknown(self, body: DqpBody) -> None:
        if body.origin_node_id == self._node_id and body.create_id in self._withdrawing:
            terms, retry = self._withdrawing.pop(body.create_id)
            retry.cancel()
            self._mine[terms.queue_id] -= 1
            self._pump()
            return
        item = self._by_key.get((body.origin_node_id, body.create_id))
        if item is not None:
            self._user.stands(item, DqpReason.UNKNOWN)

    def _on_hello(self, body: DqpBody) -> None:
        key = body.origin_node_id, body.create_id
        item = self._by_key.get(key)
        if body.reason not in (DqpReason.ASK, DqpReason.CLOSE):
            if item is not None:
                self._user.stands(item, body.reason)
            return
        if item is not None and _is_about(body, item):
            reason = self._user.standing(item, body.reason is DqpReason.CLOSE)
            self._send(QciType.DQP_HELLO, replace(body, reason=reason))
        elif any(a.terms.create_id == key[1] for a in self._asked.values()) and (
            key[0] == self._node_id
        ):
            self._send(QciType.DQP_HELLO, replace(body, reason=DqpReason.HOLDING))
        else:
            self._send(QciType.DQP_ERR, replace(body, reason=DqpReason.UNKNOWN))

    def _send(self, type: QciType, body: DqpBody) -> None:
        self._send_body(type, replace(body, expected_seq=self._user.expected_seq()))

    # ---- the items ----

    def _put_in(self, item: Item) -> None:
        for old in (self._items.get(item.id), self._by_key.get(item.key)):
            # The master gives a place anew when the item there has ended; ours ended unheard.
            if old is not None and old.id in self._items:
                self._take_out(old)
                self._user.withdrawn(old)
        self._items[item.id] = item
        self._by_key[item.key] = item
        self._user.added(item)

    def _take_out(self, item: Item, *, free: bool = True) -> None:
        del self._items[item.id]
        del self._by_key[item.key]
        if free and item.key[0] == self._node_id:
            self._mine[item.id.queue] -= 1


def _is_about(body: DqpBody, item: Item) -> bool:
    """Whether a message is about this item: place, times and wishes are those agreed on."""
    terms = replace(item.terms, reason=DqpReason.NONE)
    return replace(body, reason=DqpReason.NONE, expected_seq=0) == terms
