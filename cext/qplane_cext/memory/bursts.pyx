# cython: language_level=3
"""The memory's verbs over NumPy arrays, without the GIL."""

cimport cython
from libc.math cimport fabs
from libc.stdint cimport int8_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memset

cimport numpy as cnp

from numpy.random cimport bitgen_t

from qplane_cext.memory.core cimport *
from qplane_cext.memory.engine cimport *

import numpy as np

from qplane_cext.memory import errors
from qplane_cext.memory.core import pair_matrices

cnp.import_array()

cdef dict TYPES = {cnp.NPY_UINT64: "uint64", cnp.NPY_INT64: "int64", cnp.NPY_INT8: "int8"}

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
    int burst_measure_pairs(qm_t* m, arena_t* a, int64_t n, const operand_t* o,
                            const double* axis, double readout_error, bitgen_t* rng,
                            int8_t* bits_a, int8_t* bits_b)
    int burst_pauli(qm_t* m, arena_t* a, int64_t n, const operand_t* o, const int8_t* xz,
                    double gate_error, bitgen_t* rng)
    int burst_age(qm_t* m, arena_t* a, int64_t n, const operand_t* o, bitgen_t* rng)
    int burst_free(qm_t* m, arena_t* a, int64_t n, const operand_t* o, bitgen_t* rng)
    int burst_distil(qm_t* m, arena_t* a, int64_t n, const operand_t* o, int protocol,
                     const gate_noise_t* g, bitgen_t* rng, int8_t* success)
    int burst_ghz(qm_t* m, arena_t* a, int64_t count, int n, int64_t now_ps, const int* profiles,
                  handle_t* h)
    int burst_fidelity(const qm_t* m, int64_t n, const operand_t* o, int bell, double* f)


cdef object as_array(value, str name, int kind, Py_ssize_t n=-1):
    """A one-dimensional contiguous array of exactly this type; ``n``: of this length."""
    if not cnp.PyArray_Check(value) or cnp.PyArray_TYPE(value) != kind or cnp.PyArray_NDIM(
            value) != 1:
        got = (f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray)
               else type(value).__name__)
        raise errors.QuantumMemoryError(
            f"{name}: must be a one-dimensional array of {TYPES[kind]}, not {got}")
    if n >= 0 and cnp.PyArray_DIM(value, 0) != n:
        raise errors.QuantumMemoryError(f"{name}: has {value.shape[0]} elements, must have {n}")
    if not cnp.PyArray_IS_C_CONTIGUOUS(value) or not cnp.PyArray_ISNOTSWAPPED(value):
        return np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("="))
    return value


cdef object as_times(value, Py_ssize_t n):
    """Times as an array: one for all, or one for each."""
    cdef int64_t* t
    cdef Py_ssize_t i
    if cnp.PyArray_Check(value) and cnp.PyArray_NDIM(value):
        times = as_array(value, "now_ps", cnp.NPY_INT64, n)
        t = <int64_t*>cnp.PyArray_DATA(times)
        for i in range(n):
            if t[i] < 0:
                raise errors.QuantumMemoryError(f"now_ps: has a negative time, [{i}]")
        return times
    return new_array(1, cnp.NPY_INT64, as_time(value, "now_ps"))


