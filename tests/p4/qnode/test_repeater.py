"""A repeater: which pairs are swapped, how TRACKs cross a swap, EXPIRE in each state."""

from dataclasses import replace

import pytest

from qplane.wire import DeviceType as D
from qplane.wire import ExpireReason as R
from qplane.wire import QciFlag, QciMessage, QubitBody
from qplane.wire import QciType as Q

from .node import EAST_SIDE, WEST_SIDE, Node, Out, Repeater, Side, command, qci, qubit, sent

SEQ_MODULUS = 2**32
RECORDS = 4096  # per link: pair sequence numbers this far apart share a record


@pytest.fixture
def node() -> Node:
    node = Node()
    node.program(7, Repeater(up=WEST_SIDE, down=EAST_SIDE))
    return node


def handle(side: Side, seq: int) -> tuple[int, int]:
    """Some handle for a pair's half, different for each pair."""
    return (17 * seq + side.link) % 65536, seq % 65521


def pair(node: Node, side: Side, seq: int, bell: int = 0) -> list[Out]:
    return node.device_reports(D.PAIR, side, qubit(side, seq, handle(side, seq)), bell)


def swap(side: Side, seq: int, other: Side, other_seq: int) -> Out:
    """The command to swap the pair that came last, on ``side``, with one that waited."""
    return command(D.SWAP, side, swap_body(side, seq, other, other_seq))


def swap_body(side: Side, seq: int, other: Side, other_seq: int) -> QubitBody:
    slot2, generation2 = handle(other, other_seq)
    return qubit(
        side,
        seq,
        handle(side, seq),
        link2=other.link,
        seq2=other_seq,
        slot2=slot2,
        generation2=generation2,
    )


def outcome(
    node: Node, kind: D, side: Side, seq: int, other: Side, other_seq: int, bell: int = 0
) -> list[Out]:
    return node.device_reports(kind, side, swap_body(side, seq, other, other_seq), bell)


def swapping(node: Node, west: int = 5, east: int = 9, bells: tuple[int, int] = (0, 0)) -> None:
    """A west and an east pair are in memory and the swap is commanded."""
    assert pair(node, WEST_SIDE, west, bells[0]) == []
    assert pair(node, EAST_SIDE, east, bells[1]) == [swap(EAST_SIDE, east, WEST_SIDE, west)]


def swapped(
    node: Node, west: int = 5, east: int = 9, bells: tuple[int, int] = (0, 0), bell: int = 0
) -> None:
    """The swap of a west and an east pair is done, no TRACK was there."""
    swapping(node, west, east, bells)
    assert outcome(node, D.SWAPPED, EAST_SIDE, east, WEST_SIDE, west, bell) == []


# ---- the swap decision ----


def test_a_lone_pair_waits(node: Node) -> None:
    assert pair(node, WEST_SIDE, 5) == []
    assert node.drops() == {}


def test_pairs_of_one_side_are_never_swapped_with_each_other(node: Node) -> None:
    for seq in range(5):
        assert pair(node, WEST_SIDE, seq) == []


@pytest.mark.parametrize(("first", "second"), [(WEST_SIDE, EAST_SIDE), (EAST_SIDE, WEST_SIDE)])
def test_two_halves_are_swapped(node: Node, first: Side, second: Side) -> None:
    assert pair(node, first, 5) == []
    assert pair(node, second, 9) == [swap(second, 9, first, 5)]
    assert node.events() == {"SWAP": 1}


def test_the_oldest_waiting_pair_is_swapped_first(node: Node) -> None:
    for seq in (5, 6, 7):
        pair(node, WEST_SIDE, seq)
    assert pair(node, EAST_SIDE, 20) == [swap(EAST_SIDE, 20, WEST_SIDE, 5)]
    assert pair(node, EAST_SIDE, 21) == [swap(EAST_SIDE, 21, WEST_SIDE, 6)]
    assert pair(node, WEST_SIDE, 8) == []
    assert pair(node, EAST_SIDE, 22) == [swap(EAST_SIDE, 22, WEST_SIDE, 7)]
    assert pair(node, EAST_SIDE, 23) == [swap(EAST_SIDE, 23, WEST_SIDE, 8)]
    assert pair(node, EAST_SIDE, 24) == []
    assert pair(node, WEST_SIDE, 9) == [swap(WEST_SIDE, 9, EAST_SIDE, 24)]


