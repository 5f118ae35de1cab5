"""Distillation, teleportation and dense coding against brute-force density matrices."""

import math

import numpy as np
import pytest

from qplane_cext.memory.core import GateNoise, QuantumMemory

from . import reference as ref
from .scripted import distribution, scripted
from .test_pairs import KINDS, Both, close

NOISE = (0.05, 0.03, 0.2)


def expected_distil(both, now, protocol, two, one):
    """Probabilities and states of the four (true) outcomes, by the circuit itself."""
    state = both.reference.copy()
    for name in "abcd":
        both.age_reference(state, name, now)
    if protocol == "dejmps":
        for name in "acbd":
            sign = 1 if name in "ac" else -1
            state.unitary(ref.rotation((1, 0, 0), sign * math.pi / 2), name)
            state.depolarise(one, name)
    for names in ("ac", "bd"):
        state.unitary(ref.CNOT, names)
        state.depolarise(two, names)
    outcomes = {}
    for bits in np.ndindex(2, 2):
        p, after = state.measure((0, 0, 1), bits[0], "c")
        q, after = after.measure((0, 0, 1), bits[1], "d")
        outcomes[bits] = (p * q, after)
    return outcomes


@pytest.mark.parametrize(("kind", "profiles"), KINDS)
@pytest.mark.parametrize("protocol", ["bbpssw", "dejmps", "epl"])
@pytest.mark.parametrize("noise", [(0.0, 0.0, 0.0), NOISE])
def test_distillation(kind, profiles, protocol, noise):
    two, one, readout = noise
    now = 2 * 10**8

    def run(u):
        both = Both(kind, 11, profiles)
        h = both.handles
        keep, spend = (h["a"], h["b"]), (h["c"], h["d"])
        return both, both.memory.distil(keep, spend, now, scripted(u), protocol, GateNoise(*noise))

    outcomes = expected_distil(run(0.5)[0], now, protocol, two, one)
    reported = {}
    for bits, (p, _) in outcomes.items():
        for flips in np.ndindex(2, 2):
            key = (bits[0] ^ flips[0], bits[1] ^ flips[1])
            share = p * readout ** sum(flips) * (1 - readout) ** (2 - sum(flips))
            reported[key] = reported.get(key, 0.0) + share
    got = distribution(lambda u: run(u)[1][1:], 160)
    assert close([got.get(k, 0.0) for k in reported], list(reported.values()))

    start = 0.0
    for bits, (p, after) in outcomes.items():
        u = start + p * ((1 - readout) ** 2 * 0.5 + readout if readout else 0.5)
        both, (success, bit_a, bit_b) = run(u)
        assert close(both.state("ab"), after.state("ab")), bits
        assert success == ((bit_a, bit_b) == (1, 1) if protocol == "epl" else bit_a == bit_b)
        assert not both.memory.is_live(both.handles["c"])
        assert both.memory.clock(both.handles["a"]) == now
        start += p


@pytest.mark.parametrize("protocol", ["bbpssw", "dejmps", "epl"])
def test_each_end_for_itself_is_the_same(protocol):
    """The two ends act at different times; the outcome's branch is that of the circuit."""
    both = Both("random", 12)
    h, noise = both.handles, GateNoise(0.05, 0.03, 0.0)
    bit_a = both.memory.distil_end(h["a"], h["c"], 10**8, scripted(0.3), "a", protocol, noise)
    bit_b = both.memory.distil_end(h["b"], h["d"], 2 * 10**8, scripted(0.8), "b", protocol, noise)
    state = both.reference.copy()
    for names, now, sign, bit in (("ac", 10**8, 1, bit_a), ("bd", 2 * 10**8, -1, bit_b)):
        for name in names:
            both.age_reference(state, name, now)
            if protocol == "dejmps":
                state.unitary(ref.rotation((1, 0, 0), sign * math.pi / 2), name)
                state.depolarise(0.03, name)
        state.unitary(ref.CNOT, names)
        state.depolarise(0.05, names)
        _, state = state.measure((0, 0, 1), bit, names[1])
    assert close(both.state("ab"), state.state("ab"))


