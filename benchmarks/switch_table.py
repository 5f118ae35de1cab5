"""The embedded switch against its goals: one table, with BMv2's column when its binary is given.

    .venv/bin/python benchmarks/switch_table.py [--bmv2 PATH] [--rounds 3]

Prints what | ours | BMv2 | ratio | goal and stores all figures in benchmarks/switch.json. The rows
in process are packets per CPU second of one core, the best of several runs; BMv2 has no such thing
and is measured over its fastest port, veth for the router (as root) and else pcap files. Rows whose
BMv2 figure is not there have no ratio. Goals without a ratio are absolute.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import queue
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import grpc
import p4runtime
import switch_core
import switch_ports
from finsy.proto import p4i, p4r, p4r_grpc
from google.protobuf import text_format
from rich.console import Console
from rich.table import Table

from qplane.switch import Switch
from qplane.wire import (
    BellIndex,
    CircuitFrame,
    ExpireReason,
    PairBody,
    QciFlag,
    QciMessage,
    QciType,
)

ROOT = Path(__file__).parent.parent
ROUTER = ROOT / "tests" / "switch" / "programs" / "router"
QNODE = ROOT / "p4src" / "build" / "qnode"
STORE = Path(__file__).parent / "switch.json"
WAIT_S = 5  # that BMv2 waits before it reads a file, for its entries to be written
TERNARY_WAIT_S = 60  # it looks at all entries for each that it adds
BATCH = 1000
MARK = 500
MARKER = b"\x02\0\0\0\0\x77"
ENTRIES, MASKS = 100_000, 100

Packet = tuple[int, bytes]


class Load:
    """A program, its entries, and packets for it."""

    def __init__(self, stem: Path, entries: list[p4r.Update], packets: list[Packet]) -> None:
        self.json = stem.with_suffix(".json")
        self.p4info = p4i.P4Info()
        text_format.Parse(stem.with_suffix(".p4info.txtpb").read_text(), self.p4info)
        self.entries, self.packets = entries, packets

    def in_process(self) -> float:
        """Packets per CPU second through our pipeline."""
        switch = Switch(self.json, self.p4info)
        for update in self.entries:
            switch.write(update.type, update.entity)
        burst = switch_core.burst([data for _, data in self.packets])
        burst[0][:] = [port for port, _ in self.packets]
        return switch_core.best(lambda: switch.core.process_batch(*burst, 0), len(self.packets))

    def configure(self, address: str) -> None:
        """Push the program and write the entries."""
        channel = grpc.insecure_channel(address, options=p4runtime.OPTIONS)
        stub = p4r_grpc.P4RuntimeStub(channel)
        hello = p4r.StreamMessageRequest()
        hello.arbitration.election_id.low = 1
        requests: queue.Queue[p4r.StreamMessageRequest | None] = queue.Queue()
        requests.put(hello)
        stream = stub.StreamChannel(iter(requests.get, None), wait_for_ready=True)
        next(stream)
        push = p4r.SetForwardingPipelineConfigRequest(
            action=p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT
        )
        push.election_id.low = 1
        push.config.p4info.CopyFrom(self.p4info)
        push.config.p4_device_config = self.json.read_bytes()
        stub.SetForwardingPipelineConfig(push)
        for first in range(0, len(self.entries), BATCH):
            write = p4r.WriteRequest(updates=self.entries[first : first + BATCH])
            write.election_id.low = 1
            stub.Write(write)
        requests.put(None)
        channel.close()

    def over_files(self, binary: str, wait_s: int) -> float:
        """Packets per second of a switch process from pcap files to pcap files; 0 when nothing
        came out. It reads them after `wait_s`, in which its entries must be written."""
        ports = range(8)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for port in ports:
                mine = [data for at, data in self.packets if at == port]
                switch_ports.write_capture(folder / f"p{port}_in.pcap", mine)
            interfaces = [word for port in ports for word in ("-i", f"{port}@p{port}")]
            arguments = [*interfaces, "--use-files", str(wait_s)]
            process = switch_ports.Process(binary, arguments, folder, self.configure)
            with process:
                return self._watch([folder / f"p{port}_out.pcap" for port in ports], wait_s)

    def _watch(self, outputs: Sequence[Path], wait_s: int) -> float:
        begun = last = time.perf_counter()
        size = 0
        started = False
        while time.perf_counter() - last < (2 if started else wait_s + 10):
            now = sum(path.stat().st_size for path in outputs if path.exists())
            if now > size:
                if not started and now > 24 * len(outputs):
                    started, begun = True, time.perf_counter()
                size, last = now, time.perf_counter()
            time.sleep(0.002)
        return len(self.packets) / (last - begun) if started else 0.0


def track(count: int) -> Load:
    """qnode.p4 as a repeater, and TRACK messages from both sides of a circuit, each of a new pair.

    The pipeline keeps them for the join with a swap, so nothing leaves: every MARK-th packet is a
    classical frame that does, which shows how far a switch process has come.
    """
    sys.path.insert(0, str(ROOT / "tests"))
    from diff.programs import load
    from diff.qnode import LABELS, MACS, NODE_MAC, circuits

    entries = [
        update
        for update in circuits(load("qnode"), Random(0))  # circuit 0 is a repeater's
        if update.entity.WhichOneof("entity") != "packet_replication_engine_entry"
    ]
    entries.append(_forwarded())
    packets: list[Packet] = []
    for number in range(count):
        if number % MARK in (0, MARK - 1):
            packets.append((3, MARKER + bytes(6) + b"\x12\x34" + bytes(46)))
            continue
        port, label = ((3, LABELS[0]), (4, LABELS[-1]))[number & 1]
        body = PairBody(number // 2, 1, BellIndex(0), ExpireReason.NONE)
        message = QciMessage(QciType.TRACK, body, QciFlag.NONE)
        packets.append((port, CircuitFrame(NODE_MAC, MACS[1], label, message, 64, 0).to_bytes()))
    return Load(QNODE, entries, packets)


def _forwarded() -> p4r.Update:
    """The entry that sends MARKER frames to port 1."""
    switch = Switch(QNODE.with_suffix(".json"), QNODE.with_suffix(".p4info.txtpb"))
    switch.add("classical.l2", {"hdr.ethernet.dst": MARKER}, "classical.forward", [1])
    table = next(
        table.preamble.id
        for table in switch.index.message.tables
        if table.preamble.name.endswith("classical.l2")
    )
    query = p4r.Entity(table_entry=p4r.TableEntry(table_id=table))
    [entity] = switch.read(query)
    return p4r.Update(type=p4r.Update.INSERT, entity=entity)


def ternary(packets: int) -> Load:
    """The router with 10^5 ternary entries under 100 masks; every packet hits one that lets it
    pass, so that it is seen to have been looked up."""
    random = Random(1)
    info = p4i.P4Info()
    text_format.Parse(ROUTER.with_suffix(".p4info.txtpb").read_text(), info)
    tables = {table.preamble.alias: table for table in info.tables}
    actions = {action.preamble.alias: action.preamble.id for action in info.actions}
    route = p4r.Update(type=p4r.Update.MODIFY)
    entry = route.entity.table_entry
    entry.table_id, entry.is_default_action = tables["routes"].preamble.id, True
    entry.action.action.action_id = actions["forward"]
    entry.action.action.params.add(param_id=1, value=b"\6" * 6)
    entry.action.action.params.add(param_id=2, value=b"\1")
    shapes: set[tuple[int, int]] = set()
    while len(shapes) < MASKS:
        shapes.add((random.randrange(20, 33), random.randrange(20, 33)))
    updates: dict[tuple[tuple[int, int], ...], p4r.Update] = {}
    keys = []
    while len(updates) < ENTRIES:
        lengths = sorted(shapes)[len(updates) % MASKS]
        key = tuple(
            (random.getrandbits(32) >> 32 - bits << 32 - bits, (1 << 32) - (1 << 32 - bits))
            for bits in lengths
        )
        if key in updates:
            continue
        update = p4r.Update(type=p4r.Update.INSERT)
        entry = update.entity.table_entry
        entry.table_id, entry.priority = tables["acl"].preamble.id, len(updates) + 1
        for field, (value, mask) in enumerate(key, 1):
            match = entry.match.add(field_id=field).ternary
            match.value, match.mask = value.to_bytes(4, "big"), mask.to_bytes(4, "big")
        entry.action.action.action_id = actions["NoAction"]
        updates[key] = update
        keys.append(key)
    chosen = [random.choice(keys) for _ in range(packets)]
    frames = [(0, switch_core.ipv4(dst[0], 0xFF, src[0])) for src, dst in chosen]
    return Load(ROUTER, [route, *updates.values()], frames)


class Rows:
    """What has been measured."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, float | None]] = {}

    def add(
        self, what: str, ours: float, bmv2: float | None, goal: float, *, less: bool = False
    ) -> None:
        """A row; `less`: the ratio is to be at most the goal."""
        ratio = ours / bmv2 if bmv2 else None
        met = None if ratio is None else float(ratio <= goal if less else ratio >= goal)
        self.rows[what] = {"ours": ours, "bmv2": bmv2, "ratio": ratio, "goal": goal, "met": met}

    def show(self) -> None:
        """The table."""
        table = Table("what", title="The embedded switch beside BMv2")
        for column in ("ours", "BMv2", "ratio", "goal"):
            table.add_column(column, justify="right")
        for what, row in self.rows.items():
            shown = [
                "-" if value is None else f"{value:,.{places}f}"
                for value, places in ((row["ours"], 0), (row["bmv2"], 0), (row["ratio"], 2))
            ]
            table.add_row(what, *shown, f"{row['goal']:g}")
        Console().print(table)


