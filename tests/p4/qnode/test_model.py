"""Random interleavings of device events and lost, doubled, reordered, late messages at one node:
what comes out is what the plain model in ``model.py`` says, frame by frame and drop by drop."""

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from qplane.wire import ExpireReason, QciMessage, QciType

from .harness import Harness, Place
from .node import (
    DOWN,
    EAST_SIDE,
    EAST_SIDE_2,
    NORTH_SIDE,
    UP,
    WEST_SIDE,
    WEST_SIDE_2,
    Circuit,
    End,
    Repeater,
    Side,
    qci,
)

CIRCUITS: dict[int, Circuit] = {
    7: Repeater(up=WEST_SIDE, down=EAST_SIDE),
    8: Repeater(up=EAST_SIDE_2, down=WEST_SIDE_2),
    9: End(UP, NORTH_SIDE),
    10: End(DOWN, Side(link=2, port=NORTH_SIDE.port, label=301, mac=NORTH_SIDE.mac)),
}
RECORDS = 4096

# Few numbers, so that events and messages meet: three places, some of them shared by numbers that
# lie one or several rounds apart, on both sides of the wrap.
FIRST = 2**32 - RECORDS
seqs = st.sampled_from([FIRST, FIRST + 1, FIRST + 2, 0, 1, 2, RECORDS, RECORDS + 1, 2 * RECORDS])
bells = st.integers(0, 3)
ttls = st.sampled_from([255, 255, 255, 64, 2, 1])


class OneNode(RuleBasedStateMachine):
    """Hypothesis looks for a short sequence on which the node and its model differ."""

    @initialize(numbers=st.sampled_from([(7,), (7, 8), (9,), (7, 9), (7, 8, 9, 10)]))
    def program(self, numbers: tuple[int, ...]) -> None:
        self.both = Harness({number: CIRCUITS[number] for number in numbers})
        self.heralded: list[Place] = []

    def anywhere(self, data: st.DataObject) -> Place:
        """Any side of any circuit, any number."""
        circuits = self.both.circuits.items()
        where = [(number, way) for number, circuit in circuits for way in circuit.sides()]
        number, way = data.draw(st.sampled_from(where))
        return number, way, data.draw(seqs)

    def somewhere(self, data: st.DataObject) -> Place:
        """Mostly a pair that was heralded, as messages are about such ones."""
        if not self.heralded or data.draw(st.integers(0, 5)) == 0:
            return self.anywhere(data)
        return data.draw(st.sampled_from(self.heralded))

    @rule(data=st.data(), bell=bells)
    def pair(self, data: st.DataObject, bell: int) -> None:
        place = self.anywhere(data)
        self.both.pair(place, bell)
        self.heralded.append(place)

    @precondition(lambda self: self.both.commanded)
    @rule(data=st.data(), outcome=st.sampled_from([0, 1, 2, 3, 3, 2, 1, 0, None]))
    def swap_done(self, data: st.DataObject, outcome: int | None) -> None:
        """A swap that was commanded is done or fails; now and then it is reported again."""
        place = data.draw(st.integers(0, len(self.both.commanded) - 1))
        self.both.swap_done(self.both.commanded[place], outcome)
        if data.draw(st.integers(0, 5)):
            del self.both.commanded[place]

    @precondition(lambda self: 7 in self.both.circuits)
    @rule(way=st.sampled_from([UP, DOWN]), seq=seqs, seq2=seqs)
    def swap_failed_that_was_not_commanded(self, way: int, seq: int, seq2: int) -> None:
        self.both.swap_done((7, way, seq, seq2), None)

    @rule(data=st.data())
    def cut_off(self, data: st.DataObject) -> None:
        self.both.cut_off(self.somewhere(data))

    @rule(data=st.data(), origin=seqs, bell=bells, ttl=ttls)
    def track(self, data: st.DataObject, origin: int, bell: int, ttl: int) -> None:
        number, way, seq = self.somewhere(data)
        self.both.message(number, way, qci(QciType.TRACK, seq, origin, bell), ttl)

    @rule(data=st.data(), origin=seqs, bell=bells)
    def early_track(self, data: st.DataObject, origin: int, bell: int) -> None:
        number, way, seq = self.anywhere(data)
        self.both.message(number, way, qci(QciType.TRACK, seq, origin, bell))

    @rule(
        data=st.data(),
        origin=seqs,
        reason=st.sampled_from(ExpireReason),
        ack=st.booleans(),
        ttl=ttls,
    )
    def expire(
        self, data: st.DataObject, origin: int, reason: ExpireReason, ack: bool, ttl: int
    ) -> None:
        number, way, seq = self.somewhere(data)
        message = qci(QciType.EXPIRE, seq, origin, reason=reason, ack=ack)
        self.both.message(number, way, message, ttl)

    @rule(data=st.data(), origin=seqs, ttl=ttls)
    def expire_ack(self, data: st.DataObject, origin: int, ttl: int) -> None:
        number, way, seq = self.somewhere(data)
        self.both.message(number, way, qci(QciType.EXPIRE_ACK, seq, origin), ttl)

    @invariant()
    def drops_are_those_of_the_model(self) -> None:
        self.both.check_drops()


