"""The vector lanes give the same bits whatever compiles them, and for whichever machine."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

CEXT = Path(__file__).parents[2] / "cext"
FLAGS = ["-O2", "-std=c11", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off", "-Wall",
         "-Wextra", "-Werror", "-Wno-unused-function"]  # fmt: skip


def result(folder: Path, compiler: str, *extra: str, run: tuple[str, ...] = ()) -> str:
    binary = folder / compiler
    subprocess.run(
        [compiler, *FLAGS, *extra, f"-I{CEXT}", "-isystem", np.get_include(),
         str(Path(__file__).with_name("lanes.c")), "-o", str(binary), "-lm", "-lpthread"],
        check=True,
    )  # fmt: skip
    done = subprocess.run([*run, str(binary)], check=True, capture_output=True, text=True)
    assert done.stdout.split()[2] == "0"  # no qubit is left
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "compiler, extra, run",
    [("clang", (), ()), ("aarch64-linux-gnu-gcc", ("-static",), ("qemu-aarch64",))],
)
def test_lanes_give_the_same_bits(tmp_path, compiler, extra, run):
    for tool in ("gcc", compiler, *run):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    assert result(tmp_path, compiler, *extra, run=run) == result(tmp_path, "gcc")
