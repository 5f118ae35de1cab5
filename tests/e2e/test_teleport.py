"""Teleportation over circuits: states go in as Bloch angles, bits through P4, counts come out."""

import asyncio
import math

import numpy as np
import pytest

from e2e import rig
from e2e.test_faults import FAULTS
from qplane.control import CARDINAL, ControlError
from qplane.net import loads
from qplane.simulate.session import Goal, simulation
from qplane.simulate.summary import expectation

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


def test_one_slot_does_not_wait_for_ever_for_bits_that_nobody_sends():
    """The pair in it may have been delivered to the sender before its order came."""

    async def do(simulated):
        for _ in range(20):
            done = await simulated.controller.teleport("n0", "n2", CARDINAL["+X"], 2)
            assert len(done) == 2

    over(rig.chain(3, memory=rig.PERFECT, slots=1, cutoff="5 ms"), do)


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


FADING = {
    "slots": 4,
    "t1": '"1 ms"',
    "t2": '"1 ms"',
    "swap_time": '"10 us"',
    "two_qubit_gate_error": 0.01,
    "one_qubit_gate_error": 0.005,
    "readout_error": 0.005,
}
RATES_PER_PS = np.array([1 / 1e9, 1 / 1e9, 1 / 1e9])  # of X, Y, Z in that memory
SWAP_PS = 10_000_000


def closed_form(kept, expected, wait_ps):
    """The mean over the cardinal states, from pairs that were kept on the same circuit.

    A channel that shrinks X, Y and Z by cx, cy and cz has a mean of 1/2 + (cx + cy + cz)/6 over
    them. These are the correlations of the pairs as delivered (qplane.simulate.expected), aged at
    the sender while it measures and at the receiver for `wait_ps` from the sender's delivery, and
    what the measurement, the correction in three cases of four, and the receiver's read-out leave
    of them. What T1 pulls towards |0> cancels between +Z and -Z.
    """
    seen = 1 - 2 * FADING["readout_error"]
    gate = 1 - FADING["two_qubit_gate_error"]
    one = 1 - FADING["one_qubit_gate_error"]
    zz = (1 - 2 * expected.z_error) / seen**2
    xx = (1 - 2 * expected.x_error) / seen**2
    delivered = np.array([xx, 4 * expected.fidelity - 1 - xx - zz, zz])
    measured = np.array([gate * one * seen, gate * one * seen**2, gate * seen])
    waits_ps = wait_ps + kept["head_delivered_ps"] - kept["tail_delivered_ps"]
    aged = np.exp(-np.outer(RATES_PER_PS, SWAP_PS + waits_ps))
    left = measured * (delivered * aged).mean(axis=1) * (1 - 0.75 * (1 - one)) * seen
    return 0.5 + left.sum() / 6


def test_the_mean_fidelity_with_the_wait_for_the_bits_is_the_closed_form():
    """Noisy gates, T1 and T2 that the 0.2 ms until the two bits are there cost a lot of."""
    count, pairs = 360, 500

    async def do(simulated):
        arrived = sent = 0
        waits_ps = []
        for state in CARDINAL.values():
            done = await simulated.controller.teleport(
                "n0", "n1", state, count, timeout_ps=100 * SECONDS
            )
            arrived += sum(each.outcome == 0 for each in done)
            sent += len(done)
            waits_ps += [each.received_ps - each.sent_ps for each in done]
        await simulated.generate(Goal(pairs))
        kept = simulated.emulation.engine.deliveries()
        return arrived, sent, np.mean(waits_ps), kept, expectation(simulated.emulation, kept)

    link = {**rig.LOSSLESS, "length": '"40 km"'}
    text = rig.chain(2, memory=FADING, link=link, slots=2)
    (arrived, sent, wait_ps, kept, expected), _ = over(text, do)
    assert sent == 6 * count
    assert 0.2e9 < wait_ps < 0.25e9
    mean = closed_form(kept, expected, SWAP_PS + wait_ps)
    error = math.sqrt(mean * (1 - mean) / sent)
    assert abs(arrived / sent - mean) < 4 * error
    assert closed_form(kept, expected, 0) - mean > 3 * error  # the wait is seen
