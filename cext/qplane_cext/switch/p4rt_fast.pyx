"""The common P4Runtime Write straight from the wire: table entries with plain actions.

Whatever is not exactly that (another entity, an unusual field, a value out of range, anything
malformed) is left as it came, for the general path to judge. So this module never decides on an
error, and a mistake here can only be one of values, which tests hold against the general path.
Field numbers are those of ``p4/v1/p4runtime.proto``.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from qplane_cext.switch.varint cimport put_varint, varint_size

cdef enum:
    EXACT = 0
    LPM = 1
    TERNARY = 2
    RANGE = 3
    OPTIONAL = 4

cdef enum:
    VARINT = 0
    BYTES = 2

_KINDS = {"exact": EXACT, "lpm": LPM, "ternary": TERNARY, "range": RANGE, "optional": OPTIONAL}
# FieldMatch's oneof: field number -> kind
cdef int[8] KIND_OF_NUMBER = [-1, -1, EXACT, TERNARY, LPM, -1, RANGE, OPTIONAL]


cdef inline uint64_t varint(Cursor* c) noexcept nogil:
    cdef uint64_t value = 0
    cdef int shift = 0
    cdef uint8_t byte
    while c.at < c.end and shift < 70:
        byte = c.at[0]
        c.at += 1
        if shift < 64:
            value |= <uint64_t>(byte & 0x7F) << shift
        if byte < 0x80:
            return value
        shift += 7
    c.failed = True
    return 0


cdef inline Cursor nested(Cursor* c) noexcept nogil:
    """The length-delimited field at the cursor, which moves behind it."""
    cdef Cursor inner
    cdef uint64_t length = varint(c)
    inner.failed = False
    inner.at = c.at
    inner.end = c.at
    if c.failed or length > <uint64_t>(c.end - c.at):
        c.failed = True
        return inner
    inner.end = c.at + length
    c.at += length
    return inner


cdef inline bint load(Cursor text, int bits, uint64_t* limbs, bint* canonical) noexcept nogil:
    """A byte string as limbs, least significant first; False when it is empty or does not fit."""
    cdef Py_ssize_t length = text.end - text.at
    cdef const uint8_t* p = text.at
    cdef Py_ssize_t i
    cdef int limb
    if length == 0:
        return False
    if p[0] == 0 and length > 1:
        canonical[0] = False
        while length > 1 and p[0] == 0:
            p += 1
            length -= 1
    if length > (bits + 7) >> 3 or (
        length == (bits + 7) >> 3 and bits & 7 and p[0] >> (bits & 7)
    ):
        return False
    for limb in range((bits + 63) >> 6):
        limbs[limb] = 0
    for i in range(length):
        limb = <int>((length - 1 - i) >> 3)
        limbs[limb] = limbs[limb] << 8 | p[i]
    return True


cdef inline void leading_ones(uint64_t* limbs, int bits, int64_t ones) noexcept nogil:
    """The mask of a prefix."""
    cdef int limb
    cdef int64_t low = bits - ones  # bits from here on are set
    for limb in range((bits + 63) >> 6):
        limbs[limb] = 0
        if low <= 64 * limb:
            limbs[limb] = <uint64_t>-1
        elif low < 64 * (limb + 1):
            limbs[limb] = <uint64_t>-1 << (low - 64 * limb)
    if bits & 63:
        limbs[bits >> 6] &= (<uint64_t>1 << (bits & 63)) - 1


cdef inline bint is_zero(const uint64_t* limbs, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        if limbs[i]:
            return False
    return True


cdef inline bint is_subset(const uint64_t* value, const uint64_t* mask, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        if value[i] & ~mask[i]:
            return False
    return True


cdef inline int compare(const uint64_t* one, const uint64_t* other, int n) noexcept nogil:
    cdef int i
    for i in range(n - 1, -1, -1):
        if one[i] != other[i]:
            return 1 if one[i] > other[i] else -1
    return 0


@cython.final
cdef class ActionDecoder:
    """An action of a table: the widths of its parameters, in order of their ids 1, 2, ..."""

    def __init__(self, core_index, widths):
        """``core_index``: the packet path's number of it; ``widths`` in bits."""
        if len(widths) > MAX_FIELDS or any(width > 64 * MAX_LIMBS for width in widths):
            raise ValueError("too many parameters, or too wide ones")
        self.core_index = core_index
        self.n_params = len(widths)
        self.words = 0
        for i, width in enumerate(widths):
            self.bits[i] = width
            self.words += (width + 63) // 64

    cdef bint decode(self, Cursor* c, uint64_t* out, bint* canonical) noexcept:
        """The parameters of an Action message behind its id; False: not simple."""
        cdef int count = 0
        cdef Cursor param
        while c.at < c.end:
            if c.at[0] != 0x22 or count >= self.n_params:  # params = 4
                return False
            c.at += 1
            param = nested(c)
            if param.end - param.at < 4 or param.at[0] != 0x10 or param.at[1] != count + 1:
                return False  # param_id = 2, in order
            param.at += 2
            if param.at[0] != 0x1A:  # value = 3
                return False
            param.at += 1
            if not load(nested(&param), self.bits[count], out, canonical):
                return False
            if param.failed or param.at != param.end:
                return False
            out += (self.bits[count] + 63) >> 6
            count += 1
        return not c.failed and count == self.n_params


