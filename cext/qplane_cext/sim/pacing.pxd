"""The engine's clock tied to the wall clock."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.durations cimport Durations
from qplane_cext.sim.engine cimport Engine, Stop
from qplane_cext.sim.external cimport External


cdef extern from "poll.h" nogil:
    struct pollfd:
        int fd
        short events
        short revents


cdef struct Socket:
    External* external
    int port


cdef struct Pace:
    double ps_per_ns  # of the wall clock: 1000 / time-scale
    bint begun
    int64_t began_ns  # of the monotonic clock
    int64_t began_ps  # of the engine
    int wake  # an eventfd
    pollfd* polled  # the eventfd, then the sockets
    Socket* sockets
    int socket_count
    uint8_t* frame
    Durations lateness
    Durations recent


cdef class Pacer:
    cdef Pace pace


cdef int pace_sockets(Pace* pace, Engine* engine) except -1
# Until woken (STOP_UNTIL), or until there is something for Python: STOP_CPU, STOP_FAILED.
cdef Stop paced_run(Engine* engine, QuantumMemory memory, Pace* pace) noexcept nogil
