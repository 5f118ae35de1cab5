"""The engine's own book of entangled pairs; see ledger.pxd.

A delivered half is measured when its partner has been delivered too. That changes nothing that
anybody could observe (operations on two halves commute), and it lets the fidelity of the pair as
delivered be taken from the state: each half aged to its own delivery. An outcome that has to be
reported before is drawn from that half's own state; the measurement later repeats the draw.
"""

from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memmove, memset
from numpy.random cimport bitgen_t

from qplane_cext.memory.core cimport QM_OK
from qplane_cext.sim.keymap cimport (
    keymap_free, keymap_get, keymap_init, keymap_remove, keymap_set, mix64
)
from qplane_cext.sim.record cimport HopRow, PairRow, record_hops, record_pair
from qplane_cext.sim.streams cimport uniform

cdef enum:
    DEJMPS = 1  # the memory's number of the protocol
    BUCKET = 8  # of the recent deliveries, by hash


cdef int ledger_init(Ledger* ledger, Record* record) noexcept nogil:
    memset(ledger, 0, sizeof(Ledger))
    ledger.free_head = -1
    ledger.record = record
    keymap_init(&ledger.deliveries)
    ledger.recent = <uint64_t*>calloc(RECENT, sizeof(uint64_t))
    return 0 if ledger.recent != NULL else -1


cdef void ledger_free(Ledger* ledger) noexcept nogil:
    free(ledger.pairs)
    free(ledger.recent)
    free(ledger.sites)
    keymap_free(&ledger.deliveries)
    memset(ledger, 0, sizeof(Ledger))


cdef Half* half_at(Ledger* ledger, int32_t half) noexcept nogil:
    return &ledger.pairs[half >> 1].halves[half & 1]


cdef inline uint32_t seq_of(Ledger* ledger, int32_t half) noexcept nogil:
    return ledger.pairs[half >> 1].seq


cdef inline uint64_t delivery_key(int32_t node, uint8_t link, uint32_t seq) noexcept nogil:
    return <uint64_t>(node + 1) << 40 | <uint64_t>link << 32 | seq  # never 0


cdef void check(Ledger* ledger, int code) noexcept nogil:
    if code != QM_OK and ledger.failure == 0:
        ledger.failure = code


cdef int32_t ledger_pair(
    Ledger* ledger, QuantumMemory memory, int64_t created_ps, const double* state,
    const int* profiles, int32_t link, uint32_t seq, uint8_t bell
) noexcept nogil:
    cdef int32_t index, wider, side
    cdef LinkPair* pairs
    cdef LinkPair* pair
    if ledger.free_head >= 0:
        index = ledger.free_head
        ledger.free_head = ledger.pairs[index].halves[0].partner
    else:
        if ledger.used == ledger.capacity:
            wider = 2 * ledger.capacity if ledger.capacity else 256
            pairs = <LinkPair*>realloc(ledger.pairs, wider * sizeof(LinkPair))
            if pairs == NULL:
                ledger.out_of_memory = True
                return -1
            ledger.pairs = pairs
            ledger.capacity = wider
        index = ledger.used
        ledger.used += 1
    pair = &ledger.pairs[index]
    memset(pair, 0, sizeof(LinkPair))
    pair.link = link
    pair.seq = seq
    pair.bell = bell
    for side in range(2):
        pair.halves[side].partner = 2 * index + 1 - side
        pair.halves[side].joined = -1
        pair.halves[side].mate = -1
        pair.halves[side].state = ALIVE
        pair.halves[side].outcome = NOTHING
        pair.halves[side].actual = NOTHING
    ledger.live += 1
    check(
        ledger,
        memory.c_create_pair(
            created_ps, state, profiles[0], profiles[1],
            &pair.halves[0].qubit, &pair.halves[1].qubit,
        ),
    )
    return index


cdef void drop_path(Ledger* ledger, int32_t end) noexcept nogil:
    """Forget all link pairs from one end of an entangled pair to the other."""
    cdef int32_t index
    while end >= 0:
        index = end >> 1
        end = half_at(ledger, end ^ 1).joined
        ledger.pairs[index].halves[0].partner = ledger.free_head
        ledger.pairs[index].link = -1
        ledger.free_head = index
        ledger.live -= 1


