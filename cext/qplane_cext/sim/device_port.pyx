"""The device's side of the quantum port; see device_port.pxd."""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free

from qplane_cext.sim.deliveries cimport device_completed, device_confirm
from qplane_cext.sim.device cimport (
    BAD_ETHERNET, BAD_LENGTH, BAD_TYPE, BAD_VERSION, device_confirmed, device_release, device_swap
)
from qplane_cext.sim.distillation cimport distil_answer, distil_deliver, distil_void
from qplane_cext.sim.frames cimport *
from qplane_cext.sim.mhp_port cimport mhp_command_bytes, mhp_obey
from qplane_cext.sim.requests cimport answer_features, answer_link_controls
from qplane_cext.sim.teleport cimport teleport_apply_correction, teleport_order


cdef int refusal(Packet* packet) noexcept nogil:
    """The counter of what is wrong with a frame before its fields are looked at, or -1."""
    cdef const uint8_t* frame = packet.data
    cdef int length
    if (
        packet.length < ETHERNET_BYTES
        or get_bits(frame, 6) != 0x020000000002LL
        or get_bits(frame + 12, 2) != DEVICE_ETHER_TYPE
    ):
        return BAD_ETHERNET
    if packet.length < ETHERNET_BYTES + 4:
        return BAD_LENGTH
    if frame[14] >> 4 != DEVICE_VERSION:
        return BAD_VERSION
    length = command_bytes(frame[15]) or mhp_command_bytes(frame[15])
    if length == 0:
        return BAD_TYPE
    if packet.length == <uint32_t>(ETHERNET_BYTES + length):
        return -1
    if is_link_control(frame + ETHERNET_BYTES):
        return list_refusal(packet)
    return BAD_LENGTH


cdef bint is_link_control(const uint8_t* message) noexcept nogil:
    return FRAME_LINK_START <= message[1] <= FRAME_LINK_STATUS_REQUEST


cdef int list_refusal(Packet* packet) noexcept nogil:
    """As refusal, of a frame with several messages, which begin as they should."""
    cdef uint32_t length = packet.length - ETHERNET_BYTES
    cdef const uint8_t* message
    cdef uint32_t place
    if length % LINK_CONTROL_BYTES or length > MOST_MESSAGES * LINK_CONTROL_BYTES:
        return BAD_LENGTH
    for place in range(length // LINK_CONTROL_BYTES):
        message = packet.data + ETHERNET_BYTES + place * LINK_CONTROL_BYTES
        if message[0] >> 4 != DEVICE_VERSION:
            return BAD_VERSION
        if not is_link_control(message):
            return BAD_TYPE
    return -1


cdef void obey(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, Packet* packet
) noexcept nogil:
    cdef const uint8_t* frame = packet.data
    cdef uint8_t frame_type = frame[15]
    cdef QubitFrame command
    if frame_type == FRAME_FEATURES_REQUEST:
        answer_features(device, queue, get_bits(frame + 18, 4))
        return
    if is_link_control(frame + ETHERNET_BYTES):
        answer_link_controls(device, queue, frame, packet.length - ETHERNET_BYTES)
        return
    if frame_type == FRAME_TELEPORT_ORDER:
        teleport_order(device, queue, ledger, memory, frame)
        return
    if mhp_command_bytes(frame_type):
        mhp_obey(device, queue, ledger, memory, frame)
        return
    read_qubit(frame, &command)
    if frame_type == FRAME_SWAP:
        device_swap(device, queue, ledger, memory, &command)
    elif frame_type == FRAME_DELIVER:
        distil_deliver(device, queue, ledger, memory, &command)
    elif frame_type == FRAME_RELEASE:
        device_release(device, queue, ledger, memory, &command)
    elif frame_type == FRAME_VOID:
        distil_void(device, queue, ledger, memory, &command)
    elif frame_type == FRAME_DISTIL:
        distil_answer(device, queue, ledger, memory, &command)
    elif frame_type == FRAME_APPLY_CORRECTION:
        teleport_apply_correction(device, queue, ledger, memory, &command)
    elif frame_type == FRAME_CONFIRM:
        device_confirm(device, queue, ledger, memory, &command)
    elif frame_type == FRAME_COMPLETED:
        device_completed(device, ledger, &command)
    else:
        device_confirmed(device, queue, &command)


cdef void device_port_receive(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, Packet* packet
) noexcept nogil:
    cdef int counter = refusal(packet)
    if counter >= 0:
        device.counters[counter] += 1
    else:
        obey(device, queue, ledger, memory, packet)
    free(packet)
