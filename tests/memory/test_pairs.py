"""One- and two-qubit states against brute-force density matrices, to 1e-12."""

import math

import numpy as np
import pytest

from qplane_cext.memory import errors
from qplane_cext.memory.core import GateNoise, QuantumMemory

from . import reference as ref
from .scripted import distribution, scripted

TOLERANCE = 1e-12
# T1, T2 in seconds, equilibrium population; the last two keep a Bell-diagonal pair one
PROFILES = [
    (1e-3, 5e-4, 0.0),
    (1e-3, 2e-3, 0.0),
    (2e-3, 3e-3, 0.2),
    (1e-3, 8e-4, 0.5),
    (1e6, 7e-4, 0.0),
    (math.inf, 7e-4, 0.0),
]
BELL_DIAGONAL = np.array([0.7, 0.15, 0.1, 0.05])


def bell_mixture(p):
    return sum(w * ref.projector(b) for w, b in zip(p, ref.BELL, strict=True))


def close(a, b):
    return np.abs(np.asarray(a) - np.asarray(b)).max() < TOLERANCE


def t1_of(profile):
    return 1e30 if math.isinf(profile[0]) else profile[0]


class Both:
    """The same pairs in the memory and in the reference: pair 0 is qubits a, b; pair 1 is c, d."""

    def __init__(self, kind, seed=0, profiles=(PROFILES[0], PROFILES[2]), exact_only=False):
        rng = np.random.default_rng(seed)
        self.memory = QuantumMemory(64, exact_only=exact_only)
        self.reference = ref.Reference()
        self.profiles = {}
        self.handles = {}
        for pair in ("ab", "cd"):
            if kind == "random":
                state = ref.random_state(rng, 2)
            else:
                state = bell_mixture(rng.dirichlet(np.ones(4)))
            index = [self.memory.profile(*p) for p in profiles]
            given = (
                state
                if kind == "random"
                else np.array([np.trace(state @ ref.projector(b)).real for b in ref.BELL])
            )
            given = given / given.sum() if kind != "random" else given
            h = self.memory.create_pair(0, given, *index)
            self.handles.update(zip(pair, h, strict=True))
            self.profiles.update(zip(pair, profiles, strict=True))
            self.reference.add(state, pair)
        self.clock = dict.fromkeys("abcd", 0)

    def age_reference(self, reference, name, now_ps):
        _, t2, population = self.profiles[name]
        reference.age(
            (now_ps - self.clock[name]) * 1e-12, t1_of(self.profiles[name]), t2, population, name
        )

    def state(self, names):
        return self.memory.density_matrix(*(self.handles[c] for c in names))


KINDS = [
    ("random", (PROFILES[0], PROFILES[2])),
    ("random", (PROFILES[3], PROFILES[5])),
    ("bell", (PROFILES[1], PROFILES[4])),
    ("bell", (PROFILES[3], PROFILES[5])),  # stays Bell-diagonal
]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("kind", ["random", "bell"])
def test_ageing_acts_on_one_half_and_composes(kind, profile):
    both = Both(kind, 1, (profile, profile))
    both.memory.age(both.handles["a"], 3 * 10**8)
    both.age_reference(both.reference, "a", 3 * 10**8)
    assert close(both.state("ab"), both.reference.state("ab"))
    assert both.memory.clock(both.handles["b"]) == 0
    both.memory.age(both.handles["b"], 10**8)
    both.memory.age(both.handles["b"], 7 * 10**8)  # in two steps
    both.age_reference(both.reference, "b", 7 * 10**8)
    assert close(both.state("ab"), both.reference.state("ab"))
    assert [both.memory.clock(both.handles[c]) for c in "abcd"] == [3 * 10**8, 7 * 10**8, 0, 0]


def test_a_pair_created_at_time_zero_ages():
    memory = QuantumMemory(4)
    p = memory.profile(1e-3, 1e-3)
    a, b = memory.create_pair(0, 1.0, p, p)
    assert memory.fidelity(a, b, 10**9) < 0.7


