"""What becomes of an attempt once REPLY is there, or is given up: results, qubits kept or not."""

from libc.stdint cimport uint8_t, uint16_t

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.events cimport Queue
from qplane_cext.sim.ledger cimport Ledger
from qplane_cext.sim.mhp cimport Mhp, Pending
from qplane_cext.sim.mhp_frames cimport Reply

# An attempt came to nothing: its qubit is discarded.
cdef void attempt_failed(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, int side, Pending* p
) noexcept nogil
cdef void report_error(
    Mhp* mhp, Queue* queue, int side, Pending* p, uint8_t error, uint16_t other
) noexcept nogil
cdef void report_pair(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, int side, Pending* p,
    Reply* reply
) noexcept nogil