cdef object new_array(Py_ssize_t n, int kind, int64_t first=0):
    cdef cnp.npy_intp size = n
    out = cnp.PyArray_SimpleNew(1, &size, kind)
    if kind == cnp.NPY_INT64 and n == 1:
        (<int64_t*>cnp.PyArray_DATA(out))[0] = first
    return out


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
    cdef tuple names
    cdef list arrays
    cdef object times
    cdef arena_t arena

    def __cinit__(self, QuantumMemory memory, tuple names, tuple operands, now_ps,
                  int max_qubits=0):
        cdef int64_t at
        cdef int which, code = 0
        self.memory = memory
        self.m = <qm_t*>memory._m
        self.names, self.arrays = names, []
        self.n = -1 if operands else 0
        memset(&self.arena, 0, sizeof(self.arena))
        for which in range(<int>len(operands)):
            array = as_array(operands[which], <str>names[which], cnp.NPY_UINT64, self.n)
            self.n = cnp.PyArray_DIM(array, 0)
            self.arrays.append(array)
            self.o[which].h = <const handle_t*>cnp.PyArray_DATA(array)
            self.count += 1
        if now_ps is not None:
            self.times = as_times(now_ps, self.n)
            for which in range(self.count):
                self.o[which].now_ps = <const int64_t*>cnp.PyArray_DATA(self.times)
                self.o[which].now_step = (cnp.PyArray_NDIM(now_ps)
                                          if cnp.PyArray_Check(now_ps) else 0)
        if memory_marks(self.m) < 0:
            raise MemoryError("the machine is out of memory")
        if self.n > 1024:
            with nogil:
                code = burst_check(self.m, self.n, self.o, self.count, max_qubits, &at, &which)
        elif self.n:  # shorter than letting go of the GIL and taking it again
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

    A burst is the same as its elements one after the other (where an outcome is a fair coin, 64
    are taken from one draw of ``rng``). It is checked as a whole before anything changes. Threads may run bursts on one memory at the
    same time if their handles (and partners) are disjoint and each has its own generator.
    """

    cdef QuantumMemory memory
    cdef object last_state, last_matrices  # of the last create_pairs() with a fidelity

    def __init__(self, QuantumMemory memory):
        self.memory = memory

    cdef object matrices(self, state, int64_t n):
        if type(state) is not float:
            return pair_matrices(state, n)
        if state != self.last_state:
            self.last_state, self.last_matrices = None, pair_matrices(state, n)
            self.last_state = state
        return self.last_matrices

    def create_pairs(self, n, now_ps, state=1.0, profile_a=0, profile_b=0):
        """n fresh pairs: two arrays of handles. ``state`` as for ``create_pair``, or a float64
        column of fidelities, shape (n, 1)."""
        cdef int64_t size = as_size(n, 0, 0x1fffffff, "n")
        times, matrices = as_times(now_ps, size), self.matrices(state, size)
        cdef const int64_t* t = <const int64_t*>cnp.PyArray_DATA(times)
        cdef const double* R = <const double*>cnp.PyArray_DATA(matrices)
        cdef int pa = self.memory._profile_index(profile_a, "profile_a")
        cdef int pb = self.memory._profile_index(profile_b, "profile_b"), code = 0
        ha, hb = new_array(size, cnp.NPY_UINT64), new_array(size, cnp.NPY_UINT64)
        cdef handle_t* a = <handle_t*>cnp.PyArray_DATA(ha)
        cdef handle_t* b = <handle_t*>cnp.PyArray_DATA(hb)
        cdef Call call = Call(self.memory, ("n",), (), None)
        cdef int64_t step = cnp.PyArray_NDIM(now_ps) if cnp.PyArray_Check(now_ps) else 0
        cdef int64_t r_step = 16 if cnp.PyArray_DIM(matrices, 0) > 1 else 0
        if size:
            with nogil:
                code = burst_create_pairs(call.m, &call.arena, size, t, step, R, r_step, pa, pb,
                                          a, b)
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
        cdef Call call = Call(self.memory, ("n",), (), None)
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
        cdef Call call = Call(self.memory, ("left", "right"), (left, right), now_ps, 2)
        out = new_array(call.n, cnp.NPY_INT8)
        cdef int8_t* k = <int8_t*>cnp.PyArray_DATA(out)
        cdef bitgen_t* bits = bitgen_of(self.memory, rng)
        cdef int code = 0
        if call.n:
            with rng.bit_generator.lock, nogil:
                code = burst_swap(call.m, &call.arena, call.n, call.o, &g.g, bits, k)
        call.end(code)
        return out

    def measure(self, qubits, now_ps, rng, basis="Z", readout_error=0.0):
        """Measures and frees: reported bits, int8."""
        cdef double[3] axis
        cdef const double* a = axis_of(basis, axis)
        cdef double error = as_probability(readout_error, "readout_error")
        cdef bitgen_t* draws = bitgen_of(self.memory, rng)
        cdef Call call = Call(self.memory, ("qubits",), (qubits,), now_ps,
                              0 if fabs(a[0]) == 1 or fabs(a[1]) == 1 or fabs(a[2]) == 1 else 2)
        out = new_array(call.n, cnp.NPY_INT8)
        cdef int8_t* k = <int8_t*>cnp.PyArray_DATA(out)
        cdef int code = 0
        if call.n:
            with rng.bit_generator.lock, nogil:
                code = burst_measure(call.m, &call.arena, call.n, call.o, a, error, draws, k)
        call.end(code)
        return out

    def measure_pairs(self, a, b, now_ps, rng, basis="Z", readout_error=0.0):
        """Measures both halves a[i], b[i] of pairs in one basis and frees them: their reported
        bits, two arrays of int8."""
        cdef double[3] axis
        cdef const double* along = axis_of(basis, axis)
        cdef double error = as_probability(readout_error, "readout_error")
        cdef bitgen_t* draws = bitgen_of(self.memory, rng)
        cdef Call call = Call(self.memory, ("a", "b"), (a, b), now_ps, 2)
        first, second = new_array(call.n, cnp.NPY_INT8), new_array(call.n, cnp.NPY_INT8)
        cdef int8_t* k = <int8_t*>cnp.PyArray_DATA(first)
        cdef int8_t* l = <int8_t*>cnp.PyArray_DATA(second)
        cdef int code = 0
        if call.n:
            with rng.bit_generator.lock, nogil:
                code = burst_measure_pairs(call.m, &call.arena, call.n, call.o, along, error,
                                           draws, k, l)
        call.end(code)
        return first, second

    def pauli(self, qubits, now_ps, paulis, rng, error=0.0):
        """Pauli gates 2 x + z (int8 array); ``rng`` is used on tableaus alone."""
        cdef double p = as_probability(error, "error")
        cdef bitgen_t* draws = bitgen_of(self.memory, rng)
        cdef Call call = Call(self.memory, ("qubits",), (qubits,), now_ps)
        kinds = as_array(paulis, "paulis", cnp.NPY_INT8, call.n)
        cdef const int8_t* xz = <const int8_t*>cnp.PyArray_DATA(kinds)
        if call.n and (kinds.min() < 0 or kinds.max() > 3):
            raise errors.QuantumMemoryError("paulis: must be 0 to 3")
        cdef int code = 0
        if call.n:
            with rng.bit_generator.lock, nogil:
                code = burst_pauli(call.m, &call.arena, call.n, call.o, xz, p, draws)
        call.end(code)

    def age(self, qubits, now_ps, rng):
        """Brings clocks to ``now_ps``; ``rng`` is used on tableaus alone."""
        cdef bitgen_t* draws = bitgen_of(self.memory, rng)
        cdef Call call = Call(self.memory, ("qubits",), (qubits,), now_ps)
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
        cdef bitgen_t* draws = bitgen_of(self.memory, rng)
        cdef Call call = Call(self.memory, ("keep_a", "keep_b", "spend_a", "spend_b"),
                              (keep_a, keep_b, spend_a, spend_b), now_ps, 2)
        out = new_array(call.n, cnp.NPY_INT8)
        cdef int8_t* k = <int8_t*>cnp.PyArray_DATA(out)
        if call.n:
            with rng.bit_generator.lock, nogil:
                code = burst_distil(call.m, &call.arena, call.n, call.o, p, &g.g, draws, k)
        call.end(code)
        return out.view(np.bool_)

    def free(self, qubits, rng):
        """Discards qubits; ``rng`` is used on tableaus alone."""
        cdef bitgen_t* draws = bitgen_of(self.memory, rng)
        cdef Call call = Call(self.memory, ("qubits",), (qubits,), None)
        cdef int code = 0
        if call.n:
            with rng.bit_generator.lock, nogil:
                code = burst_free(call.m, &call.arena, call.n, call.o, draws)
        call.end(code)

    def fidelity(self, a, b, now_ps=None, bell=0):
        """Fidelities of pairs to Bell state ``bell`` at ``now_ps`` (None: at their clocks)."""
        cdef int k = as_bell(bell, "bell"), code = 0
        cdef Call call = Call(self.memory, ("a", "b"), (a, b), now_ps, 2)
        out = np.empty(call.n)
        cdef double* f = <double*>cnp.PyArray_DATA(out)
        if call.n:
            with nogil:
                code = burst_fidelity(call.m, call.n, call.o, k, f)
        call.end(code)
        return out
