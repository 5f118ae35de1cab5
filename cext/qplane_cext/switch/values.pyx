"""Byte strings of the control plane to words."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint64_t

from .errors import SwitchError


cdef int put_words(uint64_t* out, value, int words) except -1:
    """A non-negative integer as limbs."""
    cdef int i
    if words == 1:
        out[0] = value
        return 0
    for i in range(words):
        out[i] = (value >> (64 * i)) & 0xFFFFFFFFFFFFFFFF
    return 0


cdef bint small_number(data, int bits, uint64_t* out):
    """Load a value of at most 64 bits; False: it is not one (number() says why)."""
    cdef const uint8_t* at
    cdef Py_ssize_t i, size
    cdef uint64_t value = 0
    if bits > 64 or not isinstance(data, bytes):
        return False
    size = len(<bytes>data)
    if size != (bits + 7) >> 3:
        return False
    at = <const uint8_t*>(<char*><bytes>data)
    for i in range(size):
        value = value << 8 | at[i]
    if bits < 64 and value >> bits:
        return False
    out[0] = value
    return True


cdef object number(data, bits, what):
    """The integer of a byte string of exactly the width's bytes."""
    if not isinstance(data, bytes):
        raise SwitchError("INVALID_ARGUMENT", f"{what}: expected bytes, not {data!r}")
    value = int.from_bytes(data, "big")
    if len(data) != (bits + 7) // 8 or value >> bits:
        raise SwitchError(
            "OUT_OF_RANGE", f"{what}: {data.hex() or 'nothing'} is not a value of {bits} bits"
        )
    return value


cdef bytes text(const uint64_t* limbs, int shift, int bits):
    """The byte string of a value's limbs; one of up to 64 bits may begin at a shift."""
    cdef int width = (bits + 7) >> 3, i
    cdef bytes out = PyBytes_FromStringAndSize(NULL, width)
    cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(out) + width
    cdef uint64_t word = limbs[0] >> shift
    if bits < 64:
        word &= (<uint64_t>1 << bits) - 1
    for i in range(width):
        if i and not i & 7:
            word = limbs[i >> 3]
        at -= 1
        at[0] = <uint8_t>word
        word >>= 8
    return out
