"""Whether admitted circuits get what they were promised: 200 requests to each of three networks.

A grid, a Waxman graph and SURFnet of the Internet Topology Zoo, 50 nodes each. Each request asks
for a fidelity and a rate at random; what is admitted (with distillation where that is what it
takes) is set up through P4Runtime and watched in virtual time. The run fails where a circuit
delivers less than 97 % of its rate or its fidelity less 0.003 (both but for 4 standard errors),
where a slot, a label or a turn is given twice, or where a table entry, a slot or a pair in a
register is left after tear-down.

    python benchmarks/promises.py               # each network goes to promises.json at once
    python benchmarks/promises.py grid
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from e2e import admission  # noqa: E402 -- the check is the test's

NETWORKS = {
    "grid": lambda: admission.grid(10, 5),
    "waxman": lambda: admission.waxman(50, 3),
    "surfnet": admission.surfnet,
    "patchwork": lambda: admission.grid(10, 5),
}
POOR = {"patchwork": 4}
"""In these each so manyth link makes poor pairs, and memories forget sooner."""

FIGURES = Path(__file__).with_suffix(".json")


def measure(name: str, requests: int, seconds: float) -> dict[str, object]:
    """Run one network; raises AssertionError where a promise is broken."""
    links = NETWORKS[name]()
    begin = time.perf_counter()
    more = {"poor": POOR[name], "t2": '"100 ms"'} if name in POOR else {}
    outcome = asyncio.run(admission.run(links, requests, seconds, **more))
    ratios, margins = np.array(outcome.rate_ratios), np.array(outcome.fidelity_margins)
    rate_errors, errors = np.array(outcome.rate_errors), np.array(outcome.fidelity_errors)
    known = errors > 1e-9  # all pairs of a circuit may be alike
    return {
        "nodes": len({node for a, b, _ in links for node in (a, b)}),
        "links": len(links),
        "asked": outcome.asked,
        "admitted": outcome.admitted,
        "by_rounds_of_distillation": dict(sorted(Counter(outcome.rounds).items())),
        "by_rounds_on_links": dict(sorted(Counter(outcome.rounds_on_links).items())),
        "pairs": outcome.pairs,
        "least_rate_over_promised": round(float(ratios.min()), 3),
        "median_rate_over_promised": round(float(np.median(ratios)), 3),
        "least_fidelity_minus_promised": round(float(margins.min()), 5),
        "median_fidelity_minus_promised": round(float(np.median(margins)), 5),
        # In standard errors of its own measurement, so that a circuit of few pairs counts for less.
        "least_rate_excess_in_errors": round(float(((1 - 1 / ratios) / rate_errors).min()), 2),
        "least_fidelity_excess_in_errors": round(float((margins[known] / errors[known]).min()), 2),
        "worst_relative_error_of_a_rate": round(float(rate_errors.max()), 3),
        "worst_error_of_a_fidelity": round(float(errors.max()), 5),
        "virtual_seconds": seconds,
        "wall_seconds": round(time.perf_counter() - begin, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", choices=[*NETWORKS, []], help="all if left out")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0, help="of virtual time")
    options = parser.parse_args()
    figures = {}
    for name in options.networks or NETWORKS:
        figures[name] = measure(name, options.requests, options.seconds)
        print(name, json.dumps(figures[name]), flush=True)
        stored = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
        FIGURES.write_text(json.dumps(stored | figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
