"""`qplane net up` with a process for each switch: veth pairs, namespaces, and nothing left of it.

As root alone. The same tests for the embedded switch and, where it is on PATH, for BMv2.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from live.running import BMV2, QPLANE, REPEATER, Up, environment, qplane

pytestmark = pytest.mark.root

TARGETS = [
    pytest.param(["--clock", "real"], id="embedded"),
    BMV2,
]


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Traces:
    """What a network has in the system while it runs; `left` is what of it is still there."""

    def __init__(self, network):
        self._folder = str(network.runtime)
        self._interfaces = set(_interfaces())
        held = Path(f"/proc/{network.process.pid}/fd")
        self._namespaces = {
            int(match[1])
            for link in held.iterdir()
            if (match := re.fullmatch(r"net:\[(\d+)\]", str(_target(link))))
        }
        assert len(self._namespaces) >= 6  # three switches, two hosts, our end of the wires

    def left(self):
        found = [f"interface {name}" for name in set(_interfaces()) - self._interfaces]
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                inside = (process / "ns/net").stat().st_ino in self._namespaces
            except OSError:
                continue
            if self._folder in words or inside:
                found.append(f"process {process.name}: {words}")
        return found


def _target(link):
    try:
        return link.readlink()
    except OSError:
        return ""


def _interfaces():
    return [name for _, name in socket.if_nameindex()]


@pytest.fixture(scope="module", params=TARGETS)
def up(request, tmp_path_factory):
    with Up(tmp_path_factory.mktemp("run"), *request.param) as network:
        yield network


def test_pairs_are_delivered_over_interfaces(up):
    status = up.wait_for(lambda status: status["delivered"] >= 60)
    (circuit,) = status["circuits"]
    assert circuit["wrong_frames"] == circuit["mismatches"] == 0
    assert circuit["fidelity"] > 0.8  # 0.916 ± 0.006 on a machine that keeps up
    for switch in status["switches"]:
        assert switch["transit"]["count"] > 60
        assert Path(f"/proc/{switch['pid']}").exists()


def test_hosts_reach_each_other_by_name(up):
    done = up.command("net", "exec", "alice", "--", "python3", "-c", ECHO)
    assert done.returncode == 0, done.stderr
    assert "PING h2 (10.0.2.1)" in done.stdout
    assert "3 received" in done.stdout
    assert "ttl=61" in done.stdout  # three switches
    # Four fibres of 25 km, stretched by the time-scale of 100; nothing is faster than light.
    times = [float(match) for match in re.findall(r"time=([\d.]+) ms", done.stdout)]
    assert min(times) >= 50.0


# As `ping -c3 -W10 bob`, which not every machine has.
ECHO = """
import socket, struct, time
(name, _, (address,)) = socket.gethostbyname_ex("bob")
print(f"PING {name} ({address})")
received = 0
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as icmp:
    icmp.settimeout(10)
    for number in range(1, 4):
        words = [0x0800, 0, 7, number]
        words[1] = 0xFFFF - sum(words)  # no carry: the words are small
        sent = time.monotonic()
        icmp.sendto(struct.pack("!4H", *words), (address, 0))
        while True:
            packet, (peer, _) = icmp.recvfrom(2048)
            kind, code, _, identifier, seq = struct.unpack("!BBHHH", packet[20:28])
            if (peer, kind, code, identifier, seq) == (address, 0, 0, 7, number):
                break
        received += 1
        print(f"ttl={packet[8]} time={1000 * (time.monotonic() - sent):.3f} ms")
print(f"{received} received")
"""


def test_tcp_crosses_the_switches(up):
    """Checksums are right on the wire: nothing is left to hardware that is not there."""
    server = subprocess.Popen(
        ["qplane", "net", "exec", "h2", "--", "python3", "-c", SERVER],
        executable=up.process.args[0],
        env={**os.environ, "XDG_RUNTIME_DIR": str(up.runtime)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout.readline() == "listening\n"
        done = up.command("net", "exec", "h1", "--", "python3", "-c", CLIENT)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "100000\n"
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


SERVER = """
import socket
with socket.create_server(("0.0.0.0", 7000)) as listening:
    print("listening", flush=True)
    connection, _ = listening.accept()
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)
"""

CLIENT = """
import socket
sent = bytes(range(250)) * 400
with socket.create_connection(("h2", 7000), timeout=60) as connection:
    connection.sendall(sent)
    connection.shutdown(socket.SHUT_WR)
    received = b""
    while data := connection.recv(65536):
        received += data
