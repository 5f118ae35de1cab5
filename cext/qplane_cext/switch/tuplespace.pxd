"""Match engine of tables and value sets: tuple-space search with priorities.

Entries with the same mask share a tuple, and a tuple is a hash table over masked keys (open
addressing, key beside the entry). An exact table is one tuple, an LPM table one per prefix length,
a ternary one as many as it has masks, tried in the order of the best priority that each holds, and
no further than the best match found. A range is kept as the longest common prefix of its ends,
then checked exactly.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef struct Tuple:
    uint64_t* mask
    uint64_t mask_hash
    uint64_t* slots  # capacity * (1 + words): entry + 1 and tag, then the masked key
    uint32_t limit  # capacity - 1
    uint32_t keys  # distinct keys
    uint32_t entries
    int64_t best  # no entry has a higher priority

cdef struct RangePart:
    int32_t word  # first limb in the key
    int32_t limbs
    int32_t offset  # first limb in an entry's ends

cdef struct Matcher:
    int32_t words
    int32_t n_ranges
    int32_t range_words
    RangePart* ranges
    Tuple** tuples
    int32_t n_tuples
    int32_t tuple_room
    uint32_t room  # entries allocated
    uint32_t count  # entries in use
    uint32_t hint  # no free entry below this one
    uint64_t* used  # bitmap
    int64_t* priority
    uint32_t* next  # entry + 1 of the next with the same masked key, weaker first come later
    Tuple** owner
    uint64_t* keys
    uint64_t* low
    uint64_t* high
    uint64_t* scratch

cdef int matcher_init(Matcher* m, int words, int n_ranges) noexcept nogil
cdef void matcher_set_range(Matcher* m, int i, int word, int limbs) noexcept nogil
cdef int matcher_ready(Matcher* m) noexcept nogil
cdef void matcher_free(Matcher* m) noexcept nogil
cdef int64_t matcher_lookup(Matcher* m, const uint64_t* key) noexcept nogil
cdef int64_t matcher_find(
    Matcher* m, const uint64_t* key, const uint64_t* mask,
    const uint64_t* low, const uint64_t* high, int64_t priority,
) noexcept nogil
cdef int64_t matcher_insert(
    Matcher* m, const uint64_t* key, const uint64_t* mask,
    const uint64_t* low, const uint64_t* high, int64_t priority,
) noexcept nogil
cdef bint matcher_used(const Matcher* m, int64_t entry) noexcept nogil
cdef void matcher_remove(Matcher* m, uint32_t entry) noexcept nogil
