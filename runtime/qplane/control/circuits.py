"""Circuits come, run, move and go: each change of them as one operation, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from qplane.clock import Clock
from qplane.control import generation
from qplane.control.asked import check
from qplane.control.devices import Devices
from qplane.control.errors import ControlError, DrainError
from qplane.control.events import EventKind, Events
from qplane.control.generation import LinkStatus
from qplane.control.intent import Base, Intent, Standing
from qplane.control.links import reserved
from qplane.control.plans import CircuitPlan, plan_circuits
from qplane.control.programmer import Programmer
from qplane.control.slots import Slots
from qplane.net import Circuit

_T = TypeVar("_T")


class Circuits:
    """The circuits of the programmer's intent. What changes them waits for what is under way."""

    def __init__(
        self, programmer: Programmer, devices: Devices, events: Events, clock: Clock
    ) -> None:
        self._programmer = programmer
        self._devices = devices
        self._events = events
        self._clock = clock
        self._changing = asyncio.Lock()

    @property
    def current(self) -> dict[str, Standing]:
        """The circuits that stand, by name."""
        return {standing.circuit.name: standing for standing in self._intent.current()}

    @property
    def plans(self) -> dict[str, CircuitPlan]:
        """Their plans."""
        return {name: standing.plan for name, standing in self.current.items()}

    @property
    def is_changing(self) -> bool:
        """Whether a change is under way; another would wait for it."""
        return self._changing.locked()

    @property
    def _intent(self) -> Intent:
        return self._programmer.intent

    # ---- setting up ----

    async def prepare(self) -> None:
        """Tell the switches what hangs on their ports, if they do not know yet."""
        async with self._changing:
            if self._intent.base < Base.PORTS:
                await self._programmer.change(replace(self._intent, base=Base.PORTS))

    async def install(self, circuits: Iterable[Circuit]) -> None:
        """Classical tables, and those of the circuits that do not stand yet."""
        async with self._changing:
            await self._reserve_links(asked_only=True)
            standing = self.current
            await self._add([circuit for circuit in circuits if circuit.name not in standing])

    async def add(self, circuit: Circuit, *, start: bool) -> CircuitPlan:
        """Plan a circuit and set it up; generate pairs if `start`."""
        async with self._changing:
            self._must_be_new([circuit.name])
            (standing,) = await self._add([circuit])
            if start:
                try:
                    await self._start([circuit.name])
                except BaseException:
                    unused = replace(standing, draining=True, used=True)
                    self._programmer.note(self._intent.put(unused))
                    await self._retire()
                    raise
            return standing.plan

    async def submit(self, planned: Iterable[tuple[Circuit, CircuitPlan]]) -> None:
        """Set up what was planned already."""
        standings = [Standing(circuit, plan) for circuit, plan in planned]
        for standing in standings:
            if standing.circuit.name != standing.plan.name:
                raise ControlError(
                    f"the plan for circuit {standing.circuit.name} is that of {standing.plan.name}"
                )
        async with self._changing:
            self._must_be_new(standing.circuit.name for standing in standings)
            await self._put(standings)

    async def _add(self, circuits: Sequence[Circuit]) -> list[Standing]:
        for circuit in circuits:
            check(circuit, self._programmer.topology.network)
        plans = plan_circuits(
            self._programmer.topology,
            circuits,
            [standing.plan for standing in self._intent.current()],
            [standing.plan for standing in self._intent.draining()],
            self._reserved(),
        )
        return await self._put([Standing(c, p) for c, p in zip(circuits, plans, strict=True)])

    async def _put(self, standings: Sequence[Standing]) -> list[Standing]:
        intent, fresh = self._intent.begun(standings)
        await self._programmer.change(replace(intent, base=Base.CLASSICAL))
        for standing in fresh:
            self._tell(EventKind.CIRCUIT_UP, standing)
        return fresh

    async def reroute(self, circuit: Circuit) -> CircuitPlan:
        """Plan a circuit that stands anew, and move it there: make before break.

        The new path gets labels and numbers of its own. Its entries stand before generation moves
        there; then the old path generates nothing more, and what is in its memory is delivered or
        expires under the old labels. Its entries go once its memory is empty (:meth:`retire`).
        """
        check(circuit, self._programmer.topology.network)
        async with self._changing:
            old = _named(self.current, circuit.name)
            (plan,) = plan_circuits(
                self._programmer.topology,
                [circuit],
                [standing.plan for standing in self._intent.current() if standing is not old],
                [old.plan, *(standing.plan for standing in self._intent.draining())],
                self._reserved(),
            )
            running = old.generating
            planned = Standing(circuit, plan, generating=running, used=running)
            intent, (new,) = self._intent.begun([planned])
            plan = new.plan
            leaving = replace(old, generating=False, draining=True)
            await self._programmer.change(intent.put(leaving))
            if old.generating:
                try:
                    await generation.start(self._devices, [plan])
                except BaseException:
                    unused = replace(new, generating=False, draining=True)
                    self._programmer.note(self._intent.put(old, unused))
                    await self._retire()
                    raise
            await generation.agree(self._devices, [], [old.plan])
            self._tell(EventKind.CIRCUIT_REROUTED, new)
            return plan

    async def retire(self) -> list[CircuitPlan]:
        """Delete old versions whose memory is empty; those deleted."""
        async with self._changing:
            return await self._retire()

    async def _retire(self) -> list[CircuitPlan]:
        draining = list(self._intent.draining())
        statuses = await generation.look(self._devices, [standing.plan for standing in draining])
        gone = []
        for standing in draining:
            count = len(generation.places([standing.plan]))
            sides, statuses = statuses[:count], statuses[count:]
            if all(status is not None and status.is_drained for status in sides):
                gone.append(standing)
        if gone:
            await self._programmer.change(self._intent.without(s.key for s in gone))
        return [standing.plan for standing in gone]

    # ---- the link layer's share ----

    async def reserve_links(self) -> None:
        """Slots for each end of a link with a heralding station."""
        async with self._changing:
            await self._reserve_links(asked_only=False)

    async def _reserve_links(self, *, asked_only: bool) -> None:
        in_use: dict[str, list[Slots]] = {}
        for plan in self._intent.plans():
            for node, slots in plan.use().slots:
                in_use.setdefault(node, []).append(slots)
        topology, links = self._programmer.topology, self._intent.links
        after = reserved(topology, links, in_use, asked_only=asked_only)
        if after != links:
            await self._programmer.hold(lambda links: replace(links, slots=after.slots))

    def _reserved(self) -> dict[str, list[Slots]]:
        """Slots that circuits can't have, by node."""
        links = self._intent.links
        return {held.node: links.at(held.node) for held in links.slots}

    # ---- taking down ----

    async def teardown(self, names: Iterable[str] | None) -> None:
        """Stop, wait until the memory is empty, delete; None: all, and the classical tables."""
        async with self._changing:
            chosen = set(self.known(names))
            await self._stop([name for name in self.plans if name in chosen])
            leaving = [
                standing
                for standing in self._intent.circuits.values()
                if names is None or standing.circuit.name in chosen
            ]
            await self._drain([s.plan for s in leaving if s.used])
            base = Base.NOTHING if names is None else self._intent.base
            intent = self._intent.without(standing.key for standing in leaving)
            await self._programmer.change(replace(intent, base=base))
            for standing in leaving:
                self._tell(EventKind.CIRCUIT_DOWN, standing)

    # ---- running ----

    async def start(self, names: Iterable[str] | None) -> None:
        """Generate pairs; None: on all that stand."""
        async with self._changing:
            await self._start(self.known(names))

    async def _start(self, names: Iterable[str]) -> None:
        current = self.current
        idle = [current[name] for name in names if not current[name].generating]
        if idle:
            # First the file: a device may generate though its answer got lost.
            self._programmer.note(self._intent.put(*(replace(s, used=True) for s in idle)))
            await generation.start(self._devices, [standing.plan for standing in idle])
            started = [replace(s, generating=True, used=True) for s in idle]
            self._programmer.note(self._intent.put(*started))

    async def stop(self, names: Iterable[str] | None) -> None:
        """Generate no more pairs; None: on none."""
        async with self._changing:
            await self._stop(self.known(names))

    async def _stop(self, names: Iterable[str]) -> None:
        current = self.current
        running = [current[name] for name in names if current[name].generating]
        if running:
            await generation.stop(self._devices, [standing.plan for standing in running])
            self._programmer.note(
                self._intent.put(*(replace(s, generating=False) for s in running))
            )

    async def agree(self, nodes: Iterable[str]) -> None:
        """Tell the devices again what they should do, where they do something else; of circuits
        that pass the `nodes`."""
        chosen = set(nodes)
        async with self._changing:
            standings = [
                standing
                for standing in self._intent.circuits.values()
                if any(hop.node in chosen for hop in standing.plan.hops)
            ]
            running = [standing.plan for standing in standings if standing.generating]
            stopped = [s.plan for s in standings if s.used and not s.generating]
            told = await generation.agree(self._devices, running, stopped)
        for name in dict.fromkeys(status.circuit for status in told):
            text = f"{name}: generation started anew"
            self._events.tell(EventKind.CIRCUIT_RESTARTED, text, circuit=name)

    async def status(self, names: Iterable[str] | None) -> list[LinkStatus]:
        """What the devices say of each side."""
        return await generation.status(self._devices, self._plans(names))

    async def drain(self, names: Iterable[str] | None) -> None:
        """Wait until no slot is in use and no expiry unconfirmed."""
        await self._drain(self._plans(names))

    async def _drain(self, plans: Sequence[CircuitPlan]) -> None:
        if not plans:
            return
        times = [part.timing for plan in plans for part in plan.parts]
        step_ps = min(time.retry_ps for time in times)
        longest_ps = max(time.end_cutoff_ps + 1000 * time.retry_ps for time in times)
        deadline_ps = self._clock.now_ps() + longest_ps
        places = everywhere = generation.places(plans)
        while True:
            statuses = await generation.status_at(self._devices, places)
            left = [status for status in statuses if not status.is_drained]
            if not left and places is everywhere:
                return
            # Only where something was left is looked again, and when nothing is, once more at all.
            places = [
                place
                for place, status in zip(places, statuses, strict=True)
                if not status.is_drained
            ] or everywhere
            if not left:
                continue
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

    # ---- names ----

    def known(self, names: Iterable[str] | None) -> list[str]:
        """Names of circuits that stand; None: all. Raises ControlError."""
        plans = self.plans
        if names is None:
            return list(plans)
        return [name for name in names if _named(plans, name)]

    def _plans(self, names: Iterable[str] | None) -> list[CircuitPlan]:
        plans = self.plans
        return [plans[name] for name in self.known(names)]

    def _must_be_new(self, names: Iterable[str]) -> None:
        standing = self.current
        for name in names:
            if name in standing:
                raise ControlError(f"a circuit named {name} stands already")

    def _tell(self, kind: EventKind, standing: Standing) -> None:
        name = standing.circuit.name
        path = " - ".join(hop.node for hop in standing.plan.hops)
        self._events.tell(kind, f"{name}: {path}", circuit=name)


def _named(items: Mapping[str, _T], name: str) -> _T:
    if name not in items:
        known = ", ".join(items) or "none"
        raise ControlError(f"no circuit is named {name}; there are: {known}")
    return items[name]
