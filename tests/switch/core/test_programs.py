"""The committed p4c outputs are those of the committed programs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import PROGRAMS

NAMES = sorted(path.stem for path in PROGRAMS.glob("*.p4"))


def test_every_program_has_its_outputs() -> None:
    for suffix in (".json", ".p4info.txtpb"):
        assert sorted(path.name.removesuffix(suffix) for path in PROGRAMS.glob(f"*{suffix}")) == (
            NAMES
        )


@pytest.mark.p4c
@pytest.mark.skipif(shutil.which("p4c-bm2-ss") is None, reason="p4c-bm2-ss is not on PATH")
@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_fresh(name: str, tmp_path: Path) -> None:
    shutil.copy(PROGRAMS / f"{name}.p4", tmp_path)
    subprocess.run(
        ["p4c-bm2-ss", "--std", "p4-16", "-o", f"{name}.json", f"{name}.p4"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    assert (tmp_path / f"{name}.json").read_text() == (PROGRAMS / f"{name}.json").read_text()
