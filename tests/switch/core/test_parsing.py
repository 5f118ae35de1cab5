"""Parsers: what is extracted, which way they go, which errors they raise."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qplane_cext.switch.core import SwitchCore

Make = Callable[..., SwitchCore]
REPORT = 5  # bytes of the report in front of the packet


def report(core: SwitchCore, packet: bytes) -> tuple[int, int, int, int]:
    """(error, states counted, second item, path); the packet itself must come back unchanged."""
    [(port, out)] = core.process(0, packet, 0)
    assert port == 1
    assert out[REPORT:] == packet
    return out[0], out[1], out[2], int.from_bytes(out[3:5], "big")


def test_a_short_packet_passes_unchanged_with_an_error(switch: Make) -> None:
    assert report(switch("parsing"), b"\x01") == (1, 0, 0, 0)
    assert report(switch("parsing"), b"") == (1, 0, 0, 0)


def test_verify_raises_the_programs_error(switch: Make) -> None:
    assert report(switch("parsing"), b"\x01\xff\x80")[0] == 5


def test_stack_next_and_last_loop_until_the_bit_clears(switch: Make) -> None:
    assert report(switch("parsing"), b"\x01\x00\x81\x85\x07rest") == (0, 3, 5, 2)


def test_last_index_counts_from_zero(switch: Make) -> None:
    # Four items: lastIndex is 3, which the program refuses.
    assert report(switch("parsing"), b"\x01\x00\x81\x82\x83\x04") == (6, 4, 2, 2)


def test_a_full_stack_is_out_of_bounds(switch: Make) -> None:
    error, items, second, path = report(switch("parsing"), b"\x01\x00" + b"\x80" * 6)
    assert (error, items, second, path) == (2, 4, 0, 2)


def test_a_stack_that_runs_out_of_packet_is_too_short(switch: Make) -> None:
    assert report(switch("parsing"), b"\x01\x00\x80\x81") == (1, 2, 1, 2)


@pytest.mark.parametrize("words", range(4))
def test_varbit_takes_the_length_that_lookahead_found(switch: Make, words: int) -> None:
    packet = bytes([2, 0, 0xA0 | words]) + bytes(range(4 * words)) + b"payload"
    assert report(switch("parsing"), packet) == (0, 0, 0, 3)


def test_varbit_longer_than_its_room_is_an_error(switch: Make) -> None:
    assert report(switch("parsing"), bytes([2, 0, 4]) + bytes(16))[0] == 3


def test_varbit_longer_than_the_packet_is_too_short(switch: Make) -> None:
    assert report(switch("parsing"), bytes([2, 0, 3]) + bytes(11))[0] == 1


def test_lookahead_needs_its_bytes(switch: Make) -> None:
    assert report(switch("parsing"), bytes([3, 0]) + bytes(11))[0] == 1


def test_wide_keys_match_exactly_and_masked(switch: Make) -> None:
    core = switch("parsing")
    assert report(core, bytes([3, 0]) + bytes(range(1, 13)))[3] == 40
    assert report(core, bytes([3, 0]) + b"\xff\xff" + bytes(10))[3] == 41
    assert report(core, bytes([3, 0, 0x12, 0x34]) + bytes(10))[3] == 0x1234


@pytest.mark.parametrize(
    ("kind", "magic", "path"),
    [(4, 0, 5), (7, 0xEE, 5), (8, 0, 0), (0x20, 0x10, 6), (0x2B, 0x1F, 6), (0x2C, 0x1F, 0),
     (0x2B, 0x20, 0), (0x1F, 0x10, 0), (0x25, 0x18, 6)],
)  # fmt: skip
def test_masks_and_ranges_select(switch: Make, kind: int, magic: int, path: int) -> None:
    assert report(switch("parsing"), bytes([kind, magic]))[3] == path


def test_advance_skips_and_its_bytes_are_gone_for_the_deparser(switch: Make) -> None:
    [(_, out)] = switch("parsing").process(0, b"\x09\x00\xaa\xbb\x05tail", 0)
    assert out[3:5] == b"\x00\x07"
    assert out[REPORT:] == b"\x09\x00\x05tail"


def test_a_parser_that_never_ends_is_cut_and_counted(switch: Make) -> None:
    core = switch("parsing")
    assert report(core, b"\x0a\x00")[0] == 4
    assert core.stats["parser_loops"] == 1


def test_value_sets_match_with_masks_and_are_replaced_whole(switch: Make) -> None:
    core = switch("parsing")
    assert report(core, b"\x63\x42")[3] == 0
    core.value_set_write(
        "MyParser.special",
        [[(b"\x63", b"\xff"), (b"\x40", b"\xf0")], [(b"\x64", b"\xff"), (b"\x00", b"\xff")]],
    )
    assert report(core, b"\x63\x4f")[3] == 1
    assert report(core, b"\x63\x5f")[3] == 0
    assert report(core, b"\x64\x00")[3] == 1
    core.value_set_write("MyParser.special", [])
    assert report(core, b"\x63\x4f")[3] == 0


def test_an_invalid_header_reads_what_the_packet_before_left_there(switch: Make) -> None:
    core = switch("stale")

    def seen(packet: bytes) -> int:
        [(_, out)] = core.process(0, packet, 0)
        return out[0]

    assert seen(b"\x00") == 0  # nothing was there yet
    assert seen(b"\x01\x2a") == 0x2A
    assert seen(b"\x00") == 0x2A
    # pop_front exchanges elements: the one that becomes invalid holds what was in front.
    assert seen(b"\x02\x11\x22") == 0x11
    assert seen(b"\x00") == 0x11
