"""Entities of p4runtime.p4 for the tests."""

from __future__ import annotations

from collections.abc import Sequence

from finsy.proto import p4r

from .client import Names, insert, modify


def minimal(value: int) -> bytes:
    """The canonical byte string of a number."""
    return value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")


def action(names: Names, name: str, *params: int) -> p4r.Action:
    """An action with its parameters in order."""
    message = p4r.Action(action_id=names.action(name))
    for param_id, value in enumerate(params, 1):
        message.params.add(param_id=param_id, value=minimal(value))
    return message


def exact(field_id: int, value: int) -> p4r.FieldMatch:
    return p4r.FieldMatch(field_id=field_id, exact=p4r.FieldMatch.Exact(value=minimal(value)))


def lpm(field_id: int, value: int, length: int) -> p4r.FieldMatch:
    match = p4r.FieldMatch.LPM(value=minimal(value), prefix_len=length)
    return p4r.FieldMatch(field_id=field_id, lpm=match)


def ternary(field_id: int, value: int, mask: int) -> p4r.FieldMatch:
    match = p4r.FieldMatch.Ternary(value=minimal(value), mask=minimal(mask))
    return p4r.FieldMatch(field_id=field_id, ternary=match)


def span(field_id: int, low: int, high: int) -> p4r.FieldMatch:
    match = p4r.FieldMatch.Range(low=minimal(low), high=minimal(high))
    return p4r.FieldMatch(field_id=field_id, range=match)


def optional(field_id: int, value: int) -> p4r.FieldMatch:
    return p4r.FieldMatch(field_id=field_id, optional=p4r.FieldMatch.Optional(value=minimal(value)))


def entry(
    names: Names,
    table: str,
    match: Sequence[p4r.FieldMatch],
    act: p4r.Action | p4r.TableAction | None,
    **fields: object,
) -> p4r.TableEntry:
    """A table entry."""
    message = p4r.TableEntry(table_id=names.table(table), match=match, **fields)
    if isinstance(act, p4r.TableAction):
        message.action.CopyFrom(act)
    elif act is not None:
        message.action.action.CopyFrom(act)
    return message


def host(names: Names, mac: int, port: int = 1, **fields: object) -> p4r.TableEntry:
    """An entry of the exact table ``hosts``."""
    return entry(names, "hosts", [exact(1, mac)], action(names, "host", port), **fields)


def route(names: Names, address: int, length: int, port: int = 1) -> p4r.TableEntry:
    """An entry of the LPM table ``routes``."""
    return entry(names, "routes", [lpm(1, address, length)], action(names, "forward", port))


def acl(names: Names, priority: int, **fields: object) -> p4r.TableEntry:
    """An entry of ``acl`` with a match of every kind."""
    match = [ternary(1, 0x0A000000, 0xFF000000), span(2, 6, 17), optional(3, 0), exact(4, 1)]
    return entry(names, "acl", match, action(names, "mark", 7), priority=priority, **fields)


def member(names: Names, profile: str, member_id: int, port: int = 1) -> p4r.ActionProfileMember:
    return p4r.ActionProfileMember(
        action_profile_id=names["action_profiles", profile],
        member_id=member_id,
        action=action(names, "forward", port),
    )


def group(
    names: Names, group_id: int, members: Sequence[tuple[int, int]], max_size: int = 0
) -> p4r.ActionProfileGroup:
    """A group of the selector ``ecmp`` with (member, weight) pairs."""
    message = p4r.ActionProfileGroup(
        action_profile_id=names["action_profiles", "ecmp"], group_id=group_id, max_size=max_size
    )
    for member_id, weight in members:
        message.members.add(member_id=member_id, weight=weight)
    return message


def by_member(member_id: int) -> p4r.TableAction:
    return p4r.TableAction(action_profile_member_id=member_id)


def by_group(group_id: int) -> p4r.TableAction:
    return p4r.TableAction(action_profile_group_id=group_id)


def multicast(group_id: int, ports: Sequence[int]) -> p4r.PacketReplicationEngineEntry:
    message = p4r.PacketReplicationEngineEntry()
    message.multicast_group_entry.multicast_group_id = group_id
    for instance, port in enumerate(ports):
        message.multicast_group_entry.replicas.add(port=minimal(port), instance=instance)
    return message


