"""Clock and event queue: a binary heap on (time, order of insertion): runs are deterministic."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t


cdef enum EventKind:
    ARRIVE  # a frame reaches a switch port: where = node, value = port, packet
    PROCESS  # the switch has looked at it for its delay: likewise
    DEVICE_RECEIVE  # a frame reaches a quantum device: where = node, packet
    CHANNEL_FREE  # a frame that waits for its channel may go: value = the Direction
    HOST_RECEIVE  # a frame reaches a host: where = host, packet
    SWAP_DONE  # a Bell measurement ends: where = node, value = slots
    DISTIL_DONE  # gates and measurement of a distillation: where = node, value = record and its stamp
    DISTIL_RETRY  # repeat DISTILLED: likewise
    CUTOFF  # a qubit reaches its cut-off: where = node, value = slot and generation
    EARLY_CUTOFF  # the frame of an early delivery did not come: where = node, value as of RETRY
    TELEPORT_DONE  # the Bell measurement of one ends: where = node, value = slot
    RETRY  # repeat EXPIRED: where = node, value = expiry record and its generation
    LINK_WAKE  # a slot became free or a request changed: where = link
    STATION  # the midpoint station heralds: where = link, value = epoch
    HERALD  # the herald reaches a node: where = link, value = pair and side
    LINK_NEXT  # the attempt that succeeded is over: where = link, value = epoch
    MHP_TURN  # a plan's end: where = link, value = epoch
    MHP_TIMEOUT  # a REPLY should be here: where = link, value = end and attempt
    MHP_WAKE  # a slot became free for an order that waits: where = link
    MOVE_DONE  # of a qubit to another slot: where = node, value = move
    PING  # send an echo request: where = flow, value = generation of the flow
    PING_TIMEOUT  # where = flow, value = sequence number
    ARP_TIMEOUT  # where = host, value = neighbour


cdef struct Packet:
    uint32_t length
    uint8_t data[1]  # in fact `length` bytes


cdef struct Event:
    int64_t time_ps
    uint64_t order
    int32_t kind
    int32_t where
    int64_t value
    Packet* packet  # owned by the event; NULL where the kind has none


cdef struct Queue:
    Event* items
    size_t count
    size_t capacity
    uint64_t pushed
    int64_t now_ps
    uint64_t lose_qci  # the frame with QCI that is lost, counted from the next one sent; 0: none
    bint out_of_memory  # sticky; `run` turns it into MemoryError


cdef void queue_init(Queue* queue) noexcept nogil
cdef void queue_free(Queue* queue) noexcept nogil
# Times before now are taken as now: nothing happens in the past.
cdef void queue_push(
    Queue* queue, int64_t time_ps, int kind, int where, int64_t value, Packet* packet
) noexcept nogil
# Takes the first event; the clock is the caller's business, as it may find the event void.
cdef bint queue_pop(Queue* queue, Event* event) noexcept nogil
cdef int64_t time_sum(int64_t a_ps, int64_t b_ps) noexcept nogil

# NULL, with out_of_memory set, when there is none.
cdef Packet* packet_new(Queue* queue, const uint8_t* data, uint32_t length) noexcept nogil
