"""What circuits do, by the wall clock, on embedded switches and on BMv2 as it is.

Where figures are compared, memories have neither T1 nor T2, or the closed form is given the storage
times of the very run: so it does not matter how long a switch takes, and BMv2 has to give what the
closed form says.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from e2e import rig
from e2e.test_bad_frames import bad
from e2e.test_distillation import MIXED, correlations_of, dejmps
from e2e.test_link_distillation import ideal
from scapy.utils import rdpcap

from live.on_targets import BMV2, of_engine, running, until
from qplane.control import CARDINAL, WriteError
from qplane.control.entries import table_entry
from qplane.control.updates import Update
from qplane.live.network import LiveNetwork, Options
from qplane.net import PAIR_EVENTS, QUANTUM_PORT, loads
from qplane.net.request import circuit_request
from qplane.simulate import reasons
from qplane.simulate.session import Goal, run, simulation
from qplane.simulate.summary import Counted, expectation, summarize
from qplane.wire import DeviceFrame, DeviceType, QubitBody

INSIDE = pytest.param(Options(time_scale=10), id="inside", marks=pytest.mark.slow)
TUNNEL, _, _ = (Path(__file__).parents[2] / "examples/tunnel.toml").read_text().partition("[[pings")

each_target = pytest.mark.parametrize("options", [INSIDE, BMV2])


@dataclass
class Found(rig.Outcome):
    """`events`: the switches' own counts of what happened to pairs, by node and name."""

    events: dict[str, dict[str, int]]


Scenario = Callable[[LiveNetwork], Awaitable[None]]
Over = Callable[[str, Options, Scenario], Found]


async def deliver(network: LiveNetwork, count: int) -> None:
    """Until so many pairs more were delivered."""
    goal = count + await of_engine(network, lambda engine: engine.delivered)

    async def enough() -> bool:
        return await of_engine(network, lambda engine: engine.delivered) >= goal

    await until(enough)


async def at_rest(network: LiveNetwork) -> Found:
    """Stop; all memory becomes free; nothing is wrong, one-sided or left."""
    controller, emulation = network.controller, network.fabric.emulation
    await controller.stop()
    await controller.drain()

    async def told() -> bool:  # the last VOIDs are under way
        nonlocal open_ends
        open_ends = await of_engine(network, lambda e: (e.counters()["one_sided"], e.waiting()))
        return open_ends == (0, [])

    open_ends: object = None
    await until(told, lambda: open_ends)
    counted = await Counted.read(controller, await controller.status())
    events = {
        node: {
            PAIR_EVENTS[index]: count
            for index, count in (await controller.counters(node, reasons.PAIR_EVENTS)).items()
        }
        for node in network.plan.nodes
    }

    def look(engine) -> Found:
        sample = engine.deliveries()
        return Found(
            summarize(emulation, 0, "stopped", counted),
            sample,
            engine.hops(),
            expectation(emulation, sample),
            engine.counters(),
            list(emulation.nodes),
            events,
        )

    found = await of_engine(network, look)
    rig.assert_clean(found)
    assert await controller.verify() == []
    await controller.teardown()
    assert await controller.verify() == []
    return found


