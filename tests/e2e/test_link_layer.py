"""The link layer on whole networks: devices, stations, P4 programs, P4Runtime, virtual time."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from qplane.control import ControlError
from qplane.link.errors import LinkLayerError
from qplane.link.layer import LinkLayer
from qplane.link.messages import Ok
from qplane.link.request import LinkRequestError, Request
from qplane.net import loads
from qplane.simulate.session import Simulation, simulation
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


@asynccontextmanager
async def link_layer(plan: str) -> AsyncIterator[tuple[Simulation, LinkLayer]]:
    async with simulation(loads(plan)) as running:
        await running.controller.connect()
        await running.controller.discover()
        await running.controller.install([])
        layer = LinkLayer(running.controller, running.clock)
        await layer.start()
        try:
            yield running, layer
        finally:
            await layer.close()


def on(plan: str, test: Callable[[Simulation, LinkLayer], Awaitable[None]]) -> None:
    """Run `test` on a network, after which nothing may be left in any memory or queue."""

    async def main() -> None:
        async with link_layer(plan) as (running, layer):
            await asyncio.wait_for(test(running, layer), 120)
            for _ in range(200):
                await running.clock.sleep(50 * MS)
                if all(end.egp.is_idle for end in layer.ends.values()):
                    break
            assert all(end.egp.is_idle for end in layer.ends.values())
            left = running.emulation.engine.link_pairs()
            assert left == [], left
            assert layer.malformed == layer.lost == 0

    asyncio.run(main())


def truth(running: Simulation) -> dict[int, float]:
    """Fidelity to Φ+ of each pair in memory, by its number."""
    pairs: list[dict[str, Any]] = running.emulation.engine.link_pairs()
    return {
        pair["seq"]: pair["fidelities"][PHI_PLUS]
        for pair in pairs
        if pair["fidelities"] is not None
    }


@pytest.mark.parametrize("originator", ["a", "b"])
def test_kept_pairs_are_phi_plus_as_good_as_estimated(originator: str) -> None:
    async def test(running: Simulation, layer: LinkLayer) -> None:
        near = layer.end(originator, "ab".replace(originator, ""))
        far = layer.end(near.remote, near.node)
        listener = far.listen(5)
        request = await near.create(4, min_fidelity=0.9, purpose_id=5, atomic=True)
        await request.done()
        await running.clock.sleep(MS)
        listener.close()
        here = [ok async for ok in request]
        there = [ok async for ok in listener]
        assert [ok.seq for ok in here] == [ok.seq for ok in there] == [FIRST + n for n in range(4)]
        true = truth(running)
        assert set(true) == {FIRST + n for n in range(4)}
        for ok in here:
            assert true[ok.seq] == pytest.approx(ok.fidelity, abs=0.02)  # 20 ms of a T2 of 1 s
        outcomes = [(await near.measure(here[0], Basis.Z), await far.measure(there[0], Basis.Z))]
        assert outcomes[0][0] in (0, 1)
        for ok_here, ok_there in zip(here[1:], there[1:], strict=True):
            await near.release(ok_here)
            await far.release(ok_there)

    on(text(), test)


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


def test_measured_pairs_have_the_correlations_of_phi_plus() -> None:
    """Perfect photons: no error in any basis, whichever Bell state was heralded, at both ends."""

    async def test(running: Simulation, layer: LinkLayer) -> None:
        listener = layer.end("a", "b").listen(5)
        request = await layer.end("b", "a").create(
            120, keep=False, basis=RandomBasis.XYZ, purpose_id=5, consecutive=False
        )
        await request.done()
        listener.close()
        here = {ok.seq: ok async for ok in request}
        there = {ok.seq: ok async for ok in listener}
        assert here.keys() == there.keys()
        found = matching(here, there)
        assert set(found) == {Basis.X, Basis.Y, Basis.Z}
        assert all(all(agreements) for agreements in found.values())

    on(text(visibility=1.0), test)


def test_single_click_links_trade_rate_for_fidelity() -> None:
    """The estimator picks the largest bright-state parameter that meets the wish: F = 0.8, 0.9."""

    async def test(running: Simulation, layer: LinkLayer) -> None:
        end = layer.end("a", "b")
        chosen = []
        for wish in (0.8, 0.9):
            request = await end.create(20, min_fidelity=wish)
            async for ok in request:
                assert ok.fidelity == pytest.approx(wish, abs=0.001)
                await running.clock.sleep(MS)  # the correction is on its way
                if ok.seq in truth(running):  # the other end may have let go of its half
                    assert truth(running)[ok.seq] == pytest.approx(wish, abs=0.005)
                await end.release(ok)
            chosen.append(request.pairs)
        assert chosen == [20, 20]
        request = await end.create(1, min_fidelity=0.99999)
        with pytest.raises(LinkRequestError) as caught:
            await _drain(request)
        assert caught.value.error is ServiceError.UNSUPP
        best = caught.value.failure.best
        assert best is not None
        assert 0.99 < best.fidelity < 0.99999
        assert 0 < best.rate_per_s < 1e12 / 100e6  # a K attempt takes more than its 100 us

    on(text(scheme='"single-click"', visibility=1.0), test)


@pytest.mark.parametrize(
    "link",
    [
        {},
        {"scheme": '"single-click"'},
        {"scheme": '"source"', "station": 0.3},
        {"scheme": '"end-to-end"', "station": 1.0},
    ],
    ids=["double-click", "single-click", "source", "end-to-end"],
)
def test_every_way_to_make_a_pair_takes_orders(link: dict[str, object]) -> None:
    """RFC 9340: a station in the middle, a source there, or one end that sends to the other."""

    async def test(running: Simulation, layer: LinkLayer) -> None:
        listener = layer.end("b", "a").listen(5)
        kept = await layer.end("a", "b").create(3, purpose_id=5, min_fidelity=0.7)
        measured = await layer.end("a", "b").create(
            40, keep=False, purpose_id=5, basis=RandomBasis.XYZ, min_fidelity=0.7
        )
        async for ok in kept:
            await running.clock.sleep(MS)  # the correction is on its way
            there = truth(running)
            assert there[ok.seq] == pytest.approx(ok.fidelity, abs=0.03)
            await layer.end("a", "b").release(ok)
        await measured.done()
        listener.close()
        here = {ok.seq: ok async for ok in measured}
        far: dict[int, Ok] = {}
        async for ok in listener:
            far[ok.seq] = ok
            await layer.end("b", "a").release(ok)
        assert set(here) <= set(far)
        assert len(here) == 40 and len(far) == 43
        agreed = [agree for found in matching(here, far).values() for agree in found]
        assert sum(agreed) > 0.6 * len(agreed)

    on(text(**link), test)


def test_a_link_without_a_station_says_so() -> None:
    async def main() -> None:
        plan = text().replace('herald = "ab"\n', "")
        async with link_layer(plan) as (_, layer):
            with pytest.raises(LinkLayerError, match="link a-b has no heralding station"):
                layer.end("a", "b")

    asyncio.run(main())


async def _drain(request: Request) -> None:
    async for _ in request:
        pass


FAULTS = "[faults]\nloss = 0.1\nduplication = 0.05\nreordering = 0.05\n"


@pytest.mark.parametrize("seed", [1, 2])
def test_lost_messages_and_replies_leave_no_wrong_ok(seed: int) -> None:
    """Faults on the channels between the nodes and to the station: EXPIREs, and both ends agree."""

    async def test(running: Simulation, layer: LinkLayer) -> None:
        listeners = {node: layer.end(node, "ab".replace(node, "")).listen(5) for node in "ab"}
        requests = []
        for n in range(8):
            near = layer.end("ab"[n % 2], "ba"[n % 2])
            keep = n % 4 < 2
            request = await near.create(5, keep=keep, purpose_id=5, priority=n % 3)
            requests.append((near, request))

        async def take(end: Any, pairs: Any) -> dict[int, Ok]:
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
        for _ in range(100):
            await running.clock.sleep(50 * MS)
            if all(end.egp.is_idle for end in layer.ends.values()):
                break
        for listener in listeners.values():
            listener.close()
        remote = {
            node: {s: ok for s, ok in (await task).items() if s not in listeners[node].void}
            for node, task in watching.items()
        }
        assert own["a"].keys() | remote["a"].keys() == own["b"].keys() | remote["b"].keys()
        assert len(own["a"]) + len(own["b"]) >= 5 * (8 - failed) - 5
        assert failed <= 2

    on(text(seed=seed, faults=FAULTS), test)


def test_a_station_that_restarts_begins_a_new_epoch_and_the_link_goes_on() -> None:
    """Its registers are gone: without the epoch all further pairs would be taken for late ones."""

    async def test(running: Simulation, layer: LinkLayer) -> None:
        near, far = layer.end("a", "b"), layer.end("b", "a")
        listener = far.listen(5)
        keeping = asyncio.create_task(running.controller.keep(10 * MS))
        request = await near.create(60, keep=False, purpose_id=5, basis=RandomBasis.XZ)
        seen = 0
        async for _ in request:
            seen += 1
            if seen in (10, 20, 40):
                running.emulation.restart_switch("ab")
        keeping.cancel()
        listener.close()
        assert request.pairs == 60
        there = [ok.seq async for ok in listener if ok.seq not in listener.void]
        assert len(there) == 60
        assert {seq >> 24 for seq in there} >= {2, 3}
        assert layer.end("a", "b").egp.numbering.implausible == 0

    on(text(), test)


def test_two_links_of_one_node_and_the_same_bytes_again() -> None:
    async def main() -> list[tuple[str, int, int]]:
        seen: list[tuple[str, int, int]] = []
        async with link_layer(text(nodes="abc", seed=9)) as (running, layer):
            requests = [
                await layer.end(near, far).create(6, keep=False, basis=RandomBasis.XZ)
                for near, far in (("a", "b"), ("c", "b"), ("b", "c"))
            ]
            for request in requests:
                await request.done()
            for request in requests:
                async for ok in request:
                    assert isinstance(ok.message, OkMeasure)
                    seen.append((ok.message.basis.name, ok.message.outcome, ok.seq))
            seen.append(("time", running.clock.now_ps(), 0))
        return seen

    first = asyncio.run(main())
    assert len(first) == 19
    assert asyncio.run(main()) == first


def test_the_example_runs() -> None:
    example = Path(__file__).parents[2] / "examples/link.py"
    done = subprocess.run(
        [sys.executable, str(example)], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.count("estimated 0.8000") == 5
    assert "UNSUPP: the link can't give that; the best on this link: fidelity 0.99" in done.stdout


def test_the_command_orders_pairs_in_virtual_time() -> None:
    network = Path(__file__).parents[2] / "examples/link.toml"
    command = [str(Path(sys.executable).with_name("qplane")), "link", "create", "alice", "bob"]
    command += ["--pairs", "3", "--min-fidelity", "0.9", "--keep", "--json"]
    done = subprocess.run(
        [*command, "--simulate", str(network)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["pair"]["seq"] for line in lines[:-1]] == [FIRST, FIRST + 1, FIRST + 2]
    assert lines[-1]["end"]["state"] == "done"
    refused = subprocess.run(
        [*command, "--min-fidelity", "1", "--simulate", str(network)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("qplane: UNSUPP")


def test_the_simplest_network_file_takes_orders_from_the_command(tmp_path: Path) -> None:
    file = tmp_path / "two.toml"
    file.write_text(
        '[network]\nname = "two"\n[memories.m]\nslots = 4\n[nodes]\na = { memory = "m" }\n'
        'b = { memory = "m" }\n[[links]]\nbetween = ["a", "b"]\nlength = "5 km"\n'
    )
    command = [str(Path(sys.executable).with_name("qplane")), "link", "create", "a", "b"]
    done = subprocess.run(
        [*command, "--pairs", "3", "--keep", "--simulate", str(file)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.startswith("3 of 3 pairs in 0.0")


def test_ctrl_c_ends_the_command_with_what_was_reached() -> None:
    network = Path(__file__).parents[2] / "examples/link.toml"
    command = [str(Path(sys.executable).with_name("qplane")), "link", "create", "alice", "bob"]
    with subprocess.Popen(
        [*command, "--pairs", "60000", "--json", "--simulate", str(network)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        lines = [running.stdout.readline() for _ in range(20)]
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=120)
    lines += out.splitlines()
    assert running.returncode == 130
    assert all("pair" in json.loads(line) for line in lines[:-1])
    assert json.loads(lines[-1]) == {"interrupted": True}
    assert err == "qplane: interrupted; the request is cancelled\n"


def test_a_station_copies_the_pairs_that_are_asked_for_to_the_controller() -> None:
    """From the network file, then at run time; each copy names its link, of the station's two."""
    plan = (
        '[network]\nname = "copies"\nseed = 4\n[memories.m]\nslots = 8\nt2 = "1 s"\n[nodes]\n'
        'a = { memory = "m" }\nb = { memory = "m" }\nc = { memory = "m" }\ns = { station = true }\n'
        '[defaults.link]\nlength = "5 km"\nherald = "s"\n'
        '[[links]]\nbetween = ["a", "b"]\n'
        '[[links]]\nbetween = ["b", "c"]\nsample_heralds = 4\n'
    )

    async def test(running: Simulation, layer: LinkLayer) -> None:
        texts: list[str] = []
        reports = running.controller.reports
        running.controller.events.subscribe(lambda event: texts.append(event.text))

        async def order(near: str, far: str, pairs: int) -> list[int]:
            request = await layer.end(near, far).create(pairs, keep=False)
            seen = [ok.seq async for ok in request]
            await running.clock.sleep(5 * MS)
            return seen

        await order("a", "b", 20)
        assert not reports.heralds
        copied = [seq for seq in await order("b", "c", 20) if seq % 4 == 0]
        assert layer.sampled("c", "b") == (4, len(copied))
        assert [text.split(":")[0] for text in texts] == ["s"] * len(copied)
        assert [int(text.split()[2]) for text in texts] == copied
        assert all(" of b-c: PSI_" in text for text in texts)

        await layer.sample("a", "b", 1)
        await layer.sample("b", "c", 0)
        texts.clear()
        await order("b", "c", 8)
        assert not texts
        seen = await order("a", "b", 6)
        assert [int(text.split()[2]) for text in texts][: len(seen)] == seen
        assert reports.unreadable == 0
        assert await running.controller.verify() == []
        with pytest.raises(ControlError, match="every 3: 0 or a power of two"):
            await layer.sample("a", "b", 3)

    on(plan, test)


