"""Control of counters, meters and registers."""

from qplane_cext.switch.profiles cimport ProfileControl


cdef class ArrayControl(ProfileControl):
    pass
