"""`qplane ping` on a running network, as users type it."""

import json
import signal
import subprocess

import pytest

from live.running import QPLANE, Up, environment, qplane


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with Up(tmp_path_factory.mktemp("run")) as up:
        yield up.runtime


def test_each_node_is_a_line_and_the_end_are_statistics(running):
    before = qplane(running, "circuit", "list", "--json").stdout
    done = qplane(running, "ping", "alice", "bob", "--count", 2, "--interval", "0.1")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "PING alice-bob: alice - repeater - bob"
    rows = [line.split()[:4] for line in lines[2:6]]
    assert rows == [
        [str(ping), hop, node, role]
        for ping in (1, 2)
        for hop, node, role in (("1", "repeater", "repeater"), ("2", "bob", "end"))
    ]
    assert lines[6:8] == [
        "--- alice-bob ping statistics ---",
        "2 pings, 2 answered by bob, 0 % lost",
    ]
    assert lines[8].startswith("round trip min / mean / max / deviation: ")
    assert qplane(running, "circuit", "list", "--json").stdout == before


def test_json_is_one_object_a_ping(running):
    done = qplane(running, "ping", "bob", "alice", "--count", 2, "--interval", "0.1", "--json")
    assert done.returncode == 0, done.stderr
    pings = [json.loads(line) for line in done.stdout.splitlines()]
    assert [ping["sequence"] for ping in pings] == [1, 2]
    for ping in pings:
        assert ping["path"] == ["bob", "repeater", "alice"]
        assert ping["answered"] and ping["broken_between"] is None
        near, far = ping["hops"]
        assert near["round_trip_us"] > 0 and far["round_trip_us"] > 0


def test_ctrl_c_prints_the_statistics(running):
    asked = subprocess.Popen(
        [QPLANE, "ping", "alice", "bob", "--interval", "0.05"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(running), "PYTHONUNBUFFERED": "1"},
    )
    for _ in range(4):
        assert asked.stdout.readline()
    asked.send_signal(signal.SIGINT)
    out, err = asked.communicate(timeout=60)
    assert (asked.returncode, err) == (0, "")
    assert "--- alice-bob ping statistics ---" in out


REFUSED = {
    "no circuit": (1, ("alice", "repeater"), "no circuit joins alice and repeater; there are: "),
    "no node": (2, ("alice", "x"), 'TARGET "x": no such node; nodes: alice, repeater, bob'),
    "no such circuit": (
        1,
        ("alice", "bob", "--circuit", "x"),
        "no circuit is named x; there are: ",
    ),
    "interval": (2, ("alice", "bob", "--interval", "0"), "--interval 0.0: 0.001 to 3600 seconds"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_asked_is_refused_in_one_line(running, case):
    status, arguments, words = REFUSED[case]
    done = qplane(running, "ping", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


FAR = """
[network]
name = "far"

[memories.m]
slots = 1

[nodes]
a = { memory = "m" }
b = { memory = "m" }

[[links]]
between = ["a", "b"]
length = "300 km"

[[circuits]]
name = "c"
from = "a"
to = "b"
"""


def test_without_an_answer_it_says_where_and_fails(tmp_path):
    """The answer takes 3 ms; the ping waits for one."""
    network = tmp_path / "far.toml"
    network.write_text(FAR)
    with Up(tmp_path, network=network) as up:
        done = up.command("ping", "b", "a", "--count", 2, "--timeout", "0.001", "--interval", "0.1")
    assert done.returncode == 1
    assert done.stderr == "qplane: circuit c does not answer beyond b: time-out at hop 1, a\n"
    assert "no answer within 0.001 s: broken between b and a" in done.stdout
    assert "2 pings, 0 answered by a, 100 % lost" in done.stdout


def test_a_sample_measures_pairs_at_both_ends(running):
    done = qplane(running, "ping", "alice", "bob", "--sample", 40, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["circuit"] == "alice-bob"
    assert found["pairs"] == found["z"]["pairs"] + found["x"]["pairs"] >= 40
    assert 0.5 < found["fidelity_least"] <= found["fidelity_most"] <= 1
    shown = qplane(running, "ping", "bob", "alice", "--sample", 10).stdout.splitlines()
    assert shown[1] == "basis   pairs  errors  error rate"
    assert shown[0].startswith("SAMPLE alice-bob: ")
    assert shown[-1].startswith("fidelity: at least ")
