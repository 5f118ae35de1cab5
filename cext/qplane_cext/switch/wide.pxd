"""Inline arithmetic on words and on n limbs (little-endian uint64, two's complement)."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    typedef unsigned __int128 qp_u128;
    static inline uint64_t qp_load_be(const uint8_t* p) {
        uint64_t v; __builtin_memcpy(&v, p, 8); return __builtin_bswap64(v);
    }
    static inline void qp_store_be(uint8_t* p, uint64_t v) {
        v = __builtin_bswap64(v); __builtin_memcpy(p, &v, 8);
    }
    """
    ctypedef unsigned long long qp_u128
    uint64_t load_be "qp_load_be"(const uint8_t* p) noexcept nogil
    void store_be "qp_store_be"(uint8_t* p, uint64_t v) noexcept nogil


cdef inline uint64_t low_mask(int bits) noexcept nogil:
    return (<uint64_t>-1) if bits >= 64 else ((<uint64_t>1) << bits) - 1


cdef inline uint64_t sign_extend(uint64_t value, int bits) noexcept nogil:
    if bits >= 64 or bits <= 0:
        return value
    return <uint64_t>((<int64_t>(value << (64 - bits))) >> (64 - bits))


cdef inline uint64_t get_bits(const uint8_t* data, uint64_t position, int bits) noexcept nogil:
    """Up to 64 bits at a bit position; reads only the bytes that hold them."""
    cdef uint64_t value = 0
    cdef uint64_t byte = position >> 3
    cdef int skip = <int>(position & 7)
    cdef int got
    if bits <= 0:
        return 0
    got = 8 - skip
    value = data[byte] & (0xFF >> skip)
    if got >= bits:
        return value >> (got - bits)
    while got + 8 <= bits:
        byte += 1
        value = (value << 8) | data[byte]
        got += 8
    if got < bits:
        byte += 1
        value = (value << (bits - got)) | (data[byte] >> (8 - (bits - got)))
    return value


cdef inline void put_bits(
    uint8_t* data, uint64_t position, int bits, uint64_t value
) noexcept nogil:
    """OR up to 64 bits in at a bit position of a zeroed buffer."""
    cdef uint64_t byte = position >> 3
    cdef int room = 8 - <int>(position & 7)
    while bits > 0:
        if bits <= room:
            data[byte] |= <uint8_t>((value & low_mask(bits)) << (room - bits))
            return
        data[byte] |= <uint8_t>((value >> (bits - room)) & low_mask(room))
        bits -= room
        room = 8
        byte += 1


cdef inline bint is_negative(const uint64_t* a, int n) noexcept nogil:
    return a[n - 1] >> 63 != 0


cdef inline void wide_extend(
    uint64_t* d, int n, const uint64_t* a, int m, bint is_signed
) noexcept nogil:
    cdef uint64_t fill = 0
    cdef int i
    if is_signed and is_negative(a, m):
        fill = <uint64_t>-1
    for i in range(n):
        d[i] = a[i] if i < m else fill


cdef inline void wide_add(uint64_t* d, const uint64_t* a, const uint64_t* b, int n) noexcept nogil:
    cdef qp_u128 sum = 0
    cdef int i
    for i in range(n):
        sum = sum + <qp_u128>a[i] + b[i]
        d[i] = <uint64_t>sum
        sum = sum >> 64


cdef inline void wide_sub(uint64_t* d, const uint64_t* a, const uint64_t* b, int n) noexcept nogil:
    cdef uint64_t borrow = 0, x, y
    cdef int i
    for i in range(n):
        x = a[i]
        y = b[i]
        d[i] = x - y - borrow
        borrow = 1 if x < y or (x == y and borrow) else 0


cdef inline void wide_mul(uint64_t* d, const uint64_t* a, const uint64_t* b, int n) noexcept nogil:
    """Low n limbs of the product; d must be neither a nor b."""
    cdef qp_u128 carry
    cdef int i, j
    memset(d, 0, n * 8)
    for i in range(n):
        carry = 0
        for j in range(n - i):
            carry = carry + <qp_u128>a[i] * b[j] + d[i + j]
            d[i + j] = <uint64_t>carry
            carry = carry >> 64


