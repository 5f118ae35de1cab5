"""The packet socket against the library that everybody else speaks it with, and bad peers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pynng
import pytest

from qplane.switch.backends import pair_socket
from qplane.switch.backends.pair_socket import GREETING, IPC_LENGTH, PairListener

Listen = Callable[..., tuple[PairListener, list[bytes]]]


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.005)


@pytest.fixture
def listen() -> Iterator[Listen]:
    running = []

    def make(address: str) -> tuple[PairListener, list[bytes]]:
        taken: list[bytes] = []
        listener = PairListener(address, taken.extend)
        thread = threading.Thread(target=listener.run)
        thread.start()
        running.append((listener, thread))
        return listener, taken

    yield make
    for listener, thread in running:
        listener.close()
        thread.join(10)
        assert not thread.is_alive()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("kind", ["ipc", "tcp"])
def test_messages_of_all_sizes_go_both_ways(kind: str, listen: Listen, tmp_path: Path) -> None:
    url = f"ipc://{tmp_path}/p" if kind == "ipc" else f"tcp://127.0.0.1:{free_port()}"
    listener, taken = listen(url)
    messages = [bytes([i % 251]) * size for i, size in enumerate([1, 2, 12, 1500, 9000, 300_000])]
    for _ in range(2):  # the second time after a reconnect
        taken.clear()
        with pynng.Pair0(dial=url, recv_timeout=20_000, send_timeout=20_000) as pair:
            for message in messages:
                pair.send(message)
            wait_for(lambda: len(taken) == len(messages))
            assert taken == messages
            listener.send(messages[:3])
            listener.send(messages[3:])
            assert [pair.recv() for _ in messages] == messages
    assert listener.dropped == 0


def connect(path: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(20)
    peer.connect(str(path))
    peer.sendall(GREETING)
    return peer


def test_a_peer_that_does_not_read_loses_messages_and_stalls_nobody_for_long(
    listen: Listen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_socket, "STALL_S", 0.05)
    monkeypatch.setattr(pair_socket, "MAX_PENDING_BYTES", 1 << 16)
    listener, taken = listen(f"ipc://{tmp_path}/p")
    with connect(tmp_path / "p") as peer:
        peer.sendall(IPC_LENGTH.pack(1, 2) + b"hi")
        wait_for(lambda: taken == [b"hi"])  # the greeting has been understood
        begun = time.monotonic()
        for number in range(2000):
            listener.send([number.to_bytes(4, "big") * 500])
        assert time.monotonic() - begun < 10  # one stall, not one a message
        kept = 2000 - listener.dropped
        assert 0 < kept < 2000
        assert peer.recv(8, socket.MSG_WAITALL) == GREETING
        for number in range(kept):  # in order and whole
            assert peer.recv(9, socket.MSG_WAITALL) == IPC_LENGTH.pack(1, 2000)
            assert peer.recv(2000, socket.MSG_WAITALL) == number.to_bytes(4, "big") * 500
        listener.send([b"again"])  # it has caught up
        assert peer.recv(14, socket.MSG_WAITALL) == IPC_LENGTH.pack(1, 5) + b"again"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"\0SP\0\0\x30\0\0",  # another protocol: BUS
        GREETING + b"\x02" + bytes(8),  # no message
        GREETING + IPC_LENGTH.pack(1, 1 << 62),
    ],
)
def test_who_speaks_something_else_is_disconnected_and_the_next_is_served(
    sent: bytes, listen: Listen, tmp_path: Path
) -> None:
    _, taken = listen(f"ipc://{tmp_path}/p")
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(str(tmp_path / "p"))
        peer.sendall(sent)
        while peer.recv(100):
            pass
    with connect(tmp_path / "p") as peer:
        peer.sendall(IPC_LENGTH.pack(1, 2) + b"hi")
        wait_for(lambda: taken == [b"hi"])


def test_there_is_one_peer_at_a_time(listen: Listen, tmp_path: Path) -> None:
    _, taken = listen(f"ipc://{tmp_path}/p")
    with connect(tmp_path / "p") as first:
        assert first.recv(8, socket.MSG_WAITALL) == GREETING
        with socket.socket(socket.AF_UNIX) as second:
            second.settimeout(20)
            second.connect(str(tmp_path / "p"))
            assert second.recv(8) == b""
        first.sendall(IPC_LENGTH.pack(1, 2) + b"hi")
        wait_for(lambda: taken == [b"hi"])


def test_a_file_left_by_a_killed_process_makes_room_and_a_live_one_does_not(
    listen: Listen, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "p"))
    url = f"ipc://{tmp_path}/p"
    listen(url)
    with pytest.raises(OSError, match="in use"):
        PairListener(url, print)
    with pytest.raises(OSError, match="ipc://PATH or tcp://HOST:PORT"):
        PairListener("inproc://x", print)
