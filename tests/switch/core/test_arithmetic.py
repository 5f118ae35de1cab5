"""Every operator at every width, against Python's integers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from qplane_cext.switch.core import SwitchCore

from .conftest import pipeline

CORE = SwitchCore()
CORE.commit(pipeline("arithmetic"))

WIDTHS = {"8": 8, "16": 16, "64": 64, "128": 128, "200": 200}
SIGNED = {"16", "200"}


def edge(bits: int) -> st.SearchStrategy[int]:
    """Numbers of so many bits, with the edges drawn often."""
    top = (1 << bits) - 1
    return st.one_of(
        st.sampled_from([0, 1, top, top >> 1, (top >> 1) + 1, top - 1]), st.integers(0, top)
    )


def signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def expected(op: int, name: str, a: int, b: int, shift: int) -> int:
    """What the P4_16 specification says, as an unsigned number of the width."""
    bits = WIDTHS[name]
    if name in SIGNED:
        a, b = signed(a, bits), signed(b, bits)
    low, high = (
        (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if name in SIGNED else (0, (1 << bits) - 1)
    )
    if op in (3, 4):
        return min(max(a + b if op == 3 else a - b, low), high) & ((1 << bits) - 1)
    inverted = ~b & ((1 << bits) - 1)
    value = {
        0: a + b,
        1: a - b,
        2: a * b,
        5: a & (inverted if name in ("8", "128") else b),
        6: {"8": a ^ b, "128": a ^ b, "200": a ^ b, "16": a | b, "64": a | inverted}[name],
        7: a << shift,
        8: a >> shift,
    }[op]
    return value & ((1 << bits) - 1)


def run(op: int, a: dict[str, int], b: dict[str, int], shift: int, odd: int) -> dict[str, int]:
    packet = bytes([op])
    for name, bits in WIDTHS.items():
        packet += a[name].to_bytes(bits // 8, "big") + b[name].to_bytes(bits // 8, "big")
    packet += bytes([shift, odd]) + bytes(1 + 1 + 2 + 8 + 16 + 25 + 5 + 1)
    [(port, out)] = CORE.process(0, packet, 0)
    assert port == 1
    results = out[len(packet) - 59 :]
    values = {}
    at = 0
    for name, size in (("8", 1), ("flags", 1), ("16", 2), ("64", 8), ("128", 16), ("200", 25),
                       ("slice", 5), ("odd", 1)):  # fmt: skip
        values[name] = int.from_bytes(results[at : at + size], "big")
        at += size
    return values


OPERANDS = st.fixed_dictionaries({name: edge(bits) for name, bits in WIDTHS.items()})


@settings(max_examples=400)
@given(st.integers(0, 8), OPERANDS, OPERANDS, edge(8), st.integers(0, 255))
def test_results_are_those_of_unbounded_integers_cut_to_the_width(
    op: int, a: dict[str, int], b: dict[str, int], shift: int, odd: int
) -> None:
    values = run(op, a, b, shift, odd)
    for name in WIDTHS:
        assert values[name] == expected(op, name, a[name], b[name], shift), name
    flags = [
        signed(a["16"], 16) < signed(b["16"], 16),
        a["128"] < b["128"],
        signed(a["200"], 200) < signed(b["200"], 200),
        a["64"] == b["64"],
        a["128"] == b["128"],
        a["64"] >= b["64"],
        a["200"] != b["200"],
    ]
    assert values["flags"] == sum(flag << i for i, flag in enumerate(flags))
    assert values["slice"] == (a["128"] >> 58) & ((1 << 40) - 1)
    assert values["odd"] == odd


@settings(max_examples=100)
@given(OPERANDS)
def test_casts_cut_and_extend(a: dict[str, int]) -> None:
    values = run(9, a, a, 0, 0)
    assert values["8"] == (a["128"] >> 60) & 0xFF
    assert values["16"] == -a["16"] & 0xFFFF
    assert values["64"] == a["128"] & ((1 << 64) - 1)
    assert values["128"] == a["64"]
    assert values["200"] == signed(a["16"], 16) & ((1 << 200) - 1)


def test_equal_operands_compare_as_equal() -> None:
    same = dict.fromkeys(WIDTHS, 5)
    assert run(0, same, same, 0, 0)["flags"] == 0b0111000
