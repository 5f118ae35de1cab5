"""What a packet goes through: parser, ingress, replication, egress, deparser, in BMv2's order."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from qplane_cext.switch.calculate cimport calculation
from qplane_cext.switch.headers cimport header_bytes, pack_header
from qplane_cext.switch.interp cimport run
from qplane_cext.switch.isa cimport Op
from qplane_cext.switch.program cimport (
    Checksum, Header, Place, PlaceList, Prog, SM_CHECKSUM_ERROR, SM_DEQ_QDEPTH, SM_DEQ_TIMEDELTA,
    SM_EGRESS_PORT, SM_EGRESS_RID, SM_EGRESS_SPEC, SM_EGRESS_TIME, SM_ENQ_QDEPTH, SM_ENQ_TIME,
    SM_INGRESS_PORT, SM_INGRESS_TIME, SM_INSTANCE_TYPE, SM_MCAST_GRP, SM_PACKET_LENGTH,
    SM_PARSER_ERROR, SM_PRIORITY, SM_QID,
)
from qplane_cext.switch.queues cimport (
    Queue, Waiting, queue_admit, queue_next, queue_of, queue_put,
)
from qplane_cext.switch.state cimport (
    CHECKSUM_ERRORS, CLONED, DIGESTS, DIGESTS_LOST, DROPPED_EGRESS, DROPPED_INGRESS,
    DROPPED_PRIORITY, DROPPED_QUEUE, EMITTED, JOB_EGRESS, JOB_RECIRCULATE, JOB_RESUBMIT, NO_PIPELINE,
    OUT_OF_MEMORY, PASSES_CUT, PROCESSED, RECIRCULATED, REPLICATED, RESUBMITTED, TOO_LONG,
    UNKNOWN_CLONE_SESSION, UNKNOWN_MULTICAST_GROUP, Core, Job, ReplicaSet, arena_reset, arena_take,
    emit_fn, reserve, trace_event,
)
from qplane_cext.switch.tracing cimport (
    EV_CHECKSUM, EV_CLONE, EV_DIGEST, EV_DROP_EGRESS, EV_DROP_INGRESS, EV_EGRESS, EV_EMIT,
    EV_INGRESS, EV_MULTICAST, EV_RECIRCULATE, EV_RESUBMIT,
)
from qplane_cext.switch.wide cimport low_mask

cdef enum:
    # Passes beyond the first that one packet may cause (resubmit, recirculate, clone in egress).
    # BMv2 has no such bound, only queues that overflow.
    MAX_PASSES = 1024
    MAX_PACKET = 1 << 24
    SLACK = 16  # readable bytes behind every packet
    MAX_WAITING = 1 << 24  # bytes of digests
    SESSION = 0x7FFF  # the part of the clone register that is the session
    # instance_type
    NORMAL = 0
    INGRESS_CLONE = 1
    EGRESS_CLONE = 2
    RECIRCULATED_TYPE = 4
    REPLICATION = 5
    RESUBMITTED_TYPE = 6


cdef inline void set_standard(Core* core, int which, uint64_t value) noexcept nogil:
    core.F[core.prog.standard[which]] = value & low_mask(core.prog.standard_bits[which])


cdef inline uint64_t get_standard(Core* core, int which) noexcept nogil:
    return core.F[core.prog.standard[which]]


cdef void clear_state(Core* core) noexcept nogil:
    """Ready for a packet: no header is valid, metadata is zero. As in BMv2 the fields of headers
    keep what the last packet left there, which a program sees that reads an invalid header."""
    cdef const Prog* prog = core.prog
    cdef int i
    memset(core.F, 0, prog.metadata_end * 8)
    for i in range(prog.n_varbits):
        core.F[prog.varbits[i]] = 0


cdef bint condition_holds(Core* core, const Checksum* checksum) noexcept nogil:
    if checksum.condition >= 0:
        run(core, checksum.condition)
    return checksum.answer < 0 or core.F[checksum.answer] != 0


cdef void parse(Core* core) noexcept nogil:
    """Run the parser over core.packet and verify the checksums."""
    cdef const Prog* prog = core.prog
    cdef const Checksum* checksum
    cdef bint wrong = False
    cdef int i
    core.parsed = 0
    core.parser_error = prog.error_none
    run(core, prog.parser)
    for i in range(prog.n_verifies):
        checksum = &prog.verifies[i]
        if checksum.header >= 0 and not core.F[checksum.header]:
            continue
        if not condition_holds(core, checksum):
            continue
        if calculation(core, checksum.calculation) != (
            core.F[checksum.slot] & low_mask(checksum.bits)
        ):
            wrong = True
            if core.tracing:
                trace_event(core, EV_CHECKSUM, i, 0)
    if wrong:
        core.stats[CHECKSUM_ERRORS] += 1
    set_standard(core, SM_PARSER_ERROR, core.parser_error)
    set_standard(core, SM_CHECKSUM_ERROR, wrong)


cdef void push_job(Core* core, Job* job) noexcept nogil:
    job.next = NULL
    if core.last_job == NULL:
        core.first_job = job
    else:
        core.last_job.next = job
    core.last_job = job


cdef Job* new_job(Core* core, int kind) noexcept nogil:
    cdef Job* job = <Job*>arena_take(core, sizeof(Job))
    if job != NULL:
        memset(job, 0, sizeof(Job))
        job.kind = kind
        job.ingress_port = core.ingress_port
        job.ingress_length = core.ingress_length
        job.packet_length = core.packet_length
        job.truncate = ~<uint32_t>0
    return job


cdef uint64_t* snapshot(Core* core) noexcept nogil:
    cdef uint64_t* copy = <uint64_t*>arena_take(core, core.prog.state_words * 8)
    if copy != NULL:
        memcpy(copy, core.F, core.prog.state_words * 8)
    return copy


cdef int egress_job(
    Core* core, uint64_t* state, uint32_t port, int64_t rid, const ReplicaSet* session
) noexcept nogil:
    """Queue a copy for egress; rid < 0 leaves egress_rid as it is."""
    cdef Job* job = new_job(core, JOB_EGRESS)
    if job == NULL or state == NULL:
        return -1
    job.state = state
    job.data = core.packet + core.parsed
    job.length = core.length - core.parsed
    job.port = port
    job.set_rid = rid >= 0
    job.rid = <uint32_t>rid
    if session != NULL:
        if session.truncate:
            job.truncate = session.truncate
        job.set_priority = 1
        job.priority = session.priority
    push_job(core, job)
    return 0


cdef void copy_fields(
    Core* core, uint64_t* state, const uint64_t* source, uint32_t number
) noexcept nogil:
    """Clear the metadata in `state`, then take over a field list from `source`."""
    cdef const Prog* prog = core.prog
    cdef const PlaceList* fields = find_list(prog, number)
    cdef const Place* place
    cdef int i
    memset(state + prog.metadata_slot, 0, (prog.metadata_end - prog.metadata_slot) * 8)
    if fields == NULL:
        return
    for i in range(fields.count):
        place = prog.places + fields.first + i
        memcpy(state + place.slot, source + place.slot, place.words * 8)


cdef const PlaceList* find_list(const Prog* prog, uint32_t number) noexcept nogil:
    cdef int i
    for i in range(prog.n_field_lists):
        if <uint32_t>prog.field_lists[i].id == number:
            return &prog.field_lists[i]
    return NULL


cdef const ReplicaSet* session_of(Core* core, uint32_t number) noexcept nogil:
    number &= SESSION
    if core.sessions == NULL or not core.sessions[number].used:
        core.stats[UNKNOWN_CLONE_SESSION] += 1
        return NULL
    return &core.sessions[number]


cdef void replicate_clone(Core* core, uint64_t* state, const ReplicaSet* session) noexcept nogil:
    cdef uint32_t i
    core.stats[CLONED] += 1
    for i in range(session.count):
        egress_job(core, state, session.replicas[i].port, session.replicas[i].rid, session)
    if core.tracing:
        trace_event(core, EV_CLONE, session.count, 0)


cdef void clone_ingress(Core* core, uint64_t length_before) noexcept nogil:
    """The packet as it came in, parsed again, with a field list of this one's metadata."""
    cdef const ReplicaSet* session = session_of(core, core.clone_session)
    cdef const Prog* prog = core.prog
    cdef uint64_t parsed = core.parsed, packet_length = core.packet_length
    cdef int parser_error = core.parser_error
    cdef uint8_t tracing = core.tracing
    cdef uint64_t* kept
    cdef uint64_t* state
    core.clone_session = 0
    if session == NULL:
        return
    kept = snapshot(core)
    if kept == NULL:
        return
    clear_state(core)
    set_standard(core, SM_INGRESS_PORT, core.ingress_port)
    core.tracing = 0
    parse(core)
    core.tracing = tracing
    core.abort = 0
    copy_fields(core, core.F, kept, core.clone_list)
    set_standard(core, SM_INSTANCE_TYPE, INGRESS_CLONE)
    core.packet_length = length_before
    state = snapshot(core)
    if state != NULL:
        replicate_clone(core, state, session)
    memcpy(core.F, kept, prog.state_words * 8)
    core.parsed = parsed
    core.packet_length = packet_length
    core.parser_error = parser_error


