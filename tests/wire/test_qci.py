"""QCI messages: golden bytes, round trips, refusals, what the checksum detects."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qplane.wire import (
    BellIndex,
    CircuitFrame,
    CircuitPingBody,
    CircuitRole,
    ExpireReason,
    LinkFrame,
    PairBody,
    ProbeBody,
    QciFlag,
    QciMessage,
    QciType,
    WireError,
    qci_checksum,
)

from .strategies import (
    circuit_frames,
    circuit_types,
    labels,
    link_frames,
    link_types,
    messages,
    nibbles,
)

DST = 0x0A0B0C0D0E0F
SRC = 0x020000000001


def plain_crc32(data: bytes) -> int:
    """CRC-32 bit by bit, as IEEE 802.3 has it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


PAIR_CASES = [
    (
        QciMessage(QciType.TRACK, PairBody(0x01020304, 0xFFFFFFFF, BellIndex.PSI_MINUS)),
        "1001 0018",
        "01020304 ffffffff c0 00 0000 00000000",
    ),
    (
        QciMessage(
            QciType.EXPIRE,
            PairBody(1, 2, reason=ExpireReason.SWAP_FAILED),
            QciFlag.ACK_REQUESTED,
        ),
        "1102 0018",
        "00000001 00000002 00 02 0000 00000000",
    ),
    (
        QciMessage(QciType.EXPIRE_ACK, PairBody(7, 8)),
        "1003 0018",
        "00000007 00000008 00 00 0000 00000000",
    ),
    (
        QciMessage(QciType.TRACK, PairBody(7, 8, remaining_us=0x01020304)),
        "1001 0018",
        "00000007 00000008 00 00 0000 01020304",
    ),
    (
        QciMessage(QciType.DISTIL, PairBody(7, 8, BellIndex(1)), QciFlag.ACK_REQUESTED),
        "1107 0018",
        "00000007 00000008 40 00 0000 00000000",
    ),
    (
        QciMessage(QciType.CORRECTION, PairBody(7, 8, BellIndex.PSI_PLUS)),
        "1005 0018",
        "00000007 00000008 80 00 0000 00000000",
    ),
    (
        QciMessage(
            QciType.CIRCUIT_PONG,
            CircuitPingBody(1, -1, 2, 3, 4, CircuitRole.REPEATER, 5, 6, 7, 8, 9, 10, 11, 12, 13),
            QciFlag.SAMPLE,
        ),
        "1209 0034",
        "00000001 ffffffffffffffff 00000002 0003 04 01 00000005 0006 0007 08 09 0000"
        "0000000a 0000000b 000c 000d",
    ),
]
PROBE_CASES = [
    (QciMessage(QciType.HELLO, ProbeBody(1, 2, 3, 4)), "1010 0018"),
    (QciMessage(QciType.PING, ProbeBody(1, 2, 3, 4)), "1011 0018"),
    (QciMessage(QciType.PONG, ProbeBody(1, 2, 3, 4)), "1012 0018"),
]
PROBE_BODY = "00000001 0002 0003 0000000000000004"


@pytest.mark.parametrize(("message", "header", "body"), PAIR_CASES)
def test_golden_message_on_a_circuit(message: QciMessage, header: str, body: str) -> None:
    covered = nibbles("12345 000" + header + body)
    frame = nibbles(
        "0a0b0c0d0e0f 020000000001 8847"  # Ethernet
        "12345 c 3f"  # label, tc 6, s 0, ttl 63
        "0000d 1 01"  # GAL
        "1000 7ff8" + header + f"{plain_crc32(covered):08x}" + body
    )
    expected = CircuitFrame(DST, SRC, 0x12345, message, ttl=63, tc=6)
    assert expected.to_bytes() == frame
    assert CircuitFrame.from_bytes(frame) == expected


@pytest.mark.parametrize(("message", "header"), PROBE_CASES)
def test_golden_message_on_a_link(message: QciMessage, header: str) -> None:
    covered = nibbles("00000000" + header + PROBE_BODY)
    frame = nibbles(
        "0a0b0c0d0e0f 020000000001 88b5" + header + f"{plain_crc32(covered):08x}" + PROBE_BODY
    )
    expected = LinkFrame(DST, SRC, message)
    assert expected.to_bytes() == frame
    assert LinkFrame.from_bytes(frame) == expected


def test_the_checksum_of_one_message_as_a_literal() -> None:
    message = QciMessage(QciType.TRACK, PairBody(5, 6, BellIndex.PSI_PLUS))
    assert message.to_bytes(16).hex() == "10010018c3d9922900000005000000068000000000000000"


@given(circuit_frames, st.booleans())
def test_round_trip_on_a_circuit(frame: CircuitFrame, padded: bool) -> None:
    data = frame.to_bytes()
    assert len(data) == 34 + frame.message.body.LAYOUT.size
    padded = padded and len(data) < 60
    assert CircuitFrame.from_bytes(data.ljust(60, b"\0") if padded else data) == frame


@given(link_frames, st.booleans())
def test_round_trip_on_a_link(frame: LinkFrame, padded: bool) -> None:
    data = frame.to_bytes()
    assert len(data) == 14 + 8 + frame.message.body.LAYOUT.size
    assert LinkFrame.from_bytes(data.ljust(60, b"\0") if padded else data) == frame


def detected_errors(label: int, data: bytes, label_bits: int, flips: int) -> tuple[int, int]:
    """(errors tried, errors detected): all of ``flips`` wrong bits in label, message, checksum."""
    size = 8 * len(data)
    whole = label << size | int.from_bytes(data, "big")
    tried = detected = 0
    for places in combinations(range(size + label_bits), flips):
        damaged = whole
        for place in places:
            damaged ^= 1 << place
        message = (damaged & ((1 << size) - 1)).to_bytes(len(data), "big")
        tried += 1
        detected += qci_checksum(damaged >> size, message) != int.from_bytes(message[4:8], "big")
    return tried, detected


