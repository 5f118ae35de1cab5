"""More than two qubits: Pauli vectors and tableaus against brute-force density matrices."""

import math
from collections import Counter

import numpy as np
import pytest

from qplane_cext.memory import errors
from qplane_cext.memory.core import GateNoise, QuantumMemory

from . import reference as ref
from .scripted import distribution, scripted
from .test_pairs import close

AXES = {"X": (1, 0, 0), "Y": (0, 1, 0), "Z": (0, 0, 1)}


def plus_graph(n, edges):
    state = ref.Reference(np.full((2**n, 2**n), 2.0**-n), "abcdefgh"[:n])
    for i, j in edges:
        state.unitary(ref.CZ, "abcdefgh"[i] + "abcdefgh"[j])
    return state


def ghz_vector(n):
    v = np.zeros(2**n)
    v[0] = v[-1] = math.sqrt(0.5)
    return v


# ---- Pauli vectors ----


def test_random_circuits_on_vectors():
    """Every verb in random order on up to five qubits, each against its Kraus operators."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        memory = QuantumMemory(16)
        profile = (1e-3, 1.5e-3, 0.1)
        p = memory.profile(*profile)
        rho = ref.random_state(rng, 3)
        h = dict(zip("abc", memory.create_state(0, rho, p), strict=True))
        pair = ref.random_state(rng, 2)
        h.update(zip("de", memory.create_pair(0, pair, p, p), strict=True))
        state = ref.Reference(rho, "abc")
        state.add(pair, "de")
        clock, now = dict.fromkeys("abcde", 0), 0
        for _ in range(12):
            now += int(rng.integers(10**8))
            names = list(h)
            q, r = rng.choice(names, 2, replace=False) if len(names) > 1 else (names[0], None)
            step = rng.integers(7)
            if step in (3, 4, 6) and r is None:
                continue
            touched = [q] if step not in (3, 4, 6) else [q, r]
            for name in touched:
                state.age((now - clock[name]) * 1e-12, *profile, name)
                clock[name] = now
            if step == 0:
                memory.rotate(h[q], now, (0.6, 0, -0.8), 0.9, 0.02)
                state.unitary(ref.rotation((0.6, 0, -0.8), 0.9), q)
                state.depolarise(0.02, q)
            elif step == 1:
                memory.damp(h[q], now, 0.2, 0.3)
                state.damp(0.2, 0.3, q)
            elif step == 2:
                memory.gate(h[q], now, "H")
                state.unitary(ref.H, q)
            elif step == 3:
                memory.cnot(h[q], h[r], now, 0.03)
                state.unitary(ref.CNOT, q + r)
                state.depolarise(0.03, q + r)
            elif step == 4:
                memory.cz(h[q], h[r], now, 0.01)
                state.unitary(ref.CZ, q + r)
                state.depolarise(0.01, q + r)
            elif step == 5:
                letter = "XYZ"[rng.integers(3)]
                bit = memory.measure(h.pop(q), now, scripted(rng.random()), letter)
                _, state = state.measure(AXES[letter], bit, q)
            else:
                k = memory.bell_measure(
                    h.pop(q), h.pop(r), now, scripted(rng.random()), GateNoise(0.02, 0.01)
                )
                _, state = state.bell(k, q + r, 0.02, 0.01)
            if not h:
                break
            assert close(memory.density_matrix(*h.values()), state.state("".join(h))), (seed, step)


@pytest.mark.parametrize("basis", ["X", "Y", "Z", (0.48, -0.6, 0.64)])
def test_measurement_probabilities_on_a_vector(basis):
    rho = ref.random_state(np.random.default_rng(1), 4)
    axis = AXES.get(basis, basis)
    expected, _ = ref.Reference(rho, "abcd").measure(axis, 1, "c")

    def run(u):
        memory = QuantumMemory(8)
        h = memory.create_state(0, rho)
        return memory.measure(h[2], 0, scripted(u), basis)

    assert distribution(run)[1] == pytest.approx(expected, abs=1e-12)


def test_bell_measurement_probabilities_across_and_within_vectors():
    rng = np.random.default_rng(2)
    left, right = ref.random_state(rng, 3), ref.random_state(rng, 2)
    state = ref.Reference(left, "abc")
    state.add(right, "de")
    for names in ("bd", "eb", "ac", "ca"):

        def run(u, names=names):
            memory = QuantumMemory(8)
            h = dict(zip("abc", memory.create_state(0, left), strict=True))
            h.update(zip("de", memory.create_state(0, right), strict=True))
            k = memory.bell_measure(h[names[0]], h[names[1]], 0, scripted(u), GateNoise(0.1, 0.05))
            rest = [q for c, q in h.items() if c not in names]
            return k, memory.density_matrix(*rest)

        start, got = 0.0, distribution(lambda u, run=run: run(u)[0])
        for k in range(4):
            p, after = state.bell(k, names, 0.1, 0.05)
            assert got[k] == pytest.approx(p, abs=1e-12)
            rest = "".join(c for c in "abcde" if c not in names)
            assert close(run(start + p / 2)[1], after.state(rest))
            start += p


def test_eight_qubits_are_exact_and_nine_are_refused():
    memory = QuantumMemory(32)
    p = memory.profile(1e-3, 2e-3)
    h = memory.ghz(8, 0, p)
    assert memory.form(h[0]) == "vector"
    before = memory.pauli_vector(h[0])
    with pytest.raises(errors.TooManyQubitsError, match="more than 8 qubits"):
        memory.ghz(9, 0, p)
    q = memory.create_qubit(0, (0.5, 0, 0), p)
    with pytest.raises(errors.TooManyQubitsError, match="more than 8 qubits"):
        memory.cnot(h[0], q, 10**6)
    assert np.array_equal(memory.pauli_vector(h[0]), before)
    assert memory.clock(h[0]) == 0
    assert memory.live == 9


# ---- tableaus: states ----


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_ghz_state(n):
    memory = QuantumMemory(8)
    rho = memory.density_matrix(*memory.ghz(n, 0))
    assert close(rho, ref.projector(ghz_vector(n)))


@pytest.mark.parametrize("exact", [False, True])
def test_graph_states(exact):
    rng = np.random.default_rng(3)
    for n in (2, 3, 4, 6):
        edges = [(i, j) for i in range(n) for j in range(i) if rng.random() < 0.6]
        memory = QuantumMemory(8)
        h = memory.graph_state(n, edges, 0, exact=exact)
        assert close(memory.density_matrix(*h), plus_graph(n, edges).state("abcdefgh"[:n]))


def test_blocks_are_the_entangled_components():
    memory = QuantumMemory(16)
    h = memory.graph_state(7, [(0, 1), (1, 2), (2, 3), (3, 4)], 0)
    assert [len(memory.members(q)) for q in h] == [5, 5, 5, 5, 5, 1, 1]
    memory.measure(h[1], 0, scripted(0.1), "Z")  # cuts the chain: 0 | 2 3 4
    assert set(memory.members(h[2])) == {h[2], h[3], h[4]}
    assert memory.members(h[0]) == (h[0],)
    memory.cz(h[2], h[3], 0)  # the edge goes again
    assert set(memory.members(h[3])) == {h[3], h[4]}
    assert memory.form(h[3]) in ("pair", "bell")
    memory.cz(h[0], h[6], 0)
    assert set(memory.members(h[0])) == {h[0], h[6]}


def test_random_clifford_circuits_on_tableaus():
    """Gates, Pauli noise of certain kind, measurement and fusion without randomness but the
    outcomes': the state must follow the reference exactly."""
    gates = {"H": ref.H, "S": ref.S, "SX": ref.rotation((1, 0, 0), math.pi / 2), "X": ref.X,
             "Y": ref.Y, "SYDG": ref.rotation((0, 1, 0), -math.pi / 2)}  # fmt: skip
    for seed in range(20):
        rng = np.random.default_rng(seed)
        memory = QuantumMemory(16)
        h = dict(zip("abc", memory.ghz(3, 0), strict=True))
        h.update(zip("efg", memory.graph_state(3, [(0, 1), (1, 2)], 0), strict=True))
        state = ref.Reference(ref.projector(ghz_vector(3)), "abc")
        state.add(plus_graph(3, [(0, 1), (1, 2)]).rho, "efg")
        for _ in range(14):
            q, r = rng.choice(list(h), 2, replace=False)
            step = rng.integers(6)
            if step == 0:
                name = rng.choice(list(gates))
                memory.gate(h[q], 0, str(name))
                state.unitary(gates[name], q)
            elif step == 1:
                memory.cnot(h[q], h[r], 0)
                state.unitary(ref.CNOT, q + r)
            elif step == 2:
                memory.cz(h[q], h[r], 0)
                state.unitary(ref.CZ, q + r)
            elif step == 3:
                memory.rotate(h[q], 0, "Y", math.pi / 2)
                state.unitary(ref.rotation((0, 1, 0), math.pi / 2), q)
            elif step == 4 and len(h) > 3:
                letter = "XYZ"[rng.integers(3)]
                bit = memory.measure(h.pop(q), 0, scripted(rng.random(), 0.5), letter)
                p, state = state.measure(AXES[letter], bit, q)
                assert p > 1e-9
            elif step == 5 and len(h) > 4:
                k = memory.bell_measure(h.pop(q), h.pop(r), 0, scripted(*rng.random(4)))
                p, state = state.bell(k, q + r)
                assert p > 1e-9
            assert close(memory.density_matrix(*h.values()), state.state("".join(h))), (seed, step)
        if memory.form(h[q] if q in h else next(iter(h.values()))) == "tableau":
            assert memory.stabilizers(next(iter(h.values())))