TestOneNode = OneNode.TestCase
TestOneNode.settings = settings(max_examples=60, stateful_step_count=50, derandomize=True)

STEPS = 15_000


@pytest.mark.parametrize("seed", range(2))
def test_a_long_random_walk_says_what_the_model_says(seed: int) -> None:
    """Pairs come in order on three links; each pair's messages come early, late, twice or never.

    Half of the time they come around the pair's own time; a message that was sent stays in a pool
    from which any may be taken at any later time, more than a round of records later, too.
    """
    dice = random.Random(seed)
    both = Harness(CIRCUITS)
    where = [(number, way) for number, circuit in CIRCUITS.items() for way in circuit.sides()]
    next_seq = dict.fromkeys((0, 1, 2), 2**32 - 1500)
    recent: list[Place] = []
    pool: list[tuple[int, int, QciMessage]] = []

    def herald() -> None:
        number, way = dice.choice(where)
        link = both.side(number, way).link
        seq = next_seq[link]
        # Now and then a burst of failed attempts, so that places are used again soon.
        step = dice.choice([1, 1, 1, 2, RECORDS - 1]) if dice.random() < 0.1 else 1
        next_seq[link] = (seq + step) % 2**32
        place = (number, way, seq)
        recent.append(place)
        del recent[:-40]
        if dice.random() < 0.2:
            say(place)  # before the herald
        both.pair(place, dice.randrange(4))

    def say(place: Place) -> None:
        number, way, seq = place
        kind = dice.choices([QciType.TRACK, QciType.EXPIRE, QciType.EXPIRE_ACK], [12, 2, 1])[0]
        message = qci(
            kind,
            seq,
            dice.randrange(2**32),
            bell=dice.randrange(4) if kind is QciType.TRACK else 0,
            reason=dice.choice(list(ExpireReason)) if kind is QciType.EXPIRE else ExpireReason.NONE,
            ack=kind is QciType.EXPIRE and dice.random() < 0.5,
        )
        pool.append((number, way, message))
        del pool[:-300]
        if dice.random() < 0.7:
            both.message(number, way, message)

    def swap() -> None:
        if both.commanded:
            place = dice.randrange(len(both.commanded))
            both.swap_done(
                both.commanded[place], None if dice.random() < 0.1 else dice.randrange(4)
            )
            if dice.random() < 0.95:
                del both.commanded[place]

    actions = [
        (30, herald),
        (30, lambda: recent and say(dice.choice(recent))),
        (20, lambda: pool and both.message(*dice.choice(pool))),
        (25, swap),
        (3, lambda: recent and both.cut_off(dice.choice(recent))),
    ]
    weights = [weight for weight, _ in actions]
    for _ in range(STEPS):
        dice.choices(actions, weights)[0][1]()
    both.check_drops()
    # The walk has been everywhere.
    happened = both.node.events()
    assert {name for name, count in happened.items() if count >= 20} >= {
        "TRACK_SENT", "TRACK_WAITS", "TRACK_FORWARDED", "TRACK_DEAD", "TRACK_UNKNOWN", "SWAP",
        "SWAPPED", "SWAP_FAILED", "DELIVER", "EXPIRE_SENT", "EXPIRE_RECEIVED", "EXPIRE_UNKNOWN",
        "EXPIRE_CONFIRMED", "VOID", "RELEASE",
    }, happened  # fmt: skip
    assert both.node.core.stats["resubmitted"] >= 20
