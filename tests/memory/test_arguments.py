"""Every verb times every argument times every wrong value: one message that names the argument, and
nothing has changed."""

import ast
import functools
import math
from pathlib import Path

import numpy as np
import pytest

import qplane_cext.memory as package
from qplane_cext.memory import errors
from qplane_cext.memory.core import QuantumMemory

STALE = object()  # stands for a freed qubit

HANDLES = ["a", None, 1.5, -1, 2**64, 0, 12345, STALE, [1], math.nan]
TIMES = [None, "now", 1.5, -1, 2**63, math.nan, math.inf, [1, 2], 99]
CHANCES = [None, "x", -0.1, 1.1, math.nan, math.inf, [0.5], 1j]
GENERATORS = [None, 42, "x", np.random.RandomState(1), np.random.Philox(1)]
BASES = [None, "Q", "", 7, (0, 0, 0), (1, 0), (math.nan, 0, 1), (math.inf, 0, 0), "XYZZ"]
INDICES = [None, 4, -1, 1.5, "x", 2**70]
NODES = [2**70, -1, "x", 1.5, 9]
PROFILES = [None, 9, -1, 1.5, "x", 2**70]
SECONDS = [None, "x", 0, 0.0, -1, math.nan, -math.inf, 1j]
COUNTS = [None, 0, -1, 1.5, "x", 2**70]
PROTOCOLS = [None, "magic", 3, ["epl"]]
NOISES = ["x", 0.1, (0.1, 0.1, 0.1)]
STATES = [None, "x", 1.1, -0.1, math.nan, (0.5, 0.5, 0.5, 0.5), (1.5, -0.5, 0, 0), np.eye(3),
          np.eye(4), np.eye(4) + 0j, np.array([0.9]), np.full((4, 4), math.nan),
          np.full((4, 4), math.nan + 0j), [[1, 0], [0]]]  # fmt: skip
DENSITIES = [None, "x", np.eye(3) / 3, np.diag([1.5, -0.5]), np.eye(2), np.zeros(2), [1, 1, 1],
             np.full((2, 2), math.nan), np.array([[0.5, 1], [0, 0.5]]), [[1, 0], [0]],
             np.ones(512) / math.sqrt(512)]  # fmt: skip
HANDLE_ARRAYS = [None, 5, "x", [1, 2], np.zeros(2), np.zeros((2, 2), dtype=np.uint64),
                 np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.uint64),
                 np.full(2, 2**63, dtype=np.uint64), STALE]  # fmt: skip
TIME_ARRAYS = [None, "x", 1.5, -1, 2**63, np.zeros(2), np.zeros(3, dtype=np.int64),
               np.array([200, -1]), np.zeros((2, 1), dtype=np.int64), np.array([200, 99]),
               np.zeros(2, dtype=np.uint64), 99]  # fmt: skip

