"""Random call sequences: states stay states, and every slot is accounted for.

``python tests/memory/test_stateful.py 1000000`` makes a million calls of the same rules, drawn by a
plain random generator, which is many times as fast as Hypothesis.
"""

import argparse
import math
import random
import time

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from qplane_cext.memory import errors
from qplane_cext.memory.core import GateNoise, QuantumMemory

INDEX = st.integers(0, 10**6)
STEP = st.integers(0, 10**8)
PROBABILITY = st.floats(0, 1)


class Memory(RuleBasedStateMachine):
    """Qubits in a list; indices are taken modulo its length, so that every call can be made."""

    calls = 0  # of all runs

    @initialize(seed=st.integers(0, 1000))
    def start(self, seed):
        self.scale = 1 if seed % 25 else 20  # some memories are large, and so are their bursts
        self.memory = QuantumMemory(24 * self.scale, seed=seed)
        self.rng = np.random.Generator(np.random.Philox(seed))
        self.profiles = [
            0,
            self.memory.profile(math.inf, 1e-4),
            self.memory.profile(1e-4, 1e-4),
            self.memory.profile(1e-4, 2e-4, 0.3),
        ]
        self.live, self.dead, self.now, self.refused = [], [], 0, 0

    def pick(self, i):
        return self.live[i % len(self.live)]

    def gone(self, *handles):
        for h in handles:
            self.live.remove(h)
            self.dead.append(h)

    def attempt(self, call, *arguments):
        """The call's result; None where it would need too large an exact state."""
        try:
            return True, call(*arguments)
        except (errors.TooManyQubitsError, errors.MemoryFullError):
            self.refused += 1
            return False, None

    @rule(dt=STEP)
    def wait(self, dt):
        self.now += dt

    @rule(f=PROBABILITY, pa=INDEX, pb=INDEX, bell=st.integers(0, 3))
    def pair(self, f, pa, pb, bell):
        p = self.profiles
        ok, h = self.attempt(self.memory.create_pair, self.now, f, p[pa % 4], p[pb % 4], bell)
        self.live += h if ok else ()

    @rule(p=INDEX, angle=st.floats(0, 7))
    def one(self, p, angle):
        bloch = (math.sin(angle), 0, math.cos(angle))
        ok, h = self.attempt(self.memory.create_qubit, self.now, bloch, self.profiles[p % 4])
        self.live += [h] if ok else []

    @rule(n=st.integers(2, 6), p=INDEX)
    def ghz(self, n, p):
        ok, h = self.attempt(self.memory.ghz, n, self.now, self.profiles[p % 4])
        self.live += h if ok else ()

    @precondition(lambda self: self.live)
    @rule(i=INDEX, name=st.sampled_from(["H", "S", "SX", "X", "Z"]), e=PROBABILITY)
    def gate(self, i, name, e):
        self.attempt(self.memory.gate, self.pick(i), self.now, name, e)

    @precondition(lambda self: self.live)
    @rule(i=INDEX, angle=st.floats(-4, 4))
    def rotate(self, i, angle):
        self.attempt(self.memory.rotate, self.pick(i), self.now, "Y", angle)

    @precondition(lambda self: self.live)
    @rule(i=INDEX, g=PROBABILITY, pop=PROBABILITY)
    def damp(self, i, g, pop):
        self.attempt(self.memory.damp, self.pick(i), self.now, g, pop)

    @precondition(lambda self: len(self.live) > 1)
    @rule(i=INDEX, j=INDEX, e=PROBABILITY, cz=st.booleans())
    def two(self, i, j, e, cz):
        a, b = self.pick(i), self.pick(j)
        if a != b:
            self.attempt(self.memory.cz if cz else self.memory.cnot, a, b, self.now, e)

    @precondition(lambda self: len(self.live) > 1)
    @rule(i=INDEX, j=INDEX, e=PROBABILITY)
    def bell(self, i, j, e):
        a, b = self.pick(i), self.pick(j)
        noise = GateNoise(e, e / 2, e / 3)
        if a != b and self.attempt(self.memory.bell_measure, a, b, self.now, self.rng, noise)[0]:
            self.gone(a, b)

    @precondition(lambda self: self.live)
    @rule(i=INDEX, basis=st.sampled_from(["X", "Y", "Z", (0.6, 0.0, 0.8)]), e=PROBABILITY)
    def measure(self, i, basis, e):
        q = self.pick(i)
        if self.attempt(self.memory.measure, q, self.now, self.rng, basis, e)[0]:
            self.gone(q)

    def pairs(self):
        """The halves of all pairs, each pair once."""
        seen, found = set(), []
        for q in self.live:
            p = None if q in seen else self.memory.partner(q)
            if p is not None:
                seen.add(p)
                found.append((q, p))
        return found

    @precondition(lambda self: self.pairs())
    @rule(i=INDEX, basis=st.sampled_from(["X", "Z", (0.6, 0.0, 0.8)]), e=PROBABILITY)
    def both_ends(self, i, basis, e):
        a, b = self.pairs()[i % len(self.pairs())]
        self.memory.measure_pair(a, b, self.now, self.rng, basis, e)
        self.gone(a, b)

    @precondition(lambda self: len(self.pairs()) > 1)
    @rule(i=INDEX, e=PROBABILITY, turned=st.booleans())
    def swap(self, i, e, turned):
        pairs = self.pairs()
        (a, b), (c, d) = pairs[i % len(pairs)], pairs[(i + 1) % len(pairs)]
        left, right = (a, d) if turned else (b, c)
        self.memory.swap(left, right, self.now, self.rng, GateNoise(e, e, e))
        self.gone(left, right)

    @precondition(lambda self: len(self.pairs()) > 1)
    @rule(i=INDEX, e=PROBABILITY, protocol=st.sampled_from(["bbpssw", "dejmps", "epl"]))
    def distil(self, i, e, protocol):
        pairs = self.pairs()
        keep, spend = pairs[i % len(pairs)], pairs[(i + 1) % len(pairs)]
        self.memory.distil(keep, spend, self.now, self.rng, protocol, GateNoise(e, e, e))
        self.gone(*spend)

    @precondition(lambda self: self.live)
    @rule(i=INDEX)
    def age(self, i):
        self.attempt(self.memory.age, self.pick(i), self.now)

    @precondition(lambda self: self.live)
    @rule(i=INDEX, step=st.integers(1, 4))
    def age_burst(self, i, step):
        some = np.array(self.live[i % len(self.live) :: step], dtype=np.uint64)
        self.attempt(self.memory.bursts.age, some, self.now, self.rng)

    @precondition(lambda self: self.live)
    @rule(i=INDEX, step=st.integers(1, 4), e=PROBABILITY)
    def measure_burst(self, i, step, e):
        some = self.live[i % len(self.live) :: step]
        array = np.array(some, dtype=np.uint64)
        if self.attempt(self.memory.bursts.measure, array, self.now, self.rng, "X", e)[0]:
            self.gone(*some)

    @precondition(lambda self: len(self.pairs()) > 1)
    @rule(i=INDEX, e=PROBABILITY)
    def swap_burst(self, i, e):
        """Neighbours in the list of pairs are swapped, some of them through the pair between."""
        pairs = self.pairs()[i % len(self.pairs()) :]
        left = np.array([b for _, b in pairs[:-1]], dtype=np.uint64)
        right = np.array([a for a, _ in pairs[1:]], dtype=np.uint64)
        self.memory.bursts.swap(left, right, self.now, self.rng, GateNoise(e, e, e))
        self.gone(*left.tolist(), *right.tolist())

    @precondition(lambda self: self.pairs())
    @rule(i=INDEX, e=PROBABILITY)
    def both_ends_burst(self, i, e):
        pairs = np.array(self.pairs()[i % len(self.pairs()) :], dtype=np.uint64)
        a, b = np.ascontiguousarray(pairs.T)
        self.memory.bursts.measure_pairs(a, b, self.now, self.rng, "Y", e)
        self.gone(*pairs.ravel().tolist())

    @rule(n=st.integers(0, 6), f=PROBABILITY, p=INDEX)
    def pair_burst(self, n, f, p):
        index = self.profiles[p % 4]
        create = self.memory.bursts.create_pairs
        ok, h = self.attempt(create, n * self.scale, self.now, f, index, index)
        self.live += np.stack(h, axis=1).ravel().tolist() if ok else []

    @precondition(lambda self: self.live)
    @rule(i=INDEX)
    def twice(self, i):
        """An operand that is there twice is refused, and nothing has happened to the others."""
        array = np.array([*self.live, self.pick(i)], dtype=np.uint64)
        try:
            self.memory.bursts.free(array, self.rng)
        except errors.QuantumMemoryError:
            return
        raise AssertionError("a handle was taken twice")

    @precondition(lambda self: self.live)
    @rule(i=INDEX, e=PROBABILITY)
    def reset(self, i, e):
        self.memory.reset(self.pick(i), self.now, e)

    @precondition(lambda self: self.live)
    @rule(i=INDEX)
    def free(self, i):
        q = self.pick(i)
        self.memory.free(q)
        self.gone(q)

    @precondition(lambda self: self.live)
    @rule(i=INDEX, dt=STEP)
    def deadline(self, i, dt):
        self.memory.assign(self.pick(i), 0, deadline_ps=self.now + dt)

    @rule()
    def expire(self):
        self.gone(*self.memory.expire(self.now))

    @precondition(lambda self: self.dead)
    @rule(i=INDEX)
    def stale(self, i):
        try:
            self.memory.measure(self.dead[i % len(self.dead)], self.now, self.rng)
        except errors.StaleHandleError:
            return
        raise AssertionError("a stale handle was taken")

    @invariant()
    def every_slot_is_accounted_for(self):
        Memory.calls += 1
        if hasattr(self, "memory"):
            assert self.memory.live == len(self.live)
            assert all(self.memory.is_live(q) for q in self.live)

    def teardown(self):
        if not hasattr(self, "memory"):
            return
        seen = set()
        for q in self.live:
            members = self.memory.members(q)
            assert q in members
            if members[0] in seen or len(members) > 5:
                continue
            seen.add(members[0])
            R = self.memory.pauli_vector(q)
            assert np.abs(R).max() <= 1 + 1e-9
            eigenvalues = np.linalg.eigvalsh(self.memory.density_matrix(q))
            assert eigenvalues.min() > -1e-9
            assert abs(eigenvalues.sum() - 1) < 1e-9
        for q in list(self.live):
            self.memory.free(q)
        assert self.memory.live == 0


