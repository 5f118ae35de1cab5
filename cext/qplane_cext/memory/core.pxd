# cython: language_level=3
"""The C level of the quantum memory: what the event loop and the devices call without the GIL."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from numpy.random cimport bitgen_t

cdef extern from "qplane_cext/memory/api.h" nogil:
    ctypedef struct gate_noise_t:
        double two_qubit_error
        double one_qubit_error
        double readout_error
    enum:
        QM_OK, QM_ESTALE, QM_EARG, QM_EFULL, QM_ETIME, QM_EPURE, QM_ENOMEM, QM_EOWNER

ctypedef uint64_t handle_t

cdef class QuantumMemory:
    cdef void* _m
    cdef object _rng
    cdef bitgen_t* _bitgen

    # All return QM_OK or a negative QM_E*; on an error nothing has changed. Conventions of noise
    # and outcomes: docs/memory.md.
    cdef int c_profile(self, double t1_s, double t2_s, double population) noexcept nogil
    cdef int c_create_pair(self, int64_t now_ps, const double* r16, int profile_a, int profile_b,
                           handle_t* a, handle_t* b) noexcept nogil
    cdef int c_swap(self, int64_t now_ps, handle_t left, handle_t right,
                    const gate_noise_t* noise, bitgen_t* rng, int* outcome,
                    int* actual) noexcept nogil
    cdef int c_measure(self, int64_t now_ps, handle_t q, int axis, double readout_error,
                       bitgen_t* rng, int* bit) noexcept nogil
    cdef int c_measure_along(self, int64_t now_ps, handle_t q, const double* bloch,
                             double readout_error, bitgen_t* rng, int* bit) noexcept nogil
    cdef int c_pauli(self, int64_t now_ps, handle_t q, int pauli_xz,
                     double gate_error) noexcept nogil
    cdef int c_free(self, handle_t q) noexcept nogil
    cdef int c_peek_fidelity(self, handle_t a, int64_t t_a_ps, handle_t b, int64_t t_b_ps,
                             int bell, double* f) noexcept nogil
    cdef int c_partner(self, handle_t q, handle_t* partner) noexcept nogil
    cdef int c_clock(self, handle_t q, int64_t* clock_ps) noexcept nogil
    cdef int64_t c_live(self) noexcept nogil
