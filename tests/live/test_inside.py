"""`qplane net up` without root: embedded switches and engine in one process, by the wall clock."""

import asyncio
import json
import os
import shutil
import signal
import socket

import finsy as fy
import pytest

from live.running import REPEATER, Up, qplane
from qplane.control.program import schema
from qplane.live import netns


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    with Up(tmp_path_factory.mktemp("run")) as network:
        yield network


def test_pairs_are_delivered_in_real_time(up):
    status = up.wait_for(lambda status: status["delivered"] >= 500)
    (circuit,) = status["circuits"]
    assert status["time_scale"] == 1.0
    assert circuit["wrong_frames"] == circuit["mismatches"] == 0
    # By the wall clock: 612 pairs a second a priori, and a second of network time a second.
    assert circuit["rate_per_s"] == pytest.approx(612, rel=0.25)
    assert status["network_time_s"] >= status["running_s"]
    assert status["lateness"]["count"] > 0
    error = circuit["fidelity_std_error"]
    assert abs(circuit["fidelity"] - 0.9156) < 5 * error  # a priori


def test_each_node_is_served_on_tcp(up):
    for switch in up.status["switches"]:
        host, port = switch["address"].split(":")
        socket.create_connection((host, int(port)), timeout=10).close()


def test_finsy_reads_writes_and_sends_packets(up):
    """An ordinary client with a higher election id; our controller is told and stays away."""
    switch = up.status["switches"][1]

    async def talk():
        options = fy.SwitchOptions(
            device_id=switch["device_id"], p4info=schema().p4info, initial_election_id=2**40
        )
        async with fy.Switch("sw", switch["address"], options) as sw:
            entry = fy.P4TableEntry(
                "l2", match=fy.Match(dst="02:00:00:00:00:99"), action=fy.Action("forward", port=1)
            )
            await sw.insert([entry])
            found = [e async for e in sw.read([fy.P4TableEntry("l2")])]
            await sw.delete([entry])
            left = [e async for e in sw.read([fy.P4TableEntry("l2")])]
            return found, left

    found, left = asyncio.run(asyncio.wait_for(talk(), 30))
    assert len(found) == 1
    assert left == []


@pytest.mark.parametrize("arguments", [[], ["--net", "repeater"]])
def test_status_as_a_table(up, arguments):
    done = up.command("net", "status", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "time-scale 1: a second of the network takes 1 s" in done.stdout
    assert "alice-bob" in done.stdout


def test_status_as_json(up):
    assert json.loads(up.command("net", "status", "--json").stdout).keys() == up.now().keys()


def test_list(up):
    assert up.command("net", "list").stdout == "repeater\n"
    assert up.command("net", "list", "--json").stdout == '["repeater"]\n'


def test_one_network_of_a_name(up):
    done = up.command("net", "up", REPEATER)
    assert done.returncode == 1
    assert done.stderr == (
        "qplane: network repeater runs already; end it with: qplane net down repeater\n"
    )


def test_exec_says_why_it_can_not(up):
    done = up.command("net", "exec", "h1", "--", "true")
    assert done.returncode == 1
    assert "live inside one process" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_it_ends_in_order(tmp_path, number):
    with Up(tmp_path, "--time-scale", "0.5") as network:
        network.wait_for(lambda status: status["delivered"] > 50)
        last = network.stop(number)
    assert network.process.returncode == 0
    assert network.stderr == []
    assert last["summary"]["wrong_frames"] == last["summary"]["mismatches"] == 0
    assert last["summary"]["delivered"] > 50
    assert {path.name for path in (tmp_path / "qplane" / "repeater").iterdir()} == {"lock"}
    assert qplane(tmp_path, "net", "list").stdout == ""


def test_down_ends_it_and_waits(tmp_path):
    with Up(tmp_path) as network:
        done = network.command("net", "down")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert network.command("net", "status").returncode == 1
        assert network.process.wait(30) == 0


def test_a_killed_network_can_be_started_again(tmp_path):
    with Up(tmp_path) as network:
        os.kill(network.process.pid, signal.SIGKILL)
        network.process.wait(30)
    assert (tmp_path / "qplane" / "repeater" / "api.sock").exists()
    gone = qplane(tmp_path, "net", "status")
    assert gone.returncode == 1
    assert "no network runs; start one with: qplane net up NET.toml" in gone.stderr
    with Up(tmp_path) as network:
        assert network.now()["network"] == "repeater"
        network.stop()


def test_the_time_scale_slows_everything(tmp_path):
    with Up(tmp_path, "--time-scale", "20") as network:
        status = network.wait_for(lambda status: status["delivered"] >= 100)
        last = network.stop()
    (circuit,) = status["circuits"]
    assert circuit["rate_per_s"] == pytest.approx(612 / 20, rel=0.4)
    (measured,) = last["summary"]["circuits"]
    assert measured["latency_ms"]["p50"] == pytest.approx(1.018, rel=0.3)  # network time


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--target", "tofino"], 2, "--target tofino: must be one of embedded, bmv2"),
        (["--clock", "virtual"], 2, "--clock virtual: must be one of paced, real"),
        (["--target", "bmv2", "--clock", "paced"], 2, "with --clock real alone"),
        (["--time-scale", "0"], 2, "--time-scale 0: must be from"),
        (["--time-scale", "nan"], 2, "--time-scale nan: must be from"),
        (["--bmv2", "/no/such"], 2, "--bmv2 is for --target bmv2"),
        (["--target", "bmv2", "--bmv2", "/no/such"], 1, "install the package p4lang-bmv2"),
        (["--listen", "1.2.3.4:1"], 1, "1.2.3.4:1"),
        (["--pcap", "/proc/x"], 2, "--pcap /proc/x: can't be written"),
    ],
)
def test_wrong_options_are_one_line(tmp_path, arguments, status, message):
    done = qplane(tmp_path, "net", "up", REPEATER, *arguments)
    assert done.returncode == status
    assert message in done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    left = [path.name for path in (tmp_path / "qplane").glob("*/*")]
    assert left in ([], ["lock"])