@pytest.mark.parametrize("flips", [1, 2])
@pytest.mark.parametrize(
    ("label", "label_bits", "message"),
    [(0x5A5A5, 20, PAIR_CASES[0][0]), (0, 0, PROBE_CASES[1][0])],
    ids=["circuit", "link"],
)
def test_the_checksum_detects_all_errors_of_one_or_two_bits(
    label: int, label_bits: int, message: QciMessage, flips: int
) -> None:
    tried, detected = detected_errors(label, message.to_bytes(label), label_bits, flips)
    bits = label_bits + 8 * len(message.to_bytes(label))
    assert tried == (bits if flips == 1 else bits * (bits - 1) // 2)
    assert detected == tried


@given(messages(circuit_types), labels, labels)
def test_a_message_does_not_pass_under_another_label(
    message: QciMessage, label: int, other: int
) -> None:
    data = message.to_bytes(label)
    if other != label:  # CRC-32 maps the 2^20 labels one to one
        with pytest.raises(WireError, match="checksum"):
            QciMessage.from_bytes(data, other)


@given(messages(circuit_types | link_types), labels, st.integers(0, 31))
def test_a_truncated_or_overlong_message_is_refused(
    message: QciMessage, label: int, size: int
) -> None:
    data = message.to_bytes(label)
    changed = data[:size].ljust(size, b"\0")
    if len(changed) != len(data):
        with pytest.raises(WireError):
            QciMessage.from_bytes(changed, label)


def rebuilt(data: bytes, offset: int, value: bytes, label: int) -> bytes:
    """A message with bytes replaced and its checksum made right again."""
    changed = data[:offset] + value + data[offset + len(value) :]
    return changed[:4] + qci_checksum(label, changed).to_bytes(4, "big") + changed[8:]


@pytest.mark.parametrize(
    ("offset", "value", "field"),
    [
        (0, "00", "version"),
        (0, "20", "version"),
        (0, "18", "flags"),  # the authentication flag
        (1, "00", "type"),
        (1, "0a", "type"),
        (1, "ff", "type"),
        (1, "08", "length"),  # a CIRCUIT_PING of 24 bytes
        (2, "0013", "length"),
        (2, "0014", "length"),
        (17, "07", "reason"),
    ],
)
def test_a_message_with_a_right_checksum_and_a_wrong_field_is_refused(
    offset: int, value: str, field: str
) -> None:
    data = QciMessage(QciType.TRACK, PairBody(1, 1)).to_bytes(16)
    with pytest.raises(WireError) as caught:
        QciMessage.from_bytes(rebuilt(data, offset, nibbles(value), 16), 16)
    assert caught.value.field == field


def test_reserved_bits_are_ignored_but_covered_by_the_checksum() -> None:
    message = QciMessage(QciType.TRACK, PairBody(1, 1, BellIndex.PSI_PLUS))
    data = message.to_bytes(16)
    assert QciMessage.from_bytes(rebuilt(data, 16, b"\xbf", 16), 16) == message
    with pytest.raises(WireError, match="checksum"):
        QciMessage.from_bytes(data[:16] + b"\xbf" + data[17:], 16)


def test_a_body_of_the_other_kind_is_refused() -> None:
    with pytest.raises(WireError, match="QCI TRACK: body"):
        QciMessage(QciType.TRACK, ProbeBody(1, 2, 3, 4))
    with pytest.raises(WireError, match="QCI PING: body"):
        QciMessage(QciType.PING, PairBody(1, 2))


@pytest.mark.parametrize(
    ("offset", "value", "field"),
    [
        (12, "0800", "ethertype"),
        (16, "01", "label stack"),  # s = 1 in the circuit's entry
        (18, "0000e1", "label stack"),  # label 14
        (20, "d0", "label stack"),  # s = 0 in the GAL
        (22, "00", "nibble"),
        (22, "11", "version"),
        (24, "7ff9", "channel_type"),
    ],
)
def test_a_frame_of_another_kind_is_refused(offset: int, value: str, field: str) -> None:
    message = QciMessage(QciType.TRACK, PairBody(1, 1))
    data = bytearray(CircuitFrame(DST, SRC, 16, message).to_bytes())
    data[offset : offset + len(value) // 2] = nibbles(value)
    with pytest.raises(WireError) as caught:
        CircuitFrame.from_bytes(bytes(data))
    assert caught.value.field == field


@given(circuit_frames, st.integers(0, 200))
def test_a_frame_of_a_wrong_size_is_refused(frame: CircuitFrame, size: int) -> None:
    data = frame.to_bytes().ljust(size, b"\0")[:size]
    if not 46 <= size <= 60:
        with pytest.raises(WireError):
            CircuitFrame.from_bytes(data)


@pytest.mark.parametrize("label", [0, 13, 15, 2**20])
def test_a_special_purpose_label_is_no_circuit(label: int) -> None:
    with pytest.raises(WireError, match="label"):
        CircuitFrame(DST, SRC, label, QciMessage(QciType.TRACK, PairBody(1, 1)))


def test_a_circuit_frame_is_no_link_frame() -> None:
    frame = CircuitFrame(DST, SRC, 16, QciMessage(QciType.TRACK, PairBody(1, 1)))
    with pytest.raises(WireError, match="ethertype"):
        LinkFrame.from_bytes(frame.to_bytes())


def test_frames_compose_by_exclusive_or() -> None:
    for left in BellIndex:
        for right in BellIndex:
            assert left.compose(right) == left ^ right
    assert BellIndex.PHI_MINUS.compose(BellIndex.PSI_PLUS) is BellIndex.PSI_MINUS
