"""``@p4runtime_translation``: controllers see wider ports than the packet path has."""

from __future__ import annotations

import pytest
from finsy.proto import p4i, p4r

from qplane.switch.errors import Code

from .client import Client, Names, insert, load_program
from .conftest import Bench
from .entries import exact

PACKET = bytes.fromhex("0000000000aa 000000000001 1234") + b"payload"


@pytest.fixture
def translated() -> p4r.ForwardingPipelineConfig:
    return load_program("translated")


def port_entry(names: Names, port: bytes, action: str, *values: bytes) -> p4r.TableEntry:
    message = p4r.TableEntry(table_id=names.table("ports"), match=[exact(1, 0)])
    message.match[0].exact.value = port
    message.action.action.action_id = names.action(action)
    for number, value in enumerate(values, 1):
        message.action.action.params.add(param_id=number, value=value)
    return message


def test_keys_and_parameters_are_those_of_the_packet_path(
    bench: Bench, translated: p4r.ForwardingPipelineConfig
) -> None:
    primary, names = bench.primary(), Names(translated.p4info)
    assert primary.push(translated) is None
    entry = port_entry(names, b"\x03", "forward", b"\x01\x02")
    wide = port_entry(names, b"\0\0\0\x03", "forward", b"\0\0\x01\x02")
    assert primary.status(insert(table_entry=wide)) == Code.OK
    assert [item.table_entry for item in primary.read(p4r.Entity(table_entry=entry))] == [entry]
    assert bench.process(3, PACKET) == [(0x102, PACKET)]
    for wrong in (
        port_entry(names, b"\x02\0", "forward", b"\1"),
        port_entry(names, b"\1", "forward", b"\xff\xff\xff\xff"),
    ):
        assert primary.status(insert(table_entry=wrong)) == Code.OUT_OF_RANGE


def test_controller_headers_have_the_packet_paths_widths(
    bench: Bench, translated: p4r.ForwardingPipelineConfig
) -> None:
    primary, names = bench.primary(), Names(translated.p4info)
    assert primary.push(translated) is None
    assert primary.status(insert(table_entry=port_entry(names, b"\1\1", "punt"))) == Code.OK
    bench.process(0x101, PACKET)
    packet_in = primary.next_of("packet").packet
    assert packet_in.payload == PACKET
    assert [(item.metadata_id, item.value) for item in packet_in.metadata] == [
        (1, b"\1\1"), (2, b"\0"), (3, b"\1"), (4, b"\x12\x34"),
    ]  # fmt: skip
    for port in (b"\0\0\x01\x05", b"\x02\0"):  # 261; 512, which has ten bits
        request = p4r.StreamMessageRequest()
        request.packet.payload = PACKET
        request.packet.metadata.add(metadata_id=1, value=b"\0")
        request.packet.metadata.add(metadata_id=2, value=port)
        primary.send(request)
    assert primary.next_of("error").error.canonical_code == Code.INVALID_ARGUMENT
    assert bench.sent == [(0x105, PACKET)]


def test_a_translated_controller_header_without_its_header_type_is_refused(
    bench: Bench, translated: p4r.ForwardingPipelineConfig
) -> None:
    primary = bench.primary()
    for header in translated.p4info.controller_packet_metadata:
        header.metadata[-1].name = "other"
    failed = primary.push(translated)
    assert failed is not None and failed.code == Code.INVALID_ARGUMENT
    assert "packet_in" in failed.message and "translated" in failed.message


def test_strings_for_ports_in_a_controller_header_are_unimplemented(
    bench: Bench, translated: p4r.ForwardingPipelineConfig
) -> None:
    primary = bench.primary()
    translated.p4info.type_info.new_types["port_id_t"].translated_type.sdn_string.SetInParent()
    failed = primary.push(translated)
    assert failed is not None and failed.code == Code.UNIMPLEMENTED
    assert "'ingress_port'" in failed.message


def test_a_write_to_what_only_the_p4info_has_says_so(
    primary: Client, config: p4r.ForwardingPipelineConfig
) -> None:
    more = p4r.ForwardingPipelineConfig()
    more.CopyFrom(config)
    table = more.p4info.tables.add()
    table.CopyFrom(config.p4info.tables[0])
    table.preamble.MergeFrom(p4i.Preamble(id=0x0234_5678, name="IngressImpl.unreached"))
    assert primary.push(more) is None
    failed = primary.write(insert(table_entry=p4r.TableEntry(table_id=0x0234_5678)))
    assert failed is not None and failed.members == [Code.INVALID_ARGUMENT]
    assert "'IngressImpl.unreached' is in the P4Info" in failed.texts[0]
    assert "JSON" in failed.texts[0]
    failed = primary.write(insert(table_entry=p4r.TableEntry(table_id=0x0234_5679)))
    assert failed is not None and "no table with id 0x2345679" in failed.texts[0]
