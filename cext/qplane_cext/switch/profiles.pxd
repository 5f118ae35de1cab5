"""Control of action profiles and selectors."""

from qplane_cext.switch.entries cimport TableControl


cdef class ProfileControl(TableControl):
    pass
