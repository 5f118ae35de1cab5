"""The quantum device of a node: slots, qubit commands, cut-off timers; speaks device frames."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.events cimport Queue
from qplane_cext.sim.frames cimport QubitFrame
from qplane_cext.sim.keymap cimport KeyMap
from qplane_cext.sim.ledger cimport Ledger
from qplane_cext.sim.mhp_frames cimport Result

cdef enum SlotState:
    FREE
    RESERVED  # an attempt is under way, or its herald
    HELD
    SWAPPING
    MOVING  # to another slot
    DISTILLING  # with another qubit

cdef enum:  # counters
    PAIRS
    SWAPS
    SWAPS_WITHOUT_OUTCOME
    DELIVERS
    MEASURES  # of these
    COMPLETED
    HOLDS  # delivered pairs kept for a distillation
    DISTILLATIONS  # begun by this end's own part
    DISTILLED_PAIRS  # of these: succeeded, as far as this end knows
    DISTIL_FAILURES
    DISTIL_REPEATED
    STALE_DISTILS
    HELD_LOST  # held pairs given up: cut-off here or at the other end
    RELEASES
    RELEASES_ANNOUNCED
    VOIDS
    EXPIRED
    EXPIRED_REPEATED
    EXPIRES_CONFIRMED
    STALE_SWAPS
    REPEATED_SWAPS
    STALE_DELIVERS
    STALE_RELEASES
    STALE_CONFIRMS
    UNKNOWN_VOIDS
    UNKNOWN_COMPLETED  # the other end has not delivered: an error of the protocol
    VOIDS_AFTER_COMPLETE
    BAD_ETHERNET
    BAD_VERSION
    BAD_TYPE
    BAD_LENGTH
    DEVICE_COUNTERS


cdef struct Slot:
    uint8_t state
    uint8_t link
    uint8_t bell
    bint end  # of the circuit: EXPIRED is repeated
    uint16_t generation
    uint32_t label
    uint32_t seq
    int32_t half  # in the ledger
    uint8_t rounds  # of distillation before a delivery
    int32_t held  # its record among the held pairs, or -1
    int64_t cutoff_ps
    int64_t retry_ps


cdef struct Request:  # what LINK_START asked for
    uint32_t label
    bint active
    bint end
    uint16_t slot_first
    uint16_t slot_count
    uint16_t next_slot  # slots are taken in turn, so that generations last
    int32_t peer  # index of the request at the other end of the link, -1: not known yet
    int64_t cutoff_ps
    int64_t retry_ps
    uint8_t rounds


cdef struct DeviceLink:
    int32_t quantum_link  # index in the network, -1: no such link
    bint blocked  # the link waits for a slot or a request here
    void* mhp  # Mhp* of a link with a station, else NULL
    int mhp_side  # which of its ends this is
    bint mhp_waits  # an order waits for a slot
    Request* requests
    int32_t request_count
    int32_t request_capacity
    uint32_t remote_node_id  # from here on: LINK_FEATURES
    uint8_t remote_link
    uint8_t scheme
    uint32_t length_m
    int64_t attempt_ps
    double success
    double fidelity
    int64_t delay_ps


cdef struct Expiry:  # an EXPIRED that the other end has not confirmed
    bint used
    uint16_t slot
    uint16_t generation
    uint8_t link
    uint32_t stamp  # changes with each use, for the timer
    uint32_t label
    uint32_t seq
    int64_t expired_ps
    int64_t retry_ps


cdef struct Move:  # of a qubit to another slot
    bint used
    int32_t source
    int32_t target
    uint32_t transaction
    bint has_result  # which is sent at the end, and no QUBIT_DONE
    Result result


cdef struct Held:  # a delivered pair that is kept for a distillation, or was spent in one
    uint8_t state  # distillation.pyx
    bint head  # this is the head-end: it chooses what goes with what
    bint doomed  # the other end gave it up during the gates
    uint8_t flags  # of its DELIVER
    uint8_t level  # rounds done
    uint8_t rounds  # and to be done
    uint8_t bit  # what this end read
    uint8_t other_bit  # and the other
    uint8_t link
    uint32_t label
    uint32_t seq
    uint32_t far_seq  # its number at the other end
    int32_t slot
    int32_t mate  # of a kept pair: the record of the spent one
    uint32_t stamp  # changes with each use of the record, for its timers
    int64_t retry_ps


cdef struct Answered:  # what this end read in a distillation that the other end may ask about again
    bint used
    uint8_t link
    uint8_t bit
    uint32_t label
    uint32_t kept
    uint32_t spent
    uint32_t far_spent


cdef struct Device:
    int32_t node
    uint32_t node_id
    int32_t quantum_port
    int32_t slot_count
    Slot* slots
    DeviceLink* links  # 256, by number
    uint8_t[255] link_numbers  # of the links that there are
    int32_t link_count
    Expiry* expiries
    int32_t expiry_count
    int32_t expiry_capacity
    KeyMap unconfirmed  # (link, seq) -> expiry
    Held* held
    int32_t held_count
    int32_t held_capacity
    Answered* answered  # a ring, made with the first answer
    uint32_t answers
    double t1_s
    double t2_s
    int64_t swap_time_ps
    double swap_success
    double two_qubit_error
    double one_qubit_error
    double readout_error
    int32_t emitters  # slots from 0 that can be entangled with photons; 0: all
    int64_t move_time_ps
    double move_error
    Move* moves
    int32_t move_count
    int32_t move_capacity
    uint64_t[40] counters


cdef int device_init(Device* device, int32_t slots) noexcept nogil
cdef void device_free(Device* device) noexcept nogil
# To the switch; the frame begins with its Ethernet header, which does not count in the length.
cdef void device_send(
    Device* device, Queue* queue, const uint8_t* frame, uint32_t behind_ethernet
) noexcept nogil

cdef void send_event(Device* device, Queue* queue, QubitFrame* fields) noexcept nogil
# The slot where that very qubit is in memory, or NULL.
cdef Slot* held(
    Device* device, uint16_t slot, uint16_t generation, uint8_t link, uint32_t seq
) noexcept nogil
cdef void vacate(Device* device, Queue* queue, Slot* slot) noexcept nogil
cdef void discard(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, Slot* slot
) noexcept nogil
# EXPIRED, repeated until it is confirmed, about a pair whose qubit is gone.
cdef void announce(
    Device* device, Queue* queue, uint8_t link, uint32_t label, uint32_t seq, int64_t retry_ps
) noexcept nogil

# ---- commands ----
cdef void device_swap(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil
cdef void device_deliver(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil
cdef void device_release(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil
cdef void device_completed(Device* device, Ledger* ledger, QubitFrame* command) noexcept nogil
cdef void device_void(
    Device* device, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil
cdef void device_expire_confirmed(Device* device, QubitFrame* command) noexcept nogil

# ---- timers ----
cdef void device_swap_done(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t slots
) noexcept nogil
cdef void device_cutoff(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t value
) noexcept nogil
# Whether the qubit of a CUTOFF is gone, the expiry of a RETRY confirmed.
cdef bint device_cutoff_void(Device* device, int64_t value) noexcept nogil
cdef bint device_retry_void(Device* device, int64_t value) noexcept nogil
cdef void device_retry(Device* device, Queue* queue, int64_t value) noexcept nogil

# ---- for the quantum link ----
cdef int32_t device_free_slot(Device* device, Request* request) noexcept nogil  # -1: none
cdef void device_reserve(
    Device* device, int32_t slot, uint8_t link, Request* request
) noexcept nogil
cdef void device_discard(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int32_t slot
) noexcept nogil
cdef void device_unreserve(Device* device, Queue* queue, int32_t slot) noexcept nogil
cdef void device_heralded(
    Device* device, Queue* queue, int32_t slot, int64_t emitted_ps
) noexcept nogil
