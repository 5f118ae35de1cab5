"""What the application at an end node gets of a circuit's pairs: when their frame is known, or early;
and what becomes of a delivery afterwards."""

from libc.stdint cimport int64_t

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.device cimport Device
from qplane_cext.sim.events cimport Queue
from qplane_cext.sim.frames cimport QubitFrame
from qplane_cext.sim.ledger cimport Ledger


# ---- commands ----
cdef void device_deliver(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil
cdef void device_confirm(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil
cdef void device_completed(Device* device, Ledger* ledger, QubitFrame* command) noexcept nogil
cdef void device_void(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil

# ---- timer: the frame of an early delivery did not come ----
cdef void device_early_cutoff(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t value
) noexcept nogil
cdef bint device_early_cutoff_void(Device* device, int64_t value) noexcept nogil
