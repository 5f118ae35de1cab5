"""The link layer on whole networks: devices, stations, P4 programs, P4Runtime, virtual time."""

from __future__ import annotations

import asyncio
import functools
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from qplane.clock import Clock
from qplane.control import Controller
from qplane.link.errors import LinkLayerError
from qplane.link.layer import LinkLayer
from qplane.net import loads
from qplane.simulate.emulation import Emulation
from qplane.simulate.session import Simulation, simulation
from qplane.wire.service import OkMeasure, RandomBasis

from . import link_scenarios
from .link_scenarios import COPIES, FAULTS, FIRST, MS, WAYS, at_rest, text, truth


class Virtual:
    """What scenarios use of a network in virtual time."""

    def __init__(self, running: Simulation) -> None:
        self.controller: Controller = running.controller
        self.clock: Clock = running.clock
        self.emulation: Emulation = running.emulation

    async def pairs(self) -> list[dict[str, Any]]:
        pairs: list[dict[str, Any]] = self.emulation.engine.link_pairs()
        return pairs

    async def lose_frame(self, channel: int, side: int, number: int) -> None:
        self.emulation.engine.lose_frame(channel, side, number)

    async def lost(self) -> int:
        engine = self.emulation.engine
        return sum(engine.channel_counters(n)["lost"] for n in range(3))


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


def on(plan: str, test: Callable[[Virtual, LinkLayer], Awaitable[None]]) -> None:
    """Run `test` on a network, after which nothing may be left in any memory or queue."""

    async def main() -> None:
        async with link_layer(plan) as (running, layer):
            world = Virtual(running)
            await asyncio.wait_for(test(world, layer), 120)
            await at_rest(world, layer)

    asyncio.run(main())


@pytest.mark.parametrize("originator", ["a", "b"])
def test_kept_pairs_are_phi_plus_as_good_as_estimated(originator: str) -> None:
    on(text(), functools.partial(link_scenarios.kept_pairs, originator=originator))


def test_measured_pairs_have_the_correlations_of_phi_plus() -> None:
    on(text(visibility=1.0), link_scenarios.measured_pairs)


def test_single_click_links_trade_rate_for_fidelity() -> None:
    on(text(scheme='"single-click"', visibility=1.0), link_scenarios.rate_for_fidelity)


@pytest.mark.parametrize("link", WAYS.values(), ids=WAYS)
def test_every_way_to_make_a_pair_takes_orders(link: dict[str, object]) -> None:
    on(text(**link), link_scenarios.kept_and_measured)


def test_a_link_without_a_station_says_so() -> None:
    async def main() -> None:
        plan = text().replace('herald = "ab"\n', "")
        async with link_layer(plan) as (_, layer):
            with pytest.raises(LinkLayerError, match="link a-b has no heralding station"):
                layer.end("a", "b")

    asyncio.run(main())


@pytest.mark.parametrize("seed", [1, 2])
def test_lost_messages_and_replies_leave_no_wrong_ok(seed: int) -> None:
    on(text(seed=seed, faults=FAULTS), link_scenarios.many_under_faults)


def test_a_station_that_restarts_begins_a_new_epoch_and_the_link_goes_on() -> None:
    """Its registers are gone: without the epoch all further pairs would be taken for late ones."""

    async def test(running: Virtual, layer: LinkLayer) -> None:
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
    assert "UNSUPP: the link can't give that (no setting has a fidelity of 1); " in done.stdout
    assert "the best on this link: fidelity 0.99" in done.stdout


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
    on(COPIES, link_scenarios.copies_for_the_controller)


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

    async def test(running: Virtual, layer: LinkLayer) -> None:
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
            true = await truth(running)
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

    async def test(running: Virtual, layer: LinkLayer) -> None:
        for end in layer.ends.values():
            assert end.egp.options.timing.round_trip_ps == pytest.approx(round_trip_ms * MS)
        begin_ps = running.clock.now_ps()
        request = await layer.end("a", "b").create(1, keep=False)
        await request.done()
        took_ms = (running.clock.now_ps() - begin_ps) / MS
        assert round_trip_ms / 2 < took_ms < 2 * round_trip_ms + 2

    on(text(faults=faults).replace("seed = 1\n", f"seed = 1\n{general}\n", 1), test)
