"""An oracle: a model of a switch in plain dicts, and random updates for it, right and wrong.

The model says which status each update must get and what a read of everything must return.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from finsy.proto import p4r
from hypothesis import strategies as st

from qplane.switch.errors import Code

from .client import Names, load_program
from .entries import acl, action, by_group, by_member, entry, exact, group, member, multicast, route

CONFIG = load_program("p4runtime")
NAMES = Names(CONFIG.p4info)
INSERT, MODIFY, DELETE = p4r.Update.INSERT, p4r.Update.MODIFY, p4r.Update.DELETE
INVALID, RANGE = Code.INVALID_ARGUMENT, Code.OUT_OF_RANGE

Mutation = tuple[Code, bool, Callable[[Any], object]]  # status, in a DELETE too, what it does


@dataclass
class Model:
    """What the switch must hold. Keys are serialized messages without what is not the key."""

    tables: dict[bytes, p4r.TableEntry] = field(default_factory=dict)
    members: dict[int, p4r.ActionProfileMember] = field(default_factory=dict)
    groups: dict[int, p4r.ActionProfileGroup] = field(default_factory=dict)
    trees: dict[int, p4r.PacketReplicationEngineEntry] = field(default_factory=dict)

    def judge(self, case: Case) -> Code:
        """The status that an update must get; a good one takes effect."""
        return self.apply(case.kind, case.entity) if case.status is None else case.status

    def apply(self, kind: int, entity: p4r.Entity) -> Code:
        """The status of a well-formed update, and its effect."""
        name = entity.WhichOneof("entity")
        message = getattr(entity, name)
        if name == "table_entry":
            return self._table(kind, message)
        if name == "action_profile_member":
            return self._member(kind, message)
        if name == "action_profile_group":
            return self._group(kind, message)
        tree = message.multicast_group_entry.multicast_group_id
        return self._put(self.trees, kind, tree, message)

    @staticmethod
    def _put(held: dict[Any, Any], kind: int, key: Any, message: Any) -> Code:
        if kind == INSERT and key in held:
            return Code.ALREADY_EXISTS
        if kind != INSERT and key not in held:
            return Code.NOT_FOUND
        if kind == DELETE:
            del held[key]
        else:
            held[key] = copy.deepcopy(message)
        return Code.OK

    def _table(self, kind: int, message: p4r.TableEntry) -> Code:
        key = p4r.TableEntry(
            table_id=message.table_id, match=message.match, priority=message.priority
        ).SerializeToString()
        if kind != DELETE and (kind == MODIFY) == (key in self.tables):
            which = message.action.WhichOneof("type")
            if which == "action_profile_member_id":
                if message.action.action_profile_member_id not in self.members:
                    return Code.NOT_FOUND
            elif (
                which == "action_profile_group_id"
                and message.action.action_profile_group_id not in self.groups
            ):
                return Code.NOT_FOUND
        small = NAMES.table("small")
        if kind == INSERT and message.table_id == small and key not in self.tables:
            held = [one for one in self.tables.values() if one.table_id == small]
            if len(held) >= 2:
                return Code.RESOURCE_EXHAUSTED
        return self._put(self.tables, kind, key, message)

    def _member_used(self, member_id: int) -> bool:
        return any(
            member_id == one.member_id for group in self.groups.values() for one in group.members
        ) or any(one.action.action_profile_member_id == member_id for one in self.tables.values())

    def _member(self, kind: int, message: p4r.ActionProfileMember) -> Code:
        used = message.member_id in self.members and self._member_used(message.member_id)
        if kind == DELETE and used:
            return Code.FAILED_PRECONDITION
        return self._put(self.members, kind, message.member_id, message)

    def _group(self, kind: int, message: p4r.ActionProfileGroup) -> Code:
        held = message.group_id in self.groups
        if kind == DELETE:
            if held and any(
                one.action.action_profile_group_id == message.group_id
                for one in self.tables.values()
            ):
                return Code.FAILED_PRECONDITION
        elif held == (kind == MODIFY):
            if any(one.member_id not in self.members for one in message.members):
                return Code.NOT_FOUND
            sizes = {
                key: sum(one.weight for one in value.members) for key, value in self.groups.items()
            }
            sizes[message.group_id] = sum(one.weight for one in message.members)
            if sum(sizes.values()) > 16:
                return Code.RESOURCE_EXHAUSTED
        return self._put(self.groups, kind, message.group_id, message)

    def everything(self) -> list[bytes]:
        """All entities, serialized, sorted."""
        entities = [p4r.Entity(table_entry=one) for one in self.tables.values()]
        entities += [p4r.Entity(action_profile_member=one) for one in self.members.values()]
        entities += [p4r.Entity(action_profile_group=one) for one in self.groups.values()]
        entities += [p4r.Entity(packet_replication_engine_entry=one) for one in self.trees.values()]
        return sorted(one.SerializeToString(deterministic=True) for one in entities)


def spoil(path: str, how: str, change: Callable[[Any, str], object]) -> Callable[[Any], object]:
    """A mutation of the field at a dotted path with indexes, named for the field."""

    def apply(message: Any) -> None:
        *steps, last = path.split(".")
        for step in steps:
            message = message[int(step)] if step.isdigit() else getattr(message, step)
        change(message, last)

    apply.__name__ = f"{path} {how}"
    return apply


def put(path: str, value: object) -> Callable[[Any], object]:
    """Set a field."""
    return spoil(path, f"= {value!r}", lambda message, last: setattr(message, last, value))


def clear(path: str) -> Callable[[Any], object]:
    """Take a field, or a oneof's member, away."""
    return spoil(path, "missing", lambda message, last: message.ClearField(last))


