"""The switch for other Cython modules: process packets without the GIL."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from qplane_cext.switch.groups cimport GroupControl
from qplane_cext.switch.state cimport emit_fn


cdef class SwitchCore(GroupControl):
    # One packet and all that it causes, to the end. `emit` is called for each packet that comes
    # out, in order, with the switch's lock held: it copies the bytes and must not call back.
    cdef int c_process(
        self, uint32_t port, const uint8_t* data, uint32_t length, int64_t now_us,
        emit_fn emit, void* ctx,
    ) noexcept nogil
    # The packets in the egress queues that are due; as c_process.
    cdef int c_release(self, int64_t now_us, emit_fn emit, void* ctx) noexcept nogil
    # Let a port's packets wait in its queues from now on; -1 without such a port or memory.
    cdef int c_stop(self, uint32_t port) noexcept nogil
    # Run `count` of them to their end; 1 while more wait, else the port's packets wait no longer.
    cdef int c_resume(
        self, uint32_t port, uint32_t count, int64_t now_us, emit_fn emit, void* ctx
    ) noexcept nogil
    cdef void deliver(self) noexcept