@pytest.fixture
def over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Over:
    """Run a scenario on a network, bring it to rest and say what was found."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    def over(text: str, options: Options, scenario: Scenario) -> Found:
        async def main() -> Found:
            async with running(text, options) as network:
                await scenario(network)
                return await at_rest(network)

        return asyncio.run(main())

    return over


def total(found: Found, event: str) -> int:
    return sum(events.get(event, 0) for events in found.events.values())


@each_target
def test_keep_measure_and_early_requests_beside_each_other(over: Over, options: Options) -> None:
    """Each with COMPLETE, from either end; the switches count what the devices did."""
    circuits = [
        {"name": "k", "from": "a", "to": "b", "request": "keep"},
        {"name": "m", "from": "b", "to": "a", "request": "measure"},
        {"name": "e", "from": "a", "to": "b", "request": "early"},
    ]
    circuits = [{**one, "slots": 2, "complete": True} for one in circuits]
    text = rig.network([("a", "r"), ("r", "b")], circuits, memory={**rig.DEPHASING, "slots": 12})
    found = over(text, options, lambda network: deliver(network, 400))
    counters, delivered = found.counters, found.summary.delivered
    assert all(found.circuit(name).delivered > 50 for name in "kme")
    assert abs(rig.deviation_of_fidelity(found)) < 4
    assert 2 * found.circuit("e").delivered <= counters["early_delivers"] <= counters["delivers"]
    assert 2 * found.circuit("e").delivered <= counters["confirms"] == total(found, "confirm")
    assert 2 * found.circuit("m").delivered <= counters["measures"]
    assert counters["completed"] == total(found, "completed")
    assert counters["voids_after_complete"] == 0
    for end in "ab":
        events = found.events[end]
        assert events["track sent"] > 0
        assert events["deliver"] + events["confirm"] >= delivered
        # COMPLETE is told once and not repeated; the last ones cross the tear-down.
        assert delivered <= events["complete sent"]
        assert 0.9 * delivered < events["completed"] <= delivered
    assert found.events["r"]["swapped"] >= delivered


@each_target
def test_swaps_that_fail_are_announced_and_never_delivered(over: Over, options: Options) -> None:
    memory = {**rig.DEPHASING, "swap_success": 0.6}
    text = rig.chain(4, memory=memory, cutoff="20 ms")
    found = over(text, options, lambda network: deliver(network, 60))
    failed = total(found, "swap failed")
    # Besides those of which a half died meanwhile.
    assert failed >= found.counters["swaps_without_outcome"] > 20
    assert total(found, "swap") == failed + total(found, "swapped")
    for end in ("n0", "n3"):
        assert found.events[end]["expire received"] > 0
    assert abs(rig.deviation_of_fidelity(found)) < 4


@each_target
def test_cut_offs_are_announced_both_ways(over: Over, options: Options) -> None:
    """One slot a side: one that did not become free would end the circuit."""
    text = rig.chain(4, memory=rig.DEPHASING, cutoff="0.2 ms")
    found = over(text, options, lambda network: deliver(network, 60))
    assert found.summary.expired > 20
    for end in ("n0", "n3"):
        assert found.events[end]["expire received"] > 5
    assert total(found, "expire sent") >= found.summary.expired
    assert abs(rig.deviation_of_fidelity(found)) < 4


@each_target
def test_teleportations_arrive_with_the_bits_of_their_pair(over: Over, options: Options) -> None:
    sent = 0

    async def scenario(network: LiveNetwork) -> None:
        nonlocal sent
        for state, ends in zip(CARDINAL.values(), itertools.cycle([("n0", "n2"), ("n2", "n0")])):
            done = await network.controller.teleport(*ends, state, 10)
            assert [each.outcome for each in done] == [0] * 10
            sent += len(done)

    found = over(rig.chain(3, slots=2, memory=rig.PERFECT), options, scenario)
    assert sent == 60
    assert found.counters["teleports_confirmed"] == found.counters["teleported"] >= 60
    assert total(found, "correction") >= found.counters["corrections"] >= 60  # some came twice
    assert total(found, "correction sent") >= 60


@each_target
def test_a_sample_has_the_errors_of_the_pairs(over: Over, options: Options) -> None:
    text = rig.chain(3, slots=2, memory=rig.PERFECT, link={**rig.LOSSY, "visibility": 0.8})
    samples = []

    async def scenario(network: LiveNetwork) -> None:
        for ends in (("n0", "n2"), ("n2", "n0")):
            samples.append(await network.controller.sample(*ends, 150))
            ping = await network.controller.ping(*ends)
            assert ping.is_answered
            assert [reply.node for reply in ping.replies] == ["n1", ends[1]]

    found = over(text, options, scenario)
    for sample in samples:
        assert sample.unmatched == 0
        assert sample.pairs >= 150
        rates = ((sample.z, found.expected.z_error), (sample.x, found.expected.x_error))
        for rate, chance in rates:
            assert abs(rate.value - chance.mean()) < 4 * rate.standard_error
        fidelity, slack = found.pairs["fidelity"].mean(), 4 * sample.standard_error
        assert sample.fidelity_least - slack < fidelity < sample.fidelity_most + slack


@each_target
@pytest.mark.parametrize("key", ["distil", "distil_links"])
def test_distilled_pairs_are_as_good_as_the_recurrence_says(
    over: Over, options: Options, key: str
) -> None:
    circuit = {key: 1}
    text = rig.chain(3, slots=2, memory={"slots": 4}, link=MIXED, circuit=circuit)
    found = over(text, options, lambda network: deliver(network, 60))
    if key == "distil":
        _, wanted = dejmps(correlations_of(text), 1)
        assert (found.pairs["rounds"] == 1).all()
    else:
        wanted = ideal(text, 1)
        assert (found.hops["rounds"] == 1).all()
    assert np.allclose(found.pairs["fidelity"], wanted, atol=1e-9)
    assert total(found, "distil") > 0


TELEMETRY = '[telemetry]\nanomalies = true\nevents = { "swap" = 5, "deliver" = 1 }\n'


@each_target
def test_event_copies_and_digests_of_anomalies_come_to_the_controller(
    over: Over, options: Options
) -> None:
    copies, anomalies = {}, {}

    async def scenario(network: LiveNetwork) -> None:
        reports = network.controller.reports
        await deliver(network, 60)
        for seq in (5, 6, 7):
            frame = DeviceFrame(DeviceType.PAIR, 0, QubitBody(99, seq, 0, 0)).to_bytes()
            network.fabric.paced.inject(1, QUANTUM_PORT, frame)
        network.fabric.paced.inject(1, 1, frame)

        async def told() -> bool:
            return reports.anomalies.total() >= 4

        await until(told)
        anomalies.update(reports.anomalies)
        await network.controller.stop()
        await network.controller.drain()
        copies.update(reports.copies)

    found = over(rig.chain(3, slots=2) + TELEMETRY, options, scenario)
    assert anomalies == {("n1", "device label"): 3, ("n1", "device port"): 1}
    assert copies.pop(("n1", "swap")) == math.ceil(found.events["n1"]["swap"] / 5)
    assert copies == {(end, "deliver"): found.events[end]["deliver"] for end in ("n0", "n2")}


@each_target
def test_a_refused_circuit_is_undone_and_disturbs_none(over: Over, options: Options) -> None:
    """The tail-end has no room for the last entry; a circuit delivers meanwhile."""
    text = rig.chain(3, memory={**rig.PERFECT, "slots": 8})

    async def scenario(network: LiveNetwork) -> None:
        controller = network.controller
        before = await controller.snapshot()
        session = controller._switches.sessions["n2"]
        room = 2048 - sum(e.table == "label_in" for e in controller.entries("n2"))
        filling = [
            table_entry("label_in", {"ingress": 7, "label": 1000 + n}, "NoAction")
            for n in range(room)
        ]
        outcome = await session.write([Update.insert(entry) for entry in filling])
        assert outcome.failures == ()
        wanted = circuit_request(network.plan, {"name": "d", "from": "n0", "to": "n2", "slots": 2})
        with pytest.raises(WriteError, match="n2: INSERT label_in") as caught:
            await controller.add(wanted)
        assert caught.value.left_behind == ()
        assert list(controller.plans) == ["c"]
        left = {str(difference.found) for difference in await controller.verify()}
        assert left == {str(entry) for entry in filling}
        await deliver(network, 20)
        outcome = await session.write([Update.delete(entry) for entry in filling])
        assert outcome.failures == ()
        assert await controller.verify() == []
        assert await controller.snapshot() == before
        await controller.add(wanted, start=True)
        await deliver(network, 60)

    found = over(text, options, scenario)
    assert found.summary.delivered >= 80


@each_target
@pytest.mark.parametrize("text", [rig.chain(3, slots=2), TUNNEL], ids=["chain", "tunnel"])
def test_bad_frames_into_every_port_make_no_pair_wrong(
    over: Over, options: Options, text: str, tmp_path: Path
) -> None:
    """Frames of another run, whose pairs have other numbers, mostly damaged."""
    plan, rng = loads(text), random.Random(11)

    async def other_run() -> list[bytes]:
        folder = tmp_path / "other"
        folder.mkdir()
        async with simulation(
            plan, seed=2, pcap_dir=folder, first_seq=1 << 20, direct=True
        ) as other:
            await run(other, Goal(pairs=50))
        ports = sorted(path for path in folder.glob("*.pcap") if "-510" not in path.name)
        return [bytes(frame) for path in ports for frame in rdpcap(str(path))]

    seen = asyncio.run(other_run())
    injected = 0

    async def scenario(network: LiveNetwork) -> None:
        nonlocal injected
        await network.controller.start()
        for _ in range(20):
            for index, node in enumerate(plan.nodes.values()):
                ports = [link.end(node.name).port for link in plan.links_of(node.name)]
                for port in [*ports, QUANTUM_PORT] if node.is_quantum else ports:
                    for _ in range(5):
                        network.fabric.paced.inject(index, port, bad(rng, seen))
                        injected += 1
            await deliver(network, 3)

    found = over(text, options, scenario)
    drops = found.summary.drops
    for reason in ("bad checksum", "device port", "parser error", "unknown label"):
        assert drops[reason] > 0, drops
    assert injected // 3 < sum(drops.values())
    assert found.summary.delivered >= 60


@pytest.mark.bmv2
@pytest.mark.root
@pytest.mark.slow
def test_a_flood_of_messages_is_stopped_by_its_slices_meter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """benchmarks/slices_live.py in short form. Its figures take an idle processor core; here the
    flood must cost much less than without slices."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    measure = importlib.import_module("slices_live").measure
    without, flooded = (
        asyncio.run(measure(sliced=sliced, flood="messages", seconds=5, target="bmv2"))
        for sliced in (False, True)
    )
    assert not without["dropped"]
    assert flooded["dropped"]["slice qci"] > 1000
    assert flooded["pairs"] > 3 * without["pairs"]
