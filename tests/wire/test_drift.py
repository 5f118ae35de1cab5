"""docs/wire.md, the P4 headers, the codecs and the Scapy layers say the same, field by field.

Compared are names, widths and order. Two things may differ: reserved and pad fields may be named
otherwise, as long as they are reserved in all four; Scapy's own ``Ether`` calls the EtherType
``type``.
"""

from typing import NamedTuple

import pytest
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from qplane import wire
from qplane.wire import ethernet, qci
from qplane.wire import scapy as layers
from qplane.wire.layout import Record

from . import bit_tables
from .bit_tables import Row

DOCS = bit_tables.WIRE_MD.read_text(encoding="utf-8")
P4 = "".join(path.read_text(encoding="utf-8") for path in bit_tables.HEADERS_P4)
DOC_TABLES = bit_tables.doc_tables(DOCS)
P4_HEADERS = bit_tables.p4_headers(P4)
P4_CONSTANTS = bit_tables.p4_constants(P4)


class Format(NamedTuple):
    doc: str
    p4: str | None  # None: the data plane carries it unread
    codec: type[Record]
    scapy: type[Packet]


FORMATS = [
    Format("Ethernet header", "ethernet_t", wire.Ethernet, Ether),
    Format("MPLS label stack entry", "mpls_t", wire.LabelStackEntry, layers.MPLS),
    Format("Associated channel header", "ach_t", wire.AssociatedChannel, layers.ACH),
    Format("QCI header", "qci_t", wire.QciHeader, layers.QCI),
    Format("Pair body", "pair_t", wire.PairBody, layers.QCIPair),
    Format("Circuit ping body", "circuit_ping_t", wire.CircuitPingBody, layers.QCICircuitPing),
    Format("Probe body", "probe_t", wire.ProbeBody, layers.QCIProbe),
    Format("DQP body", None, wire.DqpBody, layers.DQP),
    Format("EGP body", None, wire.EgpBody, layers.EGP),
    Format("EGP outcomes body", None, wire.OutcomesBody, layers.EGPOutcomes),
    Format("Device frame", "device_t", wire.DeviceHeader, layers.Device),
    Format("Qubit body", "qubit_t", wire.QubitBody, layers.Qubit),
    Format("GEN body", "gen_t", wire.GenBody, layers.Gen),
    Format("REPLY body", "reply_t", wire.ReplyBody, layers.Reply),
    Format("Outcome body", "outcome_t", wire.OutcomeBody, layers.Outcome),
    Format("MHP order", None, wire.MhpOrder, layers.MhpOrder),
    Format("MHP status", None, wire.MhpStatus, layers.MhpStatus),
    Format("MHP result", None, wire.MhpResult, layers.MhpResult),
    Format("Qubit action", None, wire.QubitAction, layers.QubitAction),
    Format("Calibration", None, wire.Calibration, layers.Calibration),
    Format("Teleport order", None, wire.TeleportOrder, layers.TeleportOrder),
    Format("Teleport result", None, wire.TeleportResult, layers.TeleportResult),
    Format("Transaction", None, wire.Transaction, layers.Transaction),
    Format("Device features", None, wire.DeviceFeatures, layers.DeviceFeatures),
    Format("Link features", None, wire.LinkFeatures, layers.LinkFeatures),
    Format("Link control", None, wire.LinkControl, layers.LinkControl),
    Format("packet_in", "packet_in_t", wire.PacketIn, layers.PacketIn),
    Format("packet_out", "packet_out_t", wire.PacketOut, layers.PacketOut),
]


UNREAD: dict[str, list[type[Record]]] = {
    "queue_message_t": [wire.DqpBody],
    "service_message_t": [wire.EgpBody, wire.OutcomesBody],
}
"""Bodies that the data plane checks and passes on as they are."""


def comparable(rows: list[Row]) -> list[Row]:
    """Reserved fields lose their names."""
    return [("-" if n.startswith(("reserved", "pad")) else n, bits) for n, bits in rows]


def codec_rows(record: type[Record]) -> list[Row]:
    return [(field.name, field.bits) for field in record.LAYOUT.fields]


def scapy_rows(layer: type[Packet]) -> list[Row]:
    renamed = {"type": "ethertype"} if layer is Ether else {}
    return [
        (renamed.get(field.name, field.name), getattr(field, "size", 0) or int(field.sz * 8))
        for field in layer.fields_desc
    ]


@pytest.mark.parametrize("form", FORMATS, ids=[form.doc for form in FORMATS])
def test_all_four_have_the_same_fields(form: Format) -> None:
    documented = comparable(DOC_TABLES[form.doc])
    assert comparable(codec_rows(form.codec)) == documented
    assert comparable(scapy_rows(form.scapy)) == documented
    if form.p4 is not None:
        assert comparable(P4_HEADERS[form.p4]) == documented


def test_every_table_of_the_docs_is_compared() -> None:
    assert set(DOC_TABLES) == {form.doc for form in FORMATS}


def test_every_header_of_ours_in_p4_is_compared() -> None:
    standard = {"arp_t", "ipv4_t", "ipv4_options_t", "ipv6_t", "udp_t"}
    ours = set(P4_HEADERS) - standard - set(UNREAD)
    assert ours == {form.p4 for form in FORMATS if form.p4 is not None}


def test_what_the_data_plane_carries_unread_has_the_size_of_its_codecs() -> None:
    for header, codecs in UNREAD.items():
        ((_, bits),) = P4_HEADERS[header]
        assert [8 * codec.LAYOUT.size for codec in codecs] == [bits] * len(codecs)


def test_message_types_are_the_same() -> None:
    codec = {
        member.name: int(member) for kind in (wire.QciType, wire.DeviceType) for member in kind
    }
    assert codec == bit_tables.doc_numbers(DOCS)


