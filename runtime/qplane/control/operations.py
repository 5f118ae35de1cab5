"""What a running network offers about its circuits: circuit.add, .list, .show, .remove, .ping,
.sample, .teleport, and net.top.

Values are JSON; what they hold is said at :func:`described`. Errors are ControlErrors and
WrongArgumentErrors of one line; a circuit that can't be added leaves no trace.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from enum import IntEnum
from typing import Any

from qplane.clock import PS_PER_SECOND, Clock
from qplane.control.controller import Controller
from qplane.control.errors import ControlError
from qplane.control.generation import LinkStatus
from qplane.control.ping import Ping, Side, find_circuit
from qplane.control.plans import CircuitPlan
from qplane.control.samples import ErrorRate, Sample
from qplane.control.telemetry import Reports
from qplane.control.teleport import CARDINAL, Teleportation
from qplane.live.api import WrongArgumentError
from qplane.net.request import RequestError, circuit_request
from qplane.wire.link import BRIGHT_ONE

COUNTER = "circuit_events"
KINDS = 8


class PairEvent(IntEnum):
    """Kinds of the P4 program's counter `circuit_events` (metadata.p4)."""

    HERALDED = 0
    SWAP = 1
    SWAPPED = 2
    SWAP_FAILED = 3
    DELIVERED = 4
    EXPIRED = 5
    VOIDED = 6
    COMPLETED = 7


Values = dict[str, Any]
Table = list[Values]


