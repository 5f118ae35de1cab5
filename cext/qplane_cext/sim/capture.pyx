"""Packet capture of one switch port; see capture.pxd.

The file is opened for each full buffer and closed again, so that a network of thousands of ports
needs no more than one descriptor at a time.
"""

from libc.errno cimport EIO, ENOMEM, errno
from libc.stdio cimport FILE, fclose, fopen, fwrite
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset, strdup

cdef enum:
    BUFFER_BYTES = 65536
    MAX_FRAME_BYTES = 65535

cdef struct FileHeader:  # the pcap format, magic number of nanosecond time stamps
    uint32_t magic
    uint32_t version
    uint32_t zone
    uint32_t accuracy
    uint32_t snap_length
    uint32_t link_type

cdef struct FrameHeader:
    uint32_t seconds
    uint32_t nanoseconds
    uint32_t captured
    uint32_t length


cdef int write_out(Capture* capture, const char* mode) noexcept nogil:
    cdef FILE* stream
    cdef size_t written
    if capture.error != 0:
        return capture.error
    stream = fopen(capture.path, mode)
    if stream == NULL:
        capture.error = errno
        return capture.error
    written = fwrite(capture.buffer, 1, capture.used, stream)
    if written != capture.used:
        capture.error = errno if errno != 0 else EIO
    if fclose(stream) != 0 and capture.error == 0:
        capture.error = errno
    capture.used = 0
    return capture.error


cdef int capture_open(Capture* capture, const char* path, uint32_t link_type) noexcept nogil:
    """Begin the file anew. 0, or errno."""
    cdef FileHeader header
    memset(capture, 0, sizeof(Capture))
    capture.path = strdup(path)
    capture.buffer = <uint8_t*>malloc(BUFFER_BYTES + MAX_FRAME_BYTES + sizeof(FrameHeader))
    if capture.path == NULL or capture.buffer == NULL:
        capture.error = ENOMEM
        return ENOMEM
    header.magic = 0xA1B23C4D
    header.version = 2 | 4 << 16
    header.zone = 0
    header.accuracy = 0
    header.snap_length = MAX_FRAME_BYTES
    header.link_type = link_type
    memcpy(capture.buffer, &header, sizeof(FileHeader))
    capture.used = sizeof(FileHeader)
    return write_out(capture, b"wb")


cdef void capture_frame(
    Capture* capture, int64_t time_ps, const uint8_t* data, uint32_t length
) noexcept nogil:
    cdef FrameHeader header
    header.seconds = <uint32_t>(time_ps // 1000000000000LL)
    header.nanoseconds = <uint32_t>(time_ps // 1000 % 1000000000)
    header.captured = length if length < MAX_FRAME_BYTES else MAX_FRAME_BYTES
    header.length = length
    memcpy(capture.buffer + capture.used, &header, sizeof(FrameHeader))
    memcpy(capture.buffer + capture.used + sizeof(FrameHeader), data, header.captured)
    capture.used += sizeof(FrameHeader) + header.captured
    if capture.used >= BUFFER_BYTES:
        write_out(capture, b"ab")


cdef int capture_flush(Capture* capture) noexcept nogil:
    """0, or errno of the first write that failed."""
    if capture.buffer == NULL or capture.used == 0:
        return capture.error
    return write_out(capture, b"ab")


cdef void capture_close(Capture* capture) noexcept nogil:
    capture_flush(capture)
    free(capture.path)
    free(capture.buffer)
    memset(capture, 0, sizeof(Capture))
