"""Egress queues with a rate, as BMv2's QueueingLogicPriRL: a packet's time to leave is known when
it is let in, and of those whose time has come the highest priority leaves first.

A switch runs a packet to its end at once, so a queue without a rate is empty unless its port can't
send. All this is only there once a rate has been set or a port could not send.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

cdef enum:
    DEPTH = 64  # BMv2's
    SLACK = 16  # readable bytes behind every packet

cdef int64_t NEVER = 0x7fffffffffffffff  # due_ns of what waits for its port


cdef Queues* queues_new(uint32_t priorities) noexcept nogil:
    cdef Queues* queues = <Queues*>calloc(1, sizeof(Queues))
    cdef size_t i, count
    if queues == NULL:
        return NULL
    queues.priorities = min(priorities, <uint32_t>MAX_PRIORITIES)
    count = <size_t>QUEUE_PORTS * queues.priorities
    queues.queues = <Queue*>calloc(count, sizeof(Queue))
    if queues.queues == NULL:
        free(queues)
        return NULL
    for i in range(count):
        queues.queues[i].depth = DEPTH
    return queues


cdef void queues_clear(Queues* queues) noexcept nogil:
    """Forget all packets."""
    cdef size_t i, j
    for i in range(MAX_PRIORITIES):
        for j in range(queues.heaps[i].count):
            free(queues.heaps[i].items[j])
        queues.heaps[i].count = 0
    for i in range(<size_t>QUEUE_PORTS * queues.priorities):
        queues.queues[i].size = 0


cdef void queues_free(Queues* queues) noexcept nogil:
    cdef int i
    if queues == NULL:
        return
    queues_clear(queues)
    for i in range(MAX_PRIORITIES):
        free(queues.heaps[i].items)
    free(queues.queues)
    free(queues)


cdef Waiting* queue_admit(
    Queues* queues, Queue* queue, int64_t now_us, uint64_t words, uint64_t length
) noexcept nogil:
    """Room for a packet with its place in time; NULL when there is no memory."""
    cdef size_t size = sizeof(Waiting) + words * 8 + length + SLACK
    cdef Waiting* item = <Waiting*>malloc(size)
    if item == NULL:
        return NULL
    memset(item, 0, sizeof(Waiting))
    item.state = <uint64_t*>(item + 1)
    item.payload = <uint8_t*>(item.state + words)
    memset(item.payload + length, 0, SLACK)
    item.length = length
    item.order = queues.order
    queues.order += 1
    item.due_ns = NEVER if queue.stopped else max(now_us * 1000, queue.last_ns + queue.gap_ns)
    item.enqueued_us = now_us
    item.depth_before = queue.size
    return item


cdef inline bint before(const Waiting* a, const Waiting* b) noexcept nogil:
    return a.due_ns < b.due_ns or (a.due_ns == b.due_ns and a.order < b.order)


cdef inline void rise(Heap* heap, size_t at, Waiting* item) noexcept nogil:
    """Put a packet at a place of the heap, or as far above as it belongs."""
    cdef size_t parent
    while at:
        parent = (at - 1) // 2
        if not before(item, heap.items[parent]):
            break
        heap.items[at] = heap.items[parent]
        at = parent
    heap.items[at] = item


cdef int queue_put(Queues* queues, Queue* queue, Waiting* item) noexcept nogil:
    """Let a packet in; -1 when there is no memory."""
    cdef Heap* heap = &queues.heaps[item.priority]
    cdef Waiting** items
    if heap.count == heap.room:
        items = <Waiting**>realloc(heap.items, (2 * heap.room + 64) * sizeof(Waiting*))
        if items == NULL:
            return -1
        heap.items, heap.room = items, 2 * heap.room + 64
    rise(heap, heap.count, item)
    heap.count += 1
    queue.size += 1
    if not queue.stopped:
        queue.last_ns = item.due_ns
    return 0


cdef void queue_stop(Queues* queues, uint32_t port) noexcept nogil:
    """Let a port's packets wait until queue_resume."""
    cdef uint32_t i
    for i in range(queues.priorities):
        queues.queues[port * queues.priorities + i].stopped = True


cdef int queue_resume(Queues* queues, uint32_t port, uint32_t count, int64_t now_us) noexcept nogil:
    """Make the first ``count`` packets that wait for a port due, those of high priority first;
    whether any is left. A queue with none left is stopped no longer."""
    cdef Heap* heap
    cdef Waiting* first
    cdef Waiting* item
    cdef size_t j, place = 0
    cdef uint32_t i
    cdef int left = 0
    for i in range(queues.priorities - 1, -1, -1):
        heap = &queues.heaps[i]
        while True:
            first = NULL
            for j in range(heap.count):
                item = heap.items[j]
                if item.port == port and item.due_ns == NEVER and (
                    first == NULL or item.order < first.order
                ):
                    first, place = item, j
            if first == NULL:
                queues.queues[port * queues.priorities + i].stopped = False
                break
            if count == 0:
                left = 1
                break
            count -= 1
            first.due_ns = now_us * 1000
            rise(heap, place, first)
    return left


cdef Waiting* take(Heap* heap) noexcept nogil:
    """The first packet of a heap, which is not empty."""
    cdef Waiting* first = heap.items[0]
    cdef Waiting* moved
    cdef size_t at = 0, child
    heap.count -= 1
    moved = heap.items[heap.count]
    while 2 * at + 1 < heap.count:
        child = 2 * at + 1
        if child + 1 < heap.count and before(heap.items[child + 1], heap.items[child]):
            child += 1
        if not before(heap.items[child], moved):
            break
        heap.items[at] = heap.items[child]
        at = child
    heap.items[at] = moved
    return first


cdef Waiting* queue_next(Queues* queues, int64_t now_us) noexcept nogil:
    """The packet that leaves next, if its time has come; it is the caller's to free."""
    cdef int i
    cdef Heap* heap
    cdef Waiting* item
    for i in range(MAX_PRIORITIES - 1, -1, -1):
        heap = &queues.heaps[i]
        if heap.count and heap.items[0].due_ns <= now_us * 1000:
            item = take(heap)
            queues.queues[item.port * queues.priorities + item.priority].size -= 1
            return item
    return NULL


cdef int64_t queue_due_us(const Queues* queues) noexcept nogil:
    """When the next packet may leave, rounded up; -1 when none waits for a time."""
    cdef int64_t due = -1
    cdef int i
    for i in range(MAX_PRIORITIES):
        if queues.heaps[i].count and (due < 0 or queues.heaps[i].items[0].due_ns < due):
            due = queues.heaps[i].items[0].due_ns
    return -1 if due < 0 or due == NEVER else (due + 999) // 1000
