"""A switch that is not in this process: each of its ports is a packet socket."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from qplane_cext.sim.durations cimport Durations

cdef enum:
    EXTERNAL_PORTS = 512


cdef struct External:
    int node  # index in the network
    int[512] sockets  # by port; -1: none. Borrowed.
    int64_t asked_ns  # when the last frame went in that nothing has come out for; 0: none
    uint64_t frames_in  # to the switch
    uint64_t frames_out
    uint64_t frames_lost  # that the kernel did not take
    Durations transit
    Durations recent


cdef class ExternalSwitch:
    cdef External external


# A process_t of the engine; `core` is an External, borrowed.
cdef void process_external(
    void* core, int port, const uint8_t* data, uint32_t length, int64_t now_us, void* context
) noexcept nogil
# A frame came out of the switch at this instant of the monotonic clock.
cdef void external_answered(
    External* external, const uint8_t* data, uint32_t length, int64_t at_ns
) noexcept nogil
cdef int64_t monotonic_ns() noexcept nogil
