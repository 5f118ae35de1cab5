"""All that switches and devices hold is as before when circuits have come and gone."""

import asyncio
from dataclasses import replace

import pytest
from finsy.proto import p4r

from qplane.control import WriteError
from qplane.control.entries import MeterRate
from qplane.simulate.chaos import CallFaults, FaultySwitch
from qplane.simulate.session import Goal, simulation

from .networks import network

EXTRAS = """
[slices.blue]
slots = "0-7"
classical_rate = "10 Mb/s"
qci_rate = "10 kmsg/s"

[telemetry]
events = { "swap" = 10 }
anomalies = true
"""


def ring():
    """Two ways from n0 to n2, a slice with limits, telemetry with its clone session and digests."""
    links = [("n0", "n1", 10.0), ("n1", "n2", 10.0), ("n2", "n3", 12.0), ("n3", "n0", 12.0)]
    circuits = [("stays", "n0", "n1", "slots = 1")]
    hosts = [("h0", "n0", "10.0.1.1"), ("h2", "n2", "10.0.2.1")]
    names = [f"n{index}" for index in range(4)]
    return network(names, links, circuits=circuits, hosts=hosts, slots=32, faults=EXTRAS)


def run(scenario):
    """With a circuit of two links, and with one whose links distil."""
    for rounds in (0, 1):
        attempt(scenario, rounds)


def attempt(scenario, rounds):
    net, faults = ring(), CallFaults()

    async def main():
        async with simulation(net, switch_type=FaultySwitch.with_faults(faults)) as simulated:
            await simulated.set_up()
            before = await simulated.controller.snapshot()
            assert before["n0"]["table entries"] and before["n0"]["multicast groups"]
            assert before["n0"]["meters"] and before["n0"]["clone sessions"]
            assert before["n0"]["digests"]
            circuit = replace(net.circuits["stays"], name="x", tail="n2", path=(), slots=2)
            circuit = replace(circuit, distil_links=rounds)
            await scenario(simulated, circuit, faults)
            await settled(simulated)
            assert await simulated.controller.snapshot() == before
            await simulated.tear_down()
            for node, held in (await simulated.controller.snapshot()).items():
                standing = {kind: entities for kind, entities in held.items() if entities}
                assert standing.keys() <= {"default actions"}, (node, standing)

    asyncio.run(main())


async def settled(simulated):
    """Nothing generates; what is in memory is delivered or expires; nothing of it is left in the
    devices, and no record in a switch says that a pair is in memory."""
    await simulated.drain()
    counters = simulated.emulation.engine.counters()
    assert counters["slots_in_use"] == counters["entangled_link_pairs"] == 0
    assert all(s.is_drained for s in await simulated.controller.status())
    in_memory = {1, 2, 3}  # EARLY, WAITING, SWAPPING (p4src/include/records.p4)
    for core in simulated.emulation.cores.values():
        assert not {word[-1] >> 2 & 15 for word in core.register_read_all("pair_identity")} & (
            in_memory
        )
        assert {word[:2] for word in core.register_read_all("side_state")} == {bytes(2)}


async def deliver(simulated, pairs):
    delivered = simulated.emulation.engine.delivered
    await simulated.generate(Goal(pairs=delivered + pairs))


def test_a_circuit_that_delivered_leaves_nothing():
    async def scenario(simulated, circuit, faults):
        for _ in range(2):
            await simulated.controller.add(circuit, start=True)
            await deliver(simulated, 50)
            await simulated.controller.remove("x")

    run(scenario)


def test_a_circuit_that_moved_leaves_nothing():
    async def scenario(simulated, circuit, faults):
        controller = simulated.controller
        first = await controller.add(circuit, start=True)
        await deliver(simulated, 20)
        simulated.emulation.cut(first.path[1])
        await controller.check(audit=True)
        moved = controller.plans["x"]
        assert moved.path != first.path
        await deliver(simulated, 20)
        simulated.emulation.cut(first.path[1], cut=False)
        await controller.check(audit=True)
        await controller.stop()
        while controller.draining:
            await simulated.clock.sleep(10**10)
            await controller.check()
        await controller.remove("x")

    run(scenario)


def test_a_change_that_is_refused_leaves_nothing():
    async def scenario(simulated, circuit, faults):
        faults.lost_answer = 1.0  # all is done, and nobody hears of it
        with pytest.raises(WriteError):
            await simulated.controller.add(circuit)
        faults.lost_answer = 0.0
        await simulated.controller.check(audit=True)
        assert "x" not in simulated.controller.plans

    run(scenario)


def test_a_switch_that_restarted_under_a_circuit_holds_what_it_did():
    async def scenario(simulated, circuit, faults):
        controller = simulated.controller
        await controller.add(circuit, start=True)
        await deliver(simulated, 20)
        node = controller.plans["x"].hops[1].node
        simulated.emulation.restart_switch(node)
        while controller.packets(node) is not None:
            await asyncio.sleep(0)
        while controller.suspects:
            await controller.check()
        await deliver(simulated, 20)
        await controller.remove("x")

    run(scenario)


def test_limits_that_somebody_changed_are_repaired():
    async def scenario(simulated, circuit, faults):
        controller = simulated.controller
        limits = [e for e in controller.entries("n0") if isinstance(e, MeterRate)]
        (first, *_) = limits
        device = simulated.emulation.devices["n0"]

        assert device.tamper(p4r.Update.MODIFY, replace(first, rate=first.rate + 1))
        other = replace(
            first, index=next(i for i in range(64) if i not in {e.index for e in limits})
        )
        assert device.tamper(p4r.Update.MODIFY, other)
        repaired = await controller.check(audit=True)
        assert {(d.expected, d.found.index) for d in repaired} == {
            (first, first.index),
            (None, other.index),
        }

    run(scenario)
