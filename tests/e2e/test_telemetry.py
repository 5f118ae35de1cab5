"""What switches tell without being asked, from the network file to the controller's events; and who
a switch says it is. Real P4Runtime, virtual time."""

import asyncio
import time
from collections import Counter

import pytest

from e2e import rig
from qplane.control import EventKind
from qplane.net import NetworkFileError, loads
from qplane.simulate.session import Goal, simulation
from qplane.wire import DeviceFrame, DeviceType, QubitBody

TELEMETRY = '[telemetry]\nanomalies = true\nevents = { "swap" = 5, "deliver" = 1 }\n'


def over(text, do):
    async def main():
        async with simulation(loads(text)) as simulated:
            told = []
            simulated.controller.events.subscribe(told.append)
            await simulated.set_up()
            await do(simulated, told)

    asyncio.run(main())


async def until(condition):
    """Digests come by the switch's real clock."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def test_sampled_copies_arrive_and_the_run_is_the_same():
    text = rig.chain(3, slots=2)
    plain = rig.simulate(text, pairs=40)

    async def do(simulated, told):
        await simulated.generate(Goal(40))
        await simulated.drain()
        summary = await simulated.summary()
        copies = simulated.controller.reports.copies
        assert copies["n1", "swap"] == -(-summary.pair_events["swap"] // 5)
        assert copies["n0", "deliver"] + copies["n2", "deliver"] == summary.pair_events["deliver"]
        assert set(copies) == {("n1", "swap"), ("n0", "deliver"), ("n2", "deliver")}
        kinds = Counter(event.kind for event in told)
        assert kinds[EventKind.TELEMETRY] == copies.total()
        assert kinds[EventKind.ANOMALY] == 0
        pairs = simulated.emulation.engine.deliveries()
        assert list(pairs["tail_delivered_ps"]) == list(plain.pairs["tail_delivered_ps"])
        await simulated.check_entries()
        await simulated.tear_down()

    over(text + TELEMETRY, do)


def test_anomalies_are_told_with_reason_and_place():
    async def do(simulated, told):
        for seq in (5, 6, 7, 7):  # equal ones are told once
            frame = DeviceFrame(DeviceType.PAIR, 0, QubitBody(99, seq, 0, 0)).to_bytes()
            simulated.emulation.engine.inject(1, 509, frame)
        simulated.emulation.engine.inject(1, 1, frame)
        await simulated.clock.sleep(10**9)
        anomalies = simulated.controller.reports.anomalies
        await until(lambda: anomalies.total() == 4)
        assert anomalies == {("n1", "device label"): 3, ("n1", "device port"): 1}
        texts = [event.text for event in told if event.kind is EventKind.ANOMALY]
        assert any(
            text.startswith("n1: device label: ") and text.endswith("label 99, pair 7")
            for text in texts
        )

    over(rig.chain(3) + TELEMETRY, do)


def test_without_the_section_nothing_is_told():
    async def do(simulated, told):
        await simulated.generate(Goal(10))
        assert not simulated.controller.reports.copies
        assert {e.table for e in simulated.controller.entries("n1")}.isdisjoint(
            {"telemetry", "clone session", "digest"}
        )

    over(rig.chain(3), do)


def test_an_unknown_event_is_refused():
    with pytest.raises(
        NetworkFileError, match=r"telemetry.*swapp.*no such event; there are: track"
    ):
        loads(rig.chain(3) + "[telemetry]\nevents = { swapp = 1 }\n")
