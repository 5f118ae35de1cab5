"""The engine's own book of entangled pairs: which halves are partners and what became of them.

Metrics read it, and the physics needs the qubit handles in it. No protocol decision does: a device
passes on what its commands say and learns nothing back but measurement outcomes.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from numpy.random cimport bitgen_t

from qplane_cext.memory.core cimport QuantumMemory, gate_noise_t, handle_t
from qplane_cext.sim.keymap cimport KeyMap
from qplane_cext.sim.record cimport Record

cdef enum HalfState:
    ALIVE  # in a slot, or on its way there
    SWAPPED  # measured with another half
    DELIVERED  # handed to the application; its measurement is evaluated when the partner's is
    DISTILLED  # measured in a distillation; the memory drops the qubit when both ends have done that
    MEASURED  # by the link layer's user; its qubit is gone
    GONE  # discarded, expired, or lost in a failed swap

cdef enum EarlyState:
    NOT_EARLY
    UNFRAMED  # handed over early; its frame is still to come
    FRAMED  # ... and has come

cdef enum VoidResult:
    VOIDED
    VOID_UNKNOWN  # no such delivery is outstanding
    VOID_AFTER_COMPLETE  # both ends had delivered: an error of the protocol

cdef enum:
    NOTHING = 255  # outcome of a swap that was not done
    RECENT = 65536  # completed deliveries remembered, to tell the two kinds of late VOID apart


cdef struct Half:
    handle_t qubit
    int32_t partner  # the half at the other end, through all swaps so far
    int32_t joined  # the half that it was measured with, or -1
    int32_t node
    uint32_t label
    uint8_t link  # number at the node's device
    uint8_t state
    uint8_t outcome  # of the swap: reported
    uint8_t actual  # and true
    uint8_t frame  # DELIVER: Bell index that the end computed
    uint8_t corrected  # DELIVER carried CORRECT
    uint8_t basis
    uint8_t voided
    uint8_t early
    uint8_t measured  # DELIVER carried MEASURE; `bit` is known, and `draw` decided it
    uint8_t bit
    uint8_t rounds  # of distillation that the pair went through
    bint tainted  # a pair with a wrong frame was spent on it
    int32_t mate  # this end distilled this half with that one; the other end has not; else -1
    double draw
    uint32_t other_seq  # DELIVER: the pair at the other end
    int64_t emitted_ps
    int64_t ended_ps  # swapped or delivered


cdef struct LinkPair:  # halves 2 i and 2 i + 1 belong to pair i
    int32_t link
    uint32_t seq
    uint8_t bell
    bint one_sided
    uint8_t fed  # halves that were handed on to another circuit, after a distillation
    uint8_t rounds  # of that
    Half[2] halves


cdef struct Site:  # what the ledger has to know of a node
    bitgen_t* stream
    gate_noise_t noise


cdef struct Ledger:
    LinkPair* pairs
    int32_t used
    int32_t capacity
    int32_t free_head  # chained through halves[0].partner, -1: none
    int64_t live
    Site* sites
    KeyMap deliveries  # (node, link, seq) -> half, while the delivery is outstanding
    uint64_t* recent
    Record* record
    int failure  # the memory's error code of the first operation that it refused
    bint out_of_memory
    uint64_t delivered
    uint64_t one_sided  # delivered at one end, lost at the other, not voided yet
    uint64_t voids
    uint64_t void_mismatches  # voided at one end, delivered at the other


cdef int ledger_init(Ledger* ledger, Record* record) noexcept nogil
cdef void ledger_free(Ledger* ledger) noexcept nogil
cdef Half* half_at(Ledger* ledger, int32_t half) noexcept nogil
# The two halves are 2 i and 2 i + 1 of the result i; -1 on failure.
cdef int32_t ledger_pair(
    Ledger* ledger, QuantumMemory memory, int64_t created_ps, const double* state,
    const int* profiles, int32_t link, uint32_t seq, uint8_t bell
) noexcept nogil
# The reported outcome, or NOTHING where the halves are each other's partners.
cdef int ledger_swap(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t left, int32_t right
) noexcept nogil
cdef void ledger_lose(Ledger* ledger, QuantumMemory memory, int32_t half) noexcept nogil
# The outstanding delivery to an end that has this number at the other end; -1: there is none.
cdef int32_t ledger_by_far(
    Ledger* ledger, int32_t node, uint8_t link, uint32_t label, uint32_t far_seq
) noexcept nogil
# The end's part before a delivery: its frame, and the Pauli if it is the one to correct.
cdef void ledger_correct(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t half, uint8_t frame, bint correct,
    uint32_t other_seq
) noexcept nogil
# One end's part of a distillation: the head-end's comes first. The bit that it reads; NOTHING
# where the other end did not do the same with the partners.
cdef int ledger_distil_first(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t kept, int32_t spent
) noexcept nogil
cdef int ledger_distil_second(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t kept, int32_t spent
) noexcept nogil
# A distilled half goes on as that of a new pair, for another circuit.
cdef void ledger_feed(Ledger* ledger, int32_t half, uint8_t link, uint32_t label) noexcept nogil
# With `measure`: basis << 1 | bit.
cdef int ledger_deliver(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t half, bint measure
) noexcept nogil
# Early: without a frame, which follows. That changes nothing where the delivery is forgotten.
cdef void ledger_hand(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t half
) noexcept nogil
cdef void ledger_confirm(
    Ledger* ledger, QuantumMemory memory, int32_t node, uint8_t link, uint32_t seq, uint8_t frame,
    bint correct, uint32_t other_seq
) noexcept nogil
# Whether both ends of this delivery have delivered (it is one of the last RECENT).
cdef bint ledger_is_complete(Ledger* ledger, int32_t node, uint8_t link, uint32_t seq) noexcept nogil
cdef VoidResult ledger_void(
    Ledger* ledger, QuantumMemory memory, int32_t node, uint8_t link, uint32_t seq
) noexcept nogil

# Measure a half with a qubit in that state (a Bloch vector): the outcome.
cdef int ledger_teleport(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t half, const double* state
) noexcept nogil
# The Pauli of a frame; for 0 no gate is applied, and none fails.
cdef void ledger_pauli(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t half, int pauli
) noexcept nogil

# ---- for the link layer ----
# The number that the station gave a pair which was heralded without one.
cdef void ledger_number(Ledger* ledger, int32_t half, uint32_t seq) noexcept nogil
# The half goes on in another qubit, of that profile.
cdef void ledger_store(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t half, int profile
) noexcept nogil
cdef void ledger_depolarise(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t half, double error
) noexcept nogil
# The bit read out.
cdef int ledger_measure(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t half, const double* axis
) noexcept nogil
# A pair that is measured at both nodes as it comes into being; `axes` has three numbers for each.
cdef void ledger_measured_pair(
    Ledger* ledger, QuantumMemory memory, int64_t created_ps, const double* state,
    const int* profiles, const int* nodes, const double* axes, int* bits
) noexcept nogil