cdef void clone_egress(Core* core) noexcept nogil:
    cdef const ReplicaSet* session = session_of(core, core.clone_session)
    cdef const Prog* prog = core.prog
    cdef uint64_t* state
    core.clone_session = 0
    if session == NULL or not another_pass(core):
        return
    state = snapshot(core)
    if state == NULL:
        return
    copy_fields(core, state, core.F, core.clone_list)
    state[prog.standard[SM_INSTANCE_TYPE]] = EGRESS_CLONE
    replicate_clone(core, state, session)


cdef bint another_pass(Core* core) noexcept nogil:
    """Whether the packet at work may cause one more pass."""
    if core.passes >= MAX_PASSES:
        core.stats[PASSES_CUT] += 1
        return False
    core.passes += 1
    return True


cdef void learn(Core* core) noexcept nogil:
    """Queue a digest: its id, its length, then its fields, byte aligned."""
    cdef const Prog* prog = core.prog
    cdef const PlaceList* fields = NULL
    cdef const Place* place
    cdef uint8_t* out
    cdef int i, j, n
    for i in range(prog.n_digests):
        if <uint32_t>prog.digests[i].id == core.digest:
            fields = &prog.digests[i]
    if fields == NULL:
        return
    if core.digests_used + 8 + fields.total > MAX_WAITING or reserve(
        &core.digests, &core.digests_room, core.digests_used + 8 + fields.total
    ):
        core.stats[DIGESTS_LOST] += 1
        return
    core.stats[DIGESTS] += 1
    out = core.digests + core.digests_used
    memcpy(out, &fields.id, 4)
    memcpy(out + 4, &fields.total, 4)
    out += 8
    for i in range(fields.count):
        place = prog.places + fields.first + i
        n = (place.bits + 7) // 8
        for j in range(n):
            out[n - 1 - j] = <uint8_t>(core.F[place.slot + (j >> 3)] >> (8 * (j & 7)))
        if place.bits & 7 and n:
            out[0] &= <uint8_t>low_mask(place.bits & 7)
        out += n
    core.digests_used += 8 + fields.total
    if core.tracing:
        trace_event(core, EV_DIGEST, fields.id, 0)


