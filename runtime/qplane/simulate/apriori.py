"""What a circuit of one or two equal links delivers, from the network file alone.

For longer chains and circuits with several slots the waiting times have no closed form; for these
there is only the expectation given the storage times (:mod:`qplane.simulate.expected`).

One link: every pair is stored for the same time. Two links with one slot each, attempts of duration
P and success probabilities p1, p2: link i begins at S_i and heralds at F_i = S_i + K_i·P with
geometric K_i. Storage times depend on K2 - K1 = j alone, whose probability is

    p1·p2·q2^j / (1 - q1·q2) for j >= 0,   p1·p2·q1^-j / (1 - q1·q2) for j < 0,   q = 1 - p

and on the offset x = S1 - S2. With d for the delay of a link and M = max(F1, F2), the swap is done
at W = M + swap time, the head-end gets the TRACK of the tail-end at max(W, F2 + d) + d, the
tail-end that of the head-end at max(W, F1 + d) + d, and each link begins anew as soon as its end
node is done. So the offset is a Markov chain; it has few states, and its stationary distribution is
found exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qplane.simulate.expected import Expected, Floats, NodePhysics, expected

SWITCH_PS = 1_000_000
"""Time that a switch takes for a packet, as emulated."""

_TAIL = 1e-12
"""Probability of the differences |j| that are left out."""

_MOST_OFFSETS = 2000


class Apriori(NamedTuple):
    """Means over the delivered pairs."""

    rate_per_s: float
    fidelity: float
    z_error: float
    x_error: float


@dataclass(frozen=True)
class LinkModel:
    """A double-click link with the station in the middle. `states`: R by heralded Bell index."""

    attempt_ps: int
    delay_ps: int
    success: float
    states: Mapping[int, Floats]


class _Cycles(NamedTuple):
    """Kinds of cycles: their probabilities, and storage times of each half from head to tail."""

    weight: Floats
    stored_ps: list[NDArray[np.int64]]
    mean_duration_ps: float


def apriori(
    links: Sequence[LinkModel], nodes: Sequence[NodePhysics], swap_ps: int, cutoff_ps: int
) -> Apriori | None:
    """For a circuit over `links` between `nodes`, one slot on each side of each link.

    None where there is no closed form: more than two links, links of different attempt duration, or
    a cut-off (0: none) that makes a difference.
    """
    if len(links) == 1:
        cycles = _one_link(links[0])
    elif len(links) == 2 and links[0].attempt_ps == links[1].attempt_ps:
        found = _two_links(links[0], links[1], swap_ps)
        if found is None:
            return None
        cycles = found
        waits = np.maximum(cycles.stored_ps[1], cycles.stored_ps[2])
        if cutoff_ps and float(cycles.weight[waits >= cutoff_ps].sum()) > 1e-6:
            return None
    else:
        return None
    return _average(cycles, links, nodes)


def _one_link(link: LinkModel) -> _Cycles:
    # herald, its TRACK's way through two switches, the slot free again
    wait = 2 * SWITCH_PS + link.delay_ps
    stored = np.array([link.attempt_ps + wait])
    return _Cycles(np.ones(1), [stored, stored], link.attempt_ps / link.success + wait)


def _two_links(first: LinkModel, second: LinkModel, swap_ps: int) -> _Cycles | None:
    attempt = first.attempt_ps
    q1, q2 = 1.0 - first.success, 1.0 - second.success
    most = math.ceil(math.log(_TAIL) / math.log(max(q1, q2))) if max(q1, q2) > 0 else 0
    j = np.arange(-most, most + 1)
    chance = np.where(j >= 0, q2 ** np.abs(j), q1 ** np.abs(j))
    chance = chance / chance.sum()
    fewer = 1.0 / (1.0 - q1 * q2)  # mean of min(K1, K2), whatever j is

    def ends(offset: int) -> tuple[NDArray[np.int64], ...]:
        """Relative to S2 and without the min(K1, K2) attempts that both make: F1, F2, W, ends."""
        heralds1 = offset + np.maximum(-j, 0) * attempt
        heralds2 = np.maximum(j, 0) * attempt
        swapped = np.maximum(heralds1, heralds2) + SWITCH_PS + swap_ps
        ready = swapped + SWITCH_PS
        head = np.maximum(ready, heralds2 + second.delay_ps + 2 * SWITCH_PS)
        tail = np.maximum(ready, heralds1 + first.delay_ps + 2 * SWITCH_PS)
        head += first.delay_ps + SWITCH_PS
        tail += second.delay_ps + SWITCH_PS
        return heralds1, heralds2, swapped, head, tail

    offsets = [0]
    rows: list[dict[int, float]] = []
    while len(rows) < len(offsets):
        *_, head, tail = ends(offsets[len(rows)])
        row: dict[int, float] = {}
        for following, probability in zip((head - tail).tolist(), chance, strict=True):
            row[following] = row.get(following, 0.0) + float(probability)
        offsets += [following for following in row if following not in offsets]
        rows.append(row)
        if len(offsets) > _MOST_OFFSETS:
            return None
    share = _stationary(offsets, rows)
    timings = [ends(offset) for offset in offsets]
    weight = np.concatenate([part * chance for part in share])
    heralds1, heralds2, swapped, head, tail = (
        np.concatenate([timing[which] for timing in timings]) for which in range(5)
    )
    # a half is emitted one attempt before its herald
    stored = [head - heralds1, swapped - heralds1, swapped - heralds2, tail - heralds2]
    duration = float(np.dot(weight, tail)) + fewer * attempt
    return _Cycles(weight, [part + attempt for part in stored], duration)


def _stationary(offsets: Sequence[int], rows: Sequence[Mapping[int, float]]) -> Floats:
    place = {offset: index for index, offset in enumerate(offsets)}
    step = np.zeros((len(offsets), len(offsets)))
    for index, row in enumerate(rows):
        for following, probability in row.items():
            step[index, place[following]] += probability
    system = np.vstack([step.T - np.eye(len(offsets)), np.ones(len(offsets))])
    solution: Floats = np.linalg.lstsq(system, np.append(np.zeros(len(offsets)), 1.0))[0]
    return solution


def _average(cycles: _Cycles, links: Sequence[LinkModel], nodes: Sequence[NodePhysics]) -> Apriori:
    """Over the cycles, the heralded Bell states (equally likely), and the swap's outcomes."""
    hops = len(links)
    bells = [sorted(link.states) for link in links]
    choices = np.array(np.meshgrid(*bells, *[range(4)] * (hops - 1))).reshape(2 * hops - 1, -1).T
    weight = np.tile(cycles.weight, len(choices)) / math.prod(len(each) for each in bells)
    count = len(weight)
    pairs: dict[str, NDArray[Any]] = {
        "head_node": np.zeros(count, dtype=np.int64),
        "tail_node": np.full(count, hops),
        "hop_count": np.full(count, hops),
        "hop_start": np.arange(count) * hops,
    }
    stored = [np.tile(part, len(choices)) for part in cycles.stored_ps]
    chosen = np.repeat(choices, len(cycles.weight), axis=0)
    last = np.full((count, 1), 255)
    table: dict[str, NDArray[Any]] = {
        "link": np.tile(np.arange(hops), count),
        "bell": chosen[:, :hops].astype(np.uint8).ravel(),
        "outcome": np.hstack([chosen[:, hops:], last]).astype(np.uint8).ravel(),
        "swap_node": np.tile(np.append(np.arange(1, hops), -1), count),
        "head_stored_ps": np.stack(stored[0::2], axis=1).ravel(),
        "tail_stored_ps": np.stack(stored[1::2], axis=1).ravel(),
    }
    result: Expected = expected(pairs, table, [link.states for link in links], nodes)
    weight = weight * result.likelihood
    return Apriori(
        rate_per_s=1e12 / cycles.mean_duration_ps,
        fidelity=float(np.dot(weight, result.fidelity)),
        z_error=float(np.dot(weight, result.z_error)),
        x_error=float(np.dot(weight, result.x_error)),
    )
