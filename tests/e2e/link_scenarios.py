"""What is asked of a link layer, whichever clock it runs on, and on embedded switches or BMv2.

Tests in virtual time are in test_link_layer.py, those by the wall clock in tests/live.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any, Protocol

import pytest

from qplane.clock import Clock
from qplane.control import Controller
from qplane.link.end import LinkEnd
from qplane.link.layer import LinkLayer
from qplane.link.messages import Ok
from qplane.link.request import LinkRequestError, Listener, Request
from qplane.wire.service import Basis, OkMeasure, RandomBasis, ServiceError

MS = 1_000_000_000
PHI_PLUS = 0
FIRST = 1 << 24 | 1
"""Number of the first pair: the link layer begins with a new epoch."""
LINK = {
    "length": '"10 km"',
    "emission_efficiency": 0.5,
    "detector_efficiency": 0.8,
    "visibility": 0.9,
}
FAULTS = "[faults]\nloss = 0.1\nduplication = 0.05\nreordering = 0.05\n"
WAYS: dict[str, dict[str, object]] = {
    "double-click": {},
    "single-click": {"scheme": '"single-click"'},
    "source": {"scheme": '"source"', "station": 0.3},
    "end-to-end": {"scheme": '"end-to-end"', "station": 1.0},
}
"""RFC 9340: a station in the middle, a source there, or one end that sends to the other."""
COPIES = (
    '[network]\nname = "copies"\nseed = 4\n[memories.m]\nslots = 8\nt2 = "1 s"\n[nodes]\n'
    'a = { memory = "m" }\nb = { memory = "m" }\nc = { memory = "m" }\ns = { station = true }\n'
    '[defaults.link]\nlength = "5 km"\nherald = "s"\n'
    '[[links]]\nbetween = ["a", "b"]\n'
    '[[links]]\nbetween = ["b", "c"]\nsample_heralds = 4\n'
)
"""Two links of one station, one of which copies pairs to the controller."""


class World(Protocol):
    """A network that runs. `pairs`: what the physics has in memory, which no protocol sees.

    `lose_frame`: the `number`-th frame from now on that goes over a channel from this side (0:
    none); `lost`: how many were, on a link and its station's channels.
    """

    @property
    def clock(self) -> Clock: ...
    @property
    def controller(self) -> Controller: ...

    async def pairs(self) -> list[dict[str, Any]]: ...
    async def lose_frame(self, channel: int, side: int, number: int) -> None: ...
    async def lost(self) -> int: ...


def text(
    *, seed: int = 1, faults: str = "", nodes: str = "ab", slots: int = 8, **link: object
) -> str:
    """A chain of nodes, a station in the middle of each link."""
    keys = "".join(f"{key} = {value}\n" for key, value in {**LINK, **link}.items())
    lines = [
        f'[network]\nname = "link"\nseed = {seed}\n[memories.m]\nslots = {slots}\nt2 = "1 s"\n',
        "[nodes]\n" + "".join(f'{name} = {{ memory = "m" }}\n' for name in nodes),
    ]
    for near, far in pairwise(nodes):
        lines.insert(2, f"{near}{far} = {{ station = true }}\n")
        lines.append(f'[[links]]\nbetween = ["{near}", "{far}"]\nherald = "{near}{far}"\n{keys}')
    return "".join(lines) + faults


async def truth(world: World) -> dict[int, float]:
    """Fidelity to Φ+ of each pair in memory, by its number."""
    return {
        pair["seq"]: pair["fidelities"][PHI_PLUS]
        for pair in await world.pairs()
        if pair["fidelities"] is not None
    }


async def at_rest(world: World, layer: LinkLayer) -> None:
    """Everything ends: no queue, no memory has anything, no message was lost by us."""
    for _ in range(2000):
        await world.clock.sleep(5 * MS)
        if all(end.egp.is_idle for end in layer.ends.values()):
            break
    assert all(end.egp.is_idle for end in layer.ends.values())
    assert await world.pairs() == []
    assert layer.malformed == layer.lost == 0


def matching(here: dict[int, Ok], there: dict[int, Ok]) -> dict[Basis, list[bool]]:
    """For pairs measured in the same basis: whether the outcomes were those of Φ+."""
    found: dict[Basis, list[bool]] = {}
    for seq, ok in here.items():
        one, other = ok.message, there[seq].message
        assert isinstance(one, OkMeasure)
        assert isinstance(other, OkMeasure)
        if one.basis is other.basis:
            agree = (one.outcome == other.outcome) != (one.basis is Basis.Y)
            found.setdefault(one.basis, []).append(agree)
    return found


async def kept_pairs(world: World, layer: LinkLayer, originator: str = "a") -> None:
    """They are Φ+, as good as estimated, and the same ones at both ends."""
    near = layer.end(originator, "ab".replace(originator, ""))
    far = layer.end(near.remote, near.node)
    listener = far.listen(5)
    request = await near.create(4, min_fidelity=0.9, purpose_id=5, atomic=True)
    await request.done()
    await world.clock.sleep(5 * MS)
    listener.close()
    here = [ok async for ok in request]
    there = [ok async for ok in listener if ok.seq not in listener.void]
    seqs = [ok.seq for ok in here]
    assert seqs == [ok.seq for ok in there], listener.void
    assert len(seqs) == 4 and seqs[0] >= FIRST
    true = await truth(world)
    assert set(true) == set(seqs)
    for ok in here:
        assert true[ok.seq] == pytest.approx(ok.fidelity, abs=0.02)  # 20 ms of a T2 of 1 s
    outcomes = [(await near.measure(here[0], Basis.Z), await far.measure(there[0], Basis.Z))]
    assert outcomes[0][0] in (0, 1)
    for ok_here, ok_there in zip(here[1:], there[1:], strict=True):
        await near.release(ok_here)
        await far.release(ok_there)


async def measured_pairs(world: World, layer: LinkLayer) -> None:
    """Perfect photons: no error in any basis, whichever Bell state was heralded, at both ends."""
    listener = layer.end("a", "b").listen(5)
    request = await layer.end("b", "a").create(
        120, keep=False, basis=RandomBasis.XYZ, purpose_id=5, consecutive=False
    )
    await request.done()
    await world.clock.sleep(MS)
    listener.close()
    here = {ok.seq: ok async for ok in request}
    there = {ok.seq: ok async for ok in listener}
    assert here.keys() == there.keys()
    found = matching(here, there)
    assert set(found) == {Basis.X, Basis.Y, Basis.Z}
    assert all(all(agreements) for agreements in found.values())


async def drain(request: Request) -> None:
    """Until it ends."""
    async for _ in request:
        pass


async def rate_for_fidelity(world: World, layer: LinkLayer) -> None:
    """The estimator picks the largest bright-state parameter that meets the wish: F = 0.8, 0.9."""
    end = layer.end("a", "b")
    chosen = []
    for wish in (0.8, 0.9):
        request = await end.create(20, min_fidelity=wish)
        async for ok in request:
            assert ok.fidelity == pytest.approx(wish, abs=0.001)
            await world.clock.sleep(MS)  # the correction is on its way
            true = await truth(world)
            if ok.seq in true:  # the other end may have let go of its half
                assert true[ok.seq] == pytest.approx(wish, abs=0.005)
            await end.release(ok)
        chosen.append(request.pairs)
    assert chosen == [20, 20]
    request = await end.create(1, min_fidelity=0.99999)
    with pytest.raises(LinkRequestError) as caught:
        await drain(request)
    assert caught.value.error is ServiceError.UNSUPP
    best = caught.value.failure.best
    assert best is not None
    assert 0.99 < best.fidelity < 0.99999
    assert 0 < best.rate_per_s < 1e12 / 100e6  # a K attempt takes more than its 100 us


async def kept_and_measured(world: World, layer: LinkLayer) -> None:
    """Both kinds at a time; outcomes agree as those of a link of F = 0.7 and more do."""
    near, far = layer.end("a", "b"), layer.end("b", "a")
    listener = far.listen(5)
    kept = await near.create(3, purpose_id=5, min_fidelity=0.7)
    measured = await near.create(
        40, keep=False, purpose_id=5, basis=RandomBasis.XYZ, min_fidelity=0.7
    )
    async for ok in kept:
        await world.clock.sleep(MS)  # the correction is on its way
        assert (await truth(world))[ok.seq] == pytest.approx(ok.fidelity, abs=0.03)
        await near.release(ok)
    await measured.done()
    await world.clock.sleep(MS)
    listener.close()
    here = {ok.seq: ok async for ok in measured}
    there: dict[int, Ok] = {}
    async for ok in listener:
        there[ok.seq] = ok
        await far.release(ok)
    assert set(here) <= set(there)
    assert len(here) == 40 and len(there) == 43
    agreed = [agree for found in matching(here, there).values() for agree in found]
    assert sum(agreed) > 0.6 * len(agreed)


async def many_under_faults(world: World, layer: LinkLayer) -> None:
    """Messages and REPLYs are lost and copied: EXPIREs, and both ends agree."""
    listeners = {node: layer.end(node, "ab".replace(node, "")).listen(5) for node in "ab"}
    requests = []
    for n in range(8):
        near = layer.end("ab"[n % 2], "ba"[n % 2])
        keep = n % 4 < 2
        request = await near.create(5, keep=keep, purpose_id=5, priority=n % 3)
        requests.append((near, request))

    async def take(end: LinkEnd, pairs: Request | Listener) -> dict[int, Ok]:
        taken = {}
        async for ok in pairs:
            taken[ok.seq] = ok
            await end.release(ok)
        return taken

    watching = {
        node: asyncio.create_task(take(layer.end(node, "ab".replace(node, "")), listener))
        for node, listener in listeners.items()
    }
    own: dict[str, dict[int, Ok]] = {"a": {}, "b": {}}
    outcomes = await asyncio.gather(
        *(take(end, request) for end, request in requests), return_exceptions=True
    )
    failed = 0
    for (end, request), outcome in zip(requests, outcomes, strict=True):
        if isinstance(outcome, LinkRequestError):  # three ADDs or their answers lost
            failed += 1
            continue
        assert not isinstance(outcome, BaseException), outcome
        own[end.node] |= {s: ok for s, ok in outcome.items() if s not in request.void}
    await at_rest(world, layer)
    for listener in listeners.values():
        listener.close()
    remote = {
        node: {s: ok for s, ok in (await task).items() if s not in listeners[node].void}
        for node, task in watching.items()
    }
    assert own["a"].keys() | remote["a"].keys() == own["b"].keys() | remote["b"].keys()
    assert len(own["a"]) + len(own["b"]) >= 5 * (8 - failed) - 5
    assert failed <= 2


async def copies_for_the_controller(world: World, layer: LinkLayer) -> None:
    """From the network file, then at run time; each copy names its link, of the station's two."""
    texts: list[str] = []
    reports = world.controller.reports
    world.controller.events.subscribe(lambda event: texts.append(event.text))

    async def order(near: str, far: str, pairs: int) -> list[int]:
        request = await layer.end(near, far).create(pairs, keep=False)
        seen = [ok.seq async for ok in request]
        await world.clock.sleep(5 * MS)
        return seen

    await order("a", "b", 20)
    assert not reports.heralds
    copied = [seq for seq in await order("b", "c", 20) if seq % 4 == 0]
    told = [int(text.split()[2]) for text in texts]
    assert told[: len(copied)] == copied  # behind them pairs that the request did not need
    assert all(seq % 4 == 0 for seq in told)
    assert layer.sampled("c", "b") == (4, len(told))
    assert [text.split(":")[0] for text in texts] == ["s"] * len(told)
    assert all(" of b-c: PSI_" in text for text in texts)

    await layer.sample("a", "b", 1)
    await layer.sample("b", "c", 0)
    texts.clear()
    await order("b", "c", 8)
    assert not texts
    seen = await order("a", "b", 6)
    assert [int(text.split()[2]) for text in texts][: len(seen)] == seen
    assert reports.unreadable == 0
    assert await world.controller.verify() == []
    with pytest.raises(ValueError, match="every is 3: 0 or a power of two"):
        await layer.sample("a", "b", 3)
