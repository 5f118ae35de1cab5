# cython: language_level=3
"""Quantum memory for a whole network: exact states, lazy ageing, generation-counted handles."""

cimport cython
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset
from numpy.random cimport bitgen_t

import numpy as np

cdef extern from "qplane_cext/memory/pair.h" nogil:
    ctypedef struct arena_t:
        int64_t live
    ctypedef struct qm_t:
        arena_t arena
        int64_t live
        uint32_t capacity
        uint32_t n_profiles
    qm_t* qm_new(uint32_t capacity, int exact_only)
    void qm_delete(qm_t* m)
    int add_profile(qm_t* m, double t1_s, double t2_s, double population)
    int qm_create_pair(qm_t* m, arena_t* a, int64_t now_ps, const double* R, int pa, int pb,
                       handle_t* ha, handle_t* hb)
    int qm_swap(qm_t* m, arena_t* a, int64_t now_ps, handle_t left, handle_t right,
                const gate_noise_t* g, bitgen_t* rng, int* outcome, int* actual)
    int qm_measure(qm_t* m, arena_t* a, int64_t now_ps, handle_t h, const double* axis,
                   double readout_error, bitgen_t* rng, int* bit)
    int qm_free(qm_t* m, arena_t* a, handle_t h)
    int qm_pauli(qm_t* m, arena_t* a, int64_t now_ps, handle_t h, int xz, double gate_error)
    int qm_peek_fidelity(const qm_t* m, handle_t ha, int64_t ta_ps, handle_t hb, int64_t tb_ps,
                         int bell, double* f)
    uint32_t slot_of(const qm_t* m, handle_t h)
    uint32_t partner_of(const qm_t* m, uint32_t q)
    handle_t make_handle(const qm_t* m, uint32_t q)
    int64_t clock_of(const qm_t* m, uint32_t q)


cdef bitgen_t* _bitgen(QuantumMemory memory, rng) except NULL:
    """The C generator below a ``numpy.random.Generator``; the last one used is remembered."""
    if rng is not memory._rng:
        memory._bitgen = <bitgen_t*>PyCapsule_GetPointer(
            rng.bit_generator.capsule, "BitGenerator")
        memory._rng = rng
    return memory._bitgen


cdef int _check(int code) except -1:
    if code >= 0:
        return 0
    if code == QM_ESTALE:
        raise LookupError("handle: names no live qubit (freed, or its slot is used again)")
    if code == QM_ETIME:
        raise ValueError("now_ps: earlier than the qubit's own clock")
    if code == QM_EFULL:
        raise MemoryError("memory full")
    raise ValueError("argument out of range")


