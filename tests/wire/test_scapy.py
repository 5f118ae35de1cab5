"""Scapy layers build and read the same bytes as the codecs."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Padding, Raw

from qplane.wire import (
    CircuitFrame,
    DeviceFrame,
    DeviceType,
    LinkFrame,
    PacketIn,
    PacketOut,
    format_mac,
)
from qplane.wire import device as device_codec
from qplane.wire import qci as qci_codec
from qplane.wire import scapy as layers
from qplane.wire.layout import Record

from .strategies import circuit_frames, device_frames, link_frames, records

LAYER_OF: dict[type[Record], type[Packet]] = {
    device_codec.QubitBody: layers.Qubit,
    device_codec.Transaction: layers.Transaction,
    device_codec.DeviceFeatures: layers.DeviceFeatures,
    device_codec.LinkFeatures: layers.LinkFeatures,
    device_codec.LinkControl: layers.LinkControl,
    device_codec.GenBody: layers.Gen,
    device_codec.OutcomeBody: layers.Outcome,
    device_codec.ReplyBody: layers.Reply,
    device_codec.MhpOrder: layers.MhpOrder,
    device_codec.MhpStatus: layers.MhpStatus,
    device_codec.MhpResult: layers.MhpResult,
    device_codec.QubitAction: layers.QubitAction,
    device_codec.Calibration: layers.Calibration,
    device_codec.TeleportOrder: layers.TeleportOrder,
    device_codec.TeleportResult: layers.TeleportResult,
}

QCI_LAYER_OF: dict[type[Record], type[Packet]] = {
    qci_codec.PairBody: layers.QCIPair,
    qci_codec.CircuitPingBody: layers.QCICircuitPing,
    qci_codec.ProbeBody: layers.QCIProbe,
    qci_codec.DqpBody: layers.DQP,
    qci_codec.EgpBody: layers.EGP,
    qci_codec.OutcomesBody: layers.EGPOutcomes,
    qci_codec.GenBody: layers.Gen,
    qci_codec.ReplyBody: layers.Reply,
}


def fields_of(record: Record) -> dict[str, int]:
    """The attributes of a codec record, for a layer of the same fields."""
    return {
        field.name: int(getattr(record, field.name))
        for field in record.LAYOUT.fields
        if not (field.is_fixed or field.is_reserved)
    }


def ether(frame: CircuitFrame | LinkFrame) -> Packet:
    return Ether(dst=format_mac(frame.dst), src=format_mac(frame.src))


@given(circuit_frames)
def test_a_circuit_message_is_built_alike(frame: CircuitFrame) -> None:
    packet = (
        ether(frame)
        / layers.MPLS(label=frame.label, tc=frame.tc, ttl=frame.ttl)
        / layers.gal()
        / layers.ACH()
        / layers.QCI(type=frame.message.type, flags=int(frame.message.flags))
        / QCI_LAYER_OF[type(frame.message.body)](**fields_of(frame.message.body))
    )
    assert bytes(packet) == frame.to_bytes()


@given(circuit_frames, st.booleans())
def test_a_circuit_message_is_read_alike(frame: CircuitFrame, padded: bool) -> None:
    data = frame.to_bytes()
    packet = Ether(data.ljust(60, b"\0") if padded else data)
    names = [layer.__name__ for layer in packet.layers()]
    layer = QCI_LAYER_OF[type(frame.message.body)]
    expected = ["Ether", "MPLS", "MPLS", "ACH", "QCI", layer.__name__]
    assert names == expected + ["Padding"] * (padded and len(data) < 60)
    assert packet[layers.MPLS].label == frame.label
    body = packet[layer]
    for name, value in fields_of(frame.message.body).items():
        assert body.getfieldval(name) == value
    assert packet[layers.QCI].circuit_label() == frame.label
    packet[layers.QCI].checksum = None
    assert bytes(packet)[: len(data)] == data


@given(link_frames)
def test_a_link_message_is_built_and_read_alike(frame: LinkFrame) -> None:
    packet = (
        ether(frame)
        / layers.QCI(type=frame.message.type, flags=int(frame.message.flags))
        / QCI_LAYER_OF[type(frame.message.body)](**fields_of(frame.message.body))
    )
    assert bytes(packet) == frame.to_bytes()
    body = Ether(frame.to_bytes())[QCI_LAYER_OF[type(frame.message.body)]]
    for name, value in fields_of(frame.message.body).items():
        assert body.getfieldval(name) == value


@given(device_frames())
def test_a_device_frame_is_built_and_read_alike(frame: DeviceFrame) -> None:
    layer = LAYER_OF[type(frame.body)]
    data = frame.to_bytes()
    addresses = Ether(data[:14])
    packet = (
        Ether(dst=addresses.dst, src=addresses.src)
        / layers.Device(
            type=frame.type, link=frame.link, bell=int(frame.bell), flags=int(frame.flags)
        )
        / layer(**fields_of(frame.body))
    )
    assert bytes(packet) == data
    read = Ether(data)
    assert read.layers() == [Ether, layers.Device, layer]
    for name, value in fields_of(frame.body).items():
        assert read[layer].getfieldval(name) == value


def test_a_padded_device_frame_shows_its_padding() -> None:
    frame = DeviceFrame(DeviceType.PAIR, 1, device_codec.QubitBody(16, 1, 2, 3))
    packet = Ether(frame.to_bytes().ljust(60, b"\0"))
    assert packet.layers() == [Ether, layers.Device, layers.Qubit, Padding]


@given(records(PacketIn), records(PacketOut), link_frames)
def test_controller_headers_are_read_alike(
    packet_in: PacketIn, packet_out: PacketOut, frame: LinkFrame
) -> None:
    data = frame.to_bytes()
    for header, layer in ((packet_in, layers.PacketIn), (packet_out, layers.PacketOut)):
        packet = layer(header.to_bytes() + data)
        assert bytes(packet) == header.to_bytes() + data
        assert bytes(layer(**fields_of(header)) / Ether(data)) == header.to_bytes() + data
        assert packet.haslayer(QCI_LAYER_OF[type(frame.message.body)])
        for name, value in fields_of(header).items():
            assert packet.getfieldval(name) == value


@pytest.mark.parametrize("inner", [IP() / UDP(), IPv6() / UDP(), IP() / ICMP()])
def test_user_data_under_a_label_is_still_dissected(inner: Packet) -> None:
    packet = Ether(bytes(Ether() / layers.MPLS(label=100) / layers.MPLS(label=200, s=1) / inner))
    assert packet.layers()[:4] == [Ether, layers.MPLS, layers.MPLS, type(inner)]
    assert packet[layers.MPLS].label == 100


def test_a_channel_of_another_type_is_not_taken_for_ours() -> None:
    packet = Ether(
        bytes(Ether() / layers.MPLS() / layers.gal() / layers.ACH(channel_type=7) / Raw(b"x" * 20))
    )
    assert packet.layers() == [Ether, layers.MPLS, layers.MPLS, layers.ACH, Raw]


def test_a_given_checksum_and_length_are_kept() -> None:
    packet = Ether() / layers.MPLS() / layers.gal() / layers.ACH()
    packet /= layers.QCI(checksum=1, length=2) / layers.QCIPair()
    read = Ether(bytes(packet))[layers.QCI]
    assert (read.checksum, read.length) == (1, 2)


def test_the_codecs_do_not_import_scapy() -> None:
    code = "import sys, qplane.wire; sys.exit('scapy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
