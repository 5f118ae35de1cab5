"""Egress queues of a rate, or of a port that can't send: packets that wait for their turn."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef enum:
    QUEUE_PORTS = 512
    MAX_PRIORITIES = 8

cdef struct Queue:
    uint32_t depth  # packets that may wait
    uint32_t size  # packets that wait
    int64_t gap_ns  # between two packets, 0 without a rate
    int64_t last_ns  # when the last one that was let in may leave
    bint stopped  # the port can't send: packets wait until queue_resume

cdef struct Waiting:
    # A packet between ingress and egress: one block, with its words and payload behind it.
    int64_t due_ns
    uint64_t order
    uint32_t port
    uint32_t priority
    int64_t enqueued_us
    uint32_t depth_before
    uint64_t* state
    uint8_t* payload
    uint64_t length
    uint64_t truncate
    uint64_t packet_length
    uint64_t ingress_length
    uint32_t ingress_port
    uint32_t recirculate

cdef struct Heap:
    Waiting** items
    size_t count
    size_t room

cdef struct Queues:
    uint32_t priorities
    uint64_t order
    Queue* queues  # port * priorities + priority
    Heap[8] heaps  # per priority, the packet that is due first on top

cdef Queues* queues_new(uint32_t priorities) noexcept nogil
cdef void queues_free(Queues* queues) noexcept nogil
cdef void queues_clear(Queues* queues) noexcept nogil
cdef Waiting* queue_admit(
    Queues* queues, Queue* queue, int64_t now_us, uint64_t words, uint64_t length
) noexcept nogil
cdef int queue_put(Queues* queues, Queue* queue, Waiting* item) noexcept nogil
cdef Waiting* queue_next(Queues* queues, int64_t now_us) noexcept nogil
cdef void queue_stop(Queues* queues, uint32_t port) noexcept nogil
cdef int queue_resume(Queues* queues, uint32_t port, uint32_t count, int64_t now_us) noexcept nogil
cdef int64_t queue_due_us(const Queues* queues) noexcept nogil


cdef inline Queue* queue_of(Queues* queues, uint32_t port, uint64_t priority) noexcept nogil:
    """The queue that a packet has to wait in; NULL when it need not."""
    cdef Queue* queue
    if port >= QUEUE_PORTS:
        return NULL
    queue = &queues.queues[port * queues.priorities + priority]
    return queue if queue.gap_ns or queue.stopped else NULL
