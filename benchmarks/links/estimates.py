"""What the fidelity estimation says of random links, beside what is true.

    python benchmarks/links/estimates.py [--links 20] [--pairs 4000]

Each link has a random scheme, length, station, losses at either end, visibility, dark counts,
errors of emitters and readout, T1 and T2. The real engine makes test pairs, which both ends measure
in random bases; the link layer estimates from their outcomes, and from a calibration that is wrong
by a draw from the normal distribution that it is taken to be wrong by. Three things are compared,
each as distance in standard errors:

- sample: the fidelity from the test pairs alone, against the state that the stations herald;
- estimate: what the link layer says of pairs to be kept, calibration and tests together, against
  the true states of pairs that it then makes;
- qber: the error rates in X, Y, Z, against those of the heralded state, readout included.

If estimates and errors are right the squares of n distances have a chi-square distribution of n
degrees of freedom.
"""

from __future__ import annotations

import argparse
import asyncio
import math
from dataclasses import replace
from typing import Any

import numpy as np
from world import US, World, plan, read, run, world, write  # beside this script

from qplane.link.feu import CALIBRATION_ERROR, TEST_BASES, ErrorCounts
from qplane.link.messages import Ok
from qplane.net.schema import LinkSection
from qplane.wire.service import Basis, RequestType

SCHEMES = ("double-click", "single-click", "source", "end-to-end")
KEPT = 7
"""A purpose that b listens to."""
AXES = {Basis.X: 1, Basis.Y: 2, Basis.Z: 3}


def random_link(random: np.random.Generator) -> tuple[dict[str, object], dict[str, object]]:
    """Keys of [[links]] and of the memory. Losses are such that a run takes seconds."""
    scheme = str(random.choice(SCHEMES))
    link: dict[str, object] = {
        "scheme": scheme,
        "length": f"{random.uniform(1, 60):.3f} km",
        "station": 1.0 if scheme == "end-to-end" else round(random.uniform(0.2, 0.8), 3),
        "attenuation": f"{random.uniform(0.17, 0.3):.3f} dB/km",
        "emission_efficiency": [round(random.uniform(0.1, 0.6), 3) for _ in range(2)],
        "detector_efficiency": round(random.uniform(0.5, 0.95), 3),
        "visibility": round(random.uniform(0.7, 1.0), 3),
        "dark_counts": f"{10 ** random.uniform(1, 4):.1f} Hz",
        "detection_window": f"{random.uniform(5, 50):.1f} ns",
    }
    if scheme == "single-click":
        link["phase_uncertainty"] = f"{random.uniform(0, 20):.2f} deg"
        link["balanced"] = bool(random.integers(2))
        link["number_resolving"] = bool(random.integers(2))
    if scheme != "source":
        link["double_excitation"] = round(random.uniform(0, 0.06), 4)
        link["preparation_error"] = round(random.uniform(0, 0.01), 4)
    t1_ms = 10 ** random.uniform(1.5, 3.5)
    memory: dict[str, object] = {
        "t1": f"{t1_ms:.2f} ms",
        "t2": f"{t1_ms * random.uniform(0.1, 1.9):.2f} ms",
        "readout_error": round(random.uniform(0, 0.03), 4),
    }
    return link, memory


def heralded(section: LinkSection, bright_state: int) -> list[float]:
    """<XX>, <YY>, <ZZ> of a test pair as the station heralds it, in the frame of Φ+."""
    alpha = bright_state / 65535 if bright_state else None
    bell, state = next(iter(section.fibre().herald(alpha, alpha).states.items()))
    signs = {2: (1, 1, -1), 3: (-1, -1, -1)}[bell]  # <XX>, <YY>, <ZZ> of Ψ+ and of Ψ−
    wanted = (1, -1, 1)  # of Φ+
    return [float(state[i + 1, i + 1]) * signs[i] * wanted[i] for i in range(3)]


async def kept_fidelity(w: World, pairs: int, wish: float) -> tuple[float, float, list[float]]:
    """Of pairs that are kept, once both ends have them: mean of the link layer's figures, of the
    true ones, and all of these."""
    said, true = [], []
    there: dict[int, Ok] = {}
    listener = w.b.listen(KEPT)

    async def collect() -> None:
        async for ok in listener:
            there[ok.seq] = ok

    collecting = asyncio.create_task(collect())
    request = await w.a.create(pairs, min_fidelity=wish, purpose_id=KEPT)
    async for ok in request:
        while ok.seq not in there:
            await w.clock.sleep(US)
        pair = next(p for p in w.engine.link_pairs() if p["seq"] == ok.seq)
        # Its Pauli correction is on its way: it is as good in the Bell state that it is in now.
        true.append(max(pair["fidelities"]))
        said.append(ok.fidelity)
        await w.a.release(ok)
        await w.b.release(there[ok.seq])
    listener.close()
    await collecting
    return float(np.mean(said)), float(np.mean(true)), true


