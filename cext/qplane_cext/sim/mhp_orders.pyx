"""The orders at one end; see mhp_orders.pxd."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from qplane_cext.sim.device cimport FREE, RESERVED, Device, Slot, device_send, device_unreserve
from qplane_cext.sim.events cimport Queue
from qplane_cext.sim.frames cimport LARGEST_FRAME_BYTES
from qplane_cext.sim.mhp cimport NEVER, Mhp, MhpSide, OrderSlot, mhp_cycle, next_cycle
from qplane_cext.sim.mhp_frames cimport *


cdef void send_status(
    Mhp* mhp, Queue* queue, int side, uint32_t transaction, uint16_t which, uint8_t state,
    uint16_t pairs_left, uint64_t attempts
) noexcept nogil:
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    memset(frame, 0, LARGEST_FRAME_BYTES)
    write_status(
        frame, mhp.sides[side].number, transaction, which, state, pairs_left,
        mhp_cycle(mhp, queue.now_ps), attempts,
    )
    device_send(mhp.sides[side].device, queue, frame, STATUS_FRAME_BYTES)


cdef void order_finish(Mhp* mhp, Queue* queue, int side, int place, uint8_t state) noexcept nogil:
    cdef MhpSide* s = &mhp.sides[side]
    cdef OrderSlot* o = &s.orders[place]
    o.loaded = False
    if place == 0 and s.slot >= 0:
        device_unreserve(s.device, queue, s.slot)
        s.slot = -1
        if s.target >= 0:
            device_unreserve(s.device, queue, s.target)
            s.target = -1
    send_status(mhp, queue, side, 0, o.order.queue, state, o.pairs_left, o.attempts)


cdef void order_promote(Mhp* mhp, Queue* queue, int side, int64_t cycle) noexcept nogil:
    cdef MhpSide* s = &mhp.sides[side]
    cdef OrderSlot* running = &s.orders[0]
    cdef OrderSlot* waiting = &s.orders[1]
    if waiting.loaded and (not running.loaded or waiting.order.first_cycle <= cycle):
        if running.loaded:
            order_finish(
                mhp, queue, side, 0, ORDER_COMPLETE if running.is_over else ORDER_SUPERSEDED
            )
        running[0] = waiting[0]
        waiting.loaded = False
    if running.loaded and running.order.end_cycle and running.order.end_cycle <= cycle:
        order_finish(mhp, queue, side, 0, ORDER_COMPLETE if running.is_over else ORDER_WINDOW_OVER)


cdef bint order_take(Mhp* mhp, Queue* queue, int side, Order* order) noexcept nogil:
    cdef MhpSide* s = &mhp.sides[side]
    cdef OrderSlot* o
    cdef uint8_t state = ORDER_WAITING
    cdef int64_t cycle = next_cycle(mhp, queue.now_ps)
    if (
        order.first_cycle < 0
        or order.first_cycle > NEVER // mhp.cycle_ps - mhp.attempt_cycles  # the clock has no such
        or order.end_cycle < 0
        or (order.end_cycle and order.end_cycle <= max(order.first_cycle, cycle))
        or (not order.measure and (
            order.slot_count == 0
            or order.slot_first + order.slot_count > s.device.slot_count
        ))
    ):
        send_status(mhp, queue, side, order.transaction, order.queue, ORDER_REFUSED, 0, 0)
        return False
    order_promote(mhp, queue, side, cycle)
    if s.orders[1].loaded:
        order_finish(mhp, queue, side, 1, ORDER_SUPERSEDED)
    o = &s.orders[1 if s.orders[0].loaded else 0]
    memset(o, 0, sizeof(OrderSlot))
    o.loaded = True
    o.order = order[0]
    o.pairs_left = order.pairs
    if order.first_cycle <= cycle:
        order_promote(mhp, queue, side, cycle)
        state = ORDER_RUNNING
    send_status(mhp, queue, side, order.transaction, order.queue, state, order.pairs, 0)
    return True


cdef bint order_stop(Mhp* mhp, Queue* queue, int side, Order* order) noexcept nogil:
    cdef MhpSide* s = &mhp.sides[side]
    cdef OrderSlot* o
    cdef int place
    for place in range(2):
        o = &s.orders[place]
        if o.loaded and o.order.queue == order.queue:
            send_status(
                mhp, queue, side, order.transaction, order.queue, ORDER_STOPPED, o.pairs_left,
                o.attempts,
            )
            order_finish(mhp, queue, side, place, ORDER_STOPPED)
            return True
    send_status(mhp, queue, side, order.transaction, order.queue, ORDER_UNKNOWN, 0, 0)
    return False


cdef int64_t limit_of(MhpSide* s) noexcept nogil:
    cdef int64_t limit = NEVER
    if s.orders[0].order.end_cycle:
        limit = s.orders[0].order.end_cycle
    if s.orders[1].loaded:
        limit = min(limit, s.orders[1].order.first_cycle)
    return limit


cdef int64_t change_of(MhpSide* s) noexcept nogil:
    if s.orders[0].loaded:
        return limit_of(s)
    return s.orders[1].order.first_cycle if s.orders[1].loaded else NEVER


cdef int32_t free_slot(Device* device, int32_t first, int32_t count) noexcept nogil:
    cdef int32_t i
    for i in range(first, first + count):
        if device.slots[i].state == FREE:
            return i
    return -1


cdef void reserve(Device* device, int32_t slot, uint8_t number) noexcept nogil:
    cdef Slot* s = &device.slots[slot]
    s.state = RESERVED
    s.generation += 1
    s.link = number
    s.label = 0
    s.seq = 0
    s.half = -1
    s.end = False
    s.cutoff_ps = 0


cdef bint has_slot(MhpSide* s, Order* order) noexcept nogil:
    cdef Device* device = s.device
    cdef int32_t slot, target = -1
    if s.slot >= 0:
        return True
    slot = free_slot(device, order.slot_first, order.slot_count)
    if slot >= 0 and device.emitters and slot >= device.emitters:
        target = slot
        slot = free_slot(device, 0, device.emitters)
    device.links[s.number].mhp_waits = slot < 0
    if slot < 0:
        return False
    reserve(device, slot, s.number)
    s.slot = slot
    s.target = target
    if target >= 0:
        reserve(device, target, s.number)
    return True