def clone(session: int, ports: Sequence[int], **fields: int) -> p4r.PacketReplicationEngineEntry:
    message = p4r.PacketReplicationEngineEntry()
    message.clone_session_entry.session_id = session
    for port in ports:
        message.clone_session_entry.replicas.add(port=minimal(port), instance=1)
    for name, value in fields.items():
        setattr(message.clone_session_entry, name, value)
    return message


def register(names: Names, name: str, index: int | None, value: int | None) -> p4r.RegisterEntry:
    message = p4r.RegisterEntry(register_id=names["registers", name])
    if index is not None:
        message.index.index = index
    if value is not None:
        message.data.bitstring = minimal(value)
    return message


def counter(
    names: Names, index: int | None, counts: tuple[int, int] | None = None
) -> p4r.CounterEntry:
    message = p4r.CounterEntry(counter_id=names["counters", "port_counter"])
    if index is not None:
        message.index.index = index
    if counts is not None:
        message.data.packet_count, message.data.byte_count = counts
        message.data.SetInParent()
    return message


def meter(
    names: Names, index: int | None, rates: tuple[int, int, int, int] | None = None
) -> p4r.MeterEntry:
    message = p4r.MeterEntry(meter_id=names["meters", "port_meter"])
    if index is not None:
        message.index.index = index
    if rates is not None:
        config = message.config
        config.cir, config.cburst, config.pir, config.pburst = rates
    return message


def value_set(names: Names, values: Sequence[int]) -> p4r.ValueSetEntry:
    message = p4r.ValueSetEntry(value_set_id=names["value_sets", "ip_types"])
    for value in values:
        message.members.add(match=[exact(1, value)])
    return message


def one_shot(names: Names, *choices: tuple[int, int]) -> p4r.TableAction:
    """A one-shot action set of (port, weight) choices."""
    message = p4r.TableAction()
    for port, weight in choices:
        item = message.action_profile_action_set.action_profile_actions.add(weight=weight)
        item.action.CopyFrom(action(names, "forward", port))
    return message


def one_of_everything(names: Names) -> list[p4r.Update]:
    """Writes of every kind, in an order in which all succeed on a fresh switch."""
    default = entry(names, "keyless", [], action(names, "forward", 3), is_default_action=True)
    digest = p4r.DigestEntry(digest_id=names["digests", "learn_t"])
    digest.config.max_list_size = 5
    digest.config.max_timeout_ns = 1_000_000
    direct = host(names, 0xBB, metadata=b"cookie", idle_timeout_ns=5_000_000_000)
    direct.counter_data.packet_count = 17
    metered = acl(names, 10, metadata=b"m")
    metered.meter_config.cir, metered.meter_config.cburst = 10, 20
    metered.meter_config.pir, metered.meter_config.pburst = 30, 40
    by_member = p4r.TableAction(action_profile_member_id=1)
    by_group = p4r.TableAction(action_profile_group_id=1)
    return [
        insert(table_entry=direct),
        insert(table_entry=route(names, 0x0A000100, 24)),
        insert(table_entry=metered),
        insert(action_profile_member=member(names, "nexthops", 1)),
        insert(action_profile_member=member(names, "ecmp", 1)),
        insert(action_profile_member=member(names, "ecmp", 2, port=2)),
        insert(action_profile_group=group(names, 1, [(1, 1), (2, 3)])),
        insert(table_entry=entry(names, "indirect", [exact(1, 5)], by_member)),
        insert(table_entry=entry(names, "balanced", [exact(1, 6)], by_group)),
        modify(table_entry=default),
        modify(register_entry=register(names, "values", 3, 0x1234)),
        modify(register_entry=register(names, "signed_values", 2, 0xFF)),
        modify(counter_entry=counter(names, 4, (5, 600))),
        modify(meter_entry=meter(names, 2, (100, 10, 200, 20))),
        modify(value_set_entry=value_set(names, [0x88B5])),
        insert(packet_replication_engine_entry=multicast(1, [1, 2])),
        insert(packet_replication_engine_entry=clone(5, [3])),
        insert(digest_entry=digest),
    ]