cdef class QuantumMemory:
    """Qubits of a whole network.

    ``capacity`` is the number of records; a pair takes one, and so does a qubit created alone.
    Room that is never used costs no memory.
    """

    def __cinit__(self, Py_ssize_t capacity=65536, *, bint exact_only=False, int seed=0):
        if not 1 <= capacity <= 0x1fffffff:
            raise ValueError(f"capacity must be 1 to {0x1fffffff} records, not {capacity}")
        self._m = qm_new(<uint32_t>capacity, exact_only)
        if self._m == NULL:
            raise MemoryError(f"no room for {capacity} records")
        add_profile(<qm_t*>self._m, float("inf"), float("inf"), 0.0)

    def __dealloc__(self):
        qm_delete(<qm_t*>self._m)

    cdef int c_profile(self, double t1_s, double t2_s, double population) noexcept nogil:
        return add_profile(<qm_t*>self._m, t1_s, t2_s, population)

    cdef int c_create_pair(self, int64_t now_ps, const double* r16, int profile_a, int profile_b,
                           handle_t* a, handle_t* b) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        return qm_create_pair(m, &m.arena, now_ps, r16, profile_a, profile_b, a, b)

    cdef int c_swap(self, int64_t now_ps, handle_t left, handle_t right,
                    const gate_noise_t* noise, bitgen_t* rng, int* outcome,
                    int* actual) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        return qm_swap(m, &m.arena, now_ps, left, right, noise, rng, outcome, actual)

    cdef int c_measure(self, int64_t now_ps, handle_t q, int axis, double readout_error,
                       bitgen_t* rng, int* bit) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        cdef double[3] bloch
        if not 0 <= axis <= 2:
            return QM_EARG
        memset(bloch, 0, sizeof(bloch))
        bloch[2 if axis == 0 else axis - 1] = 1  # 0 Z, 1 X, 2 Y
        return qm_measure(m, &m.arena, now_ps, q, bloch, readout_error, rng, bit)

    cdef int c_measure_along(self, int64_t now_ps, handle_t q, const double* bloch,
                             double readout_error, bitgen_t* rng, int* bit) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        return qm_measure(m, &m.arena, now_ps, q, bloch, readout_error, rng, bit)

    cdef int c_pauli(self, int64_t now_ps, handle_t q, int pauli_xz,
                     double gate_error) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        return qm_pauli(m, &m.arena, now_ps, q, pauli_xz, gate_error)

    cdef int c_free(self, handle_t q) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        return qm_free(m, &m.arena, q)

    cdef int c_peek_fidelity(self, handle_t a, int64_t t_a_ps, handle_t b, int64_t t_b_ps,
                             int bell, double* f) noexcept nogil:
        return qm_peek_fidelity(<qm_t*>self._m, a, t_a_ps, b, t_b_ps, bell, f)

    cdef int c_partner(self, handle_t q, handle_t* partner) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        cdef uint32_t slot = slot_of(m, q), other
        if slot == 0:
            return QM_ESTALE
        other = partner_of(m, slot)
        if other == 0:
            return QM_EARG
        partner[0] = make_handle(m, other)
        return QM_OK

    cdef int c_clock(self, handle_t q, int64_t* clock_ps) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        cdef uint32_t slot = slot_of(m, q)
        if slot == 0:
            return QM_ESTALE
        clock_ps[0] = clock_of(m, slot)
        return QM_OK

    cdef int64_t c_live(self) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        return m.live + m.arena.live

    # ---- scalar verbs ----

    def profile(self, double t1_s, double t2_s, double population=0.0):
        code = self.c_profile(t1_s, t2_s, population)
        _check(code)
        return code

    def create_pair(self, int64_t now_ps, R, int profile_a=0, int profile_b=0):
        cdef double[:, ::1] r = np.ascontiguousarray(R, dtype=np.float64)
        cdef handle_t a, b
        if r.shape[0] != 4 or r.shape[1] != 4:
            raise ValueError("R: must have shape (4, 4)")
        _check(self.c_create_pair(now_ps, &r[0, 0], profile_a, profile_b, &a, &b))
        return a, b

    def swap(self, handle_t left, handle_t right, int64_t now_ps, rng, *,
             double two_qubit_error=0, double one_qubit_error=0, double readout_error=0):
        cdef gate_noise_t g
        cdef int outcome, actual
        g.two_qubit_error = two_qubit_error
        g.one_qubit_error = one_qubit_error
        g.readout_error = readout_error
        _check(self.c_swap(now_ps, left, right, &g, _bitgen(self, rng), &outcome, &actual))
        return outcome, actual

    def measure(self, handle_t q, int64_t now_ps, rng, int axis=0, double readout_error=0):
        cdef int bit
        _check(self.c_measure(now_ps, q, axis, readout_error, _bitgen(self, rng), &bit))
        return bit

    def pauli(self, handle_t q, int64_t now_ps, int pauli_xz, double gate_error=0):
        _check(self.c_pauli(now_ps, q, pauli_xz, gate_error))

    def free(self, handle_t q):
        _check(self.c_free(q))

    def fidelity(self, handle_t a, int64_t t_a_ps, handle_t b, int64_t t_b_ps, int bell=0):
        cdef double f
        _check(self.c_peek_fidelity(a, t_a_ps, b, t_b_ps, bell, &f))
        return f

    def live(self):
        return self.c_live()
