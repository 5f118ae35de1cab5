"""Inline operations on headers in the word file: extract, pack, copy, stacks, unions."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from qplane_cext.switch.program cimport Group, Header, Pack, Piece, Prog
from qplane_cext.switch.wide cimport get_bits, load_be, put_bits, sign_extend, store_be


cdef inline uint64_t varbit_bytes(const uint64_t* F, const Header* h) noexcept nogil:
    return F[h.slot + h.varbit] >> 3 if h.varbit >= 0 else 0


cdef inline uint64_t header_bytes(const uint64_t* F, const Header* h) noexcept nogil:
    return h.n_bytes + varbit_bytes(F, h)


cdef inline void make_valid(const Prog* prog, uint64_t* F, int header) noexcept nogil:
    cdef const Header* h = &prog.headers[header]
    cdef const Group* union_
    cdef int i
    F[header] = 1
    if h.union_id >= 0:
        union_ = &prog.unions[h.union_id]
        for i in range(union_.count):
            if prog.members[union_.first + i] != header:
                F[prog.members[union_.first + i]] = 0


cdef inline void extract_pieces(
    uint64_t* fields, const Piece* piece, int count, const uint8_t* data
) noexcept nogil:
    """Unpack a header from bytes; eight bytes beyond its end must be readable."""
    cdef uint64_t value
    cdef const Piece* end = piece + count
    while piece < end:
        value = load_be(data + piece.byte)
        if not piece.long_piece:
            value = (value >> piece.shift) & piece.mask
        else:
            value = (value << piece.shift) | (data[piece.byte + 8] >> (8 - piece.shift))
            value = value >> (64 - piece.bits)
        if piece.is_signed:
            value = sign_extend(value, piece.bits)
        fields[piece.slot] = value
        piece += 1


cdef inline void extract_varbit(
    const Prog* prog, uint64_t* F, const Header* h, const uint8_t* data, uint64_t bits
) noexcept nogil:
    """Unpack a header whose varbit has that many bits (a multiple of 8, and room for them)."""
    cdef const Piece* pieces = &prog.pieces[h.first_piece]
    cdef uint64_t* fields = F + h.slot
    cdef uint8_t* body = <uint8_t*>(fields + h.varbit + 1)
    cdef uint64_t at = h.bits_before, i
    cdef int j
    for j in range(h.before_varbit):
        fields[pieces[j].slot] = get_bits(data, pieces[j].position, pieces[j].bits)
    fields[h.varbit] = bits
    for i in range(bits >> 3):
        body[i] = <uint8_t>get_bits(data, at + 8 * i, 8)
    at += bits
    for j in range(h.before_varbit, h.n_pieces):
        fields[pieces[j].slot] = get_bits(data, at + pieces[j].position, pieces[j].bits)
    for j in range(h.n_pieces):
        if pieces[j].is_signed:
            fields[pieces[j].slot] = sign_extend(fields[pieces[j].slot], pieces[j].bits)


cdef inline uint64_t pack_header(
    const Prog* prog, const uint64_t* F, const Header* h, uint8_t* out
) noexcept nogil:
    """Write a header; up to seven bytes behind it are overwritten. Returns its length."""
    cdef const uint64_t* fields = F + h.slot
    cdef const Pack* pack
    cdef const Pack* end
    cdef const Piece* pieces
    cdef const uint8_t* body
    cdef uint64_t word = 0, length, at
    cdef uint8_t* start = out
    cdef int j
    if h.varbit < 0:
        pack = &prog.packs[h.first_pack]
        end = pack + h.n_packs
        while pack < end:
            if pack.shift >= 0:
                word |= (fields[pack.slot] & pack.mask) << pack.shift
            else:
                word |= (fields[pack.slot] & pack.mask) >> (-pack.shift)
            if pack.flush:
                store_be(out, word)
                out += pack.flush
                word = 0
            pack += 1
        return out - start
    pieces = &prog.pieces[h.first_piece]
    body = <const uint8_t*>(fields + h.varbit + 1)
    length = header_bytes(F, h)
    memset(out, 0, length)
    for j in range(h.before_varbit):
        put_bits(out, pieces[j].position, pieces[j].bits, fields[pieces[j].slot])
    at = h.bits_before
    for j in range(<int>(fields[h.varbit] >> 3)):
        put_bits(out, at + 8 * <uint64_t>j, 8, body[j])
    at += fields[h.varbit]
    for j in range(h.before_varbit, h.n_pieces):
        put_bits(out, at + pieces[j].position, pieces[j].bits, fields[pieces[j].slot])
    return length


cdef inline void copy_header(const Prog* prog, uint64_t* F, int d, int a) noexcept nogil:
    """BMv2's assign_header: an invalid source makes the destination invalid."""
    if not F[a] and not prog.headers[a].metadata:
        F[d] = 0
        return
    make_valid(prog, F, d)
    if d != a:
        memcpy(F + prog.headers[d].slot, F + prog.headers[a].slot, prog.headers[d].words * 8)


cdef inline bint same_varbit(const uint64_t* a, const uint64_t* b) noexcept nogil:
    """Whether two varbits (length word first) are the same number, as BMv2 compares them."""
    cdef const uint8_t* x = <const uint8_t*>(a + 1)
    cdef const uint8_t* y = <const uint8_t*>(b + 1)
    cdef uint64_t m = a[0] >> 3, n = b[0] >> 3
    while m > n and x[0] == 0:
        x += 1
        m -= 1
    while n > m and y[0] == 0:
        y += 1
        n -= 1
    return m == n and memcmp(x, y, m) == 0


