"""What the controller asks a device for; see requests.pxd."""

from libc.math cimport isinf, rint
from libc.stdint cimport uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memset

from qplane_cext.sim.device cimport FREE, DeviceLink, DISTILLED_LINKS, device_fibre, device_send
from qplane_cext.sim.events cimport LINK_WAKE, queue_push
from qplane_cext.sim.frames cimport *

cdef double ALL_ONES = 4294967295.0  # 2^32 - 1 stands for probability 1


cdef uint64_t fraction(double probability) noexcept nogil:
    return <uint64_t>rint(probability * ALL_ONES)


cdef uint64_t picoseconds(double seconds) noexcept nogil:
    return 0 if isinf(seconds) else <uint64_t>rint(seconds * 1e12)


cdef void answer_features(Device* device, Queue* queue, uint32_t transaction) noexcept nogil:
    """One frame, or two of a device with so many links that they do not fit into one."""
    cdef uint8_t[FULL_FRAME_BYTES] frame
    cdef uint8_t* end = frame + FULL_FRAME_BYTES
    cdef uint8_t* message = frame + ETHERNET_BYTES
    cdef int number
    put_ethernet(frame)
    write_features(message, device, transaction)
    message += DEVICE_FEATURES_BYTES
    for number in range(WHOLE_DEVICE):
        if device.links[number].quantum_link < 0:
            continue
        if message + LINK_FEATURES_BYTES > end:
            device_send(device, queue, frame, message - frame - ETHERNET_BYTES)
            message = frame + ETHERNET_BYTES
        write_link_features(message, &device.links[number], number, transaction)
        message += LINK_FEATURES_BYTES
    device_send(device, queue, frame, message - frame - ETHERNET_BYTES)


cdef void write_features(
    uint8_t* message, const Device* device, uint32_t transaction
) noexcept nogil:
    cdef uint8_t* body = message + 4
    put_message(message, 0, FRAME_DEVICE_FEATURES, WHOLE_DEVICE, 0)
    put_bits(body, 4, transaction)
    put_bits(body + 4, 4, device.node_id)
    put_bits(body + 8, 1, 1)
    put_bits(body + 9, 1, device.link_count)
    put_bits(body + 10, 2, device.slot_count)
    put_bits(body + 12, 8, picoseconds(device.t1_s))
    put_bits(body + 20, 8, picoseconds(device.t2_s))
    put_bits(body + 28, 8, device.swap_time_ps)
    put_bits(body + 36, 4, fraction(device.two_qubit_error))
    put_bits(body + 40, 4, fraction(device.readout_error))
    put_bits(body + 44, 4, fraction(device.one_qubit_error))
    put_bits(body + 48, 4, fraction(device.swap_success))


cdef void write_link_features(
    uint8_t* message, const DeviceLink* link, uint8_t number, uint32_t transaction
) noexcept nogil:
    cdef uint8_t* body = message + 4
    put_message(message, 0, FRAME_LINK_FEATURES, number, 0)
    put_bits(body, 4, transaction)
    put_bits(body + 4, 4, link.remote_node_id)
    put_bits(body + 8, 1, link.remote_link)
    put_bits(body + 9, 1, link.scheme)
    put_bits(body + 10, 2, <uint64_t>rint(link.zz * 65535.0))
    put_bits(body + 12, 4, link.length_m)
    put_bits(body + 16, 8, link.attempt_ps)
    put_bits(body + 24, 4, fraction(link.success))
    put_bits(body + 28, 4, fraction(link.fidelity))
    put_bits(body + 32, 8, link.delay_ps)


cdef Request* request_for(Device* device, uint8_t link, uint32_t label) noexcept nogil:
    cdef DeviceLink* l = &device.links[link]
    cdef int32_t i
    for i in range(l.request_count):
        if l.requests[i].label == label:
            return &l.requests[i]
    return NULL


cdef Request* new_request(Device* device, Queue* queue, uint8_t link) noexcept nogil:
    cdef DeviceLink* l = &device.links[link]
    cdef Request* requests
    cdef int32_t wider
    if l.request_count == l.request_capacity:
        wider = 2 * l.request_capacity if l.request_capacity else 4
        requests = <Request*>realloc(l.requests, wider * sizeof(Request))
        if requests == NULL:
            queue.out_of_memory = True
            return NULL
        l.requests = requests
        l.request_capacity = wider
    l.request_count += 1
    memset(&l.requests[l.request_count - 1], 0, sizeof(Request))
    l.requests[l.request_count - 1].peer = -1
    return &l.requests[l.request_count - 1]


