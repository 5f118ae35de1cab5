"""Teleportation over circuits: states go in as Bloch angles, bits through P4, counts come out."""

import asyncio
import math

import pytest

from e2e import rig
from e2e.test_faults import FAULTS
from qplane.control import CARDINAL, ControlError
from qplane.net import loads
from qplane.simulate.session import Goal, simulation

NOISY_LINK = {**rig.LOSSY, "visibility": 0.9}
COUNT = 150
SECONDS = 10**12


def over(text, do):
    async def main():
        async with simulation(loads(text)) as simulated:
            await simulated.set_up()
            await simulated.controller.start()
            result = await do(simulated)
            await simulated.controller.stop()
            await simulated.drain()
            summary = await simulated.summary()
            assert summary.waiting == []
            counters = simulated.emulation.engine.counters()
            assert counters["slots_in_use"] == counters["entangled_link_pairs"] == 0
            assert summary.wrong_frames == summary.mismatches == summary.one_sided == 0
            return result, counters

    return asyncio.run(main())


async def found(controller, source, target, count, timeout_ps=100 * SECONDS):
    """How often the six cardinal states arrived as they were sent, and how many were sent."""
    arrived = sent = 0
    for state in CARDINAL.values():
        done = await controller.teleport(source, target, state, count, timeout_ps=timeout_ps)
        assert len(done) == count
        assert len({each.head_seq for each in done}) == count
        assert all(each.received_ps > each.sent_ps for each in done)
        arrived += sum(each.outcome == 0 for each in done)
        sent += count
    return arrived, sent


@pytest.mark.parametrize("ends", [("n0", "n2"), ("n2", "n0")], ids=["head sends", "tail sends"])
def test_a_perfect_circuit_teleports_every_state(ends):
    async def do(simulated):
        return await found(simulated.controller, *ends, 25)

    text = rig.chain(3, memory=rig.PERFECT, slots=2)
    (arrived, sent), counters = over(text, do)
    assert arrived == sent == 150
    assert counters["teleports_confirmed"] == counters["teleported"] >= 150
    assert counters["corrections"] >= 150


@pytest.mark.parametrize("ends", [("n0", "n2"), ("n2", "n0")], ids=["head sends", "tail sends"])
def test_the_mean_fidelity_is_that_of_the_pairs(ends):
    """(2 F + 1) / 3, with the F of pairs that are kept on the same circuit."""

    async def do(simulated):
        arrived, sent = await found(simulated.controller, *ends, COUNT)
        await simulated.generate(Goal(100))
        return arrived, sent, simulated.emulation.engine.deliveries()["fidelity"].mean()

    text = rig.chain(3, memory=rig.PERFECT, link=NOISY_LINK, slots=2)
    (arrived, sent, fidelity), _ = over(text, do)
    assert 0.7 < fidelity < 0.95
    expected = (2 * fidelity + 1) / 3
    assert abs(arrived / sent - expected) < 4 * math.sqrt(expected * (1 - expected) / sent)


def test_messages_that_get_lost_cost_no_state():
    async def do(simulated):
        return await found(simulated.controller, "n0", "n2", 20)

    text = rig.chain(3, memory=rig.PERFECT, slots=2, cutoff="20 ms", faults=FAULTS["all"])
    (arrived, sent), counters = over(text, do)
    assert arrived == sent
    assert counters["teleported"] >= sent


def test_what_cannot_be_teleported_over():
    async def do(simulated):
        controller = simulated.controller
        with pytest.raises(ControlError, match="1 to 65535 teleportations"):
            await controller.teleport("n0", "n2", CARDINAL["+Z"], 0)
        await controller.stop()
        with pytest.raises(ControlError, match="generates no pairs"):
            await controller.teleport("n0", "n2", CARDINAL["+Z"])

    over(rig.chain(3, slots=2), do)

    async def measured(simulated):
        with pytest.raises(ControlError, match='request = "measure"'):
            await simulated.controller.teleport("n0", "n2", CARDINAL["+Z"])

    over(rig.chain(3, slots=2, circuit={"request": "measure"}), measured)
