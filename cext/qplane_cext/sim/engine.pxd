"""The event loop: takes each event to the part of the network that it is for."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.capture cimport Capture
from qplane_cext.sim.channel cimport Direction
from qplane_cext.sim.device cimport Device
from qplane_cext.sim.events cimport Packet, Queue
from qplane_cext.sim.host cimport Flow, Host
from qplane_cext.sim.ledger cimport Ledger
from qplane_cext.sim.mhp cimport Mhp
from qplane_cext.sim.quantum_link cimport QuantumLink
from qplane_cext.sim.record cimport Record

cdef enum:
    PORTS = 512  # v1model: 9 bits

cdef enum Stop:
    SLICE_OVER
    STOP_UNTIL
    STOP_DELIVERED
    STOP_CPU
    STOP_IDLE
    STOP_FAILED  # out of memory, an error of the quantum memory, or a Python exception

cdef enum PortKind:
    UNCONNECTED
    TO_CHANNEL  # to another switch, or a host
    TO_DEVICE
    TO_CPU


cdef struct Port:
    uint8_t kind
    Direction* out
    Capture* capture


# Calls back ``emit`` with the context for each packet that leaves the switch.
ctypedef void (*process_t)(
    void* core, int port, const uint8_t* data, uint32_t length, int64_t now_us, void* context
) noexcept nogil


cdef struct Node:
    int32_t index
    process_t process
    void* core  # the switch, borrowed
    int64_t delay_ps
    Port[PORTS] ports
    Device* device
    uint64_t frames_in
    uint64_t frames_out
    uint64_t frames_to_nowhere  # to a port where nothing is connected
    uint64_t frames_to_cpu


cdef struct CpuPacket:
    int32_t node
    Packet* packet


cdef struct Engine:
    Queue queue
    Ledger ledger
    Record record
    Node** nodes
    int32_t node_count
    QuantumLink** links
    Mhp** mhps  # by link; NULL where it has no station
    int32_t link_count
    Host** hosts
    int32_t host_count
    Flow* flows
    int32_t flow_count
    CpuPacket* cpu  # in order, not handed over yet
    int32_t cpu_count
    int32_t cpu_capacity
    uint64_t events
    void* error  # an exception that a switch in Python raised, a new reference


cdef struct Emission:  # what the switch's outputs need to know
    Engine* engine
    Node* node


# The process_t of a switch in Python: ``core.process(port, data, now_us) -> [(port, data), ...]``.
cdef void process_in_python(
    void* core, int port, const uint8_t* data, uint32_t length, int64_t now_us, void* context
) noexcept nogil
# A packet leaves the switch; ``context`` is an Emission.
cdef void emit(void* context, uint32_t port, const uint8_t* data, uint32_t length) noexcept nogil
cdef void engine_free(Engine* engine) noexcept nogil
cdef Stop engine_run(
    Engine* engine, QuantumMemory memory, int64_t until_ps, uint64_t deliveries, int32_t limit
) noexcept nogil
