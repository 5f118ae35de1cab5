"""Packet I/O, digests and idle time-outs over the stream, and what roles see of them."""

from __future__ import annotations

import time

from finsy.proto import p4r, stratum

from qplane.switch.errors import Code

from .client import Client, Names, delete, insert
from .conftest import Bench
from .entries import action, clone, entry, exact, host, minimal, multicast

PACKET = bytes.fromhex("0000000000aa 000000000001 1234") + b"payload"
MS = 1_000_000


def packet_out(port: int, payload: bytes, pad: int = 0) -> p4r.StreamMessageRequest:
    request = p4r.StreamMessageRequest()
    request.packet.payload = payload
    request.packet.metadata.add(metadata_id=1, value=minimal(port))
    request.packet.metadata.add(metadata_id=2, value=minimal(pad))
    return request


def to_cpu(names: Names, reason: int = 3) -> p4r.Update:
    return insert(
        table_entry=entry(names, "hosts", [exact(1, 0xAA)], action(names, "to_cpu", reason))
    )


def test_a_packet_in_carries_its_metadata_in_order(
    bench: Bench, primary: Client, names: Names
) -> None:
    assert primary.status(to_cpu(names)) == Code.OK
    bench.process(9, PACKET)
    packet = primary.next_of("packet").packet
    assert packet.payload == PACKET
    assert [(item.metadata_id, item.value) for item in packet.metadata] == [
        (1, b"\x09"),
        (2, b"\3"),
    ]
    assert bench.device.packet_ins_sent == 1


def test_a_packet_out_leaves_where_its_metadata_says(bench: Bench, primary: Client) -> None:
    primary.send(packet_out(300, PACKET))
    assert primary.nothing_more()
    assert bench.sent == [(300, PACKET)]


def test_a_clone_to_the_cpu_port_is_a_packet_in(
    bench: Bench, primary: Client, names: Names
) -> None:
    mirror = entry(names, "hosts", [exact(1, 0xAA)], action(names, "mirror"))
    assert primary.status(insert(table_entry=mirror)) == Code.OK
    session = clone(5, [510])
    assert primary.status(insert(packet_replication_engine_entry=session)) == Code.OK
    assert bench.process(9, PACKET) == [(0, PACKET)]
    packet = primary.next_of("packet").packet
    assert packet.payload == PACKET
    assert packet.metadata[1].value == minimal(99)


def test_only_the_primary_gets_packet_ins(bench: Bench, primary: Client, names: Names) -> None:
    backup = bench.client()
    assert backup.arbitrate(0)[0] == Code.ALREADY_EXISTS
    assert primary.status(to_cpu(names)) == Code.OK
    bench.process(1, PACKET)
    primary.next_of("packet")
    assert backup.nothing_more()
    assert backup.arbitrate(5)[0] == Code.OK
    primary.notice()
    bench.process(1, PACKET)
    backup.next_of("packet")
    assert primary.nothing_more()
    backup.disconnect()
    primary.notice()
    bench.process(1, PACKET)
    assert bench.device.packet_ins_dropped == 1
    assert primary.nothing_more()


def test_a_packet_out_of_a_backup_is_refused_with_a_copy(bench: Bench, primary: Client) -> None:
    backup = bench.client()
    assert backup.arbitrate(0)[0] == Code.ALREADY_EXISTS
    backup.send(packet_out(1, PACKET))
    error = backup.next_of("error").error
    assert error.canonical_code == Code.PERMISSION_DENIED
    assert error.packet_out.packet_out == packet_out(1, PACKET).packet
    assert bench.sent == []


def test_a_packet_out_with_wrong_metadata_is_refused_with_a_copy(
    bench: Bench, primary: Client
) -> None:
    request = packet_out(1, PACKET)
    request.packet.metadata[0].metadata_id = 7
    primary.send(request)
    error = primary.next_of("error").error
    assert error.canonical_code == Code.INVALID_ARGUMENT
    assert "7" in error.message
    assert error.packet_out.packet_out == request.packet
    assert bench.sent == []


def test_a_packet_out_before_a_pipeline_is_a_failed_precondition(bench: Bench) -> None:
    client = bench.primary()
    client.send(packet_out(1, PACKET))
    assert client.next_of("error").error.canonical_code == Code.FAILED_PRECONDITION


def test_an_unknown_stream_message_is_unimplemented(primary: Client) -> None:
    request = p4r.StreamMessageRequest()
    request.other.type_url = "x/y"
    primary.send(request)
    error = primary.next_of("error").error
    assert error.canonical_code == Code.UNIMPLEMENTED
    assert error.other.other.type_url == "x/y"


# ---- roles ----


def test_a_role_reads_and_writes_only_what_its_configuration_lists(
    bench: Bench, primary: Client, names: Names
) -> None:
    hosts = names.table("hosts")
    config = stratum.P4RoleConfig(shared_p4_ids=[hosts])
    role = bench.client(role="hosts only")
    assert role.arbitrate(1, config=config)[0] == Code.OK
    assert role.status(insert(table_entry=host(names, 1))) == Code.OK
    other = entry(names, "keyless", [], action(names, "drop"), is_default_action=True)
    update = p4r.Update(type=p4r.Update.MODIFY, entity=p4r.Entity(table_entry=other))
    assert role.status(update) == Code.PERMISSION_DENIED
    pre = insert(packet_replication_engine_entry=multicast(1, [1]))
    assert role.status(pre) == Code.PERMISSION_DENIED
    assert [item.table_entry.table_id for item in role.read(
        p4r.Entity(table_entry=p4r.TableEntry())
    )] == [hosts]  # fmt: skip
    constant = p4r.Entity(table_entry=p4r.TableEntry(table_id=names.table("constant")))
    assert role.read(constant) == []
    failed = role.push(p4r.ForwardingPipelineConfig())
    assert failed is not None and failed.code == Code.PERMISSION_DENIED


