"""The controller of one network: the face that the command line, tests and scripts use."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path

import finsy as fy

from qplane.arguments import checked
from qplane.clock import PS_PER_SECOND, Clock
from qplane.control.circuits import Circuits
from qplane.control.client import NewClient, grpc_client
from qplane.control.devices import ANSWER_TIMEOUT_PS, Devices
from qplane.control.entries import Entry
from qplane.control.errors import ControlError
from qplane.control.events import Events
from qplane.control.generation import LinkStatus
from qplane.control.keeper import INTERVAL_PS, Keeper
from qplane.control.links import MOST_SELDOM
from qplane.control.neighbours import Neighbours
from qplane.control.ping import Ping, Pings, find_circuit
from qplane.control.plans import CircuitPlan
from qplane.control.program import schema as program_schema
from qplane.control.programmer import Programmer
from qplane.control.reconcile import Difference
from qplane.control.samples import Sample, Samples, SeqRange
from qplane.control.session import Role
from qplane.control.slots import Slots
from qplane.control.snapshot import Snapshot, snapshots
from qplane.control.store import Store
from qplane.control.switches import ALIVE_TIMEOUT_S, Packets, Switches
from qplane.control.telemetry import Reports
from qplane.control.teleport import BlochState, Teleportation, Teleports
from qplane.control.topology import Topology
from qplane.net import QUANTUM_PORT, Circuit, Link, Network

ELECTION_ID = 10
"""Lowest election id, as finsy's: leaves room below for clients that only look on."""

PING_TIMEOUT_PS = PS_PER_SECOND
"""How long a ping waits for the last answer."""

TELEPORT_TIMEOUT_PS = 10 * PS_PER_SECOND
"""How long a series of teleportations waits for the last result."""

SAMPLE_TIMEOUT_PS = 60 * PS_PER_SECOND
"""How long a sample waits for the last pair."""

PacketListener = Callable[[str, int, bytes], Awaitable[bool]]
"""Called with the node, the port where a packet came in, and the packet."""


def _first_serial(clock: Clock, secret: bytes) -> int:
    """Where a new store begins to count plans: anywhere, and in virtual time the same each run.

    The switches may have seen an earlier store's plans. One of 65,536 that two numbers are equal.
    """
    now = clock.now_ps().to_bytes(16, "big", signed=True)
    return int.from_bytes(hashlib.blake2s(now, key=secret, digest_size=2).digest(), "big")