cdef void start(
    Device* device, Queue* queue, uint8_t flags, uint8_t link, LinkControl* control
) noexcept nogil:
    cdef Request* request = request_for(device, link, control.label)
    cdef DeviceLink* fibre = device_fibre(device, link)
    if request == NULL:
        request = new_request(device, queue, link)
        if request == NULL:
            return
        request.label = control.label
    request.active = True
    request.end = flags & END != 0
    request.slot_first = control.slot_first
    request.slot_count = control.slot_count
    request.next_slot = 0
    request.cutoff_ps = control.cutoff_ps
    request.retry_ps = control.retry_ps
    request.rounds = control.rounds
    request.bright_state = control.bright_state
    request.slice = control.slice
    request.feeds = control.feeds
    fibre.linger_ps = max(
        fibre.linger_ps, control.linger_ms * <int64_t>1000000000
    )


cdef bint can_feed(Device* device, uint8_t flags, uint8_t link, LinkControl* control) noexcept nogil:
    """Whether what this circuit distils on the link can go to another one."""
    return (
        flags & END != 0 and control.rounds > 0 and link < DISTILLED_LINKS
        and device.links[link + DISTILLED_LINKS].quantum_link < 0
    )


cdef uint8_t status_of(
    Device* device, uint8_t flags, uint8_t frame_type, uint8_t link, LinkControl* control
) noexcept nogil:
    """Whether a control frame can be obeyed: LINK_IDLE, or what is wrong."""
    if link == WHOLE_DEVICE or device_fibre(device, link).quantum_link < 0:
        return LINK_REFUSED
    if frame_type == FRAME_LINK_START:
        if (
            control.slot_count == 0
            or control.slot_first + control.slot_count > device.slot_count
            or control.cutoff_ps < 0
            or control.retry_ps < 0
            or (control.rounds and control.rounds >= control.slot_count)
            or control.bright_state > device.links[link].most_bright
            or (control.feeds and not can_feed(device, flags, link, control))
        ):
            return LINK_REFUSED
        return LINK_IDLE
    return LINK_IDLE if request_for(device, link, control.label) != NULL else LINK_UNKNOWN_LABEL


cdef void answer_link_controls(
    Device* device, Queue* queue, const uint8_t* frame, uint32_t length
) noexcept nogil:
    cdef uint8_t[FULL_FRAME_BYTES] answer
    cdef LinkControl control
    cdef const uint8_t* message
    cdef uint32_t at, place
    put_ethernet(answer)
    for place in range(length // LINK_CONTROL_BYTES):
        at = ETHERNET_BYTES + place * LINK_CONTROL_BYTES
        message = frame + at
        read_control(message, &control)
        memset(answer + at, 0, LINK_CONTROL_BYTES)
        answer_link_control(
            device, queue, message[0] & 0xF, message[1], message[2], &control, answer + at
        )
    device_send(device, queue, answer, length)


cdef void answer_link_control(
    Device* device, Queue* queue, uint8_t flags, uint8_t frame_type, uint8_t link,
    LinkControl* control, uint8_t* answer
) noexcept nogil:
    cdef Request* request
    cdef int32_t i
    cdef uint32_t in_use = 0, unconfirmed = 0
    control.status = status_of(device, flags, frame_type, link, control)
    if control.status == LINK_IDLE:
        if frame_type == FRAME_LINK_START:
            start(device, queue, flags, link, control)
        request = request_for(device, link, control.label)
        if request == NULL:
            return  # out of memory
        if frame_type == FRAME_LINK_STOP:
            request.active = False
        if frame_type != FRAME_LINK_STATUS_REQUEST and device.links[link].quantum_link >= 0:
            queue_push(
                queue, queue.now_ps, LINK_WAKE, device.links[link].quantum_link, 0, NULL
            )
        for i in range(device.slot_count):
            in_use += (
                device.slots[i].state != FREE
                and device.slots[i].link == link
                and device.slots[i].label == control.label
            )
        for i in range(device.expiry_count):
            unconfirmed += (
                device.expiries[i].used
                and device.expiries[i].link == link
                and device.expiries[i].label == control.label
            )
        for i in range(device.early_count):
            unconfirmed += (
                device.earlies[i].used
                and device.earlies[i].delivery.link == link
                and device.earlies[i].delivery.label == control.label
            )
        flags = END if request.end else 0
        control.slot_first = request.slot_first
        control.slot_count = request.slot_count
        control.cutoff_ps = request.cutoff_ps
        control.retry_ps = request.retry_ps
        control.rounds = request.rounds
        control.bright_state = request.bright_state
        control.slice = request.slice
        control.feeds = request.feeds
        control.last_seq = device.links[link].last_seq
        control.in_use = min(in_use, 0xFFFF)
        control.unconfirmed = min(unconfirmed, 0xFFFF)
        control.status = LINK_GENERATING if request.active else LINK_IDLE
    write_control(answer, flags & END, link, control)
