"""Teleportation over delivered pairs: one end sends a state, the other corrects and measures it."""

from libc.stdint cimport int64_t, uint8_t

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.device cimport Device, Slot
from qplane_cext.sim.events cimport Queue
from qplane_cext.sim.frames cimport QubitFrame
from qplane_cext.sim.ledger cimport Ledger


# The application's order for a circuit (docs/wire.md); the frame is answered.
cdef void teleport_order(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, const uint8_t* frame
) noexcept nogil
# A pair is being delivered: whether an order takes it. Its Pauli correction is done.
cdef bint teleport_takes(
    Device* device, Queue* queue, Slot* slot, QubitFrame* command
) noexcept nogil
# VOID of a qubit that an order took: whether it was one.
cdef bint teleport_void(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil
cdef void teleport_apply_correction(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil

# ---- timer: the Bell measurement is done ----
cdef void teleport_done(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t slot
) noexcept nogil
