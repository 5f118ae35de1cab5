"""One switch process for each node, on veth pairs; devices, links and channels in the engine."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qplane.clock import PS_PER_SECOND
from qplane.live import netns, rundir
from qplane.live.api import OperationError
from qplane.live.fabric import Report, SwitchState
from qplane.live.front import Front
from qplane.live.paced import PacedEngine
from qplane.live.process import SwitchProcess
from qplane.live.wiring import Wiring, all_ports
from qplane.net import CPU_PORT, Network
from qplane.simulate.emulation import Emulation
from qplane_cext.sim.external import ExternalSwitch

SIMPLE_SWITCH = "simple_switch_grpc"

SWITCH_MARGIN_S = 0.02
"""Wall time that a heralding station waits for messages longer than it would for quick switches."""


@dataclass(frozen=True)
class SwitchProgram:
    """How to start a switch; both take simple_switch_grpc's command line."""

    name: str
    command: Sequence[str]


def embedded() -> SwitchProgram:
    """qplane-switch, by the interpreter that runs us."""
    return SwitchProgram("embedded, a process each", [sys.executable, "-m", "qplane.switch.cli"])


def bmv2(path: str | None) -> SwitchProgram:
    """The simple_switch_grpc that is named, or that on PATH. Raises OperationError."""
    found = shutil.which(path or SIMPLE_SWITCH)
    if found is None:
        where = f"--bmv2 {path}: there is no such program" if path else "it is not on PATH"
        raise OperationError(
            f"--target bmv2 needs {SIMPLE_SWITCH}, but {where}: install the package p4lang-bmv2 of "
            "the p4lang repositories, or build github.com/p4lang/behavioral-model "
            "(docs/bmv2.md); or use --target embedded"
        )
    return SwitchProgram("bmv2", [found])


def check_permitted(what: str) -> None:
    """Raises OperationError unless this process may make namespaces and interfaces."""
    if not netns.permitted():
        raise OperationError(
            f"{what} makes network namespaces and interfaces, which takes root (CAP_SYS_ADMIN, "
            "CAP_NET_ADMIN, CAP_NET_RAW): use sudo, or leave it out: embedded switches need none"
        )


class OutsideFabric:
    """Everything in `folder` (sockets, logs) and in namespaces that end with this process."""

    is_external = True

    def __init__(
        self,
        plan: Network,
        program: SwitchProgram,
        folder: Path,
        report: Report,
        *,
        time_scale: float,
        listen: str,
        seed: int | None,
        pcap: Path | None,
    ) -> None:
        """Raises OperationError, OSError."""
        self.target = program.name
        self._plan = plan
        self._folder = folder
        self._wiring = Wiring(plan)
        try:
            self._externals = {
                name: ExternalSwitch(self._wiring.sockets(name)) for name in plan.nodes
            }
            self.emulation = Emulation(
                plan,
                seed=seed,
                pcap_dir=pcap,
                external=self._externals,
                switch_margin_ps=round(SWITCH_MARGIN_S / time_scale * PS_PER_SECOND),
            )
        except BaseException:
            self._wiring.close()
            raise
        self.paced = PacedEngine(self.emulation.engine, time_scale)
        host, first = _host_and_port(listen)
        self._processes: dict[str, SwitchProcess] = {}
        self._fronts: dict[str, Front] = {}
        addresses = {}
        for index, node in enumerate(plan.nodes.values()):
            path = folder / f"switch-{node.name}.sock"
            rundir.check_socket_path(path)
            interfaces = [
                part for port in all_ports(plan, node.name) for part in ("-i", f"{port}@port{port}")
            ]
            self._processes[node.name] = SwitchProcess(
                node.name,
                self._wiring.switches[node.name],
                [
                    *program.command,
                    "--no-p4",
                    *("--device-id", str(node.id)),
                    *interfaces,
                    "--",
                    *("--grpc-server-addr", f"unix:{path}"),
                    *("--cpu-port", str(CPU_PORT)),
                ],
                path,
                folder / f"switch-{node.name}.log",
                report,
            )
            self._fronts[node.name] = Front(path, host, first + index if first else 0)
            addresses[node.name] = f"unix:{path}"
        self.addresses: Mapping[str, str] = addresses

    async def start(self) -> None:
        await asyncio.gather(*(process.start() for process in self._processes.values()))
        for front in self._fronts.values():
            await front.start()
        self.paced.start()

    async def stop(self) -> None:
        for front in self._fronts.values():
            await front.stop()
        for process in self._processes.values():
            await process.stop()
        self.paced.stop()
        self.emulation.close()
        self._wiring.close()

    def start_pings(self) -> bool:
        return False

    def switches(self) -> list[SwitchState]:
        return [
            SwitchState(
                node.name,
                node.id,
                self._fronts[node.name].address,
                self._processes[node.name].pid,
                self._processes[node.name].restarts,
            )
            for node in self._plan.nodes.values()
        ]

    def namespaces(self) -> list[int]:
        return [n.inode for n in (*self._wiring.switches.values(), *self._wiring.hosts.values())]

    def namespace(self, name: str, *, switch: bool) -> str:
        if switch:
            if name not in self._wiring.switches:
                known = ", ".join(self._wiring.switches)
                raise OperationError(f"there is no node {name}; there are: {known}")
            return self._wiring.switches[name].path
        if name in self._wiring.hosts:
            return self._wiring.hosts[name].path
        if name not in self._plan.nodes:
            known = ", ".join(self._wiring.hosts) or "none"
            raise OperationError(f"there is no host {name}; there are: {known}")
        on_node = self._plan.hosts_of(name)
        if len(on_node) != 1:
            names = ", ".join(host.name for host in on_node) or "none"
            raise OperationError(
                f"{name} is a node, and not of exactly one host (its hosts: {names}); "
                "name a host, or add --switch for the namespace of its switch"
            )
        return self._wiring.hosts[on_node[0].name].path

    def transit(self, *, recent: bool) -> Mapping[str, Mapping[str, float]]:
        return {name: external.transit(recent=recent) for name, external in self._externals.items()}


def _host_and_port(listen: str) -> tuple[str, int]:
    """Raises OperationError."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 0xFFFF:
        raise OperationError(f'--listen {listen}: not HOST:PORT, like "127.0.0.1:9559"')
    return host, int(port)
