"""The entanglement switch for several k: pairs a second beside q·k·μ/2.

Vardoyan et al. (2019); tests/e2e/entanglement_switch.py has the network, and what finite buffers
leave of that. The run fails where the rate is off that by more than 4 standard errors.

    python benchmarks/entanglement_switch.py       # writes benchmarks/entanglement_switch.json
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from e2e.entanglement_switch import SLOTS, SWAP_SUCCESS, measure, share_with_buffers  # noqa: E402

PAIRS = 60_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=PAIRS, help="delivered by each switch")
    options = parser.parse_args()
    rows = []
    print("  k  circuits   pairs/s  q k mu/2   ratio  std error  with buffers")
    for k in (3, 4, 6, 8):
        found = measure(k, options.pairs)
        ratio, error = found.rate / found.expected, found.error / found.expected
        share, share_error = share_with_buffers(k, SLOTS)
        rows.append(
            {
                "k": k,
                "circuits": len(found.delivered),
                "rate_per_s": round(found.rate, 2),
                "expected_per_s": round(found.expected, 2),
                "ratio": round(ratio, 4),
                "std_error_of_ratio": round(error, 4),
                "ratio_with_finite_buffers": round(share, 4),
                "most_over_least_of_a_circuit": round(
                    max(found.delivered) / min(found.delivered), 3
                ),
            }
        )
        print(
            f"{k:3} {len(found.delivered):9} {found.rate:9.2f} {found.expected:9.2f} {ratio:7.4f} "
            f"{error:10.4f} {share:13.4f}",
            flush=True,
        )
        if abs(ratio - share) > 4 * math.hypot(error, share_error):
            sys.exit(f"k = {k}: the rate is not that of the switch")
    figures = {
        "slots": SLOTS,
        "swap_success": SWAP_SUCCESS,
        "pairs": options.pairs,
        "switches": rows,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