def test_stabilizers_carry_the_frame():
    memory = QuantumMemory(8)
    h = memory.ghz(3, 0)
    memory.pauli(h[0], 0, "Z")
    memory.pauli(h[2], 0, "X")
    assert memory.stabilizers(h[0]) == ["-XXX", "+ZZI", "-ZIZ"]
    assert memory.stabilizers(memory.create_pair(0)[0]) is None


def test_outcomes_of_a_large_graph_state_satisfy_its_stabilizers():
    """A ring of 100: X on even vertices and Z on odd ones; the product of X over even vertices'
    generators fixes each neighbourhood's parity."""
    n = 100
    rng = np.random.Generator(np.random.Philox(1))
    memory = QuantumMemory(n)
    for _ in range(5):
        h = memory.graph_state(n, [(i, (i + 1) % n) for i in range(n)], 0)
        bits = [memory.measure(h[i], 0, rng, "Z" if i % 2 else "X") for i in range(n)]
        for i in range(0, n, 2):
            assert bits[i] ^ bits[i - 1] ^ bits[(i + 1) % n] == 0
    assert memory.live == 0


def test_fusion_merges_ghz_states():
    """A Bell measurement on one qubit each of GHZ_4 and GHZ_3 leaves GHZ_5 up to Paulis."""
    for u in (0.1, 0.4, 0.6, 0.9):
        memory = QuantumMemory(16)
        a, b = memory.ghz(4, 0), memory.ghz(3, 0)
        k = memory.bell_measure(a[3], b[0], 0, scripted(u, 0.3, 0.3))
        for q in b[1:]:
            memory.pauli(q, 0, "X" if k & 2 else "I")
        memory.pauli(b[1], 0, "Z" if k & 1 else "I")
        rest = (*a[:3], *b[1:])
        assert set(memory.members(a[0])) == set(rest)
        assert close(memory.density_matrix(*rest), ref.projector(ghz_vector(5)))


