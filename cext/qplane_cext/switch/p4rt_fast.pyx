"""The common P4Runtime Write straight from the wire: table entries with plain actions.

Whatever is not exactly that (another entity, an unusual field, a value out of range, anything
malformed) is handed back as it came, for the general path to judge. So this module never decides
on an error, and a mistake here can only be one of values, which tests hold against the general
path. Field numbers are those of ``p4/v1/p4runtime.proto``.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef enum:
    EXACT = 0
    LPM = 1
    TERNARY = 2
    RANGE = 3
    OPTIONAL = 4

cdef int VARINT = 0
cdef int BYTES = 2

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


cdef bytes widened(Cursor text, int bits, bint* canonical):
    """A byte string in ceil(bits / 8) bytes; None when it is empty or does not fit."""
    cdef Py_ssize_t width = (bits + 7) >> 3
    cdef const uint8_t* p = text.at
    cdef Py_ssize_t length = text.end - text.at
    cdef bytes out
    cdef char* buffer
    if length == 0:
        return None
    if p[0] == 0 and length > 1:
        canonical[0] = False
        while length > 1 and p[0] == 0:
            p += 1
            length -= 1
    if length > width or (length == width and bits & 7 and p[0] >> (bits & 7)):
        return None
    out = PyBytes_FromStringAndSize(NULL, width)
    buffer = PyBytes_AS_STRING(out)
    memset(buffer, 0, width - length)
    memcpy(buffer + width - length, p, length)
    return out


cdef bint is_subset(bytes value, bytes mask) noexcept:
    cdef const uint8_t* v = <const uint8_t*>PyBytes_AS_STRING(value)
    cdef const uint8_t* m = <const uint8_t*>PyBytes_AS_STRING(mask)
    cdef Py_ssize_t i
    for i in range(PyBytes_GET_SIZE(value)):
        if v[i] & ~m[i]:
            return False
    return True


cdef bint is_all(bytes value, uint8_t byte) noexcept:
    cdef const uint8_t* v = <const uint8_t*>PyBytes_AS_STRING(value)
    cdef Py_ssize_t i
    for i in range(PyBytes_GET_SIZE(value)):
        if v[i] != byte:
            return False
    return True


cdef bint clear_beyond(bytes value, int bits, int length) noexcept:
    """Whether all bits after the first ``length`` of a ``bits`` wide value are zero."""
    cdef const uint8_t* v = <const uint8_t*>PyBytes_AS_STRING(value)
    cdef Py_ssize_t last = PyBytes_GET_SIZE(value) - 1
    cdef int spare = bits - length
    while spare >= 8:
        if v[last]:
            return False
        last -= 1
        spare -= 8
    return spare == 0 or not v[last] & ((1 << spare) - 1)


@cython.final
cdef class ActionDecoder:
    """An action of a table: the widths of its parameters, in order of their ids 1, 2, ..."""

    def __init__(self, ref, widths):
        if len(widths) > MAX_FIELDS:
            raise ValueError("too many parameters")
        self.ref, self.core_id = ref, ref.core_id
        self.n_params = len(widths)
        for i, width in enumerate(widths):
            self.bits[i] = width

    cdef tuple decode(self, Cursor* c, bint* canonical):
        """The parameters of an Action message behind its id; None: not simple."""
        cdef int count = 0
        cdef Cursor param
        cdef bytes value
        cdef list values = []
        while c.at < c.end:
            if c.at[0] != 0x22 or count >= self.n_params:  # params = 4
                return None
            c.at += 1
            param = nested(c)
            if param.end - param.at < 4 or param.at[0] != 0x10 or param.at[1] != count + 1:
                return None  # param_id = 2, in order
            param.at += 2
            if param.at[0] != 0x1A:  # value = 3
                return None
            param.at += 1
            value = widened(nested(&param), self.bits[count], canonical)
            if value is None or param.failed or param.at != param.end:
                return None
            values.append(value)
            count += 1
        if c.failed or count != self.n_params:
            return None
        return tuple(values)


@cython.final
cdef class TableDecoder:
    """A table whose entries can be decoded here: field ids are 1, 2, ... in key order."""

    cdef readonly object store
    cdef int n_fields
    cdef int[MAX_FIELDS] kinds
    cdef int[MAX_FIELDS] bits
    cdef list full  # all ones, per field
    cdef bint needs_priority
    cdef bint has_timeout
    cdef dict actions

    def __init__(self, store, fields, needs_priority, has_timeout, actions):
        """``fields``: (kind, bits) in key order; ``actions``: P4Info id -> ActionDecoder."""
        if len(fields) > MAX_FIELDS:
            raise ValueError("too many fields")
        self.store = store
        self.n_fields = len(fields)
        self.full = []
        for i, (kind, bits) in enumerate(fields):
            self.kinds[i] = _KINDS[kind]
            self.bits[i] = bits
            self.full.append(((1 << bits) - 1).to_bytes((bits + 7) // 8, "big"))
        self.needs_priority = needs_priority
        self.has_timeout = has_timeout
        self.actions = actions

    cdef object part(self, int place, Cursor match, bint* canonical):
        """One key part from a FieldMatch behind its field id; None: not simple."""
        cdef int kind = self.kinds[place]
        cdef int bits = self.bits[place]
        cdef int number
        cdef Cursor inner, first, second
        cdef bytes value, other
        cdef int64_t length
        if match.at >= match.end or match.at[0] & 7 != BYTES or match.at[0] > 0x3A:
            return None
        number = match.at[0] >> 3
        match.at += 1
        if KIND_OF_NUMBER[number] != kind:
            return None
        inner = nested(&match)
        if match.failed or match.at != match.end:
            return None
        if inner.at >= inner.end or inner.at[0] != 0x0A:  # value, low = 1
            return None
        inner.at += 1
        first = nested(&inner)
        if inner.failed:
            return None
        value = widened(first, bits, canonical)
        if value is None:
            return None
        if kind == EXACT or kind == OPTIONAL:
            if inner.at != inner.end:
                return None
            return value if kind == EXACT else (value, self.full[place])
        if inner.at >= inner.end:
            return None
        if kind == LPM:
            if inner.at[0] != 0x10:  # prefix_len = 2
                return None
            inner.at += 1
            length = <int64_t>varint(&inner)
            if inner.failed or inner.at != inner.end or length <= 0 or length > bits:
                return None
            if not clear_beyond(value, bits, <int>length):
                return None
            return value, length
        if inner.at[0] != 0x12:  # mask, high = 2
            return None
        inner.at += 1
        second = nested(&inner)
        if inner.failed or inner.at != inner.end:
            return None
        other = widened(second, bits, canonical)
        if other is None:
            return None
        if kind == TERNARY:
            if is_all(other, 0) or not is_subset(value, other):
                return None
        elif value > other or (is_all(value, 0) and other == self.full[place]):
            return None
        return value, other

    cdef object absent(self, int place):
        """The key part of a field that is left out; None where it must not be."""
        cdef int kind = self.kinds[place]
        cdef bytes zeros
        if kind == EXACT:
            return None
        zeros = bytes(len(self.full[place]))
        if kind == LPM:
            return zeros, 0
        return zeros, (self.full[place] if kind == RANGE else zeros)

    cdef object entry(self, int update, Cursor c, const uint8_t* whole, bytes raw):
        """A TableEntry behind its table id; None: not simple."""
        cdef list key = []
        cdef int place = 0
        cdef int tag, last = 1
        cdef bint canonical = True
        cdef Cursor match, action
        cdef ActionDecoder decoder = None
        cdef tuple params = None
        cdef object found
        cdef int64_t priority = 0, timeout = 0
        cdef uint64_t controller_metadata = 0
        cdef bytes metadata = b""
        cdef const uint8_t* end = c.end
        while c.at < c.end:
            tag = c.at[0]
            c.at += 1
            if tag < last or (tag == last and tag != 0x12):
                return None  # not in order of field numbers, or a field twice
            last = tag
            if tag == 0x12:  # match = 2
                match = nested(&c)
                if c.failed or match.end - match.at < 2 or match.at[0] != 0x08:
                    return None
                if match.at[1] <= place or match.at[1] > self.n_fields:
                    return None  # field_id = 1, ascending
                while place < match.at[1] - 1:
                    found = self.absent(place)
                    if found is None:
                        return None
                    key.append(found)
                    place += 1
                match.at += 2
                found = self.part(place, match, &canonical)
                if found is None:
                    return None
                key.append(found)
                place += 1
            elif tag == 0x1A:  # action = 3
                action = nested(&c)
                if c.failed or action.at >= action.end or action.at[0] != 0x0A:
                    return None  # TableAction.action = 1
                action.at += 1
                match = nested(&action)
                if action.failed or action.at != action.end:
                    return None
                if match.at >= match.end or match.at[0] != 0x08:  # action_id = 1
                    return None
                match.at += 1
                decoder = self.actions.get(varint(&match))
                if decoder is None or match.failed:
                    return None
                params = decoder.decode(&match, &canonical)
                if params is None:
                    return None
            elif tag == 0x20:  # priority = 4
                priority = <int64_t>varint(&c)
                if priority <= 0 or priority > 0x7FFFFFFF:
                    return None
            elif tag == 0x28:  # controller_metadata = 5
                controller_metadata = varint(&c)
                if controller_metadata == 0:
                    return None
            elif tag == 0x48:  # idle_timeout_ns = 9
                timeout = <int64_t>varint(&c)
                if timeout <= 0 or not self.has_timeout:
                    return None
            elif tag == 0x5A:  # metadata = 11
                match = nested(&c)
                if c.failed or match.at == match.end:
                    return None
                metadata = PyBytes_FromStringAndSize(<const char*>match.at, match.end - match.at)
            else:
                return None
        if c.failed or (priority > 0) != self.needs_priority:
            return None
        while place < self.n_fields:
            found = self.absent(place)
            if found is None:
                return None
            key.append(found)
            place += 1
        return (
            update, self.store, (tuple(key), priority), decoder,
            params, metadata, controller_metadata, timeout,
            PyBytes_FromStringAndSize(<const char*>whole, end - whole) if canonical else None,
            raw,
        )


cdef object decode_update(Cursor c, dict tables, bytes raw):
    """A simple table entry update as a tuple; its own bytes when it is not one."""
    cdef int kind
    cdef Cursor entity, entry
    cdef const uint8_t* whole
    cdef TableDecoder table
    cdef object found
    if c.end - c.at < 4 or c.at[0] != 0x08 or c.at[1] < 1 or c.at[1] > 3:  # type = 1
        return raw
    kind = c.at[1]
    if c.at[2] != 0x12:  # entity = 2
        return raw
    c.at += 3
    entity = nested(&c)
    if c.failed or c.at != c.end or entity.at >= entity.end or entity.at[0] != 0x12:
        return raw  # table_entry = 2
    entity.at += 1
    entry = nested(&entity)
    if entity.failed or entity.at != entity.end:
        return raw
    whole = entry.at
    if entry.at >= entry.end or entry.at[0] != 0x08:  # table_id = 1
        return raw
    entry.at += 1
    table = tables.get(varint(&entry))
    if table is None or entry.failed:
        return raw
    found = table.entry(kind, entry, whole, raw)
    return raw if found is None else found


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


def decode_updates(bytes request not None, dict tables not None):
    """The updates of a WriteRequest that :func:`parse_header` accepted, in order.

    Each is (type, store, (key, priority), action ref or None, parameters or None, metadata,
    controller metadata, idle time-out, canonical TableEntry bytes or None, the Update's bytes), or
    just the Update's bytes when it is for none of ``tables`` (table id -> TableDecoder) or not
    simple.
    """
    cdef Cursor c, update
    cdef list updates = []
    cdef bytes raw
    cdef int tag
    c.at = <const uint8_t*>PyBytes_AS_STRING(request)
    c.end = c.at + PyBytes_GET_SIZE(request)
    c.failed = False
    while c.at < c.end:
        tag = c.at[0]
        c.at += 1
        if tag & 7 == VARINT:
            varint(&c)
            continue
        update = nested(&c)
        if tag != 0x22:
            continue
        raw = PyBytes_FromStringAndSize(<const char*>update.at, update.end - update.at)
        updates.append(decode_update(update, tables, raw))
    return updates


cdef inline int varint_size(uint64_t value) noexcept nogil:
    cdef int size = 1
    while value > 0x7F:
        value >>= 7
        size += 1
    return size


cdef inline char* put_varint(char* out, uint64_t value) noexcept nogil:
    while value > 0x7F:
        out[0] = <char>(value & 0x7F | 0x80)
        out += 1
        value >>= 7
    out[0] = <char>value
    return out + 1


def frame_entries(list entries not None, Py_ssize_t limit):
    """Serialized ReadResponse messages of at most about ``limit`` bytes with these TableEntry
    messages (bytes), in order."""
    cdef list responses = []
    cdef Py_ssize_t first = 0, last, total, size, n = len(entries)
    cdef bytes entry, response
    cdef char* out
    while first < n:
        total = 0
        last = first
        while last < n and total < limit:
            size = len(<bytes>entries[last])
            size += 1 + varint_size(size)
            total += size + 1 + varint_size(size)
            last += 1
        response = PyBytes_FromStringAndSize(NULL, total)
        out = PyBytes_AS_STRING(response)
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
