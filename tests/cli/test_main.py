"""The command line without a simulation: help, version, network files, P4 programs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import qplane
from qplane.net import load

REPEATER = Path(__file__).parents[2] / "examples" / "repeater.toml"
QPLANE = Path(sys.executable).with_name("qplane")


def run(*arguments, **options):
    return subprocess.run(
        [QPLANE, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
        **options,
    )


def test_version():
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"qplane {qplane.__version__}\n", "")


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["simulate"],
        ["p4"],
        ["p4", "info"],
        ["p4", "build"],
        ["p4", "load"],
        ["new", "chain"],
        *(["net", command] for command in ("up", "list", "status", "down", "exec")),
        *(["circuit", command] for command in ("add", "list", "show", "rm")),
        *([command] for command in ("ping", "teleport", "top", "shell")),
    ],
)
def test_help_has_an_example(command):
    done = run(*command, "--help")
    assert done.returncode == 0
    assert "qplane" in done.stdout
    if command != ["p4"]:
        assert "Example" in done.stdout or "Start with" in done.stdout


def test_importing_the_package_is_quick_and_light():
    code = (
        "import sys, time; start = time.perf_counter(); import qplane; "
        "print(time.perf_counter() - start, len({'grpc', 'numpy', 'finsy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, heavy = done.stdout.split()
    assert float(seconds) < 0.2
    assert heavy == "0"


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from qplane.cli import main; "
        "print({'grpc', 'numpy', 'finsy', 'pydantic', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_new_chain_writes_a_network_that_loads(tmp_path):
    path = tmp_path / "chain.toml"
    done = run("new", "chain", "--nodes", 9, "--length", "10 km", "--slots", 2, "--out", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(load(path).nodes) == 9
    printed = run("new", "chain", "--nodes", 9, "--length", "10 km", "--slots", 2)
    assert printed.stdout == path.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["new", "chain", "--length", "10"], "the unit is missing"),
        (["new", "chain", "--nodes", "1"], "greater than or equal to 2"),
        (["new", "chain", "--slots", "33"], "--slots 33: should be less than or equal to 32"),
        (["new", "chain", "--length", "100000 km"], "such a chain would not work: circuits[0]"),
        (["p4", "load", "--device", "-1"], "--device -1: should be greater than or equal to 0"),
        (["p4", "load", "--election-id", "0"], "--election-id 0: should be greater than"),
        (["net", "up", REPEATER, "--listen", "x"], "--listen: address 'x' is not HOST:PORT"),
        (["new", "chain", "--out", "/no/such/folder/x.toml"], "/no/such/folder/x.toml: can't be"),
        (["new", "ring"], "No such command"),
        (["p4", "info", "nothing"], "nothing.json: No such file"),
        (["p4", "info", "--source", "/no/such"], "/no/such"),
        (["p4", "build", "nothing"], "has no nothing.p4 (it has herald, qnode)"),
        (["--nonsense"], "No such option"),
    ],
)
def test_wrong_options_give_one_message_and_status_2(arguments, message):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_p4_info_lists_tables_registers_and_headers():
    done = run("p4", "info")
    assert done.returncode == 0
    for name in ("port_kind", "pair_in", "packet_in", "register", "counter"):
        assert name in done.stdout


def test_p4_build_says_what_to_install_where_there_is_no_compiler(tmp_path):
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(
        [QPLANE, "p4", "build"], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 1
    assert "Install p4c" in done.stderr


def test_the_switch_is_there_under_both_names():
    ours = run("switch", "--version")
    alone = subprocess.run(
        [QPLANE.with_name("qplane-switch"), "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ours.stdout == alone.stdout
    assert ours.returncode == alone.returncode == 0
