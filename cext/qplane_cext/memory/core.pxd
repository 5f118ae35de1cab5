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

cdef class GateNoise:
    cdef gate_noise_t g


cdef class QuantumMemory:
    cdef void* _m
    cdef object _rng        # the generator that _bitgen belongs to
    cdef bitgen_t* _bitgen
    cdef object _noise      # keeps the memory's own generator alive
    cdef object _bursts

    # All return QM_OK (or a count) or a negative QM_E*; on an error nothing has changed.
    # Conventions of noise and outcomes: docs/memory.md. One thread at a time.

    # T1, T2 in seconds (inf allowed), excited population in equilibrium -> profile index
    cdef int c_profile(self, double t1_s, double t2_s, double population) noexcept nogil
    # a fresh pair from its Pauli matrix R (row major, R[0] = 1); both clocks start at now
    cdef int c_create_pair(self, int64_t now_ps, const double* r16, int profile_a, int profile_b,
                           handle_t* a, handle_t* b) noexcept nogil
    # Bell measurement on halves of two different pairs; the far halves become one pair
    cdef int c_swap(self, int64_t now_ps, handle_t left, handle_t right,
                    const gate_noise_t* noise, bitgen_t* rng, int* outcome,
                    int* actual) noexcept nogil
    # Bell measurement on any two qubits (teleportation, fusion, decoding of dense coding)
    cdef int c_bell(self, int64_t now_ps, handle_t left, handle_t right,
                    const gate_noise_t* noise, bitgen_t* rng, int* outcome,
                    int* actual) noexcept nogil
    # axis 0 Z, 1 X, 2 Y; the qubit is freed
    cdef int c_measure(self, int64_t now_ps, handle_t q, int axis, double readout_error,
                       bitgen_t* rng, int* bit) noexcept nogil
    cdef int c_measure_along(self, int64_t now_ps, handle_t q, const double* bloch,
                             double readout_error, bitgen_t* rng, int* bit) noexcept nogil
    # the bit that c_measure would read of a qubit of a pair with the draw u; changes nothing
    cdef int c_peek_bit(self, int64_t now_ps, handle_t q, int axis, double readout_error,
                        double u, int* bit) noexcept nogil
    # bit 1: X, bit 0: Z, as in a Bell index
    cdef int c_pauli(self, int64_t now_ps, handle_t q, int pauli_xz,
                     double gate_error) noexcept nogil
    # two pairs into one: protocol 0 BBPSSW, 1 DEJMPS, 2 EPL; h = kept a, b, measured a, b
    cdef int c_distil(self, int64_t now_a_ps, int64_t now_b_ps, const handle_t* h, int protocol,
                      const gate_noise_t* noise, bitgen_t* rng, int* bits,
                      int* success) noexcept nogil
    # the same, one end after the other: a's bit at its time (the qubits stay), then all the rest
    cdef int c_distil_first(self, int64_t now_a_ps, handle_t kept, handle_t spent, int protocol,
                            const gate_noise_t* noise, bitgen_t* rng, int* bit) noexcept nogil
    cdef int c_distil_second(self, int64_t now_a_ps, int64_t now_b_ps, const handle_t* h,
                             int protocol, const gate_noise_t* noise_a,
                             const gate_noise_t* noise_b, int bit_a, bitgen_t* rng,
                             int* bit_b) noexcept nogil
    cdef int c_free(self, handle_t q) noexcept nogil
    cdef int c_peek_fidelity(self, handle_t a, int64_t t_a_ps, handle_t b, int64_t t_b_ps,
                             int bell, double* f) noexcept nogil
    cdef int c_partner(self, handle_t q, handle_t* partner) noexcept nogil
    cdef int c_clock(self, handle_t q, int64_t* clock_ps) noexcept nogil
    cdef int64_t c_live(self) noexcept nogil
    # slots: a node with a limit (its number), an owner, a deadline; expire: 1 and the handle, or 0
    cdef int c_add_node(self, uint32_t limit) noexcept nogil
    cdef int c_assign(self, handle_t q, int node, int purpose, int slice_) noexcept nogil
    cdef int c_set_deadline(self, handle_t q, int64_t deadline_ps) noexcept nogil
    cdef int c_expire(self, int64_t now_ps, handle_t* q) noexcept nogil

    # Python level
    cdef int _profile_index(self, value, str name) except -1
    cdef tuple _create(self, kind, int n, int64_t now, profiles, bint exact, data)
    cdef int _own(self, node, dict handles) except -1
    cdef int _pauli(self, qubit, now_ps, int xz, error, node, str name) except -1
    cdef int _two_pairs(self, handle_t* h, int64_t now_a, int64_t now_b, str time_a, str time_b,
                        str spend) except -1
    cdef int _rotate(self, qubit, now_ps, tuple F, error, node) except -1
    cdef int _gate2(self, first, second, now_ps, int gate, error, node, str a, str b) except -1
    cdef int _bell(self, left, right, now_ps, rng, GateNoise noise, node, bint pairs, str a,
                   str b) except -1


cdef int64_t as_time(value, str name) except -1
cdef double as_probability(value, str name) except? -1
cdef int as_bell(value, str name) except -1
cdef int as_protocol(value) except -1
cdef int as_size(value, int least, int64_t most=*, str name=*) except -1
cdef const double* axis_of(basis, double* axis) except NULL
cdef bitgen_t* bitgen_of(QuantumMemory memory, rng) except NULL


cdef inline bitgen_t* draws_of(QuantumMemory memory, rng) except NULL:
    """``bitgen_of`` without a call where it is the last one."""
    return memory._bitgen if rng is memory._rng else bitgen_of(memory, rng)
