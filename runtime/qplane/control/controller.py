"""The controller of one network: the face that the command line, tests and scripts use."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import finsy as fy

from qplane.clock import Clock
from qplane.control import generation, tables
from qplane.control.devices import Devices
from qplane.control.discovery import discover
from qplane.control.entries import Entry, Key, State, state_of
from qplane.control.errors import ControlError, DrainError
from qplane.control.generation import LinkStatus
from qplane.control.plans import CircuitPlan, plan_circuits
from qplane.control.program import schema as program_schema
from qplane.control.session import Session
from qplane.control.topology import Topology
from qplane.control.transaction import apply, difference
from qplane.net import Circuit, Network

ELECTION_ID = 10
"""As finsy's: leaves room below for clients that only look on, above for one that takes over."""

_T = TypeVar("_T")

_PARALLEL = 16  # connections being set up at once


@dataclass(frozen=True)
class Difference:
    """A place where a switch holds something else than it should; None: no entry."""

    node: str
    expected: Entry | None
    found: Entry | None

    def __str__(self) -> str:
        table = (self.expected or self.found).table  # type: ignore[union-attr]  # one is there
        return f"{self.node}: {table}: expected {self.expected}, found {self.found}"


class Packets(NamedTuple):
    """Packet-ins that have been dealt with, writes included; packet-outs given to gRPC."""

    ins_handled: int
    outs_sent: int


