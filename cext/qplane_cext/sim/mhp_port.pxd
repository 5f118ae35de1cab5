"""Commands of the link layer and REPLYs, as they come in on the quantum port."""

from libc.stdint cimport uint8_t

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.device cimport Device
from qplane_cext.sim.events cimport Queue
from qplane_cext.sim.ledger cimport Ledger


# Length behind the Ethernet header of such a frame; 0: none of these.
cdef int mhp_command_bytes(uint8_t frame_type) noexcept nogil
cdef void mhp_obey(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, const uint8_t* frame
) noexcept nogil