@pytest.mark.parametrize(("kind", "profiles"), KINDS)
@pytest.mark.parametrize("noise", [(0.0, 0.0, 0.0), (0.08, 0.05, 0.3)])
def test_swap(kind, profiles, noise):
    two, one, readout = noise
    now = 4 * 10**8

    def run(u):
        both = Both(kind, 2, profiles)
        return both, both.memory.swap(
            both.handles["b"], both.handles["c"], now, scripted(u), GateNoise(*noise)
        )

    both, _ = run(0.5)
    expected = both.reference.copy()
    for name in "bc":
        both.age_reference(expected, name, now)
    outcomes = [expected.bell(k, "bc", two, one) for k in range(4)]
    reported = np.zeros(4)
    for k, (p, _) in enumerate(outcomes):
        for flip in range(4):
            flips = bin(flip).count("1")
            reported[k ^ flip] += p * readout**flips * (1 - readout) ** (2 - flips)
    got = distribution(lambda u: run(u)[1])
    assert close([got.get(k, 0.0) for k in range(4)], reported)

    edges = np.cumsum([p for p, _ in outcomes])
    for k, (p, after) in enumerate(outcomes):  # the state follows the true outcome
        both, _ = run(edges[k] - p / 2)
        assert close(both.state("ad"), after.state("ad"))
        assert both.memory.partner(both.handles["a"]) == both.handles["d"]
        assert [both.memory.clock(both.handles[c]) for c in "ad"] == [0, 0]
        assert not both.memory.is_live(both.handles["b"])


@pytest.mark.parametrize("names", ["ad", "da", "bd", "ca"])
def test_swap_of_any_halves_in_any_order(names):
    both = Both("random", 3)
    left, right = names
    k = both.memory.swap(both.handles[left], both.handles[right], 0, scripted(0.6))
    _, after = both.reference.bell(k, names)
    rest = "".join(c for c in "abcd" if c not in names)
    assert close(both.state(rest), after.state(rest))


@pytest.mark.parametrize(("kind", "profiles"), KINDS)
@pytest.mark.parametrize("basis", ["X", "Y", "Z", (0.48, -0.6, 0.64)])
@pytest.mark.parametrize("name", ["a", "b"])
def test_measurement_collapses_the_partner(kind, profiles, basis, name):
    axis = {"X": (1, 0, 0), "Y": (0, 1, 0), "Z": (0, 0, 1)}.get(basis, basis)
    now, readout = 3 * 10**8, 0.2

    def run(u):
        both = Both(kind, 4, profiles)
        return both, both.memory.measure(both.handles[name], now, scripted(u), basis, readout)

    both, _ = run(0.5)
    expected = both.reference.copy()
    both.age_reference(expected, name, now)
    p0, after0 = expected.measure(axis, 0, name)
    p1, after1 = expected.measure(axis, 1, name)
    got = distribution(lambda u: run(u)[1])
    assert close(got.get(0, 0.0), p0 * (1 - readout) + p1 * readout)
    other = "b" if name == "a" else "a"
    for u, after in ((p0 / 2, after0), (p0 + p1 / 2, after1)):
        both, _ = run(u)
        assert close(both.state(other), after.state(other))
        # what is left is one qubit: it ages and is measured as one
        partner = both.handles[other]
        assert both.memory.partner(partner) is None
        both.age_reference(after, other, 9 * 10**8)
        assert close(both.memory.density_matrix(partner, now_ps=9 * 10**8), after.state(other))
        bit = both.memory.measure(partner, 9 * 10**8, scripted(0.0), (0.6, 0.0, 0.8))
        assert bit == 0
        assert both.memory.live == 2


