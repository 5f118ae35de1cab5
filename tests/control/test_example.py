"""examples/controller.py is a demo and a test: the whole face of the controller in one run."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_example_runs_to_its_end():
    done = subprocess.run(
        [sys.executable, "examples/controller.py", "examples/repeater.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "alice: 4 slots, 1 quantum links",
        "repeater: 4 slots, 2 quantum links",
        "bob: 4 slots, 1 quantum links",
    ]
    assert "circuit alice-bob: alice - repeater - bob" in lines
    assert sum("GENERATING" in line for line in lines) == 4
    assert lines[-1] == "differences: []"
    assert done.stderr == ""
