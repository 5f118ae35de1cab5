"""BMv2's packet socket (``--packet-in``): a nanomsg PAIR on which the switch listens.

A message is 12 bytes, little-endian (type, port, length or status), and the packet. PTF speaks
it with ``--device-socket`` and ``--platform nn``.
"""

from __future__ import annotations

import logging
import struct
import threading

from .base import BackendError, Direct, PortStatus, Receive, Watch
from .pair_socket import PairListener

log = logging.getLogger(__name__)

Packet = tuple[int, bytes]

HEADER = struct.Struct("<iii")
PORT_ADD, PORT_REMOVE, PORT_STATUS, PACKET_IN, PACKET_OUT, INFO_REQUEST, INFO_REPLY = range(7)
# PTF's numbers: 0 up, 1 down. BMv2 has them the other way round, so that PTF's "up" takes a
# port of BMv2 down; what PTF means is what counts here.
STATUS_UP, STATUS_DOWN = 0, 1
INFO_NOT_SUPPORTED = 1


class NanomsgBackend:
    """All ports over one socket; ports exist as soon as they are used."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket: PairListener | None = None
        self._thread: threading.Thread | None = None

    def start(self, receive: Receive, port_status: PortStatus, direct: Direct) -> None:
        """Listen on the address."""
        self._port_status, self._direct = port_status, direct
        try:
            self._socket = PairListener(self._address, self._take)
        except OSError as error:
            raise BackendError(
                f"--packet-in: can't listen on {self._address}: {error.strerror or error}"
            ) from error
        self._thread = threading.Thread(target=self._socket.run, name="packet-in", daemon=True)
        self._thread.start()

    def _take(self, messages: list[bytes]) -> None:
        """Packets that follow each other go through the packet path together."""
        packets: list[Packet] = []
        for message in messages:
            if len(message) < HEADER.size:
                log.warning("packet socket: a message of %d bytes has no header", len(message))
                continue
            kind, port, more = HEADER.unpack_from(message)
            if kind == PACKET_IN:
                packets.append((port, message[HEADER.size : HEADER.size + max(more, 0)]))
                continue
            self._run(packets)
            packets = []
            self._obey(kind, port, more)
        self._run(packets)

    def _run(self, packets: list[Packet]) -> None:
        watch = self._direct.watch
        if watch is not None:  # in the order in which things happen
            for port, data in packets:
                watch(port, False, data)
                self._run_together([(port, data)], watch)
        elif packets:
            self._run_together(packets, None)

    def _run_together(self, packets: list[Packet], watch: Watch | None) -> None:
        cpu_port = self._direct.cpu_port
        out = self._direct.core.process_many(packets)
        sent = [packet for packet in out if packet[0] != cpu_port]
        if watch is not None:
            for port, data in sent:
                watch(port, True, data)
        self._send(sent)
        to_cpu = [data for port, data in out if port == cpu_port]
        if to_cpu:
            self._direct.deliver_to_cpu(*to_cpu)

    def _obey(self, kind: int, port: int, more: int) -> None:
        """Anything but a packet."""
        if kind == PORT_ADD:
            self._port_status(port, True)
        elif kind == PORT_REMOVE:
            self._port_status(port, False)
        elif kind == PORT_STATUS and more in (STATUS_UP, STATUS_DOWN):
            self._port_status(port, more == STATUS_UP)
        elif kind == INFO_REQUEST:
            assert self._socket is not None
            reply = HEADER.pack(INFO_REPLY, port, more) + struct.pack("<i", INFO_NOT_SUPPORTED)
            self._socket.send([reply])
        else:
            log.warning("packet socket: unknown message type %d, value %d", kind, more)

    def send(self, port: int, data: bytes) -> None:
        """Hand a packet to the peer; without one it is dropped."""
        self._send([(port, data)])

    def _send(self, packets: list[Packet]) -> None:
        if packets and self._socket is not None:
            self._socket.send(
                [HEADER.pack(PACKET_OUT, port, len(data)) + data for port, data in packets]
            )

    def stop(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
        if self._thread is not None:
            self._thread.join(1.0)