@pytest.mark.parametrize(("kind", "profiles"), KINDS)
@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize(
    ("verb", "arguments", "operators"),
    [
        ("pauli", ("X",), [ref.X]),
        ("pauli", (3,), [ref.Y]),
        ("pauli", (1,), [ref.Z]),
        ("gate", ("H",), [ref.H]),
        ("gate", ("S",), [ref.S]),
        ("gate", ("SDG",), [ref.S.conj()]),
        ("gate", ("SX",), [ref.rotation((1, 0, 0), math.pi / 2)]),
        ("gate", ("SXDG",), [ref.rotation((1, 0, 0), -math.pi / 2)]),
        ("gate", ("SY",), [ref.rotation((0, 1, 0), math.pi / 2)]),
        ("gate", ("SYDG",), [ref.rotation((0, 1, 0), -math.pi / 2)]),
        ("gate", ("Y",), [ref.Y]),
        ("rotate", ("Z", 0.7), [ref.rotation((0, 0, 1), 0.7)]),
        ("rotate", ((0.6, 0.0, 0.8), -1.1), [ref.rotation((0.6, 0, 0.8), -1.1)]),
        ("dephase", (0.2,), [math.sqrt(0.8) * ref.I2, math.sqrt(0.2) * ref.Z]),
        (
            "pauli_channel",
            (0.1, 0.2, 0.3),
            [math.sqrt(p) * m for p, m in zip((0.4, 0.1, 0.2, 0.3), ref.PAULI, strict=True)],
        ),
    ],
)
def test_gates_and_channels(kind, profiles, name, verb, arguments, operators):
    now = 2 * 10**8
    both = Both(kind, 5, profiles)
    getattr(both.memory, verb)(both.handles[name], now, *arguments)
    both.age_reference(both.reference, name, now)
    both.reference.kraus(operators, name)
    assert close(both.state("ab"), both.reference.state("ab"))
    assert both.memory.clock(both.handles[name]) == now


@pytest.mark.parametrize(("kind", "profiles"), KINDS)
def test_depolarising_damping_and_gate_error(kind, profiles):
    both = Both(kind, 6, profiles)
    both.memory.depolarise(both.handles["a"], 0, 0.1)
    both.reference.depolarise(0.1, "a")
    both.memory.gate(both.handles["b"], 0, "H", 0.05)
    both.reference.unitary(ref.H, "b")
    both.reference.depolarise(0.05, "b")
    both.memory.damp(both.handles["a"], 0, 0.3, 0.25)
    both.reference.damp(0.3, 0.25, "a")
    both.memory.pauli(both.handles["b"], 0, "X", 0.02)
    both.reference.unitary(ref.X, "b")
    both.reference.depolarise(0.02, "b")
    assert close(both.state("ab"), both.reference.state("ab"))


def test_twirled_damping_is_the_pauli_twirl():
    both = Both("random", 7)
    both.memory.damp(both.handles["a"], 0, 0.3, 0.0, twirl=True)
    twirled = np.zeros((4, 4), dtype=complex)
    for p in ref.PAULI:
        part = both.reference.copy()
        part.unitary(p, "a")
        part.damp(0.3, 0.0, "a")
        part.unitary(p, "a")
        twirled += part.state("ab") / 4
    assert close(both.state("ab"), twirled)


@pytest.mark.parametrize(("kind", "profiles"), KINDS)
def test_discarding_and_reset_leave_the_reduced_state(kind, profiles):
    both = Both(kind, 8, profiles)
    both.memory.free(both.handles["a"])
    assert close(both.state("b"), both.reference.state("b"))
    both.memory.reset(both.handles["c"], 10**6, 0.1)
    assert close(both.state("c"), np.diag([0.9, 0.1]))
    assert close(both.state("d"), both.reference.state("d"))
    assert both.memory.live == 3


