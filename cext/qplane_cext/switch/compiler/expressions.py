"""Expressions: from JSON trees to instructions.

BMv2 computes with unbounded integers and cuts a result when it is stored. Here every node of a tree
gets the interval of the values it can take, so that the compiler knows where 64-bit words do:

* ``+ - * & | ^ ~ <<`` and casts need only the low 64 bits of their operands to get their own low 64
  bits right, whatever happens above (they are ring operations modulo 2^64);
* comparisons, ``>>``, ``/``, ``%`` and saturation need the exact value: words do when the interval
  fits an unsigned or a signed 64-bit word.

Everything else takes the wide path: two's complement over as many limbs as the tree needs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import PipelineError
from .emitter import WORD, Emitter, Label, Op, bit_bound
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
    args: list[Node] = field(default_factory=list)
    slot: int = -1  # of a leaf: field, parameter
    words: int = 1
    signed: bool = False
    value: int = 0  # of a constant; an id or offset otherwise
    name: str = ""

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

    def build(self, item: Any) -> Node:
        if item is None:
            raise PipelineError("an operand is missing in an expression")
        kind, value = item["type"], item["value"]
        if kind == "expression":
            return self._operation(value)
        if kind == "hexstr":
            return const(hexstr(value))
        if kind == "bool":
            return Node("bool", "const", int(bool(value)), int(bool(value)), value=int(bool(value)))
        if kind == "field":
            if isinstance(value[0], dict):  # ["header" as an expression, "$valid$"]
                return self._field_of(self._operation(value[0]), value[1])
            return field_node(*self.layout.field(value))
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

    def _field_of(self, header: Node, name: str) -> Node:
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


def word_pattern(node: Node) -> bool:
    """Whether 64-bit instructions give the low 64 bits of this number (or this truth value)."""
    op, args = node.op, node.args
    if op in ("const", "field", "last_field", "register", "access"):
        return node.kind == "bool" or op in ("const", "field") or node.words == 1
    if op in ("+", "-", "*", "&", "|", "^", "~", "two_comp_mod"):
        if op == "two_comp_mod" and node.value > 64:
            return False
        return all(map(word_pattern, args))
    if op == "<<":
        return word_pattern(args[0]) and word_exact(args[1])
    if op == ">>":
        return _is_slice(node) or (word_exact(args[0]) and word_exact(args[1]))
    if op in ("/", "%", "sat_cast", "usat_cast"):
        if op.endswith("cast") and node.value > 63:
            return False
        return all(map(word_exact, args))
    if op in COMPARISONS:
        left, right = args
        return word_exact(left) and word_exact(right) and _sign_of(left, right) is not None
    return True


def word_exact(node: Node) -> bool:
    return node.exact_word and word_pattern(node)


def _is_slice(node: Node) -> bool:
    """(wide field) >> constant: its low 64 bits are one shift over two limbs."""
    left, right = node.args
    return left.op == "field" and not left.signed and left.words > 1 and right.op == "const" \
        and right.value >= 0  # fmt: skip


def _sign_of(left: Node, right: Node) -> bool | None:
    """Whether a comparison is signed; None when neither signed nor unsigned words do."""
    if left.within(U64) and right.within(U64):
        return False
    if left.within(S64) and right.within(S64):
        return True
    return None


def wide_need(node: Node, demand: int) -> int:
    """Bits of two's complement to compute this tree with, `demand` low bits of it being wanted."""
    op, args = node.op, node.args
    own = min(demand, node.bits)
    if node.kind == "bool":
        if op in COMPARISONS:
            return max(wide_need(arg, _ALL) for arg in args)
        return 1
    if op in ("+", "-", "*", "|", "^", "~"):
        need = max(wide_need(arg, demand) for arg in args)
    elif op == "&":
        need = 1
        for one, other in (args, args[::-1]):
            limit = min(demand, other.bits) if other.low >= 0 else demand
            need = max(need, wide_need(one, limit))
    elif op == "<<":
        need = wide_need(args[0], demand)
    elif op == "two_comp_mod":
        need = wide_need(args[0], min(demand, node.value))
    elif op == "?":
        need = max(wide_need(arg, demand) for arg in args[1:])
    elif op in (">>", "/", "%", "sat_cast", "usat_cast"):
        need = max(wide_need(arg, _ALL) for arg in args)
    else:
        need = own
    if op in ("sat_cast", "usat_cast"):
        need = max(need, node.value + 2)
    need = max(need, own)
    if need > MAX_BITS:
        raise PipelineError(f"an operand of {op!r} may be more than {MAX_BITS} bits wide")
    return need


