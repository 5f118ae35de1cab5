"""P4Runtime's stream within the process: the same as over gRPC, for good and for bad."""

import asyncio

import pytest

from qplane.control import ArbitrationError, Controller
from qplane.link.layer import LinkLayer
from qplane.net import loads
from qplane.simulate.session import simulation

NETWORK = """
[network]
name = "direct"
seed = 3
[memories.m]
slots = 6
t2 = "1 s"
[nodes]
a = { memory = "m" }
b = { memory = "m" }
s = { station = true }
[[links]]
between = ["a", "b"]
herald = "s"
length = "5 km"
"""


async def kept_pairs(direct):
    """What one request gives, and when."""
    async with simulation(loads(NETWORK), direct=direct) as running:
        await running.controller.connect()
        await running.controller.discover()
        await running.controller.install([])
        layer = LinkLayer(running.controller, running.clock)
        await layer.start()
        end = layer.end("a", "b")
        found = []
        async for ok in await end.create(20):
            found.append((ok, running.clock.now_ps()))
            await end.release(ok)
        await running.clock.sleep(10**9)
        await layer.close()
        return found, running.emulation.engine.counters()["events"]


def test_nothing_else_happens_and_at_no_other_time():
    assert asyncio.run(kept_pairs(direct=True)) == asyncio.run(kept_pairs(direct=False))


def test_another_controller_takes_a_switch_over_by_grpc():
    async def scenario():
        async with simulation(loads(NETWORK), direct=True) as running:
            await running.controller.connect()
            other = Controller(
                running.plan, running.emulation.address, running.clock, election_id=1000
            )
            await other.connect()
            try:
                with pytest.raises(ArbitrationError, match="another controller is the primary"):
                    await running.controller.discover()
                await other.discover()
            finally:
                await other.close()

    asyncio.run(scenario())


def test_a_taken_election_id_is_refused():
    async def scenario():
        async with simulation(loads(NETWORK), direct=True) as running:
            other = Controller(running.plan, running.emulation.address, running.clock)
            await other.connect()
            try:
                with pytest.raises(ArbitrationError, match="another controller is the primary"):
                    await running.controller.connect()
            finally:
                await other.close()

    asyncio.run(scenario())


def test_a_switch_that_restarts_ends_the_stream_and_is_had_again():
    async def scenario():
        async with simulation(loads(NETWORK), direct=True) as running:
            await running.controller.connect()
            await running.controller.discover()
            await running.controller.install([])
            running.emulation.restart_switch("a")
            await running.clock.sleep(10**9)
            assert "a" in running.controller.suspects
            await running.controller.check()
            assert not running.controller.suspects
            assert not await running.controller.verify()

    asyncio.run(scenario())
