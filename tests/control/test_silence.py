"""A peer that vanishes without a word: no end of the connection comes, no answer, nothing."""

import asyncio

from qplane.clock import PS_PER_SECOND, RealClock
from qplane.control import Controller, EventKind

from .fabric import Fabric, OtherClient
from .networks import chain
from .proxy import SilentProxy


def test_the_controller_notices_a_switch_that_falls_silent_and_has_it_back_later():
    net = chain(3, circuits=[("c", "n0", "n2", "slots = 1")])

    async def main():
        with Fabric(net) as fabric:
            async with SilentProxy(fabric.address) as proxy:
                addresses = dict.fromkeys(net.nodes, fabric.address) | {"n1": proxy.address}
                controller = Controller(net, addresses, RealClock(), alive_timeout_s=0.5)
                told = asyncio.Queue()
                controller.events.subscribe(told.put_nowait)

                async def event(kind):
                    while (found := await told.get()).kind is not kind:
                        pass
                    return found

                await controller.connect()
                await controller.discover()
                await controller.install()
                keeping = asyncio.create_task(controller.keep(PS_PER_SECOND // 10))
                proxy.flowing.clear()
                lost = await event(EventKind.SWITCH_LOST)
                assert lost.node == "n1"
                assert "has not answered for 0.5 s" in lost.text
                assert controller.packets("n0") is not None
                proxy.flowing.set()
                assert (await event(EventKind.SWITCH_BACK)).node == "n1"
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)
                while controller.suspects:
                    await controller.check()
                assert await controller.verify() == []
                await controller.close()

    asyncio.run(main())


def test_a_switch_notices_a_primary_that_falls_silent_and_takes_another():
    net = chain(2)

    async def main():
        with Fabric(net, keepalive_s=0.2) as fabric:
            async with SilentProxy(fabric.address) as proxy:
                device_id = net.nodes["n0"].id
                client = OtherClient(proxy.address, device_id, role="", election_id=20)
                async with client:
                    proxy.flowing.clear()
                    await fabric.until_nobody_is_primary("n0")
                    async with fabric.other("n0", role="", election_id=20):
                        pass  # it is primary: that is asserted on entry
                    proxy.flowing.set()

    asyncio.run(main())