def test_a_pair_that_expired_is_passed_over(node: Node) -> None:
    for seq in (5, 6, 7):
        pair(node, WEST_SIDE, seq)
    for seq in (5, 6):
        expired = node.device_reports(D.EXPIRED, WEST_SIDE, qubit(WEST_SIDE, seq))
        assert expired == [sent(WEST_SIDE, qci(Q.EXPIRE, seq, seq, reason=R.CUTOFF))]
    assert pair(node, EAST_SIDE, 20) == [swap(EAST_SIDE, 20, WEST_SIDE, 7)]


def test_a_pair_waits_when_all_its_partners_expired(node: Node) -> None:
    for seq in (5, 6):
        pair(node, WEST_SIDE, seq)
        node.device_reports(D.EXPIRED, WEST_SIDE, qubit(WEST_SIDE, seq))
    assert pair(node, EAST_SIDE, 20) == []
    assert pair(node, WEST_SIDE, 7) == [swap(WEST_SIDE, 7, EAST_SIDE, 20)]


def test_32_pairs_wait_and_the_next_is_released(node: Node) -> None:
    for seq in range(32):
        assert pair(node, WEST_SIDE, seq) == []
    released = command(D.RELEASE, WEST_SIDE, qubit(WEST_SIDE, 32, handle(WEST_SIDE, 32)))
    told = sent(WEST_SIDE, qci(Q.EXPIRE, 32, 32, reason=R.NO_ROOM))
    assert pair(node, WEST_SIDE, 32) == [told, released]
    assert node.events() == {"NO_ROOM": 1}
    dead = sent(WEST_SIDE, qci(Q.EXPIRE, 32, 1, reason=R.DEAD_PAIR))
    assert node.hears(WEST_SIDE, qci(Q.TRACK, 32, 1)) == [dead]
    for seq in range(32):
        expected = [swap(EAST_SIDE, 100 + seq, WEST_SIDE, seq)]
        assert pair(node, EAST_SIDE, 100 + seq) == expected
    assert pair(node, EAST_SIDE, 132) == []


def test_expired_pairs_make_place_for_others(node: Node) -> None:
    for seq in range(32):
        pair(node, WEST_SIDE, seq)
    for seq in range(3):
        node.device_reports(D.EXPIRED, WEST_SIDE, qubit(WEST_SIDE, seq))
    for seq in (32, 33, 34):
        assert pair(node, WEST_SIDE, seq) == []
    assert pair(node, EAST_SIDE, 100) == [swap(EAST_SIDE, 100, WEST_SIDE, 3)]


def test_the_ring_of_waiting_pairs_goes_round(node: Node) -> None:
    for seq in range(100):
        assert pair(node, WEST_SIDE, seq) == []
        assert pair(node, EAST_SIDE, seq) == [swap(EAST_SIDE, seq, WEST_SIDE, seq)]


# ---- TRACK across a swap ----


@pytest.mark.parametrize("bell", range(4))
@pytest.mark.parametrize("west_bell", range(4))
@pytest.mark.parametrize("east_bell", range(4))
@pytest.mark.parametrize("track_bell", [0, 1, 2])
def test_a_track_takes_up_the_outcome_and_the_pair_beyond(
    bell: int, west_bell: int, east_bell: int, track_bell: int
) -> None:
    node = Node()
    node.program(7, Repeater(up=WEST_SIDE, down=EAST_SIDE))
    swapped(node, 5, 9, (west_bell, east_bell), bell)
    down = sent(EAST_SIDE, qci(Q.TRACK, 9, 77, track_bell ^ bell ^ east_bell), ttl=41)
    assert node.hears(WEST_SIDE, qci(Q.TRACK, 5, 77, track_bell), ttl=42) == [down]
    up = sent(WEST_SIDE, qci(Q.TRACK, 5, 88, track_bell ^ bell ^ west_bell), ttl=41)
    assert node.hears(EAST_SIDE, qci(Q.TRACK, 9, 88, track_bell), ttl=42) == [up]


