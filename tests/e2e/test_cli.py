"""`qplane simulate` as its user sees it: results, files, wrong input, Ctrl-C, --serve, replay."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
from finsy.proto import p4r, p4r_grpc
from scapy.layers.inet import ICMP, IP
from scapy.utils import rdpcap

from e2e import rig

QPLANE = Path(sys.executable).with_name("qplane")
EXAMPLES = Path(__file__).parents[2] / "examples"
ENVIRONMENT = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}


def run(*arguments, **options):
    return subprocess.run(
        [QPLANE, "simulate", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=ENVIRONMENT,
        **options,
    )


def start(*arguments):
    return subprocess.Popen(
        [QPLANE, "simulate", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture
def endless(tmp_path):
    """A network that is busy for as long as the test needs."""
    path = tmp_path / "endless.toml"
    path.write_text(rig.chain(3, slots=2))
    return path


def test_the_example_reports_and_writes_what_it_measured(tmp_path):
    out = tmp_path / "out"
    done = run(EXAMPLES / "repeater.toml", "--pairs", 300, "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for line in (
        r"pairs delivered +│ +30[0-9]",
        r"fidelity +│ +0\.9\d+ +│ +0\.00\d+ +│ +0\.9\d+ +│ +0\.9\d+",
        r"QBER Z",
        r"QBER X",
        r"latency, p99",
        r"QCI messages per pair +│ +[34]\.\d",
        r"wrong frames, mismatched pairs +│ +0 ",
        r"slots left in use +│ +0 ",
        r"h1 → h2",
    ):
        assert re.search(line, done.stdout), line
    names = {path.name for path in out.iterdir()}
    ports = {"alice": (1, 2, 509, 510), "repeater": (1, 2, 509, 510), "bob": (1, 2, 509, 510)}
    captures = {f"{node}-{port}.pcap" for node, each in ports.items() for port in each}
    assert names == captures | {"plot.png", "summary.json"}
    assert (out / "plot.png").read_bytes().startswith(b"\x89PNG")
    summary = json.loads((out / "summary.json").read_text())
    assert summary["circuits"][0]["fidelity"]["count"] == summary["delivered"] >= 300


def test_the_captures_hold_ordinary_frames(tmp_path):
    done = run(EXAMPLES / "repeater.toml", "--pairs", 20, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    frames = rdpcap(str(tmp_path / "alice-1.pcap"))
    assert sum(frame.type == 0x8847 for frame in frames) >= 40  # MPLS
    echo = [frame for frame in frames if ICMP in frame]
    assert echo
    assert {frame[IP].src for frame in echo} == {"10.0.1.1", "10.0.2.1"}


def test_json_is_the_summary_and_nothing_else(tmp_path):
    done = run(EXAMPLES / "repeater.toml", "--pairs", 50, "--json", "--out", tmp_path, "--no-pcap")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((tmp_path / "summary.json").read_text())
    assert not list(tmp_path.glob("*.pcap"))


def test_until_stops_at_that_virtual_time():
    done = run(EXAMPLES / "repeater.toml", "--until", "200 ms", "--json")
    summary = json.loads(done.stdout)
    assert summary["stopped"] == "time"
    assert 50 < summary["delivered"] < 250


def test_a_network_that_delivers_nothing_is_given_up_with_a_report(tmp_path):
    source = tmp_path / "net.toml"
    source.write_text(rig.chain(3, memory={**rig.DEPHASING, "swap_success": 0}))
    for goal in (("--pairs", 10, "--patience", "300 ms"), ()):
        done = run(source, *goal, "--json")
        assert done.returncode == 1
        summary = json.loads(done.stdout)
        assert (summary["stopped"], summary["delivered"]) == ("failed", 0)
        assert "no pair was delivered for " in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_network_that_loses_all_messages_has_no_path(tmp_path):
    source = tmp_path / "net.toml"
    source.write_text(rig.chain(3, faults={"loss": 1}))
    done = run(source, "--pairs", 10, "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"qplane: circuit c: no path, .* leads from n0 to n2\n", done.stderr)


def test_bad_patience_is_one_line():
    done = run(EXAMPLES / "repeater.toml", "--patience", "3 km")
    assert done.returncode == 2
    assert done.stderr == (
        'qplane: --patience "3 km": that is a length; a time is wanted, in ps, ns, us, µs, ms, s, '
        "min\n"
    )


def test_the_same_seed_gives_the_same_bytes_in_another_process(tmp_path):
    source = tmp_path / "net.toml"
    faults = {"loss": 0.02, "reordering": 0.1, "duplication": 0.1, "corruption": 0.02}
    hosts = [{"name": f"h{k}", "node": f"n{k}", "ip": f"10.0.0.{k + 1}"} for k in (0, 3)]
    pings = [{"from": "h0", "to": "h3", "interval": "3 ms"}]
    source.write_text(
        rig.chain(4, slots=2, cutoff="20 ms", faults=faults, hosts=hosts, pings=pings)
    )
    for name, seed in (("first", 5), ("second", 5), ("other", 6)):
        done = run(source, "--pairs", 300, "--seed", seed, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    first = digests(tmp_path / "first")
    assert len(first) > 10
    assert first == digests(tmp_path / "second")
    assert first != digests(tmp_path / "other")


def test_the_same_seed_gives_the_same_bytes_twice_in_one_process(tmp_path):
    text = rig.chain(3, slots=2, cutoff="20 ms", faults={"loss": 0.05}, memory=rig.NOISY)
    results = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        outcome = rig.simulate(text, pairs=200, pcap_dir=tmp_path / name)
        results.append((outcome.summary, digests(tmp_path / name)))
    assert results[0] == results[1]


CHAIN = rig.chain(3)
WRONG = {
    "unknown key": (CHAIN.replace("t2", "t3", 1), "memories.m.t3"),
    "missing unit": (CHAIN.replace('"10 km"', "10", 1), "the unit is missing"),
    "negative length": (CHAIN.replace('"10 km"', '"-10 km"', 1), "can't be negative"),
    "link to no node": (CHAIN.replace('["n0", "n1"]', '["n0", "x"]', 1), "no such node"),
    "T2 > 2 T1": (CHAIN.replace("slots = 4", 'slots = 4\nt1 = "1 ms"', 1), "longer than 2·t1"),
    "no path": (CHAIN.replace('["n0", "n1"]', '["n1", "n2"]', 1) + "", "no path"),
    "more circuits than slots": (CHAIN.replace("slots = 4", "slots = 1", 1), "more circuits than"),
    "two nodes with one id": (
        CHAIN.replace('n0 = { memory = "m" }', 'n0 = { memory = "m", id = 2 }', 1).replace(
            'n1 = { memory = "m" }', 'n1 = { memory = "m", id = 2 }', 1
        ),
        "ids are unique",
    ),
    "not TOML": ("[network", "is not TOML"),
    "a cycle too short for the station": (
        CHAIN.replace("[nodes]", "[nodes]\ns = { station = true }", 1).replace(
            '"10 km"', '"10 km"\nherald = "s"\ncycle = "10 ns"', 1
        ),
        "the station remembers 256 cycles",
    ),
}
WRONG["no path"] = (
    rig.network([("a", "b"), ("c", "d")], [{"name": "c", "from": "a", "to": "d"}]),
    "no path",
)


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_network_gives_one_line_and_status_2(case, tmp_path):
    text, message = WRONG[case]
    path = tmp_path / "net.toml"
    path.write_text(text)
    done = run(path)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert str(path) in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_not_there():
    done = run("no/such/net.toml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "qplane: no/such/net.toml: can't be read: No such file or directory\n"


def test_an_output_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    done = run(EXAMPLES / "repeater.toml", "--out", tmp_path / "file" / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert "can't be written: Not a directory" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--until", "3"], 'the unit is missing; a time is written like "10 ms"'),
        (["--until", "3 km"], "that is a length"),
        (["--listen", "nonsense"], "nonsense"),
        (["--listen", "203.0.113.7:1"], "203.0.113.7:1"),
    ],
)
def test_wrong_options(arguments, message):
    done = run(EXAMPLES / "repeater.toml", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def wait_until_it_runs(folder):
    """Until the first frames are in a capture: set-up is over."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        captures = list(folder.glob("*-509.pcap"))
        if captures and any(path.stat().st_size > 100_000 for path in captures):
            return
        time.sleep(0.05)
    raise AssertionError("the simulation does not get going")