def test_the_choice_of_form_is_invisible():
    """The same calls with and without the Bell-diagonal record, compared to 1e-12."""
    rng = np.random.default_rng(9)
    for case in range(40):
        profiles = (PROFILES[3], PROFILES[5]) if case % 2 else (PROFILES[0], PROFILES[5])
        fast, exact = (Both("bell", case, profiles, exact_only=e) for e in (False, True))
        now = 0
        alive = list("abcd")
        for _ in range(8):
            now += int(rng.integers(10**8))
            step, name, u = rng.integers(4), rng.choice(alive), rng.random()
            for both in (fast, exact):
                h = both.handles
                if step == 0:
                    both.memory.pauli(h[name], now, int(u * 4), 0.01)
                elif step == 1:
                    both.memory.age(h[name], now)
                elif step == 2:
                    both.memory.gate(h[name], now, "H" if u < 0.3 else "Z")
                elif step == 3 and len(alive) == 4 and u < 0.5:
                    noise = GateNoise(0.01, 0.02, 0.03)
                    both.result = both.memory.swap(h["b"], h["c"], now, scripted(u), noise)
            if step == 3 and len(alive) == 4 and u < 0.5:
                assert fast.result == exact.result
                alive = list("ad")
        names = "".join(alive)
        assert exact.memory.form(exact.handles[alive[0]]) == "pair"
        assert close(fast.state(names), exact.state(names))


def test_forms_of_a_pair():
    memory = QuantumMemory(8)
    pauli, other = memory.profile(math.inf, 1e-3), memory.profile(1e-3, 1e-3)
    assert memory.form(memory.create_pair(0, 0.9, pauli, pauli)[0]) == "bell"
    assert memory.form(memory.create_pair(0, 0.9, pauli, other)[0]) == "pair"
    a, _ = memory.create_pair(0, BELL_DIAGONAL, pauli, 0)
    memory.gate(a, 10**6, "H")
    assert memory.form(a) == "pair"


@pytest.mark.parametrize("form", ["compact", "split", "aged", "exact"])
@pytest.mark.parametrize("basis", ["X", (0.48, -0.6, 0.64)])
@pytest.mark.parametrize("readout", [0.0, 0.2])
def test_both_ends_of_a_pair_have_the_joint_probabilities(form, basis, readout):
    """The Born rule on the aged density matrix, for every way in which a pair is held."""
    now = 4 * 10**8

    def pair(u=0.3):
        memory = QuantumMemory(8, exact_only=form == "exact")
        p, q = memory.profile(math.inf, 7e-4), memory.profile(1e-3, 8e-4, 0.5)
        a, b = memory.create_pair(0, BELL_DIAGONAL, p, q)
        if form == "split":
            c, d = memory.create_pair(10**8, 0.9, q, p)
            assert memory.swap(b, c, 2 * 10**8, scripted(u)) == 1
            b = d
        elif form == "aged":
            memory.age(b, 10**8)
        return memory, a, b

    def run(u):
        memory, a, b = pair()
        draws = scripted(u) if form in ("compact", "split") else scripted(u, second)
        bits = memory.measure_pair(a, b, now, draws, basis, readout)
        assert memory.live == 0
        return bits

    memory, a, b = pair()
    rho = memory.density_matrix(a, b, now_ps=now)
    axis = {"X": (1, 0, 0)}.get(basis, basis)
    along = sum(x * s for x, s in zip(axis, ref.PAULI[1:], strict=True))
    expected = np.zeros((2, 2))
    for x, y in np.ndindex(2, 2):
        e = np.kron(np.eye(2) + (1 - 2 * x) * along, np.eye(2) + (1 - 2 * y) * along) / 4
        for i, j in np.ndindex(2, 2):
            flips = (x != i) + (y != j)
            share = readout**flips * (1 - readout) ** (2 - flips)
            expected[i, j] += share * np.trace(e @ rho).real
    if form in ("compact", "split"):  # one draw decides everything
        second = 0.0
        got = distribution(run)
        assert close([[got[i, j] for j in (0, 1)] for i in (0, 1)], expected)
        return
    for second in (0.1, 0.9):  # noqa: B007 (run() reads it); one draw an end: the first end's is checked here
        got = distribution(run)
        first = [sum(p for (i, _), p in got.items() if i == k) for k in (0, 1)]
        assert close(first, expected.sum(axis=1))
    for u in (0.1, 0.9):  # the same bits as from two measurements
        second, (memory, a, b) = 0.55, pair()
        draws = scripted(u, second)
        alone = tuple(memory.measure(q, now, draws, basis, readout) for q in (a, b))
        assert run(u) == alone