@cython.final
cdef class TableDecoder:
    """A table whose entries can be decoded here: field ids are 1, 2, ... in key order."""

    def __init__(self, writer, fields, layout, needs_priority, has_timeout, actions):
        """``fields``: (kind, bits) in key order; ``layout``: the packet path's table_layout;
        ``actions``: P4Info id -> ActionDecoder."""
        places, self.words, self.range_words = layout
        if len(fields) > MAX_FIELDS or any(bits > 64 * MAX_LIMBS for _, bits in fields):
            raise ValueError("too many fields, or too wide ones")
        if any(mask != (1 << bits) - 1 for (_, bits), (_, _, mask) in zip(fields, places)):
            raise ValueError("a field of which some bits never matter")
        self.writer = writer
        self.n_fields = len(fields)
        for i, ((kind, bits), (word, shift, _)) in enumerate(zip(fields, places)):
            self.kinds[i], self.bits[i] = _KINDS[kind], bits
            self.word[i], self.shift[i] = word, shift
        self.needs_priority = needs_priority
        self.has_timeout = has_timeout
        self.actions = actions

    cdef inline void place(
        self, int i, uint64_t* key, const uint64_t* value, const uint64_t* mask
    ) noexcept:
        """Put a field's value and mask where they belong in the packed key."""
        cdef int limbs = (self.bits[i] + 63) >> 6, limb, word = self.word[i]
        if self.kinds[i] == RANGE:  # first and last
            key += 2 * self.words
            memcpy(key + word, value, limbs * 8)
            memcpy(key + self.range_words + word, mask, limbs * 8)
        elif limbs == 1:
            key[word] |= value[0] << self.shift[i]
            key[self.words + word] |= mask[0] << self.shift[i]
        else:
            memcpy(key + word, value, limbs * 8)
            memcpy(key + self.words + word, mask, limbs * 8)

    cdef bint part(self, int i, Cursor match, Record* record, uint64_t* key) noexcept:
        """One field from a FieldMatch behind its id; False: not simple."""
        cdef int kind = self.kinds[i], bits = self.bits[i]
        cdef int limbs = (bits + 63) >> 6
        cdef Cursor inner, text
        cdef uint64_t[MAX_LIMBS] value
        cdef uint64_t[MAX_LIMBS] other
        cdef uint64_t[MAX_LIMBS] full
        cdef int64_t length
        if match.at >= match.end or match.at[0] & 7 != BYTES or match.at[0] > 0x3A:
            return False
        if KIND_OF_NUMBER[match.at[0] >> 3] != kind:
            return False
        match.at += 1
        inner = nested(&match)
        if match.failed or match.at != match.end:
            return False
        if inner.at >= inner.end or inner.at[0] != 0x0A:  # value, low = 1
            return False
        inner.at += 1
        text = nested(&inner)
        if inner.failed or not load(text, bits, value, &record.canonical):
            return False
        if kind == EXACT or kind == OPTIONAL:
            leading_ones(other, bits, bits)
        elif inner.at >= inner.end:
            return False
        elif kind == LPM:
            if inner.at[0] != 0x10:  # prefix_len = 2
                return False
            inner.at += 1
            length = <int64_t>varint(&inner)
            if inner.failed or length <= 0 or length > bits:
                return False
            leading_ones(other, bits, length)
            if not is_subset(value, other, limbs):
                return False
            record.prefix = length
        else:
            if inner.at[0] != 0x12:  # mask, high = 2
                return False
            inner.at += 1
            text = nested(&inner)
            if inner.failed or not load(text, bits, other, &record.canonical):
                return False
            if kind == TERNARY:
                if is_zero(other, limbs) or not is_subset(value, other, limbs):
                    return False
            else:
                leading_ones(full, bits, bits)
                if compare(value, other, limbs) > 0 or (
                    is_zero(value, limbs) and compare(other, full, limbs) == 0
                ):
                    return False
        if inner.at != inner.end:
            return False
        self.place(i, key, value, other)
        return True

    cdef bint absent(self, int i, uint64_t* key) noexcept:
        """The field is left out; False where it must not be."""
        cdef uint64_t[MAX_LIMBS] zeros
        cdef uint64_t[MAX_LIMBS] full
        if self.kinds[i] == EXACT:
            return False
        if self.kinds[i] == RANGE:
            memset(zeros, 0, sizeof(zeros))
            leading_ones(full, self.bits[i], self.bits[i])
            self.place(i, key, zeros, full)
        return True

    cdef bint entry(self, Cursor c, Record* record, Batch batch) except -1:
        """A TableEntry behind its table id; False: not simple."""
        cdef int place = 0
        cdef int tag, last = 1
        cdef Cursor match, action
        cdef ActionDecoder decoder
        cdef uint64_t* key = batch.take(2 * (self.words + self.range_words))
        while c.at < c.end:
            tag = c.at[0]
            c.at += 1
            if tag < last or (tag == last and tag != 0x12):
                return False  # not in order of field numbers, or a field twice
            last = tag
            if tag == 0x12:  # match = 2
                match = nested(&c)
                if c.failed or match.end - match.at < 2 or match.at[0] != 0x08:
                    return False
                if match.at[1] <= place or match.at[1] > self.n_fields:
                    return False  # field_id = 1, ascending
                while place < match.at[1] - 1:
                    if not self.absent(place, key):
                        return False
                    place += 1
                match.at += 2
                if not self.part(place, match, record, key):
                    return False
                place += 1
            elif tag == 0x1A:  # action = 3
                action = nested(&c)
                if c.failed or action.at >= action.end or action.at[0] != 0x0A:
                    return False  # TableAction.action = 1
                action.at += 1
                match = nested(&action)
                if action.failed or action.at != action.end:
                    return False
                if match.at >= match.end or match.at[0] != 0x08:  # action_id = 1
                    return False
                match.at += 1
                decoder = self.actions.get(varint(&match))
                if decoder is None or match.failed:
                    return False
                record.action = <void*>decoder  # the table keeps it alive
                batch.take(decoder.words)
                key = batch.key(record)  # it may have moved
                if not decoder.decode(
                    &match, key + 2 * (self.words + self.range_words), &record.canonical
                ):
                    return False
            elif tag == 0x20:  # priority = 4
                record.priority = <int64_t>varint(&c)
                if record.priority <= 0 or record.priority > 0x7FFFFFFF:
                    return False
            elif tag == 0x28:  # controller_metadata = 5
                record.controller_metadata = varint(&c)
                if record.controller_metadata == 0:
                    return False
            elif tag == 0x48:  # idle_timeout_ns = 9
                record.timeout_ns = <int64_t>varint(&c)
                if record.timeout_ns <= 0 or not self.has_timeout:
                    return False
            elif tag == 0x5A:  # metadata = 11
                record.metadata = nested(&c)
                if c.failed or record.metadata.at == record.metadata.end:
                    return False
            else:
                return False
        if c.failed or (record.priority > 0) != self.needs_priority:
            return False
        while place < self.n_fields:
            if not self.absent(place, key):
                return False
            place += 1
        # What the match engine goes by: the length of a prefix decides in a table without priority.
        record.rank = record.priority if self.needs_priority else record.prefix
        return True


