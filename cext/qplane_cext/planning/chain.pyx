"""A circuit as a chain of links, pair by pair; see chain.pyi.

Nothing is known here of packets, switches or quantum states: a pair is when it was heralded, what
became of its two halves, and which pairs it was joined with.
"""

from libc.math cimport exp, floor, log1p, sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free, realloc

from cpython.pycapsule cimport PyCapsule_GetPointer
from numpy.random cimport bitgen_t

from numpy.random import Philox

cdef enum:
    BATCHES = 20  # of consecutive deliveries, for standard errors
    MAX_LINKS = 512

cdef enum HalfState:
    MAKING  # on its link, where it is distilled first
    WAITING  # at a repeater for its partner, at an end for its delivery
    SWAPPING
    SWAPPED
    DEAD

cdef enum Kind:
    HERALD
    TURN
    SWAP_DONE
    CUTOFF
    EXPIRE
    END_FREE
    HEAD_READY
    HEAD_DONE
    TAIL_DONE
    ANSWER

cdef struct Event:
    int64_t time_ps
    int64_t order
    uint8_t kind
    uint8_t side
    int32_t link
    uint32_t seq
    uint32_t seq2

cdef struct Pair:
    uint32_t seq
    int64_t known_ps[2]  # when the half was there for the circuit
    int64_t since_ps[2]  # up to when its correlations have the decay of the half
    int64_t oldest_ps
    double xx
    double yy
    double zz
    uint8_t state[2]
    bint doomed[2]  # EXPIRE came while the half was being swapped, or made
    int64_t done_ps[2]  # when the half was swapped
    uint32_t peer[2]

cdef struct Queue:  # of pairs that wait at a repeater on one side, oldest first
    uint32_t* seqs
    uint32_t first
    uint32_t past

cdef struct Link:
    double success
    double other_success
    int64_t attempt_ps
    int64_t herald_ps
    int64_t delay_ps
    double xx
    double yy
    double zz
    int32_t turns
    int32_t slots
    int32_t used[2]
    bint busy
    bint turn_pending
    int64_t turn_ps
    uint32_t next_seq
    int32_t rounds  # of distillation, before its pairs are swapped
    Pair* pairs
    Queue waiting[2]

cdef struct Node:
    double t1_rate  # per picosecond
    double t2_rate
    int64_t swap_ps
    double swap_success
    double fx
    double fy
    double fz
    double gate  # what is left of a correlation after a two-qubit gate, a one-qubit gate, a read-out
    double turn
    double seen

cdef struct Stored:  # a pair that is held at both ends for a distillation
    bint used
    bint waiting  # at the head-end, for a second one
    int32_t level  # rounds done
    int32_t mate  # the one that is spent on it
    bint success
    uint32_t head_seq  # of its pair on the head-end's link, and on the tail-end's
    uint32_t tail_seq
    double xx
    double yy
    double zz
    int64_t head_ps  # up to when its correlations have the decay of that half
    int64_t tail_ps
    int64_t oldest_ps

cdef struct Distiller:  # two nodes that distil: the ends of the chain, or of a link
    int32_t index  # of the link; as many as there are links: of the whole chain
    int32_t rounds
    int32_t head  # node
    int32_t tail
    int32_t head_link
    int32_t tail_link
    uint8_t head_side  # of these links
    uint8_t tail_side
    int64_t way_ps  # of a message from one to the other
    Stored* stored
    int32_t capacity

cdef struct Totals:
    int64_t count
    double time_ps
    double fidelity
    double zz
    double xx
    double latency_ps

cdef struct Chain:
    Link* links
    Node* nodes
    int32_t n
    uint32_t mask
    int64_t cutoff_ps
    int64_t switch_ps
    Event* heap
    int32_t events
    int32_t capacity
    int64_t order
    int64_t now_ps
    int64_t delivered
    int64_t expired
    int64_t last_ps
    int64_t events_left
    bint out_of_memory
    Distiller* distillers  # of the links, and of the whole chain
    double correction  # what is left of a correlation after it
    bitgen_t* stream
    Totals batch


# ---- events ----

cdef inline bint earlier(const Event* a, const Event* b) noexcept nogil:
    return a.time_ps < b.time_ps or (a.time_ps == b.time_ps and a.order < b.order)


