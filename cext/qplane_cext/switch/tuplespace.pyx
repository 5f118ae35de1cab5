"""Match engine of tables and value sets: tuple-space search with priorities (see the .pxd)."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memmove, memset

cdef enum:
    FIRST_CAPACITY = 8  # slots of a new tuple
    FIRST_ROOM = 64  # entries of a new matcher; a multiple of 64


cdef inline uint64_t mix(uint64_t h, uint64_t word) noexcept nogil:
    h = (h ^ word) * <uint64_t>0x9E3779B97F4A7C15
    return h ^ (h >> 32)


cdef inline uint64_t hash_masked(
    const uint64_t* key, const uint64_t* mask, uint64_t* masked, int words
) noexcept nogil:
    cdef uint64_t h = <uint64_t>0x2545F4914F6CDD1D
    cdef int i
    for i in range(words):
        masked[i] = key[i] & mask[i]
        h = mix(h, masked[i])
    return h


cdef inline uint64_t head_of(uint64_t h, uint32_t entry) noexcept nogil:
    """The first word of a slot: 32 bits of the hash, and the entry plus one."""
    return (h & <uint64_t>0xFFFFFFFF00000000) | (entry + 1)


cdef inline uint64_t home_of(uint64_t h) noexcept nogil:
    return h * <uint64_t>0xD6E8FEB86659FD93 >> 32


cdef int matcher_init(Matcher* m, int words, int n_ranges) noexcept nogil:
    memset(m, 0, sizeof(Matcher))
    m.words = words
    m.n_ranges = n_ranges
    m.scratch = <uint64_t*>calloc(words, 8)
    if n_ranges:
        m.ranges = <RangePart*>calloc(n_ranges, sizeof(RangePart))
        if m.ranges == NULL:
            return -1
    return 0 if m.scratch != NULL else -1


cdef void matcher_set_range(Matcher* m, int i, int word, int limbs) noexcept nogil:
    """Key words from `word` on are a range; call for i = 0, 1, ... before any insert."""
    m.ranges[i].word = word
    m.ranges[i].limbs = limbs
    m.ranges[i].offset = m.range_words
    m.range_words += limbs


cdef int matcher_ready(Matcher* m) noexcept nogil:
    return grow_entries(m, FIRST_ROOM)


cdef void tuple_free(Tuple* t) noexcept nogil:
    if t != NULL:
        free(t.mask)
        free(t.slots)
        free(t)


cdef void matcher_free(Matcher* m) noexcept nogil:
    cdef int i
    for i in range(m.n_tuples):
        tuple_free(m.tuples[i])
    free(m.tuples)
    free(m.ranges)
    free(m.used)
    free(m.priority)
    free(m.next)
    free(m.owner)
    free(m.keys)
    free(m.low)
    free(m.high)
    free(m.scratch)
    memset(m, 0, sizeof(Matcher))


cdef int grow(void** place, size_t size) noexcept nogil:
    cdef void* moved = realloc(place[0], size if size else 1)
    if moved == NULL:
        return -1
    place[0] = moved
    return 0


cdef int grow_entries(Matcher* m, uint32_t room) noexcept nogil:
    if room <= m.room:
        return 0
    if (
        grow(<void**>&m.used, room // 8)
        or grow(<void**>&m.priority, <size_t>room * 8)
        or grow(<void**>&m.next, <size_t>room * 4)
        or grow(<void**>&m.owner, <size_t>room * sizeof(void*))
        or grow(<void**>&m.keys, <size_t>room * m.words * 8)
        or grow(<void**>&m.low, <size_t>room * m.range_words * 8)
        or grow(<void**>&m.high, <size_t>room * m.range_words * 8)
    ):
        return -1
    memset(<char*>m.used + m.room // 8, 0, (room - m.room) // 8)
    m.room = room
    return 0


# ---- looking up ----

cdef inline bint ranges_hold(Matcher* m, uint32_t entry, const uint64_t* key) noexcept nogil:
    cdef int i, j
    cdef RangePart* part
    cdef const uint64_t* low
    cdef const uint64_t* high
    cdef uint64_t word
    for i in range(m.n_ranges):
        part = &m.ranges[i]
        low = &m.low[<size_t>entry * m.range_words + part.offset]
        high = &m.high[<size_t>entry * m.range_words + part.offset]
        for j in range(part.limbs - 1, -1, -1):
            word = key[part.word + j]
            if word != low[j]:
                if word < low[j]:
                    return False
                break
        for j in range(part.limbs - 1, -1, -1):
            word = key[part.word + j]
            if word != high[j]:
                if word > high[j]:
                    return False
                break
    return True


cdef inline uint64_t* tuple_slot(
    const Tuple* t, const uint64_t* masked, uint64_t h, int words
) noexcept nogil:
    """The slot with this masked key, or the empty one where it would go."""
    cdef uint64_t place = home_of(h) & t.limit
    cdef uint64_t* slot
    cdef int i
    while True:
        slot = t.slots + place * <uint64_t>(words + 1)
        if slot[0] == 0:
            return slot
        if (slot[0] ^ h) >> 32 == 0:
            for i in range(words):
                if slot[1 + i] != masked[i]:
                    break
            else:
                return slot
        place = (place + 1) & t.limit


cdef int64_t matcher_lookup(Matcher* m, const uint64_t* key) noexcept nogil:
    """The entry that matches with the highest priority (the lowest of equals), or -1."""
    cdef int64_t found = -1, best = 0
    cdef int words = m.words, i
    cdef Tuple* t
    cdef uint64_t* slot
    cdef uint64_t h
    cdef uint32_t entry
    for i in range(m.n_tuples):
        t = m.tuples[i]
        if found >= 0 and t.best < best:
            break
        h = hash_masked(key, t.mask, m.scratch, words)
        slot = tuple_slot(t, m.scratch, h, words)
        entry = <uint32_t>slot[0]
        while entry:
            if m.n_ranges == 0 or ranges_hold(m, entry - 1, key):
                if found < 0 or m.priority[entry - 1] > best or (
                    m.priority[entry - 1] == best and entry - 1 < found
                ):
                    found = entry - 1
                    best = m.priority[entry - 1]
                break
            entry = m.next[entry - 1]
    return found


# ---- changing ----

cdef uint64_t hash_words(const uint64_t* words, int n) noexcept nogil:
    cdef uint64_t h = 1
    cdef int i
    for i in range(n):
        h = mix(h, words[i])
    return h


cdef Tuple* find_tuple(Matcher* m, const uint64_t* mask) noexcept nogil:
    cdef uint64_t h = hash_words(mask, m.words)
    cdef int i
    for i in range(m.n_tuples):
        if m.tuples[i].mask_hash == h and memcmp(m.tuples[i].mask, mask, m.words * 8) == 0:
            return m.tuples[i]
    return NULL


cdef Tuple* new_tuple(Matcher* m, const uint64_t* mask, int64_t priority) noexcept nogil:
    """A tuple at the end of the order (the caller moves it)."""
    cdef Tuple* t
    cdef int room
    if m.n_tuples == m.tuple_room:
        room = m.tuple_room * 2 if m.tuple_room else 8
        if grow(<void**>&m.tuples, room * sizeof(void*)):
            return NULL
        m.tuple_room = room
    t = <Tuple*>calloc(1, sizeof(Tuple))
    if t == NULL:
        return NULL
    t.mask = <uint64_t*>malloc(m.words * 8)
    t.slots = <uint64_t*>calloc(FIRST_CAPACITY, (m.words + 1) * 8)
    if t.mask == NULL or t.slots == NULL:
        tuple_free(t)
        return NULL
    memcpy(t.mask, mask, m.words * 8)
    t.mask_hash = hash_words(mask, m.words)
    t.limit = FIRST_CAPACITY - 1
    t.best = priority
    m.tuples[m.n_tuples] = t
    m.n_tuples += 1
    return t


cdef void move_up(Matcher* m, Tuple* t) noexcept nogil:
    """Keep the tuples in order of their best priority."""
    cdef int i = m.n_tuples - 1
    while m.tuples[i] != t:
        i -= 1
    while i > 0 and m.tuples[i - 1].best < t.best:
        m.tuples[i] = m.tuples[i - 1]
        i -= 1
    m.tuples[i] = t


cdef int enlarge(Tuple* t, int words) noexcept nogil:
    """Double the hash table when it is half full."""
    cdef uint64_t* old = t.slots
    cdef uint64_t* slot
    cdef uint64_t capacity = <uint64_t>t.limit + 1, i, h
    cdef int j
    if (<uint64_t>t.keys + 1) * 2 <= capacity:
        return 0
    t.slots = <uint64_t*>calloc(capacity * 2, (words + 1) * 8)
    if t.slots == NULL:
        t.slots = old
        return -1
    t.limit = <uint32_t>(capacity * 2 - 1)
    for i in range(capacity):
        if old[i * (words + 1)]:
            h = <uint64_t>0x2545F4914F6CDD1D
            for j in range(words):
                h = mix(h, old[i * (words + 1) + 1 + j])
            slot = tuple_slot(t, old + i * (words + 1) + 1, h, words)
            memcpy(slot, old + i * (words + 1), (words + 1) * 8)
    free(old)
    return 0


cdef bint same_ranges(
    Matcher* m, uint32_t entry, const uint64_t* low, const uint64_t* high
) noexcept nogil:
    cdef size_t at = <size_t>entry * m.range_words, size = m.range_words * 8
    if m.range_words == 0:
        return True
    return memcmp(m.low + at, low, size) == 0 and memcmp(m.high + at, high, size) == 0


cdef int64_t matcher_find(
    Matcher* m, const uint64_t* key, const uint64_t* mask,
    const uint64_t* low, const uint64_t* high, int64_t priority,
) noexcept nogil:
    """The entry with exactly this key, mask, ranges and priority, or -1."""
    cdef Tuple* t = find_tuple(m, mask)
    cdef uint32_t entry
    cdef uint64_t h
    if t == NULL:
        return -1
    h = hash_masked(key, mask, m.scratch, m.words)
    entry = <uint32_t>tuple_slot(t, m.scratch, h, m.words)[0]
    while entry:
        if m.priority[entry - 1] == priority and same_ranges(m, entry - 1, low, high):
            return entry - 1
        entry = m.next[entry - 1]
    return -1


cdef int64_t free_entry(Matcher* m) noexcept nogil:
    """The lowest free entry, made room for if there is none; -1 without memory."""
    cdef uint32_t word = m.hint // 64, bit
    while word < m.room // 64 and m.used[word] == <uint64_t>-1:
        word += 1
    if word * 64 >= m.room and grow_entries(m, m.room * 2):
        return -1
    bit = 0
    while (m.used[word] >> bit) & 1:
        bit += 1
    m.hint = word * 64
    return word * 64 + bit


cdef int64_t matcher_insert(
    Matcher* m, const uint64_t* key, const uint64_t* mask,
    const uint64_t* low, const uint64_t* high, int64_t priority,
) noexcept nogil:
    """Add an entry that is known to be new; its number, or -1 without memory."""
    cdef int64_t entry = free_entry(m)
    cdef Tuple* t
    cdef uint64_t* slot
    cdef uint64_t h
    cdef uint32_t* link
    cdef uint32_t one
    if entry < 0:
        return -1
    t = find_tuple(m, mask)
    if t == NULL:
        t = new_tuple(m, mask, priority)
        if t == NULL:
            return -1
    if enlarge(t, m.words):
        if t.entries == 0:
            drop_tuple(m, t)
        return -1
    h = hash_masked(key, mask, m.scratch, m.words)
    slot = tuple_slot(t, m.scratch, h, m.words)
    one = <uint32_t>entry
    memcpy(m.keys + <size_t>one * m.words, m.scratch, m.words * 8)
    memcpy(m.low + <size_t>one * m.range_words, low, m.range_words * 8)
    memcpy(m.high + <size_t>one * m.range_words, high, m.range_words * 8)
    m.priority[one] = priority
    m.owner[one] = t
    m.next[one] = 0
    if slot[0] == 0:
        slot[0] = head_of(h, one)
        memcpy(slot + 1, m.scratch, m.words * 8)
        t.keys += 1
    elif stronger(m, one, <uint32_t>slot[0] - 1):
        m.next[one] = <uint32_t>slot[0]
        slot[0] = head_of(h, one)
    else:
        link = &m.next[<uint32_t>slot[0] - 1]
        while link[0] and not stronger(m, one, link[0] - 1):
            link = &m.next[link[0] - 1]
        m.next[one] = link[0]
        link[0] = one + 1
    t.entries += 1
    m.count += 1
    m.used[one // 64] |= (<uint64_t>1) << (one % 64)
    if priority > t.best:
        t.best = priority
    move_up(m, t)
    return entry


cdef inline bint stronger(Matcher* m, uint32_t one, uint32_t other) noexcept nogil:
    if m.priority[one] != m.priority[other]:
        return m.priority[one] > m.priority[other]
    return one < other


cdef bint matcher_used(const Matcher* m, int64_t entry) noexcept nogil:
    return 0 <= entry < m.room and (m.used[entry // 64] >> (entry % 64)) & 1


cdef void drop_tuple(Matcher* m, Tuple* t) noexcept nogil:
    cdef int i = 0
    while m.tuples[i] != t:
        i += 1
    m.n_tuples -= 1
    memmove(m.tuples + i, m.tuples + i + 1, (m.n_tuples - i) * sizeof(void*))
    tuple_free(t)


cdef void clear_slot(Tuple* t, uint64_t* slot, int words) noexcept nogil:
    """Empty a slot and pull up what was displaced by it."""
    cdef uint64_t hole = <uint64_t>(slot - t.slots) // (words + 1)
    cdef uint64_t place = hole, home, h
    cdef uint64_t* other
    cdef int i
    while True:
        place = (place + 1) & t.limit
        other = t.slots + place * <uint64_t>(words + 1)
        if other[0] == 0:
            break
        h = <uint64_t>0x2545F4914F6CDD1D
        for i in range(words):
            h = mix(h, other[1 + i])
        home = home_of(h) & t.limit
        if ((place - home) & t.limit) >= ((place - hole) & t.limit):
            memcpy(t.slots + hole * <uint64_t>(words + 1), other, (words + 1) * 8)
            hole = place
    t.slots[hole * <uint64_t>(words + 1)] = 0


cdef void matcher_remove(Matcher* m, uint32_t entry) noexcept nogil:
    cdef Tuple* t = m.owner[entry]
    cdef uint64_t* slot
    cdef uint32_t* link
    cdef uint64_t h
    h = hash_masked(m.keys + <size_t>entry * m.words, t.mask, m.scratch, m.words)
    slot = tuple_slot(t, m.scratch, h, m.words)
    if <uint32_t>slot[0] == entry + 1:
        if m.next[entry]:
            slot[0] = head_of(h, m.next[entry] - 1)
        else:
            clear_slot(t, slot, m.words)
            t.keys -= 1
    else:
        link = &m.next[<uint32_t>slot[0] - 1]
        while link[0] != entry + 1:
            link = &m.next[link[0] - 1]
        link[0] = m.next[entry]
    m.used[entry // 64] &= ~((<uint64_t>1) << (entry % 64))
    m.count -= 1
    if entry < m.hint:
        m.hint = entry
    t.entries -= 1
    if t.entries == 0:
        drop_tuple(m, t)
