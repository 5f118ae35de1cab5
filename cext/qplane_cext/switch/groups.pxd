"""Control of packet replication and of value sets."""

from qplane_cext.switch.arrays cimport ArrayControl


cdef class GroupControl(ArrayControl):
    pass
