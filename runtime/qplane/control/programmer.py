"""The switches' entries follow the intent: changes as one transaction, repairs switch by switch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from qplane.control import tables
from qplane.control.entries import Entry, Key, state_of
from qplane.control.errors import ControlError, Failure, WriteError
from qplane.control.intent import Base, Intent
from qplane.control.links import LinkHoldings
from qplane.control.plans import CircuitPlan
from qplane.control.reconcile import Difference, compare, read, repair
from qplane.control.session import Session
from qplane.control.store import Store
from qplane.control.topology import Topology
from qplane.control.transaction import Phase, apply, difference

_PARALLEL = 16  # switches being read or repaired at once


class Programmer:
    """Owns the intent and what is known to stand.

    `suspects` are nodes whose switch may hold something else than it should. `topology` is set by
    who discovers it; the classical entries follow from it. A second of the network takes
    `time_scale` seconds by the switches' clocks.
    """

    def __init__(
        self,
        topology: Topology,
        sessions: Mapping[str, Session],
        store: Store,
        time_scale: float = 1.0,
    ) -> None:
        self.intent = Intent()
        self.topology = topology
        self.suspects: set[str] = set()
        self._network = topology.network
        self._sessions = sessions
        self._store = store
        self._time_scale = time_scale
        self._installed: dict[str, dict[Key, Entry]] = {name: {} for name in self._network.nodes}
        self._base: Mapping[str, list[Entry]] = {}
        self._base_of: tuple[object, ...] = ()  # what that follows from
        self._lock = asyncio.Lock()

    def adopt(self, intent: Intent) -> None:
        """Begin with the intent that a store held; what stands is not known yet."""
        self.intent = intent
        self._installed = {name: {} for name in self._network.nodes}
        self.suspects = set(self._network.nodes)

    def installed(self, node: str) -> list[Entry]:
        """What is known to stand in a switch."""
        return list(self._installed[node].values())

    # ---- changes ----

    async def change(self, after: Intent) -> None:
        """Make the switches follow another intent: all of them, or none and a WriteError.

        Switches that are away are an error only where a circuit that changes passes them; others
        are repaired when they are back. What the link layer holds stays as it is (:meth:`hold`).
        Raises StoreError.
        """
        async with self._lock:
            before = self.intent
            after = replace(after, links=before.links)
            touched = _nodes(_changed(before, after))
            strangers = sorted(touched - self._network.nodes.keys())
            if strangers:
                raise ControlError(f"the network has no node {strangers[0]}")
            nodes = touched if before.base == after.base else set(self._network.nodes)
            try:
                wanted = self._wanted(after, nodes)
            except ValueError as error:  # plans made elsewhere that do not fit together
                raise ControlError(f"the circuits can't stand side by side: {error}") from error
            away = {node for node in nodes if not self._sessions[node].is_primary}
            if away and len(away) == len(self._sessions):
                raise self._sessions[min(away, key=list(self._sessions).index)].why_away
            phases = difference(
                self._installed,
                {node: wanted[node] for node in wanted if node in touched or node not in away},
            )
            self._refuse_away(phases, away)
            self._store.begin(before, after)
            try:
                await apply(self._sessions, phases)
            except BaseException as error:
                if not isinstance(error, WriteError) or error.left_behind:
                    self.suspects |= {node for phase in phases for node in phase}
                self._store.abort()
                raise
            self._installed.update({n: s for n, s in wanted.items() if n not in away})
            self.suspects |= away
            try:
                self._store.commit(before, after)
            except BaseException:
                self.suspects |= {node for phase in phases for node in phase}
                raise
            self.intent = after

    async def refresh(self) -> None:
        """Write what follows from a new topology: routes around links that are down.

        Raises WriteError; all is as before then.
        """
        async with self._lock:
            nodes = {name for name, s in self._sessions.items() if s.is_primary}
            wanted = self._wanted(self.intent, nodes - self.suspects)
            await apply(self._sessions, difference(self._installed, wanted))
            self._installed.update(wanted)

    def note(self, after: Intent) -> None:
        """Change what no entry depends on. Raises StoreError."""
        after = replace(after, links=self.intent.links)
        self._store.commit(self.intent, after)
        self.intent = after

    async def hold(self, links: Callable[[LinkHoldings], LinkHoldings]) -> None:
        """Change what the link layer holds; stations that are away hear of it when they are back.

        Raises WriteError, StoreError.
        """
        async with self._lock:
            renumbered = self._hold(links(self.intent.links))
            here = {name for name in renumbered if self._sessions[name].is_primary}
            wanted = self._wanted(self.intent, here - self.suspects)
            self.suspects |= renumbered  # until all is written
            await apply(self._sessions, difference(self._installed, wanted))
            self._installed.update(wanted)
            self.suspects -= wanted.keys()

    def _hold(self, links: LinkHoldings) -> set[str]:
        """Write it down; the stations whose entries follow."""
        after = replace(self.intent, links=links)
        before = self.intent.links
        self._store.commit(self.intent, after)
        self.intent = after
        renumbered = {name for name in links.epochs if links.epoch(name) != before.epoch(name)}
        return renumbered | {s.station for s in {*links.sampling} ^ {*before.sampling}}

    def _refuse_away(self, phases: Iterable[Phase], away: Collection[str]) -> None:
        failures: list[Failure] = []
        for phase in phases:
            for node in phase:
                if node in away:
                    problem = self._sessions[node].why_away.problem
                    failures.append(phase[node][0].failure(node, "UNAVAILABLE", problem))
        if failures:
            raise WriteError(failures)

    # ---- repairs ----

    async def restore(self, nodes: Iterable[str]) -> tuple[list[Difference], list[ControlError]]:
        """Make the switches hold what they should, program and entries; what was wrong.

        A switch that can't be repaired stays suspect, and is among the errors.
        """
        async with self._lock:
            wanted = self._wanted(self.intent, set(nodes))
            bound = asyncio.Semaphore(_PARALLEL)

            async def one(node: str) -> list[Difference] | ControlError:
                async with bound:
                    try:
                        return await self._restore(node, wanted[node])
                    except ControlError as error:
                        self.suspects.add(node)
                        return error

            outcomes = await asyncio.gather(*(one(node) for node in wanted))
        errors = [outcome for outcome in outcomes if isinstance(outcome, ControlError)]
        repairs = [d for outcome in outcomes if isinstance(outcome, list) for d in outcome]
        return repairs, errors

    async def _restore(self, node: str, wanted: dict[Key, Entry]) -> list[Difference]:
        session = self._sessions[node]
        is_empty = await session.ensure_program(
            keep_others=not self._network.nodes[node].has_quantum_port
        )
        if is_empty and self._network.nodes[node].is_station and self.intent.base > Base.NOTHING:
            # Its count of pairs is gone with the registers.
            self._hold(self.intent.links.renumbered([node]))
            wanted = self._wanted(self.intent, {node})[node]
        wanted = {key: entry for key, entry in wanted.items() if session.supports(entry)}
        repaired = await repair(session, wanted, is_empty=is_empty)
        self._installed[node] = wanted
        self.suspects.discard(node)
        return repaired

    async def verify(self) -> list[Difference]:
        """What all switches hold against what is known to stand. Raises ConnectionFailedError."""
        bound = asyncio.Semaphore(_PARALLEL)  # each request has a time limit of its own

        async def one(name: str) -> dict[Key, Entry]:
            async with bound:
                return await read(self._sessions[name], self._installed[name])

        found = await asyncio.gather(*map(one, self._sessions))
        return [
            d
            for name, state in zip(self._sessions, found, strict=True)
            for d in compare(name, self._installed[name], state)
        ]

    # ---- what should stand ----

    def _wanted(self, intent: Intent, nodes: Collection[str]) -> dict[str, dict[Key, Entry]]:
        base = self._base_entries(intent)
        entries = {node: list(base[node]) for node in self._network.nodes if node in nodes}
        for plan in intent.plans():
            for hop in (hop for part in plan.parts for hop in part.hops):
                if hop.node in entries:
                    entries[hop.node].extend(
                        tables.at_hop(self._network, hop, self._time_scale, self.topology.down)
                    )
        states = {node: state_of(listed) for node, listed in entries.items()}
        for node, state in states.items():
            session = self._sessions[node]
            if session.is_foreign:
                states[node] = {k: entry for k, entry in state.items() if session.supports(entry)}
        return states

    def _base_entries(self, intent: Intent) -> Mapping[str, list[Entry]]:
        held = intent.links
        follows_from = intent.base, self.topology.down, held.epochs, held.sampling
        if self._base_of != follows_from:
            scale, links = self._time_scale, intent.links
            if intent.base is Base.NOTHING:
                self._base = {name: [] for name in self._network.nodes}
            elif intent.base is Base.PORTS:
                self._base = tables.ports(self._network, scale, links)
            else:
                self._base = tables.classical(self._network, self.topology.down, scale, links)
            self._base_of = follows_from
        return self._base


def _changed(before: Intent, after: Intent) -> list[CircuitPlan]:
    """The plans that come or go."""
    plans = [s.plan for k, s in after.circuits.items() if k not in before.circuits]
    return plans + [s.plan for k, s in before.circuits.items() if k not in after.circuits]


def _nodes(plans: Iterable[CircuitPlan]) -> set[str]:
    return {hop.node for plan in plans for hop in plan.hops}