_ALL = 1 << 30

_WORD_OPS = {
    "+": Op.ADD, "-": Op.SUB, "*": Op.MUL, "&": Op.AND, "|": Op.OR, "^": Op.XOR,
    "<<": Op.SHL, "/": Op.DIV, "%": Op.MOD,
}  # fmt: skip
_WIDE_OPS = {
    "+": Op.WADD, "-": Op.WSUB, "*": Op.WMUL, "&": Op.WAND, "|": Op.WOR, "^": Op.WXOR,
    "/": Op.WDIV, "%": Op.WMOD,
}  # fmt: skip


class Generator:
    """Emits the instructions of nodes."""

    def __init__(self, emitter: Emitter, builder: Builder) -> None:
        self.emit = emitter
        self.builder = builder
        self.layout = emitter.layout

    # ---- 64-bit words ----

    def word(self, node: Node, target: int | None = None) -> int:
        """A slot with the low 64 bits of a number or with a truth value (0 or 1)."""
        if not word_pattern(node):
            if node.kind == "bool":
                return self._wide_truth(node, target)
            slot = self.wide(node, limbs(wide_need(node, 64)))
            return self._moved(slot, target)
        op, args, emit = node.op, node.args, self.emit
        if op == "const":
            return self._moved(emit.const(node.value & WORD), target)
        if op == "field":
            return self._moved(node.slot, target)
        if op == "b2d":
            return self.word(args[0], target)
        if op == "valid" and args[0].op == "header":
            header = self.layout.headers[args[0].value]
            if header.metadata:
                return self._moved(emit.const(1), target)
            return self._moved(header.id, target)
        if op == "&":
            fused = self._fused_mask(node, target)
            if fused is not None:
                return fused
        if op in _WORD_OPS:
            left, right = self.word(args[0]), self.word(args[1])
            return self._binary(_WORD_OPS[op], left, right, target)
        if op == ">>":
            if _is_slice(node):
                return self._slice(args[0], args[1].value, emit.const(WORD), target)
            left, right = self.word(args[0]), self.word(args[1])
            return self._binary(Op.SHR if args[0].within(U64) else Op.SAR, left, right, target)
        if op in COMPARISONS:
            return self._compare(node, target)
        if op == "d2b" and not args[0].exact_word:
            return self._wide_truth(node, target)
        slots = [] if op in _HEADER_LEAVES else [self.word(arg) for arg in args]
        d = emit.temp() if target is None else target
        if op == "~":
            emit.op(Op.NOT, d, slots[0])
        elif op == "two_comp_mod":
            emit.op(Op.SEXT, d, slots[0], node.value)
        elif op in ("sat_cast", "usat_cast"):
            unsigned = args[0].within(U64)
            if op == "sat_cast":
                emit.op(Op.SSATU if unsigned else Op.SSATS, d, slots[0], node.value)
            else:
                emit.op(Op.USATU if unsigned else Op.USATS, d, slots[0], node.value)
        elif op == "?":
            emit.op(Op.SELECT, d, slots[0], slots[1], slots[2])
        elif op == "and":
            emit.op(Op.AND, d, slots[0], slots[1])
        elif op == "or":
            emit.op(Op.OR, d, slots[0], slots[1])
        elif op == "not":
            emit.op(Op.LNOT, d, slots[0])
        elif op == "d2b":
            emit.op(Op.NEZ, d, slots[0])
        else:
            self._header_leaf(node, d, 1)
        return d

    def _moved(self, slot: int, target: int | None) -> int:
        if target is None or target == slot:
            return slot
        self.emit.op(Op.MOV, target, slot)
        return target

    def _binary(self, op: Op, left: int, right: int, target: int | None) -> int:
        d = self.emit.temp() if target is None else target
        self.emit.op(op, d, left, right)
        return d

    def _slice(self, source: Node, shift: int, mask_slot: int, target: int | None) -> int:
        d = self.emit.temp() if target is None else target
        self.emit.op(Op.WSLICE, d, source.slot, shift, mask_slot, n=source.words)
        return d

    def _fused_mask(self, node: Node, target: int | None) -> int | None:
        """(a + b) & mask, (a - b) & mask, (a >> n) & mask, x & mask where x fits the mask."""
        inner, mask = node.args
        if mask.op != "const":
            inner, mask = mask, inner
        if mask.op != "const" or not 0 <= mask.value <= WORD:
            return None
        all_ones = mask.value & (mask.value + 1) == 0
        if all_ones and inner.within((0, mask.value)):
            return self.word(inner, target)
        slot = self.emit.const(mask.value)
        if inner.op in ("+", "-"):
            left, right = self.word(inner.args[0]), self.word(inner.args[1])
            d = self.emit.temp() if target is None else target
            self.emit.op(Op.ADDM if inner.op == "+" else Op.SUBM, d, left, right, slot)
            return d
        if inner.op == ">>" and inner.args[1].op == "const":
            source, shift = inner.args[0], inner.args[1].value
            if _is_slice(inner):
                return self._slice(source, shift, slot, target)
            if source.within(U64) and 0 <= shift < 64:
                left = self.word(source)
                d = self.emit.temp() if target is None else target
                self.emit.op(Op.SLICE, d, left, shift, slot)
                return d
        return None

    def _compare(self, node: Node, target: int | None) -> int:
        left, right = node.args
        op, swap = _comparison(node.op, bool(_sign_of(left, right)))
        a, b = self.word(left), self.word(right)
        return self._binary(op, *((b, a) if swap else (a, b)), target)

    # ---- headers, unions, stacks ----

    def header(self, node: Node) -> tuple[int, bool]:
        """(header id, False) or (slot that holds the id, True)."""
        if node.op == "header":
            return node.value, False
        d = self.emit.temp()
        if node.op == "deref":
            self.emit.op(Op.DEREF, d, node.value, self.index(node.args[0]))
        else:
            union, dynamic = self.union(node.args[0])
            if not dynamic:
                return self.layout.unions[union].members[node.value], False
            self.emit.op(Op.UHDR, d, union, node.value)
        return d, True

    def union(self, node: Node) -> tuple[int, bool]:
        if node.op == "union":
            return node.value, False
        d = self.emit.temp()
        self.emit.op(Op.DEREFU, d, node.value, self.index(node.args[0]))
        return d, True

    def index(self, node: Node) -> int:
        """A slot with an index; a number that can't be one reads as 2^64 - 1, out of range."""
        if node.within(U64):
            return self.word(node)
        if not node.exact_word:
            raise PipelineError("an index is wider than 64 bits")
        return self.word(node)  # negative: out of range as an unsigned word

    def _header_leaf(self, node: Node, d: int, n: int) -> None:
        """Reads that name a header or a stack; d gets n limbs."""
        emit, op, args = self.emit, node.op, node.args
        if op == "valid":
            header, _ = self.header(args[0])
            emit.op(Op.HVALID, d, header)
        elif op == "valid_union":
            union, dynamic = self.union(args[0])
            emit.op(Op.UVALID, d, union, n=int(dynamic))
        elif op == "varbit ==":
            emit.op(Op.VLEQ, d, args[0].slot, args[1].slot)
        elif op in ("header ==", "union =="):
            resolve = self.header if op == "header ==" else self.union
            left, left_dynamic = resolve(args[0])
            right, right_dynamic = resolve(args[1])
            emit.op(
                Op.HEQ if op == "header ==" else Op.UEQ, d, left, right,
                n=2 * left_dynamic + 4 * right_dynamic,
            )  # fmt: skip
        elif op == "access":
            header, dynamic = self.header(args[0])
            if dynamic:
                emit.op(Op.LDF, d, header, node.slot, n=n)
            else:
                slot = self.layout.headers[header].slot + node.slot
                emit.op(Op.WMOV if n > 1 else Op.MOV, d, slot, n=n)
        elif op == "last_field":
            emit.op(Op.LASTF, d, node.value, node.slot, n=n)
        elif op == "register":
            index = self.index(args[0])
            emit.op(Op.WEXT, d, emit.const(0), 1, 0, n=n)  # what an index out of range reads
            emit.op(Op.REGR, d, node.value, index, n=n)
        elif op in ("last_stack_index", "size_stack"):
            stack = args[0]
            if stack.kind == "stack":
                code = Op.LASTIDX if op == "last_stack_index" else Op.STKSIZE
            else:
                code = Op.LASTIDXU if op == "last_stack_index" else Op.STKSIZEU
            emit.op(code, d, stack.value)
        else:
            raise PipelineError(f"operator {op!r} is not supported here")

    # ---- wide ----

    def wide(self, node: Node, n: int, target: int | None = None) -> int:
        """A slot with n limbs: the number modulo 2^(64 n), two's complement."""
        emit, op, args = self.emit, node.op, node.args
        if op == "const":
            return emit.const(node.value % (1 << (64 * n)), n)
        if op == "field" and node.words == n and target is None:
            return node.slot
        d = emit.temp(n) if target is None else target
        if op == "field":
            emit.op(Op.WEXT, d, node.slot, node.words, int(node.signed), n=n)
        elif node.kind == "bool" or op == "b2d":
            emit.op(Op.WEXT, d, self.word(node), 1, 0, n=n)
        elif op in ("access", "last_field", "register"):
            if node.words == n:
                self._header_leaf(node, d, n)
            else:
                t = emit.temp(node.words)
                self._header_leaf(node, t, node.words)
                emit.op(Op.WEXT, d, t, node.words, int(node.signed), n=n)
        elif op in ("last_stack_index", "size_stack"):
            emit.op(Op.WEXT, d, self.word(node), 1, 1, n=n)
        elif op in _WIDE_OPS:
            left, right = self.wide(args[0], n), self.wide(args[1], n)
            emit.op(_WIDE_OPS[op], d, left, right, n=n)
        elif op == "~":
            emit.op(Op.WNOT, d, self.wide(args[0], n), n=n)
        elif op in ("<<", ">>"):
            left, right = self.wide(args[0], n), self._shift_amount(args[1])
            emit.op(Op.WSHL if op == "<<" else Op.WSAR, d, left, right, n=n)
        elif op in CASTS:
            left = self.wide(args[0], n)
            code = {"two_comp_mod": Op.WSEXT, "usat_cast": Op.WUSAT, "sat_cast": Op.WSSAT}[op]
            emit.op(code, d, left, node.value, n=n)
        elif op == "?":
            condition = self.word(args[0])
            left, right = self.wide(args[1], n), self.wide(args[2], n)
            emit.op(Op.WSELECT, d, condition, left, right, n=n)
        else:
            raise PipelineError(f"operator {op!r} is not supported on wide values")
        return d

    def _shift_amount(self, node: Node) -> int:
        if not node.exact_word or node.low < 0:
            raise PipelineError("a shift amount must be an unsigned number of up to 64 bits")
        return self.word(node)

    def _wide_truth(self, node: Node, target: int | None) -> int:
        emit = self.emit
        d = emit.temp() if target is None else target
        if node.op == "d2b":
            n = limbs(wide_need(node.args[0], _ALL))
            emit.op(Op.WNEZ, d, self.wide(node.args[0], n), n=n)
            return d
        left, right = node.args
        n = limbs(max(wide_need(left, _ALL), wide_need(right, _ALL)))
        op = node.op
        if op in ("==", "!="):
            same = limbs(max(left.high.bit_length(), right.high.bit_length()))
            if (
                left.low >= 0
                and right.low >= 0
                and all(
                    one.op == "const" or (one.op == "field" and one.words == same)
                    for one in (left, right)
                )
            ):
                n = same  # no sign needed: compare the limbs where they lie
            a, b = self.wide(left, n), self.wide(right, n)
            emit.op(Op.WEQ if op == "==" else Op.WNE, d, a, b, n=n)
            return d
        a, b = self.wide(left, n), self.wide(right, n)
        if op in (">", ">="):
            a, b = b, a
        emit.op(Op.WLTS if op in ("<", ">") else Op.WLES, d, a, b, n=n)
        return d

    # ---- statements ----

    def store(self, target: Node, source: Node) -> None:
        """target = source, cut to the target's width. The target is a field or an lvalue."""
        if target.op == "field":
            self._store_at(target, source)
            return
        if target.op not in ("access", "last_field"):
            raise PipelineError(f"can't assign to {target.op!r}")
        n = target.words
        held = Node("data", "field", target.low, target.high, slot=self.emit.temp(n), words=n,
                    signed=target.signed)  # fmt: skip
        self._store_at(held, source)
        if target.op == "access":
            header, _ = self.header(target.args[0])
            self.emit.op(Op.STF, header, held.slot, target.slot, n=n)
        else:
            d = self.emit.temp()
            one = self.emit.temp()
            self.emit.op(Op.LASTIDX, one, target.value)
            self.emit.op(Op.DEREF, d, target.value, one)
            self.emit.op(Op.STF, d, held.slot, target.slot, n=n)

    def _store_at(self, target: Node, source: Node) -> None:
        emit = self.emit
        bits = target.bits if target.signed else target.bits - 1
        fits = source.within((target.low, target.high))
        if bits <= 64:
            if word_pattern(source) and fits:
                self.word(source, target.slot)
                return
            slot = self.word(source)
            if fits:
                self._moved(slot, target.slot)
            elif target.signed:
                emit.op(Op.SEXT, target.slot, slot, bits)
            else:
                emit.op(Op.AND, target.slot, slot, emit.const((1 << bits) - 1))
            return
        n = target.words
        if source.op == "field" and source.words == n and fits and source.signed == target.signed:
            emit.op(Op.WMOV, target.slot, source.slot, n=n)
            return
        need = max(n, limbs(wide_need(source, bits)))
        slot = self.wide(source, need)
        emit.op(Op.WSEXT if target.signed else Op.WZEXT, target.slot, slot, bits, n=n)

    def branch(self, node: Node, when_false: Label) -> None:
        """Falls through when the truth value holds."""
        emit, op, args = self.emit, node.op, node.args
        if op == "const":
            if not node.value:
                emit.op(Op.JMP, when_false)
        elif op == "and":
            self.branch(args[0], when_false)
            self.branch(args[1], when_false)
        elif op == "or":
            holds = Label()
            self._branch_if(args[0], holds)
            self.branch(args[1], when_false)
            emit.place(holds)
        elif op == "not":
            self._branch_if(args[0], when_false)
        elif op in COMPARISONS and word_pattern(node):
            self._jump_compare(node, when_false, negate=True)
        else:
            emit.op(Op.JZ, when_false, self.word(node))

    def _branch_if(self, node: Node, when_true: Label) -> None:
        """Falls through when the truth value does not hold."""
        if node.op == "not":
            self.branch(node.args[0], when_true)
        elif node.op == "or":
            self._branch_if(node.args[0], when_true)
            self._branch_if(node.args[1], when_true)
        elif node.op in COMPARISONS and word_pattern(node):
            self._jump_compare(node, when_true, negate=False)
        else:
            self.emit.op(Op.JNZ, when_true, self.word(node))

    def _jump_compare(self, node: Node, label: Label, *, negate: bool) -> None:
        left, right = node.args
        signed = bool(_sign_of(left, right))
        op = _NEGATED[node.op] if negate else node.op
        a, b = self.word(left), self.word(right)
        if op in (">", "<="):  # a > b is b < a, a <= b is b >= a
            a, b, op = b, a, "<" if op == ">" else ">="
        code = {
            "==": Op.JEQ,
            "!=": Op.JNE,
            "<": Op.JLTS if signed else Op.JLTU,
            ">=": Op.JGES if signed else Op.JGEU,
        }[op]
        self.emit.op(code, label, a, b)


_NEGATED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_HEADER_LEAVES = {
    "valid", "valid_union", "header ==", "union ==", "varbit ==", "access", "last_field",
    "register", "last_stack_index", "size_stack",
}  # fmt: skip


def _comparison(op: str, signed: bool) -> tuple[Op, bool]:
    """(instruction, whether the operands change places)."""
    if op in ("==", "!="):
        return (Op.EQ if op == "==" else Op.NE), False
    strict = op in ("<", ">")
    code = (Op.LTS if strict else Op.LES) if signed else (Op.LTU if strict else Op.LEU)
    return code, op in (">", ">=")
