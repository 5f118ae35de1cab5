"""What a node lets in: well-formed messages from where they may come; the rest changes nothing."""

import pytest

from qplane.wire import (
    CircuitFrame,
    DeviceFeatures,
    DeviceFrame,
    LinkControl,
    LinkFeatures,
    LinkFrame,
    LinkScheme,
    PacketIn,
    PacketInReason,
    PacketOut,
    ProbeBody,
    QciMessage,
    Transaction,
    qci_checksum,
)
from qplane.wire import DeviceType as D
from qplane.wire import QciType as Q

from .node import (
    CPU,
    EAST_SIDE,
    EAST_SIDE_2,
    HOST,
    MY_MAC,
    NORTH,
    OTHER_HOST,
    QUANTUM,
    WEST,
    WEST_SIDE,
    WEST_SIDE_2,
    Node,
    Repeater,
    event,
    qci,
    qubit,
    sent,
)

MAC = WEST_SIDE.mac
TRACK = CircuitFrame(MY_MAC, MAC, WEST_SIDE.label, qci(Q.TRACK, 5, 50)).to_bytes()
PING = LinkFrame(MY_MAC, MAC, QciMessage(Q.PING, ProbeBody(1, 2, 3, -4)))
PAIR = event(D.PAIR, WEST_SIDE, qubit(WEST_SIDE, 6, (3, 4))).to_bytes()
QCI_AT = 26  # in a circuit frame
DEVICE_AT = 14

FEATURES = DeviceFeatures(1, 2, 1, 3, 4, 5, 6, 7, 8, 9)
LINK = LinkFeatures(1, 2, 3, LinkScheme.DOUBLE_CLICK, 0x090A, 25000, 5, 6, 7, 8)
TO_CONTROLLER = [
    DeviceFrame(D.DEVICE_FEATURES, 0xFF, FEATURES),
    DeviceFrame(D.LINK_FEATURES, 1, LINK),
    DeviceFrame(D.LINK_STATUS, 1, LinkControl(1, 100)),
]
EVENTS = [
    event(kind, WEST_SIDE, qubit(WEST_SIDE, 5, (3, 4), link2=1, seq2=9))
    for kind in (D.PAIR, D.SWAPPED, D.SWAP_FAILED, D.EXPIRED)
]
COMMANDS = [
    DeviceFrame(kind, 0, qubit(WEST_SIDE, 5))
    for kind in (D.SWAP, D.DELIVER, D.RELEASE, D.VOID, D.EXPIRE_CONFIRMED)
]
REQUESTS = [
    DeviceFrame(D.FEATURES_REQUEST, 0xFF, Transaction(1)),
    DeviceFrame(D.LINK_START, 0, LinkControl(1, 100)),
    DeviceFrame(D.LINK_STOP, 0, LinkControl(1, 100)),
    DeviceFrame(D.LINK_STATUS_REQUEST, 0, LinkControl(1, 100)),
]


@pytest.fixture
def node() -> Node:
    """West pair 5 was swapped with east pair 9: a TRACK that is let in leaves eastwards."""
    node = Node()
    node.program(7, Repeater(up=WEST_SIDE, down=EAST_SIDE))
    node.program(8, Repeater(up=WEST_SIDE_2, down=EAST_SIDE_2))
    node.device_reports(D.PAIR, WEST_SIDE, qubit(WEST_SIDE, 5))
    node.device_reports(D.PAIR, EAST_SIDE, qubit(EAST_SIDE, 9))
    body = qubit(EAST_SIDE, 9, link2=WEST_SIDE.link, seq2=5)
    node.device_reports(D.SWAPPED, EAST_SIDE, body)
    return node


def state(node: Node) -> list[bytes]:
    """Every record that these tests' messages could reach, and the rings of both circuits."""
    pairs = [link * 4096 + seq for link in range(4) for seq in range(12)]
    sides = [2 * circuit + side for circuit in (7, 8) for side in (0, 1)]
    places = {name: pairs for name in ("pair_identity", "pair_handle", "pair_peer", "pair_track")}
    places |= {"ring_ends": sides, "ring_pairs": [32 * side + n for side in sides for n in (0, 1)]}
    return [node.core.register_read(name, at) for name, some in places.items() for at in some]


def refused(node: Node, port: int, frames: list[bytes], reason: str) -> None:
    """Each frame is dropped for this reason and changes no register."""
    before = state(node)
    for count, frame in enumerate(frames, start=1):
        assert node.receives(port, frame) == [], frame.hex()
        assert node.drops() == {reason: count}, frame.hex()
    assert state(node) == before


