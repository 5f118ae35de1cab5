"""What the controller asks a device for: its features, and pairs for a label on a link."""

from libc.stdint cimport int32_t, uint8_t, uint32_t

from qplane_cext.sim.device cimport Device, Request
from qplane_cext.sim.events cimport Queue
from qplane_cext.sim.frames cimport LinkControl


cdef void answer_features(Device* device, Queue* queue, uint32_t transaction) noexcept nogil
# Obeys LINK_START, LINK_STOP or LINK_STATUS_REQUEST, or says why not.
cdef void answer_link_control(
    Device* device, Queue* queue, uint8_t flags, uint8_t frame_type, uint8_t link,
    LinkControl* control
) noexcept nogil
cdef Request* request_for(Device* device, uint8_t link, uint32_t label) noexcept nogil
