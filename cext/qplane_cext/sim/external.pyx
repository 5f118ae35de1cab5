"""A switch that is not in this process; see external.pxd.

How long such a switch takes is measured at its ports: from the last frame that went in to the next
that comes out. A switch that answers nothing to a frame (a pair that has to wait for its partner)
adds no sample. Frames on the CPU port and on ports to hosts are not seen; so what comes out counts
only if the P4 program made it of a frame from the engine: commands to the device, QCI on circuits,
messages to and from stations.
"""

from libc.string cimport memset

from qplane_cext.sim.durations cimport durations_add, durations_dict
from qplane_cext.sim.frames cimport DEVICE_ETHER_TYPE

from qplane_cext.sim.arguments import within

cdef extern from "sys/socket.h" nogil:
    ssize_t send(int fd, const void* data, size_t length, int flags)
    int MSG_DONTWAIT

cdef extern from "time.h" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec* now)
    int CLOCK_MONOTONIC


cdef enum:
    MPLS = 0x8847
    QCI_ON_LINK = 0x88B5
    FIRST_COMMAND = 0x81  # of the switch to the device, docs/wire.md
    FIRST_MHP = 0x30  # GEN and REPLY
    LAST_MHP = 0x31


cdef int64_t monotonic_ns() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t>now.tv_sec * 1000000000 + now.tv_nsec


cdef void process_external(
    void* core, int port, const uint8_t* data, uint32_t length, int64_t now_us, void* context
) noexcept nogil:
    cdef External* external = <External*>core
    cdef int fd = external.sockets[port]
    if fd < 0 or send(fd, data, length, MSG_DONTWAIT) < 0:
        # No socket, its queue is full or the interface is down: the frame is lost, as on a wire.
        external.frames_lost += 1
        return
    external.frames_in += 1
    external.asked_ns = monotonic_ns()


cdef bint is_answer(const uint8_t* data, uint32_t length) noexcept nogil:
    cdef int ether_type
    if length < 16:
        return False
    ether_type = data[12] << 8 | data[13]
    return (
        ether_type == MPLS
        or (ether_type == DEVICE_ETHER_TYPE and data[15] >= FIRST_COMMAND)
        or (ether_type == QCI_ON_LINK and FIRST_MHP <= data[15] <= LAST_MHP)
    )


cdef void external_answered(
    External* external, const uint8_t* data, uint32_t length, int64_t at_ns
) noexcept nogil:
    external.frames_out += 1
    if external.asked_ns and is_answer(data, length):
        durations_add(&external.transit, at_ns - external.asked_ns)
        durations_add(&external.recent, at_ns - external.asked_ns)
        external.asked_ns = 0


cdef class ExternalSwitch:
    """The `core` of a node whose switch is another process (documented in external.pyi)."""

    def __init__(self, sockets):
        cdef int i
        memset(&self.external, 0, sizeof(External))
        for i in range(EXTERNAL_PORTS):
            self.external.sockets[i] = -1
        for port, fd in sockets.items():
            within("port", port, 0, EXTERNAL_PORTS - 1)
            within("file descriptor", fd, 0, 1 << 30)
            self.external.sockets[<int>port] = fd

    def transit(self, *, recent=False):
        result = durations_dict(
            &self.external.recent if recent else &self.external.transit
        )
        if recent:
            memset(&self.external.recent, 0, sizeof(Durations))
        return result

    def counters(self):
        return {
            "frames_in": self.external.frames_in,
            "frames_out": self.external.frames_out,
            "frames_lost": self.external.frames_lost,
        }
