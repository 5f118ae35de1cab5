"""The MHP of one quantum link; see mhp.pxd and docs/mhp.md.

What happens next on a link is *planned*: from the orders at both ends follow the cycles in which
either attempts. As long as both attempt in the same cycles for the same queue item, the number of
attempts up to the next success is one draw; the failures in between are neither sent nor events.
The plan ends in an attempt that is sent, or where something changes (a window opens or ends). A
plan is given up, and made anew, whenever a command, a REPLY or a time-out changes an end; that
does not bias the draw, as attempts have no memory.
"""

from libc.stdint cimport INT32_MAX, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.events cimport LINK_WAKE, MHP_TURN, Queue, queue_push
from qplane_cext.sim.ledger cimport Ledger
from qplane_cext.sim.mhp_answer cimport attempt_failed, report_error, report_pair
from qplane_cext.sim.mhp_attempt cimport mhp_attempt
from qplane_cext.sim.mhp_figures cimport figures_for
from qplane_cext.sim.mhp_frames cimport *
from qplane_cext.sim.mhp_orders cimport (
    change_of, has_slot, limit_of, order_promote, order_stop, order_take
)
from qplane_cext.sim.streams cimport geometric


cdef void mhp_free(Mhp* mhp) noexcept nogil:
    cdef int side
    for side in range(2):
        free(mhp.sides[side].pendings)
    free(mhp.figures)


cdef inline int64_t start_of(Mhp* mhp, int64_t cycle) noexcept nogil:
    return NEVER if cycle > NEVER // mhp.cycle_ps else cycle * mhp.cycle_ps


# ---- commands ----

cdef void mhp_start(Mhp* mhp, Queue* queue, int side, Order* order) noexcept nogil:
    settle(mhp, next_cycle(mhp, queue.now_ps))
    if order_take(mhp, queue, side, order):
        mhp.alone = 0
        mhp_plan(mhp, queue)


cdef void mhp_stop(Mhp* mhp, Queue* queue, int side, Order* order) noexcept nogil:
    settle(mhp, next_cycle(mhp, queue.now_ps))
    if order_stop(mhp, queue, side, order):
        mhp_plan(mhp, queue)


# ---- the plan ----

cdef int64_t first_attempt(Mhp* mhp, int side, int64_t cycle) noexcept nogil:
    """The cycle of an end's next attempt, from `cycle` on, or NEVER."""
    cdef MhpSide* s = &mhp.sides[side]
    cdef Order* order = &s.orders[0].order
    cdef int64_t first, step
    if not s.orders[0].loaded or (s.orders[0].is_over and not order.measure):
        return NEVER
    if not order.measure and s.holds:
        return NEVER
    step = step_of(mhp, order.measure)
    first = max(cycle, max(order.first_cycle, s.next_cycle))
    first = (first + step - 1) // step * step
    if first >= limit_of(s):
        return NEVER
    if not order.measure and not has_slot(s, order):
        return NEVER
    return first


cdef void lend(Mhp* mhp, Queue* queue) noexcept nogil:
    """Take the link from the circuits, or give it back."""
    cdef bint wanted = mhp.sides[0].orders[0].loaded or mhp.sides[1].orders[0].loaded
    if wanted != mhp.link.lent:
        mhp.link.lent = wanted
        queue_push(queue, queue.now_ps, LINK_WAKE, mhp.index, 0, NULL)


cdef void mhp_plan(Mhp* mhp, Queue* queue) noexcept nogil:
    """Give up the present plan, if any, and make one from now on."""
    cdef int64_t cycle = next_cycle(mhp, queue.now_ps), last, change, target
    cdef int64_t[2] first
    cdef Order* a
    cdef Order* b
    cdef HeraldFigures* figures
    cdef uint64_t wait
    cdef int64_t tries
    cdef int side
    settle(mhp, cycle)
    mhp.epoch += 1
    for side in range(2):
        order_promote(mhp, queue, side, cycle)
    lend(mhp, queue)
    change = min(change_of(&mhp.sides[0]), change_of(&mhp.sides[1]))
    for side in range(2):
        first[side] = first_attempt(mhp, side, cycle)
    target = min(first[0], first[1])
    mhp.attempts_next = False
    mhp.planned_from = NEVER
    if target == NEVER or target >= change:
        if change != NEVER:
            queue_push(queue, start_of(mhp, change), MHP_TURN, mhp.index, mhp.epoch, NULL)
        return
    a = &mhp.sides[0].orders[0].order
    b = &mhp.sides[1].orders[0].order
    mhp.planned_from = target
    mhp.agreed = first[0] == first[1] and a.queue == b.queue and a.measure == b.measure
    if mhp.agreed:
        mhp.planned_step = step_of(mhp, a.measure)
        figures = figures_for(mhp, queue, a.bright, b.bright)
        if figures == NULL:
            return
        if mhp.every_attempt:
            tries = 1
        elif figures.success <= 0.0:
            tries = NEVER
        else:
            tries = geometric(mhp.stream, figures.success)
    else:
        side = 0 if first[0] <= first[1] else 1
        mhp.planned_step = step_of(mhp, mhp.sides[side].orders[0].order.measure)
        if first[0] != first[1] and first[1 - side] != NEVER:
            change = min(change, first[1 - side])  # where the other joins in
        wait = 1
        while wait <= mhp.alone:
            wait *= 2
        tries = 1 if mhp.every_attempt else <int64_t>(wait - mhp.alone)
    last = NEVER
    if tries - 1 <= (NEVER - target) // mhp.planned_step:
        last = target + (tries - 1) * mhp.planned_step
    if last < change:
        mhp.attempts_next = True
        change = last
    if change != NEVER:
        queue_push(queue, start_of(mhp, change), MHP_TURN, mhp.index, mhp.epoch, NULL)


