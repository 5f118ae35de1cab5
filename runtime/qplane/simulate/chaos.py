"""Faults of the control plane, in virtual time and through real P4Runtime: what it must survive.

:class:`FaultySwitch` is a switch whose gRPC calls fail now and then. :class:`Chaos` makes things
happen to a running simulation at random instants: streams drop, switches restart, fibres are cut,
entries vanish, circuits move, the controller dies. Message faults are the network file's.
Everything is drawn from seeds.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from finsy.proto import p4r

from qplane.clock import PS_PER_SECOND
from qplane.control import ControlError, Event, EventKind
from qplane.control.entries import Entry, table_entry
from qplane.control.program import schema
from qplane.net import Link
from qplane.simulate.clock import Interrupted
from qplane.simulate.emulated import EmulatedSwitch
from qplane.simulate.session import Simulation
from qplane.switch.errors import Code, StatusError
from qplane.switch.roles import RoleScope
from qplane.switch.stream import ClientStream
from qplane.switch.write import apply_batch


@dataclass
class CallFaults:
    """Probabilities with which a call to a switch fails; shared by all switches of a run.

    A *lost request* was not begun, a *lost answer* was all done: the client hears UNAVAILABLE of
    either. A packet-out can end its stream. Each call takes up to `delay_s` of real time.
    """

    lost_request: float = 0.0
    lost_answer: float = 0.0
    ended_stream: float = 0.0
    delay_s: float = 0.0
    seed: int = 1
    happened: Counter[str] = field(default_factory=Counter)


class FaultySwitch(EmulatedSwitch):
    """An emulated switch whose P4Runtime calls fail as `faults` say."""

    faults: CallFaults

    @classmethod
    def with_faults(cls, faults: CallFaults) -> Callable[..., FaultySwitch]:
        """Makes such switches."""

        def make(device_id: int, *args: Any, **options: Any) -> FaultySwitch:
            switch = cls(device_id, *args, **options)
            switch.faults = faults
            faults.happened["switches made"] += 1
            switch._random = Random(f"{faults.seed} {device_id} {faults.happened['switches made']}")
            return switch

        return make

    _random: Random

    def write_wire(self, data: bytes, role_name: str, election_id: int | None) -> None:
        self._before("write")
        super().write_wire(data, role_name, election_id)
        self._after("write")

    def read(self, request: p4r.ReadRequest) -> Any:
        self._before("read")
        return super().read(request)

    def get_pipeline(
        self, request: p4r.GetForwardingPipelineConfigRequest
    ) -> p4r.GetForwardingPipelineConfigResponse:
        self._before("get pipeline")
        return super().get_pipeline(request)

    def set_pipeline(self, request: p4r.SetForwardingPipelineConfigRequest) -> None:
        self._before("push")
        super().set_pipeline(request)
        self._after("push")

    def serve_stream_message(self, stream: ClientStream, request: p4r.StreamMessageRequest) -> None:
        is_packet = request.WhichOneof("update") == "packet"
        if is_packet and self._random.random() < self.faults.ended_stream:
            self.faults.happened["streams ended"] += 1
            raise StatusError(Code.UNAVAILABLE, "the connection was dropped")
        super().serve_stream_message(stream, request)

    def tamper(self, kind: p4r.Update.Type.ValueType, entry: Entry) -> bool:
        """Write behind the controller's back; whether the entry could be so changed."""
        update = p4r.Update(type=kind, entity=entry.to_finsy().encode(schema()))
        with self._lock:
            if self._state is None:
                return False
            try:
                apply_batch(self._state, [update], p4r.WriteRequest.CONTINUE_ON_ERROR, RoleScope())
            except Exception:  # it stands already, or does not: nothing changed
                return False
            return True

    def _before(self, call: str) -> None:
        if self.faults.delay_s:
            time.sleep(self._random.uniform(0, self.faults.delay_s))
        if self._random.random() < self.faults.lost_request:
            self.faults.happened[f"{call} lost"] += 1
            raise StatusError(Code.UNAVAILABLE, "the request was lost")

    def _after(self, call: str) -> None:
        if self._random.random() < self.faults.lost_answer:
            self.faults.happened[f"answer to {call} lost"] += 1
            raise StatusError(Code.UNAVAILABLE, "the answer was lost")


@dataclass(frozen=True)
class Rates:
    """How often things happen, per second of virtual time and network."""

    stream_drops: float = 0.0
    restarts: float = 0.0
    cuts: float = 0.0
    tampering: float = 0.0
    moves: float = 0.0
    controller_restarts: float = 0.0
    checks: float = 20.0
    mean_cut_s: float = 0.2


@dataclass(frozen=True)
class Converged:
    """How the network came to rest after the last fault: virtual time, passes, entries repaired."""

    after_ps: int
    passes: int
    repaired: int


