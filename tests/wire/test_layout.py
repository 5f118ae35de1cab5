"""Bit tables: packing, reading, refusals."""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qplane.wire import WireError
from qplane.wire.layout import Layout, Record, clock_ps, duration_ps, enum, fixed, uint


class Colour(IntEnum):
    RED = 1
    BLUE = 4


@dataclass(frozen=True, slots=True)
class Sample(Record):
    LAYOUT: ClassVar = Layout(
        "sample",
        fixed("version", 4, 5),
        uint("reserved", 3),
        uint("small", 9),
        enum("colour", 8, Colour),
        clock_ps("clock"),
        duration_ps("span"),
        uint("pad", 8),
    )
    small: int
    colour: Colour
    clock: int = 0
    span: int = 0


def test_fields_are_packed_most_significant_bit_first() -> None:
    data = Sample(0x101, Colour.BLUE, clock=-2, span=3).to_bytes()
    assert data == bytes.fromhex("5101 04 fffffffffffffffe 0000000000000003 00")


def test_reserved_bits_are_ignored_on_receipt() -> None:
    data = bytes.fromhex("5f01 04 fffffffffffffffe 0000000000000003 ff")
    assert Sample.from_bytes(data) == Sample(0x101, Colour.BLUE, clock=-2, span=3)


@given(
    st.integers(0, 511),
    st.sampled_from(Colour),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**63 - 1),
)
def test_round_trip(small: int, colour: Colour, clock: int, span: int) -> None:
    sample = Sample(small, colour, clock, span)
    back = Sample.from_bytes(sample.to_bytes())
    assert back == sample
    assert isinstance(back.colour, Colour)


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"small": 512}, "small", "an integer from 0 to 511"),
        ({"small": -1}, "small", "an integer from 0 to 511"),
        ({"small": 1.0}, "small", "an integer from 0 to 511"),
        ({"colour": 3}, "colour", "one of 1 RED, 4 BLUE"),
        ({"clock": 2**63}, "clock", f"an integer from {-(2**63)} to {2**63 - 1}"),
        ({"span": -1}, "span", f"an integer from 0 to {2**63 - 1}"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_when_made(
    changes: dict[str, int], field: str, expected: str
) -> None:
    values: dict[str, int] = {"small": 0, "colour": Colour.RED} | changes
    with pytest.raises(WireError) as caught:
        Sample(**values)  # type: ignore[arg-type]
    assert (caught.value.message, caught.value.field) == ("sample", field)
    assert caught.value.value == changes[field]
    assert caught.value.expected == expected
    assert str(caught.value) == f"sample: {field} is {changes[field]!r}, expected {expected}"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("4101 04 0000000000000000 0000000000000000 00", "version"),
        ("5101 03 0000000000000000 0000000000000000 00", "colour"),
        ("5101 04 0000000000000000 8000000000000000 00", "span"),
        ("5101 04 0000000000000000 0000000000000000", "size"),
        ("5101 04 0000000000000000 0000000000000000 0000", "size"),
        ("", "size"),
    ],
)
def test_bytes_that_are_not_a_record_are_refused(text: str, field: str) -> None:
    with pytest.raises(WireError) as caught:
        Sample.from_bytes(bytes.fromhex(text))
    assert caught.value.field == field


def test_a_table_of_broken_bytes_can_not_be_declared() -> None:
    with pytest.raises(ValueError, match="odd: 3 bits are left over"):
        Layout("odd", uint("a", 11))
