"""Interfaces through AF_PACKET sockets: what is told of their links."""

from __future__ import annotations

import subprocess
import threading

from qplane.switch.backends.af_packet import AfPacketBackend
from qplane.switch.backends.base import Direct
from qplane_cext.switch.core import SwitchCore


def ip(*commands: str) -> None:
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, check=True)


def test_links_are_followed_after_more_events_than_the_kernel_keeps(veths: None) -> None:
    """One takes long to take note, as while a big Write is applied."""
    told = threading.Semaphore(0)
    go_on = threading.Event()
    state = {}

    def take_note(port: int, up: bool) -> None:
        state[port] = up
        told.release()
        go_on.wait()

    backend = AfPacketBackend([(1, "qpt0")])
    backend.start(
        lambda port, data: None,
        take_note,
        Direct(SwitchCore(), -1, lambda *packets: None, None),
    )
    try:
        ip("link set qpt1 down")
        assert told.acquire(timeout=5)
        ip(*["link set qpt2 up", "link set qpt2 down"] * 500)
        ip("link set qpt1 up")
        go_on.set()
        while not state[1]:
            assert told.acquire(timeout=5)
        ip("link set qpt1 down")
        while state[1]:
            assert told.acquire(timeout=5)
    finally:
        go_on.set()
        backend.stop()
