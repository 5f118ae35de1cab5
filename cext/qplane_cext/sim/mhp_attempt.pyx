"""An attempt that is sent; see mhp_attempt.pxd."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport realloc
from libc.string cimport memset

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.events cimport (
    ARRIVE, MHP_TIMEOUT, Packet, Queue, packet_new, queue_push, time_sum
)
from qplane_cext.sim.frames cimport ETHERNET_BYTES, LARGEST_FRAME_BYTES
from qplane_cext.sim.ledger cimport Half, Ledger, half_at, ledger_measured_pair, ledger_pair
from qplane_cext.sim.mhp cimport (
    MHP_ALONE, MHP_ATTEMPTS, MHP_GENS, MHP_HERALDS, HeraldFigures, Mhp, MhpSide, Pending, step_of
)
from qplane_cext.sim.mhp_figures cimport figures_for
from qplane_cext.sim.mhp_frames cimport *
from qplane_cext.sim.streams cimport chance, uniform


cdef void send_later(
    Queue* queue, int64_t at_ps, int32_t node, int32_t port, const uint8_t* frame, uint32_t length
) noexcept nogil:
    """A frame that a device sends to its switch at a later time."""
    cdef Packet* packet = packet_new(queue, frame, ETHERNET_BYTES + length)
    if packet != NULL:
        queue_push(queue, at_ps, ARRIVE, node, port, packet)


cdef Pending* new_pending(MhpSide* s, Queue* queue) noexcept nogil:
    cdef int32_t i, wider
    cdef Pending* pendings
    for i in range(s.pending_count):
        if not s.pendings[i].used:
            return &s.pendings[i]
    if s.pending_count == s.pending_capacity:
        wider = 2 * s.pending_capacity if s.pending_capacity else 8
        pendings = <Pending*>realloc(s.pendings, wider * sizeof(Pending))
        if pendings == NULL:
            queue.out_of_memory = True
            return NULL
        s.pendings = pendings
        s.pending_capacity = wider
    s.pending_count += 1
    memset(&s.pendings[s.pending_count - 1], 0, sizeof(Pending))
    return &s.pendings[s.pending_count - 1]


cdef void choose_basis(Mhp* mhp, Order* order, uint8_t* basis, double* axis) noexcept nogil:
    """The axis that an M attempt measures along; probabilities are n / 255."""
    cdef double draw
    cdef double half = 0.7071067811865476
    if order.random_basis == RANDOM_NONE:
        rotated_axis(order.rotations, axis)
        basis[0] = BASIS_OF_ORDER
        if not (order.rotations[0] or order.rotations[1] or order.rotations[2]):
            basis[0] = BASIS_Z
        return
    draw = 255.0 * uniform(mhp.stream)
    if order.random_basis == RANDOM_CHSH:
        basis[0] = BASIS_Z_PLUS if draw < order.probabilities[0] else BASIS_Z_MINUS
        axis[0] = half if basis[0] == BASIS_Z_PLUS else -half
        axis[1] = 0.0
        axis[2] = half
        return
    basis[0] = BASIS_Z
    if draw < order.probabilities[0]:
        basis[0] = BASIS_X
    elif (
        order.random_basis == RANDOM_XYZ
        and draw < order.probabilities[0] + order.probabilities[1]
    ):
        basis[0] = BASIS_Y
    axis[0] = basis[0] == BASIS_X
    axis[1] = basis[0] == BASIS_Y
    axis[2] = basis[0] == BASIS_Z


cdef void make_pair(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, HeraldFigures* figures,
    int which, Pending** pendings, const double* axes
) noexcept nogil:
    """The photons did it: a pair in memory (K), or its outcomes (M)."""
    cdef int64_t start_ps = queue.now_ps
    cdef int64_t later_ps = start_ps + max(mhp.link.born_ps[0], mhp.link.born_ps[1])
    cdef int32_t pair
    cdef int side
    cdef Half* half
    cdef int bits[2]
    cdef int nodes[2]
    if pendings[0].measure:
        for side in range(2):
            nodes[side] = mhp.sides[side].device.node
        ledger_measured_pair(
            ledger, memory, later_ps, figures.states[which], mhp.link.profiles, nodes, axes, bits
        )
    else:
        pair = ledger_pair(
            ledger, memory, later_ps, figures.kept[which], mhp.link.profiles, mhp.index, 0,
            figures.bells[which],
        )
        if pair < 0:
            return  # out of memory; the run ends with an error
    for side in range(2):
        pendings[side].bell = figures.bells[which]
        pendings[side].is_pair = True
        if pendings[side].measure:
            pendings[side].outcome = bits[side]
            continue
        mhp.sides[side].device.slots[pendings[side].slot].half = 2 * pair + side
        mhp.sides[side].device.slots[pendings[side].slot].bell = figures.bells[which]
        half = half_at(ledger, 2 * pair + side)
        half.node = mhp.sides[side].device.node
        half.link = mhp.sides[side].number
        half.label = 0
        half.emitted_ps = start_ps + mhp.link.born_ps[side]


cdef Pending* begin_attempt(
    Mhp* mhp, Queue* queue, int side, int64_t cycle, bint present, double* axis
) noexcept nogil:
    """One end's part: GEN, and the wait for its REPLY."""
    cdef MhpSide* s = &mhp.sides[side]
    cdef Order* order = &s.orders[0].order
    cdef Pending* p = new_pending(s, queue)
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    if p == NULL:
        return NULL
    p.used = True
    p.stamp = (p.stamp + 1) & 0x7FFFFFFF
    p.queue = order.queue
    p.measure = order.measure
    p.is_pair = False
    p.cycle = cycle
    p.born_ps = queue.now_ps + mhp.link.born_ps[side]
    p.slot = -1
    p.target = -1
    if order.measure:
        choose_basis(mhp, order, &p.basis, axis)
    else:
        p.slot = s.slot
        p.target = s.target
        s.slot = -1
        s.target = -1
        s.holds = True
    s.orders[0].attempts += 1
    p.attempts = s.orders[0].attempts
    s.next_cycle = cycle + step_of(mhp, order.measure)
    memset(frame, 0, LARGEST_FRAME_BYTES)
    write_gen(frame, s.number, order.queue, order.measure, present, cycle)
    send_later(
        queue, time_sum(queue.now_ps, mhp.gen_ps[side]), s.device.node, s.device.quantum_port,
        frame, GEN_FRAME_BYTES,
    )
    mhp.counters[MHP_GENS] += 1
    queue_push(
        queue, time_sum(queue.now_ps, mhp.attempt_cycles * mhp.cycle_ps), MHP_TIMEOUT, mhp.index,
        side | <int64_t>(p - s.pendings) << 1 | <int64_t>p.stamp << 32, NULL,
    )
    return p


