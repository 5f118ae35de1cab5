"""What the engine makes of links of 0 to 200 km, beside the closed forms, for every scheme.

    python benchmarks/links/closed_forms.py [--pairs 600] [SCHEME ...]

A link with losses, dark counts, imperfect interference and imperfect emitters makes pairs that are
measured and pairs that are kept. Compared are: how many attempts succeed, how many errors there are
in X, Y, Z, and the fidelity of each kept pair, which is to be that of the closed form exactly (the
memories are perfect here). The closed forms are held against photons and modes in tests/sim.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

from estimates import AXES, chi_square, heralded, kept_fidelity  # beside this script
from world import merge, plan, run, world, write

from qplane.link.feu import TEST_BASES
from qplane.wire.service import RequestType

LENGTHS_KM = (0.001, 1, 10, 25, 50, 100, 150, 200)
COMMON = {
    "emission_efficiency": [0.5, 0.35],
    "detector_efficiency": 0.8,
    "dark_counts": "100 Hz",
    "detection_window": "25 ns",
    "visibility": 0.9,
}
EMITTERS = {"double_excitation": 0.04, "preparation_error": 0.005}
SINGLE = {"scheme": "single-click", "bright_state": 0.1, "phase_uncertainty": "14.3 deg"}
SCHEMES: dict[str, dict[str, object]] = {
    "double-click": {"scheme": "double-click", **EMITTERS},
    "double-click, station at 0.3": {"scheme": "double-click", "station": 0.3, **EMITTERS},
    "single-click": {**SINGLE, **EMITTERS},
    "single-click, balanced, counting": {
        **SINGLE,
        **EMITTERS,
        "station": 0.4,
        "balanced": True,
        "number_resolving": True,
    },
    "source in the middle": {"scheme": "source", "pair_probability": 0.6},
    "end to end": {"scheme": "end-to-end", "station": 1.0, **EMITTERS},
}
KEPT = 12


async def point(scheme: str, number: int, km: float, pairs: int) -> dict[str, Any]:
    """Figures of one link."""
    network = plan({**COMMON, **SCHEMES[scheme], "length": f"{km} km"}, seed=1000 + number)
    section = network.links[0].options
    async with world(network) as w:
        # The same setting throughout: that of the highest fidelity, a little less.
        wish = w.a.egp.estimator.best(RequestType.MEASURE).fidelity - 0.03
        request = await w.a.test(pairs, min_fidelity=wish)
        await request.done()
        await w.settle()
        counters = w.engine.mhp_counters(0)
        ((bright_state, tests),) = w.a.egp.estimator.tests.items()
        alpha = bright_state / 65535 if bright_state else None
        herald = section.fibre().herald(alpha, alpha)
        expected = counters["attempts"] * herald.p_success
        distances = {
            "success": (counters["heralds"] - expected)
            / math.sqrt(expected * (1 - herald.p_success))
        }
        correlations = heralded(section, bright_state)
        for basis in TEST_BASES:
            counted = tests.counts[basis]
            rate = (1 - abs(correlations[AXES[basis] - 1])) / 2
            distances[basis.name] = (counted.errors - counted.pairs * rate) / math.sqrt(
                counted.pairs * rate * (1 - rate)
            )
        w.a.egp.estimator.tests.clear()  # or the correction would change the setting
        w.b.egp.estimator.tests.clear()
        _, fidelity, kept = await kept_fidelity(w, KEPT, wish)
        await w.settle()
        return {
            "scheme": scheme,
            "length_km": km,
            "bright_state": bright_state,
            "success": {
                "closed_form": herald.p_success,
                "engine": counters["heralds"] / counters["attempts"],
                "attempts": counters["attempts"],
                "heralds": counters["heralds"],
            },
            "fidelity": {
                "closed_form": float(herald.fidelity),
                "engine": fidelity,
                "kept_differ_by": float(max(abs(f - herald.fidelity) for f in kept)),
            },
            "z": distances,
        }


def study(pairs: int, schemes: list[str]) -> list[dict[str, Any]]:
    """These schemes, all lengths."""
    rows = []
    print("scheme                             km    p closed     p engine       z   F closed  kept")
    for scheme in schemes:
        for number, km in enumerate(LENGTHS_KM):
            seed = list(SCHEMES).index(scheme) * len(LENGTHS_KM) + number
            found = run(point(scheme, seed, km, pairs))
            rows.append(found)
            success, fidelity = found["success"], found["fidelity"]
            print(
                f"{scheme:<33} {km:>5} {success['closed_form']:>11.4e} {success['engine']:>12.4e}"
                f" {found['z']['success']:>7.2f} {fidelity['closed_form']:>10.6f}"
                f"  ±{fidelity['kept_differ_by']:.0e}",
                flush=True,
            )
    return rows


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Whether the distances are as they should be by chance."""
    summary = {
        name: chi_square([row["z"][name] for row in rows]) for name in ("success", "X", "Y", "Z")
    }
    for name, figures in summary.items():
        print(
            f"{name:<8} chi-square {figures['chi_square']:.1f} of {figures['n']}; by chance so low "
            f"{figures['chance_of_less']:.3f}, so high {figures['chance_of_more']:.3f}; largest "
            f"{figures['largest']:.2f}"
        )
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=600, help="measured, of each link")
    parser.add_argument("schemes", nargs="*", help=f"all, or some of: {'; '.join(SCHEMES)}")
    options = parser.parse_args()
    rows = study(options.pairs, options.schemes or list(SCHEMES))
    rows = merge("closed_forms", rows, "scheme", "length_km")
    write("closed_forms", {"pairs": options.pairs, "summary": summarise(rows), "rows": rows})


if __name__ == "__main__":
    main()
