"""Hash and checksum algorithms over byte strings (those of BMv2's simple_switch)."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from qplane_cext.switch.wide cimport load_be, low_mask

cdef extern from *:
    uint64_t __builtin_bswap64(uint64_t) noexcept nogil

cdef struct Crc:
    int bits
    bint reflected
    uint64_t start
    uint64_t final
    uint64_t[256] table

cdef Crc[5] CRCS
cdef uint32_t[8][256] CRC32_SLICES


cdef uint64_t reverse(uint64_t value, int bits) noexcept:
    cdef uint64_t out = 0
    cdef int i
    for i in range(bits):
        if (value >> i) & 1:
            out |= (<uint64_t>1) << (bits - 1 - i)
    return out


cdef void make_crc(
    Crc* crc, int bits, uint64_t polynomial, uint64_t start, uint64_t final, bint reflected
) noexcept:
    cdef uint64_t value, flipped = reverse(polynomial, bits)
    cdef int i, j
    crc.bits, crc.reflected = bits, reflected
    crc.final = final
    crc.start = reverse(start, bits) if reflected else start
    for i in range(256):
        if reflected:
            value = i
            for j in range(8):
                value = (value >> 1) ^ (flipped if value & 1 else 0)
        else:
            value = (<uint64_t>i) << (bits - 8)
            for j in range(8):
                if (value >> (bits - 1)) & 1:
                    value = (value << 1) ^ polynomial
                else:
                    value = value << 1
            value &= low_mask(bits)
        crc.table[i] = value


cdef void make_tables() noexcept:
    cdef int i, j
    make_crc(&CRCS[0], 16, 0x8005, 0, 0, True)
    make_crc(&CRCS[1], 32, 0x04C11DB7, 0xFFFFFFFF, 0xFFFFFFFF, True)
    make_crc(&CRCS[2], 16, 0x1021, 0xFFFF, 0, False)
    make_crc(&CRCS[3], 8, 0x07, 0, 0, False)
    make_crc(&CRCS[4], 64, 0x1B, 0, 0, True)
    for i in range(256):
        CRC32_SLICES[0][i] = <uint32_t>CRCS[1].table[i]
    for j in range(1, 8):
        for i in range(256):
            CRC32_SLICES[j][i] = (CRC32_SLICES[j - 1][i] >> 8) ^ (
                CRC32_SLICES[0][CRC32_SLICES[j - 1][i] & 0xFF]
            )

make_tables()


cdef uint64_t crc(const Crc* one, const uint8_t* data, uint64_t length) noexcept nogil:
    cdef uint64_t value = one.start, i
    if one.reflected:
        for i in range(length):
            value = (value >> 8) ^ one.table[(value ^ data[i]) & 0xFF]
    else:
        for i in range(length):
            value = (value << 8) ^ one.table[((value >> (one.bits - 8)) ^ data[i]) & 0xFF]
        value &= low_mask(one.bits)
    return value ^ one.final


cdef uint64_t crc32(const uint8_t* data, uint64_t length) noexcept nogil:
    """CRC-32 of zlib, eight bytes at a time."""
    cdef uint32_t value = ~<uint32_t>0
    cdef uint64_t word
    while length >= 8:
        memcpy(&word, data, 8)
        word ^= value
        value = (
            CRC32_SLICES[7][word & 0xFF] ^ CRC32_SLICES[6][(word >> 8) & 0xFF]
            ^ CRC32_SLICES[5][(word >> 16) & 0xFF] ^ CRC32_SLICES[4][(word >> 24) & 0xFF]
            ^ CRC32_SLICES[3][(word >> 32) & 0xFF] ^ CRC32_SLICES[2][(word >> 40) & 0xFF]
            ^ CRC32_SLICES[1][(word >> 48) & 0xFF] ^ CRC32_SLICES[0][word >> 56]
        )
        data += 8
        length -= 8
    while length:
        value = (value >> 8) ^ CRC32_SLICES[0][(value ^ data[0]) & 0xFF]
        data += 1
        length -= 1
    return ~value


cdef uint64_t sum_bytes(const uint8_t* data, uint64_t length) noexcept nogil:
    """Ones' complement sum of big-endian 16-bit words (not folded; a last odd byte is high)."""
    cdef uint64_t total = 0, word
    while length >= 8:
        word = load_be(data)
        total += (word >> 32) + <uint32_t>word
        data += 8
        length -= 8
    while length >= 2:
        total += (<uint64_t>data[0] << 8) | data[1]
        data += 2
        length -= 2
    if length:
        total += <uint64_t>data[0] << 8
    return total


