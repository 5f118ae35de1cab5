# cython: language_level=3
"""The packet loop from capture files to capture files, without the GIL (``--use-files``)."""

import mmap
import threading

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport FILE, fclose, fflush, fopen, fwrite
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from qplane_cext.switch.core cimport SwitchCore
from qplane_cext.switch.packetqueue cimport (
    PacketQueue, queue_close, queue_open, queue_put, queue_take,
)

cdef extern from "stdio.h" nogil:
    int setvbuf(FILE* stream, char* buffer, int mode, size_t size)
    int _IOFBF

cdef extern from "time.h" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec *now)
    int CLOCK_REALTIME
    int CLOCK_MONOTONIC

cdef enum:
    FILE_HEADER = 24
    RECORD_HEADER = 16
    CHUNK = 1024          # packets between two looks at whether to stop
    BUFFER = 1 << 18
    HAND_OVER_BYTES = 1 << 20  # a packet's copies for the CPU port still find room behind these

cdef uint32_t MICROSECONDS = 0xA1B2C3D4
cdef uint32_t NANOSECONDS = 0xA1B23C4D

cdef struct Source:
    int port
    const uint8_t* data
    uint64_t size
    uint64_t at           # of the next record
    bint swapped          # the file's byte order is not ours
    uint32_t tick_ns
    int64_t time_ns       # of the next record, -1 at the end
    bint broken

cdef struct Files:
    int n_sources
    Source* sources
    FILE** by_port        # outputs; NULL where there is no such port
    int max_port
    int cpu_port
    PacketQueue to_cpu
    PacketQueue to_show   # what leaves, when somebody watches
    bint watched
    timespec now          # wall time of the packet under way
    int write_failed


cdef inline uint32_t word(const Source* source, uint64_t at) noexcept nogil:
    cdef uint32_t value
    memcpy(&value, source.data + at, 4)
    if source.swapped:
        value = ((value & 0xff) << 24) | ((value & 0xff00) << 8) | (value >> 8 & 0xff00) | value >> 24
    return value


cdef void look_ahead(Source* source) noexcept nogil:
    """Find the next record's time; check that all of it is there."""
    cdef uint64_t left = source.size - source.at
    source.time_ns = -1
    if left == 0:
        return
    if left < RECORD_HEADER or word(source, source.at + 8) > left - RECORD_HEADER:
        source.broken = True
        return
    source.time_ns = (<int64_t>word(source, source.at) * 1000000000
                      + <int64_t>word(source, source.at + 4) * source.tick_ns)


