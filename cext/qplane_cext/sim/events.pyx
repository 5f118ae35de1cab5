"""Clock and event queue; see events.pxd."""

from libc.stdint cimport INT64_MAX
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset


cdef void queue_init(Queue* queue) noexcept nogil:
    memset(queue, 0, sizeof(Queue))


cdef void queue_free(Queue* queue) noexcept nogil:
    cdef size_t i
    for i in range(queue.count):
        free(queue.items[i].packet)
    free(queue.items)
    memset(queue, 0, sizeof(Queue))


cdef inline bint before(const Event* a, const Event* b) noexcept nogil:
    if a.time_ps != b.time_ps:
        return a.time_ps < b.time_ps
    return a.order < b.order


cdef void queue_push(
    Queue* queue, int64_t time_ps, int kind, int where, int64_t value, Packet* packet
) noexcept nogil:
    cdef size_t capacity, at, parent
    cdef Event* items
    cdef Event event
    if queue.count == queue.capacity:
        capacity = queue.capacity * 2 if queue.capacity else 1024
        items = <Event*>realloc(queue.items, capacity * sizeof(Event))
        if items == NULL:
            queue.out_of_memory = True
            free(packet)
            return
        queue.items = items
        queue.capacity = capacity
    event.time_ps = time_ps if time_ps > queue.now_ps else queue.now_ps
    event.order = queue.pushed
    event.kind = kind
    event.where = where
    event.value = value
    event.packet = packet
    queue.pushed += 1
    at = queue.count
    queue.count += 1
    while at > 0:
        parent = (at - 1) >> 1
        if not before(&event, &queue.items[parent]):
            break
        queue.items[at] = queue.items[parent]
        at = parent
    queue.items[at] = event


cdef bint queue_pop(Queue* queue, Event* event) noexcept nogil:
    cdef size_t at = 0, child
    cdef Event last
    if queue.count == 0:
        return False
    event[0] = queue.items[0]
    queue.count -= 1
    if queue.count == 0:
        return True
    last = queue.items[queue.count]
    while True:
        child = 2 * at + 1
        if child >= queue.count:
            break
        if child + 1 < queue.count and before(&queue.items[child + 1], &queue.items[child]):
            child += 1
        if not before(&queue.items[child], &last):
            break
        queue.items[at] = queue.items[child]
        at = child
    queue.items[at] = last
    return True


cdef int64_t time_sum(int64_t a_ps, int64_t b_ps) noexcept nogil:
    """a + b for non-negative times, held at the end of time where it would overflow."""
    return a_ps + b_ps if a_ps <= INT64_MAX - b_ps else INT64_MAX


cdef Packet* packet_new(Queue* queue, const uint8_t* data, uint32_t length) noexcept nogil:
    cdef Packet* packet = <Packet*>malloc(sizeof(Packet) + length)
    if packet == NULL:
        queue.out_of_memory = True
        return NULL
    packet.length = length
    if data != NULL:
        memcpy(packet.data, data, length)
    else:
        memset(packet.data, 0, length)
    return packet


def replay_queue(times_ps):
    """Push the given times in order, pop all: the order in which they come out, as indices.

    For tests: the heap itself is reachable from C alone.
    """
    cdef Queue queue
    cdef Event event
    cdef list order = []
    queue_init(&queue)
    try:
        for index, time_ps in enumerate(times_ps):
            queue_push(&queue, time_ps, ARRIVE, 0, index, NULL)
        while queue_pop(&queue, &event):
            order.append(event.value)
    finally:
        queue_free(&queue)
    return order