def ports(rows: Rows, ours: str, bmv2: str | None, rounds: int) -> float | None:
    """Rows over veth and pcap files; BMv2's best rate with the router."""
    binaries = [ours, *([bmv2] if bmv2 else [])]
    found: dict[str, list[list[float]]] = {}

    def measure(what: str, run: Callable[[str], Sequence[float]]) -> None:
        for _ in range(rounds):
            for place, value in enumerate(zip(*map(run, binaries), strict=True)):
                found.setdefault(f"{what} {place}", []).append(list(value))

    if os.geteuid() == 0:
        switch_ports.veth_pairs()
        measure("veth", lambda binary: switch_ports.measure_veth(binary, 100_000))
        switch_ports.remove_veth_pairs()
    else:
        print("not root: the veth rows are left out", file=sys.stderr)
    measure("pcap", lambda binary: (switch_ports.measure_files(binary, 300_000)[0],))

    def median(key: str, place: int, scale: float = 1.0) -> float:
        return scale * statistics.median(one[place] for one in found[key])

    def row(what: str, key: str, goal: float, scale: float = 1.0, *, less: bool = False) -> None:
        if key in found:
            other = median(key, 1, scale) if bmv2 else None
            rows.add(what, median(key, 0, scale), other, goal, less=less)

    row("router, veth, packets/s", "veth 0", 3)
    row("router, veth, round trip in µs", "veth 1", 0.5, 1e6, less=True)
    row("router, pcap to pcap, packets/s", "pcap 0", 10)
    if not bmv2:
        return None
    return median("veth 0" if "veth 0" in found else "pcap 0", 1)


