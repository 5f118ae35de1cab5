"""Every message of qplane.wire: what no sender can mean is refused with a line that names it."""

import dataclasses
import importlib
import pkgutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qplane.wire
from qplane.wire import WireError
from qplane.wire.layout import Record

from .strategies import records

for module in pkgutil.iter_modules(qplane.wire.__path__):
    importlib.import_module(f"qplane.wire.{module.name}")

RECORDS = sorted(
    (r for r in Record.__subclasses__() if "LAYOUT" in vars(r)), key=lambda r: r.__name__
)
WRONG = {
    "low": -(2**63) - 1,
    "high": 2**4096,
    "half": 0.5,
    "text": "1",
    "none": None,
    "bytes": b"1",
}
few = settings(max_examples=5)  # which message it is matters little
each_record = pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)


def test_there_are_messages():
    assert len(RECORDS) > 25


@each_record
@few
@given(data=st.data())
def test_a_length_that_is_not_the_messages(record, data):
    message = data.draw(records(record))
    packet = message.to_bytes()
    assert record.from_bytes(packet) == message
    for wrong in (*(packet[:size] for size in range(len(packet))), packet + b"\0"):
        with pytest.raises(WireError, match=f"size is {len(wrong)}, expected {len(packet)}"):
            record.from_bytes(wrong)


@each_record
@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
@few
@given(data=st.data())
def test_a_value_that_a_field_can_not_carry(record, value, data):
    message = data.draw(records(record))
    for field in dataclasses.fields(record):
        with pytest.raises(WireError, match=field.name):
            dataclasses.replace(message, **{field.name: value}).to_bytes()


@each_record
@given(data=st.data())
def test_any_bytes_are_read_or_refused(record, data):
    size = record.LAYOUT.size
    packet = data.draw(st.binary(min_size=size, max_size=size))
    try:
        message = record.from_bytes(packet)
    except WireError:
        return
    assert record.from_bytes(message.to_bytes()) == message
