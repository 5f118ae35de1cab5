"""The laws that a quantum network's memory must reproduce, against their closed forms."""

import math

import numpy as np
import pytest

from qplane_cext.memory.core import QuantumMemory

from . import reference as ref
from .scripted import distribution, scripted

TIGHT = 1e-12


@pytest.mark.parametrize("t1,t2", [(1e-3, 5e-4), (1e-3, 2e-3), (2e-3, 1.7e-3)])
@pytest.mark.parametrize("t", [0.0, 1e-5, 4e-4, 5e-3])
@pytest.mark.parametrize("bell", range(4))
def test_fidelity_of_an_idle_pair(t1, t2, t, bell):
    """Phi: (1 + 2 e^(-2t/T2) + e^(-2t/T1) + (1 - e^(-t/T1))^2)/4. Psi: with both halves decaying to
    |0>, <ZZ> = -e^(-2t/T1) + (1 - e^(-t/T1))^2, so (1 + 2 e^(-2t/T2) - <ZZ>)/4."""
    memory = QuantumMemory(4)
    p = memory.profile(t1, t2)
    a, b = memory.create_pair(0, 1.0, p, p, bell)
    decay, lost = math.exp(-2 * t / t1), (1 - math.exp(-t / t1)) ** 2
    zz = decay + lost if bell < 2 else decay - lost
    expected = (1 + 2 * math.exp(-2 * t / t2) + zz) / 4
    assert memory.fidelity(a, b, round(t * 1e12), bell) == pytest.approx(expected, abs=TIGHT)


@pytest.mark.parametrize(("f1", "f2"), [(1.0, 0.8), (0.9, 0.7), (0.5, 0.25)])
def test_swap_of_werner_pairs(f1, f2):
    """w = w1 w2 (Briegel et al. 1998), whatever the outcome."""
    w = (4 * f1 - 1) / 3 * (4 * f2 - 1) / 3
    for u in (0.1, 0.3, 0.6, 0.9):
        memory = QuantumMemory(4)
        (a, b), (c, d) = memory.create_pair(0, f1), memory.create_pair(0, f2)
        k = memory.swap(b, c, 0, scripted(u))
        assert memory.fidelity(a, d, bell=k) == pytest.approx((1 + 3 * w) / 4, abs=TIGHT)


def test_swaps_with_noisy_gates_along_a_chain():
    """Depolarising gates: XX and YY keep (1-p2)(1-p1), ZZ keeps (1-p2) at each swap."""
    from qplane_cext.memory.core import GateNoise

    p2, p1, hops, f = 0.02, 0.01, 6, 0.97
    memory, rng = QuantumMemory(16), np.random.Generator(np.random.Philox(1))
    pairs = [memory.create_pair(0, f) for _ in range(hops)]
    frame, near = 0, pairs[0]
    for nxt in pairs[1:]:
        frame = memory.swap(near[1], nxt[0], 0, rng, GateNoise(p2, p1), frame)
        near = (near[0], nxt[1])
    w = ((4 * f - 1) / 3) ** hops
    x, z = w * ((1 - p2) * (1 - p1)) ** (hops - 1), w * (1 - p2) ** (hops - 1)
    assert memory.fidelity(*near, bell=frame) == pytest.approx((1 + 2 * x + z) / 4, abs=TIGHT)


@pytest.mark.parametrize("f", [1.0, 0.85, 0.5])
def test_teleportation_fidelity(f):
    """Mean over the six poles (a 2-design) and the outcomes: (2F + 1)/3."""
    total = 0.0
    for axis in np.vstack([np.eye(3), -np.eye(3)]):
        for u in (0.1, 0.3, 0.6, 0.9):
            memory = QuantumMemory(4)
            a, b = memory.create_pair(0, f)
            q = memory.create_qubit(0, axis)
            memory.pauli(b, 0, memory.teleport(q, a, 0, scripted(u)))
            total += (1 + axis @ memory.pauli_vector(b)[1:]) / 2
    assert total / 24 == pytest.approx((2 * f + 1) / 3, abs=TIGHT)


def entropy(rho):
    p = np.linalg.eigvalsh(rho)
    p = p[p > 1e-15]
    return float(-(p * np.log2(p)).sum())


def test_dense_coding_capacity():
    """Holevo quantity of the ensemble that the four Pauli gates make: 2 - S(rho)."""
    weights = (0.7, 0.15, 0.1, 0.05)
    states = []
    for bits in range(4):
        memory = QuantumMemory(2)
        a, b = memory.create_pair(0, weights)
        memory.superdense_encode(a, 0, bits)
        states.append(memory.density_matrix(a, b))
    holevo = entropy(sum(states) / 4) - sum(entropy(s) for s in states) / 4
    assert holevo == pytest.approx(2 - entropy(np.diag(weights)), abs=1e-10)