cdef void forget_delivery(Ledger* ledger, int32_t half) noexcept nogil:
    cdef Half* h = half_at(ledger, half)
    if h.state == DELIVERED:
        keymap_remove(&ledger.deliveries, delivery_key(h.node, h.link, seq_of(ledger, half)))


cdef inline uint64_t* bucket_of(Ledger* ledger, uint64_t key) noexcept nogil:
    return ledger.recent + (mix64(key) & (RECENT - 1)) // BUCKET * BUCKET


cdef void remember(Ledger* ledger, uint64_t key) noexcept nogil:
    """Of a bucket the oldest goes, so that one of the last few is never pushed out by chance."""
    cdef uint64_t* bucket = bucket_of(ledger, key)
    memmove(bucket + 1, bucket, (BUCKET - 1) * sizeof(uint64_t))
    bucket[0] = key


cdef double replayed(void* state) noexcept nogil:
    return (<double*>state)[0]


cdef void read_out(Ledger* ledger, QuantumMemory memory, Half* half) noexcept nogil:
    """Measure a delivered half; one whose outcome is known already once more with the same draw."""
    cdef bitgen_t replay
    cdef bitgen_t* stream = ledger.sites[half.node].stream
    cdef int bit = 0
    if half.measured:
        replay.state = &half.draw
        replay.next_double = replayed
        stream = &replay
    check(ledger, memory.c_measure(
        half.ended_ps, half.qubit, half.basis, ledger.sites[half.node].noise.readout_error,
        stream, &bit,
    ))
    if not half.measured:
        half.bit = bit


cdef uint8_t true_frame(Ledger* ledger, int32_t end) noexcept nogil:
    """The Pauli frame of the pair that this half is an end of, from what was heralded and read."""
    cdef uint8_t frame = 0
    cdef Half* far
    while end >= 0:
        far = half_at(ledger, end ^ 1)
        frame ^= ledger.pairs[end >> 1].bell
        if far.joined >= 0:
            frame ^= far.outcome
        end = far.joined
    return frame


cdef void complete(Ledger* ledger, QuantumMemory memory, int32_t first) noexcept nogil:
    """Both ends are delivered: measure both, take the fidelity, check the frames, record."""
    cdef int32_t head = first, tail = half_at(ledger, first).partner, at, hops = 0, i
    cdef Half* a
    cdef Half* b
    cdef Half* near
    cdef Half* far
    cdef PairRow row
    cdef HopRow* hop
    cdef double fidelity = 0.0
    cdef bint tainted = False
    if half_at(ledger, head).corrected and not half_at(ledger, tail).corrected:
        head, tail = tail, head
    a = half_at(ledger, head)
    b = half_at(ledger, tail)
    memset(&row, 0, sizeof(PairRow))
    check(
        ledger,
        memory.c_peek_fidelity(a.qubit, a.ended_ps, b.qubit, b.ended_ps, 0, &fidelity),
    )
    row.fidelity = fidelity
    if b.measured:  # its outcome was drawn when nothing was known of the other half's
        read_out(ledger, memory, b)
        read_out(ledger, memory, a)
    else:
        read_out(ledger, memory, a)
        read_out(ledger, memory, b)
    row.head_bit = a.bit
    row.tail_bit = b.bit
    row.head_node = a.node
    row.head_link = a.link
    row.head_label = a.label
    row.head_seq = seq_of(ledger, head)
    row.head_frame = a.frame
    row.head_basis = a.basis
    row.head_delivered_ps = a.ended_ps
    row.tail_node = b.node
    row.tail_link = b.link
    row.tail_label = b.label
    row.tail_seq = seq_of(ledger, tail)
    row.tail_frame = b.frame
    row.tail_basis = b.basis
    row.tail_delivered_ps = b.ended_ps
    row.emitted_ps = a.emitted_ps
    row.truth_frame = true_frame(ledger, head)
    at = head
    while at >= 0:
        near = half_at(ledger, at)
        far = half_at(ledger, at ^ 1)
        row.emitted_ps = min(row.emitted_ps, min(near.emitted_ps, far.emitted_ps))
        tainted = tainted or near.tainted or far.tainted
        hops += 1
        at = far.joined
    row.wrong_frame = (
        a.frame != row.truth_frame or b.frame != row.truth_frame or tainted
    )
    row.rounds = a.rounds
    row.mismatch = (
        a.other_seq != row.tail_seq
        or b.other_seq != row.head_seq
        or (a.basis != b.basis and not a.early and not b.early)
        or a.corrected == b.corrected
    )
    hop = record_hops(ledger.record, hops)
    if hop != NULL:
        row.hop_start = hop - ledger.record.hops
        row.hop_count = hops
        at = head
        for i in range(hops):
            near = half_at(ledger, at)
            far = half_at(ledger, at ^ 1)
            hop[i].link = ledger.pairs[at >> 1].link
            hop[i].seq = ledger.pairs[at >> 1].seq
            hop[i].bell = ledger.pairs[at >> 1].bell
            hop[i].rounds = ledger.pairs[at >> 1].rounds
            hop[i].head_stored_ps = near.ended_ps - near.emitted_ps
            hop[i].tail_stored_ps = far.ended_ps - far.emitted_ps
            hop[i].outcome = far.outcome
            hop[i].actual = far.actual
            hop[i].swap_node = far.node if far.joined >= 0 else -1
            at = far.joined
    record_pair(ledger.record, &row)
    ledger.delivered += 1
    remember(ledger, delivery_key(a.node, a.link, row.head_seq))
    remember(ledger, delivery_key(b.node, b.link, row.tail_seq))


