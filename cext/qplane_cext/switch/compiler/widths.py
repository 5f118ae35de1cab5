"""Which expressions 64-bit words can compute, and how many bits the others need.

BMv2 computes with unbounded integers and cuts a result when it is stored. Every node of a tree has
the interval of the values it can take, so that the compiler knows where 64-bit words do:

* ``+ - * & | ^ ~ <<`` and casts need only the low 64 bits of their operands to get their own low 64
  bits right, whatever happens above (they are ring operations modulo 2^64);
* comparisons, ``>>``, ``/``, ``%`` and saturation need the exact value: words do when the interval
  fits an unsigned or a signed 64-bit word.

Everything else takes the wide path: two's complement over as many limbs as the tree needs.
"""

from __future__ import annotations

from ..errors import PipelineError
from .nodes import COMPARISONS, MAX_BITS, S64, U64, Node

ALL = 1 << 30  # bits: the exact value is wanted


def word_pattern(node: Node) -> bool:
    """Whether 64-bit instructions give the low 64 bits of this number (or this truth value)."""
    if node.is_word is None:
        node.is_word = _word_pattern(node)
    return node.is_word


def _word_pattern(node: Node) -> bool:
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
        return is_slice(node) or (word_exact(args[0]) and word_exact(args[1]))
    if op in ("/", "%", "sat_cast", "usat_cast"):
        if op.endswith("cast") and node.value > 63:
            return False
        return all(map(word_exact, args))
    if op in COMPARISONS:
        left, right = args
        return word_exact(left) and word_exact(right) and sign_of(left, right) is not None
    return True


def word_exact(node: Node) -> bool:
    return node.exact_word and word_pattern(node)


def is_slice(node: Node) -> bool:
    """(wide field) >> constant: its low 64 bits are one shift over two limbs."""
    left, right = node.args
    return left.op == "field" and not left.signed and left.words > 1 and right.op == "const" \
        and right.value >= 0  # fmt: skip


def sign_of(left: Node, right: Node) -> bool | None:
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
            return max(wide_need(arg, ALL) for arg in args)
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
        need = max(wide_need(arg, ALL) for arg in args)
    else:
        need = own
    if op in ("sat_cast", "usat_cast"):
        need = max(need, node.value + 2)
    need = max(need, own)
    if need > MAX_BITS:
        raise PipelineError(f"an operand of {op!r} may be more than {MAX_BITS} bits wide")
    return need