cdef void push(
    Chain* chain, int64_t time_ps, uint8_t kind, int32_t link, uint8_t side, uint32_t seq,
    uint32_t seq2
) noexcept nogil:
    cdef Event event
    cdef Event* wider
    cdef int32_t place, parent
    if chain.events == chain.capacity:
        wider = <Event*>realloc(chain.heap, 2 * chain.capacity * sizeof(Event))
        if wider == NULL:
            chain.out_of_memory = True
            return
        chain.heap = wider
        chain.capacity *= 2
    event.time_ps = time_ps
    event.order = chain.order
    event.kind = kind
    event.link = link
    event.side = side
    event.seq = seq
    event.seq2 = seq2
    chain.order += 1
    place = chain.events
    chain.events += 1
    while place > 0:
        parent = (place - 1) >> 1
        if not earlier(&event, &chain.heap[parent]):
            break
        chain.heap[place] = chain.heap[parent]
        place = parent
    chain.heap[place] = event


cdef Event pop(Chain* chain) noexcept nogil:
    cdef Event first = chain.heap[0]
    cdef Event last
    cdef int32_t place = 0, child
    chain.events -= 1
    last = chain.heap[chain.events]
    while True:
        child = 2 * place + 1
        if child >= chain.events:
            break
        if child + 1 < chain.events and earlier(&chain.heap[child + 1], &chain.heap[child]):
            child += 1
        if not earlier(&chain.heap[child], &last):
            break
        chain.heap[place] = chain.heap[child]
        place = child
    chain.heap[place] = last
    return first


# ---- chance ----

cdef inline double uniform(Chain* chain) noexcept nogil:
    return chain.stream.next_double(chain.stream.state)


cdef int64_t sequence_ps(Chain* chain, Link* link, double success) noexcept nogil:
    """Duration of a sequence of attempts up to a success."""
    cdef double attempts
    if success >= 1.0:
        return link.attempt_ps
    attempts = floor(log1p(-uniform(chain)) / log1p(-success)) + 1.0
    if attempts * link.attempt_ps > 1.0e18:
        return 1000000000000000000
    return <int64_t>attempts * link.attempt_ps


# ---- links ----

cdef inline Pair* pair_of(Chain* chain, int32_t link, uint32_t seq) noexcept nogil:
    """The pair, or NULL where its record is used by a later one."""
    cdef Pair* pair = &chain.links[link].pairs[seq & chain.mask]
    return pair if pair.seq == seq else NULL


cdef void start(Chain* chain, int32_t index) noexcept nogil:
    """Begin a sequence of attempts if there are slots and it is this circuit's turn."""
    cdef Link* link = &chain.links[index]
    cdef int32_t others, i
    if link.busy or link.turn_pending:
        return
    if link.used[0] >= link.slots or link.used[1] >= link.slots:
        return
    if link.turns > 1 and chain.now_ps > link.turn_ps:
        # The turn was missed for want of a slot. Somebody else's sequence is under way (what is
        # left of it is again geometric), and 0 to turns - 2 more stand in line.
        others = 1 + <int32_t>(uniform(chain) * (link.turns - 1))
        link.turn_ps = chain.now_ps
        for i in range(others):
            link.turn_ps += sequence_ps(chain, link, link.other_success)
    if chain.now_ps < link.turn_ps:
        link.turn_pending = True
        push(chain, link.turn_ps, TURN, index, 0, 0, 0)
        return
    link.busy = True
    link.used[0] += 1
    link.used[1] += 1
    push(
        chain, chain.now_ps + sequence_ps(chain, link, link.success), HERALD, index, 0, link.next_seq, 0
    )
    link.next_seq += 1


cdef void free_slot(Chain* chain, int32_t link, int side) noexcept nogil:
    chain.links[link].used[side] -= 1
    start(chain, link)


cdef inline bint is_end(Chain* chain, int32_t link, int side) noexcept nogil:
    return (link == 0 and side == 0) or (link == chain.n - 1 and side == 1)


cdef void heralded(Chain* chain, int32_t index, uint32_t seq) noexcept nogil:
    cdef Link* link = &chain.links[index]
    cdef Pair* pair = &link.pairs[seq & chain.mask]
    cdef int side
    cdef int32_t i
    pair.seq = seq
    pair.oldest_ps = chain.now_ps - link.herald_ps
    pair.xx = link.xx
    pair.yy = link.yy
    pair.zz = link.zz
    for side in range(2):
        pair.known_ps[side] = chain.now_ps
        pair.since_ps[side] = pair.oldest_ps
        pair.state[side] = MAKING if link.rounds else WAITING
        pair.doomed[side] = False
        pair.done_ps[side] = 0
    link.busy = False
    link.turn_ps = chain.now_ps
    for i in range(link.turns - 1):
        link.turn_ps += sequence_ps(chain, link, link.other_success)
    if link.rounds:
        exchange(chain, index, pair)
    else:
        for side in range(2):
            if not is_end(chain, index, side):
                meet(chain, index, side, seq)
        if chain.n == 1:
            check_complete(chain, 0, seq)
    start(chain, index)


