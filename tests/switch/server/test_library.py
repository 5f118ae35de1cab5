"""``Switch``: the switch in this process, by names."""

from __future__ import annotations

import numpy as np
import pytest
from finsy.proto import p4r

from qplane.switch import Switch
from qplane.switch.errors import Code, StatusError

from .client import PROGRAMS

JSON = PROGRAMS / "p4runtime.json"
P4INFO = PROGRAMS / "p4runtime.p4info.txtpb"
PACKET = bytes.fromhex("0000000000aa 000000000001 1234") + b"payload"
IPV4 = bytes.fromhex("0000000000ff 000000000001 0800") + bytes.fromhex(
    "4500 0014 00000000 40 11 0000 0a000001 0a000102"
)


@pytest.fixture(params=[P4INFO, None], ids=["with P4Info", "without"])
def switch(request: pytest.FixtureRequest) -> Switch:
    return Switch(JSON, request.param)


def test_entries_are_added_changed_and_deleted_by_name(switch: Switch) -> None:
    switch.add("hosts", {"dst": "00:00:00:00:00:aa"}, "host", [3])
    assert switch.inject(1, PACKET) == [(3, PACKET)]
    switch.modify("IngressImpl.hosts", {"hdr.ethernet.dst": 0xAA}, "IngressImpl.host", [4])
    assert switch.inject(1, PACKET) == [(4, PACKET)]
    switch.delete("hosts", {"dst": b"\xaa"})
    assert switch.inject(1, PACKET) == [(0, PACKET)]
    assert (switch.stats["processed"], switch.stats["emitted"]) == (3, 3)


def test_every_kind_of_match_is_written_as_one_thinks_of_it(switch: Switch) -> None:
    switch.add("routes", {"dst": "10.0.1.0/24"}, "set_dst", [5, "08:00:00:00:01:11"])
    switch.add(
        "acl", {"src": ("10.0.0.0", "255.0.0.0"), "protocol": (6, 17), "ingress_port": 2}, "drop",
        priority=1,
    )  # fmt: skip
    [(port, packet)] = switch.inject(1, IPV4)
    assert (port, packet[:6]) == (5, bytes.fromhex("080000000111"))
    assert switch.inject(2, IPV4) == []


def test_parameters_go_by_name_with_a_p4info() -> None:
    switch = Switch(JSON, P4INFO)
    switch.add("routes", {"dst": "10.0.1.0/24"}, "set_dst", {"dst": 1, "port": 6})
    assert switch.inject(1, IPV4)[0][0] == 6
    with pytest.raises(StatusError, match="no parameter 'colour'"):
        switch.add("routes", {"dst": "11.0.0.0/8"}, "forward", {"colour": 1})


def test_defaults_groups_clones_counters_and_registers(switch: Switch) -> None:
    switch.set_default("keyless", "forward", [9])
    assert switch.inject(1, PACKET) == [(9, PACKET)]
    switch.set_default("keyless", None)
    switch.multicast(7, [(1, 0), (2, 1)])
    switch.add("hosts", {"dst": 0xAA}, "flood", [7])
    assert sorted(switch.inject(1, PACKET)) == [(1, PACKET), (2, PACKET)]
    switch.clone_session(5, [8])
    switch.add("hosts", {"dst": 0xFF}, "mirror")
    assert sorted(switch.inject(3, IPV4)) == [(0, IPV4), (8, IPV4)]
    assert switch.counter("port_counter", 3) == (1, len(IPV4))
    assert switch.register("values", 0) == 1
    switch.set_register("values", 0, 41)
    switch.inject(3, IPV4)
    assert switch.register("values", 0) == 42


def test_a_batch_gives_what_single_packets_give(switch: Switch) -> None:
    switch.add("hosts", {"dst": 0xAA}, "host", [3])
    rows = np.zeros((4, 40), np.uint8)
    lengths = np.array([len(PACKET), len(IPV4), 14, len(PACKET)])
    for row, data in zip(rows, (PACKET, IPV4, bytes(14), PACKET), strict=True):
        row[: len(data)] = np.frombuffer(data, np.uint8)
    burst = switch.inject_batch(np.array([1, 2, 3, 4]), rows, lengths)
    assert burst.sources.tolist() == [0, 1, 2, 3]
    assert burst.ports.tolist() == [3, 0, 0, 3]
    assert [burst.packet(i) for i in range(4)] == [PACKET, IPV4, bytes(14), PACKET]
    with pytest.raises(ValueError, match="longer than a row"):
        switch.inject_batch(1, rows, np.array([1, 2, 3, 41]))


@pytest.mark.parametrize(
    ("table", "match", "act", "params", "code"),
    [
        ("nothing", {}, "host", [1], Code.NOT_FOUND),
        ("hosts", {"nothing": 1}, "host", [1], Code.NOT_FOUND),
        ("hosts", {"dst": 1}, "nothing", [], Code.NOT_FOUND),
        ("hosts", {"dst": 1}, "host", [], Code.INVALID_ARGUMENT),
        ("hosts", {"dst": 1}, "host", [512], Code.OUT_OF_RANGE),
        ("hosts", {"dst": "here"}, "host", [1], Code.INVALID_ARGUMENT),
        ("hosts", {}, "host", [1], Code.INVALID_ARGUMENT),
        ("hosts", {"dst": -1}, "host", [1], Code.INVALID_ARGUMENT),
    ],
)
def test_what_is_wrong_has_the_status_a_controller_would_get(
    switch: Switch, table: str, match: dict[str, object], act: str, params: list[int], code: Code
) -> None:
    with pytest.raises(StatusError) as caught:
        switch.add(table, match, act, params)
    assert caught.value.code == code


def test_any_entity_can_be_written_and_read() -> None:
    switch = Switch(JSON.read_bytes(), P4INFO)
    entity = p4r.Entity()
    entity.packet_replication_engine_entry.multicast_group_entry.multicast_group_id = 1
    switch.write(p4r.Update.INSERT, entity)
    query = p4r.Entity()
    query.packet_replication_engine_entry.SetInParent()
    assert switch.read(query) == [entity]


def test_a_file_that_is_no_p4info_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "bad.txtpb").write_text("tables {")
    with pytest.raises(ValueError, match=r"bad\.txtpb: not a P4Info"):
        Switch(JSON, tmp_path / "bad.txtpb")
