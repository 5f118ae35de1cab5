"""Match-action pipelines: tables, conditions and what follows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import PipelineError
from .emitter import Emitter, Label, Op
from .graph import has_cycle
from .layout import Field, Json, Layout, limbs, where
from .nodes import Node, as_bool, hexstr
from .primitives import TRACE_CONDITION, Primitives

MAX_INLINE = 64  # primitives of an action that is run in place
KINDS = {"exact": 0, "lpm": 1, "ternary": 2, "range": 3}


@dataclass(slots=True)
class Action:
    """An action with where its code begins."""

    name: str
    id: int  # the JSON's
    index: int
    bits: list[int]  # of its parameters
    label: Label
    source: str


@dataclass(slots=True)
class KeyField:
    """One component of a table key, and where its limbs go in the packed key."""

    name: str
    kind: str
    bits: int
    parts: list[tuple[int, int, int, int]]  # (slot, limb of the key, shift, mask) per limb
    mask: int  # static: what is not in it never matters
    guard: int  # slot of the header's validity (a one without a header): BMv2 reads zero if not
    is_valid: bool = False  # old match type "valid"


@dataclass(slots=True)
class Entry:
    """A table entry of the program itself."""

    key: list[Any]
    priority: int
    action: int
    params: list[bytes]


@dataclass(slots=True)
class Table:
    name: str
    index: int
    kind: int  # of KINDS
    keys: list[KeyField]
    words: int  # limbs of the packed key
    max_size: int
    actions: list[str]
    action_indices: list[int]
    type: str
    profile: int
    has_counter: bool
    meter: int
    meter_slot: int
    timeout: bool
    next_by_action: dict[int, Label]
    next_hit: Label | None
    next_miss: Label | None
    next_default: Label
    default_action: int
    default_params: list[bytes]
    const_default: bool
    const_entries: bool
    entries: list[Entry]
    source: str


@dataclass(slots=True)
class Profile:
    name: str
    index: int
    max_size: int
    calculation: int  # of its selector, -1 without one
    actions: list[str] = field(default_factory=list)


def pack_key(keys: list[KeyField], place: list[tuple[int, int]]) -> int:
    """Assign limbs: narrow fields share a word, a range has words of its own. Returns the words.

    `place` gives (slot, limbs) of each field.
    """
    used = 0  # words
    room: list[list[int]] = []  # [word, bits used]
    for key, (slot, words) in zip(keys, place, strict=True):
        if key.bits > 64 or key.kind == "range":
            for i in range(words):
                key.parts.append((slot + i, used + i, 0, key.mask >> 64 * i & (1 << 64) - 1))
            used += words
            continue
        for one in room:
            if one[1] + key.bits <= 64:
                break
        else:
            one = [used, 0]
            room.append(one)
            used += 1
        key.parts.append((slot, one[0], one[1], key.mask))
        one[1] += key.bits
    return used


class ControlCompiler:
    """Compiles the pipelines' graphs; tables and actions of all pipelines are numbered through."""

    def __init__(
        self,
        layout: Layout,
        emitter: Emitter,
        primitives: Primitives,
        actions: list[Action],
        bodies: list[list[Json]],
        meters: dict[str, tuple[int, int, bool]],
        calculation: Callable[[str, Json], int],
    ) -> None:
        self.layout = layout
        self.emit = emitter
        self.primitives = primitives
        self.actions = actions
        self.bodies = bodies  # primitive calls of each action
        self.by_id = {action.id: action for action in actions}
        self.meters = meters  # direct meter -> (index, target slot, ...)
        self.calculation = calculation
        self.tables: list[Table] = []
        self.profiles: list[Profile] = []
        self.profile_by_name: dict[str, Profile] = {}
        self.conditions: list[tuple[str, str]] = []  # (name, line), for traces
        self.in_place: set[int] = set()  # actions whose code stands where a table was
        self.called: set[int] = set()  # actions that tables and calls jump to

    def compile(self, pipeline: Json) -> Label:
        """Emit one pipeline; returns its first instruction."""
        for item in pipeline.get("action_profiles", ()):
            self._profile(item)
        end = Label()
        nodes: dict[str | None, Label] = {None: end}
        tables, conditions = pipeline["tables"], pipeline["conditionals"]
        calls = pipeline.get("action_calls", [])
        for item in [*tables, *conditions, *calls]:
            if item["name"] in nodes:
                raise PipelineError(f"two nodes of a pipeline are named {item['name']!r}")
            nodes[item["name"]] = Label()

        def node(name: str | None) -> Label:
            if name not in nodes:
                raise PipelineError(f"the pipeline goes on at the unknown node {name!r}")
            return nodes[name]

        _check_acyclic(pipeline)
        kinds = {id(item): self._table_node for item in tables}
        kinds |= {id(item): self._condition_node for item in conditions}
        kinds |= {id(item): self._call_node for item in calls}
        for item in _in_order(pipeline["init_table"], [*tables, *conditions, *calls]):
            self.emit.place(nodes[item["name"]])
            kinds[id(item)](item, node)
        self.emit.place(end)
        self.emit.op(Op.END)
        return node(pipeline["init_table"])

    def _table_node(self, item: Json, node: Callable[[str | None], Label]) -> None:
        try:
            self._table(item, node)
        except PipelineError as error:
            raise PipelineError(f"table {item['name']!r}{where(item)}: {error}") from None

    def _condition_node(self, item: Json, node: Callable[[str | None], Label]) -> None:
        try:
            self._condition(item, node)
        except PipelineError as error:
            raise PipelineError(f"condition {item['name']!r}{where(item)}: {error}") from None

    def _call_node(self, item: Json, node: Callable[[str | None], Label]) -> None:
        action = self._action(item["action_id"])
        if action.bits:
            raise PipelineError(f"action {action.name!r} is called without its parameters")
        self.called.add(action.index)
        self.emit.op(Op.CALL, action.index, node(item["next_node"]))

    def _action(self, number: Any) -> Action:
        if number not in self.by_id:
            raise PipelineError(f"there is no action with the id {number!r}")
        return self.by_id[number]

    def _condition(self, item: Json, node: Callable[[str | None], Label]) -> None:
        expression = as_bool(self.primitives.builder.build(item["expression"]))
        yes, no = node(item.get("true_next")), node(item.get("false_next"))
        if self.primitives.traced:
            number = len(self.conditions)
            self.conditions.append((item["name"], where(item)))
            slot = self.primitives.generate.word(expression)
            self.emit.op(Op.TRACE, TRACE_CONDITION, number, slot)
            self.emit.op(Op.JZ, no, slot)
        else:
            self.primitives.generate.branch(expression, no)
        self.emit.op(Op.JMP, yes)
        self.emit.release()

    def _profile(self, item: Json) -> None:
        name = item["name"]
        if name in self.profile_by_name:
            raise PipelineError(f"two action profiles are named {name!r}")
        calculation = -1
        if item.get("selector"):
            calculation = self.calculation(f"selector of {name}", item["selector"])
        profile = Profile(name, len(self.profiles), int(item.get("max_size", 0)), calculation)
        self.profiles.append(profile)
        self.profile_by_name[name] = profile

    # ---- tables ----

    def _table(self, item: Json, node: Callable[[str | None], Label]) -> None:
        keys, place = self._keys(item["key"])
        words = pack_key(keys, place)
        kind = item["match_type"]
        if kind not in KINDS:
            raise PipelineError(f"match type {kind!r} is not supported")
        ranked = max((KINDS[key.kind] for key in keys), default=0)
        if ranked > KINDS[kind]:
            raise PipelineError(f"a table of match type {kind!r} has a key of a stronger one")
        if sum(key.kind == "lpm" for key in keys) > 1:
            raise PipelineError("a table can have only one lpm key")
        if "action_ids" in item:
            actions = [self._action(i) for i in item["action_ids"]]
        else:
            by_name = {action.name: action for action in self.actions}
            actions = [by_name[name] for name in item["actions"]]
        following = item["next_tables"]
        hit_miss = "__HIT__" in following or "__MISS__" in following
        after: dict[int, Label] = {}
        for action in actions:
            if hit_miss:
                continue
            if action.name not in following:
                raise PipelineError(f"'next_tables' lacks the action {action.name!r}")
            after[action.index] = node(following[action.name])
        table_type = item["type"]
        profile = self._profile_of(item, table_type, actions)
        meter, meter_slot = -1, -1
        if item.get("direct_meters"):
            if item["direct_meters"] not in self.meters:
                raise PipelineError(f"unknown direct meter {item['direct_meters']!r}")
            meter, meter_slot, _ = self.meters[item["direct_meters"]]
        default = item.get("default_entry")
        default_action, default_params, const_default = -1, [], False
        if default is not None:
            action = self._one_of(actions, default["action_id"], "the default entry")
            default_action = action.index
            default_params = action_data(action, default.get("action_data", []))
            const_default = bool(default.get("action_const"))
        given_entries = item.get("entries", ())
        # Small is strong in the JSON; P4Runtime's priorities go from N for the first to 1.
        weakest = max((int(entry.get("priority", 0)) for entry in given_entries), default=0)
        entries = [self._entry(entry, keys, kind, weakest, actions) for entry in given_entries]
        if entries and table_type != "simple":
            raise PipelineError("entries in a table with an action profile")
        table = Table(
            name=item["name"], index=len(self.tables), kind=KINDS[kind], keys=keys,
            words=max(words, 1), max_size=max(int(item.get("max_size", 0)), len(entries)),
            actions=[action.name for action in actions],
            action_indices=[action.index for action in actions],
            type=table_type, profile=profile, has_counter=bool(item.get("with_counters")),
            meter=meter, meter_slot=meter_slot, timeout=bool(item.get("support_timeout")),
            next_by_action=after,
            next_hit=node(following["__HIT__"]) if hit_miss else None,
            next_miss=node(following["__MISS__"]) if hit_miss else None,
            next_default=node(item.get("base_default_next")),
            default_action=default_action, default_params=default_params,
            const_default=const_default, const_entries=bool(entries), entries=entries,
            source=where(item),
        )  # fmt: skip
        self.tables.append(table)
        if self._is_call(table):
            action = self.actions[table.default_action]
            self.in_place.add(action.index)
            self.primitives.body(
                self.bodies[action.index], f"action {action.name!r}{action.source}"
            )
            after = table.next_miss if table.next_miss is not None else table.next_default
            self.emit.op(Op.JMP, table.next_by_action.get(table.default_action, after))
        else:
            self.called.update(table.action_indices)
            self.emit.op(Op.TABLE, table.index)

    def _is_call(self, table: Table) -> bool:
        """Whether applying the table is nothing but running one action: p4c makes such tables of
        the statements between others. It is run in place then, but for traces."""
        if self.primitives.traced or table.keys or table.type != "simple" or table.has_counter:
            return False
        if not table.const_default or table.default_action < 0:
            return False
        body = self.bodies[table.default_action]
        if self.actions[table.default_action].bits or any(call["op"] == "exit" for call in body):
            return False
        return len(body) <= MAX_INLINE

    def _profile_of(self, item: Json, table_type: str, actions: list[Action]) -> int:
        if table_type == "simple":
            return -1
        if table_type not in ("indirect", "indirect_ws"):
            raise PipelineError(f"table type {table_type!r} is not supported")
        name = item.get("action_profile")
        if name not in self.profile_by_name:
            raise PipelineError(f"unknown action profile {name!r}")
        profile = self.profile_by_name[name]
        if table_type == "indirect_ws" and profile.calculation < 0:
            raise PipelineError(f"action profile {name!r} has no selector")
        for action in actions:
            if action.name not in profile.actions:
                profile.actions.append(action.name)
        return profile.index

    def _keys(self, items: list[Json]) -> tuple[list[KeyField], list[tuple[int, int]]]:
        keys: list[KeyField] = []
        place: list[tuple[int, int]] = []
        one_slot = self.emit.const(1)
        for item in items:
            kind = item["match_type"]
            if kind == "valid":
                header = self.layout.header(item["target"])
                name = item.get("name", header.name)
                keys.append(KeyField(name, "exact", 1, [], 1, one_slot, is_valid=True))
                place.append((header.id, 1))
                continue
            if kind not in KINDS:
                raise PipelineError(f"match type {kind!r} is not supported")
            slot, one = self._key_field(item["target"])
            if one.varbit:
                raise PipelineError(f"varbit {one.name!r} in a table key")
            name = item.get("name") or ".".join(item["target"])
            mask = (1 << one.bits) - 1
            if item.get("mask") is not None:
                mask &= hexstr(item["mask"])
            keys.append(KeyField(name, kind, one.bits, [], mask, self._guard(item["target"])))
            place.append((slot, one.words))
        return keys, place

    def _guard(self, target: Any) -> int:
        if isinstance(target, list) and target[1] != "$valid$":
            header = self.layout.header(target[0])
            if not header.metadata:
                return header.id
        return self.emit.const(1)

    def _key_field(self, target: Any) -> tuple[int, Field]:
        """Where a key's value is; an expression is computed in front of the table."""
        if not isinstance(target, dict):
            return self.layout.field(target)
        node = self.primitives.builder.data(target)
        one = Field(
            "key", node.high.bit_length(), False, False, words=limbs(node.high.bit_length())
        )
        if node.low < 0 or not one.bits:
            raise PipelineError("a key expression must be an unsigned number")
        slot = self.emit.scratch_words(one.words)
        held = Node("data", "field", 0, (1 << one.bits) - 1, slot=slot, words=one.words)
        self.primitives.generate.store(held, node)
        self.emit.release()
        return slot, one

    def _one_of(self, actions: list[Action], number: Any, user: str) -> Action:
        action = self._action(number)
        if action not in actions:
            raise PipelineError(f"{user} has the action {action.name!r}, which the table lacks")
        return action

    def _entry(
        self, item: Json, keys: list[KeyField], kind: str, weakest: int, actions: list[Action]
    ) -> Entry:
        given = item["match_key"]
        if len(given) != len(keys):
            raise PipelineError(f"an entry has {len(given)} key fields, the table {len(keys)}")
        parts: list[Any] = []
        for key, one in zip(keys, given, strict=True):
            size = (key.bits + 7) // 8
            if key.is_valid:
                parts.append(bytes([int(bool(one["key"]))]))
                continue
            if one["match_type"] != key.kind:
                raise PipelineError(f"an entry's key {key.name!r} is not {key.kind}")
            if key.kind == "exact":
                parts.append(_bytes(one["key"], size))
            elif key.kind == "lpm":
                parts.append((_bytes(one["key"], size), int(one["prefix_length"])))
            elif key.kind == "ternary":
                parts.append((_bytes(one["key"], size), _bytes(one["mask"], size)))
            else:
                parts.append((_bytes(one["start"], size), _bytes(one["end"], size)))
        action = self._one_of(actions, item["action_entry"]["action_id"], "an entry")
        params = action_data(action, item["action_entry"]["action_data"])
        priority = 0
        if kind in ("ternary", "range"):
            priority = weakest + 1 - int(item.get("priority", 0))
        return Entry(parts, priority, action.index, params)


