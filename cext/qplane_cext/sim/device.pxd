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
    TELEPORTING  # delivered: in the Bell measurement with the application's qubit
    AWAITING  # delivered: a teleportation's correction is to come

cdef enum:
    PAIRS_PER_LINK = 4096  # records of pairs that a switch has for a link (docs/p4.md)
    DISTILLED_LINKS = 16  # link n + 16 is for the pairs of link n that were distilled there
    SLICES = 64

cdef enum:  # counters
    PAIRS
    SWAPS
    SWAPS_WITHOUT_OUTCOME
    DELIVERS
    MEASURES  # of these
    EARLY_DELIVERS  # and of these
    CONFIRMS  # of early deliveries
    COMPLETED
    HOLDS  # delivered pairs kept for a distillation
    DISTILLATIONS  # begun by this end's own part
    DISTILLED_PAIRS  # of these: succeeded, as far as this end knows
    DISTIL_FAILURES
    DISTIL_REPEATED
    STALE_DISTILS
    HELD_LOST  # held pairs given up: cut-off here or at the other end
    FED  # distilled pairs handed on to another circuit
    RELEASES
    RELEASES_ANNOUNCED
    VOIDS
    EXPIRED
    EXPIRED_REPEATED
    EXPIRES_CONFIRMED
    TELEPORTED
    TELEPORTS_FAILED  # no outcome
    TELEPORTS_CONFIRMED
    CORRECTIONS
    UNKNOWN_CORRECTIONS
    STALE_SWAPS
    REPEATED_SWAPS
    STALE_DELIVERS
    STALE_RELEASES
    STALE_CONFIRMS
    UNKNOWN_CONFIRMS
    UNKNOWN_VOIDS
    UNKNOWN_COMPLETED  # the other end has not delivered: an error of the protocol
    VOIDS_AFTER_COMPLETE
    BAD_ETHERNET
    BAD_VERSION
    BAD_TYPE
    BAD_LENGTH
    DEVICE_COUNTERS


cdef struct Axis:  # a unit vector of the Bloch sphere
    double[3] data


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
    int64_t since_ps  # when its cut-off began to count: its emission, or when it was fed
    int64_t cutoff_ps
    int64_t retry_ps
    uint32_t fed_by  # label of the circuit that distilled it, 0: none did
    uint32_t order  # TELEPORTING, AWAITING: whose it is, by its transaction
    uint32_t other_seq  # and what DELIVER said
    bint corrected
    bint voided
    Axis axis


cdef struct Teleport:  # an application's order for a circuit
    uint8_t role
    uint32_t transaction
    uint16_t left  # 0: no end
    Axis axis  # of the state to send, or of the measurement of what comes


cdef struct Request:  # what LINK_START asked for
    uint32_t label
    bint active
    bint end
    uint16_t slot_first
    uint16_t slot_count
    uint16_t next_slot  # slots are taken in turn, so that generations last
    int32_t peer  # index of the request at the other end of the link, -1: not known yet
    uint8_t slice
    int64_t cutoff_ps
    int64_t retry_ps
    uint8_t rounds
    uint16_t bright_state
    uint32_t feeds  # label of the circuit that gets what was distilled; 0: the application does
    Teleport teleport


cdef struct DeviceLink:
    int32_t quantum_link  # index in the network, -1: no such link
    bint blocked  # the link waits for a slot or a request here
    void* mhp  # Mhp* of a link with a station, else NULL
    int side  # which of the link's ends this is
    void* calibration_of  # Python: (side, bright) -> the fields of CALIBRATION, borrowed
    bint mhp_waits  # an order waits for a slot
    Request* requests
    int32_t request_count
    int32_t request_capacity
    int64_t* over_ps  # by sequence number modulo PAIRS_PER_LINK: since when a pair is not held here
    uint32_t last_seq  # of a pair that came up here
    int64_t linger_ps  # how long messages about a pair may be under way afterwards
    uint32_t remote_node_id  # from here on: LINK_FEATURES
    uint8_t remote_link
    uint8_t scheme
    uint16_t most_bright  # largest bright-state parameter; 0: the scheme knows none
    uint32_t length_m
    int64_t attempt_ps
    double success
    double fidelity
    double zz  # size of its correlation in Z
    int64_t delay_ps


