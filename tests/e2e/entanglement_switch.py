"""One node in the middle of k links that joins users any to any: q·k·μ/2 pairs a second.

Vardoyan, Guha, Nain and Towsley, "On the stochastic analysis of a quantum entanglement switch",
2019: with infinite buffers, links that make pairs at rate μ, and Bell measurements that succeed
with probability q. Here each two users have a circuit of their own, whose pairs are made in turn:
the link's time is divided before a pair is there, not when it is swapped. A turn whose buffer is
full goes to another circuit, so that a link stands still only when all its buffers are full. With
8 slots for each circuit that costs less than 3 %.
"""

import itertools
import math
from typing import NamedTuple

from e2e import rig

SLOTS = 8
SWAP_SUCCESS = 0.8


class Measured(NamedTuple):
    """Pairs a second of all circuits with its standard error, q·k·μ/2, and pairs of each."""

    rate: float
    error: float
    expected: float
    delivered: list


def measure(k: int, pairs: int) -> Measured:
    """Run a switch with k links until so many pairs are delivered."""
    leaves = [f"u{n}" for n in range(k)]
    circuits = [
        {"name": f"{a}-{b}", "from": a, "to": b, "slots": SLOTS, "cutoff": "100 s"}
        for a, b in itertools.combinations(leaves, 2)
    ]
    memory = {"slots": k * (k - 1) * SLOTS, "swap_success": SWAP_SUCCESS}
    link = {"length": '"1 km"', "detector_efficiency": 0.4, "emission_time": '"1 ms"'}
    text = rig.network([("s", leaf) for leaf in leaves], circuits, memory=memory, link=link)
    outcome = rig.simulate(text, pairs=pairs)
    rig.assert_clean(outcome)
    eta = 0.4 * 10 ** (-0.02 * 0.5)
    attempt_s = 1e-3 + 1e3 / 2e8
    mu = eta**2 / 2 / attempt_s
    expected = SWAP_SUCCESS * k * mu / 2
    rate = sum(circuit.rate_per_s.value for circuit in outcome.summary.circuits)
    # Successes of all links and swaps are independent: what is delivered is about Poisson.
    error = expected / math.sqrt(outcome.summary.delivered)
    each = [circuit.delivered for circuit in outcome.summary.circuits]
    return Measured(rate, error, expected, each)
