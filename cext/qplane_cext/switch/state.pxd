"""The run-time state of one switch: tables, arrays, groups, buffers."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from qplane_cext.switch.program cimport Prog
from qplane_cext.switch.queues cimport Queues
from qplane_cext.switch.tuplespace cimport Matcher

ctypedef void (*emit_fn)(
    void* ctx, uint32_t port, const uint8_t* data, uint32_t length
) noexcept nogil

cdef enum:
    TARGET_ACTION, TARGET_MEMBER, TARGET_GROUP, TARGET_NONE

cdef enum:
    PROCESSED, EMITTED, DROPPED_INGRESS, DROPPED_EGRESS, DROPPED_PRIORITY, PARSER_ERRORS
    CHECKSUM_ERRORS, PARSER_LOOPS, ACTION_LOOPS, PASSES_CUT, REGISTER_RANGE, COUNTER_RANGE
    METER_RANGE, STACK_RANGE, DIVISIONS_BY_ZERO, ASSERT_FAILED, UNKNOWN_CLONE_SESSION
    UNKNOWN_MULTICAST_GROUP, EMPTY_GROUP, CLONED, RESUBMITTED, RECIRCULATED, REPLICATED, DIGESTS
    DIGESTS_LOST, TOO_LONG, OUT_OF_MEMORY, NO_PIPELINE, DROPPED_QUEUE, N_STATS

cdef struct Target:
    int32_t kind
    int32_t index  # action, member or group
    uint64_t* params

cdef struct CounterCell:
    uint64_t packets
    uint64_t bytes

cdef struct Meter:
    int64_t last_cir  # tokens since the start, when last filled
    int64_t last_pir
    uint64_t committed  # tokens
    uint64_t peak  # of a single rate with an excess burst: the excess tokens
    double cir  # per second
    double pir
    uint64_t cburst
    uint64_t pburst
    uint64_t eburst  # 0: two rates
    uint8_t configured
    CounterCell[3] colors  # what was green, yellow, red

cdef struct EntryData:
    Target target
    int64_t last_hit_us
    int64_t timeout_ns
    uint64_t packets
    uint64_t bytes
    Meter* meter
    uint8_t is_const

cdef struct TableState:
    Matcher matcher
    EntryData* data
    uint32_t room
    EntryData miss  # the default entry

cdef struct Member:
    int32_t used
    Target target

cdef enum:
    PICK_AS_SELECTOR, PICK_BY_HASH, PICK_AT_RANDOM

cdef struct MemberGroup:
    int32_t used
    int32_t pick
    uint32_t count
    uint32_t* members  # handles
    uint64_t* until  # running sum of the weights
    uint64_t total

cdef struct ProfileState:
    Member* members
    uint32_t members_room
    MemberGroup* groups
    uint32_t groups_room

cdef struct Replica:
    uint32_t port
    uint32_t rid

cdef struct ReplicaSet:
    uint32_t count
    uint32_t truncate  # clone sessions: bytes, 0 for the whole packet
    uint32_t priority
    int32_t used
    Replica* replicas

cdef struct Block:
    # A piece of the arena that holds one packet's copies until the packet is done.
    Block* next
    size_t size
    size_t used

cdef enum:
    JOB_EGRESS, JOB_RESUBMIT, JOB_RECIRCULATE

cdef struct Job:
    Job* next
    int32_t kind
    uint64_t* state  # snapshot of the packet's state words, shared
    uint64_t* preserved  # words of a field list
    int32_t field_list
    const uint8_t* data
    uint64_t length
    uint32_t port
    uint32_t rid
    uint8_t set_rid
    uint8_t recirculate_kept
    uint32_t recirculate
    uint32_t truncate
    uint32_t priority
    uint8_t set_priority
    uint64_t packet_length
    uint64_t ingress_length
    uint32_t ingress_port

cdef struct Event:
    # One line of a trace.
    int32_t kind
    int32_t id
    int64_t value

cdef struct Core:
    Prog* prog
    uint64_t* F
    TableState* tables
    ProfileState* profiles
    uint64_t** registers
    CounterCell** counters
    Meter** meters
    Matcher* value_sets
    uint64_t* round_robin
    ReplicaSet* groups  # by multicast group id
    ReplicaSet* sessions  # by clone session id
    uint64_t[32] stats
    uint64_t random
    uint32_t cpu_port
    uint32_t drop_port
    uint32_t priorities
    Queues* queues  # NULL as long as no egress queue has a rate
    # the packet at work
    int64_t now_us
    const uint8_t* packet  # what the current pass parses
    uint64_t length
    uint64_t parsed  # bytes
    uint64_t truncate
    uint64_t packet_length
    uint64_t ingress_length
    uint32_t ingress_port
    int32_t parser_error
    uint8_t exit_flag
    uint8_t abort
    uint32_t clone_session
    uint32_t clone_list
    uint32_t digest
    uint32_t resubmit
    uint32_t recirculate
    uint32_t passes
    Job* first_job
    Job* last_job
    Block* arena
    uint8_t* buffer  # the packet that came in
    size_t buffer_room
    uint8_t* out
    size_t out_room
    uint8_t* scratch  # input of calculations
    size_t scratch_room
    uint64_t* key
    uint8_t* digests  # waiting: id, length, bytes
    size_t digests_used
    size_t digests_room
    uint8_t tracing
    uint8_t logging
    Event* events
    uint32_t n_events
    uint32_t events_room
    uint8_t* log  # waiting messages: number, then each argument's limbs
    size_t log_used
    size_t log_room

cdef int core_open(Core* core, Prog* prog) noexcept nogil
cdef int core_retarget(Core* core, Prog* prog) noexcept nogil
cdef void core_close(Core* core) noexcept nogil
cdef void entry_clear(EntryData* entry) noexcept nogil
cdef int table_room(TableState* table, uint32_t entry) noexcept nogil
cdef void* arena_take(Core* core, size_t size) noexcept nogil
cdef void arena_reset(Core* core) noexcept nogil
cdef int reserve(uint8_t** place, size_t* room, size_t wanted) noexcept nogil
cdef void trace_event(Core* core, int kind, int number, int64_t value) noexcept nogil