# Per verb: the arguments of a right call (names of qubits are put in), and what is wrong for each.
q = {"qubit": HANDLES, "now_ps": TIMES}
gate = {**q, "error": CHANCES, "node": NODES}
both = {"now_ps": TIMES, "rng": GENERATORS, "noise": NOISES, "node": NODES}
VERBS = {
    "profile": ((1.0, 1.0), {"t1_s": SECONDS, "t2_s": [*SECONDS, 2.1, math.inf],
                             "population": CHANCES}),
    "create_pair": ((200,), {"now_ps": TIMES[:-1], "state": STATES, "profile_a": PROFILES,
                             "profile_b": PROFILES, "bell": INDICES}),
    "create_qubit": ((200,), {"now_ps": TIMES[:-1], "profile": PROFILES, "error": CHANCES,
                              "state": [
        None, "xyz", 1.0, (1, 0), (1, 1, 0), (math.nan, 0, 0), (0, 0, 0, 1)]}),
    "create_state": ((200, np.eye(2) / 2), {"now_ps": TIMES[:-1], "state": DENSITIES,
                                            "profiles": [*PROFILES, (0, 0), (9,)]}),
    "ghz": ((3, 200), {"n": [*COUNTS, 1, 4097], "now_ps": TIMES[:-1],
                       "profiles": [*PROFILES, (0, 0), (0, 0, 9)]}),
    "graph_state": ((3, [(0, 1)], 200), {"n": [*COUNTS, 4097], "now_ps": TIMES[:-1], "edges": [
        None, 7, "ab", [(0, 3)], [(1, 1)], [(0.5, 1)], [(0, 1, 2)], [(0,)], [(-1, 0)],
        [(0, 1), (2,)]], "profiles": [*PROFILES, (0, 0), (0, 0, 9)]}),
    "age": (("a", 200), q),
    "pauli": (("a", 200, "X"), {**gate, "pauli": [None, "Q", 4, -1, 1.5, [1], 2**70]}),
    "gate": (("a", 200, "H"), {**gate, "name": [None, "T", 3, ["H"], "h"]}),
    "rotate": (("a", 200, "X", 0.5), {**gate, "axis": BASES, "angle_rad": [
        None, "x", math.nan, math.inf, 1j, [1]]}),
    "cnot": (("a", "c", 200), {"control": HANDLES, "target": HANDLES, "now_ps": TIMES,
                               "error": CHANCES, "node": NODES}),
    "cz": (("a", "c", 200), {"first": HANDLES, "second": HANDLES, "now_ps": TIMES,
                             "error": CHANCES, "node": NODES}),
    "pauli_channel": (("a", 200, 0.1, 0.1, 0.1), {**q, "px": [*CHANCES, 0.9], "py": CHANCES,
                                                  "pz": CHANCES}),
    "depolarise": (("a", 200, 0.1), {**q, "p": CHANCES}),
    "dephase": (("a", 200, 0.1), {**q, "p": CHANCES}),
    "damp": (("a", 200, 0.1), {**q, "gamma": CHANCES, "population": CHANCES}),
    "measure": (("a", 200, "rng"), {**q, "rng": GENERATORS, "basis": BASES,
                                    "readout_error": CHANCES, "node": NODES}),
    "measure_pair": (("a", "b", 200, "rng"), {"a": HANDLES, "b": HANDLES, "now_ps": TIMES,
                                              "rng": GENERATORS, "basis": BASES,
                                              "readout_error": CHANCES, "node": NODES}),
    "swap": (("b", "c", 200, "rng"), {"left": HANDLES, "right": HANDLES, **both,
                                      "frame": INDICES}),
    "bell_measure": (("b", "c", 200, "rng"), {"left": HANDLES, "right": HANDLES, **both}),
    "teleport": (("b", "c", 200, "rng"), {"qubit": HANDLES, "half": HANDLES, **both}),
    "superdense_encode": (("a", 200, 1), {"half": HANDLES, "now_ps": TIMES, "bits": INDICES,
                                          "error": CHANCES, "node": NODES}),
    "superdense_decode": (("a", "b", 200, "rng"), {"half": HANDLES, "received": HANDLES, **both}),
    "distil": ((("a", "b"), ("c", "d"), 200, "rng"), {
        "keep": [None, 5, (1,), (1, 2, 3), ("a", 1), (STALE, 5), (None, None)],
        "spend": [None, 5, (1,), (1, 2, 3), ("a", 1), (STALE, 5), (None, None)],
        "now_ps": TIMES, "rng": GENERATORS, "protocol": PROTOCOLS, "noise": NOISES}),
    "distil_end": (("a", "c", 200, "rng", "a"), {
        "keep": HANDLES, "spend": HANDLES, "now_ps": TIMES, "rng": GENERATORS,
        "end": [None, "c", 3, ["a"]], "protocol": PROTOCOLS, "noise": NOISES}),
    "distil_in_turn": ((("a", "b"), ("c", "d"), 200, 200, "rng"), {
        "keep": [None, 5, (1,), (1, 2, 3), ("a", 1), (STALE, 5), (None, None)],
        "spend": [None, 5, (1,), (1, 2, 3), ("a", 1), (STALE, 5), (None, None)],
        "now_a_ps": TIMES, "now_b_ps": TIMES, "rng": GENERATORS, "protocol": PROTOCOLS,
        "noise_a": NOISES, "noise_b": NOISES}),
    "pump": ((("a", "b"), [("c", "d")], 200, "rng"), {
        "keep": [None, 5, (1,), (1, 2, 3), ("a", 1), (STALE, 5)],
        "spend": [None, 5, [5], [(1,)], [(STALE, 5)]],
        "now_ps": TIMES, "rng": GENERATORS, "protocol": PROTOCOLS, "noise": NOISES}),
    "reset": (("a", 200), gate),
    "free": (("a",), {"qubit": HANDLES, "node": NODES}),
    "add_node": ((3,), {"slots": COUNTS}),
    "assign": (("a", 0), {"qubit": HANDLES, "node": [None, *NODES], "purpose": [
        None, -1, 65536, 1.5, "x"], "slice": [None, -1, 65536, 1.5, "x"], "deadline_ps": [
        "x", -1, 1.5, 2**63, math.nan]}),
    "slot": (("a",), {"qubit": HANDLES}),
    "expire": ((200,), {"now_ps": TIMES[:-1]}),
    "fidelity": (("a", "b"), {"a": HANDLES, "b": HANDLES, "now_ps": TIMES[1:], "bell": INDICES,
                              "b_now_ps": TIMES[1:]}),
    "members": (("a",), {"qubit": HANDLES}),
    "pauli_vector": (("a",), {"qubit": HANDLES, "now_ps": TIMES[1:]}),
    "stabilizers": (("a",), {"qubit": HANDLES}),
    "form": (("a",), {"qubit": HANDLES}),
    "partner": (("a",), {"qubit": HANDLES}),
    "clock": (("a",), {"qubit": HANDLES}),
}  # fmt: skip
pairs = {"now_ps": TIME_ARRAYS, "rng": GENERATORS}
BURSTS = {
    "create_pairs": ((2, 200), {"n": [None, -1, 1.5, "x", 2**70], "now_ps": [
        t for t in TIME_ARRAYS if not isinstance(t, int) or t != 99][:-2], "state": [
        *STATES, np.full((2, 1), 1.5), np.full((3, 1), 0.9)],
        "profile_a": PROFILES, "profile_b": PROFILES}),
    "ghz": ((2, 3, 200), {"count": [None, -1, 1.5, "x", 2**70], "n": [*COUNTS, 1, 4097],
                          "now_ps": TIMES[:-1], "profile": PROFILES}),
    "swap": (("b", "c", 200, "rng"), {"left": HANDLE_ARRAYS, "right": HANDLE_ARRAYS, **pairs,
                                      "noise": NOISES}),
    "measure": (("a", 200, "rng"), {"qubits": HANDLE_ARRAYS, **pairs, "basis": BASES,
                                    "readout_error": CHANCES}),
    "measure_pairs": (("a", "b", 200, "rng"), {"a": HANDLE_ARRAYS, "b": HANDLE_ARRAYS, **pairs,
                                               "basis": BASES, "readout_error": CHANCES}),
    "pauli": (("a", 200, np.ones(2, dtype=np.int8), "rng"), {
        "qubits": HANDLE_ARRAYS, **pairs, "error": CHANCES, "paulis": [
            None, 1, [1, 2], np.ones(2), np.array([1, 4], dtype=np.int8),
            np.array([-1, 0], dtype=np.int8), np.ones(3, dtype=np.int8)]}),
    "age": (("a", 200, "rng"), {"qubits": HANDLE_ARRAYS, **pairs}),
    "distil": (("a", "b", "c", "d", 200, "rng"), {
        "keep_a": HANDLE_ARRAYS, "keep_b": HANDLE_ARRAYS, "spend_a": HANDLE_ARRAYS,
        "spend_b": HANDLE_ARRAYS, **pairs, "protocol": PROTOCOLS, "noise": NOISES}),
    "free": (("a", "rng"), {"qubits": HANDLE_ARRAYS, "rng": GENERATORS}),
    "fidelity": (("a", "b"), {"a": HANDLE_ARRAYS, "b": HANDLE_ARRAYS, "now_ps": TIME_ARRAYS[1:],
                              "bell": INDICES}),
}  # fmt: skip
TABLE = [("scalar", name) for name in VERBS] + [("burst", name) for name in BURSTS]


