"""Control of counters, meters and registers, direct ones too."""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from qplane_cext.switch.base cimport pthread_mutex_t
from qplane_cext.switch.state cimport CounterCell, EntryData, Meter
from qplane_cext.switch.values cimport number, put_words

from .errors import SwitchError

cdef extern from "pthread.h" nogil:
    int pthread_mutex_lock(pthread_mutex_t*)
    int pthread_mutex_unlock(pthread_mutex_t*)


cdef class ArrayControl(ProfileControl):
    """Counters, meters and registers of a switch."""

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
            return meter.cir, meter.cburst, meter.pir, meter.pburst, meter.eburst

    def meter_write(self, str name, int64_t index, rates):
        """Configure a meter with full buckets; None makes everything green again. What it has
        counted stays."""
        cdef Meter fresh
        cdef Meter* meter
        cdef int i, table
        memset(&fresh, 0, sizeof(fresh))
        with self._control:
            i, table = self._array(self._program.meters, name, index)
            if rates is not None:
                fresh.cir, fresh.cburst, fresh.pir, fresh.pburst, fresh.eburst = rates
                fresh.committed = fresh.cburst
                fresh.peak = fresh.eburst if fresh.eburst else fresh.pburst
                fresh.configured = 1
                if fresh.cir > fresh.pir or fresh.cir < 0:
                    raise SwitchError("INVALID_ARGUMENT", f"meter {name!r}: cir exceeds pir")
            meter = self._meter(i, table, index)
            with nogil:
                pthread_mutex_lock(&self.mutex)
                memcpy(fresh.colors, meter.colors, sizeof(fresh.colors))
                fresh.last_cir = <int64_t>(<double>self.core.now_us * (fresh.cir / 1e6))
                fresh.last_pir = <int64_t>(<double>self.core.now_us * (fresh.pir / 1e6))
                meter[0] = fresh
                pthread_mutex_unlock(&self.mutex)

    cdef Meter* _meter(self, int i, int table, int64_t index) except NULL:
        """A cell, or the meter of an entry, which gets one if it has none."""
        cdef EntryData* data
        cdef Meter* fresh
        if table < 0:
            return &self.core.meters[i][index]
        data = self.entry(table, index, True)
        fresh = <Meter*>calloc(1, sizeof(Meter))
        if fresh == NULL:
            raise MemoryError("no memory for a meter")
        with nogil:
            pthread_mutex_lock(&self.mutex)
            if data.meter == NULL:
                data.meter = fresh
                fresh = NULL
            pthread_mutex_unlock(&self.mutex)
        free(fresh)
        return data.meter

    def meter_colors(self, str name, int64_t index):
        """((packets, bytes) that were green, yellow, red)."""
        cdef CounterCell[3] colors
        cdef Meter* meter
        cdef int i, table
        with self._control:
            i, table = self._array(self._program.meters, name, index)
            meter = self._meter(i, table, index)
            with nogil:
                pthread_mutex_lock(&self.mutex)
                memcpy(colors, meter.colors, sizeof(colors))
                pthread_mutex_unlock(&self.mutex)
            return tuple((colors[i].packets, colors[i].bytes) for i in range(3))

    def meter_colors_write(self, str name, int64_t index, counts):
        """Set what was counted: three times (packets, bytes)."""
        cdef CounterCell[3] colors
        cdef Meter* meter
        cdef int i, table
        with self._control:
            i, table = self._array(self._program.meters, name, index)
            meter = self._meter(i, table, index)
            for k, (packets, nbytes) in enumerate(counts):
                colors[k].packets, colors[k].bytes = packets, nbytes
            with nogil:
                pthread_mutex_lock(&self.mutex)
                memcpy(meter.colors, colors, sizeof(colors))
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
