"""Interfaces of a network whose switches are processes: veth pairs between namespaces.

Each switch and each host has a namespace of its own; so has our end of the wires. A switch's port N
is ``portN`` in its namespace. Ports to neighbours and to the quantum device end in packet sockets
of the engine, which has the channels' delay, rate and faults; a host's ``eth0`` is wired to its
switch directly.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from pathlib import Path

from qplane.control.mac import node_mac
from qplane.live.netns import Namespace, configure
from qplane.net import GATEWAY_IP, QUANTUM_PORT, Network
from qplane.net.model import Host
from qplane.switch.backends.af_packet import packet_socket
from qplane.wire import format_mac

MTU = 9000  # of a switch's ports: room for labels and tunnels around what a host sends

SIOCETHTOOL = 0x8946
OFFLOADS = {"checksums": 0x17, "segmentation": 0x1F, "generic segmentation": 0x24}
"""ETHTOOL_STXCSUM, _STSO, _SGSO: what a host's kernel would leave to hardware that is not there."""


def engine_ports(plan: Network, node: str) -> list[int]:
    """The ports of a node that end in the engine: neighbours, stations, the quantum device."""
    ports = [link.end(node).port for link in plan.links_of(node)]
    ports += plan.herald_ports(node)
    return [*ports, QUANTUM_PORT] if plan.nodes[node].has_quantum_port else ports


def all_ports(plan: Network, node: str) -> list[int]:
    """The ports of a node that an interface belongs to."""
    return [*engine_ports(plan, node), *(host.port for host in plan.hosts_of(node))]


class Wiring:
    """Namespaces and interfaces of `plan`. Closing it, or dying, takes them away.

    Raises OperationError or OSError where the kernel refuses.
    """

    def __init__(self, plan: Network) -> None:
        self.switches: dict[str, Namespace] = {}
        self.hosts: dict[str, Namespace] = {}
        self._sockets: dict[str, dict[int, socket.socket]] = {}
        self._middle: Namespace | None = None
        try:
            self._build(plan)
        except BaseException:
            self.close()
            raise

    def _build(self, plan: Network) -> None:
        self._middle = Namespace()
        for name in plan.nodes:
            self.switches[name] = Namespace()
        for name in plan.hosts:
            self.hosts[name] = Namespace()
        for namespace in (self._middle, *self.switches.values(), *self.hosts.values()):
            namespace.run(_no_ipv6)
        names = {
            (node, port): f"n{index}p{port}"
            for index, node in enumerate(plan.nodes)
            for port in engine_ports(plan, node)
        }
        configure(
            self._middle,
            [
                line
                for (node, port), name in names.items()
                for line in (
                    f"link add {name} type veth peer name port{port} "
                    f"netns {self.switches[node].path}",
                    f"link set {name} mtu {MTU} up",
                )
            ],
        )
        for node in plan.nodes:
            self._switch(plan, node)
        for host in plan.hosts.values():
            self._host(plan, host)
        self._middle.run(lambda: self._open(names))

    def _switch(self, plan: Network, node: str) -> None:
        lines = [
            f"link add port{host.port} type veth peer name eth0 address {host.mac} "
            f"netns {self.hosts[host.name].path}"
            for host in plan.hosts_of(node)
        ]
        lines.append("link set lo up")
        lines += [f"link set port{port} mtu {MTU} up" for port in all_ports(plan, node)]
        configure(self.switches[node], lines)

    def _host(self, plan: Network, host: Host) -> None:
        """What qplane.net.model says of hosts: prefix length 32, one gateway for everything."""
        gateway = format_mac(node_mac(plan.nodes[host.node].id))
        configure(
            self.hosts[host.name],
            [
                "link set lo up",
                "link set eth0 up",
                f"addr add {host.ip}/32 dev eth0",
                f"neigh add {GATEWAY_IP} lladdr {gateway} dev eth0 nud permanent",
                f"route add {GATEWAY_IP} dev eth0 scope link",
                f"route add default via {GATEWAY_IP} dev eth0 src {host.ip}",
            ],
        )
        self.hosts[host.name].run(lambda: _no_offloads("eth0"))

    def _open(self, names: dict[tuple[str, int], str]) -> None:
        for (node, port), name in names.items():
            self._sockets.setdefault(node, {})[port] = packet_socket(name)

    def sockets(self, node: str) -> dict[int, int]:
        """The engine's ends of a switch's ports, as file descriptors by port."""
        return {port: sock.fileno() for port, sock in self._sockets.get(node, {}).items()}

    def close(self) -> None:
        """Let go of everything; the kernel removes it when the last process has."""
        for sockets in self._sockets.values():
            for sock in sockets.values():
                sock.close()
        self._sockets = {}
        for namespace in (*self.switches.values(), *self.hosts.values()):
            namespace.close()
        self.switches, self.hosts = {}, {}
        if self._middle is not None:
            self._middle.close()
            self._middle = None


def _no_ipv6() -> None:
    """No packets that nobody asked for: neighbour and router discovery, multicast listeners."""
    for which in ("all", "default"):
        setting = Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6")
        if setting.exists():
            setting.write_text("1")


def _no_offloads(interface: str) -> None:
    """Checksums are computed and packets cut before they leave, as on a wire (ethtool -K)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for what, number in OFFLOADS.items():
            value = ctypes.create_string_buffer(struct.pack("II", number, 0))
            request = struct.pack("16sP", interface.encode(), ctypes.addressof(value))
            try:
                fcntl.ioctl(any_socket, SIOCETHTOOL, request)
            except OSError as error:
                raise OSError(error.errno, f"{interface}: {what} can't be turned off") from error
