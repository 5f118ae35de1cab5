"""Packets on their way from a packet loop without the GIL to Python code: those for the CPU port, and
those that somebody wants to see."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

cdef enum:
    QUEUE_BYTES = 4 << 20
    HEAD = 8  # port and length, before each packet

cdef struct PacketQueue:
    uint8_t* data
    size_t used
    uint64_t dropped


cdef inline int queue_open(PacketQueue* queue) noexcept nogil:
    """-1: no memory."""
    queue.data = <uint8_t*>malloc(QUEUE_BYTES)
    queue.used = 0
    queue.dropped = 0
    return 0 if queue.data != NULL else -1


cdef inline void queue_close(PacketQueue* queue) noexcept nogil:
    free(queue.data)
    queue.data = NULL


cdef inline void queue_put(
    PacketQueue* queue, uint32_t port, const uint8_t* data, uint32_t length
) noexcept nogil:
    """Queue a packet; it is lost, and counted, when there is no room."""
    if queue.used + HEAD + length > QUEUE_BYTES:
        queue.dropped += 1
        return
    memcpy(queue.data + queue.used, &port, 4)
    memcpy(queue.data + queue.used + 4, &length, 4)
    memcpy(queue.data + queue.used + HEAD, data, length)
    queue.used += HEAD + length


cdef inline list queue_take(PacketQueue* queue):
    """All packets, in order, as (port, bytes)."""
    cdef size_t at = 0
    cdef uint32_t port, length
    packets = []
    while at < queue.used:
        memcpy(&port, queue.data + at, 4)
        memcpy(&length, queue.data + at + 4, 4)
        at += HEAD
        packets.append((port, <bytes>(<char*>queue.data)[at : at + length]))
        at += length
    queue.used = 0
    return packets