cdef inline bint same_header(const Prog* prog, const uint64_t* F, int a, int b) noexcept nogil:
    """Both valid and all fields equal."""
    cdef const Header* x = &prog.headers[a]
    cdef const Header* y = &prog.headers[b]
    if x.type != y.type or not (F[a] or x.metadata) or not (F[b] or y.metadata):
        return False
    if x.varbit < 0:
        return memcmp(F + x.slot, F + y.slot, x.words * 8) == 0
    if memcmp(F + x.slot, F + y.slot, x.varbit * 8):
        return False
    if not same_varbit(F + x.slot + x.varbit, F + y.slot + y.varbit):
        return False
    return memcmp(
        F + x.slot + x.after_varbit, F + y.slot + y.after_varbit, (x.words - x.after_varbit) * 8
    ) == 0


cdef inline int valid_member(const Prog* prog, const uint64_t* F, int number) noexcept nogil:
    """The valid header of a union, or -1."""
    cdef const Group* union_ = &prog.unions[number]
    cdef int i
    for i in range(union_.count):
        if F[prog.members[union_.first + i]]:
            return prog.members[union_.first + i]
    return -1


cdef inline bint same_union(const Prog* prog, const uint64_t* F, int a, int b) noexcept nogil:
    cdef const Group* x = &prog.unions[a]
    cdef const Group* y = &prog.unions[b]
    cdef int i
    for i in range(x.count):
        if F[prog.members[x.first + i]]:
            return i < y.count and same_header(
                prog, F, prog.members[x.first + i], prog.members[y.first + i]
            )
    return False


cdef inline void copy_union(const Prog* prog, uint64_t* F, int d, int a) noexcept nogil:
    cdef const Group* to = &prog.unions[d]
    cdef const Group* source = &prog.unions[a]
    cdef int valid = valid_member(prog, F, a), i
    if d == a:
        return
    for i in range(to.count):
        F[prog.members[to.first + i]] = 0
    for i in range(to.count):
        if prog.members[source.first + i] == valid:
            copy_header(prog, F, prog.members[to.first + i], valid)


cdef inline void swap_headers(const Prog* prog, uint64_t* F, int d, int a) noexcept nogil:
    """Exchange two elements of a stack, validity and all."""
    cdef uint64_t* x = F + prog.headers[d].slot
    cdef uint64_t* y = F + prog.headers[a].slot
    cdef int i
    F[d], F[a] = F[a], F[d]
    for i in range(prog.headers[d].words):
        x[i], y[i] = y[i], x[i]


cdef inline void zero_fields(uint64_t* F, const Header* h) noexcept nogil:
    """All fields zero; a varbit keeps its length, as in BMv2."""
    cdef uint64_t length = varbit_bytes(F, h) << 3
    memset(F + h.slot, 0, h.words * 8)
    if h.varbit >= 0:
        F[h.slot + h.varbit] = length


cdef inline void clear_header(const Prog* prog, uint64_t* F, int header) noexcept nogil:
    F[header] = 0
    memset(F + prog.headers[header].slot, 0, prog.headers[header].words * 8)


cdef inline void shift_stack(
    const Prog* prog, uint64_t* F, const Group* stack, uint64_t by, bint push
) noexcept nogil:
    """push_front or pop_front of P4_16 on a stack of headers, by exchanges as BMv2 does it: what
    the elements that become invalid hold shows when they are read."""
    cdef int count = stack.count, i
    cdef const int32_t* element = prog.members + stack.first
    cdef uint64_t next = F[stack.next_slot]
    cdef int n = count if by > <uint64_t>count else <int>by
    if push:
        for i in range(count - 1, n - 1, -1):
            swap_headers(prog, F, element[i], element[i - n])
        for i in range(n):
            F[element[i]] = 0
        F[stack.next_slot] = count if next + n > <uint64_t>count else next + n
    else:
        for i in range(count - n):
            swap_headers(prog, F, element[i], element[i + n])
        for i in range(count - n, count):
            F[element[i]] = 0
        F[stack.next_slot] = 0 if next < <uint64_t>n else next - n


cdef inline void swap_unions(const Prog* prog, uint64_t* F, int d, int a) noexcept nogil:
    cdef int i
    for i in range(prog.unions[d].count):
        swap_headers(
            prog, F, prog.members[prog.unions[d].first + i], prog.members[prog.unions[a].first + i]
        )


cdef inline void clear_union(const Prog* prog, uint64_t* F, int number) noexcept nogil:
    cdef int i
    for i in range(prog.unions[number].count):
        clear_header(prog, F, prog.members[prog.unions[number].first + i])


cdef inline void shift_union_stack(
    const Prog* prog, uint64_t* F, const Group* stack, uint64_t by, bint push
) noexcept nogil:
    """The same on a stack of unions, of which BMv2 makes none invalid: they come in again at the
    other end."""
    cdef int count = stack.count, i
    cdef const int32_t* element = prog.members + stack.first
    cdef uint64_t next = F[stack.next_slot]
    cdef int n = count if by > <uint64_t>count else <int>by
    if push:
        for i in range(count - 1, n - 1, -1):
            swap_unions(prog, F, element[i], element[i - n])
        F[stack.next_slot] = count if next + n > <uint64_t>count else next + n
    else:
        for i in range(count - n):
            swap_unions(prog, F, element[i], element[i + n])
        F[stack.next_slot] = 0 if next < <uint64_t>n else next - n
