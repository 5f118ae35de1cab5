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


@dataclass(frozen=True)
class LinkStatus:
    """What a device says of one side of a circuit.

    `in_use`: slots that hold a qubit; `unconfirmed`: expiries that the other end has not confirmed.
    """

    circuit: str
    node: str
    link: int  # the device's link number
    label: int
    state: LinkStatusCode
    in_use: int
    unconfirmed: int

    @property
    def is_drained(self) -> bool:
        return self.in_use == 0 and self.unconfirmed == 0


async def start(devices: Devices, plans: Sequence[CircuitPlan]) -> None:
    """LINK_START to both devices of each link. Raises DeviceError after stopping all of them."""
    answers = await _ask(devices, plans, DeviceType.LINK_START)
    refused = [answer for answer in answers if answer.state is not LinkStatusCode.GENERATING]
    if refused:
        await _ask(devices, plans, DeviceType.LINK_STOP)
        first = refused[0]
        raise DeviceError(
            f"its quantum device does not generate pairs for circuit {first.circuit} on link "
            f"{first.link}: it answered {first.state.name}",
            node=first.node,
        )


async def stop(devices: Devices, plans: Sequence[CircuitPlan]) -> list[LinkStatus]:
    """LINK_STOP to all devices; pairs in memory stay until delivered, swapped or expired."""
    return await _ask(devices, plans, DeviceType.LINK_STOP)


async def status(devices: Devices, plans: Sequence[CircuitPlan]) -> list[LinkStatus]:
    """How the devices stand, from head-end to tail-end for each circuit."""
    return await _ask(devices, plans, DeviceType.LINK_STATUS_REQUEST)


async def _ask(
    devices: Devices, plans: Sequence[CircuitPlan], type_: DeviceType
) -> list[LinkStatus]:
    """Raises DeviceError where a device does not answer."""
    sides = [(plan, hop, side) for plan in plans for hop in plan.hops for side in hop.sides]
    answers = await devices.ask([_question(type_, *place) for place in sides])
    return [
        _status(plan.name, hop.node, side, frames)
        for (plan, hop, side), frames in zip(sides, answers, strict=True)
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
        )
        flags = DeviceFlag.END if hop.is_end else DeviceFlag.NONE
        return DeviceFrame(type_, side.number, body, flags=flags)

    return Question(hop.node, frame)


def _status(
    circuit: str, node: str, side: SidePlan, frames: Iterable[DeviceFrame] | None
) -> LinkStatus:
    body = next((f.body for f in frames or () if isinstance(f.body, LinkControl)), None)
    if body is None:
        raise DeviceError(
            f"its quantum device did not answer about circuit {circuit} on link {side.number}",
            node=node,
        )
    return LinkStatus(
        circuit, node, side.number, side.label, body.status, body.in_use, body.unconfirmed
    )
