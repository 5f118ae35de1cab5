"""Hash and checksum algorithms over byte strings, numbered as in compiler.program.ALGORITHMS."""

from libc.stdint cimport uint8_t, uint64_t

cdef enum:
    CSUM16, CRC16, CRC32, XOR16, IDENTITY, RANDOM, CRC16_CUSTOM, CRC32_CUSTOM
    CKSUM16, CRC_CCITT, CRC8_CUSTOM, CRC64_CUSTOM, XOR32, XXH64, ROUND_ROBIN

cdef uint64_t sum_bytes(const uint8_t* data, uint64_t length) noexcept nogil
cdef uint64_t fold_sum(uint64_t total) noexcept nogil
cdef uint64_t hash_bytes(int algorithm, const uint8_t* data, uint64_t length) noexcept nogil
