"""Header stacks and unions at run time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qplane_cext.switch.core import SwitchCore

Make = Callable[..., SwitchCore]


def label(value: int) -> bytes:
    return b"\x01" + value.to_bytes(2, "big")


def run(core: SwitchCore, op: int, arg: int, body: bytes, n: int = 0) -> bytes:
    [(_, out)] = core.process(0, bytes([op, arg, n]) + body, 0)
    return out


@pytest.mark.parametrize(
    ("op", "before", "after"),
    [
        (1, [5], [9, 5]),
        (1, [5, 6, 7], [9, 5, 6]),
        (2, [5, 6, 7], [6, 7]),
        (2, [5], []),
        (7, [5, 6, 7], [7]),
        (8, [5, 6, 7], [5]),
        (6, [5, 6], [6, 6]),
        (6, [5], []),
    ],
)
def test_push_pop_and_copy_move_elements(
    switch: Make, op: int, before: list[int], after: list[int]
) -> None:
    out = run(switch("stacks"), op, 9, b"".join(map(label, before)))
    assert out[3:] == b"".join(map(label, after))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_an_index_from_the_packet_writes_that_element(switch: Make, index: int) -> None:
    values = [1, 2, 3]
    out = run(switch("stacks"), 3, index, b"".join(map(label, values)))
    values[index] = 0xABCD
    assert out[3:] == b"".join(map(label, values))


def test_an_index_out_of_range_is_counted_and_harmless(switch: Make) -> None:
    core = switch("stacks")
    body = label(1) + label(2)
    assert run(core, 3, 200, body)[3:] == body
    assert core.stats["stack_index_out_of_range"] == 1
    # Reading there gives zero.
    assert run(core, 4, 77, body)[:4] == b"\0\0\0\0"


def test_elements_given_as_values_become_valid_headers(switch: Make) -> None:
    packet = b"\x07" + (0xFFFFFFFFFFFFFFFFFE).to_bytes(9, "big") + b"rest"
    [(_, out)] = switch("header_values").process(0, packet, 0)
    assert out == bytes([0x11, *bytes(8), 0x22, 0x08, *b"\xff" * 9]) + b"rest"


def test_unions_hold_one_member_at_a_time(switch: Make) -> None:
    core = switch("stacks")
    short, long = b"\x02\x77", b"\x03\x0a\x0b\x0c"
    assert run(core, 4, 0, short + long)[:2] == b"\x01\x01"
    assert run(core, 4, 0, long + short)[:2] == b"\x01\x00"
    assert run(core, 4, 0, b"")[:2] == b"\x00\x00"
    # Making the long member valid makes the short one invalid.
    assert run(core, 5, 0, short)[3:] == b"\x03\x01\x02\x03"
    assert run(core, 10, 0, short + long)[3:] == long


def test_a_full_union_stack_ends_the_parser(switch: Make) -> None:
    core = switch("stacks")
    body = b"\x02\x01" * 3
    assert run(core, 0, 0, body)[3:] == body
    assert core.stats["parser_errors"] == 1


def test_headers_compare_by_all_their_fields(switch: Make) -> None:
    core = switch("stacks")
    assert run(core, 9, 0, label(5) + label(5))[1] == 1
    assert run(core, 9, 0, label(5) + label(6))[1] == 2
    assert run(core, 9, 0, label(5))[1] == 2  # one of them is invalid


@pytest.mark.parametrize("n", [0, 1, 5, 255])
def test_loops_in_actions_run(switch: Make, n: int) -> None:
    out = run(switch("stacks"), 11, 3, b"", n=n)
    assert out[1] == (3 + sum(range(n))) & 0xFF