cdef void again_job(
    Core* core, int kind, uint32_t number, const uint8_t* data, uint64_t length
) noexcept nogil:
    """Queue a packet for ingress with a field list of this one's metadata."""
    cdef const PlaceList* fields = find_list(core.prog, number)
    cdef const Place* place
    cdef uint64_t* words
    cdef Job* job
    cdef int i
    if not another_pass(core):
        return
    job = new_job(core, kind)
    if job == NULL:
        return
    job.field_list = number
    job.data = data
    job.length = length
    if fields != NULL:
        words = <uint64_t*>arena_take(core, fields.total * 8)
        if words == NULL:
            return
        job.preserved = words
        for i in range(fields.count):
            place = core.prog.places + fields.first + i
            memcpy(words, core.F + place.slot, place.words * 8)
            words += place.words
    push_job(core, job)


cdef void restore_fields(Core* core, const Job* job) noexcept nogil:
    cdef const PlaceList* fields = find_list(core.prog, job.field_list)
    cdef const Place* place
    cdef const uint64_t* words = job.preserved
    cdef int i
    if fields == NULL or words == NULL:
        return
    for i in range(fields.count):
        place = core.prog.places + fields.first + i
        memcpy(core.F + place.slot, words, place.words * 8)
        words += place.words


cdef void ingress_pass(Core* core, const Job* job, emit_fn emit, void* ctx) noexcept nogil:
    """Parser, ingress, and what BMv2 does between the pipelines, in its order."""
    cdef const Prog* prog = core.prog
    cdef uint64_t length_before = core.length
    cdef uint64_t spec, group
    cdef uint64_t* state
    clear_state(core)
    if job == NULL:
        set_standard(core, SM_INGRESS_PORT, core.ingress_port)
        set_standard(core, SM_PACKET_LENGTH, core.length)
        set_standard(core, SM_INGRESS_TIME, <uint64_t>core.now_us)
    else:
        restore_fields(core, job)
        set_standard(core, SM_INSTANCE_TYPE,
                     RESUBMITTED_TYPE if job.kind == JOB_RESUBMIT else RECIRCULATED_TYPE)
        set_standard(core, SM_PACKET_LENGTH, core.length)
    core.packet_length = core.length
    core.truncate = ~<uint64_t>0
    core.exit_flag = core.abort = 0
    core.clone_session = core.clone_list = core.digest = core.resubmit = core.recirculate = 0
    if core.tracing:
        trace_event(core, EV_INGRESS, core.ingress_port, core.length)
    parse(core)
    if not core.abort:
        run(core, prog.ingress)
    if core.abort:
        core.stats[DROPPED_INGRESS] += 1
        return
    core.exit_flag = 0
    spec = get_standard(core, SM_EGRESS_SPEC)
    group = get_standard(core, SM_MCAST_GRP) if (
        prog.standard[SM_MCAST_GRP] != prog.scratch_slot
    ) else 0
    if core.clone_session:
        clone_ingress(core, length_before)
    if core.digest:
        learn(core)
    if core.resubmit:
        core.stats[RESUBMITTED] += 1
        if core.tracing:
            trace_event(core, EV_RESUBMIT, core.resubmit, 0)
        again_job(core, JOB_RESUBMIT, core.resubmit, core.packet, core.length)
        return
    if group:
        multicast(core, group)
        return
    if spec == core.drop_port:
        core.stats[DROPPED_INGRESS] += 1
        if core.tracing:
            trace_event(core, EV_DROP_INGRESS, 0, 0)
        return
    set_standard(core, SM_INSTANCE_TYPE, NORMAL)
    if core.first_job == NULL:
        egress_pass(core, <uint32_t>spec, core.packet + core.parsed, core.length - core.parsed,
                    emit, ctx)
        return
    state = snapshot(core)
    if egress_job(core, state, <uint32_t>spec, -1, NULL) == 0:
        core.last_job.recirculate = core.recirculate
        if core.truncate < ~<uint32_t>0:
            core.last_job.truncate = <uint32_t>core.truncate


