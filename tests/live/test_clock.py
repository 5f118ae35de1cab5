"""The network's time: the engine's, stretched over the wall clock."""

import asyncio
import threading
import time

import pytest

from qplane.live.clock import NetworkClock
from qplane.live.paced import PacedEngine
from qplane_cext.sim.network import Network
from qplane_cext.sim.pacing import Pacer

PS = 10**12


@pytest.fixture(params=[0.1, 1.0, 10.0])
def clock(request):
    """Of an engine that runs, with nothing to do."""
    network, pacer = Network(1), Pacer(request.param)
    thread = threading.Thread(target=lambda: network.run_paced(pacer))
    thread.start()
    yield NetworkClock(pacer)
    pacer.wake()
    thread.join()


def test_time_passes_by_the_time_scale(clock):
    wall, network_ps = time.monotonic(), clock.now_ps()
    asyncio.run(clock.sleep(int(0.1 * PS / clock.time_scale)))
    passed_s = time.monotonic() - wall
    assert passed_s >= 0.099
    assert (clock.now_ps() - network_ps) / PS * clock.time_scale == pytest.approx(
        passed_s, abs=0.05
    )


def test_network_ps_is_the_way_back(clock):
    assert clock.network_ps(0.1) * clock.time_scale == pytest.approx(0.1 * PS)


def test_a_result_ends_the_wait(clock):
    async def result():
        return 7

    assert asyncio.run(clock.wait_for(result(), PS)) == 7


def test_a_time_out_is_never_shorter_than_on_the_wall(clock):
    async def never():
        await asyncio.get_running_loop().create_future()

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(clock.wait_for(never(), PS // 20))
    assert time.monotonic() - began >= 0.05 * max(1.0, clock.time_scale) - 0.002


def test_a_call_is_answered_or_refused_but_never_left_waiting():
    paced = PacedEngine(Network(1), 1.0)

    async def scenario():
        paced.start()
        assert await asyncio.wait_for(paced.call(lambda: 7), 10) == 7
        paced.stop()
        with pytest.raises(RuntimeError, match="the engine has ended"):
            await asyncio.wait_for(paced.call(lambda: 7), 10)

    asyncio.run(scenario())
