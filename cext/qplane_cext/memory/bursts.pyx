# cython: language_level=3
"""The memory's verbs over NumPy arrays, without the GIL."""

cimport cython
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int8_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memset
from numpy.random cimport bitgen_t

from qplane_cext.memory.core cimport *
from qplane_cext.memory.engine cimport *

import numpy as np

from qplane_cext.memory import errors
from qplane_cext.memory.core import pair_matrices

cdef extern from "qplane_cext/memory/burst.h" nogil:
    ctypedef struct operand_t:
        const handle_t* h
        const int64_t* now_ps
        int64_t now_step
    int burst_check(const qm_t* m, int64_t n, const operand_t* o, int operands, int max_qubits,
                    int64_t* at, int* which)
    int burst_create_pairs(qm_t* m, arena_t* a, int64_t n, const int64_t* now_ps,
                           int64_t now_step, const double* R, int64_t r_step, int pa, int pb,
                           handle_t* ha, handle_t* hb)
    int burst_swap(qm_t* m, arena_t* a, int64_t n, const operand_t* o, const gate_noise_t* g,
                   bitgen_t* rng, int8_t* outcomes)
    int burst_measure(qm_t* m, arena_t* a, int64_t n, const operand_t* o, const double* axis,
                      double readout_error, bitgen_t* rng, int8_t* bits)
    int burst_pauli(qm_t* m, arena_t* a, int64_t n, const operand_t* o, const int8_t* xz,
                    double gate_error, bitgen_t* rng)
    int burst_age(qm_t* m, arena_t* a, int64_t n, const operand_t* o, bitgen_t* rng)
    int burst_free(qm_t* m, arena_t* a, int64_t n, const operand_t* o, bitgen_t* rng)
    int burst_distil(qm_t* m, arena_t* a, int64_t n, const operand_t* o, int protocol,
                     const gate_noise_t* g, bitgen_t* rng, int8_t* success)
    int burst_ghz(qm_t* m, arena_t* a, int64_t count, int n, int64_t now_ps, const int* profiles,
                  handle_t* h)
    int burst_fidelity(const qm_t* m, int64_t n, const operand_t* o, int bell, double* f)


cdef object as_array(value, str name, dtype, Py_ssize_t n=-1):
    """A one-dimensional contiguous array of exactly this dtype; ``n``: of this length."""
    if not isinstance(value, np.ndarray) or value.dtype != dtype or value.ndim != 1:
        got = (f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray)
               else type(value).__name__)
        raise errors.QuantumMemoryError(
            f"{name}: must be a one-dimensional array of {np.dtype(dtype)}, not {got}")
    if n >= 0 and value.shape[0] != n:
        raise errors.QuantumMemoryError(f"{name}: has {value.shape[0]} elements, must have {n}")
    return np.ascontiguousarray(value)


cdef object as_times(value, Py_ssize_t n):
    """Times as an array: one for all, or one for each."""
    if isinstance(value, np.ndarray) and value.ndim:
        times = as_array(value, "now_ps", np.int64, n)
        if n and times.min() < 0:
            raise errors.QuantumMemoryError("now_ps: has a negative time")
        return times
    return np.array([as_time(value, "now_ps")], dtype=np.int64)


cdef const double* axis_of(basis, double* axis) except NULL:
    axis[0], axis[1], axis[2] = as_axis(basis, "basis")
    return axis


@cython.final
cdef class Call:
    """One burst: its operands, checked as a whole; holds the arrays alive."""

    cdef QuantumMemory memory
    cdef qm_t* m
    cdef operand_t[4] o
    cdef int count
    cdef int64_t n
    cdef list names
    cdef list arrays
    cdef object times
    cdef arena_t arena

    def __cinit__(self, QuantumMemory memory, dict operands, now_ps, int max_qubits=0):
        cdef const handle_t[::1] view
        cdef const int64_t[::1] t
        cdef int64_t at
        cdef int which, code
        self.memory = memory
        self.m = <qm_t*>memory._m
        self.names, self.arrays = list(operands), []
        self.n = -1
        memset(&self.arena, 0, sizeof(self.arena))
        for name, value in operands.items():
            array = as_array(value, name, np.uint64, self.n)
            self.n = array.shape[0]
            self.arrays.append(array)
            view = array
            self.o[self.count].h = &view[0] if self.n else NULL
            self.count += 1
        if now_ps is not None:
            self.times = as_times(now_ps, self.n)
            t = self.times
            for which in range(self.count):
                self.o[which].now_ps = &t[0] if t.shape[0] else NULL
                self.o[which].now_step = t.shape[0] > 1
        if memory_marks(self.m) < 0:
            raise MemoryError("the machine is out of memory")
        with nogil:
            code = burst_check(self.m, self.n, self.o, self.count, max_qubits, &at, &which)
        if code < 0:
            self.fail(code, which, at)
        arena_return(self.m, &self.m.arena)

    cdef int fail(self, int code, int which, int64_t at) except -1:
        name = f"{self.names[which]}[{at}]"
        h = int(self.arrays[which][at])
        if code == QM_ESTALE:
            raise errors.StaleHandleError(
                f"{name}: {h:#x} names no live qubit (freed, or its slot is used again)")
        if code == QM_ETIME:
            raise errors.ClockError(f"now_ps: is before the clock of {name}, "
                                    f"{self.memory.clock(h)}")
        if code == QM_EARG:
            raise errors.QuantumMemoryError(f"{name}: {h:#x} is used twice in one burst")
        raise errors.TooManyQubitsError(
            f"{name}: is part of a state of many qubits; use the scalar verb")

    cdef int end(self, int code) except -1:
        arena_return(self.m, &self.arena)
        if code == QM_EARG:
            raise errors.QuantumMemoryError(f"{', '.join(self.names)}: are not halves of pairs")
        if code == QM_EFULL:
            raise errors.MemoryFullError(
                f"memory: no slot is left (capacity {self.memory.capacity} records)")
        if code < 0:
            raise MemoryError("the machine is out of memory")
        return 0