def control(rows: Rows, bmv2: str | None, rounds: int) -> None:
    """Rows over P4Runtime."""
    columns = list(p4runtime.compare(bmv2, 1, rounds).values())
    for what in columns[0]:
        other = columns[1][what] if bmv2 else None
        table, _, kind = what.partition(": ")
        name = {"hosts": "exact", "routes": "LPM"}.get(table, table)
        rows.add(f"P4Runtime, {name}, {kind}, per second", columns[0][what], other, 1)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bmv2", default=shutil.which("simple_switch_grpc"), metavar="PATH")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--store", type=Path, default=STORE, metavar="FILE")
    given = parser.parse_args()
    logging.getLogger("finsy").setLevel(logging.ERROR)
    ours = str(Path(sys.executable).parent / "qplane-switch")
    bmv2 = shutil.which(given.bmv2) if given.bmv2 else None
    rows = Rows()
    router = ports(rows, ours, bmv2, given.rounds)
    single, bursts = switch_core.packet_rates()
    rows.add("router, in process, packets/s", single, router, 20)
    rows.add("router, bursts of 64 from NumPy, packets/s", bursts, router, 40)
    messages = track(100_000)
    rows.add(
        "qnode.p4, a TRACK message each, packets/s", messages.in_process(),
        messages.over_files(bmv2, WAIT_S) if bmv2 else None, 20,
    )  # fmt: skip
    entries = ternary(20_000)
    mine = entries.in_process()
    entries.packets = entries.packets[:2000]
    rows.add(
        "10^5 ternary entries, 100 masks, lookups/s", mine,
        entries.over_files(bmv2, TERNARY_WAIT_S) if bmv2 else None, 100,
    )  # fmt: skip
    control(rows, bmv2, given.rounds)
    # A goal in milliseconds: the ratio is to the goal.
    figures = switch_core.load_ms(QNODE.with_suffix(".json"))
    for which, value in zip(("least", "median"), figures, strict=True):
        what = f"qnode.p4 loaded, ms, {which} of 15 (BMv2's column: the goal)"
        rows.add(what, value, 100.0, 1, less=True)
    rows.show()
    given.store.write_text(json.dumps(rows.rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
