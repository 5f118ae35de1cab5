"""Entanglement generation protocol (EGP): one end of a link, from CREATE to OK or ERR.

A plain state machine on top of the distributed queue: it reacts to requests of the higher layer,
messages of the other end, events of the device and timers; it never waits and draws no lots. The
other end runs the same, and nothing here sees both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from qplane.link import answers, creation
from qplane.link.asked import Asked
from qplane.link.attempts import Attempts
from qplane.link.delivery import Delivery
from qplane.link.dqp import DistributedQueue
from qplane.link.feu import FidelityEstimator
from qplane.link.items import Item
from qplane.link.memory import QuantumMemory
from qplane.link.messages import Consumer, Discard, Failure, Ok
from qplane.link.mhp import Mhp, MhpError, MhpErrorCode, MhpTiming, Pair, Qubit, QueueId
from qplane.link.numbering import Numbering
from qplane.link.numbers import SeqRange
from qplane.link.outcomes import TestOutcomes
from qplane.link.peer_memory import PeerMemory
from qplane.link.policy import TEST_PURPOSE, Policy
from qplane.link.retry import WAIT_ROUND_TRIPS, Retry
from qplane.link.scheduler import Scheduler
from qplane.link.serial import pair_after
from qplane.link.serving import Serving
from qplane.link.statistics import Statistics
from qplane.link.timers import Timer, TimerService
from qplane.wire.dqp import DqpBody, DqpReason
from qplane.wire.egp import EgpBody, OutcomesBody
from qplane.wire.qci import BellIndex, QciType
from qplane.wire.service import Create, OkMeasure, RequestType, ServiceError

_ABANDONED_ROUND_TRIPS = 256
"""How long a complete item waits for its originator to close it before this end asks."""

Body = DqpBody | EgpBody | OutcomesBody


@dataclass(frozen=True)
class EndOptions:
    """Who this end is. `first_seq`: the number of the first pair that the station heralds."""

    node_id: int
    remote_node_id: int
    is_master: bool
    timing: MhpTiming
    first_seq: int = 1
    policy: Policy = field(default_factory=Policy)


class Egp:
    """One end of a link. `send` puts a message on the link; `mhp` is the device's end of it."""

    def __init__(
        self,
        options: EndOptions,
        *,
        timers: TimerService,
        mhp: Mhp,
        memory: QuantumMemory,
        estimator: FidelityEstimator,
        send: Callable[[QciType, Body], None],
    ) -> None:
        self.options = options
        self.memory = memory
        self.estimator = estimator
        self.statistics = Statistics()
        self._timing = options.timing
        self._timers = timers
        self._mhp = mhp
        self._send_body = send
        round_trip_ps = options.timing.round_trip_ps
        self.numbering = Numbering(
            options.first_seq,
            timing=options.timing,
            timers=timers,
            send_expire=self._send_expire,
        )
        self.queue = DistributedQueue(
            is_master=options.is_master,
            node_id=options.node_id,
            timers=timers,
            round_trip_ps=round_trip_ps,
            send=send,
            user=self,
        )
        self._peer_memory = PeerMemory(timers, round_trip_ps, self._ask_memory, self._decide)
        self._outcomes = TestOutcomes(estimator, self._send_outcomes)
        self._serving: dict[QueueId, Serving] = {}
        self._delivery = Delivery(self, self.numbering, options.remote_node_id)
        self._attempts = Attempts(
            timing=options.timing,
            timers=timers,
            mhp=mhp,
            memory=memory,
            peer_memory=self._peer_memory,
            too_long=self._ask_about,
            give_back=self._delivery.give_back,
        )
        self._listeners: dict[int, Consumer] = {}
        self._asked = Asked()

    # ---- higher layer ----

    def create(self, create: Create, consumer: Consumer) -> int:
        """Take a CREATE and return its create id. What can't be done fails before that."""
        create_id = self._asked.new_id(lambda n: self._find((self.options.node_id, n)) is not None)
        self.statistics.requests += 1
        wanted = creation.terms(
            create,
            remote_node_id=self.options.remote_node_id,
            timing=self._timing,
            estimator=self.estimator,
            capacity=self.memory.capacity,
        )
        if isinstance(wanted, creation.Refusal):
            failure = answers.failure(
                create_id,
                wanted.error,
                self.options.node_id,
                best=wanted.best,
                why=wanted.why,
            )
            self._fail(consumer, failure)
            consumer.closed(create_id)
            return create_id
        timeout_cycle, timeout = 0, None
        limit_ps = creation.max_time_ps(create)
        if limit_ps:
            timeout_cycle = self._attempts.cycle() + max(1, limit_ps // self._timing.cycle_ps)
            timeout = self._at_cycle(timeout_cycle, lambda: self._time_out_request(create_id))
        self._asked.put(create_id, consumer, timeout)
        self.queue.add(
            replace(
                wanted,
                origin_node_id=self.options.node_id,
                create_id=create_id,
                timeout_cycle=timeout_cycle,
            )
        )
        return create_id

    def cancel(self, create_id: int) -> None:
        """Make no more pairs for an own request; those handed over stay valid.

        Not from within a consumer.
        """
        serving = self._find((self.options.node_id, create_id))
        self.queue.withdraw(create_id)
        if serving is not None:
            self._end(serving)
            return
        consumer = self._asked.take(create_id)
        if consumer is not None:
            consumer.closed(create_id)

    def listen(self, purpose_id: int, consumer: Consumer | None) -> None:
        """Accept requests of the other end for this purpose (None: no more of them)."""
        if consumer is None:
            self._listeners.pop(purpose_id, None)
        else:
            self._listeners[purpose_id] = consumer

    def release(self, qubit: Qubit) -> None:
        """The higher layer needs a kept pair no more."""
        if self.memory.release(qubit):
            self._mhp.release(qubit)
            self._memory_changed()

    def use_scheduler(self, scheduler: Scheduler) -> None:
        """From now on; both ends must be told."""
        self._attempts.use_scheduler(scheduler)

    @property
    def scheduler(self) -> Scheduler:
        """What picks the item to serve."""
        return self._attempts.scheduler

    @property
    def is_idle(self) -> bool:
        """Whether nothing is queued, under way or held in memory."""
        return (
            not self._asked
            and not self._serving
            and self.queue.is_settled
            and self.numbering.is_settled
            and not len(self.memory)
        )

    @property
    def outcomes_awaited(self) -> int:
        """Test pairs that this end has measured and whose other outcome it has not heard of."""
        return self._outcomes.awaited

    def _time_out_request(self, create_id: int) -> None:
        """The other end has not even accepted it."""
        self.queue.withdraw(create_id)
        self._fail_request(create_id, ServiceError.TIMEOUT, self.options.node_id)

    def _fail_request(self, create_id: int, error: ServiceError, origin_node_id: int) -> None:
        consumer = self._asked.take(create_id)
        if consumer is not None:
            self._fail(consumer, answers.failure(create_id, error, origin_node_id))
            consumer.closed(create_id)

    # ---- what the distributed queue asks and tells: DqpUser ----

    def admit(self, terms: DqpBody) -> DqpReason:
        standing = (item for item in self.queue if item.key[0] == terms.origin_node_id)
        return self.options.policy.judge(terms, self._listeners, self.memory.capacity, standing)

    def start_cycle(self) -> int:
        return self._attempts.cycle() + self._timing.round_trip_cycles + 2

    def virtual_finish(self, queue: int, cycles: int) -> int:
        return self.scheduler.finish(queue, cycles)

    def expected_seq(self) -> int:
        return self.numbering.expected

    def added(self, item: Item) -> None:
        at_origin = item.key[0] == self.options.node_id
        consumer: Consumer
        if at_origin:
            asked = self._asked.take(item.key[1])
            assert asked is not None  # the queue has only what create() gave it
            consumer = asked
        else:
            consumer = self._listeners.get(item.terms.purpose_id) or Discard(self.release)
        serving = self._serving[item.id] = Serving(item, at_origin, consumer)
        if item.terms.timeout_cycle:
            serving.timeout = self._at_cycle(
                item.terms.timeout_cycle, lambda: self._time_out(serving)
            )
        consumer.queued(item.key[1])
        self._attempts.add(serving)

    def refused(self, create_id: int, reason: DqpReason) -> None:
        self._fail_request(create_id, ServiceError.REJECTED, self.options.remote_node_id)

    def unanswered(self, create_id: int) -> None:
        self._fail_request(create_id, ServiceError.OTHER, self.options.node_id)

    def withdrawn(self, item: Item) -> None:
        serving = self._serving.get(item.id)
        if serving is not None:
            self._end(serving)

    def standing(self, item: Item, closing: bool) -> DqpReason:
        serving = self._serving[item.id]
        if not serving.is_complete or not self.numbering.is_told:
            return DqpReason.HOLDING
        if closing:
            self._end(serving)
        return DqpReason.DONE

    def stands(self, item: Item, reason: DqpReason) -> None:
        serving = self._serving.get(item.id)
        if serving is None:
            return
        if reason is DqpReason.DONE and serving.at_origin and serving.closing is not None:
            self._end(serving)
        elif reason is DqpReason.UNKNOWN:
            self._end(serving, None if serving.is_complete else ServiceError.OTHER)

    # ---- messages of the other end ----

    def receive(self, type: QciType, body: Body) -> None:
        """A message of the other end."""
        self.numbering.peer_expects(body.expected_seq)
        if isinstance(body, DqpBody):
            self.queue.receive(type, body)
        elif isinstance(body, OutcomesBody):
            self._outcomes.receive(body)
        elif type is QciType.EGP_EXPIRE:
            self._on_expire(SeqRange(body.seq_low, body.seq_high))
        elif type is QciType.EGP_EXPIRE_ACK:
            self.numbering.peer_knows(SeqRange(body.seq_low, body.seq_high))
            self._close_what_is_complete()
        else:
            self._peer_memory.hear(body)
            if type is QciType.EGP_MEMORY_REQUEST:
                self._send_memory(QciType.EGP_MEMORY_ACK)

    def _on_expire(self, pairs: SeqRange) -> None:
        if not self.numbering.peer_lacks(pairs):
            return
        self._delivery.void(pairs)
        self._send_egp(QciType.EGP_EXPIRE_ACK, seq_low=pairs.low, seq_high=pairs.high)
        self._decide()

    def renumber(self, first_seq: int) -> None:
        """The station was restarted: its next pair has this number. Both ends must be told."""
        self.numbering.renumber(first_seq)
        self._decide()

    # ---- events of the device ----

    def on_pair(self, pair: Pair) -> None:
        """The station heralded a pair, and this end has its half (K) or outcome (M)."""
        self._attempts.made(pair.id, pair.cycle)
        if pair.qubit is not None:
            self.memory.put(pair.qubit, pair.seq)
        counts = self.numbering.arrive(pair.seq, pair.cycle)
        serving = self._serving.get(pair.id)
        if counts and serving is not None:
            self._count(serving, pair)
        else:
            self.discard(pair)
            if counts:
                self.numbering.miss(SeqRange(pair.seq, pair_after(pair.seq)))
        self._attempts.after(pair.cycle)

    def on_error(self, error: MhpError) -> None:
        """Attempts were in vain. The station's number tells whether a REPLY was lost."""
        self.statistics.mismatches[error.error.name] += 1
        self.numbering.station_is_at(error.last_seq)
        serving = self._serving.get(error.id)
        if serving is not None and error.error is not MhpErrorCode.GEN_FAIL:
            self._ask_about(serving)
        self._decide()

    def on_gone(self, qubit: Qubit) -> None:
        """The higher layer had the device measure or swap a kept pair: the slot is free."""
        if self.memory.release(qubit):
            self._memory_changed()

    def on_refused(self, id: QueueId) -> None:
        """The device can't attempt for this item at all."""
        serving = self._serving.get(id)
        if serving is not None:
            if serving.at_origin:
                self.queue.withdraw(serving.item.key[1])
            self._end(serving, ServiceError.OTHER)

    # ---- pairs of an item: DeliveryUser ----

    def _count(self, serving: Serving, pair: Pair) -> None:
        self._delivery.count(serving, pair)
        if pair.qubit is not None and serving.at_origin and pair.bell is not BellIndex.PHI_PLUS:
            self._mhp.correct(pair.qubit, pair.bell)
        self._delivery.hand_over(serving)

    def ok(self, serving: Serving, pair: Pair) -> Ok:
        terms = serving.item.terms
        ok = answers.ok(
            serving,
            pair,
            remote_node_id=self.options.remote_node_id,
            fidelity=self.estimator.fidelity(terms.bright_state, terms.request_type).value,
            logical_id=None if pair.qubit is None else self.memory.name(pair.qubit),
        )
        self.statistics.add_pair(self._timers.now_ps())
        if isinstance(ok.message, OkMeasure) and terms.purpose_id == TEST_PURPOSE:
            self._outcomes.measured(
                pair.seq, terms.bright_state, ok.message.basis, ok.message.outcome
            )
        return ok

    def voided(self, serving: Serving, failure: Failure) -> None:
        self.statistics.void += 1
        self._fail(serving.consumer, failure)

    def discard(self, pair: Pair) -> None:
        if pair.qubit is not None and self.memory.release(pair.qubit):
            self._mhp.release(pair.qubit)
            self._memory_changed()

    def complete(self, serving: Serving) -> None:
        self._close(serving)

    def is_served(self, serving: Serving) -> bool:
        return self._serving.get(serving.item.id) is serving

    # ---- the end of an item ----

    def _close(self, serving: Serving) -> None:
        """All pairs are here. The originator asks whether the other end has them too."""
        if serving.closing is not None or not self.numbering.is_told:
            return
        if serving.at_origin:
            serving.closing = Retry(
                self._timers,
                self._timing.round_trip_ps,
                lambda: self.queue.ask(serving.item, closing=True),
            )
        elif serving.abandoned is None:
            wait_ps = _ABANDONED_ROUND_TRIPS * self._timing.round_trip_ps
            serving.abandoned = self._timers.at(
                self._timers.now_ps() + wait_ps, lambda: self._ask_originator(serving)
            )

    def _ask_originator(self, serving: Serving) -> None:
        """It should have closed a complete item long ago; perhaps it has no such item any more."""
        serving.abandoned = None
        self.queue.ask(serving.item)
        if serving.is_complete:
            self._close(serving)

    def _close_what_is_complete(self) -> None:
        for serving in self._serving.values():
            if serving.is_complete:
                self._close(serving)

    def _time_out(self, serving: Serving) -> None:
        if serving.at_origin:
            # Both ends end it by themselves; but they must hear of each other's last pair.
            self.queue.withdraw(serving.item.key[1])
        self._end(serving, None if serving.is_complete else ServiceError.TIMEOUT)

    def _end(self, serving: Serving, error: ServiceError | None = None) -> None:
        """No more pairs. What was not handed over is given up at both ends, unless complete."""
        serving.cancel_timers()
        del self._serving[serving.item.id]
        self._attempts.remove(serving)
        self.queue.close(serving.item)
        self._delivery.end(serving)
        create_id = serving.item.key[1]
        if error is not None:
            self._fail(serving.consumer, answers.failure(create_id, error, self.options.node_id))
        if serving.item.terms.purpose_id == TEST_PURPOSE:
            self._outcomes.flush()
        serving.consumer.closed(create_id)

    def _fail(self, consumer: Consumer, failure: Failure) -> None:
        self.statistics.errors[failure.message.error] += 1
        consumer.failed(failure)

    def _find(self, key: tuple[int, int]) -> Serving | None:
        item = self.queue.get(key)
        return None if item is None else self._serving.get(item.id)

    def _decide(self) -> None:
        self._attempts.decide()

    def _memory_changed(self) -> None:
        if self._peer_memory.wants_to_know:
            self._send_memory(QciType.EGP_MEMORY_ACK)
        self._decide()

    def _ask_about(self, serving: Serving) -> None:
        """Something is wrong: does the other end have this item, and room for its pairs?

        Attempts fail thousands of times a second where one end is slow to free its memory, so it
        is asked no more often than an answer may take.
        """
        now_ps = self._timers.now_ps()
        wait_ps = WAIT_ROUND_TRIPS * self._timing.round_trip_ps
        if serving.asked_ps is not None and now_ps < serving.asked_ps + wait_ps:
            return
        serving.asked_ps = now_ps
        self.queue.ask(serving.item)
        if serving.item.kind is RequestType.KEEP:
            self._ask_memory()

    # ---- sending ----

    def _send_expire(self, pairs: SeqRange) -> None:
        self._send_egp(QciType.EGP_EXPIRE, seq_low=pairs.low, seq_high=pairs.high)

    def _ask_memory(self) -> None:
        self._send_memory(QciType.EGP_MEMORY_REQUEST)

    def _send_memory(self, type: QciType) -> None:
        free = self.memory.free
        self._peer_memory.told(free)
        self._send_egp(type, free_communication=free, serial=self._peer_memory.next_serial())

    def _send_outcomes(self, seq_low: int, outcomes: int) -> None:
        body = OutcomesBody(seq_low, self.numbering.expected, outcomes)
        self._send_body(QciType.EGP_OUTCOMES, body)

    def _send_egp(self, type: QciType, **fields: int) -> None:
        body = EgpBody(
            origin_node_id=self.options.node_id, expected_seq=self.numbering.expected, **fields
        )
        self._send_body(type, body)

    def _at_cycle(self, cycle: int, callback: Callable[[], None]) -> Timer:
        return self._timers.at(cycle * self._timing.cycle_ps, callback)
