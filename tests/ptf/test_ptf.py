"""The packet tests of ptf_tests/, against the embedded switch."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PTF = ROOT / ".venv-shell" / "bin" / "ptf"


@pytest.mark.skipif(not PTF.exists(), reason="no .venv-shell; `make test` prepares it")
def test_every_packet_test_passes_on_the_embedded_switch():
    done = subprocess.run(
        [sys.executable, ROOT / "ptf_tests" / "run.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stderr, done.stderr
    assert "OK" in done.stderr, done.stderr
