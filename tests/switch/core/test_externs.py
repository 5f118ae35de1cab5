"""Counters, meters, registers, random numbers, hashes, digests, logs, asserts, profiles."""

from __future__ import annotations

import binascii
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from qplane_cext.switch.core import SwitchCore, SwitchError

from .conftest import action

Make = Callable[..., SwitchCore]
HEAD = 13  # bytes of the command
SIZE = HEAD + 25  # with the result


def run(
    core: SwitchCore, op: int, index: int = 0, value: int = 0, now_us: int = 0, pad: int = 0
) -> list[tuple[int, int, int, int]]:
    """(port, value, colour, wide) of what comes out."""
    packet = bytes([op]) + index.to_bytes(4, "big") + value.to_bytes(8, "big")
    out = []
    for port, data in core.process(2, packet + bytes(25 + pad), now_us):
        result = data[HEAD:]
        out.append(
            (port, int.from_bytes(result[:8], "big"), result[8],
             int.from_bytes(result[9:25], "big"))
        )  # fmt: skip
    return out


def test_counters_count_packets_and_bytes(switch: Make) -> None:
    core = switch("externs")
    run(core, 1, 7)
    run(core, 1, 7, pad=10)
    assert core.counter_read("MyIngress.counts", 7) == (2, 2 * SIZE + 10)
    core.counter_write("MyIngress.counts", 7, 1, 2)
    assert core.counter_read("MyIngress.counts", 7) == (1, 2)
    run(core, 1, 8)
    run(core, 1, 2**32 - 1)
    assert core.stats["counter_index_out_of_range"] == 2
    with pytest.raises(SwitchError) as error:
        core.counter_read("MyIngress.counts", 8)
    assert error.value.reason == "OUT_OF_RANGE"


def test_a_packet_meter_is_green_then_yellow_then_red(switch: Make) -> None:
    core = switch("externs")
    assert run(core, 2, 1)[0][2] == 0  # not configured: green
    core.meter_write("MyIngress.packet_meter", 1, (1000.0, 2, 2000.0, 4, 0))
    assert [run(core, 2, 1, now_us=0)[0][2] for _ in range(6)] == [0, 0, 1, 1, 2, 2]
    # After 1 ms: one committed token, two peak tokens.
    assert [run(core, 2, 1, now_us=1000)[0][2] for _ in range(3)] == [0, 1, 2]
    assert core.meter_read("MyIngress.packet_meter", 1) == (1000.0, 2, 2000.0, 4, 0)
    core.meter_write("MyIngress.packet_meter", 1, None)
    assert core.meter_read("MyIngress.packet_meter", 1) is None
    assert run(core, 2, 1)[0][2] == 0


def test_a_byte_meter_takes_the_packets_length(switch: Make) -> None:
    core = switch("externs")
    core.meter_write("MyIngress.byte_meter", 0, (1.0, SIZE, 2.0, 3 * SIZE, 0))
    assert [run(core, 3, 0)[0][2] for _ in range(4)] == [0, 1, 1, 2]
    run(core, 3, 4)
    assert core.stats["meter_index_out_of_range"] == 1


def test_a_direct_meter_colours_before_the_action_and_only_hits(switch: Make) -> None:
    core = switch("externs")
    name = "MyIngress.t_metered"
    handle = core.table_add(name, [bytes(4)], 0, action(core, name, "MyIngress.metered", 5))
    core.meter_write("MyIngress.entry_meter", handle, (1.0, 1, 1.0, 2, 0))
    assert [run(core, 13)[0][1:3] for _ in range(3)] == [(5, 0), (5, 1), (5, 2)]
    assert run(core, 13, 1)[0][1:3] == (0, 0)


def test_a_meter_counts_its_colours(switch: Make) -> None:
    core = switch("externs")
    name = "MyIngress.packet_meter"
    run(core, 2, 1)  # not configured: green, and counted too
    core.meter_write(name, 1, (1000.0, 2, 2000.0, 4, 0))
    for _ in range(6):
        run(core, 2, 1, now_us=0)
    assert core.meter_colors(name, 1) == ((3, 3 * SIZE), (2, 2 * SIZE), (2, 2 * SIZE))
    core.meter_write(name, 1, None)
    assert core.meter_colors(name, 1)[2] == (2, 2 * SIZE), "another configuration: they stay"
    core.meter_colors_write(name, 1, ((0, 0), (0, 0), (0, 0)))
    assert core.meter_colors(name, 1) == ((0, 0), (0, 0), (0, 0))
    assert core.meter_colors(name, 2) == ((0, 0), (0, 0), (0, 0))


