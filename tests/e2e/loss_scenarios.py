"""Each single message of the link layer lost, one by one, on any network of a link with a station:
no wrong OK, everything ends, every slot is free."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from qplane.link.end import LinkEnd
from qplane.link.layer import LinkLayer
from qplane.link.messages import Ok
from qplane.link.request import LinkRequestError, Request
from qplane.wire.service import RandomBasis

from .link_scenarios import MS, World, at_rest

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


async def play(world: World, layer: LinkLayer, scenario: Scenario) -> None:
    """Once, from idle to idle."""
    a, b = layer.end("a", "b"), layer.end("b", "a")
    listeners = [(end, end.listen(PURPOSE)) for end in (a, b)]
    wait = world.clock.sleep if scenario is full_memory else None
    remote = [asyncio.create_task(take(end, listener, wait)) for end, listener in listeners]
    requests = await scenario(a, b)
    own = await asyncio.gather(*(take(end, request) for end, request in requests))
    await at_rest(world, layer)
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


async def each_single_loss(
    world: World, layer: LinkLayer, channel: int, scenario: Scenario, limit_s: float
) -> int:
    """Lose one frame of a channel after another, until the scenario has no more; how many."""
    tried = 0
    await play(world, layer, scenario)
    for side in (0, 1):
        number = 0
        while True:
            number += 1
            before = await world.lost()
            await world.lose_frame(channel, side, number)
            await asyncio.wait_for(play(world, layer, scenario), limit_s)
            if await world.lost() == before:
                await world.lose_frame(channel, side, 0)
                break
            tried += 1
    return tried