cdef void multicast(Core* core, uint64_t number) noexcept nogil:
    cdef const ReplicaSet* group
    cdef uint64_t* state
    cdef uint32_t i
    if core.groups == NULL or number > 65535 or not core.groups[number].used:
        core.stats[UNKNOWN_MULTICAST_GROUP] += 1
        return
    group = &core.groups[number]
    set_standard(core, SM_INSTANCE_TYPE, REPLICATION)
    if core.tracing:
        trace_event(core, EV_MULTICAST, <int>number, group.count)
    state = snapshot(core)
    if state == NULL:
        return
    core.stats[REPLICATED] += group.count
    for i in range(group.count):
        egress_job(core, state, group.replicas[i].port, group.replicas[i].rid, NULL)


cdef uint64_t deparse(Core* core, const uint8_t* payload, uint64_t length) noexcept nogil:
    """Headers and payload into core.out; the packet's length."""
    cdef const Prog* prog = core.prog
    cdef const Checksum* checksum
    cdef const Header* h
    cdef uint8_t* out
    cdef int i
    for i in range(prog.n_updates):
        checksum = &prog.updates[i]
        if checksum.header >= 0 and not core.F[checksum.header]:
            continue
        if condition_holds(core, checksum):
            core.F[checksum.slot] = (
                calculation(core, checksum.calculation) & low_mask(checksum.bits)
            )
    if prog.code[prog.deparser].op != Op.END:
        run(core, prog.deparser)
    if reserve(&core.out, &core.out_room, prog.header_bytes + length + SLACK):
        core.stats[OUT_OF_MEMORY] += 1
        return 0
    out = core.out
    for i in range(prog.n_order):
        if core.F[prog.order[i]]:
            out += pack_header(prog, core.F, &prog.headers[prog.order[i]], out)
    memcpy(out, payload, length)
    return <uint64_t>(out - core.out) + length


