"""The embedded switch: a compiled pipeline and its run-time state, for Python and for Cython."""

import contextlib
import threading
import time

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from qplane_cext.switch.interp cimport core_process
from qplane_cext.switch.program cimport Compiled
from qplane_cext.switch.state cimport (
    N_STATS, TARGET_ACTION, TARGET_GROUP, TARGET_MEMBER, TARGET_NONE,
    Core, CounterCell, EntryData, Event, Member, MemberGroup, Meter, ProfileState, Replica, ReplicaSet,
    TableState, Target, core_close, core_open, core_retarget, emit_fn, entry_clear, reserve, table_room,
)
from qplane_cext.switch.tuplespace cimport (
    matcher_find, matcher_free, matcher_init, matcher_insert, matcher_ready, matcher_remove,
    matcher_set_range,
)

from .compiler.program import compile_json
from .errors import PipelineError, SwitchError
from .info import (
    ActionInfo, ArrayInfo, DigestInfo, KeyInfo, MatchKind, ProfileInfo, TableInfo,
)
from .reconcile import plan
from .tracing import TraceEvent, format_message, readable

cdef extern from "pthread.h" nogil:
    ctypedef struct pthread_mutexattr_t:
        pass
    int PTHREAD_MUTEX_RECURSIVE
    int pthread_mutexattr_init(pthread_mutexattr_t*)
    int pthread_mutexattr_settype(pthread_mutexattr_t*, int)
    int pthread_mutexattr_destroy(pthread_mutexattr_t*)
    int pthread_mutex_init(pthread_mutex_t*, pthread_mutexattr_t*)
    int pthread_mutex_destroy(pthread_mutex_t*)
    int pthread_mutex_lock(pthread_mutex_t*)
    int pthread_mutex_unlock(pthread_mutex_t*)

cdef enum:
    MAX_KEY_WORDS = 1024  # value, mask, low and high of a table's key

cdef enum:
    SESSIONS = 32768
    GROUPS = 65536

STAT_NAMES = (
    "processed", "emitted", "dropped_ingress", "dropped_egress", "dropped_priority",
    "parser_errors", "checksum_errors", "parser_loops", "action_loops", "passes_cut",
    "register_index_out_of_range", "counter_index_out_of_range", "meter_index_out_of_range",
    "stack_index_out_of_range", "divisions_by_zero", "assert_failed", "unknown_clone_session",
    "unknown_multicast_group", "empty_group", "cloned", "resubmitted", "recirculated",
    "replicated", "digests", "digests_lost", "too_long", "out_of_memory", "no_pipeline",
)


class Pipeline:
    """A compiled program. Raises PipelineError when it can't run exactly as written."""

    def __init__(self, json):
        self._json = bytes(json)
        self._compiled = Compiled(compile_json(self._json))
        self._traced = None
        source = self._compiled.source
        self.program = source.name
        self.tables = {one.name: _table_info(source, one) for one in source.tables}
        self.actions = {}
        for one in source.actions:
            self.actions.setdefault(one.name, []).append(
                ActionInfo(one.name, one.id, tuple(one.bits))
            )
        self.registers = _arrays(source.registers)
        self.counters = _arrays(source.counters)
        self.meters = _arrays(source.meters)
        self.profiles = {
            one.name: ProfileInfo(
                one.name, one.max_size, one.calculation >= 0, tuple(one.actions)
            )
            for one in source.profiles
        }
        self.digests = {
            one.name: DigestInfo(one.name, one.id, tuple(bits for _, bits, _ in one.fields))
            for one in source.digests
        }
        self.value_sets = {one.name: tuple(one.fields) for one in source.value_sets}

    def compiled(self, traced):
        """The program in C structures; the one with tracing is compiled when first asked for."""
        if not traced:
            return self._compiled
        if self._traced is None:
            self._traced = Compiled(compile_json(self._json, traced=True))
        return self._traced


def _table_info(source, table):
    return TableInfo(
        name=table.name,
        keys=tuple(KeyInfo(key.name, key.kind, key.bits) for key in table.keys),
        max_size=table.max_size,
        actions=tuple(table.actions),
        implementation=table.type,
        profile=source.profiles[table.profile].name if table.profile >= 0 else None,
        has_counter=table.has_counter,
        meter=source.meters[table.meter].name if table.meter >= 0 else None,
        support_timeout=table.timeout,
        const_default=table.const_default,
        has_const_entries=table.const_entries,
        action_ids={source.actions[i].name: source.actions[i].id for i in table.action_indices},
    )