cdef void exchange(Chain* chain, int32_t index, Pair* pair) noexcept nogil:
    """Both ends tell each other of a pair that their link shall distil. One of them corrects it."""
    cdef Link* link = &chain.links[index]
    cdef Distiller* ends = &chain.distillers[index]
    cdef int64_t there_ps = chain.now_ps + link.delay_ps + 2 * chain.switch_ps
    cdef double stored = there_ps - pair.oldest_ps
    cdef double corrected = chain.nodes[ends.tail].turn
    cdef double dephased = corrected * exp(
        -stored * (chain.nodes[index].t2_rate + chain.nodes[index + 1].t2_rate)
    )
    cdef double kept = corrected * exp(
        -stored * (chain.nodes[index].t1_rate + chain.nodes[index + 1].t1_rate)
    )
    store(
        chain, ends, pair.seq, pair.seq, pair.xx * dephased, pair.yy * dephased, pair.zz * kept,
        there_ps, there_ps, pair.oldest_ps,
    )


cdef void fed(Chain* chain, int32_t index, int side, uint32_t seq) noexcept nogil:
    """A half of a pair that its link has distilled is there for the circuit."""
    cdef Pair* pair = pair_of(chain, index, seq)
    if pair == NULL or pair.state[side] != MAKING:
        return
    if pair.doomed[side]:
        pair.state[side] = DEAD
        free_slot(chain, index, side)
        return
    pair.state[side] = WAITING
    meet(chain, index, side, seq)


cdef void meet(Chain* chain, int32_t index, int side, uint32_t seq) noexcept nogil:
    """A half is at a repeater: swap it with the oldest that waits there, or let it wait."""
    cdef int32_t other = index + 1 if side else index - 1
    cdef Queue* queue = &chain.links[other].waiting[1 - side]
    cdef Pair* pair = pair_of(chain, index, seq)
    cdef Pair* partner
    cdef Node* node = &chain.nodes[index + side]
    cdef uint32_t seq2
    while queue.first != queue.past:
        seq2 = queue.seqs[queue.first & chain.mask]
        queue.first += 1
        partner = pair_of(chain, other, seq2)
        if partner == NULL or partner.state[1 - side] != WAITING:
            continue
        partner.state[1 - side] = SWAPPING
        pair.state[side] = SWAPPING
        push(
            chain, chain.now_ps + chain.switch_ps + node.swap_ps, SWAP_DONE, min(index, other), 0,
            seq if side else seq2, seq2 if side else seq,
        )
        return
    queue = &chain.links[index].waiting[side]
    queue.seqs[queue.past & chain.mask] = seq
    queue.past += 1
    if chain.cutoff_ps:
        push(
            chain, chain.now_ps + (
                chain.cutoff_ps if chain.links[index].rounds
                else max(chain.cutoff_ps - chain.links[index].herald_ps, 0)
            ), CUTOFF, index, side, seq, 0,
        )


# ---- what ends a wait ----

cdef void announce(Chain* chain, int32_t link, int side, uint32_t seq) noexcept nogil:
    """EXPIRE leaves the half on `side` towards the other half."""
    push(
        chain, chain.now_ps + chain.links[link].delay_ps + chain.switch_ps, EXPIRE, link, 1 - side,
        seq, 0,
    )


cdef void swap_done(Chain* chain, int32_t left, uint32_t seq, uint32_t seq2) noexcept nogil:
    """`seq` of link `left` and `seq2` of the link behind it."""
    cdef Pair* a = pair_of(chain, left, seq)
    cdef Pair* b = pair_of(chain, left + 1, seq2)
    cdef Node* node = &chain.nodes[left + 1]
    if a == NULL or b == NULL:
        chain.out_of_memory = True  # cannot be: a half that is being swapped holds its record
        return
    if (a.doomed[1] or b.doomed[0]
            or (node.swap_success < 1.0 and uniform(chain) >= node.swap_success)):
        a.state[1] = DEAD
        b.state[0] = DEAD
        announce(chain, left, 1, seq)
        announce(chain, left + 1, 0, seq2)
    else:
        a.state[1] = SWAPPED
        b.state[0] = SWAPPED
        a.done_ps[1] = chain.now_ps
        b.done_ps[0] = chain.now_ps
        a.peer[1] = seq2
        b.peer[0] = seq
        check_complete(chain, left, seq)
    free_slot(chain, left, 1)
    free_slot(chain, left + 1, 0)


