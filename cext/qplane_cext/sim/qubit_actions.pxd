"""What the link layer has a device do with a qubit: release, Pauli, move, measure."""

from libc.stdint cimport int32_t, int64_t, uint32_t

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.device cimport Device
from qplane_cext.sim.events cimport Queue
from qplane_cext.sim.ledger cimport Ledger
from qplane_cext.sim.mhp_frames cimport Action, Result


cdef void device_act(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int frame_type,
    Action* action
) noexcept nogil
# Begins; the qubit in `source` is in memory, `target` is reserved. At its end the result is sent,
# or, with NULL, QUBIT_DONE for the transaction.
cdef void device_move(
    Device* device, Queue* queue, int32_t source, int32_t target, uint32_t transaction,
    Result* result
) noexcept nogil
cdef void device_move_done(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t index
) noexcept nogil
