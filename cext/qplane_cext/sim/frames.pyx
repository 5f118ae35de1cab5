"""Device frames byte by byte; see frames.pxd. ``frame`` always points at the Ethernet header."""

from libc.string cimport memset


cdef uint64_t get_bits(const uint8_t* data, int nbytes) noexcept nogil:
    cdef uint64_t value = 0
    cdef int i
    for i in range(nbytes):
        value = value << 8 | data[i]
    return value


cdef void put_bits(uint8_t* data, int nbytes, uint64_t value) noexcept nogil:
    cdef int i
    for i in range(nbytes):
        data[nbytes - 1 - i] = value & 0xFF
        value >>= 8


cdef void put_ethernet(uint8_t* frame) noexcept nogil:
    memset(frame, 0, ETHERNET_BYTES)  # to 02:00:00:00:00:01 from 02:00:00:00:00:02
    frame[0] = 0x02
    frame[5] = 0x01
    frame[6] = 0x02
    frame[11] = 0x02
    put_bits(frame + 12, 2, DEVICE_ETHER_TYPE)


cdef void put_message(
    uint8_t* message, uint8_t flags, uint8_t frame_type, uint8_t link, uint8_t bell
) noexcept nogil:
    message[0] = DEVICE_VERSION << 4 | flags
    message[1] = frame_type
    message[2] = link
    message[3] = bell << 6


cdef void put_header(
    uint8_t* frame, uint8_t flags, uint8_t frame_type, uint8_t link, uint8_t bell
) noexcept nogil:
    put_ethernet(frame)
    put_message(frame + ETHERNET_BYTES, flags, frame_type, link, bell)


cdef void read_qubit(const uint8_t* frame, QubitFrame* fields) noexcept nogil:
    cdef const uint8_t* body = frame + 18
    fields.flags = frame[14] & 0xF
    fields.type = frame[15]
    fields.link = frame[16]
    fields.bell = frame[17] >> 6
    fields.label = get_bits(body, 4) >> 12
    fields.seq = get_bits(body + 4, 4)
    fields.slot = get_bits(body + 8, 2)
    fields.generation = get_bits(body + 10, 2)
    fields.link2 = body[12]
    fields.seq2 = get_bits(body + 16, 4)
    fields.slot2 = get_bits(body + 20, 2)
    fields.generation2 = get_bits(body + 22, 2)
    fields.time_ps = <int64_t>get_bits(body + 24, 8)


cdef void write_qubit(uint8_t* frame, const QubitFrame* fields) noexcept nogil:
    cdef uint8_t* body = frame + 18
    put_header(frame, fields.flags, fields.type, fields.link, fields.bell)
    put_bits(body, 4, <uint64_t>fields.label << 12)
    put_bits(body + 4, 4, fields.seq)
    put_bits(body + 8, 2, fields.slot)
    put_bits(body + 10, 2, fields.generation)
    put_bits(body + 12, 4, <uint64_t>fields.link2 << 24)
    put_bits(body + 16, 4, fields.seq2)
    put_bits(body + 20, 2, fields.slot2)
    put_bits(body + 22, 2, fields.generation2)
    put_bits(body + 24, 8, <uint64_t>fields.time_ps)


cdef void read_control(const uint8_t* message, LinkControl* fields) noexcept nogil:
    cdef const uint8_t* body = message + 4
    memset(fields, 0, sizeof(LinkControl))
    fields.transaction = get_bits(body, 4)
    fields.label = get_bits(body + 4, 4) >> 12
    fields.slice = get_bits(body + 6, 2) >> 6 & 0x3F
    fields.rounds = body[7] & 0x3F
    fields.slot_first = get_bits(body + 8, 2)
    fields.slot_count = get_bits(body + 10, 2)
    fields.cutoff_ps = <int64_t>get_bits(body + 12, 8)
    fields.retry_ps = <int64_t>get_bits(body + 20, 8)
    fields.feeds = get_bits(body + 32, 4) & 0xFFFFF
    fields.linger_ms = get_bits(body + 36, 2)
    fields.bright_state = get_bits(body + 38, 2)


cdef void write_control(
    uint8_t* message, uint8_t flags, uint8_t link, const LinkControl* fields
) noexcept nogil:
    cdef uint8_t* body = message + 4
    put_message(message, flags, FRAME_LINK_STATUS, link, 0)
    put_bits(body, 4, fields.transaction)
    put_bits(body + 4, 4, <uint64_t>fields.label << 12 | fields.slice << 6 | fields.rounds)
    put_bits(body + 8, 2, fields.slot_first)
    put_bits(body + 10, 2, fields.slot_count)
    put_bits(body + 12, 8, <uint64_t>fields.cutoff_ps)
    put_bits(body + 20, 8, <uint64_t>fields.retry_ps)
    put_bits(body + 28, 2, fields.in_use)
    put_bits(body + 30, 2, fields.unconfirmed)
    put_bits(body + 32, 4, <uint64_t>fields.status << 24 | fields.feeds)
    put_bits(body + 36, 2, fields.linger_ms)
    put_bits(body + 38, 2, fields.bright_state)
    put_bits(body + 40, 4, fields.last_seq)


cdef int command_bytes(uint8_t frame_type) noexcept nogil:
    if FRAME_SWAP <= frame_type <= FRAME_DISTIL:
        return QUBIT_FRAME_BYTES
    if frame_type == FRAME_TELEPORT_ORDER:
        return TELEPORT_ORDER_BYTES
    if frame_type == FRAME_FEATURES_REQUEST:
        return TRANSACTION_FRAME_BYTES
    if FRAME_LINK_START <= frame_type <= FRAME_LINK_STATUS_REQUEST:
        return LINK_CONTROL_BYTES
    return 0
