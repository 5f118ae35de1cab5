"""Several circuits at one node: they share ports, links and the device, and nothing else."""

import pytest

from qplane.wire import DeviceType as D
from qplane.wire import ExpireReason as R
from qplane.wire import QciType as Q

from .node import (
    EAST,
    EAST_SIDE,
    EAST_SIDE_2,
    NORTH_SIDE,
    UP,
    WEST,
    WEST_SIDE,
    WEST_SIDE_2,
    End,
    Node,
    Out,
    Repeater,
    Side,
    command,
    qci,
    qubit,
    sent,
)


@pytest.fixture
def node() -> Node:
    node = Node()
    node.program(7, Repeater(up=WEST_SIDE, down=EAST_SIDE))
    node.program(8, Repeater(up=WEST_SIDE_2, down=EAST_SIDE_2))
    return node


def pair(node: Node, side: Side, seq: int, bell: int = 0) -> list[Out]:
    return node.device_reports(D.PAIR, side, qubit(side, seq, (seq, 1)), bell)


def swap(side: Side, seq: int, other: Side, other_seq: int) -> Out:
    body = qubit(
        side, seq, (seq, 1), link2=other.link, seq2=other_seq, slot2=other_seq, generation2=1
    )
    return command(D.SWAP, side, body)


def swapped(node: Node, side: Side, seq: int, other: Side, other_seq: int, bell: int) -> list[Out]:
    body = qubit(side, seq, (seq, 1), link2=other.link, seq2=other_seq)
    return node.device_reports(D.SWAPPED, side, body, bell)


def test_pairs_of_two_circuits_are_not_swapped_with_each_other(node: Node) -> None:
    assert pair(node, WEST_SIDE, 1) == []
    assert pair(node, EAST_SIDE_2, 2) == []
    assert pair(node, WEST_SIDE_2, 3) == [swap(WEST_SIDE_2, 3, EAST_SIDE_2, 2)]
    assert pair(node, EAST_SIDE, 4) == [swap(EAST_SIDE, 4, WEST_SIDE, 1)]


def test_both_tracks_of_two_circuits_wait_and_leave_as_two_replicas_each(node: Node) -> None:
    """Four TRACKs wait on two ports; each swap outcome takes its own two along, both ways."""
    pair(node, WEST_SIDE, 1, 1)
    pair(node, WEST_SIDE_2, 2, 2)
    pair(node, EAST_SIDE, 1, 3)
    pair(node, EAST_SIDE_2, 2, 0)
    node.hears(WEST_SIDE, qci(Q.TRACK, 1, 71, 1))
    node.hears(EAST_SIDE, qci(Q.TRACK, 1, 72, 2))
    node.hears(WEST_SIDE_2, qci(Q.TRACK, 2, 81, 3))
    node.hears(EAST_SIDE_2, qci(Q.TRACK, 2, 82, 0))
    assert swapped(node, EAST_SIDE_2, 2, WEST_SIDE_2, 2, 2) == [
        sent(WEST_SIDE_2, qci(Q.TRACK, 2, 82, 0 ^ 2 ^ 2)),
        sent(EAST_SIDE_2, qci(Q.TRACK, 2, 81, 3 ^ 2 ^ 0)),
    ]
    assert swapped(node, EAST_SIDE, 1, WEST_SIDE, 1, 1) == [
        sent(WEST_SIDE, qci(Q.TRACK, 1, 72, 2 ^ 1 ^ 1)),
        sent(EAST_SIDE, qci(Q.TRACK, 1, 71, 1 ^ 1 ^ 3)),
    ]


def test_a_track_for_another_circuits_pair_is_answered_with_expire(node: Node) -> None:
    pair(node, WEST_SIDE, 1)
    unknown = sent(WEST_SIDE_2, qci(Q.EXPIRE, 1, 80, reason=R.UNKNOWN_PAIR))
    assert node.hears(WEST_SIDE_2, qci(Q.TRACK, 1, 80, 3)) == [unknown]
    pair(node, EAST_SIDE, 9)
    assert swapped(node, EAST_SIDE, 9, WEST_SIDE, 1, 0) == []
    assert node.hears(WEST_SIDE_2, qci(Q.TRACK, 1, 80, 3)) == [unknown]
    assert node.hears(WEST_SIDE, qci(Q.TRACK, 1, 70)) == [
        sent(EAST_SIDE, qci(Q.TRACK, 9, 70), ttl=254)
    ]


