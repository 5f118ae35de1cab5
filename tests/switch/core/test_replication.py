"""Clones, resubmit, recirculate, multicast, truncation and drops, in BMv2's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from qplane_cext.switch.core import SwitchCore, SwitchError

Make = Callable[..., SwitchCore]


class Out(NamedTuple):
    """A packet that came out, its trail taken apart."""

    port: int
    op: int
    count: int
    instance: int
    egress_port: int
    rid: int
    length: int
    kept: int
    lost: int
    payload: bytes


def run(core: SwitchCore, op: int, arg: int = 0, payload: bytes = b"data") -> list[Out]:
    out = []
    for port, data in core.process(3, bytes([op]) + arg.to_bytes(2, "big") + b"\0" + payload, 0):
        trail = data[4:]
        numbers = [int.from_bytes(trail[a:b], "big") for a, b in
                   ((0, 1), (1, 3), (3, 5), (5, 9), (9, 10), (10, 11))]  # fmt: skip
        out.append(Out(port, data[0], data[3], *numbers, trail[11:]))
    return out


def test_a_plain_packet_goes_through_once(switch: Make) -> None:
    assert run(switch("replication"), 0) == [Out(1, 0, 0, 0, 1, 0, 8, 7, 9, b"data")]


def test_ingress_clone_is_the_packet_as_it_came_with_the_listed_fields(switch: Make) -> None:
    core = switch("replication")
    core.clone_session_set(5, [(8, 2), (9, 0)])
    assert run(core, 1, 5) == [
        Out(8, 1, 0, 1, 8, 2, 8, 7, 0, b"data"),
        Out(9, 1, 0, 1, 9, 0, 8, 7, 0, b"data"),
        Out(1, 1, 0, 0, 1, 0, 8, 7, 9, b"data"),
    ]
    assert core.stats["cloned"] == 1


def test_an_unknown_clone_session_clones_nothing(switch: Make) -> None:
    core = switch("replication")
    assert [one.port for one in run(core, 1, 6)] == [1]
    assert core.stats["unknown_clone_session"] == 1
    core.clone_session_set(6, [(2, 0)])
    core.clone_session_delete(6)
    assert [one.port for one in run(core, 1, 6)] == [1]
    with pytest.raises(SwitchError) as error:
        core.clone_session_delete(6)
    assert error.value.reason == "NOT_FOUND"


def test_clones_of_a_dropped_packet_still_go(switch: Make) -> None:
    core = switch("replication")
    core.clone_session_set(0, [(8, 0)])
    assert run(core, 8, 0) == [Out(8, 8, 0, 1, 8, 0, 8, 0, 0, b"data")]
    assert core.stats["dropped"] == 1


def test_a_clone_session_truncates_its_copies(switch: Make) -> None:
    core = switch("replication")
    core.clone_session_set(5, [(8, 0)], packet_length_bytes=6)
    sizes = {port: len(data) for port, data in core.process(3, bytes([1, 0, 5, 0, 1, 2, 3]), 0)}
    assert sizes == {8: 6, 1: 18}


def test_egress_clone_shows_the_headers_as_they_were_left(switch: Make) -> None:
    core = switch("replication")
    core.clone_session_set(5, [(8, 1)])
    assert run(core, 11, 5) == [
        Out(1, 11, 99, 0, 1, 0, 8, 7, 9, b"data"),
        # The first pass had added the trail (11 bytes) before its copy went to egress.
        Out(8, 11, 99, 2, 8, 1, 19, 7, 0, b"data"),
    ]


def test_egress_clones_of_egress_clones_are_cut(switch: Make) -> None:
    core = switch("replication")
    core.clone_session_set(5, [(8, 0)])
    out = run(core, 14, 5)
    assert core.stats["passes_cut"] == 1
    assert len(out) == 1 + 1024


def test_resubmit_starts_over_with_the_original_packet(switch: Make) -> None:
    # The header's change is lost, the listed field is kept, the other is not.
    assert run(switch("replication"), 2) == [Out(1, 2, 0, 0, 1, 0, 8, 7, 0, b"data")]


def test_recirculate_goes_on_with_the_deparsed_packet(switch: Make) -> None:
    [out] = run(switch("replication"), 10)
    # Each of three rounds put a trail of 11 bytes in front of the payload.
    assert (out.count, out.instance, out.kept, out.lost) == (3, 0, 7, 0)
    assert out.length == 4 + 3 * 11 + 4
    assert out.payload.endswith(b"data") and len(out.payload) == 3 * 11 + 4


def test_endless_recirculation_is_cut_and_counted(switch: Make) -> None:
    core = switch("replication")
    assert run(core, 12) == []
    assert core.stats["passes_cut"] == 1
    assert core.stats["recirculated"] == 1025
    assert [one.port for one in run(core, 0)] == [1]


def test_multicast_makes_one_copy_per_replica(switch: Make) -> None:
    core = switch("replication")
    core.multicast_set(7, [(4, 10), (5, 20), (4, 30)])
    assert run(core, 3, 7) == [
        Out(4, 3, 0, 5, 4, 10, 8, 7, 9, b"data"),
        Out(5, 3, 0, 5, 5, 20, 8, 7, 9, b"data"),
        Out(4, 3, 0, 5, 4, 30, 8, 7, 9, b"data"),
    ]
    core.multicast_set(7, [])
    assert run(core, 3, 7) == []
    assert core.stats["unknown_multicast_group"] == 1


def test_mark_to_drop_takes_back_a_multicast(switch: Make) -> None:
    core = switch("replication")
    core.multicast_set(7, [(4, 1)])
    assert run(core, 5, 7) == []
    assert core.stats["dropped_ingress"] == 1


@pytest.mark.parametrize(("op", "stat"), [(4, "dropped_ingress"), (13, "dropped_egress")])
def test_drops_are_counted_where_they_happen(switch: Make, op: int, stat: str) -> None:
    core = switch("replication")
    assert run(core, op) == []
    assert core.stats[stat] == core.stats["dropped"] == 1


def test_exit_leaves_the_rest_of_ingress_out(switch: Make) -> None:
    assert [one.port for one in run(switch("replication"), 6)] == [1]


def test_truncate_cuts_what_goes_out(switch: Make) -> None:
    [(_, data)] = switch("replication").process(0, bytes([7, 0, 6, 0]) + b"data", 0)
    assert data == bytes([7, 0, 6, 0, 0, 0])


def test_a_priority_beyond_the_queues_drops(switch: Make) -> None:
    assert run(switch("replication"), 9, 2) == []
    assert len(run(switch("replication", priority_queues=3), 9, 2)) == 1


def test_another_drop_port_drops(switch: Make) -> None:
    core = switch("replication", drop_port=300)
    assert run(core, 4) == [] and run(core, 13) == []
    assert core.stats["dropped"] == 2


@pytest.mark.parametrize("group", [0, 65536, -1])
def test_multicast_groups_out_of_range_are_refused(switch: Make, group: int) -> None:
    with pytest.raises(SwitchError) as error:
        switch("replication").multicast_set(group, [(1, 1)])
    assert error.value.reason == "OUT_OF_RANGE"