def test_device_frames_come_from_where_the_docs_say() -> None:
    documented = bit_tables.doc_senders(DOCS)
    assert set(documented) == {m.name for m in wire.DeviceType if not 0x41 <= m <= 0x5F}
    for name, sender in documented.items():
        assert wire.DeviceType[name].is_from_device == (sender == "device")


def test_expire_reasons_are_the_same() -> None:
    documented = bit_tables.doc_reasons(DOCS)
    assert {m.name: int(m) for m in wire.ExpireReason if m} == documented
    p4 = {n.removeprefix("REASON_"): v for n, (_, v) in P4_CONSTANTS.items() if "REASON_" in n}
    assert p4 == documented


PING_LENGTH = wire.QciHeader.LAYOUT.size + wire.CircuitPingBody.LAYOUT.size


def expected_constants() -> dict[str, int]:
    """What the constants of headers.p4 must be, by the codecs."""
    device = {}
    for member in wire.DeviceType:
        name = "FEATURES" if member is wire.DeviceType.DEVICE_FEATURES else member.name
        device[f"DEVICE_{name}"] = int(member)
    return (
        device
        | {f"QCI_{member.name}": int(member) for member in wire.QciType}
        | {f"MHP_{member.name}": int(member) for member in wire.MhpError}
        | {"MHP_FAIL": int(wire.MhpOutcome.FAIL)}
        | {f"REASON_{member.name}": int(member) for member in wire.ExpireReason}
        | {f"ETHERTYPE_{member.name}": int(member) for member in wire.EtherType}
        | {"ETHERTYPE_IPV4": 0x0800, "ETHERTYPE_ARP": 0x0806, "ETHERTYPE_IPV6": 0x86DD}
        | {f"DEVICE_FLAG_{name}": int(flag) for name, flag in wire.DeviceFlag.__members__.items()}
        | {f"QCI_FLAG_{member.name}": int(member) for member in wire.QciFlag}
        | {
            "MAC_SWITCH": wire.SWITCH_MAC,
            "MAC_DEVICE": wire.DEVICE_MAC,
            "GAL_LABEL": ethernet.GAL_LABEL,
            "CHANNEL_QCI": wire.CHANNEL_TYPE_QCI,
            "QCI_VERSION": wire.QCI_VERSION,
            "QCI_TTL": qci.FIRST_TTL,
            "QCI_FLAG_AUTHENTICATED": qci.AUTHENTICATION_FLAG,
            "QCI_GROUP": 0xF8,
            "QCI_QUEUE": int(wire.QciType.DQP_ADD),
            "QCI_SERVICE": int(wire.QciType.EGP_EXPIRE),
            "DEVICE_LINK_LAYER": int(wire.DeviceType.MHP_START),
            "DEVICE_GROUP": 0xF0,
            "QUEUE_FRAME_BYTES": 14 + 8 + wire.DqpBody.LAYOUT.size,
            "MIN_FRAME_BYTES": ethernet.MIN_FRAME_BYTES,
            "DEVICE_VERSION": 1,
            "PROTOCOL_UDP": 17,
            "UDP_PORT_MPLS": ethernet.UDP_PORT_MPLS,
            "UDP_FIRST_ENTROPY": 49152,
            "OUTER_TTL": 64,
            "UDP_PAIR_LENGTH": 8 + 12 + wire.QciHeader.LAYOUT.size + wire.PairBody.LAYOUT.size,
            "QCI_CIRCUIT_PING_LENGTH": PING_LENGTH,
            "UDP_CIRCUIT_PING_LENGTH": 8 + 12 + PING_LENGTH,
            "CIRCUIT_PING_FRAME_BYTES": 14 + 12 + PING_LENGTH,
            "QCI_PAIR_LENGTH": wire.QciHeader.LAYOUT.size + wire.PairBody.LAYOUT.size,
            "QCI_GEN_LENGTH": wire.QciHeader.LAYOUT.size + wire.GenBody.LAYOUT.size,
            "QCI_REPLY_LENGTH": wire.QciHeader.LAYOUT.size + wire.ReplyBody.LAYOUT.size,
            "QCI_QUEUE_LENGTH": wire.QciHeader.LAYOUT.size + wire.DqpBody.LAYOUT.size,
            "QCI_SERVICE_LENGTH": wire.QciHeader.LAYOUT.size + wire.EgpBody.LAYOUT.size,
            "QCI_PROBE_LENGTH": wire.QciHeader.LAYOUT.size + wire.ProbeBody.LAYOUT.size,
        }
    )


def test_the_constants_of_the_p4_headers_are_the_codecs() -> None:
    expected = expected_constants()
    assert P4_CONSTANTS
    assert {name: value for name, (_, value) in P4_CONSTANTS.items()} == {
        name: expected.get(name) for name in P4_CONSTANTS
    }


def test_documented_sizes_are_right() -> None:
    sizes = {
        "Pair body": 16,
        "Circuit ping body": 44,
        "Probe body": 16,
        "DQP body": 64,
        "EGP body": 24,
        "EGP outcomes body": 24,
        "Qubit body": 32,
        "Device features": 52,
        "Link features": 40,
        "Link control": 44,
        "GEN body": 12,
        "REPLY body": 20,
        "Outcome body": 12,
        "MHP order": 36,
        "MHP status": 28,
        "MHP result": 40,
        "Qubit action": 28,
        "Calibration": 96,
        "Teleport order": 20,
        "Teleport result": 24,
    }
    for title, size in sizes.items():
        assert f"{title}, {size} bytes" in DOCS or f"**{title}**, {size} bytes" in DOCS
        assert sum(bits for _, bits in DOC_TABLES[title]) == 8 * size
