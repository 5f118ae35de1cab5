"""Table lookups against a naive reference, and what the control calls refuse."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from qplane_cext.switch.core import SwitchCore, SwitchError

from .conftest import action

Make = Callable[..., SwitchCore]
MISS = 0xFFFF
NAMES = ("t_exact", "t_lpm", "t_lpm_exact", "t_ternary", "t_range", "t_optional", "t_const")
BITS = {"a": 32, "b": 16, "c": 8, "w": 128}
KEYS = {
    "t_exact": (("a", "exact"), ("c", "exact")),
    "t_lpm": (("a", "lpm"),),
    "t_lpm_exact": (("b", "exact"), ("w", "lpm")),
    "t_ternary": (("a", "ternary"), ("b", "ternary"), ("c", "exact")),
    "t_range": (("b", "range"), ("a", "ternary")),
    "t_optional": (("a", "ternary"), ("w", "ternary")),
}


def look_up(core: SwitchCore, table: str, **fields: int) -> tuple[int, int, int]:
    """(value, hit, action run) of applying a table to these key fields."""
    packet = bytes([NAMES.index(table)])
    for name, bits in BITS.items():
        packet += fields.get(name, 0).to_bytes(bits // 8, "big")
    [(_, out)] = core.process(0, packet + bytes(4), 0)
    return int.from_bytes(out[-4:-2], "big"), out[-2], out[-1]


def draw_part(random: Random, kind: str, bits: int) -> tuple[int, int]:
    """A key component as two numbers: value and mask, prefix length or end of the range."""
    value = random.choice((random.getrandbits(bits), random.getrandbits(3), 0x0A000000 >> 8))
    value &= (1 << bits) - 1
    if kind == "exact":
        return random.getrandbits(2), 0
    if kind == "lpm":
        length = random.choice((0, bits, random.randint(0, bits)))
        return value >> (bits - length) << (bits - length), length
    if kind == "ternary":
        mask = random.choice((0, (1 << bits) - 1, 0xFF, random.getrandbits(bits)))
        return value & mask, mask
    low = random.getrandbits(bits)
    return low, min((1 << bits) - 1, low + random.choice((0, 1, 100, 1 << (bits - 1))))


def matches(kind: str, bits: int, part: tuple[int, int], value: int) -> bool:
    first, second = part
    if kind == "exact":
        return value == first
    if kind == "lpm":
        return value >> (bits - second) == first >> (bits - second)
    if kind == "ternary":
        return value & second == first
    return first <= value <= second


def as_bytes(kind: str, bits: int, part: tuple[int, int]) -> object:
    size = bits // 8
    first = part[0].to_bytes(size, "big")
    if kind == "exact":
        return first
    return (first, part[1] if kind == "lpm" else part[1].to_bytes(size, "big"))


@pytest.mark.parametrize("table", sorted(KEYS))
def test_lookups_find_what_a_linear_search_finds(switch: Make, table: str) -> None:
    core, random = switch("tables"), Random(table)
    name, keys = f"MyIngress.{table}", KEYS[table]
    most = 16 if table == "t_optional" else 300
    entries: dict[int, tuple[tuple[tuple[int, int], ...], int, int]] = {}
    lpm = [i for i, (_, kind) in enumerate(keys) if kind == "lpm"]
    for step in range(1200):
        if entries and (len(entries) >= most or random.random() < 0.4):
            handle = random.choice(list(entries))
            core.table_delete(name, handle)
            del entries[handle]
        parts = tuple(draw_part(random, kind, BITS[field]) for field, kind in keys)
        priority = random.randint(1, 20) if table in ("t_ternary", "t_range", "t_optional") else 0
        key = [as_bytes(kind, BITS[f], part) for (f, kind), part in zip(keys, parts, strict=True)]
        target = action(core, name, "MyIngress.set_value", step)
        known = [h for h, (p, r, _) in entries.items() if (p, r) == (parts, priority)]
        if known:
            with pytest.raises(SwitchError) as error:
                core.table_add(name, key, priority, target)
            assert error.value.reason == "ALREADY_EXISTS"
            continue
        handle = core.table_add(name, key, priority, target)
        assert handle == min(set(range(len(entries) + 1)) - set(entries))
        entries[handle] = (parts, priority, step)
        chosen = random.choice(list(entries.values()))[0]
        fields = {
            f: part[0] if random.random() < 0.8 else random.getrandbits(BITS[f])
            for (f, _), part in zip(keys, chosen, strict=True)
        }
        best = [
            (p[lpm[0]][1] if lpm and not priority else priority, -h, value)
            for h, (p, priority, value) in entries.items()
            if all(
                matches(kind, BITS[f], part, fields[f])
                for (f, kind), part in zip(keys, p, strict=True)
            )
        ]
        assert look_up(core, table, **fields)[0] == (max(best)[2] if best else MISS)
    assert len(core.table_entries(name)) == len(entries)


def test_equal_priorities_go_to_the_lower_handle(switch: Make) -> None:
    core = switch("tables")
    name = "MyIngress.t_ternary"
    wide = (bytes(4), bytes(4))
    first = core.table_add(
        name, [wide, (b"\0\1", b"\0\1"), b"\0"], 5, action(core, name, "MyIngress.set_value", 1)
    )
    core.table_add(
        name, [wide, (b"\0\2", b"\0\2"), b"\0"], 5, action(core, name, "MyIngress.set_value", 2)
    )
    assert look_up(core, "t_ternary", b=3)[0] == 1
    core.table_delete(name, first)
    assert look_up(core, "t_ternary", b=3)[0] == 2
    again = core.table_add(
        name, [wide, (b"\0\1", b"\0\1"), b"\0"], 5, action(core, name, "MyIngress.set_value", 3)
    )
    assert again == first
    assert look_up(core, "t_ternary", b=3)[0] == 3


def test_const_entries_match_in_their_order_and_stay(switch: Make) -> None:
    core = switch("tables")
    name = "MyIngress.t_const"
    assert look_up(core, "t_const", a=0x101)[0] == 1
    assert look_up(core, "t_const", a=0x2FF)[0] == 3
    assert look_up(core, "t_const", a=0x3FF)[0] == MISS
    entries = core.table_entries(name)
    assert [const for *_, const in entries] == [True] * 3
    for call in (
        lambda: core.table_delete(name, entries[0][0]),
        lambda: core.table_modify(name, entries[0][0], entries[1][3]),
        lambda: core.table_add(name, [(bytes(4), bytes(4))], 1, entries[0][3]),
        lambda: core.table_set_default(name, action(core, name, "MyIngress.set_value", 1)),
    ):
        with pytest.raises(SwitchError) as error:
            call()
        assert error.value.reason == "PERMISSION_DENIED"


def test_hit_miss_and_action_run_decide_what_follows(switch: Make) -> None:
    core = switch("tables")
    exact, both = "MyIngress.t_exact", "MyIngress.t_lpm_exact"
    core.table_add(exact, [bytes(3) + b"\1", b"\2"], 0, action(core, exact, "MyIngress.missed"))
    assert look_up(core, "t_exact", a=1, c=2) == (MISS, 1, 0)
    assert look_up(core, "t_exact", a=1, c=3) == (MISS, 0, 0)
    core.table_add(
        both, [b"\0\1", (bytes(16), 0)], 0,
        action(core, both, "MyIngress.set_wide", (1 << 128) - 2, 7),
    )  # fmt: skip
    core.table_add(both, [b"\0\2", (bytes(16), 0)], 0, action(core, both, "MyIngress.set_value", 8))
    assert look_up(core, "t_lpm_exact", b=1) == (7, 0, 2)
    assert look_up(core, "t_lpm_exact", b=2) == (8, 0, 1)
    assert look_up(core, "t_lpm_exact", b=3) == (MISS, 0, 3)


def test_wide_parameters_arrive_whole(switch: Make) -> None:
    core = switch("tables")
    both, wide = "MyIngress.t_lpm_exact", 0x0123456789ABCDEF_FEDCBA9876543210
    core.table_set_default(both, action(core, both, "MyIngress.set_wide", wide, 1))
    [(_, out)] = core.process(0, bytes([2]) + bytes(27), 0)
    assert int.from_bytes(out[8:24], "big") == wide
    core.table_set_default(both, None)
    assert look_up(core, "t_lpm_exact")[0] == MISS


def test_direct_counters_count_hits_and_misses(switch: Make) -> None:
    core = switch("tables")
    name = "MyIngress.t_exact"
    handle = core.table_add(
        name, [bytes(4), b"\0"], 0, action(core, name, "MyIngress.set_value", 1)
    )
    for c in (0, 0, 1):
        look_up(core, "t_exact", c=c)
    assert core.counter_read("MyIngress.hits", handle) == (2, 56)
    assert core.counter_read("MyIngress.hits", -1) == (1, 28)
    core.counter_write("MyIngress.hits", handle, 10, 1000)
    look_up(core, "t_exact")
    assert core.counter_read("MyIngress.hits", handle) == (11, 1028)


def test_idle_entries_are_those_not_hit_for_their_timeout(switch: Make) -> None:
    core = switch("tables")
    name = "MyIngress.t_ternary"
    handle = core.table_add(
        name, [(bytes(4), bytes(4)), (bytes(2), bytes(2)), b"\0"], 1,
        action(core, name, "MyIngress.set_value", 1),
    )  # fmt: skip
    core.table_set_timeout(name, handle, 2_000_000)
    packet = bytes([3]) + bytes(27)
    core.process(0, packet, 1000)
    assert core.idle_entries(name, 2999) == []
    assert core.idle_entries(name, 3000) == [handle]
    assert core.table_idle_ns(name, handle, 1500) == 500_000
    core.process(0, packet, 3000)
    assert core.idle_entries(name, 4999) == []


@pytest.mark.parametrize(
    ("reason", "call"),
    [
        ("NOT_FOUND", lambda c, t: c.table_add("nowhere", [], 0, t)),
        ("NOT_FOUND", lambda c, _: c.table_delete("MyIngress.t_lpm", 0)),
        ("INVALID_ARGUMENT", lambda c, t: c.table_add("MyIngress.t_lpm", [], 0, t)),
        ("INVALID_ARGUMENT", lambda c, t: c.table_add("MyIngress.t_lpm", [(bytes(4), 33)], 0, t)),
        ("OUT_OF_RANGE", lambda c, t: c.table_add("MyIngress.t_lpm", [(bytes(5), 8)], 0, t)),
        ("INVALID_ARGUMENT",
         lambda c, t: c.table_add("MyIngress.t_lpm", [(bytes(4), 8)], 0, ("member", 0))),
        ("INVALID_ARGUMENT",
         lambda c, t: c.table_add("MyIngress.t_lpm", [(bytes(4), 8)], 0, (*t[:2], ()))),
        ("INVALID_ARGUMENT",
         lambda c, t: c.table_add("MyIngress.t_lpm", [(bytes(4), 8)], 0, ("action", 999, ()))),
        ("INVALID_ARGUMENT",
         lambda c, t: c.table_add(
             "MyIngress.t_range", [(b"\0\2", b"\0\1"), (bytes(4), bytes(4))], 1, t)),
    ],
)  # fmt: skip
def test_bad_control_calls_change_nothing(switch: Make, reason: str, call: Callable) -> None:
    core = switch("tables")
    with pytest.raises(SwitchError) as error:
        call(core, action(core, "MyIngress.t_lpm", "MyIngress.set_value", 1))
    assert error.value.reason == reason
    assert core.table_entries("MyIngress.t_lpm") == []


def test_a_full_table_is_exhausted_until_an_entry_goes(switch: Make) -> None:
    core = switch("tables")
    name = "MyIngress.t_optional"
    wide = (bytes(16), bytes(16))

    def add(i: int) -> int:
        return core.table_add(
            name, [(i.to_bytes(4, "big"), b"\xff" * 4), wide], 1,
            action(core, name, "MyIngress.missed"),
        )  # fmt: skip

    handles = [add(i) for i in range(16)]
    with pytest.raises(SwitchError) as error:
        add(16)
    assert error.value.reason == "RESOURCE_EXHAUSTED"
    core.table_delete(name, handles[3])
    assert add(16) == handles[3]
