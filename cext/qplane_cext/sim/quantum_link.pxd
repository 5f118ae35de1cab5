"""A heralded quantum link between two devices: attempts, heralds, turns between circuits."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from numpy.random cimport bitgen_t

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.device cimport Device
from qplane_cext.sim.events cimport Queue
from qplane_cext.sim.ledger cimport Ledger

cdef enum LinkPhase:
    BLOCKED  # no request has a free slot at both ends
    ATTEMPTING
    HERALDED  # until the attempt that succeeded is over


cdef enum:
    LINK_FIGURES = 64  # pairs of bright-state parameters whose figures are kept


cdef struct LinkFigures:  # what attempts give with one pair of bright-state parameters
    uint16_t[2] bright  # n / 65535; 0: the link's own
    double success
    int state_count  # equally likely heralds:
    uint8_t[2] bells
    double states[2][16]  # when the later half has just come into being


cdef struct QuantumLink:
    int32_t index
    Device* devices[2]
    uint8_t[2] numbers
    int[2] profiles  # of the memories, for the physics
    int64_t[2] arms_ps
    int64_t[2] born_ps  # from the start of an attempt: when either half comes into being
    int64_t herald_ps  # and when the station knows
    int64_t attempt_ps
    bint aligned  # attempts begin at multiples of attempt_ps
    void* figures_of  # Python: (bright a, bright b) -> success, [(bell, state)], borrowed
    LinkFigures* figures
    int32_t figure_room  # 1 where the scheme knows no bright state
    int32_t figure_count
    int32_t figure_turn
    LinkFigures* current  # of the attempts under way
    bint lent  # to the MHP: no attempts for circuits meanwhile
    bitgen_t* stream
    uint32_t next_seq
    uint8_t phase
    int slice_turn  # slice to be served next
    int32_t[64] turns  # and of each slice the request of device 0
    uint32_t label
    int32_t[2] slots
    uint16_t[2] bright  # of the two requests
    int64_t started_ps
    int64_t planned  # attempts, the last of which succeeds
    int64_t epoch  # tells events of a cancelled sequence
    uint64_t attempts
    uint64_t heralds
    uint64_t times_held_back


# Whether a STATION or LINK_NEXT belongs to attempts that were called off.
cdef bint link_void(QuantumLink* link, int64_t epoch) noexcept nogil
cdef void link_wake(QuantumLink* link, Queue* queue) noexcept nogil
cdef void link_station(
    QuantumLink* link, Queue* queue, Ledger* ledger, QuantumMemory memory
) noexcept nogil
cdef void link_herald(QuantumLink* link, Queue* queue, Ledger* ledger, int64_t value) noexcept nogil
cdef void link_next(QuantumLink* link, Queue* queue) noexcept nogil