def action_data(action: Action, data: list[Any]) -> list[bytes]:
    if len(data) != len(action.bits):
        raise PipelineError(
            f"action {action.name!r} takes {len(action.bits)} parameters, not {len(data)}"
        )
    return [
        _bytes(one, (bits + 7) // 8, wrap=bits) for one, bits in zip(data, action.bits, strict=True)
    ]


def _bytes(text: Any, size: int, wrap: int = 0) -> bytes:
    value = hexstr(text)
    if wrap:
        value &= (1 << wrap) - 1
    if value < 0 or value >> (8 * size):
        raise PipelineError(f"{text} does not fit into {size} bytes")
    return value.to_bytes(size, "big")


def _following(item: Json) -> list[str]:
    """Names of the nodes that can come after one, the likeliest first."""
    if "next_tables" in item:
        names = [*item["next_tables"].values(), item.get("base_default_next")]
    elif "next_node" in item:
        names = [item["next_node"]]
    else:
        names = [item.get("true_next"), item.get("false_next")]
    return [name for name in names if name is not None]


def _in_order(first: str | None, items: list[Json]) -> list[Json]:
    """The nodes so that most fall through to what follows them; unreachable ones come last."""
    by_name = {item["name"]: item for item in items}
    order: dict[str, Json] = {}
    waiting = [item["name"] for item in reversed(items)]
    if first is not None:
        waiting.append(first)
    while waiting:
        name = waiting.pop()
        if name in order or name not in by_name:
            continue
        order[name] = by_name[name]
        waiting.extend(reversed(_following(by_name[name])))
    return list(order.values())


def _check_acyclic(pipeline: Json) -> None:
    """A pipeline's graph has no loop, or a packet would never end."""
    items = [*pipeline["tables"], *pipeline["conditionals"], *pipeline.get("action_calls", ())]
    if has_cycle({item["name"]: set(_following(item)) for item in items}):
        raise PipelineError(f"the pipeline {pipeline['name']!r} has a loop")