cdef struct Expiry:  # an EXPIRED, or TELEPORTED, that the other end has not confirmed
    bint used
    uint8_t type
    uint8_t bell
    uint16_t slot
    uint16_t generation
    uint8_t link
    uint32_t stamp  # changes with each use, for the timer
    uint32_t label
    uint32_t seq
    int64_t expired_ps
    int64_t retry_ps


cdef struct Early:  # an early delivery whose frame is still to come
    bint used
    uint32_t stamp  # changes with each use, for the timer
    Expiry delivery  # what is announced if it does not come


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
    Early* earlies
    int32_t early_count
    int32_t early_capacity
    KeyMap early  # (link, seq) -> early delivery
    double t1_s
    double t2_s
    double storage_t1_s  # of a qubit that was moved out of an emitter
    double storage_t2_s
    int storage_profile  # of the quantum memory; -1: the same as before the move
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
    uint64_t[48] counters


cdef int device_init(Device* device, int32_t slots) noexcept nogil
cdef void device_free(Device* device) noexcept nogil
# To the switch; the frame begins with its Ethernet header, which does not count in the length.
cdef void device_send(
    Device* device, Queue* queue, const uint8_t* frame, uint32_t behind_ethernet
) noexcept nogil

# An event about a qubit, at the present time.
cdef void device_send_event(Device* device, Queue* queue, QubitFrame* fields) noexcept nogil
# The slot where that very qubit is in memory, or NULL.
cdef Slot* device_held(
    Device* device, uint16_t slot, uint16_t generation, uint8_t link, uint32_t seq
) noexcept nogil
# Free a slot, and tell the links that wait for one: circuits may share slots across links.
cdef void device_vacate(Device* device, Queue* queue, Slot* slot) noexcept nogil
# The link whose fibre the pairs of a link come by: of distilled pairs, that which they were made on.
# `quantum_link` is negative where there is no such link.
cdef DeviceLink* device_fibre(Device* device, uint8_t link) noexcept nogil
# A distilled pair goes on as one that the link has just heralded for another circuit.
cdef void device_feed(
    Device* device, Queue* queue, int32_t slot, uint32_t label, const Request* to
) noexcept nogil
# Report this until it is confirmed.
cdef void device_announce(Device* device, Queue* queue, const Expiry* what) noexcept nogil
# Discard a qubit, and report it as EXPIRED until that is confirmed.
cdef void device_lose(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, Slot* slot
) noexcept nogil
cdef uint64_t pair_key(uint8_t link, uint32_t seq) noexcept nogil

# ---- commands ----
cdef void device_swap(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil
cdef void device_release(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil
# EXPIRE_CONFIRMED or CORRECTION_CONFIRMED.
cdef void device_confirmed(Device* device, Queue* queue, QubitFrame* command) noexcept nogil
# A delivery is void: nothing is reported of it any more.
cdef void device_withdraw(Device* device, Queue* queue, QubitFrame* command) noexcept nogil

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
# A pair of a circuit has begun; false where the machine has no memory.
cdef bint device_pair_begins(Device* device, uint8_t link, uint32_t seq) noexcept nogil
# From when on nothing can be under way about the pair which has that place (LATER: it is held).
cdef int64_t device_pair_over(Device* device, uint8_t link, uint32_t seq) noexcept nogil
cdef void device_pair_ends(Device* device, uint8_t link, uint32_t seq, int64_t now_ps) noexcept nogil
# Let links that wait try again.
cdef void device_wake_links(Device* device, Queue* queue) noexcept nogil
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
