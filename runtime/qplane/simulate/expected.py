"""Closed-form fidelity and error rates of delivered pairs, given how long each half was stored.

Plain NumPy over whole arrays of pairs, and nothing of the quantum-memory extension: this is what
its results are held against. A pair is the 4x4 real matrix R[i, j] = <σi ⊗ σj> of head and tail.

For each delivered pair the storage times, the heralded Bell states and the reported swap outcomes
are given (they are classical and known); what is averaged over is everything that is not known: the
true outcome behind a reported one, and gate errors.

- Ageing of one qubit for t towards |0> (1/Tφ = 1/T2 - 1/(2·T1)) multiplies X and Y by e^(-t/T2),
  and takes Z to e^(-t/T1)·Z + (1 - e^(-t/T1))·I.
- A Bell measurement of the inner qubits that reports k turns R_AB and R_CD into R_AB·M_k·R_CD, up
  to normalisation, with M_k = diag(g_k · f)/4. g_k are the signs of the Bell state's correlations;
  f = (1, a, b, c) shrinks them: two-qubit depolarising p2 (before: CNOT) all three by 1 - p2,
  one-qubit depolarising p1 (Hadamard) XX and YY by 1 - p1, and each read-out bit, wrong with
  probability r, XX and ZZ by 1 - 2r and YY by its square.
- The tail-end's correction flips signs, and depolarises by p1 where there is something to correct.
- Then F = (1 + R_xx - R_yy + R_zz)/4, and bits read in Z (X) differ with probability
  (1 - (1 - 2r_head)(1 - 2r_tail) R_zz)/2 (R_xx).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BELL_SIGNS: Floats = np.array(
    [[1, 1, -1, 1], [1, -1, 1, 1], [1, 1, 1, -1], [1, -1, -1, -1]], dtype=np.float64
)
"""Row k: <σj ⊗ σj> of Bell state k (Φ+, Φ-, Ψ+, Ψ-)."""

PAULI_SIGNS: Floats = np.array(
    [[1, 1, 1, 1], [1, -1, -1, 1], [1, 1, -1, -1], [1, -1, 1, -1]], dtype=np.float64
)
"""Row k: what the Pauli of frame k (I, Z, X, XZ) does to the signs of I, X, Y, Z."""


@dataclass(frozen=True)
class NodePhysics:
    """Memory and gates of a node; times in seconds, `inf` for none."""

    t1_s: float
    t2_s: float
    two_qubit_error: float
    one_qubit_error: float
    readout_error: float


class Expected(NamedTuple):
    """Per pair: fidelity to Φ+, and the probability that bits read in Z, in X differ.

    `likelihood` is the probability that the swaps report just these outcomes.
    """

    fidelity: Floats
    z_error: Floats
    x_error: Floats
    likelihood: Floats


def expected(
    pairs: Mapping[str, NDArray[Any]],
    hops: Mapping[str, NDArray[Any]],
    link_states: Sequence[Mapping[int, Floats]],
    nodes: Sequence[NodePhysics],
) -> Expected:
    """For each row of `pairs` (the columns of the engine's ``deliveries()`` and ``hops()``).

    `link_states` gives, by link index, R of a heralded pair by its Bell index; `nodes` by node
    index.
    """
    count = len(pairs["hop_count"])
    result = Expected(*(np.empty(count) for _ in Expected._fields))
    for length in np.unique(pairs["hop_count"]):
        chosen = np.flatnonzero(pairs["hop_count"] == length)
        selected = {name: column[chosen] for name, column in pairs.items()}
        part = _of_one_length(int(length), selected, hops, link_states, nodes)
        for whole, piece in zip(result, part, strict=True):
            whole[chosen] = piece
    return result


def _of_one_length(
    length: int,
    pairs: Mapping[str, NDArray[Any]],
    hops: Mapping[str, NDArray[Any]],
    link_states: Sequence[Mapping[int, Floats]],
    nodes: Sequence[NodePhysics],
) -> Expected:
    states = np.zeros((len(link_states), 4, 4, 4))
    for link, by_bell in enumerate(link_states):
        for bell, state in by_bell.items():
            states[link, bell] = state
    shrink = np.array([_measurement_factors(node) for node in nodes])
    left = pairs["head_node"]
    frame = np.zeros(len(left), dtype=np.uint8)
    total: Floats | None = None
    for place in range(length):
        rows = pairs["hop_start"] + place
        last = place == length - 1
        right = pairs["tail_node"] if last else hops["swap_node"][rows]
        link_pair = states[hops["link"][rows], hops["bell"][rows]]
        link_pair = _age(link_pair, nodes, left, hops["head_stored_ps"][rows], half=0)
        link_pair = _age(link_pair, nodes, right, hops["tail_stored_ps"][rows], half=1)
        frame ^= hops["bell"][rows]
        total = link_pair if total is None else total @ link_pair
        if not last:
            outcome = hops["outcome"][rows]
            frame ^= outcome
            total = total * (BELL_SIGNS[outcome] * shrink[right])[:, None, :]
        left = right
    assert total is not None  # a delivered pair has at least one hop
    likelihood = total[:, 0, 0] / 4.0 ** (length - 1)
    total = total / total[:, :1, :1]
    total = _corrected(total, frame, pairs["tail_node"], nodes)
    return Expected(*_read(total, pairs, nodes), likelihood)


def _measurement_factors(node: NodePhysics) -> Floats:
    gate_z = 1.0 - node.two_qubit_error
    gate_x = gate_z * (1.0 - node.one_qubit_error)
    seen = 1.0 - 2.0 * node.readout_error
    return np.array([1.0, gate_x * seen, gate_x * seen**2, gate_z * seen])


def _age(
    state: Floats,
    nodes: Sequence[NodePhysics],
    node: NDArray[np.integer[Any]],
    stored_ps: NDArray[np.int64],
    *,
    half: int,
) -> Floats:
    seconds = stored_ps * 1e-12
    dephased = np.exp(-seconds / np.array([physics.t2_s for physics in nodes])[node])
    kept = np.exp(-seconds / np.array([physics.t1_s for physics in nodes])[node])
    transfer = np.zeros((len(seconds), 4, 4))
    transfer[:, 0, 0] = 1.0
    transfer[:, 1, 1] = transfer[:, 2, 2] = dephased
    transfer[:, 3, 3] = kept
    transfer[:, 3, 0] = 1.0 - kept
    aged: Floats = transfer @ state if half == 0 else state @ transfer.transpose(0, 2, 1)
    return aged


def _corrected(
    state: Floats,
    frame: NDArray[np.uint8],
    tail: NDArray[np.integer[Any]],
    nodes: Sequence[NodePhysics],
) -> Floats:
    error = np.array([physics.one_qubit_error for physics in nodes])[tail]
    factors = PAULI_SIGNS[frame].copy()
    factors[:, 1:] *= np.where(frame == 0, 1.0, 1.0 - error)[:, None]
    corrected: Floats = state * factors[:, None, :]
    return corrected


def _read(
    state: Floats, pairs: Mapping[str, NDArray[Any]], nodes: Sequence[NodePhysics]
) -> tuple[Floats, Floats, Floats]:
    seen = 1.0 - 2.0 * np.array([physics.readout_error for physics in nodes])
    both = seen[pairs["head_node"]] * seen[pairs["tail_node"]]
    xx, yy, zz = state[:, 1, 1], state[:, 2, 2], state[:, 3, 3]
    return (1 + xx - yy + zz) / 4, (1 - both * zz) / 2, (1 - both * xx) / 2
