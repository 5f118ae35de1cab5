"""Keeps the network as intended: connections, programs, entries, generation, paths around failures.

:meth:`Keeper.check` is one pass; it does nothing where nothing is wrong. :meth:`Keeper.keep` makes
passes for ever, at intervals and at once when a connection is lost. :meth:`Keeper.stand_by` is what
a back-up does until the primary is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace

from qplane.clock import Clock
from qplane.control import generation
from qplane.control.circuits import Circuits
from qplane.control.devices import Devices
from qplane.control.discovery import (
    device_changes,
    devices_of,
    down_links,
    miswired,
    switches_of,
    wiring,
)
from qplane.control.errors import ArbitrationError, ConnectionFailedError, ControlError, WriteError
from qplane.control.events import EventKind, Events
from qplane.control.intent import Base, Standing
from qplane.control.neighbours import Neighbours, Port
from qplane.control.programmer import Programmer
from qplane.control.reconcile import Difference
from qplane.control.session import Role
from qplane.control.store import Store
from qplane.control.switches import Switches
from qplane.control.topology import Device, Topology
from qplane.net import Circuit, Network

INTERVAL_PS = 1_000_000_000_000
"""From one pass to the next: 1 s."""

AUDIT_EVERY = 10
"""Passes from one audit (all tables, all devices, all links) to the next."""

GRACE_PS = 200_000_000_000
"""How long no switch may have a primary before a back-up takes over: 200 ms. A primary that lost
its connections by accident has opened them again by then."""

GHOST_TRIES, GHOST_PAUSE_PS = 10, 20_000_000_000
"""How often and at what interval (20 ms) to ask a switch that still sees our old stream."""


def any_path(circuit: Circuit) -> Circuit:
    """The circuit as a new request: its path is left to routing."""
    return replace(circuit, path=())


class Keeper:
    """See the module. `replan` makes the request for a circuit whose path is broken."""

    def __init__(
        self,
        network: Network,
        switches: Switches,
        programmer: Programmer,
        circuits: Circuits,
        devices: Devices,
        neighbours: Neighbours,
        store: Store,
        events: Events,
        clock: Clock,
        election_id: int,
    ) -> None:
        self.replan: Callable[[Circuit], Circuit] = any_path
        self._network = network
        self._switches = switches
        self._programmer = programmer
        self._circuits = circuits
        self._devices = devices
        self._neighbours = neighbours
        self._store = store
        self._events = events
        self._clock = clock
        self._election_id = election_id
        self._epoch = 0
        self._stranded: set[str] = set()  # circuits that have no path now
        self._unasked: set[str] = set()  # nodes whose devices may have to be told what to do
        self._checking = asyncio.Lock()

    # ---- becoming primary ----

    async def connect(self, *, require_all: bool) -> None:
        """Become primary of all switches and make them hold what the store says."""
        try:
            remembered = self._store.load()
            self._epoch = self._store.claim(self._election_id)
            self._switches.deposed = None
            topology = self._programmer.topology
            self._programmer.topology = replace(topology, devices=remembered.devices)
            self._programmer.adopt(remembered.intent)
            opened = await self._switches.open(self._switches.sessions, self._epoch)
            errors = [error for error in opened.values() if error is not None]
            errors += (await self._programmer.restore(self._switches.in_role(Role.PRIMARY)))[1]
            self._obey(errors)
            if require_all and errors:
                raise errors[0]
            await self._take_back(remembered.interrupted)
            await self._circuits.agree(self._network.nodes)
        except BaseException:
            await self._switches.close()
            raise
        self._events.tell(EventKind.PRIMARY, f"primary with election id {self._epoch}")

    async def _take_back(self, interrupted: Collection[Standing]) -> None:
        """A change that its controller did not finish: the entries are gone already."""
        if interrupted:
            plans = [standing.plan for standing in interrupted]
            await generation.agree(self._devices, [], plans)
            names = ", ".join(dict.fromkeys(plan.name for plan in plans))
            text = f"a change that was never finished is taken back: {names}"
            self._events.tell(EventKind.ROLLED_BACK, text)
        self._store.abort()

    def _obey(self, errors: Collection[ControlError]) -> None:
        """Raise ArbitrationError where another controller has taken a switch over."""
        for error in errors:
            if isinstance(error, ArbitrationError):
                self._switches.deposed = error
                break
        if self._switches.deposed is not None:
            raise self._switches.deposed

    # ---- looking ----

    async def discover(self) -> Topology:
        """Ports written, devices and switches asked, neighbours probed; all of them must answer."""
        await self._circuits.prepare()
        sessions = self._switches.sessions
        devices = await devices_of(self._network, self._devices, sessions, give_up=True)
        found = await wiring(self._network, self._neighbours)
        await self._learn(devices, found)
        return self._programmer.topology

    async def _learn(self, devices: Mapping[str, Device], found: Mapping[Port, Port]) -> None:
        """Take over what was found; what is new is told. Raises DiscoveryError."""
        before = self._programmer.topology
        sessions = self._switches.sessions
        primary = self._switches.in_role(Role.PRIMARY)
        kept = {name: device for name, device in before.devices.items() if name not in primary}
        topology = Topology(
            self._network,
            {**kept, **devices},
            {**before.switches, **await switches_of(sessions)},
            down_links(self._network, sessions, found),
        )
        self._take_over(topology, asked=primary)
        for index in sorted(topology.down ^ before.down):
            kind = EventKind.LINK_DOWN if index in topology.down else EventKind.LINK_UP
            self._events.tell(kind, self._network.links[index].name)
        for problem in miswired(self._network, found):
            self._events.tell(EventKind.MISWIRED, problem)

    def _take_over(self, topology: Topology, asked: Collection[str]) -> None:
        """What the devices of the nodes asked have said is what is known from now on."""
        topology.check()
        before = self._programmer.topology
        if topology.devices != before.devices:
            self._store.save_devices(topology.devices)
        self._programmer.topology = topology
        for kind, node, text in device_changes(before.devices, topology.devices, asked):
            self._events.tell(kind, text, node=node)
        known = before.unlisted()
        for unlisted in topology.unlisted():
            if unlisted not in known:
                self._events.tell(EventKind.LINK_UNLISTED, str(unlisted), node=unlisted.node)

    async def _ask_again(self, nodes: Collection[str]) -> None:
        """Their switches were away: their devices may be others now. That one is silent is left to
        an audit."""
        found = await devices_of(
            self._network, self._devices, self._switches.sessions, nodes, give_up=False
        )
        topology = self._programmer.topology
        try:
            self._take_over(
                replace(topology, devices={**topology.devices, **found}), asked=found.keys()
            )
        except ControlError as error:
            self._events.tell(EventKind.REPAIR_FAILED, str(error), node=error.node)

    # ---- one pass ----

    async def check(self, *, audit: bool) -> list[Difference]:
        """Put right what is wrong; what entries were. With `audit`, look for it everywhere."""
        async with self._checking:
            self._obey(())
            await self._switches.probe()
            reopened = await self._reopen()
            primary = set(self._switches.in_role(Role.PRIMARY))
            suspects = primary if audit else primary & self._programmer.suspects
            repaired = await self._restore(suspects)
            if self._programmer.intent.base >= Base.PORTS:
                if audit:
                    await self._look_around()
                elif reopened:
                    await self._ask_again(reopened)
            self._unasked |= suspects.union(reopened)
            if not self._circuits.is_changing:  # a teardown can take long; the next pass is soon
                if self._unasked:
                    asked, self._unasked = self._unasked, set()
                    await self._circuits.agree(asked)
                await self._retire()
            return repaired

    async def _retire(self) -> None:
        try:
            await self._circuits.retire()
        except (WriteError, ConnectionFailedError) as error:
            # Nothing has changed; the next pass tries again.
            self._events.tell(EventKind.REPAIR_FAILED, str(error), node=error.node)

    async def _reopen(self) -> list[str]:
        away = self._switches.in_role(Role.AWAY)
        self._programmer.suspects |= set(away)  # before: a switch is ours before it has its program
        opened = await self._switches.open(away, self._epoch)
        for _ in range(GHOST_TRIES):
            ghosts = [name for name, error in opened.items() if self._is_ghost(error)]
            if not ghosts:
                break
            await self._clock.sleep(GHOST_PAUSE_PS)
            opened |= await self._switches.open(ghosts, self._epoch)
        self._obey([e for e in opened.values() if e is not None and not self._is_ghost(e)])
        back = [name for name, error in opened.items() if error is None]
        for name in back:
            self._events.tell(EventKind.SWITCH_BACK, name, node=name)
        return back

    def _is_ghost(self, error: ControlError | None) -> bool:
        """Whether it is ourselves: the switch has not noticed yet that our old stream ended."""
        return isinstance(error, ArbitrationError) and error.election_id == self._epoch

    async def _restore(self, nodes: Collection[str]) -> list[Difference]:
        before = self._programmer.intent.links
        repaired, errors = await self._programmer.restore(nodes)
        epochs = self._programmer.intent.links.epochs
        for node, epoch in epochs.items():
            if epoch != before.epoch(node):
                text = f"{node}: pairs are numbered anew, in epoch {epoch}"
                self._events.tell(EventKind.STATION_RENUMBERED, text, node=node)
        for node in dict.fromkeys(difference.node for difference in repaired):
            of_node = [difference for difference in repaired if difference.node == node]
            more = f" (and {len(of_node) - 1} more)" if len(of_node) > 1 else ""
            self._events.tell(EventKind.REPAIRED, f"{of_node[0]}{more}", node=node)
        for error in errors:
            self._events.tell(EventKind.REPAIR_FAILED, str(error), node=error.node)
        self._obey(())
        return repaired

    async def _look_around(self) -> None:
        sessions = self._switches.sessions
        devices = await devices_of(self._network, self._devices, sessions, give_up=False)
        found = await wiring(self._network, self._neighbours)
        down = self._programmer.topology.down
        try:
            await self._learn(devices, found)
            if self._programmer.topology.down != down:
                await self._programmer.refresh()
        except ControlError as error:
            self._events.tell(EventKind.REPAIR_FAILED, str(error), node=error.node)
        await self._go_around()

    async def _go_around(self) -> None:
        """Find another path for circuits over links that are down."""
        topology = self._programmer.topology
        for name, standing in self._circuits.current.items():
            if self._circuits.is_changing:
                return
            if all(topology.is_up(link) for link in standing.plan.path):
                self._stranded.discard(name)
                continue
            try:
                await self._circuits.reroute(self.replan(standing.circuit))
                self._stranded.discard(name)
            except ControlError as error:
                if name not in self._stranded:
                    self._stranded.add(name)
                    self._events.tell(EventKind.CIRCUIT_DOWN, str(error), circuit=name)

    # ---- for ever ----

    async def keep(self, interval_ps: int) -> None:
        """Make passes until another controller takes over. Raises ArbitrationError, StoreError."""
        passes = 0
        while True:
            self._switches.changed.clear()
            await self.check(audit=passes % AUDIT_EVERY == 0)
            passes += 1
            await self._wait(interval_ps)

    async def _wait(self, at_most_ps: int) -> None:
        """Until a connection changes."""
        with suppress(TimeoutError):
            await self._clock.wait_for(self._switches.changed.wait(), at_most_ps)

    async def stand_by(self, interval_ps: int) -> None:
        """Look on until no switch has a primary, then become it."""
        await self._switches.close()
        self._events.tell(EventKind.BACK_UP, "waiting until there is no primary")
        while True:
            self._switches.changed.clear()
            await self._switches.probe()
            await self._switches.open(self._switches.in_role(Role.AWAY), None)
            if not self._is_orphaned():
                await self._wait(interval_ps)
                continue
            await self._clock.sleep(GRACE_PS)
            if self._is_orphaned():
                try:
                    await self.connect(require_all=False)
                    return
                except ArbitrationError:
                    pass  # another back-up was faster

    def _is_orphaned(self) -> bool:
        watched = self._switches.in_role(Role.BACK_UP)
        sessions = self._switches.sessions
        return bool(watched) and not any(sessions[name].has_other_primary for name in watched)

    async def serve(self, interval_ps: int) -> None:
        """Stand by, be primary, and when another takes over, stand by again; for ever."""
        while True:
            await self.stand_by(interval_ps)
            try:
                await self.keep(interval_ps)
            except ArbitrationError as error:
                self._events.tell(EventKind.BACK_UP, str(error))
