"""`qplane circuit`, `top` and `shell` on a running network, as users type them."""

import json
import subprocess
import sys

import pytest

from live.running import REPEATER, Up, environment, qplane


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with Up(tmp_path_factory.mktemp("run")) as up:
        yield up.runtime


def test_a_circuit_comes_delivers_and_goes(running):
    done = qplane(
        running, "circuit", "add", "alice", "bob", "--name", "c", "--fidelity", "0.9",
        "--rate", "20", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    added = json.loads(done.stdout)
    assert (added["path"], added["fidelity"]) == (["alice", "repeater", "bob"], 0.9)
    assert added["generating"]
    top = qplane(running, "top", "--count", 2, "--interval", "0.5", "--json")
    assert top.returncode == 0, top.stderr
    rows = [json.loads(line) for line in top.stdout.splitlines()]
    (circuit,) = [row for row in rows[-1]["circuits"] if row["name"] == "c"]
    assert circuit["delivered"] > 0
    assert circuit["measured_rate_per_s"] > 20
    for command in (("list",), ("show", "c")):
        shown = qplane(running, "circuit", *command)
        assert shown.returncode == 0, shown.stderr
        assert "alice - repeater - bob" in shown.stdout
    removed = qplane(running, "circuit", "rm", "c")
    assert (removed.returncode, removed.stdout) == (0, "c is gone\n")
    names = [one["name"] for one in json.loads(qplane(running, "circuit", "list", "--json").stdout)]
    assert names == ["alice-bob"]


def test_a_circuit_that_delivers_early(running):
    done = qplane(
        running, "circuit", "add", "alice", "bob", "--name", "e", "--slots", 1,
        "--request", "early", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["request"] == "early"
    assert qplane(running, "top", "--count", 2, "--interval", "0.5").returncode == 0
    shown = qplane(running, "circuit", "show", "e")
    assert shown.returncode == 0, shown.stderr
    assert "request: early" in shown.stdout
    hops = json.loads(qplane(running, "circuit", "show", "e", "--json").stdout)["hops"]
    assert hops[0]["delivered"] > 0
    assert qplane(running, "circuit", "rm", "e").returncode == 0


def test_no_table_is_cut_where_it_is_piped(running):
    for command in (("net", "status"), ("circuit", "show", "alice-bob"), ("top", "--count", 1)):
        shown = qplane(running, *command)
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.endswith("\n")
        rows = [line for line in shown.stdout.splitlines() if line[0] in "╭│├╰"]
        assert rows
        assert all(row[-1] in "╮│┤╯" and "…" not in row for row in rows), shown.stdout
    refused = qplane(running, "link", "status", "nobody")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        'qplane: NODE "nobody": no link with a link layer there; these have one: none\n'
    )


REFUSED = {
    "no node": (2, ("alice", "x"), 'TO "x": no such node; nodes: alice, repeater, bob'),
    "one end": (2, ("alice", "alice"), "a circuit joins two different nodes"),
    "fidelity": (2, ("alice", "bob", "--fidelity", "2"), "--fidelity 2.0: a fidelity is wanted"),
    "rate": (2, ("alice", "bob", "--rate", "3 km"), '--rate "3 km": that is a length; a frequency'),
    "no rate": (2, ("alice", "bob", "--rate", "-3"), "--rate -3.0: a frequency can't be negative"),
    "cutoff": (2, ("alice", "bob", "--cutoff", "3"), '--cutoff "3": the unit is missing'),
    "slots": (2, ("alice", "bob", "--slots", "99"), "--slots 99: should be at most 32"),
    "distil": (2, ("alice", "bob", "--distil", "7"), "--distil 7: should be at most 3"),
    "request": (2, ("alice", "bob", "--request", "later"), "--request \"later\": should be 'keep'"),
    "name": (2, ("alice", "bob", "--name", ".."), '--name "..": a name has a letter'),
    "no time": (2, ("alice", "bob", "--pairs", 3, "--within", "0s"), '--within "0s": a time must'),
    "half a wish": (2, ("alice", "bob", "--pairs", "3"), "--pairs and --within belong together"),
    "too good": (1, ("alice", "bob", "--fidelity", "0.99"), "fidelity 0.99 is not possible"),
    "too much": (
        1,
        ("alice", "bob", "--fidelity", "0.9", "--rate", "5000"),
        "fidelity 0.9 at 5000 pairs/s is not possible from alice to bob; fidelity 0.9 at ",
    ),
    "twice": (
        1,
        ("alice", "bob", "--name", "alice-bob"),
        "a circuit named alice-bob stands already",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_had_is_refused_in_one_line_and_leaves_nothing(running, case):
    status, arguments, words = REFUSED[case]
    before = qplane(running, "circuit", "list", "--json").stdout
    done = qplane(running, "circuit", "add", *arguments)
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("qplane: ")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert qplane(running, "circuit", "list", "--json").stdout == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ping", "alice", "carol"), 'TARGET "carol": no such node; nodes: alice, repeater, bob'),
        (("ping", "alice", "bob", "--timeout", 0), "--timeout 0.0: 0.001 to 3600 seconds"),
        (("ping", "alice", "bob", "--interval", "nan"), "--interval NaN: text, a finite number"),
        (("ping", "alice", "bob", "--sample", 9, "--timeout", 0), "--timeout 0.0: 0.001 to 3600"),
        (("ping", "alice", "bob", "--sample", 70000), "less than or equal to 65535"),
        (("teleport", "alice", "bob", "--state", "Z"), '--state "Z": no such state; there are: +Z'),
        (("top", "--interval", 0), "--interval 0.0: 0.05 to 3600 seconds are possible"),
    ],
)  # fmt: skip
def test_an_option_with_a_wrong_value_is_named(running, arguments, words):
    done = qplane(running, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_names_that_are_not_there(running):
    for command in ("show", "rm"):
        done = qplane(running, "circuit", command, "x")
        assert done.returncode == 1
        assert done.stderr == "qplane: no circuit is named x; there are: alice-bob\n"
    done = qplane(running, "circuit", "list", "--net", "nowhere")
    assert done.returncode == 1
    assert "nowhere" in done.stderr


def test_the_shell_has_the_network_s_objects(running):
    code = 'print(list(circuits), circuits["alice-bob"].name); print(net.top(0.1))'
    done = qplane(running, "shell", "-c", code)
    assert done.returncode == 0, done.stderr
    assert "['alice-bob'] alice-bob" in done.stdout
    assert "network time" in done.stdout
    done = qplane(running, "shell", "-c", 'circuits["x"]')
    assert done.returncode == 1
    assert "no circuit is named x" in done.stdout + done.stderr


def test_the_example_does_the_same_in_python(running):
    example = REPEATER.with_name("circuits.py")
    done = subprocess.run(
        [sys.executable, example, "alice", "bob", "0.9", "20"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(running),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("alice-bob-2: alice - repeater - bob, 1 slots a side\n")
    assert done.stdout.count("pairs delivered") == 3
