"""Writes that should fail, and where two switches may say so in different words."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from finsy.proto import p4r, rpc_code

from .states import StateMaker

C = rpc_code
Mutation = Callable[[p4r.Update, Random], bool]
"""Spoils a good insert of a table entry in place; False where it can't."""


def _unknown_table(update: p4r.Update, _: Random) -> bool:
    update.entity.table_entry.table_id = 0x02FFFFFF
    return True


def _no_table(update: p4r.Update, _: Random) -> bool:
    update.entity.table_entry.table_id = 0
    return True


def _unknown_field(update: p4r.Update, _: Random) -> bool:
    if not update.entity.table_entry.match:
        return False
    update.entity.table_entry.match[0].field_id = 99
    return True


def _field_twice(update: p4r.Update, _: Random) -> bool:
    match = update.entity.table_entry.match
    if not match:
        return False
    match.add().CopyFrom(match[0])
    return True


def _exact_field_missing(update: p4r.Update, _: Random) -> bool:
    match = update.entity.table_entry.match
    for place, field in enumerate(match):
        if field.HasField("exact"):
            del match[place]
            return True
    return False


def _too_wide(update: p4r.Update, _: Random) -> bool:
    for field in update.entity.table_entry.match:
        if field.HasField("exact"):
            field.exact.value = b"\x01" + bytes(40)
            return True
    return False


def _wrong_kind(update: p4r.Update, _: Random) -> bool:
    for field in update.entity.table_entry.match:
        if field.HasField("exact"):
            field.lpm.value, field.lpm.prefix_len = b"\x01", 1
            return True
    return False


def _prefix_too_long(update: p4r.Update, _: Random) -> bool:
    for field in update.entity.table_entry.match:
        if field.HasField("lpm"):
            field.lpm.prefix_len = 1000
            return True
    return False


def _bits_beyond_the_mask(update: p4r.Update, _: Random) -> bool:
    for field in update.entity.table_entry.match:
        if field.HasField("ternary"):
            field.ternary.value, field.ternary.mask = b"\x03", b"\x01"
            return True
    return False


def _mask_of_zero(update: p4r.Update, _: Random) -> bool:
    for field in update.entity.table_entry.match:
        if field.HasField("ternary"):
            field.ternary.value, field.ternary.mask = b"\x00", b"\x00"
            return True
    return False


def _range_upside_down(update: p4r.Update, _: Random) -> bool:
    for field in update.entity.table_entry.match:
        if field.HasField("range"):
            field.range.low, field.range.high = b"\x02", b"\x01"
            return True
    return False


def _priority(update: p4r.Update, _: Random) -> bool:
    entry = update.entity.table_entry
    entry.priority = 0 if entry.priority else 5
    return True


def _no_action(update: p4r.Update, _: Random) -> bool:
    update.entity.table_entry.ClearField("action")
    return True


def _unknown_action(update: p4r.Update, _: Random) -> bool:
    if not update.entity.table_entry.action.HasField("action"):
        return False
    update.entity.table_entry.action.action.action_id = 0x01FFFFFF
    return True


def _parameter_missing(update: p4r.Update, _: Random) -> bool:
    params = update.entity.table_entry.action.action.params
    if not params:
        return False
    del params[-1]
    return True


def _unknown_parameter(update: p4r.Update, _: Random) -> bool:
    params = update.entity.table_entry.action.action.params
    if not params:
        return False
    params[0].param_id = 99
    return True


def _unknown_member(update: p4r.Update, _: Random) -> bool:
    if update.entity.table_entry.action.HasField("action"):
        return False
    update.entity.table_entry.action.action_profile_member_id = 9999
    return True


def _modify_what_is_not_there(update: p4r.Update, _: Random) -> bool:
    update.type = p4r.Update.MODIFY
    return True


def _delete_what_is_not_there(update: p4r.Update, _: Random) -> bool:
    update.type = p4r.Update.DELETE
    return True


def _no_type(update: p4r.Update, _: Random) -> bool:
    update.type = p4r.Update.UNSPECIFIED
    return True


def _insert_a_default(update: p4r.Update, _: Random) -> bool:
    update.entity.table_entry.is_default_action = True
    update.entity.table_entry.ClearField("match")
    update.entity.table_entry.priority = 0
    return True