@pytest.mark.parametrize("w", [1.0, 0.8, 1 / math.sqrt(2)])
def test_chsh(w):
    """S = 2 sqrt(2) w on a Werner pair, from outcome probabilities."""
    root = math.sqrt(0.5)
    alice, bob = [(0, 0, 1), (1, 0, 0)], [(root, 0, root), (-root, 0, root)]

    def correlation(x, y):
        def run(u):
            memory = QuantumMemory(2)
            a, b = memory.create_pair(0, (1 + 3 * w) / 4)
            first = memory.measure(a, 0, scripted(u), x)
            return first, round(float(np.dot(memory.pauli_vector(b)[1:], y)), 14)

        return sum(p * (1 - 2 * bit) * mean for (bit, mean), p in distribution(run).items())

    s = sum(
        sign * correlation(alice[i], bob[j])
        for i, j, sign in ((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, -1))
    )
    assert s == pytest.approx(2 * math.sqrt(2) * w, abs=1e-11)


def test_chsh_sampled():
    memory, rng, n = QuantumMemory(20_000), np.random.Generator(np.random.Philox(3)), 20_000
    root, total = math.sqrt(0.5), 0.0
    for x, y, sign in (
        ("Z", (root, 0, root), 1),
        ("Z", (-root, 0, root), 1),
        ("X", (root, 0, root), 1),
        ("X", (-root, 0, root), -1),
    ):
        a, b = memory.bursts.create_pairs(n, 0, 0.925)
        s = 1 - 2 * (memory.bursts.measure(a, 0, rng, x) ^ memory.bursts.measure(b, 0, rng, y))
        total += sign * s.mean()
    assert abs(total - 2 * math.sqrt(2) * 0.9) < 4 * math.sqrt(4 / n)


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_ghz_under_dephasing(n):
    """(1 + lambda^n)/2 with lambda = 1 - 2p on each qubit; exact vectors."""
    p = 0.07
    memory = QuantumMemory(8)
    h = memory.ghz(n, 0, exact=True)
    for q in h:
        memory.dephase(q, 0, p)
    v = np.zeros(2**n)
    v[0] = v[-1] = math.sqrt(0.5)
    fidelity = (v @ memory.density_matrix(*h) @ v).real
    assert fidelity == pytest.approx((1 + (1 - 2 * p) ** n) / 2, abs=TIGHT)


def test_a_large_ghz_state_under_dephasing():
    """The same on a tableau, sampled: the parity of X on all qubits has mean lambda^n."""
    n, runs, lam = 200, 100, 0.995
    memory, rng = QuantumMemory(n, seed=4), np.random.Generator(np.random.Philox(5))
    p = memory.profile(math.inf, -1 / math.log(lam))
    total = 0
    for _ in range(runs):
        h = memory.ghz(n, 0, p)
        for q in h:
            memory.age(q, 10**12)
        rows = memory.stabilizers(h[0])
        parity = rows[0][0] == "-"
        total += 1 - 2 * parity
        for q in h:
            memory.measure(q, 10**12, rng, "Z")
    expected = lam**n
    assert abs(total / runs - expected) < 4 * math.sqrt((1 - expected**2) / runs)


def test_qber_of_a_werner_pair():
    """2 (1 - F)/3 in every basis."""
    for basis, same in (("Z", 0), ("X", 0), ("Y", 1)):

        def run(u, basis=basis, same=same):
            memory = QuantumMemory(2)
            a, b = memory.create_pair(0, 0.91)
            bit = memory.measure(a, 0, scripted(u), basis)
            mean = memory.pauli_vector(b)["IXYZ".index(basis)]
            return bit, round(float((1 - (1 - 2 * (bit ^ same)) * mean) / 2), 14)

        error = sum(p * e for (_, e), p in distribution(run).items())
        assert error == pytest.approx(2 * (1 - 0.91) / 3, abs=TIGHT)


def test_swap_of_any_states_follows_the_matrix_law():
    """R = R_AB diag(G_k) R_CD for outcome k, for any two states."""
    rng = np.random.default_rng(6)
    ab, cd = ref.random_state(rng, 2), ref.random_state(rng, 2)
    signs = np.array([[1, 1, -1, 1], [1, -1, 1, 1], [1, 1, 1, -1], [1, -1, -1, -1]])
    for u in (0.05, 0.4, 0.6, 0.95):
        memory = QuantumMemory(4)
        (a, b), (c, _) = memory.create_pair(0, ab), memory.create_pair(0, cd)
        R1, R2 = memory.pauli_vector(a), memory.pauli_vector(c)
        k = memory.swap(b, c, 0, scripted(u))
        R = R1 @ np.diag(signs[k]) @ R2
        got = memory.pauli_vector(a)
        got = got if memory.members(a)[0] == a else got.T
        assert np.abs(got - R / R[0, 0]).max() < TIGHT
