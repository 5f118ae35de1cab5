"""The parts of a network; `Network` adds running and results."""

from libc.stdint cimport int32_t, int64_t, uint32_t

from qplane_cext.sim.capture cimport Capture
from qplane_cext.sim.channel cimport Direction
from qplane_cext.sim.engine cimport Engine, Node, Port
from qplane_cext.sim.streams cimport Streams


cdef class Topology:
    cdef Engine engine
    cdef Streams streams
    cdef list names, node_ids, cores, callbacks, host_names, link_models
    cdef list attempts  # by link, what it borrows
    cdef dict heraldings  # by link: station, its number for it, timing and calibration
    cdef bytes pcap_dir
    cdef uint32_t first_seq
    cdef bint started  # nothing can be added any more
    cdef Direction** directions  # two per channel
    cdef int32_t channel_count
    cdef Capture** captures
    cdef int32_t capture_count

    cdef int _check_open(self) except -1
    cdef Node* _node(self, int64_t node) except NULL
    cdef Direction* _towards(self, int64_t node, int64_t port, int64_t station) except NULL
    cdef Port* _free_port(self, int64_t node, int64_t port) except NULL
    cdef int _capture(self, int64_t node, int64_t port, uint32_t link_type) except -1
