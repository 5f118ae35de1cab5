"""Interfaces through AF_PACKET sockets: what is told of their links."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator

import pytest

from qplane.switch.backends.af_packet import AfPacketBackend
from qplane.switch.backends.base import Direct
from qplane_cext.switch.core import SwitchCore


def ip(*commands: str) -> None:
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, check=True)


@pytest.fixture
def links() -> Iterator[None]:
    """Veth pairs qpl0-qpl1, up, and qpl2-qpl3."""
    made = os.geteuid() == 0 and subprocess.run(
        ["ip", "link", "add", "qpl0", "type", "veth", "peer", "name", "qpl1"],
        check=False, capture_output=True,
    ).returncode == 0  # fmt: skip
    if not made:
        pytest.skip("veth interfaces can't be made here")
    ip("link add qpl2 type veth peer name qpl3", "link set qpl0 up", "link set qpl1 up")
    yield
    ip("link del qpl0", "link del qpl2")


def test_links_are_followed_after_more_events_than_the_kernel_keeps(links: None) -> None:
    """One takes long to take note, as while a big Write is applied."""
    told = threading.Semaphore(0)
    go_on = threading.Event()
    state = {}

    def take_note(port: int, up: bool) -> None:
        state[port] = up
        told.release()
        go_on.wait()

    backend = AfPacketBackend([(1, "qpl0")])
    backend.start(
        lambda port, data: None,
        take_note,
        Direct(SwitchCore(), -1, lambda *packets: None, None),
    )
    try:
        ip("link set qpl1 down")
        assert told.acquire(timeout=5)
        ip(*["link set qpl2 up", "link set qpl2 down"] * 500)
        ip("link set qpl1 up")
        go_on.set()
        while not state[1]:
            assert told.acquire(timeout=5)
        ip("link set qpl1 down")
        while state[1]:
            assert told.acquire(timeout=5)
    finally:
        go_on.set()
        backend.stop()
