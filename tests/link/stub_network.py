"""What :class:`qplane.link.layer.LinkLayer` sees of a controller, over the stub of the physics.

Frames are the real ones, as bytes; what is not there are switches, gRPC and qubits. The network
with all of it is in tests/e2e.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import TypeVar

from qplane.control.controller import PacketListener
from qplane.control.events import Events
from qplane.control.slots import Slots
from qplane.link.mhp import Measurement, MhpError, Order, Pair, Qubit, QueueId, SlotRange
from qplane.net import QUANTUM_PORT, loads
from qplane.wire import link as wire
from qplane.wire.device import WHOLE_DEVICE, DeviceFrame, DeviceType, to_fraction
from qplane.wire.qci import BellIndex
from qplane.wire.service import RandomBasis, RequestType

from .rig import TIMING
from .station import Station
from .world import World

T = TypeVar("T")

NETWORK = """
[network]
name = "stub"
[memories.good]
slots = 8
[nodes]
alice = { memory = "good" }
bob = { memory = "good" }
[[links]]
between = ["alice", "bob"]
length = "10 km"
"""


class WorldClock:
    """A :class:`qplane.clock.Clock` over a World: it steps only while somebody waits."""

    def __init__(self, world: World, deliver: Callable[[], Awaitable[None]]) -> None:
        self.world = world
        self._deliver = deliver
        self._deadlines: list[int] = []

    def now_ps(self) -> int:
        return self.world.now_ps()

    async def sleep(self, delay_ps: int) -> None:
        await self._until(self.now_ps() + delay_ps, lambda: False)

    async def wait_for(self, awaitable: Awaitable[T], timeout_ps: int, *, gather_ps: int = 0) -> T:
        task = asyncio.ensure_future(awaitable)
        try:
            await self._until(self.now_ps() + timeout_ps, task.done)
            if not task.done():
                raise TimeoutError
            return task.result()
        finally:
            task.cancel()

    async def _until(self, deadline_ps: int, done: Callable[[], bool]) -> None:
        self.world.at(deadline_ps, lambda: None)
        while True:
            await self._deliver()
            for _ in range(8):
                await asyncio.sleep(0)
            if done() or self.now_ps() >= deadline_ps or not self.world.step():
                return


class StubNetwork:
    """Alice and bob. `controller` is what the link layer is given."""

    def __init__(self, success: float = 0.3, fidelity: float = 0.95, seed: int = 1) -> None:
        self.world = World(seed)
        self.success, self.fidelity = success, fidelity
        self.station = Station(self.world, TIMING, success=success, fidelity=fidelity)
        self.network = loads(NETWORK)
        self.names = ("alice", "bob")
        self.listener: PacketListener | None = None
        self.events = Events()
        self._inbox: list[tuple[str, int, bytes]] = []
        self.clock = WorldClock(self.world, self._deliver)
        for end, device in enumerate(self.station.devices):
            device.on_pair = lambda pair, end=end: self._pair(end, pair)
            device.on_error = lambda error, end=end: self._error(end, error)
        features = SimpleNamespace(slots=8, readout_error=0)
        self.plans: dict[str, object] = {}
        self.topology = SimpleNamespace(
            is_quantum=lambda link: True,
            devices={
                name: SimpleNamespace(features=features, links={0: None}) for name in self.names
            },
        )

    # ---- what the link layer wants of a controller ----

    def listen(self, listener: PacketListener | None) -> None:
        self.listener = listener

    async def reserve_links(self) -> None:
        pass

    def sampled_heralds(self, link: object) -> tuple[int, int]:
        """No station here copies anything."""
        return 0, 0

    def link_slots(self, node: str, number: int) -> Slots:
        return Slots(0, 8)

    async def renumber(self) -> None:
        pass

    def epoch(self, station: str) -> int:
        return 0

    async def packet_out(self, node: str, port: int, packet: bytes) -> None:
        end = self.names.index(node)
        if port == QUANTUM_PORT:
            self._command(end, DeviceFrame.from_bytes(packet))
            return
        far = self.names[1 - end]
        self.world.after(TIMING.round_trip_ps // 2, lambda: self._inbox.append((far, port, packet)))

    # ---- the devices' frames ----

    def _command(self, end: int, frame: DeviceFrame) -> None:
        device, body = self.station.devices[end], frame.body
        if isinstance(body, wire.Calibration):
            self._answer(end, DeviceType.CALIBRATION, self._calibration(body))
        elif isinstance(body, wire.QubitAction):
            qubit = Qubit(body.slot, body.generation)
            is_there = device.used.get(qubit.slot) == qubit.generation
            if is_there and frame.type is DeviceType.QUBIT_PAULI:
                device.correct(qubit, BellIndex(body.pauli))
            elif is_there:  # released or measured: the slot is free
                device.release(qubit)
            status = wire.ActionStatus.DONE if is_there else wire.ActionStatus.STALE
            done = wire.QubitAction(body.transaction, *qubit, outcome=1, status=status)
            self._answer(end, DeviceType.QUBIT_DONE, done)
        elif isinstance(body, wire.MhpOrder):
            id = QueueId(body.queue_id, body.queue_seq)
            if frame.type is DeviceType.MHP_STOP:
                device.stop(id)
            else:
                device.start(_order(id, body))

    def _calibration(self, asked: wire.Calibration) -> wire.Calibration:
        return wire.Calibration(
            asked.transaction,
            asked.bright_state,
            wire.LinkScheme.DOUBLE_CLICK,
            to_fraction(self.success),
            to_fraction(self.fidelity),
            to_fraction(self.fidelity),
            cycle_ps=TIMING.cycle_ps,
            keep_cycles=TIMING.keep_cycles,
            reply_cycles=TIMING.reply_cycles,
            delay_near_ps=TIMING.round_trip_ps // 4,
            delay_far_ps=TIMING.round_trip_ps // 4,
        )

    def _pair(self, end: int, pair: Pair) -> None:
        kept = pair.qubit is not None
        slot, generation = pair.qubit or (0, 0)
        basis = wire.ORDER_BASIS if pair.basis is None else int(pair.basis)
        body = wire.MhpResult(
            *pair.id, *pair.id, pair.seq, wire.MhpError.NONE, basis, pair.outcome, 0, 0,
            slot, generation, pair.cycle, pair.attempts, 0,
        )  # fmt: skip
        kind = DeviceType.MHP_PAIR if kept else DeviceType.MHP_MEASURED
        self._answer(end, kind, body, pair.bell)

    def _error(self, end: int, error: MhpError) -> None:
        body = wire.MhpResult(
            *error.id, 0, 0, error.last_seq, wire.MhpError(error.error), 0, 0, 0, 0, 0, 0, 0, 0, 0
        )
        self._answer(end, DeviceType.MHP_ERROR, body)

    def _answer(
        self,
        end: int,
        type: DeviceType,
        body: wire.Calibration | wire.QubitAction | wire.MhpResult,
        bell: BellIndex = BellIndex.PHI_PLUS,
    ) -> None:
        link = WHOLE_DEVICE if type is DeviceType.QUBIT_DONE else 0
        frame = DeviceFrame(type, link, body, bell=bell).to_bytes()
        self._inbox.append((self.names[end], QUANTUM_PORT, frame))

    async def _deliver(self) -> None:
        while self._inbox:
            packet = self._inbox.pop(0)
            assert self.listener is not None
            assert await self.listener(*packet)


def _order(id: QueueId, body: wire.MhpOrder) -> Order:
    return Order(
        id,
        RequestType(body.kind),
        body.pairs,
        body.first_cycle,
        body.bright_state,
        SlotRange(body.slot_first, body.slot_count),
        Measurement(RandomBasis(body.random_basis), body.probability_1, body.probability_2),
    )