def test_a_single_rate_meter_has_an_excess_burst(switch: Make) -> None:
    """Against RFC 2697, section 3, colour-blind, one token a step."""
    core = switch("externs")
    rate, committed_size, excess_size = 1000, 3, 5  # one token a millisecond
    core.meter_write(
        "MyIngress.packet_meter", 1, (rate, committed_size, rate, committed_size, excess_size)
    )
    committed, excess, filled, now = committed_size, excess_size, 0, 0
    rng = Random(5)
    seen = set()
    for _ in range(500):
        now += rng.choice((0, 0, 1, 1, 3, 20)) * 500
        while filled < now // 1000:
            filled += 1
            if committed < committed_size:
                committed += 1
            elif excess < excess_size:
                excess += 1
        expected = 0 if committed else 1 if excess else 2
        committed -= expected == 0
        excess -= expected == 1
        assert run(core, 2, 1, now_us=now)[0][2] == expected
        seen.add(expected)
    assert seen == {0, 1, 2}


def test_registers_keep_what_was_written(switch: Make) -> None:
    core = switch("externs")
    run(core, 4, 3, 0xFEDCBA9876543210)
    assert run(core, 5, 3)[0][1] == 0xFEDCBA9876543210
    assert core.register_read("MyIngress.words", 3) == bytes.fromhex("fedcba9876543210")
    core.register_write("MyIngress.words", 3, (7).to_bytes(8, "big"))
    assert run(core, 5, 3)[0][1] == 7
    assert core.register_read_all("MyIngress.words") == [
        (7 if i == 3 else 0).to_bytes(8, "big") for i in range(16)
    ]


def test_wide_registers_add_up(switch: Make) -> None:
    core = switch("externs")
    core.register_write("MyIngress.wides", 2, b"\xff" * 16)
    assert run(core, 6, 2, 5)[0][3] == 4
    assert core.register_read("MyIngress.wides", 2) == (4).to_bytes(16, "big")


def test_small_registers_wrap_at_their_width(switch: Make) -> None:
    core = switch("externs")
    assert [run(core, 7, 1)[0][1] for _ in range(12)] == [3 * i % 32 for i in range(1, 13)]


def test_register_indices_out_of_range_are_counted_and_harmless(switch: Make) -> None:
    core = switch("externs")
    run(core, 4, 16, 1)
    run(core, 5, 2**32 - 1)
    assert core.stats["register_index_out_of_range"] == 2
    with pytest.raises(SwitchError) as error:
        core.register_write("MyIngress.words", 16, bytes(8))
    assert error.value.reason == "OUT_OF_RANGE"
    with pytest.raises(SwitchError) as error:
        core.register_write("MyIngress.smalls", 0, b"\x20")
    assert error.value.reason == "OUT_OF_RANGE"


def test_random_is_uniform_within_its_bounds_and_seeded(switch: Make) -> None:
    def draw(seed: int, count: int) -> list[int]:
        core = switch("externs", seed=seed)
        return [run(core, 8, 10, 19)[0][1] for _ in range(count)]

    drawn = Counter(draw(1, 5000))
    assert set(drawn) == set(range(10, 20))
    # Binomial with p = 0.1: standard deviation 21; six of them.
    assert all(abs(count - 500) < 130 for count in drawn.values())
    assert draw(1, 50) == draw(1, 50) != draw(2, 50)


def test_random_with_crossed_bounds_leaves_the_target(switch: Make) -> None:
    assert run(switch("externs"), 8, 20, 10)[0][1] == 0


def test_hash_is_base_plus_crc_modulo_the_size(switch: Make) -> None:
    data = (77).to_bytes(8, "big") + (5).to_bytes(4, "big")
    assert run(switch("externs"), 9, 5, 77)[0][1] == 100 + binascii.crc32(data) % 1000


def test_hash_can_be_a_checksum(switch: Make) -> None:
    assert run(switch("externs"), 16, 0, 0x0001_0002_0003_FFFF)[0][1] == 0xFFFF ^ 6


