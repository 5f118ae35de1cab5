"""An end node: TRACK out, TRACK in, delivery, and how both ends come to know of a loss."""

from dataclasses import replace

import pytest

from qplane.wire import DeviceFlag, QciFlag, QciMessage
from qplane.wire import DeviceType as D
from qplane.wire import ExpireReason as R
from qplane.wire import QciType as Q

from .node import (
    DOWN,
    EAST_SIDE,
    UP,
    WEST_SIDE,
    End,
    Node,
    Out,
    Side,
    command,
    qci,
    qubit,
    sent,
)

RECORDS = 4096
HANDLE = (3, 44)
HEAD = End(DOWN, EAST_SIDE)
TAIL = End(UP, WEST_SIDE)
ends = pytest.mark.parametrize("end", [HEAD, TAIL], ids=["head", "tail"])


def node_with(end: End) -> Node:
    node = Node()
    node.program(7, end)
    return node


def pair(node: Node, side: Side, seq: int, bell: int = 0) -> list[Out]:
    return node.device_reports(D.PAIR, side, qubit(side, seq, HANDLE), bell)


def deliver(end: End, seq: int, origin: int, bell: int) -> Out:
    """The delivery; the tail-end's part is to correct."""
    flags = DeviceFlag.CORRECT if end is TAIL else DeviceFlag.NONE
    return command(D.DELIVER, end.side, qubit(end.side, seq, HANDLE, seq2=origin), bell, int(flags))


def told(end: End, *messages: QciMessage) -> list[Out]:
    return [sent(end.side, message) for message in messages]


def forgotten(end: End, seq: int) -> Out:
    """VOID for a pair of which the switch knows nothing (any more): the device may know it."""
    return command(D.VOID, end.side, qubit(end.side, seq))


def forgotten_there(end: End, origin: int) -> Out:
    """VOID for a pair that the switch does not find by its number at the other end."""
    unknown_here = qubit(end.side, 0, seq2=origin)
    return command(D.VOID, end.side, unknown_here, flags=int(DeviceFlag.FAR))


@ends
@pytest.mark.parametrize("bell", range(4))
def test_a_pair_is_announced_to_the_other_end(end: End, bell: int) -> None:
    node = node_with(end)
    assert pair(node, end.side, 5, bell) == told(end, qci(Q.TRACK, 5, 5, bell))
    assert node.events() == {"TRACK_SENT": 1}


@ends
@pytest.mark.parametrize("bell", range(4))
def test_a_track_delivers_the_pair_with_its_frame(end: End, bell: int) -> None:
    node = node_with(end)
    pair(node, end.side, 5, 2)
    assert node.hears(end.side, qci(Q.TRACK, 5, 77, bell)) == [deliver(end, 5, 77, bell)]


@ends
def test_a_track_that_comes_first_delivers_the_pair_when_it_comes(end: End) -> None:
    node = node_with(end)
    assert node.hears(end.side, qci(Q.TRACK, 5, 77, 3)) == []
    both = [*told(end, qci(Q.TRACK, 5, 5, 2)), deliver(end, 5, 77, 3)]
    assert pair(node, end.side, 5, 2) == both
    assert node.hears(end.side, qci(Q.TRACK, 5, 77, 3)) == []
    assert node.drops() == {"TRACK_DUPLICATE": 1}


@ends
def test_pairs_in_flight_are_matched_by_their_own_number(end: End) -> None:
    node = node_with(end)
    for seq in (5, 6, 7):
        pair(node, end.side, seq, seq % 4)
    for seq in (6, 5, 7):
        delivered = deliver(end, seq, 70 + seq, seq % 3)
        assert node.hears(end.side, qci(Q.TRACK, seq, 70 + seq, seq % 3)) == [delivered]


@ends
def test_a_duplicate_track_delivers_once(end: End) -> None:
    node = node_with(end)
    pair(node, end.side, 5)
    assert len(node.hears(end.side, qci(Q.TRACK, 5, 77))) == 1
    assert node.hears(end.side, qci(Q.TRACK, 5, 77)) == []
    assert node.hears(end.side, qci(Q.TRACK, 5, 77)) == []
    assert node.drops() == {"TRACK_DUPLICATE": 2}


