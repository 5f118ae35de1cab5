"""The MHP through real P4Runtime and both compiled programs: pairs, faults, stations' counters."""

import asyncio
import itertools

import pytest

from qplane.net import QUANTUM_PORT, loads
from qplane.simulate.session import simulation
from qplane.wire import (
    DeviceFrame,
    DeviceType,
    MhpKind,
    MhpOrder,
    MhpState,
    QubitAction,
)

from . import rig

RESULTS = (DeviceType.MHP_PAIR, DeviceType.MHP_MEASURED)


def network(*, link=(), memory=(), faults=None, nodes=("a", "b", "c")):
    """A chain whose links share one station, in a network with a plain link beside them."""
    text = rig.table("network", {"name": '"test"', "seed": 3})
    text += rig.table("memories.m", {"slots": 8} | dict(memory))
    stations = {"s": "{ station = true }"}
    text += rig.table("nodes", {n: '{ memory = "m" }' for n in nodes} | stations)
    for a, b in itertools.pairwise(nodes):
        keys = {"length": '"10 km"', "attenuation": '"0.5 dB/km"', "herald": '"s"'} | dict(link)
        text += rig.table("[links]", {"between": f'["{a}", "{b}"]'} | keys)
    return text + (rig.table("faults", faults) if faults else "")


class Run:
    """A network that runs, and what the devices said, by node."""

    def __init__(self, simulated):
        self.simulated = simulated
        self.engine = simulated.emulation.engine
        self.said = {name: [] for name in simulated.plan.nodes}

    async def listen(self, node, port, packet):
        if port != QUANTUM_PORT:
            return False
        frame = DeviceFrame.list_from_bytes(packet)[0]
        if frame.type < DeviceType.MHP_START:
            return False
        self.said[node].append(frame)
        return True

    async def tell(self, node, type_, body, link=0xFF):
        frame = DeviceFrame(type_, link, body).to_bytes()
        await self.simulated.controller.packet_out(node, QUANTUM_PORT, frame)

    async def order(self, **fields):
        """The same for both ends of every link; the second link of b has number 1."""
        for node, link in (("a", 0), ("b", 0), ("b", 1), ("c", 0)):
            slots = {"slot_first": 4 * link, "slot_count": 4}
            order = {"transaction": 1, "queue_id": 1, "queue_seq": 2, "first_cycle": 9} | slots
            await self.tell(node, DeviceType.MHP_START, MhpOrder(**(order | fields)), link)

    async def release_all(self):
        for node, frames in self.said.items():
            for frame in frames:
                if frame.type is DeviceType.MHP_PAIR:
                    body = QubitAction(3, frame.body.slot, frame.body.generation)
                    await self.tell(node, DeviceType.QUBIT_RELEASE, body)
        await self.simulated.clock.sleep(rig.PS_PER_MS)

    def results(self, node, link):
        return [f for f in self.said[node] if f.type in RESULTS and f.link == link]

    def assert_right(self):
        for near, far in ((("a", 0), ("b", 0)), (("b", 1), ("c", 0))):
            ends = [{f.body.mhp_seq: f for f in self.results(*end)} for end in (near, far)]
            assert [len(e) for e in ends] == [len(self.results(*end)) for end in (near, far)]
            for seq in ends[0].keys() & ends[1].keys():
                a, b = ends[0][seq], ends[1][seq]
                assert (a.bell, a.body.cycle) == (b.bell, b.body.cycle)
        assert self.engine.counters()["mhp_false_heralds"] == 0

    def assert_empty(self):
        assert self.engine.waiting() == []
        assert self.engine.link_pairs() == []


def play(text, scenario):
    async def whole():
        async with simulation(loads(text)) as simulated:
            await simulated.set_up()
            run = Run(simulated)
            simulated.controller.listen(run.listen)
            await scenario(run)
            simulated.controller.listen(None)
            await simulated.check_entries()

    asyncio.run(whole())


@pytest.mark.parametrize(
    "link",
    [
        {},
        {"scheme": '"single-click"', "bright_state": 0.2},
        {"scheme": '"source"', "station": 0.3},
        {"scheme": '"end-to-end"', "station": 1.0},
    ],
    ids=["double-click", "single-click", "source", "end-to-end"],
)
def test_both_links_of_a_station_yield_their_pairs(link):
    async def scenario(run):
        await run.order(pairs=3)
        await run.simulated.clock.sleep(200 * rig.PS_PER_MS)
        for node, number in (("a", 0), ("b", 0), ("b", 1), ("c", 0)):
            assert [f.body.mhp_seq for f in run.results(node, number)] == [1, 2, 3]
        for pair in run.engine.link_pairs():
            assert pair["fidelities"][pair["bell"]] > 0.75
        run.assert_right()
        replies = await run.simulated.controller.counters("s", "HeraldIngress.replies")
        assert replies == {1: 3, 9: 3}
        assert await run.simulated.controller.counters("s", "HeraldIngress.drops") == {}
        await run.release_all()
        run.assert_empty()

    play(network(link=link), scenario)


@pytest.mark.parametrize("kind", MhpKind)
def test_faults_on_gen_and_reply_never_mispair(kind):
    faults = {
        "loss": 0.1,
        "duplication": 0.2,
        "reordering": 0.2,
        "corruption": 0.1,
        "delay": 0.1,
        "mean_delay": '"50 us"',
    }

    async def scenario(run):
        await run.order(kind=kind, pairs=0, end_cycle=700)
        for _ in range(20):  # K: memory is emptied again and again
            await run.simulated.clock.sleep(3 * rig.PS_PER_MS)
            run.assert_right()
            await run.release_all()
        await run.simulated.clock.sleep(40 * rig.PS_PER_MS)
        await run.release_all()
        assert min(len(run.results(*end)) for end in (("a", 0), ("b", 1), ("c", 0))) > 10
        run.assert_right()
        run.assert_empty()
        ends = [f.body.state for f in run.said["a"] if f.type is DeviceType.MHP_STATUS]
        assert ends[-1] is MhpState.WINDOW_OVER
        drops = await run.simulated.controller.counters("s", "HeraldIngress.drops")
        assert drops.get(2, 0) > 0 and drops.get(6, 0) + drops.get(7, 0) > 0

    play(network(faults=faults, memory={"slots": 8}), scenario)


def test_pairs_of_circuits_and_of_the_link_layer_live_beside_each_other():
    circuit = {"name": '"c"', "from": '"a"', "to": '"c"', "slots": 1}
    text = network() + rig.table("[circuits]", circuit)

    async def scenario(run):
        await run.simulated.controller.start()
        clock = run.simulated.clock
        await clock.sleep(20 * rig.PS_PER_MS)
        before = run.engine.delivered
        assert before > 0
        await run.order(pairs=2, slot_first=2, slot_count=4)
        await clock.sleep(50 * rig.PS_PER_MS)
        assert [len(run.results(*end)) for end in (("a", 0), ("c", 0))] == [2, 2]
        run.assert_right()
        assert run.engine.delivered > before
        await run.release_all()
        await run.simulated.drain()

    play(text, scenario)