def test_a_tableau_becomes_a_vector_when_it_must():
    memory = QuantumMemory(16)
    h = memory.ghz(4, 0)
    memory.rotate(h[1], 0, "X", 0.3)
    assert memory.form(h[0]) == "vector"
    state = ref.Reference(ref.projector(ghz_vector(4)), "abcd")
    state.unitary(ref.rotation((1, 0, 0), 0.3), "b")
    assert close(memory.density_matrix(*h), state.state("abcd"))
    big = memory.ghz(9, 0)
    with pytest.raises(errors.TooManyQubitsError, match="Clifford"):
        memory.rotate(big[0], 0, "X", 0.3)
    assert memory.form(big[0]) == "tableau"


def test_vectors_that_are_stabilizer_states_join_tableaus():
    """A cluster grown with CZ from single qubits: past eight qubits it is a tableau."""
    n = 12
    memory = QuantumMemory(16)
    h = [memory.create_qubit(0, (1, 0, 0)) for _ in range(n)]
    for i in range(n - 1):
        memory.cz(h[i], h[i + 1], 0)
    assert memory.form(h[0]) == "tableau"
    for i in range(0, n, 2):
        memory.measure(h[i], 0, scripted(0.5, 0.5), "Z")
    for i in range(1, n, 2):
        assert abs(memory.pauli_vector(h[i])[1]) == 1


