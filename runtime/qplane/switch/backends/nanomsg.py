"""BMv2's packet socket (``--packet-in``): a nanomsg PAIR on which the switch listens.

A message is 12 bytes, little-endian (type, port, length or status), and the packet. PTF speaks
it with ``--device-socket`` and ``--platform nn``.
"""

from __future__ import annotations

import logging
import struct
import threading

import pynng

from .base import BackendError, Direct, PortStatus, Receive

log = logging.getLogger(__name__)

HEADER = struct.Struct("<iii")
PORT_ADD, PORT_REMOVE, PORT_STATUS, PACKET_IN, PACKET_OUT, INFO_REQUEST, INFO_REPLY = range(7)
# PTF's numbers: 0 up, 1 down. BMv2 has them the other way round, so that PTF's "up" takes a
# port of BMv2 down; what PTF means is what counts here.
STATUS_UP, STATUS_DOWN = 0, 1
INFO_NOT_SUPPORTED = 1
RECEIVE_TIMEOUT_MS = 100  # how long stopping may take
SEND_TIMEOUT_MS = 1000  # a peer that reads slower than this loses packets
BUFFERED_MESSAGES = 4096


class NanomsgBackend:
    """All ports over one socket; ports exist as soon as they are used."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket: pynng.Pair0 | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        self.send_dropped = 0

    def start(self, receive: Receive, port_status: PortStatus, direct: Direct | None) -> None:
        """Listen on the address."""
        try:
            self._socket = pynng.Pair0(
                listen=self._address,
                recv_timeout=RECEIVE_TIMEOUT_MS,
                send_timeout=SEND_TIMEOUT_MS,
                recv_buffer_size=BUFFERED_MESSAGES,
                send_buffer_size=BUFFERED_MESSAGES,
                recv_max_size=0,
            )
        except pynng.NNGException as error:
            raise BackendError(f"--packet-in: can't listen on {self._address}: {error}") from error
        self._thread = threading.Thread(
            target=self._run, args=(receive, port_status), name="packet-in", daemon=True
        )
        self._thread.start()

    def _run(self, receive: Receive, port_status: PortStatus) -> None:
        assert self._socket is not None
        while not self._stopping:
            try:
                message = self._socket.recv()
            except pynng.Timeout:
                continue
            except pynng.NNGException:
                return
            self._handle(message, receive, port_status)

    def _handle(self, message: bytes, receive: Receive, port_status: PortStatus) -> None:
        if len(message) < HEADER.size:
            log.warning("packet socket: a message of %d bytes has no header", len(message))
            return
        kind, port, more = HEADER.unpack_from(message)
        if kind == PACKET_IN:
            receive(port, message[HEADER.size : HEADER.size + max(more, 0)])
        elif kind == PORT_ADD:
            port_status(port, True)
        elif kind == PORT_REMOVE:
            port_status(port, False)
        elif kind == PORT_STATUS and more in (STATUS_UP, STATUS_DOWN):
            port_status(port, more == STATUS_UP)
        elif kind == INFO_REQUEST:
            reply = HEADER.pack(INFO_REPLY, port, more) + struct.pack("<i", INFO_NOT_SUPPORTED)
            self._transmit(reply)
        else:
            log.warning("packet socket: unknown message type %d, value %d", kind, more)

    def send(self, port: int, data: bytes) -> None:
        """Hand a packet to the peer; without one it is dropped."""
        self._transmit(HEADER.pack(PACKET_OUT, port, len(data)) + data)

    def _transmit(self, message: bytes) -> None:
        sock = self._socket
        if sock is None or not sock.pipes:
            self.send_dropped += 1
            return
        try:
            sock.send(message)
        except pynng.NNGException:
            self.send_dropped += 1

    def stop(self) -> None:
        """Close the socket."""
        self._stopping = True
        if self._thread is not None:
            self._thread.join(1.0)
        if self._socket is not None:
            self._socket.close()