@pytest.mark.parametrize(
    ("scheme", "keep"),
    [
        ('scheme = "double-click"', True),
        ('scheme = "single-click"\nbright_state = 0.05', True),
        ('scheme = "single-click"\nstation = 1.0', False),
        ('scheme = "source"', True),
        ('scheme = "source"', False),
        ('scheme = "end-to-end"\nstation = 1.0', True),
        ('scheme = "end-to-end"\nstation = 1.0', False),
    ],
)
def test_every_way_to_make_pairs_takes_orders_without_a_station_in_the_file(
    scheme: str, keep: bool
) -> None:
    """herald = true: the link has one of its own. Both ends have the same pairs, Φ+ throughout."""
    plan = (
        '[network]\nname = "own"\nseed = 6\n[memories.m]\nslots = 8\nt2 = "1 s"\n[nodes]\n'
        'a = { memory = "m" }\nb = { memory = "m" }\nc = {}\n'
        '[defaults.link]\nlength = "5 km"\nherald = true\n'
        f'[[links]]\nbetween = ["a", "b"]\n{scheme}\n[[links]]\nbetween = ["b", "c"]\n'
    )

    async def test(running: Simulation, layer: LinkLayer) -> None:
        for near, far in (("a", "b"), ("b", "a")):
            listener = layer.end(far, near).listen(5)
            request = await layer.end(near, far).create(3, keep=keep, purpose_id=5)
            await request.done()
            await running.clock.sleep(5 * MS)
            listener.close()
            here, there = [ok async for ok in request], [ok async for ok in listener]
            assert [ok.seq for ok in here] == [ok.seq for ok in there]
            assert len(here) == 3
            if not keep:
                continue
            true = truth(running)
            for one, other in zip(here, there, strict=True):
                assert true[one.seq] == pytest.approx(one.fidelity, abs=0.02)
                await layer.end(near, far).release(one)
                await layer.end(far, near).release(other)
            await running.clock.sleep(5 * MS)

    on(plan, test)


