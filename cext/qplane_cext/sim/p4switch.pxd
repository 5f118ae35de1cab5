"""How the engine drives an embedded P4 switch."""

from libc.stdint cimport int64_t, uint8_t, uint32_t


# A process_t of the engine; `core` is a SwitchCore, borrowed.
cdef void process_p4(
    void* core, int port, const uint8_t* data, uint32_t length, int64_t now_us, void* context
) noexcept nogil