cdef void free_half(Ledger* ledger, QuantumMemory memory, Half* half) noexcept nogil:
    if half.state != MEASURED:
        check(ledger, memory.c_free(half.qubit))


cdef void resolve(Ledger* ledger, QuantumMemory memory, int32_t end) noexcept nogil:
    """After a change at one end of an entangled pair: finish with it as far as its ends allow."""
    cdef int32_t other = half_at(ledger, end).partner
    cdef Half* a = half_at(ledger, end)
    cdef Half* b = half_at(ledger, other)
    cdef LinkPair* marked
    if a.state == ALIVE or b.state == ALIVE:
        return
    if a.state == MEASURED or b.state == MEASURED:  # not as halves of a pair
        free_half(ledger, memory, a)
        free_half(ledger, memory, b)
        forget_delivery(ledger, end)
        forget_delivery(ledger, other)
        drop_path(ledger, end)
        return
    if a.state == DELIVERED and b.state == DELIVERED:
        if a.early == UNFRAMED or b.early == UNFRAMED:
            return
        if a.voided or b.voided:
            ledger.void_mismatches += 1
            check(ledger, memory.c_free(a.qubit))
            check(ledger, memory.c_free(b.qubit))
        else:
            complete(ledger, memory, end)
        forget_delivery(ledger, end)
        forget_delivery(ledger, other)
        drop_path(ledger, end)
        return
    if a.state == DISTILLED and b.state == DISTILLED:
        drop_path(ledger, end)  # the memory has dropped the qubits
        return
    marked = &ledger.pairs[min(end, other) >> 1]
    if not marked.one_sided:
        free_half(ledger, memory, a)
        free_half(ledger, memory, b)
    if (a.state == DELIVERED and not a.voided) or (b.state == DELIVERED and not b.voided):
        marked.one_sided = True
        ledger.one_sided += 1
        return
    ledger.one_sided -= marked.one_sided
    forget_delivery(ledger, end)
    forget_delivery(ledger, other)
    drop_path(ledger, end)


cdef int ledger_swap(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t left, int32_t right
) noexcept nogil:
    cdef Half* l = half_at(ledger, left)
    cdef Half* r = half_at(ledger, right)
    cdef int outcome = 0, actual = 0
    if l.partner == right:
        return NOTHING
    check(ledger, memory.c_swap(
        now_ps, l.qubit, r.qubit, &ledger.sites[l.node].noise, ledger.sites[l.node].stream,
        &outcome, &actual,
    ))
    l.state = SWAPPED
    r.state = SWAPPED
    l.joined = right
    r.joined = left
    l.ended_ps = now_ps
    r.ended_ps = now_ps
    l.outcome = outcome
    r.outcome = outcome
    l.actual = actual
    r.actual = actual
    half_at(ledger, l.partner).partner = r.partner
    half_at(ledger, r.partner).partner = l.partner
    resolve(ledger, memory, l.partner)
    return outcome


