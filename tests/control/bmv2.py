"""BMv2 switches for the tests: one simple_switch_grpc per node, with a scripted quantum device.

Packets go over BMv2's own packet socket (``--packet-in``): messages of three little-endian numbers
(type, port, length) and the payload. No interfaces, no root.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pynng
from diff.target import SIMPLE_SWITCH

from qplane.net import CPU_PORT, QUANTUM_PORT, Network

from .scripted import PatientClock, ScriptedDevice

PORT_ADD, PORT_STATUS, PACKET_IN, PACKET_OUT = 0, 2, 3, 4
START_SECONDS = 30.0


class Bmv2Fabric:
    """The switches of a network; a context manager. `addresses` are by node."""

    def __init__(self, net: Network, folder: Path) -> None:
        self.net = net
        self.clock = PatientClock(turns=2000)  # the switches are processes of their own
        self.devices = {
            node.name: ScriptedDevice(net, node.name)
            for node in net.nodes.values()
            if node.is_quantum
        }
        self.addresses: dict[str, str] = {}
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._sockets: list[pynng.Pair0] = []
        self._by_node: dict[str, pynng.Pair0] = {}
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Bmv2Fabric:
        try:
            for name in self.net.nodes:
                self._start(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for sock in self._sockets:
            sock.close()
        for thread in self._threads:
            thread.join()

    def _start(self, name: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.addresses[name] = f"127.0.0.1:{port}"
        packets = f"ipc://{self._folder}/{name}.ipc"
        notifications = f"ipc://{self._folder}/{name}-notifications.ipc"
        command = [SIMPLE_SWITCH, "--no-p4", "--device-id", str(self.net.nodes[name].id)]
        command += ["--packet-in", packets, "--notifications-addr", notifications, "-L", "off"]
        command += ["--", "--grpc-server-addr", self.addresses[name], "--cpu-port", str(CPU_PORT)]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        self._processes.append(process)
        _await_listener(port, process)
        sock = pynng.Pair0(dial=packets)
        self._sockets.append(sock)
        self._by_node[name] = sock
        for number in (*range(1, 9), QUANTUM_PORT):
            sock.send(struct.pack("<iii", PORT_ADD, number, 0))
            sock.send(struct.pack("<iii", PORT_STATUS, number, 1))
        thread = threading.Thread(target=self._serve_device, args=(name, sock))
        thread.start()
        self._threads.append(thread)

    def _serve_device(self, name: str, sock: pynng.Pair0) -> None:
        while True:
            try:
                message = sock.recv()
            except pynng.Closed:
                return
            kind, port, length = struct.unpack("<iii", message[:12])
            if kind != PACKET_OUT:
                continue
            packet = message[12 : 12 + length]
            if port == QUANTUM_PORT and name in self.devices:
                for reply in self.devices[name].answer(packet):
                    _enter(sock, QUANTUM_PORT, reply)
            for link in self.net.links_of(name):
                if link.end(name).port == port:
                    _enter(self._by_node[link.far(name).node], link.far(name).port, packet)


def _enter(sock: pynng.Pair0, port: int, packet: bytes) -> None:
    sock.send(struct.pack("<iii", PACKET_IN, port, len(packet)) + packet)


def _await_listener(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"simple_switch_grpc ended with status {process.returncode}")
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"simple_switch_grpc does not listen after {START_SECONDS:g} s")