def test_a_swapped_pair_stays_bell_diagonal_and_frees_its_slots():
    """A chain of swaps in both directions, in a memory that has room for nothing else."""
    rng = np.random.Generator(np.random.Philox(5))
    memory, exact = QuantumMemory(4), QuantumMemory(4, exact_only=True)
    for m in (memory, exact):
        p = m.profile(math.inf, 1e-3)
        rng = np.random.Generator(np.random.Philox(5))
        for _ in range(20):
            ends = [m.create_pair(k * 10**6, 0.95, p, p) for k in range(4)]
            (a, b), (c, d), (e, f), (g, h) = ends
            frame = m.swap(b, c, 10**7, rng) ^ m.swap(f, g, 2 * 10**7, rng)
            m.age(d, 3 * 10**7)
            frame ^= m.swap(e, d, 4 * 10**7, rng)
            assert m.form(a) == ("pair" if m is exact else "bell")
            assert m.partner(h) == a
            assert m.clock(a) == 0
            m.pauli(h, 5 * 10**7, frame)
            with pytest.raises(errors.StaleHandleError):
                m.clock(b)
            state = m.density_matrix(a, h, now_ps=10**8)
            if m is memory:
                expected = state
            m.free(a)
            m.free(h)
            assert m.live == 0
    assert close(state, expected)


def test_times_beyond_the_compact_clock():
    memory = QuantumMemory(8)
    p = memory.profile(math.inf, 1e5)
    start = 2**56 + 12345
    a, b = memory.create_pair(start, 0.9, p, p)
    assert memory.clock(a) == start
    assert memory.fidelity(a, b, start) == pytest.approx(0.9, abs=TOLERANCE)
    for start in (2**62, 2**55 - 1, 2**54, 2**54 - 1, 2**48 - 1, 2**48, 1):
        a, b = memory.create_pair(start, 0.9, p, p)
        assert memory.clock(a) == memory.clock(b) == start


@pytest.mark.parametrize("start", [2**53 - 5, 2**53, 2**53 + 1, 2**62, 2**63 - 1 - 10**9])
@pytest.mark.parametrize("burst", [False, True])
def test_clocks_beyond_what_a_record_has_room_for_count_on_to_a_picosecond(start, burst):
    """A record's common clock has 53 bits; pairs created later, and qubits that live on across the
    boundary, age by the same differences, to the last time that there is."""
    memory, rng = QuantumMemory(64), np.random.Generator(np.random.Philox(3))
    slot = memory.profile(2e-3, 1e-3)
    early = max(0, start - 10**6)

    def pair(now):
        if not burst:
            return memory.create_pair(now, 0.9, slot, slot)
        return tuple(int(h[0]) for h in memory.bursts.create_pairs(1, now, 0.9, slot, slot))

    a, b = pair(early)
    c, d = pair(start)
    assert [memory.clock(h) for h in (a, b, c, d)] == [early, early, start, start]
    w, age_s = (4 * 0.9 - 1) / 3, 1e-3
    end = start + 10**9  # a millisecond on
    held = memory.pauli_vector(c, end)
    e2, e1 = math.exp(-age_s / 1e-3), math.exp(-age_s / 2e-3)
    assert held[1, 1] == pytest.approx(w * e2 * e2, abs=1e-12)
    assert held[3, 3] == pytest.approx(w * e1 * e1 + (1 - e1) ** 2, abs=1e-12)
    with pytest.raises(errors.ClockError, match="before the clock"):
        memory.age(c, start - 1)
    if burst:
        left, right = (np.array([h], dtype=np.uint64) for h in (b, c))
        memory.bursts.swap(left, right, end, rng)
    else:
        memory.swap(b, c, end, rng)
    assert memory.partner(a) == d
    assert (memory.clock(a), memory.clock(d)) == (early, start)
    memory.age(a, end)
    assert memory.clock(a) == end
    if end < 2**63 - 1:
        memory.age(d, 2**63 - 1)
        assert memory.clock(d) == 2**63 - 1
