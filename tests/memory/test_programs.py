"""Random programs of all verbs against world.py, which shares no formula with the memory.

After every step the memory's state of all qubits, each at its own clock, is the world's to 1e-12.
Outcomes are the memory's; the world projects on them, and an outcome must be possible there.
"""

import math

import numpy as np
import pytest

from qplane_cext.memory.core import GateNoise, QuantumMemory

from .world import AXES, BELL, SX, SY, SZ, World, idle, turn

LIMIT = 6  # qubits: density matrices of 64 x 64
PROFILES = [
    (math.inf, math.inf, 0.0),
    (math.inf, 8e-4, 0.0),
    (1e-3, 7e-4, 0.0),
    (5e-4, 1e-3, 0.25),
    (8e-4, 6e-4, 0.5),
    (1e-3, 1e-3, 1.0),
]
HALF = math.pi / 2
GATES = {
    "I": (SZ, 0.0), "X": (SX, math.pi), "Y": (SY, math.pi), "Z": (SZ, math.pi),
    "S": (SZ, HALF), "SDG": (SZ, -HALF), "SX": (SX, HALF), "SXDG": (SX, -HALF),
    "SY": (SY, HALF), "SYDG": (SY, -HALF), "H": ((SX + SZ) / math.sqrt(2), math.pi),
}  # fmt: skip
CNOT = np.eye(4, dtype=complex)[[0, 1, 3, 2]]
CZ = np.diag([1, 1, 1, -1]).astype(complex)
ALL_BITS = [[0, 0], [0, 1], [1, 0], [1, 1]]


def axis_of(matrix):
    return [np.trace(matrix @ s).real / 2 for s in (SX, SY, SZ)]


