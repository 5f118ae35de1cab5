"""An attempt that is sent: GEN of either end, the photons, what the detectors say."""

from libc.stdint cimport int64_t

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.events cimport Queue
from qplane_cext.sim.ledger cimport Ledger
from qplane_cext.sim.mhp cimport Mhp

# In `cycle`; `takes_part`: which end attempts.
cdef void mhp_attempt(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t cycle,
    const bint* takes_part
) noexcept nogil
