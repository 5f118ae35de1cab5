"""Controller headers against packet-in and packet-out metadata."""

from __future__ import annotations

import pytest
from finsy.proto import p4i, p4r
from hypothesis import given
from hypothesis import strategies as st

from qplane.switch.errors import Code, StatusError
from qplane.switch.packet_io import ControllerHeader

Field = p4i.ControllerPacketMetadata.Metadata
HEADER = ControllerHeader(
    [Field(id=1, name="port", bitwidth=9), Field(id=2, name="flags", bitwidth=7)], "packet_out"
)


def test_what_is_missing_to_a_whole_byte_is_padding_at_the_end() -> None:
    header = ControllerHeader([Field(id=1, name="port", bitwidth=9)], "packet_out")
    message = p4r.PacketOut(payload=b"x")
    message.metadata.add(metadata_id=1, value=b"\1\2")
    assert header.join(message) == b"\x81\0x"
    back = header.split(b"\x81\x7fx")
    assert back is not None and (back.payload, back.metadata[0].value) == (b"x", b"\1\2")


@given(port=st.integers(0, 511), flags=st.integers(0, 127), payload=st.binary(max_size=64))
def test_what_goes_out_with_metadata_comes_back_with_it(
    port: int, flags: int, payload: bytes
) -> None:
    out = p4r.PacketOut(payload=payload)
    out.metadata.add(metadata_id=2, value=flags.to_bytes(3, "big"))
    out.metadata.add(metadata_id=1, value=port.to_bytes(2, "big"))
    packet = HEADER.join(out)
    assert packet == (port << 7 | flags).to_bytes(2, "big") + payload
    back = HEADER.split(packet)
    assert back is not None
    assert back.payload == payload
    assert [(item.metadata_id, int.from_bytes(item.value, "big")) for item in back.metadata] == [
        (1, port), (2, flags),
    ]  # fmt: skip
    assert all(item.value == b"\0" or item.value[0] for item in back.metadata)  # canonical


@given(
    widths=st.lists(st.integers(1, 70), max_size=6),
    first_id=st.integers(1, 1 << 30),
    packet=st.binary(max_size=200),
)
def test_a_packet_in_on_the_wire_is_what_the_message_would_be(
    widths: list[int], first_id: int, packet: bytes
) -> None:
    fields = [Field(id=first_id + i, name="f", bitwidth=bits) for i, bits in enumerate(widths)]
    header = ControllerHeader(fields, "packet_in")
    message = header.split(packet)
    if message is None:
        assert header.encode(packet) is None
    else:
        expected = p4r.StreamMessageResponse(packet=message)
        assert header.encode(packet) == expected.SerializeToString()


def test_a_packet_shorter_than_the_header_is_no_packet_in() -> None:
    assert HEADER.split(b"\x01") is None


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        [(1, b"\1")],
        [(1, b"\1"), (1, b"\1"), (2, b"\1")],
        [(1, b"\1"), (2, b"\1"), (3, b"\1")],
        [(1, b"\2\0"), (2, b"\1")],
        [(1, b""), (2, b"\1")],
    ],
    ids=["none", "missing", "twice", "unknown", "too wide", "empty"],
)
def test_metadata_other_than_the_p4infos_is_invalid(metadata: list[tuple[int, bytes]]) -> None:
    out = p4r.PacketOut(payload=b"x")
    for metadata_id, value in metadata:
        out.metadata.add(metadata_id=metadata_id, value=value)
    with pytest.raises(StatusError) as caught:
        HEADER.join(out)
    assert caught.value.code == Code.INVALID_ARGUMENT