assert received == sent
print(len(received))
"""


def test_the_switch_of_a_node_has_a_namespace(up):
    done = up.command("net", "exec", "--switch", "repeater", "--", "ip", "-br", "link")
    names = re.findall(r"^(\w+)(?:@|\s)", done.stdout, re.MULTILINE)
    assert sorted(names) == ["lo", "port1", "port2", "port509"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody", "--", "true"], "there is no host nobody; there are: h1, h2"),
        (["repeater", "--", "true"], "repeater is a node, and not of exactly one host"),
        (["--switch", "h1", "--", "true"], "there is no node h1; there are: alice, repeater, bob"),
        (["h1", "--", "/no/such"], "/no/such: No such file or directory"),
    ],
)
def test_exec_mistakes_are_one_line(up, arguments, message):
    done = up.command("net", "exec", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_exec_gives_back_the_status(up):
    assert up.command("net", "exec", "h1", "--", "sh", "-c", "exit 7").returncode == 7


@pytest.mark.parametrize("end", ["Ctrl-C", "SIGKILL"])
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_left(tmp_path, target, end):
    """Also of a command that a user runs inside; of a killed network, the next start ends that."""
    with Up(tmp_path, *target) as network:
        traces = Traces(network)
        guest = subprocess.Popen(
            ["qplane", "net", "exec", "h1", "--", "sleep", "1000"],
            executable=network.process.args[0],
            env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        )
        wait_until(lambda: any("sleep 1000" in line for line in traces.left()))
        try:
            if end == "Ctrl-C":
                network.stop()
                assert network.process.returncode == 0
                assert guest.wait(30) == -signal.SIGTERM
            else:
                network.process.kill()
                network.process.wait(30)
                wait_until(lambda: traces.left() == [f"process {guest.pid}: sleep 1000 "])
                with Up(tmp_path, *target) as second:
                    assert f"ended process {guest.pid}" in second.stderr[0]
                    assert guest.wait(30) == -signal.SIGTERM
                    second.stop()
            wait_until(lambda: not traces.left())
        finally:
            guest.kill()
            guest.wait()
    assert [path.name for path in (tmp_path / "qplane" / "repeater").iterdir()] == ["lock"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_killed_switch_is_started_again_and_its_circuits_deliver(tmp_path, target):
    with Up(tmp_path, *target) as network:
        network.wait_for(lambda status: status["delivered"] > 0)
        before = network.now()["switches"][1]
        os.kill(before["pid"], signal.SIGKILL)
        network.wait_for_line("the switch of repeater ended (killed by SIGKILL)")
        status = network.wait_for(lambda status: status["switches"][1]["restarts"] == 1)
        after = status["switches"][1]
        assert after["address"] == before["address"]
        assert after["pid"] != before["pid"]
        network.wait_for_line("repaired: repeater")
        delivered = network.now()["delivered"]
        network.wait_for(lambda status: status["delivered"] > delivered + 20)
        last = network.stop()
    assert network.process.returncode == 0
    assert last["summary"]["wrong_frames"] == last["summary"]["mismatches"] == 0
    assert last["summary"]["void_mismatches"] == 0


def test_a_switch_that_does_not_start(tmp_path):
    broken = tmp_path / "simple_switch_grpc"
    broken.write_text("#!/bin/sh\necho no such option: $1 >&2\nexit 3\n")
    broken.chmod(0o755)
    done = qplane(tmp_path, "net", "up", REPEATER, "--target", "bmv2", "--bmv2", broken)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"qplane: the switch of \w+ ended at once: no such option: --no-p4\n", done.stderr
    )


@pytest.mark.parametrize("after_s", [1.5, pytest.param(3.0, marks=pytest.mark.slow)])
def test_ctrl_c_before_it_is_up_leaves_nothing(tmp_path, after_s):
    """At whatever point of the set-up that is on this machine."""
    process = subprocess.Popen(
        ["qplane", "net", "up", REPEATER, "--clock", "real"],
        executable=QPLANE,
        env=environment(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    # Python itself ends with SIGINT where it has not yet come to our code.
    assert process.returncode in (0, 1, 130, -signal.SIGINT)
    assert "Traceback" not in said or process.returncode == -signal.SIGINT
    for running in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            assert str(tmp_path).encode() not in running.read_bytes()
    assert {path.name for path in tmp_path.glob("qplane/*/*")} <= {"lock"}