cdef void cut_off(Chain* chain, int32_t link, int side, uint32_t seq) noexcept nogil:
    cdef Pair* pair = pair_of(chain, link, seq)
    if pair == NULL or pair.state[side] != WAITING:
        return
    pair.state[side] = DEAD
    chain.expired += 1
    announce(chain, link, side, seq)
    free_slot(chain, link, side)


cdef void expire(Chain* chain, int32_t link, int side, uint32_t seq) noexcept nogil:
    """EXPIRE is at the half of this pair on `side`."""
    cdef Pair* pair = pair_of(chain, link, seq)
    cdef int32_t beyond = link + 1 if side else link - 1
    if pair == NULL:
        return
    if pair.state[side] == WAITING:
        pair.state[side] = DEAD
        free_slot(chain, link, side)
    elif pair.state[side] == SWAPPING or pair.state[side] == MAKING:
        pair.doomed[side] = True
    elif pair.state[side] == SWAPPED:
        announce(chain, beyond, 1 - side, pair.peer[side])


# ---- delivery ----

cdef void check_complete(Chain* chain, int32_t link, uint32_t seq) noexcept nogil:
    """Deliver the chain that this pair is part of, if it reaches from end to end."""
    cdef int32_t at = link
    cdef uint32_t s = seq
    cdef Pair* pair
    while at > 0:
        pair = pair_of(chain, at, s)
        if pair == NULL or pair.state[0] != SWAPPED:
            return
        s = pair.peer[0]
        at -= 1
    deliver(chain, s)


cdef void deliver(Chain* chain, uint32_t first) noexcept nogil:
    cdef (Pair*)[MAX_LINKS] path
    cdef int32_t i
    cdef uint32_t s = first
    cdef int64_t head_ps, tail_ps, oldest_ps
    cdef double xx = 1.0, yy = 1.0, zz = 1.0, left, right, dephased
    cdef Distiller* ends = &chain.distillers[chain.n]
    cdef Node* node
    for i in range(chain.n):
        path[i] = pair_of(chain, i, s)
        if path[i] == NULL or path[i].state[0] == DEAD or path[i].state[1] == DEAD:
            return
        if i < chain.n - 1:
            if path[i].state[1] != SWAPPED:
                return
            s = path[i].peer[1]
    # TRACK of either end goes along the path and waits at each repeater for the swap there.
    tail_ps = path[0].known_ps[0]
    head_ps = path[chain.n - 1].known_ps[1]
    for i in range(chain.n):
        tail_ps += chain.links[i].delay_ps + chain.switch_ps
        if i < chain.n - 1:
            tail_ps = max(tail_ps, path[i].done_ps[1])
        head_ps += chain.links[chain.n - 1 - i].delay_ps + chain.switch_ps
        if i < chain.n - 1:
            head_ps = max(head_ps, path[chain.n - 1 - i].done_ps[0])
    tail_ps = max(tail_ps + chain.switch_ps, path[chain.n - 1].known_ps[1])
    head_ps = max(head_ps + chain.switch_ps, path[0].known_ps[0])
    if not ends.rounds:
        push(chain, head_ps, END_FREE, 0, 0, path[0].seq, 0)
        push(chain, tail_ps, END_FREE, chain.n - 1, 1, path[chain.n - 1].seq, 0)
    oldest_ps = head_ps
    for i in range(chain.n):
        left = (path[i].done_ps[0] if i else head_ps) - path[i].since_ps[0]
        right = (path[i].done_ps[1] if i < chain.n - 1 else tail_ps) - path[i].since_ps[1]
        oldest_ps = min(oldest_ps, path[i].oldest_ps)
        dephased = exp(-left * chain.nodes[i].t2_rate - right * chain.nodes[i + 1].t2_rate)
        xx *= path[i].xx * dephased
        yy *= path[i].yy * dephased
        zz *= path[i].zz * exp(-left * chain.nodes[i].t1_rate - right * chain.nodes[i + 1].t1_rate)
        if i:
            node = &chain.nodes[i]
            xx *= node.fx
            yy *= node.fy
            zz *= node.fz
    # The tail-end's correction, mostly of something.
    dephased = chain.correction
    xx *= dephased
    yy *= dephased
    zz *= dephased
    if ends.rounds:
        store(
            chain, ends, path[0].seq, path[chain.n - 1].seq, xx, yy, zz, head_ps, tail_ps, oldest_ps
        )
    else:
        account(chain, xx, yy, zz, max(head_ps, tail_ps), oldest_ps)