def replaced(frame: bytes, offset: int, value: str) -> bytes:
    data = bytes.fromhex(value)
    return frame[:offset] + data + frame[offset + len(data) :]


def resealed(frame: bytes, label: int = WEST_SIDE.label) -> bytes:
    """A circuit frame with the checksum made right."""
    checksum = qci_checksum(label, frame[QCI_AT:])
    return frame[: QCI_AT + 4] + checksum.to_bytes(4, "big") + frame[QCI_AT + 8 :]


def test_the_frame_that_these_tests_damage_is_let_in_whole(node: Node) -> None:
    onward = sent(EAST_SIDE, qci(Q.TRACK, 9, 50), ttl=254)
    assert node.receives(WEST, TRACK) == [onward]
    assert node.receives(QUANTUM, PAIR) == []
    assert node.drops() == {}


# ---- QCI on a circuit ----


def test_padding_to_the_ethernet_minimum_is_ignored_and_does_not_travel(node: Node) -> None:
    onward = sent(EAST_SIDE, qci(Q.TRACK, 9, 50), ttl=254)
    for size in (47, 60):
        assert node.receives(WEST, TRACK.ljust(size, b"\0")) == [onward]


def test_every_flipped_bit_that_the_checksum_covers_is_refused(node: Node) -> None:
    """Flipping the label's last bit makes it circuit 8's: the checksum keeps it out of there."""
    assert WEST_SIDE.label ^ 1 == WEST_SIDE_2.label
    covered = [*range(8 * 14, 8 * 14 + 20), *range(8 * QCI_AT, 8 * len(TRACK))]
    before = state(node)
    whole = int.from_bytes(TRACK, "big")
    for bit in covered:
        damaged = (whole ^ 1 << (8 * len(TRACK) - 1 - bit)).to_bytes(len(TRACK), "big")
        assert node.receives(WEST, damaged) == [], f"bit {bit}"
    assert state(node) == before
    drops = node.drops()
    # Version, type and length are looked at first; an unknown label under a right checksum can't
    # come about by one bit.
    assert set(drops) == {"BAD_CHECKSUM", "QCI_MALFORMED"}
    assert sum(drops.values()) == len(covered)
    assert drops["QCI_MALFORMED"] <= 4 + 8 + 16


def test_a_truncated_message_is_refused(node: Node) -> None:
    refused(node, WEST, [TRACK[:size] for size in range(1, len(TRACK))], "PARSER_ERROR")


def test_an_overlong_message_is_refused(node: Node) -> None:
    sizes = (61, 64, 100, 1500)
    refused(node, WEST, [TRACK.ljust(size, b"\0") for size in sizes], "QCI_MALFORMED")


def test_a_wrong_version_type_length_or_flag_is_refused(node: Node) -> None:
    wrong = [
        *(replaced(TRACK, QCI_AT, f"{version:x}0") for version in range(16) if version != 1),
        *(
            replaced(TRACK, QCI_AT + 1, f"{kind:02x}")
            for kind in range(256)
            if kind not in (1, 2, 3, 4, 5, 6, 7)
        ),
        *(replaced(TRACK, QCI_AT + 2, f"{n:04x}") for n in (0, 8, 20, 23, 25, 52, 0x1800, 0xFFFF)),
        *(replaced(TRACK, QCI_AT, f"1{flags:x}") for flags in range(8, 16)),
    ]
    refused(node, WEST, [resealed(frame) for frame in wrong], "QCI_MALFORMED")


def test_reserved_flags_and_bits_are_ignored(node: Node) -> None:
    onward = sent(EAST_SIDE, qci(Q.TRACK, 9, 50), ttl=254)
    for frame in (
        replaced(TRACK, QCI_AT, "16"),
        replaced(TRACK, QCI_AT + 16, "3f"),
        replaced(TRACK, QCI_AT + 18, "ffff"),
    ):
        assert node.receives(WEST, resealed(frame)) == [onward]
    assert node.receives(WEST, replaced(TRACK, 23, "ff")) == [onward]  # of the channel header


def test_a_forged_checksum_is_refused(node: Node) -> None:
    forged = [replaced(TRACK, QCI_AT + 4, value) for value in ("00000000", "ffffffff")]
    elsewhere = resealed(TRACK, WEST_SIDE_2.label)
    refused(node, WEST, [*forged, elsewhere, resealed(TRACK, 0)], "BAD_CHECKSUM")


@pytest.mark.parametrize("ttl", [0, 1])
def test_a_used_up_ttl_is_refused(node: Node, ttl: int) -> None:
    refused(node, WEST, [replaced(TRACK, 17, f"{ttl:02x}")], "TTL")


