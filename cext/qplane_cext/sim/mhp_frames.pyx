"""Bodies of the MHP's device frames byte by byte; ``frame`` points at the Ethernet header."""

from libc.math cimport cos, pi, sin
from libc.string cimport memset

from qplane_cext.sim.frames cimport WHOLE_DEVICE, get_bits, put_bits, put_header


cdef void write_gen(
    uint8_t* frame, uint8_t link, uint16_t queue, bint measure, bint present, int64_t cycle
) noexcept nogil:
    put_header(frame, 0, FRAME_MHP_GEN, link, 0)
    put_bits(frame + 18, 2, queue)
    put_bits(frame + 20, 2, <uint64_t>measure << 15 | <uint64_t>present << 14)
    put_bits(frame + 22, 8, <uint64_t>cycle)


cdef void write_outcome(uint8_t* frame, uint8_t link, uint8_t outcome, int64_t cycle) noexcept nogil:
    put_header(frame, 0, FRAME_MHP_OUTCOME, link, 0)
    put_bits(frame + 18, 4, <uint64_t>outcome << 30)
    put_bits(frame + 22, 8, <uint64_t>cycle)


cdef void read_reply(const uint8_t* frame, Reply* fields) noexcept nogil:
    cdef const uint8_t* body = frame + 18
    fields.queue = get_bits(body, 2)
    fields.other_queue = get_bits(body + 2, 2)
    fields.mhp_seq = get_bits(body + 4, 4)
    fields.outcome = body[8] >> 6
    fields.error = body[9]
    fields.cycle = <int64_t>get_bits(body + 12, 8)


cdef void read_order(const uint8_t* frame, Order* fields) noexcept nogil:
    cdef const uint8_t* body = frame + 18
    cdef int i
    fields.transaction = get_bits(body, 4)
    fields.queue = get_bits(body + 4, 2)
    fields.measure = body[6] >> 7
    fields.random_basis = body[6] >> 5 & 3
    for i in range(2):
        fields.probabilities[i] = body[7 + i]
    for i in range(3):
        fields.rotations[i] = body[9 + i]
    fields.bright = get_bits(body + 12, 2)
    fields.pairs = get_bits(body + 14, 2)
    fields.slot_first = get_bits(body + 16, 2)
    fields.slot_count = get_bits(body + 18, 2)
    fields.first_cycle = <int64_t>get_bits(body + 20, 8)
    fields.end_cycle = <int64_t>get_bits(body + 28, 8)


cdef void write_status(
    uint8_t* frame, uint8_t link, uint32_t transaction, uint16_t queue, uint8_t state,
    uint16_t pairs_left, int64_t cycle, uint64_t attempts
) noexcept nogil:
    cdef uint8_t* body = frame + 18
    put_header(frame, 0, FRAME_MHP_STATUS, link, 0)
    put_bits(body, 4, transaction)
    put_bits(body + 4, 2, queue)
    put_bits(body + 6, 2, <uint64_t>state << 8)
    put_bits(body + 8, 4, <uint64_t>pairs_left << 16)
    put_bits(body + 12, 8, <uint64_t>cycle)
    put_bits(body + 20, 8, attempts)


cdef void write_result(uint8_t* frame, uint8_t link, const Result* fields) noexcept nogil:
    cdef uint8_t* body = frame + 18
    put_header(frame, 0, fields.type, link, fields.bell)
    put_bits(body, 2, fields.queue)
    put_bits(body + 2, 2, fields.other_queue)
    put_bits(body + 4, 4, fields.mhp_seq)
    body[8] = fields.error
    body[9] = fields.basis << 5 | fields.outcome << 4 | <uint8_t>fields.surplus << 3
    put_bits(body + 10, 2, fields.pairs_left)
    put_bits(body + 12, 2, fields.slot)
    put_bits(body + 14, 2, fields.generation)
    put_bits(body + 16, 8, <uint64_t>fields.cycle)
    put_bits(body + 24, 8, fields.attempts)
    put_bits(body + 32, 8, <uint64_t>fields.time_ps)


cdef void read_action(const uint8_t* frame, Action* fields) noexcept nogil:
    cdef const uint8_t* body = frame + 18
    cdef int i
    memset(fields, 0, sizeof(Action))
    fields.transaction = get_bits(body, 4)
    fields.slot = get_bits(body + 4, 2)
    fields.generation = get_bits(body + 6, 2)
    fields.slot2 = get_bits(body + 8, 2)
    fields.pauli = body[12] >> 6
    for i in range(3):
        fields.rotations[i] = body[14 + i]


cdef void write_action(uint8_t* frame, const Action* fields) noexcept nogil:
    cdef uint8_t* body = frame + 18
    cdef int i
    put_header(frame, 0, FRAME_QUBIT_DONE, WHOLE_DEVICE, 0)
    put_bits(body, 4, fields.transaction)
    put_bits(body + 4, 2, fields.slot)
    put_bits(body + 6, 2, fields.generation)
    put_bits(body + 8, 2, fields.slot2)
    put_bits(body + 10, 2, fields.generation2)
    body[12] = fields.pauli << 6 | fields.outcome << 5
    body[13] = fields.status
    for i in range(3):
        body[14 + i] = fields.rotations[i]
    put_bits(body + 20, 8, <uint64_t>fields.time_ps)


cdef void rotated_axis(const uint8_t* rotations, double* axis) noexcept nogil:
    """Z as the observable before the rotations: each is undone, the last one first."""
    cdef double step = 2 * pi / 256
    cdef double x = 0.0, y = 0.0, z = 1.0, c, s, turned
    c = cos(rotations[2] * step)
    s = sin(rotations[2] * step)
    turned = c * y + s * z  # rotation by minus the angle about X
    z = c * z - s * y
    y = turned
    c = cos(rotations[1] * step)
    s = sin(rotations[1] * step)
    turned = c * x - s * z  # about Y
    z = c * z + s * x
    x = turned
    c = cos(rotations[0] * step)
    s = sin(rotations[0] * step)
    turned = c * y + s * z
    z = c * z - s * y
    y = turned
    axis[0] = x
    axis[1] = y
    axis[2] = z