cdef void account(
    Chain* chain, double xx, double yy, double zz, int64_t done_ps, int64_t oldest_ps
) noexcept nogil:
    chain.delivered += 1
    chain.last_ps = max(chain.last_ps, done_ps)
    chain.batch.count += 1
    chain.batch.fidelity += (1.0 + xx + yy + zz) / 4.0
    chain.batch.zz += zz
    chain.batch.xx += xx
    chain.batch.latency_ps += done_ps - oldest_ps


# ---- distillation ----

cdef void store(
    Chain* chain, Distiller* ends, uint32_t head_seq, uint32_t tail_seq, double xx, double yy,
    double zz, int64_t head_ps, int64_t tail_ps, int64_t oldest_ps
) noexcept nogil:
    """A pair for the distillation. No more than the ends have slots are held at a time."""
    cdef int32_t i
    cdef Stored* pair
    for i in range(ends.capacity):
        if not ends.stored[i].used:
            break
    else:
        chain.out_of_memory = True  # cannot be
        return
    pair = &ends.stored[i]
    pair.used = True
    pair.waiting = False
    pair.level = 0
    pair.head_seq = head_seq
    pair.tail_seq = tail_seq
    pair.xx = xx
    pair.yy = yy
    pair.zz = zz
    pair.head_ps = head_ps
    pair.tail_ps = tail_ps
    pair.oldest_ps = oldest_ps
    push(chain, head_ps, HEAD_READY, ends.index, 0, i, 0)


cdef void head_ready(Chain* chain, Distiller* ends, int32_t index) noexcept nogil:
    """Two pairs of as many rounds: the head-end does its part, and asks the tail-end for the other."""
    cdef int32_t i
    cdef Stored* pair = &ends.stored[index]
    for i in range(ends.capacity):
        if i != index and ends.stored[i].used and ends.stored[i].waiting and (
            ends.stored[i].level == pair.level
        ):
            ends.stored[i].waiting = False
            pair.mate = i
            push(
                chain, chain.now_ps + chain.nodes[ends.head].swap_ps, HEAD_DONE, ends.index, 0,
                index, 0,
            )
            return
    pair.waiting = True


cdef void head_done(Chain* chain, Distiller* ends, int32_t index) noexcept nogil:
    cdef Stored* pair = &ends.stored[index]
    cdef Stored* spent = &ends.stored[pair.mate]
    age(chain, ends, pair, chain.now_ps, pair.tail_ps)
    age(chain, ends, spent, chain.now_ps, spent.tail_ps)
    end_free(chain, ends.head_link, ends.head_side, spent.head_seq)
    push(
        chain, chain.now_ps + ends.way_ps + chain.nodes[ends.tail].swap_ps, TAIL_DONE, ends.index,
        0, index, 0,
    )


cdef void tail_done(Chain* chain, Distiller* ends, int32_t index) noexcept nogil:
    """DEJMPS on Bell-diagonal pairs with the noise of both ends' gates and read-outs."""
    cdef Stored* a = &ends.stored[index]
    cdef Stored* b = &ends.stored[a.mate]
    cdef Node* head = &chain.nodes[ends.head]
    cdef Node* tail = &chain.nodes[ends.tail]
    cdef double gate = head.gate * tail.gate, turn = head.turn * tail.turn
    cdef double seen = head.seen * tail.seen, probability, xx, yy, zz
    age(chain, ends, a, a.head_ps, chain.now_ps)
    age(chain, ends, b, b.head_ps, chain.now_ps)
    probability = (1.0 + gate * seen * turn * turn * a.yy * b.yy) / 2.0
    xx = gate * turn * turn * (a.xx * b.xx + seen * a.zz * b.zz) / (2.0 * probability)
    yy = gate * turn * turn * (a.zz * b.xx + seen * a.xx * b.zz) / (2.0 * probability)
    zz = gate * turn * (a.yy + seen * b.yy) / (2.0 * probability)
    a.xx = xx
    a.yy = yy
    a.zz = zz
    a.success = uniform(chain) < probability
    b.used = False
    end_free(chain, ends.tail_link, ends.tail_side, b.tail_seq)
    if a.success and a.level + 1 == ends.rounds and ends.index < chain.n:
        feed(chain, ends, a)
    elif not a.success or a.level + 1 == ends.rounds:
        end_free(chain, ends.tail_link, ends.tail_side, a.tail_seq)
    push(chain, chain.now_ps + ends.way_ps, ANSWER, ends.index, 0, index, 0)