def test_an_unknown_label_or_a_wrong_port_is_refused(node: Node) -> None:
    frame = CircuitFrame(MY_MAC, MAC, 999, qci(Q.TRACK, 5, 50)).to_bytes()
    refused(node, WEST, [frame], "UNKNOWN_LABEL")
    for port in (NORTH, HOST, QUANTUM):
        before = node.drops()["UNKNOWN_LABEL"]
        assert node.receives(port, TRACK) == []
        assert node.drops() == {"UNKNOWN_LABEL": before + 1}


def test_a_label_without_a_circuit_is_refused(node: Node) -> None:
    node.add("label_in", [WEST, 500], "set_circuit", 77, 1, 0)
    frame = CircuitFrame(MY_MAC, MAC, 500, qci(Q.TRACK, 5, 50)).to_bytes()
    refused(node, WEST, [frame], "UNKNOWN_CIRCUIT")


def test_a_circuit_without_an_adjacency_sends_nothing(node: Node) -> None:
    node.add("label_in", [NORTH, 500], "set_circuit", 9, 2, 0)
    node.add("circuit", [9], "end_node", QUANTUM, 2, 2, NORTH, 92, 0, 0, 0, 0, 0, 0, 0)
    for message in (qci(Q.EXPIRE, 5, 50), qci(Q.TRACK, 5, 50)):  # the TRACK finds its pair dead
        frame = CircuitFrame(MY_MAC, MAC, 500, message).to_bytes()
        assert node.receives(NORTH, frame) == []
    assert node.drops() == {"UNKNOWN_CIRCUIT": 1}


def test_probes_on_a_circuit_and_pair_messages_on_a_link_are_refused(node: Node) -> None:
    probe = QciMessage(Q.PING, ProbeBody(1, 2, 3, 4))
    on_circuit = CircuitFrame(MY_MAC, MAC, WEST_SIDE.label, probe).to_bytes()
    on_link = LinkFrame(MY_MAC, MAC, qci(Q.TRACK, 5, 50)).to_bytes()
    refused(node, WEST, [on_circuit, on_link], "QCI_MALFORMED")


@pytest.mark.parametrize(
    ("offset", "value"),
    [(22, "00"), (22, "20"), (22, "11"), (24, "7ff9"), (24, "0021")],
    ids=["nibble 0", "nibble 2", "version 1", "another experiment", "IPv4 channel"],
)
def test_another_channel_is_not_taken_for_ours(node: Node, offset: int, value: str) -> None:
    refused(node, WEST, [replaced(TRACK, offset, value)], "UNKNOWN_LABEL")


# ---- QCI on a link ----


@pytest.mark.parametrize("port", [WEST, NORTH])
def test_a_ping_is_answered_on_the_spot(node: Node, port: int) -> None:
    pong = LinkFrame(PING.src, PING.dst, QciMessage(Q.PONG, PING.message.body))
    assert node.receives(port, PING) == [(port, pong)]


@pytest.mark.parametrize("kind", [Q.HELLO, Q.PONG])
def test_hello_and_pong_go_to_the_controller(node: Node, kind: Q) -> None:
    frame = LinkFrame(MY_MAC, MAC, QciMessage(kind, PING.message.body))
    header = PacketIn(NORTH, PacketInReason.LINK_QCI)
    assert node.receives(NORTH, frame) == [(CPU, (header, frame))]


@pytest.mark.parametrize("kind", [Q.HELLO, Q.PING, Q.PONG])
@pytest.mark.parametrize("port", [HOST, QUANTUM, 77])
def test_a_probe_from_elsewhere_than_a_neighbour_is_refused(node: Node, kind: Q, port: int) -> None:
    frame = LinkFrame(MY_MAC, MAC, QciMessage(kind, PING.message.body))
    refused(node, port, [frame.to_bytes()], "QCI_PORT")


def test_a_damaged_probe_is_refused(node: Node) -> None:
    whole = PING.to_bytes()
    refused(node, WEST, [replaced(whole, 37, "00")], "BAD_CHECKSUM")
    assert node.receives(WEST, replaced(whole, 14, "20")) == []
    assert node.receives(WEST, whole.ljust(61, b"\0")) == []
    for size in range(1, len(whole)):
        assert node.receives(WEST, whole[:size]) == []
    expected = {"BAD_CHECKSUM": 1, "QCI_MALFORMED": 2, "PARSER_ERROR": len(whole) - 1}
    assert node.drops() == expected


# ---- device frames ----