class World:
    """Two rows of two pairs, (a, b) and (c, d), all clocks at 100 ps."""

    def __init__(self) -> None:
        self.memory = m = QuantumMemory(8)
        p = m.profile(1e-3, 1e-3)
        self.rng = np.random.Generator(np.random.Philox(1))
        (self.gone,) = m.create_state(0, np.eye(2) / 2)
        m.free(self.gone)
        rows = [m.bursts.create_pairs(2, 100, f, p, p) for f in (0.9, 0.8)]
        self.arrays = dict(zip("abcd", (half for row in rows for half in row), strict=True))
        self.qubits = {name: int(half[0]) for name, half in self.arrays.items()}

    def put(self, value, burst):
        if value is STALE:
            first = self.arrays["a"][0]
            return np.array([first, self.gone], dtype=np.uint64) if burst else self.gone
        if isinstance(value, tuple | list) and any(v is STALE for v in value):
            return type(value)(self.put(v, burst) for v in value)
        if isinstance(value, list) and any(isinstance(v, tuple) for v in value):
            return [self.put(v, burst) if isinstance(v, tuple) else v for v in value]
        return value

    def right(self, value, burst):
        """A right argument: names become qubits."""
        if isinstance(value, tuple | list):
            return type(value)(self.right(v, burst) for v in value)
        if isinstance(value, str) and value == "rng":
            return self.rng
        if isinstance(value, str) and value in self.qubits:
            return (self.arrays if burst else self.qubits)[value]
        return value

    def seen(self):
        m = self.memory
        live = [int(h) for half in self.arrays.values() for h in half]
        return (m.live, str(self.rng.bit_generator.state), [
            (m.pauli_vector(h).tobytes(), m.clock(h), m.slot(h), m.form(h)) for h in live
        ])  # fmt: skip


