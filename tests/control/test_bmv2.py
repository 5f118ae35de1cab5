"""The same controller on the reference switch: BMv2's simple_switch_grpc."""

import asyncio

import pytest

from qplane.control import Controller, WriteError
from qplane.control.entries import table_entry
from qplane.control.tables import node_mac
from qplane.control.updates import Update
from qplane.wire import LinkStatusCode

from .bmv2 import Bmv2Fabric
from .networks import chain

pytestmark = pytest.mark.bmv2

HOSTS = [("h1", "n0", "10.0.1.1"), ("h2", "n2", "10.0.2.1")]
CIRCUITS = [("c", "n0", "n2", "slots = 2"), ("d", "n2", "n1", "slots = 1")]


def run(net, folder, scenario):
    async def main():
        with Bmv2Fabric(net, folder) as fabric:
            controller = Controller(net, fabric.addresses, fabric.clock)
            await controller.connect()
            try:
                return await scenario(controller, fabric)
            finally:
                await controller.close()

    return asyncio.run(main())


def test_discover_install_start_and_tear_down(tmp_path):
    async def scenario(controller, fabric):
        topology = await controller.discover()
        assert list(topology.devices) == ["n0", "n1", "n2"]
        await controller.install()
        assert await controller.verify() == []
        await controller.start()
        assert {s.state for s in await controller.status()} == {LinkStatusCode.GENERATING}
        assert sorted(fabric.devices["n1"].running) == [(0, 16), (1, 16), (1, 17)]
        await controller.teardown(["c"])
        assert await controller.verify() == []
        await controller.teardown()
        assert all(not controller.entries(name) for name in controller.network.nodes)
        assert await controller.verify() == []

    run(chain(3, circuits=CIRCUITS, hosts=HOSTS), tmp_path, scenario)


def test_a_full_table_undoes_the_change_on_all_switches(tmp_path):
    net = chain(3, circuits=CIRCUITS, hosts=HOSTS)

    async def scenario(controller, fabric):
        await controller.discover()
        filling = [
            table_entry("my_mac", {"dst": 0x0A0000000000 + i}, "NoAction") for i in range(64)
        ]
        outcome = await controller._switches.sessions["n2"].write(
            [Update.insert(e) for e in filling]
        )
        assert outcome.failures == ()
        with pytest.raises(WriteError) as caught:
            await controller.install()
        mac = node_mac(net.nodes["n2"].id)
        assert f"n2: INSERT my_mac [dst={mac:012x}]" in str(caught.value)
        assert {str(d.found) for d in await controller.verify()} == {str(e) for e in filling}

    run(net, tmp_path, scenario)