class Operations:
    """By a controller, in its own words; all numbers come over P4Runtime."""

    def __init__(self, controller: Controller, clock: Clock) -> None:
        self._controller = controller
        self._clock = clock
        self._before: dict[tuple[str, int], dict[PairEvent, int]] = {}
        """What a circuit number had counted at a node before its present circuit took it."""

    def by_name(self) -> dict[str, Callable[..., Any]]:
        """As :class:`qplane.live.api.Operation`."""
        return {
            "circuit.add": self.add,
            "circuit.list": self.list,
            "circuit.show": self.show,
            "circuit.remove": self.remove,
            "circuit.ping": self.ping,
            "circuit.sample": self.sample,
            "circuit.teleport": self.teleport,
            "net.top": self.top,
        }

    async def add(
        self,
        head: str,
        tail: str,
        name: str | None = None,
        fidelity: float | str | None = None,
        rate: float | str | None = None,
        slots: int | None = None,
        cutoff: str | None = None,
        distil: int | None = None,
        distil_links: int | None = None,
        request: str = "keep",
        start: bool = True,
    ) -> Values:
        """Plan a circuit, set it up, generate pairs; what it is then.

        `rate` is a frequency ("20 Hz") or a number of pairs a second, `cutoff` a time ("10 ms"),
        `distil` rounds of distillation between the ends, `distil_links` on each link, `request`
        what the ends do with a pair: "keep", "measure" or "early".
        """
        frequency = f"{rate} Hz" if isinstance(rate, (int, float)) else rate
        wanted = {
            "from": head,
            "to": tail,
            "name": name or self._unused(f"{head}-{tail}"),
            "fidelity": fidelity,
            "rate": frequency,
            "slots": slots,
            "cutoff": cutoff,
            "distil": distil,
            "distil_links": distil_links,
            "request": request,
        }
        try:
            circuit = circuit_request(self._controller.network, wanted)
        except RequestError as error:
            argument = {"from": "head", "to": "tail"}.get(error.key or "", error.key)
            given = wanted | {"head": head, "tail": tail, "rate": rate}
            raise WrongArgumentError(argument, given.get(argument or ""), error.problem) from error
        plan = await self._controller.add(circuit)
        try:
            for hop in (hop for part in plan.parts for hop in part.hops):
                before = await self._count(hop.node, hop.circuit_id)
                self._before[hop.node, hop.circuit_id] = before
        except BaseException:
            await self._controller.remove(circuit.name)
            raise
        if start:
            await self._start(circuit.name)
        return await self.show(circuit.name)

    async def list(self) -> list[Values]:
        """All circuits, in short."""
        return [self._described(plan) for plan in self._controller.plans.values()]

    async def show(self, name: str) -> Values:
        """One circuit with what its nodes have counted and what stands in their memories."""
        plan = self._plan(name)
        statuses = await self._controller.status([name])
        feeders = [
            {"path": [hop.node for hop in feeder.hops], "distil": feeder.rounds}
            | {"hops": await self._hops(feeder, statuses)}
            for feeder in plan.feeders
        ]
        hops = await self._hops(plan, statuses)
        return self._described(plan) | {"hops": hops, "feeders": feeders}

    async def _hops(self, plan: CircuitPlan, statuses: Sequence[LinkStatus]) -> Table:
        """What the nodes have counted of a circuit, and what stands in their memories."""
        hops = []
        for hop in plan.hops:
            events = await self._events(hop.node, hop.circuit_id)
            sides = [
                {
                    "neighbour": side.neighbour,
                    "port": side.port,
                    "label": side.label,
                    "slots": [side.slots.first, side.slots.first + side.slots.count - 1],
                    "in_use": status.in_use,
                    "unconfirmed": status.unconfirmed,
                    "state": status.state.name.lower(),
                }
                for side in hop.sides
                for status in statuses
                if (status.node, status.link, status.label) == (hop.node, side.number, side.label)
            ]
            hops.append({"node": hop.node, "circuit_id": hop.circuit_id, "sides": sides} | events)
        return hops

    async def remove(self, name: str) -> Values:
        """Stop it, wait until its memory is empty, delete its entries."""
        self._plan(name)
        await self._controller.remove(name)
        return {"removed": name}

    async def ping(
        self,
        source: str,
        target: str,
        circuit: str | None = None,
        count: int | None = None,
        interval: float = 1.0,
        timeout: float = 1.0,
    ) -> AsyncIterator[Values]:
        """`count` pings (None: for ever), one every `interval` seconds of the network's time."""
        _check_seconds("interval", interval)
        _check_seconds("timeout", timeout)
        if count is not None and count < 1:
            raise WrongArgumentError("count", count, "at least one ping")
        self._check_nodes(source=source, target=target)
        name = find_circuit(self._controller.plans, source, target, circuit).name
        for sequence in itertools.count(1) if count is None else range(1, count + 1):
            begun_ps = self._clock.now_ps()
            ping = await self._controller.ping(
                source, target, name, timeout_ps=round(timeout * PS_PER_SECOND)
            )
            generating = self._controller.is_generating(name)
            yield {"sequence": sequence} | pinged(ping) | {"generating": generating}
            if sequence != count:
                next_ps = begun_ps + round(interval * PS_PER_SECOND)
                await self._clock.sleep(max(next_ps - self._clock.now_ps(), 0))

    async def sample(
        self,
        source: str,
        target: str,
        pairs: int,
        circuit: str | None = None,
        timeout: float = 60.0,
    ) -> Values:
        """Both ends measure so many pairs; what they found. `timeout`: of the network's time."""
        _check_seconds("timeout", timeout)
        self._check_nodes(source=source, target=target)
        found = await self._controller.sample(
            source, target, pairs, circuit, timeout_ps=round(timeout * PS_PER_SECOND)
        )
        return sampled(found)

    async def teleport(
        self,
        source: str,
        target: str,
        state: str = "+Z",
        count: int = 1,
        circuit: str | None = None,
        timeout: float = 60.0,
    ) -> Values:
        """Teleport one of the six cardinal states `count` times, each over a pair of a circuit.

        `timeout`: of the network's time.
        """
        _check_seconds("timeout", timeout)
        if state not in CARDINAL:
            raise WrongArgumentError(
                "state", state, f"no such state; there are: {_listed(CARDINAL)}"
            )
        self._check_nodes(source=source, target=target)
        name = find_circuit(self._controller.plans, source, target, circuit).name
        done = await self._controller.teleport(
            source,
            target,
            CARDINAL[state],
            count,
            name,
            timeout_ps=round(timeout * PS_PER_SECOND),
        )
        return {"circuit": name, "state": state} | teleported(done)

    async def top(self, interval: float = 1.0) -> AsyncIterator[Values]:
        """Every `interval` seconds of the network's time: each circuit's deliveries since then (of
        one that distils: what came through its rounds), and what switches told unasked."""
        _check_seconds("interval", interval, least=0.05)
        before: dict[str, int] = {}
        before_ps = self._clock.now_ps()
        while True:
            await self._clock.sleep(round(interval * PS_PER_SECOND))
            now_ps = self._clock.now_ps()
            circuits = []
            delivered: dict[str, int] = {}
            in_use: dict[str, int] = {}
            for status in await self._controller.status():
                in_use[status.node] = in_use.get(status.node, 0) + status.in_use
            for plan in list(self._controller.plans.values()):
                head = plan.hops[0]
                events = await self._events(head.node, head.circuit_id)
                if plan.rounds:
                    events["delivered"] = events["completed"]
                delivered[plan.name] = events["delivered"]
                new = events["delivered"] - before.get(plan.name, events["delivered"])
                rate = new * PS_PER_SECOND / (now_ps - before_ps) if plan.name in before else None
                circuits.append(self._described(plan) | events | {"measured_rate_per_s": rate})
            devices = self._controller.topology.devices
            nodes = [
                {"node": name, "slots": device.features.slots, "in_use": in_use.get(name, 0)}
                for name, device in devices.items()
            ]
            before, before_ps = delivered, now_ps
            yield {
                "time_s": now_ps / PS_PER_SECOND,
                "circuits": circuits,
                "nodes": nodes,
                "unlisted_links": [link._asdict() for link in self._controller.topology.unlisted()],
                "telemetry": told(self._controller.reports),
            }

    def _check_nodes(self, **names: str) -> None:
        nodes = self._controller.network.nodes
        for argument, node in names.items():
            if node not in nodes:
                raise WrongArgumentError(argument, node, f"no such node; nodes: {_listed(nodes)}")

    def _plan(self, name: str) -> CircuitPlan:
        plans = self._controller.plans
        if name not in plans:
            known = ", ".join(plans) or "none"
            raise ControlError(f"no circuit is named {name}; there are: {known}")
        return plans[name]

    def _unused(self, name: str) -> str:
        plans = self._controller.plans
        number = 1
        unused = name
        while unused in plans:
            number += 1
            unused = f"{name}-{number}"
        return unused

    async def _start(self, name: str) -> None:
        """What can't be started is taken away again."""
        try:
            await self._controller.start([name])
        except BaseException:
            await self._controller.remove(name)
            raise

    async def _events(self, node: str, circuit_id: int) -> dict[str, int]:
        before = self._before.get((node, circuit_id), {})
        counted = await self._count(node, circuit_id)
        return {kind.name.lower(): counted[kind] - before.get(kind, 0) for kind in PairEvent}

    async def _count(self, node: str, circuit_id: int) -> dict[PairEvent, int]:
        first = circuit_id * KINDS
        indices = [first + kind for kind in PairEvent]
        counted = await self._controller.counters(node, COUNTER, indices)
        return {kind: counted.get(first + kind, 0) for kind in PairEvent}

    def _described(self, plan: CircuitPlan) -> Values:
        return described(plan) | {"generating": self._controller.is_generating(plan.name)}


