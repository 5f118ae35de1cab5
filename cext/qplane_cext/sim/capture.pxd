"""Packet capture of one switch port: a nanosecond pcap file in virtual time."""

from libc.stdint cimport int64_t, uint8_t, uint32_t


cdef struct Capture:
    char* path
    uint8_t* buffer
    size_t used
    int error  # errno of the first write that failed; nothing is written after it


cdef int capture_open(Capture* capture, const char* path, uint32_t link_type) noexcept nogil
cdef void capture_frame(
    Capture* capture, int64_t time_ps, const uint8_t* data, uint32_t length
) noexcept nogil
cdef int capture_flush(Capture* capture) noexcept nogil
cdef void capture_close(Capture* capture) noexcept nogil
