"""Networks with more requests than they can serve: what is admitted is watched for its promise."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import networkx as nx

from e2e import rig
from qplane.control import NoPathError, RefusedError
from qplane.net import loads
from qplane.simulate.session import Goal, simulation

MEMORY = {
    "slots": 40,
    "t1": '"10 s"',
    "t2": '"1 s"',
    "swap_time": '"20 us"',
    "two_qubit_gate_error": 0.003,
    "readout_error": 0.002,
}
LINK = {
    "emission_time": '"250 us"',
    "detector_efficiency": 0.8,
    "visibility": 0.985,
    "dark_counts": '"50 Hz"',
    "detection_window": '"10 ns"',
}
POOR_VISIBILITY = 0.85
RATE_TOLERANCE = 0.03
FIDELITY_TOLERANCE = 0.003
"""What a promise may miss besides 4 standard errors: the model's 3 standard errors of its own, and
what it leaves out (the pull of T1 towards |0>)."""


def grid(width: int, height: int) -> list[tuple[str, str, float]]:
    """Links of 15 km."""
    graph = nx.grid_2d_graph(width, height)
    return [(f"g{a[0]}x{a[1]}", f"g{b[0]}x{b[1]}", 15.0) for a, b in graph.edges]


def waxman(nodes: int, seed: int) -> list[tuple[str, str, float]]:
    """Waxman's random graph on a square of 60 km, made connected."""
    graph = nx.waxman_graph(nodes, beta=0.6, alpha=0.12, L=1.0, seed=seed)
    places = nx.get_node_attributes(graph, "pos")
    parts = sorted(nx.connected_components(graph), key=len, reverse=True)
    for part in parts[1:]:
        pairs = [(a, b) for a in part for b in parts[0]]
        graph.add_edge(*min(pairs, key=lambda pair: math.dist(places[pair[0]], places[pair[1]])))
    return [
        (f"w{a}", f"w{b}", max(60 * math.dist(places[a], places[b]), 2.0)) for a, b in graph.edges
    ]


def surfnet() -> list[tuple[str, str, float]]:
    """The Dutch research network of 2010 with its own distances; surfnet.tsv says whence."""
    lines = (Path(__file__).with_name("surfnet.tsv")).read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return [(name(a), name(b), float(km)) for a, b, km in rows]


def name(place: str) -> str:
    """Of a node in a network file."""
    return place.lower().replace(" ", "-")


@dataclass
class Outcome:
    """How many asked and were admitted, by how much each beat its promise; standard errors."""

    asked: int
    admitted: int
    fidelity_margins: list[float]
    rate_ratios: list[float]
    rounds: list[int]
    rounds_on_links: list[int] = field(default_factory=list)
    rate_errors: list[float] = field(default_factory=list)
    fidelity_errors: list[float] = field(default_factory=list)
    pairs: int = 0


async def run(
    links, requests: int, seconds: float, seed: int = 1, poor: int = 0, **memory
) -> Outcome:
    """Admit what can be, deliver for `seconds` of virtual time, check promises and resources. Each
    `poor`-th link (0: none) makes pairs of little visibility."""
    names = sorted({name for a, b, _ in links for name in (a, b)})
    text = rig.network([(a, b) for a, b, _ in links], [], link=LINK | {"length": '"1 km"'},
                       memory=MEMORY | memory, seed=seed)  # fmt: skip
    for place, (a, b, km) in enumerate(links):
        ends = f'between = ["{a}", "{b}"]'
        keys = f'{ends}\nlength = "{km:.3f} km"'
        if poor and place % poor == 0:
            keys += f"\nvisibility = {POOR_VISIBILITY}"
        text = text.replace(ends, keys, 1)
    rng = random.Random(seed)
    async with simulation(loads(text)) as simulated:
        controller, engine = simulated.controller, simulated.emulation.engine
        await simulated.set_up()
        for index in range(requests):
            head, tail = rng.sample(names, 2)
            wanted = {
                "from": head,
                "to": tail,
                "name": f"c{index}",
                "fidelity": round(rng.uniform(0.7, 0.97), 3),
                "rate": f"{rng.choice([1, 2, 5, 10, 20, 50])} Hz",
            }
            try:
                await controller.add(request(simulated.plan, wanted))
            except (RefusedError, NoPathError) as error:
                assert "\n" not in str(error)
        plans = controller.plans
        check_resources(simulated.plan, plans.values())
        await simulated.generate(Goal(until_ps=round(seconds * 1e12)))
        elapsed_s = engine.now_ps * 1e-12
        await simulated.drain()
        outcome = Outcome(requests, len(plans), [], [], [])
        measured = {(r["head_node"], r["head_link"], r["head_label"]): r for r in engine.circuits()}
        for plan in plans.values():
            check_promise(plan, simulated.emulation.nodes, measured, elapsed_s, outcome)
        counters = engine.counters()
        assert counters["slots_in_use"] == counters["entangled_link_pairs"] == 0
        assert counters["one_sided"] == 0
        for core in simulated.emulation.cores.values():
            check_registers(core)
        await simulated.tear_down()  # reads all switches back: nothing is left
        for node in plans and simulated.plan.nodes:
            assert controller.entries(node) == []
        return outcome


