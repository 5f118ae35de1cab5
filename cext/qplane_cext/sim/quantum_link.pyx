"""A heralded quantum link; see quantum_link.pxd.

The number of attempts up to a success is one draw; nothing happens in between. Timing of one
attempt that begins at 0, with arms of delay a >= b: the farther memory emits at `emission`, the
nearer one a - b later, so that the photons meet at `emission + a`; the herald is back at
`emission + 2 a` and `emission + a + b`. Other schemes have other times (photonic.py). That both ends know when both have a slot free is taken as
given; a real link spends messages on it.

A circuit may ask for a bright state of its own (single-click): what its attempts then give comes from
Python once, and is kept.
"""

from libc.stdint cimport INT64_MAX
from libc.stdlib cimport malloc
from libc.string cimport memset

from qplane_cext.sim.device cimport (
    PAIRS_PER_LINK, SLICES, DeviceLink, Request, Slot, device_free_slot, device_heralded,
    device_pair_begins, device_pair_over, device_reserve, device_unreserve
)
from qplane_cext.sim.events cimport HERALD, LINK_NEXT, LINK_WAKE, STATION, queue_push, time_sum
from qplane_cext.sim.ledger cimport Half, half_at, ledger_pair
from qplane_cext.sim.requests cimport request_for
from qplane_cext.sim.streams cimport geometric, uniform


# ---- figures of the physics, from Python, kept ----

cdef int ask_figures(QuantumLink* link, LinkFigures* figures) noexcept with gil:
    cdef int i, j
    try:
        success, states = (<object>link.figures_of)(figures.bright[0], figures.bright[1])
    except ValueError:  # no attempt can succeed
        return 0
    figures.success = success
    figures.state_count = len(states)
    for i, (bell, state) in enumerate(states):
        figures.bells[i] = bell
        for j in range(16):
            figures.states[i][j] = state[j]
    return 0


cdef LinkFigures* figures_for(QuantumLink* link, uint16_t a, uint16_t b) noexcept nogil:
    """For the bright-state parameters of both ends; NULL where the machine has no memory."""
    cdef int32_t i
    cdef LinkFigures* found
    for i in range(link.figure_count):
        found = &link.figures[i]
        if found.bright[0] == a and found.bright[1] == b:
            return found
    if link.figures == NULL:
        link.figures = <LinkFigures*>malloc(link.figure_room * sizeof(LinkFigures))
        if link.figures == NULL:
            return NULL
    if link.figure_count < link.figure_room:
        found = &link.figures[link.figure_count]
        link.figure_count += 1
    else:
        found = &link.figures[link.figure_turn]
        link.figure_turn = (link.figure_turn + 1) % link.figure_room
    memset(found, 0, sizeof(LinkFigures))
    found.bright[0] = a
    found.bright[1] = b
    ask_figures(link, found)
    return found


# ---- turns, slots, attempts ----

cdef int64_t after_attempts(QuantumLink* link, int64_t count) noexcept nogil:
    """Start of the sequence plus that many attempts."""
    if count > (INT64_MAX - link.started_ps) // link.attempt_ps:
        return INT64_MAX
    return link.started_ps + count * link.attempt_ps


cdef Request* partner_request(QuantumLink* link, Request* request) noexcept nogil:
    """The request for the same label at the other end, or NULL. Requests keep their index."""
    cdef DeviceLink* far = &link.devices[1].links[link.numbers[1]]
    cdef Request* found
    if request.peer < 0:
        found = request_for(link.devices[1], link.numbers[1], request.label)
        if found == NULL:
            return NULL
        request.peer = found - far.requests
    return &far.requests[request.peer]


cdef bint reserve(QuantumLink* link, Request* near) noexcept nogil:
    """Take a slot at both ends for this request, if it is active and there is one."""
    cdef Request* far = partner_request(link, near)
    if far == NULL or not near.active or not far.active:
        return False
    link.slots[0] = device_free_slot(link.devices[0], near)
    if link.slots[0] < 0:
        return False
    link.slots[1] = device_free_slot(link.devices[1], far)
    if link.slots[1] < 0:
        return False
    device_reserve(link.devices[0], link.slots[0], link.numbers[0], near)
    device_reserve(link.devices[1], link.slots[1], link.numbers[1], far)
    link.label = near.label
    link.bright[0] = near.bright_state
    link.bright[1] = far.bright_state
    return True


cdef bint reserve_in_turn(QuantumLink* link) noexcept nogil:
    """Slices take turns, and within a slice its circuits: what a circuit gets does not depend on how
    many of them another slice has."""
    cdef DeviceLink* near = &link.devices[0].links[link.numbers[0]]
    cdef uint64_t slices = 0
    cdef int32_t i, index
    cdef int k, turn
    for i in range(near.request_count):
        slices |= <uint64_t>1 << near.requests[i].slice
    for k in range(SLICES):
        turn = (link.slice_turn + k) % SLICES
        if not slices >> turn & 1:
            continue
        for i in range(near.request_count):
            index = (link.turns[turn] + i) % near.request_count
            if near.requests[index].slice == turn and reserve(link, &near.requests[index]):
                link.turns[turn] = index + 1
                link.slice_turn = turn + 1
                return True
    return False


