"""Failures of the control plane while pairs are delivered, in virtual time with emulated devices:
what is not concerned goes on, what is concerned comes back, and nothing is delivered wrongly."""

import asyncio

import pytest

from qplane.clock import PS_PER_SECOND
from qplane.control import ArbitrationError, Controller, EventKind
from qplane.simulate.chaos import CallFaults, Chaos, FaultySwitch, Rates
from qplane.simulate.session import Goal, StuckError, simulation

from .networks import chain, network

CUTOFF = 'cutoff = "20 ms"'
FAULTS = """
[faults]
loss = "2 %"
duplication = "5 %"
reordering = "5 %"
delay = "5 %"
corruption = "2 %"
mean_delay = "1 ms"
"""


def ring(**more):
    """Six nodes in a ring with two chords, five circuits."""
    pairs = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (1, 4), (0, 3)]
    ends = [(0, 2), (0, 4), (1, 3), (5, 3), (2, 5)]
    return network(
        [f"n{i}" for i in range(6)],
        [(f"n{a}", f"n{b}", 10.0) for a, b in pairs],
        circuits=[
            (f"c{i}", f"n{a}", f"n{b}", f"slots = 2\n{CUTOFF}") for i, (a, b) in enumerate(ends)
        ],
        slots=48,
        **more,
    )


def line(**near):
    """Two circuits that share no node: only `far` passes n3 and n4. `near` has these keys too."""
    more = "".join(f"\n{key} = {value}" for key, value in near.items())
    circuits = [
        ("near", "n0", "n2", f"slots = 2\n{CUTOFF}{more}"),
        ("far", "n3", "n5", f"slots = 2\n{CUTOFF}"),
    ]
    return chain(6, circuits=circuits)


def assert_clean(engine, *, one_sided=0):
    counted = engine.circuits()
    assert sum(c["wrong_frames"] for c in counted) == 0
    assert sum(c["mismatches"] for c in counted) == 0
    counters = engine.counters()
    assert counters["void_mismatches"] == counters["voids_after_complete"] == 0
    assert counters["slots_in_use"] == 0
    assert counters["one_sided"] <= one_sided
    if not one_sided:
        assert engine.waiting() == []


def delivered(engine, head):
    return sum(c["count"] for c in engine.circuits() if c["head_node"] == head)


