"""A hash map from 64-bit keys to 32-bit indices; see keymap.pxd."""

from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset


cdef void keymap_init(KeyMap* table) noexcept nogil:
    memset(table, 0, sizeof(KeyMap))


cdef void keymap_free(KeyMap* table) noexcept nogil:
    free(table.keys)
    free(table.values)
    memset(table, 0, sizeof(KeyMap))


cdef bint grow(KeyMap* table) noexcept nogil:
    cdef KeyMap wider
    cdef size_t i
    wider.capacity = table.capacity * 2 if table.capacity else 64
    wider.count = 0
    wider.keys = <uint64_t*>calloc(wider.capacity, sizeof(uint64_t))
    wider.values = <int32_t*>malloc(wider.capacity * sizeof(int32_t))
    if wider.keys == NULL or wider.values == NULL:
        keymap_free(&wider)
        return False
    memset(wider.values, 0xFF, wider.capacity * sizeof(int32_t))
    for i in range(table.capacity):
        if table.values[i] >= 0:
            keymap_set(&wider, table.keys[i], table.values[i])
    keymap_free(table)
    table[0] = wider
    return True


cdef bint keymap_set(KeyMap* table, uint64_t key, int32_t value) noexcept nogil:
    cdef size_t at
    if 2 * (table.count + 1) > table.capacity and not grow(table):
        return False
    at = mix64(key) & (table.capacity - 1)
    while table.values[at] >= 0 and table.keys[at] != key:
        at = (at + 1) & (table.capacity - 1)
    if table.values[at] < 0:
        table.count += 1
    table.keys[at] = key
    table.values[at] = value
    return True


cdef int32_t keymap_get(const KeyMap* table, uint64_t key) noexcept nogil:
    cdef size_t at
    if table.count == 0:
        return -1
    at = mix64(key) & (table.capacity - 1)
    while table.values[at] >= 0:
        if table.keys[at] == key:
            return table.values[at]
        at = (at + 1) & (table.capacity - 1)
    return -1


cdef void keymap_remove(KeyMap* table, uint64_t key) noexcept nogil:
    cdef size_t at, hole, home, mask
    if table.count == 0:
        return
    mask = table.capacity - 1
    at = mix64(key) & mask
    while table.values[at] >= 0 and table.keys[at] != key:
        at = (at + 1) & mask
    if table.values[at] < 0:
        return
    table.count -= 1
    hole = at
    while True:
        at = (at + 1) & mask
        if table.values[at] < 0:
            break
        home = mix64(table.keys[at]) & mask
        # An entry may move back to the hole only if its home is not between hole and itself.
        if ((at - home) & mask) >= ((at - hole) & mask):
            table.keys[hole] = table.keys[at]
            table.values[hole] = table.values[at]
            hole = at
    table.values[hole] = -1


cdef class KeyMapProbe:
    """The map, for tests: set, get, remove, len."""

    cdef KeyMap table

    def __cinit__(self):
        keymap_init(&self.table)

    def __dealloc__(self):
        keymap_free(&self.table)

    def __len__(self):
        return self.table.count

    def set(self, uint64_t key, int32_t value):
        if not keymap_set(&self.table, key, value):
            raise MemoryError

    def get(self, uint64_t key):
        return keymap_get(&self.table, key)

    def remove(self, uint64_t key):
        keymap_remove(&self.table, key)