cdef void feed(Chain* chain, Distiller* ends, Stored* made) noexcept nogil:
    """The tail-end knows that a link's pair is distilled; the head-end will with the answer."""
    cdef Pair* pair = pair_of(chain, ends.index, made.tail_seq)
    if pair == NULL:
        chain.out_of_memory = True  # cannot be: it holds its record
        return
    pair.xx = made.xx
    pair.yy = made.yy
    pair.zz = made.zz
    pair.oldest_ps = made.oldest_ps
    pair.since_ps[ends.head_side] = made.head_ps
    pair.since_ps[ends.tail_side] = made.tail_ps
    pair.known_ps[ends.head_side] = chain.now_ps + ends.way_ps
    pair.known_ps[ends.tail_side] = chain.now_ps
    if is_end(chain, ends.index, ends.head_side):
        pair.state[ends.head_side] = WAITING
    if is_end(chain, ends.index, ends.tail_side):
        pair.state[ends.tail_side] = WAITING
    else:
        fed(chain, ends.index, ends.tail_side, pair.seq)
    if chain.n == 1:
        check_complete(chain, 0, pair.seq)


cdef void answered(Chain* chain, Distiller* ends, int32_t index) noexcept nogil:
    cdef Stored* pair = &ends.stored[index]
    if pair.success and pair.level + 1 < ends.rounds:
        pair.level += 1
        head_ready(chain, ends, index)
        return
    pair.used = False
    if pair.success and ends.index < chain.n:
        if not is_end(chain, ends.index, ends.head_side):
            fed(chain, ends.index, ends.head_side, pair.head_seq)
        return
    if pair.success:
        age(chain, ends, pair, chain.now_ps, pair.tail_ps)
        account(chain, pair.xx, pair.yy, pair.zz, chain.now_ps, pair.oldest_ps)
    end_free(chain, ends.head_link, ends.head_side, pair.head_seq)


cdef void age(
    Chain* chain, Distiller* ends, Stored* pair, int64_t head_ps, int64_t tail_ps
) noexcept nogil:
    cdef double left = head_ps - pair.head_ps, right = tail_ps - pair.tail_ps, dephased
    cdef Node* head = &chain.nodes[ends.head]
    cdef Node* tail = &chain.nodes[ends.tail]
    dephased = exp(-left * head.t2_rate - right * tail.t2_rate)
    pair.xx *= dephased
    pair.yy *= dephased
    pair.zz *= exp(-left * head.t1_rate - right * tail.t1_rate)
    pair.head_ps = head_ps
    pair.tail_ps = tail_ps


cdef void end_free(Chain* chain, int32_t link, int side, uint32_t seq) noexcept nogil:
    """An end has delivered its half, or a distillation has spent it."""
    cdef Pair* pair = pair_of(chain, link, seq)
    if pair != NULL and (pair.state[side] == WAITING or pair.state[side] == MAKING):
        pair.state[side] = SWAPPED
        free_slot(chain, link, side)


cdef void run(Chain* chain, int64_t deliveries, int64_t horizon_ps) noexcept nogil:
    """Until so many pairs are delivered, up to the horizon, or as many events as are allowed."""
    cdef Event event
    while chain.delivered < deliveries and chain.events > 0 and not chain.out_of_memory:
        if chain.events_left == 0:
            return
        chain.events_left -= 1
        event = pop(chain)
        if event.time_ps > horizon_ps:
            chain.now_ps = horizon_ps
            return
        chain.now_ps = event.time_ps
        if event.kind == HERALD:
            heralded(chain, event.link, event.seq)
        elif event.kind == TURN:
            chain.links[event.link].turn_pending = False
            start(chain, event.link)
        elif event.kind == SWAP_DONE:
            swap_done(chain, event.link, event.seq, event.seq2)
        elif event.kind == CUTOFF:
            cut_off(chain, event.link, event.side, event.seq)
        elif event.kind == EXPIRE:
            expire(chain, event.link, event.side, event.seq)
        elif event.kind == END_FREE:
            end_free(chain, event.link, event.side, event.seq)
        elif event.kind == HEAD_READY:
            head_ready(chain, &chain.distillers[event.link], event.seq)
        elif event.kind == HEAD_DONE:
            head_done(chain, &chain.distillers[event.link], event.seq)
        elif event.kind == TAIL_DONE:
            tail_done(chain, &chain.distillers[event.link], event.seq)
        else:
            answered(chain, &chain.distillers[event.link], event.seq)