cdef uint64_t fold_sum(uint64_t total) noexcept nogil:
    """The Internet checksum of a sum: folded to 16 bits and complemented."""
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


cdef uint64_t xor_words(const uint8_t* data, uint64_t length, int size) noexcept nogil:
    cdef uint64_t value = 0, i
    for i in range(length):
        value ^= (<uint64_t>data[i]) << (8 * (size - 1 - i % size))
    return value


cdef uint64_t identity(const uint8_t* data, uint64_t length) noexcept nogil:
    cdef uint64_t value = 0, i
    for i in range(length if length < 8 else 8):
        value = (value << 8) | data[i]
    return value


cdef inline uint64_t rotate(uint64_t value, int by) noexcept nogil:
    return (value << by) | (value >> (64 - by))


cdef enum:
    LANES = 4

cdef uint64_t P1 = <uint64_t>0x9E3779B185EBCA87
cdef uint64_t P2 = <uint64_t>0xC2B2AE3D27D4EB4F
cdef uint64_t P3 = <uint64_t>0x165667B19E3779F9
cdef uint64_t P4 = <uint64_t>0x85EBCA77C2B2AE63
cdef uint64_t P5 = <uint64_t>0x27D4EB2F165667C5


cdef inline uint64_t load_le(const uint8_t* data) noexcept nogil:
    return __builtin_bswap64(load_be(data))


cdef uint64_t xxh64(const uint8_t* data, uint64_t length) noexcept nogil:
    """XXH64 with seed 0, as its specification describes it."""
    cdef uint64_t[LANES] lane
    cdef uint64_t h, left = length
    cdef uint32_t word
    cdef int i
    if length >= 32:
        lane[0], lane[1], lane[2], lane[3] = P1 + P2, P2, 0, <uint64_t>0 - P1
        while left >= 32:
            for i in range(LANES):
                lane[i] = rotate(lane[i] + load_le(data + 8 * i) * P2, 31) * P1
            data += 32
            left -= 32
        h = rotate(lane[0], 1) + rotate(lane[1], 7) + rotate(lane[2], 12) + rotate(lane[3], 18)
        for i in range(LANES):
            h = (h ^ (rotate(lane[i] * P2, 31) * P1)) * P1 + P4
    else:
        h = P5
    h += length
    while left >= 8:
        h = rotate(h ^ (rotate(load_le(data) * P2, 31) * P1), 27) * P1 + P4
        data += 8
        left -= 8
    if left >= 4:
        memcpy(&word, data, 4)
        h = rotate(h ^ (<uint64_t>word * P1), 23) * P2 + P3
        data += 4
        left -= 4
    while left:
        h = rotate(h ^ (<uint64_t>data[0] * P5), 11) * P1
        data += 1
        left -= 1
    h = (h ^ (h >> 33)) * P2
    h = (h ^ (h >> 29)) * P3
    return h ^ (h >> 32)


cdef uint64_t hash_bytes(int algorithm, const uint8_t* data, uint64_t length) noexcept nogil:
    """The algorithm's value; RANDOM and ROUND_ROBIN have state and are the engine's business."""
    if algorithm == CSUM16 or algorithm == CKSUM16:
        return fold_sum(sum_bytes(data, length))
    elif algorithm == CRC16 or algorithm == CRC16_CUSTOM:
        return crc(&CRCS[0], data, length)
    elif algorithm == CRC32 or algorithm == CRC32_CUSTOM:
        return crc32(data, length)
    elif algorithm == CRC_CCITT:
        return crc(&CRCS[2], data, length)
    elif algorithm == CRC8_CUSTOM:
        return crc(&CRCS[3], data, length)
    elif algorithm == CRC64_CUSTOM:
        return crc(&CRCS[4], data, length)
    elif algorithm == XOR16:
        return xor_words(data, length, 2)
    elif algorithm == XOR32:
        return xor_words(data, length, 4)
    elif algorithm == XXH64:
        return xxh64(data, length)
    return identity(data, length)


def digest(int algorithm, const uint8_t[::1] data) -> int:
    """The value of an algorithm (an index into compiler.program.ALGORITHMS) over some bytes."""
    return hash_bytes(algorithm, &data[0] if data.shape[0] else NULL, data.shape[0])
