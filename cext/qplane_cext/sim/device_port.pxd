"""The device's side of the quantum port: each frame is checked, then obeyed or counted."""

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.device cimport Device
from qplane_cext.sim.events cimport Packet, Queue
from qplane_cext.sim.ledger cimport Ledger


# Takes the packet over.
cdef void device_port_receive(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, Packet* packet
) noexcept nogil