def test_a_role_gets_packet_ins_as_its_configuration_says(
    bench: Bench, primary: Client, names: Names
) -> None:
    without = bench.client(role="none")
    assert without.arbitrate(1, config=stratum.P4RoleConfig())[0] == Code.OK
    config = stratum.P4RoleConfig(receives_packet_ins=True)
    config.packet_in_filter.metadata_id = 1
    config.packet_in_filter.value = b"\x09"
    port_nine = bench.client(role="nine")
    assert port_nine.arbitrate(1, config=config)[0] == Code.OK
    assert primary.status(to_cpu(names)) == Code.OK
    bench.process(8, PACKET)
    bench.process(9, PACKET)
    assert port_nine.next_of("packet").packet.metadata[0].value == b"\x09"
    assert port_nine.nothing_more()
    assert without.nothing_more()
    primary.next_of("packet")
    primary.next_of("packet")
    assert bench.device.packet_ins_sent == 2


# ---- digests ----


def learn(names: Names, mac: int = 0xAA) -> p4r.Update:
    return insert(table_entry=entry(names, "hosts", [exact(1, mac)], action(names, "learn")))


def digest(names: Names, **config: int) -> p4r.DigestEntry:
    message = p4r.DigestEntry(digest_id=names["digests", "learn_t"])
    for name, value in config.items():
        setattr(message.config, name, value)
    message.config.SetInParent()
    return message


def test_digest_lists_carry_the_fields_and_are_held_back_until_acknowledged(
    bench: Bench, primary: Client, names: Names
) -> None:
    assert primary.status(learn(names)) == Code.OK
    bench.process(3, PACKET)  # not switched on yet
    enabled = digest(names, ack_timeout_ns=3_600_000 * MS)
    assert primary.status(insert(digest_entry=enabled)) == Code.OK
    bench.process(3, PACKET)
    message = primary.next_of("digest").digest
    assert message.digest_id == enabled.digest_id
    (data,) = message.data
    assert [item.bitstring for item in data.struct.members] == [b"\1", b"\3"]
    bench.process(3, PACKET)
    assert primary.nothing_more()
    ack = p4r.StreamMessageRequest()
    ack.digest_ack.digest_id, ack.digest_ack.list_id = message.digest_id, message.list_id
    primary.send(ack)
    assert primary.nothing_more()
    bench.process(3, PACKET)
    assert primary.next_of("digest").digest.list_id != message.list_id


def test_a_digest_list_is_sent_when_its_time_is_up(
    bench: Bench, primary: Client, names: Names
) -> None:
    assert primary.status(learn(names)) == Code.OK
    slow = digest(names, max_list_size=100, max_timeout_ns=50 * MS)
    assert primary.status(insert(digest_entry=slow)) == Code.OK
    begin = time.monotonic()
    bench.process(3, PACKET)
    bench.process(4, PACKET)
    assert len(primary.next_of("digest").digest.data) == 2
    assert 0.04 < time.monotonic() - begin < 5


def test_digests_are_switched_on_changed_read_and_switched_off(
    primary: Client, names: Names
) -> None:
    query = p4r.Entity()
    query.digest_entry.SetInParent()
    assert primary.read(query) == []
    first, second = digest(names, max_list_size=1), digest(names, max_list_size=2)
    assert primary.status(delete(digest_entry=first)) == Code.NOT_FOUND
    assert primary.status(insert(digest_entry=first)) == Code.OK
    assert primary.status(insert(digest_entry=first)) == Code.ALREADY_EXISTS
    changed = p4r.Update(type=p4r.Update.MODIFY, entity=p4r.Entity(digest_entry=second))
    assert primary.status(changed) == Code.OK
    assert [item.digest_entry for item in primary.read(query)] == [second]
    assert primary.status(delete(digest_entry=first)) == Code.OK
    assert primary.status(changed) == Code.NOT_FOUND
    negative = digest(names, max_timeout_ns=-1)
    assert primary.status(insert(digest_entry=negative)) == Code.INVALID_ARGUMENT
    unknown = p4r.DigestEntry(digest_id=0x99)
    assert primary.status(insert(digest_entry=unknown)) == Code.INVALID_ARGUMENT


# ---- idle time-outs ----


def test_an_idle_entry_is_reported_after_its_time_and_again_a_time_later(
    bench: Bench, primary: Client, names: Names
) -> None:
    idle = host(names, 0xAA, metadata=b"mine", idle_timeout_ns=100 * MS)
    assert primary.status(insert(table_entry=idle)) == Code.OK
    assert primary.status(insert(table_entry=host(names, 0xBB))) == Code.OK
    begin = time.monotonic()
    first = primary.next_of("idle_timeout_notification").idle_timeout_notification
    waited = time.monotonic() - begin
    assert 0.05 < waited < 5
    (found,) = first.table_entry
    assert found.table_id == idle.table_id
    assert list(found.match) == list(idle.match)
    assert (found.metadata, found.idle_timeout_ns) == (b"mine", 100 * MS)
    assert first.timestamp > 0
    second = primary.next_of("idle_timeout_notification").idle_timeout_notification
    assert 50 * MS < second.timestamp - first.timestamp < 5000 * MS


def test_a_hit_starts_the_idle_time_anew(bench: Bench, primary: Client, names: Names) -> None:
    idle = host(names, 0xAA, idle_timeout_ns=300 * MS)
    assert primary.status(insert(table_entry=idle)) == Code.OK
    begin = time.monotonic()
    while time.monotonic() - begin < 0.6:
        bench.process(1, PACKET)
        time.sleep(0.005)  # traffic at 200 packets a second
    assert primary.nothing_more()
