"""What becomes of an attempt; see mhp_answer.pxd."""

from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memset

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.device cimport HELD, device_discard, device_send, device_unreserve
from qplane_cext.sim.events cimport Queue
from qplane_cext.sim.frames cimport LARGEST_FRAME_BYTES
from qplane_cext.sim.ledger cimport Ledger, ledger_number
from qplane_cext.sim.mhp cimport (
    MHP_ERRORS, MHP_MEASURED, MHP_PAIRS, Mhp, MhpSide, OrderSlot, Pending
)
from qplane_cext.sim.mhp_frames cimport *
from qplane_cext.sim.mhp_orders cimport order_finish
from qplane_cext.sim.qubit_actions cimport device_move


cdef void send_result(Mhp* mhp, Queue* queue, int side, Result* result) noexcept nogil:
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    memset(frame, 0, LARGEST_FRAME_BYTES)
    write_result(frame, mhp.sides[side].number, result)
    device_send(mhp.sides[side].device, queue, frame, RESULT_FRAME_BYTES)


cdef void attempt_failed(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, int side, Pending* p
) noexcept nogil:
    cdef MhpSide* s = &mhp.sides[side]
    p.used = False
    if p.measure:
        return
    s.holds = False
    if p.target >= 0:
        device_unreserve(s.device, queue, p.target)
    if s.device.slots[p.slot].half >= 0:
        device_discard(s.device, queue, ledger, memory, p.slot)
    else:
        device_unreserve(s.device, queue, p.slot)


cdef void report_error(
    Mhp* mhp, Queue* queue, int side, Pending* p, uint8_t error, uint16_t other
) noexcept nogil:
    cdef MhpSide* s = &mhp.sides[side]
    cdef Result result
    s.errors_in_row += 1
    mhp.counters[MHP_ERRORS] += 1
    if mhp.every_attempt and s.errors_in_row & (s.errors_in_row - 1):
        return  # the 1st, 2nd, 4th, 8th ... of them, as where only these are sent
    memset(&result, 0, sizeof(Result))
    result.type = FRAME_MHP_ERROR
    result.queue = p.queue
    result.other_queue = other
    result.mhp_seq = s.station_seq
    result.error = error
    result.cycle = p.cycle
    result.attempts = p.attempts
    result.time_ps = p.born_ps
    if s.orders[0].loaded and s.orders[0].order.queue == p.queue:
        result.pairs_left = s.orders[0].pairs_left
    send_result(mhp, queue, side, &result)


cdef void report_pair(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, int side, Pending* p,
    Reply* reply
) noexcept nogil:
    cdef MhpSide* s = &mhp.sides[side]
    cdef OrderSlot* o = &s.orders[0]
    # A REPLY may come when the next order for the same item has begun: it counts for the old one.
    cdef bint mine = (
        o.loaded
        and o.order.queue == p.queue
        and p.cycle >= o.order.first_cycle
        and not o.is_over
    )
    cdef Result result
    memset(&result, 0, sizeof(Result))
    result.bell = p.bell
    result.queue = p.queue
    result.other_queue = reply.other_queue
    result.mhp_seq = reply.mhp_seq
    result.surplus = not mine
    result.cycle = p.cycle
    result.attempts = p.attempts
    result.time_ps = p.born_ps
    if mine and o.order.pairs:
        o.pairs_left -= 1
        o.is_over = o.pairs_left == 0
        if o.is_over and o.order.measure and (
            o.order.end_cycle == 0 or o.order.end_cycle > p.cycle + mhp.attempt_cycles
        ):
            o.order.end_cycle = p.cycle + mhp.attempt_cycles  # both ends stop there
    if o.loaded and o.order.queue == p.queue:
        result.pairs_left = o.pairs_left
    p.used = False
    if p.measure:
        mhp.counters[MHP_MEASURED] += 1
        result.type = FRAME_MHP_MEASURED
        result.basis = p.basis
        result.outcome = p.outcome
        send_result(mhp, queue, side, &result)
        return
    mhp.counters[MHP_PAIRS] += 1
    s.holds = False
    s.next_cycle = max(s.next_cycle, p.cycle + mhp.attempt_cycles + mhp.recovery_cycles)
    s.device.slots[p.slot].state = HELD
    s.device.slots[p.slot].seq = reply.mhp_seq
    ledger_number(ledger, s.device.slots[p.slot].half, reply.mhp_seq)
    result.type = FRAME_MHP_PAIR
    result.slot = p.slot
    result.generation = s.device.slots[p.slot].generation
    if p.target >= 0:
        result.slot = p.target
        result.generation = s.device.slots[p.target].generation
        device_move(s.device, queue, p.slot, p.target, 0, &result)
    else:
        send_result(mhp, queue, side, &result)
    if mine and o.is_over:
        order_finish(mhp, queue, side, 0, ORDER_COMPLETE)
