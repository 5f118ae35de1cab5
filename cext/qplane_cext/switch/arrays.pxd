"""Control of counters, meters and registers."""

from libc.stdint cimport int64_t

from qplane_cext.switch.profiles cimport ProfileControl
from qplane_cext.switch.state cimport Meter


cdef class ArrayControl(ProfileControl):
    cdef Meter* _meter(self, int i, int table, int64_t index) except NULL
