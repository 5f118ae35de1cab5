"""Network interfaces through AF_PACKET sockets (needs CAP_NET_RAW)."""

from __future__ import annotations

import errno
import fcntl
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
PACKET_IGNORE_OUTGOING = 23
PACKET_MR_PROMISC = 1
RTMGRP_LINK = 1
RTM_NEWLINK = 16
RTM_DELLINK = 17
IFF_UP = 0x1
IFF_RUNNING = 0x40
SIOCGIFFLAGS = 0x8913

BUFFER_BYTES = 8 << 20


class AfPacketBackend:
    """One raw socket an interface; a PacketLoop reads them all, and another thread watches the
    interfaces."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._sockets: dict[int, socket.socket] = {}
        self._indexes: dict[int, int] = {}  # interface index -> port
        self._threads: list[threading.Thread] = []
        self._wake_read, self._wake_write = os.pipe()
        self.send_dropped = 0

    def start(self, receive: Receive, port_status: PortStatus, direct: Direct) -> None:
        """Open all interfaces and read from them."""
        for port, name in self._ports:
            self._sockets[port] = self._open(port, name)
        descriptors = [(port, sock.fileno()) for port, sock in self._sockets.items()]
        loop = PacketLoop(
            direct.core, descriptors, direct.cpu_port, direct.deliver_to_cpu, direct.watch
        )
        self._spawn("af_packet", lambda: loop.run(self._wake_read))
        self._spawn("interfaces", lambda: self._watch_links(port_status))

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

    def _watch_links(self, port_status: PortStatus) -> None:
        with selectors.DefaultSelector() as selector, _link_events() as links:
            selector.register(self._wake_read, selectors.EVENT_READ)
            selector.register(links, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is not links:
                        return
                    self._report_links(links, port_status)

    def _report_links(self, links: socket.socket, port_status: PortStatus) -> None:
        try:
            data = links.recv(65536)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            # More has happened than the kernel keeps for us: see how every port is now, after
            # what it has kept.
            _drain(links)
            for port, name in self._ports:
                port_status(port, _is_up(self._sockets[port], name))
            return
        at = 0
        while at + 16 <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind in (RTM_NEWLINK, RTM_DELLINK) and length >= 32:
                index, flags = struct.unpack_from("=iI", data, at + 20)
                if index in self._indexes:
                    port_status(self._indexes[index], kind == RTM_NEWLINK and _runs(flags))
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
        membership = struct.pack("@iHH8s", index, PACKET_MR_PROMISC, 0, b"")
        sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        # Bound last: nothing from other interfaces gets into the queue.
        sock.bind((name, ETH_P_ALL))
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _drain(links: socket.socket) -> None:
    while True:
        try:
            links.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise


def _runs(flags: int) -> bool:
    return bool(flags & IFF_UP and flags & IFF_RUNNING)


def _is_up(sock: socket.socket, name: str) -> bool:
    """Whether an interface is up and has a carrier; False for one that is gone."""
    try:
        answer = fcntl.ioctl(sock, SIOCGIFFLAGS, struct.pack("@16s24x", name.encode()))
    except OSError:
        return False
    return _runs(struct.unpack_from("@16xH", answer)[0])


def _link_events() -> socket.socket:
    """A socket that tells of interfaces going up and down."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    sock.bind((0, RTMGRP_LINK))
    return sock