cdef bint held_back(QuantumLink* link, Queue* queue) noexcept nogil:
    """Whether the pair that had the next one's record in the switches is held, or messages about it
    may be under way. Then the link is woken when that is over."""
    cdef int64_t over_ps
    if link.heralds < PAIRS_PER_LINK:
        return False
    over_ps = max(
        device_pair_over(link.devices[0], link.numbers[0], link.next_seq),
        device_pair_over(link.devices[1], link.numbers[1], link.next_seq),
    )
    if over_ps <= queue.now_ps:
        return False
    link.times_held_back += 1
    if over_ps != INT64_MAX:
        queue_push(queue, over_ps, LINK_WAKE, link.index, 0, NULL)
    return True


cdef void begin(QuantumLink* link, Queue* queue) noexcept nogil:
    """Start a sequence of attempts for the next request in turn, or wait for a slot or one."""
    cdef int64_t last_ps, late_ps
    if link.lent:
        link.phase = BLOCKED
        return
    if held_back(link, queue) or not reserve_in_turn(link):
        link.phase = BLOCKED
        link.devices[0].links[link.numbers[0]].blocked = True
        link.devices[1].links[link.numbers[1]].blocked = True
        return
    link.phase = ATTEMPTING
    link.started_ps = queue.now_ps
    if link.aligned:
        late_ps = queue.now_ps % link.attempt_ps
        if late_ps:
            link.started_ps = time_sum(queue.now_ps, link.attempt_ps - late_ps)
    link.current = figures_for(link, link.bright[0], link.bright[1])
    if link.current == NULL:
        queue.out_of_memory = True
        return
    link.planned = INT64_MAX
    if link.current.success > 0.0:
        link.planned = geometric(link.stream, link.current.success)
    last_ps = time_sum(after_attempts(link, link.planned - 1), link.herald_ps)
    queue_push(queue, last_ps, STATION, link.index, link.epoch, NULL)


cdef bint wanted(QuantumLink* link) noexcept nogil:
    """Whether both ends still ask for the label that is being attempted."""
    return (
        request_for(link.devices[0], link.numbers[0], link.label).active
        and request_for(link.devices[1], link.numbers[1], link.label).active
    )


cdef bint link_void(QuantumLink* link, int64_t epoch) noexcept nogil:
    return epoch != link.epoch


cdef void link_wake(QuantumLink* link, Queue* queue) noexcept nogil:
    """A request changed, a slot became free while the link was blocked, or the MHP has the link
    now or no longer."""
    if link.phase == ATTEMPTING and (link.lent or not wanted(link)):
        link.attempts += max(queue.now_ps - link.started_ps, 0) // link.attempt_ps
        device_unreserve(link.devices[0], queue, link.slots[0])
        device_unreserve(link.devices[1], queue, link.slots[1])
        link.epoch += 1
        link.phase = BLOCKED
    if link.phase == BLOCKED:
        begin(link, queue)


cdef void link_station(
    QuantumLink* link, Queue* queue, Ledger* ledger, QuantumMemory memory
) noexcept nogil:
    cdef int which = 0, side
    cdef int32_t pair
    cdef uint8_t bell
    cdef Slot* slot
    cdef Half* half
    cdef int64_t now_ps = queue.now_ps
    cdef int64_t began_ps = now_ps - link.herald_ps
    if link.current.state_count == 2:
        which = uniform(link.stream) >= 0.5
    bell = link.current.bells[which]
    pair = ledger_pair(
        ledger, memory, began_ps + max(link.born_ps[0], link.born_ps[1]), link.current.states[which],
        link.profiles, link.index, link.next_seq, bell,
    )
    if pair < 0:
        return  # out of memory; the run ends with an error
    for side in range(2):
        if not device_pair_begins(link.devices[side], link.numbers[side], link.next_seq):
            ledger.out_of_memory = True
            return
        slot = &link.devices[side].slots[link.slots[side]]
        slot.seq = link.next_seq
        slot.bell = bell
        slot.half = 2 * pair + side
        half = half_at(ledger, slot.half)
        half.node = link.devices[side].node
        half.link = link.numbers[side]
        half.label = link.label
        half.emitted_ps = began_ps + link.born_ps[side]
        queue_push(
            queue, time_sum(now_ps, link.arms_ps[side]), HERALD, link.index,
            <int64_t>link.slots[side] << 1 | side, NULL,
        )
    link.attempts += link.planned
    link.heralds += 1
    link.next_seq += 1  # wraps
    link.phase = HERALDED
    queue_push(queue, after_attempts(link, link.planned), LINK_NEXT, link.index, link.epoch, NULL)


cdef void link_herald(
    QuantumLink* link, Queue* queue, Ledger* ledger, int64_t value
) noexcept nogil:
    cdef Device* device = link.devices[value & 1]
    cdef int32_t slot = value >> 1
    device_heralded(
        device, queue, slot, half_at(ledger, device.slots[slot].half).emitted_ps
    )


cdef void link_next(QuantumLink* link, Queue* queue) noexcept nogil:
    begin(link, queue)
