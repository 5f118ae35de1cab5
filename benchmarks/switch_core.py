"""The packet path alone: packets through the pipeline, lookups, table writes, loading.

Run it as ``python benchmarks/switch_core.py [--bmv2 simple_switch_grpc]``. Times are CPU seconds of
one thread, the best of several runs, so that other work on the machine does not count. BMv2 runs
pcap to pcap (it has no way to do less): packets delivered per second of wall time, the router's
default action forwarding, so that it needs no controller.
"""

from __future__ import annotations

import argparse
import json
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
from rich.console import Console
from rich.table import Table

from qplane_cext.switch.core import Pipeline, SwitchCore

ROOT = Path(__file__).parent.parent
ROUTER = ROOT / "tests/switch/programs/router.json"
QNODE = ROOT / "p4src/build/qnode.json"
Burst = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def checksum(header: bytes) -> int:
    total = sum(struct.unpack("!10H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ipv4(dst: int, tos: int = 0, src: int = 0x01020304, size: int = 60) -> bytes:
    """An Ethernet frame of `size` bytes with an IPv4 header."""
    head = struct.pack("!BBHHHBBHII", 0x45, tos, size - 14, 1, 0, 64, 17, 0, src, dst)
    head = head[:10] + checksum(head).to_bytes(2, "big") + head[12:]
    return (b"\2" * 6 + b"\4" * 6 + b"\x08\0" + head).ljust(size, b"x")


def burst(packets: list[bytes]) -> Burst:
    lengths = np.array([len(one) for one in packets], np.uint32)
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    return (
        np.zeros(len(packets), np.uint32), offsets, lengths,
        np.frombuffer(b"".join(packets), np.uint8),
    )  # fmt: skip


def best(work: Callable[[], None], count: int, runs: int = 7) -> float:
    """Items per CPU second, the best of some runs."""
    rates = []
    for _ in range(runs):
        start = time.thread_time()
        work()
        rates.append(count / (time.thread_time() - start))
    return max(rates)


def forward(core: SwitchCore, port: int) -> tuple:
    number = core.pipeline.tables["MyIngress.routes"].action_ids["MyIngress.forward"]
    return ("action", number, (b"\6" * 6, port.to_bytes(2, "big")))


def router(routes: int) -> SwitchCore:
    """The router with that many /16 and /24 routes, half each."""
    core = SwitchCore()
    core.commit(Pipeline(ROUTER.read_bytes()))
    for i in range(routes):
        length = 16 if i % 2 else 24
        key = ((10 << 24) + (i // 2 << (32 - length))) & 0xFFFFFFFF
        core.table_add(
            "MyIngress.routes", [(key.to_bytes(4, "big"), length)], 0, forward(core, i % 8)
        )
    return core


def packet_rates() -> tuple[float, float]:
    core = router(32)
    packets = [ipv4((10 << 24) + (i % 16 << 16) + i) for i in range(64)]
    many, few = burst(packets * 300), burst(packets)
    core.process_batch(*few, 0)
    if core.stats["emitted"] != len(packets):
        raise SystemExit(f"the router lost packets: {core.stats}")
    one_by_one = best(lambda: core.process_batch(*many, 0), 64 * 300)

    def bursts() -> None:
        for _ in range(300):
            core.process_batch(*few, 0)

    return one_by_one, best(bursts, 64 * 300)


def ternary_rate(entries: int, masks: int) -> float:
    """Lookups per second in a table with that many entries and distinct masks."""
    core, random = router(1), Random(1)
    drop = core.pipeline.tables["MyIngress.acl"].action_ids["MyIngress.drop"]
    shapes = set()
    while len(shapes) < masks:
        shapes.add((random.randrange(8, 33), random.randrange(8, 33)))
    keys = []
    for i in range(entries):
        bits = sorted(shapes)[i % masks]
        part = []
        for length in bits:
            mask = (1 << 32) - (1 << (32 - length))
            value = random.getrandbits(32) & mask
            part.append((value.to_bytes(4, "big"), mask.to_bytes(4, "big")))
        keys.append(part)
        try:
            core.table_add(
                "MyIngress.acl", [*part, (b"\0", b"\0")], random.randrange(1, 1 << 16),
                ("action", drop, ()),
            )  # fmt: skip
        except Exception:
            continue  # a duplicate of short prefixes
    core.table_add("MyIngress.routes", [(bytes(4), 0)], 0, forward(core, 1))
    numbers = [(int.from_bytes(a[0], "big"), int.from_bytes(b[0], "big")) for a, b in keys]
    packets = [ipv4(dst, 0xFF, src) for src, dst in (random.choice(numbers) for _ in range(20_000))]
    plain = [ipv4(int.from_bytes(p[30:34], "big"), 0, int.from_bytes(p[26:30], "big"))
             for p in packets]  # fmt: skip
    with_acl, without = burst(packets), burst(plain)
    slow = 1 / best(lambda: core.process_batch(*with_acl, 0), len(packets))
    fast = 1 / best(lambda: core.process_batch(*without, 0), len(packets))
    return 1 / max(slow - fast, 1e-9)


def write_rate(count: int) -> float:
    core = router(0)
    keys = [[(((10 << 24) + i).to_bytes(4, "big"), 32)] for i in range(count)]
    target = forward(core, 1)

    def add() -> None:
        for key in keys:
            core.table_add("MyIngress.routes", key, 0, target)

    return best(add, count, runs=1)


def load_ms(path: Path) -> tuple[float, float]:
    """CPU milliseconds to compile a JSON file: the least and the median of 15."""
    text = path.read_bytes()
    taken = []
    for _ in range(15):
        start = time.thread_time()
        Pipeline(text)
        taken.append(1000 * (time.thread_time() - start))
    return min(taken), statistics.median(taken)


def bmv2_rate(binary: str, packets: list[bytes]) -> float:
    """Packets per second that BMv2 takes from a pcap file, run through the same router."""
    program = json.loads(ROUTER.read_text())
    for one in program["pipelines"][0]["tables"]:
        if one["name"] == "MyIngress.routes":
            number = one["action_ids"][one["actions"].index("MyIngress.forward")]
            one["default_entry"] |= {"action_id": number, "action_data": ["0x060606060606", "0x0"]}
    with tempfile.TemporaryDirectory() as folder:
        router_file = Path(folder) / "router.json"
        router_file.write_text(json.dumps(program))
        source = Path(folder) / "p0_in.pcap"
        with source.open("wb") as out:
            out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
            for one in packets:
                out.write(struct.pack("<IIII", 0, 0, len(one), len(one)) + one)
        start = time.monotonic()
        process = subprocess.Popen(
            [binary, "--use-files", "0", "-i", f"0@{folder}/p0", str(router_file)],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        sink = Path(folder) / "p0_out.pcap"
        size, since = -1, start
        while time.monotonic() - since < 1 and process.poll() is None:
            now = sink.stat().st_size if sink.exists() else 0
            if now != size:
                size, since = now, time.monotonic()
            time.sleep(0.01)
        process.terminate()
        process.wait(10)
        delivered = max(size - 24, 0) // (16 + len(packets[0]))
        return delivered / (since - start)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bmv2", help="BMv2's binary, for its column")
    args = options.parse_args()
    single, bursts = packet_rates()
    bmv2 = bmv2_rate(args.bmv2, [ipv4(10 << 24)] * 100_000) if args.bmv2 else 0.0
    table = Table("what", "measured", "goal", "BMv2")
    table.add_row("IPv4 router, packets/s one by one", f"{single:,.0f}", "1,400,000",
                  f"{bmv2:,.0f}" if bmv2 else "")  # fmt: skip
    table.add_row("IPv4 router, bursts of 64 from NumPy", f"{bursts:,.0f}", "2,800,000", "")
    table.add_row(
        "lookups/s, 10^5 ternary entries, 100 masks", f"{ternary_rate(100_000, 100):,.0f}", "", ""
    )
    table.add_row("LPM entries added/s", f"{write_rate(50_000):,.0f}", "93,000", "")
    for path, goal in ((ROUTER, ""), (QNODE, "100")):
        least, median = load_ms(path)
        row = f"{path.name} loaded, ms, median (least)"
        table.add_row(row, f"{median:.1f} ({least:.1f})", goal, "")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
