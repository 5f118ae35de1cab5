"""Classical hosts: ARP, ICMP echo and ping flows, byte by byte (RFC 826, RFC 791, RFC 792)."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from qplane_cext.sim.channel cimport Direction
from qplane_cext.sim.events cimport Packet, Queue
from qplane_cext.sim.record cimport Moments

cdef enum:
    WAITING_PACKETS = 16  # that a host keeps while it resolves an address
    RTT_SAMPLE = 10000

cdef enum:  # counters
    ARP_REQUESTS_SENT
    ARP_REPLIES_SENT
    ARP_RESOLVED
    ARP_FAILED
    ECHO_REQUESTS_SENT
    ECHO_REPLIES_SENT
    ECHO_REPLIES_RECEIVED
    UNEXPECTED_ECHO_REPLIES
    FRAMES_IGNORED
    UNRESOLVED_DROPPED
    HOST_COUNTERS


cdef struct Neighbour:
    uint32_t ip
    bint resolved
    int32_t tries
    uint8_t[6] mac
    int32_t waiting_count
    Packet* waiting[WAITING_PACKETS]


cdef struct Host:
    int32_t index
    uint8_t[6] mac
    uint32_t ip
    uint32_t mask
    uint32_t gateway  # 0: none
    Direction link  # to the switch
    Direction towards  # and from it
    Neighbour* neighbours
    int32_t neighbour_count
    int32_t neighbour_capacity
    uint16_t next_identification
    uint64_t[16] counters


cdef struct Flow:
    int32_t index
    int32_t host
    uint32_t destination
    int64_t interval_ps
    int64_t count  # -1: until stopped
    int64_t timeout_ps
    uint32_t payload_bytes
    bint active
    uint16_t next_sequence
    int64_t sent
    int64_t received
    int64_t timed_out
    int64_t* sent_at_ps  # by sequence number; -1: not outstanding
    Moments rtt
    int64_t* rtt_sample_ps
    int32_t rtt_sampled


cdef int flow_init(Flow* flow) noexcept nogil
cdef void flow_free(Flow* flow) noexcept nogil
cdef void host_free(Host* host) noexcept nogil
# Take the packet over. `flows` are those of the whole network, by index.
cdef void host_receive(
    Host* host, Queue* queue, Flow* flows, int32_t flow_count, Packet* packet
) noexcept nogil
# Whether the neighbour has answered, the flow has ended, the echo request is answered.
cdef bint host_arp_void(Host* host, int64_t neighbour) noexcept nogil
cdef bint flow_send_void(Flow* flow) noexcept nogil
cdef bint flow_timeout_void(Flow* flow, int64_t value) noexcept nogil
cdef void host_arp_timeout(Host* host, Queue* queue, int64_t neighbour) noexcept nogil
cdef void flow_send(Flow* flow, Host* host, Queue* queue) noexcept nogil
cdef void flow_timeout(Flow* flow, int64_t value) noexcept nogil
