"""What the link layer has a device do with a qubit; see qubit_actions.pxd and docs/mhp.md.

An action is done when its handle names a qubit in memory that no circuit owns (label 0).
"""

from libc.stdint cimport uint8_t
from libc.stdlib cimport realloc
from libc.string cimport memset

from qplane_cext.sim.device cimport (
    FREE, HELD, MOVING, RESERVED, Move, Slot, device_discard, device_send, device_unreserve
)
from qplane_cext.sim.events cimport MOVE_DONE, queue_push, time_sum
from qplane_cext.sim.frames cimport LARGEST_FRAME_BYTES
from qplane_cext.sim.ledger cimport ledger_depolarise, ledger_measure, ledger_pauli, ledger_store
from qplane_cext.sim.mhp_frames cimport *


cdef Slot* named(Device* device, Action* action) noexcept nogil:
    """The slot of the qubit that an action is about, or NULL."""
    cdef Slot* slot
    if action.slot >= device.slot_count:
        return NULL
    slot = &device.slots[action.slot]
    if slot.state != HELD or slot.generation != action.generation or slot.label != 0:
        return NULL
    return slot


cdef void answer(Device* device, Queue* queue, Action* action, uint8_t status) noexcept nogil:
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    action.status = status
    action.time_ps = queue.now_ps
    memset(frame, 0, LARGEST_FRAME_BYTES)
    write_action(frame, action)
    device_send(device, queue, frame, ACTION_FRAME_BYTES)


cdef void device_act(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int frame_type,
    Action* action
) noexcept nogil:
    cdef Slot* slot = named(device, action)
    cdef Slot* target
    cdef double[3] axis
    if slot == NULL:
        answer(device, queue, action, ACTION_STALE)
        return
    if frame_type == FRAME_QUBIT_MOVE:
        if action.slot2 >= device.slot_count or device.slots[action.slot2].state != FREE:
            answer(device, queue, action, ACTION_REFUSED)
            return
        target = &device.slots[action.slot2]
        target.state = RESERVED
        target.generation += 1
        target.link = slot.link
        target.label = 0
        target.half = -1
        device_move(device, queue, action.slot, action.slot2, action.transaction, NULL)
        return
    if frame_type == FRAME_QUBIT_RELEASE:
        device_discard(device, queue, ledger, memory, action.slot)
    elif frame_type == FRAME_QUBIT_PAULI:
        ledger_pauli(ledger, memory, queue.now_ps, slot.half, action.pauli)
    else:
        rotated_axis(action.rotations, axis)
        action.outcome = ledger_measure(ledger, memory, queue.now_ps, slot.half, axis)
        device_unreserve(device, queue, action.slot)
    answer(device, queue, action, ACTION_DONE)


cdef int32_t new_move(Device* device, Queue* queue) noexcept nogil:
    cdef int32_t i, wider
    cdef Move* moves
    for i in range(device.move_count):
        if not device.moves[i].used:
            return i
    if device.move_count == device.move_capacity:
        wider = 2 * device.move_capacity if device.move_capacity else 4
        moves = <Move*>realloc(device.moves, wider * sizeof(Move))
        if moves == NULL:
            queue.out_of_memory = True
            return -1
        device.moves = moves
        device.move_capacity = wider
    device.move_count += 1
    return device.move_count - 1


cdef void device_move(
    Device* device, Queue* queue, int32_t source, int32_t target, uint32_t transaction,
    Result* result
) noexcept nogil:
    cdef int32_t index = new_move(device, queue)
    cdef Move* move
    if index < 0:
        return
    move = &device.moves[index]
    memset(move, 0, sizeof(Move))
    move.used = True
    move.source = source
    move.target = target
    move.transaction = transaction
    if result != NULL:
        move.has_result = True
        move.result = result[0]
    device.slots[source].state = MOVING
    queue_push(
        queue, time_sum(queue.now_ps, device.move_time_ps), MOVE_DONE, device.node, index, NULL
    )


cdef void device_move_done(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t index
) noexcept nogil:
    cdef Move* move = &device.moves[index]
    cdef Slot* source = &device.slots[move.source]
    cdef Slot* target = &device.slots[move.target]
    cdef Action action
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    target.half = source.half
    target.seq = source.seq
    target.bell = source.bell
    target.end = False
    target.cutoff_ps = 0
    target.state = HELD
    if device.storage_profile >= 0:
        ledger_store(ledger, memory, queue.now_ps, target.half, device.storage_profile)
    ledger_depolarise(ledger, memory, queue.now_ps, target.half, device.move_error)
    device_unreserve(device, queue, move.source)
    move.used = False
    if move.has_result:
        memset(frame, 0, LARGEST_FRAME_BYTES)
        write_result(frame, target.link, &move.result)
        device_send(device, queue, frame, RESULT_FRAME_BYTES)
        return
    memset(&action, 0, sizeof(Action))
    action.transaction = move.transaction
    action.slot = move.source
    action.generation = source.generation
    action.slot2 = move.target
    action.generation2 = target.generation
    answer(device, queue, &action, ACTION_DONE)
