"""Match engine of tables and value sets: tuple-space search with priorities (see the .pxd)."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memmove, memset

cdef enum:
    FIRST_CAPACITY = 8  # slots of a new tuple
    FILTER_BITS = 8  # per slot, so at least 16 per key
    FILTERED = 3  # so many tuples make a filter worth its while
    FIRST_ROOM = 64  # items of a new matcher; a multiple of 64
    MAX_SPLIT = 1024  # items that the ranges of one entry may become
    MAX_RANGES = 16  # of one table that are split
    MAX_PREFIXES = 128  # that a range of 64 bits can need (126)


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
    return grow_items(m, FIRST_ROOM)


cdef void tuple_free(Tuple* t) noexcept nogil:
    if t != NULL:
        free(t.filter)
        free(t.slots)
        free(t)


cdef void matcher_free(Matcher* m) noexcept nogil:
    cdef int i
    for i in range(m.n_tuples):
        tuple_free(m.tuples[i])
    free(m.tuples)
    free(m.ranges)
    free(m.items.used)
    free(m.handles.used)
    free(m.priority)
    free(m.next)
    free(m.owner)
    free(m.keys)
    free(m.low)
    free(m.high)
    free(m.handle)
    free(m.sibling)
    free(m.first)
    free(m.scratch)
    memset(m, 0, sizeof(Matcher))


cdef int grow(void** place, size_t size) noexcept nogil:
    cdef void* moved = realloc(place[0], size if size else 1)
    if moved == NULL:
        return -1
    place[0] = moved
    return 0


cdef int grow_items(Matcher* m, uint32_t room) noexcept nogil:
    if room <= m.room:
        return 0
    if (
        grow(<void**>&m.priority, <size_t>room * 8)
        or grow(<void**>&m.next, <size_t>room * 4)
        or grow(<void**>&m.owner, <size_t>room * sizeof(void*))
        or grow(<void**>&m.keys, <size_t>room * m.words * 8)
        or grow(<void**>&m.low, <size_t>room * m.range_words * 8)
        or grow(<void**>&m.high, <size_t>room * m.range_words * 8)
        or m.n_ranges and grow(<void**>&m.handle, <size_t>room * 4)
        or m.n_ranges and grow(<void**>&m.sibling, <size_t>room * 4)
    ):
        return -1
    m.room = room
    return 0


# ---- numbers ----

cdef int64_t number_take(Numbers* n) noexcept nogil:
    """The lowest free number, now in use; -1 without memory."""
    cdef uint32_t word = n.hint // 64, bit = 0, room
    while word < n.room // 64 and n.used[word] == <uint64_t>-1:
        word += 1
    if word * 64 >= n.room:
        room = n.room * 2 if n.room else FIRST_ROOM
        if grow(<void**>&n.used, room // 8):
            return -1
        memset(<char*>n.used + n.room // 8, 0, (room - n.room) // 8)
        n.room = room
    while (n.used[word] >> bit) & 1:
        bit += 1
    n.used[word] |= (<uint64_t>1) << bit
    n.hint = word * 64
    return word * 64 + bit


cdef void number_give(Numbers* n, uint32_t number) noexcept nogil:
    n.used[number // 64] &= ~((<uint64_t>1) << (number % 64))
    if number < n.hint:
        n.hint = number


# ---- looking up ----

cdef inline int64_t handle_of(const Matcher* m, uint32_t item) noexcept nogil:
    return m.handle[item] if m.n_ranges else item


cdef inline bint ranges_hold(Matcher* m, uint32_t item, const uint64_t* key) noexcept nogil:
    cdef int i, j
    cdef RangePart* part
    cdef const uint64_t* low
    cdef const uint64_t* high
    cdef uint64_t word
    for i in range(m.n_ranges):
        part = &m.ranges[i]
        low = &m.low[<size_t>item * m.range_words + part.offset]
        high = &m.high[<size_t>item * m.range_words + part.offset]
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
    cdef bint filtered = m.n_tuples >= FILTERED
    cdef Tuple* t
    cdef uint64_t* slot
    cdef uint64_t h
    cdef uint32_t item
    for i in range(m.n_tuples):
        t = m.tuples[i]
        if found >= 0 and t.best < best:
            break
        h = hash_masked(key, t.mask, m.scratch, words)
        if filtered and not (t.filter[(h & t.filter_limit) >> 6] >> (h & 63)) & 1:
            continue
        slot = tuple_slot(t, m.scratch, h, words)
        item = <uint32_t>slot[0]
        while item:
            if m.n_ranges == 0 or ranges_hold(m, item - 1, key):
                if found < 0 or m.priority[item - 1] > best or (
                    m.priority[item - 1] == best and handle_of(m, item - 1) < found
                ):
                    found = handle_of(m, item - 1)
                    best = m.priority[item - 1]
                break
            item = m.next[item - 1]
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
    t = <Tuple*>calloc(1, sizeof(Tuple) + m.words * 8)
    if t == NULL:
        return NULL
    t.mask = <uint64_t*>(t + 1)
    t.slots = <uint64_t*>calloc(FIRST_CAPACITY, (m.words + 1) * 8)
    t.filter = <uint64_t*>calloc(FIRST_CAPACITY * FILTER_BITS // 64, 8)
    if t.filter == NULL or t.slots == NULL:
        tuple_free(t)
        return NULL
    t.filter_limit = FIRST_CAPACITY * FILTER_BITS - 1
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


cdef inline void filter_add(Tuple* t, uint64_t h) noexcept nogil:
    t.filter[(h & t.filter_limit) >> 6] |= (<uint64_t>1) << (h & 63)


cdef uint64_t slot_hash(const uint64_t* slot, int words) noexcept nogil:
    cdef uint64_t h = <uint64_t>0x2545F4914F6CDD1D
    cdef int i
    for i in range(words):
        h = mix(h, slot[1 + i])
    return h


cdef void refilter(Tuple* t, int words) noexcept nogil:
    """Make the filter anew from the keys that are there."""
    cdef uint64_t i
    memset(t.filter, 0, (t.filter_limit + 1) // 8)
    t.stale = 0
    for i in range(<uint64_t>t.limit + 1):
        if t.slots[i * (words + 1)]:
            filter_add(t, slot_hash(t.slots + i * (words + 1), words))


cdef int enlarge(Tuple* t, int words) noexcept nogil:
    """Double the hash table when it is half full."""
    cdef uint64_t* old = t.slots
    cdef uint64_t* slots
    cdef uint64_t* filter_
    cdef uint64_t* slot
    cdef uint64_t capacity = <uint64_t>t.limit + 1, i
    if (<uint64_t>t.keys + 1) * 2 <= capacity:
        return 0
    slots = <uint64_t*>calloc(capacity * 2, (words + 1) * 8)
    filter_ = <uint64_t*>calloc(capacity * 2 * FILTER_BITS // 64, 8)
    if slots == NULL or filter_ == NULL:
        free(slots)
        free(filter_)
        return -1
    free(t.filter)
    t.slots, t.filter = slots, filter_
    t.limit = <uint32_t>(capacity * 2 - 1)
    t.filter_limit = capacity * 2 * FILTER_BITS - 1
    for i in range(capacity):
        if old[i * (words + 1)]:
            slot = tuple_slot(
                t, old + i * (words + 1) + 1, slot_hash(old + i * (words + 1), words), words
            )
            memcpy(slot, old + i * (words + 1), (words + 1) * 8)
    free(old)
    refilter(t, words)
    return 0


cdef bint same_ranges(
    Matcher* m, uint32_t item, const uint64_t* low, const uint64_t* high
) noexcept nogil:
    cdef size_t at = <size_t>item * m.range_words, size = m.range_words * 8
    if m.range_words == 0:
        return True
    return memcmp(m.low + at, low, size) == 0 and memcmp(m.high + at, high, size) == 0


cdef inline bint stronger(Matcher* m, uint32_t one, uint32_t other) noexcept nogil:
    if m.priority[one] != m.priority[other]:
        return m.priority[one] > m.priority[other]
    return handle_of(m, one) < handle_of(m, other)


cdef int64_t item_find(
    Matcher* m, const uint64_t* key, const uint64_t* mask,
    const uint64_t* low, const uint64_t* high, int64_t priority,
) noexcept nogil:
    """The item with exactly this key, mask, ranges and priority, or -1."""
    cdef Tuple* t = find_tuple(m, mask)
    cdef uint32_t item
    cdef uint64_t h
    if t == NULL:
        return -1
    h = hash_masked(key, mask, m.scratch, m.words)
    item = <uint32_t>tuple_slot(t, m.scratch, h, m.words)[0]
    while item:
        if m.priority[item - 1] == priority and same_ranges(m, item - 1, low, high):
            return item - 1
        item = m.next[item - 1]
    return -1


cdef int64_t item_insert(
    Matcher* m, const uint64_t* key, const uint64_t* mask, const uint64_t* low,
    const uint64_t* high, int64_t priority, int64_t handle,
) noexcept nogil:
    """Add an item; its number, or -1 without memory."""
    cdef int64_t number = number_take(&m.items)
    cdef Tuple* t
    cdef uint64_t* slot
    cdef uint64_t h
    cdef uint32_t* link
    cdef uint32_t one
    if number < 0:
        return -1
    if grow_items(m, m.items.room):
        number_give(&m.items, <uint32_t>number)
        return -1
    t = find_tuple(m, mask)
    if t == NULL:
        t = new_tuple(m, mask, priority)
    if t == NULL or enlarge(t, m.words):
        if t != NULL and t.items == 0:
            drop_tuple(m, t)
        number_give(&m.items, <uint32_t>number)
        return -1
    h = hash_masked(key, mask, m.scratch, m.words)
    slot = tuple_slot(t, m.scratch, h, m.words)
    one = <uint32_t>number
    memcpy(m.keys + <size_t>one * m.words, m.scratch, m.words * 8)
    if m.range_words:
        memcpy(m.low + <size_t>one * m.range_words, low, m.range_words * 8)
        memcpy(m.high + <size_t>one * m.range_words, high, m.range_words * 8)
    m.priority[one] = priority
    m.owner[one] = t
    m.next[one] = 0
    if m.n_ranges:
        m.handle[one] = <uint32_t>handle
    if slot[0] == 0:
        slot[0] = head_of(h, one)
        memcpy(slot + 1, m.scratch, m.words * 8)
        filter_add(t, h)
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
    t.items += 1
    if priority > t.best:
        t.best = priority
    move_up(m, t)
    return number


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
    cdef uint64_t place = hole, home
    cdef uint64_t* other
    while True:
        place = (place + 1) & t.limit
        other = t.slots + place * <uint64_t>(words + 1)
        if other[0] == 0:
            break
        home = home_of(slot_hash(other, words)) & t.limit
        if ((place - home) & t.limit) >= ((place - hole) & t.limit):
            memcpy(t.slots + hole * <uint64_t>(words + 1), other, (words + 1) * 8)
            hole = place
    t.slots[hole * <uint64_t>(words + 1)] = 0


cdef void item_remove(Matcher* m, uint32_t item) noexcept nogil:
    cdef Tuple* t = m.owner[item]
    cdef uint64_t* slot
    cdef uint32_t* link
    cdef uint64_t h
    h = hash_masked(m.keys + <size_t>item * m.words, t.mask, m.scratch, m.words)
    slot = tuple_slot(t, m.scratch, h, m.words)
    if <uint32_t>slot[0] == item + 1:
        if m.next[item]:
            slot[0] = head_of(h, m.next[item] - 1)
        else:
            clear_slot(t, slot, m.words)
            t.keys -= 1
            t.stale += 1
            if t.stale > t.keys + FIRST_CAPACITY:
                refilter(t, m.words)
    else:
        link = &m.next[<uint32_t>slot[0] - 1]
        while link[0] != item + 1:
            link = &m.next[link[0] - 1]
        link[0] = m.next[item]
    number_give(&m.items, item)
    t.items -= 1
    if t.items == 0:
        drop_tuple(m, t)


# ---- ranges ----

cdef struct Prefixes:
    int count
    uint64_t value[MAX_PREFIXES]
    uint64_t mask[MAX_PREFIXES]

cdef struct Split:
    # The prefixes of an entry's ranges; every combination of them is an item.
    Prefixes part[MAX_RANGES]
    uint64_t items


cdef void split_range(Prefixes* out, uint64_t low, uint64_t high) noexcept nogil:
    """The fewest prefixes that make up a range."""
    cdef uint64_t size
    out.count = 0
    while True:
        size = low & (~low + 1)  # the largest block that starts here; 0 is 2^64
        while size == 0 or size - 1 > high - low:
            size = (<uint64_t>1) << 63 if size == 0 else size >> 1
            if low == 0 and high == <uint64_t>-1:
                size = 0
                break
        out.value[out.count] = low
        out.mask[out.count] = ~(size - 1)
        out.count += 1
        if size == 0 or high - low == size - 1:
            return
        low += size


cdef void common_prefix(Prefixes* out, uint64_t low, uint64_t high) noexcept nogil:
    cdef uint64_t differ = low ^ high
    differ |= differ >> 1
    differ |= differ >> 2
    differ |= differ >> 4
    differ |= differ >> 8
    differ |= differ >> 16
    differ |= differ >> 32
    out.count = 1
    out.mask[0] = ~differ
    out.value[0] = low & ~differ


cdef void split(Matcher* m, Split* out, const uint64_t* low, const uint64_t* high) noexcept nogil:
    """Split every range of up to 64 bits, but the coarsest ones where it gets too much."""
    cdef int i, worst
    for i in range(min(m.n_ranges, <int>MAX_RANGES)):
        if m.ranges[i].limbs == 1:
            split_range(&out.part[i], low[m.ranges[i].offset], high[m.ranges[i].offset])
        else:
            out.part[i].count = 1
            out.part[i].mask[0] = out.part[i].value[0] = 0
    while True:
        out.items = 1
        worst = 0
        for i in range(min(m.n_ranges, <int>MAX_RANGES)):
            out.items *= out.part[i].count
            if out.part[i].count > out.part[worst].count:
                worst = i
        if out.items <= MAX_SPLIT:
            return
        common_prefix(
            &out.part[worst], low[m.ranges[worst].offset], high[m.ranges[worst].offset]
        )


cdef void combine(
    Matcher* m, const Split* parts, uint64_t number, uint64_t* key, uint64_t* mask
) noexcept nogil:
    """Put the prefixes of one combination into a key and its mask."""
    cdef int i
    cdef uint64_t at
    for i in range(min(m.n_ranges, <int>MAX_RANGES)):
        at = number % parts.part[i].count
        number //= parts.part[i].count
        key[m.ranges[i].word] = parts.part[i].value[at]
        mask[m.ranges[i].word] = parts.part[i].mask[at]


cdef int64_t matcher_find(
    Matcher* m, uint64_t* key, uint64_t* mask,
    const uint64_t* low, const uint64_t* high, int64_t priority,
) noexcept nogil:
    """The entry with exactly this key, mask, ranges and priority, or -1.

    The words of ranges in key and mask are scratch space.
    """
    cdef Split parts
    cdef int64_t item
    if m.n_ranges == 0:
        return item_find(m, key, mask, low, high, priority)
    split(m, &parts, low, high)
    combine(m, &parts, 0, key, mask)
    item = item_find(m, key, mask, low, high, priority)
    return handle_of(m, <uint32_t>item) if item >= 0 else -1


cdef int64_t matcher_insert(
    Matcher* m, uint64_t* key, uint64_t* mask,
    const uint64_t* low, const uint64_t* high, int64_t priority,
) noexcept nogil:
    """Add an entry that is known to be new; its handle, or -1 without memory."""
    cdef Split parts
    cdef int64_t handle, item
    cdef uint64_t i
    if m.n_ranges == 0:
        item = item_insert(m, key, mask, low, high, priority, 0)
        m.count += item >= 0
        return item
    handle = number_take(&m.handles)
    if handle < 0:
        return -1
    if m.handles.room > m.first_room:
        if grow(<void**>&m.first, <size_t>m.handles.room * 4):
            number_give(&m.handles, <uint32_t>handle)
            return -1
        m.first_room = m.handles.room
    m.first[handle] = 0
    split(m, &parts, low, high)
    m.count += 1
    for i in range(parts.items):
        combine(m, &parts, i, key, mask)
        item = item_insert(m, key, mask, low, high, priority, handle)
        if item < 0:
            matcher_remove(m, <uint32_t>handle)
            return -1
        m.sibling[item] = m.first[handle]
        m.first[handle] = <uint32_t>item + 1
    return handle


cdef void matcher_remove(Matcher* m, uint32_t handle) noexcept nogil:
    """Remove an entry that is there."""
    cdef uint32_t item, following
    m.count -= 1
    if m.n_ranges == 0:
        item_remove(m, handle)
        return
    item = m.first[handle]
    while item:
        following = m.sibling[item - 1]
        item_remove(m, item - 1)
        item = following
    number_give(&m.handles, handle)
