"""The two-sided fidelity check: the ping agrees on pairs, devices measure them, the controller
compares what both ends' packet-ins say. Real P4Runtime, virtual time."""

import asyncio
import math

import pytest

from e2e import rig
from qplane.control import ControlError
from qplane.net import loads
from qplane.simulate.session import simulation
from qplane.simulate.summary import expectation
from qplane.wire import DeviceType


def over(text, do):
    async def main():
        async with simulation(loads(text)) as simulated:
            await simulated.set_up()
            await simulated.controller.start()
            result = await do(simulated)
            await simulated.controller.stop()
            await simulated.drain()
            summary = await simulated.summary()
            assert (summary.waiting, summary.one_sided, summary.wrong_frames) == ([], 0, 0)
            return result

    return asyncio.run(main())


@pytest.mark.parametrize("ends", [("n0", "n2"), ("n2", "n0")], ids=["head asks", "tail asks"])
@pytest.mark.parametrize("memory", ["RELAXING", "NOISY"])
def test_the_error_rates_are_those_of_the_pairs(ends, memory):
    async def do(simulated):
        sample = await simulated.controller.sample(*ends, 1200)
        engine = simulated.emulation.engine
        delivered = engine.deliveries()
        assert 0 <= engine.counters()["measures"] - 2 * sample.pairs < 20  # under way at the end
        expected = expectation(simulated.emulation, delivered)
        return sample, expected, delivered["fidelity"].mean()

    text = rig.chain(3, slots=2, memory=getattr(rig, memory))
    sample, expected, fidelity = over(text, do)
    assert sample.circuit == "c"
    assert sample.unmatched == 0
    assert sample.pairs >= 1200
    assert abs(sample.z.pairs - sample.x.pairs) < 4 * math.sqrt(sample.pairs)
    for found, chance in ((sample.z, expected.z_error), (sample.x, expected.x_error)):
        assert abs(found.value - chance.mean()) < 4 * found.standard_error
    slack = 4 * sample.standard_error
    assert sample.fidelity_least - slack < fidelity < sample.fidelity_most + slack


def test_dephasing_alone_makes_the_least_fidelity_the_true_one():
    async def do(simulated):
        sample = await simulated.controller.sample("n0", "n2", 1000)
        return sample, simulated.emulation.engine.deliveries()["fidelity"].mean()

    sample, fidelity = over(rig.chain(3, slots=2, memory=rig.DEPHASING), do)
    assert sample.z.errors == 0
    assert abs(sample.fidelity_least - fidelity) < 4 * sample.standard_error


def test_a_sample_of_one_of_two_circuits_and_what_is_refused():
    circuits = [
        {"name": "one", "from": "a", "to": "b", "slots": 2},
        {"name": "two", "from": "a", "to": "b", "slots": 2, "request": "early"},
    ]
    text = rig.network([("a", "r"), ("r", "b")], circuits, memory={**rig.DEPHASING, "slots": 16})

    async def do(simulated):
        controller = simulated.controller
        sample = await controller.sample("a", "b", 200, "one")
        assert (sample.circuit, sample.unmatched) == ("one", 0)
        assert sample.pairs >= 200
        for refused, why in (
            ((0, "one"), "1 to 65535 pairs"),
            ((10, "two"), "delivers early"),
            ((10, "three"), "no circuit is named three"),
        ):
            with pytest.raises(ControlError, match=why):
                await controller.sample("a", "b", *refused)
        await controller.stop(["one"])
        with pytest.raises(ControlError, match="generates no pairs"):
            await controller.sample("a", "b", 10, "one")

    over(text, do)


@pytest.mark.parametrize("late", ["n0", "n2"])
def test_outcomes_that_are_under_way_at_the_end_are_waited_for(late):
    """What one end measured is told a little later than what the other did."""

    async def do(simulated):
        tasks = []

        async def later(node, packet):
            await simulated.clock.sleep(100_000_000)
            simulated.controller._samples.packet_in(node, packet)

        async def slow(node, _, packet):
            if node == late and packet[15] == DeviceType.DELIVERED:
                tasks.append(asyncio.create_task(later(node, packet)))
                return True
            return False

        simulated.controller.listen(slow)
        sample = await simulated.controller.sample("n0", "n2", 100)
        await asyncio.gather(*tasks)
        return sample

    sample = over(rig.chain(3, slots=8, memory={**rig.PERFECT, "slots": 16}), do)
    assert sample.unmatched == 0
    assert sample.pairs >= 100


async def agree_and_forget(simulated):
    """Both ends agree on a long range that nobody takes back; the circuit's number."""
    controller, engine = simulated.controller, simulated.emulation.engine
    (plan,) = controller.plans.values()
    ping = await controller._pings.ping(plan, "n0", 10**12, (0, 60_000))
    assert ping.is_answered
    while engine.counters()["measures"] < 20:
        await simulated.clock.sleep(rig.PS_PER_MS)
    return plan.hops[0].circuit_id


async def nothing_is_measured_until_asked(simulated, number, before):
    """Over 200 ms of the circuit that now stands with that number, `before` measured so far."""
    controller, engine = simulated.controller, simulated.emulation.engine
    (again,) = controller.plans.values()
    assert again.hops[0].circuit_id == number
    for _ in range(200):
        await simulated.clock.sleep(rig.PS_PER_MS)
    assert engine.counters()["measures"] == before
    sample = await controller.sample("n0", "n2", 50)
    assert (sample.pairs >= 50, sample.unmatched) == (True, 0)


def test_a_range_that_was_agreed_on_is_none_of_a_later_circuits():
    """Nobody takes the range back, as where a controller dies, and another circuit has the
    number."""

    async def do(simulated):
        controller = simulated.controller
        (circuit,) = controller.circuits.values()
        number = await agree_and_forget(simulated)
        await controller.remove("c")
        before = simulated.emulation.engine.counters()["measures"]
        await controller.add(circuit, start=True)
        await nothing_is_measured_until_asked(simulated, number, before)

    over(rig.chain(3, slots=2, memory=rig.DEPHASING), do)


def test_a_range_that_was_agreed_on_is_none_of_another_stores_circuits():
    """A controller that remembers nothing begins on switches whose registers still stand."""

    async def do(simulated):
        (circuit,) = simulated.controller.circuits.values()
        number = await agree_and_forget(simulated)
        controller = await simulated.restart_controller()  # without a store
        await controller.connect()
        assert controller.plans == {}
        await controller.discover()
        for _ in range(20):  # what was under way is measured
            await simulated.clock.sleep(rig.PS_PER_MS)
        before = simulated.emulation.engine.counters()["measures"]
        await controller.add(circuit, start=True)
        await nothing_is_measured_until_asked(simulated, number, before)

    over(rig.chain(3, slots=2, memory=rig.DEPHASING), do)
