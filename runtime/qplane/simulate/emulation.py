"""The emulated network: switches with their P4Runtime server, and the engine that they run on."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

from qplane.net import CPU_PORT, GATEWAY_IP, QUANTUM_PORT, NetworkFileError
from qplane.net.model import FIBRE_M_PER_S, Herald, Link, Node
from qplane.net.model import Network as Plan
from qplane.net.schema import Faults as FaultSection
from qplane.net.schema import Memory
from qplane.simulate.emulated import EmulatedSwitch
from qplane.simulate.expected import NodePhysics
from qplane.switch.server import P4RuntimeServer
from qplane_cext.sim.external import ExternalSwitch
from qplane_cext.sim.network import Faults, Network
from qplane_cext.switch.core import SwitchCore

OnCpu = Callable[[bytes], None]


class Emulation:
    """What a network file describes, ready to run.

    With `external`, the switches are other processes, by node: the engine has the quantum devices,
    links and classical channels alone. Hosts are then elsewhere too, and there is no server.
    `switch_margin_ps` is how much longer a heralding station and its devices wait than they need to
    with quick switches.

    Indices of the engine are kept by name: `nodes`, `links` (the engine's quantum link by the
    plan's link index), `channels` (likewise), `hosts`. Raises OSError where `pcap_dir` can't be
    written or `listen` not be listened on.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        seed: int | None = None,
        pcap_dir: Path | None = None,
        listen: str = "127.0.0.1:0",
        first_seq: int = 0,
        sample_limit: int = 100_000,
        external: Mapping[str, ExternalSwitch] | None = None,
        switch_margin_ps: int = 1_000_000,
        switch_type: Callable[..., EmulatedSwitch] = EmulatedSwitch,
    ) -> None:
        self.plan = plan
        self._switch_margin_ps = switch_margin_ps
        self.address = ""
        """Where the P4Runtime server of all nodes listens; empty with external switches."""
        self.on_inject: Callable[[], None] | None = None
        """Called, from any thread, when a packet-out has been given to the engine."""
        self._external = external
        self._switch_type = switch_type
        self.seed = plan.seed if seed is None else seed
        self.engine = Network(
            self.seed,
            first_seq=first_seq,
            sample_limit=sample_limit,
            pcap_dir=None if pcap_dir is None else str(pcap_dir),
        )
        self.cores: dict[str, SwitchCore] = {}
        self.devices: dict[str, EmulatedSwitch] = {}
        self.exchanged: set[str] = set()
        """Nodes whose switch has sent packets to its primary, got or lost it, or is new; who looks
        at them takes them out."""
        self.nodes: dict[str, int] = {}
        self.links: dict[int, int] = {}
        self.channels: dict[int, int] = {}
        self.hosts: dict[str, int] = {}
        self._count = threading.Lock()
        self.server: P4RuntimeServer | None = None
        for node in plan.nodes.values():
            self._add_node(node)
        for link in plan.links:
            self._add_link(link)
        if external is not None:
            return
        for host in plan.hosts.values():
            self.hosts[host.name] = self.engine.add_host(
                host.name,
                self.nodes[host.node],
                host.port,
                mac=host.mac,
                ip=host.ip,
                gateway_ip=GATEWAY_IP,
                prefix_length=32,
            )
        self.server = P4RuntimeServer(self.devices.values(), listen)
        self.address = self.server.start()

    def _switch(self, node: Node) -> tuple[SwitchCore | ExternalSwitch, OnCpu | None]:
        """What runs the P4 program, and what takes its packet-ins."""
        if self._external is not None:
            return self._external[node.name], None
        core = self.cores[node.name] = SwitchCore(cpu_port=CPU_PORT)
        self._new_device(node)

        def on_cpu(data: bytes) -> None:
            self.devices[node.name].deliver_to_cpu(data)  # not always the same: it may restart

        return core, on_cpu

    def _new_device(self, node: Node) -> EmulatedSwitch:
        device = self.devices[node.name] = self._switch_type(
            node.id,
            self.cores[node.name],
            inject=lambda port, data: self._packet_out(node.name, port, data),
            name=node.name,
        )
        device.on_exchange = partial(self.exchanged.add, node.name)
        self.exchanged.add(node.name)
        return device

    def restart_switch(self, name: str) -> None:
        """The switch of a node goes down and comes up: no program, no entries, no clients.

        Its quantum device and its links go on.
        """
        if self.server is None:
            raise RuntimeError("the switches are other processes; they are restarted there")
        node = self.plan.nodes[name]
        self.server.remove_device(node.id)
        self.cores[name].reset()
        self.server.add_device(self._new_device(node))

    def cut(self, link: Link, cut: bool = True) -> None:
        """From now on, all frames on the link's fibre are lost; with `cut` false, none is."""
        self.engine.cut_channel(self.channels[link.index], cut)

    def _add_node(self, node: Node) -> None:
        core, on_cpu = self._switch(node)
        index = len(self.nodes)
        self.nodes[node.name] = index
        memory = node.memory
        if memory is None:
            self.engine.add_node(
                node.name,
                node.id,
                core,
                cpu_port=CPU_PORT,
                quantum_port=QUANTUM_PORT if node.is_station else None,
                on_cpu=on_cpu,
            )
            return
        physics = physics_of(memory)
        self.engine.add_node(
            node.name,
            node.id,
            core,
            cpu_port=CPU_PORT,
            quantum_port=QUANTUM_PORT,
            on_cpu=on_cpu,
            slots=memory.slots,
            t1_s=physics.t1_s,
            t2_s=physics.t2_s,
            swap_time_ps=memory.swap_time,
            two_qubit_error=physics.two_qubit_error,
            one_qubit_error=physics.one_qubit_error,
            readout_error=physics.readout_error,
            swap_success=memory.swap_success,
            emitters=memory.emitters or 0,
            move_time_ps=memory.move_time,
            move_error=memory.move_error,
            storage_t1_s=memory.storage_t1_ps * 1e-12 or None,
            storage_t2_s=memory.storage_t2_ps * 1e-12 or None,
        )

    def _add_link(self, link: Link) -> None:
        a, b, options = link.a, link.b, link.options
        self.channels[link.index] = self.engine.add_channel(
            self.nodes[a.node],
            a.port,
            self.nodes[b.node],
            b.port,
            delay_ps=link.delay_ps,
            rate_bps=options.bandwidth,
            faults=_faults(self.plan.faults),
        )
        if not link.quantum:
            return
        self.links[link.index] = self.engine.add_quantum_link(
            self.nodes[a.node],
            a.number,
            self.nodes[b.node],
            b.number,
            **asdict(options.fibre()),
        )
        if link.herald is not None:
            self._add_station(link, link.herald)

    def _add_station(self, link: Link, herald: Herald) -> None:
        """Channels to the station, each as long as its arm of the fibre, and the MHP."""
        station = self.nodes[herald.station]
        ends = zip(
            (link.a, link.b), herald.end_ports, herald.station_ports, link.arms_m, strict=True
        )
        for end, port, station_port, metres in ends:
            self.engine.add_channel(
                self.nodes[end.node],
                port,
                station,
                station_port,
                delay_ps=round(metres / FIBRE_M_PER_S * 1e12),
                rate_bps=link.options.bandwidth,
                faults=_faults(self.plan.faults),
            )
        try:
            self.engine.add_station(
                self.links[link.index],
                station,
                herald.number,
                ports=herald.end_ports,
                cycle_ps=link.options.cycle,
                margin_ps=self._switch_margin_ps,
                every_attempt=link.options.every_attempt,
            )
        except ValueError as error:  # a cycle that the link's delays do not allow
            raise NetworkFileError(f"link {link.name}: {error}", file=self.plan.name) from error

    def _packet_out(self, node: str, port: int, data: bytes) -> None:
        """Called from the streams' threads."""
        self.engine.inject(self.nodes[node], port, data)
        with self._count:
            self.devices[node].packet_outs_received += 1
        if self.on_inject is not None:
            self.on_inject()

    def start_pings(self) -> None:
        """From now on, the pings of the network file."""
        for ping in self.plan.pings:
            self.engine.add_ping(
                self.hosts[ping.source],
                self.plan.hosts[ping.target].ip,
                interval_ps=ping.interval_ps,
                count=ping.count or None,
            )

    def close(self) -> None:
        """End the P4Runtime server and finish the captures."""
        if self.server is not None:
            self.server.stop()
        self.engine.close()


def physics_of(memory: Memory) -> NodePhysics:
    """A memory's physics in seconds and probabilities."""
    return NodePhysics(
        t1_s=memory.t1_ps * 1e-12 or math.inf,
        t2_s=memory.t2_ps * 1e-12 or math.inf,
        two_qubit_error=memory.two_qubit_gate_error,
        one_qubit_error=memory.one_qubit_gate_error,
        readout_error=memory.readout_error,
    )


def node_physics(plan: Plan) -> list[NodePhysics]:
    """By the engine's node index; a node without memory has nothing that could fail."""
    nothing = NodePhysics(math.inf, math.inf, 0.0, 0.0, 0.0)
    return [
        nothing if node.memory is None else physics_of(node.memory) for node in plan.nodes.values()
    ]


def _faults(section: FaultSection) -> Faults | None:
    if not section.any:
        return None
    return Faults(
        loss=section.loss,
        duplication=section.duplication,
        reordering=section.reordering,
        delay=section.delay,
        corruption=section.corruption,
        mean_delay_ps=section.mean_delay,
        max_flipped_bits=section.max_flipped_bits,
        all_traffic=section.all_traffic,
    )
