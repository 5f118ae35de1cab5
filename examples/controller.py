"""A controller by hand: set up a network's circuits, look at them, take them down again.

    python examples/controller.py examples/repeater.toml

The switches are emulated here, in virtual time. On a network that is there already, make
``Controller(network, "address:port", RealClock())`` and leave out what begins with ``running``.
"""

import asyncio
import sys

from qplane.net import load
from qplane.simulate.session import Goal, simulation


async def main(path: str) -> None:
    network = load(path)
    async with simulation(network) as running:
        controller = running.controller
        await controller.connect()  # primary of every switch; the P4 program is pushed
        topology = await controller.discover()
        for name, device in topology.devices.items():
            print(f"{name}: {device.features.slots} slots, {len(device.links)} quantum links")
        await controller.install()  # all switches, or an error and none of them
        for plan in controller.plans.values():
            print(f"circuit {plan.name}: {' - '.join(hop.node for hop in plan.hops)}")
            for entry in controller.entries(plan.hops[0].node):
                print(f"  {entry.table} {entry}")
        await running.generate(Goal(pairs=100))
        for status in await controller.status():
            print(f"{status.node} link {status.link}: {status.state.name}, {status.in_use} in use")
        await controller.teardown()  # stops, waits until the memories are empty, deletes
        print(f"differences: {await controller.verify()}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: controller.py NETWORK.toml")
    asyncio.run(main(sys.argv[1]))