@cython.final
cdef class Batch:
    """The updates of a WriteRequest that :func:`parse_header` accepted, in order.

    It points into the request, which it keeps.
    """

    def __cinit__(self, bytes request not None, dict tables not None):
        """``tables``: table id -> TableDecoder."""
        cdef Cursor c
        cdef Record* record
        cdef int tag
        self.request = request
        c.at = <const uint8_t*>PyBytes_AS_STRING(request)
        c.end = c.at + PyBytes_GET_SIZE(request)
        c.failed = False
        while c.at < c.end:
            tag = c.at[0]
            c.at += 1
            if tag & 7 == VARINT:
                varint(&c)
            elif tag != 0x22:
                nested(&c)
            else:
                record = self.add(nested(&c))
                self.decode(record, tables)

    def __dealloc__(self):
        free(self.records)
        free(self.words)

    def __len__(self):
        return self.count

    cdef Record* add(self, Cursor raw) except NULL:
        cdef Record* moved
        cdef size_t room
        if self.count == self.room:
            room = max(64, 2 * self.room)
            moved = <Record*>realloc(self.records, room * sizeof(Record))
            if moved == NULL:
                raise MemoryError("no memory for the updates of a request")
            self.records, self.room = moved, room
        self.count += 1
        memset(&self.records[self.count - 1], 0, sizeof(Record))
        self.records[self.count - 1].raw = raw
        self.records[self.count - 1].words = self.used
        self.records[self.count - 1].canonical = True
        return &self.records[self.count - 1]

    cdef uint64_t* take(self, size_t words) except NULL:
        """So many more words, zero, for the last record."""
        cdef uint64_t* moved
        cdef size_t room
        if self.used + words > self.words_room:
            room = max(self.used + words, max(<size_t>1024, 2 * self.words_room))
            moved = <uint64_t*>realloc(self.words, room * 8)
            if moved == NULL:
                raise MemoryError("no memory for the updates of a request")
            self.words, self.words_room = moved, room
        memset(self.words + self.used, 0, words * 8)
        self.used += words
        return self.words + self.used - words

    cdef uint64_t* key(self, const Record* record) noexcept:
        """A simple update's key, packed, and behind it the action's parameters."""
        return self.words + record.words

    cdef bytes raw(self, const Record* record):
        """The Update's bytes."""
        return taken(record.raw.at, record.raw.end)

    cdef int decode(self, Record* record, dict tables) except -1:
        """Fill in a record when it is an update of a simple table entry."""
        cdef Cursor c = record.raw
        cdef Cursor entity, entry
        cdef TableDecoder table
        if c.end - c.at < 4 or c.at[0] != 0x08 or c.at[1] < 1 or c.at[1] > 3:  # type = 1
            return 0
        record.kind = c.at[1]
        if c.at[2] != 0x12:  # entity = 2
            return 0
        c.at += 3
        entity = nested(&c)
        if c.failed or c.at != c.end or entity.at >= entity.end or entity.at[0] != 0x12:
            return 0  # table_entry = 2
        entity.at += 1
        entry = nested(&entity)
        if entity.failed or entity.at != entity.end:
            return 0
        record.wire = entry
        if entry.at >= entry.end or entry.at[0] != 0x08:  # table_id = 1
            return 0
        entry.at += 1
        table = tables.get(varint(&entry))
        if table is None or entry.failed:
            return 0
        if table.entry(entry, record, self):
            record.table = <void*>table
        return 0


