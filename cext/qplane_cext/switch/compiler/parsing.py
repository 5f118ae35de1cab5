"""Parsers: every state becomes a stretch of instructions that ends in a jump or a select."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import PipelineError
from .emitter import Emitter, Label, Op
from .generator import Generator
from .graph import has_cycle
from .layout import Field, Json, Layout, limbs, type_field, where
from .nodes import Node, hexstr
from .primitives import Primitives

CASE_VALUE, CASE_SET = range(2)


@dataclass(slots=True)
class Case:
    """One transition: masked key words against values, or membership in a value set."""

    kind: int
    values: list[int]
    masks: list[int]
    target: Label
    set_index: int = -1


@dataclass(slots=True)
class Select:
    """A transition key (one or more words) with its cases in order."""

    slots: list[int]
    cases: list[Case]
    default: Label


@dataclass(slots=True)
class ValueSet:
    """A value set: the fields of the key that it is matched with."""

    name: str
    id: int
    bits: int
    fields: list[int] = field(default_factory=list)  # bit widths; known once a select uses it


class ParserCompiler:
    """Compiles one parser."""

    def __init__(
        self,
        layout: Layout,
        emitter: Emitter,
        primitives: Primitives,
        selects: list[Select],
        value_sets: dict[str, ValueSet],
    ) -> None:
        self.layout = layout
        self.emit = emitter
        self.primitives = primitives
        self.generate: Generator = primitives.generate
        self.selects = selects
        self.value_sets = value_sets
        self.state_names: list[str] = []
        self.loops = True  # whether states are counted as they are visited

    def compile(self, parser: Json) -> Label:
        """Emit all states; returns the label of the first."""
        states = {state["name"]: Label() for state in parser["parse_states"]}
        if len(states) != len(parser["parse_states"]):
            raise PipelineError(f"parser {parser['name']!r} has two states of one name")
        end = Label()
        self.loops = self.primitives.traced or _has_loop(parser)
        for state in parser["parse_states"]:
            self.emit.place(states[state["name"]])
            try:
                self._state(state, states, end)
            except PipelineError as error:
                raise PipelineError(f"parser state {state['name']!r}: {error}") from None
            self.emit.release()
        self.emit.place(end)
        self.emit.op(Op.END)
        start = parser.get("init_state")
        if start is None:
            return end
        if start not in states:
            raise PipelineError(f"parser {parser['name']!r} starts in the unknown state {start!r}")
        return states[start]

    def _state(self, state: Json, states: dict[str, Label], end: Label) -> None:
        if self.loops:
            self.emit.op(Op.STATE, len(self.state_names))
        self.state_names.append(state["name"])
        for op in state["parser_ops"]:
            try:
                self._operation(op)
            except PipelineError as error:
                raise PipelineError(f"{op.get('op')!r}{where(op)}: {error}") from None
            self.emit.release()
        self._transition(state, states, end)

    # ---- operations ----

    def _operation(self, item: Json) -> None:
        op, args = item["op"], item["parameters"]
        if op in ("extract", "extract_VL"):
            self._extract(args, variable=op == "extract_VL")
        elif op == "set":
            self._set(args[0], args[1])
        elif op == "verify":
            condition = self.primitives.builder.build(args[0])
            if condition.kind == "data":
                condition = Node("bool", "d2b", 0, 1, [condition])
            holds = self.generate.word(condition)
            if isinstance(args[1], int):
                error = self.emit.const(args[1])
            else:
                error = self.primitives.word(args[1])
            self.emit.op(Op.VERIFY, 0, holds, error)
        elif op == "advance":
            self.emit.op(Op.ADVANCE, 0, self.primitives.word(args[0]))
        elif op == "shift":
            self.emit.op(Op.ADVANCE, 0, self.emit.const(8 * int(args[0])))
        elif op == "primitive":
            self.primitives.body([args[0]], "parser")
        else:
            raise PipelineError(f"the parser operation {op!r} is not supported")

    def _extract(self, args: list[Any], *, variable: bool) -> None:
        length = self.primitives.word(args[1]) if variable else 0
        kind, value = args[0]["type"], args[0]["value"]
        if kind == "regular":
            header = self.layout.header(value)
            self._check_varbit(header.type.varbit, variable)
            self.emit.op(Op.EXTRACTV if variable else Op.EXTRACT, header.id, length)
        elif kind == "stack":
            stack = self.layout.stack(value)
            self._check_varbit(stack.type.varbit, variable)
            self.emit.op(Op.EXTRACTSV if variable else Op.EXTRACTS, stack.id, length)
        elif kind == "union_stack":
            union_stack = self.layout.union_stack(value[0])
            if value[1] not in union_stack.names:
                raise PipelineError(f"{value[0]!r} has no member {value[1]!r}")
            member = union_stack.names.index(value[1])
            first = self.layout.unions[union_stack.elements[0]].members[member]
            self._check_varbit(self.layout.headers[first].type.varbit, variable)
            self.emit.op(Op.EXTRACTUV if variable else Op.EXTRACTU, union_stack.id, length, member)
        else:
            raise PipelineError(f"the extract type {kind!r} is not supported")

    @staticmethod
    def _check_varbit(varbit: Field | None, variable: bool) -> None:
        if variable != (varbit is not None):
            raise PipelineError("a header with a varbit field is extracted with extract_VL")

    def _set(self, target: Any, source: Any) -> None:
        if target["type"] != "field":
            raise PipelineError("'set' needs a field as its destination")
        node = self.primitives.builder.build(target)
        if source["type"] == "lookahead":
            offset, bits = self._lookahead(source["value"])
            words = limbs(bits)
            slot = self.emit.temp(words)
            self.emit.op(Op.LOOKAHEAD, slot, offset, bits, n=words)
            held = Node("data", "field", 0, (1 << bits) - 1, slot=slot, words=words)
            self.generate.store(node, held)
            return
        if node.kind == "varbit":
            self.primitives.assign_varbit([target, source], {})
            return
        self.generate.store(node, self.primitives.builder.data(source))

    @staticmethod
    def _lookahead(value: list[int]) -> tuple[int, int]:
        offset, bits = value
        if not 0 <= offset <= 1 << 20 or not 0 < bits <= 1 << 16:
            raise PipelineError(f"lookahead of {bits} bits at {offset}")
        return offset, bits

    # ---- transitions ----

    def _transition(self, state: Json, states: dict[str, Label], end: Label) -> None:
        def label(name: str | None) -> Label:
            if name is None:
                return end
            if name not in states:
                raise PipelineError(f"transition to the unknown state {name!r}")
            return states[name]

        default = end
        cases: list[Case] = []
        slots, widths = self._key(state["transition_key"])
        for item in state["transitions"]:
            kind = item.get("type", "hexstr")
            if kind == "hexstr" and item["value"] == "default":
                kind = "default"
            target = label(item["next_state"])
            if kind == "default":
                default = target
            elif kind == "hexstr":
                cases.append(_value_case(item, widths, target))
            elif kind == "parse_vset":
                cases.append(self._set_case(item, widths, target))
            else:
                raise PipelineError(f"transition type {kind!r} is not supported")
        if not cases or not widths:
            self.emit.op(Op.JMP, default)
            return
        self.emit.op(Op.SWITCH, len(self.selects))
        self.selects.append(Select(slots, cases, default))

    def _key(self, items: list[Any]) -> tuple[list[int], list[int]]:
        """(slots of the key's words, bit widths of its fields), in the key's order."""
        slots: list[int] = []
        widths: list[int] = []
        for item in items:
            kind, value = item["type"], item["value"]
            if kind == "field":
                slot, one = self.layout.field(value)
            elif kind == "stack_field":
                stack = self.layout.stack(value[0])
                one = type_field(stack.type, value[1])
                slot = self.emit.temp(one.words)
                self.emit.op(Op.LASTF, slot, stack.id, one.offset, n=one.words)
            elif kind == "union_stack_field":
                union_stack = self.layout.union_stack(value[0])
                member = union_stack.names.index(value[1])
                first = self.layout.unions[union_stack.elements[0]].members[member]
                one = type_field(self.layout.headers[first].type, value[2])
                slot = self.emit.temp(one.words)
                self.emit.op(Op.LASTUF, slot, union_stack.id, member, one.offset, n=one.words)
            elif kind == "expression" and value.get("op") == "last_stack_index":
                one = Field("lastIndex", 32, False, False)
                node = self.primitives.builder.data(item)
                slot = self.emit.temp()
                held = Node("data", "field", 0, (1 << one.bits) - 1, slot=slot)
                self.generate.store(held, node)
            elif kind == "lookahead":
                offset, bits = self._lookahead(value)
                one = Field("lookahead", bits, False, False, words=limbs(bits))
                slot = self.emit.temp(one.words)
                self.emit.op(Op.LOOKAHEAD, slot, offset, bits, n=one.words)
            else:
                raise PipelineError(f"transition key type {kind!r} is not supported")
            if one.varbit:
                raise PipelineError(f"varbit {one.name!r} in a transition key")
            if one.signed:
                cut = self.emit.temp(one.words)
                self.emit.op(Op.WZEXT, cut, slot, one.bits, n=one.words)
                slot = cut
            slots.extend(slot + i for i in range(one.words))
            widths.append(one.bits)
        return slots, widths

    def _set_case(self, item: Json, widths: list[int], target: Label) -> Case:
        if item["value"] not in self.value_sets:
            raise PipelineError(f"unknown value set {item['value']!r}")
        value_set = self.value_sets[item["value"]]
        if sum(widths) != value_set.bits:
            raise PipelineError(
                f"value set {value_set.name!r} has {value_set.bits} bits, the key {sum(widths)}"
            )
        if value_set.fields not in ([], widths):
            raise PipelineError(f"value set {value_set.name!r} is used with two kinds of key")
        value_set.fields = widths
        _, masks = _words(item.get("mask"), None, widths)
        return Case(CASE_SET, [], masks, target, value_set.id)


def _has_loop(parser: Json) -> bool:
    """Whether a state can be visited twice."""
    return has_cycle(
        {
            state["name"]: {item["next_state"] for item in state["transitions"]} - {None}
            for state in parser["parse_states"]
        }
    )


def _value_case(item: Json, widths: list[int], target: Label) -> Case:
    values, masks = _words(item.get("mask"), item["value"], widths)
    return Case(CASE_VALUE, [v & m for v, m in zip(values, masks, strict=True)], masks, target)


def _words(mask: Any, value: Any, widths: list[int]) -> tuple[list[int], list[int]]:
    """Byte-padded hexstrings of a transition split into the key's words: (values, masks)."""
    total = sum((bits + 7) // 8 for bits in widths)
    given = -1 if mask is None else hexstr(mask)
    wanted = 0 if value is None else hexstr(value)
    if len(widths) == 1 and -1 << (widths[0] - 1) <= wanted < 0:
        wanted &= (1 << widths[0]) - 1  # a case of an int<N>
    if wanted < 0 or wanted >> (8 * total) or given >> (8 * total) not in (0, -1):
        raise PipelineError(f"a transition's value or mask has more than {total} bytes")
    values: list[int] = []
    masks: list[int] = []
    left = 8 * total
    for bits in widths:
        left -= 8 * ((bits + 7) // 8)
        for i in range(limbs(bits)):
            room = (1 << min(64, bits - 64 * i)) - 1
            values.append((wanted >> (left + 64 * i)) & ((1 << 64) - 1))
            masks.append((given >> (left + 64 * i)) & room)
    return values, masks
