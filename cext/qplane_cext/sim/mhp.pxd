"""The MHP of one quantum link: orders at both ends, attempts in cycles, GEN, REPLY, results.

It stands for what both devices do and for the physics between them. The devices know of each other
only what the station's REPLYs say; what the model here knows beyond that decides nothing but which
attempts can be left out because they fail (docs/mhp.md).
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from numpy.random cimport bitgen_t

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.device cimport Device
from qplane_cext.sim.events cimport Queue
from qplane_cext.sim.ledger cimport Ledger
from qplane_cext.sim.mhp_frames cimport Order, Reply, Result
from qplane_cext.sim.quantum_link cimport QuantumLink

cdef extern from "<stdint.h>":
    const int64_t NEVER "INT64_MAX"  # no cycle

cdef enum:  # counters
    MHP_ATTEMPTS  # on which both ends agreed, sent or not
    MHP_ALONE  # on which they did not
    MHP_HERALDS
    MHP_GENS
    MHP_REPLIES
    MHP_STALE_REPLIES
    MHP_PAIRS
    MHP_MEASURED
    MHP_ERRORS
    MHP_TIMEOUTS
    MHP_FALSE_HERALDS  # success reported of an attempt that made no pair: 0, or the station errs
    MHP_COUNTERS


cdef struct OrderSlot:  # an order at one end
    bint loaded
    Order order
    uint16_t pairs_left
    bint is_over  # all pairs are there; M: attempts go on up to end_cycle
    uint64_t attempts


cdef struct Pending:  # an attempt whose REPLY is awaited
    bint used
    uint32_t stamp
    uint16_t queue
    bint measure
    uint8_t bell
    uint8_t basis
    uint8_t outcome
    bint is_pair  # a pair came into being
    int32_t slot  # K: where the half is, or -1
    int32_t target  # K: the storage slot that it will be moved to, or -1
    int64_t cycle
    uint64_t attempts
    int64_t born_ps


cdef struct MhpSide:
    Device* device
    uint8_t number
    OrderSlot[2] orders  # the running one and the one that waits
    int64_t next_cycle  # no attempt before it
    int32_t slot  # reserved for the next K attempt, or -1
    int32_t target
    bint holds  # a K attempt is under way
    uint32_t station_seq  # as REPLY said last
    uint64_t errors_in_row
    Pending* pendings
    int32_t pending_count
    int32_t pending_capacity


cdef enum:
    MOST_FIGURES = 64  # pairs of bright-state parameters whose figures are kept

cdef struct HeraldFigures:  # of one pair of bright-state parameters
    uint16_t[2] bright
    double success
    int state_count
    uint8_t[2] bells
    double states[2][16]  # when both halves have just come into being
    double kept[2][16]  # when the later one has


cdef struct Mhp:
    int32_t index  # of the link
    QuantumLink* link
    void* figures_of  # Python: (bright a, bright b) -> success, [(bell, state, kept)], borrowed
    int32_t station  # node
    int32_t station_port
    uint8_t station_link
    int64_t cycle_ps
    int64_t attempt_cycles  # of a K attempt; a REPLY that has not come by then is lost
    int64_t recovery_cycles
    int64_t[2] gen_ps  # from the start of an attempt
    int64_t outcome_ps
    bint every_attempt
    bint is_source  # scheme
    bitgen_t* stream
    MhpSide[2] sides
    HeraldFigures* figures
    int32_t figure_count
    int32_t figure_turn  # which of them gives way next
    int64_t epoch  # tells a plan that was given up
    bint attempts_next  # whether the plan ends in an attempt that is sent
    bint agreed  # both ends take part in the planned attempts
    int64_t planned_from  # first cycle of the plan
    int64_t planned_step
    uint64_t alone  # attempts in a row on which the ends did not agree
    uint64_t[16] counters


cdef inline int64_t mhp_cycle(Mhp* mhp, int64_t now_ps) noexcept nogil:
    """The cycle that `now_ps` lies in."""
    return now_ps // mhp.cycle_ps


cdef inline int64_t next_cycle(Mhp* mhp, int64_t now_ps) noexcept nogil:
    """The first cycle that does not begin before `now_ps`."""
    return (now_ps + mhp.cycle_ps - 1) // mhp.cycle_ps


cdef inline int64_t step_of(Mhp* mhp, bint measure) noexcept nogil:
    """Cycles from an attempt to the next."""
    return 1 if measure else mhp.attempt_cycles


cdef void mhp_free(Mhp* mhp) noexcept nogil

# ---- commands ----
cdef void mhp_start(Mhp* mhp, Queue* queue, int side, Order* order) noexcept nogil
cdef void mhp_stop(Mhp* mhp, Queue* queue, int side, Order* order) noexcept nogil
cdef void mhp_reply(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, int side, Reply* reply
) noexcept nogil

# ---- events ----
cdef void mhp_turn(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory
) noexcept nogil
cdef bint mhp_turn_void(Mhp* mhp, int64_t epoch) noexcept nogil
cdef void mhp_timeout(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t value
) noexcept nogil
cdef bint mhp_timeout_void(Mhp* mhp, int64_t value) noexcept nogil
# A slot became free where an order waits for one.
cdef void mhp_plan(Mhp* mhp, Queue* queue) noexcept nogil