MUTATIONS: dict[str, Mutation] = {
    function.__name__[1:]: function
    for function in (
        _unknown_table, _no_table, _unknown_field, _field_twice, _exact_field_missing, _too_wide,
        _wrong_kind, _prefix_too_long, _bits_beyond_the_mask, _mask_of_zero, _range_upside_down,
        _priority, _no_action, _unknown_action, _parameter_missing, _unknown_parameter,
        _unknown_member, _modify_what_is_not_there, _delete_what_is_not_there, _no_type,
        _insert_a_default,
    )
}  # fmt: skip

_DIFFERENT = {
    ("too_wide", C.INVALID_ARGUMENT, C.OUT_OF_RANGE),
    ("unknown_member", C.INVALID_ARGUMENT, C.NOT_FOUND),
    ("unknown_member", C.INVALID_ARGUMENT, C.ALREADY_EXISTS),  # both are true
    ("no entity", C.UNKNOWN, C.INVALID_ARGUMENT),
    ("counter index beyond the end", C.UNKNOWN, C.OUT_OF_RANGE),
}


def is_explained(name: str, reference: int, tested: int) -> bool:
    """Whether docs/bmv2.md explains that the two codes differ."""
    return (name, reference, tested) in _DIFFERENT


def bad_writes(maker: StateMaker, rng: Random) -> list[tuple[str, p4r.Update]]:
    """One update for each mutation that can be made in a random table."""
    tables = [
        table for table in maker.info.tables if table.match_fields and not table.is_const_table
    ]
    updates = []
    for name, mutate in MUTATIONS.items():
        if not tables:
            break
        entity = maker.entry(rng.choice(tables), priority=2000)
        update = p4r.Update(type=p4r.Update.INSERT, entity=entity)
        if mutate(update, rng):
            updates.append((name, update))
    return updates + _others(maker, rng)


def _others(maker: StateMaker, rng: Random) -> list[tuple[str, p4r.Update]]:
    """Bad writes of what is not a table entry."""
    updates: list[tuple[str, p4r.Update]] = []

    def add(name: str, kind: p4r.Update.Type, entity: p4r.Entity) -> None:
        updates.append((name, p4r.Update(type=kind, entity=entity)))

    engine = "packet_replication_engine_entry"
    for group, ports, name in (
        (0, [(1, 0)], "multicast group 0"),
        (9, [(1, 0), (1, 0)], "replica twice"),
    ):
        entity = p4r.Entity()
        entry = getattr(entity, engine).multicast_group_entry
        entry.multicast_group_id = group
        for port, instance in ports:
            entry.replicas.add(egress_port=port, instance=instance)
        add(name, p4r.Update.INSERT, entity)
    entity = p4r.Entity()
    getattr(entity, engine).multicast_group_entry.multicast_group_id = 900
    add("delete a group that is not there", p4r.Update.DELETE, entity)
    add("modify a group that is not there", p4r.Update.MODIFY, entity)
    entity = p4r.Entity()
    getattr(entity, engine).clone_session_entry.session_id = 900
    add("delete a session that is not there", p4r.Update.DELETE, entity)
    add("engine entry of no kind", p4r.Update.INSERT, p4r.Entity(**{engine: {}}))
    add("no entity", p4r.Update.INSERT, p4r.Entity())
    for counter in maker.info.counters[:1]:
        entity = p4r.Entity()
        entity.counter_entry.counter_id = counter.preamble.id
        entity.counter_entry.index.index = counter.size
        entity.counter_entry.data.packet_count = 1
        add("counter index beyond the end", p4r.Update.MODIFY, entity)
        entity = p4r.Entity()
        entity.counter_entry.counter_id = counter.preamble.id
        entity.counter_entry.index.index = 0
        add("insert of a counter cell", p4r.Update.INSERT, entity)
        entity = p4r.Entity()
        entity.counter_entry.counter_id = 0x12FFFFFF
        entity.counter_entry.index.index = 0
        add("unknown counter", p4r.Update.MODIFY, entity)
    for profile in maker.info.action_profiles:
        entity = p4r.Entity()
        member = entity.action_profile_member
        member.action_profile_id, member.member_id = profile.preamble.id, 900
        add("member without action", p4r.Update.INSERT, entity)
        add("delete a member that is not there", p4r.Update.DELETE, entity)
        if profile.with_selector:
            entity = p4r.Entity()
            group_ = entity.action_profile_group
            group_.action_profile_id, group_.group_id = profile.preamble.id, 900
            add("delete a profile group that is not there", p4r.Update.DELETE, entity)
    return updates
