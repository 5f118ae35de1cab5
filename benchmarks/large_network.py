"""A thousand nodes and five thousand circuits in one process: programmed, and simulated.

Goal: real P4Runtime to 1,000 device ids of one server, all circuits set up in under 30 s. Besides:
memory for each node, and what a delivered pair then costs.

    python benchmarks/large_network.py                       # 1000 nodes, 5000 circuits
    python benchmarks/large_network.py --nodes 100 --circuits 500
    python benchmarks/large_network.py --profile out.prof    # where the set-up spends its time
    python benchmarks/large_network.py --seconds 2 --json benchmarks/large_network.json
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import networkx as nx

from qplane.clock import PS_PER_SECOND
from qplane.collector import collect_seldom
from qplane.control.planning.model import estimate, models
from qplane.net import Network, loads
from qplane.simulate.session import Simulation, simulation
from qplane_cext.switch.core import SwitchCore

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


class Steps:
    """What each step took; printed at once."""

    def __init__(self) -> None:
        self.figures: dict[str, object] = {}
        self.wall_s: dict[str, float] = {}

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        self.wall_s[what] = wall
        figure = {"wall_s": round(wall, 2), "cpu_s": round(cpu, 2), "mib": round(resident_mib())}
        self.note(what, figure)

    def note(self, what: str, figure: object) -> None:
        self.figures[what] = figure
        print(f"{what:34} {json.dumps(figure)}", flush=True)


async def run(steps: Steps, plan: Network, options: argparse.Namespace) -> None:
    before = resident_mib()
    profiler = cProfile.Profile()
    with steps.timed("network emulated, server up"):
        running = simulation(plan, sample_limit=1, direct=options.direct)
        simulated = await running.__aenter__()
    try:
        controller, engine = simulated.controller, simulated.emulation.engine
        if options.profile:
            profiler.enable()
        with steps.timed("connected, program pushed"):
            await controller.connect()
        with steps.timed("all that switches hold read, ahead"):
            untouched = await controller.snapshot()
        with steps.timed("devices asked"):
            await controller.discover()
        with steps.timed("circuits planned and installed"):
            await controller.install()
        programmed_s = sum(
            steps.wall_s[what]
            for what in (
                "connected, program pushed", "devices asked", "circuits planned and installed"
            )
        )  # fmt: skip
        steps.note("programmed in seconds (goal 30)", round(programmed_s, 1))
        if options.profile:
            profiler.disable()
            profiler.dump_stats(options.profile)
        steps.note("entries", sum(len(controller.entries(node)) for node in plan.nodes))
        steps.note("KiB for each node", round((resident_mib() - before) / len(plan.nodes) * 1024))
        with steps.timed("generation started"):
            await controller.start()
        with steps.timed(f"{options.warm_up:g} s of virtual time ahead"):
            await pass_time(simulated, options.warm_up)
        ahead, delivered, begin = counted(simulated), engine.delivered, time.process_time()
        with steps.timed(f"{options.seconds:g} s of virtual time"):
            await pass_time(simulated, options.seconds)
        cpu, delivered = time.process_time() - begin, engine.delivered - delivered
        counts = {name: count - ahead[name] for name, count in counted(simulated).items()}
        hops = sum(count * len(controller.plans[name].path) for name, count in counts.items())
        steps.note("pairs delivered", delivered)
        steps.note("events", engine.counters()["events"])
        steps.note("us of CPU for each pair", round(cpu * 1e6 / max(delivered, 1), 1))
        steps.note("us of CPU for each pair and hop", round(cpu * 1e6 / max(hops, 1), 2))
        with steps.timed("stopped and drained"):
            await simulated.drain()
        counters = engine.counters()
        left = {name: counters[name] for name in ("slots_in_use", "one_sided")}
        for name in ("wrong_frames", "mismatches"):
            left[name] = sum(row[name] for row in engine.circuits())
        if any(left.values()):
            raise AssertionError(f"all of these should be 0: {left}")
        steps.note("left after the drain", left)
        if options.compare and options.seconds:
            with steps.timed(f"{options.compare} circuits reckoned"):
                compared = compare(simulated, counts, options.seconds, options.compare)
            steps.note("delivered over reckoned", compared)
        with steps.timed("read back"):
            await simulated.check_entries()
        with steps.timed("torn down"):
            await controller.teardown()
        with steps.timed("all that switches hold read"):
            held = await controller.snapshot()
        other = [node for node, snapshot in held.items() if snapshot != untouched[node]]
        in_use = [node for node, core in simulated.emulation.cores.items() if pairs_in(core)]
        steps.note("switches that are not as before", len(other) + len(in_use))
        if other or in_use:
            raise AssertionError(f"tables changed: {other[:5]}; pairs in memory: {in_use[:5]}")
    finally:
        await running.__aexit__(None, None, None)


def pairs_in(core: SwitchCore) -> bool:
    """Whether a record of the switch's says that a pair is in memory (states of records.p4)."""
    identity, sides = (core.register_read_all(name) for name in ("pair_identity", "side_state"))
    in_memory = any(word[-1] >> 2 & 15 in (1, 2, 3) for word in identity)
    return in_memory or any(word[:2] != bytes(2) for word in sides)


