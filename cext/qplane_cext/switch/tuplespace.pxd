"""Match engine of tables and value sets: tuple-space search with priorities.

Entries with the same mask share a tuple, and a tuple is a hash table over masked keys (open
addressing, key beside the entry). An exact table is one tuple, an LPM table one per prefix length,
a ternary one as many as it has masks, tried in the order of the best priority that each holds, and
no further than the best match found. A range is split into prefixes, each an item of its own; only
where that would make too many items, a range is kept as the common prefix of its ends, and every
candidate is checked against the ends.

An entry's handle is its item's number, except in tables with ranges, where an entry has several
items and handles are numbered apart.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef struct Tuple:
    uint64_t* filter  # a bit per hash: clear means that no such key is here
    uint64_t filter_limit  # bits - 1
    uint64_t* mask  # behind the structure
    uint64_t mask_hash
    uint64_t* slots  # capacity * (1 + words): entry + 1 and tag, then the masked key
    uint32_t limit  # capacity - 1
    uint32_t keys  # distinct keys
    uint32_t items
    uint32_t stale  # keys gone whose bits may still be in the filter
    int64_t best  # no item has a higher priority

cdef struct RangePart:
    int32_t word  # first limb in the key
    int32_t limbs
    int32_t offset  # first limb in an entry's ends

cdef struct Numbers:
    # Numbers given out, lowest first.
    uint64_t* used  # bitmap
    uint32_t room  # a multiple of 64
    uint32_t hint  # none free below this one

cdef struct Matcher:
    int32_t words
    int32_t n_ranges
    int32_t range_words
    RangePart* ranges
    Tuple** tuples
    int32_t n_tuples
    int32_t tuple_room
    uint32_t count  # entries
    Numbers items
    Numbers handles  # of tables with ranges
    uint32_t room  # items allocated
    int64_t* priority
    uint32_t* next  # item + 1 of the next with the same masked key, weaker ones later
    Tuple** owner
    uint64_t* keys
    uint64_t* low
    uint64_t* high
    uint32_t* handle  # of an item, with ranges
    uint32_t* sibling  # item + 1 of the entry's next item, with ranges
    uint32_t* first  # item + 1 of a handle, with ranges
    uint32_t first_room
    uint64_t* scratch

cdef int matcher_init(Matcher* m, int words, int n_ranges) noexcept nogil
cdef void matcher_set_range(Matcher* m, int i, int word, int limbs) noexcept nogil
cdef int matcher_ready(Matcher* m) noexcept nogil
cdef void matcher_free(Matcher* m) noexcept nogil
cdef int64_t matcher_lookup(Matcher* m, const uint64_t* key) noexcept nogil
cdef int64_t matcher_find(
    Matcher* m, uint64_t* key, uint64_t* mask,
    const uint64_t* low, const uint64_t* high, int64_t priority,
) noexcept nogil
cdef int64_t matcher_insert(
    Matcher* m, uint64_t* key, uint64_t* mask,
    const uint64_t* low, const uint64_t* high, int64_t priority,
) noexcept nogil
cdef void matcher_remove(Matcher* m, uint32_t handle) noexcept nogil
