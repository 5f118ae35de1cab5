"""What a circuit over two links can be promised: the highest rate for each fidelity.

Three ways to the same devices: the bright state of the network file and nothing else; the bright
state chosen by the planner; and distillation besides. Planned, not simulated: that promises are
kept is promises.py's and the tests' business.

    python benchmarks/frontier.py --plot docs/frontier.png      # writes frontier.json too
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from e2e.test_bright_states import network  # noqa: E402 -- the links of the tests

from qplane.control import NoPathError, RefusedError  # noqa: E402
from qplane.control.planning import Load, choose  # noqa: E402
from qplane.control.topology import Topology  # noqa: E402
from qplane.net import Circuit  # noqa: E402
from qplane.simulate.session import simulation  # noqa: E402

FIGURES = Path(__file__).with_suffix(".json")
FIDELITIES = [round(0.6 + 0.02 * step, 2) for step in range(20)]
RATES = [round(2 ** (step / 4), 3) for step in range(44)]  # a quarter of an octave apart


async def discovered() -> Topology:
    """The network as its devices describe it."""
    async with simulation(network([])) as simulated:
        await simulated.set_up()
        return simulated.controller.topology


def highest_rate(topology: Topology, circuit: Circuit) -> float | None:
    """The highest of RATES that would be admitted, by bisection."""
    least, most = -1, len(RATES)
    while most - least > 1:
        middle = (least + most) // 2
        try:
            choose(topology, replace(circuit, rate_per_s=RATES[middle]), Load.of(topology))
        except (RefusedError, NoPathError):
            most = middle
        else:
            least = middle
    return RATES[least] if least >= 0 else None


def frontier(topology: Topology) -> dict[str, list[tuple[float, float]]]:
    """(fidelity, highest rate) by way."""
    own = replace(
        topology,
        devices={name: replace(d, settings={}) for name, d in topology.devices.items()},
    )
    found = {}
    for way, known, distil in (
        ("bright state of the file", own, 0),
        ("bright state chosen", topology, 0),
        ("and distillation", topology, None),
    ):
        points = []
        for fidelity in FIDELITIES:
            circuit = Circuit("c", "a", "c", 0, 0, (), fidelity=fidelity, distil=distil)
            rate = highest_rate(known, circuit)
            if rate is not None:
                points.append((fidelity, rate))
        found[way] = points
        print(way, points, flush=True)
    return found


def plot(found: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Rate over fidelity."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.4), layout="constrained")
    axes = figure.subplots()
    for style, (way, points) in zip(("s:", "o-", "^--"), found.items(), strict=True):
        axes.semilogy(*zip(*points, strict=True), style, ms=4, label=way)
    axes.set(xlabel="mean fidelity asked for", ylabel="highest rate promised, pairs/s")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw it, too")
    options = parser.parse_args()
    found = frontier(asyncio.run(discovered()))
    FIGURES.write_text(json.dumps(found, indent=2) + "\n")
    if options.plot:
        plot(found, options.plot)


if __name__ == "__main__":
    main()
