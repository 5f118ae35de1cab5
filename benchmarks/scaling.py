"""What a delivered pair costs in chains of growing length, and whether memory grows with pairs.

Goal: linear in hops. The table shows CPU time and events of a chain under way (set-up and start
apart), per delivered pair and per hop; a constant last column is a linear cost.

    python benchmarks/scaling.py                # chains of 3, 9, 33 and 129 nodes
    python benchmarks/scaling.py --memory 1000000   # one chain of 3 nodes, memory while it runs
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
from pathlib import Path

from qplane.net import loads
from qplane.net.chain import chain
from qplane.simulate.session import Goal, simulation

NODES = (3, 9, 33, 129)
HOP_DELIVERIES = 40_000  # pairs times hops, so that every chain takes about as long


async def measure(nodes: int) -> None:
    """Print one row of the table."""
    hops = nodes - 1
    pairs = HOP_DELIVERIES // hops
    begin = time.perf_counter()
    async with simulation(loads(chain(nodes)), sample_limit=1) as simulated:
        await simulated.set_up()
        set_up_s = time.perf_counter() - begin
        engine = simulated.emulation.engine
        # Starting asks every device once, whatever the number of pairs, and the first pairs fill
        # the chain: what is measured begins after that.
        await simulated.generate(Goal(pairs=pairs // 10))
        events = engine.counters()["events"]
        goal = engine.delivered + pairs
        begin = time.process_time()
        simulated.clock.deliveries = goal
        while engine.delivered < goal:
            await simulated.clock.advance(None)
        simulated.clock.deliveries = None
        cpu_us = (time.process_time() - begin) * 1e6 / pairs
        events = (engine.counters()["events"] - events) / pairs
        await simulated.drain()
        await simulated.tear_down()
    print(
        f"{nodes:6} {hops:5} {pairs:7} {set_up_s:9.2f} {cpu_us:14.1f} {events:14.1f} "
        f"{cpu_us / hops:13.2f}",
        flush=True,
    )


async def watch_memory(pairs: int) -> None:
    """Print the resident memory at each tenth of a long run."""
    async with simulation(loads(chain(3))) as simulated:
        await simulated.set_up()
        for tenth in range(1, 11):
            begin = time.perf_counter()
            await simulated.generate(Goal(pairs=pairs * tenth // 10))
            seconds = time.perf_counter() - begin
            print(
                f"{simulated.emulation.engine.delivered:9} pairs, {seconds:6.1f} s for this tenth, "
                f"{resident_kib() / 1024:7.1f} MiB",
                flush=True,
            )
        await simulated.drain()
        await simulated.tear_down()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"highest: {peak:.1f} MiB")


def resident_kib() -> int:
    """Resident memory of this process now."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory", type=int, metavar="PAIRS", help="watch memory in a long run")
    parser.add_argument("--nodes", type=int, nargs="*", default=NODES)
    options = parser.parse_args()
    if options.memory:
        asyncio.run(watch_memory(options.memory))
        return
    print(" nodes  hops   pairs  set-up s  CPU us / pair  events / pair  us / pair hop")
    for nodes in options.nodes:
        asyncio.run(measure(nodes))


if __name__ == "__main__":
    sys.exit(main())