cdef void ledger_lose(Ledger* ledger, QuantumMemory memory, int32_t half) noexcept nogil:
    """Nobody holds this half any more. The state is traced out once the other end is done too."""
    half_at(ledger, half).state = GONE
    resolve(ledger, memory, half)


cdef void measure_first(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, Half* half
) noexcept nogil:
    cdef int bit = 0
    half.draw = uniform(ledger.sites[half.node].stream)
    check(ledger, memory.c_peek_bit(
        now_ps, half.qubit, half.basis, ledger.sites[half.node].noise.readout_error, half.draw,
        &bit,
    ))
    half.measured = True
    half.bit = bit


cdef inline uint8_t basis_of(uint32_t seq) noexcept nogil:
    return mix64(seq + <uint64_t>0x9E3779B97F4A7C15) & 1


cdef void note_delivery(Ledger* ledger, int64_t now_ps, int32_t half) noexcept nogil:
    cdef Half* h = half_at(ledger, half)
    h.state = DELIVERED
    h.ended_ps = now_ps
    if not keymap_set(
        &ledger.deliveries, delivery_key(h.node, h.link, seq_of(ledger, half)), half
    ):
        ledger.out_of_memory = True


cdef void ledger_correct(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t half, uint8_t frame, bint correct,
    uint32_t other_seq
) noexcept nogil:
    """The correction is the Pauli of the frame; no gate is applied, and none fails, for Φ+."""
    cdef Half* h = half_at(ledger, half)
    if correct and frame != 0:
        check(ledger, memory.c_pauli(
            now_ps, h.qubit, frame, ledger.sites[h.node].noise.one_qubit_error
        ))
    h.frame = frame
    h.corrected = correct
    h.other_seq = other_seq


cdef int ledger_distil_first(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t kept, int32_t spent
) noexcept nogil:
    """The qubits are left as they are: the memory does the gates of both ends when the other end
    does its part. Operations on two halves commute, so nothing observable changes."""
    cdef Half* k = half_at(ledger, kept)
    cdef Half* s = half_at(ledger, spent)
    cdef int bit = 0
    check(ledger, memory.c_distil_first(
        now_ps, k.qubit, s.qubit, DEJMPS, &ledger.sites[k.node].noise,
        ledger.sites[k.node].stream, &bit,
    ))
    k.mate = spent
    k.bit = bit
    k.ended_ps = now_ps
    s.state = DISTILLED
    s.ended_ps = now_ps
    resolve(ledger, memory, spent)
    return bit


cdef int ledger_distil_second(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t kept, int32_t spent
) noexcept nogil:
    cdef Half* k = half_at(ledger, kept)
    cdef Half* s = half_at(ledger, spent)
    cdef Half* far = half_at(ledger, k.partner)
    cdef Half* far_spent = half_at(ledger, s.partner)
    cdef handle_t[4] qubits
    cdef int bit = 0
    cdef uint8_t truth
    if far.mate != s.partner:
        return NOTHING
    qubits[0] = far.qubit
    qubits[1] = k.qubit
    qubits[2] = far_spent.qubit
    qubits[3] = s.qubit
    check(ledger, memory.c_distil_second(
        far.ended_ps, now_ps, qubits, DEJMPS, &ledger.sites[far.node].noise,
        &ledger.sites[k.node].noise, far.bit, ledger.sites[k.node].stream, &bit,
    ))
    far.mate = -1
    far.rounds += 1
    k.rounds = far.rounds
    truth = true_frame(ledger, spent)
    if s.tainted or s.frame != truth or far_spent.frame != truth:
        k.tainted = True
    s.state = DISTILLED
    resolve(ledger, memory, spent)
    return bit