cdef void release(Chain* chain) noexcept nogil:
    cdef int32_t i
    if chain.distillers != NULL:
        for i in range(chain.n + 1):
            free(chain.distillers[i].stored)
    free(chain.distillers)
    if chain.links != NULL:
        for i in range(chain.n):
            free(chain.links[i].pairs)
            free(chain.links[i].waiting[0].seqs)
            free(chain.links[i].waiting[1].seqs)
    free(chain.links)
    free(chain.nodes)
    free(chain.heap)


cdef void prepare(
    Chain* chain, int32_t index, int32_t rounds, int slots, int64_t way_ps, bint reversed
) noexcept nogil:
    """The distillation on a link, or of the whole chain where `index` is the number of links."""
    cdef Distiller* ends = &chain.distillers[index]
    cdef bint whole = index == chain.n
    ends.index = index
    ends.rounds = rounds
    ends.head = 0 if whole else index + reversed
    ends.tail = chain.n if whole else index + 1 - reversed
    ends.head_link = 0 if whole else index
    ends.tail_link = chain.n - 1 if whole else index
    ends.head_side = reversed
    ends.tail_side = 1 - reversed
    ends.way_ps = way_ps
    ends.capacity = 2 * slots + 2
    ends.stored = <Stored*>calloc(ends.capacity, sizeof(Stored))
    chain.out_of_memory |= ends.stored == NULL


cdef tuple mean_and_error(list values):
    """Mean of the batches, and its standard error."""
    cdef double mean = sum(values) / len(values)
    cdef double square = sum([(value - mean) ** 2 for value in values])
    return mean, sqrt(square / (len(values) * max(len(values) - 1, 1)))


