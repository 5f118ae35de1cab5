"""One node in the middle of k links that joins users any to any: q·k·μ/2 pairs a second.

Vardoyan, Guha, Nain and Towsley, "On the stochastic analysis of a quantum entanglement switch",
2019: with infinite buffers, links that make pairs at rate μ, and Bell measurements that succeed
with probability q. Here each two users have a circuit of their own, whose pairs are made in turn:
the link's time is divided before a pair is there, not when it is swapped. A turn whose buffer is
full goes to another circuit, so that a link stands still only while all its buffers are full: that
is what finite buffers take away, and `share_with_buffers` says how much.
"""

import itertools
import math
import random
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


def share_with_buffers(k: int, buffer: int, steps: int = 1_000_000) -> tuple[float, float]:
    """What buffers of so many pairs leave of q·k·μ/2, with its standard error.

    The links' pairs as Poisson processes (Vardoyan et al.), in uniformised time: in each step one
    of the k links makes its pair, unless all its buffers are full. A circuit's state is how many
    pairs wait, of one link or the other. With k = 2 it is a walk on 2·buffer + 1 places, all alike
    probable, and the share 1 − 1/(2·buffer + 1). Whether swaps succeed does not matter to it.
    """
    rng = random.Random(1)
    circuits = list(itertools.combinations(range(k), 2))
    waiting = [0] * len(circuits)  # more than 0: of the first link
    served: list[list[tuple[int, int, int]]] = [[] for _ in range(k)]  # circuit, sign, other link
    for number, (a, b) in enumerate(circuits):
        served[a].append((number, 1, b))
        served[b].append((number, -1, a))
    following = [0] * k
    under_way: list[tuple[int, int, int] | None] = [None] * k

    def start(link: int) -> None:
        for place in range(following[link], following[link] + k - 1):
            circuit = served[link][place % (k - 1)]
            if waiting[circuit[0]] * circuit[1] < buffer:
                following[link] = place + 1
                under_way[link] = circuit
                return
        under_way[link] = None

    for link in range(k):
        start(link)
    shares = []
    for _ in range(20):
        made = 0
        for _ in range(steps // 20):
            link = rng.randrange(k)
            circuit = under_way[link]
            if circuit is None:
                continue
            made += 1
            waiting[circuit[0]] += circuit[1]
            start(link)
            if under_way[circuit[2]] is None:
                start(circuit[2])
        shares.append(made / (steps // 20))
    mean = sum(shares) / 20
    return mean, math.sqrt(sum((share - mean) ** 2 for share in shares) / (19 * 20))


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
