"""Multicast groups and clone sessions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from finsy.proto import p4r

from qplane.switch.errors import Code

from .client import Client, Names, delete, insert, modify
from .conftest import Bench
from .entries import action, clone, entry, exact, multicast

Entry = p4r.PacketReplicationEngineEntry
PACKET = bytes.fromhex("0000000000aa 000000000001 1234") + b"0123456789"


def pre(update: Callable[..., p4r.Update], message: Entry) -> p4r.Update:
    return update(packet_replication_engine_entry=message)


def read(client: Client, query: Entry) -> list[Entry]:
    entity = p4r.Entity(packet_replication_engine_entry=query)
    return [item.packet_replication_engine_entry for item in client.read(entity)]


def test_a_multicast_group_replicates_and_is_read_back(
    bench: Bench, primary: Client, names: Names
) -> None:
    flood = entry(names, "hosts", [exact(1, 0xAA)], action(names, "flood", 9))
    assert primary.status(insert(table_entry=flood)) == Code.OK
    assert bench.process(1, PACKET) == []
    message = multicast(9, [2, 3, 500])
    message.multicast_group_entry.metadata = b"mine"
    assert primary.status(pre(insert, message)) == Code.OK
    assert primary.status(pre(insert, message)) == Code.ALREADY_EXISTS
    assert sorted(bench.process(1, PACKET)) == [(2, PACKET), (3, PACKET), (500, PACKET)]
    assert read(primary, multicast(9, [])) == [message]
    assert read(primary, multicast(0, [])) == [message]
    assert read(primary, multicast(8, [])) == []
    other = multicast(9, [4])
    assert primary.status(pre(modify, other)) == Code.OK
    assert bench.process(1, PACKET) == [(4, PACKET)]
    assert primary.status(pre(delete, multicast(9, []))) == Code.OK
    assert bench.process(1, PACKET) == []
    assert primary.status(pre(delete, multicast(9, []))) == Code.NOT_FOUND
    assert primary.status(pre(modify, other)) == Code.NOT_FOUND


def test_a_push_empties_the_replication_engine(
    bench: Bench, primary: Client, names: Names, config: p4r.ForwardingPipelineConfig
) -> None:
    flood = entry(names, "hosts", [exact(1, 0xAA)], action(names, "flood", 9))
    assert primary.status(pre(insert, multicast(9, [2]))) == Code.OK
    assert primary.status(pre(insert, clone(5, [3]))) == Code.OK
    assert primary.push(config) is None
    assert read(primary, Entry()) == []
    assert primary.status(insert(table_entry=flood)) == Code.OK
    assert bench.process(1, PACKET) == []
    mirror = entry(names, "hosts", [exact(1, 0xBB)], action(names, "mirror"))
    assert primary.status(insert(table_entry=mirror)) == Code.OK
    assert bench.process(1, PACKET[:5] + b"\xbb" + PACKET[6:]) == [
        (0, PACKET[:5] + b"\xbb" + PACKET[6:])
    ]


def test_ports_as_the_deprecated_number_are_accepted_and_read_back_so(
    primary: Client, names: Names
) -> None:
    message = multicast(1, [])
    message.multicast_group_entry.replicas.add(egress_port=3, instance=1)
    assert primary.status(pre(insert, message)) == Code.OK
    assert read(primary, multicast(1, [])) == [message]


def change_first(**fields: object) -> Callable[[Entry], None]:
    def change(message: Entry) -> None:
        replica = message.multicast_group_entry.replicas[0]
        for name, value in fields.items():
            setattr(replica, name, value)

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m.multicast_group_entry, "multicast_group_id", 0),
        lambda m: setattr(m.multicast_group_entry, "multicast_group_id", 1 << 16),
        lambda m: m.multicast_group_entry.replicas.append(m.multicast_group_entry.replicas[0]),
        change_first(port=b""),
        change_first(port=b"\2\0"),
        change_first(egress_port=512),
        change_first(instance=1 << 16),
        lambda m: m.multicast_group_entry.replicas[0].ClearField("port"),
        lambda m: m.multicast_group_entry.replicas[0].backup_replicas.add(port=b"\1", instance=7),
        lambda m: m.ClearField("multicast_group_entry"),
    ],
    ids=["id 0", "id too large", "replica twice", "empty port", "wide port", "wide number",
         "instance", "no port", "backup on the same port", "neither kind"],
)  # fmt: skip
def test_a_wrong_multicast_group_is_invalid(
    primary: Client, change: Callable[[Entry], object]
) -> None:
    message = multicast(1, [1, 2])
    change(message)
    assert primary.status(pre(insert, message)) == Code.INVALID_ARGUMENT
    assert read(primary, multicast(0, [])) == []


def test_a_backup_replica_steps_in_while_its_port_is_down(
    bench: Bench, primary: Client, names: Names
) -> None:
    flood = entry(names, "hosts", [exact(1, 0xAA)], action(names, "flood", 9))
    assert primary.status(insert(table_entry=flood)) == Code.OK
    message = multicast(9, [2])
    backups = message.multicast_group_entry.replicas[0].backup_replicas
    backups.add(port=b"\x03", instance=1)
    backups.add(port=b"\x04", instance=2)
    assert primary.status(pre(insert, message)) == Code.OK
    for down, up, leaves in (
        ((), (), 2), ((2,), (), 3), ((3,), (), 4), ((4,), (), 2), ((), (3,), 3), ((), (2,), 2),
    ):  # fmt: skip
        for port in down:
            bench.device.set_port_up(port, False)
        for port in up:
            bench.device.set_port_up(port, True)
        assert bench.process(1, PACKET) == [(leaves, PACKET)]
    assert read(primary, multicast(9, [])) == [message]


def test_a_clone_session_copies_truncates_and_is_read_back(
    bench: Bench, primary: Client, names: Names
) -> None:
    mirror = entry(names, "hosts", [exact(1, 0xAA)], action(names, "mirror"))
    assert primary.status(insert(table_entry=mirror)) == Code.OK
    assert bench.process(1, PACKET) == [(0, PACKET)]
    message = clone(5, [7, 8], packet_length_bytes=16, class_of_service=3)
    assert primary.status(pre(insert, message)) == Code.OK
    assert primary.status(pre(insert, message)) == Code.ALREADY_EXISTS
    assert sorted(bench.process(1, PACKET)) == [(0, PACKET), (7, PACKET[:16]), (8, PACKET[:16])]
    assert read(primary, clone(5, [])) == [message]
    assert read(primary, Entry()) == [message]
    assert primary.status(pre(modify, clone(5, [9]))) == Code.OK
    assert sorted(bench.process(1, PACKET)) == [(0, PACKET), (9, PACKET)]
    assert primary.status(pre(delete, clone(5, []))) == Code.OK
    assert bench.process(1, PACKET) == [(0, PACKET)]
    assert primary.status(pre(modify, message)) == Code.NOT_FOUND
    assert primary.status(pre(delete, message)) == Code.NOT_FOUND


@pytest.mark.parametrize(
    "message",
    [
        clone(0, [1]),
        clone(0x8000, [1]),
        clone(1, [1], class_of_service=8),
        clone(1, [1], packet_length_bytes=-1),
        clone(1, [512]),
        clone(1, [1, 1]),
    ],
    ids=["id 0", "id too large", "class of service", "negative length", "wide port", "twice"],
)
def test_a_wrong_clone_session_is_invalid(primary: Client, message: Entry) -> None:
    assert primary.status(pre(insert, message)) == Code.INVALID_ARGUMENT
    assert read(primary, Entry()) == []
