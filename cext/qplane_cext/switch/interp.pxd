"""The interpreter of the flat program."""

from qplane_cext.switch.state cimport Core

cdef void run(Core* core, int pc) noexcept nogil
