# cython: language_level=3
"""The C functions below QuantumMemory (headers of this package)."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from numpy.random cimport bitgen_t

from qplane_cext.memory.core cimport gate_noise_t, handle_t

cdef extern from "qplane_cext/memory/engine.h" nogil:
    const int64_t NO_DEADLINE
    const int MAX_RECORDS
    const int MAX_VECTOR
    const int MAX_TABLEAU
    const int GATE_CNOT
    const int GATE_CZ
    ctypedef struct profile_t:
        double t1_s
        double t2_s
        double population
        int pauli
        int mixture
    ctypedef struct arena_t:
        int64_t live
    ctypedef struct slot_t:
        uint32_t owner
        uint16_t purpose
        uint16_t slice
        uint64_t key
    ctypedef struct owner_t:
        uint32_t limit
        uint32_t used
    ctypedef struct qm_t:
        arena_t arena
        int64_t live
        uint32_t capacity
        profile_t* profiles
        uint32_t n_profiles
        slot_t* slots
        owner_t* owners
        uint32_t n_owners
        bitgen_t* noise
    ctypedef struct big_t:
        int n
        int words
        uint32_t* m
        uint8_t* sign
        uint64_t* fx
        uint64_t* fz

    qm_t* qm_new(uint32_t capacity, int exact_only)
    void qm_delete(qm_t* m)
    void arena_return(qm_t* m, arena_t* a)
    int add_profile(qm_t* m, double t1_s, double t2_s, double population, int twirl)
    uint32_t slot_of(const qm_t* m, handle_t h)
    uint32_t partner_of(const qm_t* m, uint32_t q)
    handle_t make_handle(const qm_t* m, uint32_t q)
    int64_t clock_of(const qm_t* m, uint32_t q)
    uint32_t block_of(const qm_t* m, uint32_t q)
    int is_bell_pair(const qm_t* m, uint32_t q)
    big_t* tableau_of(const qm_t* m, uint32_t q)
    int qubits_with(const qm_t* m, uint32_t q)
    int64_t wheel_time(uint64_t key)

    int qm_create_pair(qm_t* m, arena_t* a, int64_t now_ps, const double* R, int pa, int pb,
                       handle_t* ha, handle_t* hb)
    int qm_create_werner(qm_t* m, arena_t* a, int64_t now_ps, double fidelity, int bell, int pa,
                         int pb, handle_t* ha, handle_t* hb)
    int is_pair_state(const double* R)
    int qm_create_state(qm_t* m, arena_t* a, int64_t now_ps, int n, const double* R,
                        const int* profiles, handle_t* h)
    int qm_create_ghz(qm_t* m, arena_t* a, int64_t now_ps, int n, const int* profiles, int exact,
                      handle_t* h)
    int qm_create_graph(qm_t* m, arena_t* a, int64_t now_ps, int n, int n_edges, const int* edges,
                        const int* profiles, int exact, handle_t* h)
    int qm_age(qm_t* m, arena_t* a, int64_t now_ps, handle_t h, bitgen_t* rng)
    int qm_rotate(qm_t* m, arena_t* a, int64_t now_ps, handle_t h, const double[3]* F,
                  double gate_error, bitgen_t* rng)
    int qm_pauli(qm_t* m, arena_t* a, int64_t now_ps, handle_t h, int xz, double gate_error,
                 bitgen_t* rng)
    int qm_pauli_channel(qm_t* m, arena_t* a, int64_t now_ps, handle_t h, double px, double py,
                         double pz, bitgen_t* rng)
    int qm_damp(qm_t* m, arena_t* a, int64_t now_ps, handle_t h, double gamma, double population,
                int twirl, bitgen_t* rng)
    int qm_gate2(qm_t* m, arena_t* a, int64_t now_ps, handle_t h, handle_t other, int gate,
                 double gate_error, bitgen_t* rng)
    int qm_bell(qm_t* m, arena_t* a, int64_t now_ps, handle_t left, handle_t right,
                const gate_noise_t* g, bitgen_t* rng, int* outcome, int* actual)
    int qm_swap(qm_t* m, arena_t* a, int64_t now_ps, handle_t left, handle_t right,
                const gate_noise_t* g, bitgen_t* rng, int* outcome, int* actual)
    int qm_measure(qm_t* m, arena_t* a, int64_t now_ps, handle_t h, const double* axis,
                   double readout_error, bitgen_t* rng, int* bit)
    int qm_measure_pair(qm_t* m, arena_t* a, int64_t now_ps, handle_t ha, handle_t hb,
                        const double* axis, double readout_error, bitgen_t* rng, int* bits)
    int qm_free(qm_t* m, arena_t* a, handle_t h, bitgen_t* rng)
    int qm_reset(qm_t* m, arena_t* a, int64_t now_ps, handle_t h, double error, bitgen_t* rng)
    int qm_distil(qm_t* m, arena_t* arena, int64_t now_a, int64_t now_b, const handle_t* h,
                  int protocol, const gate_noise_t* g, bitgen_t* rng, int* bits, int* success)
    int distil_check(const qm_t* m, int64_t now_a, int64_t now_b, const handle_t* h, uint32_t* q)
    int qm_distil_first(const qm_t* m, int64_t now_a, handle_t kept, handle_t spent, int protocol,
                        const gate_noise_t* g, bitgen_t* rng, int* bit)
    int qm_distil_second(qm_t* m, arena_t* arena, int64_t now_a, int64_t now_b, const handle_t* h,
                         int protocol, const gate_noise_t* ga, const gate_noise_t* gb, int bit_a,
                         bitgen_t* rng, int* bit_b)
    int qm_peek_bit(const qm_t*, int64_t, uint64_t, const double*, double, double, int*)
    int qm_peek_fidelity(const qm_t* m, handle_t ha, int64_t ta_ps, handle_t hb, int64_t tb_ps,
                         int bell, double* f)
    int qm_members(const qm_t* m, handle_t h, handle_t* members)
    int qm_peek_state(const qm_t* m, handle_t h, const int64_t* at_ps, double* R)
    int qm_add_node(qm_t* m, uint32_t limit)
    int qm_assign(qm_t* m, handle_t h, int node, int purpose, int slice)
    int qm_set_deadline(qm_t* m, handle_t h, int64_t deadline_ps)
    int qm_expire(qm_t* m, arena_t* a, int64_t now_ps, handle_t* h)
    int qm_owned_by(const qm_t* m, handle_t h, int node)

cdef extern from "qplane_cext/memory/tableau.h" nogil:
    uint64_t* row_x(const big_t* t, int r)
    uint64_t* row_z(const big_t* t, int r)
    int get_bit(const uint64_t* row, int q)
