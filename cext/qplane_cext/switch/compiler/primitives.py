"""Action primitives: each JSON call becomes a few instructions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import PipelineError
from .emitter import Emitter, Label, Op
from .generator import Generator
from .layout import Json, Layout, limbs, where
from .nodes import Builder, Node, arithmetic, field_node


@dataclass(slots=True)
class Names:
    """Indices of the program's named objects."""

    registers: dict[str, tuple[int, int]] = field(default_factory=dict)  # (index, bits)
    counters: dict[str, int] = field(default_factory=dict)
    meters: dict[str, int] = field(default_factory=dict)
    calculations: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Message:
    """A log_msg call: its format and where its arguments are."""

    text: str
    args: list[tuple[int, int, bool]]  # slot, limbs, signed


TRACE_STATE, TRACE_CONDITION, TRACE_PRIMITIVE, TRACE_ACTION = range(4)


class Primitives:
    """Compiles primitive calls of actions, parser states and deparsers."""

    def __init__(self, layout: Layout, emitter: Emitter, names: Names, *, traced: bool) -> None:
        self.layout = layout
        self.emit = emitter
        self.names = names
        self.builder = Builder(layout, names.registers)
        self.generate = Generator(emitter, self.builder)
        self.messages: list[Message] = []
        self.sources: list[tuple[str, str]] = []  # (call, line) of asserts and traced primitives
        self.traced = traced

    # ---- whole bodies ----

    def body(self, calls: list[Json], owner: str) -> None:
        """The calls in order, with the jumps among them."""
        labels = [Label() for _ in range(len(calls) + 1)]
        for i, call in enumerate(calls):
            self.emit.place(labels[i])
            try:
                self._call(call, i, labels)
            except PipelineError as error:
                raise PipelineError(
                    f"{owner}, primitive {call.get('op')!r}{where(call)}: {error}"
                ) from None
            self.emit.release()
        self.emit.place(labels[-1])

    def _call(self, call: Json, position: int, labels: list[Label]) -> None:
        op, args = call["op"], call["parameters"]
        if op in ("_jump", "_jump_if_zero"):
            target = self.builder.build(args[-1])
            if target.op != "const" or not 0 <= target.value < len(labels):
                raise PipelineError("a jump must stay within its action")
            self._jump(args, op == "_jump", labels[target.value], target.value <= position)
            return
        handler = _HANDLERS.get(op)
        if handler is None:
            raise PipelineError(f"the primitive {op!r} is not supported")
        count, function = handler
        if len(args) != count:
            raise PipelineError(f"{op} takes {count} parameters, not {len(args)}")
        if self.traced:
            self.emit.op(Op.TRACE, TRACE_PRIMITIVE, self.source(op, call))
        function(self, args, call)

    def _jump(self, args: list[Any], always: bool, label: Label, backward: bool) -> None:
        after = Label()
        if not always:
            condition = Node("bool", "d2b", 0, 1, [self.builder.data(args[0])])
            if not backward:
                self.generate.branch(condition, label)
                return
            self.emit.op(Op.JNZ, after, self.generate.word(condition))
        self.emit.op(Op.LOOP if backward else Op.JMP, label)
        self.emit.place(after)

    def source(self, name: str, call: Json) -> int:
        self.sources.append((name, where(call)))
        return len(self.sources) - 1

    # ---- operands ----

    def word(self, item: Any) -> int:
        return self.generate.word(self.builder.data(item))

    def _lvalue(self, item: Any) -> Node:
        node = self.builder.build(item)
        if node.kind not in ("data", "varbit"):
            raise PipelineError(f"expected a field, not a {node.kind}")
        return node

    def _destination(self, item: Any) -> Node:
        node = self._lvalue(item)
        if node.op not in ("field", "access", "last_field"):
            raise PipelineError("the destination must be a field")
        return node

    def _named(self, item: Any, kind: str, table: dict[str, Any]) -> Any:
        if item["type"] != kind or item["value"] not in table:
            raise PipelineError(f"unknown {kind} {item['value']!r}")
        return table[item["value"]]

    def _typed(self, item: Any, kind: str) -> Node:
        node = self.builder.build(item)
        if node.kind != kind:
            raise PipelineError(f"expected a {kind}, not a {node.kind}")
        return node

    def _into(self, target: Node, fill: Callable[[int, int], None], bits: int) -> None:
        """Let `fill(slot, words)` compute a number of so many bits, then store it."""
        words = limbs(bits)
        if target.op == "field" and not target.signed and target.bits - 1 == bits:
            fill(target.slot, words)
            return
        slot = self.emit.temp(words)
        fill(slot, words)
        held = Node("data", "field", 0, (1 << bits) - 1, slot=slot, words=words)
        self.generate.store(target, held)

    # ---- the primitives ----

    def assign(self, args: list[Any], _call: Json) -> None:
        target = self._lvalue(args[0])
        if target.kind == "varbit":
            self.assign_varbit(args, _call)
            return
        source = self.builder.build(args[1])
        if source.kind == "bool":
            source = Node("data", "b2d", 0, 1, [source])
        if source.kind != "data":
            raise PipelineError(f"can't assign a {source.kind} to a field")
        self.generate.store(target, source)

    def assign_varbit(self, args: list[Any], _call: Json) -> None:
        headers = []
        for item in args:
            if item["type"] != "field":
                raise PipelineError("assign_VL needs two varbit fields")
            header = self.layout.header(item["value"][0])
            if header.type.varbit is None or header.type.varbit.name != item["value"][1]:
                raise PipelineError("assign_VL needs two varbit fields")
            headers.append(header)
        self.emit.op(Op.CPYVL, headers[0].id, headers[1].id)

    def assign_header(self, args: list[Any], _call: Json) -> None:
        if isinstance(args[1], list):
            self._assign_values(self._typed(args[0], "header"), args[1])
            return
        target, source = self._typed(args[0], "header"), self._typed(args[1], "header")
        if self.builder.header_type(target) is not self.builder.header_type(source):
            raise PipelineError("headers of different types")
        d, d_dynamic = self.generate.header(target)
        a, a_dynamic = self.generate.header(source)
        self.emit.op(Op.CPYH, d, a, n=d_dynamic + 2 * a_dynamic)

    def _assign_values(self, target: Node, values: list[Any]) -> None:
        """A header from the values of its fields: a bare list, as p4c writes the elements of
        `H[2] stack = { (H){1, 2}, ... }`. BMv2 can't read that."""
        fields = self.builder.header_type(target).fields
        if len(values) != len(fields) or any(one.varbit for one in fields):
            raise PipelineError(f"{len(values)} values for a header of {len(fields)} plain fields")
        held = []  # all before the first is stored: a value may read the header itself
        for one, value in zip(fields, values, strict=True):
            copy = field_node(self.emit.temp(one.words), one)
            self.generate.store(copy, self.builder.data(value))
            held.append(copy)
        header, dynamic = self.generate.header(target)
        self.emit.op(Op.ADDH, header, n=int(dynamic))
        for one, copy in zip(fields, held, strict=True):
            self.generate.store(self.builder.field_of(target, one.name), copy)

    def assign_union(self, args: list[Any], _call: Json) -> None:
        target, source = self._typed(args[0], "union"), self._typed(args[1], "union")
        d, d_dynamic = self.generate.union(target)
        a, a_dynamic = self.generate.union(source)
        if self._member_types(target) != self._member_types(source):
            raise PipelineError("unions of different types")
        self.emit.op(Op.CPYU, d, a, n=d_dynamic + 2 * a_dynamic)

    def _member_types(self, union: Node) -> list[str]:
        if union.op == "union":
            members = self.layout.unions[union.value].members
        else:
            stack = self.layout.union_stacks[union.value]
            members = self.layout.unions[stack.elements[0]].members
        return [self.layout.headers[i].type.name for i in members]

    def assign_stack(self, args: list[Any], _call: Json) -> None:
        target, source = self._typed(args[0], "stack"), self._typed(args[1], "stack")
        d, a = self.layout.stacks[target.value], self.layout.stacks[source.value]
        if d.type is not a.type or len(d.elements) != len(a.elements):
            raise PipelineError("header stacks of different types")
        self.emit.op(Op.CPYS, d.id, a.id)

    def assign_union_stack(self, args: list[Any], _call: Json) -> None:
        target, source = self._typed(args[0], "union_stack"), self._typed(args[1], "union_stack")
        d, a = self.layout.union_stacks[target.value], self.layout.union_stacks[source.value]
        if d.names != a.names or len(d.elements) != len(a.elements):
            raise PipelineError("header union stacks of different types")
        self.emit.op(Op.CPYUS, d.id, a.id)

    def add_header(self, args: list[Any], _call: Json) -> None:
        d, dynamic = self.generate.header(self._typed(args[0], "header"))
        self.emit.op(Op.ADDH, d, n=int(dynamic))

    def remove_header(self, args: list[Any], _call: Json) -> None:
        d, dynamic = self.generate.header(self._typed(args[0], "header"))
        self.emit.op(Op.REMH, d, n=int(dynamic))

    def push(self, args: list[Any], _call: Json) -> None:
        self._shift(args, Op.PUSH, Op.PUSHU)

    def pop(self, args: list[Any], _call: Json) -> None:
        self._shift(args, Op.POP, Op.POPU)

    def _shift(self, args: list[Any], plain: Op, union: Op) -> None:
        stack = self.builder.build(args[0])
        if stack.kind not in ("stack", "union_stack"):
            raise PipelineError(f"expected a header stack, not a {stack.kind}")
        self.emit.op(plain if stack.kind == "stack" else union, stack.value, self.word(args[1]))

    def mark_to_drop(self, args: list[Any], _call: Json) -> None:
        if args and args[0]["type"] != "header":
            raise PipelineError("mark_to_drop needs the standard metadata")
        header = args[0]["value"] if args else "standard_metadata"
        spec = self.layout.alias(header, "egress_spec") if args else self.layout.alias(
            "standard_metadata", "egress_spec"
        )  # fmt: skip
        if spec is None:
            raise PipelineError(f"{header!r} has no field 'egress_spec'")
        self._store_word(spec, self.emit.drop_port)
        group = self.layout.alias(header, "mcast_grp") if args else None
        group = group or self.layout.alias("intrinsic_metadata", "mcast_grp")
        if group is not None:
            self._store_word(group, self.emit.const(0))

    def _store_word(self, place: tuple[int, Any], slot: int) -> None:
        source = Node("data", "field", 0, (1 << 64) - 1, slot=slot)
        self.generate.store(field_node(*place), source)

    def exit(self, _args: list[Any], _call: Json) -> None:
        self.emit.op(Op.EXIT)

    def check(self, args: list[Any], call: Json) -> None:
        node = self.builder.build(args[0])
        if node.kind == "data":
            node = Node("bool", "d2b", 0, 1, [node])
        slot = self.generate.word(node)
        self.emit.op(Op.ASSERT, self.source(call["op"], call), slot)

    def log_msg(self, args: list[Any], _call: Json) -> None:
        if args[0]["type"] != "string" or args[1]["type"] != "parameters_vector":
            raise PipelineError("log_msg needs a string and a list of arguments")
        places = []
        for item in args[1]["value"]:
            node = self.builder.build(item)
            if node.kind == "bool":
                node = Node("data", "b2d", 0, 1, [node])
            words = limbs(node.bits if node.low < 0 else max(node.high.bit_length(), 1))
            slot = self.generate.word(node) if words == 1 else self.generate.wide(node, words)
            places.append((slot, words, node.low < 0))
        self.messages.append(Message(args[0]["value"], places))
        self.emit.op(Op.LOGMSG, len(self.messages) - 1)

    def count(self, args: list[Any], _call: Json) -> None:
        index = self._named(args[0], "counter_array", self.names.counters)
        self.emit.op(Op.COUNT, index, self.generate.index(self.builder.data(args[1])))

    def execute_meter(self, args: list[Any], _call: Json) -> None:
        meter = self._named(args[0], "meter_array", self.names.meters)
        index = self.generate.index(self.builder.data(args[1]))
        target = self._destination(args[2])
        # Out of range leaves the destination as it was: fetch it first.
        held = self.emit.temp()
        self.generate.word(target, held)
        self.emit.op(Op.METER, held, meter, index)
        self.generate.store(target, Node("data", "field", 0, (1 << 64) - 1, slot=held))

    def register_read(self, args: list[Any], _call: Json) -> None:
        array, bits = self._named(args[1], "register_array", self.names.registers)
        index = self.generate.index(self.builder.data(args[2]))
        target = self._destination(args[0])
        if target.op == "field" and not target.signed and target.bits - 1 >= bits \
                and limbs(bits) == target.words:  # fmt: skip
            self.emit.op(Op.REGR, target.slot, array, index, n=target.words)
            return
        words = limbs(bits)
        held = self.emit.temp(words)
        if target.words >= words:
            self.generate.wide(target, words, held)
        else:
            self.emit.op(Op.WEXT, held, self.generate.word(target), 1, 0, n=words)
        self.emit.op(Op.REGR, held, array, index, n=words)
        source = Node("data", "field", 0, (1 << bits) - 1, slot=held, words=words)
        self.generate.store(target, source)

    def register_write(self, args: list[Any], _call: Json) -> None:
        array, bits = self._named(args[0], "register_array", self.names.registers)
        index = self.generate.index(self.builder.data(args[1]))
        source = self.builder.data(args[2])
        words = limbs(bits)
        if words == source.words and source.op == "field" and source.within((0, (1 << bits) - 1)):
            slot = source.slot
        else:
            slot = self.emit.temp(words)
            cut = Node("data", "field", 0, (1 << bits) - 1, slot=slot, words=words)
            self.generate.store(cut, source)
        self.emit.op(Op.REGW, array, index, slot, n=words)

    def random(self, args: list[Any], _call: Json) -> None:
        target = self._destination(args[0])
        held = self.emit.temp()
        low, high = self.word(args[1]), self.word(args[2])
        self.generate.word(target, held)  # stays as it is when low > high
        self.emit.op(Op.RANDOM, held, low, high)
        self.generate.store(target, Node("data", "field", 0, (1 << 64) - 1, slot=held))

    def hash(self, args: list[Any], _call: Json) -> None:
        calculation = self._named(args[2], "calculation", self.names.calculations)
        base, size = self.word(args[1]), self.word(args[3])
        self._into(
            self._destination(args[0]),
            lambda slot, _words: self.emit.op(Op.HASH, slot, base, size, calculation),
            64,
        )

    def generate_digest(self, args: list[Any], _call: Json) -> None:
        self.emit.op(Op.DIGEST, 0, self.word(args[1]))

    def clone(self, args: list[Any], _call: Json) -> None:
        self.emit.op(Op.CLONE, 0, self.word(args[0]), self.word(args[1]))

    def resubmit(self, args: list[Any], _call: Json) -> None:
        self.emit.op(Op.RESUBMIT, 0, self.word(args[0]))

    def recirculate(self, args: list[Any], _call: Json) -> None:
        self.emit.op(Op.RECIRC, 0, self.word(args[0]))

    def truncate(self, args: list[Any], _call: Json) -> None:
        self.emit.op(Op.TRUNC, 0, self.word(args[0]))

    def no_op(self, _args: list[Any], _call: Json) -> None:
        """Nothing."""

    def accumulate(self, args: list[Any], call: Json) -> None:
        """add_to_field, subtract_from_field (P4_14)."""
        target = self._destination(args[0])
        sign = "+" if call["op"] == "add_to_field" else "-"
        self.generate.store(target, arithmetic(sign, target, self.builder.data(args[1])))

    def binary(self, args: list[Any], call: Json) -> None:
        """add, subtract, bit_and ... (P4_14)."""
        sign = _BINARY[call["op"]]
        left, right = self.builder.data(args[1]), self.builder.data(args[2])
        self.generate.store(self._destination(args[0]), arithmetic(sign, left, right))


