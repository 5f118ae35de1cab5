"""Virtual time over the real engine, with a switch written in Python that sends to its CPU port."""

import asyncio
import time

import pytest

from qplane.clock import PS_PER_SECOND
from qplane.simulate.clock import ControllerStuckError, Interrupted, VirtualClock
from qplane_cext.sim.network import Network

CPU = 510


class ToCpu:
    """Whatever comes in goes out on the CPU port."""

    cpu_port = CPU

    def process(self, port, data, now_us):
        return [(CPU, data)]


class Bench:
    """An engine with one node; `handled` counts what the test took from its CPU port."""

    def __init__(self):
        self.received = []
        self.handled = 0
        self.network = Network(1)
        self.network.add_node("n", 1, ToCpu(), cpu_port=CPU, on_cpu=self.received.append)
        self.clock = VirtualClock(self.network, self.pending)

    def pending(self):
        under_way = len(self.received) - self.handled
        return under_way, f"{under_way} packet-ins"

    async def handle(self, wake=None):
        """A controller: deals with packets a real moment after they come."""
        while True:
            await asyncio.sleep(0.002)
            if len(self.received) > self.handled:
                self.handled += 1
                if wake is not None and not wake.done():
                    wake.set_result(self.clock.now_ps())


def test_sleeping_takes_virtual_time_only():
    async def scenario():
        bench = Bench()
        before = time.perf_counter()
        await bench.clock.sleep(3600 * PS_PER_SECOND)
        return bench.clock.now_ps(), time.perf_counter() - before

    now_ps, seconds = asyncio.run(scenario())
    assert now_ps == 3600 * PS_PER_SECOND
    assert seconds < 1


def test_time_stands_still_until_the_controller_has_dealt_with_a_packet():
    async def scenario():
        bench = Bench()
        wake = asyncio.get_running_loop().create_future()
        controller = asyncio.create_task(bench.handle(wake))
        bench.network.inject(0, 1, b"x" * 60)
        seen_ps = await bench.clock.wait_for(wake, PS_PER_SECOND)
        now_ps = bench.clock.now_ps()
        controller.cancel()
        return seen_ps, now_ps

    seen_ps, now_ps = asyncio.run(scenario())
    assert seen_ps == now_ps == 1_000_000  # the switch's delay


def test_wait_for_gives_up_when_nothing_can_come():
    async def scenario():
        bench = Bench()
        never = asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError, match="nothing within 1000 ps of virtual time"):
            await bench.clock.wait_for(never, 1000)
        return never.cancelled(), bench.clock.now_ps()

    assert asyncio.run(scenario()) == (True, 1000)


def test_waiters_return_in_the_order_of_their_deadlines():
    async def scenario():
        bench = Bench()
        bench.network.add_node("m", 2, ToCpu(), cpu_port=CPU)  # its packets go nowhere
        order = []

        async def sleeper(delay_ps):
            await bench.clock.sleep(delay_ps)
            order.append((delay_ps, bench.clock.now_ps()))

        for _ in range(5):
            bench.network.inject(1, 1, b"x" * 60)
        await asyncio.gather(*(sleeper(delay) for delay in (700_000, 300_000, 500_000)))
        return order

    assert asyncio.run(scenario()) == [
        (300_000, 300_000),
        (500_000, 500_000),
        (700_000, 700_000),
    ]


def test_a_controller_that_never_answers_is_an_error(monkeypatch):
    monkeypatch.setattr("qplane.simulate.clock._SETTLE_SECONDS", 0.05)

    async def scenario():
        bench = Bench()
        bench.network.inject(0, 1, b"x" * 60)
        with pytest.raises(ControllerStuckError, match="still under way: 1 packet-ins"):
            await bench.clock.sleep(PS_PER_SECOND)

    asyncio.run(scenario())


def test_an_interrupt_ends_the_waiting():
    async def scenario():
        bench = Bench()
        bench.network.interrupt()
        with pytest.raises(Interrupted):
            await bench.clock.sleep(PS_PER_SECOND)

    asyncio.run(scenario())