cdef void settle(Mhp* mhp, int64_t cycle) noexcept nogil:
    """Count the attempts of the present plan before `cycle`; none of them was sent."""
    cdef int64_t made
    cdef int side
    if mhp.planned_from == NEVER or cycle <= mhp.planned_from:
        return
    made = (cycle - mhp.planned_from + mhp.planned_step - 1) // mhp.planned_step
    for side in range(2):
        count_attempts(mhp, side, made)
    if mhp.agreed:
        mhp.counters[MHP_ATTEMPTS] += made
        mhp.alone = 0
    else:
        mhp.counters[MHP_ALONE] += made
        mhp.alone += made
    mhp.planned_from += made * mhp.planned_step


cdef void count_attempts(Mhp* mhp, int side, int64_t made) noexcept nogil:
    """Of an end that takes part in the present plan."""
    cdef MhpSide* s = &mhp.sides[side]
    if not s.orders[0].loaded or s.orders[0].order.first_cycle > mhp.planned_from:
        return
    if s.next_cycle > mhp.planned_from or s.holds:
        return
    if not s.orders[0].order.measure and s.slot < 0:
        return
    s.orders[0].attempts += made


cdef void mhp_turn(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory
) noexcept nogil:
    cdef int64_t cycle = next_cycle(mhp, queue.now_ps)
    cdef bint[2] takes_part
    cdef int side
    settle(mhp, cycle)
    if mhp.attempts_next:
        for side in range(2):
            takes_part[side] = first_attempt(mhp, side, cycle) == cycle
        mhp_attempt(mhp, queue, ledger, memory, cycle, takes_part)
        mhp.planned_from = NEVER
    mhp_plan(mhp, queue)


cdef bint mhp_turn_void(Mhp* mhp, int64_t epoch) noexcept nogil:
    return epoch != mhp.epoch


# ---- the answer ----

cdef void mhp_reply(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, int side, Reply* reply
) noexcept nogil:
    cdef MhpSide* s = &mhp.sides[side]
    cdef Pending* p = NULL
    cdef uint8_t error = reply.error
    cdef int32_t i
    for i in range(s.pending_count):
        if s.pendings[i].used and s.pendings[i].cycle == reply.cycle:
            p = &s.pendings[i]
            break
    if p == NULL:
        mhp.counters[MHP_STALE_REPLIES] += 1
        return
    settle(mhp, next_cycle(mhp, queue.now_ps))
    mhp.counters[MHP_REPLIES] += 1
    s.station_seq = reply.mhp_seq
    if error != MHP_TIME_MISMATCH and reply.queue != p.queue:
        error = MHP_QUEUE_MISMATCH
    if error == MHP_NONE and reply.outcome and not p.is_pair:
        mhp.counters[MHP_FALSE_HERALDS] += 1
        error = MHP_GEN_FAIL
    if error != MHP_NONE:
        report_error(mhp, queue, side, p, error, reply.other_queue)
        attempt_failed(mhp, queue, ledger, memory, side, p)
    else:
        s.errors_in_row = 0
        if reply.outcome:
            report_pair(mhp, queue, ledger, memory, side, p, reply)
        else:
            attempt_failed(mhp, queue, ledger, memory, side, p)
    mhp_plan(mhp, queue)


cdef void mhp_timeout(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t value
) noexcept nogil:
    cdef int side = value & 1
    cdef Pending* p = &mhp.sides[side].pendings[value >> 1 & INT32_MAX >> 1]
    settle(mhp, next_cycle(mhp, queue.now_ps))
    mhp.counters[MHP_TIMEOUTS] += 1
    report_error(mhp, queue, side, p, MHP_GEN_FAIL, 0)
    attempt_failed(mhp, queue, ledger, memory, side, p)
    mhp_plan(mhp, queue)


cdef bint mhp_timeout_void(Mhp* mhp, int64_t value) noexcept nogil:
    cdef Pending* p = &mhp.sides[value & 1].pendings[value >> 1 & INT32_MAX >> 1]
    return not p.used or p.stamp != value >> 32
