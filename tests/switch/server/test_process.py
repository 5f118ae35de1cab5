"""qplane-switch as a process: start, packets, pcap files, signals, a second instance, kill -9."""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import grpc
import pynng
import pytest

from qplane.switch.errors import Code
from qplane.switch.pcap import PcapWriter

from ..captures import read_pcap
from .client import PROGRAMS, Client, Names, insert, load_program
from .entries import action, entry, host
from .test_tls import Authority, reaches

PACKET = bytes.fromhex("0000000000aa 000000000001 1234") + b"payload"


class Process:
    """A running qplane-switch; ``address`` is where P4Runtime listens."""

    def __init__(self, arguments: Sequence[str], folder: Path) -> None:
        command = [sys.executable, "-m", "qplane.switch.cli", *arguments]
        self.popen = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        self.address = ""

    def wait_ready(self) -> None:
        assert self.popen.stdout is not None
        watchdog = threading.Timer(30, self.popen.kill)
        watchdog.start()
        for line in self.popen.stdout:
            self.lines.append(line)
            if line.startswith("Server listening on "):
                self.address = line.split()[-1]
                break
        watchdog.cancel()
        assert self.address, f"it ended: {self.lines}"

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float, str]:
        """(exit status, seconds it took, the rest of its output)."""
        begin = time.monotonic()
        self.popen.send_signal(number)
        output, _ = self.popen.communicate(timeout=20)
        return self.popen.returncode, time.monotonic() - begin, output


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    running: list[Process] = []

    def begin(*arguments: str, ready: bool = True) -> Process:
        process = Process(arguments, tmp_path)
        running.append(process)
        if ready:
            process.wait_ready()
        return process

    yield begin
    for process in running:
        if process.popen.poll() is None:
            process.popen.kill()
        process.popen.communicate()


FREE = ("--", "--grpc-server-addr", "127.0.0.1:0", "--cpu-port", "510")


SIGNAL_WHILE_LOADING = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "qplane.switch.runner":
            os.kill(os.getpid(), signal.SIGINT)

