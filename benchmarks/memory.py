"""The quantum memory against its peers: `make bench-memory`.

The cycle: create two pairs of fidelity 0.9, let each age by its own random time under dephasing
(T2), swap them, measure both ends in X. Every row is a ratio of medians over interleaved rounds in
one run, by CPU time of the thread, so that another process changes little, with the
garbage collector off as `timeit` has it. Ages are drawn and put into the form that an
implementation takes before its clock starts. Every implementation's answer is checked: the mean of
(-1)^(a + d + phase bit of the frame) has a closed form.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import math
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any, NamedTuple

import numpy as np

from qplane_cext.memory.core import QuantumMemory

T_PS = 10**9  # the longest age
T2_S = 2e-3  # dephasing time
W = (4 * 0.9 - 1) / 3
# E[exp(-2 t/T2)] for t uniform in [0, T], for each pair
DECAY = (1 - math.exp(-2 * T_PS * 1e-12 / T2_S)) / (2 * T_PS * 1e-12 / T2_S)
PARITY = (W * DECAY) ** 2

# A run of cycles: ages in, and out come bits of the two ends and frames, in the form that takes an
# implementation the least time: a sequence of a ^ d ^ k, or frames and [cycle or burst, end] bits.
Run = Callable[[Any], Any]
AGES = np.random.default_rng(99)


def parity(out: Any) -> float:
    """The mean of (-1)^(a + d + phase bit of the frame)."""
    if isinstance(out, tuple):
        k, ends = out[0], np.asarray(out[1])
        out = np.asarray(k) ^ ends[:, 0] ^ ends[:, 1]
    return float((1 - 2 * (np.asarray(out, dtype=np.int64) & 1)).mean())


def as_lists(ages: Any) -> Any:
    """Two lists of ints."""
    return ages.tolist()


def as_born(ages: Any) -> Any:
    """When pairs were created so as to be this old at T_PS: two lists of ints."""
    return (T_PS - ages).tolist()


def as_arrays(ages: Any) -> Any:
    return np.ascontiguousarray(ages)


def in_bursts(size: int) -> Callable[[Any], Any]:
    """The same as ``as_born``, as two arrays a burst."""
    return lambda ages: [
        (born[0].copy(), born[1].copy())
        for born in np.moveaxis((T_PS - ages).reshape(2, -1, size), 1, 0)
    ]


class Timed(NamedTuple):
    run: Run
    n: int  # cycles a round
    prepare: Callable[[Any], Any] = as_lists


# ---- ours ----


def our_memory(t1_s: float) -> tuple[QuantumMemory, int]:
    """A memory and its profile. Each row has its own, as each peer has its own state: in a shared
    one a row would find the free slots in the disorder that the row before left behind."""
    memory = QuantumMemory(400_000)
    return memory, memory.profile(t1_s, T2_S)


def fused(t1_s: float) -> Run:
    """One fused call a message: two heralds, a swap, a measurement of both ends."""
    memory, profile = our_memory(t1_s)
    rng = np.random.default_rng(1)

    def run(born: Any) -> Any:
        create, swap, measure_pair = memory.create_pair, memory.swap, memory.measure_pair
        now, frames, ends = T_PS, [], []
        for t1, t2 in zip(*born, strict=True):
            a, b = create(t1, 0.9, profile, profile)
            c, d = create(t2, 0.9, profile, profile)
            frames.append(swap(b, c, now, rng))
            ends.append(measure_pair(a, d, now, rng, "X"))
        return frames, ends

    return run


def fused_each(t1_s: float) -> Run:
    """The same where each end is measured by a message of its own."""
    memory, profile = our_memory(t1_s)
    rng = np.random.default_rng(1)

    def run(born: Any) -> Any:
        create, swap, measure = memory.create_pair, memory.swap, memory.measure
        out, now = [], T_PS
        for t1, t2 in zip(*born, strict=True):
            a, b = create(t1, 0.9, profile, profile)
            c, d = create(t2, 0.9, profile, profile)
            k = swap(b, c, now, rng)
            out.append(measure(a, now, rng, "X") ^ measure(d, now, rng, "X") ^ k)
        return out

    return run


def bursts(t1_s: float) -> Run:
    memory, profile = our_memory(t1_s)
    rng = np.random.default_rng(1)

    def run(born: Any) -> Any:
        verbs, frames, ends = memory.bursts, [], []
        create, swap, measure = verbs.create_pairs, verbs.swap, verbs.measure_pairs
        for t1, t2 in born:
            n = len(t1)
            a, b = create(n, t1, 0.9, profile, profile)
            c, d = create(n, t2, 0.9, profile, profile)
            frames.append(swap(b, c, T_PS, rng))
            ends.append(measure(a, d, T_PS, rng, "X"))
        return frames, ends

    return run


# ---- peers ----


def python_records() -> Run:
    """Three floats and two clocks a pair, a function a verb, plain Python."""
    exp, draw = math.exp, random.Random(1).random
    t2 = T2_S * 1e12

    def create(now: int) -> list[float]:
        return [W, -W, W, now, now]

    def age(pair: list[float], half: int, now: int) -> None:
        e = exp((pair[half] - now) / t2)
        pair[0] *= e
        pair[1] *= e
        pair[half] = now

    def swap(p: list[float], q: list[float], now: int) -> tuple[int, list[float]]:
        age(p, 4, now)
        age(q, 3, now)
        k = int(4 * draw())
        x, y, z = p[0] * q[0], -p[1] * q[1], p[2] * q[2]
        if k & 1:
            x, y = -x, -y
        if k & 2:
            y, z = -y, -z
        return k, [x, y, z, p[3], q[4]]

    def measure_first(pair: list[float], now: int) -> int:
        age(pair, 3, now)
        bit = int(draw() >= 0.5)
        if bit:
            pair[0] = -pair[0]
        return bit

    def measure_second(pair: list[float], now: int) -> int:
        age(pair, 4, now)
        return int(draw() >= (1 + pair[0]) / 2)

    def run(ages: Any) -> Any:
        out, now = [], T_PS
        for t1, t2_ in zip(*ages, strict=True):
            p, q = create(now - t1), create(now - t2_)
            k, pair = swap(p, q, now)
            out.append(measure_first(pair, now) ^ measure_second(pair, now) ^ k)
        return out

    return run


def python_inline() -> Run:
    """The same mathematics in the body of one loop: no records, no clocks, one exponential."""

    def run(ages: Any) -> Any:
        exp, draw, t2, out = math.exp, random.random, T2_S * 1e12, []
        for t1, t2_ in zip(*ages, strict=True):
            x = W * W * exp(-2 * (t1 + t2_) / t2)
            k = int(4 * draw())
            if k & 1:
                x = -x
            a = draw() >= 0.5
            out.append(a ^ (draw() >= (1 - x if a else 1 + x) / 2) ^ k)
        return out

    return run


def numba_loop() -> Run:
    import numba

    w, t2 = W, T2_S * 1e12

    @numba.njit
    def loop(age1, age2, out):  # type: ignore[no-untyped-def]
        for i in range(age1.size):
            x1, y1, z1, x2, y2, z2 = w, -w, w, w, -w, w
            e1, e2 = math.exp(-age1[i] / t2), math.exp(-age2[i] / t2)
            x1, y1, x2, y2 = x1 * e1, y1 * e1, x2 * e2, y2 * e2
            k = int(4 * np.random.random())
            x, y, z = x1 * x2, -y1 * y2, z1 * z2
            if k & 1:
                x, y = -x, -y
            if k & 2:
                y, z = -y, -z
            x *= math.exp(-age1[i] / t2)
            a = int(np.random.random() >= 0.5)
            x = (-x if a else x) * math.exp(-age2[i] / t2)
            out[0, i], out[1, i], out[2, i] = a, int(np.random.random() >= (1 + x) / 2), k

    def run(ages: Any) -> Any:
        out = np.empty((3, ages[0].size), dtype=np.int8)
        loop(ages[0], ages[1], out)
        return out[2], out[:2].T

    run(np.zeros((2, 1), dtype=np.int64))
    return run


def c_loop() -> Run:
    source = Path(__file__).with_name("memory_loop.c")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "loop.so"
        subprocess.run(
            [os.environ.get("CC", "cc"), "-O3", "-fno-math-errno", "-shared", "-fPIC", str(source),
             "-o", str(library), "-lm"],
            check=True,
        )  # fmt: skip
        cycles = ctypes.CDLL(str(library)).cycles
    rng = np.random.default_rng(4)
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    bitgen = ctypes.c_void_p(get(rng.bit_generator.capsule, b"BitGenerator"))

    def run(ages: Any) -> Any:
        out = np.empty((3, ages[0].size), dtype=np.int8)
        p = [ctypes.c_void_p(x.ctypes.data) for x in (*ages, *out)]
        with rng.bit_generator.lock:
            cycles(ctypes.c_int64(ages[0].size), p[0], p[1], ctypes.c_double(T2_S * 1e12),
                   ctypes.c_double(W), bitgen, *p[2:])  # fmt: skip
        return out[0], out[1:].T

    return run


def stim_cycle(reuse: bool) -> Run:
    import stim

    kept = stim.TableauSimulator(seed=1)

    def run(ages: Any) -> Any:
        out, t2 = [], T2_S * 1e12
        for t1, t2_ in zip(*ages, strict=True):
            s = kept if reuse else stim.TableauSimulator()
            if reuse:
                s.reset(0, 1, 2, 3)
            s.h(0, 2)
            s.cx(0, 1, 2, 3)
            s.depolarize1(0, 2, p=0.1)
            s.z_error(0, 1, p=(1 - math.exp(-t1 / t2)) / 2)
            s.z_error(2, 3, p=(1 - math.exp(-t2_ / t2)) / 2)
            s.cx(1, 2)
            s.h(0, 1, 3)
            a, k, _, d = s.measure_many(0, 1, 2, 3)
            out.append(a ^ d ^ k)
        return out

    return run


def simqn() -> Run:
    """SimQN's Bell-diagonal pair. Its storage model depolarises (there is no dephasing), and its
    swap has no outcome; the ends are measured in X on its density matrix."""
    from qns.models.epr import MixedStateEntanglement

    def run(ages: Any) -> Any:
        out = []
        for t1, t2 in zip(*ages, strict=True):
            p, q = MixedStateEntanglement(0.9), MixedStateEntanglement(0.9)
            p.store_error_model(t1 * 1e-12, 2 / T2_S)
            q.store_error_model(t2 * 1e-12, 2 / T2_S)
            a, d = p.swapping(q).to_qubits()
            out.append(a.measureX() ^ d.measureX())
        return out

    return run


def sequence_ket() -> Run:
    """SeQUeNCe's state vectors, errors as sampled gates: its Bell-diagonal formalism cannot measure
    the ends, and its density matrices are slower."""
    from sequence.components.circuit import Circuit
    from sequence.kernel.quantum_manager import QuantumManagerKet

    manager, draw = QuantumManagerKet(), random.Random(7).random
    root = complex(math.sqrt(0.5))
    bell = [root, 0j, 0j, root]

    def run(ages: Any) -> Any:
        out, t2 = [], T2_S * 1e12
        for t1, t2_ in zip(*ages, strict=True):
            keys = [manager.new() for _ in range(4)]
            manager.set(keys[:2], bell)
            manager.set(keys[2:], bell)
            circuit = Circuit(4)
            for first, t in ((0, t1), (2, t2_)):
                u = draw()
                if u < 0.1:
                    (circuit.x, circuit.y, circuit.z)[int(30 * u)](first)
                for q in (first, first + 1):
                    if draw() < (1 - math.exp(-t / t2)) / 2:
                        circuit.z(q)
            circuit.cx(1, 2)
            for q in (0, 1, 3):
                circuit.h(q)
            for q in range(4):
                circuit.measure(q)
            got = manager.run_circuit(circuit, keys, draw())
            a, k, d = (got[keys[i]] for i in (0, 1, 3))
            out.append(a ^ d ^ k)
            for key in keys:
                manager.remove(key)
        return out

    return run


def qutip_cycle() -> Run:
    """QuTiP's density matrices of four qubits, for reference."""
    import qutip

    draw = random.Random(8).random
    bell = qutip.ket2dm(qutip.bell_state("00"))
    werner = W * bell + (1 - W) / 4 * qutip.qeye([2, 2])
    z, one = qutip.sigmaz(), qutip.qeye(2)
    states = [qutip.ket2dm(qutip.bell_state(s)) for s in ("00", "01", "10", "11")]
    plus = [qutip.ket2dm((qutip.basis(2, 0) + s * qutip.basis(2, 1)).unit()) for s in (1, -1)]
    phases = [qutip.tensor(z, one), qutip.tensor(one, z)]
    projectors = [qutip.tensor(one, s, one) for s in states]
    ends = [[qutip.tensor(plus[a], plus[d]) for d in (0, 1)] for a in (0, 1)]

    def aged(t: int) -> object:
        rho, p = werner, (1 - math.exp(-t / (T2_S * 1e12))) / 2
        for phase in phases:
            rho = (1 - p) * rho + p * phase * rho * phase
        return rho

    def run(ages: Any) -> Any:
        out = []
        for t1, t2 in zip(*ages, strict=True):
            rho = qutip.tensor(aged(t1), aged(t2))
            k = int(4 * draw())  # all four have probability 1/4 here
            rho = (projectors[k] * rho * projectors[k]).ptrace([0, 3])
            rho = rho / rho.tr()
            u, a, d = draw(), 0, 0
            for a, d in ((0, 0), (0, 1), (1, 0), (1, 1)):
                u -= (ends[a][d] * rho).tr().real
                if u < 0:
                    break
            out.append(a ^ d ^ k)
        return out

    return run