cdef void egress_pass(
    Core* core, uint32_t port, const uint8_t* payload, uint64_t length, emit_fn emit, void* ctx
) noexcept nogil:
    """To egress, by way of its queue."""
    cdef const Prog* prog = core.prog
    cdef uint64_t priority = 0
    cdef Queue* queue
    if prog.standard[SM_PRIORITY] != prog.scratch_slot:
        priority = get_standard(core, SM_PRIORITY)
    if priority >= core.priorities:
        core.stats[DROPPED_PRIORITY] += 1
        if core.tracing:
            trace_event(core, EV_DROP_EGRESS, 1, port)
        return
    if core.queues != NULL and priority < core.queues.priorities:
        queue = queue_of(core.queues, port, priority)
        if queue != NULL:
            enqueue(core, queue, port, <uint32_t>priority, payload, length)
            return
    if prog.has_queueing:
        set_standard(core, SM_ENQ_TIME, <uint64_t>core.now_us)
        set_standard(core, SM_ENQ_QDEPTH, 0)
        set_standard(core, SM_DEQ_TIMEDELTA, 0)
        set_standard(core, SM_DEQ_QDEPTH, 0)
        set_standard(core, SM_QID, priority)
    egress(core, port, payload, length, emit, ctx)


cdef void enqueue(
    Core* core, Queue* queue, uint32_t port, uint32_t priority, const uint8_t* payload,
    uint64_t length
) noexcept nogil:
    """Let a packet wait for its turn, or drop it if its queue is full."""
    cdef Waiting* item
    if queue.size >= queue.depth:
        core.stats[DROPPED_QUEUE] += 1
        if core.tracing:
            trace_event(core, EV_DROP_EGRESS, 2, port)
        return
    item = queue_admit(core.queues, queue, core.now_us, core.prog.state_words, length)
    if item == NULL:
        core.stats[OUT_OF_MEMORY] += 1
        return
    memcpy(item.state, core.F, core.prog.state_words * 8)
    memcpy(item.payload, payload, length)
    item.port, item.priority = port, priority
    item.truncate, item.recirculate = core.truncate, core.recirculate
    item.packet_length, item.ingress_length = core.packet_length, core.ingress_length
    item.ingress_port = core.ingress_port
    if queue_put(core.queues, queue, item):
        free(item)
        core.stats[OUT_OF_MEMORY] += 1


cdef void dequeue(Core* core, const Waiting* item, emit_fn emit, void* ctx) noexcept nogil:
    """Go on with a packet whose turn has come."""
    cdef const Queue* queue = (
        &core.queues.queues[item.port * core.queues.priorities + item.priority]
    )
    memcpy(core.F, item.state, core.prog.state_words * 8)
    core.truncate, core.recirculate = item.truncate, item.recirculate
    core.packet_length, core.ingress_length = item.packet_length, item.ingress_length
    core.ingress_port = item.ingress_port
    core.clone_session = core.clone_list = core.resubmit = 0
    core.passes = 0
    if core.prog.has_queueing:
        set_standard(core, SM_ENQ_TIME, <uint64_t>item.enqueued_us)
        set_standard(core, SM_ENQ_QDEPTH, item.depth_before)
        set_standard(core, SM_DEQ_TIMEDELTA, <uint64_t>(core.now_us - item.enqueued_us))
        set_standard(core, SM_DEQ_QDEPTH, queue.size)
        set_standard(core, SM_QID, item.priority)
    egress(core, item.port, item.payload, item.length, emit, ctx)