cdef void ledger_feed(Ledger* ledger, int32_t half, uint8_t link, uint32_t label) noexcept nogil:
    """It was corrected: once both halves are handed on, the pair is Phi+ for who gets it."""
    cdef Half* h = half_at(ledger, half)
    cdef LinkPair* pair = &ledger.pairs[half >> 1]
    h.tainted = h.tainted or h.frame != pair.bell
    h.link = link
    h.label = label
    h.frame = 0
    h.corrected = False
    h.other_seq = 0
    pair.rounds = h.rounds
    h.rounds = 0
    pair.fed += 1
    if pair.fed == 2:
        pair.bell = 0


cdef int ledger_deliver(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t half, bint measure
) noexcept nogil:
    """Hand a corrected half to the application, which measures it in Z or X.

    The basis is a pseudo-random bit of the sequence number at the head-end, which both ends know.
    """
    cdef Half* h = half_at(ledger, half)
    cdef Half* other = half_at(ledger, h.partner)
    cdef uint32_t seq = seq_of(ledger, half)
    note_delivery(ledger, now_ps, half)
    h.basis = basis_of(h.other_seq if h.corrected else seq)
    if measure and (other.state != DELIVERED or other.voided or other.early == UNFRAMED):
        measure_first(ledger, memory, now_ps, h)
    resolve(ledger, memory, half)
    return h.basis << 1 | h.bit  # the pair may be forgotten by now; its memory still says it


cdef void ledger_hand(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t half
) noexcept nogil:
    """The application can't know the sequence number at the other end yet: it chooses the basis by
    its own, so that of pairs delivered early to the tail-end half are measured alike."""
    cdef Half* h = half_at(ledger, half)
    note_delivery(ledger, now_ps, half)
    h.early = UNFRAMED
    h.basis = basis_of(seq_of(ledger, half))
    resolve(ledger, memory, half)


cdef void ledger_confirm(
    Ledger* ledger, QuantumMemory memory, int32_t node, uint8_t link, uint32_t seq, uint8_t frame,
    bint correct, uint32_t other_seq
) noexcept nogil:
    """The application corrects what it has measured: a Pauli without error, at that time."""
    cdef int32_t half = keymap_get(&ledger.deliveries, delivery_key(node, link, seq))
    cdef Half* h
    if half < 0:
        return
    h = half_at(ledger, half)
    h.early = FRAMED
    h.frame = frame
    h.corrected = correct
    h.other_seq = other_seq
    if ledger.pairs[min(half, h.partner) >> 1].one_sided:
        return  # the other half is lost: there is no state left, and a VOID will follow
    if correct and frame != 0:
        check(ledger, memory.c_pauli(h.ended_ps, h.qubit, frame, 0.0))
    resolve(ledger, memory, half)


cdef bint ledger_is_complete(
    Ledger* ledger, int32_t node, uint8_t link, uint32_t seq
) noexcept nogil:
    cdef uint64_t key = delivery_key(node, link, seq)
    cdef uint64_t* bucket = bucket_of(ledger, key)
    cdef int i
    for i in range(BUCKET):
        if bucket[i] == key:
            return True
    return False


cdef int32_t ledger_by_far(
    Ledger* ledger, int32_t node, uint8_t link, uint32_t label, uint32_t far_seq
) noexcept nogil:
    """Looks at all pairs: this is asked for once in millions of them."""
    cdef int32_t half
    cdef Half* h
    for half in range(2 * ledger.used):
        h = half_at(ledger, half)
        if (
            ledger.pairs[half >> 1].link >= 0 and h.state == DELIVERED and h.node == node
            and h.link == link and h.label == label and h.early != UNFRAMED
            and h.other_seq == far_seq
        ):
            return half
    return -1


cdef VoidResult ledger_void(
    Ledger* ledger, QuantumMemory memory, int32_t node, uint8_t link, uint32_t seq
) noexcept nogil:
    cdef uint64_t key = delivery_key(node, link, seq)
    cdef int32_t half = keymap_get(&ledger.deliveries, key)
    cdef Half* h
    if half < 0:
        if ledger_is_complete(ledger, node, link, seq):
            return VOID_AFTER_COMPLETE
        return VOID_UNKNOWN
    h = half_at(ledger, half)
    if h.early == UNFRAMED:  # it has never counted
        forget_delivery(ledger, half)
        h.state = GONE
        ledger.voids += 1
        resolve(ledger, memory, half)
    elif not h.voided:
        h.voided = True
        ledger.voids += 1
        resolve(ledger, memory, half)
    return VOIDED


