# cython: language_level=3
"""The packet loop between AF_PACKET sockets and a SwitchCore, without the GIL.

Frames are taken in batches (recvmmsg), run through the packet path one by one, and what comes out
is sent in batches per port (sendmmsg) before the next batch is taken: a single frame is not kept
waiting, and a burst pays the system calls once. A port whose socket takes no more (a link that is
slower than what is sent) is stopped: its packets wait in its egress queue until it does.
"""

import os

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memmove, memset

from qplane_cext.switch.core cimport SwitchCore
from qplane_cext.switch.packetqueue cimport (
    PacketQueue, queue_close, queue_open, queue_put, queue_take,
)

cdef extern from "errno.h" nogil:
    int errno
    int EAGAIN, EINTR

cdef extern from "time.h" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec *now)
    int CLOCK_MONOTONIC

cdef extern from "poll.h" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    int poll(pollfd *fds, unsigned long count, int timeout_ms)
    short POLLIN, POLLOUT

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    """
cdef extern from "sys/uio.h" nogil:
    struct iovec:
        void *iov_base
        size_t iov_len

cdef extern from "sys/socket.h" nogil:
    struct msghdr:
        void *msg_name
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
        int msg_flags
    struct cmsghdr:
        int cmsg_level
        int cmsg_type
    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    cmsghdr *CMSG_FIRSTHDR(msghdr *message)
    cmsghdr *CMSG_NXTHDR(msghdr *message, cmsghdr *control)
    unsigned char *CMSG_DATA(cmsghdr *control)
    int recvmmsg(int fd, mmsghdr *messages, unsigned int count, int flags, timespec *timeout)
    int sendmmsg(int fd, mmsghdr *messages, unsigned int count, int flags)
    int MSG_DONTWAIT, SOL_PACKET

cdef extern from "sched.h" nogil:
    int sched_yield()

cdef extern from "linux/if_packet.h" nogil:
    struct tpacket_auxdata:
        uint32_t tp_status
        uint16_t tp_vlan_tci
        uint16_t tp_vlan_tpid
    int PACKET_AUXDATA
    uint32_t TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID

cdef enum:
    BATCH = 64            # frames a system call takes or sends
    FRAME_BYTES = 65560   # the longest frame, with a VLAN tag put back
    TAG_BYTES = 4
    CONTROL_BYTES = 64    # for one tpacket_auxdata
    SPIN_US = 50          # how long the loop looks for frames before it sleeps
    RESUMED = 8           # packets of a stopped port that leave its queue in one go

cdef struct Port:
    int number
    int fd
    int queued
    int sent              # of those, the first ones
    bint full             # the socket took no more
    bint stopped          # so its packets wait in the core's queue
    uint8_t* frames       # BATCH frames of FRAME_BYTES that wait to be sent
    mmsghdr messages[BATCH]
    iovec vectors[BATCH]

cdef struct Loop:
    int n_ports
    Port* ports
    Port** by_number      # NULL where there is no such port
    int max_number
    int cpu_port          # -1: none
    bint any_full         # a port is full and not stopped yet
    PacketQueue to_cpu
    PacketQueue to_show   # what leaves, when somebody watches
    bint watched
    uint64_t received
    uint64_t sent
    uint64_t send_dropped


cdef void flush(Loop* loop, Port* port) noexcept nogil:
    """Send what waits on a port, as much as its socket takes."""
    cdef int n
    port.full = False
    while port.sent < port.queued:
        n = sendmmsg(port.fd, &port.messages[port.sent],
                     <unsigned int>(port.queued - port.sent), MSG_DONTWAIT)
        if n > 0:
            port.sent += n
            loop.sent += <uint64_t>n
        elif errno == EINTR:
            continue
        elif errno == EAGAIN:
            port.full = loop.any_full = True
            return
        else:
            # This frame can't be sent (longer than the MTU, interface down, refused by the
            # interface's queueing discipline): go on with the next.
            loop.send_dropped += 1
            port.sent += 1
    port.queued = port.sent = 0


cdef void emit(void* context, uint32_t number, const uint8_t* data,
               uint32_t length) noexcept nogil:
    cdef Loop* loop = <Loop*>context
    cdef Port* port
    cdef uint8_t* frame
    if <int>number == loop.cpu_port:
        queue_put(&loop.to_cpu, number, data, length)
        return
    if number > <uint32_t>loop.max_number or loop.by_number[number] == NULL:
        return
    port = loop.by_number[number]
    if port.queued == BATCH:
        flush(loop, port)
    if length > FRAME_BYTES or port.queued == BATCH:
        loop.send_dropped += 1
        return
    if loop.watched:
        queue_put(&loop.to_show, number, data, length)
    frame = port.frames + <size_t>port.queued * FRAME_BYTES
    memcpy(frame, data, length)
    port.vectors[port.queued].iov_len = length
    port.queued += 1


cdef uint32_t put_tag_back(uint8_t* frame, uint32_t length, msghdr* message) noexcept nogil:
    """The frame's length, after a VLAN tag that the kernel took out has been put back."""
    cdef cmsghdr* control = CMSG_FIRSTHDR(message)
    cdef tpacket_auxdata aux
    cdef uint16_t tpid
    while control != NULL:
        if control.cmsg_level == SOL_PACKET and control.cmsg_type == PACKET_AUXDATA:
            memcpy(&aux, CMSG_DATA(control), sizeof(aux))
            if aux.tp_status & TP_STATUS_VLAN_VALID and length >= 12:
                tpid = aux.tp_vlan_tpid if aux.tp_status & TP_STATUS_VLAN_TPID_VALID else 0x8100
                memmove(frame + 12 + TAG_BYTES, frame + 12, length - 12)
                frame[12] = tpid >> 8
                frame[13] = tpid & 0xff
                frame[14] = aux.tp_vlan_tci >> 8
                frame[15] = aux.tp_vlan_tci & 0xff
                return length + TAG_BYTES
        control = CMSG_NXTHDR(message, control)
    return length


