"""A hash map from 64-bit keys to 32-bit indices (linear probing, deletion by backward shift)."""

from libc.stdint cimport int32_t, uint64_t


cdef struct KeyMap:
    uint64_t* keys
    int32_t* values  # -1: empty
    size_t capacity  # a power of two, or 0
    size_t count


cdef void keymap_init(KeyMap* table) noexcept nogil
cdef void keymap_free(KeyMap* table) noexcept nogil
cdef bint keymap_set(KeyMap* table, uint64_t key, int32_t value) noexcept nogil  # False: no memory
cdef int32_t keymap_get(const KeyMap* table, uint64_t key) noexcept nogil  # -1: not there
cdef void keymap_remove(KeyMap* table, uint64_t key) noexcept nogil


cdef inline uint64_t mix64(uint64_t x) noexcept nogil:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit depends on every bit."""
    x = (x ^ (x >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * <uint64_t>0x94D049BB133111EB
    return x ^ (x >> 31)
