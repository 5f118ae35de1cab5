"""The embedded switch: packets in and out, the program it runs, what is to be seen of it."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from qplane_cext.switch.base cimport pthread_mutex_t
from qplane_cext.switch.passes cimport core_process, core_release
from qplane_cext.switch.program cimport Compiled
from qplane_cext.switch.queues cimport (
    QUEUE_PORTS, queue_resume, queue_stop, queues_clear, queues_new,
)
from qplane_cext.switch.state cimport (
    TARGET_ACTION, Core, EntryData, Event, ProfileState, TableState, Target, core_open,
    core_retarget, emit_fn, reserve,
)
from qplane_cext.switch.tuplespace cimport matcher_init, matcher_ready, matcher_set_range

from .errors import PipelineError, SwitchError
from .info import (
    ActionInfo, ArrayInfo, DigestInfo, KeyInfo, MatchKind, ProfileInfo, TableInfo,
)
from .pipeline import Pipeline
from .reconcile import plan
from .tracing import TraceEvent, format_message, readable

cdef extern from "pthread.h" nogil:
    int pthread_mutex_lock(pthread_mutex_t*)
    int pthread_mutex_unlock(pthread_mutex_t*)


# ---- collecting what comes out ----

cdef struct Packet:
    uint32_t port
    uint32_t length
    int64_t at
    int64_t source  # number of the packet that caused it

cdef struct Collector:
    uint8_t* data
    size_t used
    size_t room
    uint8_t* packets  # of Packet
    size_t count
    size_t packets_room
    int64_t source
    int failed


cdef void collect(
    void* ctx, uint32_t port, const uint8_t* data, uint32_t length
) noexcept nogil:
    cdef Collector* all = <Collector*>ctx
    cdef Packet* packet
    if reserve(&all.data, &all.room, all.used + length + 1) or reserve(
        &all.packets, &all.packets_room, (all.count + 1) * sizeof(Packet)
    ):
        all.failed = 1
        return
    packet = <Packet*>all.packets + all.count
    packet.port, packet.length = port, length
    packet.at, packet.source = all.used, all.source
    memcpy(all.data + all.used, data, length)
    all.used += length
    all.count += 1


cdef object taken(Collector* all):
    """What was collected, as (port, bytes) in order; frees it."""
    cdef Packet* packet
    cdef size_t i
    out = []
    for i in range(all.count):
        packet = <Packet*>all.packets + i
        out.append((packet.port, <bytes>(<char*>all.data)[packet.at:packet.at + packet.length]))
    free(all.data)
    free(all.packets)
    if all.failed:
        raise MemoryError("no memory for the packets that came out")
    return out


cdef class SwitchCore(GroupControl):
    """One v1model switch: tables, registers and so on for one device id (see core.pyi)."""

    # ---- the program ----

    def commit(self, pipeline, *, bint keep_state=False, initial=()):
        """Swap the program in atomically; state starts empty with the const entries in."""
        cdef SwitchCore fresh
        with self._control:
            fresh = SwitchCore(
                cpu_port=self.core.cpu_port, drop_port=self.core.drop_port,
                priority_queues=self.core.priorities,
            )
            fresh._initial = set(initial)
            fresh._load(pipeline, self._on_trace is not None)
            keep = None
            if keep_state and self._pipeline is not None:
                keep = plan(self._program, fresh._program, self._initial, fresh._initial)
            with nogil:
                pthread_mutex_lock(&self.mutex)
            try:
                if keep is not None:
                    carry_over(self, fresh, keep)
                swap_program(&self.core, &fresh.core)
                if self.core.queues != NULL:  # what waits there is the old program's
                    queues_clear(self.core.queues)
            finally:
                pthread_mutex_unlock(&self.mutex)
            self._adopt(fresh)

    def reset(self):
        """As it was made: no program, no state."""
        cdef SwitchCore fresh
        with self._control:
            fresh = SwitchCore(
                cpu_port=self.core.cpu_port, drop_port=self.core.drop_port,
                priority_queues=self.core.priorities,
            )
            with nogil:
                pthread_mutex_lock(&self.mutex)
            swap_program(&self.core, &fresh.core)
            pthread_mutex_unlock(&self.mutex)
            self._adopt(fresh)

    def _adopt(self, SwitchCore fresh):
        """What Python knows of the program that was swapped in; `fresh` frees the old one."""
        self._pipeline = fresh._pipeline
        self._initial = fresh._initial
        fresh._compiled, self._compiled = self._compiled, fresh._compiled
        self._program = fresh._program
        self._table_index, self._defaults = fresh._table_index, fresh._defaults
        self._profile_index = fresh._profile_index
        self._members, self._member_uses = fresh._members, fresh._member_uses
        self._groups, self._group_uses = fresh._groups, fresh._group_uses
        self._value_set_members = fresh._value_set_members

    def _load(self, pipeline, bint traced):
        """Fill an empty core."""
        cdef Compiled compiled = pipeline.compiled(traced)
        cdef int i, j, word, n_ranges
        cdef TableState* state
        if core_open(&self.core, &compiled.prog):
            raise MemoryError(f"no memory for the state of {pipeline.program}")
        self._compiled, self._pipeline = compiled, pipeline
        self._program = source = compiled.source
        for i, table in enumerate(source.tables):
            self._table_index[table.name] = i
            self._defaults.append(None)
            state = &self.core.tables[i]
            ranges = [key for key in table.keys if key.kind == "range"]
            n_ranges = len(ranges)
            if matcher_init(&state.matcher, table.words, n_ranges):
                raise MemoryError(f"no memory for table {table.name}")
            for j in range(n_ranges):
                matcher_set_range(
                    &state.matcher, j, ranges[j].parts[0][1], len(ranges[j].parts)
                )
            if matcher_ready(&state.matcher):
                raise MemoryError(f"no memory for table {table.name}")
        for i, profile in enumerate(source.profiles):
            self._profile_index[profile.name] = i
            self._members.append({})
            self._member_uses.append({})
            self._groups.append({})
            self._group_uses.append({})
        for i in range(len(source.value_sets)):
            if matcher_ready(&self.core.value_sets[i]):
                raise MemoryError("no memory for a value set")
            self._value_set_members[source.value_sets[i].name] = ()
        for i, table in enumerate(source.tables):
            self._reset_default(i)
            for entry in table.entries:
                target = ("action", source.actions[entry.action].id, tuple(entry.params))
                try:
                    self.insert(
                        i, entry.key, entry.priority, target, table.name not in self._initial
                    )
                except SwitchError as error:
                    raise PipelineError(f"entry of table {table.name!r}: {error}") from None

    # ---- packets ----

    cdef int c_process(
        self, uint32_t port, const uint8_t* data, uint32_t length, int64_t now_us,
        emit_fn emit, void* ctx,
    ) noexcept nogil:
        cdef int result
        cdef bint waiting
        pthread_mutex_lock(&self.mutex)
        result = core_process(&self.core, port, data, length, now_us, emit, ctx)
        waiting = self.core.digests_used or self.core.log_used or self.core.n_events
        pthread_mutex_unlock(&self.mutex)
        if waiting:
            with gil:
                self.deliver()
        return result

    cdef void deliver(self) noexcept:
        """Hand waiting digests and log messages to whoever asked for them."""
        cdef size_t used, at = 0
        cdef uint8_t* data
        cdef int32_t[2] head
        with nogil:
            pthread_mutex_lock(&self.mutex)
            data, used = self.core.digests, self.core.digests_used
            self.core.digests, self.core.digests_used, self.core.digests_room = NULL, 0, 0
            pthread_mutex_unlock(&self.mutex)
        callback = self._on_digest
        while at < used:
            memcpy(head, data + at, 8)
            if callback is not None:
                callback(head[0], <bytes>(<char*>data)[at + 8:at + 8 + head[1]])
            at += 8 + head[1]
        free(data)
        if self.core.log_used:
            self._deliver_log()
        if self.core.n_events:
            self._deliver_trace()

    def _deliver_trace(self):
        cdef uint32_t i, count
        cdef Event* events
        with nogil:
            pthread_mutex_lock(&self.mutex)
            events, count = self.core.events, self.core.n_events
            self.core.events, self.core.n_events, self.core.events_room = NULL, 0, 0
            pthread_mutex_unlock(&self.mutex)
        raw = [(events[i].kind, events[i].id, events[i].value) for i in range(count)]
        free(events)
        if self._on_trace is not None:
            self._on_trace(readable(self._program, raw))

    def _deliver_log(self):
        cdef uint8_t* data
        cdef size_t used, at = 0
        with nogil:
            pthread_mutex_lock(&self.mutex)
            data, used = self.core.log, self.core.log_used
            self.core.log, self.core.log_used, self.core.log_room = NULL, 0, 0
            pthread_mutex_unlock(&self.mutex)
        raw = <bytes>(<char*>data)[:used]
        free(data)
        while at < used:
            message = self._program.messages[int.from_bytes(raw[at:at + 8], "little")]
            at += 8
            values = []
            for _, words, signed in message.args:
                values.append(int.from_bytes(raw[at:at + 8 * words], "little", signed=signed))
                at += 8 * words
            if self._on_log is not None:
                self._on_log(format_message(message.text, values))

    cdef int c_release(self, int64_t now_us, emit_fn emit, void* ctx) noexcept nogil:
        cdef int result
        cdef bint waiting
        pthread_mutex_lock(&self.mutex)
        result = core_release(&self.core, now_us, emit, ctx)
        waiting = self.core.digests_used or self.core.log_used or self.core.n_events
        pthread_mutex_unlock(&self.mutex)
        if waiting:
            with gil:
                self.deliver()
        return result

    cdef int c_stop(self, uint32_t port) noexcept nogil:
        if port >= QUEUE_PORTS:
            return -1
        pthread_mutex_lock(&self.mutex)
        if self.core.queues == NULL:
            self.core.queues = queues_new(self.core.priorities)
        if self.core.queues != NULL:
            queue_stop(self.core.queues, port)
        pthread_mutex_unlock(&self.mutex)
        return 0 if self.core.queues != NULL else -1

    cdef int c_resume(
        self, uint32_t port, uint32_t count, int64_t now_us, emit_fn emit, void* ctx
    ) noexcept nogil:
        cdef int left = 0
        if port >= QUEUE_PORTS:
            return 0
        pthread_mutex_lock(&self.mutex)
        if self.core.queues != NULL:
            left = queue_resume(self.core.queues, port, count, now_us)
        pthread_mutex_unlock(&self.mutex)
        self.c_release(now_us, emit, ctx)
        return left

    def stop(self, uint32_t port):
        """Let the packets of a port that can't send wait (see core.pyi)."""
        if port >= QUEUE_PORTS:
            raise SwitchError("OUT_OF_RANGE", f"port {port} is not below {QUEUE_PORTS}")
        if self.c_stop(port) < 0:
            raise MemoryError("no memory for queues")

    def resume(self, uint32_t port, uint32_t count, now_us=None):
        """Let packets go that wait for a port (see core.pyi)."""
        cdef Collector all
        cdef int left
        cdef int64_t now = self.clock(now_us)
        memset(&all, 0, sizeof(all))
        with nogil:
            left = self.c_resume(port, count, now, collect, &all)
        return taken(&all), bool(left)

    def process(self, uint32_t port, data, now_us=None):
        """Run one packet through; the packets that come out, as (port, bytes) in order."""
        cdef Collector all
        cdef const uint8_t[::1] view = data if len(data) else b"\0"
        cdef uint32_t length = len(data)
        cdef int64_t now = self.clock(now_us)
        memset(&all, 0, sizeof(all))
        with nogil:
            self.c_process(port, &view[0], length, now, collect, &all)
        return taken(&all)

    def process_many(self, list packets not None, now_us=None):
        """Run (port, bytes) packets through, in order; what comes out of all of them."""
        cdef Collector all
        cdef Py_ssize_t count = len(packets), i
        cdef int64_t now = self.clock(now_us)
        cdef const uint8_t** data = <const uint8_t**>malloc((count + 1) * sizeof(void*))
        cdef uint32_t* heads = <uint32_t*>malloc((2 * count + 1) * sizeof(uint32_t))
        memset(&all, 0, sizeof(all))
        try:
            if data == NULL or heads == NULL:
                raise MemoryError("no memory for the packets")
            for i in range(count):
                port, packet = packets[i]
                heads[2 * i], heads[2 * i + 1] = port, <uint32_t>len(<bytes?>packet)
                data[i] = <const uint8_t*><char*><bytes>packet
            with nogil:
                for i in range(count):
                    self.c_process(
                        heads[2 * i], data[i], heads[2 * i + 1], now, collect, &all
                    )
        finally:
            free(data)
            free(heads)
        return taken(&all)

    def release(self, now_us=None):
        """Let what is due leave the egress queues; what comes out, as (port, bytes) in order."""
        cdef Collector all
        cdef int64_t now = self.clock(now_us)
        memset(&all, 0, sizeof(all))
        with nogil:
            self.c_release(now, collect, &all)
        return taken(&all)

    def process_batch(
        self, const uint32_t[::1] ports, const int64_t[::1] offsets,
        const uint32_t[::1] lengths, const uint8_t[::1] data, now_us=None,
    ):
        """Run many packets of one buffer through; (ports, offsets, lengths, sources, data)."""
        import numpy

        cdef Collector all
        cdef Py_ssize_t count = ports.shape[0], i
        cdef int64_t now = self.clock(now_us)
        cdef const Packet* packets
        cdef uint32_t[::1] out_ports, out_lengths
        cdef int64_t[::1] out_offsets, out_sources
        cdef uint8_t[::1] out_data
        if offsets.shape[0] != count or lengths.shape[0] != count:
            raise ValueError("ports, offsets and lengths differ in length")
        for i in range(count):
            if lengths[i] > data.shape[0] or not 0 <= offsets[i] <= data.shape[0] - lengths[i]:
                raise ValueError(f"packet {i} is not within the data")
        memset(&all, 0, sizeof(all))
        with nogil:
            for i in range(count):
                all.source = i
                self.c_process(
                    ports[i], &data[0] + offsets[i], lengths[i], now, collect, &all
                )
        if all.failed:
            free(all.data)
            free(all.packets)
            raise MemoryError("no memory for the packets that came out")
        packets = <const Packet*>all.packets
        count = all.count
        result = (
            numpy.empty(count, numpy.uint32), numpy.empty(count, numpy.int64),
            numpy.empty(count, numpy.uint32), numpy.empty(count, numpy.int64),
            numpy.empty(all.used, numpy.uint8),
        )
        out_ports, out_offsets, out_lengths, out_sources, out_data = result
        for i in range(count):
            out_ports[i], out_lengths[i] = packets[i].port, packets[i].length
            out_offsets[i], out_sources[i] = packets[i].at, packets[i].source
        if all.used:
            memcpy(&out_data[0], all.data, all.used)
        free(all.data)
        free(all.packets)
        return result

    def on_digest(self, callback):
        """Called (digest_id, packed field bytes, each field byte aligned) for each digest."""
        self._on_digest = callback

    def on_trace(self, callback):
        """Called with the TraceEvents of each call; None turns tracing off."""
        cdef Compiled compiled
        cdef int failed = 0
        with self._control:
            self._on_trace = callback
            self.core.tracing = callback is not None
            if self._pipeline is None:
                return
            compiled = self._pipeline.compiled(callback is not None)
            if compiled is self._compiled:
                return
            with nogil:
                pthread_mutex_lock(&self.mutex)
                failed = core_retarget(&self.core, &compiled.prog)
                pthread_mutex_unlock(&self.mutex)
            if failed:
                raise MemoryError("no memory for the program with tracing")
            self._compiled, self._program = compiled, compiled.source

    def on_log(self, callback):
        """Called with the text of each log_msg; None turns them off."""
        self._on_log = callback
        self.core.logging = callback is not None


