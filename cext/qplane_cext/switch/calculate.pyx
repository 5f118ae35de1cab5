"""Calculations over a packet's fields and payload, and the core's random numbers."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from qplane_cext.switch.hashing cimport CRC32, RANDOM, ROUND_ROBIN, fold_sum, hash_bytes, sum_bytes
from qplane_cext.switch.headers cimport header_bytes, pack_header, varbit_bytes
from qplane_cext.switch.program cimport Calculation, Header, Input, Prog
from qplane_cext.switch.state cimport OUT_OF_MEMORY, Core, reserve
from qplane_cext.switch.wide cimport put_bits, qp_u128

cdef enum:
    IN_FIELD, IN_CONST, IN_HEADER, IN_VARBIT, IN_PAYLOAD


cdef uint64_t next_random(Core* core, uint64_t most) noexcept nogil:
    """Uniform between 0 and `most`, from the core's splitmix64 stream."""
    cdef uint64_t z
    core.random += <uint64_t>0x9E3779B97F4A7C15
    z = core.random
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    z ^= z >> 31
    if most == <uint64_t>-1:
        return z
    return <uint64_t>((<qp_u128>z * (most + 1)) >> 64)


cdef inline const uint8_t* payload(Core* core, uint64_t* length) noexcept nogil:
    """What follows the parsed headers, as truncated as BMv2 sees it."""
    length[0] = core.length - core.parsed
    if core.truncate < length[0]:
        length[0] = core.truncate
    return core.packet + core.parsed


cdef bint quick_sum(Core* core, const Calculation* one, uint64_t* result) noexcept nogil:
    """csum16 over fields without a buffer; False where a header of theirs is invalid."""
    cdef const Input* item = core.prog.inputs + one.first_input
    cdef const Input* end = item + one.n_inputs
    cdef uint64_t total = 0, word, length
    cdef const uint8_t* data
    if one.has_payload:
        if one.max_bits & 15:
            return False
        end -= 1
    while item < end:
        if item.guard >= 0 and not core.F[item.guard]:
            return False
        word = (core.F[item.slot] & item.mask) << item.shift
        total += <uint32_t>word + (word >> 32)
        item += 1
    if one.has_payload:
        data = payload(core, &length)
        total += sum_bytes(data, length)
    result[0] = fold_sum(total)
    return True


cdef uint64_t gather(Core* core, const Calculation* one) noexcept nogil:
    """Write the inputs into core.scratch, bit after bit; the bytes used."""
    cdef const Prog* prog = core.prog
    cdef const Input* item = prog.inputs + one.first_input
    cdef const Header* h
    cdef const uint8_t* data
    cdef uint64_t at = 0, length, i
    cdef int k, width, words
    memset(core.scratch, 0, (one.max_bits + 7) // 8 + 8)
    for k in range(one.n_inputs):
        if item.guard >= 0 and not core.F[item.guard]:
            item += 1
            continue
        if item.kind == IN_FIELD or item.kind == IN_CONST:
            words = (item.bits + 63) // 64
            for i in range(words):
                width = item.bits - 64 * (words - 1) if i == 0 else 64
                put_bits(core.scratch, at, width, core.F[item.slot + words - 1 - i])
                at += width
        elif item.kind == IN_VARBIT:
            data = <const uint8_t*>(core.F + item.slot + 1)
            for i in range(core.F[item.slot] >> 3):
                put_bits(core.scratch, at, 8, data[i])
                at += 8
        elif item.kind == IN_HEADER:
            if core.F[item.slot]:
                h = &prog.headers[item.slot]
                at = (at + 7) & ~<uint64_t>7
                at += 8 * pack_header(prog, core.F, h, core.scratch + at // 8)
        else:
            data = payload(core, &length)
            at = (at + 7) & ~<uint64_t>7
            memcpy(core.scratch + at // 8, data, length)
            at += 8 * length
        item += 1
    return (at + 7) // 8


cdef uint64_t calculation(Core* core, int number) noexcept nogil:
    """The value of a calculation over the packet as it is now."""
    cdef const Calculation* one = &core.prog.calculations[number]
    cdef uint64_t result = 0
    if one.simple_sum and quick_sum(core, one, &result):
        return result
    if one.algorithm == RANDOM:
        return next_random(core, <uint64_t>-1)
    if one.algorithm == ROUND_ROBIN:
        core.round_robin[number] += 1
        return core.round_robin[number] - 1
    return hash_inputs(core, one, one.algorithm)


cdef uint64_t hash_of_inputs(Core* core, int number) noexcept nogil:
    """What a calculation's inputs hash to: with CRC32 where it draws or counts instead."""
    cdef const Calculation* one = &core.prog.calculations[number]
    if one.algorithm == RANDOM or one.algorithm == ROUND_ROBIN:
        return hash_inputs(core, one, CRC32)
    return calculation(core, number)


cdef uint64_t hash_inputs(Core* core, const Calculation* one, int algorithm) noexcept nogil:
    cdef uint64_t room, length
    room = one.max_bits // 8 + 32 * one.n_inputs + 64
    if one.has_payload:
        room += core.length
    if reserve(&core.scratch, &core.scratch_room, room):
        core.stats[OUT_OF_MEMORY] += 1
        return 0
    length = gather(core, one)
    return hash_bytes(algorithm, core.scratch, length)