async def one(number: int, pairs: int, kept: int) -> dict[str, Any]:
    """Figures of one random link."""
    random = np.random.default_rng([2026, number])
    link, memory = random_link(random)
    network = plan(link, memory, seed=number)
    section = network.links[0].options
    flip = 2 * memory["readout_error"] * (1 - memory["readout_error"])  # type: ignore[operator]
    async with world(network) as w:
        share = float(random.uniform(0.85, 0.99))
        off = float(random.normal(0, CALIBRATION_ERROR))
        for end in w.ends:
            estimator = end.egp.estimator
            estimator.points = [
                replace(
                    point,
                    fidelity_keep=point.fidelity_keep + off,
                    fidelity_measure=point.fidelity_measure + off,
                )
                for point in estimator.points
            ]
        # Something that the link can give, as far as it knows: single-click links have to choose.
        wish = share * w.a.egp.estimator.best(RequestType.MEASURE).fidelity
        request = await w.a.test(pairs, min_fidelity=wish)
        await request.done()
        await w.settle()
        estimator = w.a.egp.estimator
        weight = distance = truth = 0.0
        distances: dict[str, float] = {}
        for bright_state, tests in estimator.tests.items():
            correlations = heralded(section, bright_state)
            true = (1 + correlations[0] - correlations[1] + correlations[2]) / 4
            sample = tests.fidelity
            if sample is None:
                continue
            weight += 1 / sample.error**2
            distance += (sample.value - true) / sample.error**2
            truth += true / sample.error**2
        qber = {}
        bright_state, tests = max(estimator.tests.items(), key=lambda item: item[1].pairs)
        correlations = heralded(section, bright_state)
        for basis in TEST_BASES:
            counted: ErrorCounts = tests.counts[basis]
            own = (1 - abs(correlations[AXES[basis] - 1])) / 2
            true = own * (1 - flip) + (1 - own) * flip
            distances[basis.name] = (counted.errors - counted.pairs * true) / math.sqrt(
                counted.pairs * true * (1 - true)
            )
            qber[basis.name] = {"pairs": counted.pairs, "said": counted.rate.value, "true": true}
        wish -= 0.02  # the tests may have shown that the link gives less than it was taken to
        said, true_kept, all_kept = await kept_fidelity(w, kept, wish)
        bright = list(estimator.tests)
        correction = estimator.correction
        await w.settle()
        return {
            "number": number,
            "link": link,
            "memory": memory,
            "calibration_off": off,
            "bright_states": bright,
            "sample": {
                "true": truth / weight,
                "said": (truth + distance) / weight,
                "error": weight**-0.5,
                "z": distance / weight**0.5,
            },
            "estimate": {
                "true": true_kept,
                "said": said,
                "error": correction.error,
                "z": (said - true_kept) / correction.error,
                "least_true": min(all_kept),
                "most_true": max(all_kept),
            },
            "qber": qber,
            "qber_z": distances,
        }


def chi_square(distances: list[float]) -> dict[str, float]:
    """Sum of squares, and how often chance gives as little, and as much (Wilson-Hilferty)."""
    n, total = len(distances), sum(z * z for z in distances)
    normal = ((total / n) ** (1 / 3) - (1 - 2 / (9 * n))) / math.sqrt(2 / (9 * n))
    below = (1 + math.erf(normal / math.sqrt(2))) / 2
    return {
        "n": n,
        "chi_square": total,
        "chance_of_less": below,
        "chance_of_more": 1 - below,
        "beyond_2": sum(bool(abs(z) > 2) for z in distances),
        "largest": max(abs(z) for z in distances),
    }


def study(links: int, pairs: int, kept: int, first: int = 0) -> dict[str, Any]:
    """All figures of so many links."""
    rows = []
    print("link  scheme         F true   sample   ±        z   F kept   estimate  ±        z")
    for number in range(first, first + links):
        row = run(one(number, pairs, kept))
        rows.append(row)
        sample, estimate = row["sample"], row["estimate"]
        print(
            f"{number:>4}  {row['link']['scheme']:<13} {sample['true']:.4f}  {sample['said']:.4f}"
            f"  {sample['error']:.4f} {sample['z']:>6.2f}  {estimate['true']:.4f}"
            f"  {estimate['said']:.4f}   {estimate['error']:.4f} {estimate['z']:>6.2f}",
            flush=True,
        )
    return summarise(rows) | {"pairs": pairs, "kept": kept}


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of all links: whether the distances are as they should be by chance."""
    summary = {
        "sample": chi_square([row["sample"]["z"] for row in rows]),
        "estimate": chi_square([row["estimate"]["z"] for row in rows]),
        "qber": chi_square([z for row in rows for z in row["qber_z"].values()]),
    }
    for name, figures in summary.items():
        print(
            f"{name:<9} chi-square {figures['chi_square']:.1f} of {figures['n']}; by chance so low "
            f"{figures['chance_of_less']:.3f}, so high {figures['chance_of_more']:.3f}; "
            f"{figures['beyond_2']} beyond 2, largest {figures['largest']:.2f}"
        )
    return {"summary": summary, "links": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--links", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=4000, help="test pairs of each link")
    parser.add_argument("--kept", type=int, default=20, help="pairs kept of each link")
    parser.add_argument(
        "--first",
        type=int,
        default=0,
        help="number of the first; others stay as they are",
    )
    options = parser.parse_args()
    results = study(options.links, options.pairs, options.kept, options.first)
    earlier = read("estimates")
    if earlier and (earlier["pairs"], earlier["kept"]) == (options.pairs, options.kept):
        numbers = range(options.first, options.first + options.links)
        others = [row for row in earlier["links"] if row["number"] not in numbers]
        print("with the links of earlier runs:")
        rows = sorted(others + results["links"], key=lambda row: int(row["number"]))
        results |= summarise(rows)
    write("estimates", results)


if __name__ == "__main__":
    main()