cdef void write_record(FILE* stream, const timespec* now, const uint8_t* data, uint32_t length,
                       int* failed) noexcept nogil:
    cdef uint32_t header[4]
    header[0] = <uint32_t>now.tv_sec
    header[1] = <uint32_t>(now.tv_nsec // 1000)
    header[2] = length
    header[3] = length
    if fwrite(header, 1, RECORD_HEADER, stream) != RECORD_HEADER:
        failed[0] = 1
    if fwrite(data, 1, length, stream) != length:
        failed[0] = 1


cdef void emit(void* context, uint32_t port, const uint8_t* data, uint32_t length) noexcept nogil:
    cdef Files* files = <Files*>context
    if <int>port == files.cpu_port:
        queue_put(&files.to_cpu, port, data, length)
    elif port <= <uint32_t>files.max_port and files.by_port[port] != NULL:
        if files.watched:
            queue_put(&files.to_show, port, data, length)
        write_record(files.by_port[port], &files.now, data, length, &files.write_failed)


cdef class PcapFiles:
    """Packets of capture files, in the order of their times, through a packet path into others.

    ``files``: (port, input path, output path). The constructor opens all of them and raises
    OSError, or ValueError for an input that is no capture file. ``deliver_to_cpu`` gets what leaves on
    ``cpu_port`` (-1: none), as many packets as there are, with the GIL. ``watch(port, is_sent,
    packet)`` sees each packet before it is run, and what it led to. Outputs are microsecond captures
    of Ethernet frames.
    """

    cdef Files files
    cdef SwitchCore core
    cdef object deliver_to_cpu
    cdef object watch
    cdef list maps
    cdef list paths
    cdef object lock
    cdef bint stopping

    def __cinit__(self, SwitchCore core, files, int cpu_port, deliver_to_cpu, watch=None):
        cdef int i
        cdef uint32_t header[6]
        files = list(files)
        memset(&self.files, 0, sizeof(Files))
        self.core = core
        self.deliver_to_cpu = deliver_to_cpu
        self.watch = watch
        self.maps = []
        self.paths = [str(source) for _, source, _ in files]
        self.lock = threading.Lock()
        self.files.cpu_port = cpu_port
        self.files.watched = watch is not None
        self.files.max_port = max((port for port, _, _ in files), default=0)
        self.files.sources = <Source*>calloc(max(len(files), 1), sizeof(Source))
        self.files.by_port = <FILE**>calloc(self.files.max_port + 1, sizeof(FILE*))
        if self.files.watched and queue_open(&self.files.to_show):
            raise MemoryError
        if queue_open(&self.files.to_cpu) or not self.files.sources or not self.files.by_port:
            raise MemoryError
        for i, (port, source, _) in enumerate(files):
            self._open_source(&self.files.sources[i], port, str(source))
            self.files.n_sources += 1
        header[0] = MICROSECONDS
        header[1] = 2 | 4 << 16
        header[2] = header[3] = 0
        header[4] = 262144
        header[5] = 1  # Ethernet
        for port, _, target in files:
            self.files.by_port[<int>port] = fopen(str(target).encode(), "wb")
            if self.files.by_port[<int>port] == NULL:
                raise OSError(f"can't write {target}")
            setvbuf(self.files.by_port[<int>port], NULL, _IOFBF, BUFFER)
            fwrite(header, 1, FILE_HEADER, self.files.by_port[<int>port])
            fflush(self.files.by_port[<int>port])

    def __dealloc__(self):
        self._close()
        queue_close(&self.files.to_cpu)
        queue_close(&self.files.to_show)
        free(self.files.sources)
        free(self.files.by_port)

    cdef _open_source(self, Source* source, int port, str path):
        cdef const uint8_t[::1] view
        cdef uint32_t magic
        with open(path, "rb") as stream:
            content = stream.read(FILE_HEADER)
            if len(content) < FILE_HEADER:
                raise ValueError(f"{path}: not a pcap file")
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self.maps.append(content)
        view = content
        source.port = port
        source.data = &view[0]
        source.size = <uint64_t>view.shape[0]
        source.at = FILE_HEADER
        magic = word(source, 0)
        if magic != MICROSECONDS and magic != NANOSECONDS:
            source.swapped = True
            magic = word(source, 0)
        if magic != MICROSECONDS and magic != NANOSECONDS:
            raise ValueError(f"{path}: not a pcap file")
        source.tick_ns = 1000 if magic == MICROSECONDS else 1

    def run(self) -> int:
        """Run all packets; how many there were. ValueError at a record that is cut short (what
        came before it has been run), OSError when an output can't be written."""
        cdef Files* files = &self.files
        cdef Source* source
        cdef Source* first
        cdef const uint8_t* packet
        cdef uint32_t length
        cdef uint64_t count = 0
        cdef int i, n
        cdef timespec monotonic
        cdef int64_t started_us
        clock_gettime(CLOCK_MONOTONIC, &monotonic)
        started_us = <int64_t>monotonic.tv_sec * 1000000 + monotonic.tv_nsec // 1000
        for i in range(files.n_sources):
            look_ahead(&files.sources[i])
        while not self.stopping:
            with self.lock, nogil:
                for n in range(CHUNK):
                    first = NULL
                    for i in range(files.n_sources):
                        source = &files.sources[i]
                        if source.time_ns >= 0 and (first == NULL
                                                    or source.time_ns < first.time_ns):
                            first = source
                    if first == NULL or files.write_failed:
                        break
                    if files.to_cpu.used > HAND_OVER_BYTES:
                        break
                    length = word(first, first.at + 8)
                    packet = first.data + first.at + RECORD_HEADER
                    if files.watched:
                        with gil:
                            self.watch(first.port, False, <bytes>(<char*>packet)[:length])
                    clock_gettime(CLOCK_REALTIME, &files.now)
                    clock_gettime(CLOCK_MONOTONIC, &monotonic)
                    self.core.c_process(
                        <uint32_t>first.port, packet, length,
                        <int64_t>monotonic.tv_sec * 1000000 + monotonic.tv_nsec // 1000
                        - started_us, emit, files)
                    if files.to_show.used:
                        with gil:
                            for port, data in queue_take(&files.to_show):
                                self.watch(port, True, data)
                    count += 1
                    first.at += RECORD_HEADER + length
                    look_ahead(first)
            if files.to_cpu.used:
                self.deliver_to_cpu(*[data for _, data in queue_take(&files.to_cpu)])
            if files.write_failed:
                raise OSError("an output file can't be written")
            if first == NULL:
                break
        self.flush()
        for i in range(files.n_sources):
            if files.sources[i].broken:
                raise ValueError(f"{self.paths[i]}: cut short at byte {files.sources[i].at}")
        return count

    def send(self, int port, bytes data) -> None:
        """Append a packet (a packet-out's) to a port's output; ignored where there is none."""
        cdef timespec now
        if 0 <= port <= self.files.max_port and self.files.by_port[port] != NULL:
            with self.lock:
                clock_gettime(CLOCK_REALTIME, &now)
                write_record(self.files.by_port[port], &now, data, <uint32_t>len(data),
                             &self.files.write_failed)
                fflush(self.files.by_port[port])

    def flush(self) -> None:
        """Let readers see what was written."""
        cdef int i
        with self.lock:
            for i in range(self.files.max_port + 1):
                if self.files.by_port[i] != NULL:
                    fflush(self.files.by_port[i])

    def stop(self) -> None:
        """Make ``run`` return soon."""
        self.stopping = True

    def close(self) -> None:
        """Flush and close the outputs."""
        with self.lock:
            self._close()

    cdef void _close(self):
        cdef int i
        if self.files.by_port:
            for i in range(self.files.max_port + 1):
                if self.files.by_port[i] != NULL:
                    fclose(self.files.by_port[i])
                    self.files.by_port[i] = NULL