def test_ctrl_c_ends_within_a_second_with_what_was_measured(endless, tmp_path):
    out = tmp_path / "out"
    process = start(endless, "--pairs", 10**9, "--json", "--out", out)
    wait_until_it_runs(out)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    seconds = time.monotonic() - begin
    assert process.returncode == 130
    assert "Traceback" not in stderr
    summary = json.loads(stdout)
    assert summary["stopped"] == "interrupted"
    assert summary["delivered"] > 100
    assert summary["wrong_frames"] == 0
    assert seconds < 1.5  # 1 s on a machine that is not busy with other tests


def test_ctrl_c_while_the_controller_sets_up(tmp_path):
    path = tmp_path / "long.toml"
    path.write_text(rig.chain(60))
    process = start(path, "--serve")
    assert process.stderr is not None
    process.stderr.readline()  # the server is up, the controller connects
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr


def test_serve_lets_other_clients_read_until_ctrl_c(endless):
    process = start(endless, "--pairs", 20, "--serve")
    assert process.stderr is not None
    address = process.stderr.readline().split()[-1]
    assert process.stderr.readline() == "device ids: n0 1, n1 2, n2 3\n"
    line = process.stderr.readline()
    assert "Ctrl-C ends it" in line, line
    with grpc.insecure_channel(address) as channel:
        stub = p4r_grpc.P4RuntimeStub(channel)
        request = p4r.ReadRequest(device_id=2, entities=[p4r.Entity(table_entry=p4r.TableEntry())])
        entries = [entity for response in stub.Read(request) for entity in response.entities]
    assert len(entries) > 5
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "pairs delivered" in stdout
    assert "Traceback" not in stderr


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
def test_tshark_decodes_the_captures(tmp_path):
    done = run(EXAMPLES / "repeater.toml", "--pairs", 20, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        ["tshark", "-r", tmp_path / "alice-1.pcap"], capture_output=True, text=True, check=True
    )
    assert "MPLS" in done.stdout
    assert "ICMP" in done.stdout
