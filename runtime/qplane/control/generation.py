"""Generation of pairs on the links of circuits: start, stop, and how the devices stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qplane.control.devices import Devices, Question
from qplane.control.errors import DeviceError
from qplane.control.plans import CircuitPlan, HopPlan, SidePlan
from qplane.wire import (
    DeviceFlag,
    DeviceFrame,
    DeviceType,
    LinkControl,
    LinkStatusCode,
)

PS_PER_MS = 1_000_000_000
LONGEST_LINGER_MS = 0xFFFF


@dataclass(frozen=True)
class LinkStatus:
    """What a device says of one side of a circuit.

    `in_use`: slots that hold a qubit; `unconfirmed`: expiries that the other end has not confirmed,
    and early deliveries whose frame is still to come.
    """

    circuit: str
    node: str
    link: int  # the device's link number
    label: int
    state: LinkStatusCode
    in_use: int
    unconfirmed: int
    last_seq: int = 0  # of the last pair on that link, for whichever circuit

    @property
    def is_drained(self) -> bool:
        return self.in_use == 0 and self.unconfirmed == 0


Place = tuple[CircuitPlan, HopPlan, SidePlan]
"""One side of a circuit at a node."""


async def start(devices: Devices, plans: Sequence[CircuitPlan]) -> None:
    """LINK_START to both devices of each link. Raises DeviceError after stopping all of them."""
    asked = places(plans)
    answers = await _ask(devices, asked, DeviceType.LINK_START, give_up=False)
    for (plan, hop, side), answer in zip(asked, answers, strict=True):
        if answer is None or answer.state is not LinkStatusCode.GENERATING:
            await _ask(devices, asked, DeviceType.LINK_STOP, give_up=False)
            if answer is None:
                raise _silent(plan, hop, side)
            raise DeviceError(
                f"its quantum device does not generate pairs for circuit {plan.name} on link "
                f"{side.number}: it answered {answer.state.name}",
                node=hop.node,
            )


async def stop(devices: Devices, plans: Sequence[CircuitPlan]) -> list[LinkStatus]:
    """LINK_STOP to all devices; pairs in memory stay until delivered, swapped or expired."""
    return await _told(devices, places(plans), DeviceType.LINK_STOP)


async def status(devices: Devices, plans: Sequence[CircuitPlan]) -> list[LinkStatus]:
    """How the devices stand, from head-end to tail-end for each circuit. Raises DeviceError."""
    return await status_at(devices, places(plans))


async def status_at(devices: Devices, asked: Sequence[Place]) -> list[LinkStatus]:
    """How the devices stand on those sides. Raises DeviceError."""
    return await _told(devices, asked, DeviceType.LINK_STATUS_REQUEST)


async def look(devices: Devices, plans: Sequence[CircuitPlan]) -> list[LinkStatus | None]:
    """As :func:`status`, but None for a device that can't be reached or does not answer."""
    return await _ask(devices, places(plans), DeviceType.LINK_STATUS_REQUEST, give_up=False)


async def agree(
    devices: Devices, running: Sequence[CircuitPlan], stopped: Sequence[CircuitPlan]
) -> list[LinkStatus]:
    """Start and stop what devices have forgotten or were never told; what had to be told.

    Devices that can't be reached are passed over.
    """
    told = []
    for plans, wanted, order in (
        (running, True, DeviceType.LINK_START),
        (stopped, False, DeviceType.LINK_STOP),
    ):
        asked = places(plans)
        found = await _ask(devices, asked, DeviceType.LINK_STATUS_REQUEST, give_up=False)
        wrong = [
            place
            for place, status in zip(asked, found, strict=True)
            if status is not None and (status.state is LinkStatusCode.GENERATING) != wanted
        ]
        answers = await _ask(devices, wrong, order, give_up=False)
        if wanted:  # a device that never heard of a label need not be told to stop
            told += [answer for answer in answers if answer is not None]
    return told


def places(plans: Iterable[CircuitPlan]) -> list[Place]:
    """All sides of the circuits, those of each one's feeders first, from head-end to tail-end."""
    return [
        (part, hop, side)
        for plan in plans
        for part in plan.parts
        for hop in part.hops
        for side in hop.sides
    ]


async def _told(devices: Devices, asked: Sequence[Place], type_: DeviceType) -> list[LinkStatus]:
    """Raises DeviceError where a device does not answer."""
    answers = await _ask(devices, asked, type_, give_up=True)
    for (plan, hop, side), answer in zip(asked, answers, strict=True):
        if answer is None:
            raise _silent(plan, hop, side)
    return [answer for answer in answers if answer is not None]


def _silent(plan: CircuitPlan, hop: HopPlan, side: SidePlan) -> DeviceError:
    return DeviceError(
        f"its quantum device did not answer about circuit {plan.name} on link {side.number}",
        node=hop.node,
    )


async def _ask(
    devices: Devices, asked: Sequence[Place], type_: DeviceType, *, give_up: bool
) -> list[LinkStatus | None]:
    answers = await devices.ask([_question(type_, *p) for p in asked], give_up=give_up)
    return [
        _status(plan.name, hop.node, side, frames)
        for (plan, hop, side), frames in zip(asked, answers, strict=True)
    ]


def _question(type_: DeviceType, plan: CircuitPlan, hop: HopPlan, side: SidePlan) -> Question:
    def frame(transaction: int) -> DeviceFrame:
        if type_ is not DeviceType.LINK_START:
            return DeviceFrame(type_, side.number, LinkControl(transaction, side.label))
        body = LinkControl(
            transaction,
            side.label,
            slot_first=side.slots.first,
            slot_count=side.slots.count,
            cutoff_ps=plan.timing.end_cutoff_ps if hop.is_end else plan.timing.cutoff_ps,
            retry_ps=plan.timing.retry_ps if hop.is_end else 0,
            slice=hop.slice_number,
            linger_ms=min(-(-plan.timing.retry_ps // PS_PER_MS), LONGEST_LINGER_MS),
            rounds=plan.rounds if hop.is_end else 0,
            bright_state=0 if side.is_fed else side.bright_state,
            feeds=side.feeds,
        )
        flags = DeviceFlag.END if hop.is_end else DeviceFlag.NONE
        return DeviceFrame(type_, side.number, body, flags=flags)

    return Question(hop.node, frame, in_list=True)


def _status(
    circuit: str, node: str, side: SidePlan, frames: Iterable[DeviceFrame] | None
) -> LinkStatus | None:
    body = next((f.body for f in frames or () if isinstance(f.body, LinkControl)), None)
    if body is None:
        return None
    return LinkStatus(
        circuit,
        node,
        side.number,
        side.label,
        body.status,
        body.in_use,
        body.unconfirmed,
        body.last_seq,
    )
