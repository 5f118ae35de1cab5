"""Order entanglement from a link in virtual time: kept pairs, measured pairs, an estimate.

python examples/link.py
"""

import asyncio
from pathlib import Path

from qplane.link.layer import LinkLayer
from qplane.link.request import LinkRequestError
from qplane.net import load
from qplane.simulate.session import simulation
from qplane.wire.service import Basis, RandomBasis

NETWORK = Path(__file__).with_name("link.toml")
MEASURED = 7
"""A purpose that bob listens to."""


async def main() -> None:
    async with simulation(load(NETWORK)) as running:
        await running.controller.connect()
        await running.controller.discover()
        await running.controller.install()
        layer = LinkLayer(running.controller, running.clock)
        await layer.start()
        alice, bob = layer.end("alice", "bob"), layer.end("bob", "alice")

        print("kept, at two fidelities:")
        for fidelity in (0.8, 0.95):
            start_ps = running.clock.now_ps()
            request = await alice.create(5, min_fidelity=fidelity)
            async for ok in request:
                outcome = await alice.measure(ok, Basis.Z)
                print(f"  pair {ok.seq}: estimated {ok.fidelity:.4f}, measured {outcome}")
            print(f"  {(running.clock.now_ps() - start_ps) * 1e-9:.2f} ms")

        print("measured, both ends' outcomes:")
        listener = bob.listen(MEASURED)
        request = await alice.create(
            8, min_fidelity=0.9, keep=False, basis=RandomBasis.XZ, purpose_id=MEASURED
        )
        await request.done()
        listener.close()
        there = {ok.seq: ok.message async for ok in listener}
        async for ok in request:
            near, far = ok.message, there[ok.seq]
            print(f"  pair {ok.seq}: {near.basis.name}{near.outcome} {far.basis.name}{far.outcome}")

        print("asked for too much:")
        try:
            async for ok in await alice.create(1, min_fidelity=1.0):
                print(ok)
        except LinkRequestError as error:
            print(f"  {error}")
        await layer.close()


asyncio.run(main())
