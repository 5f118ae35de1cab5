"""Control of tables: entries, default entries, idle timeouts."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from qplane_cext.switch.base cimport pthread_mutex_t
from qplane_cext.switch.state cimport (
    TARGET_ACTION, TARGET_GROUP, TARGET_MEMBER, TARGET_NONE, EntryData, TableState, Target,
    entry_clear, table_room,
)
from qplane_cext.switch.tuplespace cimport Matcher, matcher_find, matcher_insert, matcher_remove
from qplane_cext.switch.values cimport number, put_words, small_number, text

from .errors import SwitchError

cdef extern from "pthread.h" nogil:
    int pthread_mutex_lock(pthread_mutex_t*)
    int pthread_mutex_trylock(pthread_mutex_t*)
    int pthread_mutex_unlock(pthread_mutex_t*)


cdef class TableControl(SwitchBase):
    """Tables of a switch."""

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
        return ("action", action_id, params if type(params) is tuple else tuple(params))

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
        cdef uint64_t[MAX_KEY_WORDS] space
        cdef Target packed
        cdef int64_t handle
        table = self._program.tables[index]
        priority = self.pack_key(index, key, priority, space)
        count = self.core.tables[index].matcher.count
        if count >= table.max_size and table.name not in self._initial:
            raise SwitchError(
                "RESOURCE_EXHAUSTED", f"table {table.name!r} is full: {table.max_size} entries"
            )
        target = self.pack_target(index, target, &packed)
        handle = self.put_entry(index, space, priority, &packed, const)
        if handle == -1:
            free(packed.params)
            raise MemoryError(f"no memory for an entry of {table.name}")
        if handle < 0:
            free(packed.params)
            raise SwitchError(
                "ALREADY_EXISTS", f"table {table.name!r} has this entry (handle {-3 - handle})"
            )
        self._count_use(index, target, 1)
        return handle

    cdef int64_t pack_key(self, int index, key, int64_t priority, uint64_t* space) except -2:
        """Fill MAX_KEY_WORDS words with a key: its value, mask, first and last of its ranges.

        Returns the entry's priority in the match engine.
        """
        cdef TableState* state = &self.core.tables[index]
        cdef int words = state.matcher.words, ranges = state.matcher.range_words, at = 0
        cdef int word, shift, limb
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
        if table.kind < 2:
            priority = 0
        cdef uint64_t number_64, mask_64, full_64, static_64
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
                static_64 = info.mask
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
                    mask_64 &= static_64
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
            mask_ &= info.mask
            number_ &= mask_
            for limb, (_, word, shift, _) in enumerate(info.parts):
                value[word] |= <uint64_t>((number_ >> (64 * limb)) & 0xFFFFFFFFFFFFFFFF) << shift
                mask[word] |= <uint64_t>((mask_ >> (64 * limb)) & 0xFFFFFFFFFFFFFFFF) << shift
        return priority

    # ---- entries in C; a key is what pack_key makes ----

    cdef void lock(self) noexcept:
        """Keep packets out: without the GIL only where that takes waiting."""
        if pthread_mutex_trylock(&self.mutex):
            with nogil:
                pthread_mutex_lock(&self.mutex)

    cdef void unlock(self) noexcept:
        pthread_mutex_unlock(&self.mutex)

    cdef int64_t find_entry(self, int index, uint64_t* key, int64_t priority) noexcept:
        """The handle of the entry with this key and priority, or -1. Lock held."""
        cdef Matcher* m = &self.core.tables[index].matcher
        cdef uint64_t* low = key + 2 * m.words
        return matcher_find(m, key, key + m.words, low, low + m.range_words, priority)

    cdef int64_t put_entry(
        self, int index, uint64_t* key, int64_t priority, const Target* target, bint is_const
    ) noexcept:
        """Add an entry, which takes over the target; its handle.

        -1: no memory; -3 - handle: there is an entry with this key.
        """
        cdef TableState* state = &self.core.tables[index]
        cdef Matcher* m = &state.matcher
        cdef uint64_t* low = key + 2 * m.words
        cdef int64_t handle
        self.lock()
        handle = self.find_entry(index, key, priority)
        if handle < 0:
            handle = matcher_insert(m, key, key + m.words, low, low + m.range_words, priority)
            if handle >= 0 and table_room(state, <uint32_t>handle):
                matcher_remove(m, <uint32_t>handle)
                handle = -1
            if handle >= 0:
                state.data[handle].target = target[0]
                state.data[handle].last_hit_us = self.core.now_us
                state.data[handle].is_const = is_const
        else:
            handle = -3 - handle
        self.unlock()
        return handle

    cdef void set_target(self, EntryData* data, const Target* target) noexcept:
        """Let an entry do something else; it takes over the target."""
        cdef uint64_t* before
        self.lock()
        before = data.target.params
        data.target = target[0]
        self.unlock()
        free(before)

    cdef void drop_entry(self, int index, int64_t handle) noexcept:
        """Remove an entry that is there."""
        cdef EntryData* data = &self.core.tables[index].data[handle]
        cdef EntryData old
        self.lock()
        matcher_remove(&self.core.tables[index].matcher, <uint32_t>handle)
        old = data[0]
        memset(data, 0, sizeof(EntryData))
        data.target.kind = TARGET_NONE
        self.unlock()
        entry_clear(&old)

    cdef EntryData* entry(self, int index, int64_t handle, bint allow_miss) except NULL:
        cdef TableState* state = &self.core.tables[index]
        if allow_miss and handle == -1:
            return &state.miss
        if not 0 <= handle < state.room or state.data[handle].target.kind == TARGET_NONE:
            raise SwitchError(
                "NOT_FOUND", f"table {self._program.tables[index].name!r} has no entry {handle}"
            )
        return &state.data[handle]

    cdef EntryData* changeable(self, int index, int64_t handle) except NULL:
        cdef EntryData* data = self.entry(index, handle, False)
        if data.is_const:
            name = self._program.tables[index].name
            raise SwitchError("PERMISSION_DENIED", f"table {name!r} has const entries")
        return data

    cdef uint32_t item(self, int index, int64_t handle) noexcept:
        """One of the match engine's items that make up an entry."""
        cdef Matcher* m = &self.core.tables[index].matcher
        return m.first[handle] - 1 if m.n_ranges else <uint32_t>handle

    cdef tuple key_of(self, int index, int64_t handle):
        """The key of an entry as table_add takes it, but for bits that never matter."""
        cdef Matcher* m = &self.core.tables[index].matcher
        cdef uint32_t item = self.item(index, handle)
        cdef const uint64_t* value = m.keys + <size_t>item * m.words
        cdef const uint64_t* mask = m.owner[item].mask
        cdef size_t at = <size_t>item * m.range_words
        cdef int word, shift
        parts = []
        for key in self._program.tables[index].keys:
            word, shift = key.parts[0][1], key.parts[0][2]
            if key.kind == "range":
                parts.append((text(m.low + at, 0, key.bits), text(m.high + at, 0, key.bits)))
                at += <size_t>len(key.parts)
                continue
            first, second = text(value + word, shift, key.bits), text(mask + word, shift, key.bits)
            if key.kind == "exact":
                parts.append(first)
            elif key.kind == "lpm":
                parts.append((first, int.from_bytes(second, "big").bit_count()))
            else:
                parts.append((first, second))
        return tuple(parts)

    cdef tuple target_of(self, const Target* target):
        """A target as table_add takes it."""
        cdef const uint64_t* params = target.params
        if target.kind == TARGET_MEMBER:
            return ("member", target.index)
        if target.kind == TARGET_GROUP:
            return ("group", target.index)
        action = self._program.actions[target.index]
        values = []
        for bits in action.bits:
            values.append(text(params, 0, bits))
            params += max(1, (<int>bits + 63) // 64)
        return ("action", action.id, tuple(values))

    def table_modify(self, str table, int64_t handle, target):
        """Let an entry do something else."""
        cdef Target packed
        cdef EntryData* data
        with self._control:
            index = self._table(table)
            data = self.changeable(index, handle)
            before = self.target_of(&data.target)
            target = self.pack_target(index, target, &packed)
            self.set_target(data, &packed)
            self._count_use(index, before, -1)
            self._count_use(index, target, 1)

    def table_delete(self, str table, int64_t handle):
        """Remove an entry."""
        cdef EntryData* data
        with self._control:
            index = self._table(table)
            data = self.changeable(index, handle)
            before = self.target_of(&data.target)
            self.drop_entry(index, handle)
            self._count_use(index, before, -1)

    def table_find(self, str table, key, int64_t priority):
        """The handle of the entry with this key and priority, or None."""
        cdef uint64_t[MAX_KEY_WORDS] space
        cdef int64_t handle
        with self._control:
            index = self._table(table)
            priority = self.pack_key(index, key, priority, space)
            self.lock()
            handle = self.find_entry(index, space, priority)
            self.unlock()
            return None if handle < 0 else handle

    def table_entry(self, str table, int64_t handle):
        """(key, priority, target, is_const) of an entry."""
        cdef EntryData* data
        cdef int index
        with self._control:
            index = self._table(table)
            data = self.entry(index, handle, False)
            return (
                self.key_of(index, handle),
                self.core.tables[index].matcher.priority[self.item(index, handle)],
                self.target_of(&data.target),
                bool(data.is_const),
            )

    def table_entries(self, str table):
        """(handle, key, priority, target, is_const) of every entry."""
        with self._control:
            return [
                (handle, *self.table_entry(table, handle))
                for handle in self._handles(self._table(table))
            ]

    def _handles(self, int index):
        cdef TableState* state = &self.core.tables[index]
        cdef uint32_t i
        return [i for i in range(state.room) if state.data[i].target.kind != TARGET_NONE]

    def action_index(self, int64_t action_id):
        """The number of an action in the running program."""
        return self._program.actions_by_id[action_id].index

    def table_layout(self, str table):
        """(first word, shift, mask) of each key field in a packed key; words of value and mask,
        words of ranges. The words of a range count among the ranges' only."""
        cdef TableState* state
        cdef int index, at = 0
        index = self._table(table)
        state = &self.core.tables[index]
        places = []
        for key in self._program.tables[index].keys:
            if key.kind == "range":
                places.append((at, 0, key.mask))
                at += len(key.parts)
            else:
                places.append((key.parts[0][1], key.parts[0][2], key.mask))
        return places, state.matcher.words, state.matcher.range_words

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
            for handle in self._handles(index):
                data = &self.core.tables[index].data[handle]
                if data.timeout_ns and (now - data.last_hit_us) * 1000 >= data.timeout_ns:
                    out.append(handle)
        return out

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