def simulate_chain(
    links, nodes, *, int slots, int64_t cutoff_ps, int64_t deliveries, seed,
    int64_t horizon_ps=0, int64_t most_events=-1, int64_t switch_ps=1_000_000, int rounds=0
):
    cdef Chain chain
    cdef int32_t i, side
    cdef uint32_t size = 64
    cdef int64_t target, begin_ps, way_ps = (len(links) + 1) * switch_ps
    cdef int most_rounds
    cdef double herald_rate = 0.0
    cdef object generator = Philox(seed)
    cdef int32_t n = len(links)
    cdef int64_t end_ps = horizon_ps if horizon_ps else 1 << 62
    if not 1 <= n <= MAX_LINKS:
        raise ValueError(f"links: a chain has 1 to {MAX_LINKS} links, not {n}")
    if len(nodes) != n + 1:
        raise ValueError(f"nodes: {n} links have {n + 1} nodes, not {len(nodes)}")
    if slots < 1:
        raise ValueError(f"slots is {slots}; at least 1 is wanted")
    if deliveries < BATCHES:
        raise ValueError(f"deliveries is {deliveries}; at least {BATCHES} are wanted")
    if cutoff_ps < 0:
        raise ValueError(f"cutoff_ps is {cutoff_ps}; it must not be negative")
    if not 0 <= rounds < max(slots, 1):
        raise ValueError(f"rounds is {rounds}; {slots} slots allow at most {slots - 1}")
    most_rounds = max([link.rounds for link in links])
    if not 0 <= most_rounds < max(slots, 1) or (rounds and most_rounds):
        raise ValueError(
            f"rounds of a link is {most_rounds}; {slots} slots allow at most {slots - 1}, and none "
            "where the ends distil"
        )
    while size < (8 * slots * n + 64) << 3 * most_rounds:
        size *= 2
    chain.n = n
    chain.mask = size - 1
    chain.cutoff_ps = cutoff_ps
    chain.switch_ps = switch_ps
    chain.events = 0
    chain.capacity = 1024
    chain.order = 0
    chain.now_ps = 0
    chain.delivered = 0
    chain.expired = 0
    chain.last_ps = 0
    chain.events_left = most_events
    chain.out_of_memory = False
    chain.distillers = <Distiller*>calloc(n + 1, sizeof(Distiller))
    chain.stream = <bitgen_t*>PyCapsule_GetPointer(generator.capsule, "BitGenerator")
    chain.links = <Link*>calloc(n, sizeof(Link))
    chain.nodes = <Node*>calloc(n + 1, sizeof(Node))
    chain.heap = <Event*>calloc(chain.capacity, sizeof(Event))
    if (
        chain.links == NULL or chain.nodes == NULL or chain.heap == NULL
        or chain.distillers == NULL
    ):
        chain.out_of_memory = True
    try:
        for i in range(n if not chain.out_of_memory else 0):
            link = links[i]
            if not 0.0 < link.success <= 1.0:
                raise ValueError(f"success of link {i} is {link.success}; more than 0 is wanted")
            if not 0.0 < link.other_success <= 1.0:
                raise ValueError(
                    f"other_success of link {i} is {link.other_success}; more than 0 is wanted"
                )
            if link.attempt_ps <= 0 or link.turns < 1:
                raise ValueError(f"attempt_ps and turns of link {i} must be positive")
            chain.links[i].success = link.success
            chain.links[i].other_success = link.other_success
            chain.links[i].attempt_ps = link.attempt_ps
            chain.links[i].herald_ps = link.herald_ps
            chain.links[i].delay_ps = link.delay_ps
            chain.links[i].xx, chain.links[i].yy, chain.links[i].zz = link.correlations
            way_ps += link.delay_ps
            chain.links[i].rounds = link.rounds
            # The end of the chain is the head-end: it has its half later.
            prepare(
                &chain, i, link.rounds, slots, link.delay_ps + 2 * switch_ps, 0 < i == n - 1
            )
            chain.links[i].turns = link.turns
            chain.links[i].slots = slots
            chain.links[i].next_seq = 1
            chain.links[i].pairs = <Pair*>calloc(size, sizeof(Pair))
            chain.out_of_memory |= chain.links[i].pairs == NULL
            for side in range(2):
                chain.links[i].waiting[side].seqs = <uint32_t*>calloc(size, sizeof(uint32_t))
                chain.out_of_memory |= chain.links[i].waiting[side].seqs == NULL
        if chain.distillers != NULL:
            prepare(&chain, n, rounds, slots, way_ps, False)
        for i in range(n + 1 if not chain.out_of_memory else 0):
            node = nodes[i]
            chain.nodes[i].t1_rate = 1e-12 / node.t1_s
            chain.nodes[i].t2_rate = 1e-12 / node.t2_s
            chain.nodes[i].swap_ps = node.swap_ps
            chain.nodes[i].swap_success = node.swap_success
            chain.nodes[i].gate = 1.0 - node.two_qubit_error
            chain.nodes[i].turn = 1.0 - node.one_qubit_error
            chain.nodes[i].seen = 1.0 - 2.0 * node.readout_error
            chain.nodes[i].fx, chain.nodes[i].fy, chain.nodes[i].fz = node.swap_factors
        # What is swapped has each of four frames equally often; what is not, comes as Psi+ or Psi-,
        # or is distilled and needs none.
        share = 0.75 if n > 1 else 0.0 if most_rounds else 1.0
        chain.correction = 1.0 - share * nodes[n].one_qubit_error
        if chain.out_of_memory:
            raise MemoryError
        rates, fidelities, zzs, xxs, latencies = [], [], [], [], []
        with nogil:
            for i in range(n):
                start(&chain, i)
            # The chain fills first.
            run(&chain, max(deliveries // BATCHES, 2 * slots), end_ps)
        for i in range(BATCHES):
            begin_ps = chain.last_ps if chain.delivered else chain.now_ps
            chain.batch.count = 0
            chain.batch.fidelity = 0.0
            chain.batch.zz = 0.0
            chain.batch.xx = 0.0
            chain.batch.latency_ps = 0.0
            target = chain.delivered + deliveries // BATCHES
            with nogil:
                run(&chain, target, end_ps)
            if chain.out_of_memory:
                raise MemoryError
            if chain.delivered < target:
                break  # the horizon, or too many events
            rates.append(1e12 * chain.batch.count / max(chain.last_ps - begin_ps, 1))
            fidelities.append(chain.batch.fidelity / chain.batch.count)
            zzs.append(chain.batch.zz / chain.batch.count)
            xxs.append(chain.batch.xx / chain.batch.count)
            latencies.append(chain.batch.latency_ps / chain.batch.count)
        if len(rates) < 2:
            return {
                "deliveries": chain.delivered, "time_ps": chain.now_ps, "rate_per_s": None,
                "fidelity": None, "zz": None, "xx": None, "latency_ps": None,
                "expired": chain.expired,
            }
        # Intervals, not rates, add up: the mean rate is that of the mean interval.
        interval, interval_error = mean_and_error([1.0 / rate for rate in rates])
        return {
            "deliveries": chain.delivered,
            "time_ps": chain.now_ps,
            "rate_per_s": (1.0 / interval, interval_error / interval ** 2),
            "fidelity": mean_and_error(fidelities),
            "zz": mean_and_error(zzs),
            "xx": mean_and_error(xxs),
            "latency_ps": mean_and_error(latencies),
            "expired": chain.expired,
        }
    finally:
        release(&chain)
