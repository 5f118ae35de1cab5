"""Packet-ins straight to the wire: a StreamMessageResponse's bytes without a message in between.

Field numbers are those of ``p4/v1/p4runtime.proto``.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from qplane_cext.switch.varint cimport put_varint, varint_size

cdef enum:
    MAX_FIELDS = 64
    MAX_BITS = 56  # with what surrounds it in its bytes, a field fits a word
    MAX_METADATA_BYTES = 18  # of one field: 2 + id (6) + value (2 + 7), and some


@cython.final
cdef class PacketInEncoder:
    """A ``@controller_header("packet_in")``: its fields' ids, places and widths."""

    cdef Py_ssize_t length
    cdef int n_fields
    cdef uint32_t[MAX_FIELDS] ids
    cdef int[MAX_FIELDS] first  # bit of the header that a field begins with
    cdef int[MAX_FIELDS] bits

    def __init__(self, fields, Py_ssize_t length):
        """``fields``: (id, first bit, bits) in P4Info's order, ``length`` of the header in bytes.

        ValueError: this header has to be left to the general path.
        """
        if len(fields) > MAX_FIELDS or any(
            not identity or not 0 < bits <= MAX_BITS or not 0 <= first <= 8 * length - bits
            for identity, first, bits in fields
        ):
            raise ValueError("too many fields, or one too wide or without an id")
        self.length = length
        self.n_fields = len(fields)
        for i, (identity, first, bits) in enumerate(fields):
            self.ids[i], self.first[i], self.bits[i] = identity, first, bits

    cdef uint64_t value(self, int i, const uint8_t* header) noexcept nogil:
        cdef int at = self.first[i] >> 3
        cdef int end = self.first[i] + self.bits[i]
        cdef uint64_t value = header[at] & (0xFF >> (self.first[i] & 7))
        for at in range(at + 1, (end + 7) >> 3):
            value = value << 8 | header[at]
        return value >> (-end & 7)

    def encode(self, bytes packet not None):
        """A packet that left on the CPU port as a serialized StreamMessageResponse.

        None when it is shorter than the header.
        """
        cdef uint8_t[MAX_FIELDS * MAX_METADATA_BYTES] metadata
        cdef uint8_t* at = metadata
        cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(packet)
        cdef Py_ssize_t payload = PyBytes_GET_SIZE(packet) - self.length
        cdef Py_ssize_t size
        cdef uint64_t value
        cdef int i, n
        cdef bytes out
        if payload < 0:
            return None
        for i in range(self.n_fields):
            value = self.value(i, data)
            n = 1
            while n < 8 and value >> (8 * n):
                n += 1
            at[0] = 0x12  # PacketIn.metadata = 2
            at[1] = <uint8_t>(1 + varint_size(self.ids[i]) + 2 + n)
            at[2] = 0x08  # PacketMetadata.metadata_id = 1
            at = put_varint(at + 3, self.ids[i])
            at[0], at[1] = 0x12, <uint8_t>n  # PacketMetadata.value = 2
            at += 2
            while n:
                n -= 1
                at[0] = <uint8_t>(value >> (8 * n))
                at += 1
        size = at - metadata
        if payload:
            size += 1 + varint_size(payload) + payload
        out = PyBytes_FromStringAndSize(NULL, 1 + varint_size(size) + size)
        cdef uint8_t* to = <uint8_t*>PyBytes_AS_STRING(out)
        to[0] = 0x12  # StreamMessageResponse.packet = 2
        to = put_varint(to + 1, size)
        if payload:
            to[0] = 0x0A  # PacketIn.payload = 1
            to = put_varint(to + 1, payload)
            memcpy(to, data + self.length, payload)
            to += payload
        memcpy(to, metadata, at - metadata)
        return out
