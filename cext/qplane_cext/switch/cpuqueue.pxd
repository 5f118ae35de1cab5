"""Packets for the CPU port between a packet loop without the GIL and whoever takes them."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

cdef enum:
    CPU_QUEUE_BYTES = 4 << 20
    CPU_HEAD = 4  # the length, before each packet

cdef struct CpuQueue:
    uint8_t* data
    size_t used
    uint64_t dropped


cdef inline int cpu_open(CpuQueue* queue) noexcept nogil:
    """-1: no memory."""
    queue.data = <uint8_t*>malloc(CPU_QUEUE_BYTES)
    queue.used = 0
    queue.dropped = 0
    return 0 if queue.data != NULL else -1


cdef inline void cpu_close(CpuQueue* queue) noexcept nogil:
    free(queue.data)
    queue.data = NULL


cdef inline void cpu_put(CpuQueue* queue, const uint8_t* data, uint32_t length) noexcept nogil:
    """Queue a packet; it is lost, and counted, when there is no room."""
    if queue.used + CPU_HEAD + length > CPU_QUEUE_BYTES:
        queue.dropped += 1
        return
    memcpy(queue.data + queue.used, &length, CPU_HEAD)
    memcpy(queue.data + queue.used + CPU_HEAD, data, length)
    queue.used += CPU_HEAD + length


cdef inline list cpu_take(CpuQueue* queue):
    """All packets, in order."""
    cdef size_t at = 0
    cdef uint32_t length
    packets = []
    while at < queue.used:
        memcpy(&length, queue.data + at, CPU_HEAD)
        at += CPU_HEAD
        packets.append(<bytes>(<char*>queue.data)[at : at + length])
        at += length
    queue.used = 0
    return packets