# ---- what is read back ----

cdef inline bytes taken(const uint8_t* start, const uint8_t* end):
    return PyBytes_FromStringAndSize(<const char*>start, end - start)


cdef bytes field(int tag, bytes content):
    """A length-delimited field."""
    cdef uint8_t[10] size
    cdef uint8_t* end = put_varint(size, <uint64_t>len(content))
    return bytes((tag,)) + taken(size, end) + content


cdef bytes short_value(Cursor* c):
    """The byte string field at the cursor, which moves behind it, without leading zeros."""
    cdef int tag = c.at[0]
    cdef Cursor text
    c.at += 1
    text = nested(c)
    while text.end - text.at > 1 and text.at[0] == 0:
        text.at += 1
    return field(tag, taken(text.at, text.end))


cdef bytes short_match(Cursor c):
    """A FieldMatch with canonical byte strings."""
    cdef const uint8_t* start = c.at
    cdef int kind
    cdef Cursor inner
    cdef bytes values
    c.at += 2  # the field's id
    kind = c.at[0]
    c.at += 1
    inner = nested(&c)
    values = short_value(&inner)
    if kind == 0x22:  # lpm = 4: the prefix length
        values += taken(inner.at, inner.end)
    elif inner.at < inner.end:
        values += short_value(&inner)
    return taken(start, start + 2) + field(kind, values)