def test_a_wrong_file(tmp_path):
    path = tmp_path / "net.toml"
    path.write_text("[network]\nname = 7\n")
    done = qplane(tmp_path, "net", "up", path)
    assert done.returncode == 2
    assert "net.toml" in done.stderr
    assert not (tmp_path / "qplane").exists()


STATION = """
[network]
name = "station"
[memories.ion]
slots = 4
t2 = "20 ms"
[nodes]
alice = { memory = "ion" }
bob = { memory = "ion" }
middle = { station = true }
[[links]]
between = ["alice", "bob"]
length = "10 km"
herald = "middle"
"""


def test_neighbours_get_pairs_through_a_station(tmp_path):
    path = tmp_path / "net.toml"
    path.write_text(STATION)
    with Up(tmp_path, network=path) as network:
        done = network.command("link", "create", "alice", "bob", "--pairs", "5")
        assert (done.returncode, done.stderr) == (0, "")
        assert "5 of 5 pairs" in done.stdout
        network.stop()
    assert network.process.returncode == 0


def test_a_store_keeps_circuits_over_a_kill(tmp_path):
    """What was added by hand stands, and delivers, after the next start."""
    store = ["--store", tmp_path / "store.db"]
    with Up(tmp_path, *store) as network:
        done = network.command("circuit", "add", "alice", "repeater", "--name", "short")
        assert done.returncode == 0, done.stderr
        network.process.kill()
        network.process.wait(30)
    with Up(tmp_path, *store) as network:
        network.wait_for(
            lambda status: (
                {c["name"] for c in status["circuits"] if c["delivered"]} == {"alice-bob", "short"}
            )
        )
        network.stop()
    assert network.process.returncode == 0


SETPRIV = shutil.which("setpriv")


@pytest.mark.slow
@pytest.mark.skipif(
    SETPRIV is None or not netns.permitted(), reason="needs root, and setpriv to give it up"
)
def test_without_capabilities_the_switches_run_inside_or_it_says_what_is_needed(tmp_path):
    """As any user without root: there is no difference but the user id."""
    unprivileged = [SETPRIV, "--bounding-set=-all"]
    with Up(tmp_path, "--clock", "real", wrapper=unprivileged) as network:
        network.wait_for_line("not root: no interfaces")
        assert network.status["target"] == "embedded, in this process"
        network.stop()
    done = qplane(
        tmp_path, "net", "up", REPEATER, "--target", "bmv2", "--bmv2", "sh", wrapper=unprivileged
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "--target bmv2 makes network namespaces and interfaces, which takes root" in done.stderr
