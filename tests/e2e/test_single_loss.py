"""Each single QCI message of a circuit of four nodes, lost one by one, for each kind of request: no
wrong frame, nothing one-sided, everything ends, every slot is free."""

import asyncio

import pytest

from e2e import rig
from qplane.control import CARDINAL
from qplane.net import loads
from qplane.simulate.session import Goal, simulation

PAIRS = 3
MEMORY = {**rig.DEPHASING, "swap_success": 0.8}


def assert_over(engine, waiting):
    counters = engine.counters()
    assert waiting == []
    assert counters["one_sided"] == counters["void_mismatches"] == 0
    assert counters["unknown_completed"] == counters["voids_after_complete"] == 0
    assert counters["slots_in_use"] == counters["entangled_link_pairs"] == 0
    assert counters["unconfirmed"] == 0


def each_loss(text, work):
    """Do `work` again and again, the n-th time with the n-th message lost, until there are not so
    many; how often that was."""

    async def main():
        async with simulation(loads(text)) as simulated:
            await simulated.set_up()
            engine = simulated.emulation.engine
            place = 0
            while True:
                place += 1
                lost = engine.counters()["channel_lost"]
                engine.lose_qci(place)
                await work(simulated)
                await simulated.drain()
                assert_over(engine, engine.waiting())
                if engine.counters()["channel_lost"] == lost:
                    break
                assert place < 300
            summary = await simulated.summary()
            assert summary.wrong_frames == summary.mismatches == 0
            return place - 1, engine.counters(), summary

    return asyncio.run(main())


def test_each_message_is_lost_once_where_links_distil():
    async def work(simulated):
        await simulated.generate(Goal(simulated.emulation.engine.delivered + 2))

    text = rig.chain(4, slots=2, memory=MEMORY, cutoff="5 ms", circuit={"distil_links": 1})
    losses, counters, summary = each_loss(text, work)
    assert losses > 30
    assert counters["distil_repeated"] > 0
    assert counters["fed"] > 0
    assert {"distil sent", "distil"} <= set(summary.pair_events)


@pytest.mark.parametrize("complete", [False, True], ids=["", "complete"])
@pytest.mark.parametrize("request_", ["keep", "measure", "early"])
def test_each_message_is_lost_once(request_, complete):
    async def work(simulated):
        await simulated.generate(Goal(simulated.emulation.engine.delivered + PAIRS))

    circuit = {"request": request_, "complete": complete}
    text = rig.chain(4, slots=2, memory=MEMORY, cutoff="5 ms", circuit=circuit)
    losses, counters, summary = each_loss(text, work)
    assert losses > 15
    assert summary.delivered >= losses * PAIRS
    assert counters["expired_repeated"] > 0
    assert (counters["early_delivers"] > 0) == (request_ == "early")
    assert (counters["completed"] > 0) == complete
    assert {"expire confirmed", "swap failed"} <= set(summary.pair_events)


def test_each_message_of_a_teleportation_is_lost_once():
    async def work(simulated):
        controller = simulated.controller
        await controller.start()
        done = await controller.teleport("n0", "n3", CARDINAL["-Y"], 2, timeout_ps=10**13)
        assert len(done) == 2
        assert all(each.outcome == 0 for each in done)
        await controller.stop()

    text = rig.chain(4, slots=2, memory={**rig.PERFECT, "swap_success": 0.8}, cutoff="5 ms")
    losses, counters, summary = each_loss(text, work)
    assert losses > 15
    assert {"correction sent", "correction", "correction confirmed"} <= set(summary.pair_events)
    assert counters["teleports_confirmed"] > 0
