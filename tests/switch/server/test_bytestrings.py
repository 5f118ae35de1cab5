"""Byte strings: the specification's tables of valid and invalid encodings, and round trips."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qplane.switch import bytestrings
from qplane.switch.errors import Code, StatusError


@pytest.mark.parametrize(
    ("bitwidth", "text", "value"),
    [
        (8, b"\x63", 99), (16, b"\x00\x63", 99), (16, b"\x63", 99), (16, b"\x30\x64", 12388),
        (16, b"\x00\x30\x64", 12388), (12, b"\x00\x63", 99), (12, b"\x63", 99),
        (12, b"\x00\x00\x63", 99), (1, b"\x01", 1), (9, b"\x01\xff", 511),
    ],
)  # fmt: skip
def test_valid_unsigned_encodings_of_the_specification(
    bitwidth: int, text: bytes, value: int
) -> None:
    decoded = bytestrings.decode(text, bitwidth, "x")
    assert decoded == value.to_bytes((bitwidth + 7) // 8, "big")


@pytest.mark.parametrize(
    ("bitwidth", "text", "value"),
    [
        (8, b"\x63", 99), (8, b"\x9d", -99), (8, b"\xff\x9d", -99), (12, b"\xfd\x1d", -739),
        (16, b"\x00\x00", 0), (16, b"\x00", 0), (1, b"\xff", -1),
    ],
)  # fmt: skip
def test_valid_signed_encodings_of_the_specification(
    bitwidth: int, text: bytes, value: int
) -> None:
    decoded = int.from_bytes(bytestrings.decode_signed(text, bitwidth, "x"), "big")
    assert decoded == value & ((1 << bitwidth) - 1)


@pytest.mark.parametrize(
    ("bitwidth", "text"),
    [
        (8, b"\x01\x63"), (8, b""), (16, b"\x01\x00\x63"), (12, b"\x10\x63"),
        (12, b"\x01\x00\x63"), (12, b"\x00\x40\x63"), (9, b"\x02\x00"),
    ],
)  # fmt: skip
def test_invalid_unsigned_encodings_are_out_of_range(bitwidth: int, text: bytes) -> None:
    with pytest.raises(StatusError) as caught:
        bytestrings.decode(text, bitwidth, "x")
    assert caught.value.code == Code.OUT_OF_RANGE


@pytest.mark.parametrize(("bitwidth", "text"), [(8, b"\x00\x9d"), (12, b"\x8d\x1d"), (16, b"")])
def test_invalid_signed_encodings_are_out_of_range(bitwidth: int, text: bytes) -> None:
    with pytest.raises(StatusError) as caught:
        bytestrings.decode_signed(text, bitwidth, "x")
    assert caught.value.code == Code.OUT_OF_RANGE


@given(data=st.data(), bitwidth=st.integers(1, 200), zeros=st.integers(0, 5))
def test_any_unsigned_value_survives_with_any_leading_zeros(
    data: st.DataObject, bitwidth: int, zeros: int
) -> None:
    value = data.draw(st.integers(0, (1 << bitwidth) - 1))
    shortest = value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
    decoded = bytestrings.decode(bytes(zeros) + shortest, bitwidth, "x")
    assert len(decoded) == (bitwidth + 7) // 8
    assert bytestrings.encode(decoded) == shortest


@given(bitwidth=st.integers(1, 200), excess=st.integers(0, 1 << 64))
def test_any_value_beyond_the_width_is_refused(bitwidth: int, excess: int) -> None:
    value = (1 << bitwidth) + excess
    with pytest.raises(StatusError):
        bytestrings.decode(value.to_bytes((value.bit_length() + 7) // 8, "big"), bitwidth, "x")


@given(data=st.data(), bitwidth=st.integers(1, 200), extra=st.integers(0, 5))
def test_any_signed_value_survives_with_any_sign_extension(
    data: st.DataObject, bitwidth: int, extra: int
) -> None:
    value = data.draw(st.integers(-(1 << (bitwidth - 1)), (1 << (bitwidth - 1)) - 1))
    length = (value if value >= 0 else ~value).bit_length() // 8 + 1
    shortest = value.to_bytes(length, "big", signed=True)
    decoded = bytestrings.decode_signed(
        value.to_bytes(length + extra, "big", signed=True), bitwidth, "x"
    )
    assert len(decoded) == (bitwidth + 7) // 8
    assert bytestrings.encode_signed(decoded, bitwidth) == shortest
