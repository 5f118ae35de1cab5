"""Bursts are the scalar verbs one after the other, checked as a whole, without the GIL."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from qplane_cext.memory import errors
from qplane_cext.memory.core import GateNoise, QuantumMemory

from .reference import PAULI
from .scripted import scripted

N = 300
NOISE = GateNoise(0.05, 0.02, 0.1)


def generator(seed=1):
    return np.random.Generator(np.random.Philox(seed))


def memory_with_profiles(capacity=2 * N):
    memory = QuantumMemory(capacity)
    return memory, memory.profile(math.inf, 1e-3), memory.profile(1e-3, 1.2e-3, 0.1)


@pytest.mark.parametrize("which", [0, 1])
def test_a_burst_equals_its_elements(which):
    """In all but the draws: those of Bell-diagonal pairs (which = 0) are taken together."""
    results = []
    noise = NOISE if which else GateNoise(0.05, 0.02)
    for burst in (True, False):
        memory, *profiles = memory_with_profiles(4 * N)
        p, rng, other = profiles[which], generator(), generator(2)
        times = np.arange(N, dtype=np.int64) * 1000
        now = times + 10**8
        if burst:
            verbs = memory.bursts
            pairs = [verbs.create_pairs(N, times, 0.9, p, p) for _ in range(4)]
            (a, b), (c, d), (e, f), (g, h) = pairs
            swapped = verbs.swap(b, c, now, rng, noise)
            verbs.pauli(a, now, swapped, rng, 0.01)
            verbs.age(d, now, rng)
            success = verbs.distil(e, f, g, h, now, other, "dejmps", NOISE)
            fidelities = verbs.fidelity(a, d, now + 10**8)
            distilled = verbs.fidelity(e, f)
            bits = verbs.measure(a, now, rng, "X", 0.1)
            ends = verbs.measure(d, now, rng, (0.6, 0.0, 0.8))
            verbs.free(e, rng)
            left = np.array([memory.pauli_vector(int(q)) for q in f])
        else:
            pairs = [[memory.create_pair(int(t), 0.9, p, p) for t in times] for _ in range(4)]
            (ab, cd, ef, gh) = pairs
            swapped = [memory.swap(ab[i][1], cd[i][0], int(now[i]), rng, noise) for i in range(N)]
            for i in range(N):
                memory.pauli(ab[i][0], int(now[i]), swapped[i], 0.01)
                memory.age(cd[i][1], int(now[i]))
            success = [
                memory.distil(ef[i], gh[i], int(now[i]), other, "dejmps", NOISE)[0]
                for i in range(N)
            ]
            fidelities = [
                memory.fidelity(ab[i][0], cd[i][1], int(now[i]) + 10**8) for i in range(N)
            ]
            distilled = [memory.fidelity(*pair) for pair in ef]
            bits = [memory.measure(ab[i][0], int(now[i]), rng, "X", 0.1) for i in range(N)]
            ends = [memory.measure(cd[i][1], int(now[i]), rng, (0.6, 0.0, 0.8)) for i in range(N)]
            for pair in ef:
                memory.free(pair[0])
            left = np.array([memory.pauli_vector(f) for _, f in ef])
        assert memory.live == N
        drawn = (swapped, bits, ends) if which else ()
        results.append((success, fidelities, distilled, left, *drawn))
    for x, y in zip(*results, strict=True):
        assert np.allclose(
            np.asarray(x, dtype=float), np.asarray(y, dtype=float), rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("basis", ["X", "Z", (0.48, -0.6, 0.64)])
@pytest.mark.parametrize("readout", [0.0, 0.15])
def test_both_ends_at_once_have_the_joint_distribution(which, basis, readout):
    """Frequencies against the Born rule on the aged density matrix, fresh and swapped pairs."""
    n, now = 40_000, 5 * 10**8
    memory, *profiles = memory_with_profiles(4 * n)
    p, rng = profiles[which], generator(7)
    a, b = memory.bursts.create_pairs(n, 0, (0.6, 0.3, 0.05, 0.05), p, p)
    c, d = memory.bursts.create_pairs(n, 10**8, 0.9, p, p)
    k = memory.bursts.swap(b, c, 2 * 10**8, rng)
    a, d = a[k == 2], d[k == 2]
    rho = memory.density_matrix(int(a[0]), int(d[0]), now_ps=now)
    first, second = memory.bursts.measure_pairs(a, d, now, rng, basis, readout)
    assert memory.live == 2 * (n - len(a))
    axis = {"X": (1, 0, 0), "Z": (0, 0, 1)}.get(basis, basis)
    along = sum(x * s for x, s in zip(axis, PAULI[1:], strict=True))
    for i in range(2):
        for j in range(2):
            expected = 0.0
            for x, y in np.ndindex(2, 2):
                e = np.kron(np.eye(2) + (1 - 2 * x) * along, np.eye(2) + (1 - 2 * y) * along) / 4
                flips = (x != i) + (y != j)
                share = readout**flips * (1 - readout) ** (2 - flips)
                expected += share * np.trace(e @ rho).real
            seen = ((first == i) & (second == j)).mean()
            assert abs(seen - expected) < 4 * math.sqrt(expected * (1 - expected) / len(a))


def far_ends(memory, profiles, n, odd):
    """Corrected pairs, as matrices, after a burst of swaps of all sorts of ages and profiles."""
    rng, ages = generator(3), generator(4).integers(0, 10**9, (2, n))
    verbs = memory.bursts
    a, b = np.concatenate(
        [verbs.create_pairs(1, t, 0.8, profiles[i % 2], profiles[i // 2 % 2])
         for i, t in enumerate(ages[0].tolist())], axis=1)  # fmt: skip
    c, d = np.concatenate(
        [verbs.create_pairs(1, t, (0.7, 0.1, 0.15, 0.05), profiles[i // 4 % 2], profiles[0])
         for i, t in enumerate(ages[1].tolist())], axis=1)  # fmt: skip
    turned = np.arange(n) % 3 == 0
    a[turned], b[turned] = b[turned], a[turned]
    if odd:  # one pair in another form: the whole burst takes the general way
        memory.damp(int(a[-1]), int(ages[0, -1]), 0.0)
        e, f = verbs.create_pairs(1, 0, np.diag([1, 0.5, 0.1, 0.2]) + np.eye(4, k=1) * 0.01)
        g, h = verbs.create_pairs(1, 0, 1.0)
        a, b, c, d = (np.append(x, y[0]) for x, y in ((a, e), (b, f), (c, g), (d, h)))
    now = np.full(len(b), 10**9)
    k = verbs.swap(b, c, now, rng, GateNoise(0.1, 0.05))
    verbs.pauli(d, now, k, rng)
    return np.array([memory.pauli_vector(int(x)) for x in a[:n]]), k


@pytest.mark.parametrize("n", [1, 3, 64, 65, 200])
def test_lanes_give_the_states_that_the_general_way_gives(n):
    results = []
    for odd in (False, True):
        memory = QuantumMemory(3 * n + 3)
        profiles = memory.profile(math.inf, 1e-3), memory.profile(2e-3, 1e-3, 0.5)
        R, k = far_ends(memory, profiles, n, odd)
        results.append(R)
        assert len(k) == n + odd
        assert set(k.tolist()) <= {0, 1, 2, 3}
    assert np.abs(results[0] - results[1]).max() < 4e-16


@pytest.mark.parametrize("basis", ["X", "Y", "Z", (0.6, 0.0, 0.8)])
@pytest.mark.parametrize("swapped", [False, True])
def test_chances_of_a_burst_are_exact(basis, swapped):
    """The threshold of the 16 bits that decide, and of the draw that decides where they do not."""
    axis = {"X": (1, 0, 0), "Y": (0, 1, 0), "Z": (0, 0, 1)}.get(basis, basis)
    along = sum(x * s for x, s in zip(axis, PAULI[1:], strict=True))

    def run(word, value):
        memory = QuantumMemory(8)
        p = memory.profile(2e-3, 1e-3, 0.5)
        a, d = memory.bursts.create_pairs(1, 0, (0.6, 0.25, 0.1, 0.05), p, p)
        if swapped:
            c, e = memory.bursts.create_pairs(1, 10**8, 0.9, p, 0)
            memory.bursts.swap(d, c, 2 * 10**8, scripted())
            d = e
        rho = memory.density_matrix(int(a[0]), int(d[0]), now_ps=4 * 10**8)
        draws = scripted(value, words=[0, word])
        x, y = memory.bursts.measure_pairs(a, d, 4 * 10**8, draws, basis)
        return int(x[0] == y[0]), len(draws.bit_generator.values) == 0, rho

    equal, _, rho = run(0, 0.0)
    assert equal
    expected = (1 + np.trace(np.kron(along, along) @ rho).real) / 2
    whole = int(expected * 65536)
    assert run(whole - 1, 0.5)[:2] == (1, False)
    assert run(whole + 1, 0.5)[:2] == (0, False)
    low, high = 0.0, 1.0
    while high - low > 1e-10:
        middle = (low + high) / 2
        same, drawn, _ = run(whole, middle)
        assert drawn
        low, high = (middle, high) if same else (low, middle)
    assert abs((whole + low) / 65536 - expected) < 1e-12


def test_readout_errors_of_a_burst():
    n, error = 40_000, 0.2
    memory, rng = QuantumMemory(2 * n), generator(5)
    a, b = memory.bursts.create_pairs(n, 0)
    x, y = memory.bursts.measure_pairs(a, b, 0, rng, "Z", error)
    unequal = 2 * error * (1 - error)
    assert abs((x != y).mean() - unequal) < 4 * math.sqrt(unequal * (1 - unequal) / n)
    assert abs(x.mean() - 0.5) < 2 / math.sqrt(n)
    (a, b), (c, d) = (memory.bursts.create_pairs(n, 0) for _ in range(2))
    k = memory.bursts.swap(b, c, 0, rng, GateNoise(readout_error=error))
    x, y = memory.bursts.measure_pairs(a, d, 0, rng, "X")
    assert abs(((x ^ y ^ k) & 1).mean() - error) < 4 * math.sqrt(error * (1 - error) / n)
    for bit in (k & 1, k >> 1):
        assert abs(bit.mean() - 0.5) < 2 / math.sqrt(n)


def test_arrays_of_handles_that_are_held_stay_as_they_are():
    """Short bursts give an array that nobody holds any more to the next caller."""
    memory = QuantumMemory(1000)
    held = [memory.bursts.create_pairs(4, t) for t in range(30)]
    view = memory.bursts.create_pairs(4, 30)[0][1:3]
    copy = view.copy()
    for _ in range(20):
        memory.bursts.create_pairs(4, 31)
    assert len(np.unique(np.array(held))) == 30 * 2 * 4
    assert (view == copy).all()
    odd = memory.bursts.create_pairs(4, 32)[0]
    odd.flags.writeable = False
    del odd
    assert all(memory.bursts.create_pairs(4, 33)[0].flags.writeable for _ in range(20))


def test_ghz_bursts():
    memory, rng = QuantumMemory(64), generator()
    h = memory.bursts.ghz(20, 5, 0)
    assert h.shape == (20, 5)
    bits = memory.bursts.measure(h.ravel(), 0, rng, "Z").reshape(20, 5)
    assert (bits == bits[:, :1]).all()
    assert 0 < bits[:, 0].sum() < 20
    assert memory.live == 0


def test_fidelities_and_states_for_each_pair():
    memory = QuantumMemory(8)
    f = np.array([[0.3], [0.9], [1.0], [0.0]])
    a, b = memory.bursts.create_pairs(4, 0, f)
    assert np.allclose(memory.bursts.fidelity(a, b), f[:, 0], atol=1e-12)
    a, b = memory.bursts.create_pairs(2, 0, (0.1, 0.2, 0.3, 0.4))
    assert np.allclose(memory.bursts.fidelity(a, b, bell=3), 0.4, atol=1e-12)


def snapshot(memory, handles):
    return [memory.pauli_vector(int(h)).tobytes() for h in handles if memory.is_live(int(h))]


@pytest.mark.parametrize(
    ("break_it", "error", "message"),
    [
        (lambda a, b: a.__setitem__(5, b[4]), errors.QuantumMemoryError, r"right\[4\].*twice"),
        (lambda a, b: a.__setitem__(5, 77), errors.StaleHandleError, r"left\[5\]"),
        (lambda a, b: b.__setitem__(9, 0), errors.StaleHandleError, r"right\[9\]"),
        (lambda a, b: b.__setitem__(99, 2**64 - 1), errors.StaleHandleError, r"right\[99\]"),
        (lambda a, b: a.__setitem__(99, a[3]), errors.QuantumMemoryError, r"left\[99\].*twice"),
        (lambda a, b: b.__setitem__(7, a[7]), errors.QuantumMemoryError, r"right\[7\].*twice"),
    ],
)
def test_a_bad_element_changes_nothing(break_it, error, message):
    memory, p, _ = memory_with_profiles()
    (a, b), (c, d) = (memory.bursts.create_pairs(100, 0, 0.9, p, p) for _ in range(2))
    handles = np.concatenate([a, b, c, d])
    left, right = b.copy(), c.copy()
    break_it(left, right)
    before, rng = snapshot(memory, handles), generator()
    state = rng.bit_generator.state["state"]["counter"].tolist()
    with pytest.raises(error, match=message):
        memory.bursts.swap(left, right, 10**6, rng)
    assert snapshot(memory, handles) == before
    assert rng.bit_generator.state["state"]["counter"].tolist() == state
    memory.bursts.swap(b, c, 10**6, rng)  # no mark was left behind
    assert memory.live == 200
    for breaks in (a[50], c[50], 77):  # a twice, stale, nonsense; what is left is a and d
        far = d.copy()
        far[70] = breaks
        with pytest.raises(errors.QuantumMemoryError):
            memory.bursts.measure_pairs(a, far, 10**6, rng)
        near = a.copy()
        near[70] = breaks
        with pytest.raises(errors.QuantumMemoryError):
            memory.bursts.measure_pairs(near, d, 10**6, rng)
    with pytest.raises(errors.QuantumMemoryError, match="twice"):
        memory.bursts.measure_pairs(np.append(a, d[3]), np.append(d, a[3]), 10**6, rng)
    memory.bursts.measure_pairs(a, d, 10**6, rng)
    assert memory.live == 0


def test_bad_arrays_are_named():
    memory, p, _ = memory_with_profiles()
    verbs, rng = memory.bursts, generator()
    a, b = verbs.create_pairs(4, 10, 0.9, p, p)
    cases = [
        (lambda: verbs.swap(a.astype(np.int64), b, 10, rng), "left: must be a one-dim.*uint64"),
        (lambda: verbs.swap(a, b[:3], 10, rng), "right: has 3 elements, must have 4"),
        (lambda: verbs.swap(a, list(b), 10, rng), "right: must be .*list"),
        (lambda: verbs.measure(a.reshape(2, 2), 10, rng), "qubits: .*shape"),
        (lambda: verbs.measure(a, np.zeros(4), rng), "now_ps: .*int64"),
        (lambda: verbs.measure(a, np.zeros(3, dtype=np.int64), rng), "now_ps: has 3 elements"),
        (lambda: verbs.measure(a, -1, rng), "now_ps: must be a whole number"),
        (lambda: verbs.measure(a, np.full(4, -1), rng), "now_ps: has a negative"),
        (lambda: verbs.measure(a, 9, rng), r"now_ps: is before the clock of qubits\[0\], 10"),
        (lambda: verbs.measure(a, 10, None), "rng: must be"),
        (lambda: verbs.measure(a, 10, rng, "W"), "basis: must be"),
        (lambda: verbs.pauli(a, 10, np.full(4, 4, dtype=np.int8), rng), "paulis: must be 0 to 3"),
        (lambda: verbs.distil(a, a, b, b, 10, rng), r"keep_b\[0\].*twice"),
        (
            lambda: verbs.distil(a[:2], a[2:], b[:2], b[2:], 10, rng),
            "keep_a.*are not halves of pairs",
        ),
        (lambda: verbs.create_pairs(4, 0, np.full((4, 1), 1.1)), "state: .*outside"),
        (lambda: verbs.create_pairs(4, 0, math.nan), "state: must be in"),
        (lambda: verbs.create_pairs(-1, 0), "n: must be"),
        (lambda: verbs.fidelity(a, b, bell=4), "bell: must be 0 to 3"),
    ]
    cases += [
        (lambda: verbs.measure_pairs(a, np.roll(b, 1), 10, rng), "a, b: are not halves"),
        (lambda: verbs.measure_pairs(a, a, 10, rng), r"b\[0\].*twice"),
    ]
    before = snapshot(memory, a)
    for call, message in cases:
        with pytest.raises(errors.QuantumMemoryError, match=f"^{message}"):
            call()
        assert snapshot(memory, a) == before
        assert memory.live == 8


def test_a_full_memory_creates_none_of_a_burst():
    memory = QuantumMemory(100)
    memory.bursts.create_pairs(60, 0)
    with pytest.raises(errors.MemoryFullError, match="capacity 100"):
        memory.bursts.create_pairs(41, 0)
    assert memory.live == 120
    memory.bursts.create_pairs(40, 0)
    with pytest.raises(errors.MemoryFullError):
        memory.create_pair(0)


def test_empty_bursts():
    memory, none = QuantumMemory(4), np.empty(0, dtype=np.uint64)
    assert memory.bursts.create_pairs(0, 0)[0].size == 0
    assert memory.bursts.swap(none, none, 0, generator()).size == 0
    assert memory.bursts.measure(none, 0, generator()).size == 0


def test_threads_on_disjoint_handles():
    """Two threads give what each would give alone, and every slot is accounted for."""
    memory, p, q = memory_with_profiles(200_000)

    def work(seed):
        verbs, rng, out = memory.bursts, generator(seed), []
        for _ in range(20):
            (a, b), (c, d) = (verbs.create_pairs(1000, 0, 0.9, p, q) for _ in range(2))
            out.append(verbs.swap(b, c, 10**8, rng, NOISE))
            out += [verbs.measure(a, 10**8, rng), verbs.measure(d, 10**8, rng)]
        return np.concatenate(out)

    alone = [work(1), work(2)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(work, [1, 2]))
    assert all(np.array_equal(x, y) for x, y in zip(alone, together, strict=True))
    assert memory.live == 0
