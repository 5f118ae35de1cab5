"""EXPIREs: whatever comes and gets lost, the other end hears of each pair, with few messages."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qplane.link.expiry import Expiry
from qplane.link.numbers import SeqRange, among
from qplane.link.serial import first_of_epoch, pair_after

from .world import MS, World

ROUND_TRIP_PS = MS
FIRST = first_of_epoch(3)


class Link:
    """An Expiry, and another end that answers half a round trip later, where nothing is lost."""

    def __init__(self, loss: float) -> None:
        self.world = World()
        self.heard: set[int] = set()
        self.sent = 0
        self._loss = loss
        self._draw = random.Random(5)
        self.expiry = Expiry(self.world, ROUND_TRIP_PS, self._send)

    def _send(self, pairs: SeqRange) -> None:
        self.sent += 1
        self._later(lambda: self._hear(pairs))

    def _hear(self, pairs: SeqRange) -> None:
        self.heard.update(range(pairs.low, pairs.high))
        self._later(lambda: self.expiry.acknowledged(pairs))

    def _later(self, what) -> None:
        if self._draw.random() >= self._loss:
            self.world.at(self.world.now_ps() + ROUND_TRIP_PS // 2, what)


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_pairs_that_follow_one_another_are_told_together(loss):
    link = Link(loss)
    for number in range(5000):  # a request that is over, and its pairs come and come
        link.expiry.expire(SeqRange(FIRST + number, FIRST + number + 1))
        link.world.run(for_ps=ROUND_TRIP_PS // 100)
    assert link.sent < 60
    link.world.run(for_ps=200 * ROUND_TRIP_PS)
    assert link.expiry.is_settled
    assert link.heard == set(range(FIRST, FIRST + 5000))


def test_a_single_pair_is_told_at_once_and_each_run_for_itself():
    link = Link(0.0)
    for first, length in ((0, 1), (5, 3), (20, 1)):
        link.expiry.expire(SeqRange(FIRST + first, FIRST + first + length))
    assert link.sent == 3
    link.world.run(for_ps=2 * ROUND_TRIP_PS)
    assert link.expiry.is_settled
    assert link.heard == {FIRST + number for number in (0, 5, 6, 7, 20)}


def test_what_was_not_told_can_not_be_acknowledged():
    link = Link(1.0)
    told = SeqRange(FIRST, FIRST + 4)
    link.expiry.expire(told)
    for wrong in (
        SeqRange(FIRST + 1, FIRST + 4),
        SeqRange(FIRST, FIRST + 5),
        SeqRange(FIRST, FIRST),
        SeqRange(FIRST, FIRST - 1),
    ):
        link.expiry.acknowledged(wrong)
        assert not link.expiry.is_settled
    link.expiry.acknowledged(told)
    assert link.expiry.is_settled


@given(
    known=st.sets(st.integers(-20, 20)),
    low=st.integers(-25, 25),
    count=st.integers(0, 60),
    epoch=st.sampled_from([0, 1, 255]),
)
def test_numbers_of_a_range_are_found_either_way(known, low, count, epoch):
    """Near the end of an epoch's numbers, where they wrap."""
    start = first_of_epoch(epoch)
    taken = sorted(pair_after(start, by) for by in known)
    pairs = SeqRange(pair_after(start, low), pair_after(start, low + count))
    assert sorted(among(pairs, dict.fromkeys(taken))) == [seq for seq in taken if seq in pairs]