@pytest.mark.parametrize("when", ["before the pair", "while it waits", "while it is swapped"])
@pytest.mark.parametrize("from_west", [True, False])
def test_an_early_track_leaves_when_the_swap_is_done(
    node: Node, when: str, from_west: bool
) -> None:
    side, seq, other, other_seq = (
        (WEST_SIDE, 5, EAST_SIDE, 9) if from_west else (EAST_SIDE, 9, WEST_SIDE, 5)
    )
    steps = [lambda: pair(node, WEST_SIDE, 5, 1), lambda: pair(node, EAST_SIDE, 9, 2)]
    place = ["before the pair", "while it waits", "while it is swapped"].index(when)
    if when == "while it waits" and not from_west:
        steps.reverse()
    steps.insert(place, lambda: node.hears(side, qci(Q.TRACK, seq, 77, 3)))
    assert [out for step in steps for out in step() if out[1].type is not D.SWAP] == []
    onward = sent(other, qci(Q.TRACK, other_seq, 77, 3 ^ 1 ^ (2 if from_west else 1)))
    assert outcome(node, D.SWAPPED, EAST_SIDE, 9, WEST_SIDE, 5, 1) == [onward]
    assert node.events() == {"TRACK_WAITS": 1, "SWAP": 1, "SWAPPED": 1}


@pytest.mark.parametrize("east_last", [True, False])
def test_both_tracks_that_wait_leave_together(node: Node, east_last: bool) -> None:
    if east_last:
        pair(node, WEST_SIDE, 5, 1)
        pair(node, EAST_SIDE, 9, 2)
        last = (EAST_SIDE, 9, WEST_SIDE, 5)
    else:
        pair(node, EAST_SIDE, 9, 2)
        pair(node, WEST_SIDE, 5, 1)
        last = (WEST_SIDE, 5, EAST_SIDE, 9)
    assert node.hears(WEST_SIDE, qci(Q.TRACK, 5, 77, 1)) == []
    assert node.hears(EAST_SIDE, qci(Q.TRACK, 9, 88, 2)) == []
    assert outcome(node, D.SWAPPED, *last, bell=3) == [
        sent(WEST_SIDE, qci(Q.TRACK, 5, 88, 2 ^ 3 ^ 1)),
        sent(EAST_SIDE, qci(Q.TRACK, 9, 77, 1 ^ 3 ^ 2)),
    ]


def test_a_track_after_the_next_swap_finds_its_own_record(node: Node) -> None:
    swapped(node, 5, 9, (1, 2), 3)
    swapped(node, 6, 10, (0, 1), 0)
    swapped(node, 7, 11, (3, 3), 1)
    assert node.hears(WEST_SIDE, qci(Q.TRACK, 5, 50, 0)) == [
        sent(EAST_SIDE, qci(Q.TRACK, 9, 50, 3 ^ 2), ttl=254)
    ]
    assert node.hears(WEST_SIDE, qci(Q.TRACK, 7, 52, 0)) == [
        sent(EAST_SIDE, qci(Q.TRACK, 11, 52, 1 ^ 3), ttl=254)
    ]
    assert node.hears(EAST_SIDE, qci(Q.TRACK, 10, 61, 0)) == [
        sent(WEST_SIDE, qci(Q.TRACK, 6, 61, 0 ^ 0), ttl=254)
    ]


def test_swaps_finish_in_another_order_than_they_began(node: Node) -> None:
    swapping(node, 5, 9, (1, 2))
    swapping(node, 6, 10, (2, 1))
    node.hears(WEST_SIDE, qci(Q.TRACK, 5, 50, 0))
    node.hears(WEST_SIDE, qci(Q.TRACK, 6, 51, 0))
    assert outcome(node, D.SWAPPED, EAST_SIDE, 10, WEST_SIDE, 6, 3) == [
        sent(EAST_SIDE, qci(Q.TRACK, 10, 51, 3 ^ 1))
    ]
    assert outcome(node, D.SWAPPED, EAST_SIDE, 9, WEST_SIDE, 5, 1) == [
        sent(EAST_SIDE, qci(Q.TRACK, 9, 50, 1 ^ 2))
    ]


def test_a_duplicate_track_crosses_the_same_way(node: Node) -> None:
    swapped(node, 5, 9, (1, 2), 3)
    first = node.hears(WEST_SIDE, qci(Q.TRACK, 5, 50))
    assert len(first) == 1
    assert node.hears(WEST_SIDE, qci(Q.TRACK, 5, 50)) == first


def test_a_duplicate_track_that_waits_leaves_once(node: Node) -> None:
    swapping(node, 5, 9)
    for _ in range(2):
        assert node.hears(WEST_SIDE, qci(Q.TRACK, 5, 50)) == []
    assert len(outcome(node, D.SWAPPED, EAST_SIDE, 9, WEST_SIDE, 5)) == 1


def test_a_track_for_another_pairs_record_is_answered_with_expire(node: Node) -> None:
    pair(node, WEST_SIDE, 5 + RECORDS)
    for seq in (5, 5 + 2 * RECORDS):  # the record belongs to a pair that is in memory
        unknown = sent(WEST_SIDE, qci(Q.EXPIRE, seq, 50, reason=R.UNKNOWN_PAIR))
        assert node.hears(WEST_SIDE, qci(Q.TRACK, seq, 50)) == [unknown]
    assert pair(node, EAST_SIDE, 9) == [swap(EAST_SIDE, 9, WEST_SIDE, 5 + RECORDS)]
    assert outcome(node, D.SWAPPED, EAST_SIDE, 9, WEST_SIDE, 5 + RECORDS) == []
    # The record is that of a later pair: a TRACK from before can't be joined with it.
    unknown = sent(WEST_SIDE, qci(Q.EXPIRE, 5, 50, reason=R.UNKNOWN_PAIR))
    assert node.hears(WEST_SIDE, qci(Q.TRACK, 5, 50)) == [unknown]
    # The pair after it has a claim to the record, and does not get the former one's track.
    assert node.hears(WEST_SIDE, qci(Q.TRACK, 5 + 2 * RECORDS, 51)) == []
    assert pair(node, WEST_SIDE, 5 + 2 * RECORDS) == []


def test_an_early_track_is_not_joined_with_an_earlier_pair(node: Node) -> None:
    assert node.hears(WEST_SIDE, qci(Q.TRACK, 5 + RECORDS, 50, 3)) == []
    pair(node, WEST_SIDE, 5)
    pair(node, EAST_SIDE, 9)
    assert outcome(node, D.SWAPPED, EAST_SIDE, 9, WEST_SIDE, 5) == []


def test_sequence_numbers_wrap(node: Node) -> None:
    last = SEQ_MODULUS - 1
    for west in (last - 1, last, 0, 1):
        swapped(node, west, west, (1, 2), 0)
    for west in (0, last, 1, last - 1):
        assert node.hears(WEST_SIDE, qci(Q.TRACK, west, last)) == [
            sent(EAST_SIDE, qci(Q.TRACK, west, last, 2), ttl=254)
        ]