TestMemory = Memory.TestCase
TestMemory.settings = settings(
    max_examples=60,
    stateful_step_count=60,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


BASES = ("X", "Y", "Z", (0.6, 0.0, 0.8))
DRAWS = {  # how the driver draws the arguments of a rule, by their names
    **dict.fromkeys(("i", "j", "p", "pa", "pb"), lambda r: r.randrange(10**6)),
    **dict.fromkeys(("e", "f", "g", "pop"), lambda r: r.choice((0.0, 1.0, r.random(), r.random()))),
    **dict.fromkeys(("cz", "turned"), lambda r: r.random() < 0.5),
    "dt": lambda r: r.randrange(10**8),
    "n": lambda r: r.randrange(2, 7),
    "step": lambda r: r.randrange(1, 5),
    "angle": lambda r: r.uniform(-4, 4),
    "bell": lambda r: r.randrange(4),
    "basis": lambda r: r.choice(BASES),
    "name": lambda r: r.choice(("H", "S", "SX", "X", "Z")),
    "protocol": lambda r: r.choice(("bbpssw", "dejmps", "epl")),
}


def run(rules, r, steps):
    """One life of a memory: its calls."""
    machine = Memory()
    machine.start(r.randrange(1000))
    for _ in range(steps):
        chosen = r.choice(rules)
        if all(holds(machine) for holds in chosen.preconditions):
            chosen.function(machine, **{name: DRAWS[name](r) for name in chosen.arguments})
            machine.every_slot_is_accounted_for()
    machine.teardown()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("calls", type=int, help="number of calls to make, at least")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rules, start, told, life = Memory().rules, time.monotonic(), 0, 0
    while Memory.calls < options.calls:
        life += 1
        try:
            run(rules, random.Random(f"{options.seed} {life}"), 80)
        except BaseException:
            print(f"in life {life} of --seed {options.seed}", flush=True)
            raise
        if Memory.calls >= told + 50_000:
            told = Memory.calls
            print(f"{told} calls, {time.monotonic() - start:.0f} s", flush=True)


def test_the_plain_driver_knows_every_rule():
    for life in range(20):
        run(Memory().rules, random.Random(life), 80)


if __name__ == "__main__":
    main()
