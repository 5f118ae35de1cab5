"""What tests of the switch and of its ports share."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest


def can_make_interfaces() -> bool:
    return os.geteuid() == 0 and subprocess.run(
        ["ip", "link", "add", "qpt0", "type", "veth", "peer", "name", "qpt1"],
        check=False, capture_output=True,
    ).returncode == 0  # fmt: skip


@pytest.fixture
def veths() -> Iterator[None]:
    """Two veth pairs qpt0-qpt1 and qpt2-qpt3."""
    if not can_make_interfaces():
        pytest.skip("veth interfaces can't be made here")
    subprocess.run(
        ["ip", "link", "add", "qpt2", "type", "veth", "peer", "name", "qpt3"], check=True
    )
    for number in range(4):
        subprocess.run(f"ip link set qpt{number} up".split(), check=True)
    yield
    for name in ("qpt0", "qpt2"):
        subprocess.run(f"ip link del {name}".split(), check=True)
