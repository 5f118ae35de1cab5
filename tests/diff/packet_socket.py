"""The packet socket of a switch (``--packet-in``): nanomsg PAIR over a Unix socket, by hand.

After an 8-byte greeting each message is 0x01, its length (64 bits) and its bytes; a message is
(type, port, length) as three little-endian numbers and the packet. One call sends a whole burst,
which is what makes it faster than a library.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterable

_GREETING = b"\0SP\0\0\x10\0\0"
_FRAME = struct.Struct(">BQ")
_HEADER = struct.Struct("<iii")
PORT_ADD, PACKET_IN, PACKET_OUT = 0, 3, 4

Receive = Callable[[int, bytes], None]


class PacketSocket:
    """A connection to the socket at `path`; `receive` gets (port, packet) in its own thread."""

    def __init__(self, path: str, receive: Receive) -> None:
        self._receive = receive
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(path)
            self._socket.sendall(_GREETING)
            if self._read(len(_GREETING)) != _GREETING:
                raise ConnectionError(f"{path}: not a nanomsg PAIR socket")
        except BaseException:
            self._socket.close()
            raise
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add_ports(self, ports: Iterable[int]) -> None:
        """Tell the switch which ports there are."""
        self._socket.sendall(b"".join(_message(PORT_ADD, port, b"") for port in ports))

    def send(self, packets: Iterable[tuple[int, bytes]]) -> None:
        """Send packets into ports, in order."""
        self._socket.sendall(b"".join(_message(PACKET_IN, port, data) for port, data in packets))

    def close(self) -> None:
        """End the connection and its thread."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            chunk = self._socket.recv(length - len(data))
            if not chunk:
                raise ConnectionError("the switch closed its packet socket")
            data += chunk
        return data

    def _run(self) -> None:
        pending = bytearray()
        while True:
            try:
                chunk = self._socket.recv(1 << 18)
            except OSError:
                return
            if not chunk:
                return
            pending += chunk
            start = 0
            while len(pending) - start >= _FRAME.size:
                _, length = _FRAME.unpack_from(pending, start)
                end = start + _FRAME.size + length
                if len(pending) < end:
                    break
                kind, port, size = _HEADER.unpack_from(pending, start + _FRAME.size)
                if kind == PACKET_OUT:
                    packet = start + _FRAME.size + _HEADER.size
                    self._receive(port, bytes(pending[packet : packet + size]))
                start = end
            del pending[:start]


def _message(kind: int, port: int, data: bytes) -> bytes:
    size = _HEADER.size + len(data)
    return _FRAME.pack(1, size) + _HEADER.pack(kind, port, len(data)) + data