def test_a_record_from_before_the_wrap_gives_way_to_one_from_after(node: Node) -> None:
    before, after = SEQ_MODULUS - RECORDS, 0  # one place
    swapped(node, before, 9)
    assert node.hears(WEST_SIDE, qci(Q.TRACK, after, 50)) == []
    unknown = sent(WEST_SIDE, qci(Q.EXPIRE, before, 49, reason=R.UNKNOWN_PAIR))
    assert node.hears(WEST_SIDE, qci(Q.TRACK, before, 49)) == [unknown]
    swapping(node, after, 10, (0, 1))
    assert outcome(node, D.SWAPPED, EAST_SIDE, 10, WEST_SIDE, after, 2) == [
        sent(EAST_SIDE, qci(Q.TRACK, 10, 50, 3))
    ]


def test_a_million_later_pair_of_the_same_record_is_swapped_as_usual(node: Node) -> None:
    for lap in range(4):
        seq = 5 + lap * RECORDS * 61
        swapped(node, seq, seq, (lap, 0), 0)
        assert node.hears(EAST_SIDE, qci(Q.TRACK, seq, 1)) == [
            sent(WEST_SIDE, qci(Q.TRACK, seq, 1, lap), ttl=254)
        ]


# ---- a swap that fails ----


@pytest.mark.parametrize("east_last", [True, False])
def test_a_failed_swap_expires_both_pairs(node: Node, east_last: bool) -> None:
    order = [(WEST_SIDE, 5), (EAST_SIDE, 9)] if east_last else [(EAST_SIDE, 9), (WEST_SIDE, 5)]
    for side, seq in order:
        pair(node, side, seq)
    (first, first_seq), (second, second_seq) = order
    assert outcome(node, D.SWAP_FAILED, second, second_seq, first, first_seq) == [
        sent(WEST_SIDE, qci(Q.EXPIRE, 5, 5, reason=R.SWAP_FAILED)),
        sent(EAST_SIDE, qci(Q.EXPIRE, 9, 9, reason=R.SWAP_FAILED)),
    ]
    for side, seq in order:
        dead = sent(side, qci(Q.EXPIRE, seq, 50, reason=R.DEAD_PAIR))
        assert node.hears(side, qci(Q.TRACK, seq, 50)) == [dead]


def test_tracks_that_waited_for_a_failed_swap_do_not_leave(node: Node) -> None:
    swapping(node)
    node.hears(WEST_SIDE, qci(Q.TRACK, 5, 50))
    node.hears(EAST_SIDE, qci(Q.TRACK, 9, 60))
    outputs = outcome(node, D.SWAP_FAILED, EAST_SIDE, 9, WEST_SIDE, 5)
    assert [frame.message.type for _, frame in outputs] == [Q.EXPIRE, Q.EXPIRE]


@pytest.mark.parametrize("kind", [D.SWAPPED, D.SWAP_FAILED])
def test_a_swap_that_was_done_stays_done(node: Node, kind: D) -> None:
    swapped(node, 5, 9, (1, 2), 3)
    assert outcome(node, kind, EAST_SIDE, 9, WEST_SIDE, 5, 1) == []
    assert node.drops() == {"DEVICE_STALE": 1}
    assert node.hears(WEST_SIDE, qci(Q.TRACK, 5, 50)) == [
        sent(EAST_SIDE, qci(Q.TRACK, 9, 50, 3 ^ 2), ttl=254)
    ]


@pytest.mark.parametrize("kind", [D.SWAPPED, D.SWAP_FAILED])
def test_an_outcome_for_pairs_that_are_not_known_is_stale(node: Node, kind: D) -> None:
    assert outcome(node, kind, EAST_SIDE, 9, WEST_SIDE, 5) == []
    assert node.drops() == {"DEVICE_STALE": 1}


@pytest.mark.parametrize("side", [WEST_SIDE, EAST_SIDE])
def test_a_swap_of_which_one_half_died_meanwhile_counts_as_failed(node: Node, side: Side) -> None:
    swapping(node)
    seq = 5 if side is WEST_SIDE else 9
    assert node.hears(side, qci(Q.EXPIRE, seq, 50, reason=R.CUTOFF)) == []
    assert outcome(node, D.SWAPPED, EAST_SIDE, 9, WEST_SIDE, 5, 2) == [
        sent(WEST_SIDE, qci(Q.EXPIRE, 5, 5, reason=R.SWAP_FAILED)),
        sent(EAST_SIDE, qci(Q.EXPIRE, 9, 9, reason=R.SWAP_FAILED)),
    ]


