"""Distillation of delivered pairs between the two ends of a circuit: what the device holds back."""

from libc.stdint cimport int64_t

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.device cimport Device
from qplane_cext.sim.events cimport Queue
from qplane_cext.sim.frames cimport QubitFrame
from qplane_cext.sim.ledger cimport Ledger

# DELIVER: to the application, or held back where the circuit's pairs are distilled first.
cdef void distil_deliver(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil
# VOID: of a held or spent pair, or of a delivered one.
cdef void distil_void(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil
# DISTIL: what the other end read.
cdef void distil_answer(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil

# ---- timers ----
cdef void distil_cutoff(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t value
) noexcept nogil
cdef void distil_done(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t value
) noexcept nogil
cdef void distil_retry(Device* device, Queue* queue, int64_t value) noexcept nogil
# Whether the distillation of a timer is over.
cdef bint distil_timer_void(Device* device, int64_t value) noexcept nogil
