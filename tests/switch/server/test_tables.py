"""TableEntry: every rule of the specification with the status it demands."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from finsy.proto import p4r

from qplane.switch.errors import Code

from .client import Client, Names, delete, insert, modify
from .conftest import Bench
from .entries import acl, action, entry, exact, host, lpm, optional, route, span, ternary

Entry = p4r.TableEntry


def table(client: Client, query: Entry) -> list[Entry]:
    return [item.table_entry for item in client.read(p4r.Entity(table_entry=query))]


def all_of(client: Client, names: Names, name: str) -> list[Entry]:
    return table(client, Entry(table_id=names.table(name)))


def changed(message: Entry, change: Callable[[Entry], object]) -> Entry:
    copy = Entry()
    copy.CopyFrom(message)
    change(copy)
    return copy


# ---- what is written is read back ----


def test_entries_of_every_match_kind_are_read_back_as_written(
    primary: Client, names: Names
) -> None:
    written = [
        host(names, 0xAABBCCDDEEFF, 3, metadata=b"opaque", idle_timeout_ns=10**9),
        host(names, 0, 511, controller_metadata=17),
        route(names, 0x0A000000, 8),
        route(names, 0xFFFFFFFF, 32),
        acl(names, 1),
        acl(names, 2**31 - 1, metadata=b"x"),
        entry(names, "acl", [exact(4, 2)], action(names, "drop"), priority=3),
        entry(names, "routes", [], action(names, "set_dst", 1, 2)),
    ]
    for message in written:
        assert primary.status(insert(table_entry=message)) == Code.OK
    for message in written:
        query = Entry(table_id=message.table_id, match=message.match, priority=message.priority)
        if message.match:
            assert table(primary, query) == [message]
    assert len(all_of(primary, names, "routes")) == 3


def test_leading_zeros_are_accepted_and_canonical_strings_returned(
    primary: Client, names: Names
) -> None:
    message = host(names, 5, 3)
    message.match[0].exact.value = bytes(9) + b"\x05"
    message.action.action.params[0].value = bytes(3) + b"\x03"
    assert primary.status(insert(table_entry=message)) == Code.OK
    assert all_of(primary, names, "hosts") == [host(names, 5, 3)]
    assert primary.status(delete(table_entry=host(names, 5))) == Code.OK


def test_parameters_and_fields_may_come_in_any_order(primary: Client, names: Names) -> None:
    message = acl(names, 4)
    message.match.reverse()
    route_entry = entry(names, "routes", [lpm(1, 1 << 31, 1)], action(names, "set_dst", 1, 2))
    reversed_params = changed(route_entry, lambda m: m.action.action.params.reverse())
    assert primary.status(insert(table_entry=message)) == Code.OK
    assert primary.status(insert(table_entry=reversed_params)) == Code.OK
    assert all_of(primary, names, "acl") == [acl(names, 4)]
    assert all_of(primary, names, "routes") == [route_entry]


def test_entries_steer_packets(bench: Bench, primary: Client, names: Names) -> None:
    packet = bytes.fromhex("0000000000aa 000000000001 1234")
    assert primary.status(insert(table_entry=host(names, 0xAA, 3))) == Code.OK
    assert bench.process(1, packet) == [(3, packet)]
    assert primary.status(modify(table_entry=host(names, 0xAA, 4))) == Code.OK
    assert bench.process(1, packet) == [(4, packet)]
    assert primary.status(delete(table_entry=host(names, 0xAA))) == Code.OK
    assert bench.process(1, packet) == [(0, packet)]


# ---- key and priority ----

MATCH_ERRORS = {
    "exact field missing": (Code.INVALID_ARGUMENT, lambda m: m.ClearField("match")),
    "field twice": (Code.INVALID_ARGUMENT, lambda m: m.match.append(m.match[0])),
    "unknown field": (Code.INVALID_ARGUMENT, lambda m: setattr(m.match[0], "field_id", 9)),
    "no match type": (Code.INVALID_ARGUMENT, lambda m: m.match[0].ClearField("exact")),
    "wrong kind": (Code.INVALID_ARGUMENT, lambda m: m.match[0].CopyFrom(lpm(1, 1, 48))),
    "empty value": (Code.OUT_OF_RANGE, lambda m: setattr(m.match[0].exact, "value", b"")),
    "too wide": (Code.OUT_OF_RANGE, lambda m: setattr(m.match[0].exact, "value", b"\1" * 7)),
    "priority": (Code.INVALID_ARGUMENT, lambda m: setattr(m, "priority", 1)),
    "table id 0": (Code.INVALID_ARGUMENT, lambda m: setattr(m, "table_id", 0)),
    "unknown table": (Code.INVALID_ARGUMENT, lambda m: setattr(m, "table_id", 0x2123456)),
}


@pytest.mark.parametrize("kind", ["insert", "modify", "delete"])
@pytest.mark.parametrize("error", MATCH_ERRORS)
def test_a_wrong_key_is_refused_in_every_kind_of_update(
    primary: Client, names: Names, error: str, kind: str
) -> None:
    code, change = MATCH_ERRORS[error]
    update = {"insert": insert, "modify": modify, "delete": delete}[kind]
    assert primary.status(update(table_entry=changed(host(names, 1), change))) == code
    assert all_of(primary, names, "hosts") == []


@pytest.mark.parametrize(
    ("code", "match"),
    [
        (Code.INVALID_ARGUMENT, lpm(1, 0x0A000000, 0)),
        (Code.INVALID_ARGUMENT, lpm(1, 0x0A000000, 33)),
        (Code.INVALID_ARGUMENT, lpm(1, 0x0A000000, -1)),
        (Code.INVALID_ARGUMENT, lpm(1, 0x0A000001, 24)),
        (Code.OUT_OF_RANGE, lpm(1, 1 << 32, 8)),
    ],
    ids=["length 0", "too long", "negative", "bits beyond", "too wide"],
)
def test_a_wrong_prefix_is_refused(
    primary: Client, names: Names, code: Code, match: p4r.FieldMatch
) -> None:
    message = entry(names, "routes", [match], action(names, "forward", 1))
    assert primary.status(insert(table_entry=message)) == code


@pytest.mark.parametrize(
    ("code", "match"),
    [
        (Code.INVALID_ARGUMENT, ternary(1, 0, 0)),
        (Code.INVALID_ARGUMENT, ternary(1, 3, 1)),
        (Code.OUT_OF_RANGE, ternary(1, 1, 1 << 32)),
        (Code.INVALID_ARGUMENT, span(2, 5, 4)),
        (Code.INVALID_ARGUMENT, span(2, 0, 255)),
        (Code.OUT_OF_RANGE, span(2, 0, 256)),
        (Code.OUT_OF_RANGE, optional(3, 256)),
        (Code.INVALID_ARGUMENT, exact(1, 1)),
    ],
    ids=["zero mask", "outside mask", "wide mask", "low above high", "whole range", "wide high",
         "wide optional", "exact for ternary"],
)  # fmt: skip
def test_a_wrong_ternary_range_or_optional_match_is_refused(
    primary: Client, names: Names, code: Code, match: p4r.FieldMatch
) -> None:
    message = entry(names, "acl", [match, exact(4, 1)], action(names, "drop"), priority=1)
    assert primary.status(insert(table_entry=message)) == code


@pytest.mark.parametrize("priority", [0, -1])
def test_a_priority_above_zero_is_needed_with_ternary_range_or_optional(
    primary: Client, names: Names, priority: int
) -> None:
    assert primary.status(insert(table_entry=acl(names, priority))) == Code.INVALID_ARGUMENT


def test_the_same_match_with_another_priority_is_another_entry(
    primary: Client, names: Names
) -> None:
    assert primary.status(insert(table_entry=acl(names, 1))) == Code.OK
    assert primary.status(insert(table_entry=acl(names, 2))) == Code.OK
    assert primary.status(insert(table_entry=acl(names, 2))) == Code.ALREADY_EXISTS
    assert primary.status(delete(table_entry=acl(names, 3))) == Code.NOT_FOUND


# ---- update kinds ----


def test_insert_twice_already_exists_and_changes_nothing(primary: Client, names: Names) -> None:
    assert primary.status(insert(table_entry=host(names, 1, 1))) == Code.OK
    assert primary.status(insert(table_entry=host(names, 1, 2))) == Code.ALREADY_EXISTS
    assert all_of(primary, names, "hosts") == [host(names, 1, 1)]


def test_modify_and_delete_of_what_is_not_there_is_not_found(primary: Client, names: Names) -> None:
    assert primary.status(modify(table_entry=host(names, 1))) == Code.NOT_FOUND
    assert primary.status(delete(table_entry=host(names, 1))) == Code.NOT_FOUND


def test_modify_is_a_full_snapshot_but_keeps_an_unset_action(primary: Client, names: Names) -> None:
    first = host(names, 1, 5, metadata=b"old", idle_timeout_ns=7)
    assert primary.status(insert(table_entry=first)) == Code.OK
    assert primary.status(modify(table_entry=entry(names, "hosts", [exact(1, 1)], None))) == Code.OK
    assert all_of(primary, names, "hosts") == [host(names, 1, 5)]


def test_delete_looks_at_the_key_only(primary: Client, names: Names) -> None:
    assert primary.status(insert(table_entry=host(names, 1))) == Code.OK
    nonsense = host(names, 1, metadata=b"?", idle_timeout_ns=-5)
    nonsense.action.action.action_id = 0xBAD
    nonsense.meter_config.cir = -1
    assert primary.status(delete(table_entry=nonsense)) == Code.OK


def test_an_update_without_type_or_entity_is_invalid(primary: Client, names: Names) -> None:
    update = insert(table_entry=host(names, 1))
    update.type = p4r.Update.UNSPECIFIED
    assert primary.status(update) == Code.INVALID_ARGUMENT
    assert primary.status(p4r.Update(type=p4r.Update.INSERT)) == Code.INVALID_ARGUMENT


@pytest.mark.parametrize("kind", [insert, modify, delete])
def test_is_const_is_refused_in_every_kind_of_update(
    primary: Client, names: Names, kind: Callable[..., p4r.Update]
) -> None:
    assert primary.status(insert(table_entry=host(names, 1))) == Code.OK
    update = kind(table_entry=host(names, 1, is_const=True))
    assert primary.status(update) == Code.INVALID_ARGUMENT


def test_a_full_table_is_resource_exhausted(primary: Client, names: Names) -> None:
    for value in (1, 2, 3):
        message = entry(names, "small", [exact(1, value)], action(names, "forward", 1))
        expected = Code.OK if value <= 2 else Code.RESOURCE_EXHAUSTED
        assert primary.status(insert(table_entry=message)) == expected
    assert len(all_of(primary, names, "small")) == 2
    gone = entry(names, "small", [exact(1, 1)], None)
    assert primary.status(delete(table_entry=gone)) == Code.OK
    message = entry(names, "small", [exact(1, 3)], action(names, "forward", 1))
    assert primary.status(insert(table_entry=message)) == Code.OK


def test_a_keyless_table_has_a_default_entry_only(primary: Client, names: Names) -> None:
    message = entry(names, "keyless", [], action(names, "drop"))
    assert primary.status(insert(table_entry=message)) == Code.INVALID_ARGUMENT


# ---- actions ----

ACTION_ERRORS = {
    "no action": (Code.INVALID_ARGUMENT, lambda m: m.ClearField("action")),
    "empty action": (Code.INVALID_ARGUMENT, lambda m: m.action.ClearField("action")),
    "action id 0": (Code.INVALID_ARGUMENT, lambda m: setattr(m.action.action, "action_id", 0)),
    "parameter missing": (Code.INVALID_ARGUMENT, lambda m: m.action.action.ClearField("params")),
    "parameter unknown": (
        Code.INVALID_ARGUMENT,
        lambda m: m.action.action.params.add(param_id=9, value=b"\1"),
    ),
    "parameter twice": (
        Code.INVALID_ARGUMENT,
        lambda m: m.action.action.params.append(m.action.action.params[0]),
    ),
    "parameter empty": (
        Code.OUT_OF_RANGE, lambda m: setattr(m.action.action.params[0], "value", b"")
    ),
    "parameter too wide": (
        Code.OUT_OF_RANGE, lambda m: setattr(m.action.action.params[0], "value", b"\2\0")
    ),
    "member of a direct table": (
        Code.INVALID_ARGUMENT, lambda m: setattr(m.action, "action_profile_member_id", 1)
    ),
    "is_const": (Code.INVALID_ARGUMENT, lambda m: setattr(m, "is_const", True)),
    "time since last hit": (
        Code.INVALID_ARGUMENT, lambda m: m.time_since_last_hit.SetInParent()
    ),
    "negative time-out": (
        Code.INVALID_ARGUMENT, lambda m: setattr(m, "idle_timeout_ns", -1)
    ),
    "meter of a table without one": (
        Code.INVALID_ARGUMENT, lambda m: m.meter_config.SetInParent()
    ),
    "colour counters of a table without a meter": (
        Code.INVALID_ARGUMENT, lambda m: m.meter_counter_data.SetInParent()
    ),
    "negative counter": (
        Code.INVALID_ARGUMENT, lambda m: setattr(m.counter_data, "packet_count", -1)
    ),
}  # fmt: skip


@pytest.mark.parametrize("error", ACTION_ERRORS)
def test_a_wrong_action_or_attribute_is_refused(primary: Client, names: Names, error: str) -> None:
    code, change = ACTION_ERRORS[error]
    assert primary.status(insert(table_entry=changed(host(names, 1), change))) == code
    assert all_of(primary, names, "hosts") == []


def test_an_action_of_another_table_is_invalid(primary: Client, names: Names) -> None:
    message = entry(names, "hosts", [exact(1, 1)], action(names, "set_dst", 1, 2))
    assert primary.status(insert(table_entry=message)) == Code.INVALID_ARGUMENT


def test_scopes_of_actions_are_respected(primary: Client, names: Names) -> None:
    in_table = entry(names, "routes", [lpm(1, 0, 1)], action(names, "only_in_table"))
    default_in_table = entry(names, "routes", [lpm(1, 0, 2)], action(names, "only_default"))
    default = entry(names, "routes", [], action(names, "only_default"), is_default_action=True)
    table_as_default = entry(
        names, "routes", [], action(names, "only_in_table"), is_default_action=True
    )
    assert primary.status(insert(table_entry=in_table)) == Code.OK
    assert primary.status(insert(table_entry=default_in_table)) == Code.PERMISSION_DENIED
    assert primary.status(modify(table_entry=default)) == Code.OK
    assert primary.status(modify(table_entry=table_as_default)) == Code.PERMISSION_DENIED


# ---- default entries ----


def default(names: Names, name: str, act: p4r.Action | None, **fields: object) -> Entry:
    return entry(names, name, [], act, is_default_action=True, **fields)


def test_a_default_entry_is_modified_read_and_reset(
    bench: Bench, primary: Client, names: Names
) -> None:
    packet = bytes.fromhex("0000000000aa 000000000001 1234")
    query = default(names, "keyless", None)
    original = table(primary, query)
    assert original == [default(names, "keyless", action(names, "NoAction"))]
    message = default(names, "keyless", action(names, "forward", 9), metadata=b"d")
    assert primary.status(modify(table_entry=message)) == Code.OK
    assert table(primary, query) == [message]
    assert all_of(primary, names, "keyless") == []
    assert bench.process(1, packet) == [(9, packet)]
    assert primary.status(modify(table_entry=query)) == Code.OK
    assert table(primary, query) == original
    assert bench.process(1, packet) == [(0, packet)]


@pytest.mark.parametrize("kind", [insert, delete])
def test_a_default_entry_is_neither_inserted_nor_deleted(
    primary: Client, names: Names, kind: Callable[..., p4r.Update]
) -> None:
    message = default(names, "hosts", action(names, "drop"))
    assert primary.status(kind(table_entry=message)) == Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m, "priority", 1),
        lambda m: m.match.append(exact(1, 1)),
        lambda m: setattr(m, "idle_timeout_ns", 1),
        lambda m: m.time_since_last_hit.SetInParent(),
    ],
    ids=["priority", "match", "time-out", "time since last hit"],
)
def test_a_default_entry_has_no_match_priority_or_timeout(
    primary: Client, names: Names, change: Callable[[Entry], object]
) -> None:
    message = changed(default(names, "hosts", action(names, "drop")), change)
    assert primary.status(modify(table_entry=message)) == Code.INVALID_ARGUMENT


@pytest.mark.parametrize("name", ["constant", "indirect", "balanced"])
def test_a_constant_default_entry_is_not_modified(primary: Client, names: Names, name: str) -> None:
    message = default(names, name, action(names, "forward", 1))
    assert primary.status(modify(table_entry=message)) == Code.PERMISSION_DENIED
    assert primary.status(modify(table_entry=default(names, name, None))) == Code.PERMISSION_DENIED


# ---- constant and initial entries ----


def test_a_constant_table_is_read_and_refuses_writes(primary: Client, names: Names) -> None:
    entries = [
        entry(names, "constant", [exact(1, 253)], action(names, "drop"), is_const=True),
        entry(names, "constant", [exact(1, 254)], action(names, "forward", 7), is_const=True),
    ]
    assert all_of(primary, names, "constant") == entries
    new = entry(names, "constant", [exact(1, 1)], action(names, "drop"))
    same = entry(names, "constant", [exact(1, 253)], action(names, "drop"))
    for update in (
        insert(table_entry=new), insert(table_entry=same), modify(table_entry=same),
        modify(table_entry=new), delete(table_entry=same), delete(table_entry=new),
    ):  # fmt: skip
        assert primary.status(update) == Code.PERMISSION_DENIED
    assert all_of(primary, names, "constant") == entries


def test_initial_entries_have_descending_priorities_and_room_for_others(
    primary: Client, names: Names
) -> None:
    entries = all_of(primary, names, "initial")
    assert [(item.match[0].ternary.value, item.priority) for item in entries] == [
        (b"\x10", 2), (b"\x20", 1),
    ]  # fmt: skip
    more = entry(
        names, "initial", [ternary(1, 0x30, 0xF0)], action(names, "forward", 3), priority=9
    )
    assert primary.status(insert(table_entry=more)) == Code.OK
    second = changed(entries[1], lambda m: m.ClearField("is_const"))
    assert primary.status(modify(table_entry=second)) == Code.OK
    assert primary.status(delete(table_entry=second)) == Code.OK
    assert len(all_of(primary, names, "initial")) == 2


# ---- direct resources ----


def test_direct_counters_count_and_can_be_written_with_their_entry(
    bench: Bench, primary: Client, names: Names
) -> None:
    packet = bytes.fromhex("0000000000aa 000000000001 1234")
    first = host(names, 0xAA, 3)
    first.counter_data.packet_count, first.counter_data.byte_count = 10, 1000
    assert primary.status(insert(table_entry=first)) == Code.OK
    bench.process(1, packet)
    query = changed(host(names, 0xAA), lambda m: m.counter_data.SetInParent())
    query.ClearField("action")
    (found,) = table(primary, query)
    assert (found.counter_data.packet_count, found.counter_data.byte_count) == (11, 1014)
    assert not all_of(primary, names, "hosts")[0].HasField("counter_data")
    assert primary.status(modify(table_entry=host(names, 0xAA, 4))) == Code.OK
    assert table(primary, query)[0].counter_data.packet_count == 11, "unset: not changed"
    direct = p4r.DirectCounterEntry(table_entry=host(names, 0xAA))
    direct.data.packet_count = 5
    assert primary.status(modify(direct_counter_entry=direct)) == Code.OK
    (read,) = primary.read(p4r.Entity(direct_counter_entry=direct))
    assert read.direct_counter_entry.data == p4r.CounterData(packet_count=5)
    assert read.direct_counter_entry.table_entry.match == direct.table_entry.match


def test_the_default_entry_counts_too(bench: Bench, primary: Client, names: Names) -> None:
    bench.process(1, bytes.fromhex("0000000000aa 000000000001 1234"))
    query = default(names, "hosts", None)
    query.counter_data.SetInParent()
    assert table(primary, query)[0].counter_data.HasField is not None
    direct = p4r.DirectCounterEntry(table_entry=default(names, "hosts", None))
    (read,) = primary.read(p4r.Entity(direct_counter_entry=direct))
    assert read.direct_counter_entry.table_entry.is_default_action


def test_direct_meters_are_configured_with_their_entry_or_on_their_own(
    primary: Client, names: Names
) -> None:
    message = acl(names, 1)
    message.meter_config.cir, message.meter_config.cburst = 1, 2
    message.meter_config.pir, message.meter_config.pburst = 3, 4
    assert primary.status(insert(table_entry=message)) == Code.OK
    query = acl(names, 1)
    query.ClearField("action")
    query.meter_config.SetInParent()
    assert table(primary, query) == [message]
    direct = p4r.DirectMeterEntry(table_entry=acl(names, 1))
    direct.config.cir = direct.config.pir = 9
    assert primary.status(modify(direct_meter_entry=direct)) == Code.OK
    assert table(primary, query)[0].meter_config == direct.config
    (read,) = primary.read(p4r.Entity(direct_meter_entry=direct))
    assert read.direct_meter_entry.config == direct.config
    assert primary.status(modify(table_entry=acl(names, 1))) == Code.OK
    assert not table(primary, query)[0].HasField("meter_config"), "unset: back to the default"


def test_direct_entries_are_only_modified_and_need_their_table_entry(
    primary: Client, names: Names
) -> None:
    counter = p4r.DirectCounterEntry(table_entry=host(names, 1), data=p4r.CounterData())
    meter = p4r.DirectMeterEntry(table_entry=acl(names, 1), config=p4r.MeterConfig())
    for kind in (insert, delete):
        assert primary.status(kind(direct_counter_entry=counter)) == Code.INVALID_ARGUMENT
        assert primary.status(kind(direct_meter_entry=meter)) == Code.INVALID_ARGUMENT
    assert primary.status(modify(direct_counter_entry=counter)) == Code.NOT_FOUND
    assert primary.status(modify(direct_meter_entry=meter)) == Code.NOT_FOUND
    failed = primary.read_failure(p4r.Entity(direct_counter_entry=counter))
    assert failed.members == [Code.NOT_FOUND]
    none = p4r.DirectCounterEntry(table_entry=route(names, 0x0A000000, 8))
    assert primary.status(modify(direct_counter_entry=none)) == Code.INVALID_ARGUMENT


def test_all_direct_counters_of_all_tables_are_read(primary: Client, names: Names) -> None:
    for mac in range(3):
        assert primary.status(insert(table_entry=host(names, mac))) == Code.OK
    query = p4r.Entity()
    query.direct_counter_entry.SetInParent()
    assert len(primary.read(query)) == 3
    query.direct_counter_entry.table_entry.table_id = names.table("hosts")
    assert len(primary.read(query)) == 3
    query = p4r.Entity()
    query.direct_meter_entry.SetInParent()
    assert primary.read(query) == []


# ---- reading with filters ----


def test_reads_filter_by_match_action_priority_and_metadata(primary: Client, names: Names) -> None:
    one = acl(names, 1, metadata=b"a")
    two = acl(names, 2, controller_metadata=5)
    drop = entry(names, "acl", [exact(4, 3)], action(names, "drop"), priority=2, metadata=b"a")
    for message in (one, two, drop):
        assert primary.status(insert(table_entry=message)) == Code.OK
    acl_id = names.table("acl")
    assert table(primary, Entry(table_id=acl_id, priority=2)) == [two, drop]
    assert table(primary, Entry(table_id=acl_id, metadata=b"a")) == [one, drop]
    assert table(primary, Entry(table_id=acl_id, controller_metadata=5)) == [two]
    by_action = Entry(table_id=acl_id)
    by_action.action.action.action_id = names.action("drop")
    assert table(primary, by_action) == [drop]
    by_action.metadata = b"b"
    assert table(primary, by_action) == []
    assert table(primary, Entry(table_id=acl_id, match=one.match, priority=1)) == [one]
    assert table(primary, Entry(table_id=acl_id, match=one.match, priority=9)) == []


def test_a_read_of_all_tables_includes_constant_ones_and_takes_no_filter(
    primary: Client, names: Names
) -> None:
    assert primary.status(insert(table_entry=host(names, 1))) == Code.OK
    ids = {item.table_id for item in table(primary, Entry())}
    assert ids == {names.table("hosts"), names.table("constant"), names.table("initial")}
    failed = primary.read_failure(p4r.Entity(table_entry=Entry(priority=1)))
    assert failed.code == Code.UNKNOWN and failed.members == [Code.INVALID_ARGUMENT]


def test_idle_times_are_reported_when_asked_for(primary: Client, names: Names) -> None:
    assert primary.status(insert(table_entry=host(names, 1))) == Code.OK
    query = Entry(table_id=names.table("hosts"))
    query.time_since_last_hit.SetInParent()
    (found,) = table(primary, query)
    assert found.time_since_last_hit.elapsed_ns > 0
    assert not all_of(primary, names, "hosts")[0].HasField("time_since_last_hit")
    query.table_id = names.table("routes")
    failed = primary.read_failure(p4r.Entity(table_entry=query))
    assert failed.members == [Code.INVALID_ARGUMENT]
