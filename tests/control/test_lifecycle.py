"""Circuits that come and go while others generate pairs, in virtual time with emulated devices."""

import asyncio

import pytest

from qplane.control import ControlError, WriteError
from qplane.control.entries import table_entry
from qplane.control.operations import operations
from qplane.net import QUANTUM_PORT
from qplane.simulate.session import Goal, simulation
from qplane.wire import WHOLE_DEVICE, DeviceFrame, DeviceType, Transaction

from .fabric import OtherClient
from .networks import chain

CIRCUITS = [
    ("stays", "n1", "n3", 'slots = 2\ncutoff = "20 ms"'),
    ("comes", "n0", "n3", 'slots = 1\ncutoff = "20 ms"'),
    ("goes", "n3", "n0", 'slots = 1\ncutoff = "20 ms"'),
]
FAULTS = '\n[faults]\nloss = "5 %"\nduplication = "5 %"\nreordering = "5 %"\n'


@pytest.mark.parametrize("faults", ["", FAULTS])
def test_circuits_take_each_others_labels_and_numbers_without_mixing_their_pairs(faults):
    net = chain(4, circuits=CIRCUITS, faults=faults)

    async def scenario():
        async with simulation(net) as running:
            controller, engine = running.controller, running.emulation.engine
            await controller.connect()
            await controller.discover()
            await controller.install(["stays", "comes"])
            there, absent = "comes", "goes"
            taken = set()
            for _ in range(6):
                await running.generate(Goal(pairs=engine.delivered + 100))
                await controller.teardown([there])
                assert list(controller.plans) == ["stays"]
                assert await controller.verify() == []
                await controller.install([absent])
                assert await controller.verify() == []
                there, absent = absent, there
                taken.add(
                    frozenset(
                        (hop.node, hop.circuit_id, side.link.index, side.label)
                        for hop in controller.plans[there].hops
                        for side in hop.sides
                    )
                )
            assert len(taken) == 1
            await running.generate(Goal(pairs=engine.delivered + 100))
            await running.drain()
            await running.tear_down()
            assert engine.waiting() == []
            counted = engine.circuits()
            assert sum(c["wrong_frames"] for c in counted) == 0
            assert sum(c["mismatches"] for c in counted) == 0
            delivered = {(c["head_node"], c["tail_node"]): c["count"] for c in counted}
            assert set(delivered) == {(1, 3), (0, 3), (3, 0)}
            assert sum(delivered.values()) >= 700

    asyncio.run(scenario())


def test_an_error_in_the_middle_of_a_run_leaves_what_runs_alone():
    net = chain(4, circuits=CIRCUITS)
    conflict = table_entry(
        "pair_in", {"link": 0, "label": 18}, "set_circuit", circuit_id=9, side=1, slice=0
    )

    async def scenario():
        async with simulation(net) as running:
            controller, engine = running.controller, running.emulation.engine
            await controller.connect()
            await controller.discover()
            await controller.install(["stays", "comes"])
            await running.generate(Goal(pairs=100))
            entries = {name: controller.entries(name) for name in net.nodes}
            async with OtherClient(running.emulation.address, net.nodes["n3"].id) as other:
                await other.insert(conflict)
            with pytest.raises(WriteError, match=r"n3: INSERT pair_in .*ALREADY_EXISTS"):
                await controller.install(["goes"])
            assert {name: controller.entries(name) for name in net.nodes} == entries
            assert [d.found for d in await controller.verify()] == [conflict]
            await running.generate(Goal(pairs=engine.delivered + 100))
            await running.drain()
            await controller.teardown()
            assert [d.found for d in await controller.verify()] == [conflict]

    asyncio.run(scenario())


def test_a_client_that_takes_a_switch_over_does_not_hold_time_up():
    net = chain(3, circuits=[("c", "n0", "n2", "slots = 2")])
    question = DeviceFrame(DeviceType.FEATURES_REQUEST, WHOLE_DEVICE, Transaction(7)).to_bytes()

    async def scenario():
        async with simulation(net) as running:
            await running.set_up()
            await running.generate(Goal(pairs=50))
            address, device_id = running.emulation.address, net.nodes["n1"].id
            async with OtherClient(address, device_id, role="", election_id=11) as other:
                while running.controller.packets("n1") is not None:
                    await asyncio.sleep(0)
                await other.packet_out(QUANTUM_PORT, question)
                while running.emulation.devices["n1"].packet_outs_received == 0:
                    await asyncio.sleep(0)
                await running.generate(Goal(pairs=200))
                assert running.emulation.devices["n1"].packet_ins_sent == 1 + 1 + 1 + 1
                assert running.emulation.engine.delivered >= 200

    asyncio.run(scenario())


def test_a_circuit_whose_counters_cannot_be_read_is_taken_away_again(monkeypatch):
    net = chain(3)

    async def scenario():
        async with simulation(net) as running:
            await running.set_up()
            controller = running.controller
            before = {name: controller.entries(name) for name in net.nodes}

            async def fail(node, name, indices=()):
                raise ControlError("the switch is gone", node=node)

            monkeypatch.setattr(controller, "counters", fail)
            add = operations(controller, running.clock)["circuit.add"]
            with pytest.raises(ControlError, match="the switch is gone"):
                await add(head="n0", tail="n2")
            assert controller.plans == {}
            assert await controller.verify() == []
            assert {name: controller.entries(name) for name in net.nodes} == before

    asyncio.run(scenario())