class Chaos:
    """Makes things happen to a simulation that is set up and generates pairs.

    `happened` counts what did, `events` what the controllers told.
    """

    def __init__(self, simulated: Simulation, faults: CallFaults, rates: Rates, seed: int) -> None:
        self.happened: Counter[str] = Counter()
        self.events: Counter[EventKind] = Counter()
        self._simulated = simulated
        self._faults = faults
        self._rates = rates
        self._random = Random(seed)
        self._cut: dict[int, tuple[Link, int]] = {}  # link and when it heals, by index
        self._listen()

    def _listen(self) -> None:
        self._simulated.controller.events.subscribe(self._count)

    def _count(self, event: Event) -> None:
        self.events[event.kind] += 1

    # ---- while pairs are generated ----

    async def run(self, deliveries: int) -> None:
        """Go on until so many pairs are delivered in all."""
        kinds = self._kinds()
        total = sum(rate for rate, _ in kinds)
        engine = self._simulated.emulation.engine
        while engine.delivered < deliveries:
            pause_s = self._random.expovariate(total)
            await self._advance(engine.now_ps + round(pause_s * PS_PER_SECOND), deliveries)
            self._heal()
            ((_, happen),) = self._random.choices(kinds, [rate for rate, _ in kinds])
            try:
                await happen()
            except ControlError:
                # What is refused has changed nothing, which the check at the end sees.
                self.happened["refused"] += 1

    def _kinds(self) -> list[tuple[float, Any]]:
        rates = self._rates
        return [
            (rates.stream_drops, self._drop_stream),
            (rates.restarts, self._restart_switch),
            (rates.cuts, self._cut_link),
            (rates.tampering, self._tamper),
            (rates.moves, self._move_circuit),
            (rates.controller_restarts, self._restart_controller),
            (rates.checks, self._check),
        ]

    async def _advance(self, until_ps: int, deliveries: int | None) -> None:
        clock = self._simulated.clock
        clock.deliveries = deliveries
        try:
            while clock.now_ps() < until_ps:
                reason = await clock.advance(until_ps)
                if reason == "interrupted":
                    raise Interrupted
                if reason in ("delivered", "idle"):
                    return
        finally:
            clock.deliveries = None

    def _node(self) -> str:
        return self._random.choice(list(self._simulated.plan.nodes))

    async def _drop_stream(self) -> None:
        device = self._simulated.emulation.devices[self._node()]
        device.close_streams(StatusError(Code.UNAVAILABLE, "the connection was dropped"))
        self.happened["streams dropped"] += 1

    async def _restart_switch(self) -> None:
        self._simulated.emulation.restart_switch(self._node())
        self.happened["switches restarted"] += 1

    async def _cut_link(self) -> None:
        link = self._random.choice(self._simulated.plan.links)
        if link.index not in self._cut:
            length_s = self._random.expovariate(1 / self._rates.mean_cut_s)
            heals_ps = self._simulated.clock.now_ps() + round(length_s * PS_PER_SECOND)
            self._cut[link.index] = link, heals_ps
            self._simulated.emulation.cut(link)
            self.happened["links cut"] += 1

    def _heal(self, *, everything: bool = False) -> None:
        now_ps = self._simulated.clock.now_ps()
        for index, (link, heals_ps) in [*self._cut.items()]:
            if everything or now_ps >= heals_ps:
                self._simulated.emulation.cut(link, False)
                del self._cut[index]

    async def _tamper(self) -> None:
        """An entry vanishes, or one that does no harm appears."""
        node = self._node()
        device = self._simulated.emulation.devices[node]
        assert isinstance(device, FaultySwitch)
        entries = self._simulated.controller.entries(node)
        if entries and self._random.random() < 0.5:
            entry, kind = self._random.choice(entries), p4r.Update.DELETE
        else:
            dst = 0x0A0000000000 + self._random.getrandbits(16)
            entry, kind = table_entry("my_mac", {"dst": dst}, "NoAction"), p4r.Update.INSERT
        if device.tamper(kind, entry):
            self.happened["entries tampered with"] += 1

    async def _move_circuit(self) -> None:
        controller = self._simulated.controller
        circuits = list(controller.circuits.values())
        if circuits:
            await controller.reroute(self._random.choice(circuits))
            self.happened["circuits moved"] += 1

    async def _restart_controller(self) -> None:
        controller = await self._simulated.restart_controller()
        self._listen()
        self.happened["controllers restarted"] += 1
        await controller.connect(require_all=False)
        await controller.check(audit=True)

    async def _check(self) -> None:
        await self._simulated.controller.check(audit=self._random.random() < 0.1)
        self.happened["checks"] += 1

    # ---- afterwards ----

    async def settle(self, interval_ps: int = PS_PER_SECOND // 10, passes: int = 200) -> Converged:
        """No fault happens any more: let the controller make passes until nothing is left to do.

        Raises RuntimeError where that takes more than so many.
        """
        self._heal(everything=True)
        faults = self._faults
        faults.lost_request = faults.lost_answer = faults.ended_stream = 0.0
        controller = self._simulated.controller
        began_ps = self._simulated.clock.now_ps()
        repaired = 0
        for count in range(1, passes + 1):
            differences = await controller.check(audit=True)
            repaired += len(differences)
            at_rest = not differences and not controller.draining and not controller.suspects
            if at_rest and not controller.topology.down:
                return Converged(self._simulated.clock.now_ps() - began_ps, count, repaired)
            await self._advance(self._simulated.clock.now_ps() + interval_ps, None)
        raise RuntimeError(
            f"not at rest after {passes} passes: draining {len(controller.draining)}, suspect "
            f"{sorted(controller.suspects)}, down {sorted(controller.topology.down)}"
        )
