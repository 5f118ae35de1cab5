"""Link-layer service messages: sizes and bits of draft-dahlberg-ll-quantum-03, refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qplane.wire import WireError
from qplane.wire.layout import Record
from qplane.wire.service import (
    Ack,
    Basis,
    Create,
    Err,
    OkKeep,
    OkMeasure,
    RandomBasis,
    RequestType,
    ServiceError,
    TimeUnit,
    decode_fidelity,
    encode_fidelity,
    parse_answer,
)

from .strategies import nibbles

CREATE = Create(
    remote_node_id=0x0A000002,
    min_fidelity=encode_fidelity(0.8),
    time_unit=TimeUnit.MILLISECOND,
    max_time=0x1234,
    purpose_id=0xBEEF,
    number=10,
    priority=5,
    request_type=RequestType.MEASURE,
    atomic=0,
    consecutive=1,
    random_basis_local=RandomBasis.XZ,
    random_basis_remote=RandomBasis.CHSH,
    probability_local_1=1,
    probability_local_2=2,
    probability_remote_1=3,
    probability_remote_2=4,
    rotation_local_x1=5,
    rotation_local_y=6,
    rotation_local_x2=7,
    rotation_remote_x1=8,
    rotation_remote_y=9,
    rotation_remote_x2=10,
)
GOLDEN = [
    # min_fidelity 0.8 is 52428 = cccc; 01 and 14 bits of 1234 are 5234; 101 1 0 1 01 11 and 6
    # reserved bits are b5c0.
    (CREATE, "0a000002 cccc 5234 beef 000a b5c0 01020304 05060708090a"),
    (Ack(0xABCD), "1 abcd 000"),
    (
        OkKeep(0xABCD, 0xF, 1, 0x0102, 0x0304, 0x0A000001, 0xCCCC, 0x0506),
        "2 abcd f 80 0102 0304 0a000001 cccc 0506",
    ),
    # outcome 1, directionality 0, basis 010, seven reserved bits: 1001 0000 0000
    (
        OkMeasure(0xABCD, 1, 0, Basis.Y, 0x0102, 0x0304, 0x0A000001, 0xCCCC),
        "3 abcd 900 0102 0304 0a000001 cccc 0000",
    ),
    (
        Err(0xABCD, ServiceError.EXPIRE, 1, 3, 9, 0x0A000001),
        "4 abcd 5 80 0003 0009 0a000001",
    ),
]


@pytest.mark.parametrize(("message", "digits"), GOLDEN)
def test_golden_bytes(message: Record, digits: str) -> None:
    data = nibbles(digits)
    assert message.to_bytes() == data
    assert type(message).from_bytes(data) == message


@pytest.mark.parametrize(
    ("kind", "size"), [(Create, 24), (Ack, 4), (OkKeep, 16), (OkMeasure, 16), (Err, 12)]
)
def test_sizes_are_those_of_the_draft(kind: type[Record], size: int) -> None:
    assert kind.LAYOUT.size == size


@pytest.mark.parametrize(("message", "digits"), GOLDEN)
def test_truncated_and_over_long_messages_are_refused(message: Record, digits: str) -> None:
    data = nibbles(digits)
    for wrong in (*(data[:n] for n in range(len(data))), data + b"\0"):
        with pytest.raises(WireError, match=r"size"):
            type(message).from_bytes(wrong)


@pytest.mark.parametrize(("message", "digits"), GOLDEN)
def test_reserved_bits_are_ignored_on_receipt(message: Record, digits: str) -> None:
    word = int.from_bytes(nibbles(digits), "big")
    layout = message.LAYOUT
    shift = 8 * layout.size
    for field in layout.fields:
        shift -= field.bits
        if field.is_reserved:
            word |= ((1 << field.bits) - 1) << shift
    assert type(message).from_bytes(word.to_bytes(layout.size, "big")) == message


@pytest.mark.parametrize(("message", "digits"), GOLDEN[1:])
def test_answers_are_told_apart_by_their_type(message: Record, digits: str) -> None:
    assert parse_answer(nibbles(digits)) == message


@pytest.mark.parametrize("first", [b"", b"\x00", b"\x5f", b"\xf0"])
def test_an_unknown_type_is_refused(first: bytes) -> None:
    with pytest.raises(WireError, match="type"):
        parse_answer(first + bytes(3) if first else b"")


def test_a_time_unit_that_the_draft_does_not_have_is_refused() -> None:
    data = bytearray(CREATE.to_bytes())
    data[6] |= 0xC0
    with pytest.raises(WireError, match="time_unit"):
        Create.from_bytes(bytes(data))


@given(st.integers(0, 65535))
def test_fidelities_round_trip(value: int) -> None:
    assert encode_fidelity(decode_fidelity(value)) == value


@pytest.mark.parametrize("fidelity", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_fidelity_outside_0_to_1_is_refused(fidelity: float) -> None:
    with pytest.raises(WireError, match="min_fidelity"):
        encode_fidelity(fidelity)


@given(st.binary(min_size=24, max_size=24))
def test_whatever_create_reads_it_writes_again(data: bytes) -> None:
    try:
        message = Create.from_bytes(data)
    except WireError:
        return
    again = message.to_bytes()
    assert Create.from_bytes(again) == message
    reserved = int("3f", 16)
    expected = bytearray(data)
    expected[13] &= 0xFF & ~reserved
    assert again == bytes(expected)