# ---- tableaus: sampled noise, exact in distribution ----


def sampled_outcomes(make, runs, seed):
    rng = np.random.Generator(np.random.Philox(seed))
    return Counter(make(rng) for _ in range(runs))


def within_four_errors(counts, expected, runs):
    for key, p in expected.items():
        error = math.sqrt(max(p * (1 - p), 1e-12) / runs)
        assert abs(counts.get(key, 0) / runs - p) < 4 * error + 1e-9, (key, p)
    assert sum(counts.values()) == runs


@pytest.mark.parametrize(
    "profile", [(1e-3, 1e-3, 0.0), (1e-3, 6e-4, 0.0), (1e-3, 1.5e-3, 0.4), (1e-3, 2e-3, 0.5)]
)
@pytest.mark.parametrize("bases", ["ZZZ", "XXX", "YXZ"])
def test_ageing_of_a_tableau_is_exact_in_distribution(profile, bases):
    times = (2 * 10**8, 5 * 10**8, 9 * 10**8)
    memory = QuantumMemory(16, seed=1)
    p = memory.profile(*profile)

    def run(rng):
        h = memory.ghz(3, 0, p)
        assert memory.form(h[0]) == "tableau"
        return tuple(memory.measure(q, t, rng, b) for q, t, b in zip(h, times, bases, strict=True))

    state = ref.Reference(ref.projector(ghz_vector(3)), "abc")
    for name, t in zip("abc", times, strict=True):
        state.age(t * 1e-12, *profile, name)
    expected = {}
    for bits in np.ndindex(2, 2, 2):
        probability, after = 1.0, state
        for name, b, bit in zip("abc", bases, bits, strict=True):
            q, after = after.measure(AXES[b], bit, name)
            probability *= q
            if probability < 1e-15:
                break
        expected[bits] = probability
    runs = 6000
    within_four_errors(sampled_outcomes(run, runs, 2), expected, runs)
    assert memory.live == 0


