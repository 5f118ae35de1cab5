"""Teleport the six cardinal states over a circuit, and compare with what its pairs allow.

    python examples/teleport.py examples/repeater.toml

The mean fidelity of what arrives is (2 F + 1) / 3, with F that of the pairs; the receiver's qubit
also ages until the two bits are there. Virtual time, emulated switches, real P4Runtime.
"""

import asyncio
import math
import sys

from qplane.control import CARDINAL
from qplane.net import load
from qplane.simulate.session import Goal, simulation

COUNT = 100


async def main(path: str) -> None:
    network = load(path)
    circuit = next(iter(network.circuits.values()))
    async with simulation(network) as running:
        await running.set_up()
        controller = running.controller
        await controller.start([circuit.name])
        arrived = sent = 0
        for name, state in CARDINAL.items():
            done = await controller.teleport(circuit.head, circuit.tail, state, COUNT)
            right = sum(each.outcome == 0 for each in done)
            print(f"{name}: {right} of {len(done)} arrived in the state that was sent")
            arrived, sent = arrived + right, sent + len(done)
        await running.generate(Goal(COUNT))  # pairs that are kept, for comparison
        pairs = running.emulation.engine.deliveries()["fidelity"].mean()
    mean = arrived / sent
    error = math.sqrt(mean * (1 - mean) / sent)
    print(f"mean fidelity {mean:.3f} ± {error:.3f}; (2 F + 1) / 3 is {(2 * pairs + 1) / 3:.3f}")


if len(sys.argv) != 2:
    sys.exit("usage: teleport.py NETWORK.toml")
asyncio.run(main(sys.argv[1]))