def described(plan: CircuitPlan) -> Values:
    """A plan as JSON: path by node, slots on each side, cut-off in ms, what was promised."""
    promise = plan.promise
    return {
        "name": plan.name,
        "head": plan.hops[0].node,
        "tail": plan.hops[-1].node,
        "path": [hop.node for hop in plan.hops],
        "slots": plan.hops[0].sides[0].slots.count,
        "cutoff_ms": plan.timing.cutoff_ps / 1e9,
        "distil": plan.rounds,
        "link_rounds": list(plan.link_rounds),
        "bright_states": [round(n / BRIGHT_ONE, 6) if n else None for n in plan.bright_states],
        "request": plan.hops[0].request.name.lower(),
        "fidelity": None if promise is None else promise.fidelity,
        "rate_per_s": None if promise is None else promise.rate_per_s,
        "turns": None if promise is None else list(promise.turns),
    }


def told(reports: Reports) -> list[Values]:
    """What switches have told unasked since the controller began, as JSON: by node, a kind ("event"
    or "anomaly"), a name, and how many copies or refusals."""
    return [
        {"node": node, "kind": kind, "name": name, "count": count}
        for kind, counted in (("event", reports.copies), ("anomaly", reports.anomalies))
        for (node, name), count in sorted(counted.items())
    ]