def test_gate_noise_on_tableaus_is_exact_in_distribution():
    memory = QuantumMemory(16, seed=3)

    def run(rng):
        a, b = memory.ghz(3, 0), memory.ghz(3, 0)
        memory.cnot(a[0], b[0], 0, 0.3)
        memory.gate(a[1], 0, "H", 0.2)
        memory.pauli_channel(b[1], 0, 0.1, 0.2, 0.05)
        k = memory.bell_measure(a[2], b[2], 0, rng, GateNoise(0.2, 0.1, 0.1))
        bits = [
            memory.measure(q, 0, rng, c) for q, c in zip((a[0], b[0], b[1]), "XZX", strict=True)
        ]
        memory.free(a[1])
        return k, *bits

    state = ref.Reference(ref.projector(ghz_vector(3)), "abc")
    state.add(ref.projector(ghz_vector(3)), "def")
    state.unitary(ref.CNOT, "ad")
    state.depolarise(0.3, "ad")
    state.unitary(ref.H, "b")
    state.depolarise(0.2, "b")
    weights = zip((0.65, 0.1, 0.2, 0.05), ref.PAULI, strict=True)
    state.kraus([math.sqrt(w) * p for w, p in weights], "e")
    expected: dict = Counter()
    for k in range(4):
        p, after = state.bell(k, "cf", 0.2, 0.1)
        for flips in np.ndindex(2, 2):
            share = 0.1 ** sum(flips) * 0.9 ** (2 - sum(flips))
            for bits in np.ndindex(2, 2, 2):
                q, rest = p, after
                for name, b, bit in zip("ade", "XZX", bits, strict=True):
                    step, rest = rest.measure(AXES[b], bit, name)
                    q *= step
                expected[(k ^ flips[0] ^ (2 * flips[1]), *bits)] += q * share
    runs = 8000
    within_four_errors(sampled_outcomes(run, runs, 4), expected, runs)


def test_noisy_pairs_and_qubits_join_tableaus_in_distribution():
    memory = QuantumMemory(16, seed=5)

    def run(rng):
        g = memory.ghz(3, 0)
        a, b = memory.create_pair(0, (0.5, 0.2, 0.2, 0.1))
        q = memory.create_qubit(0, (0.3, -0.2, 0.4))
        memory.cnot(g[0], a, 0)
        memory.cz(q, g[1], 0)
        return tuple(
            memory.measure(x, 0, rng, c) for x, c in zip((*g, a, b, q), "XYZYXX", strict=True)
        )

    state = ref.Reference(ref.projector(ghz_vector(3)), "abc")
    pair = sum(w * ref.projector(v) for w, v in zip((0.5, 0.2, 0.2, 0.1), ref.BELL, strict=True))
    state.add(pair, "de")
    state.add((ref.I2 + 0.3 * ref.X - 0.2 * ref.Y + 0.4 * ref.Z) / 2, "f")
    state.unitary(ref.CNOT, "ad")
    state.unitary(ref.CZ, "fb")
    expected = {}
    for bits in np.ndindex(*(2,) * 6):
        operator = np.ones((1, 1))
        for c, bit in zip("XYZYXX", bits, strict=True):
            sigma = dict(zip("XYZ", ref.PAULI[1:], strict=True))[c]
            operator = np.kron(operator, (ref.I2 + (1 - 2 * bit) * sigma) / 2)
        expected[bits] = np.trace(operator @ state.rho).real
    runs = 8000
    within_four_errors(sampled_outcomes(run, runs, 6), expected, runs)


def test_reset_and_discard_on_a_tableau():
    memory = QuantumMemory(16, seed=7)
    ones = 0
    for _ in range(4000):
        h = memory.ghz(4, 0)
        memory.free(h[0])
        memory.reset(h[1], 0)
        assert close(memory.density_matrix(h[1]), np.diag([1, 0]))
        bits = [memory.measure(q, 0, scripted(0.3, 0.3), "Z") for q in h[2:]]
        assert bits[0] == bits[1]
        ones += bits[0]
        memory.free(h[1])
    assert abs(ones / 4000 - 0.5) < 4 * 0.5 / math.sqrt(4000)


def test_twirled_profile_allows_many_qubits():
    memory = QuantumMemory(64)
    exact, twirled = memory.profile(1e-3, 2e-3), memory.profile(1e-3, 2e-3, twirl=True)
    with pytest.raises(errors.TooManyQubitsError, match="twirl=True"):
        memory.ghz(20, 0, exact)
    h = memory.ghz(20, 0, twirled)
    memory.age(h[0], 10**9)
    assert memory.form(h[0]) in ("tableau", "one")


