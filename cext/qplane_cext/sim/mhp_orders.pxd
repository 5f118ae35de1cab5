"""The orders at one end of a link: the running one, the one that waits, and the slots they need."""

from libc.stdint cimport int64_t, uint8_t

from qplane_cext.sim.events cimport Queue
from qplane_cext.sim.mhp cimport Mhp, MhpSide
from qplane_cext.sim.mhp_frames cimport Order

# From MHP_START and MHP_STOP; whether anything changed. MHP_STATUS says what.
cdef bint order_take(Mhp* mhp, Queue* queue, int side, Order* order) noexcept nogil
cdef bint order_stop(Mhp* mhp, Queue* queue, int side, Order* order) noexcept nogil
# An order ends; its slot, if it has one reserved, is given back.
cdef void order_finish(Mhp* mhp, Queue* queue, int side, int place, uint8_t state) noexcept nogil
# End what is over by `cycle`; let the order that waits take its place.
cdef void order_promote(Mhp* mhp, Queue* queue, int side, int64_t cycle) noexcept nogil
# The cycle in which the running order must have ended, and that in which orders change something.
cdef int64_t limit_of(MhpSide* s) noexcept nogil
cdef int64_t change_of(MhpSide* s) noexcept nogil
# Whether a K attempt has a slot for its photon's partner, and one to move it to if need be.
cdef bint has_slot(MhpSide* s, Order* order) noexcept nogil
