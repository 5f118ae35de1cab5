"""Commands of the link layer and REPLYs; see mhp_port.pxd."""

from libc.stdint cimport uint32_t
from libc.string cimport memset

from qplane_cext.sim.device cimport BAD_TYPE, device_send
from qplane_cext.sim.frames cimport (
    LARGEST_FRAME_BYTES, WHOLE_DEVICE, get_bits, put_bits, put_header
)
from qplane_cext.sim.mhp cimport Mhp, mhp_cycle, mhp_reply, mhp_start, mhp_stop
from qplane_cext.sim.mhp_frames cimport *
from qplane_cext.sim.qubit_actions cimport device_act


cdef int mhp_command_bytes(uint8_t frame_type) noexcept nogil:
    if frame_type == FRAME_MHP_REPLY:
        return REPLY_FRAME_BYTES
    if frame_type == FRAME_MHP_START or frame_type == FRAME_MHP_STOP:
        return ORDER_FRAME_BYTES
    if FRAME_QUBIT_RELEASE <= frame_type <= FRAME_QUBIT_MEASURE:
        return ACTION_FRAME_BYTES
    if frame_type == FRAME_CALIBRATION_REQUEST:
        return CALIBRATION_FRAME_BYTES
    return 0


cdef int calibrate(
    void* calibration_of, int side, uint32_t bright, uint8_t* body
) noexcept with gil:
    """Writes the figures behind `bright_state`; they come from Python."""
    cdef int at = 6
    for width, value in (<object>calibration_of)(side, bright):
        put_bits(body + at, width, value)
        at += <int>width
    return 0


cdef void answer_calibration(
    Device* device, Queue* queue, uint8_t link, Mhp* mhp, int side, const uint8_t* asked
) noexcept nogil:
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    cdef uint8_t* body = &frame[18]
    memset(frame, 0, LARGEST_FRAME_BYTES)
    put_header(frame, 0, FRAME_CALIBRATION, link, 0)
    put_bits(body, 4, get_bits(asked, 4))
    put_bits(body + 4, 2, get_bits(asked + 4, 2))
    if link != WHOLE_DEVICE and device.links[link].calibration_of != NULL:
        calibrate(device.links[link].calibration_of, side, get_bits(asked + 4, 2), body)
    if mhp != NULL:
        put_bits(body + 48, 8, mhp_cycle(mhp, queue.now_ps))
    device_send(device, queue, frame, CALIBRATION_FRAME_BYTES)


cdef void mhp_obey(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, const uint8_t* frame
) noexcept nogil:
    cdef uint8_t frame_type = frame[15], link = frame[16]
    cdef Mhp* mhp = NULL
    cdef int side = 0
    cdef Order order
    cdef Reply reply
    cdef Action action
    cdef uint8_t[LARGEST_FRAME_BYTES] refusal
    if FRAME_QUBIT_RELEASE <= frame_type <= FRAME_QUBIT_MEASURE:
        read_action(frame, &action)
        device_act(device, queue, ledger, memory, frame_type, &action)
        return
    if link != WHOLE_DEVICE:
        mhp = <Mhp*>device.links[link].mhp
        side = device.links[link].side
    if frame_type == FRAME_CALIBRATION_REQUEST:
        answer_calibration(device, queue, link, mhp, side, frame + 18)
    elif frame_type == FRAME_MHP_REPLY:
        if mhp == NULL:
            device.counters[BAD_TYPE] += 1
            return
        read_reply(frame, &reply)
        mhp_reply(mhp, queue, ledger, memory, side, &reply)
    else:
        read_order(frame, &order)
        if mhp == NULL:
            memset(refusal, 0, LARGEST_FRAME_BYTES)
            write_status(refusal, link, order.transaction, order.queue, ORDER_REFUSED, 0, 0, 0)
            device_send(device, queue, refusal, STATUS_FRAME_BYTES)
        elif frame_type == FRAME_MHP_START:
            mhp_start(mhp, queue, side, &order)
        else:
            mhp_stop(mhp, queue, side, &order)
