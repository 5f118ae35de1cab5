"""Classical hosts; see host.pxd."""

from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from qplane_cext.sim.channel cimport channel_send, direction_free
from qplane_cext.sim.events cimport (
    ARP_TIMEOUT, PING, PING_TIMEOUT, packet_new, queue_push, time_sum
)
from qplane_cext.sim.frames cimport get_bits, put_bits
from qplane_cext.sim.record cimport moments_add

cdef enum:
    ARP_TYPE = 0x0806
    IPV4_TYPE = 0x0800
    ARP_BYTES = 42
    ICMP_AT = 34  # behind Ethernet and an IPv4 header without options
    ECHO_BYTES = 42  # up to and with the ICMP header
    ECHO_REPLY = 0
    ECHO_REQUEST = 8
    ARP_TRIES = 3

cdef int64_t ARP_WAIT_PS = 1000000000000LL


cdef int flow_init(Flow* flow) noexcept nogil:
    cdef int i
    memset(flow, 0, sizeof(Flow))
    flow.sent_at_ps = <int64_t*>malloc(65536 * sizeof(int64_t))
    flow.rtt_sample_ps = <int64_t*>malloc(RTT_SAMPLE * sizeof(int64_t))
    if flow.sent_at_ps == NULL or flow.rtt_sample_ps == NULL:
        flow_free(flow)
        return -1
    for i in range(65536):
        flow.sent_at_ps[i] = -1
    return 0


cdef void flow_free(Flow* flow) noexcept nogil:
    free(flow.sent_at_ps)
    free(flow.rtt_sample_ps)
    memset(flow, 0, sizeof(Flow))


cdef void host_free(Host* host) noexcept nogil:
    cdef int32_t i, j
    direction_free(&host.link)
    for i in range(host.neighbour_count):
        for j in range(host.neighbours[i].waiting_count):
            free(host.neighbours[i].waiting[j])
    free(host.neighbours)
    memset(host, 0, sizeof(Host))


# ---- checksums ----