cdef bytes short_action(Cursor c):
    """A TableAction with canonical byte strings."""
    cdef const uint8_t* start
    cdef Cursor action, param
    cdef bytes out
    c.at += 1
    action = nested(&c)
    start = action.at
    action.at += 1
    varint(&action)
    out = taken(start, action.at)  # action_id
    while action.at < action.end:
        action.at += 1
        param = nested(&action)
        param.at += 2
        out += field(0x22, taken(param.at - 2, param.at) + short_value(&param))
    return field(0x0A, out)


cdef bytes wire_of(const Record* record):
    """The TableEntry of a simple update as it is read back, with canonical byte strings."""
    cdef Cursor c = record.wire
    cdef const uint8_t* start
    cdef int tag
    cdef list out
    if record.canonical:
        return taken(c.at, c.end)
    out = []
    while c.at < c.end:
        start = c.at
        tag = c.at[0]
        c.at += 1
        if tag == 0x12:
            out.append(field(tag, short_match(nested(&c))))
        elif tag == 0x1A:
            out.append(field(tag, short_action(nested(&c))))
        else:
            if tag & 7 == VARINT:
                varint(&c)
            else:
                nested(&c)
            out.append(taken(start, c.at))
    return b"".join(out)


def parse_header(bytes request not None):
    """(device id, role, election id or None, atomicity) of a WriteRequest.

    None when anything but these and updates is in it, or it is malformed.
    """
    cdef Cursor c, inner
    cdef int tag
    cdef int seen = 0
    cdef uint64_t device_id = 0, high = 0, low = 0, atomicity = 0
    cdef bint has_election = False
    cdef str role = ""
    c.at = <const uint8_t*>PyBytes_AS_STRING(request)
    c.end = c.at + PyBytes_GET_SIZE(request)
    c.failed = False
    while c.at < c.end:
        tag = c.at[0]
        c.at += 1
        if tag == 0x22:  # updates = 4
            nested(&c)
        elif tag > 0x32 or seen & (1 << (tag >> 3)):
            return None
        elif tag == 0x08:
            device_id = varint(&c)
        elif tag == 0x1A:
            inner = nested(&c)
            has_election = True
            if not c.failed and inner.at < inner.end and inner.at[0] == 0x08:
                inner.at += 1
                high = varint(&inner)
            if not inner.failed and inner.at < inner.end and inner.at[0] == 0x10:
                inner.at += 1
                low = varint(&inner)
            if inner.failed or inner.at != inner.end:
                return None
        elif tag == 0x28:
            atomicity = varint(&c)
        elif tag == 0x32:
            inner = nested(&c)
            if c.failed:
                return None
            role = (<bytes>PyBytes_FromStringAndSize(
                <const char*>inner.at, inner.end - inner.at
            )).decode("utf-8", "replace")
        else:
            return None
        if tag != 0x22:
            seen |= 1 << (tag >> 3)
        if c.failed:
            return None
    election_id = (<object>high << 64) | <object>low if has_election else None
    return device_id, role, election_id, atomicity


def frame_entries(list entries not None, Py_ssize_t limit):
    """Serialized ReadResponse messages of at most about ``limit`` bytes with these TableEntry
    messages (bytes), in order."""
    cdef list responses = []
    cdef Py_ssize_t first = 0, last, total, size, n = len(entries)
    cdef bytes entry, response
    cdef uint8_t* out
    while first < n:
        total = 0
        last = first
        while last < n and total < limit:
            size = len(<bytes>entries[last])
            size += 1 + varint_size(size)
            total += size + 1 + varint_size(size)
            last += 1
        response = PyBytes_FromStringAndSize(NULL, total)
        out = <uint8_t*>PyBytes_AS_STRING(response)
        while first < last:
            entry = <bytes>entries[first]
            size = PyBytes_GET_SIZE(entry)
            out[0] = 0x0A  # ReadResponse.entities = 1
            out = put_varint(out + 1, size + 1 + varint_size(size))
            out[0] = 0x12  # Entity.table_entry = 2
            out = put_varint(out + 1, size)
            memcpy(out, PyBytes_AS_STRING(entry), size)
            out += size
            first += 1
        responses.append(response)
    return responses
