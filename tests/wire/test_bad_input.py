"""Every message of qplane.wire: what no sender can mean is refused with a line that names it."""

import dataclasses
import importlib
import pkgutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

import qplane.wire
from qplane.wire import WireError
from qplane.wire.layout import Record

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
each_record = pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)


def least(record):
    """A message of the lowest values that its fields take."""
    rows = {row.name: row for row in record.LAYOUT.fields}
    fields = {}
    for field in dataclasses.fields(record):
        row = rows[field.name]
        fields[field.name] = next(iter(row.values)) if row.values else max(row.low, 0)
    return record(**fields)


def test_there_are_messages():
    assert len(RECORDS) > 25


@each_record
def test_a_length_that_is_not_the_messages(record):
    data = least(record).to_bytes()
    assert record.from_bytes(data) == least(record)
    for wrong in (*(data[:size] for size in range(len(data))), data + b"\0"):
        with pytest.raises(WireError, match=f"size is {len(wrong)}, expected {len(data)}"):
            record.from_bytes(wrong)


@each_record
@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
def test_a_value_that_a_field_can_not_carry(record, value):
    for field in dataclasses.fields(record):
        with pytest.raises(WireError, match=field.name):
            dataclasses.replace(least(record), **{field.name: value}).to_bytes()


@each_record
@given(data=st.data())
def test_any_bytes_are_read_or_refused(record, data):
    size = len(least(record).to_bytes())
    packet = data.draw(st.binary(min_size=size, max_size=size))
    try:
        message = record.from_bytes(packet)
    except WireError:
        return
    assert record.from_bytes(message.to_bytes()) == message
