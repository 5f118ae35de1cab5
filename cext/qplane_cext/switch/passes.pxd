"""The engine: runs packets through a program (see passes.pyx)."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from qplane_cext.switch.state cimport Core, emit_fn

cdef int core_release(Core* core, int64_t now_us, emit_fn emit, void* ctx) noexcept nogil
cdef int core_process(
    Core* core, uint32_t port, const uint8_t* data, uint32_t length, int64_t now_us,
    emit_fn emit, void* ctx,
) noexcept nogil
