"""Expressions as trees: built from JSON, each node with the interval of its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import PipelineError
from .emitter import WORD, bit_bound
from .layout import Field, HeaderType, Layout, limbs, type_field

MAX_BITS = 70_000  # of an intermediate result; nothing sensible comes near
U64 = (0, WORD)
S64 = (-(1 << 63), (1 << 63) - 1)

ARITHMETIC = {"+", "-", "*", "&", "|", "^", "<<", ">>", "/", "%"}
COMPARISONS = {"==", "!=", "<", "<=", ">", ">="}
CASTS = {"two_comp_mod", "sat_cast", "usat_cast"}


@dataclass(slots=True, eq=False)
class Node:
    """One operation. `kind` is data, bool, header, stack, union or union_stack."""

    kind: str
    op: str
    low: int = 0
    high: int = 0
    args: Sequence[Node] = ()
    slot: int = -1  # of a leaf: field, parameter
    words: int = 1
    signed: bool = False
    value: int = 0  # of a constant; an id or offset otherwise
    name: str = ""
    is_word: bool | None = None  # widths.word_pattern's answer, once it was asked

    @property
    def bits(self) -> int:
        return bit_bound(self.low, self.high)

    def within(self, bounds: tuple[int, int]) -> bool:
        return bounds[0] <= self.low and self.high <= bounds[1]

    @property
    def exact_word(self) -> bool:
        return self.within(U64) or self.within(S64)


def hexstr(text: Any) -> int:
    """The integer of BMv2's hexstr: optional minus, optional 0x."""
    if not isinstance(text, str):
        raise PipelineError(f"expected a hexadecimal string, not {text!r}")
    return int(text, 16)


def const(value: int) -> Node:
    return Node("data", "const", value, value, value=value, words=limbs(bit_bound(value, value)))


def field_node(slot: int, one: Field) -> Node:
    if one.varbit:
        return Node("varbit", "varbit", slot=slot, name=one.name)
    if one.signed:
        low, high = -(1 << max(one.bits - 1, 0)), (1 << max(one.bits - 1, 0)) - 1
    else:
        low, high = 0, (1 << one.bits) - 1
    return Node("data", "field", low, high, slot=slot, words=one.words, signed=one.signed)


