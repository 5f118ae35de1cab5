"""The controller keeps the network by itself, in a task of its own, while others use it."""

import asyncio
import math
import random
from dataclasses import replace

import pytest

from qplane.clock import PS_PER_SECOND, RealClock
from qplane.control import ControlError, Controller, DeviceError, EventKind, WriteError
from qplane.control.switches import Switches
from qplane.wire import LinkStatusCode

from .fabric import Fabric
from .networks import chain, network

INTERVAL_PS = PS_PER_SECOND // 50


def ring():
    pairs = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)]
    links = [(f"n{a}", f"n{b}", 10.0) for a, b in pairs]
    circuits = [("a", "n0", "n2", "slots = 2"), ("b", "n1", "n3", "slots = 2")]
    hosts = [("h1", "n0", "10.0.1.1"), ("h2", "n2", "10.0.2.1")]
    return network([f"n{i}" for i in range(4)], links, circuits=circuits, hosts=hosts, slots=32)


def test_it_is_kept_while_it_is_changed_and_things_go_wrong():
    """Circuits come, go and move at random while switches restart and connections drop; then all
    is as it should be, in the tables and in the devices."""
    net = ring()
    rng = random.Random(5)

    async def main():
        with Fabric(net) as fabric:
            controller = Controller(
                net, fabric.address, RealClock(), answer_timeout_ps=20 * PS_PER_SECOND
            )
            await controller.connect()
            await controller.discover()
            await controller.install()
            await controller.start()
            keeping = asyncio.create_task(controller.keep(INTERVAL_PS))
            done = 0
            lost = []
            controller.events.subscribe(
                lambda event: lost.append(event) if event.kind is EventKind.SWITCH_LOST else None
            )
            for step in range(60):
                if step % 4 == 0:
                    rng.choice([fabric.restart, fabric.drop_streams])(rng.choice(list(net.nodes)))
                names = list(controller.plans)
                extra = replace(net.circuits["a"], name=f"x{step}", slots=1)
                change = rng.choice(
                    [
                        lambda extra=extra: controller.add(extra, start=True),
                        lambda names=names: controller.remove(rng.choice(names)),
                        lambda names=names: controller.reroute(
                            controller.circuits[rng.choice(names)]
                        ),
                        lambda names=names: controller.stop([rng.choice(names)]),
                        lambda names=names: controller.start([rng.choice(names)]),
                    ]
                )
                try:
                    await asyncio.wait_for(change(), 60)  # hangs, if ever
                    done += 1
                except (ControlError, IndexError):  # what is away can't be changed just then
                    pass
                assert not keeping.done()
                while step % 4 > 1 and controller.suspects and not keeping.done():
                    await asyncio.sleep(0.001)
            assert done > 20
            assert len(lost) >= 10
            while (controller.suspects or controller.draining) and not keeping.done():
                await asyncio.sleep(0.01)
            assert not keeping.done()
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            for _ in range(2):  # a command of a stream that ended can come late: the next finds it
                await controller.check(audit=True)
            assert await controller.verify() == []
            wanted = {
                (hop.node, side.number, side.label)
                for name, plan in controller.plans.items()
                if controller.is_generating(name)
                for hop in plan.hops
                for side in hop.sides
            }
            running = {
                (name, *key) for name, device in fabric.devices.items() for key in device.running
            }
            assert running == wanted
            await controller.teardown()
            assert await fabric.all_standing() == {name: [] for name in net.nodes}
            await controller.close()

    asyncio.run(main())


def test_it_is_repaired_at_once_without_anybody_asking():
    net = ring()

    async def main():
        with Fabric(net) as fabric:
            controller = Controller(
                net, fabric.address, RealClock(), answer_timeout_ps=20 * PS_PER_SECOND
            )
            await controller.connect()
            await controller.discover()
            await controller.install()
            await controller.start()
            before = await fabric.all_standing()
            keeping = asyncio.create_task(controller.keep(1000 * PS_PER_SECOND))
            fabric.restart("n0")
            while controller.packets("n0") is not None:
                await asyncio.sleep(0)
            while controller.suspects:
                await asyncio.sleep(0.001)
            assert await fabric.all_standing() == before
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await controller.close()

    asyncio.run(main())


def test_a_switch_that_is_back_is_suspected_before_it_has_its_program(monkeypatch):
    """Who waits until nothing is suspected must not find it empty."""
    net, seen = ring(), []
    opening = Switches.open

    async def main():
        with Fabric(net) as fabric:
            controller = Controller(net, fabric.address, RealClock())
            await controller.connect()
            await controller.discover()
            await controller.install()

            async def watched(switches, nodes, election_id):
                opened = await opening(switches, nodes, election_id)
                seen.extend(("n0" in controller.suspects) for n, e in opened.items() if e is None)
                return opened

            monkeypatch.setattr(Switches, "open", watched)
            fabric.restart("n0")
            while "n0" not in controller.suspects:
                await asyncio.sleep(0.001)
            while controller.suspects:
                await controller.check()
            await controller.close()

    asyncio.run(main())
    assert seen == [True]


