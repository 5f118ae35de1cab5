"""Bodies of the MHP's device frames (docs/wire.md) byte by byte."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    GEN_FRAME_BYTES = 16
    OUTCOME_FRAME_BYTES = 16
    REPLY_FRAME_BYTES = 24
    ORDER_FRAME_BYTES = 40
    STATUS_FRAME_BYTES = 32
    RESULT_FRAME_BYTES = 44
    ACTION_FRAME_BYTES = 32
    CALIBRATION_FRAME_BYTES = 100

cdef enum MhpFrameType:
    FRAME_MHP_GEN = 0x10
    FRAME_MHP_OUTCOME = 0x11
    FRAME_MHP_START = 0x50
    FRAME_MHP_STOP = 0x51
    FRAME_MHP_STATUS = 0x52
    FRAME_MHP_PAIR = 0x53
    FRAME_MHP_MEASURED = 0x54
    FRAME_MHP_ERROR = 0x55
    FRAME_QUBIT_RELEASE = 0x56
    FRAME_QUBIT_PAULI = 0x57
    FRAME_QUBIT_MOVE = 0x58
    FRAME_QUBIT_MEASURE = 0x59
    FRAME_QUBIT_DONE = 0x5A
    FRAME_CALIBRATION_REQUEST = 0x5B
    FRAME_CALIBRATION = 0x5C
    FRAME_MHP_REPLY = 0x90

cdef enum MhpErrorCode:
    MHP_NONE = 0
    MHP_QUEUE_MISMATCH = 1
    MHP_TIME_MISMATCH = 2
    MHP_NO_CLASSICAL_OTHER = 3
    MHP_GEN_FAIL = 4

cdef enum OrderState:
    ORDER_WAITING = 1
    ORDER_RUNNING = 2
    ORDER_COMPLETE = 3
    ORDER_WINDOW_OVER = 4
    ORDER_STOPPED = 5
    ORDER_SUPERSEDED = 6
    ORDER_REFUSED = 7
    ORDER_UNKNOWN = 8

cdef enum ActionResult:
    ACTION_DONE = 0
    ACTION_STALE = 1
    ACTION_REFUSED = 2

cdef enum:
    RANDOM_NONE = 0
    RANDOM_XZ = 1
    RANDOM_XYZ = 2
    RANDOM_CHSH = 3
    BASIS_Z = 0
    BASIS_X = 1
    BASIS_Y = 2
    BASIS_Z_PLUS = 3
    BASIS_Z_MINUS = 4
    BASIS_OF_ORDER = 7


cdef struct Reply:
    uint16_t queue  # queue id, queue sequence number
    uint16_t other_queue
    uint32_t mhp_seq
    uint8_t outcome
    uint8_t error
    int64_t cycle


cdef struct Order:
    uint32_t transaction
    uint16_t queue
    bint measure  # create and measure, not keep
    uint8_t random_basis
    uint8_t[2] probabilities  # n / 255
    uint8_t[3] rotations  # 2 pi n / 256 about X, Y, X
    uint16_t bright
    uint16_t pairs
    uint16_t slot_first
    uint16_t slot_count
    int64_t first_cycle
    int64_t end_cycle


cdef struct Result:
    uint8_t type  # of the frame
    uint8_t bell
    uint16_t queue
    uint16_t other_queue
    uint32_t mhp_seq
    uint8_t error
    uint8_t basis
    uint8_t outcome
    bint surplus
    uint16_t pairs_left
    uint16_t slot
    uint16_t generation
    int64_t cycle
    uint64_t attempts
    int64_t time_ps


cdef struct Action:
    uint32_t transaction
    uint16_t slot
    uint16_t generation
    uint16_t slot2
    uint16_t generation2
    uint8_t pauli
    uint8_t outcome
    uint8_t status
    uint8_t[3] rotations
    int64_t time_ps


cdef void write_gen(
    uint8_t* frame, uint8_t link, uint16_t queue, bint measure, bint present, int64_t cycle
) noexcept nogil
cdef void write_outcome(uint8_t* frame, uint8_t link, uint8_t outcome, int64_t cycle) noexcept nogil
cdef void read_reply(const uint8_t* frame, Reply* fields) noexcept nogil
cdef void read_order(const uint8_t* frame, Order* fields) noexcept nogil
cdef void write_status(
    uint8_t* frame, uint8_t link, uint32_t transaction, uint16_t queue, uint8_t state,
    uint16_t pairs_left, int64_t cycle, uint64_t attempts
) noexcept nogil
cdef void write_result(uint8_t* frame, uint8_t link, const Result* fields) noexcept nogil
cdef void read_action(const uint8_t* frame, Action* fields) noexcept nogil
cdef void write_action(uint8_t* frame, const Action* fields) noexcept nogil
# The axis that a qubit is measured along: that of Z after the rotations about X, Y, X.
cdef void rotated_axis(const uint8_t* rotations, double* axis) noexcept nogil
