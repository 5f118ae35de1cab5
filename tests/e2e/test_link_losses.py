"""Each single message of the link layer lost, one by one, on the real engine: devices, station, P4
programs, P4Runtime. No wrong OK, everything ends, every slot is free."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from qplane.link.end import LinkEnd
from qplane.link.layer import LinkLayer
from qplane.link.messages import Ok
from qplane.link.request import LinkRequestError, Request
from qplane.net import QUANTUM_PORT
from qplane.simulate.session import Simulation
from qplane.wire.qci import LinkFrame, QciType
from qplane.wire.service import RandomBasis

from .link_scenarios import MS, text
from .test_link_layer import link_layer

BETWEEN, ARM_A, ARM_B = 0, 1, 2
"""Channels, as the network file makes them: between the nodes, and from each to the station."""

PURPOSE = 5

Wait = Callable[[int], Awaitable[None]]
Scenario = Callable[[LinkEnd, LinkEnd], Awaitable[list[tuple[LinkEnd, Request]]]]


async def keep_and_measure(a: LinkEnd, b: LinkEnd) -> list[tuple[LinkEnd, Request]]:
    """Both ends ask, both kinds, pairs one by one and all at once."""
    return [
        (a, await a.create(2, purpose_id=PURPOSE)),
        (b, await b.create(2, purpose_id=PURPOSE, atomic=True)),
        (a, await a.create(3, keep=False, basis=RandomBasis.XZ, purpose_id=PURPOSE)),
        (b, await b.create(2, keep=False, consecutive=False, purpose_id=PURPOSE)),
    ]


async def one_pair(a: LinkEnd, b: LinkEnd) -> list[tuple[LinkEnd, Request]]:
    """The last message of a request is the last of all."""
    return [(b, await b.create(1, purpose_id=PURPOSE))]


async def too_little_time(a: LinkEnd, b: LinkEnd) -> list[tuple[LinkEnd, Request]]:
    """Requests that end before all their pairs are there."""
    return [
        (a, await a.create(40, purpose_id=PURPOSE, max_time_ps=12 * MS)),
        (b, await b.create(99, keep=False, purpose_id=PURPOSE, max_time_ps=12 * MS)),
    ]


async def full_memory(a: LinkEnd, b: LinkEnd) -> list[tuple[LinkEnd, Request]]:
    """More pairs than the other end, which is slow to let go of them, has room for."""
    return [(a, await a.create(6, purpose_id=PURPOSE))]


async def refused(a: LinkEnd, b: LinkEnd) -> list[tuple[LinkEnd, Request]]:
    """Nobody listens to that."""
    return [(end, await end.create(1, purpose_id=77)) for end in (a, b)]


async def comparison(a: LinkEnd, b: LinkEnd) -> list[tuple[LinkEnd, Request]]:
    """Outcomes are compared."""
    return [(end, await end.test(2)) for end in (a, b)]


async def take(end: LinkEnd, pairs: Request | object, wait: Wait | None = None) -> dict[int, Ok]:
    """Release what comes, until it ends; how it ends is looked at elsewhere."""
    taken: dict[int, Ok] = {}
    try:
        async for ok in pairs:  # type: ignore[attr-defined]
            taken[ok.seq] = ok
            if wait is not None:
                await wait(4 * MS)
            await end.release(ok)
    except LinkRequestError:
        pass
    return taken


async def play(running: Simulation, layer: LinkLayer, scenario: Scenario) -> None:
    """Once, from idle to idle."""
    a, b = layer.end("a", "b"), layer.end("b", "a")
    listeners = [(end, end.listen(PURPOSE)) for end in (a, b)]
    wait = running.clock.sleep if scenario is full_memory else None
    remote = [asyncio.create_task(take(end, listener, wait)) for end, listener in listeners]
    requests = await scenario(a, b)
    own = await asyncio.gather(*(take(end, request) for end, request in requests))
    for _ in range(400):
        await running.clock.sleep(10 * MS)
        if a.egp.is_idle and b.egp.is_idle:
            break
    assert a.egp.is_idle and b.egp.is_idle
    assert running.emulation.engine.link_pairs() == []
    assert layer.malformed == layer.lost == 0
    there: dict[str, set[int]] = {"a": set(), "b": set()}
    for (end, listener), task in zip(listeners, remote, strict=True):
        listener.close()
        there[end.node] |= (await task).keys() - listener.void
    here: dict[str, set[int]] = {"a": set(), "b": set()}
    for (end, request), taken in zip(requests, own, strict=True):
        assert request.state.value in ("done", "failed")
        here[end.node] |= taken.keys() - request.void
    if scenario is comparison:
        return  # nobody listens to test pairs at the other end
    assert here["a"] | there["a"] == here["b"] | there["b"]
    assert not here["a"] & there["a"]


def lost(running: Simulation) -> int:
    return sum(running.emulation.engine.channel_counters(n)["lost"] for n in range(3))


@pytest.mark.parametrize("scenario", [keep_and_measure, one_pair, too_little_time])
@pytest.mark.parametrize("channel", [BETWEEN, ARM_A, ARM_B])
def test_each_single_loss_is_survived(channel: int, scenario: Scenario) -> None:
    async def main() -> int:
        tried = 0
        async with link_layer(text(slots=8)) as (running, layer):
            await play(running, layer, scenario)
            for side in (0, 1):
                number = 0
                while True:
                    number += 1
                    before = lost(running)
                    running.emulation.engine.lose_frame(channel, side, number)
                    await asyncio.wait_for(play(running, layer, scenario), 60)
                    if lost(running) == before:
                        running.emulation.engine.lose_frame(channel, side, 0)
                        break
                    tried += 1
        return tried

    assert asyncio.run(main()) >= 2  # GEN and REPLY of one pair


@pytest.mark.parametrize(
    ("scenario", "reply_lost", "wanted"),
    [
        (keep_and_measure, False, {QciType.DQP_ADD, QciType.DQP_ACK, QciType.DQP_HELLO}),
        (refused, False, {QciType.DQP_REJ}),
        (too_little_time, False, {QciType.DQP_ERR}),
        (full_memory, False, {QciType.EGP_MEMORY_REQUEST, QciType.EGP_MEMORY_ACK}),
        (comparison, False, {QciType.EGP_OUTCOMES}),
        (one_pair, True, {QciType.EGP_EXPIRE, QciType.EGP_EXPIRE_ACK}),
    ],
)
def test_each_message_between_the_nodes_is_lost_once(
    scenario: Scenario, reply_lost: bool, wanted: set[QciType]
) -> None:
    """By type: together with GEN and REPLY, above, all that there are (EXPIRE and its answer are
    sent only where a REPLY was lost before)."""

    async def main() -> set[QciType]:
        seen: set[QciType] = set()
        async with link_layer(text(slots=8)) as (running, layer):
            engine, controller = running.emulation.engine, running.controller
            sent: dict[str, list[QciType]] = {"a": [], "b": []}
            forward = controller.packet_out

            async def packet_out(node: str, port: int, packet: bytes) -> None:
                if port != QUANTUM_PORT:
                    sent[node].append(LinkFrame.from_bytes(packet).message.type)
                await forward(node, port, packet)

            controller.packet_out = packet_out  # type: ignore[method-assign]
            for side, node in enumerate("ab"):
                number, is_over = 0, False
                while not is_over:
                    number += 1
                    sent[node].clear()
                    before = engine.channel_counters(BETWEEN)["lost"]
                    engine.lose_frame(BETWEEN, side, number)
                    if reply_lost:
                        engine.lose_frame(ARM_B, 1, 1)
                    await asyncio.wait_for(play(running, layer, scenario), 60)
                    is_over = engine.channel_counters(BETWEEN)["lost"] == before
                    seen |= set() if is_over else {sent[node][number - 1]}
                engine.lose_frame(BETWEEN, side, 0)
        return seen

    assert asyncio.run(main()) >= wanted


def test_no_message_of_the_link_layer_is_left_out() -> None:
    tested = {
        kind
        for mark in test_each_message_between_the_nodes_is_lost_once.pytestmark  # type: ignore[attr-defined]
        for _, _, wanted in mark.args[1]
        for kind in wanted
    }
    assert tested == {kind for kind in QciType if QciType.DQP_ADD <= kind <= QciType.EGP_OUTCOMES}
