"""Expressions and assignments as instructions."""

from __future__ import annotations

from ..errors import PipelineError
from .emitter import WORD, Emitter, Label, Op
from .layout import limbs
from .nodes import CASTS, COMPARISONS, U64, Builder, Node
from .widths import ALL, is_slice, sign_of, wide_need, word_pattern

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
            if is_slice(node):
                return self._slice(args[0], args[1].value, emit.const(WORD), target)
            left, right = self.word(args[0]), self.word(args[1])
            return self._binary(Op.SHR if args[0].within(U64) else Op.SAR, left, right, target)
        if op in COMPARISONS:
            return self._compare(node, target)
        if op == "d2b" and args[0].within((0, 1)):
            return self.word(args[0], target)
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
            if is_slice(inner):
                return self._slice(source, shift, slot, target)
            if source.within(U64) and 0 <= shift < 64:
                left = self.word(source)
                d = self.emit.temp() if target is None else target
                self.emit.op(Op.SLICE, d, left, shift, slot)
                return d
        return None

    def _compare(self, node: Node, target: int | None) -> int:
        left, right = node.args
        op, swap = _comparison(node.op, bool(sign_of(left, right)))
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
            n = limbs(wide_need(node.args[0], ALL))
            emit.op(Op.WNEZ, d, self.wide(node.args[0], n), n=n)
            return d
        left, right = node.args
        n = limbs(max(wide_need(left, ALL), wide_need(right, ALL)))
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
            emit.op(Op.JZ, when_false, self._tested(node))

    def _tested(self, node: Node) -> int:
        """A slot that is zero exactly when the truth value does not hold."""
        if node.op == "d2b" and node.args[0].exact_word:
            return self.word(node.args[0])
        return self.word(node)

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
            self.emit.op(Op.JNZ, when_true, self._tested(node))

    def _jump_compare(self, node: Node, label: Label, *, negate: bool) -> None:
        left, right = node.args
        signed = bool(sign_of(left, right))
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
