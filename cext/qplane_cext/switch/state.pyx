"""The run-time state of one switch: what is allocated, and how it is given back (see the .pxd)."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset
from posix.mman cimport (
    MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_READ, PROT_WRITE, mmap, munmap
)

from qplane_cext.switch.program cimport Array, Prog
from qplane_cext.switch.tuplespace cimport matcher_free, matcher_init, matcher_ready

cdef enum:
    ARENA_BLOCK = 65536
    MAPPED_BYTES = 65536
    MAX_EVENTS = 1 << 20


cdef uint64_t* zeroed_cells(size_t count) noexcept nogil:
    """Zeros whose untouched pages cost nothing. A word ahead of them keeps their mapped size.

    calloc promises that for a fresh heap alone: memory that was used before it clears by writing.
    """
    cdef size_t size = (count + 1) * 8
    cdef void* cells
    if size < MAPPED_BYTES:
        cells = calloc(count + 1, 8)
        return NULL if cells == NULL else <uint64_t*>cells + 1
    cells = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if cells == MAP_FAILED:
        return NULL
    (<uint64_t*>cells)[0] = size
    return <uint64_t*>cells + 1


cdef void free_cells(uint64_t* cells) noexcept nogil:
    cdef size_t size
    if cells == NULL:
        return
    size = cells[-1]
    if size:
        munmap(cells - 1, size)
    else:
        free(cells - 1)


cdef int core_open(Core* core, Prog* prog) noexcept nogil:
    """Allocate what a program needs."""
    cdef int i, widest = 1
    core.prog = prog
    core.F = <uint64_t*>calloc(prog.words + 8, 8)
    core.tables = <TableState*>calloc(prog.n_tables + 1, sizeof(TableState))
    core.profiles = <ProfileState*>calloc(prog.n_profiles + 1, sizeof(ProfileState))
    core.registers = <uint64_t**>calloc(prog.n_registers + 1, sizeof(void*))
    core.counters = <CounterCell**>calloc(prog.n_counters + 1, sizeof(void*))
    core.meters = <Meter**>calloc(prog.n_meters + 1, sizeof(void*))
    core.value_sets = <Matcher*>calloc(prog.n_value_sets + 1, sizeof(Matcher))
    core.round_robin = <uint64_t*>calloc(prog.n_calculations + 1, 8)
    if (
        core.F == NULL or core.tables == NULL or core.profiles == NULL or core.registers == NULL
        or core.counters == NULL or core.meters == NULL or core.value_sets == NULL
        or core.round_robin == NULL
    ):
        return -1
    for i in range(prog.n_tables):
        widest = max(widest, prog.tables[i].words)
        core.tables[i].miss.target.kind = TARGET_NONE
    core.key = <uint64_t*>calloc(widest, 8)
    if core.key == NULL:
        return -1
    for i in range(prog.n_registers):
        core.registers[i] = zeroed_cells(prog.registers[i].size * prog.registers[i].words + 1)
        if core.registers[i] == NULL:
            return -1
    for i in range(prog.n_counters):
        if not prog.counters[i].direct:
            core.counters[i] = <CounterCell*>calloc(
                prog.counters[i].size + 1, sizeof(CounterCell)
            )
            if core.counters[i] == NULL:
                return -1
    for i in range(prog.n_meters):
        if not prog.meters[i].direct:
            core.meters[i] = <Meter*>calloc(prog.meters[i].size + 1, sizeof(Meter))
            if core.meters[i] == NULL:
                return -1
    for i in range(prog.n_value_sets):
        if matcher_init(&core.value_sets[i], max(prog.value_set_words[i], 1), 0):
            return -1
    fill_constants(core)
    return 0


cdef void fill_constants(Core* core) noexcept nogil:
    cdef Prog* prog = core.prog
    memcpy(
        core.F + prog.param_slot, prog.image, (prog.words - prog.param_slot) * sizeof(uint64_t)
    )
    core.F[prog.drop_port_slot] = core.drop_port
    core.F[prog.after_drop_port_slot] = core.drop_port + 1


cdef int core_retarget(Core* core, Prog* prog) noexcept nogil:
    """Go on with another compilation of the same JSON (with or without tracing)."""
    cdef uint64_t* F = <uint64_t*>calloc(prog.words + 8, 8)
    if F == NULL:
        return -1
    free(core.F)
    core.F = F
    core.prog = prog
    fill_constants(core)
    return 0


cdef void entry_clear(EntryData* entry) noexcept nogil:
    """Give back what an entry owns; it is empty afterwards."""
    free(entry.target.params)
    free(entry.meter)
    memset(entry, 0, sizeof(EntryData))
    entry.target.kind = TARGET_NONE


cdef void core_close(Core* core) noexcept nogil:
    """Give back what belongs to the program; groups, sessions and buffers stay."""
    cdef int i
    cdef uint32_t j
    cdef Prog* prog = core.prog
    if prog == NULL:
        return
    for i in range(prog.n_tables if core.tables != NULL else 0):
        for j in range(core.tables[i].room):
            entry_clear(&core.tables[i].data[j])
        entry_clear(&core.tables[i].miss)
        free(core.tables[i].data)
        matcher_free(&core.tables[i].matcher)
    for i in range(prog.n_profiles if core.profiles != NULL else 0):
        for j in range(core.profiles[i].members_room):
            free(core.profiles[i].members[j].target.params)
        for j in range(core.profiles[i].groups_room):
            free(core.profiles[i].groups[j].members)
            free(core.profiles[i].groups[j].until)
        free(core.profiles[i].members)
        free(core.profiles[i].groups)
    for i in range(prog.n_registers if core.registers != NULL else 0):
        free_cells(core.registers[i])
    for i in range(prog.n_counters if core.counters != NULL else 0):
        free(core.counters[i])
    for i in range(prog.n_meters if core.meters != NULL else 0):
        free(core.meters[i])
    for i in range(prog.n_value_sets if core.value_sets != NULL else 0):
        matcher_free(&core.value_sets[i])
    free(core.F)
    free(core.tables)
    free(core.profiles)
    free(core.registers)
    free(core.counters)
    free(core.meters)
    free(core.value_sets)
    free(core.round_robin)
    free(core.key)
    core.prog = NULL
    core.F = NULL
    core.tables = NULL
    core.profiles = NULL
    core.registers = NULL
    core.counters = NULL
    core.meters = NULL
    core.value_sets = NULL
    core.round_robin = NULL
    core.key = NULL


cdef int table_room(TableState* table, uint32_t entry) noexcept nogil:
    """Make data[entry] exist."""
    cdef uint32_t room = table.room if table.room else 16, i
    cdef EntryData* moved
    if entry < table.room:
        return 0
    while room <= entry:
        room *= 2
    moved = <EntryData*>realloc(table.data, room * sizeof(EntryData))
    if moved == NULL:
        return -1
    memset(moved + table.room, 0, (room - table.room) * sizeof(EntryData))
    for i in range(table.room, room):
        moved[i].target.kind = TARGET_NONE
    table.data = moved
    table.room = room
    return 0


cdef void* arena_take(Core* core, size_t size) noexcept nogil:
    """Memory that lasts until the packet at work is done; NULL without memory."""
    cdef Block* block = core.arena
    cdef size_t room
    size = (size + 15) & ~<size_t>15
    if block == NULL or block.size - block.used < size:
        room = max(size, <size_t>ARENA_BLOCK)
        block = <Block*>malloc(sizeof(Block) + 16 + room)
        if block == NULL:
            core.stats[OUT_OF_MEMORY] += 1
            return NULL
        block.next = core.arena
        block.size = room
        block.used = 0
        core.arena = block
    block.used += size
    return <char*>(block + 1) + block.used - size


cdef void arena_reset(Core* core) noexcept nogil:
    """Keep one block of the usual size, give back the others."""
    cdef Block* block = core.arena
    cdef Block* next
    core.arena = NULL
    while block != NULL:
        next = block.next
        if core.arena == NULL and block.size == ARENA_BLOCK:
            block.used = 0
            block.next = NULL
            core.arena = block
        else:
            free(block)
        block = next


cdef int reserve(uint8_t** place, size_t* room, size_t wanted) noexcept nogil:
    """Grow a buffer to at least that many bytes."""
    cdef size_t size = room[0] if room[0] else 2048
    cdef uint8_t* moved
    if wanted <= room[0]:
        return 0
    while size < wanted:
        size *= 2
    moved = <uint8_t*>realloc(place[0], size)
    if moved == NULL:
        return -1
    place[0] = moved
    room[0] = size
    return 0


cdef void trace_event(Core* core, int kind, int number, int64_t value) noexcept nogil:
    cdef uint32_t room
    cdef Event* moved
    if core.n_events == core.events_room:
        if core.events_room >= MAX_EVENTS:
            return
        room = core.events_room * 2 if core.events_room else 256
        moved = <Event*>realloc(core.events, room * sizeof(Event))
        if moved == NULL:
            return
        core.events = moved
        core.events_room = room
    core.events[core.n_events].kind = kind
    core.events[core.n_events].id = number
    core.events[core.n_events].value = value
    core.n_events += 1
