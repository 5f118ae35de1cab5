"""RECONCILE_AND_COMMIT: what a controller has written, carried over to another program.

What a Read reports is what a Write takes, so the state is read, replayed on a rehearsal of the
new program, and only if all of it is accepted there replayed on the packet path.
"""

from __future__ import annotations

from collections.abc import Iterator

from finsy.proto import p4r

from .entities.base import DELETE, INSERT, MODIFY, Kind
from .errors import StatusError, invalid
from .p4info import P4InfoIndex
from .roles import RoleScope
from .state import ForwardingState

_FULL_ACCESS = RoleScope()
# In this order, so that what is referred to is there first.
_INSERTED = (
    "action_profile_member", "action_profile_group", "table_entry",
    "packet_replication_engine_entry", "digest_entry",
)  # fmt: skip
_MODIFIED = ("value_set_entry", "register_entry", "counter_entry", "meter_entry")
_GROUPS_OF_OBJECTS = (
    "tables", "actions", "profiles", "counters", "meters", "registers", "value_sets", "digests",
)  # fmt: skip


class CarriedState:
    """The writes that bring a fresh pipeline to the state of the old one."""

    def __init__(self, state: ForwardingState) -> None:
        self._inserts: list[p4r.Entity] = []
        self._modifies: list[p4r.Entity] = list(_default_entries(state))
        for entity in _read(state, _INSERTED):
            if not entity.table_entry.is_const:
                self._inserts.append(entity)
        for entity in _read(state, _MODIFIED):
            if not _is_initial(entity):
                self._modifies.append(entity)

    def restore(self, state: ForwardingState) -> None:
        """Write it all; the tables' initial entries make room for what was there."""
        for entity in _read(state, ("table_entry",)):
            if not entity.table_entry.is_const:
                _apply(state, DELETE, entity)
        for entity in self._inserts:
            _apply(state, INSERT, entity)
        for entity in self._modifies:
            _apply(state, MODIFY, entity)


def carry_over(old: ForwardingState, rehearsal: ForwardingState) -> None:
    """Check that the old state fits the new program; ``rehearsal`` is a fresh state of it.

    INVALID_ARGUMENT when an entity can't be preserved.
    """
    _check_names(old.index, rehearsal.index)
    try:
        CarriedState(old).restore(rehearsal)
    except StatusError as error:
        raise invalid(f"the forwarding state can't be preserved: {error.message}") from error


def _check_names(old: P4InfoIndex, new: P4InfoIndex) -> None:
    """An id that both programs use must mean the same in both."""
    for group in _GROUPS_OF_OBJECTS:
        known = getattr(new, group)
        for p4_id, item in getattr(old, group).items():
            if p4_id in known and known[p4_id].name != item.name:
                raise invalid(
                    f"the forwarding state can't be preserved: id {p4_id:#x} is {item.name!r} "
                    f"now and {known[p4_id].name!r} in the new configuration"
                )


def _apply(state: ForwardingState, kind: Kind, entity: p4r.Entity) -> None:
    state.apply(p4r.Update(type=kind, entity=entity), _FULL_ACCESS, [])


def _read(state: ForwardingState, kinds: tuple[str, ...]) -> Iterator[p4r.Entity]:
    for kind in kinds:
        query = p4r.Entity()
        getattr(query, kind).SetInParent()
        if kind == "table_entry":
            query.table_entry.meter_config.SetInParent()
            query.table_entry.counter_data.SetInParent()
        yield from list(state.read(query, _FULL_ACCESS))


def _default_entries(state: ForwardingState) -> Iterator[p4r.Entity]:
    """The default entries that were written or that count."""
    for store in state.tables.stores.values():
        if store.table.const_default or store.table.profile is not None:
            continue
        query = p4r.Entity()
        query.table_entry.table_id = store.table.id
        query.table_entry.is_default_action = True
        query.table_entry.meter_config.SetInParent()
        query.table_entry.counter_data.SetInParent()
        if store.default.action is not None:
            yield from state.read(query, _FULL_ACCESS)


def _is_initial(entity: p4r.Entity) -> bool:
    """Whether a fresh pipeline has this already: an empty set, a zero cell, an idle meter."""
    kind = entity.WhichOneof("entity")
    if kind == "value_set_entry":
        return not entity.value_set_entry.members
    if kind == "counter_entry":
        data = entity.counter_entry.data
        return not (data.packet_count or data.byte_count)
    if kind == "meter_entry":
        return not entity.meter_entry.HasField("config")
    return False
