"""What the controller asks a device for: its features, and pairs for a label on a link."""

from libc.stdint cimport int32_t, uint8_t, uint32_t

from qplane_cext.sim.device cimport Device, Request
from qplane_cext.sim.events cimport Queue


cdef void answer_features(Device* device, Queue* queue, uint32_t transaction) noexcept nogil
# Obeys the LINK_START, LINK_STOP and LINK_STATUS_REQUEST of a frame one by one, or says why not;
# `length` is behind the Ethernet header.
cdef void answer_link_controls(
    Device* device, Queue* queue, const uint8_t* frame, uint32_t length
) noexcept nogil
cdef Request* request_for(Device* device, uint8_t link, uint32_t label) noexcept nogil