cdef void egress(
    Core* core, uint32_t port, const uint8_t* payload, uint64_t length, emit_fn emit, void* ctx
) noexcept nogil:
    """The egress pipeline, the deparser, and out."""
    cdef const Prog* prog = core.prog
    cdef uint64_t size
    cdef uint8_t* copy
    # Where calculations over the payload find it.
    core.packet = payload
    core.parsed = 0
    core.length = length
    set_standard(core, SM_EGRESS_TIME, <uint64_t>core.now_us)
    set_standard(core, SM_EGRESS_PORT, port)
    set_standard(core, SM_EGRESS_SPEC, core.drop_port + 1)
    set_standard(core, SM_PACKET_LENGTH, core.packet_length)
    core.exit_flag = core.abort = 0
    if core.tracing:
        trace_event(core, EV_EGRESS, port, length)
    run(core, prog.egress)
    if core.abort:
        core.stats[DROPPED_EGRESS] += 1
        return
    if core.clone_session:
        clone_egress(core)
    if get_standard(core, SM_EGRESS_SPEC) == core.drop_port:
        core.stats[DROPPED_EGRESS] += 1
        if core.tracing:
            trace_event(core, EV_DROP_EGRESS, 0, port)
        return
    core.length = min(length, core.truncate)
    size = deparse(core, payload, length)
    if core.abort:
        core.stats[DROPPED_EGRESS] += 1
        return
    if core.recirculate:
        core.stats[RECIRCULATED] += 1
        if core.tracing:
            trace_event(core, EV_RECIRCULATE, core.recirculate, size)
        copy = <uint8_t*>arena_take(core, size + SLACK)
        if copy == NULL:
            return
        memcpy(copy, core.out, size)
        memset(copy + size, 0, SLACK)
        again_job(core, JOB_RECIRCULATE, core.recirculate, copy, size)
        return
    if size > core.truncate:
        size = core.truncate
    core.stats[EMITTED] += 1
    if core.tracing:
        trace_event(core, EV_EMIT, port, size)
    emit(ctx, port, core.out, <uint32_t>size)


cdef void run_job(Core* core, const Job* job, emit_fn emit, void* ctx) noexcept nogil:
    core.ingress_port = job.ingress_port
    core.ingress_length = job.ingress_length
    if job.kind == JOB_EGRESS:
        memcpy(core.F, job.state, core.prog.state_words * 8)
        core.packet_length = job.packet_length
        core.truncate = job.truncate if job.truncate != ~<uint32_t>0 else ~<uint64_t>0
        core.clone_session = core.clone_list = core.resubmit = 0
        core.recirculate = job.recirculate
        if job.set_rid:
            set_standard(core, SM_EGRESS_RID, job.rid)
        if job.set_priority and job.priority:
            set_standard(core, SM_PRIORITY, job.priority)
        egress_pass(core, job.port, job.data, job.length, emit, ctx)
        return
    core.packet = job.data
    core.length = job.length
    if job.kind == JOB_RECIRCULATE:
        core.ingress_length = job.length
    ingress_pass(core, job, emit, ctx)


cdef int core_process(
    Core* core, uint32_t port, const uint8_t* data, uint32_t length, int64_t now_us,
    emit_fn emit, void* ctx,
) noexcept nogil:
    """One packet and all that it causes, to the end. The caller holds the core's lock."""
    if core.queues != NULL:
        core_release(core, now_us, emit, ctx)
    if core.prog == NULL:
        core.stats[NO_PIPELINE] += 1
        return -1
    core.stats[PROCESSED] += 1
    if length > MAX_PACKET:
        core.stats[TOO_LONG] += 1
        return -1
    if reserve(&core.buffer, &core.buffer_room, <size_t>length + SLACK):
        core.stats[OUT_OF_MEMORY] += 1
        return -1
    memcpy(core.buffer, data, length)
    memset(core.buffer + length, 0, SLACK)
    core.now_us = now_us
    core.packet = core.buffer
    core.length = length
    core.ingress_length = length
    core.ingress_port = port
    core.passes = 0
    ingress_pass(core, NULL, emit, ctx)
    finish_jobs(core, emit, ctx)
    if core.queues != NULL:
        core_release(core, now_us, emit, ctx)
    return 0


cdef int core_release(Core* core, int64_t now_us, emit_fn emit, void* ctx) noexcept nogil:
    """Go on with the packets in queues that are due. The caller holds the core's lock."""
    cdef Waiting* item
    if core.queues == NULL or core.prog == NULL:
        return 0
    core.now_us = now_us
    while True:
        item = queue_next(core.queues, now_us)
        if item == NULL:
            return 0
        dequeue(core, item, emit, ctx)
        finish_jobs(core, emit, ctx)
        free(item)


cdef void finish_jobs(Core* core, emit_fn emit, void* ctx) noexcept nogil:
    """What the packet at work has caused."""
    cdef const Job* job
    while core.first_job != NULL:
        job = core.first_job
        core.first_job = job.next
        if core.first_job == NULL:
            core.last_job = NULL
        run_job(core, job, emit, ctx)
    if core.arena != NULL and (core.arena.used or core.arena.next != NULL):
        arena_reset(core)