def touch(path: str) -> Callable[[Any], object]:
    """Set a message, empty."""
    return spoil(path, "there", lambda message, last: getattr(message, last).SetInParent())


def again(path: str) -> Callable[[Any], object]:
    """The first one of a repeated field once more."""

    def double(message: Any, last: str) -> None:
        values = getattr(message, last)
        values.append(values[0])

    return spoil(path, "twice", double)


def empty(path: str, oneof: str) -> Callable[[Any], object]:
    """A message that is there without any member of its oneof."""

    def hollow(message: Any, last: str) -> None:
        target = message[int(last)] if last.isdigit() else getattr(message, last)
        target.SetInParent()
        if target.WhichOneof(oneof):
            target.ClearField(target.WhichOneof(oneof))

    return spoil(path, "empty", hollow)


KEY_MUTATIONS: list[Mutation] = [
    (INVALID, True, put("table_id", 0)),
    (INVALID, True, put("table_id", 0x2FFFFFF)),
    (INVALID, True, put("match.0.field_id", 77)),
    (INVALID, True, again("match")),
    (INVALID, True, empty("match.0", "field_match_type")),
    (INVALID, True, put("priority", -1)),
]
ENTRY_MUTATIONS: list[Mutation] = [
    (INVALID, True, put("is_const", True)),
    (INVALID, False, put("idle_timeout_ns", -1)),
    (INVALID, False, touch("time_since_last_hit")),
    (INVALID, False, empty("action", "type")),
    (INVALID, False, put("meter_counter_data.green.packet_count", 1)),
]
DIRECT_MUTATIONS: list[Mutation] = [
    (INVALID, False, put("action.action.action_id", 0)),
    (INVALID, False, put("action.action.action_id", 0x1FFFFFF)),
    (INVALID, False, put("action.action.params.0.param_id", 9)),
    (INVALID, False, clear("action.action.params")),
    (INVALID, False, again("action.action.params")),
    (RANGE, False, put("action.action.params.0.value", b"")),
    (RANGE, False, put("action.action.params.0.value", b"\2\0\0")),
    (INVALID, False, put("action.action_profile_member_id", 1)),
]
EXACT_MUTATIONS: list[Mutation] = [
    (RANGE, True, put("match.0.exact.value", b"")),
    (RANGE, True, put("match.0.exact.value", b"\1" * 9)),
    (INVALID, True, clear("match")),
    (INVALID, True, put("priority", 3)),
]
LPM_MUTATIONS: list[Mutation] = [
    (INVALID, True, put("match.0.lpm.prefix_len", 0)),
    (INVALID, True, put("match.0.lpm.prefix_len", 33)),
    (RANGE, True, put("match.0.lpm.value", b"\1" * 5)),
    (INVALID, True, put("match.0.lpm.value", b"\xff\xff\xff\xff")),
]
ACL_MUTATIONS: list[Mutation] = [
    (INVALID, True, put("priority", 0)),
    (INVALID, True, put("match.0.ternary.mask", b"\0")),
    (INVALID, True, put("match.0.ternary.value", b"\xff\xff\xff\xff")),
    (RANGE, True, put("match.0.ternary.mask", b"\1" * 5)),
    (INVALID, True, put("match.1.range.low", b"\xff")),
    (RANGE, True, put("match.2.optional.value", b"\1\0")),
]
MEMBER_MUTATIONS: list[Mutation] = [
    (INVALID, True, put("action_profile_id", 0x11FFFFFF)),
    (INVALID, True, put("member_id", 0)),
]
GROUP_MUTATIONS: list[Mutation] = [
    (INVALID, True, put("action_profile_id", NAMES["action_profiles", "nexthops"])),
    (INVALID, True, put("group_id", 0)),
]
TREE_MUTATIONS: list[Mutation] = [
    (INVALID, True, put("multicast_group_entry.multicast_group_id", 0)),
    (INVALID, True, put("multicast_group_entry.multicast_group_id", 1 << 16)),
]

