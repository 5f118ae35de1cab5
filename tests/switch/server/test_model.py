"""A fuzzer with an oracle: random batches, right and wrong, against a model in plain dicts.

The model says which status each update must get and what a read of everything must return.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from finsy.proto import p4r
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from qplane.switch.device import Device
from qplane.switch.errors import Code
from qplane.switch.server import P4RuntimeServer
from qplane_cext.switch.core import SwitchCore

from .client import Client, Names, load_program
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


def put(path: str, value: object) -> Callable[[Any], object]:
    """A mutation that sets a field given as a dotted path with indexes."""

    def change(message: Any) -> None:
        *steps, last = path.split(".")
        for step in steps:
            message = message[int(step)] if step.isdigit() else getattr(message, step)
        setattr(message, last, value)

    return change


KEY_MUTATIONS: list[Mutation] = [
    (INVALID, True, put("table_id", 0)),
    (INVALID, True, put("table_id", 0x2FFFFFF)),
    (INVALID, True, put("match.0.field_id", 77)),
    (INVALID, True, lambda m: m.match.append(m.match[0])),
    (INVALID, True, lambda m: m.match[0].ClearField(m.match[0].WhichOneof("field_match_type"))),
    (INVALID, True, put("priority", -1)),
]
ENTRY_MUTATIONS: list[Mutation] = [
    (INVALID, True, put("is_const", True)),
    (INVALID, False, put("idle_timeout_ns", -1)),
    (INVALID, False, lambda m: m.time_since_last_hit.SetInParent()),
    (INVALID, False, lambda m: m.action.SetInParent() or m.action.ClearField("type")),
    (Code.UNIMPLEMENTED, False, lambda m: m.meter_counter_data.SetInParent()),
]
DIRECT_MUTATIONS: list[Mutation] = [
    (INVALID, False, put("action.action.action_id", 0)),
    (INVALID, False, put("action.action.action_id", 0x1FFFFFF)),
    (INVALID, False, put("action.action.params.0.param_id", 9)),
    (INVALID, False, lambda m: m.action.action.ClearField("params")),
    (INVALID, False, lambda m: m.action.action.params.append(m.action.action.params[0])),
    (RANGE, False, put("action.action.params.0.value", b"")),
    (RANGE, False, put("action.action.params.0.value", b"\2\0\0")),
    (INVALID, False, put("action.action_profile_member_id", 1)),
]
EXACT_MUTATIONS: list[Mutation] = [
    (RANGE, True, put("match.0.exact.value", b"")),
    (RANGE, True, put("match.0.exact.value", b"\1" * 9)),
    (INVALID, True, lambda m: m.ClearField("match")),
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


@st.composite
def updates(draw: st.DrawFn) -> tuple[int, p4r.Entity, Code | None]:
    """(type, entity, status if malformed)."""
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
        return kind, entity, None
    code, always, change = draw(st.sampled_from(mutations))
    change(getattr(entity, entity.WhichOneof("entity")))
    if kind == DELETE and not always:
        return kind, entity, None  # only the key counts
    return kind, entity, code


class SwitchModel(RuleBasedStateMachine):
    """Random batches in all atomicities, each followed by a read of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.core = SwitchCore()
        device = Device(1, self.core, inject=lambda port, data: None)
        self.server = P4RuntimeServer([device])
        self.client = Client(self.server.start())
        self.model = Model()

    @initialize()
    def push(self) -> None:
        assert self.client.arbitrate(1) == (Code.OK, 1)
        assert self.client.push(CONFIG) is None

    @rule(
        batch=st.lists(updates(), min_size=1, max_size=6),
        atomicity=st.sampled_from([0, 0, 0, 1, 2]),
    )
    def write(self, batch: list[tuple[int, p4r.Entity, Code | None]], atomicity: int) -> None:
        before = copy.deepcopy(self.model)
        expected: list[Code] = []
        for kind, entity, wrong in batch:
            code = wrong if wrong is not None else self.model.apply(kind, entity)
            expected.append(code)
            if atomicity and code != Code.OK:
                self.model = before
                place = len(expected) - 1
                expected = [Code.ABORTED] * len(batch)
                expected[place] = code
                break
        failed = self.client.write(
            *[p4r.Update(type=kind, entity=entity) for kind, entity, _ in batch],
            atomicity=atomicity,
        )
        if all(code == Code.OK for code in expected):
            assert failed is None
        else:
            assert failed is not None and failed.code == Code.UNKNOWN
            assert failed.members == expected
        self.check()

    def check(self) -> None:
        queries = []
        for name in ("hosts", "small", "routes", "acl", "balanced"):
            queries.append(p4r.Entity(table_entry=p4r.TableEntry(table_id=NAMES.table(name))))
        for kind in ("action_profile_member", "action_profile_group"):
            query = p4r.Entity()
            getattr(query, kind).SetInParent()
            queries.append(query)
        query = p4r.Entity()
        query.packet_replication_engine_entry.multicast_group_entry.SetInParent()
        queries.append(query)
        found = sorted(
            one.SerializeToString(deterministic=True) for one in self.client.read(*queries)
        )
        assert found == self.model.everything()

    def teardown(self) -> None:
        self.client.close()
        self.server.stop()


TestSwitchModel = SwitchModel.TestCase
TestSwitchModel.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