cdef inline void wide_shl(uint64_t* d, const uint64_t* a, uint64_t by, int n) noexcept nogil:
    cdef int limb, bit, i
    if by >= <uint64_t>n * 64:
        memset(d, 0, n * 8)
        return
    limb = <int>(by >> 6)
    bit = <int>(by & 63)
    for i in range(n - 1, -1, -1):
        if i < limb:
            d[i] = 0
        elif bit == 0:
            d[i] = a[i - limb]
        else:
            d[i] = a[i - limb] << bit
            if i > limb:
                d[i] |= a[i - limb - 1] >> (64 - bit)


cdef inline void wide_sar(uint64_t* d, const uint64_t* a, uint64_t by, int n) noexcept nogil:
    cdef uint64_t fill = (<uint64_t>-1) if is_negative(a, n) else 0
    cdef uint64_t low, high
    cdef int limb, bit, i
    if by >= <uint64_t>n * 64:
        for i in range(n):
            d[i] = fill
        return
    limb = <int>(by >> 6)
    bit = <int>(by & 63)
    for i in range(n):
        low = a[i + limb] if i + limb < n else fill
        high = a[i + limb + 1] if i + limb + 1 < n else fill
        d[i] = low if bit == 0 else (low >> bit) | (high << (64 - bit))


cdef inline int wide_compare(const uint64_t* a, const uint64_t* b, int n) noexcept nogil:
    """-1, 0 or 1, signed."""
    cdef int i
    if a[n - 1] != b[n - 1]:
        return -1 if <int64_t>a[n - 1] < <int64_t>b[n - 1] else 1
    for i in range(n - 2, -1, -1):
        if a[i] != b[i]:
            return -1 if a[i] < b[i] else 1
    return 0


cdef inline bint wide_equal(const uint64_t* a, const uint64_t* b, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        if a[i] != b[i]:
            return False
    return True


cdef inline void wide_keep(
    uint64_t* d, const uint64_t* a, int bits, int n, bint is_signed
) noexcept nogil:
    """The low `bits` bits of a, extended to n limbs."""
    cdef int full = bits >> 6, rest = bits & 63, i
    cdef uint64_t fill = 0
    if is_signed and bits > 0 and (a[(bits - 1) >> 6] >> ((bits - 1) & 63)) & 1:
        fill = <uint64_t>-1
    for i in range(n):
        if i < full:
            d[i] = a[i]
        elif i == full and rest:
            d[i] = (a[i] & low_mask(rest)) | (fill << rest)
        else:
            d[i] = fill


cdef inline void wide_saturate(
    uint64_t* d, const uint64_t* a, int bits, int n, bint is_signed
) noexcept nogil:
    """Clamp to what `bits` bits hold; n limbs have room for one bit more."""
    cdef bint negative = is_negative(a, n)
    cdef int magnitude = bits - 1 if is_signed else bits
    cdef uint64_t fill = (<uint64_t>-1) if negative else 0
    cdef int i
    cdef bint fits = True
    if negative and not is_signed:
        memset(d, 0, n * 8)
        return
    for i in range(n):  # every bit from `magnitude` up must equal the sign
        if i * 64 >= magnitude:
            fits = fits and a[i] == fill
        elif i * 64 + 64 > magnitude:
            fits = fits and (a[i] ^ fill) >> (magnitude - i * 64) == 0
    for i in range(n):
        if fits:
            d[i] = a[i]
        elif i * 64 + 64 <= magnitude:
            d[i] = ~fill
        elif i * 64 >= magnitude:
            d[i] = fill
        else:
            d[i] = (~fill & low_mask(magnitude - i * 64)) | (fill << (magnitude - i * 64))


cdef inline bint wide_divide(
    uint64_t* quotient, uint64_t* rest, const uint64_t* a, const uint64_t* b, int n
) noexcept nogil:
    """Unsigned long division, bit by bit; False (and zeros) when b is zero."""
    cdef int i, j
    cdef uint64_t carry, top
    cdef bint zero = True, less
    for i in range(n):
        zero = zero and b[i] == 0
    memset(quotient, 0, n * 8)
    memset(rest, 0, n * 8)
    if zero:
        return False
    for i in range(n * 64 - 1, -1, -1):
        carry = (a[i >> 6] >> (i & 63)) & 1
        for j in range(n):
            top = rest[j] >> 63
            rest[j] = (rest[j] << 1) | carry
            carry = top
        less = False
        for j in range(n - 1, -1, -1):
            if rest[j] != b[j]:
                less = rest[j] < b[j]
                break
        if not less:
            wide_sub(rest, rest, b, n)
            quotient[i >> 6] |= (<uint64_t>1) << (i & 63)
    return True