@ends
@pytest.mark.parametrize("stray", [5, 5 + 2 * RECORDS])
def test_a_track_for_another_pair_is_not_joined_with_this_one(end: End, stray: int) -> None:
    node = node_with(end)
    pair(node, end.side, 5 + RECORDS)
    unknown = told(end, qci(Q.EXPIRE, stray, 77, reason=R.UNKNOWN_PAIR))
    assert node.hears(end.side, qci(Q.TRACK, stray, 77)) == unknown
    own = deliver(end, 5 + RECORDS, 78, 1)
    assert node.hears(end.side, qci(Q.TRACK, 5 + RECORDS, 78, 1)) == [own]


@ends
def test_sequence_numbers_wrap(end: End) -> None:
    node = node_with(end)
    last = 2**32 - 1
    for seq in (last, 0):
        assert pair(node, end.side, seq) == told(end, qci(Q.TRACK, seq, seq))
    for seq in (0, last):
        assert node.hears(end.side, qci(Q.TRACK, seq, last)) == [deliver(end, seq, last, 0)]


# ---- a half that is lost here ----


@ends
def test_a_cut_off_is_told_until_it_is_acknowledged(end: End) -> None:
    node = node_with(end)
    pair(node, end.side, 5)
    for _ in range(3):
        expired = node.device_reports(D.EXPIRED, end.side, qubit(end.side, 5, HANDLE))
        assert expired == told(end, qci(Q.EXPIRE, 5, 5, reason=R.CUTOFF, ack=True))
    confirmed = command(D.EXPIRE_CONFIRMED, end.side, qubit(end.side, 5, HANDLE))
    assert node.hears(end.side, qci(Q.EXPIRE_ACK, 5, 5)) == [confirmed]


@ends
def test_a_track_for_a_pair_that_was_cut_off_is_answered_with_expire(end: End) -> None:
    node = node_with(end)
    pair(node, end.side, 5)
    node.device_reports(D.EXPIRED, end.side, qubit(end.side, 5, HANDLE))
    dead = told(end, qci(Q.EXPIRE, 5, 77, reason=R.DEAD_PAIR))
    assert node.hears(end.side, qci(Q.TRACK, 5, 77)) == dead


@ends
def test_a_cut_off_that_crosses_with_the_delivery_wins(end: End) -> None:
    """The device had let go of the qubit when DELIVER reached it: the other end must know."""
    node = node_with(end)
    pair(node, end.side, 5)
    node.hears(end.side, qci(Q.TRACK, 5, 77))
    expired = node.device_reports(D.EXPIRED, end.side, qubit(end.side, 5, HANDLE))
    assert expired == told(end, qci(Q.EXPIRE, 5, 5, reason=R.CUTOFF, ack=True))


@ends
def test_a_pair_whose_record_is_anothers_is_released_and_the_other_lives(end: End) -> None:
    node = node_with(end)
    pair(node, end.side, 5)
    seq = 5 + RECORDS
    refused = node.device_reports(D.PAIR, end.side, qubit(end.side, seq, HANDLE))
    expire = sent(end.side, qci(Q.EXPIRE, seq, seq, reason=R.NO_ROOM))
    assert refused == [expire, command(D.RELEASE, end.side, qubit(end.side, seq, HANDLE))]
    unknown = qci(Q.EXPIRE, seq, 77, reason=R.UNKNOWN_PAIR)
    assert node.hears(end.side, qci(Q.TRACK, seq, 77)) == [sent(end.side, unknown)]
    # Nor does what is said of the later pair hurt it.
    acknowledged = told(end, qci(Q.EXPIRE_ACK, seq, 77))
    expire = qci(Q.EXPIRE, seq, 77, ack=True)
    assert node.hears(end.side, expire) == [*acknowledged, forgotten(end, seq)]
    assert node.hears(end.side, qci(Q.TRACK, 5, 76)) == [deliver(end, 5, 76, 0)]


@ends
def test_a_cut_off_is_told_even_if_the_record_is_gone(end: End) -> None:
    node = node_with(end)
    pair(node, end.side, 5)
    node.hears(end.side, qci(Q.TRACK, 5, 76))
    pair(node, end.side, 5 + RECORDS)
    expired = node.device_reports(D.EXPIRED, end.side, qubit(end.side, 5, HANDLE))
    assert expired == told(end, qci(Q.EXPIRE, 5, 5, reason=R.CUTOFF, ack=True))
    # The later pair is not hurt.
    alive = deliver(end, 5 + RECORDS, 77, 0)
    assert node.hears(end.side, qci(Q.TRACK, 5 + RECORDS, 77)) == [alive]


# ---- a half that is lost elsewhere ----