# ---- EXPIRE, EXPIRE_ACK ----


def lost(type_: Q, seq: int, origin: int, ack: bool = False) -> QciMessage:
    message = qci(type_, seq, origin, ack=ack)
    return replace(message, flags=message.flags | QciFlag.LOST)


def reach(node: Node, state: str) -> None:
    """Bring west pair 5 into a state; its partner is east pair 9."""
    if state == "early":
        node.hears(WEST_SIDE, qci(Q.TRACK, 5, 50))
    elif state == "waiting":
        pair(node, WEST_SIDE, 5)
    elif state == "swapping":
        swapping(node)
    elif state == "swapped":
        swapped(node)
    elif state == "expired":
        pair(node, WEST_SIDE, 5)
        node.device_reports(D.EXPIRED, WEST_SIDE, qubit(WEST_SIDE, 5))
    else:
        assert state == "unseen"


@pytest.mark.parametrize("ack", [True, False])
@pytest.mark.parametrize("state", ["unseen", "early", "waiting", "swapping", "swapped", "expired"])
def test_expire_in_each_state(node: Node, state: str, ack: bool) -> None:
    reach(node, state)
    expire = qci(Q.EXPIRE, 5, 50, reason=R.CUTOFF, ack=ack)
    acknowledged = [sent(WEST_SIDE, qci(Q.EXPIRE_ACK, 5, 50))] if ack else []
    released = [command(D.RELEASE, WEST_SIDE, qubit(WEST_SIDE, 5, handle(WEST_SIDE, 5)))]
    onward = replace(expire, flags=expire.flags | QciFlag.LOST)
    onward = replace(onward, body=replace(expire.body, pair_seq=50))
    asked = [sent(EAST_SIDE, onward, ttl=254)] if ack else []
    expected = {
        # It may have been swapped before this switch restarted: the far end is to know.
        "unseen": asked,
        "early": asked,
        "waiting": acknowledged + released,
        "swapped": [sent(EAST_SIDE, qci(Q.EXPIRE, 9, 50, reason=R.CUTOFF, ack=ack), ttl=254)],
    }
    assert node.hears(WEST_SIDE, expire) == expected.get(state, acknowledged)
    # Whatever comes later for the pair finds it dead; beyond a swap, that is the others' business.
    track = node.hears(WEST_SIDE, qci(Q.TRACK, 5, 50))
    if state == "swapped":
        assert track == [sent(EAST_SIDE, qci(Q.TRACK, 9, 50), ttl=254)]
    else:
        assert track == [sent(WEST_SIDE, qci(Q.EXPIRE, 5, 50, reason=R.DEAD_PAIR))]
    assert node.drops() == {}


@pytest.mark.parametrize("state", ["unseen", "early"])
def test_what_is_not_known_to_be_unswapped_is_asked_of_the_far_end_each_time(
    node: Node, state: str
) -> None:
    reach(node, state)
    expire = qci(Q.EXPIRE, 5, 50, reason=R.CUTOFF, ack=True)
    onward = replace(lost(Q.EXPIRE, 50, 50, ack=True), body=replace(expire.body, pair_seq=50))
    for _ in range(2):
        assert node.hears(WEST_SIDE, expire) == [sent(EAST_SIDE, onward, ttl=254)]


@pytest.mark.parametrize("type_", [Q.EXPIRE, Q.EXPIRE_ACK])
@pytest.mark.parametrize("state", ["unseen", "early", "waiting", "swapping", "swapped", "expired"])
def test_a_lost_pairs_messages_pass_whatever_is_known_here(
    node: Node, state: str, type_: Q
) -> None:
    reach(node, state)
    message = lost(type_, 5, 5, ack=type_ is Q.EXPIRE)
    assert node.hears(WEST_SIDE, message, ttl=9) == [sent(EAST_SIDE, message, ttl=8)]
    # ... and touch nothing.
    assert node.hears(EAST_SIDE, lost(type_, 9, 9)) == [sent(WEST_SIDE, lost(type_, 9, 9), 254)]


