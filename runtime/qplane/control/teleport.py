"""Teleportation over the pairs of a circuit: orders to the devices of both ends, and their results.

The sender's device measures its half of each pair with a qubit in the state asked for, its switch
sends the two bits as CORRECTION, the receiver's device applies them and measures. Which result
belongs to which is told by the pair's sequence number at the head-end. Formats: docs/wire.md.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from qplane.clock import Clock
from qplane.control.devices import Devices, Question
from qplane.control.errors import ControlError, DeviceError
from qplane.control.plans import CircuitPlan, HopPlan, Request
from qplane.wire import (
    BellIndex,
    DeviceFrame,
    DeviceType,
    TeleportOrder,
    TeleportResult,
    TeleportRole,
    TeleportStatus,
    WireError,
)
from qplane.wire.teleport import FULL_TURN

MOST = 0xFFFF
"""Teleportations of one order."""


class BlochState(NamedTuple):
    """A pure state of one qubit: the angles of its Bloch vector from +Z, and from +X about Z."""

    polar_rad: float
    azimuth_rad: float = 0.0


CARDINAL = {
    "+Z": BlochState(0.0),
    "-Z": BlochState(math.pi),
    "+X": BlochState(math.pi / 2),
    "-X": BlochState(math.pi / 2, math.pi),
    "+Y": BlochState(math.pi / 2, math.pi / 2),
    "-Y": BlochState(math.pi / 2, 3 * math.pi / 2),
}
"""The six states whose mean fidelity is that over all states."""


@dataclass(frozen=True, slots=True)
class Teleportation:
    """One teleportation, as both ends saw it.

    `head_seq`: the pair's sequence number at the head-end; `bits`: the Bell measurement's outcome;
    `outcome`: what the receiver read along the state's axis after its correction, 0 if it found
    the state. Times are the devices' own.
    """

    head_seq: int
    bits: BellIndex
    outcome: int
    sent_ps: int
    received_ps: int


@dataclass
class _Out:
    """Teleportations that are under way on one circuit."""

    ends: dict[str, TeleportRole]  # by node
    label: dict[str, int]
    done: asyncio.Future[None]
    count: int
    transactions: dict[TeleportRole, int] = field(default_factory=dict)
    results: dict[TeleportRole, dict[int, DeviceFrame]] = field(
        default_factory=lambda: {TeleportRole.SENDER: {}, TeleportRole.RECEIVER: {}}
    )

    def take(self, frame: DeviceFrame, body: TeleportResult) -> None:
        self.results[body.role][body.head_seq] = frame
        self.look()

    def look(self) -> None:
        if len(self.matched()) >= self.count and not self.done.done():
            self.done.set_result(None)

    def matched(self) -> list[Teleportation]:
        """In the order in which they were sent."""
        found = []
        for head_seq, sent in self.results[TeleportRole.SENDER].items():
            received = self.results[TeleportRole.RECEIVER].get(head_seq)
            if received is None:
                continue
            near, far = sent.body, received.body
            assert isinstance(near, TeleportResult)
            assert isinstance(far, TeleportResult)
            ours = (near.transaction, far.transaction) == (
                self.transactions.get(TeleportRole.SENDER),
                self.transactions.get(TeleportRole.RECEIVER),
            )
            if ours and sent.bell == received.bell:
                found.append(
                    Teleportation(head_seq, sent.bell, far.outcome, near.time_ps, far.time_ps)
                )
        return found


class Teleports:
    """Teleportations over circuits, one series on each at a time."""

    def __init__(self, devices: Devices, clock: Clock) -> None:
        self._devices = devices
        self._clock = clock
        self._out: dict[str, _Out] = {}  # by circuit

    async def teleport(
        self, plan: CircuitPlan, sender: str, state: BlochState, count: int, timeout_ps: int
    ) -> list[Teleportation]:
        """Teleport a state `count` times from the end `sender`; what was done until `timeout_ps`.

        The devices go on until they are told that it is enough: a pair can still be lost after it
        was used, so nobody knows before how many it takes.

        Raises ControlError where the circuit does not serve for that, DeviceError.
        """
        near, far = plan.hops[0], plan.hops[-1]
        if sender == far.node:
            near, far = far, near
        _check(plan, near, count)
        if sender != near.node:
            raise ControlError(f"{sender} is no end of circuit {plan.name}")
        if plan.name in self._out:
            raise ControlError(f"circuit {plan.name} teleports already")
        roles = {near.node: TeleportRole.SENDER, far.node: TeleportRole.RECEIVER}
        labels = {hop.node: hop.sides[0].label for hop in (near, far)}
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        out = self._out[plan.name] = _Out(roles, labels, done, count)
        try:
            # The receiver first, so that no correction comes for a pair that it has not kept.
            for hop, role in ((far, TeleportRole.RECEIVER), (near, TeleportRole.SENDER)):
                out.transactions[role] = await self._order(plan, hop, role, state)
            out.look()
            await self._clock.wait_for(done, timeout_ps)
        except TimeoutError:
            pass  # the result says how many there were
        finally:
            del self._out[plan.name]
            for hop in (near, far):
                await self._order(plan, hop, TeleportRole.NONE, state)
        return out.matched()[:count]

    async def _order(
        self, plan: CircuitPlan, hop: HopPlan, role: TeleportRole, state: BlochState
    ) -> int:
        """The order's transaction number."""
        (side,) = hop.sides

        def frame(transaction: int) -> DeviceFrame:
            order = TeleportOrder(
                transaction,
                side.label,
                role,
                polar=_turn(state.polar_rad),
                azimuth=_turn(state.azimuth_rad),
            )
            return DeviceFrame(DeviceType.TELEPORT_ORDER, side.number, order)

        (answers,) = await self._devices.ask([Question(hop.node, frame)])
        for body in _orders(answers):
            if body.status is TeleportStatus.DONE:
                return body.transaction
        raise DeviceError(
            f"its quantum device does not teleport over circuit {plan.name}: it "
            + ("did not answer" if answers is None else "does not know the circuit"),
            node=hop.node,
        )

    def packet_in(self, node: str, packet: bytes) -> bool:
        """Take a packet-in from a quantum port; False if it is no result."""
        if len(packet) < 16 or packet[15] != DeviceType.TELEPORT_RESULT:
            return False
        try:
            frame = DeviceFrame.from_bytes(packet)
        except WireError:
            return False
        body = frame.body
        assert isinstance(body, TeleportResult)
        for out in self._out.values():
            if out.ends.get(node) is body.role and out.label[node] == body.label:
                out.take(frame, body)
        return True


def _check(plan: CircuitPlan, end: HopPlan, count: int) -> None:
    if not 1 <= count <= MOST:
        raise ControlError(f"count {count}: 1 to {MOST} teleportations at once")
    if plan.rounds:
        raise ControlError(
            f"circuit {plan.name} distils its pairs; teleportation takes them as they are delivered"
        )
    if end.request is not Request.KEEP or end.complete:
        asked = "complete" if end.complete else f'request = "{end.request.name.lower()}"'
        raise ControlError(
            f"circuit {plan.name} has {asked}; teleportation needs pairs that are kept"
        )


def _orders(answers: Iterable[DeviceFrame] | None) -> list[TeleportOrder]:
    return [frame.body for frame in answers or () if isinstance(frame.body, TeleportOrder)]


def _turn(angle_rad: float) -> int:
    return round(angle_rad / (2 * math.pi) * FULL_TURN) % FULL_TURN