_BINARY = {
    "add": "+", "subtract": "-", "bit_xor": "^", "bit_or": "|", "bit_and": "&",
    "shift_left": "<<", "shift_right": ">>",
}  # fmt: skip

_HANDLERS: dict[str, tuple[int, Callable[[Primitives, list[Any], Json], None]]] = {
    "assign": (2, Primitives.assign),
    "modify_field": (2, Primitives.assign),
    "assign_VL": (2, Primitives.assign_varbit),
    "assign_header": (2, Primitives.assign_header),
    "copy_header": (2, Primitives.assign_header),
    "assign_union": (2, Primitives.assign_union),
    "assign_header_stack": (2, Primitives.assign_stack),
    "assign_union_stack": (2, Primitives.assign_union_stack),
    "add_header": (1, Primitives.add_header),
    "remove_header": (1, Primitives.remove_header),
    "push": (2, Primitives.push),
    "pop": (2, Primitives.pop),
    "mark_to_drop": (1, Primitives.mark_to_drop),
    "drop": (0, Primitives.mark_to_drop),
    "exit": (0, Primitives.exit),
    "assert": (1, Primitives.check),
    "assume": (1, Primitives.check),
    "log_msg": (2, Primitives.log_msg),
    "count": (2, Primitives.count),
    "execute_meter": (3, Primitives.execute_meter),
    "register_read": (3, Primitives.register_read),
    "register_write": (3, Primitives.register_write),
    "modify_field_rng_uniform": (3, Primitives.random),
    "modify_field_with_hash_based_offset": (4, Primitives.hash),
    "generate_digest": (2, Primitives.generate_digest),
    "clone_ingress_pkt_to_egress": (2, Primitives.clone),
    "clone_egress_pkt_to_egress": (2, Primitives.clone),
    "resubmit": (1, Primitives.resubmit),
    "recirculate": (1, Primitives.recirculate),
    "truncate": (1, Primitives.truncate),
    "no_op": (0, Primitives.no_op),
    "add_to_field": (2, Primitives.accumulate),
    "subtract_from_field": (2, Primitives.accumulate),
    **{name: (3, Primitives.binary) for name in _BINARY},
}