cdef int64_t now_us() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t>now.tv_sec * 1000000 + now.tv_nsec // 1000


cdef class PacketLoop:
    """Runs frames between sockets and a packet path.

    ``ports``: (port number, file descriptor of a bound AF_PACKET socket); the caller keeps them
    open while ``run`` runs. ``deliver_to_cpu`` gets what leaves on ``cpu_port``, as many packets as
    there are, with the GIL. Frames that leave on other ports are ignored, as by the reference.
    ``watch(port, is_sent, frame)`` sees each frame before it is run, and what it led to.
    """

    cdef Loop loop
    cdef SwitchCore core
    cdef object deliver_to_cpu
    cdef object watch
    cdef int64_t started_us
    cdef int64_t spin_us

    def __cinit__(self, SwitchCore core, ports, int cpu_port, deliver_to_cpu, watch=None):
        cdef int i, j
        cdef Port* port
        ports = list(ports)
        numbers = [number for number, _ in ports]
        self.core = core
        self.deliver_to_cpu = deliver_to_cpu
        self.watch = watch
        memset(&self.loop, 0, sizeof(Loop))
        self.loop.cpu_port = cpu_port
        self.loop.watched = watch is not None
        self.loop.n_ports = len(ports)
        self.loop.max_number = max(numbers, default=0)
        self.loop.ports = <Port*>calloc(max(len(ports), 1), sizeof(Port))
        self.loop.by_number = <Port**>calloc(self.loop.max_number + 1, sizeof(Port*))
        if not self.loop.ports or not self.loop.by_number or queue_open(&self.loop.to_cpu):
            raise MemoryError
        if self.loop.watched and queue_open(&self.loop.to_show):
            raise MemoryError
        for i, (number, fd) in enumerate(ports):
            port = &self.loop.ports[i]
            port.number = number
            port.fd = fd
            port.frames = <uint8_t*>malloc(<size_t>BATCH * FRAME_BYTES)
            if not port.frames:
                raise MemoryError
            self.loop.by_number[number] = port
            for j in range(BATCH):
                port.vectors[j].iov_base = port.frames + <size_t>j * FRAME_BYTES
                port.messages[j].msg_hdr.msg_iov = &port.vectors[j]
                port.messages[j].msg_hdr.msg_iovlen = 1
        self.started_us = now_us()
        # On a single processor whoever sends the next frame would have to wait for the loop.
        self.spin_us = SPIN_US if len(os.sched_getaffinity(0)) > 1 else 0

    def __dealloc__(self):
        cdef int i
        if self.loop.ports:
            for i in range(self.loop.n_ports):
                free(self.loop.ports[i].frames)
        free(self.loop.ports)
        free(self.loop.by_number)
        queue_close(&self.loop.to_cpu)
        queue_close(&self.loop.to_show)

    @property
    def counters(self) -> dict:
        """Frames received and sent, and those lost on the way out."""
        return {
            "received": self.loop.received,
            "sent": self.loop.sent,
            "send_dropped": self.loop.send_dropped,
            "cpu_dropped": self.loop.to_cpu.dropped,
        }

    cdef void stop_full(self, pollfd* descriptors) noexcept nogil:
        """Stop the ports whose sockets take no more, and look for when they do."""
        cdef int i
        self.loop.any_full = False
        for i in range(self.loop.n_ports):
            if self.loop.ports[i].full and not self.loop.ports[i].stopped:
                if self.core.c_stop(<uint32_t>self.loop.ports[i].number) == 0:
                    self.loop.ports[i].stopped = True
                    descriptors[i].events = POLLIN | POLLOUT

    cdef int show(self) except -1:
        """Show what left to whoever watches."""
        for port, data in queue_take(&self.loop.to_show):
            self.watch(port, True, data)
        return 0

    cdef void resume(self, int i, pollfd* descriptor) noexcept nogil:
        """A stopped port's socket takes frames again: send until it is full or nothing waits."""
        cdef Port* port = &self.loop.ports[i]
        cdef int k, left = 1
        flush(&self.loop, port)
        while left and not port.full:
            left = self.core.c_resume(<uint32_t>port.number, RESUMED,
                                      now_us() - self.started_us, emit, &self.loop)
            for k in range(self.loop.n_ports):
                if self.loop.ports[k].queued:
                    flush(&self.loop, &self.loop.ports[k])
        port.stopped = False  # if it is full, stop_full stops it again
        descriptor.events = POLLIN

    def run(self, int wake_fd) -> None:
        """Move frames until ``wake_fd`` becomes readable. Other threads run meanwhile."""
        cdef Loop* loop = &self.loop
        cdef int n_ports = loop.n_ports
        cdef pollfd* descriptors = <pollfd*>calloc(n_ports + 1, sizeof(pollfd))
        cdef uint8_t* frames = <uint8_t*>malloc(<size_t>BATCH * FRAME_BYTES)
        cdef uint8_t* controls = <uint8_t*>malloc(BATCH * CONTROL_BYTES)
        cdef mmsghdr messages[BATCH]
        cdef iovec vectors[BATCH]
        cdef uint8_t* frame
        cdef uint32_t length
        cdef int i, j, n, k
        cdef int64_t busy_us = now_us()
        cdef bint waiting
        if not descriptors or not frames or not controls:
            free(descriptors)
            free(frames)
            free(controls)
            raise MemoryError
        memset(messages, 0, sizeof(messages))
        for j in range(BATCH):
            vectors[j].iov_base = frames + <size_t>j * FRAME_BYTES
            vectors[j].iov_len = FRAME_BYTES - TAG_BYTES
            messages[j].msg_hdr.msg_iov = &vectors[j]
            messages[j].msg_hdr.msg_iovlen = 1
            messages[j].msg_hdr.msg_control = controls + j * CONTROL_BYTES
        for i in range(n_ports):
            descriptors[i].fd = loop.ports[i].fd
            descriptors[i].events = POLLIN
        descriptors[n_ports].fd = wake_fd
        descriptors[n_ports].events = POLLIN
        try:
            while True:
                with nogil:
                    while loop.to_cpu.used == 0:
                        # A frame that comes soon after another finds the loop awake.
                        waiting = now_us() - busy_us >= self.spin_us
                        n = poll(descriptors, <unsigned long>(n_ports + 1), -1 if waiting else 0)
                        if n < 0:
                            if errno == EINTR:
                                continue
                            break
                        if n == 0:
                            sched_yield()
                            continue
                        if descriptors[n_ports].revents:
                            break
                        for i in range(n_ports):
                            if descriptors[i].revents & POLLOUT:
                                self.resume(i, &descriptors[i])
                                if loop.to_show.used:
                                    with gil:
                                        self.show()
                            if self.loop.any_full:
                                self.stop_full(descriptors)
                            if descriptors[i].revents & ~POLLOUT == 0:
                                continue
                            for j in range(BATCH):
                                messages[j].msg_hdr.msg_controllen = CONTROL_BYTES
                            n = recvmmsg(loop.ports[i].fd, messages, BATCH, MSG_DONTWAIT, NULL)
                            for j in range(n):
                                loop.received += 1
                                frame = frames + <size_t>j * FRAME_BYTES
                                length = put_tag_back(frame, messages[j].msg_len, &messages[j].msg_hdr)
                                if loop.watched:
                                    with gil:
                                        self.watch(
                                            loop.ports[i].number, False,
                                            <bytes>(<char*>frame)[:length],
                                        )
                                self.core.c_process(
                                    <uint32_t>loop.ports[i].number, frame, length,
                                    now_us() - self.started_us, emit, loop)
                                if loop.to_show.used:
                                    with gil:
                                        self.show()
                                if loop.any_full:
                                    self.stop_full(descriptors)
                            for k in range(n_ports):
                                if loop.ports[k].queued:
                                    flush(loop, &loop.ports[k])
                        busy_us = now_us()
                if loop.to_cpu.used:
                    self.deliver_to_cpu(*[data for _, data in queue_take(&loop.to_cpu)])
                elif descriptors[n_ports].revents:
                    return
        finally:
            free(descriptors)
            free(frames)
            free(controls)
