"""Classical channels: one direction of a duplex link, QCI before all else, with fault injection."""

from libc.stdint cimport int32_t, int64_t, uint64_t
from numpy.random cimport bitgen_t

from qplane_cext.sim.events cimport Packet, Queue


cdef enum:
    QUEUE_FRAMES = 1024  # what is more is lost
    MAX_FLIPPED_BITS = 16  # the bits of an EtherType: a frame without more has that many


cdef struct FaultRates:
    double loss
    double duplication
    double reordering
    double delay
    double corruption
    double mean_delay_ps
    int max_flipped_bits
    bint all_traffic


cdef struct ChannelCounters:
    uint64_t frames
    uint64_t bytes
    uint64_t qci
    uint64_t lost
    uint64_t duplicated
    uint64_t reordered
    uint64_t delayed
    uint64_t corrupted
    uint64_t overflowed


cdef struct Direction:
    int arrival_kind  # ARRIVE or HOST_RECEIVE, at
    int where
    int64_t port
    int64_t delay_ps
    double ps_per_byte
    int64_t busy_until_ps
    Packet** waiting  # other frames, while the channel is busy: a ring of QUEUE_FRAMES, or NULL
    int32_t first_waiting
    int32_t waiting_count
    int64_t last_faulty_ps  # arrival of the last frame that faults apply to and that keeps order
    bint faulty
    bint cut
    uint64_t losing  # the QCI frame that is lost, counted from the next one, 1; 0: none
    FaultRates faults
    bitgen_t* stream
    ChannelCounters counters


# Takes the packet over.
cdef void channel_send(Queue* queue, Direction* direction, Packet* packet) noexcept nogil
# The event CHANNEL_FREE: the next frame that waits may go.
cdef void channel_free_now(Queue* queue, Direction* direction) noexcept nogil
cdef void direction_free(Direction* direction) noexcept nogil
cdef bint is_qci(Packet* packet) noexcept nogil
