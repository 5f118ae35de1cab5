"""Controller headers of the CPU port."""

import pytest
from hypothesis import given

from qplane.wire import PacketIn, PacketInReason, PacketOut, WireError

from .strategies import records


def test_golden_headers() -> None:
    assert PacketIn(0x1FF, PacketInReason.LINK_QCI).to_bytes() == bytes.fromhex("ff820000")
    assert PacketOut(5).to_bytes() == bytes.fromhex("02800000")


@given(records(PacketIn), records(PacketOut))
def test_round_trips(packet_in: PacketIn, packet_out: PacketOut) -> None:
    assert PacketIn.from_bytes(packet_in.to_bytes()) == packet_in
    assert PacketOut.from_bytes(packet_out.to_bytes()) == packet_out


def test_an_unknown_reason_and_a_port_of_ten_bits_are_refused() -> None:
    with pytest.raises(
        WireError, match="reason is 9, expected one of 1 DEVICE_FRAME, 2 LINK_QCI, 3 CIRCUIT_PONG"
    ):
        PacketIn.from_bytes(bytes.fromhex("00090000"))
    with pytest.raises(WireError, match="egress_port is 512"):
        PacketOut(512)
