"""A StreamChannel read from the socket itself: HTTP/2 frames (RFC 9113) that hold gRPC messages.

It costs its process next to nothing, so what it receives is what a server can send. No flow
control: the windows are opened as far as they go, which is enough for 2 GB.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
ACK, END_HEADERS = 1, 4  # flags
MAX_WINDOW = (1 << 31) - 1
FRAME_HEAD, MESSAGE_HEAD = 9, 5
RECEIVE_BYTES = 1 << 18
TIMEOUT_S = 1.0


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """An HTTP/2 frame."""
    head = len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream)
    return head + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A header field that enters no table (RFC 7541, 6.2.2)."""
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


class LeanStream:
    """An open call of ``/p4.v1.P4Runtime/StreamChannel``; iterating gives the messages' batches.

    Each batch is the list of messages that came together; an empty one when nothing came for a
    second. ConnectionError: the server has ended the call.
    """

    def __init__(self, address: str, first: bytes) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # :method POST and :scheme http are 3 and 6 of the static table.
        fields = b"\x83\x86" + literal(b":path", b"/p4.v1.P4Runtime/StreamChannel")
        fields += literal(b":authority", address.encode()) + literal(b"te", b"trailers")
        fields += literal(b"content-type", b"application/grpc")
        window = struct.pack(">HI", 4, MAX_WINDOW)  # SETTINGS_INITIAL_WINDOW_SIZE
        self._socket.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + frame(SETTINGS, 0, 0, window)
            + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", MAX_WINDOW - 65_535))
            + frame(HEADERS, END_HEADERS, 1, fields)
            + frame(DATA, 0, 1, struct.pack(">BI", 0, len(first)) + first)
        )

    def __iter__(self) -> Iterator[list[bytes]]:
        frames, data = bytearray(), bytearray()
        while True:
            try:
                received = self._socket.recv(RECEIVE_BYTES)
            except TimeoutError:
                yield []
                continue
            if not received:
                raise ConnectionError("the server closed the connection")
            frames += received
            self._take_frames(frames, data)
            yield _messages(data)

    def _take_frames(self, frames: bytearray, data: bytearray) -> None:
        at = 0
        while len(frames) - at >= FRAME_HEAD:
            end = at + FRAME_HEAD + int.from_bytes(frames[at : at + 3], "big")
            if end > len(frames):
                break
            kind, flags = frames[at + 3], frames[at + 4]
            payload = frames[at + FRAME_HEAD : end]
            if kind == DATA:
                data += payload
            elif kind in (SETTINGS, PING) and not flags & ACK:
                answer = bytes(payload) if kind == PING else b""
                self._socket.sendall(frame(kind, ACK, 0, answer))
            elif kind == GOAWAY:
                raise ConnectionError("the server said goodbye")
            at = end
        del frames[:at]

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def _messages(data: bytearray) -> list[bytes]:
    """The whole messages at the front of the data, which they leave."""
    messages = []
    at = 0
    while len(data) - at >= MESSAGE_HEAD:
        end = at + MESSAGE_HEAD + int.from_bytes(data[at + 1 : at + MESSAGE_HEAD], "big")
        if end > len(data):
            break
        messages.append(bytes(data[at + MESSAGE_HEAD : end]))
        at = end
    del data[:at]
    return messages