@pytest.mark.parametrize(
    ("general", "faults", "round_trip_ms"),
    [
        ("", "", 2 * (0.05 + 0.0001024 + 2)),
        ('switch_allowance = "10 us"', "", 2 * (0.05 + 0.0001024 + 0.02)),
        (
            'switch_allowance = "10 us"',
            '[faults]\ndelay = 0.1\nmean_delay = "3 ms"\n',
            2 * (0.05 + 0.0001024 + 0.02 + 3),
        ),
    ],
)
def test_the_round_trip_follows_from_the_network_file(
    general: str, faults: str, round_trip_ms: float
) -> None:
    """10 km, 1024 bits at 10 Gb/s, two switches each way; with less of it requests begin sooner."""

    async def test(running: Simulation, layer: LinkLayer) -> None:
        for end in layer.ends.values():
            assert end.egp.options.timing.round_trip_ps == pytest.approx(round_trip_ms * MS)
        begin_ps = running.clock.now_ps()
        request = await layer.end("a", "b").create(1, keep=False)
        await request.done()
        took_ms = (running.clock.now_ps() - begin_ps) / MS
        assert round_trip_ms / 2 < took_ms < 2 * round_trip_ms + 2

    on(text(faults=faults).replace("seed = 1\n", f"seed = 1\n{general}\n", 1), test)