@ends
def test_an_expire_from_the_way_releases_and_announces(end: End) -> None:
    """The other end may not know: the device is to repeat EXPIRED until it is confirmed."""
    node = node_with(end)
    pair(node, end.side, 5)
    announced = command(
        D.RELEASE, end.side, qubit(end.side, 5, HANDLE), flags=int(DeviceFlag.ANNOUNCE)
    )
    expire = qci(Q.EXPIRE, 5, 5, reason=R.SWAP_FAILED)
    assert node.hears(end.side, expire) == [announced]
    assert node.hears(end.side, expire) == []
    expired = node.device_reports(D.EXPIRED, end.side, qubit(end.side, 5, HANDLE))
    assert expired == told(end, qci(Q.EXPIRE, 5, 5, reason=R.CUTOFF, ack=True))


@ends
def test_an_expire_from_the_other_end_releases_and_is_acknowledged(end: End) -> None:
    node = node_with(end)
    pair(node, end.side, 5)
    released = command(D.RELEASE, end.side, qubit(end.side, 5, HANDLE))
    acknowledged = told(end, qci(Q.EXPIRE_ACK, 5, 77))
    expire = qci(Q.EXPIRE, 5, 77, reason=R.CUTOFF, ack=True)
    assert node.hears(end.side, expire) == [*acknowledged, released]
    assert node.hears(end.side, expire) == [*acknowledged, forgotten(end, 5)]


@ends
@pytest.mark.parametrize("track_first", [True, False])
def test_an_expire_from_the_other_end_voids_a_delivery_once(end: End, track_first: bool) -> None:
    node = node_with(end)
    if track_first:
        node.hears(end.side, qci(Q.TRACK, 5, 77))
    pair(node, end.side, 5)
    if not track_first:
        node.hears(end.side, qci(Q.TRACK, 5, 77))
    acknowledged = told(end, qci(Q.EXPIRE_ACK, 5, 77))
    void = command(D.VOID, end.side, qubit(end.side, 5, HANDLE, seq2=77))
    expire = qci(Q.EXPIRE, 5, 77, reason=R.CUTOFF, ack=True)
    assert node.hears(end.side, expire) == [*acknowledged, void]
    # The command may have been lost, so that it comes again; it is counted once.
    assert node.hears(end.side, expire) == [*acknowledged, forgotten(end, 5)]
    assert node.events()["VOID"] == 1


@ends
def test_an_expire_from_the_way_does_not_void_a_delivery(end: End) -> None:
    node = node_with(end)
    pair(node, end.side, 5)
    node.hears(end.side, qci(Q.TRACK, 5, 77))
    assert node.hears(end.side, qci(Q.EXPIRE, 5, 5, reason=R.DEAD_PAIR)) == []
    assert "VOID" not in node.events()


@ends
@pytest.mark.parametrize("track_first", [True, False])
@pytest.mark.parametrize("ack", [True, False])
def test_an_expire_that_overtakes_the_herald_releases_the_pair(
    end: End, ack: bool, track_first: bool
) -> None:
    node = node_with(end)
    if track_first:
        node.hears(end.side, qci(Q.TRACK, 5, 77))
    acknowledged = [*told(end, qci(Q.EXPIRE_ACK, 5, 77)), forgotten(end, 5)] if ack else []
    assert node.hears(end.side, qci(Q.EXPIRE, 5, 77, ack=ack)) == acknowledged
    released = command(D.RELEASE, end.side, qubit(end.side, 5, HANDLE))
    assert pair(node, end.side, 5) == [released]


@ends
def test_an_expire_for_another_pair_leaves_this_one_alone(end: End) -> None:
    node = node_with(end)
    pair(node, end.side, 5 + RECORDS)
    acknowledged = told(end, qci(Q.EXPIRE_ACK, 5, 77))
    expire = qci(Q.EXPIRE, 5, 77, ack=True)
    assert node.hears(end.side, expire) == [*acknowledged, forgotten(end, 5)]
    alive = deliver(end, 5 + RECORDS, 78, 0)
    assert node.hears(end.side, qci(Q.TRACK, 5 + RECORDS, 78)) == [alive]


# ---- a half that is lost elsewhere, while a repeater has lost its record ----


def lost(type_: Q, seq: int, origin: int, ack: bool = False) -> QciMessage:
    message = qci(type_, seq, origin, ack=ack)
    return replace(message, flags=message.flags | QciFlag.LOST)