cdef void mhp_attempt(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t cycle,
    const bint* takes_part
) noexcept nogil:
    cdef Pending* pendings[2]
    cdef double[6] axes
    cdef HeraldFigures* figures
    cdef bint success
    cdef int side, which = 0
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    cdef bint stored
    figures = figures_for(
        mhp, queue, mhp.sides[0].orders[0].order.bright, mhp.sides[1].orders[0].order.bright
    )
    if figures == NULL:
        return
    if mhp.agreed and not mhp.every_attempt:
        success = True  # the plan ended here for that
    else:
        success = takes_part[0] and takes_part[1] and chance(mhp.stream, figures.success)
    if mhp.agreed:
        mhp.counters[MHP_ATTEMPTS] += 1
        mhp.alone = 0
    else:
        mhp.counters[MHP_ALONE] += 1
        mhp.alone += 1
    if success and figures.state_count == 2:
        which = uniform(mhp.stream) >= 0.5
    # A source fires in each attempt; it is the nodes that say whether a photon came.
    stored = success or not mhp.is_source
    for side in range(2):
        pendings[side] = NULL
        if takes_part[side]:
            pendings[side] = begin_attempt(
                mhp, queue, side, cycle, stored, &axes[3 * side]
            )
            if pendings[side] == NULL:
                return
    if success:
        mhp.counters[MHP_HERALDS] += 1
        if pendings[0].measure == pendings[1].measure:
            make_pair(mhp, queue, ledger, memory, figures, which, pendings, axes)
    memset(frame, 0, LARGEST_FRAME_BYTES)
    write_outcome(
        frame, mhp.station_link,
        figures.bells[which] - 1 if success or mhp.is_source else 0, cycle,
    )
    send_later(
        queue, time_sum(queue.now_ps, mhp.outcome_ps), mhp.station, mhp.station_port, frame,
        OUTCOME_FRAME_BYTES,
    )