# ---- GHZ states ----


def ghz_ours(n: int, size: int = 250) -> Callable[[int], float]:
    """In bursts of ``size`` states, which stay in the cache."""
    memory = QuantumMemory(10_000)
    rng = np.random.default_rng(9)

    def run(count: int) -> float:
        total = 0
        for _ in range(count // size):
            h = memory.bursts.ghz(size, n, 0)
            bits = memory.bursts.measure(h.reshape(-1), 0, rng, "Z").reshape(size, n)
            assert (bits == bits[:, :1]).all()
            total += int(bits[:, 0].sum())
        return total

    return run


def ghz_stim(n: int, reuse: bool) -> Callable[[int], float]:
    import stim

    kept, qubits = stim.TableauSimulator(seed=2), list(range(n))
    pairs = [x for q in range(1, n) for x in (0, q)]

    def run(count: int) -> float:
        total = 0
        for _ in range(count):
            s = kept if reuse else stim.TableauSimulator()
            if reuse:
                s.reset(*qubits)
            s.h(0)
            s.cx(*pairs)
            bits = s.measure_many(*qubits)
            total += bits[0]
        return total

    return run


# ---- measuring ----


def interleaved(peers: dict[str, Timed], rounds: int) -> dict[str, float]:
    """Median CPU time a cycle, in seconds; checks each peer's answer over all rounds."""
    times: dict[str, list[float]] = {name: [] for name in peers}
    means: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(rounds):
        for name, (run, n, prepare) in peers.items():
            ages = prepare(AGES.integers(0, T_PS, (2, n), dtype=np.int64))
            run(ages)  # unmeasured: else a short round pays for caches that another peer filled
            start = time.thread_time()
            out = run(ages)
            times[name].append((time.thread_time() - start) / n)
            means[name].append(parity(out))
            del out  # here, or the next peer's time would include it
    for name, values in means.items():
        mean, cycles = statistics.mean(values), rounds * peers[name].n
        if abs(mean - PARITY) > 5 / math.sqrt(cycles):
            raise SystemExit(f"{name}: wrong answer, {mean:.4f} is not {PARITY:.4f}")
    return {name: statistics.median(t) for name, t in times.items()}


def interleaved_ghz(
    peers: dict[str, tuple[Callable[[int], float], int]], rounds: int
) -> dict[str, float]:
    """Median CPU time of a GHZ state, in seconds; half of all outcomes must be 1."""
    times: dict[str, list[float]] = {name: [] for name in peers}
    ones = dict.fromkeys(peers, 0.0)
    for _ in range(rounds):
        for name, (run, n) in peers.items():
            start = time.thread_time()
            ones[name] += run(n)
            times[name].append((time.thread_time() - start) / n)
    for name, (_, n) in peers.items():
        if abs(ones[name] / (n * rounds) - 0.5) > 2.5 / math.sqrt(n * rounds):
            raise SystemExit(f"{name}: wrong answer")
    return {name: statistics.median(t) for name, t in times.items()}


def live_pairs(pairs: int, profile_t1: float, rounds: int = 20_000) -> tuple[float, int]:
    """CPU seconds a cycle with this many pairs alive, random ones swapped; bytes resident."""
    memory = QuantumMemory(pairs + 4096)
    profile = memory.profile(profile_t1, 1e-3 if profile_t1 == math.inf else 2e-3)
    rng = np.random.default_rng(10)
    before = resident()
    handles = np.empty((pairs, 2), dtype=np.uint64)
    for i in range(0, pairs, 10**6):
        part = memory.bursts.create_pairs(min(10**6, pairs - i), 0, 0.9, profile, profile)
        handles[i : i + 10**6] = np.stack(part, axis=1)
    del part
    used = resident() - before - handles.nbytes
    times = []
    size = min(512, pairs // 2)
    for _ in range(max(1, rounds // size)):
        i, j = rng.choice(pairs, (2, size), replace=False)
        now = 10**6
        start = time.thread_time()
        a, b = np.ascontiguousarray(handles[i].T)
        c, d = np.ascontiguousarray(handles[j].T)
        memory.bursts.swap(b, c, now, rng)
        memory.bursts.measure_pairs(a, d, now, rng, "X")
        for place in (i, j):
            new = memory.bursts.create_pairs(size, 0, 0.9, profile, profile)
            handles[place] = np.stack(new, axis=1)
        times.append((time.thread_time() - start) / size)
    assert memory.live == 2 * pairs
    return statistics.median(times), used


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def threads(t1_s: float, rounds: int = 15) -> dict[str, float]:
    """Wall time of work on one thread over that of its halves on two, each on a core of its own,
    the best of interleaved rounds: ours, and a loop in C that shares nothing, which tells how much
    of two cores the machine has to give at that moment."""
    memory, profile = our_memory(t1_s)
    cores = sorted(os.sched_getaffinity(0))[-2:]
    size, loops = 10_000, [c_loop() for _ in range(2)]  # each with a generator of its own

    def ours(seed: int, count: int) -> None:
        rng, verbs = np.random.default_rng(seed), memory.bursts
        for _ in range(count // size):
            a, b = verbs.create_pairs(size, 0, 0.9, profile, profile)
            c, d = verbs.create_pairs(size, 0, 0.9, profile, profile)
            verbs.swap(b, c, T_PS, rng)
            verbs.measure_pairs(a, d, T_PS, rng, "X")

    def loop(seed: int, count: int) -> None:
        ages = np.zeros((2, size), dtype=np.int64)
        for _ in range(count // size):
            loops[seed](ages)

    def wall(pool: ThreadPoolExecutor, work: Callable[[int, int], None], n: int, k: int) -> float:
        ready = Barrier(k)

        def share(index: int) -> tuple[float, float]:
            os.sched_setaffinity(0, {cores[-1 - index]})  # of this thread
            ready.wait()
            start = time.perf_counter()
            work(index, n // k)
            return start, time.perf_counter()

        starts, ends = zip(*pool.map(share, range(k)), strict=True)
        return max(ends) - min(starts)

    ratios = {}
    with ThreadPoolExecutor(2) as pool:
        times: dict[tuple[str, int], list[float]] = {}
        for _ in range(rounds):
            for name, work, n in (("ours", ours, 1_200_000), ("C", loop, 600_000)):
                for k in (1, 2):
                    times.setdefault((name, k), []).append(wall(pool, work, n, k))
    for name in ("ours", "C"):
        ratios[name] = min(times[name, 1]) / min(times[name, 2])
    return ratios


ROWS: list[dict[str, Any]] = []


def section(title: str) -> None:
    ROWS.append({"section": title, "rows": []})
    print(title, flush=True)


def row(name: str, value: float, goal: float | None, unit: str = "x") -> None:
    ROWS[-1]["rows"].append({"name": name, "value": value, "unit": unit.strip(), "goal": goal})
    verdict = "" if goal is None else f"goal {goal:g}{unit}".ljust(14)
    if goal is not None:
        verdict += "reached" if value >= goal else "not reached"
    print(f"  {name:<58} {value:>10.4g}{unit:<2} {verdict}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="without ten million pairs")
    parser.add_argument("--json", type=Path, help="write what is printed to this file, too")
    options = parser.parse_args()
    # T1 in seconds; the second is far beyond the ages but never Bell-diagonal, so the exact pair
    bell, exact = math.inf, 1e6
    peers = {
        "ours, one call a message": Timed(fused(bell), 12_000, as_born),
        "ours, each end measured alone": Timed(fused_each(bell), 12_000, as_born),
        "ours, bursts of 64": Timed(bursts(bell), 12_288, in_bursts(64)),
        "ours, bursts of 512": Timed(bursts(bell), 12_288, in_bursts(512)),
        "ours, bursts of 4096": Timed(bursts(bell), 12_288, in_bursts(4096)),
        "ours, exact pairs, one call a message": Timed(fused(exact), 6000, as_born),
        "ours, exact pairs, bursts of 64": Timed(bursts(exact), 12_288, in_bursts(64)),
        "ours, exact pairs, bursts of 512": Timed(bursts(exact), 12_288, in_bursts(512)),
        "ours, exact pairs, bursts of 4096": Timed(bursts(exact), 12_288, in_bursts(4096)),
        "Python, three floats": Timed(python_records(), 3000),
        "Python, one inlined loop": Timed(python_inline(), 5000),
        "numba, the same loop": Timed(numba_loop(), 20_000, as_arrays),
        "C, the same loop": Timed(c_loop(), 20_000, as_arrays),
        "stim, one simulator a cycle": Timed(stim_cycle(False), 40),
        "stim, one simulator reused": Timed(stim_cycle(True), 200),
        "SimQN, Bell-diagonal": Timed(simqn(), 30),
        "SeQUeNCe, kets": Timed(sequence_ket(), 10),
        "QuTiP, density matrices": Timed(qutip_cycle(), 3),
    }
    gc.disable()
    t = interleaved(peers, options.rounds)
    section("CPU time a cycle (create two pairs, age, swap, measure both ends), median")
    for name, seconds in t.items():
        row(name, seconds * 1e9, None, "ns")
    one = t["ours, one call a message"]
    section("Ratios: one call a message")
    row("stim TableauSimulator, one a cycle", t["stim, one simulator a cycle"] / one, 40)
    row("stim TableauSimulator, reused", t["stim, one simulator reused"] / one, 40)
    row("SimQN Bell-diagonal", t["SimQN, Bell-diagonal"] / one, 400)
    row("SeQUeNCe kets", t["SeQUeNCe, kets"] / one, 3000)
    row("Python, three floats", t["Python, three floats"] / one, 4)
    row("Python, one inlined loop", t["Python, one inlined loop"] / one, None)
    for size in (64, 512, 4096):
        b = t[f"ours, bursts of {size}"]
        section(f"Ratios: bursts of {size}")
        row("stim TableauSimulator, one a cycle", t["stim, one simulator a cycle"] / b, 300)
        row("stim TableauSimulator, reused", t["stim, one simulator reused"] / b, 300)
        row("SimQN Bell-diagonal", t["SimQN, Bell-diagonal"] / b, 3000)
        row("SeQUeNCe kets", t["SeQUeNCe, kets"] / b, 20_000)
        row("Python, three floats, Bell-diagonal", t["Python, three floats"] / b, 30)
        e = t[f"ours, exact pairs, bursts of {size}"]
        row("Python, three floats, exact pair", t["Python, three floats"] / e, 10)
        row("numba, the same loop", t["numba, the same loop"] / b, None)
        row("C, the same loop by hand", t["C, the same loop"] / b, 0.7)
        row("Python, one inlined loop", t["Python, one inlined loop"] / b, None)

    section("GHZ: create and measure all qubits")
    for n in (3, 8):
        g = {
            f"GHZ {n} ours": (ghz_ours(n), 1000),
            f"GHZ {n} stim, one each": (ghz_stim(n, False), 40),
            f"GHZ {n} stim, reused": (ghz_stim(n, True), 300),
        }
        s = interleaved_ghz(g, options.rounds)
        row(
            f"n = {n}: stim, one simulator each",
            s[f"GHZ {n} stim, one each"] / s[f"GHZ {n} ours"],
            20,
        )
        row(
            f"n = {n}: stim, one simulator reused",
            s[f"GHZ {n} stim, reused"] / s[f"GHZ {n} ours"],
            20,
        )

    section(f"Two threads on halves of bursts, wall time (load {os.getloadavg()[0]:.1f} before)")
    if len(os.sched_getaffinity(0)) < 2:
        print("  needs two cores")
    else:
        speedup = threads(bell)
        row("ours", speedup["ours"], 1.8)
        row("the C loop, nothing shared: what the machine gives", speedup["C"], None)

    if not options.quick:
        section("Ten million live pairs")
        for name, t1 in (("Bell-diagonal", math.inf), ("exact", 1e-3)):
            small, _ = live_pairs(1000, t1)
            large, used = live_pairs(10**7, t1)
            row(f"{name}: rate at 10^7 pairs over that at 10^3", small / large, 0.25)
            row(f"{name}: gigabytes for 10^7 pairs", used / 1e9, None, " G")
            row(f"{name}: bytes a pair", used / 1e7, None, " B")
    if options.json:
        options.json.write_text(json.dumps(ROWS, indent=1) + "\n")


if __name__ == "__main__":
    main()
