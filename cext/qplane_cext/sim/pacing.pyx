"""The engine's clock tied to the wall clock; see pacing.pxd.

An event that is due at t picoseconds happens at t · time-scale of wall time, or as soon after that
as the machine gets to it; how much later is measured. The engine itself never sees that delay:
every event happens at its own time. What comes from a socket happens when it is read, after all
events that were due by then. So an external switch that is slow, or that the engine hears late,
costs the qubits that wait for it real time, as it would in a laboratory.
"""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.math cimport ceil
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from qplane_cext.sim.durations cimport durations_add, durations_dict
from qplane_cext.sim.engine cimport (
    SLICE_OVER, STOP_CPU, STOP_FAILED, STOP_UNTIL, Emission, Node, emit, engine_run
)
from qplane_cext.sim.external cimport (
    EXTERNAL_PORTS, External, external_answered, monotonic_ns, process_external
)

import os

cdef enum:
    SLICE_EVENTS = 2000
    FRAMES_AT_ONCE = 16  # of one socket, before the others get their turn
    FRAME_BYTES = 65560
    LONGEST_WAIT_NS = 1000000000

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    """

cdef extern from "time.h" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec

cdef extern from "poll.h" nogil:
    int ppoll(pollfd* fds, unsigned long count, const timespec* timeout, const void* signals)
    short POLLIN

cdef extern from "sys/prctl.h" nogil:
    int prctl(int option, unsigned long value, ...)
    int PR_SET_TIMERSLACK

cdef extern from "qplane_cext/sim/packet_socket.h" nogil:
    int packet_receive(int fd, uint8_t* frame, size_t room)

cdef extern from "unistd.h" nogil:
    ssize_t read(int fd, void* data, size_t length)


cdef class Pacer:
    """Ties an engine to the wall clock (documented in pacing.pyi)."""

    def __cinit__(self):
        memset(&self.pace, 0, sizeof(Pace))
        self.pace.wake = -1

    def __init__(self, double time_scale):
        if not 0 < time_scale < 1e9:
            raise ValueError(f"time_scale is {time_scale}; it must be above 0 and below 1e9")
        self.pace.ps_per_ns = 1000.0 / time_scale
        self.pace.wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.pace.frame = <uint8_t*>calloc(1, FRAME_BYTES)
        if self.pace.frame == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.pace.wake >= 0:
            os.close(self.pace.wake)
        free(self.pace.frame)
        free(self.pace.polled)
        free(self.pace.sockets)

    @property
    def time_scale(self):
        return 1000.0 / self.pace.ps_per_ns

    def wake(self):
        os.eventfd_write(self.pace.wake, 1)

    def now_ps(self):
        return due_ps(&self.pace, monotonic_ns()) if self.pace.begun else 0

    def lateness(self, *, recent=False):
        result = durations_dict(&self.pace.recent if recent else &self.pace.lateness)
        if recent:
            memset(&self.pace.recent, 0, sizeof(Durations))
        return result


cdef int64_t due_ps(Pace* pace, int64_t now_ns) noexcept nogil:
    """The engine's time that belongs to an instant of the monotonic clock."""
    return pace.began_ps + <int64_t>((now_ns - pace.began_ns) * pace.ps_per_ns)


cdef int64_t until_ns(Pace* pace, int64_t time_ps, int64_t now_ns) noexcept nogil:
    """How long to wait for an event, at least 0; rounded up, as an event is never early."""
    cdef double wait = ceil((time_ps - pace.began_ps) / pace.ps_per_ns) - (now_ns - pace.began_ns)
    if wait <= 0:
        return 0
    return LONGEST_WAIT_NS if wait >= LONGEST_WAIT_NS else <int64_t>wait


