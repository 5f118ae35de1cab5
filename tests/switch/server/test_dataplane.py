"""The data plane of a real-time switch, without its ports."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qplane.switch.backends.base import Direct, PortStatus, Receive
from qplane.switch.dataplane import Dataplane
from qplane_cext.switch.core import Pipeline

QNODE = Path(__file__).parents[3] / "p4src" / "build" / "qnode.json"
STATION = bytes.fromhex("020000000aaa")  # is on port 1


class Sent:
    """Ports that only remember what is sent."""

    def __init__(self) -> None:
        self.packets: list[tuple[int, bytes]] = []

    def start(self, receive: Receive, port_status: PortStatus, direct: Direct) -> None:
        """Nothing comes."""

    def send(self, port: int, data: bytes) -> None:
        self.packets.append((port, data))

    def stop(self) -> None:
        """Nothing is open."""


@contextmanager
def files_of_300_bytes() -> Iterator[None]:
    """Longer ones can't be written, as on a full disk: not pytest's own output either, so this is
    no fixture (whose end comes after the test's dot)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_packets_go_on_when_a_capture_can_not_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, logger="qplane.switch.dataplane")
    backend = Sent()
    dataplane = Dataplane(1, backend, cpu_port=None)
    pipeline = Pipeline(QNODE.read_bytes())
    dataplane.core.commit(pipeline)
    (forward,) = [
        action
        for action in pipeline.actions["QnodeIngress.classical.forward"]
        if action.param_bitwidths == (9,)
    ]
    dataplane.core.table_add(
        "QnodeIngress.classical.l2", [STATION], 0, ("action", forward.action_id, [b"\0\1"])
    )
    packets = [(STATION + bytes(6) + b"\x12\x34" + bytes([i])).ljust(100) for i in range(5)]
    with files_of_300_bytes():
        dataplane.capture([(0, "in")], tmp_path)
        for packet in packets:
            dataplane.receive(0, packet)
        dataplane.stop()
    assert backend.packets == [(1, packet) for packet in packets]
    assert caplog.messages == ["port 0 is captured no longer: [Errno 27] File too large"]
    captured = (tmp_path / "in_in.pcap").read_bytes()
    assert packets[0] in captured and packets[3] not in captured