def test_a_pair_that_was_dead_before_it_came_is_released(node: Node) -> None:
    node.hears(WEST_SIDE, qci(Q.EXPIRE, 5, 50, ack=True))
    released = command(D.RELEASE, WEST_SIDE, qubit(WEST_SIDE, 5, handle(WEST_SIDE, 5)))
    assert pair(node, WEST_SIDE, 5) == [released]
    assert pair(node, EAST_SIDE, 9) == []


def test_a_repeated_expire_is_acknowledged_again(node: Node) -> None:
    pair(node, WEST_SIDE, 5)
    expire = qci(Q.EXPIRE, 5, 50, reason=R.CUTOFF, ack=True)
    assert len(node.hears(WEST_SIDE, expire)) == 2
    for _ in range(2):
        assert node.hears(WEST_SIDE, expire) == [sent(WEST_SIDE, qci(Q.EXPIRE_ACK, 5, 50))]


@pytest.mark.parametrize("ack", [True, False])
def test_expire_for_a_pair_whose_record_is_gone_goes_on(node: Node, ack: bool) -> None:
    pair(node, WEST_SIDE, 5 + RECORDS)
    onward = [sent(EAST_SIDE, lost(Q.EXPIRE, 50, 50, ack=True), ttl=254)] if ack else []
    assert node.hears(WEST_SIDE, qci(Q.EXPIRE, 5, 50, ack=ack)) == onward
    assert node.events() == {"EXPIRE_RECEIVED": 1, "EXPIRE_UNKNOWN": 1}
    assert pair(node, EAST_SIDE, 9) == [swap(EAST_SIDE, 9, WEST_SIDE, 5 + RECORDS)]


@pytest.mark.parametrize("state", ["unseen", "early", "waiting", "swapping", "expired"])
def test_an_acknowledgement_that_nobody_waits_for_is_dropped(node: Node, state: str) -> None:
    reach(node, state)
    assert node.hears(WEST_SIDE, qci(Q.EXPIRE_ACK, 5, 50)) == []
    assert node.drops() == {"ACK_STALE": 1}


def test_an_acknowledgement_crosses_the_swap(node: Node) -> None:
    swapped(node)
    assert node.hears(EAST_SIDE, qci(Q.EXPIRE_ACK, 9, 50), ttl=7) == [
        sent(WEST_SIDE, qci(Q.EXPIRE_ACK, 5, 50), ttl=6)
    ]


def test_a_pair_cut_off_here_is_told_to_its_own_side_alone(node: Node) -> None:
    pair(node, WEST_SIDE, 5)
    cut = node.device_reports(D.EXPIRED, WEST_SIDE, qubit(WEST_SIDE, 5))
    assert cut == [sent(WEST_SIDE, qci(Q.EXPIRE, 5, 5, reason=R.CUTOFF))]
    assert node.device_reports(D.EXPIRED, WEST_SIDE, qubit(WEST_SIDE, 5)) == []
    assert node.drops() == {"DEVICE_STALE": 1}


@pytest.mark.parametrize("state", ["unseen", "early", "swapped"])
def test_a_cut_off_of_what_is_not_in_memory_is_stale(node: Node, state: str) -> None:
    reach(node, state)
    assert node.device_reports(D.EXPIRED, WEST_SIDE, qubit(WEST_SIDE, 5)) == []
    assert node.drops() == {"DEVICE_STALE": 1}


@pytest.mark.parametrize("state", ["waiting", "swapping", "swapped"])
def test_a_pair_reported_twice_is_stale(node: Node, state: str) -> None:
    reach(node, state)
    assert pair(node, WEST_SIDE, 5) == []
    assert node.drops() == {"DEVICE_STALE": 1}