cdef int pace_sockets(Pace* pace, Engine* engine) except -1:
    """At the first run: what has to be listened to."""
    cdef External* external
    cdef int i, port, count = 0
    for i in range(engine.node_count):
        if engine.nodes[i].process == process_external:
            external = <External*>engine.nodes[i].core
            for port in range(EXTERNAL_PORTS):
                count += external.sockets[port] >= 0
    pace.polled = <pollfd*>calloc(count + 1, sizeof(pollfd))
    pace.sockets = <Socket*>calloc(count + 1, sizeof(Socket))
    if pace.polled == NULL or pace.sockets == NULL:
        raise MemoryError
    pace.polled[0].fd = pace.wake
    pace.polled[0].events = POLLIN
    for i in range(engine.node_count):
        if engine.nodes[i].process != process_external:
            continue
        external = <External*>engine.nodes[i].core
        external.node = i
        for port in range(EXTERNAL_PORTS):
            if external.sockets[port] >= 0:
                pace.socket_count += 1
                pace.sockets[pace.socket_count].external = external
                pace.sockets[pace.socket_count].port = port
                pace.polled[pace.socket_count].fd = external.sockets[port]
                pace.polled[pace.socket_count].events = POLLIN
    return 0


cdef Stop catch_up(Engine* engine, QuantumMemory memory, Pace* pace) noexcept nogil:
    """All that is due by now; SLICE_OVER where there was more than can be done at once."""
    cdef int64_t now_ps = due_ps(pace, monotonic_ns())
    cdef int64_t late_ns
    if engine.queue.count and engine.queue.items[0].time_ps <= now_ps:
        late_ns = <int64_t>((now_ps - engine.queue.items[0].time_ps) / pace.ps_per_ns)
        durations_add(&pace.lateness, late_ns)
        durations_add(&pace.recent, late_ns)
    return engine_run(engine, memory, now_ps, 0, SLICE_EVENTS)


cdef Stop take_frames(
    Engine* engine, QuantumMemory memory, Pace* pace, Socket* socket
) noexcept nogil:
    """What came out of one port of an external switch."""
    cdef Emission emission
    cdef External* external = socket.external
    cdef Stop stop
    cdef int i, length
    emission.engine = engine
    emission.node = engine.nodes[external.node]
    for i in range(FRAMES_AT_ONCE):
        length = packet_receive(external.sockets[socket.port], pace.frame, FRAME_BYTES)
        if length <= 0:
            break  # nothing more, or the interface went down
        stop = SLICE_OVER
        while stop == SLICE_OVER:
            stop = catch_up(engine, memory, pace)
        external_answered(external, pace.frame, length, monotonic_ns())
        emit(&emission, socket.port, pace.frame, length)
        if stop == STOP_CPU or stop == STOP_FAILED:
            return stop
    return STOP_UNTIL


cdef Stop paced_run(Engine* engine, QuantumMemory memory, Pace* pace) noexcept nogil:
    cdef timespec wait
    cdef uint64_t woken
    cdef int64_t now_ns, wait_ns
    cdef Stop stop
    cdef int i, ready
    if not pace.begun:
        pace.begun = True
        pace.began_ns = monotonic_ns()
        pace.began_ps = engine.queue.now_ps
    prctl(PR_SET_TIMERSLACK, 1000)
    while True:
        stop = catch_up(engine, memory, pace)
        if stop == STOP_CPU or stop == STOP_FAILED:
            return stop
        now_ns = monotonic_ns()
        wait_ns = LONGEST_WAIT_NS
        if engine.queue.count:
            wait_ns = until_ns(pace, engine.queue.items[0].time_ps, now_ns)
        wait.tv_sec = wait_ns // 1000000000
        wait.tv_nsec = wait_ns % 1000000000
        ready = ppoll(pace.polled, pace.socket_count + 1, &wait, NULL)
        if ready <= 0:
            continue  # it is time for an event, or a signal came
        for i in range(1, pace.socket_count + 1):
            if pace.polled[i].revents:
                stop = take_frames(engine, memory, pace, &pace.sockets[i])
                if stop == STOP_CPU or stop == STOP_FAILED:
                    return stop
        if pace.polled[0].revents:
            read(pace.wake, &woken, sizeof(woken))
            # What the caller does happens now, not when the engine last looked at the clock.
            stop = catch_up(engine, memory, pace)
            return stop if stop == STOP_CPU or stop == STOP_FAILED else STOP_UNTIL