from qplane.switch.cli import main
sys.meta_path.insert(0, Interrupt())
sys.exit(main(["--no-p4", "--", "--grpc-server-addr", "127.0.0.1:0"]))
"""


def test_a_signal_while_it_loads_ends_it_cleanly() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SIGNAL_WHILE_LOADING],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_within_a_second(start, tmp_path: Path, number: int) -> None:  # type: ignore[no-untyped-def]
    process = start("--no-p4", "--packet-in", f"ipc://{tmp_path}/p.ipc", "--device-id", "7", *FREE)
    client = Client(process.address, 7)
    assert client.arbitrate(1) == (Code.OK, 1)
    status, seconds, output = process.end(number)
    assert status == 0, output
    assert "Traceback" not in output
    assert seconds < 1.5
    end = client.end_of_stream()
    assert end is not None and end.code == Code.UNAVAILABLE
    client.close()


def test_a_second_instance_fails_with_a_clear_message(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    first = start("--no-p4", "--packet-in", f"ipc://{tmp_path}/p.ipc", *FREE)
    second = start(
        "--no-p4", "--packet-in", f"ipc://{tmp_path}/q.ipc", "--",
        "--grpc-server-addr", first.address, ready=False,
    )  # fmt: skip
    output, _ = second.popen.communicate(timeout=30)
    assert second.popen.returncode == 1
    assert output.strip().splitlines() == [
        f"Error: --grpc-server-addr: can't listen on {first.address}: Address already in use"
    ]


def test_after_kill_9_it_starts_again_at_once(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    arguments = ["--no-p4", "--packet-in", f"ipc://{tmp_path}/p.ipc", "--", "--grpc-server-addr"]
    first = start(*arguments, "127.0.0.1:0")
    client = Client(first.address, 0)
    assert client.arbitrate(1) == (Code.OK, 1)
    first.popen.kill()
    first.popen.wait()
    again = start(*arguments, first.address)
    assert again.address == first.address
    client.close()


def test_packets_travel_over_the_nanomsg_socket_and_ptf_port_states_are_understood(
    start,
    tmp_path: Path,  # type: ignore[no-untyped-def]
) -> None:
    url = f"ipc://{tmp_path}/p.ipc"
    process = start("--no-p4", "--packet-in", url, "--device-id", "1", *FREE)
    client = Client(process.address, 1)
    assert client.arbitrate(1) == (Code.OK, 1)
    config = load_program("p4runtime")
    names = Names(config.p4info)
    assert client.push(config) is None
    assert client.status(insert(table_entry=host(names, 0xAA, 3))) == Code.OK
    to_cpu = entry(names, "hosts", [exact_mac(0xBB)], action(names, "to_cpu", 4))
    assert client.status(insert(table_entry=to_cpu)) == Code.OK
    with pynng.Pair0(dial=url, recv_timeout=10_000) as pair:
        pair.send(struct.pack("<iii", 0, 1, 0))  # port 1 added
        pair.send(struct.pack("<iii", 3, 1, len(PACKET)) + PACKET)
        assert pair.recv() == struct.pack("<iii", 4, 3, len(PACKET)) + PACKET
        other = PACKET[:5] + b"\xbb" + PACKET[6:]
        pair.send(struct.pack("<iii", 3, 1, len(other)) + other)
        assert client.next_of("packet").packet.payload == other
        pair.send(struct.pack("<iii", 5, 1, 1))  # information: not supported, as BMv2 says
        assert pair.recv() == struct.pack("<iiii", 6, 1, 1, 1)
    client.close()


def exact_mac(mac: int):  # type: ignore[no-untyped-def]
    from .entries import exact

    return exact(1, mac)


def test_packets_travel_from_pcap_file_to_pcap_file(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for name, times in (("a", (1, 4)), ("b", (2, 3))):
        writer = PcapWriter(tmp_path / f"{name}_in.pcap")
        for at in times:
            writer.write(PACKET + bytes([at]), at * 1_000_000_000)
        writer.close()
    process = start(
        str(PROGRAMS / "p4runtime.json"), "-i", "0@a", "-i", "5@b", "--use-files", "0", *FREE
    )
    deadline = time.monotonic() + 20
    found: list[bytes] = []
    while len(found) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
        found = [record.data for record in read_pcap(tmp_path / "a_out.pcap")]
    # The program's default sends everything to port 0; in the order of their times.
    assert found == [PACKET + bytes([at]) for at in (1, 2, 3, 4)]
    status, _, output = process.end()
    assert status == 0, output
    assert list(read_pcap(tmp_path / "b_out.pcap")) == []


def test_a_failed_assert_and_an_index_out_of_range_are_logged_and_the_switch_goes_on(
    start, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    writer = PcapWriter(tmp_path / "a_in.pcap")
    failing = [(12, 0), (4, 16), (4, 17)]  # an assertion, two reads behind a register's end
    for op, value in [*failing, (9, 0)]:
        writer.write(bytes([op]) + value.to_bytes(4, "big") + bytes(33), 0)
    writer.close()
    process = start(str(PROGRAMS / "externs.json"), "-i", "0@a", "--use-files", "0", *FREE)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        time.sleep(0.02)
        # The packet whose assertion fails goes nowhere; the others do.
        if len(list(read_pcap(tmp_path / "a_out.pcap"))) == len(failing):
            break
    status, _, output = process.end()
    assert status == 0, output
    assert "P4 assertions failed: 1, 1 since the start (assert_failed)" in output
    assert "register indices out of range: 2, 2 since the start" in output


def test_a_trace_shows_tables_and_sources_in_the_log_file(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    writer = PcapWriter(tmp_path / "a_in.pcap")
    writer.write(PACKET, 0)
    writer.close()
    for extra, check in (((), "text"), (("--log-json",), "json")):
        process = start(
            str(PROGRAMS / "p4runtime.json"), "-i", "0@a", "--use-files", "0",
            "--log-file", str(tmp_path / check), *extra, *FREE,
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            time.sleep(0.02)
            if "end of all input files" in (tmp_path / check).read_text():
                break
        process.end()
    text = (tmp_path / "text").read_text()
    assert "table IngressImpl.hosts: miss for [hdr.ethernet.dst=0x0000000000aa]" in text
    assert "p4runtime.p4 line" in text
    lines = (tmp_path / "json").read_text().splitlines()
    traces = [json.loads(line) for line in lines if line.startswith("{")]
    assert len(traces) == 1
    kinds = [step["kind"] for step in traces[0]["steps"]]
    assert kinds[0] == "ingress" and kinds[-1] == "emit"
    step = next(step for step in traces[0]["steps"] if step.get("name") == "IngressImpl.hosts")
    assert (step["kind"], step["key"]) == ("miss", {"hdr.ethernet.dst": "0x0000000000aa"})


def test_tls_is_set_up_from_pem_files(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    authority = Authority("qplane test CA")
    server, mine = authority.issue("127.0.0.1"), authority.issue("127.0.0.1")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    (tmp_path / "cert.pem").write_bytes(server.certificate)
    (tmp_path / "key.pem").write_bytes(server.key)
    process = start(
        "--no-p4", "--packet-in", f"ipc://{tmp_path}/p.ipc", *FREE, "--grpc-server-ssl",
        "--grpc-server-cacert", "ca.pem", "--grpc-server-cert", "cert.pem",
        "--grpc-server-key", "key.pem", "--grpc-server-with-client-auth",
    )  # fmt: skip
    trusted = grpc.ssl_channel_credentials(authority.pem, mine.key, mine.certificate)
    assert reaches(process.address, trusted)
    assert not reaches(process.address, grpc.ssl_channel_credentials(authority.pem))
    assert not reaches(process.address, None)


def test_a_key_of_another_certificate_is_named(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    authority = Authority("qplane test CA")
    (tmp_path / "cert.pem").write_bytes(authority.issue("127.0.0.1").certificate)
    (tmp_path / "key.pem").write_bytes(authority.issue("127.0.0.1").key)
    process = start(
        "--no-p4", *FREE, "--grpc-server-ssl", "--grpc-server-cert", "cert.pem",
        "--grpc-server-key", "key.pem", ready=False,
    )  # fmt: skip
    output, _ = process.popen.communicate(timeout=30)
    assert process.popen.returncode == 1
    assert "--grpc-server-key key.pem: KEY_VALUES_MISMATCH" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.json"], "can't read missing.json"),
        (["bad.json"], "bad.json: "),
        (["--no-p4", "-i", "0@no-such-if0"], "no-such-if0"),
        (["--no-p4", "-i", "0@x", "--use-files", "0"], "no file x_in.pcap"),
        (["--no-p4", "--packet-in", "ipc:///nowhere/at/all"], "can't listen on ipc:///nowhere"),
        (["--no-p4", "--log-file", "/nowhere/log"], "can't log to /nowhere/log"),
        (["--no-p4", "--packet-in", "nonsense"], "can't listen on nonsense"),
        (
            ["--no-p4", *FREE, "--grpc-server-addr", "127.0.0.1:99999"],
            "--grpc-server-addr: address '127.0.0.1:99999': ports go to 65535",
        ),
        (
            [
                "--no-p4",
                *FREE,
                "--grpc-server-ssl",
                "--grpc-server-cert",
                "bad.json",
                "--grpc-server-key",
                "bad.json",
            ],
            "--grpc-server-cert bad.json, --grpc-server-key bad.json: no PEM certificate and key",
        ),
    ],
)
def test_what_cannot_be_opened_is_one_clear_message(
    start,
    tmp_path: Path,
    arguments: list[str],
    message: str,  # type: ignore[no-untyped-def]
) -> None:
    (tmp_path / "bad.json").write_text("{}")
    process = start(*arguments, *([] if FREE[0] in arguments else FREE), ready=False)
    output, _ = process.popen.communicate(timeout=30)
    assert process.popen.returncode == 1
    (line,) = [text for text in output.splitlines() if text.startswith("Error: ")]
    assert message in line
    assert "Traceback" not in output


@pytest.mark.parametrize("captured", [False, True])
def test_packets_travel_over_interfaces(
    start,
    veths: None,
    tmp_path: Path,
    captured: bool,  # type: ignore[no-untyped-def]
) -> None:
    """Captured, each packet passes through Python; otherwise none does."""
    extra = ["--pcap", str(tmp_path)] if captured else []
    process = start("--no-p4", "-i", "1@qpt0", "-i", "3@qpt2", "--device-id", "1", *extra, *FREE)
    client = Client(process.address, 1)
    assert client.arbitrate(1) == (Code.OK, 1)
    config = load_program("p4runtime")
    names = Names(config.p4info)
    assert client.push(config) is None
    assert client.status(insert(table_entry=host(names, 0xAA, 3))) == Code.OK
    to_cpu = entry(names, "hosts", [exact_mac(0xBB)], action(names, "to_cpu", 4))
    assert client.status(insert(table_entry=to_cpu)) == Code.OK
    tagged = PACKET[:12] + b"\x81\x00\x00\x05" + PACKET[12:]
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3) as out_socket,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3) as in_socket,
    ):
        out_socket.bind(("qpt1", 3))
        in_socket.bind(("qpt3", 3))
        in_socket.settimeout(10)
        for sent in (PACKET.ljust(60, b"\0"), tagged.ljust(64, b"\0")):
            out_socket.send(sent)
            while True:
                found = in_socket.recv(2000)
                if found[:6] == PACKET[:6]:
                    break
            assert found.replace(b"\x81\x00\x00\x05", b"") == sent.replace(b"\x81\0\0\5", b"")
        other = PACKET[:5] + b"\xbb" + PACKET[6:].ljust(54, b"\0")
        out_socket.send(other)
        packet = client.next_of("packet").packet
        assert packet.payload == other
        assert packet.metadata[0].value == b"\1"
    assert process.end()[0] == 0
    if not captured:
        return
    recorded = [r.data for r in read_pcap(tmp_path / "qpt2_out.pcap") if r.data[:6] == PACKET[:6]]
    assert tagged.ljust(64, b"\0") in recorded
    client.close()


def test_the_thrift_port_listens_for_scripts_that_wait_for_it(start, free_port: int) -> None:  # type: ignore[no-untyped-def]
    process = start("--no-p4", "--thrift-port", str(free_port), *FREE)
    assert any("no Thrift server" in line for line in process.lines)
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", free_port), timeout=10) as connection:
            assert connection.recv(1) == b""  # disconnected, not left to wait
    second = start("--no-p4", "--thrift-port", str(free_port), *FREE)
    assert any("Address already in use" in line for line in second.lines)
    for one in (second, process):
        assert one.end()[0] == 0
    socket.create_server(("127.0.0.1", free_port)).close()


@pytest.fixture
def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
