"""The switch as a process: an IPv4 router over veth pairs and from pcap file to pcap file.

    .venv/bin/python benchmarks/switch_ports.py [--bmv2 PATH] [--rounds 3] [--json]

Prints packets a second and the median round trip of qplane-switch, and of simple_switch_grpc where
it is on PATH or named, measured in turns in the same run; the ratio is per round, its median is
quoted. Delivered packets are counted (at most 32 are under way over veth, below BMv2's egress queue
of 64), and files must have equal bytes. The veth rows need root; without it they are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import logging
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import finsy as fy
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
P4INFO = HERE / "programs" / "router.p4info.txtpb"
JSON = HERE / "programs" / "router.json"
WINDOW = 32  # packets under way over veth
STALL_S = 0.2  # after which packets under way count as lost; not counted as time
GOALS = {"veth packets/s": 3.0, "veth round trip": 0.5, "pcap to pcap packets/s": 10.0}


def ipv4_packet(destination: int, size: int = 64) -> bytes:
    """An Ethernet frame with an IPv4 header whose checksum is right."""
    header = struct.pack(
        "!BBHHHBBHII", 0x45, 0, size - 14, 0, 0, 64, 17, 0, 0x0A000001, 0x0A010000 + destination
    )
    total = sum(struct.unpack("!10H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + struct.pack("!H", total ^ 0xFFFF) + header[12:]
    return bytes(6) + b"\x02" + bytes(5) + b"\x08\x00" + header + bytes(size - 34)


async def program(address: str) -> None:
    """Push the router and one route, 10.1.0.0/16 to port 1."""
    async with fy.Switch(
        "bench", address, fy.SwitchOptions(p4info=P4INFO, p4blob=JSON, device_id=0)
    ) as switch:
        entry = fy.P4TableEntry(
            "ipv4_route",
            match=fy.Match(dst="10.1.0.0/16"),
            action=fy.Action(
                "route", port=1, src_mac="02:00:00:00:00:0a", dst_mac="02:00:00:00:00:0b"
            ),
        )
        await switch.write([+entry])


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Process:
    """A switch process that is programmed before the block begins."""

    def __init__(
        self,
        binary: str,
        arguments: list[str],
        folder: Path,
        configure: Callable[[str], None] | None = None,
    ) -> None:
        """``configure`` programs the switch at an address; unless given, with the router."""
        self._configure = configure or (lambda address: asyncio.run(program(address)))
        self._address = f"127.0.0.1:{free_port()}"
        command = [binary, "--no-p4", "--device-id", "0", *arguments]
        self._command = [*command, "--", "--grpc-server-addr", self._address]
        self._folder = folder

    def __enter__(self) -> None:
        self._process = subprocess.Popen(
            self._command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        host, port = self._address.split(":")
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise SystemExit(f"{self._command[0]} does not listen") from None
                time.sleep(0.05)
        self._configure(self._address)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)


def veth_pairs() -> None:
    """qb0-qb1 and qb2-qb3, up and without IPv6 chatter."""
    for a, b in (("qb0", "qb1"), ("qb2", "qb3")):
        subprocess.run(["ip", "link", "del", a], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["ip", "link", "add", a, "type", "veth", "peer", "name", b], check=True)
        for name in (a, b):
            Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
            subprocess.run(["ip", "link", "set", name, "up"], check=True)


def remove_veth_pairs() -> None:
    """Take them away again."""
    for name in ("qb0", "qb2"):
        subprocess.run(["ip", "link", "del", name], check=False)


def raw_socket(name: str) -> socket.socket:
    """Sends to and receives from an interface."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(263, 23, 1)  # SOL_PACKET, PACKET_IGNORE_OUTGOING
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
    sock.bind((name, 3))
    sock.settimeout(2)
    return sock


class Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Mmsghdr(ctypes.Structure):
    """struct mmsghdr of Linux on 64 bits."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("length", ctypes.c_uint32),
    )


LIBC = ctypes.CDLL(None, use_errno=True)
MSG_DONTWAIT, MSG_WAITFORONE = 0x40, 0x10000


class Batch:
    """Up to WINDOW frames for one system call, so that the sender is not what is measured."""

    def __init__(self, frame: bytes) -> None:
        self._buffers = [ctypes.create_string_buffer(frame, 2048) for _ in range(WINDOW)]
        self._iovecs = (Iovec * WINDOW)(
            *(Iovec(ctypes.addressof(buffer), len(frame) or 2048) for buffer in self._buffers)
        )
        self._messages = (Mmsghdr * WINDOW)()
        for message, iovec in zip(self._messages, self._iovecs, strict=True):
            message.iov = ctypes.addressof(iovec)
            message.iovlen = 1

    def send(self, sock: socket.socket, count: int) -> int:
        """Send ``count`` copies; how many were taken."""
        return max(int(LIBC.sendmmsg(sock.fileno(), self._messages, count, 0)), 0)

    def receive(self, sock: socket.socket) -> int:
        """Wait for frames (the socket's time-out holds); how many came, 0 after the time-out."""
        flags = MSG_WAITFORONE
        return max(int(LIBC.recvmmsg(sock.fileno(), self._messages, WINDOW, flags, None)), 0)


def measure_veth(binary: str, packets: int) -> tuple[float, float]:
    """Packets a second with WINDOW under way, and the median round trip (s) of one at a time."""
    arguments = ["-i", "0@qb0", "-i", "1@qb2"]
    packet = ipv4_packet(1)
    with (
        Process(binary, arguments, Path.cwd()),
        raw_socket("qb1") as out,
        raw_socket("qb3") as back,
    ):
        trips = []
        for _ in range(1000):
            started = time.perf_counter()
            out.send(packet)
            back.recv(2048)
            trips.append(time.perf_counter() - started)
        received = under_way = 0
        stalled = 0.0
        back.settimeout(None)
        back.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, int(STALL_S * 1e6))
        )
        outgoing, incoming = Batch(packet), Batch(b"")
        started = time.perf_counter()
        while received < packets:
            under_way += outgoing.send(out, WINDOW - under_way)
            count = incoming.receive(back)
            received += count
            under_way -= count
            if count == 0:  # the switch lost what was under way: begin a new window
                under_way = 0
                stalled += STALL_S
        rate = packets / (time.perf_counter() - started - stalled)
    return rate, statistics.median(trips)


