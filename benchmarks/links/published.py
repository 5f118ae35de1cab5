"""Links of the literature, with the parameters that their authors give, on the real engine.

    python benchmarks/links/published.py [--pairs 2000]

Sources of the parameters:

- Humphreys et al., Nature 558, 268 (2018), arXiv:1712.07567, and its supplement: two NV centres 2 m
  apart. Detection probabilities, dark counts, initialisation as in the parameter set "Delft 2019"
  of NetSquid-NV, which cites private communication with the authors.
- Dahlberg et al., SIGCOMM 2019, arXiv:1903.09778: scenarios Lab and QL2020, by the configuration
  files and the fidelity estimation of SoftwareQuTech/QLinkLayerSimulations. What that estimates is
  written again here: equations 8 and 10 of the supplement above, with p_ud, p_du, p_uu, p_dd for
  one click while a alone, b alone, both, none are bright.

Others are left out, as their parameters could not be looked up: docs/link-figures.md.
"""

from __future__ import annotations

import argparse
import math
from typing import Any, NamedTuple

from estimates import kept_fidelity  # beside this script
from world import merge, plan, run, world, write

from qplane.link.feu import FidelityEstimator

HUMPHREYS: dict[str, object] = {
    "scheme": "single-click",
    "length": "2 m",
    "emission_efficiency": [2.8e-4, 4.2e-4],
    "dark_counts": "20 Hz",
    "detection_window": "25 ns",
    "visibility": 0.9,
    "phase_uncertainty": "14.3 deg",
    "attempt_time": "5.5 us",
    "cycle": "5.5 us",
}
HUMPHREYS_ERRORS: dict[str, object] = {"double_excitation": 0.04, "preparation_error": 0.01}
DAHLBERG: dict[str, object] = {
    "scheme": "single-click",
    "detector_efficiency": 0.8,
    "dark_counts": "20 Hz",
    "detection_window": "40 ns",
    "visibility": 0.9,
}
DAHLBERG_ERRORS: dict[str, object] = {
    "double_excitation": 0.04,
    "phase_uncertainty": "15 deg",
    "preparation_error": 0.025,  # depolarising probability 0.05
}
LAB: dict[str, object] = {
    "length": "2 m",
    "attenuation": "5 dB/km",
    "emission_efficiency": 0.03 * 0.014752200374623521,
    "cycle": "10.12 us",
}
QL2020: dict[str, object] = {
    "length": "25 km",
    "station": 0.4,
    "attenuation": "0.5 dB/km",
    "emission_efficiency": 0.46 * 0.004425660112387056,
}


class Row(NamedTuple):
    """A link of the literature: what was published of it (0: nothing), and its keys here."""

    name: str
    rate_hz: float
    fidelity: float
    link: dict[str, object]


def supplement(section: Any, alpha: float) -> tuple[float, float]:
    """Success probability and fidelity as Dahlberg et al.'s estimation has them."""
    eta_a, eta_b = section.fibre().detection
    quiet = (1 - section.dark_per_window) ** 2
    dark = 1 - quiet
    a_alone = alpha * (1 - alpha) * (quiet * eta_a + dark * (1 - eta_a))
    b_alone = alpha * (1 - alpha) * (quiet * eta_b + dark * (1 - eta_b))
    silent = (1 - eta_a) * (1 - eta_b)
    both = alpha**2 * (quiet * (1 - silent) + dark * silent)
    total = a_alone + b_alone + both + (1 - alpha) ** 2 * dark
    coherence = math.sqrt(section.visibility * a_alone * b_alone)
    return total, ((a_alone + b_alone) / 2 + coherence) / total


ROWS = (
    *(
        Row(f"Humphreys, α = {alpha}{more}", rate_hz, fidelity, link | {"bright_state": alpha})
        for alpha, rate_hz, fidelity in ((0.05, 6.0, 0.81), (0.3, 39.0, 0.60))
        for more, link in (
            (", photons alone", HUMPHREYS),
            ("", HUMPHREYS | HUMPHREYS_ERRORS),
        )
    ),
    *(
        Row(f"{name}, α = {alpha}{more}", 0.0, 0.0, DAHLBERG | link | errors)
        for name, scenario in (("Lab", LAB), ("QL2020", QL2020))
        for alpha in (0.1, 0.2, 0.3, 0.5)
        for more, errors in ((", photons alone", {}), ("", DAHLBERG_ERRORS))
        for link in (scenario | {"bright_state": alpha},)
    ),
)


async def measure(row: Row, number: int, pairs: int) -> dict[str, Any]:
    """One link on the engine: how many attempts succeed, and how good kept pairs are."""
    network = plan(row.link, seed=2000 + number)
    section = network.links[0].options
    fibre = section.fibre()
    async with world(network) as w:
        engine = w.engine
        if section.scheme == "single-click":
            # The published α, not what the link layer would choose.
            for end in w.ends:
                calibrated = end.egp.estimator.calibrated(round(fibre.mean_bright_state * 65535))
                end.egp.estimator = FidelityEstimator([calibrated])
        request = await w.a.create(pairs, keep=False)
        await request.done()
        await w.settle()
        counters = engine.mhp_counters(0)
        _, fidelity, _ = await kept_fidelity(w, 8, 0.0)
        await w.settle()
    success = counters["heralds"] / counters["attempts"]
    found = {
        "name": row.name,
        "published": {"rate_hz": row.rate_hz, "fidelity": row.fidelity},
        "closed_form": {"success": fibre.herald().p_success, "fidelity": fibre.herald().fidelity},
        "engine": {"success": success, "fidelity": fidelity, "heralds": counters["heralds"]},
        "rate_hz": success * 1e12 / fibre.period_ps if section.attempt_time else 0.0,
    }
    if "α" in row.name and "Humphreys" not in row.name:
        theirs = supplement(section, fibre.mean_bright_state)
        found["published"] |= {"success": theirs[0], "fidelity": theirs[1]}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=2000, help="measured, of each link")
    parser.add_argument("--only", default="", help="links whose names begin so")
    options = parser.parse_args()
    rows = []
    print("link                                 published: Hz  success        F   here: Hz"
          "   success  closed form        F")  # fmt: skip
    for number, row in enumerate(ROWS):
        if not row.name.startswith(options.only):
            continue
        found = run(measure(row, number, options.pairs))
        rows.append(found)
        published, engine = found["published"], found["engine"]
        print(
            f"{row.name:<36} {published['rate_hz'] or math.nan:>13.0f}"
            f" {published.get('success', math.nan):>9.3e} {published['fidelity'] or math.nan:>7.3f}"
            f" {found['rate_hz'] or math.nan:>10.1f} {engine['success']:>10.3e}"
            f" {found['closed_form']['success']:>12.3e} {engine['fidelity']:>8.4f}",
            flush=True,
        )
    write("published", {"pairs": options.pairs, "rows": merge("published", rows, "name")})


if __name__ == "__main__":
    main()