def _arrays(arrays):
    return {
        one.name: ArrayInfo(one.name, one.size, one.bits, one.unit, one.table) for one in arrays
    }


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
    if reserve(&all.data, &all.room, all.used + length) or reserve(
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


cdef int put_words(uint64_t* out, value, int words) except -1:
    """A non-negative integer as limbs."""
    cdef int i
    if words == 1:
        out[0] = value
        return 0
    for i in range(words):
        out[i] = (value >> (64 * i)) & 0xFFFFFFFFFFFFFFFF
    return 0


cdef inline bint small_number(data, int bits, uint64_t* out):
    """Load a value of at most 64 bits; False: it is not one (number() says why)."""
    cdef const uint8_t* at
    cdef Py_ssize_t i, size
    cdef uint64_t value = 0
    if bits > 64 or not isinstance(data, bytes):
        return False
    size = len(<bytes>data)
    if size != (bits + 7) >> 3:
        return False
    at = <const uint8_t*>(<char*><bytes>data)
    for i in range(size):
        value = value << 8 | at[i]
    if bits < 64 and value >> bits:
        return False
    out[0] = value
    return True


cdef object number(data, bits, what):
    """The integer of a byte string of exactly the width's bytes."""
    if not isinstance(data, bytes):
        raise SwitchError("INVALID_ARGUMENT", f"{what}: expected bytes, not {data!r}")
    value = int.from_bytes(data, "big")
    if len(data) != (bits + 7) // 8 or value >> bits:
        raise SwitchError(
            "OUT_OF_RANGE", f"{what}: {data.hex() or 'nothing'} is not a value of {bits} bits"
        )
    return value


cdef class SwitchCore:
    """One v1model switch: tables, registers and so on for one device id (see core.pyi)."""

    def __cinit__(self):
        cdef pthread_mutexattr_t kind
        memset(&self.core, 0, sizeof(Core))
        pthread_mutexattr_init(&kind)
        pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE)  # for hold()
        pthread_mutex_init(&self.mutex, &kind)
        pthread_mutexattr_destroy(&kind)

    def __init__(
        self, *, int64_t cpu_port=510, int64_t drop_port=511, uint64_t seed=0,
        uint32_t priority_queues=1,
    ):
        self.core.cpu_port = cpu_port
        self.core.drop_port = drop_port
        self.core.random = seed
        self.core.priorities = priority_queues
        self._control = threading.RLock()
        self._started = time.monotonic()
        self._pipeline = None
        self._initial = set()
        self._forget()

    def __dealloc__(self):
        cdef int i
        core_close(&self.core)
        if self.core.groups != NULL:
            for i in range(GROUPS):
                free(self.core.groups[i].replicas)
            free(self.core.groups)
        if self.core.sessions != NULL:
            for i in range(SESSIONS):
                free(self.core.sessions[i].replicas)
            free(self.core.sessions)
        while self.core.arena != NULL:
            block = self.core.arena
            self.core.arena = block.next
            free(block)
        free(self.core.buffer)
        free(self.core.out)
        free(self.core.scratch)
        free(self.core.digests)
        free(self.core.log)
        free(self.core.events)
        pthread_mutex_destroy(&self.mutex)

    def _forget(self):
        self._program = None
        self._table_index, self._entries, self._defaults = {}, [], []
        self._profile_index, self._members, self._member_uses = {}, [], []
        self._groups, self._group_uses = [], []
        self._value_set_members = {}

    @property
    def pipeline(self):
        """The pipeline that runs, or None."""
        return self._pipeline

    @property
    def cpu_port(self):
        """The port of the control plane."""
        return self.core.cpu_port

    @property
    def drop_port(self):
        """The egress_spec that drops."""
        return self.core.drop_port

    @property
    def priority_queues(self):
        """How many priorities a port serves."""
        return self.core.priorities

    @contextlib.contextmanager
    def hold(self):
        """Keep packets out while control calls of this thread make up one atomic change."""
        with self._control:
            with nogil:
                pthread_mutex_lock(&self.mutex)
            try:
                yield
            finally:
                pthread_mutex_unlock(&self.mutex)

    @property
    def stats(self):
        """Counts since the core was made, by name; "dropped" sums the drops of a program."""
        cdef uint64_t[32] copy
        with nogil:
            pthread_mutex_lock(&self.mutex)
            memcpy(copy, self.core.stats, sizeof(copy))
            pthread_mutex_unlock(&self.mutex)
        out = {name: copy[i] for i, name in enumerate(STAT_NAMES)}
        out["dropped"] = out["dropped_ingress"] + out["dropped_egress"] + out["dropped_priority"]
        return out

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
            finally:
                pthread_mutex_unlock(&self.mutex)
            self._pipeline = pipeline
            self._initial = fresh._initial
            fresh._compiled, self._compiled = self._compiled, fresh._compiled
            self._program = fresh._program
            self._table_index, self._entries = fresh._table_index, fresh._entries
            self._defaults, self._profile_index = fresh._defaults, fresh._profile_index
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
            self._entries.append({})
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

    def _reset_default(self, int index):
        table = self._program.tables[index]
        if table.default_action < 0:
            self._put_default(index, None)
        else:
            action = self._program.actions[table.default_action]
            self._put_default(index, ("action", action.id, tuple(table.default_params)))

    def _put_default(self, int index, target):
        cdef Target packed, old
        cdef EntryData* miss = &self.core.tables[index].miss
        if target is None:
            packed.kind, packed.index, packed.params = TARGET_NONE, 0, NULL
        else:
            self.pack_target(index, target, &packed)
        with nogil:
            pthread_mutex_lock(&self.mutex)
            old = miss.target
            miss.target = packed
            pthread_mutex_unlock(&self.mutex)
        free(old.params)
        self._count_use(index, self._defaults[index], -1)
        self._count_use(index, target, 1)
        self._defaults[index] = target

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

    cdef int64_t clock(self, now_us) except? -1:
        if now_us is None:
            return <int64_t>((time.monotonic() - self._started) * 1e6)
        return now_us

    def process(self, uint32_t port, data, now_us=None):
        """Run one packet through; the packets that come out, as (port, bytes) in order."""
        cdef Collector all
        cdef const uint8_t[::1] view = data if len(data) else b"\0"
        cdef uint32_t length = len(data)
        cdef int64_t now = self.clock(now_us)
        cdef Packet* packet
        cdef size_t i
        memset(&all, 0, sizeof(all))
        with nogil:
            self.c_process(port, &view[0], length, now, collect, &all)
        out = []
        for i in range(all.count):
            packet = <Packet*>all.packets + i
            out.append((packet.port, <bytes>(<char*>all.data)[packet.at:packet.at + packet.length]))
        free(all.data)
        free(all.packets)
        if all.failed:
            raise MemoryError("no memory for the packets that came out")
        return out

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
            if offsets[i] < 0 or offsets[i] + lengths[i] > data.shape[0]:
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

    # ---- table entries ----

    def _table(self, name):
        index = self._table_index.get(name)
        if index is None:
            raise SwitchError("NOT_FOUND", f"there is no table {name!r}")
        return index

    cdef object pack_action(self, int64_t action_id, params, allowed, Target* out):
        """Fill a target with an action and its parameters; returns the normal form."""
        cdef int i, words = 0
        cdef uint64_t* packed
        cdef int bits
        action = self._program.actions_by_id.get(action_id)
        if action is None or (allowed is not None and action.index not in allowed):
            raise SwitchError("INVALID_ARGUMENT", f"action {action_id} can't be used here")
        if len(params) != len(action.bits):
            raise SwitchError(
                "INVALID_ARGUMENT",
                f"action {action.name!r} takes {len(action.bits)} parameters, not {len(params)}",
            )
        for bits in action.bits:
            words += max(1, (bits + 63) // 64)
        packed = <uint64_t*>malloc(words * 8 + 8)
        if packed == NULL:
            raise MemoryError("no memory for action parameters")
        words = 0
        try:
            for i, bits in enumerate(action.bits):
                if not small_number(params[i], bits, packed + words):
                    what = f"parameter {i + 1} of {action.name!r}"
                    put_words(packed + words, number(params[i], bits, what), (bits + 63) // 64)
                words += max(1, (bits + 63) // 64)
        except SwitchError:
            free(packed)
            raise
        out.kind, out.index, out.params = TARGET_ACTION, action.index, packed
        if not words:
            free(packed)
            out.params = NULL
        return ("action", action_id, tuple(params))

    cdef object pack_target(self, int index, target, Target* out):
        table = self._program.tables[index]
        kind = target[0]
        if kind == "action":
            if table.type != "simple":
                raise SwitchError(
                    "INVALID_ARGUMENT", f"table {table.name!r} takes members or groups"
                )
            return self.pack_action(target[1], target[2], table.action_indices, out)
        if table.type == "simple" or kind not in ("member", "group"):
            raise SwitchError("INVALID_ARGUMENT", f"table {table.name!r} takes no {kind}")
        if kind == "group" and table.type != "indirect_ws":
            raise SwitchError("INVALID_ARGUMENT", f"table {table.name!r} has no selector")
        known = self._members if kind == "member" else self._groups
        if target[1] not in known[table.profile]:
            raise SwitchError("NOT_FOUND", f"there is no {kind} {target[1]}")
        out.kind = TARGET_MEMBER if kind == "member" else TARGET_GROUP
        out.index, out.params = target[1], NULL
        return (kind, target[1])

    def _count_use(self, int index, target, int by):
        if target is None or target[0] == "action":
            return
        profile = self._program.tables[index].profile
        uses = (self._member_uses if target[0] == "member" else self._group_uses)[profile]
        uses[target[1]] = uses.get(target[1], 0) + by

    def table_add(self, str table, key, int64_t priority, target):
        """Add an entry and return its handle."""
        with self._control:
            index = self._table(table)
            if self._program.tables[index].const_entries and table not in self._initial:
                raise SwitchError("PERMISSION_DENIED", f"table {table!r} has const entries")
            return self.insert(index, key, priority, target, False)

    cdef int64_t insert(self, int index, key, int64_t priority, target, bint const) except -2:
        cdef TableState* state = &self.core.tables[index]
        cdef int words = state.matcher.words, ranges = state.matcher.range_words, at = 0
        cdef int word, shift, limb
        cdef int64_t handle
        cdef Target packed
        cdef uint64_t* value
        cdef uint64_t* mask
        cdef uint64_t* low
        cdef uint64_t* high
        table = self._program.tables[index]
        if len(key) != len(table.keys):
            raise SwitchError(
                "INVALID_ARGUMENT",
                f"table {table.name!r} has {len(table.keys)} key fields, not {len(key)}",
            )
        if not table.keys:
            raise SwitchError("INVALID_ARGUMENT", f"table {table.name!r} has no key")
        if state.matcher.count >= <uint32_t>table.max_size and table.name not in self._initial:
            raise SwitchError(
                "RESOURCE_EXHAUSTED", f"table {table.name!r} is full: {table.max_size} entries"
            )
        if table.kind < 2:
            priority = 0
        cdef uint64_t[MAX_KEY_WORDS] space
        cdef uint64_t number_64, mask_64, full_64
        cdef int bits, prefix
        if 2 * words + 2 * ranges > MAX_KEY_WORDS:
            raise SwitchError("INVALID_ARGUMENT", f"the key of table {table.name!r} is too wide")
        memset(space, 0, (2 * words + 2 * ranges) * sizeof(uint64_t))
        value = space
        mask, low, high = value + words, value + 2 * words, value + 2 * words + ranges
        for info, given in zip(table.keys, key, strict=True):
            bits = info.bits
            if bits <= 64:  # as good as always: no Python integers
                full_64 = 0xFFFFFFFFFFFFFFFF >> (64 - bits)
                number_64 = mask_64 = 0
                found = False
                if info.kind == "exact":
                    mask_64 = full_64
                    found = small_number(given, bits, &number_64)
                elif info.kind == "lpm":
                    prefix = given[1]
                    if 0 <= prefix <= bits:
                        mask_64 = full_64 ^ (full_64 >> prefix if prefix < 64 else 0)
                        found = small_number(given[0], bits, &number_64)
                        if table.kind == 1:
                            priority = prefix
                elif info.kind == "ternary":
                    found = small_number(given[0], bits, &number_64) and small_number(
                        given[1], bits, &mask_64
                    )
                if found:
                    word, shift = info.parts[0][1], info.parts[0][2]
                    value[word] |= (number_64 & mask_64) << shift
                    mask[word] |= mask_64 << shift
                    continue
            full = (1 << info.bits) - 1
            if info.kind == "exact":
                number_, mask_ = number(given, info.bits, info.name), full
            elif info.kind == "lpm":
                number_ = number(given[0], info.bits, info.name)
                if not 0 <= given[1] <= info.bits:
                    raise SwitchError(
                        "INVALID_ARGUMENT", f"{info.name}: prefix length {given[1]}"
                    )
                mask_ = full ^ (full >> given[1])
                if table.kind == 1:
                    priority = given[1]
            elif info.kind == "ternary":
                number_ = number(given[0], info.bits, info.name)
                mask_ = number(given[1], info.bits, info.name)
            else:
                number_ = number(given[0], info.bits, info.name)
                last = number(given[1], info.bits, info.name)
                if number_ > last:
                    raise SwitchError("INVALID_ARGUMENT", f"{info.name}: range is empty")
                put_words(low + at, number_, len(info.parts))
                put_words(high + at, last, len(info.parts))
                at += len(info.parts)
                mask_ = 0  # the match engine splits ranges
            number_ &= mask_
            for limb, (_, word, shift, _) in enumerate(info.parts):
                value[word] |= <uint64_t>((number_ >> (64 * limb)) & 0xFFFFFFFFFFFFFFFF) << shift
                mask[word] |= <uint64_t>((mask_ >> (64 * limb)) & 0xFFFFFFFFFFFFFFFF) << shift
        target = self.pack_target(index, target, &packed)
        with nogil:
            pthread_mutex_lock(&self.mutex)
            handle = matcher_find(&state.matcher, value, mask, low, high, priority)
            if handle < 0:
                handle = matcher_insert(&state.matcher, value, mask, low, high, priority)
                if handle >= 0 and table_room(state, <uint32_t>handle):
                    matcher_remove(&state.matcher, <uint32_t>handle)
                    handle = -1
                if handle >= 0:
                    state.data[handle].target = packed
                    state.data[handle].last_hit_us = self.core.now_us
            else:
                handle = -3 - handle
            pthread_mutex_unlock(&self.mutex)
        if handle == -1:
            free(packed.params)
            raise MemoryError(f"no memory for an entry of {table.name}")
        if handle < 0:
            free(packed.params)
            raise SwitchError(
                "ALREADY_EXISTS", f"table {table.name!r} has this entry (handle {-3 - handle})"
            )
        self._count_use(index, target, 1)
        self._entries[index][handle] = (tuple(key), priority, target, const)
        return handle

    cdef EntryData* entry(self, int index, int64_t handle, bint allow_miss) except NULL:
        if allow_miss and handle == -1:
            return &self.core.tables[index].miss
        if handle not in self._entries[index]:
            raise SwitchError(
                "NOT_FOUND", f"table {self._program.tables[index].name!r} has no entry {handle}"
            )
        return &self.core.tables[index].data[handle]

    def table_modify(self, str table, int64_t handle, target):
        """Let an entry do something else."""
        cdef Target packed, old
        cdef EntryData* data
        with self._control:
            index = self._table(table)
            data = self.entry(index, handle, False)
            key, priority, before, const = self._entries[index][handle]
            if const:
                raise SwitchError("PERMISSION_DENIED", f"table {table!r} has const entries")
            target = self.pack_target(index, target, &packed)
            with nogil:
                pthread_mutex_lock(&self.mutex)
                old = data.target
                data.target = packed
                pthread_mutex_unlock(&self.mutex)
            free(old.params)
            self._count_use(index, before, -1)
            self._count_use(index, target, 1)
            self._entries[index][handle] = (key, priority, target, const)

    def table_delete(self, str table, int64_t handle):
        """Remove an entry."""
        cdef int index
        cdef EntryData old
        cdef EntryData* data
        with self._control:
            index = self._table(table)
            data = self.entry(index, handle, False)
            _, _, before, const = self._entries[index][handle]
            if const:
                raise SwitchError("PERMISSION_DENIED", f"table {table!r} has const entries")
            with nogil:
                pthread_mutex_lock(&self.mutex)
                matcher_remove(&self.core.tables[index].matcher, <uint32_t>handle)
                old = data[0]
                memset(data, 0, sizeof(EntryData))
                data.target.kind = TARGET_NONE
                pthread_mutex_unlock(&self.mutex)
            entry_clear(&old)
            self._count_use(index, before, -1)
            del self._entries[index][handle]

    def table_set_default(self, str table, target):
        """Set the default entry; None resets it to the program's own."""
        with self._control:
            index = self._table(table)
            if target is None:
                self._reset_default(index)
                return
            info = self._program.tables[index]
            if info.const_default:
                own = self._program.actions[info.default_action].id
                if target[0] != "action" or target[1] != own:
                    raise SwitchError(
                        "PERMISSION_DENIED", f"the default action of {table!r} is const"
                    )
            self._put_default(index, (*target[:2], *[tuple(p) for p in target[2:]]))

    def table_default(self, str table):
        """What a miss runs, or None."""
        with self._control:
            return self._defaults[self._table(table)]

    def table_entries(self, str table):
        """(handle, key, priority, target, is_const) of every entry."""
        with self._control:
            entries = self._entries[self._table(table)]
            return [(handle, *entry) for handle, entry in entries.items()]

    def table_set_timeout(self, str table, int64_t handle, int64_t timeout_ns):
        """Set an entry's idle timeout; 0 for none."""
        cdef EntryData* data
        with self._control:
            data = self.entry(self._table(table), handle, False)
            with nogil:
                pthread_mutex_lock(&self.mutex)
                data.timeout_ns = timeout_ns
                data.last_hit_us = self.core.now_us
                pthread_mutex_unlock(&self.mutex)

    def table_timeout(self, str table, int64_t handle):
        """An entry's idle timeout in nanoseconds; 0 for none."""
        with self._control:
            return self.entry(self._table(table), handle, False).timeout_ns

    def table_idle_ns(self, str table, int64_t handle, now_us=None):
        """Time since the last hit (or since the entry or its timeout was written)."""
        cdef EntryData* data
        cdef int64_t now = self.clock(now_us)
        with self._control:
            data = self.entry(self._table(table), handle, False)
            return max(0, now - data.last_hit_us) * 1000

    def idle_entries(self, str table, now_us=None):
        """Handles of the entries that have been idle for their timeout or longer."""
        cdef int64_t now = self.clock(now_us)
        cdef int index
        cdef int64_t handle
        cdef EntryData* data
        out = []
        with self._control:
            index = self._table(table)
            for handle in self._entries[index]:
                data = &self.core.tables[index].data[handle]
                if data.timeout_ns and (now - data.last_hit_us) * 1000 >= data.timeout_ns:
                    out.append(handle)
        return out

    # ---- action profiles ----

    def _profile(self, name):
        index = self._profile_index.get(name)
        if index is None:
            raise SwitchError("NOT_FOUND", f"there is no action profile {name!r}")
        return index

    def _profile_actions(self, int index):
        names = self._program.profiles[index].actions
        return [one.index for one in self._program.actions if one.name in names]

    def member_add(self, str profile, int64_t action_id, params):
        """Add a member and return its handle."""
        cdef Target packed
        cdef ProfileState* state
        cdef uint32_t handle = 0, room
        cdef Member* moved
        cdef Member* old
        with self._control:
            index = self._profile(profile)
            state = &self.core.profiles[<int>index]
            members = self._members[index]
            self.pack_action(action_id, params, self._profile_actions(index), &packed)
            while handle in members:
                handle += 1
            if handle >= state.members_room:
                room = state.members_room * 2 if state.members_room else 16
                moved = <Member*>calloc(room, sizeof(Member))
                if moved == NULL:
                    free(packed.params)
                    raise MemoryError("no memory for an action profile member")
                old = state.members
                with nogil:
                    pthread_mutex_lock(&self.mutex)
                    memcpy(moved, old, state.members_room * sizeof(Member))
                    state.members = moved
                    state.members_room = room
                    pthread_mutex_unlock(&self.mutex)
                free(old)
            with nogil:
                pthread_mutex_lock(&self.mutex)
                state.members[handle].used = 1
                state.members[handle].target = packed
                pthread_mutex_unlock(&self.mutex)
            members[handle] = (action_id, tuple(params))
            return handle

    def _member(self, index, handle):
        if handle not in self._members[index]:
            raise SwitchError("NOT_FOUND", f"there is no member {handle}")

    def member_modify(self, str profile, int64_t handle, int64_t action_id, params):
        """Let a member do something else."""
        cdef Target packed, old
        cdef Member* member
        with self._control:
            index = self._profile(profile)
            self._member(index, handle)
            self.pack_action(action_id, params, self._profile_actions(index), &packed)
            member = &self.core.profiles[<int>index].members[handle]
            with nogil:
                pthread_mutex_lock(&self.mutex)
                old = member.target
                member.target = packed
                pthread_mutex_unlock(&self.mutex)
            free(old.params)
            self._members[index][handle] = (action_id, tuple(params))

    def member_delete(self, str profile, int64_t handle):
        """Remove a member that no entry and no group uses."""
        cdef Member* member
        with self._control:
            index = self._profile(profile)
            self._member(index, handle)
            if self._member_uses[index].get(handle):
                raise SwitchError("FAILED_PRECONDITION", f"member {handle} is in use")
            member = &self.core.profiles[<int>index].members[handle]
            free(member.target.params)
            memset(member, 0, sizeof(Member))
            del self._members[index][handle]

    def members(self, str profile):
        """handle -> (action id, parameters)."""
        with self._control:
            return dict(self._members[self._profile(profile)])

    def group_add(self, str profile):
        """Add an empty group and return its handle."""
        cdef ProfileState* state
        cdef uint32_t handle = 0, room
        cdef MemberGroup* moved
        cdef MemberGroup* old
        with self._control:
            index = self._profile(profile)
            if self._program.profiles[index].calculation < 0:
                raise SwitchError("INVALID_ARGUMENT", f"profile {profile!r} has no selector")
            state = &self.core.profiles[<int>index]
            groups = self._groups[index]
            while handle in groups:
                handle += 1
            if handle >= state.groups_room:
                room = state.groups_room * 2 if state.groups_room else 16
                moved = <MemberGroup*>calloc(room, sizeof(MemberGroup))
                if moved == NULL:
                    raise MemoryError("no memory for an action profile group")
                old = state.groups
                with nogil:
                    pthread_mutex_lock(&self.mutex)
                    memcpy(moved, old, state.groups_room * sizeof(MemberGroup))
                    state.groups = moved
                    state.groups_room = room
                    pthread_mutex_unlock(&self.mutex)
                free(old)
            groups[handle] = ()
            return handle

    def _group(self, index, handle):
        if handle not in self._groups[index]:
            raise SwitchError("NOT_FOUND", f"there is no group {handle}")

    def group_set(self, str profile, int64_t handle, members):
        """Replace a group's (member, weight) pairs."""
        cdef MemberGroup fresh, old
        cdef MemberGroup* group
        cdef int i
        with self._control:
            index = self._profile(profile)
            self._group(index, handle)
            pairs = tuple((int(member), int(weight)) for member, weight in members)
            for member, weight in pairs:
                self._member(index, member)
                if not 1 <= weight <= 1 << 31:
                    raise SwitchError("INVALID_ARGUMENT", f"weight {weight} of member {member}")
            if len({member for member, _ in pairs}) != len(pairs):
                raise SwitchError("INVALID_ARGUMENT", "a member is in the group twice")
            memset(&fresh, 0, sizeof(fresh))
            fresh.count = len(pairs)
            fresh.members = <uint32_t*>malloc(len(pairs) * 4 + 4)
            fresh.until = <uint64_t*>malloc(len(pairs) * 8 + 8)
            if fresh.members == NULL or fresh.until == NULL:
                free(fresh.members)
                free(fresh.until)
                raise MemoryError("no memory for an action profile group")
            for i, (member, weight) in enumerate(sorted(pairs)):  # BMv2 picks in handle order
                fresh.total += <uint64_t>weight
                fresh.members[i] = member
                fresh.until[i] = fresh.total
            group = &self.core.profiles[<int>index].groups[handle]
            with nogil:
                pthread_mutex_lock(&self.mutex)
                old = group[0]
                group[0] = fresh
                pthread_mutex_unlock(&self.mutex)
            free(old.members)
            free(old.until)
            uses = self._member_uses[index]
            for member, _ in self._groups[index][handle]:
                uses[member] -= 1
            for member, _ in pairs:
                uses[member] = uses.get(member, 0) + 1
            self._groups[index][handle] = pairs

    def group_delete(self, str profile, int64_t handle):
        """Remove a group that no entry uses."""
        with self._control:
            index = self._profile(profile)
            self._group(index, handle)
            if self._group_uses[index].get(handle):
                raise SwitchError("FAILED_PRECONDITION", f"group {handle} is in use")
            self.group_set(profile, handle, ())
            del self._groups[index][handle]

    def groups(self, str profile):
        """handle -> (member, weight) pairs."""
        with self._control:
            return dict(self._groups[self._profile(profile)])

    # ---- arrays ----

    def _array(self, arrays, name, index, direct=False):
        """(the array's number, table of a direct one or -1)."""
        for i, one in enumerate(arrays):
            if one.name == name:
                if one.direct:
                    return i, self._direct_table(name)
                if not 0 <= index < one.size:
                    raise SwitchError(
                        "OUT_OF_RANGE", f"index {index} of {name!r}, which has {one.size}"
                    )
                return i, -1
        raise SwitchError("NOT_FOUND", f"there is no array {name!r}")

    def _direct_table(self, name):
        for i, table in enumerate(self._program.tables):
            if table.meter >= 0 and self._program.meters[table.meter].name == name:
                return i
        for one in self._program.counters:
            if one.name == name and one.direct and one.table in self._table_index:
                return self._table_index[one.table]
        raise SwitchError("NOT_FOUND", f"{name!r} belongs to no table")

    def counter_read(self, str name, int64_t index):
        """(packets, bytes)."""
        cdef CounterCell cell
        cdef EntryData* data
        cdef int i, table
        with self._control:
            i, table = self._array(self._program.counters, name, index)
            data = self.entry(table, index, True) if table >= 0 else NULL
            with nogil:
                pthread_mutex_lock(&self.mutex)
                if data != NULL:
                    cell.packets, cell.bytes = data.packets, data.bytes
                else:
                    cell = self.core.counters[i][index]
                pthread_mutex_unlock(&self.mutex)
            return cell.packets, cell.bytes

    def counter_write(self, str name, int64_t index, uint64_t packets, uint64_t nbytes):
        """Set a counter."""
        cdef EntryData* data
        cdef int i, table
        with self._control:
            i, table = self._array(self._program.counters, name, index)
            data = self.entry(table, index, True) if table >= 0 else NULL
            with nogil:
                pthread_mutex_lock(&self.mutex)
                if data != NULL:
                    data.packets, data.bytes = packets, nbytes
                else:
                    self.core.counters[i][index].packets = packets
                    self.core.counters[i][index].bytes = nbytes
                pthread_mutex_unlock(&self.mutex)

    def meter_read(self, str name, int64_t index):
        """(cir, cburst, pir, pburst), or None when not configured."""
        cdef Meter* meter
        cdef int i, table
        with self._control:
            i, table = self._array(self._program.meters, name, index)
            if table >= 0:
                meter = self.entry(table, index, True).meter
            else:
                meter = &self.core.meters[i][index]
            if meter == NULL or not meter.configured:
                return None
            return meter.cir, meter.cburst, meter.pir, meter.pburst

    def meter_write(self, str name, int64_t index, rates):
        """Configure a meter with full buckets; None makes everything green again."""
        cdef Meter fresh
        cdef Meter* meter
        cdef EntryData* data
        cdef int i, table
        memset(&fresh, 0, sizeof(fresh))
        with self._control:
            i, table = self._array(self._program.meters, name, index)
            if rates is not None:
                fresh.cir, fresh.cburst, fresh.pir, fresh.pburst = rates
                fresh.committed, fresh.peak = fresh.cburst, fresh.pburst
                fresh.configured = 1
                if fresh.cir > fresh.pir or fresh.cir < 0:
                    raise SwitchError("INVALID_ARGUMENT", f"meter {name!r}: cir exceeds pir")
            if table >= 0:
                data = self.entry(table, index, True)
                if data.meter == NULL:
                    meter = <Meter*>calloc(1, sizeof(Meter))
                    if meter == NULL:
                        raise MemoryError("no memory for a meter")
                    data.meter = meter
                meter = data.meter
            else:
                meter = &self.core.meters[i][index]
            with nogil:
                pthread_mutex_lock(&self.mutex)
                fresh.last_cir = <int64_t>(<double>self.core.now_us * (fresh.cir / 1e6))
                fresh.last_pir = <int64_t>(<double>self.core.now_us * (fresh.pir / 1e6))
                meter[0] = fresh
                pthread_mutex_unlock(&self.mutex)

    def register_read(self, str name, int64_t index):
        """The value, big-endian, as wide as the register."""
        return self._registers(name, index, 1)[0]

    def register_read_all(self, str name):
        """All values of the array."""
        with self._control:
            for one in self._program.registers:
                if one.name == name:
                    return self._registers(name, 0, one.size) if one.size else []
        raise SwitchError("NOT_FOUND", f"there is no array {name!r}")

    def _registers(self, str name, int64_t index, int64_t count):
        cdef int i, words
        cdef uint64_t* cells
        with self._control:
            i, _ = self._array(self._program.registers, name, index)
            bits = self._program.registers[i].bits
            words = max(1, (bits + 63) // 64)
            cells = self.core.registers[i] + index * words
            raw = bytearray(count * words * 8)
            with nogil:
                pthread_mutex_lock(&self.mutex)
            try:
                raw[:] = <bytes>(<char*>cells)[:count * words * 8]
            finally:
                pthread_mutex_unlock(&self.mutex)
        size, step = (bits + 7) // 8, words * 8
        return [
            bytes(raw[at:at + step])[::-1][step - size:] for at in range(0, len(raw), step)
        ]

    def register_write(self, str name, int64_t index, value):
        """Set a register from big-endian bytes, exactly as wide as the register."""
        cdef int i, words
        cdef uint64_t* packed
        with self._control:
            i, _ = self._array(self._program.registers, name, index)
            bits = self._program.registers[i].bits
            words = max(1, (bits + 63) // 64)
            packed = <uint64_t*>malloc(words * 8)
            if packed == NULL:
                raise MemoryError("no memory for a register value")
            try:
                put_words(packed, number(value, bits, f"register {name!r}"), words)
                with nogil:
                    pthread_mutex_lock(&self.mutex)
                    memcpy(self.core.registers[i] + index * words, packed, words * 8)
                    pthread_mutex_unlock(&self.mutex)
            finally:
                free(packed)

    # ---- packet replication ----

    def multicast_set(self, int64_t group, replicas):
        """Set a multicast group's (port, rid) pairs; none deletes it."""
        if not 0 < group < GROUPS:
            raise SwitchError("OUT_OF_RANGE", f"multicast group {group}: 1 to {GROUPS - 1}")
        with self._control:
            if self.core.groups == NULL:
                self.core.groups = <ReplicaSet*>calloc(GROUPS, sizeof(ReplicaSet))
                if self.core.groups == NULL:
                    raise MemoryError("no memory for multicast groups")
            self._replicas(0, group, replicas, 0, 0, bool(replicas))

    def clone_session_set(
        self, int64_t session, replicas, uint32_t packet_length_bytes=0,
        uint32_t class_of_service=0,
    ):
        """Set a clone session."""
        if not 0 <= session < SESSIONS:
            raise SwitchError("OUT_OF_RANGE", f"clone session {session}: 0 to {SESSIONS - 1}")
        with self._control:
            if self.core.sessions == NULL:
                self.core.sessions = <ReplicaSet*>calloc(SESSIONS, sizeof(ReplicaSet))
                if self.core.sessions == NULL:
                    raise MemoryError("no memory for clone sessions")
            self._replicas(1, session, replicas, packet_length_bytes, class_of_service, True)

    def clone_session_delete(self, int64_t session):
        """Delete a clone session."""
        with self._control:
            if not 0 <= session < SESSIONS or self.core.sessions == NULL \
                    or not self.core.sessions[session].used:
                raise SwitchError("NOT_FOUND", f"there is no clone session {session}")
            self._replicas(1, session, (), 0, 0, False)

    def _replicas(self, int sessions, int64_t at, replicas, truncate, priority, bint used):
        cdef ReplicaSet fresh, old
        cdef ReplicaSet* place
        cdef int i
        pairs = [(int(port), int(rid)) for port, rid in replicas]
        memset(&fresh, 0, sizeof(fresh))
        fresh.replicas = <Replica*>malloc(len(pairs) * sizeof(Replica) + 8)
        if fresh.replicas == NULL:
            raise MemoryError("no memory for replicas")
        try:
            for i, (port, rid) in enumerate(pairs):
                fresh.replicas[i].port, fresh.replicas[i].rid = port, rid
        except OverflowError:
            free(fresh.replicas)
            raise SwitchError("OUT_OF_RANGE", f"replica {pairs[i]}") from None
        fresh.count, fresh.used = len(pairs), used
        fresh.truncate, fresh.priority = truncate, priority
        place = &self.core.sessions[at] if sessions else &self.core.groups[at]
        with nogil:
            pthread_mutex_lock(&self.mutex)
            old = place[0]
            place[0] = fresh
            pthread_mutex_unlock(&self.mutex)
        free(old.replicas)

    # ---- value sets, digests, log ----

    def value_set_write(self, str name, members):
        """Replace a value set's members; each is one (value, mask) per key field."""
        cdef uint64_t[64] key
        cdef uint64_t[64] mask
        cdef int at, index, words
        cdef int64_t i
        with self._control:
            known = {one.name: one for one in self._program.value_sets} if self._program else {}
            if name not in known:
                raise SwitchError("NOT_FOUND", f"there is no value set {name!r}")
            fields, index = known[name].fields, known[name].id
            words = sum(max(1, (bits + 63) // 64) for bits in fields)
            if words > 64:
                raise SwitchError("UNIMPLEMENTED", f"value set {name!r} has too wide a key")
            packed = []
            for member in members:
                if len(member) != len(fields):
                    raise SwitchError(
                        "INVALID_ARGUMENT",
                        f"value set {name!r} has {len(fields)} fields, not {len(member)}",
                    )
                numbers = []
                for (value, bitmask), bits in zip(member, fields, strict=True):
                    one, cut = number(value, bits, name), number(bitmask, bits, name)
                    for limb in range(max(1, (bits + 63) // 64)):
                        numbers.append((
                            (one & cut) >> (64 * limb) & 0xFFFFFFFFFFFFFFFF,
                            cut >> (64 * limb) & 0xFFFFFFFFFFFFFFFF,
                        ))
                packed.append(numbers)
            with nogil:
                pthread_mutex_lock(&self.mutex)
            try:
                matcher_free(&self.core.value_sets[index])
                if matcher_init(&self.core.value_sets[index], max(words, 1), 0) or matcher_ready(
                    &self.core.value_sets[index]
                ):
                    raise MemoryError("no memory for a value set")
                for numbers in packed:
                    for at, (one, cut) in enumerate(numbers):
                        key[at], mask[at] = one, cut
                    i = matcher_find(&self.core.value_sets[index], key, mask, NULL, NULL, 0)
                    if i < 0 and matcher_insert(
                        &self.core.value_sets[index], key, mask, NULL, NULL, 0
                    ) < 0:
                        raise MemoryError("no memory for a value set")
            finally:
                pthread_mutex_unlock(&self.mutex)
            self._value_set_members[name] = tuple(tuple(map(tuple, one)) for one in members)

    def value_set_members(self, str name):
        """What value_set_write wrote last."""
        with self._control:
            if name not in self._value_set_members:
                raise SwitchError("NOT_FOUND", f"there is no value set {name!r}")
            return self._value_set_members[name]

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
        fresh._entries[j] = {
            handle: (key, priority, keep.target(target_), const)
            for handle, (key, priority, target_, const) in old._entries[i].items()
        }
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