class Controller:
    """Programs the switches of `network` over P4Runtime, and speaks to their quantum devices.

    `address` is that of the gRPC server ("127.0.0.1:9559"), or one per node; device ids are the
    node ids. Time passes only inside `clock`. `store` is the file that keeps the intent (None: it
    dies with this object); `secret` makes the probes of neighbours unpredictable (None: random);
    a device that has not answered after `answer_timeout_ps` counts as silent, a switch that has not
    after `alive_timeout_s` of real time as lost. A second of `clock`
    takes `switch_time_scale` seconds by the switches' own clocks: what they measure is converted.

    Methods raise a ControlError whose text is fit for the user, and then have changed nothing.
    Those that change circuits wait for each other.
    """

    @checked
    def __init__(
        self,
        network: Network,
        address: str | Mapping[str, str],
        clock: Clock,
        *,
        schema: fy.P4Schema | None = None,
        election_id: int = ELECTION_ID,
        store: str | Path | None = None,
        secret: bytes | None = None,
        answer_timeout_ps: int = ANSWER_TIMEOUT_PS,
        switch_time_scale: float = 1.0,
        new_client: NewClient = grpc_client,
        alive_timeout_s: float = ALIVE_TIMEOUT_S,
    ) -> None:
        self.network = network
        self.events = Events()
        self.reports = Reports(
            self.events,
            {link.herald[:2]: link.name for link in network.links if link.herald is not None},
        )
        """What switches have told without being asked, counted."""
        self._listener: PacketListener | None = None
        self._switches = Switches(
            network,
            address,
            {"qnode": schema or program_schema(), "herald": program_schema("herald")},
            self.events,
            on_packet=self._packet_in,
            on_error=self._connection_failed,
            reports=self.reports,
            new_client=new_client,
            answer_timeout_s=alive_timeout_s,
        )
        sessions = self._switches.sessions
        self._devices = Devices(sessions, clock, answer_timeout_ps)
        self._teleports = Teleports(self._devices, clock)
        self._samples = Samples(self._devices, clock)
        secret = os.urandom(16) if secret is None else secret
        self._neighbours = Neighbours(network, sessions, clock, secret)
        self._pings = Pings(network, sessions, clock, secret)
        self._store = Store(store, network, first_serial=_first_serial(clock, secret))
        self._programmer = Programmer(Topology(network), sessions, self._store, switch_time_scale)
        self._circuits = Circuits(self._programmer, self._devices, self.events, clock)
        self._keeper = Keeper(
            network,
            self._switches,
            self._programmer,
            self._circuits,
            self._devices,
            self._neighbours,
            self._store,
            self.events,
            clock,
            election_id,
        )

    async def _packet_in(self, node: str, port: int, packet: bytes) -> None:
        if self._listener is not None and await self._listener(node, port, packet):
            return
        if port == QUANTUM_PORT:
            if self._teleports.packet_in(node, packet) or self._samples.packet_in(node, packet):
                return
            self._devices.packet_in(node, packet)
        elif not self._pings.packet_in(node, packet):
            self._neighbours.packet_in(node, port, packet)

    def listen(self, listener: PacketListener | None) -> None:
        """Show `listener` every packet-in first (None: nobody); true from it says that it took it.

        It is done with what it sent in answer when it returns: a virtual clock relies on that.
        """
        self._listener = listener

    async def packet_out(self, node: str, port: int, packet: bytes) -> None:
        """Send a packet out of a port of the switch of `node`. Raises ConnectionFailedError."""
        await self._switches.sessions[node].packet_out(port, packet)

    def _connection_failed(self, error: ControlError) -> None:
        self._devices.fail(error)

    # ---- what a virtual clock needs to know ----

    def packets(self, node: str) -> Packets | None:
        """Packets exchanged with a switch; None where this controller is not its primary.

        Time may go on once the switch has sent and received as many.
        """
        return self._switches.packets(node)

    @property
    def exchanged(self) -> set[str]:
        """Nodes whose switches packets were exchanged with; who looks at them takes them out."""
        return self._switches.exchanged

    def on_exchange(self, callback: Callable[[], None]) -> None:
        """Call it after each packet that is sent to a switch or that was dealt with."""
        self._switches.on_exchange = callback

    # ---- what there is ----

    @property
    def topology(self) -> Topology:
        """What was discovered last."""
        return self._programmer.topology

    @property
    def plans(self) -> dict[str, CircuitPlan]:
        """The plans of the circuits that stand, by name."""
        return self._circuits.plans

    @property
    def circuits(self) -> dict[str, Circuit]:
        """The circuits that stand, as they were asked for."""
        return {name: standing.circuit for name, standing in self._circuits.current.items()}

    @property
    def draining(self) -> list[CircuitPlan]:
        """Paths that circuits have left, until their memory is empty."""
        return [standing.plan for standing in self._programmer.intent.draining()]

    @property
    def suspects(self) -> frozenset[str]:
        """Nodes that :meth:`check` has to look at: away, or perhaps not as they should be."""
        away = self._switches.in_role(Role.AWAY)
        return frozenset(self._programmer.suspects).union(away)

    def is_generating(self, name: str) -> bool:
        """Whether pairs are to be generated on a circuit that stands. Raises ControlError."""
        (known,) = self._circuits.known([name])
        return self._circuits.current[known].generating

    # ---- connection ----

    async def connect(self, *, require_all: bool = True) -> None:
        """Become primary of all switches; they run our P4 program and hold what the store says.

        A program that stands already is kept, with all its state; so is one of somebody else's on
        a node without memory. With `require_all` false, switches that can't be had are left to
        :meth:`check`. A change in whose middle the last controller ended is taken back.
        Raises ConnectionFailedError, ArbitrationError, PipelineError, WriteError, StoreError; no
        connection is kept then.
        """
        await self._keeper.connect(require_all=require_all)

    async def close(self) -> None:
        """Leave the switches as they are; this object is of no use any more."""
        await self._switches.close()
        self._store.close()

    # ---- keeping ----

    async def check(self, *, audit: bool = False) -> list[Difference]:
        """One pass: connections that were lost, switches that restarted, writes that failed half
        way, paths that have drained. The entries that had to be repaired.

        With `audit`, everything is looked at: tables and programs of all switches, all devices, a
        probe over each link; circuits go around links that are down. Entries that are right are
        not touched. Raises ArbitrationError when another controller has taken over, StoreError.
        """
        return await self._keeper.check(audit=audit)

    @checked
    async def keep(self, interval_ps: int = INTERVAL_PS) -> None:
        """:meth:`check` for ever, at that interval and whenever a connection is lost.

        Raises ArbitrationError when another controller has taken over, StoreError.
        """
        await self._keeper.keep(interval_ps)

    @checked
    async def stand_by(self, interval_ps: int = INTERVAL_PS) -> None:
        """Be the back-up of another controller with the same store; primary on return."""
        await self._keeper.stand_by(interval_ps)

    @checked
    async def serve(self, interval_ps: int = INTERVAL_PS) -> None:
        """:meth:`stand_by`, then :meth:`keep`, then again, for ever."""
        await self._keeper.serve(interval_ps)

    def replan_with(self, replan: Callable[[Circuit], Circuit]) -> None:
        """How a circuit is asked for anew when its path is broken; routing decides by default."""
        self._keeper.replan = replan

    # ---- set-up ----

    async def discover(self) -> Topology:
        """Tell the switches what hangs on their ports; ask switches and devices what they are, and
        probe where the links lead.

        Raises WriteError, DiscoveryError, ConnectionFailedError.
        """
        return await self._keeper.discover()

    @checked
    async def install(self, circuits: Iterable[str] | None = None) -> None:
        """Classical tables, and the circuits named (None: all of the network file).

        Circuits that stand already are left alone. Raises NoPathError, SlotsError, ExhaustedError
        before a switch is written to, WriteError if one refuses; all are as before then.
        """
        listed = self.network.circuits
        names = list(listed if circuits is None else circuits)
        for name in names:
            if name not in listed:
                known = ", ".join(listed) or "none"
                raise ControlError(f"no circuit is named {name}; there are: {known}")
        await self._circuits.install([listed[name] for name in names])

    @checked
    async def add(self, circuit: Circuit, *, start: bool = False) -> CircuitPlan:
        """Set up a circuit that need not be in the network file; generate pairs if `start`.

        Raises as :meth:`install` and :meth:`start`; nothing stands then.
        """
        return await self._circuits.add(circuit, start=start)

    async def submit(self, planned: Iterable[tuple[Circuit, CircuitPlan]]) -> None:
        """Set up circuits that were planned elsewhere: all of them, or none.

        Raises WriteError; all is as before then.
        """
        await self._circuits.submit(planned)

    @checked
    async def reroute(self, circuit: Circuit) -> CircuitPlan:
        """Move a circuit that stands (that of the same name) to a path planned anew: make before
        break. The old path drains; :meth:`check` deletes it.

        Raises NoPathError, SlotsError, ExhaustedError, WriteError, DeviceError; the circuit stays
        where it is then.
        """
        return await self._circuits.reroute(circuit)

    @checked
    async def remove(self, name: str) -> None:
        """Stop a circuit, wait until its memory is empty, delete it. Raises as :meth:`teardown`."""
        await self._circuits.teardown([name])

    @checked
    async def teardown(self, circuits: Iterable[str] | None = None) -> None:
        """Stop the circuits named, wait until their memory is empty, delete their entries.

        With None, that is all circuits and the classical tables as well: no entry stays behind.
        Raises DrainError and DeviceError before a switch is written to, WriteError if one refuses;
        the circuits stand then, but generate nothing.
        """
        await self._circuits.teardown(None if circuits is None else list(circuits))

    async def snapshot(self) -> dict[str, Snapshot]:
        """All that the switches hold but counters and registers, by node, as they tell it.

        Raises ConnectionFailedError.
        """
        return await snapshots(self._switches.sessions)

    # ---- what the link layer holds ----

    async def reserve_links(self) -> None:
        """Slots for each end of a link with a heralding station, for good: no circuit gets them.

        Those that a link asks for are reserved before the first circuits (:meth:`install`).
        Raises SlotsError where there are not as many.
        """
        await self._circuits.reserve_links()

    def link_slots(self, node: str, number: int) -> Slots:
        """Slots of the device of `node` that its link `number` has for itself; perhaps none."""
        for held in self._programmer.intent.links.slots:
            if (held.node, held.number) == (node, number):
                return held.slots
        return Slots(0, 0)

    async def renumber(self) -> None:
        """Have all heralding stations number pairs anew: who listens begins anew as well.

        Raises WriteError; stations that are away hear of it when they are back.
        """
        nodes = self.network.nodes.values()
        stations = [node.name for node in nodes if node.is_station]
        if stations:
            await self._programmer.hold(lambda links: links.renumbered(stations))

    @checked
    async def sample_heralds(self, link: Link, every: int) -> None:
        """Have each `every`-th pair of a link (a power of two; 0: none) copied to us: `reports`.

        In place of what the network file says. Raises ValueError, ControlError, WriteError; a
        station that is away hears of it when it is back.
        """
        if link.herald is None:
            raise ControlError(
                f"link {link.name} has no heralding station that could copy anything"
            )
        if every < 0 or every & (every - 1) or every > MOST_SELDOM:
            raise ValueError(
                f"every is {every}: 0 or a power of two up to {MOST_SELDOM} can be (1, 2, 4 ...)"
            )
        herald = link.herald
        await self._programmer.hold(lambda links: links.with_sampling(herald, every))

    def sampled_heralds(self, link: Link) -> tuple[int, int]:
        """Each how many-th pair of a link is copied to us (0: none), and how many were."""
        if link.herald is None:
            return 0, 0
        every = self._programmer.intent.links.sampled(link)
        return every, self.reports.heralds[link.herald[:2]]

    def epoch(self, station: str) -> int:
        """In which a station numbers pairs. The event station-renumbered tells of another one."""
        return self._programmer.intent.links.epoch(station)

    # ---- running ----

    @checked
    async def start(self, circuits: Iterable[str] | None = None) -> None:
        """Generate pairs on the circuits named (None: all that stand).

        Raises DeviceError; nothing is started then.
        """
        await self._circuits.start(circuits)

    @checked
    async def stop(self, circuits: Iterable[str] | None = None) -> None:
        """Generate no more pairs; those in memory still live. Raises DeviceError."""
        await self._circuits.stop(circuits)

    @checked
    async def status(self, circuits: Iterable[str] | None = None) -> list[LinkStatus]:
        """What the devices say of each side of the circuits named (None: all that stand)."""
        return await self._circuits.status(circuits)

    @checked
    async def ping(
        self,
        source: str,
        target: str,
        circuit: str | None = None,
        *,
        timeout_ps: int = PING_TIMEOUT_PS,
    ) -> Ping:
        """Ask every node on the circuit between two nodes, from `source`; see :class:`Ping`.

        `circuit` says which if several join them. Raises ControlError, ConnectionFailedError.
        """
        plan = find_circuit(self.plans, source, target, circuit)
        return await self._pings.ping(plan, source, timeout_ps, down=self.topology.down)

    @checked
    async def sample(
        self,
        source: str,
        target: str,
        pairs: int,
        circuit: str | None = None,
        *,
        timeout_ps: int = SAMPLE_TIMEOUT_PS,
    ) -> Sample:
        """Have both ends of the circuit between two nodes measure pairs, and compare; see
        :class:`Sample`. `source` asks. The pairs are used up.

        Raises ControlError, DeviceError, ConnectionFailedError.
        """
        plan = find_circuit(self.plans, source, target, circuit)
        if not self.is_generating(plan.name):
            raise ControlError(f"circuit {plan.name} generates no pairs to measure; start it")

        async def agree(pairs: SeqRange) -> bool:
            # Three times: neither the question nor an answer may get lost.
            for _ in range(3):
                ping = await self._pings.ping(
                    plan, source, PING_TIMEOUT_PS, pairs, down=self.topology.down
                )
                if ping.is_answered:
                    return True
            return False

        features = self.topology.link_features(plan.path[0])
        return await self._samples.sample(plan, features, pairs, timeout_ps, agree)

    @checked
    async def teleport(
        self,
        source: str,
        target: str,
        state: BlochState,
        count: int = 1,
        circuit: str | None = None,
        *,
        timeout_ps: int = TELEPORT_TIMEOUT_PS,
    ) -> list[Teleportation]:
        """Teleport a state `count` times over the circuit between two nodes, from `source`.

        Each takes one pair. The result is shorter where `timeout_ps` passed before all were done.
        Raises ControlError, DeviceError, ConnectionFailedError.
        """
        plan = find_circuit(self.plans, source, target, circuit)
        if not self.is_generating(plan.name):
            raise ControlError(f"circuit {plan.name} generates no pairs to teleport over; start it")
        return await self._teleports.teleport(plan, source, state, count, timeout_ps)

    @checked
    async def drain(self, circuits: Iterable[str] | None = None) -> None:
        """Wait until no slot is in use and no expiry unconfirmed. The circuits must be stopped.

        Raises DrainError when that takes longer than the longest cut-off and a thousand
        repetitions of EXPIRED, which is enough even where most messages are lost.
        """
        await self._circuits.drain(circuits)

    # ---- looking ----

    async def verify(self) -> list[Difference]:
        """Read back all tables and multicast groups of all switches; what is not as written.

        Raises ConnectionFailedError.
        """
        return await self._programmer.verify()

    def entries(self, node: str) -> Sequence[Entry]:
        """What this controller has written into the switch of `node`."""
        self._check_node(node)
        return self._programmer.installed(node)

    @checked
    async def counters(self, node: str, name: str, indices: Sequence[int] = ()) -> dict[int, int]:
        """Packets by index of one of the P4 program's counters, such as "QnodeIngress.drops".

        Indices that are 0 are left out; without `indices`, all others are there. Raises
        ControlError, ConnectionFailedError.
        """
        self._check_node(node)
        return await self._switches.sessions[node].read_counters(name, indices)

    def _check_node(self, name: str) -> None:
        nodes = self.network.nodes
        if name not in nodes:
            raise ControlError(f"no node is named {name}; nodes: {', '.join(nodes)}")
