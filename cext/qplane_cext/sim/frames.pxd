"""Device frames (docs/wire.md) byte by byte: what the emulated device reads and writes."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    ETHERNET_BYTES = 14
    DEVICE_ETHER_TYPE = 0x88B6
    DEVICE_VERSION = 1
    WHOLE_DEVICE = 0xFF  # link number of frames that concern no single link
    # offsets behind the Ethernet header, total lengths
    QUBIT_FRAME_BYTES = 36
    TRANSACTION_FRAME_BYTES = 8
    DEVICE_FEATURES_BYTES = 56
    LINK_FEATURES_BYTES = 44
    LINK_CONTROL_BYTES = 48
    TELEPORT_ORDER_BYTES = 24
    TELEPORT_RESULT_BYTES = 28
    LARGEST_FRAME_BYTES = 114  # with the Ethernet header; of one message
    MOST_MESSAGES = 31  # in a frame between controller and device
    FULL_FRAME_BYTES = 1514  # with the Ethernet header
    CORRECT = 1  # flag of DELIVER
    REPORT = 2  # of DELIVER
    MEASURE = 4  # of DELIVER
    EARLY = 8  # of DELIVER
    MEASURED = 1  # of DELIVERED
    ANNOUNCE = 1  # of RELEASE and VOID
    FAR = 4  # of VOID: seq2 alone says which pair
    ASK = 1  # of DISTILLED and DISTIL
    DISTILLED = 2  # of DELIVERED
    END = 1  # of LINK_START

cdef enum FrameType:
    FRAME_PAIR = 0x01
    FRAME_SWAPPED = 0x02
    FRAME_SWAP_FAILED = 0x03
    FRAME_EXPIRED = 0x04
    FRAME_DELIVERED = 0x05
    FRAME_TELEPORTED = 0x06
    FRAME_DISTILLED = 0x07
    FRAME_FEATURES_REQUEST = 0x41
    FRAME_DEVICE_FEATURES = 0x42
    FRAME_LINK_FEATURES = 0x43
    FRAME_LINK_START = 0x44
    FRAME_LINK_STOP = 0x45
    FRAME_LINK_STATUS_REQUEST = 0x46
    FRAME_LINK_STATUS = 0x47
    FRAME_TELEPORT_ORDER = 0x5d
    FRAME_TELEPORT_ANSWER = 0x5e
    FRAME_TELEPORT_RESULT = 0x5f
    FRAME_SWAP = 0x81
    FRAME_DELIVER = 0x82
    FRAME_RELEASE = 0x83
    FRAME_VOID = 0x84
    FRAME_EXPIRE_CONFIRMED = 0x85
    FRAME_CONFIRM = 0x86
    FRAME_COMPLETED = 0x87
    FRAME_APPLY_CORRECTION = 0x88
    FRAME_CORRECTION_CONFIRMED = 0x89
    FRAME_DISTIL = 0x8A

cdef enum LinkState:
    LINK_IDLE = 0
    LINK_GENERATING = 1
    LINK_UNKNOWN_LABEL = 2
    LINK_REFUSED = 3


cdef struct QubitFrame:
    uint8_t flags
    uint8_t type
    uint8_t link
    uint8_t bell
    uint32_t label
    uint32_t seq
    uint16_t slot
    uint16_t generation
    uint8_t link2
    uint32_t seq2
    uint16_t slot2
    uint16_t generation2
    int64_t time_ps


cdef struct LinkControl:
    uint32_t transaction
    uint32_t label
    uint16_t slot_first
    uint16_t slot_count
    int64_t cutoff_ps
    int64_t retry_ps
    uint16_t in_use
    uint16_t unconfirmed
    uint8_t status
    uint8_t rounds
    uint8_t slice
    uint32_t feeds
    uint16_t linger_ms
    uint16_t bright_state
    uint32_t last_seq


cdef uint64_t get_bits(const uint8_t* data, int nbytes) noexcept nogil
cdef void put_bits(uint8_t* data, int nbytes, uint64_t value) noexcept nogil
cdef void put_ethernet(uint8_t* frame) noexcept nogil
# The 4 bytes that each message begins with.
cdef void put_message(
    uint8_t* message, uint8_t flags, uint8_t frame_type, uint8_t link, uint8_t bell
) noexcept nogil
# Both, of a frame with one message.
cdef void put_header(
    uint8_t* frame, uint8_t flags, uint8_t frame_type, uint8_t link, uint8_t bell
) noexcept nogil
cdef void read_qubit(const uint8_t* frame, QubitFrame* fields) noexcept nogil
cdef void write_qubit(uint8_t* frame, const QubitFrame* fields) noexcept nogil
# These two from the message's header on.
cdef void read_control(const uint8_t* message, LinkControl* fields) noexcept nogil
cdef void write_control(
    uint8_t* message, uint8_t flags, uint8_t link, const LinkControl* fields
) noexcept nogil
# Length behind the Ethernet header of a frame of this type that a switch may send; 0: no such.
cdef int command_bytes(uint8_t frame_type) noexcept nogil
