"""Random table states for any program, from its P4Info."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from finsy.proto import p4i, p4r

from .programs import PORTS, Program
from .values import number, to_bytes

GROUPS = range(1, 5)
SESSIONS = range(1, 5)
MAX_ENTRIES = 24
Known = Mapping[str, Sequence[int]]


class StateMaker:
    """Makes entities for one program. `known`: values by name of match field or parameter.

    `one_copy_a_port`: no group has two replicas on one port, as nobody says which leaves first.
    """

    def __init__(
        self, program: Program, rng: Random, known: Known, *, one_copy_a_port: bool = True
    ) -> None:
        self.program = program
        self.one_copy_a_port = one_copy_a_port
        self.info = program.p4info
        self.rng = rng
        self.known = known
        self.actions = {action.preamble.id: action for action in self.info.actions}
        self.profiles = {profile.preamble.id: profile for profile in self.info.action_profiles}
        self._members: dict[int, list[int]] = {}
        self._groups: dict[int, list[int]] = {}

    def state(self) -> list[p4r.Update]:
        """Inserts (and changed default actions) in an order in which all of them are good."""
        updates = [*self._replication()]
        for profile in self.info.action_profiles:
            updates += self._profile(profile)
        for table in self.info.tables:
            if not table.is_const_table:
                updates += self._table(table)
        return updates

    def changes(self, state: Sequence[p4r.Update]) -> list[p4r.Update]:
        """Good changes to a state: some entries get another action, some go."""
        tables = {table.preamble.id: table for table in self.info.tables}
        updates = []
        for update in state:
            entry = update.entity.table_entry
            if not update.entity.HasField("table_entry") or entry.is_default_action:
                continue
            draw = self.rng.random()
            if draw < 0.1:
                updates.append(p4r.Update(type=p4r.Update.DELETE, entity=update.entity))
            elif draw < 0.3:
                change = p4r.Update(type=p4r.Update.MODIFY, entity=update.entity)
                self._run(tables[entry.table_id], change.entity.table_entry)
                updates.append(change)
        return updates

    # ---- replication ----

    def _replication(self) -> list[p4r.Update]:
        updates = []
        for group in GROUPS:
            if self.rng.random() < 0.8:
                entity = p4r.Entity()
                entry = entity.packet_replication_engine_entry.multicast_group_entry
                entry.multicast_group_id = group
                self._replicas(entry, 4)
                updates.append(_insert(entity))
        for session in SESSIONS:
            if self.rng.random() < 0.8:
                entity = p4r.Entity()
                clone = entity.packet_replication_engine_entry.clone_session_entry
                clone.session_id = session
                self._replicas(clone, 2)
                updates.append(_insert(entity))
        return updates

    def _replicas(self, entry: p4r.MulticastGroupEntry | p4r.CloneSessionEntry, most: int) -> None:
        pairs = [(port, instance) for port in PORTS for instance in range(3)]
        if self.one_copy_a_port:
            pairs = [(port, self.rng.randrange(3)) for port in PORTS]
        for port, instance in self.rng.sample(pairs, self.rng.randint(1, most)):
            entry.replicas.add(egress_port=port, instance=instance)

    # ---- action profiles ----

    def _profile(self, profile: p4i.ActionProfile) -> list[p4r.Update]:
        number_of = profile.preamble.id
        members = self._members[number_of] = list(range(1, self.rng.randint(2, 9)))
        groups = self._groups[number_of] = []
        updates = []
        actions = [
            ref
            for table in self.info.tables
            if table.implementation_id == number_of
            for ref in table.action_refs
            if ref.scope != p4i.ActionRef.DEFAULT_ONLY
        ]
        if not actions:
            return []
        for member in members:
            entity = p4r.Entity()
            entry = entity.action_profile_member
            entry.action_profile_id, entry.member_id = number_of, member
            entry.action.CopyFrom(self._action(self.rng.choice(actions).id))
            updates.append(_insert(entity))
        if profile.with_selector:
            for group in range(1, self.rng.randint(2, 5)):
                entity = p4r.Entity()
                chosen = entity.action_profile_group
                chosen.action_profile_id, chosen.group_id = number_of, group
                chosen.max_size = 8
                for member in self.rng.sample(members, self.rng.randint(1, min(4, len(members)))):
                    chosen.members.add(member_id=member, weight=1)
                groups.append(group)
                updates.append(_insert(entity))
        return updates

    # ---- tables ----

    def _table(self, table: p4i.Table) -> list[p4r.Update]:
        updates = []
        seen = set()
        # Which of two entries of the same priority matches is open in P4Runtime.
        priorities = self.rng.sample(range(1, 1000), MAX_ENTRIES)
        usable = [ref for ref in table.action_refs if ref.scope != p4i.ActionRef.DEFAULT_ONLY]
        most = min(MAX_ENTRIES, table.size or 8) if usable else 0
        for priority in priorities[: self.rng.randint(0, most)]:
            entity = self.entry(table, priority)
            key = (*(field.SerializeToString() for field in entity.table_entry.match),)
            if not table.match_fields or key in seen:
                continue
            seen.add(key)
            updates.append(_insert(entity))
        if (
            not table.const_default_action_id
            and not table.implementation_id
            and self.rng.random() < 0.3
        ):
            updates.append(self.default(table))
        return updates

    def default(self, table: p4i.Table) -> p4r.Update:
        """A default action for a table."""
        entity = p4r.Entity()
        entity.table_entry.table_id = table.preamble.id
        entity.table_entry.is_default_action = True
        refs = [ref for ref in table.action_refs if ref.scope != p4i.ActionRef.TABLE_ONLY]
        entity.table_entry.action.action.CopyFrom(self._action(self.rng.choice(refs).id))
        return p4r.Update(type=p4r.Update.MODIFY, entity=entity)

    def entry(self, table: p4i.Table, priority: int) -> p4r.Entity:
        """A valid entry for a table."""
        entity = p4r.Entity()
        entry = entity.table_entry
        entry.table_id = table.preamble.id
        needs_priority = False
        for field in table.match_fields:
            needs_priority |= field.match_type in (
                p4i.MatchField.TERNARY,
                p4i.MatchField.RANGE,
                p4i.MatchField.OPTIONAL,
            )
            match = self._match(field)
            if match is not None:
                entry.match.append(match)
        if needs_priority:
            entry.priority = priority
        self._run(table, entry)
        return entity

    def _match(self, field: p4i.MatchField) -> p4r.FieldMatch | None:
        rng, bits = self.rng, field.bitwidth
        full = (1 << bits) - 1
        value = number(rng, bits, self.known.get(field.name, ()))
        match = p4r.FieldMatch(field_id=field.id)
        if field.match_type == p4i.MatchField.EXACT:
            match.exact.value = to_bytes(value)
        elif field.match_type == p4i.MatchField.OPTIONAL:
            if rng.random() < 0.3:
                return None
            match.optional.value = to_bytes(value)
        elif field.match_type == p4i.MatchField.LPM:
            length = rng.choice((0, bits, bits, rng.randint(0, bits), min(8, bits)))
            if length == 0:
                return None
            match.lpm.value = to_bytes(value >> (bits - length) << (bits - length))
            match.lpm.prefix_len = length
        elif field.match_type == p4i.MatchField.TERNARY:
            mask = rng.choice((0, full, full >> bits // 2, full >> bits // 2 << bits // 2,
                               number(rng, bits), 1))  # fmt: skip
            if mask == 0:
                return None
            match.ternary.value, match.ternary.mask = to_bytes(value & mask), to_bytes(mask)
        else:
            low, high = sorted((value, number(rng, bits)))
            if (low, high) == (0, full):
                return None
            match.range.low, match.range.high = to_bytes(low), to_bytes(high)
        return match

    def _run(self, table: p4i.Table, entry: p4r.TableEntry) -> None:
        profile = table.implementation_id
        if not profile:
            refs = [ref for ref in table.action_refs if ref.scope != p4i.ActionRef.DEFAULT_ONLY]
            entry.action.action.CopyFrom(self._action(self.rng.choice(refs).id))
        elif self._groups[profile] and self.rng.random() < 0.7:
            entry.action.action_profile_group_id = self.rng.choice(self._groups[profile])
        else:
            entry.action.action_profile_member_id = self.rng.choice(self._members[profile])

    def _action(self, number_of: int) -> p4r.Action:
        action = p4r.Action(action_id=number_of)
        for param in self.actions[number_of].params:
            known = self.known.get(param.name, PORTS if param.bitwidth == 9 else ())
            value = self.rng.choice(known) if known else number(self.rng, param.bitwidth)
            action.params.add(param_id=param.id, value=to_bytes(value))
        return action


def _insert(entity: p4r.Entity) -> p4r.Update:
    return p4r.Update(type=p4r.Update.INSERT, entity=entity)