@pytest.mark.parametrize("port", [HOST, OTHER_HOST, WEST, NORTH, 77])
def test_a_device_frame_from_another_port_changes_nothing(node: Node, port: int) -> None:
    frames = [*TO_CONTROLLER, *EVENTS, *COMMANDS, *REQUESTS]
    refused(node, port, [frame.to_bytes() for frame in frames], "DEVICE_PORT")


@pytest.mark.parametrize("frame", TO_CONTROLLER, ids=lambda frame: frame.type.name)
def test_what_the_controller_asked_for_goes_to_it(node: Node, frame: DeviceFrame) -> None:
    header = PacketIn(QUANTUM, PacketInReason.DEVICE_FRAME)
    assert node.receives(QUANTUM, frame) == [(CPU, (header, frame))]


@pytest.mark.parametrize("frame", COMMANDS + REQUESTS, ids=lambda frame: frame.type.name)
def test_the_device_can_not_send_commands(node: Node, frame: DeviceFrame) -> None:
    refused(node, QUANTUM, [frame.to_bytes()], "DEVICE_MALFORMED")


def test_a_device_frame_of_wrong_version_type_link_or_size_is_refused(node: Node) -> None:
    taken = {1, 2, 3, 4, 0x10, 0x42, 0x43, 0x47, *range(0x50, 0x60)}
    types = [kind for kind in range(256) if kind not in taken]
    wrong = [
        *(replaced(PAIR, DEVICE_AT, f"{version:x}0") for version in range(16) if version != 1),
        *(replaced(PAIR, DEVICE_AT + 1, f"{kind:02x}") for kind in types),
        *(replaced(PAIR, DEVICE_AT + 2, f"{link:02x}") for link in (32, 64, 0xFF)),
        PAIR.ljust(61, b"\0"),
    ]
    refused(node, QUANTUM, wrong, "DEVICE_MALFORMED")


def test_a_truncated_device_frame_is_refused(node: Node) -> None:
    refused(node, QUANTUM, [PAIR[:size] for size in range(1, len(PAIR))], "PARSER_ERROR")


def test_a_padded_device_frame_is_let_in(node: Node) -> None:
    node.receives(QUANTUM, PAIR.ljust(60, b"\0"))
    swap = node.device_reports(D.PAIR, EAST_SIDE, qubit(EAST_SIDE, 10, (1, 1)))
    assert [frame.type for _, frame in swap if isinstance(frame, DeviceFrame)] == [D.SWAP]


def test_an_event_under_a_label_that_the_link_does_not_have_is_refused(node: Node) -> None:
    frames = [
        event(D.PAIR, WEST_SIDE, qubit(EAST_SIDE, 5)).to_bytes(),
        replaced(PAIR, DEVICE_AT + 2, "1f"),
    ]
    refused(node, QUANTUM, frames, "DEVICE_LABEL")


def test_a_swap_with_a_qubit_of_another_link_is_refused(node: Node) -> None:
    frames = [
        event(kind, EAST_SIDE, qubit(EAST_SIDE, 9, link2=link2, seq2=5)).to_bytes()
        for kind in (D.SWAPPED, D.SWAP_FAILED)
        for link2 in (EAST_SIDE.link, 2, 32, 255)
    ]
    refused(node, QUANTUM, frames, "DEVICE_MALFORMED")


def test_an_event_whose_link_is_not_the_circuits_is_refused(node: Node) -> None:
    node.add("pair_in", [3, 100], "set_circuit", 7, 2, 0)
    frame = event(D.PAIR, WEST_SIDE, qubit(WEST_SIDE, 6)).to_bytes()
    refused(node, QUANTUM, [replaced(frame, DEVICE_AT + 2, "03")], "DEVICE_MALFORMED")


# ---- the controller's port ----


@pytest.mark.parametrize("port", [HOST, WEST, QUANTUM])
@pytest.mark.parametrize(
    "packet",
    [REQUESTS[0].to_bytes(), PING.to_bytes(), TRACK, b"", b"x", bytes(range(200))],
    ids=["device", "probe", "track", "empty", "one byte", "anything"],
)
def test_a_packet_out_leaves_as_it_is(node: Node, port: int, packet: bytes) -> None:
    before = state(node)
    outputs = node.core.process(CPU, PacketOut(port).to_bytes() + packet, 0)
    assert outputs == [(port, packet)]
    assert state(node) == before
    assert node.drops() == {}


def test_a_packet_out_without_its_header_is_dropped(node: Node) -> None:
    refused(node, CPU, [b"\1\2\3"], "PARSER_ERROR")