def in_turn_reference(both, times, protocol, noises):
    """Probabilities and states of the true outcomes with times and noise of each end."""
    state = both.reference.copy()
    for names, now, sign, (two, one, _) in zip(("ac", "bd"), times, (1, -1), noises, strict=True):
        for name in names:
            both.age_reference(state, name, now)
            if protocol == "dejmps":
                state.unitary(ref.rotation((1, 0, 0), sign * math.pi / 2), name)
                state.depolarise(one, name)
        state.unitary(ref.CNOT, names)
        state.depolarise(two, names)
    outcomes = {}
    for bits in np.ndindex(2, 2):
        p, after = state.measure((0, 0, 1), bits[0], "c")
        q, after = after.measure((0, 0, 1), bits[1], "d")
        outcomes[bits] = (p * q, after)
    return outcomes


@pytest.mark.parametrize(("kind", "profiles"), KINDS)
@pytest.mark.parametrize("protocol", ["bbpssw", "dejmps", "epl"])
def test_one_end_after_the_other(kind, profiles, protocol):
    """End a reports before anything of end b's part is drawn; the joint statistics are exact."""
    times = 10**8, 3 * 10**8
    noises = (0.05, 0.03, 0.2), (0.02, 0.1, 0.1)

    def run(noises, *draws):
        both = Both(kind, 13, profiles)
        h = both.handles
        gates = [GateNoise(*noise) for noise in noises]
        done = both.memory.distil_in_turn(
            (h["a"], h["b"]), (h["c"], h["d"]), *times, scripted(*draws), protocol, *gates
        )
        return both, done

    outcomes = in_turn_reference(run(noises, 0.5, 0.5)[0], times, protocol, noises)
    reported = {}
    for (a, b), (p, _) in outcomes.items():
        for wrong_a, wrong_b in np.ndindex(2, 2):
            share = p * abs(1 - wrong_a - noises[0][2]) * abs(1 - wrong_b - noises[1][2])
            reported[a ^ wrong_a, b ^ wrong_b] = reported.get((a ^ wrong_a, b ^ wrong_b), 0) + share
    # One draw for a, its bit whatever the other; then one for b.
    first, draws = {}, {}
    for bit, p in distribution(lambda u: run(noises, u, 0.3)[1][1], 160).items():
        first[bit] = p
        draws[bit] = next(u / 640 for u in range(640) if run(noises, u / 640, 0.9)[1][1] == bit)
    got = {
        (a, b): first[a] * q
        for a in first
        for b, q in distribution(lambda v, a=a: run(noises, draws[a], v)[1][2], 160).items()
    }
    assert close([got.get(k, 0.0) for k in reported], list(reported.values()))

    clear = [(*noise[:2], 0.0) for noise in noises]
    for u, v in ((0.1, 0.05), (0.1, 0.97), (0.9, 0.05), (0.9, 0.97)):
        both, (success, bit_a, bit_b) = run(clear, u, v)
        assert success == ((bit_a, bit_b) == (1, 1) if protocol == "epl" else bit_a == bit_b)
        assert close(both.state("ab"), outcomes[bit_a, bit_b][1].state("ab"))
        assert (both.memory.clock(both.handles["a"]), both.memory.clock(both.handles["b"])) == times


def recurrence(protocol, fidelity, rounds):
    """Fidelity after successful rounds, each with two copies of the last round's state."""
    memory, state = QuantumMemory(16), fidelity
    history = [fidelity]
    for _ in range(rounds):
        for u in np.linspace(0, 0.999, 40):
            keep, spend = memory.create_pair(0, state), memory.create_pair(0, state)
            if memory.distil(keep, spend, 0, scripted(u), protocol)[0]:
                break
            for q in keep:
                memory.free(q)
        R = memory.pauli_vector(keep[0])
        p = [
            (1 + s @ np.diag(R)[1:]) / 4
            for s in np.array([[1, -1, 1], [-1, 1, 1], [1, 1, -1], [-1, -1, -1]])
        ]
        state = np.clip(p, 0, 1)
        history.append(memory.fidelity(*keep))
        for q in keep:
            memory.free(q)
    return history


@pytest.mark.parametrize("fidelity", [0.51, 0.6, 0.735, 0.9])
def test_repeated_dejmps_converges_to_one(fidelity):
    history = recurrence("dejmps", fidelity, 24 if fidelity < 0.55 else 12)
    assert history[-1] > 1 - 1e-6