def test_an_expire_on_another_circuit_does_not_touch_the_pair(node: Node) -> None:
    pair(node, WEST_SIDE, 1)
    (onward,) = node.hears(WEST_SIDE_2, qci(Q.EXPIRE, 1, 80, ack=True))
    assert (onward[0], onward[1].label) == (EAST_SIDE_2.port, EAST_SIDE_2.label)
    assert pair(node, EAST_SIDE, 9) == [swap(EAST_SIDE, 9, WEST_SIDE, 1)]


def test_a_device_event_for_another_circuits_pair_is_stale(node: Node) -> None:
    pair(node, WEST_SIDE, 1)
    pair(node, EAST_SIDE, 9)
    assert swapped(node, EAST_SIDE_2, 9, WEST_SIDE_2, 1, 0) == []
    assert node.device_reports(D.EXPIRED, WEST_SIDE_2, qubit(WEST_SIDE_2, 1)) == []
    assert node.drops() == {"DEVICE_STALE": 2}
    assert swapped(node, EAST_SIDE, 9, WEST_SIDE, 1, 0) == []
    assert node.events()["SWAPPED"] == 1


@pytest.mark.parametrize(
    ("port", "side"),
    [(EAST, WEST_SIDE), (WEST, EAST_SIDE), (NORTH_SIDE.port, WEST_SIDE)],
)
@pytest.mark.parametrize("kind", [Q.TRACK, Q.EXPIRE, Q.EXPIRE_ACK])
def test_a_message_from_a_port_that_is_not_the_circuits_is_dropped(
    node: Node, kind: Q, port: int, side: Side
) -> None:
    pair(node, WEST_SIDE, 1)
    pair(node, EAST_SIDE, 1)
    swapped(node, EAST_SIDE, 1, WEST_SIDE, 1, 0)
    elsewhere = Side(side.link, port, side.label, side.mac)
    assert node.hears(elsewhere, qci(kind, 1, 70)) == []
    assert node.drops() == {"UNKNOWN_LABEL": 1}


def test_a_node_is_repeater_of_one_circuit_and_end_of_another() -> None:
    node = Node()
    node.program(7, Repeater(up=WEST_SIDE, down=EAST_SIDE))
    node.program(9, End(UP, WEST_SIDE_2))
    pair(node, WEST_SIDE, 1)
    assert pair(node, WEST_SIDE_2, 2) == [sent(WEST_SIDE_2, qci(Q.TRACK, 2, 2))]
    assert pair(node, EAST_SIDE, 3) == [swap(EAST_SIDE, 3, WEST_SIDE, 1)]
    delivered = command(D.DELIVER, WEST_SIDE_2, qubit(WEST_SIDE_2, 2, (2, 1), seq2=90), 1, 1)
    assert node.hears(WEST_SIDE_2, qci(Q.TRACK, 2, 90, 1)) == [delivered]


def test_circuits_cross_at_one_node() -> None:
    node = Node()
    node.program(7, Repeater(up=WEST_SIDE, down=EAST_SIDE))
    node.program(8, Repeater(up=NORTH_SIDE, down=EAST_SIDE_2))
    pair(node, NORTH_SIDE, 1)
    pair(node, WEST_SIDE, 1)
    assert pair(node, EAST_SIDE_2, 5) == [swap(EAST_SIDE_2, 5, NORTH_SIDE, 1)]
    assert pair(node, EAST_SIDE, 6) == [swap(EAST_SIDE, 6, WEST_SIDE, 1)]


def test_the_highest_circuit_number_and_link_number_work() -> None:
    node = Node()
    west = Side(30, WEST, 100, 0x020000000301)
    east = Side(31, EAST, 2**20 - 1, 0x020000000401)
    node.program(1023, Repeater(up=west, down=east))
    for seq in range(40):
        assert pair(node, west, seq, 1) == []
        assert pair(node, east, seq, 2) == [swap(east, seq, west, seq)]
        assert swapped(node, east, seq, west, seq, 0) == []
        onward = [sent(east, qci(Q.TRACK, seq, 70, 2), ttl=254)]
        assert node.hears(west, qci(Q.TRACK, seq, 70)) == onward
