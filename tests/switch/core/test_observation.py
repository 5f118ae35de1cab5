"""Traces, bursts, reconciling pushes, and holding packets out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qplane_cext.switch.core import Pipeline, SwitchCore, SwitchError, TraceEvent

from .conftest import PROGRAMS, action, pipeline

Make = Callable[..., SwitchCore]


def test_a_trace_tells_states_tables_actions_and_drops_with_their_lines(switch: Make) -> None:
    core = switch("tables")
    name = "MyIngress.t_exact"
    handle = core.table_add(
        name, [bytes(4), b"\0"], 0, action(core, name, "MyIngress.set_value", 1)
    )
    traces: list[list[TraceEvent]] = []
    core.on_trace(traces.append)
    core.process(4, bytes(28), 0)
    core.on_trace(None)
    core.process(4, bytes(28), 0)
    [events] = traces
    steps = [(e.kind, e.name, e.value) for e in events if e.kind != "primitive"]
    assert steps[0] == ("ingress", "", 4)
    assert ("state", "start", 0) in steps
    assert ("hit", name, handle) in steps
    assert steps[-2:] == [("egress", "", 1), ("emit", "", 1)]
    hit = next(e for e in events if e.kind == "hit")
    source = (PROGRAMS / "tables.p4").read_text().splitlines()
    line = next(i for i, text in enumerate(source, 1) if "table t_exact" in text)
    assert hit.source.startswith(f"tables.p4 line {line}: t_exact")
    assert any(e.kind == "condition" and e.value for e in events)


@pytest.mark.parametrize("program", ["keys", "tables", "router"])
def test_a_trace_shows_the_key_that_was_looked_up(switch: Make, program: str) -> None:
    core = switch(program)
    events: list[TraceEvent] = []
    core.on_trace(events.extend)
    data = bytes(range(1, 61))
    core.process(4, data, 0)
    tables = {event.name: event.key for event in events if event.kind in ("hit", "miss")}
    assert tables
    for name, key in tables.items():
        assert [(one, bits) for one, bits, _ in key] == [
            (info.name, info.bitwidth) for info in core.pipeline.tables[name].keys
        ]
        assert all(value < 1 << bits for _, bits, value in key)


def test_the_key_of_a_trace_is_the_packets(switch: Make) -> None:
    core = switch("tables")
    name = "MyIngress.t_exact"
    events: list[TraceEvent] = []
    core.on_trace(events.extend)
    core.process(4, bytes(28), 0)
    core.process(4, bytes([0, 1, 2, 3, 4, 5, 6, 7]) + bytes(20), 0)
    zero, other = (event for event in events if event.name == name and event.key)
    assert (zero.kind, [value for _, _, value in zero.key]) == ("miss", [0, 0])
    # A miss, then a hit on the very key that the trace shows.
    key = [value.to_bytes((bits + 7) // 8, "big") for _, bits, value in other.key]
    handle = core.table_add(name, key, 0, action(core, name, "MyIngress.set_value", 1))
    del events[:]
    core.process(4, bytes([0, 1, 2, 3, 4, 5, 6, 7]) + bytes(20), 0)
    [hit] = [event for event in events if event.name == name and event.key]
    assert (hit.kind, hit.value, hit.key) == ("hit", handle, other.key)


def test_a_drop_names_the_line_that_marked_it(switch: Make) -> None:
    core = switch("replication")
    traces: list[list[TraceEvent]] = []
    core.on_trace(traces.append)
    core.process(0, bytes([4, 0, 0, 0]), 0)
    drop = traces[0][-1]
    assert drop.kind == "drop"
    source = (PROGRAMS / "replication.p4").read_text().splitlines()
    line = next(i for i, text in enumerate(source, 1) if "h.c.op == 4" in text)
    assert f"replication.p4 line {line}" in drop.source


def test_tracing_changes_no_packet(switch: Make) -> None:
    plain, traced = switch("stacks"), switch("stacks")
    events: list[TraceEvent] = []
    traced.on_trace(events.extend)
    for op in range(12):
        data = bytes([op, 1, 3, 1, 0, 5, 1, 0, 6, 2, 9, 3, 1, 2, 3])
        assert plain.process(0, data, 0) == traced.process(0, data, 0)
    assert events


def test_a_burst_gives_what_single_packets_give(switch: Make) -> None:
    core, single = switch("replication"), switch("replication")
    for one in (core, single):
        one.multicast_set(7, [(4, 10), (5, 20)])
    packets = [bytes([op, 0, 7, 0]) + b"x" * op for op in (0, 3, 4, 2, 10, 3)]
    lengths = np.array([len(p) for p in packets], np.uint32)
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    data = np.frombuffer(b"".join(packets), np.uint8)
    ports, at, size, sources, out = core.process_batch(
        np.zeros(len(packets), np.uint32), offsets, lengths, data, 0
    )
    got = [
        (int(s), int(p), out[a : a + n].tobytes())
        for p, a, n, s in zip(ports, at, size, sources, strict=True)
    ]
    assert got == [
        (i, port, data) for i, p in enumerate(packets) for port, data in single.process(0, p, 0)
    ]


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, 5), (4, 1), (2**63 - 1, 4)])
def test_a_burst_must_lie_within_its_data(switch: Make, offset: int, length: int) -> None:
    with pytest.raises(ValueError, match="within"):
        switch("replication").process_batch(
            np.zeros(1, np.uint32), np.array([offset], np.int64), np.array([length], np.uint32),
            np.zeros(4, np.uint8),
        )  # fmt: skip


def renamed(name: str, old: str, new: str) -> Pipeline:
    return Pipeline(Path(PROGRAMS / f"{name}.json").read_text().replace(old, new).encode())


def test_reconciling_keeps_entries_and_arrays_of_what_stayed(switch: Make) -> None:
    core = switch("externs")
    table = "MyIngress.t_profile"
    profile = core.pipeline.tables[table].profile
    _, number, params = action(core, table, "MyIngress.pick", 9)
    member = core.member_add(profile, number, params)
    core.table_add(table, [bytes(4)], 0, ("member", member))
    core.register_write("MyIngress.words", 3, bytes(7) + b"\x07")
    # Same program but for the name of one register array.
    core.commit(renamed("externs", "MyIngress.smalls", "MyIngress.tiny"), keep_state=True)
    assert core.register_read("MyIngress.words", 3) == bytes(7) + b"\x07"
    assert "MyIngress.tiny" in core.pipeline.registers
    [(_, key, _, target, _)] = core.table_entries(table)
    assert (key, target) == ((bytes(4),), ("member", member))
    assert core.process(0, bytes([15]) + bytes(37), 0)[0][0] == 9
    with pytest.raises(SwitchError):
        core.member_delete(profile, member)
    core.commit(core.pipeline)
    assert core.table_entries(table) == []


def test_reconciling_refuses_a_table_whose_action_is_gone(switch: Make) -> None:
    core = switch("tables")
    name = "MyIngress.t_lpm"
    core.table_add(name, [(bytes(4), 8)], 0, action(core, name, "MyIngress.set_value", 1))
    with pytest.raises(SwitchError) as error:
        core.commit(
            renamed("tables", "MyIngress.set_value", "MyIngress.other_value"), keep_state=True
        )
    assert error.value.reason == "INVALID_ARGUMENT"
    assert len(core.table_entries(name)) == 1


def test_initial_entries_can_be_changed(switch: Make) -> None:
    core = SwitchCore()
    name = "MyIngress.t_const"
    core.commit(pipeline("tables"), initial=[name])
    entries = core.table_entries(name)
    assert len(entries) == 3 and not any(const for *_, const in entries)
    core.table_delete(name, entries[0][0])
    core.table_add(name, [(bytes(4), bytes(4))], 1, action(core, name, "MyIngress.set_value", 9))
    [(_, out)] = core.process(0, bytes([6]) + bytes(27), 0)
    assert out[-4:-2] == b"\x00\x09"


def test_no_packet_sees_half_of_what_is_done_while_holding(switch: Make) -> None:
    core = switch("tables")
    exact = "MyIngress.t_exact"
    target = [action(core, exact, "MyIngress.set_value", i) for i in range(2)]
    handles = [core.table_add(exact, [bytes(4), bytes([c])], 0, target[0]) for c in range(2)]
    stop, seen = threading.Event(), set()

    def look() -> None:
        packets = [bytes(7) + bytes([c]) + bytes(20) for c in range(2)]
        data = np.frombuffer(b"".join(packets), np.uint8)
        lengths, offsets = np.full(2, 28, np.uint32), np.array([0, 28], np.int64)
        while not stop.is_set():
            with core.hold():
                _, at, _, _, out = core.process_batch(
                    np.zeros(2, np.uint32), offsets, lengths, data, 0
                )
            seen.add(tuple(out[a + 24 : a + 26].tobytes() for a in at))

    thread = threading.Thread(target=look)
    thread.start()
    for i in range(300):
        with core.hold():
            for handle in handles:
                core.table_modify(exact, handle, target[i % 2])
    stop.set()
    thread.join()
    assert seen <= {(b"\0\0", b"\0\0"), (b"\0\1", b"\0\1")}


def test_packets_and_writes_from_many_threads(switch: Make) -> None:
    core = switch("tables")
    name = "MyIngress.t_ternary"
    target = action(core, name, "MyIngress.set_value", 1)
    failures: list[Exception] = []

    def write(base: int) -> None:
        try:
            for i in range(400):
                key = [(i.to_bytes(4, "big"), b"\xff" * 4), (bytes(2), bytes(2)), bytes([base])]
                handle = core.table_add(name, key, 1 + i % 7, target)
                if i % 3:
                    core.table_delete(name, handle)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(base,)) for base in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert len(core.process(0, bytes([3]) + bytes(27), 0)) == 1
    assert not failures
    assert len(core.table_entries(name)) == 3 * 134
