"""The distributed queue: agreement, unique places, fairness, whatever the channel does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from qplane.link.dqp import WINDOW
from qplane.link.serial import ahead
from qplane.wire.dqp import DqpBody, DqpReason
from qplane.wire.qci import QciType

from .queues import ROUND_TRIP_PS, Pair
from .world import Faults

losses = st.sampled_from([0.0, 1e-4, 1e-3, 0.01, 0.1, 0.3])
others = st.sampled_from([0.0, 0.1, 0.5])


def assert_agreement(pair: Pair) -> None:
    """Both ends hold the same items, in the same places and the same order."""
    master, slave = pair.ends
    assert master.items == slave.items
    for queue in range(8):
        first = [(item.id, item.key) for item in master.queue.order(queue)]
        assert first == [(item.id, item.key) for item in slave.queue.order(queue)]


class Queues(RuleBasedStateMachine):
    """Requests come, end and are taken back while messages are lost, doubled and reordered."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair(seed=7)

    @rule(loss=losses, duplication=others, reordering=others)
    def disturb(self, loss: float, duplication: float, reordering: float) -> None:
        self.pair.faults.loss = loss
        self.pair.faults.duplication = duplication
        self.pair.faults.reordering = reordering

    @rule(end=st.integers(0, 1), queue=st.integers(0, 7), number=st.sampled_from([1, 3, 40]))
    def add(self, end: int, queue: int, number: int) -> None:
        for _ in range(number):
            self.pair.ends[end].add(queue)

    @rule(end=st.integers(0, 1), accepts=st.booleans())
    def policy(self, end: int, accepts: bool) -> None:
        self.pair.ends[end].accepts = accepts

    @rule(steps=st.integers(1, 30))
    def wait(self, steps: int) -> None:
        self.pair.world.run(for_ps=steps * ROUND_TRIP_PS // 4)

    @rule(number=st.sampled_from([1, 5, 50]))
    def serve(self, number: int) -> None:
        for item in self.pair.common()[:number]:
            self.pair.close(item)

    @rule(end=st.integers(0, 1), back=st.integers(1, 20))
    def withdraw(self, end: int, back: int) -> None:
        this = self.pair.ends[end]
        create_id = this.next_create_id - back
        item = this.queue.get((end, create_id))
        this.queue.withdraw(create_id)
        if item is not None:
            del this.items[item.id]

    @invariant()
    def the_queue_is_what_its_user_was_told(self) -> None:
        for end in self.pair.ends:
            assert {item.id: item for item in end.queue} == end.items

    @invariant()
    def neither_side_has_more_than_its_window(self) -> None:
        for end in self.pair.ends:
            for queue in range(8):
                own = [item for item in end.queue.order(queue) if item.key[0] == end.number]
                assert len(own) <= WINDOW

    @invariant()
    def what_both_have_stands_in_the_same_place(self) -> None:
        master, slave = self.pair.ends
        where = {item.key: item for item in slave.queue}
        for item in master.queue:
            if item.key in where:
                assert where[item.key] == item

    @invariant()
    def places_are_within_half_a_turn(self) -> None:
        for queue in range(8):
            seqs = [item.id.seq for item in self.pair.ends[0].queue.order(queue)]
            if seqs:
                assert ahead(seqs[0], seqs[-1], 8) < 128

    def teardown(self) -> None:
        self.pair.settle()
        assert_agreement(self.pair)
        for end in self.pair.ends:
            end.accepts = True
        while self.pair.common():
            for item in self.pair.common():
                self.pair.close(item)
            self.pair.settle()
        assert all(end.queue.is_settled and not end.items for end in self.pair.ends)


Queues.TestCase.settings = settings(max_examples=60, stateful_step_count=30, derandomize=True)
TestQueues = Queues.TestCase


@pytest.mark.parametrize("loss", [0.0, 1e-4, 1e-3, 0.01, 0.1, 0.3])
def test_neither_side_starves_and_places_come_round_without_collision(loss: float) -> None:
    """Both sides want more than the queue takes; 1000 items pass, four turns of the places."""
    pair = Pair(seed=3, faults=Faults(loss, duplication=0.1, reordering=0.2))
    for end in pair.ends:
        for _ in range(700):
            end.add(0)
    served = [0, 0]
    while sum(served) < 1000:
        common = pair.common()
        for item in common[:10]:
            served[item.key[0]] += 1
            pair.close(item)
        pair.world.run(for_ps=ROUND_TRIP_PS)
    assert min(served) > 250  # a quarter; without loss it is a half
    if loss <= 0.01:
        assert min(served) > 450
    pair.settle()
    while pair.common():
        for item in pair.common():
            served[item.key[0]] += 1
            pair.close(item)
        pair.settle()
    assert_agreement(pair)
    for end in pair.ends:
        assert served[end.number] + len(end.ended) == 700


def test_an_add_is_sent_three_times_each_three_round_trips() -> None:
    pair = Pair(faults=Faults(loss=1.0))
    slave = pair.ends[1]
    slave.add(0)
    for sent, round_trips in ((1, 2.9), (2, 3), (3, 3)):
        pair.world.run(for_ps=round(round_trips * ROUND_TRIP_PS))
        assert slave.channel.sent == sent
        assert not slave.ended
    pair.world.run(for_ps=round(0.2 * ROUND_TRIP_PS))
    assert slave.ended == {0: "unanswered"}


def test_a_lost_acknowledgement_is_sent_again_and_means_the_same() -> None:
    pair = Pair()
    lost = []
    pair.ends[0].channel.drop = lambda type, body: not lost and not lost.append(body)
    pair.ends[1].add(2)
    pair.settle()
    assert len(pair.ends[0].items) == 1
    assert_agreement(pair)


def test_a_rejection_reaches_the_originator() -> None:
    pair = Pair()
    pair.ends[0].accepts = False
    create_id = pair.ends[1].add(0)
    pair.settle()
    assert pair.ends[1].ended == {create_id: DqpReason.POLICY.name}
    assert not pair.ends[0].items


def test_what_was_given_up_here_does_not_stay_there() -> None:
    """All acknowledgements are lost, so the other end has items that their originator gave up."""
    pair = Pair()
    pair.ends[0].channel.drop = lambda type, body: True
    for _ in range(5):
        pair.ends[1].add(1)
    pair.world.run(for_ps=10 * ROUND_TRIP_PS)
    assert len(pair.ends[1].ended) == 5
    pair.ends[0].channel.drop = lambda type, body: False
    pair.settle()
    assert not pair.ends[0].items
    assert not pair.ends[1].items


@pytest.mark.parametrize("wrong", [{"queue_id": 8}, {"queue_id": 255}, {"origin_node_id": 0}])
def test_an_add_that_makes_no_sense_is_ignored(wrong: dict[str, int]) -> None:
    """Of a queue that there is not, or of this end itself, as where a wire leads back."""
    pair = Pair()
    good = DqpBody(origin_node_id=1, create_id=7, number=1)
    pair.ends[0].receive(QciType.DQP_ADD, replace(good, **wrong))
    assert not pair.ends[0].items
    pair.ends[0].receive(QciType.DQP_ADD, good)
    assert len(pair.ends[0].items) == 1


def test_an_acknowledgement_of_another_queue_is_ignored() -> None:
    pair = Pair()
    sent: list[DqpBody] = []
    pair.ends[0].channel.drop = lambda type, body: sent.append(body) is None
    pair.ends[0].add(2)
    pair.ends[0].receive(QciType.DQP_ACK, replace(sent[0], queue_id=9))
    assert not pair.ends[0].items
    pair.ends[0].receive(QciType.DQP_ACK, sent[0])
    assert [id.queue for id in pair.ends[0].items] == [2]
