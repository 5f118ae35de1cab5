"""The decoder of simple updates, as p4rt_apply sees it."""

from libc.stdint cimport int32_t, int64_t, uint64_t

cdef enum:
    MAX_FIELDS = 64
    MAX_LIMBS = 16  # of one field or parameter


cdef struct Cursor:
    const unsigned char* at
    const unsigned char* end
    bint failed  # ran past the end, or an over-long varint


cdef struct Record:
    # An update. What `table` is for is in Batch.key().
    void* table  # its TableDecoder; NULL: not simple, only `raw` holds
    void* action  # its ActionDecoder, or NULL
    int32_t kind  # Update.Type
    bint canonical  # `wire` is what a read returns
    int64_t priority  # P4Runtime's
    int64_t prefix  # length of the key's prefix
    int64_t rank  # the match engine's priority
    int64_t timeout_ns
    uint64_t controller_metadata
    Cursor metadata
    Cursor wire  # the TableEntry
    Cursor raw  # the Update
    size_t words  # where in the batch its key begins


cdef class ActionDecoder:
    cdef int core_index
    cdef int n_params
    cdef int words  # of all parameters
    cdef int[MAX_FIELDS] bits
    cdef bint decode(self, Cursor* c, uint64_t* out, bint* canonical) noexcept


cdef class TableDecoder:
    cdef readonly object writer
    cdef int n_fields
    cdef int words  # of a packed key's value, and of its mask
    cdef int range_words  # of the first ends of its ranges, and of the last ones
    cdef int[MAX_FIELDS] kinds
    cdef int[MAX_FIELDS] bits
    cdef int[MAX_FIELDS] word
    cdef int[MAX_FIELDS] shift
    cdef bint needs_priority
    cdef bint has_timeout
    cdef dict actions
    cdef void place(self, int i, uint64_t* key, const uint64_t* value, const uint64_t* mask) noexcept
    cdef bint part(self, int i, Cursor match, Record* record, uint64_t* key) noexcept
    cdef bint absent(self, int i, uint64_t* key) noexcept
    cdef bint entry(self, Cursor c, Record* record, Batch batch) except -1


cdef class Batch:
    cdef bytes request
    cdef Record* records
    cdef size_t count
    cdef size_t room
    cdef uint64_t* words
    cdef size_t used
    cdef size_t words_room
    cdef Record* add(self, Cursor raw) except NULL
    cdef uint64_t* take(self, size_t words) except NULL
    cdef uint64_t* key(self, const Record* record) noexcept
    cdef bytes raw(self, const Record* record)
    cdef int decode(self, Record* record, dict tables) except -1


cdef bytes wire_of(const Record* record)