cdef int memory_marks(qm_t* m) noexcept:
    if m.marks == NULL:
        m.marks = <uint8_t*>calloc(2 * <size_t>m.capacity + 2, 1)
    return -1 if m.marks == NULL else 0


@cython.final
cdef class Bursts:
    """Verbs over arrays: handles are ``uint64``, times ``int64`` picoseconds (or one for all).

    A burst is the same as its elements one after the other, with the same draws from ``rng``.
    It is checked as a whole before anything changes. Threads may run bursts on one memory at the
    same time if their handles (and partners) are disjoint and each has its own generator.
    """

    cdef QuantumMemory memory

    def __init__(self, QuantumMemory memory):
        self.memory = memory

    def create_pairs(self, n, now_ps, state=1.0, profile_a=0, profile_b=0):
        """n fresh pairs: two arrays of handles. ``state`` as for ``create_pair``, or a float64
        column of fidelities, shape (n, 1)."""
        cdef int64_t size = as_size(n, 0, 0x1fffffff, "n")
        cdef int64_t[::1] t = as_times(now_ps, size)
        cdef double[:, ::1] R = pair_matrices(state, size)
        cdef int pa = self.memory._profile_index(profile_a, "profile_a")
        cdef int pb = self.memory._profile_index(profile_b, "profile_b"), code = 0
        ha, hb = np.empty(size, dtype=np.uint64), np.empty(size, dtype=np.uint64)
        cdef handle_t[::1] a = ha, b = hb
        cdef Call call = Call(self.memory, {"n": np.empty(0, dtype=np.uint64)}, None)
        cdef int64_t step = t.shape[0] > 1, r_step = 16 if R.shape[0] > 1 else 0
        if size:
            with nogil:
                code = burst_create_pairs(call.m, &call.arena, size, &t[0], step, &R[0, 0],
                                          r_step, pa, pb, &a[0], &b[0])
        if code == QM_EARG:
            call.end(0)
            raise errors.QuantumMemoryError("state: is not a two-qubit state")
        call.end(code)
        return ha, hb

    def ghz(self, count, n, now_ps, profile=0):
        """``count`` GHZ states of n qubits: handles of shape (count, n)."""
        cdef int64_t size = as_size(count, 0, 0x1fffffff, "count"), now = as_time(now_ps, "now_ps")
        cdef int qubits = as_size(n, 2), code = 0
        cdef int p = self.memory._profile_index(profile, "profile")
        cdef int[::1] profiles = np.full(qubits, p, dtype=np.intc)
        out = np.empty((size, qubits), dtype=np.uint64)
        cdef handle_t[:, ::1] h = out
        cdef Call call = Call(self.memory, {"n": np.empty(0, dtype=np.uint64)}, None)
        if size:
            with nogil:
                code = burst_ghz(call.m, &call.arena, size, qubits, now, &profiles[0], &h[0, 0])
        if code == QM_EPURE:
            call.end(0)
            raise errors.TooManyQubitsError(
                f"n: {qubits} qubits of profile {p} would need an exact vector; see ghz()")
        call.end(code)
        return out

    def swap(self, left, right, now_ps, rng, GateNoise noise=None):
        """Entanglement swapping of left[i] with right[i]: reported Bell indices, int8."""
        cdef GateNoise g = noise if noise is not None else GateNoise()
        cdef Call call = Call(self.memory, {"left": left, "right": right}, now_ps, 2)
        out = np.empty(call.n, dtype=np.int8)
        cdef int8_t[::1] k = out
        cdef bitgen_t* bits = generator_of(rng)
        cdef int code = 0
        if call.n:
            with rng.bit_generator.lock, nogil:
                code = burst_swap(call.m, &call.arena, call.n, call.o, &g.g, bits, &k[0])
        call.end(code)
        return out

    def measure(self, qubits, now_ps, rng, basis="Z", readout_error=0.0):
        """Measures and frees: reported bits, int8."""
        cdef double[3] axis
        cdef const double* a = axis_of(basis, axis)
        cdef double error = as_probability(readout_error, "readout_error")
        cdef bitgen_t* draws = generator_of(rng)
        cdef Call call = Call(self.memory, {"qubits": qubits}, now_ps,
                              0 if basis in ("X", "Y", "Z", 0, 1, 2) else 2)
        out = np.empty(call.n, dtype=np.int8)
        cdef int8_t[::1] k = out
        cdef int code = 0
        if call.n:
            with rng.bit_generator.lock, nogil:
                code = burst_measure(call.m, &call.arena, call.n, call.o, a, error, draws, &k[0])
        call.end(code)
        return out

    def pauli(self, qubits, now_ps, paulis, rng, error=0.0):
        """Pauli gates 2 x + z (int8 array); ``rng`` is used on tableaus alone."""
        cdef double p = as_probability(error, "error")
        cdef bitgen_t* draws = generator_of(rng)
        cdef Call call = Call(self.memory, {"qubits": qubits}, now_ps)
        cdef const int8_t[::1] xz = as_array(paulis, "paulis", np.int8, call.n)
        if call.n and (np.min(xz) < 0 or np.max(xz) > 3):
            raise errors.QuantumMemoryError("paulis: must be 0 to 3")
        cdef int code = 0
        if call.n:
            with rng.bit_generator.lock, nogil:
                code = burst_pauli(call.m, &call.arena, call.n, call.o, &xz[0], p, draws)
        call.end(code)

    def age(self, qubits, now_ps, rng):
        """Brings clocks to ``now_ps``; ``rng`` is used on tableaus alone."""
        cdef bitgen_t* draws = generator_of(rng)
        cdef Call call = Call(self.memory, {"qubits": qubits}, now_ps)
        cdef int code = 0
        if call.n:
            with rng.bit_generator.lock, nogil:
                code = burst_age(call.m, &call.arena, call.n, call.o, draws)
        call.end(code)

    def distil(self, keep_a, keep_b, spend_a, spend_b, now_ps, rng, protocol="dejmps",
               GateNoise noise=None):
        """``QuantumMemory.distil`` on pairs: success, bool."""
        cdef GateNoise g = noise if noise is not None else GateNoise()
        cdef int p = {"bbpssw": 0, "dejmps": 1, "epl": 2}.get(protocol, -1), code = 0
        if p < 0:
            raise errors.QuantumMemoryError(
                f"protocol: must be bbpssw, dejmps or epl, not {protocol!r}")
        cdef bitgen_t* draws = generator_of(rng)
        cdef Call call = Call(self.memory, {"keep_a": keep_a, "keep_b": keep_b,
                                            "spend_a": spend_a, "spend_b": spend_b}, now_ps, 2)
        out = np.empty(call.n, dtype=np.int8)
        cdef int8_t[::1] k = out
        if call.n:
            with rng.bit_generator.lock, nogil:
                code = burst_distil(call.m, &call.arena, call.n, call.o, p, &g.g, draws, &k[0])
        call.end(code)
        return out.view(np.bool_)

    def free(self, qubits, rng):
        """Discards qubits; ``rng`` is used on tableaus alone."""
        cdef bitgen_t* draws = generator_of(rng)
        cdef Call call = Call(self.memory, {"qubits": qubits}, None)
        cdef int code = 0
        if call.n:
            with rng.bit_generator.lock, nogil:
                code = burst_free(call.m, &call.arena, call.n, call.o, draws)
        call.end(code)

    def fidelity(self, a, b, now_ps=None, bell=0):
        """Fidelities of pairs to Bell state ``bell`` at ``now_ps`` (None: at their clocks)."""
        cdef int k = as_bell(bell, "bell"), code = 0
        cdef Call call = Call(self.memory, {"a": a, "b": b}, now_ps, 2)
        out = np.empty(call.n)
        cdef double[::1] f = out
        if call.n:
            with nogil:
                code = burst_fidelity(call.m, call.n, call.o, k, &f[0])
        call.end(code)
        return out


cdef bitgen_t* generator_of(rng) except NULL:
    if not isinstance(rng, np.random.Generator):
        raise errors.QuantumMemoryError(
            f"rng: must be a numpy.random.Generator, not {type(rng).__name__}")
    return <bitgen_t*>PyCapsule_GetPointer(rng.bit_generator.capsule, "BitGenerator")
