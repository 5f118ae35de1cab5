"""The closed form against brute-force density matrices of up to six qubits."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qplane.simulate.expected import BELL_SIGNS, PAULI_SIGNS, NodePhysics, expected

I2, X, Y, Z = (
    np.array(m, dtype=complex)
    for m in ([[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]])
)
PAULIS = (I2, X, Y, Z)
H = (X + Z) / np.sqrt(2)
BELLS = [
    np.array(v) / np.sqrt(2) for v in ([1, 0, 0, 1], [1, 0, 0, -1], [0, 1, 1, 0], [0, 1, -1, 0])
]


def on(operator, qubit, total):
    factors = [I2] * total
    factors[qubit] = operator
    return kron(*factors)


def kron(*factors):
    result = np.eye(1)
    for factor in factors:
        result = np.kron(result, factor)
    return result


def channel(rho, kraus):
    return sum(k @ rho @ k.conj().T for k in kraus)


def aged(rho, qubit, total, t_s, node):
    """Amplitude damping and dephasing by Kraus operators."""
    gamma = 1 - np.exp(-t_s / node.t1_s)
    rho = channel(
        rho,
        [
            on(np.array([[1, 0], [0, np.sqrt(1 - gamma)]]), qubit, total),
            on(np.array([[0, np.sqrt(gamma)], [0, 0]]), qubit, total),
        ],
    )
    rate = 1 / node.t2_s - 1 / (2 * node.t1_s)
    flip = (1 - np.exp(-t_s * rate)) / 2
    return channel(rho, [np.sqrt(1 - flip) * np.eye(2**total), np.sqrt(flip) * on(Z, qubit, total)])


def depolarised(rho, qubits, total, probability):
    """rho -> (1 - p) rho + p I/2^n on the qubits, as the mean over all their Paulis."""
    mixed = np.zeros_like(rho)
    for paulis in itertools.product(PAULIS, repeat=len(qubits)):
        operator = np.eye(2**total)
        for qubit, pauli in zip(qubits, paulis, strict=True):
            operator = operator @ on(pauli, qubit, total)
        mixed += operator @ rho @ operator.conj().T
    return (1 - probability) * rho + probability * mixed / 4 ** len(qubits)


def cnot(control, target, total):
    zero, one = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])
    return on(zero, control, total) + on(one, control, total) @ on(X, target, total)


def bell_measured(rho, first, second, total, reported, node):
    """The unnormalised state after a noisy CNOT, H and two noisy read-outs that say `reported`."""
    gate = cnot(first, second, total)
    rho = depolarised(gate @ rho @ gate.conj().T, [first, second], total, node.two_qubit_error)
    gate = on(H, first, total)
    rho = depolarised(gate @ rho @ gate.conj().T, [first], total, node.one_qubit_error)
    result = np.zeros_like(rho)
    for x, z in itertools.product((0, 1), repeat=2):
        wrong = [(reported >> 1 & 1) != x, (reported & 1) != z]
        weight = np.prod([node.readout_error if w else 1 - node.readout_error for w in wrong])
        projector = on(np.diag([1.0 - z, float(z)]), first, total) @ on(
            np.diag([1.0 - x, float(x)]), second, total
        )
        result += weight * projector @ rho @ projector
    return result


def traced(rho, keep, total):
    tensor = rho.reshape([2] * (2 * total))
    for qubit in sorted(set(range(total)) - set(keep), reverse=True):
        tensor = np.trace(tensor, axis1=qubit, axis2=qubit + tensor.ndim // 2)
    return tensor.reshape(2 ** len(keep), 2 ** len(keep))


def werner(bell, weight):
    return weight * np.outer(BELLS[bell], BELLS[bell]) + (1 - weight) * np.eye(4) / 4


def correlations(rho):
    return np.real([[np.trace(rho @ np.kron(a, b)) for b in PAULIS] for a in PAULIS])


def test_signs_of_bell_states_and_paulis():
    for bell in range(4):
        state = np.outer(BELLS[bell], BELLS[bell])
        assert np.diag(BELL_SIGNS[bell]) == pytest.approx(correlations(state))
        pauli = np.linalg.matrix_power(X, bell >> 1) @ np.linalg.matrix_power(Z, bell & 1)
        for axis in range(4):
            flipped = pauli @ PAULIS[axis] @ pauli.conj().T
            assert flipped == pytest.approx(PAULI_SIGNS[bell][axis] * PAULIS[axis])


probabilities = st.floats(0, 0.3)


@st.composite
def nodes(draw):
    t1 = draw(st.floats(0.5, 5))
    return NodePhysics(
        t1,
        draw(st.floats(0.1, 2)) * t1,
        draw(probabilities),
        draw(probabilities),
        draw(probabilities),
    )


@st.composite
def chains(draw, hops):
    bells = st.integers(0, 3)
    times = st.integers(0, 10**12)
    return {
        "nodes": [draw(nodes()) for _ in range(hops + 1)],
        "weights": [draw(st.floats(0.2, 1)) for _ in range(hops)],
        "bell": [draw(bells) for _ in range(hops)],
        "outcome": [draw(bells) for _ in range(hops - 1)],
        "head_ps": [draw(times) for _ in range(hops)],
        "tail_ps": [draw(times) for _ in range(hops)],
    }


def brute_force(chain, hops):
    total = 2 * hops
    physics = chain["nodes"]
    rho = kron(*(werner(b, w) for b, w in zip(chain["bell"], chain["weights"], strict=True)))
    for hop in range(hops):
        rho = aged(rho, 2 * hop, total, chain["head_ps"][hop] * 1e-12, physics[hop])
        rho = aged(rho, 2 * hop + 1, total, chain["tail_ps"][hop] * 1e-12, physics[hop + 1])
    frame = 0
    for hop in range(hops):
        frame ^= chain["bell"][hop]
        if hop < hops - 1:
            outcome = chain["outcome"][hop]
            frame ^= outcome
            rho = bell_measured(rho, 2 * hop + 1, 2 * hop + 2, total, outcome, physics[hop + 1])
    rho = traced(rho, [0, total - 1], total)
    likelihood = np.real(np.trace(rho))
    rho /= likelihood
    pauli = np.linalg.matrix_power(X, frame >> 1) @ np.linalg.matrix_power(Z, frame & 1)
    gate = np.kron(I2, pauli)
    rho = gate @ rho @ gate.conj().T
    if frame:
        rho = depolarised(rho, [1], 2, physics[-1].one_qubit_error)
    fidelity = np.real(BELLS[0] @ rho @ BELLS[0])
    errors = []
    for axis in (3, 1):
        differ = 0.0
        for a, b in itertools.product((1, -1), repeat=2):
            projector = np.kron((I2 + a * PAULIS[axis]) / 2, (I2 + b * PAULIS[axis]) / 2)
            chance = np.real(np.trace(projector @ rho))
            r, s = physics[0].readout_error, physics[-1].readout_error
            one_wrong = r * (1 - s) + s * (1 - r)
            differ += chance * (one_wrong if a == b else 1 - one_wrong)
        errors.append(differ)
    return fidelity, *errors, likelihood


def columns(chain, hops):
    """The chain twice, as the engine's arrays have it: the second time with a row in between."""
    pairs = {
        "head_node": np.array([0, 0]),
        "tail_node": np.array([hops, hops]),
        "hop_start": np.array([0, hops + 1]),
        "hop_count": np.array([hops, hops]),
    }
    swap = [*range(1, hops), -1]

    def twice(values, dtype):
        return np.array([*values, 0, *values], dtype=dtype)

    table = {
        "link": twice(range(hops), np.int32),
        "bell": twice(chain["bell"], np.uint8),
        "outcome": twice([*chain["outcome"], 255], np.uint8),
        "swap_node": twice(swap, np.int32),
        "head_stored_ps": twice(chain["head_ps"], np.int64),
        "tail_stored_ps": twice(chain["tail_ps"], np.int64),
    }
    links = [
        {bell: correlations(werner(bell, weight)) for bell in range(4)}
        for weight in chain["weights"]
    ]
    return pairs, table, links


@pytest.mark.parametrize("hops", [1, 2, 3])
@settings(max_examples=10)
@given(data=st.data())
def test_the_closed_form_is_that_of_density_matrices(hops, data):
    chain = data.draw(chains(hops))
    pairs, table, links = columns(chain, hops)
    result = expected(pairs, table, links, chain["nodes"])
    truth = brute_force(chain, hops)
    for column, value in zip(result, truth, strict=True):
        assert column == pytest.approx([value, value], abs=1e-10)


def test_the_published_formula_for_ageing_of_phi_plus():
    t, t1, t2 = 0.3, 1.0, 0.8
    node = NodePhysics(t1, t2, 0, 0, 0)
    chain = {
        "weights": [1.0],
        "bell": [0],
        "outcome": [],
        "head_ps": [3 * 10**11],
        "tail_ps": [3 * 10**11],
    }
    result = expected(*columns(chain, 1), [node, node])
    e1, e2 = np.exp(-t / t1), np.exp(-2 * t / t2)
    assert result.fidelity[0] == pytest.approx((1 + 2 * e2 + e1**2 + (1 - e1) ** 2) / 4, abs=1e-12)
