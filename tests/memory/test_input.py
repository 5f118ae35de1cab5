"""Bad input: one message that names the argument, and nothing changed."""

import math

import numpy as np
import pytest

from qplane_cext.memory import errors
from qplane_cext.memory.core import GateNoise, QuantumMemory

RNG = np.random.Generator(np.random.Philox(1))


@pytest.fixture
def world():
    memory = QuantumMemory(4)
    p = memory.profile(1e-3, 1e-3)
    a, b = memory.create_pair(100, 0.9, p, p)
    c, d = memory.create_pair(100, 0.8, p, p)
    gone = memory.create_qubit(0)
    memory.free(gone)
    return memory, dict(a=a, b=b, c=c, d=d, gone=gone)


CASES = [
    (r"spend\[1\]\[0\]: 0x", lambda m, h: m.pump(
        (h["a"], h["b"]), [(h["c"], h["d"]), (h["gone"], 5)], 200, RNG)),
    (r"spend\[1\]: .* is used twice", lambda m, h: m.pump(
        (h["a"], h["b"]), [(h["c"], h["d"])] * 2, 200, RNG)),
    ("now_b_ps: is before the clock of keep", lambda m, h: m.distil_in_turn(
        (h["a"], h["b"]), (h["c"], h["d"]), 200, 99, RNG)),
    ("keep, spend: must be two handles", lambda m, h: m.distil(h["a"], h["b"], 200, RNG)),
    ("spend: must be pairs of two", lambda m, h: m.pump((h["a"], h["b"]), [1], 200, RNG)),
    (r"protocol: must be.*not \['epl'\]", lambda m, h: m.distil((1, 2), (3, 4), 200, RNG, ["epl"])),
    ("node: must be 0 to 0, not 'x'", lambda m, h: m.measure(h["a"], 200, RNG, node="x")),
    ("capacity: must be 1 to", lambda m, h: QuantumMemory(1.5)),
    ("seed: must be a whole number", lambda m, h: QuantumMemory(seed="x")),
    ("edges: must be pairs", lambda m, h: m.graph_state(3, zip([0, 1], [1, 3], strict=True), 0)),
    ("state: shape", lambda m, h: m.create_pair(0, np.array([0.9]))),
    ("state: must be in", lambda m, h: m.create_pair(0, 1.01)),
    ("state: must be in", lambda m, h: m.create_pair(0, -0.1)),
    ("state: must be in", lambda m, h: m.create_pair(0, math.nan)),
    ("state: must be in", lambda m, h: m.create_pair(0, math.inf)),
    ("state: four probabilities", lambda m, h: m.create_pair(0, (0.5, 0.5, 0.5, 0.5))),
    ("state: four probabilities", lambda m, h: m.create_pair(0, (1.5, -0.5, 0, 0))),
    ("state: shape", lambda m, h: m.create_pair(0, np.eye(3))),
    ("state: has dtype", lambda m, h: m.create_pair(0, "good")),
    ("state: a real 4x4 matrix is", lambda m, h: m.create_pair(0, np.eye(4) / 4)),
    ("state: is not a two-qubit", lambda m, h: m.create_pair(0, np.diag([1.0, 1, 1, 1]))),
    ("state: trace", lambda m, h: m.create_pair(0, np.eye(4) + 0j)),
    ("bell: must be 0 to 3", lambda m, h: m.create_pair(0, 0.9, bell=4)),
    ("profile_a: 9 is not a profile", lambda m, h: m.create_pair(0, 0.9, 9)),
    ("profile_b: -1 is not a profile", lambda m, h: m.create_pair(0, 0.9, 0, -1)),
    ("now_ps: must be a whole", lambda m, h: m.create_pair(-1)),
    ("now_ps: must be a whole", lambda m, h: m.create_pair(1.5)),
    ("now_ps: must be a whole", lambda m, h: m.create_pair(2**63)),
    ("now_ps: must be a whole", lambda m, h: m.measure(h["a"], math.nan, RNG)),
    ("now_ps: must be a whole", lambda m, h: m.age(h["a"], None)),
    ("t1_s: must be a time", lambda m, h: m.profile(0, 1)),
    ("t1_s: must be a time", lambda m, h: m.profile(math.nan, 1)),
    ("t2_s: must be a time", lambda m, h: m.profile(1, -1)),
    ("t2_s: 2.1 is above 2", lambda m, h: m.profile(1, 2.1)),
    ("t2_s: inf is above 2", lambda m, h: m.profile(1)),
    ("population: must be in", lambda m, h: m.profile(1, 1, 1.5)),
    ("now_ps: 99 is before the clock of qubit", lambda m, h: m.measure(h["a"], 99, RNG)),
    ("now_ps: 99 is before the clock of left", lambda m, h: m.swap(h["b"], h["c"], 99, RNG)),
    ("now_ps: 99 is before the clock of qubit", lambda m, h: m.age(h["a"], 99)),
    ("now_ps: 99 is before the clock of qubit", lambda m, h: m.pauli(h["a"], 99, "X")),
    ("now_ps: 99 is before the clock of a", lambda m, h: m.fidelity(h["a"], h["b"], 99)),
    ("qubit: 0x", lambda m, h: m.measure(h["gone"], 200, RNG)),
    ("qubit: 0x", lambda m, h: m.free(h["gone"])),
    ("qubit: 0x", lambda m, h: m.rotate(h["gone"], 200, "X", 1.0)),
    ("qubit: 0x", lambda m, h: m.reset(h["gone"], 200)),
    ("qubit: 0x", lambda m, h: m.clock(0)),
    ("right: 0x", lambda m, h: m.swap(h["b"], h["gone"], 200, RNG)),
    ("left: 0x", lambda m, h: m.swap(12345, h["b"], 200, RNG)),
    ("target: 0x", lambda m, h: m.cnot(h["b"], h["gone"], 200)),
    ("spend: 0x", lambda m, h: m.distil_end(h["b"], h["gone"], 200, RNG, "a")),
    (r"spend\[1\]: 0x", lambda m, h: m.distil(
        (h["a"], h["b"]), (h["c"], h["gone"]), 200, RNG)),
    ("qubit: must be a handle", lambda m, h: m.measure("a", 200, RNG)),
    ("qubit: must be a handle", lambda m, h: m.measure(-5, 200, RNG)),
    ("qubit: must be a handle", lambda m, h: m.measure(1.0, 200, RNG)),
    ("qubit: must be a handle", lambda m, h: m.measure(2**64, 200, RNG)),
    ("a, b: are not the halves", lambda m, h: m.measure_pair(h["a"], h["c"], 200, RNG)),
    ("a, b: must name different", lambda m, h: m.measure_pair(h["a"], h["a"], 200, RNG)),
    ("b: 0x", lambda m, h: m.measure_pair(h["a"], h["gone"], 200, RNG)),
    ("now_ps: 99 is before the clock of a", lambda m, h: m.measure_pair(h["a"], h["b"], 99, RNG)),
    ("readout_error: must be in", lambda m, h: m.measure_pair(
        h["a"], h["b"], 200, RNG, "X", -0.1)),
    ("left, right: must be halves", lambda m, h: m.swap(h["a"], h["b"], 200, RNG)),
    ("left, right: must name different", lambda m, h: m.swap(h["a"], h["a"], 200, RNG)),
    ("first, second: must name different", lambda m, h: m.cz(h["a"], h["a"], 200)),
    ("keep, spend: must be two different", lambda m, h: m.distil(
        (h["a"], h["c"]), (h["b"], h["d"]), 200, RNG)),
    ("keep, spend: must be two handles", lambda m, h: m.distil(
        (h["a"],), (h["c"], h["d"]), 200, RNG)),
    ("protocol: must be", lambda m, h: m.distil(
        (h["a"], h["b"]), (h["c"], h["d"]), 200, RNG, "magic")),
    ("end: must be", lambda m, h: m.distil_end(h["a"], h["c"], 200, RNG, "c")),
    ("a, b: are not the halves", lambda m, h: m.fidelity(h["a"], h["c"])),
    ("rng: must be", lambda m, h: m.measure(h["a"], 200, None)),
    ("rng: must be", lambda m, h: m.swap(h["b"], h["c"], 200, 42)),
    ("basis: must be", lambda m, h: m.measure(h["a"], 200, RNG, "Q")),
    ("basis: must be a vector of finite", lambda m, h: m.measure(h["a"], 200, RNG, (0, 0, 0))),
    ("basis: must be a vector of finite", lambda m, h: m.measure(
        h["a"], 200, RNG, (math.nan, 0, 1))),
    ("readout_error: must be in", lambda m, h: m.measure(h["a"], 200, RNG, "Z", 1.1)),
    ("error: must be in", lambda m, h: m.pauli(h["a"], 200, "X", -0.1)),
    ("error: must be a number", lambda m, h: m.cnot(h["a"], h["c"], 200, "lots")),
    ("pauli: must be", lambda m, h: m.pauli(h["a"], 200, "Q")),
    ("pauli: must be", lambda m, h: m.pauli(h["a"], 200, 4)),
    ("name: must be one of", lambda m, h: m.gate(h["a"], 200, "T")),
    ("angle_rad: must be finite", lambda m, h: m.rotate(h["a"], 200, "X", math.inf)),
    ("px: must be in", lambda m, h: m.pauli_channel(h["a"], 200, 1.5, 0, 0)),
    ("px, py, pz: their sum", lambda m, h: m.pauli_channel(h["a"], 200, 0.5, 0.5, 0.5)),
    ("p: must be in", lambda m, h: m.dephase(h["a"], 200, 2.0)),
    ("gamma: must be in", lambda m, h: m.damp(h["a"], 200, -1.0)),
    ("frame: must be 0 to 3", lambda m, h: m.swap(h["b"], h["c"], 200, RNG, frame=4)),
    ("bits: must be 0 to 3", lambda m, h: m.superdense_encode(h["a"], 200, 4)),
    ("two_qubit_error: must be in", lambda m, h: GateNoise(1.5)),
    ("readout_error: must be in", lambda m, h: GateNoise(readout_error=math.nan)),
    ("state: is longer than 1", lambda m, h: m.create_qubit(0, (1, 1, 0))),
    ("state: must be a Bloch", lambda m, h: m.create_qubit(0, (1, 0))),
    ("state: shape", lambda m, h: m.create_state(0, np.eye(3) / 3)),
    ("state: has the eigenvalue", lambda m, h: m.create_state(0, np.diag([1.5, -0.5]))),
    ("profiles: 2 given for 3", lambda m, h: m.ghz(3, 0, (0, 0))),
    ("n: must be 2 to", lambda m, h: m.ghz(1, 0)),
    ("n: must be 2 to", lambda m, h: m.ghz(10**9, 0)),
    ("edges: must be pairs", lambda m, h: m.graph_state(3, [(0, 3)], 0)),
    ("edges: must be pairs", lambda m, h: m.graph_state(3, [(1, 1)], 0)),
    ("edges: must be pairs", lambda m, h: m.graph_state(3, [(0.5, 1)], 0)),
    ("edges: must be pairs", lambda m, h: m.graph_state(3, 7, 0)),
    ("capacity: must be", lambda m, h: QuantumMemory(0)),
    ("node: must be 0 to 0", lambda m, h: m.assign(h["a"], 1)),
    ("purpose: must be", lambda m, h: m.assign(h["a"], 0, 70000)),
    ("deadline_ps: must be", lambda m, h: m.assign(h["a"], 0, deadline_ps=-1)),
    ("qubits: none given", lambda m, h: m.density_matrix()),
    (r"now_ps: 99 is before the clock of members\[0\]", lambda m, h: m.density_matrix(
        h["a"], h["b"], now_ps=99)),
    ("now_ps: must be a whole", lambda m, h: m.density_matrix(h["a"], now_ps="soon")),
    (r"now_ps: 99 is before the clock of members\[0\]", lambda m, h: m.pauli_vector(h["a"], 99)),
    ("qubits: none given", lambda m, h: m.to_qutip()),
    (r"qubits\[1\]: 0x", lambda m, h: m.to_qutip(h["a"], h["gone"])),
    ("qubits: must name different", lambda m, h: m.density_matrix(h["a"], h["a"])),
    ("memory: no slot is left", lambda m, h: m.ghz(5, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("message", "call"), CASES)
def test_bad_input_is_named_and_changes_nothing(world, message, call):
    memory, h = world
    live = [h[c] for c in "abcd"]
    before = [(memory.pauli_vector(q).tobytes(), memory.clock(q)) for q in live]
    draws = RNG.bit_generator.state
    with pytest.raises(errors.QuantumMemoryError, match=f"^{message}"):
        call(memory, h)
    assert [(memory.pauli_vector(q).tobytes(), memory.clock(q)) for q in live] == before
    assert memory.live == 4
    assert str(RNG.bit_generator.state) == str(draws)


def test_numbers_of_any_kind_are_fidelities_and_any_iterable_has_edges():
    memory = QuantumMemory(16)
    for state in (1, np.float32(0.5), np.float64(0.5), np.array(0.5), np.int64(1)):
        assert memory.fidelity(*memory.create_pair(0, state)) == pytest.approx(float(state))
    ours = memory.graph_state(3, zip([0, 1], [1, 2], strict=True), 0)
    assert memory.stabilizers(ours[0]) == memory.stabilizers(
        memory.graph_state(3, np.array([[0, 1], [1, 2]]), 0)[0]
    )
    assert memory.graph_state(2, [], 0)
    assert repr(QuantumMemory(7)) == "QuantumMemory(7), 0 live qubits"
