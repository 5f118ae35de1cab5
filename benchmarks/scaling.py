"""What a delivered pair costs in chains of growing length, and whether memory grows with pairs.

Goal: linear in hops. The table shows CPU time and events of a chain under way (set-up and start
apart), per delivered pair and per hop; a constant is a linear cost. Memory for a node is what the
process grew by when the chain was set up, and by when it had run.

    python benchmarks/scaling.py                # 3 to 129 nodes; writes scaling.json
    python benchmarks/scaling.py --plot docs/images/scaling.png     # the stored figures
    python benchmarks/scaling.py --memory 1000000   # one chain of 3 nodes, memory while it runs
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from pathlib import Path

from qplane.net import loads
from qplane.net.chain import chain
from qplane.simulate.session import Goal, simulation

NODES = (3, 5, 9, 17, 33, 65, 129)
FIGURES = Path(__file__).with_suffix(".json")
HOP_DELIVERIES = 40_000  # pairs times hops, so that every chain takes about as long


async def measure(nodes: int) -> dict[str, float]:
    """One row of the table, printed too."""
    hops = nodes - 1
    pairs = HOP_DELIVERIES // hops
    begin, before_kib = time.perf_counter(), resident_kib()
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
        node_kib = (resident_kib() - before_kib) / nodes
        await simulated.drain()
        await simulated.tear_down()
    print(
        f"{nodes:6} {hops:5} {pairs:7} {set_up_s:9.2f} {cpu_us:14.1f} {events:14.1f} "
        f"{cpu_us / hops:13.2f} {node_kib:10.0f}",
        flush=True,
    )
    return {
        "hops": hops,
        "pairs": pairs,
        "set_up_s": round(set_up_s, 3),
        "cpu_us_per_pair": round(cpu_us, 2),
        "events_per_pair": round(events, 1),
        "cpu_us_per_pair_and_hop": round(cpu_us / hops, 3),
        "kib_per_node": round(node_kib),
    }


def plot(path: Path) -> None:
    """The stored figures: cost of a pair over the hops, and a line through the longest chain."""
    from matplotlib.figure import Figure

    rows = json.loads(FIGURES.read_text())
    hops = [row["hops"] for row in rows]
    costs = [row["cpu_us_per_pair"] for row in rows]
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.loglog(hops, costs, "o", label="measured")
    line = [costs[-1] / hops[-1] * count for count in hops]
    axes.loglog(hops, line, "-", lw=1, color="gray", label=f"{line[0] / hops[0]:.1f} µs a hop")
    axes.set(xlabel="hops", ylabel="CPU for a delivered pair, µs")
    axes.set_xticks(hops, [str(count) for count in hops])
    axes.minorticks_off()
    axes.legend()
    figure.savefig(path, dpi=120)


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
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw the stored figures")
    options = parser.parse_args()
    if options.plot:
        plot(options.plot)
        return
    if options.memory:
        asyncio.run(watch_memory(options.memory))
        return
    print(" nodes  hops   pairs  set-up s  CPU us / pair  events / pair  us / pair hop   KiB/node")
    rows = [asyncio.run(measure(nodes)) for nodes in options.nodes]
    if tuple(options.nodes) == NODES:
        FIGURES.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