class Builder:
    """Turns JSON into nodes; knows the parameters of the action it is in."""

    def __init__(self, layout: Layout, registers: dict[str, tuple[int, int]]) -> None:
        self.layout = layout
        self.registers = registers  # name -> (index, bit width)
        self.params: list[Node] = []
        # A program names the same fields and numbers again and again: their nodes are shared.
        self._fields: dict[tuple[str, ...], Node] = {}
        self._numbers: dict[str, Node] = {}

    def build(self, item: Any) -> Node:
        if item is None:
            raise PipelineError("an operand is missing in an expression")
        kind, value = item["type"], item["value"]
        if kind == "expression":
            return self._operation(value)
        if kind == "hexstr":
            known = self._numbers.get(value)
            if known is None:
                known = self._numbers[value] = const(hexstr(value))
            return known
        if kind == "bool":
            return Node("bool", "const", int(bool(value)), int(bool(value)), value=int(bool(value)))
        if kind == "field":
            if isinstance(value[0], dict):  # ["header" as an expression, "$valid$"]
                return self.field_of(self._operation(value[0]), value[1])
            name = tuple(value)
            known = self._fields.get(name)
            if known is None:
                known = self._fields[name] = field_node(*self.layout.field(value))
            return known
        if kind in ("local", "runtime_data"):
            if not isinstance(value, int) or not 0 <= value < len(self.params):
                raise PipelineError(f"action parameter {value!r} does not exist")
            return self.params[value]
        if kind == "header" and value in self.layout.union_by_name:
            kind = "header_union"  # what p4c writes for the validity of a union
        if kind == "header":
            return Node("header", "header", value=self.layout.header(value).id)
        if kind == "header_stack":
            stack = self.layout.stack(value)
            return Node("stack", "stack", value=stack.id, name=value)
        if kind == "header_union":
            return Node("union", "union", value=self.layout.union(value).id, name=value)
        if kind == "header_union_stack":
            stack = self.layout.union_stack(value)
            return Node("union_stack", "union_stack", value=stack.id, name=value)
        if kind == "stack_field":
            stack_ = self.layout.stack(value[0])
            if value[1] == "last" and "last" not in stack_.type.index:
                index = Node("data", "last_stack_index", -1, 1 << 20, signed=True)
                index.args = [Node("stack", "stack", value=stack_.id)]
                return Node("header", "deref", args=[index], value=stack_.id, name=value[0])
            one = type_field(stack_.type, value[1])
            node = field_node(-1, one)
            node.op, node.value, node.name = "last_field", stack_.id, value[0]
            node.slot = one.offset
            return node
        if kind == "register":
            if value[0] not in self.registers:
                raise PipelineError(f"unknown register array {value[0]!r}")
            index, bits = self.registers[value[0]]
            return Node(
                "data", "register", 0, (1 << bits) - 1, [self.build(value[1])],
                words=limbs(bits), value=index,
            )  # fmt: skip
        raise PipelineError(f"operand type {kind!r} is not supported in an expression")

    def data(self, item: Any) -> Node:
        """An operand that must be a number; a truth value counts as 0 or 1."""
        return as_data(self.build(item))

    def _operation(self, value: Any) -> Node:
        if "op" not in value:  # an expression wrapped once more
            return self.build(value)
        op = value["op"]
        if op == "?":
            return self._conditional(value)
        if op in ("==", "!="):
            return self._equality(op, self.build(value["left"]), self.build(value["right"]))
        if op in ARITHMETIC:
            left = const(0) if value.get("left") is None else self.data(value["left"])
            return arithmetic(op, left, self.data(value["right"]))
        if op in COMPARISONS:
            return Node("bool", op, 0, 1, [self.data(value["left"]), self.data(value["right"])])
        if op in CASTS:
            return cast(op, self.data(value["left"]), self.data(value["right"]))
        if op == "~":
            right = self.data(value["right"])
            return Node("data", "~", -right.high - 1, -right.low - 1, [right])
        if op in ("and", "or"):
            operands = [as_bool(self.build(value[side])) for side in ("left", "right")]
            return Node("bool", op, 0, 1, operands)
        if op == "not":
            return Node("bool", "not", 0, 1, [as_bool(self.build(value["right"]))])
        if op == "d2b":
            return Node("bool", "d2b", 0, 1, [self.data(value["right"])])
        if op == "b2d":
            return as_data(as_bool(self.build(value["right"])))
        if op == "valid":
            return self._valid(self._typed(value["right"], "header", op))
        if op == "valid_union":
            return Node("bool", "valid_union", 0, 1, [self._typed(value["right"], "union", op)])
        if op == "dereference_header_stack":
            stack = self._typed(value["left"], "stack", op)
            return Node(
                "header", "deref", args=[self.data(value["right"])], value=stack.value,
                name=stack.name,
            )  # fmt: skip
        if op == "dereference_union_stack":
            stack = self._typed(value["left"], "union_stack", op)
            return Node(
                "union", "deref", args=[self.data(value["right"])], value=stack.value,
                name=stack.name,
            )  # fmt: skip
        if op == "access_field":
            return self._access_field(self._typed(value["left"], "header", op), value["right"])
        if op == "access_union_header":
            union = self._typed(value["left"], "union", op)
            members = self._members(union)
            if not isinstance(value["right"], int) or not 0 <= value["right"] < len(members):
                raise PipelineError(f"union member {value['right']!r} does not exist")
            if union.op == "union":
                return Node("header", "header", value=members[value["right"]])
            return Node("header", "member", args=[union], value=value["right"])
        if op in ("last_stack_index", "size_stack"):
            stack = self.build(value["right"] if value.get("left") is None else value["left"])
            if stack.kind not in ("stack", "union_stack"):
                raise PipelineError(f"{op} needs a header stack")
            low = -1 if op == "last_stack_index" else 0
            return Node("data", op, low, 1 << 20, [stack], signed=True)
        raise PipelineError(f"expression operator {op!r} is not supported")

    def _typed(self, item: Any, kind: str, op: str) -> Node:
        node = self.build(item)
        if node.kind != kind:
            raise PipelineError(f"{op} needs a {kind}, not a {node.kind}")
        return node

    def _members(self, union: Node) -> list[int]:
        if union.op == "union":
            return self.layout.unions[union.value].members
        stack = self.layout.union_stacks[union.value]
        return self.layout.unions[stack.elements[0]].members

    def header_type(self, node: Node) -> HeaderType:
        """The HeaderType of a header node, also of one that is only known at run time."""
        if node.op == "header":
            return self.layout.headers[node.value].type
        if node.op == "deref":
            return self.layout.stacks[node.value].type
        return self.layout.headers[self._members(node.args[0])[node.value]].type

    def _access_field(self, header: Node, index: Any) -> Node:
        kind = self.header_type(header)
        if not isinstance(index, int) or not 0 <= index <= len(kind.fields):
            raise PipelineError(f"header type {kind.name!r} has no field number {index!r}")
        if index == len(kind.fields):  # the hidden $valid$ comes last
            return as_data(self._valid(header))
        one = kind.fields[index]
        if header.op == "header":
            return field_node(self.layout.headers[header.value].slot + one.offset, one)
        node = field_node(one.offset, one)
        if node.kind == "varbit":
            raise PipelineError(f"varbit {one.name!r} of an element chosen at run time")
        node.op, node.args = "access", [header]
        return node

    def field_of(self, header: Node, name: str) -> Node:
        """A field of a header node, also of one that is only known at run time."""
        if header.kind != "header":
            raise PipelineError(f"a {header.kind} has no field {name!r}")
        if name == "$valid$":
            return as_data(self._valid(header))
        kind = self.header_type(header)
        type_field(kind, name)
        return self._access_field(header, kind.index[name])

    def _valid(self, header: Node) -> Node:
        return Node("bool", "valid", 0, 1, [header])

    def _conditional(self, value: Any) -> Node:
        condition = as_bool(self.build(value["cond"]))
        left, right = self.build(value["left"]), self.build(value["right"])
        if "bool" in (left.kind, right.kind):
            left, right = as_bool(left), as_bool(right)
            return Node("bool", "?", 0, 1, [condition, left, right])
        if left.kind != "data" or right.kind != "data":
            raise PipelineError(
                f"the operator '?' can't choose between a {left.kind} and a {right.kind}"
            )
        return Node(
            "data", "?", min(left.low, right.low), max(left.high, right.high),
            [condition, left, right],
        )  # fmt: skip

    def _equality(self, op: str, left: Node, right: Node) -> Node:
        if left.kind in ("header", "union") and right.kind == left.kind:
            node = Node("bool", f"{left.kind} ==", 0, 1, [left, right])
            return node if op == "==" else Node("bool", "not", 0, 1, [node])
        if left.kind == right.kind == "varbit":
            node = Node("bool", "varbit ==", 0, 1, [left, right])
            return node if op == "==" else Node("bool", "not", 0, 1, [node])
        if {left.kind, right.kind} - {"data", "bool"}:
            raise PipelineError(f"{op} can't compare a {left.kind} with a {right.kind}")
        return Node("bool", op, 0, 1, [as_data(left), as_data(right)])