def write_capture(path: Path, packets: list[bytes]) -> None:
    """A microsecond capture, a microsecond between packets."""
    with path.open("wb") as stream:
        stream.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for number, packet in enumerate(packets):
            seconds, micros = divmod(number, 1_000_000)
            stream.write(struct.pack("<IIII", seconds, micros, len(packet), len(packet)) + packet)


def read_capture(path: Path) -> list[bytes]:
    """The packets that are completely there."""
    data = path.read_bytes()
    packets = []
    at = 24
    while at + 16 <= len(data):
        length = int.from_bytes(data[at + 8 : at + 12], "little")
        if at + 16 + length > len(data):
            break
        packets.append(data[at + 16 : at + 16 + length])
        at += 16 + length
    return packets


def measure_files(binary: str, packets: int, wait_s: int = 2) -> tuple[float, list[bytes]]:
    """Packets a second from the end of the waiting time to the last packet, and the output."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_capture(folder / "a_in.pcap", [ipv4_packet(n & 0xFFFF) for n in range(packets)])
        write_capture(folder / "b_in.pcap", [])
        size = 24 + packets * (16 + 64)
        with Process(binary, ["-i", "0@a", "-i", "1@b", "--use-files", str(wait_s)], folder):
            output = folder / "b_out.pcap"
            started = None
            last_size, last_change = 0, time.perf_counter()
            while True:
                now = time.perf_counter()
                current = output.stat().st_size if output.exists() else 0
                if current > 24 and started is None:
                    started = now
                if current != last_size:
                    last_size, last_change = current, now
                if current >= size or (started is not None and now - last_change > 1.5):
                    break
                time.sleep(0.001)
            assert started is not None
        delivered = read_capture(output)
        return len(delivered) / max(last_change - started, 1e-9), delivered


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bmv2", default=shutil.which("simple_switch_grpc"), metavar="PATH")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    logging.getLogger("finsy").setLevel(logging.ERROR)
    ours = str(Path(sys.executable).parent / "qplane-switch")
    binaries = {"qplane-switch": ours}
    if arguments.bmv2:
        binaries["simple_switch_grpc"] = arguments.bmv2
    results: dict[str, dict[str, list[float]]] = {name: {} for name in binaries}

    def note(name: str, row: str, value: float) -> None:
        results[name].setdefault(row, []).append(value)

    rows: list[Callable[[str, str], None]] = []
    if os.geteuid() == 0:
        veth_pairs()

        def veth(name: str, binary: str) -> None:
            rate, trip = measure_veth(binary, 100_000)
            note(name, "veth packets/s", rate)
            note(name, "veth round trip", trip * 1e6)

        rows.append(veth)
    else:
        print("not root: the veth rows are left out", file=sys.stderr)
    outputs: dict[str, list[bytes]] = {}

    def files(name: str, binary: str) -> None:
        rate, outputs[name] = measure_files(binary, 300_000)
        note(name, "pcap to pcap packets/s", rate)

    rows.append(files)
    for _ in range(arguments.rounds):
        for row in rows:
            for name, binary in binaries.items():
                row(name, binary)
    if os.geteuid() == 0:
        remove_veth_pairs()
    report(results, outputs, as_json=arguments.json)


def report(
    results: dict[str, dict[str, list[float]]], outputs: dict[str, list[bytes]], *, as_json: bool
) -> None:
    """A table, or JSON."""
    rows = {}
    for row, values in results["qplane-switch"].items():
        entry = {"qplane-switch": statistics.median(values)}
        other = results.get("simple_switch_grpc", {}).get(row)
        if other:
            entry["simple_switch_grpc"] = statistics.median(other)
            entry["ratio"] = statistics.median(a / b for a, b in zip(values, other, strict=True))
            entry["goal"] = GOALS[row]
        rows[row] = entry
    if len(outputs) == 2:
        # BMv2 loses packets when its egress queue is full: what it delivered must be among ours.
        ours, theirs = outputs["qplane-switch"], outputs["simple_switch_grpc"]
        remaining = iter(ours)
        assert all(packet in remaining for packet in theirs), "outputs differ"
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(title="IPv4 router, 64-byte packets, as a process (round trips in µs)")
    for column in ("", "qplane-switch", "simple_switch_grpc", "ratio", "goal"):
        table.add_column(column, justify="right" if column else "left")
    for row, entry in rows.items():
        cells = [f"{entry['qplane-switch']:,.0f}"]
        for key in ("simple_switch_grpc", "ratio", "goal"):
            form = ",.0f" if key == "simple_switch_grpc" else ".2f"
            cells.append(format(entry[key], form) if key in entry else "-")
        table.add_row(row, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