class Program:
    def __init__(self, seed, **options):
        self.r = np.random.default_rng(seed)
        self.rng = np.random.Generator(np.random.Philox(seed))
        self.memory = QuantumMemory(12, **options)
        self.profiles = [self.memory.profile(*p) for p in PROFILES]
        self.world, self.clock, self.kind, self.now = World(), {}, {}, 0
        self.burst = self.memory.bursts

    # ---- both at once ----

    def born(self, rho, handles, profiles):
        self.world.add(np.asarray(rho, dtype=complex), handles)
        for q, p in zip(handles, profiles, strict=True):
            self.clock[q], self.kind[q] = self.now, PROFILES[p]

    def aged(self, *handles):
        for q in handles:
            t = (self.now - self.clock[q]) * 1e-12
            self.world.channel(idle(t, *self.kind[q]), [q])
            self.clock[q] = self.now

    def pick(self, n):
        live = self.world.names
        return [live[i] for i in self.r.permutation(len(live))[:n]] if len(live) >= n else None

    def pair(self, other_than=()):
        live = [q for q in self.world.names if q not in other_than]
        found = [(q, self.memory.partner(q)) for q in live if self.memory.partner(q) is not None]
        return found[self.r.integers(len(found))] if found else None

    def noise(self):
        two, one = self.r.uniform(0, 0.3, 2) if self.r.random() < 0.7 else (0.0, 0.0)
        return GateNoise(two, one), two, one

    def p(self):
        return float(self.r.uniform(0, 0.4))

    def arrays(self, *handles):
        return [np.array([h], dtype=np.uint64) for h in handles]

    # ---- steps ----

    def create_pair(self):
        if len(self.world.names) > LIMIT - 2:
            return
        pa, pb = self.r.integers(len(PROFILES), size=2).tolist()
        way, k = self.r.integers(5), int(self.r.integers(4))
        f, weights = float(self.r.random()), self.r.dirichlet(np.ones(4))
        g = self.r.normal(size=(4, 4)) + 1j * self.r.normal(size=(4, 4))
        rho = g @ g.conj().T / np.trace(g @ g.conj().T)
        bell = [np.outer(b, b) for b in BELL]
        if way == 0:
            rho = f * bell[k] + (1 - f) / 3 * (np.eye(4) - bell[k])
            h = self.memory.create_pair(self.now, f, pa, pb, k)
        elif way == 1:
            rho = sum(w * b for w, b in zip(weights, bell, strict=True))
            h = self.memory.create_pair(self.now, weights, pa, pb)
        elif way == 2:
            h = self.memory.create_pair(self.now, rho, pa, pb)
        elif way == 3:
            rho = f * bell[0] + (1 - f) / 3 * (np.eye(4) - bell[0])
            h = [int(x[0]) for x in self.burst.create_pairs(1, self.now, f, pa, pb)]
        else:
            matrix = [[np.trace(rho @ np.kron(s, t)).real for t in (np.eye(2), SX, SY, SZ)]
                      for s in (np.eye(2), SX, SY, SZ)]  # fmt: skip
            matrix[0][0] = 1.0
            h = self.memory.create_pair(self.now, np.array(matrix), pa, pb)
        self.born(rho, h, (pa, pb))

    def create_qubit(self):
        if len(self.world.names) > LIMIT - 1:
            return
        v, e, k = self.r.normal(size=3), self.p(), int(self.r.integers(len(PROFILES)))
        v *= self.r.random() / np.linalg.norm(v)
        h = self.memory.create_qubit(self.now, v, k, e)
        v = (1 - 2 * e) * v
        self.born((np.eye(2) + v[0] * SX + v[1] * SY + v[2] * SZ) / 2, [h], [k])

    def create_many(self):
        n = int(self.r.integers(2, 4))
        if len(self.world.names) > LIMIT - n:
            return
        k = self.r.integers(len(PROFILES), size=n).tolist()
        way = self.r.integers(3)
        plus = np.full(2**n, 2.0 ** (-n / 2), dtype=complex)
        if way == 0:
            vector = np.zeros(2**n)
            vector[[0, -1]] = math.sqrt(0.5)
            h = self.memory.ghz(n, self.now, k, exact=True)
        elif way == 1:
            edges = [(i, i + 1) for i in range(n - 1)]
            bits = (np.arange(2**n)[:, None] >> np.arange(n - 1, -1, -1)) & 1
            vector = plus * (-1.0) ** sum(bits[:, i] * bits[:, j] for i, j in edges)
            h = self.memory.graph_state(n, edges, self.now, k, exact=True)
        else:
            vector = self.r.normal(size=2**n) + 1j * self.r.normal(size=2**n)
            vector /= np.linalg.norm(vector)
            h = self.memory.create_state(self.now, vector, k)
        self.born(np.outer(vector, vector.conj()), h, k)

    def one_qubit(self):
        if not (picked := self.pick(1)):
            return
        (q,) = picked
        self.aged(q)
        way, e = self.r.integers(10), self.p()
        if way == 0:
            name = str(self.r.choice(list(GATES)))
            matrix, angle = GATES[name]
            self.memory.gate(q, self.now, name, e)
            self.world.unitary(turn(axis_of(matrix), angle), [q])
            self.world.depolarise(e, [q])
        elif way in (1, 2):
            xz = int(self.r.integers(4))
            if way == 1:
                self.memory.pauli(q, self.now, xz, e)
            else:
                kind = np.array([xz], dtype=np.int8)
                self.burst.pauli(*self.arrays(q), self.now, kind, self.rng, e)
            for bit, s in ((xz & 1, SZ), (xz >> 1, SX)):
                if bit:
                    self.world.unitary(s, [q])
            self.world.depolarise(e, [q])
        elif way == 3:
            v, angle = self.r.normal(size=3), float(self.r.uniform(-7, 7))
            self.memory.rotate(q, self.now, v, angle, e)
            self.world.unitary(turn(v / np.linalg.norm(v), angle), [q])
            self.world.depolarise(e, [q])
        elif way == 4:
            px, py, pz = (self.r.dirichlet(np.ones(4))[:3]).tolist()
            self.memory.pauli_channel(q, self.now, px, py, pz)
            self.world.pauli_channel(px, py, pz, q)
        elif way == 5:
            self.memory.depolarise(q, self.now, e)
            self.world.depolarise(e, [q])
        elif way == 6:
            self.memory.dephase(q, self.now, e)
            self.world.pauli_channel(0, 0, e, q)
        elif way == 7:
            population = self.p()
            self.memory.damp(q, self.now, e, population)
            # for a time of ln(1/(1 - e)) in units of T1
            self.world.channel(idle(-math.log1p(-e), 1.0, 2.0, population), [q])
        elif way == 8:
            self.memory.age(q, self.now)
        else:
            self.burst.age(*self.arrays(q), self.now, self.rng)

    def two_qubits(self):
        if not (picked := self.pick(2)):
            return
        self.aged(*picked)
        e, cz = self.p(), self.r.random() < 0.5
        (self.memory.cz if cz else self.memory.cnot)(*picked, self.now, e)
        self.world.unitary(CZ if cz else CNOT, picked)
        self.world.depolarise(e, picked)

    def measure(self):
        if not (picked := self.pick(1)):
            return
        (q,) = picked
        self.aged(q)
        v = self.r.normal(size=3)
        basis = v if self.r.random() < 0.4 else str(self.r.choice(list(AXES)))
        axis = v / np.linalg.norm(v) if basis is v else AXES[basis]
        if self.r.random() < 0.5 or (basis is v and len(self.memory.members(q)) > 2):
            bit = self.memory.measure(q, self.now, self.rng, basis)
        else:
            bit = self.burst.measure(*self.arrays(q), self.now, self.rng, basis)[0]
        assert self.world.measure(axis, int(bit), q) > 1e-9

    def measure_pair(self):
        if not (pair := self.pair()):
            return
        self.aged(*pair)
        basis = str(self.r.choice(list(AXES)))
        if self.r.random() < 0.5:
            bits = self.memory.measure_pair(*pair, self.now, self.rng, basis)
        else:
            bits = [int(x[0]) for x in self.burst.measure_pairs(
                *self.arrays(*pair), self.now, self.rng, basis)]  # fmt: skip
        for q, bit in zip(pair, bits, strict=True):
            assert self.world.measure(AXES[basis], bit, q) > 1e-9

    def swap(self):
        if not (first := self.pair()) or not (second := self.pair(first)):
            return
        noise, two, one = self.noise()
        left, right = first[1], second[0]
        self.aged(left, right)
        if self.r.random() < 0.5:
            frame = int(self.r.integers(4))
            k = frame ^ self.memory.swap(left, right, self.now, self.rng, noise, frame)
        else:
            k = int(self.burst.swap(*self.arrays(left, right), self.now, self.rng, noise)[0])
        assert self.world.bell(k, [left, right], two, one, 0.0) > 1e-9
        assert self.memory.partner(first[0]) == second[1]

    def bell_measure(self):
        if not (picked := self.pick(2)):
            return
        noise, two, one = self.noise()
        self.aged(*picked)
        verb = self.memory.bell_measure if self.r.random() < 0.5 else self.memory.teleport
        k = verb(*picked, self.now, self.rng, noise)
        assert self.world.bell(k, picked, two, one, 0.0) > 1e-9

    def superdense(self):
        if not (pair := self.pair()):
            return
        bits, e = int(self.r.integers(4)), self.p()
        self.aged(pair[0])
        self.memory.superdense_encode(pair[0], self.now, bits, e)
        for bit, s in ((bits & 1, SZ), (bits >> 1, SX)):
            if bit:
                self.world.unitary(s, [pair[0]])
        self.world.depolarise(e, [pair[0]])
        if self.r.random() < 0.5:
            self.compare()
            self.aged(pair[1])
            k = self.memory.superdense_decode(*pair, self.now, self.rng)
            assert self.world.bell(k, pair, 0.0, 0.0, 0.0) > 1e-9

    def distil(self):
        if not (keep := self.pair()) or not (spend := self.pair(keep)):
            return
        noise, two, one = self.noise()
        protocol = str(self.r.choice(["bbpssw", "dejmps", "epl"]))
        self.aged(*keep, *spend)
        way = self.r.integers(4)
        if way == 0:
            success, *bits = self.memory.distil(keep, spend, self.now, self.rng, protocol, noise)
        elif way == 1:
            success, *bits = self.memory.distil_in_turn(
                keep, spend, self.now, self.now, self.rng, protocol, noise, noise)  # fmt: skip
        elif way == 2:
            bits = [
                self.memory.distil_end(k, s, self.now, self.rng, end, protocol, noise)
                for k, s, end in zip(keep, spend, "ab", strict=True)
            ]
            success = bits == [1, 1] if protocol == "epl" else bits[0] == bits[1]
        else:
            before = World()
            before.names, before.rho = list(self.world.names), self.world.rho
            rounds = self.memory.pump(keep, [spend], self.now, self.rng, protocol, noise)
            success = bool(rounds)
            bits = self.bits_of_round(before, keep, spend, protocol, two, one, success)
        assert success == (bits == [1, 1] if protocol == "epl" else bits[0] == bits[1])
        assert self.round(self.world, keep, spend, protocol, two, one, bits) > 1e-9

    def round(self, world, keep, spend, protocol, two, one, bits):
        """Both ends: [turns,] CNOT, read-out of the spent qubit."""
        chance = 1.0
        for k, s, sign, bit in zip(keep, spend, (1, -1), bits, strict=True):
            if protocol == "dejmps":
                for q in (k, s):
                    world.unitary(turn(AXES["X"], sign * HALF), [q])
                    world.depolarise(one, [q])
            world.unitary(CNOT, [k, s])
            world.depolarise(two, [k, s])
            chance *= world.measure(AXES["Z"], bit, s)
        return chance

    def bits_of_round(self, before, keep, spend, protocol, two, one, success):
        """A pump tells only whether its round succeeded: bits of that kind that fit the state."""
        found = self.memory.density_matrix(*keep)
        both = [[1, 1]] if protocol == "epl" else [[0, 0], [1, 1]]
        for bits in both if success else [b for b in ALL_BITS if b not in both]:
            world = World()
            world.names, world.rho = list(before.names), before.rho
            self.round(world, keep, spend, protocol, two, one, bits)
            if np.abs(world.state(keep) - found).max() < 1e-12:
                return bits
        raise AssertionError("no outcome of a round leaves this state")

    def discard(self):
        if not (picked := self.pick(1)):
            return
        (q,) = picked
        way = self.r.integers(4)
        if way == 0:
            self.memory.free(q)
        elif way == 1:
            self.burst.free(*self.arrays(q), self.rng)
        elif way == 2:
            self.memory.assign(q, 0, deadline_ps=self.now)
            assert self.memory.expire(self.now) == [q]
        else:
            e = self.p()
            self.memory.reset(q, self.now, e)
            self.world.drop([q])
            self.world.add(np.diag([1 - e, e]).astype(complex), [q])
            self.clock[q] = self.now
            return
        self.world.drop([q])

    # ---- comparison ----

    def compare(self):
        names = self.world.names
        assert self.memory.live == len(names)
        if not names:
            return
        rho = self.memory.density_matrix(*names) if len(names) > 1 else None
        for q in names:
            assert self.memory.clock(q) == self.clock[q]
        if rho is not None:
            assert np.abs(rho - self.world.state(names)).max() < 1e-12
        for q in names[:2]:  # blocks by themselves, and each as it would be later
            members = list(self.memory.members(q))
            later = World()
            later.names, later.rho = list(self.world.names), self.world.rho
            for p in members:
                t = (self.now + 10**8 - self.clock[p]) * 1e-12
                later.channel(idle(t, *self.kind[p]), [p])
            found = self.memory.density_matrix(q, now_ps=self.now + 10**8)
            assert np.abs(found - later.state(members)).max() < 1e-12


STEPS = [
    "create_pair", "create_pair", "create_pair", "create_qubit", "create_many", "one_qubit",
    "one_qubit", "one_qubit", "two_qubits", "measure", "measure_pair", "swap", "swap",
    "bell_measure", "superdense", "distil", "distil", "discard",
]  # fmt: skip


def run(seed, steps, **options):
    program = Program(seed, **options)
    for _ in range(steps):
        program.now += int(program.r.integers(10**8)) if program.r.random() < 0.7 else 0
        getattr(program, str(program.r.choice(STEPS)))()
        program.compare()


@pytest.mark.parametrize("exact_only", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_random_programs(seed, exact_only):
    run(1000 * exact_only + seed, 40, exact_only=exact_only)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000))
def test_many_random_programs(seed):
    run(10_000 + seed, 60, exact_only=bool(seed % 4 == 3))