def test_bbpssw_follows_bennetts_formula():
    """Bennett et al. 1996, equation 7, for Werner pairs of different fidelity."""
    for f1, f2 in ((0.7, 0.7), (0.9, 0.6), (0.55, 0.8)):
        b1, b2 = (1 - f1) / 3, (1 - f2) / 3
        success = f1 * f2 + f1 * b2 + b1 * f2 + 5 * b1 * b2

        def run(u, f1=f1, f2=f2):
            memory = QuantumMemory(4)
            keep, spend = memory.create_pair(0, f1), memory.create_pair(0, f2)
            ok = memory.distil(keep, spend, 0, scripted(u), "bbpssw")[0]
            return ok, round(memory.fidelity(*keep), 13)

        got = distribution(run)
        assert sum(p for (ok, _), p in got.items() if ok) == pytest.approx(success, abs=1e-12)
        fidelities = {f for (ok, f) in got if ok}
        assert max(fidelities) == pytest.approx((f1 * f2 + b1 * b2) / success, abs=1e-12)


def test_epl_makes_a_perfect_pair_of_two_with_bright_states():
    """Campbell and Benjamin 2008: rho = p |Psi+><Psi+| + (1-p) |11><11|, success p^2/2."""
    p = 0.6
    rho = p * ref.projector(ref.BELL[2]) + (1 - p) * np.diag([0, 0, 0, 1.0])

    def run(u):
        memory = QuantumMemory(4)
        keep, spend = memory.create_pair(0, rho), memory.create_pair(0, rho)
        ok = memory.distil(keep, spend, 0, scripted(u), "epl")[0]
        return ok, round(memory.fidelity(*keep, bell=2), 12)

    got = distribution(run)
    assert got[(True, 1.0)] == pytest.approx(p * p / 2, abs=1e-12)
    assert not any(ok and f < 1 for ok, f in got)


def test_pumping_stops_at_the_first_failure():
    rng = np.random.Generator(np.random.Philox(5))
    ended = set()
    for _ in range(200):
        memory = QuantumMemory(16)
        keep = memory.create_pair(0, 0.8)
        fresh = [memory.create_pair(0, 0.8) for _ in range(4)]
        rounds = memory.pump(keep, fresh, 0, rng)
        left = sum(memory.is_live(pair[0]) for pair in fresh)
        assert left == 4 - min(4, rounds + 1)
        if rounds == 4:
            assert memory.fidelity(*keep) > 0.85
        ended.add(rounds)
    assert len(ended) > 2


@pytest.mark.parametrize("noise", [(0.0, 0.0, 0.0), (0.05, 0.03, 0.0)])
def test_teleportation(noise):
    two, one, _ = noise
    rng = np.random.default_rng(13)
    pair, one_qubit = ref.random_state(rng, 2), ref.random_state(rng, 1)
    bloch = [np.trace(one_qubit @ p).real for p in ref.PAULI[1:]]

    def run(u):
        memory = QuantumMemory(8)
        a, b = memory.create_pair(0, pair)
        q = memory.create_qubit(0, bloch)
        k = memory.teleport(q, a, 0, scripted(u), GateNoise(*noise))
        memory.pauli(b, 0, k)
        return k, memory.density_matrix(b)

    state = ref.Reference(one_qubit, "q")
    state.add(pair, "ab")
    start, got = 0.0, distribution(lambda u: run(u)[0])
    for k in range(4):
        p, after = state.bell(k, "qa", two, one)
        assert got[k] == pytest.approx(p, abs=1e-12)
        correction = (ref.I2, ref.Z, ref.X, ref.X @ ref.Z)[k]
        after.unitary(correction, "b")
        assert close(run(start + p / 2)[1], after.state("b"))
        start += p


@pytest.mark.parametrize("bits", range(4))
def test_superdense_coding_over_a_perfect_pair(bits):
    memory = QuantumMemory(2)
    a, b = memory.create_pair(0)
    memory.superdense_encode(a, 0, bits)
    assert memory.superdense_decode(a, b, 0, scripted(0.7)) == bits
    assert memory.live == 0


def test_superdense_decoding_of_any_state():
    rho = ref.random_state(np.random.default_rng(14), 2)
    reference = ref.Reference(rho, "ab")

    def run(u):
        memory = QuantumMemory(2)
        a, b = memory.create_pair(0, rho)
        return memory.superdense_decode(a, b, 0, scripted(u), GateNoise(0.04, 0.02))

    got = distribution(run)
    for k in range(4):
        assert got[k] == pytest.approx(reference.bell(k, "ab", 0.04, 0.02)[0], abs=1e-12)