# ---- for the link layer ----

cdef void ledger_number(Ledger* ledger, int32_t half, uint32_t seq) noexcept nogil:
    ledger.pairs[half >> 1].seq = seq


cdef int ledger_teleport(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t half, const double* state
) noexcept nogil:
    cdef Half* h = half_at(ledger, half)
    cdef double[16] product
    cdef handle_t sent, idle
    cdef int outcome = 0, actual = 0, i
    for i in range(16):  # the state, beside a qubit in |0> that plays no part
        product[i] = (state[(i >> 2) - 1] if i >> 2 else 1.0) if (i & 3) % 3 == 0 else 0.0
    check(ledger, memory.c_create_pair(now_ps, product, 0, 0, &sent, &idle))
    if ledger.failure:
        return 0
    check(ledger, memory.c_bell(
        now_ps, sent, h.qubit, &ledger.sites[h.node].noise, ledger.sites[h.node].stream,
        &outcome, &actual,
    ))
    check(ledger, memory.c_free(idle))
    h.state = MEASURED
    h.ended_ps = now_ps
    resolve(ledger, memory, half)
    return outcome


cdef void ledger_pauli(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t half, int pauli
) noexcept nogil:
    cdef Half* h = half_at(ledger, half)
    if pauli != 0:
        check(ledger, memory.c_pauli(
            now_ps, h.qubit, pauli, ledger.sites[h.node].noise.one_qubit_error
        ))


cdef void ledger_store(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t half, int profile
) noexcept nogil:
    """By an ideal teleportation, which leaves any state as it is and gives it another profile."""
    cdef Half* h = half_at(ledger, half)
    cdef double[16] bell
    cdef gate_noise_t ideal
    cdef handle_t stored = 0, used = 0
    cdef int outcome = 0, actual = 0, i
    for i in range(16):
        bell[i] = 0.0
    bell[0] = bell[5] = bell[15] = 1.0
    bell[10] = -1.0
    memset(&ideal, 0, sizeof(gate_noise_t))
    check(ledger, memory.c_create_pair(now_ps, bell, profile, profile, &stored, &used))
    if ledger.failure:
        return
    check(ledger, memory.c_bell(
        now_ps, h.qubit, used, &ideal, ledger.sites[h.node].stream, &outcome, &actual
    ))
    check(ledger, memory.c_pauli(now_ps, stored, outcome, 0.0))
    h.qubit = stored


cdef void ledger_depolarise(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t half, double error
) noexcept nogil:
    check(ledger, memory.c_pauli(now_ps, half_at(ledger, half).qubit, 0, error))


cdef int ledger_measure(
    Ledger* ledger, QuantumMemory memory, int64_t now_ps, int32_t half, const double* axis
) noexcept nogil:
    cdef Half* h = half_at(ledger, half)
    cdef int bit = 0
    check(ledger, memory.c_measure_along(
        now_ps, h.qubit, axis, ledger.sites[h.node].noise.readout_error,
        ledger.sites[h.node].stream, &bit,
    ))
    h.state = MEASURED
    h.ended_ps = now_ps
    resolve(ledger, memory, half)
    return bit


cdef void ledger_measured_pair(
    Ledger* ledger, QuantumMemory memory, int64_t created_ps, const double* state,
    const int* profiles, const int* nodes, const double* axes, int* bits
) noexcept nogil:
    cdef handle_t[2] qubits
    cdef int side, code
    code = memory.c_create_pair(
        created_ps, state, profiles[0], profiles[1], &qubits[0], &qubits[1]
    )
    check(ledger, code)
    if code != QM_OK:
        return
    for side in range(2):
        check(ledger, memory.c_measure_along(
            created_ps, qubits[side], axes + 3 * side,
            ledger.sites[nodes[side]].noise.readout_error, ledger.sites[nodes[side]].stream,
            &bits[side],
        ))