def call(world, level, name, changed=None, value=None):
    burst = level == "burst"
    verb = getattr(world.memory.bursts if burst else world.memory, name)
    given = (BURSTS if burst else VERBS)[name][0]
    names = parameters(level, name)
    arguments = {n: world.right(v, burst) for n, v in zip(names, given, strict=False)}
    # "end" and "name" are letters of their own, no qubits
    if name == "distil_end":
        arguments["end"] = "a"
    if changed is not None:
        arguments[changed] = world.put(value, burst)
    return verb(**arguments)


@functools.cache
def parameters(level, name):
    """The names of a verb's arguments, from the typed stubs (what IDEs and mypy see)."""
    stub = Path(package.__file__).with_name("bursts.pyi" if level == "burst" else "core.pyi")
    wanted = "Bursts" if level == "burst" else "QuantumMemory"
    for node in ast.walk(ast.parse(stub.read_text())):
        if isinstance(node, ast.ClassDef) and node.name == wanted:
            for f in node.body:
                if isinstance(f, ast.FunctionDef) and f.name == name:
                    a = f.args
                    return [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs)][1:]
    raise AssertionError(f"{name} is not in {stub.name}")


@pytest.mark.parametrize(("level", "name"), TABLE)
def test_every_argument_is_named_where_it_is_wrong_and_nothing_has_changed(level, name):
    call(World(), level, name)  # what is varied is right
    wrong = (BURSTS if level == "burst" else VERBS)[name][1]
    assert set(wrong) == set(parameters(level, name)) - {"exact"} - {"twirl"}
    for argument, values in wrong.items():
        for value in values:
            world = World()
            before = world.seen()
            # an argument of a class of ours is checked by Cython, with a TypeError
            kinds = TypeError if argument.startswith("noise") else errors.QuantumMemoryError
            try:
                with pytest.raises(kinds, match=argument) as raised:
                    call(world, level, name, argument, value)
            except BaseException as e:
                raise AssertionError(f"{name}({argument}={value!r})") from e
            assert "\n" not in str(raised.value), raised.value
            assert world.seen() == before, f"{name}({argument}={value!r}) changed something"


@pytest.mark.parametrize("value", HANDLES)
def test_verbs_that_take_any_number_of_qubits_name_the_wrong_one(value):
    world = World()
    before, a = world.seen(), world.qubits["a"]
    bad = world.put(value, False)
    for k, qubits in enumerate([(bad,), (a, bad)]):
        with pytest.raises(errors.QuantumMemoryError, match=rf"^qubits\[{k}\]: "):
            world.memory.density_matrix(*qubits)
    assert world.seen() == before


@pytest.mark.parametrize("value", TIMES[1:])
def test_a_density_matrix_at_a_wrong_time_names_it(value):
    world = World()
    with pytest.raises(errors.QuantumMemoryError, match=r"^now_ps: "):
        world.memory.density_matrix(world.qubits["a"], world.qubits["c"], now_ps=value)


@pytest.mark.parametrize("value", HANDLES)
def test_is_live_answers_for_any_handle_and_refuses_what_is_none(value):
    world = World()
    value = world.put(value, False)
    if isinstance(value, int) and 0 <= value < 2**64:
        assert not world.memory.is_live(value)
    else:
        with pytest.raises(errors.QuantumMemoryError, match=r"^qubit: "):
            world.memory.is_live(value)
    assert world.memory.is_live(world.qubits["a"])


@pytest.mark.parametrize(
    ("argument", "value"),
    [("capacity", v) for v in [*COUNTS, math.nan, [1]]]
    + [("seed", v) for v in [None, -1, 1.5, "x", math.nan, [1]]],
)
def test_a_memory_with_a_wrong_argument_is_not_made(argument, value):
    with pytest.raises(errors.QuantumMemoryError, match=f"^{argument}: "):
        QuantumMemory(**{argument: value})
