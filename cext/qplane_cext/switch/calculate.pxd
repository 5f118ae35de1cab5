"""Calculations over a packet's fields and payload, and the core's random numbers."""

from libc.stdint cimport uint64_t

from qplane_cext.switch.state cimport Core

cdef uint64_t calculation(Core* core, int number) noexcept nogil
cdef uint64_t hash_of_inputs(Core* core, int number) noexcept nogil
cdef uint64_t next_random(Core* core, uint64_t most) noexcept nogil
