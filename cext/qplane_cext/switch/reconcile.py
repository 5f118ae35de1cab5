"""What of a running program's state a new program can take over."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import SwitchError

if TYPE_CHECKING:
    from .compiler.control import Action, Table
    from .compiler.program import Array, Program


@dataclass(slots=True)
class Plan:
    """Pairs of (old index, new index) of what is kept, and how actions are renumbered."""

    actions: dict[int, int]  # index -> index
    ids: dict[int, int]  # JSON id -> JSON id
    tables: list[tuple[int, int]] = field(default_factory=list)
    profiles: list[tuple[int, int]] = field(default_factory=list)
    registers: list[tuple[int, int]] = field(default_factory=list)
    counters: list[tuple[int, int]] = field(default_factory=list)
    meters: list[tuple[int, int]] = field(default_factory=list)
    value_sets: list[tuple[int, int]] = field(default_factory=list)

    def target(self, target: Any) -> Any:
        """A table's target with the new action ids."""
        if target is None or target[0] != "action":
            return target
        return ("action", self.ids[target[1]], *target[2:])


def plan(
    old: Program, new: Program, old_initial: Collection[str], new_initial: Collection[str]
) -> Plan:
    """Keep what is defined alike in both programs.

    Raises SwitchError for a table that stays but whose actions or keys changed: its entries
    would be lost, and that is what a reconcile promises not to do.
    """
    kept = Plan({}, {})
    profiles = {one.name: one for one in new.profiles}
    for profile in old.profiles:
        if profile.name in profiles:
            kept.profiles.append((profile.index, profiles[profile.name].index))
    tables = {one.name: one for one in new.tables}
    for table in old.tables:
        if table.name not in tables:
            continue
        other = tables[table.name]
        fixed = (table.const_entries and table.name not in old_initial) or (
            other.const_entries and other.name not in new_initial
        )
        if fixed or (not table.keys and table.const_default):
            continue
        _check_table(table, other, old, new)
        _map_actions(kept, _actions(old, table), _actions(new, other), table.name)
        kept.tables.append((table.index, other.index))
    kept.registers = _same_arrays(old.registers, new.registers)
    kept.counters = _same_arrays(old.counters, new.counters)
    kept.meters = _same_arrays(old.meters, new.meters)
    sets = {one.name: one for one in new.value_sets}
    for one in old.value_sets:
        if one.name in sets and sets[one.name].fields == one.fields:
            kept.value_sets.append((one.id, sets[one.name].id))
    return kept


def _check_table(old: Table, new: Table, before: Program, after: Program) -> None:
    def shape(table: Table, program: Program) -> tuple[Any, ...]:
        return (
            table.kind,
            table.type,
            [(key.name, key.kind, key.bits) for key in table.keys],
            program.profiles[table.profile].name if table.profile >= 0 else None,
            program.meters[table.meter].name if table.meter >= 0 else None,
        )

    if shape(old, before) != shape(new, after):
        raise SwitchError("INVALID_ARGUMENT", f"table {old.name!r} differs in the new program")


def _actions(program: Program, table: Table) -> dict[str, Action]:
    return {program.actions[i].name: program.actions[i] for i in table.action_indices}


def _map_actions(kept: Plan, old: dict[str, Action], new: dict[str, Action], table: str) -> None:
    for name, action in old.items():
        if name not in new or new[name].bits != action.bits:
            raise SwitchError(
                "INVALID_ARGUMENT", f"action {name!r} of table {table!r} differs in the new program"
            )
        kept.actions[action.index] = new[name].index
        kept.ids[action.id] = new[name].id


def _same_arrays(old: list[Array], new: list[Array]) -> list[tuple[int, int]]:
    others = {one.name: one for one in new}
    return [
        (one.index, others[one.name].index)
        for one in old
        if one.name in others
        and not one.direct
        and not others[one.name].direct
        and (one.size, one.bits, one.unit)
        == (others[one.name].size, others[one.name].bits, others[one.name].unit)
    ]