cdef void swap_program(Core* a, Core* b) noexcept nogil:
    """Exchange what belongs to the program (and nothing that belongs to the core)."""
    cdef Core t = a[0]
    a.prog, b.prog = b.prog, t.prog
    a.F, b.F = b.F, t.F
    a.tables, b.tables = b.tables, t.tables
    a.profiles, b.profiles = b.profiles, t.profiles
    a.registers, b.registers = b.registers, t.registers
    a.counters, b.counters = b.counters, t.counters
    a.meters, b.meters = b.meters, t.meters
    a.value_sets, b.value_sets = b.value_sets, t.value_sets
    a.round_robin, b.round_robin = b.round_robin, t.round_robin
    a.key, b.key = b.key, t.key


cdef object carry_over(SwitchCore old, SwitchCore fresh, keep):
    """Move what a reconcile keeps from the running core into the fresh one. Lock held."""
    cdef int i, j
    cdef uint32_t k
    cdef TableState table
    cdef ProfileState profile
    cdef EntryData* entry
    cdef Target* target
    actions = keep.actions
    for i, j in keep.tables:
        table = old.core.tables[i]
        old.core.tables[i] = fresh.core.tables[j]
        fresh.core.tables[j] = table
        for k in range(table.room):
            entry = &table.data[k]
            if entry.target.kind == TARGET_ACTION:
                entry.target.index = actions[entry.target.index]
        if table.miss.target.kind == TARGET_ACTION:
            fresh.core.tables[j].miss.target.index = actions[table.miss.target.index]
        fresh._defaults[j] = keep.target(old._defaults[i])
    for i, j in keep.profiles:
        profile = old.core.profiles[i]
        old.core.profiles[i] = fresh.core.profiles[j]
        fresh.core.profiles[j] = profile
        for k in range(profile.members_room):
            target = &profile.members[k].target
            if profile.members[k].used:
                target.index = actions[target.index]
        fresh._members[j] = {
            handle: (keep.ids[number_], params)
            for handle, (number_, params) in old._members[i].items()
        }
        fresh._groups[j], fresh._member_uses[j] = old._groups[i], old._member_uses[i]
        fresh._group_uses[j] = old._group_uses[i]
    for i, j in keep.registers:
        old.core.registers[i], fresh.core.registers[j] = \
            fresh.core.registers[j], old.core.registers[i]
    for i, j in keep.counters:
        old.core.counters[i], fresh.core.counters[j] = \
            fresh.core.counters[j], old.core.counters[i]
    for i, j in keep.meters:
        old.core.meters[i], fresh.core.meters[j] = fresh.core.meters[j], old.core.meters[i]
    for i, j in keep.value_sets:
        old.core.value_sets[i], fresh.core.value_sets[j] = \
            fresh.core.value_sets[j], old.core.value_sets[i]
        name = fresh._program.value_sets[j].name
        fresh._value_set_members[name] = old._value_set_members[name]