async def pass_time(simulated: Simulation, seconds: float) -> None:
    engine = simulated.emulation.engine
    until_ps = engine.now_ps + round(seconds * PS_PER_SECOND)
    while engine.now_ps < until_ps:
        await simulated.clock.advance(until_ps)


def counted(simulated: Simulation) -> dict[str, int]:
    """Pairs that each circuit has delivered."""
    rows = {}
    for row in simulated.emulation.engine.circuits():
        for end in ("head", "tail"):
            rows[row[f"{end}_node"], row[f"{end}_link"], row[f"{end}_label"]] = row["count"]
    found = {}
    for plan in simulated.controller.plans.values():
        hop = plan.hops[0]
        place = simulated.emulation.nodes[hop.node], hop.sides[0].number, hop.sides[0].label
        found[plan.name] = rows.get(place, 0)
    return found


def compare(
    simulated: Simulation, counts: dict[str, int], seconds: float, most: int
) -> dict[str, object]:
    """What circuits delivered over what planning would promise them: the rate of a chain in which
    each link serves all its circuits in turn. A link passes over a circuit whose slot is full, so
    more than that comes. Of a random sample of circuits; groups by number of hops."""
    topology, plans = simulated.controller.topology, simulated.controller.plans
    on_link = Counter(link.index for plan in plans.values() for link in plan.path)
    chosen = random.Random(1).sample(sorted(plans), min(most, len(plans)))
    wanted: Counter[int] = Counter()
    came: Counter[int] = Counter()
    short = 0
    for name in chosen:
        plan = plans[name]
        links, nodes = models(topology, plan.hops[0].node, plan.path)
        shared = [
            replace(model, turns=on_link[link.index])
            for model, link in zip(links, plan.path, strict=True)
        ]
        found = estimate(shared, nodes, 1, plan.timing.cutoff_ps, deliveries=300)
        if found is None:
            continue
        expected = found.rate_per_s * seconds
        hops = len(plan.path)
        wanted[hops] += expected
        came[hops] += counts[name]
        # As many as a Poisson process would give: deliveries of a chain come more regularly.
        short += counts[name] < expected * 0.97 - 4 * expected**0.5
    return {
        "circuits": len(chosen),
        "all": round(came.total() / wanted.total(), 3),
        "by_hops": {hops: round(came[hops] / wanted[hops], 3) for hops in sorted(wanted)},
        "below_by_4_errors": short,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--circuits", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=1.0, help="of virtual time")
    parser.add_argument("--warm-up", type=float, default=0.25, help="seconds ahead of these")
    parser.add_argument("--compare", type=int, default=500, help="circuits held against planning")
    parser.add_argument("--direct", action="store_true", help="packet-ins in process")
    parser.add_argument("--profile", metavar="FILE", help="profile the set-up into FILE")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    options = parser.parse_args()
    collect_seldom()
    steps = Steps()
    steps.note("nodes, circuits", [options.nodes, options.circuits])
    with steps.timed("file written and read"):
        plan = loads(text(options.nodes, options.circuits))
    asyncio.run(run(steps, plan, options))
    if options.json:
        Path(options.json).write_text(json.dumps(steps.figures, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
