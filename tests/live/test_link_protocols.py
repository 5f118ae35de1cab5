"""The link layer's protocols by the wall clock: the scenarios of virtual time, on embedded switches
in this process, in processes of their own, and on BMv2 (the latter two as root)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from e2e import link_scenarios
from e2e.link_scenarios import COPIES, FAULTS, WAYS, at_rest, text
from e2e.loss_scenarios import ARM_A, ARM_B, BETWEEN, each_single_loss, one_pair

from live.on_targets import BMV2
from qplane.link.layer import LinkLayer
from qplane.live import rundir
from qplane.live.fabric import Fabric
from qplane.live.network import LiveNetwork, Options, live_network
from qplane.net import loads

LIMIT_S = 240
"""Of wall time: a busy machine makes what is lost come again later, not never."""

INSIDE = pytest.param(Options(time_scale=20), id="inside")
PROCESSES = pytest.param(
    Options(processes=True, time_scale=100),
    id="processes",
    marks=(pytest.mark.root, pytest.mark.slow),
)
TARGETS = [INSIDE, PROCESSES, BMV2]
SLOW_TARGETS = [
    pytest.param(*INSIDE.values, id="inside", marks=pytest.mark.slow),
    PROCESSES,
    BMV2,
]

Scenario = Callable[["Live", LinkLayer], Awaitable[None]]


class Live:
    """What scenarios use of a running network."""

    def __init__(self, network: LiveNetwork) -> None:
        self.controller = network.controller
        self.clock = network.clock
        self.fabric: Fabric = network.fabric

    async def pairs(self) -> list[dict[str, Any]]:
        engine = self.fabric.emulation.engine
        pairs: list[dict[str, Any]] = await self.fabric.paced.call(engine.link_pairs)
        return pairs

    async def lose_frame(self, channel: int, side: int, number: int) -> None:
        engine = self.fabric.emulation.engine
        await self.fabric.paced.call(lambda: engine.lose_frame(channel, side, number))

    async def lost(self) -> int:
        engine = self.fabric.emulation.engine
        return await self.fabric.paced.call(
            lambda: sum(engine.channel_counters(n)["lost"] for n in range(3))
        )


@asynccontextmanager
async def running(plan: str, options: Options) -> AsyncIterator[LiveNetwork]:
    network = loads(plan)
    with rundir.claim(network.name) as folder:
        async with live_network(network, options, folder, print) as live:
            await live.set_up()
            await live.links.begun()
            yield live


@pytest.fixture
def on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Options, Scenario], None]:
    """Run a scenario on a network, after which nothing may be left in any memory or queue."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    def run(plan: str, options: Options, scenario: Scenario) -> None:
        async def main() -> None:
            async with running(plan, options) as network:
                world = Live(network)
                await asyncio.wait_for(scenario(world, network.links), LIMIT_S)
                await at_rest(world, network.links)
                assert await network.controller.verify() == []

        asyncio.run(main())

    return run


On = Callable[[str, Options, Scenario], None]


@pytest.mark.parametrize("options", TARGETS)
def test_kept_pairs_are_phi_plus_as_good_as_estimated(on: On, options: Options) -> None:
    on(text(), options, link_scenarios.kept_pairs)


@pytest.mark.parametrize("options", TARGETS)
def test_measured_pairs_have_the_correlations_of_phi_plus(on: On, options: Options) -> None:
    on(text(visibility=1.0), options, link_scenarios.measured_pairs)


@pytest.mark.parametrize("options", SLOW_TARGETS)
def test_single_click_links_trade_rate_for_fidelity(on: On, options: Options) -> None:
    plan = text(scheme='"single-click"', visibility=1.0)
    on(plan, options, link_scenarios.rate_for_fidelity)


@pytest.mark.parametrize("link", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("options", SLOW_TARGETS)
def test_every_way_to_make_a_pair_takes_orders(
    on: On, options: Options, link: dict[str, object]
) -> None:
    on(text(**link), options, link_scenarios.kept_and_measured)


@pytest.mark.parametrize("options", SLOW_TARGETS)
def test_lost_messages_and_replies_leave_no_wrong_ok(on: On, options: Options) -> None:
    on(text(faults=FAULTS), options, link_scenarios.many_under_faults)


@pytest.mark.parametrize("options", SLOW_TARGETS)
def test_a_station_copies_the_pairs_that_are_asked_for_to_the_controller(
    on: On, options: Options
) -> None:
    on(COPIES, options, link_scenarios.copies_for_the_controller)


@pytest.mark.parametrize("channel", [BETWEEN, ARM_A, ARM_B], ids=["between", "arm-a", "arm-b"])
@pytest.mark.parametrize("options", SLOW_TARGETS)
def test_each_single_loss_is_survived(on: On, options: Options, channel: int) -> None:
    async def scenario(world: Live, layer: LinkLayer) -> None:
        assert await each_single_loss(world, layer, channel, one_pair, LIMIT_S) >= 2

    on(text(), options, scenario)