def test_a_tableau_of_many_qubits_refuses_noise_that_cannot_be_sampled():
    memory = QuantumMemory(64)
    h = memory.ghz(20, 0)
    with pytest.raises(errors.TooManyQubitsError, match="damping"):
        memory.damp(h[0], 0, 0.1)
    assert memory.stabilizers(h[0])[0] == "+" + "X" * 20
    memory.damp(h[0], 0, 0.1, twirl=True)


# ---- vectors split into their components ----


def sizes(memory, handles):
    """The sizes of the blocks that these qubits are in, each block once."""
    return sorted(len(m) for m in {frozenset(memory.members(q)) for q in handles})


@pytest.mark.parametrize("n", [3, 5, 8])
def test_a_measured_vector_falls_apart_where_the_state_does(n):
    for basis, left in (("Z", [1] * (n - 1)), ("X", [n - 1])):
        memory, rng = QuantumMemory(16), np.random.Generator(np.random.Philox(1))
        h = memory.ghz(n, 0, exact=True)
        memory.measure(h[n // 2], 0, rng, basis)
        rest = [q for q in h if memory.is_live(q)]
        assert sizes(memory, rest) == left
        for q in h:
            if memory.is_live(q):
                memory.free(q)
        assert memory.live == 0


def test_vectors_split_where_gates_disentangle_them():
    rng = np.random.Generator(np.random.Philox(5))
    rho, sigma = ref.random_state(rng, 2), ref.random_state(rng, 3)
    memory = QuantumMemory(8)
    a, b = memory.create_state(0, rho)
    c, d, e = memory.create_state(0, sigma)
    memory.cnot(b, d, 0)
    assert sizes(memory, (a, b, c, d, e)) == [5]
    memory.cnot(b, d, 0)
    assert sizes(memory, (a, b, c, d, e)) == [2, 3]
    assert close(memory.density_matrix(a, b), rho)
    assert close(memory.density_matrix(c, d, e), sigma)
    assert memory.form(a) == "pair"
    a, b = memory.create_pair(0)
    memory.cnot(a, b, 0)
    assert sizes(memory, (a, b)) == [1, 1]
    memory.cnot(a, b, 0)
    assert memory.fidelity(a, b) == pytest.approx(1, abs=1e-12)


def test_states_without_correlations_of_two_qubits_stay_together():
    """A ring of five has generators of three letters; two cuts leave lines of two and three."""
    memory = QuantumMemory(8)
    h = memory.graph_state(5, [(k, (k + 1) % 5) for k in range(5)], 0, exact=True)
    memory.cz(h[0], h[1], 0)
    assert sizes(memory, h) == [5]
    before = memory.density_matrix(*h)
    memory.cz(h[0], h[1], 0)
    assert sizes(memory, h) == [5]
    memory.cz(h[0], h[1], 0)
    memory.cz(h[2], h[3], 0)
    assert sizes(memory, h) == [2, 3]
    memory.cz(h[0], h[1], 0)
    memory.cz(h[2], h[3], 0)
    assert sizes(memory, h) == [5]
    state = ref.Reference(before, "abcde")
    state.unitary(ref.CZ, "ab")
    assert close(memory.density_matrix(*h), state.rho)


def test_bell_measurement_and_reset_split_vectors():
    memory, rng = QuantumMemory(16), np.random.Generator(np.random.Philox(2))
    h = memory.ghz(4, 0, exact=True)
    memory.bell_measure(h[0], h[1], 0, rng)  # ZZ is known, XX leaves the others a GHZ pair
    assert sizes(memory, h[2:]) == [2]
    g = memory.graph_state(5, [(0, 1), (1, 2), (2, 3), (3, 4)], 0, exact=True)
    memory.reset(g[2], 0)  # to discard it is to measure it along X, Y or Z and to forget
    left = [q for q in g if memory.is_live(q)]
    assert sizes(memory, left) == [1, 4]  # XX of its neighbours' far sides is still known
    memory.reset(g[1], 0)
    assert sizes(memory, left) == [1, 1, 1, 2]
