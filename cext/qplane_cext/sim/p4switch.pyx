"""How the engine drives an embedded P4 switch; see p4switch.pxd."""

from qplane_cext.sim.engine cimport emit
from qplane_cext.switch.core cimport SwitchCore


cdef void call(
    SwitchCore core, int port, const uint8_t* data, uint32_t length, int64_t now_us, void* context
) noexcept nogil:
    core.c_process(port, data, length, now_us, emit, context)


# The same function for a core that is known by its address: no reference is counted, so no GIL.
ctypedef void (*call_t)(
    void*, int, const uint8_t*, uint32_t, int64_t, void*
) noexcept nogil
cdef call_t call_at = <call_t>call


cdef void process_p4(
    void* core, int port, const uint8_t* data, uint32_t length, int64_t now_us, void* context
) noexcept nogil:
    call_at(core, port, data, length, now_us, context)