@ends
def test_a_pair_is_found_by_its_number_at_the_other_end(end: End) -> None:
    node = node_with(end)
    pair(node, end.side, 5)
    node.hears(end.side, qci(Q.TRACK, 5, 77))
    void = command(D.VOID, end.side, qubit(end.side, 5, HANDLE, seq2=77))
    acknowledged = told(end, lost(Q.EXPIRE_ACK, 77, 77))
    assert node.hears(end.side, lost(Q.EXPIRE, 77, 77, ack=True)) == [*acknowledged, void]
    assert node.events()["VOID"] == 1


@ends
def test_another_pair_of_that_number_here_is_not_meant(end: End) -> None:
    node = node_with(end)
    pair(node, end.side, 77)
    node.hears(end.side, qci(Q.TRACK, 77, 5))
    answer = [*told(end, lost(Q.EXPIRE_ACK, 77, 77)), forgotten_there(end, 77)]
    assert node.hears(end.side, lost(Q.EXPIRE, 77, 77, ack=True)) == answer
    assert "VOID" not in node.events()


@ends
def test_a_track_that_comes_after_its_end_gave_up_is_refused(end: End) -> None:
    node = node_with(end)
    pair(node, end.side, 5)
    answer = [*told(end, lost(Q.EXPIRE_ACK, 77, 77)), forgotten_there(end, 77)]
    assert node.hears(end.side, lost(Q.EXPIRE, 77, 77, ack=True)) == answer
    dead = told(end, qci(Q.EXPIRE, 5, 77, reason=R.DEAD_PAIR))
    released = command(D.RELEASE, end.side, qubit(end.side, 5, HANDLE), flags=1)
    assert node.hears(end.side, qci(Q.TRACK, 5, 77)) == [*dead, released]


@ends
def test_a_track_that_waits_for_its_pair_dies_with_its_end(end: End) -> None:
    node = node_with(end)
    node.hears(end.side, qci(Q.TRACK, 5, 77))
    acknowledged = told(end, lost(Q.EXPIRE_ACK, 77, 77))
    out = node.hears(end.side, lost(Q.EXPIRE, 77, 77, ack=True))
    assert out == [*acknowledged, forgotten(end, 5)]
    assert pair(node, end.side, 5) == [command(D.RELEASE, end.side, qubit(end.side, 5, HANDLE))]


@ends
def test_a_pair_of_an_earlier_circuit_is_not_found_by_a_later_ones_number(end: End) -> None:
    node = node_with(end)
    pair(node, end.side, 5)
    node.hears(end.side, qci(Q.TRACK, 5, 77))
    node.leads_elsewhere(7, replace(end, far_end=(2, 0)))
    answer = [*told(end, lost(Q.EXPIRE_ACK, 77, 77)), forgotten_there(end, 77)]
    assert node.hears(end.side, lost(Q.EXPIRE, 77, 77, ack=True)) == answer
    assert "VOID" not in node.events()


@ends
def test_a_number_that_died_in_an_earlier_circuit_lives_in_a_later_one(end: End) -> None:
    node = node_with(end)
    node.hears(end.side, lost(Q.EXPIRE, 77, 77, ack=True))
    node.leads_elsewhere(7, replace(end, far_end=(2, 0)))
    pair(node, end.side, 5)
    assert node.hears(end.side, qci(Q.TRACK, 5, 77, 0)) == [deliver(end, 5, 77, 0)]


@ends
def test_the_acknowledgement_of_a_lost_pair_confirms_its_expiry(end: End) -> None:
    node = node_with(end)
    confirmed = command(D.EXPIRE_CONFIRMED, end.side, qubit(end.side, 5))
    assert node.hears(end.side, lost(Q.EXPIRE_ACK, 5, 5)) == [confirmed]


# ---- what an end node's device can't say ----


@ends
@pytest.mark.parametrize("kind", [D.SWAPPED, D.SWAP_FAILED])
def test_an_end_node_does_not_swap(end: End, kind: D) -> None:
    node = node_with(end)
    pair(node, end.side, 5)
    assert node.device_reports(kind, end.side, qubit(end.side, 5, HANDLE)) == []
    assert node.drops() == {"DEVICE_MALFORMED": 1}


@ends
def test_a_pair_reported_twice_is_stale(end: End) -> None:
    node = node_with(end)
    pair(node, end.side, 5)
    assert pair(node, end.side, 5) == []
    assert node.drops() == {"DEVICE_STALE": 1}