def as_data(node: Node) -> Node:
    if node.kind == "bool":
        return Node("data", "b2d", 0, 1, [node])
    if node.kind != "data":
        raise PipelineError(f"expected a number, not a {node.kind}")
    return node


def as_bool(node: Node) -> Node:
    if node.kind == "data":
        return Node("bool", "d2b", 0, 1, [node])
    if node.kind != "bool":
        raise PipelineError(f"expected a truth value, not a {node.kind}")
    return node


def arithmetic(op: str, left: Node, right: Node) -> Node:
    """The node of a binary operation with the interval of its result."""
    if left.op == "const" and right.op == "const" and op in "+-*&|^":
        a, b = left.value, right.value
        return const({"+": a + b, "-": a - b, "*": a * b, "&": a & b, "|": a | b, "^": a ^ b}[op])
    if op == "+":
        low, high = left.low + right.low, left.high + right.high
    elif op == "-":
        low, high = left.low - right.high, left.high - right.low
    elif op == "*":
        corners = [x * y for x in (left.low, left.high) for y in (right.low, right.high)]
        low, high = min(corners), max(corners)
    elif op == "&" and (left.low >= 0 or right.low >= 0):
        low, high = 0, min(n.high for n in (left, right) if n.low >= 0)
    elif op in "&|^":
        bits = max(left.bits, right.bits) - 1
        low = 0 if left.low >= 0 and right.low >= 0 else -(1 << bits)
        high = (1 << bits) - 1
    elif op == "<<":
        most = 1 << min(max(right.high, 0), MAX_BITS)
        low, high = min(left.low * most, left.low), max(left.high * most, left.high)
    elif op == ">>":
        least, most = min(max(right.low, 0), MAX_BITS), min(max(right.high, 0), MAX_BITS)
        low = min(left.low >> least, left.low >> most)
        high = max(left.high >> least, left.high >> most)
    elif op == "/":
        low, high = 0, max(left.high, 0)
    else:
        low, high = 0, max(min(left.high, right.high - 1), 0)
    if max(abs(low), abs(high)).bit_length() > 2 * MAX_BITS:
        raise PipelineError(f"the result of {op!r} may be more than {MAX_BITS} bits wide")
    return Node("data", op, low, high, [left, right])


def cast(op: str, left: Node, width: Node) -> Node:
    if width.op != "const" or not 0 < width.value <= MAX_BITS:
        raise PipelineError(f"{op} needs a constant width")
    bits = width.value
    if op == "usat_cast":
        low, high = 0, (1 << bits) - 1
    else:
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if op == "two_comp_mod" and low <= left.low and left.high <= high:
        return left
    return Node("data", op, low, high, [left], value=bits)
