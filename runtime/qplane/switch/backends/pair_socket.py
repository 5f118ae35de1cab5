"""The listening end of nanomsg's PAIR protocol, many messages at a time.

A greeting of 8 bytes each way, then every message behind its length (64 bits, big endian) and, on
Unix sockets, a byte 1 before that: RFC "sp-tcp-mapping-01" and "sp-ipc-mapping-01" of nanomsg. A
library hands messages over one by one through threads of its own, which at 10^4 packets a second
costs more than the packets do.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..listen import ListenError, split_address

log = logging.getLogger(__name__)

GREETING = b"\0SP\0\0\x10\0\0"  # version 0, protocol 16: PAIR
READ_BYTES = 1 << 18
MAX_MESSAGE_BYTES = 64 << 20
MAX_PENDING_BYTES = 16 << 20  # a peer that reads slower than it is sent to loses messages
STALL_S = 1.0  # after one sender has waited so long for room
# A message's head.
IPC_LENGTH, TCP_LENGTH = struct.Struct(">BQ"), struct.Struct(">Q")

Messages = list[bytes]


class PairListener:
    """Serves one peer at a time on ``ipc://PATH`` or ``tcp://HOST:PORT``; others are turned away.

    ``receive`` gets what has come, in the thread that runs :meth:`run`; ``send`` may be called from
    any thread.
    """

    def __init__(self, address: str, receive: Callable[[Messages], None]) -> None:
        """Listen. Raises OSError with a reason."""
        self.dropped = 0  # messages: no peer, or one that does not read
        self._receive = receive
        self._selector = selectors.DefaultSelector()
        self._path: Path | None = None
        if address.startswith("ipc://"):
            self._path = Path(address.removeprefix("ipc://"))
            self._listener = _listen_ipc(self._path)
        elif address.startswith("tcp://"):
            self._listener = _listen_tcp(address.removeprefix("tcp://"))
        else:
            raise ListenError("an address is ipc://PATH or tcp://HOST:PORT")
        self._listener.setblocking(False)
        self._waker, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._woken, selectors.EVENT_READ, self._wake_up)
        self._room = threading.Condition()  # guards the rest
        self._peer: socket.socket | None = None
        self._greeted = False
        self._pending = bytearray()  # to be sent
        self._stalled = False  # the peer takes nothing: there is no use in waiting
        self._stopping = False
        self._thread = 0  # run()'s
        self._incoming = bytearray()  # of run()'s thread alone

    # ---- in the thread of run() ----

    def run(self) -> None:
        """Serve until :meth:`close`."""
        self._thread = threading.get_ident()
        while not self._stopping:
            for key, events in self._selector.select():
                if key.data is not None:
                    key.data()
                    continue
                if events & selectors.EVENT_WRITE:
                    with self._room:
                        self._flush()
                if events & selectors.EVENT_READ:
                    self._read()
        self._drop_peer()
        self._selector.close()

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError:  # it is gone already
            return
        if self._peer is not None:
            peer.close()
            return
        peer.setblocking(False)
        if self._path is None:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._incoming.clear()
        with self._room:
            self._peer, self._greeted, self._stalled = peer, False, False
            self._pending[:] = GREETING
            self._selector.register(peer, selectors.EVENT_READ)
            self._flush()

    def _wake_up(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(64)
        with self._room:
            self._flush()

    def _read(self) -> None:
        peer = self._peer
        if peer is None:
            return
        try:
            chunk = peer.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        self._incoming += chunk
        try:
            messages = self._split()
        except ValueError as error:
            log.warning("packet socket: %s; the peer is disconnected", error)
            chunk = b""
        else:
            if messages:
                self._receive(messages)
        if not chunk:
            self._drop_peer()

    def _split(self) -> Messages:
        """The whole messages that have come. Raises ValueError."""
        data = self._incoming
        start = 0
        if not self._greeted:
            if len(data) < len(GREETING):
                return []
            if data[: len(GREETING)] != GREETING:
                raise ValueError(f"a greeting {data[: len(GREETING)].hex()} is not a PAIR's")
            start = len(GREETING)
            with self._room:
                self._greeted = True
        messages = []
        head = TCP_LENGTH if self._path is None else IPC_LENGTH
        while len(data) - start >= head.size:
            *kind, length = head.unpack_from(data, start)
            if kind not in ([], [1]) or length > MAX_MESSAGE_BYTES:
                raise ValueError(f"a message of type {kind} and {length} bytes")
            end = start + head.size + length
            if end > len(data):
                break
            messages.append(bytes(data[start + head.size : end]))
            start = end
        del data[:start]
        return messages

    def _drop_peer(self) -> None:
        with self._room:
            if self._peer is not None:
                self._selector.unregister(self._peer)
                self._peer.close()
            self._peer = None
            self._greeted = False
            self._pending.clear()
            self._room.notify_all()

    def _flush(self) -> None:
        """Send what can be sent now; the rest when there is room. Lock held."""
        peer = self._peer
        if peer is None:
            return
        if self._pending:
            sent = _send(peer, self._pending)
            self._stalled = self._stalled and not sent
            del self._pending[:sent]
            self._room.notify_all()
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._pending else 0)
        if self._selector.get_key(peer).events != events:
            self._selector.modify(peer, events)

    # ---- in any thread ----

    def send(self, messages: Messages) -> None:
        """Send messages in order; what there is no peer for, or no room in time, is lost."""
        data = b"".join(part for one in messages for part in (self._head(len(one)), one))
        with self._room:
            if not self._is_ready() and not self._stalled:
                self._wait_for_room()
            if not self._greeted or not self._is_ready():
                self.dropped += len(messages)
                return
            assert self._peer is not None
            if not self._pending:
                data = data[_send(self._peer, data) :]
            if data:
                self._pending += data
                self._wake()

    def _wait_for_room(self) -> None:
        """Let the peer catch up, once until it does. Lock held."""
        if threading.get_ident() != self._thread:
            self._stalled = not self._room.wait_for(self._is_ready, STALL_S)
            return
        assert self._peer is not None
        deadline = time.monotonic() + STALL_S
        while not self._is_ready() and (left := deadline - time.monotonic()) > 0:
            select.select([], [self._peer], [], left)
            self._flush()
        self._stalled = not self._is_ready()

    def _is_ready(self) -> bool:
        """Whether a sender need not wait."""
        return not self._greeted or len(self._pending) < MAX_PENDING_BYTES

    def _head(self, length: int) -> bytes:
        return TCP_LENGTH.pack(length) if self._path is None else IPC_LENGTH.pack(1, length)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._waker.send(b"\0")

    def close(self) -> None:
        """Stop listening; run() returns."""
        self._stopping = True
        self._wake()
        self._listener.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _send(peer: socket.socket, data: bytes | bytearray) -> int:
    """How much could be sent; all of it when the peer is gone, which reading from it tells."""
    try:
        return peer.send(data)
    except BlockingIOError:
        return 0
    except OSError:
        return len(data)


def _listen_tcp(address: str) -> socket.socket:
    host, port = split_address(address)
    return socket.create_server(("" if host == "*" else host, port))


def _listen_ipc(path: Path) -> socket.socket:
    """Listen on a Unix socket; a file that a killed process left behind makes room."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except OSError:
            pass  # nothing is there, or binding says what is wrong
        else:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener
