"""A thousand nodes and five thousand circuits in one process: programmed, and simulated.

Goal: real P4Runtime to 1,000 device ids of one server, all circuits set up in under 30 s. Besides:
memory for each node, and what a delivered pair then costs.

    python benchmarks/large_network.py                       # 1000 nodes, 5000 circuits
    python benchmarks/large_network.py --nodes 100 --circuits 500
    python benchmarks/large_network.py --profile out.prof    # where the set-up spends its time
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import networkx as nx

from qplane.collector import collect_seldom
from qplane.net import Network, loads
from qplane.simulate.session import simulation

HEAD = """\
[network]
name = "large"

[memories.m]
slots = {slots}
t1 = "10 s"
t2 = "1 s"
swap_time = "10 us"
two_qubit_gate_error = "0.1 %"

[defaults.link]
attenuation = "0.2 dB/km"
detector_efficiency = "90 %"
visibility = "99 %"
"""


def text(nodes: int, circuits: int, seed: int = 1) -> str:
    """A network file: nodes at random places, each joined to its nearest ones, 10 to 40 km apart;
    circuits of up to 10 hops, one slot on each side of each link."""
    rng = random.Random(seed)
    places = {k: (rng.random(), rng.random()) for k in range(nodes)}
    graph = nx.random_geometric_graph(nodes, 1.6 / nodes**0.5, pos=places)
    joined, *apart = nx.connected_components(graph)
    for part in apart:
        a = next(iter(part))
        graph.add_edge(a, min(joined, key=lambda b: distance(places, a, b)))
        joined |= part
    used: dict[int, int] = dict.fromkeys(graph, 0)
    wanted = []
    while len(wanted) < circuits:
        a, b = rng.sample(range(nodes), 2)
        path = nx.bidirectional_shortest_path(graph, a, b)
        if len(path) > 11:
            continue
        wanted.append((a, b))
        for node in path:
            used[node] += 2
    lines = [HEAD.format(slots=4 * max(used.values())), "[nodes]"]
    lines += [f'n{k} = {{ memory = "m" }}' for k in range(nodes)]
    scale = 30e3 * nodes**0.5
    for a, b in graph.edges:
        metres = max(round(distance(places, a, b) * scale), 1000)
        lines.append(f'[[links]]\nbetween = ["n{a}", "n{b}"]\nlength = "{metres} m"')
    for index, (a, b) in enumerate(wanted):
        lines.append(
            f'[[circuits]]\nname = "c{index}"\nfrom = "n{a}"\nto = "n{b}"\nslots = 1\n'
            'cutoff = "500 ms"'
        )
    return "\n".join(lines)


def distance(places: dict[int, tuple[float, float]], a: int, b: int) -> float:
    (x1, y1), (x2, y2) = places[a], places[b]
    return float(((x1 - x2) ** 2 + (y1 - y2) ** 2) ** 0.5)


def resident_mib() -> float:
    """Resident memory of this process now."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


@contextmanager
def timed(what: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    print(
        f"{what:34} {time.perf_counter() - wall:7.2f} s  (CPU {time.process_time() - cpu:6.2f} s) "
        f"{resident_mib():8.0f} MiB",
        flush=True,
    )


async def run(plan: Network, seconds: float, profile: str | None) -> None:
    before = resident_mib()
    profiler = cProfile.Profile()
    with timed("network emulated, server up"):
        running = simulation(plan, sample_limit=1)
        simulated = await running.__aenter__()
    try:
        controller, engine = simulated.controller, simulated.emulation.engine
        if profile:
            profiler.enable()
        begin = time.perf_counter()
        with timed("connected, program pushed"):
            await controller.connect()
        with timed("devices asked"):
            await controller.discover()
        with timed("circuits planned and installed"):
            await controller.install()
        programmed = time.perf_counter() - begin
        if profile:
            profiler.disable()
            profiler.dump_stats(profile)
        entries = sum(len(controller.entries(node)) for node in plan.nodes)
        nodes, circuits = len(plan.nodes), len(plan.circuits)
        print(
            f"{nodes} nodes, {circuits} circuits, {entries} entries: {programmed:.1f} s (goal 30)"
        )
        print(f"memory for each node: {(resident_mib() - before) / nodes * 1024:.0f} KiB")
        with timed("generation started"):
            await controller.start()
        until = round(seconds * 1e12)
        begin = time.process_time()
        with timed(f"{seconds:g} s of virtual time"):
            while engine.now_ps < until:
                await simulated.clock.advance(until)
        cpu = time.process_time() - begin
        hops = sum(
            row["count"] * len(plan.circuits[name].path) for name, row in counted(simulated).items()
        )
        print(
            f"{engine.delivered} pairs, {engine.counters()['events']} events: "
            f"{cpu * 1e6 / max(engine.delivered, 1):.1f} us for each pair, "
            f"{cpu * 1e6 / max(hops, 1):.2f} us for each pair and hop"
        )
        with timed("stopped and drained"):
            await simulated.drain()
        with timed("read back, torn down, read back"):
            await simulated.tear_down()
    finally:
        await running.__aexit__(None, None, None)


def counted(simulated) -> dict:  # type: ignore[no-untyped-def, type-arg]
    """The engine's row of each circuit that delivered something, by the circuit's name."""
    names = {}
    indices = simulated.emulation.nodes
    for plan in simulated.controller.plans.values():
        hop = plan.hops[0]
        names[indices[hop.node], hop.sides[0].number, hop.sides[0].label] = plan.name
    rows = {}
    for row in simulated.emulation.engine.circuits():
        for end in ("head", "tail"):
            name = names.get((row[f"{end}_node"], row[f"{end}_link"], row[f"{end}_label"]))
            if name:
                rows[name] = row
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--circuits", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=1.0, help="of virtual time")
    parser.add_argument("--profile", metavar="FILE", help="profile the set-up into FILE")
    options = parser.parse_args()
    collect_seldom()
    with timed("file written and read"):
        plan = loads(text(options.nodes, options.circuits))
    asyncio.run(run(plan, options.seconds, options.profile))


if __name__ == "__main__":
    sys.exit(main())