cdef uint32_t ones_sum(const uint8_t* data, uint32_t length) noexcept nogil:
    """The one's complement sum of the Internet checksum (RFC 1071), folded to 16 bits."""
    cdef uint32_t total = 0, i
    for i in range(0, length - 1, 2):
        total += data[i] << 8 | data[i + 1]
    if length & 1:
        total += data[length - 1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


cdef void seal(uint8_t* data, uint32_t length, uint32_t at) noexcept nogil:
    """Write the Internet checksum of the data at that offset."""
    put_bits(data + at, 2, 0)
    put_bits(data + at, 2, ~ones_sum(data, length) & 0xFFFF)


# ---- sending ----

cdef void send_arp(
    Host* host, Queue* queue, int operation, const uint8_t* mac, uint32_t ip
) noexcept nogil:
    cdef Packet* packet = packet_new(queue, NULL, ARP_BYTES)
    cdef uint8_t* frame
    if packet == NULL:
        return
    frame = packet.data
    if operation == 1:
        memset(frame, 0xFF, 6)
        host.counters[ARP_REQUESTS_SENT] += 1
    else:
        memcpy(frame, mac, 6)
        memcpy(frame + 32, mac, 6)
        host.counters[ARP_REPLIES_SENT] += 1
    memcpy(frame + 6, host.mac, 6)
    put_bits(frame + 12, 2, ARP_TYPE)
    put_bits(frame + 14, 2, 1)  # Ethernet
    put_bits(frame + 16, 2, IPV4_TYPE)
    frame[18] = 6
    frame[19] = 4
    put_bits(frame + 20, 2, operation)
    memcpy(frame + 22, host.mac, 6)
    put_bits(frame + 28, 4, host.ip)
    put_bits(frame + 38, 4, ip)
    channel_send(queue, &host.link, packet)


cdef int32_t neighbour_of(Host* host, Queue* queue, uint32_t ip) noexcept nogil:
    """Index of the neighbour with this address, new if need be; -1: no memory."""
    cdef int32_t i, wider
    cdef Neighbour* neighbours
    for i in range(host.neighbour_count):
        if host.neighbours[i].ip == ip:
            return i
    if host.neighbour_count == host.neighbour_capacity:
        wider = 2 * host.neighbour_capacity if host.neighbour_capacity else 4
        neighbours = <Neighbour*>realloc(host.neighbours, wider * sizeof(Neighbour))
        if neighbours == NULL:
            queue.out_of_memory = True
            return -1
        host.neighbours = neighbours
        host.neighbour_capacity = wider
    memset(&host.neighbours[host.neighbour_count], 0, sizeof(Neighbour))
    host.neighbours[host.neighbour_count].ip = ip
    host.neighbour_count += 1
    return host.neighbour_count - 1


cdef void ask(Host* host, Queue* queue, int32_t index) noexcept nogil:
    host.neighbours[index].tries += 1
    send_arp(host, queue, 1, NULL, host.neighbours[index].ip)
    queue_push(
        queue, time_sum(queue.now_ps, ARP_WAIT_PS), ARP_TIMEOUT, host.index, index, NULL
    )


cdef void send_ip(Host* host, Queue* queue, uint32_t destination, Packet* packet) noexcept nogil:
    """Fill in the addresses of an IPv4 packet whose ICMP part is ready, resolve, send."""
    cdef uint8_t* frame = packet.data
    cdef uint32_t hop = destination
    cdef int32_t index
    cdef Neighbour* neighbour
    if (destination ^ host.ip) & host.mask and host.gateway:
        hop = host.gateway
    memcpy(frame + 6, host.mac, 6)
    put_bits(frame + 12, 2, IPV4_TYPE)
    frame[14] = 0x45
    frame[15] = 0
    put_bits(frame + 16, 2, packet.length - 14)
    put_bits(frame + 18, 2, host.next_identification)
    host.next_identification += 1
    put_bits(frame + 20, 2, 0)
    frame[22] = 64  # TTL
    frame[23] = 1  # ICMP
    put_bits(frame + 26, 4, host.ip)
    put_bits(frame + 30, 4, destination)
    seal(frame + 14, 20, 10)
    index = neighbour_of(host, queue, hop)
    if index < 0:
        free(packet)
        return
    neighbour = &host.neighbours[index]
    if neighbour.resolved:
        memcpy(frame, neighbour.mac, 6)
        channel_send(queue, &host.link, packet)
        return
    if neighbour.waiting_count == WAITING_PACKETS:
        host.counters[UNRESOLVED_DROPPED] += 1
        free(packet)
    else:
        neighbour.waiting[neighbour.waiting_count] = packet
        neighbour.waiting_count += 1
    if neighbour.tries == 0:
        ask(host, queue, index)


cdef void host_arp_timeout(Host* host, Queue* queue, int64_t neighbour) noexcept nogil:
    cdef Neighbour* n = &host.neighbours[neighbour]
    cdef int32_t i
    if n.tries < ARP_TRIES:
        ask(host, queue, neighbour)
        return
    host.counters[ARP_FAILED] += 1
    host.counters[UNRESOLVED_DROPPED] += n.waiting_count
    for i in range(n.waiting_count):
        free(n.waiting[i])
    n.waiting_count = 0
    n.tries = 0  # the next packet asks anew


# ---- receiving ----

cdef void learn(
    Host* host, Queue* queue, uint32_t ip, const uint8_t* mac, bint wanted
) noexcept nogil:
    """Note a neighbour's address, if it is asked for or known; send what waited for it."""
    cdef int32_t i, index = -1
    cdef Neighbour* n
    for i in range(host.neighbour_count):
        if host.neighbours[i].ip == ip:
            index = i
    if index < 0 and wanted:
        index = neighbour_of(host, queue, ip)
    if index < 0:
        return
    n = &host.neighbours[index]
    memcpy(n.mac, mac, 6)
    if not n.resolved:
        n.resolved = True
        host.counters[ARP_RESOLVED] += 1
    for i in range(n.waiting_count):
        memcpy(n.waiting[i].data, mac, 6)
        channel_send(queue, &host.link, n.waiting[i])
    n.waiting_count = 0


cdef bint on_arp(Host* host, Queue* queue, Packet* packet) noexcept nogil:
    cdef const uint8_t* frame = packet.data
    cdef bint for_us
    cdef int operation
    if (
        packet.length < ARP_BYTES
        or get_bits(frame + 14, 6) != 0x000108000604LL  # Ethernet, IPv4, address lengths
    ):
        return False
    operation = get_bits(frame + 20, 2)
    for_us = get_bits(frame + 38, 4) == host.ip
    learn(host, queue, get_bits(frame + 28, 4), frame + 22, for_us)
    if operation == 1 and for_us:
        send_arp(host, queue, 2, frame + 22, get_bits(frame + 28, 4))
    return for_us


cdef bint on_echo_reply(
    Host* host, Queue* queue, Flow* flows, int32_t flow_count, const uint8_t* frame
) noexcept nogil:
    cdef int32_t index = <int32_t>get_bits(frame + ICMP_AT + 4, 2) - 1
    cdef uint16_t sequence = get_bits(frame + ICMP_AT + 6, 2)
    cdef Flow* flow
    cdef int64_t rtt_ps
    if (
        index < 0
        or index >= flow_count
        or flows[index].host != host.index
        or flows[index].destination != get_bits(frame + 26, 4)
        or flows[index].sent_at_ps[sequence] < 0
    ):
        host.counters[UNEXPECTED_ECHO_REPLIES] += 1
        return True
    flow = &flows[index]
    rtt_ps = queue.now_ps - flow.sent_at_ps[sequence]
    flow.sent_at_ps[sequence] = -1
    flow.received += 1
    host.counters[ECHO_REPLIES_RECEIVED] += 1
    moments_add(&flow.rtt, <double>rtt_ps)
    if flow.rtt_sampled < RTT_SAMPLE:
        flow.rtt_sample_ps[flow.rtt_sampled] = rtt_ps
        flow.rtt_sampled += 1
    return True


cdef bint on_ipv4(
    Host* host, Queue* queue, Flow* flows, int32_t flow_count, Packet* packet
) noexcept nogil:
    """An echo request or reply to this host, whole and with right checksums."""
    cdef const uint8_t* frame = packet.data
    cdef uint32_t total
    cdef Packet* reply
    if packet.length < ECHO_BYTES:
        return False
    total = get_bits(frame + 16, 2)
    if (
        frame[14] != 0x45
        or total < ECHO_BYTES - 14
        or total > packet.length - 14
        or get_bits(frame + 20, 2) & 0x3FFF  # a fragment
        or frame[23] != 1
        or get_bits(frame + 30, 4) != host.ip
        or ones_sum(frame + 14, 20) != 0xFFFF
        or ones_sum(frame + ICMP_AT, total - 20) != 0xFFFF
        or frame[ICMP_AT + 1] != 0
    ):
        return False
    if frame[ICMP_AT] == ECHO_REPLY:
        return on_echo_reply(host, queue, flows, flow_count, frame)
    if frame[ICMP_AT] != ECHO_REQUEST:
        return False
    reply = packet_new(queue, frame, total + 14)
    if reply == NULL:
        return True
    reply.data[ICMP_AT] = ECHO_REPLY
    seal(reply.data + ICMP_AT, total - 20, 2)
    host.counters[ECHO_REPLIES_SENT] += 1
    send_ip(host, queue, get_bits(frame + 26, 4), reply)
    return True


cdef void host_receive(
    Host* host, Queue* queue, Flow* flows, int32_t flow_count, Packet* packet
) noexcept nogil:
    cdef const uint8_t* frame = packet.data
    cdef bint used = False
    if packet.length >= 14 and (
        memcmp(frame, host.mac, 6) == 0 or get_bits(frame, 6) == 0xFFFFFFFFFFFFLL
    ):
        if get_bits(frame + 12, 2) == ARP_TYPE:
            used = on_arp(host, queue, packet)
        elif get_bits(frame + 12, 2) == IPV4_TYPE:
            used = on_ipv4(host, queue, flows, flow_count, packet)
    host.counters[FRAMES_IGNORED] += not used
    free(packet)


# ---- ping flows ----

cdef void flow_send(Flow* flow, Host* host, Queue* queue) noexcept nogil:
    """Send the next echo request and set the time of the one after it."""
    cdef Packet* packet
    cdef uint8_t* icmp
    cdef uint32_t i
    packet = packet_new(queue, NULL, ECHO_BYTES + flow.payload_bytes)
    if packet == NULL:
        return
    icmp = packet.data + ICMP_AT
    icmp[0] = ECHO_REQUEST
    put_bits(icmp + 4, 2, flow.index + 1)
    put_bits(icmp + 6, 2, flow.next_sequence)
    for i in range(flow.payload_bytes):
        icmp[8 + i] = i & 0xFF
    seal(icmp, 8 + flow.payload_bytes, 2)
    if flow.sent_at_ps[flow.next_sequence] >= 0:
        flow.timed_out += 1  # 65536 later ones are on their way: as good as lost
    flow.sent_at_ps[flow.next_sequence] = queue.now_ps
    queue_push(
        queue, time_sum(queue.now_ps, flow.timeout_ps), PING_TIMEOUT, flow.index,
        flow.sent, NULL,
    )
    flow.next_sequence += 1
    flow.sent += 1
    host.counters[ECHO_REQUESTS_SENT] += 1
    send_ip(host, queue, flow.destination, packet)
    if flow.count < 0 or flow.sent < flow.count:
        queue_push(
            queue, time_sum(queue.now_ps, flow.interval_ps), PING, flow.index, 0, NULL
        )
    else:
        flow.active = False


cdef void flow_timeout(Flow* flow, int64_t value) noexcept nogil:
    flow.sent_at_ps[value & 0xFFFF] = -1
    flow.timed_out += 1


cdef bint host_arp_void(Host* host, int64_t neighbour) noexcept nogil:
    return host.neighbours[neighbour].resolved


cdef bint flow_send_void(Flow* flow) noexcept nogil:
    return not flow.active


cdef bint flow_timeout_void(Flow* flow, int64_t value) noexcept nogil:
    """The value is the number of the request in the flow, which the sequence number abbreviates."""
    return flow.sent - value > 65536 or flow.sent_at_ps[value & 0xFFFF] < 0