def pinged(ping: Ping) -> Values:
    """A ping as JSON: each hop that answered, and where it broke off."""
    return {
        "circuit": ping.circuit,
        "path": list(ping.path),
        "answered": ping.is_answered,
        "broken_between": None if ping.broken is None else list(ping.broken),
        "hops": [
            {
                "hop": reply.hop,
                "node": reply.node,
                "role": reply.role.name.lower(),
                "round_trip_us": reply.round_trip_ps / 1e6,
                "towards": _side(reply.towards),
                "beyond": None if reply.beyond is None else _side(reply.beyond),
                "slots_of_slice": [reply.first_slot, reply.last_slot],
            }
            for reply in ping.replies
        ],
    }


def sampled(sample: Sample) -> Values:
    """A sample as JSON; None in place of what no pair was measured for."""

    def rate(found: ErrorRate) -> Values:
        return {
            "pairs": found.pairs,
            "errors": found.errors,
            "error_rate": found.value if found.pairs else None,
            "standard_error": found.standard_error if found.pairs else None,
        }

    is_known = sample.z.pairs > 0 and sample.x.pairs > 0
    return {
        "circuit": sample.circuit,
        "pairs": sample.pairs,
        "unmatched": sample.unmatched,
        "z": rate(sample.z),
        "x": rate(sample.x),
        "fidelity_least": sample.fidelity_least if is_known else None,
        "fidelity_most": sample.fidelity_most if is_known else None,
        "standard_error": sample.standard_error if is_known else None,
    }


def teleported(done: Sequence[Teleportation]) -> Values:
    """A series as JSON: how often the receiver found the state that was sent; None where nothing
    arrived. Durations are from the sender's measurement to the receiver's, by the devices."""
    wrong = ErrorRate(len(done), sum(each.outcome for each in done))
    waits_ms = [(each.received_ps - each.sent_ps) / 1e9 for each in done]
    return {
        "teleported": wrong.pairs,
        "found": wrong.pairs - wrong.errors,
        "fidelity": 1 - wrong.value if done else None,
        "standard_error": wrong.standard_error if done else None,
        "wait_ms": sum(waits_ms) / len(done) if done else None,
        "results": [
            {"pair": each.head_seq, "bits": format(each.bits, "02b"), "outcome": each.outcome}
            for each in done
        ],
    }


def _check_seconds(argument: str, seconds: float, least: float = 0.001) -> None:
    if not least <= seconds <= 3600:
        raise WrongArgumentError(argument, seconds, f"{least} to 3600 seconds are possible")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _side(side: Side) -> Values:
    return {"pairs_held": side.held, "in_line": side.line, "last_pair_us_ago": side.age_us}


def operations(controller: Controller, clock: Clock) -> dict[str, Callable[..., Any]]:
    """The operations of :mod:`qplane.live.api` that are about circuits."""
    return Operations(controller, clock).by_name()