def test_digests_come_with_their_fields_byte_aligned(switch: Make) -> None:
    core = switch("externs")
    got: list[tuple[int, bytes]] = []
    core.on_digest(lambda number, data: got.append((number, data)))
    run(core, 10, 0xDEADBEEF, now_us=0x1234)
    [info] = core.pipeline.digests
    assert info.bitwidths == (32, 9, 48)
    assert got == [
        (info.digest_id, bytes.fromhex("deadbeef") + b"\x00\x02" + (0x1234).to_bytes(6, "big"))
    ]
    assert core.stats["digests"] == 1


def test_log_messages_are_formatted_for_who_listens(switch: Make) -> None:
    core = switch("externs")
    lines: list[str] = []
    core.on_log(lines.append)
    run(core, 11, 3, 4)
    core.on_log(None)
    run(core, 11, 5, 6)
    assert lines == ["index 3 value 4"]


def test_a_failing_assert_drops_and_counts(switch: Make) -> None:
    core = switch("externs")
    assert run(core, 12, 0, 0) == []
    assert len(run(core, 12, 0, 1)) == 1
    assert core.stats["assert_failed"] == 1


def test_a_profile_shares_its_members(switch: Make) -> None:
    core = switch("externs")
    table, profile = "MyIngress.t_profile", core.pipeline.tables["MyIngress.t_profile"].profile
    _, number, params = action(core, table, "MyIngress.pick", 9)
    member = core.member_add(profile, number, params)
    for i in range(2):
        core.table_add(table, [i.to_bytes(4, "big")], 0, ("member", member))
    assert [run(core, 15, i)[0][0] for i in range(3)] == [9, 9, 1]
    core.member_modify(profile, member, number, [b"\x00\x08"])
    assert [run(core, 15, i)[0][0] for i in range(2)] == [8, 8]
    with pytest.raises(SwitchError) as error:
        core.member_delete(profile, member)
    assert error.value.reason == "FAILED_PRECONDITION"
    for handle, *_ in core.table_entries(table):
        core.table_delete(table, handle)
    core.member_delete(profile, member)
    assert core.members(profile) == {}


def test_a_selector_spreads_by_weight_and_is_stable(switch: Make) -> None:
    core = switch("externs")
    table = "MyIngress.t_selected"
    profile = core.pipeline.tables[table].profile
    _, number, _ = action(core, table, "MyIngress.pick", 0)
    members = [core.member_add(profile, number, [bytes([0, 20 + i])]) for i in range(3)]
    group = core.group_add(profile)
    core.table_add(table, [bytes([14])], 0, ("group", group))
    assert [one[0] for one in run(core, 14)] == [1]  # an empty group does nothing
    assert core.stats["empty_group"] == 1
    core.group_set(profile, group, [(members[0], 1), (members[1], 2), (members[2], 1)])
    ports = Counter(run(core, 14, value=i)[0][0] for i in range(4000))
    assert set(ports) == {20, 21, 22}
    # Expected 1000, 2000, 1000 with a standard deviation of about 30.
    assert abs(ports[21] - 2000) < 190 and abs(ports[20] - 1000) < 190
    assert run(core, 14, value=7) == run(core, 14, value=7)
    # The member is the one that crc16 of the selector's input picks, in order of handles.
    for value in (7, 8, 9):
        at = crc16(value.to_bytes(8, "big")) % 4
        assert run(core, 14, value=value)[0][0] == (20, 21, 21, 22)[at]
    core.group_set(profile, group, [(members[2], 5)])
    assert run(core, 14, value=7)[0][0] == 22


def crc16(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0xA001 if value & 1 else 0)
    return value


def test_groups_refuse_what_is_not_there(switch: Make) -> None:
    core = switch("externs")
    profile = core.pipeline.tables["MyIngress.t_selected"].profile
    group = core.group_add(profile)
    for reason, call in (
        ("NOT_FOUND", lambda: core.group_set(profile, group, [(99, 1)])),
        ("NOT_FOUND", lambda: core.group_set(profile, 99, [])),
        ("NOT_FOUND", lambda: core.group_add("nowhere")),
        ("NOT_FOUND", lambda: core.table_add(
            "MyIngress.t_selected", [b"\0"], 0, ("member", 5))),
    ):  # fmt: skip
        with pytest.raises(SwitchError) as error:
            call()
        assert error.value.reason == reason
    core.group_delete(profile, group)
    assert core.groups(profile) == {}