# ---- bad input through the API ----


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"head": "nobody"}, "circuit x: no node is named nobody"),
        ({"tail": "n0"}, "circuit x: both ends are n0"),
        ({"slots": -1}, "circuit x: slots is -1; 0 to 32 are possible"),
        ({"slots": 33}, "circuit x: slots is 33; 0 to 32 are possible"),
        ({"cutoff_ps": -5}, "circuit x: cutoff is -5 ps"),
        ({"tail": "n1"}, "circuit x: its path (n0-n1, n1-n2) does not lead from n0 to n1"),
        ({"cutoff_ps": 1 << 63}, f"circuit x: cutoff is {1 << 63} ps"),
        ({"budget_ps": -1}, "circuit x: budget is -1 ps"),
        ({"fidelity": 1.5}, "circuit x: fidelity is 1.5; 0 to 1 are possible"),
        ({"fidelity": math.nan}, "circuit x: fidelity is nan; it should be a number"),
        ({"rate_per_s": -2.0}, "circuit x: rate_per_s is -2.0; 0 and more are possible"),
        ({"distil": 4}, "circuit x: distil is 4; 0 to 3 are possible"),
        ({"slice": "gold"}, "circuit x: no slice is named gold"),
        ({"request": "later"}, "circuit x: request is 'later'; keep, measure, early are possible"),
        ({"slots": 1.5}, "circuit x: slots is 1.5; it should be a whole number"),
        ({"name": None}, "circuit None: name is None; it should be text"),
        ({"name": ""}, "circuit : a name consists of letters"),
        ({"path": (1, 2)}, "circuit x: path is (1, 2); it should be a tuple (a Link)"),
        ({"name": "c"}, "a circuit named c stands already"),
    ],
)
def test_a_request_that_makes_no_sense_changes_nothing(wrong, problem):
    net = chain(3, circuits=[("c", "n0", "n2", "slots = 1")])

    async def main():
        with Fabric(net) as fabric:
            controller = Controller(net, fabric.address, fabric.clock)
            await controller.connect()
            await controller.discover()
            await controller.install()
            before = await fabric.all_standing()
            circuit = replace(net.circuits["c"], **{"name": "x", **wrong})
            with pytest.raises(ControlError) as caught:
                await controller.add(circuit, start=True)
            assert problem in str(caught.value) and "\n" not in str(caught.value)
            assert await fabric.all_standing() == before
            assert list(controller.plans) == ["c"]
            await controller.close()

    asyncio.run(main())


def test_plans_that_do_not_fit_what_stands_change_nothing():
    net = chain(3, circuits=[("c", "n0", "n2", "slots = 1")])

    async def main():
        with Fabric(net) as fabric:
            controller = Controller(net, fabric.address, fabric.clock)
            await controller.connect()
            await controller.discover()
            await controller.install()
            before = await fabric.all_standing()
            plan = controller.plans["c"]
            request = replace(net.circuits["c"], name="x")
            moved = replace(plan.hops[0], circuit_id=7)
            stranger = replace(plan.hops[0], node="nobody")
            for planned, problem in (
                (plan, "the plan for circuit x is that of c"),
                (replace(plan, name="x", hops=(moved,)), "can't stand side by side: two entries"),
                (replace(plan, name="x", hops=(stranger,)), "the network has no node nobody"),
            ):
                with pytest.raises(ControlError, match=problem):
                    await controller.submit([(request, planned)])
                assert await fabric.all_standing() == before
            beside = replace(request, name="x")
            other = replace(
                plan,
                name="x",
                hops=tuple(
                    replace(
                        hop,
                        circuit_id=hop.circuit_id + 1,
                        sides=tuple(replace(side, label=side.label + 1) for side in hop.sides),
                    )
                    for hop in plan.hops
                ),
            )
            await controller.submit([(beside, other)])
            assert sorted(controller.plans) == ["c", "x"]
            assert await controller.verify() == []
            await controller.close()

    asyncio.run(main())


def test_a_switch_and_a_device_that_are_gone_are_one_clear_error_each():
    net = chain(3, circuits=[("c", "n0", "n2", "slots = 1"), ("d", "n0", "n1", "slots = 1")])

    async def main():
        with Fabric(net) as fabric:
            controller = Controller(net, fabric.address, fabric.clock)
            await controller.connect()
            await controller.discover()
            await controller.install(["d"])
            before = await fabric.all_standing()
            fabric.devices["n2"].silent = True
            with pytest.raises(DeviceError, match="n2: its quantum device did not answer"):
                await controller.add(net.circuits["c"], start=True)
            fabric.devices["n2"].silent = False
            await controller.check()
            assert await fabric.all_standing() == before
            assert all(not device.running for device in fabric.devices.values())
            fabric.server.remove_device(net.nodes["n2"].id)
            with pytest.raises(WriteError, match="n2: INSERT"):
                await controller.install(["c"])
            assert list(controller.plans) == ["d"]
            await controller.start(["d"])
            assert {s.state for s in await controller.status()} == {LinkStatusCode.GENERATING}
            await controller.close()

    asyncio.run(main())
