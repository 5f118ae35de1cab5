"""What the physics says of a link's attempts, asked of Python once for each pair of settings."""

from libc.stdint cimport uint16_t

from qplane_cext.sim.events cimport Queue
from qplane_cext.sim.mhp cimport HeraldFigures, Mhp

# For the bright-state parameters of both orders; NULL where the machine has no memory.
cdef HeraldFigures* figures_for(Mhp* mhp, Queue* queue, uint16_t a, uint16_t b) noexcept nogil