def test_a_circuit_is_not_disturbed_by_repairs_elsewhere():
    """Until a switch of `far` restarts and is repaired, and after: `near` delivers the very same
    pairs at the very same times as in a run in which nothing happens."""

    async def scenario(disturbed):
        async with simulation(line(), seed=7) as running:
            await running.set_up()
            await running.controller.start()
            clock, engine = running.clock, running.emulation.engine
            for step in range(1, 11):
                if disturbed and step % 3 == 0:
                    running.emulation.restart_switch("n4")
                    while running.controller.packets("n4") is not None:
                        await asyncio.sleep(0)
                    assert await running.controller.check() != []
                await run_until(clock, step * PS_PER_SECOND // 20)
            rows = engine.deliveries()
            near = rows["head_node"] == 0
            return [
                list(rows[key][near])
                for key in ("head_seq", "tail_seq", "head_delivered_ps", "tail_delivered_ps")
            ], delivered(engine, 3)

    near, far = asyncio.run(scenario(False))
    near_disturbed, far_disturbed = asyncio.run(scenario(True))
    assert near_disturbed == near and len(near[0]) > 200
    assert 0 < far_disturbed < far


async def run_until(clock, until_ps):
    while clock.now_ps() < until_ps:
        await clock.advance(until_ps)


@pytest.mark.parametrize("rounds", [0, 1])
def test_delivery_goes_on_while_the_controller_restarts(tmp_path, rounds):
    async def scenario(restarted):
        net = line(distil_links=rounds)
        async with simulation(net, seed=3, store=tmp_path / f"{restarted}.db") as running:
            await running.set_up()
            await running.controller.start()
            clock, engine = running.clock, running.emulation.engine
            await run_until(clock, PS_PER_SECOND // 10)
            if restarted:
                await running.controller.close()
            await run_until(clock, PS_PER_SECOND // 5)
            if restarted:
                await (await running.restart_controller()).connect()
                assert await running.controller.verify() == []
                assert sorted(running.controller.plans) == ["far", "near"]
            await run_until(clock, PS_PER_SECOND // 2)
            rows = engine.deliveries()
            await running.drain()
            await running.tear_down()
            assert_clean(engine)
            return set(zip(rows["head_seq"], rows["tail_seq"], strict=True))

    undisturbed = asyncio.run(scenario(False))
    assert len(undisturbed) > 400
    assert asyncio.run(scenario(True)) == undisturbed


@pytest.mark.parametrize("faults", ["", FAULTS])
def test_a_circuit_moves_without_a_pair_mispaired_and_without_a_gap(faults):
    async def scenario():
        async with simulation(ring(faults=faults), seed=5) as running:
            await running.set_up()
            controller, engine = running.controller, running.emulation.engine
            await controller.start()
            paths = set()
            for _ in range(12):
                await running.generate(Goal(pairs=engine.delivered + 60))
                before = controller.plans["c0"]
                await controller.reroute(controller.circuits["c0"])
                after = controller.plans["c0"]
                labels = [{side.label for hop in plan.hops for side in hop.sides}
                          for plan in (before, after)]  # fmt: skip
                shared = {link.index for link in before.path} & {link.index for link in after.path}
                assert not shared or labels[0] != labels[1]
                paths.add(tuple(hop.node for hop in after.hops))
                await controller.check()
                assert await controller.verify() == []
            await running.generate(Goal(pairs=engine.delivered + 60))
            while controller.draining:
                await run_until(running.clock, running.clock.now_ps() + PS_PER_SECOND // 100)
                await controller.check()
            await running.drain()
            await running.tear_down()
            assert_clean(engine)
            moved = [c for c in engine.circuits() if (c["head_node"], c["tail_node"]) == (0, 2)]
            assert len(moved) >= 2  # under labels of their own, and all delivered

    asyncio.run(scenario())


def test_a_back_up_takes_over_and_the_old_primary_becomes_back_up(tmp_path):
    net, store = line(), tmp_path / "intent.db"

    async def scenario():
        async with simulation(net, seed=2, store=store) as running:
            await running.set_up()
            first, engine = running.controller, running.emulation.engine
            await first.start()
            await running.generate(Goal(pairs=100))
            second = Controller(net, running.emulation.address, running.clock, store=store)
            told = []
            second.events.subscribe(told.append)
            taking_over = asyncio.ensure_future(second.stand_by(PS_PER_SECOND // 50))
            # Beside a primary that lives, the back-up only looks on.
            await run_until(running.clock, running.clock.now_ps() + PS_PER_SECOND // 2)
            assert not taking_over.done()
            assert await first.verify() == []
            await first._switches.close()  # it is cut off, and does not know that it is over
            running.controller = second
            await taking_over
            assert [event.kind for event in told] == [EventKind.BACK_UP, EventKind.PRIMARY]
            assert second.plans == first.plans
            assert await second.check(audit=True) == []
            # The first comes back: it can take nothing over, and write nothing.
            with pytest.raises(ArbitrationError):
                await first.check()
            assert second.suspects == frozenset()
            waiting = asyncio.ensure_future(first.stand_by(PS_PER_SECOND // 50))
            await run_until(running.clock, running.clock.now_ps() + PS_PER_SECOND // 2)
            assert not waiting.done()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await first.close()
            await running.generate(Goal(pairs=engine.delivered + 100))
            await running.drain()
            await running.tear_down()
            assert_clean(engine)

    asyncio.run(scenario())


NO_LOSS_OF_STATE = Rates(stream_drops=4, cuts=3, moves=4, controller_restarts=1)
WANTED = {"checks", "streams dropped", "links cut", "circuits moved", "controllers restarted"}
EVERYTHING = Rates(
    stream_drops=3, restarts=2, cuts=2, tampering=3, moves=2, controller_restarts=0.5
)


@pytest.mark.parametrize(("rates", "pairs"), [(NO_LOSS_OF_STATE, 4000), (EVERYTHING, 6000)])
def test_everything_at_once(tmp_path, rates, pairs):
    """Message faults, gRPC faults and whatever else can happen. Where a switch lost the records of
    pairs under way, their ends may not learn of each other's fate; that is all that is lost."""
    outcome = asyncio.run(storm(ring(faults=FAULTS), rates, pairs, 11, tmp_path / "intent.db"))
    engine, converged, happened = outcome
    assert engine.delivered >= pairs
    assert_clean(engine, one_sided=10 * happened["switches restarted"])
    assert converged.after_ps < 3 * PS_PER_SECOND
    assert set(happened) >= WANTED and sum(happened.values()) > 40


async def storm(net, rates, pairs, seed, store):
    """Deliver `pairs` in the storm, let it abate, drain, tear down."""
    faults = CallFaults(seed=seed)
    switches = FaultySwitch.with_faults(faults)
    async with simulation(net, seed=seed, store=store, switch_type=switches) as running:
        await running.set_up()
        await running.controller.start()
        faults.lost_request = faults.lost_answer = 0.02
        faults.ended_stream = 0.002
        chaos = Chaos(running, faults, rates, seed)
        await chaos.run(pairs)
        # gRPC's own pace decides how long the storm takes; what is rare may not have come yet.
        for more in range(2 * pairs, 5 * pairs, pairs):
            if WANTED - set(chaos.happened):
                await chaos.run(more)
        converged = await chaos.settle()
        assert await running.controller.verify() == []
        try:
            await running.drain()
        except StuckError as error:
            assert all("was delivered, its other end" in line for line in error.waiting)
        await running.tear_down()
        for name in net.nodes:
            assert list(running.controller.entries(name)) == []
        return running.emulation.engine, converged, chaos.happened