class Controller:
    """Programs the switches of `network` over P4Runtime, and speaks to their quantum devices.

    `address` is that of the gRPC server ("127.0.0.1:9559"), or one per node; device ids are the
    node ids. Time passes only inside `clock`. Methods are called one at a time, in the order
    connect, discover, install, start; each raises a ControlError whose text is fit for the user,
    and then has changed nothing.
    """

    def __init__(
        self,
        network: Network,
        address: str | Mapping[str, str],
        clock: Clock,
        *,
        schema: fy.P4Schema | None = None,
        election_id: int = ELECTION_ID,
    ) -> None:
        self.network = network
        self.topology = Topology(network)
        self.plans: dict[str, CircuitPlan] = {}
        self._clock = clock
        schema = schema or program_schema()
        self._sessions: dict[str, Session] = {}
        self._devices = Devices(self._sessions, clock)
        for node in network.nodes.values():
            self._sessions[node.name] = Session(
                node.name,
                address if isinstance(address, str) else address[node.name],
                node.id,
                schema,
                election_id=election_id,
                on_packet=self._devices.packet_in,
                on_error=self._devices.fail,
            )
        self._installed: dict[str, dict[Key, Entry]] = {name: {} for name in network.nodes}
        self._generating: set[str] = set()

    # ---- what a virtual clock needs to know ----

    def packets(self, node: str) -> Packets | None:
        """Packets exchanged with a switch; None where this controller is not its primary.

        Time may go on once the switch has sent and received as many.
        """
        session = self._sessions[node]
        if not session.is_primary:
            return None
        return Packets(session.packet_ins, session.packet_outs)

    # ---- connection ----

    async def connect(self) -> None:
        """Become primary of all switches and give them the P4 program; their tables are empty then.

        Once more after a switch or a connection was lost, then ``install`` writes everything anew.
        Raises ConnectionFailedError, ArbitrationError, PipelineError; no connection is kept then.
        """
        bound = asyncio.Semaphore(_PARALLEL)

        async def one(session: Session) -> None:
            async with bound:
                await session.open()
                await session.push_pipeline()

        connecting = [asyncio.ensure_future(one(session)) for session in self._sessions.values()]
        outcomes = await asyncio.gather(*connecting, return_exceptions=True)
        failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if failed:
            await self.close()
            raise failed[0]
        self._installed = {name: {} for name in self.network.nodes}

    async def close(self) -> None:
        """Leave the switches as they are."""
        await asyncio.gather(*(session.close() for session in self._sessions.values()))

    # ---- set-up ----

    async def discover(self) -> Topology:
        """Tell the switches what hangs on their ports, ask the quantum devices what they are.

        Raises WriteError, DiscoveryError, ConnectionFailedError.
        """
        if not any(self._installed.values()):
            await self._write(_states(tables.ports(self.network)))
        self.topology = await discover(self.network, self._devices)
        return self.topology

    async def install(self, circuits: Iterable[str] | None = None) -> None:
        """Classical tables, and the circuits named (None: all of the network file).

        Circuits that stand already are left alone. Raises NoPathError, SlotsError, ExhaustedError
        before a switch is written to, WriteError if one refuses; all are as before then.
        """
        wanted = [c for c in self._circuits(circuits) if c.name not in self.plans]
        new = plan_circuits(self.topology, wanted, self.plans.values())
        await self._change({**self.plans, **{plan.name: plan for plan in new}})

    async def teardown(self, circuits: Iterable[str] | None = None) -> None:
        """Stop the circuits named, wait until their memory is empty, delete their entries.

        With None, that is all circuits and the classical tables as well: no entry stays behind.
        Raises DrainError and DeviceError before a switch is written to, WriteError if one refuses.
        """
        names = list(self.plans) if circuits is None else [c.name for c in self._circuits(circuits)]
        running = [name for name in names if name in self._generating]
        if running:
            await self.stop(running)
            await self.drain(running)
        if circuits is None:
            await self._write({name: {} for name in self.network.nodes})
            self.plans = {}
        else:
            await self._change({n: plan for n, plan in self.plans.items() if n not in names})

    async def _change(self, plans: dict[str, CircuitPlan]) -> None:
        await self._write(_states(tables.desired(self.network, plans.values())))
        self.plans = plans

    async def _write(self, wanted: dict[str, dict[Key, Entry]]) -> None:
        await apply(self._sessions, difference(self._installed, wanted))
        self._installed = wanted

    # ---- running ----

    async def start(self, circuits: Iterable[str] | None = None) -> None:
        """Generate pairs on the circuits named (None: all that stand).

        Raises DeviceError; nothing is started then.
        """
        plans = [plan for plan in self._plans(circuits) if plan.name not in self._generating]
        await generation.start(self._devices, plans)
        self._generating |= {plan.name for plan in plans}

    async def stop(self, circuits: Iterable[str] | None = None) -> None:
        """Generate no more pairs; those in memory still live. Raises DeviceError."""
        plans = [plan for plan in self._plans(circuits) if plan.name in self._generating]
        await generation.stop(self._devices, plans)
        self._generating -= {plan.name for plan in plans}

    async def status(self, circuits: Iterable[str] | None = None) -> list[LinkStatus]:
        """What the devices say of each side of the circuits named (None: all that stand)."""
        return await generation.status(self._devices, self._plans(circuits))

    async def drain(self, circuits: Iterable[str] | None = None) -> None:
        """Wait until no slot is in use and no expiry unconfirmed. The circuits must be stopped.

        Raises DrainError when that takes longer than the longest cut-off and a thousand
        repetitions of EXPIRED, which is enough even where most messages are lost.
        """
        plans = self._plans(circuits)
        if not plans:
            return
        step_ps = min(plan.timing.retry_ps for plan in plans)
        longest_ps = max(p.timing.end_cutoff_ps + 1000 * p.timing.retry_ps for p in plans)
        deadline_ps = self._clock.now_ps() + longest_ps
        while True:
            statuses = await generation.status(self._devices, plans)
            left = [status for status in statuses if not status.is_drained]
            if not left:
                return
            if self._clock.now_ps() >= deadline_ps:
                first = left[0]
                raise DrainError(
                    f"circuit {first.circuit}, link {first.link}: {first.in_use} slots in use and "
                    f"{first.unconfirmed} expiries unconfirmed {longest_ps / 1e9:g} ms after the "
                    "circuit was stopped",
                    node=first.node,
                )
            await self._clock.sleep(step_ps)
            step_ps = min(2 * step_ps, longest_ps // 16)

    # ---- looking ----

    async def verify(self) -> list[Difference]:
        """Read back all tables and multicast groups of all switches; what is not as written.

        Raises ConnectionFailedError.
        """
        differences = []
        for name, session in self._sessions.items():
            found = state_of(await session.read())
            differences += _compare(name, self._installed[name], found)
        return differences

    def entries(self, node: str) -> Sequence[Entry]:
        """What this controller has written into the switch of `node`."""
        return list(self._installed[node].values())

    async def counters(self, node: str, name: str) -> dict[int, int]:
        """Packets by index of one of the P4 program's counters, such as "QnodeIngress.drops"."""
        return await self._sessions[node].read_counters(name)

    def _circuits(self, names: Iterable[str] | None) -> list[Circuit]:
        if names is None:
            return list(self.network.circuits.values())
        return [_named(self.network.circuits, name) for name in names]

    def _plans(self, names: Iterable[str] | None) -> list[CircuitPlan]:
        if names is None:
            return list(self.plans.values())
        return [_named(self.plans, name) for name in names]


def _states(entries: Mapping[str, Iterable[Entry]]) -> dict[str, dict[Key, Entry]]:
    return {node: state_of(listed) for node, listed in entries.items()}


def _named(items: Mapping[str, _T], name: str) -> _T:
    if name not in items:
        known = ", ".join(items) or "none"
        raise ControlError(f"no circuit is named {name}; there are: {known}")
    return items[name]


def _compare(node: str, expected: State, found: State) -> list[Difference]:
    keys = list(expected) + [key for key in found if key not in expected]
    return [
        Difference(node, expected.get(key), found.get(key))
        for key in keys
        if expected.get(key) != found.get(key)
    ]