def request(network, wanted):
    from qplane.net.request import circuit_request

    return replace(circuit_request(network, wanted))


def check_resources(network, plans) -> None:
    """No slot twice, none that is not there; no link with more circuits than any was promised."""
    slots: Counter[tuple[str, int]] = Counter()
    circuits: Counter[int] = Counter()
    labels: Counter[tuple[int, int]] = Counter()
    for plan in plans:
        circuits.update(link.index for link in plan.path)
        for hop in (hop for part in plan.parts for hop in part.hops):
            for side in hop.sides:
                labels[side.link.index, side.label] += 1
                if side.is_fed:
                    continue  # its slots are its feeder's
                used = range(side.slots.first, side.slots.first + side.slots.count)
                slots.update((hop.node, slot) for slot in used)
                assert used.stop <= network.nodes[hop.node].memory.slots
    assert all(count == 1 for count in slots.values())
    assert all(count == 2 for count in labels.values())  # one circuit, two ends
    for plan in plans:
        for link, turns in zip(plan.path, plan.promise.turns, strict=True):
            assert circuits[link.index] <= turns


def check_registers(core) -> None:
    """The program holds no pair: none waits or is being swapped, and no side counts any."""
    waiting = {1, 2, 3}  # EARLY, WAITING, SWAPPING (p4src/include/records.p4)
    for word in set(core.register_read_all("pair_identity")):
        assert word[-1] >> 2 & 15 not in waiting, word.hex()
    for word in set(core.register_read_all("side_state")):
        assert word[:2] == b"\0\0", word.hex()  # pairs in memory
    assert set(core.register_read_all("sample_range")) == {bytes(8)}


def check_promise(plan, nodes, measured, elapsed_s, outcome) -> None:
    head = plan.hops[0]
    row = measured[nodes[head.node], head.sides[0].number, head.sides[0].label]
    count, promise = row["count"], plan.promise
    assert row["wrong_frames"] == row["mismatches"] == 0
    interval = row["interval_ps"]
    rate = count / elapsed_s
    rate_error = rate * (interval["std"] / interval["mean"]) / math.sqrt(count)
    assert rate + 4 * rate_error >= promise.rate_per_s * (1 - RATE_TOLERANCE), plan.name
    fidelity = row["fidelity"]
    error = fidelity["std"] / math.sqrt(count)
    assert fidelity["mean"] + 4 * error >= promise.fidelity - FIDELITY_TOLERANCE, plan.name
    outcome.rounds.append(plan.rounds)
    outcome.rounds_on_links.append(max(plan.link_rounds))
    outcome.pairs += count
    outcome.fidelity_margins.append(fidelity["mean"] - promise.fidelity)
    outcome.rate_ratios.append(rate / promise.rate_per_s)
    outcome.rate_errors.append(rate_error / rate)
    outcome.fidelity_errors.append(error)