port = st.integers(0, 511)


class Case(NamedTuple):
    """An update to try; of a malformed one the status that it must get, and what is wrong."""

    kind: int
    entity: p4r.Entity
    what: str
    status: Code | None = None
    wrong: str = ""

    @property
    def update(self) -> p4r.Update:
        """The message."""
        return p4r.Update(type=self.kind, entity=self.entity)


@st.composite
def updates(draw: st.DrawFn) -> Case:
    """An update of a table, a profile or a multicast group; half of them malformed."""
    kind = draw(st.sampled_from([INSERT, INSERT, MODIFY, DELETE]))
    what = draw(
        st.sampled_from(["hosts", "small", "routes", "acl", "balanced", "member", "group", "tree"])
    )
    entity = p4r.Entity()
    mutations: list[Mutation]
    if what in ("hosts", "small"):
        act = action(NAMES, "host" if what == "hosts" else "forward", draw(port))
        message = entry(NAMES, what, [exact(1, draw(st.integers(0, 5)))], act)
        message.metadata = draw(st.sampled_from([b"", b"x"]))
        entity.table_entry.CopyFrom(message)
        mutations = KEY_MUTATIONS + ENTRY_MUTATIONS + DIRECT_MUTATIONS + EXACT_MUTATIONS
    elif what == "routes":
        length = draw(st.integers(1, 4))
        value = draw(st.integers(0, (1 << length) - 1)) << (32 - length)
        entity.table_entry.CopyFrom(route(NAMES, value, length, draw(port)))
        mutations = KEY_MUTATIONS + ENTRY_MUTATIONS + DIRECT_MUTATIONS + LPM_MUTATIONS
    elif what == "acl":
        entity.table_entry.CopyFrom(acl(NAMES, draw(st.integers(1, 3))))
        mutations = KEY_MUTATIONS + ENTRY_MUTATIONS + DIRECT_MUTATIONS + ACL_MUTATIONS
    elif what == "balanced":
        act = draw(st.sampled_from([by_member(1), by_member(2), by_group(1), by_group(2)]))
        entity.table_entry.CopyFrom(entry(NAMES, what, [exact(1, draw(st.integers(0, 2)))], act))
        mutations = KEY_MUTATIONS + ENTRY_MUTATIONS + EXACT_MUTATIONS
    elif what == "member":
        one = member(NAMES, "ecmp", draw(st.integers(1, 3)), draw(port))
        entity.action_profile_member.CopyFrom(one)
        mutations = MEMBER_MUTATIONS
    elif what == "group":
        weights = draw(st.dictionaries(st.integers(1, 3), st.integers(1, 7), max_size=3))
        many = group(NAMES, draw(st.integers(1, 2)), list(weights.items()))
        entity.action_profile_group.CopyFrom(many)
        mutations = GROUP_MUTATIONS
    else:
        ports = draw(st.lists(port, max_size=3))
        tree = multicast(draw(st.integers(1, 3)), ports)
        entity.packet_replication_engine_entry.CopyFrom(tree)
        mutations = TREE_MUTATIONS
    if not draw(st.booleans()):
        return Case(kind, entity, what)
    code, always, change = draw(st.sampled_from(mutations))
    change(getattr(entity, entity.WhichOneof("entity")))
    if kind == DELETE and not always:
        return Case(kind, entity, what)  # only the key counts
    return Case(kind, entity, what, code, change.__name__)


def queries() -> list[p4r.Entity]:
    """Reads everything that the model holds."""
    found = []
    for name in ("hosts", "small", "routes", "acl", "balanced"):
        found.append(p4r.Entity(table_entry=p4r.TableEntry(table_id=NAMES.table(name))))
    for kind in ("action_profile_member", "action_profile_group"):
        query = p4r.Entity()
        getattr(query, kind).SetInParent()
        found.append(query)
    query = p4r.Entity()
    query.packet_replication_engine_entry.multicast_group_entry.SetInParent()
    return [*found, query]
