"""Network interfaces through AF_PACKET sockets (needs CAP_NET_RAW)."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import struct
import threading
from collections.abc import Callable

from qplane_cext.switch.afpacket import PacketLoop

from .base import BackendError, Direct, Ports, PortStatus, Receive

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP = 1
PACKET_AUXDATA = 8
PACKET_QDISC_BYPASS = 20
PACKET_IGNORE_OUTGOING = 23
PACKET_MR_PROMISC = 1
TP_STATUS_VLAN_VALID = 0x10
TP_STATUS_VLAN_TPID_VALID = 0x40
RTMGRP_LINK = 1
RTM_NEWLINK = 16
RTM_DELLINK = 17
IFF_UP = 0x1
IFF_RUNNING = 0x40

MAX_FRAME = 65536 + 18
BATCH = 64  # frames taken from one socket before the others get a turn
BUFFER_BYTES = 8 << 20


class AfPacketBackend:
    """One raw socket an interface; one thread reads them all.

    With a direct packet path that thread is a PacketLoop, and another one watches the interfaces.
    """

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._sockets: dict[int, socket.socket] = {}
        self._indexes: dict[int, int] = {}  # interface index -> port
        self._threads: list[threading.Thread] = []
        self._wake_read, self._wake_write = os.pipe()
        self.send_dropped = 0

    def start(self, receive: Receive, port_status: PortStatus, direct: Direct | None) -> None:
        """Open all interfaces and read from them."""
        for port, name in self._ports:
            self._sockets[port] = self._open(port, name)
        if direct is None:
            self._spawn("af_packet", lambda: self._run(self._sockets, receive, port_status))
        else:
            descriptors = [(port, sock.fileno()) for port, sock in self._sockets.items()]
            loop = PacketLoop(direct.core, descriptors, direct.cpu_port, direct.deliver_to_cpu)
            self._spawn("af_packet", lambda: loop.run(self._wake_read))
            self._spawn("interfaces", lambda: self._run({}, receive, port_status))

    def _spawn(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _open(self, port: int, name: str) -> socket.socket:
        try:
            sock = packet_socket(name)
        except OSError as error:
            # if_nametoindex's error has no number: only its text says what is wrong.
            missing = error.errno in (None, errno.ENODEV, errno.ENXIO)
            reason = "no such interface" if missing else error.strerror
            raise BackendError(f"port {port}: can't open interface {name!r}: {reason}") from error
        self._indexes[socket.if_nametoindex(name)] = port
        return sock

    def _run(
        self, sockets: dict[int, socket.socket], receive: Receive, port_status: PortStatus
    ) -> None:
        with selectors.DefaultSelector() as selector, _link_events() as links:
            for port, sock in sockets.items():
                selector.register(sock, selectors.EVENT_READ, port)
            selector.register(self._wake_read, selectors.EVENT_READ, "stop")
            selector.register(links, selectors.EVENT_READ, "links")
            while True:
                for key, _ in selector.select():
                    if key.data == "stop":
                        return
                    if key.data == "links":
                        self._report_links(links, port_status)
                    else:
                        self._drain(sockets[key.data], key.data, receive)

    @staticmethod
    def _drain(sock: socket.socket, port: int, receive: Receive) -> None:
        for _ in range(BATCH):
            try:
                data, ancillary, _, _ = sock.recvmsg(MAX_FRAME, 64)
            except BlockingIOError:
                return
            except OSError:
                return  # the interface went down or away; it may come back
            for level, kind, value in ancillary:
                if level == SOL_PACKET and kind == PACKET_AUXDATA:
                    data = _with_vlan_tag(data, value)
            receive(port, data)

    def _report_links(self, links: socket.socket, port_status: PortStatus) -> None:
        data = links.recv(65536)
        at = 0
        while at + 16 <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind in (RTM_NEWLINK, RTM_DELLINK) and length >= 32:
                index, flags = struct.unpack_from("=iI", data, at + 20)
                if index in self._indexes:
                    up = kind == RTM_NEWLINK and flags & IFF_UP and flags & IFF_RUNNING
                    port_status(self._indexes[index], bool(up))
            at += max((length + 3) & ~3, 16)

    def send(self, port: int, data: bytes) -> None:
        """Transmit one frame."""
        sock = self._sockets.get(port)
        if sock is None:
            return
        try:
            sock.send(data)
        except OSError:  # interface down, queue full, frame longer than its MTU
            self.send_dropped += 1

    def stop(self) -> None:
        """Stop the thread and close the sockets."""
        os.write(self._wake_write, b"x")
        for thread in self._threads:
            thread.join(1.0)
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()
        for descriptor in (self._wake_read, self._wake_write):
            os.close(descriptor)


def packet_socket(name: str) -> socket.socket:
    """Frames of interface `name`, those that come in alone; does not block. Raises OSError."""
    index = socket.if_nametoindex(name)
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        sock.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)  # as BMv2: no shaping on the way out
        membership = struct.pack("@iHH8s", index, PACKET_MR_PROMISC, 0, b"")
        sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
        # Bound last: nothing from other interfaces gets into the queue.
        sock.bind((name, ETH_P_ALL))
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _link_events() -> socket.socket:
    """A socket that tells of interfaces going up and down."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    sock.bind((0, RTMGRP_LINK))
    return sock


def _with_vlan_tag(data: bytes, auxdata: bytes) -> bytes:
    """Put a VLAN tag back that the kernel took out of the frame."""
    with contextlib.suppress(struct.error):
        status, _, _, _, _, tci, tpid = struct.unpack_from("@IIIHHHH", auxdata)
        if status & TP_STATUS_VLAN_VALID and len(data) >= 12:
            if not status & TP_STATUS_VLAN_TPID_VALID:
                tpid = 0x8100
            return data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
    return data
