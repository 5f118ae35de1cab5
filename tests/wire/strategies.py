"""Golden bytes as text, and hypothesis strategies: any record, any message, any frame."""

from collections.abc import Sequence
from enum import IntEnum
from typing import TypeVar

from hypothesis import strategies as st

from qplane.wire import (
    BellIndex,
    CircuitFrame,
    DeviceFlag,
    DeviceFrame,
    DeviceType,
    LinkFrame,
    QciFlag,
    QciMessage,
    QciType,
)
from qplane.wire import device as device_module
from qplane.wire import qci as qci_module
from qplane.wire.layout import Field, Record

RecordT = TypeVar("RecordT", bound=Record)

macs = st.integers(0, 2**48 - 1)
labels = st.integers(16, 2**20 - 1)
circuit_types = st.sampled_from(
    [
        member
        for member, body in qci_module.BODIES.items()
        if body in (qci_module.PairBody, qci_module.CircuitPingBody)
    ]
)
link_types = st.sampled_from([member for member in QciType if member >= QciType.HELLO])


def nibbles(text: str) -> bytes:
    """Bytes from hexadecimal digits with blanks anywhere, so that fields can be told apart."""
    return bytes.fromhex(text.replace(" ", ""))


def _values(field: Field) -> st.SearchStrategy[int]:
    if field.values is not None:
        members: list[IntEnum] = list(field.values)
        return st.sampled_from(members)
    return st.integers(field.low, field.high)


def records(record: type[RecordT]) -> st.SearchStrategy[RecordT]:
    """Any record of this class."""
    fields = [f for f in record.LAYOUT.fields if not (f.is_fixed or f.is_reserved)]
    return st.builds(record, **{field.name: _values(field) for field in fields})


@st.composite
def messages(draw: st.DrawFn, types: st.SearchStrategy[QciType]) -> QciMessage:
    """Any QCI message of these types."""
    message_type = draw(types)
    body = draw(records(qci_module.BODIES[message_type]))
    return QciMessage(message_type, body, QciFlag(draw(st.integers(0, 7))))


circuit_frames = st.builds(
    CircuitFrame,
    dst=macs,
    src=macs,
    label=labels,
    message=messages(circuit_types),
    ttl=st.integers(0, 255),
    tc=st.integers(0, 7),
)
link_frames = st.builds(LinkFrame, dst=macs, src=macs, message=messages(link_types))


@st.composite
def device_frames(draw: st.DrawFn, types: Sequence[DeviceType] = tuple(DeviceType)) -> DeviceFrame:
    """Any device frame of one of the types."""
    frame_type = draw(st.sampled_from(types))
    return DeviceFrame(
        type=frame_type,
        link=draw(st.integers(0, 255)),
        body=draw(records(device_module.BODIES[frame_type])),
        bell=draw(st.sampled_from(BellIndex)),
        flags=DeviceFlag(draw(st.integers(0, 15))),
    )
