"""The event loop; see engine.pxd."""

from cpython.ref cimport Py_INCREF, Py_XDECREF, PyObject
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from qplane_cext.sim.capture cimport capture_frame
from qplane_cext.sim.channel cimport Direction, channel_free_now, channel_send
from qplane_cext.sim.deliveries cimport device_early_cutoff, device_early_cutoff_void
from qplane_cext.sim.device cimport (
    device_cutoff_void, device_retry, device_retry_void, device_swap_done
)
from qplane_cext.sim.device_port cimport device_port_receive
from qplane_cext.sim.distillation cimport (
    distil_cutoff, distil_done, distil_retry, distil_timer_void
)
from qplane_cext.sim.events cimport (
    ARP_TIMEOUT, ARRIVE, CHANNEL_FREE, CUTOFF, DEVICE_RECEIVE, DISTIL_DONE, DISTIL_RETRY,
    EARLY_CUTOFF, HERALD, HOST_RECEIVE, LINK_NEXT, LINK_WAKE, MHP_TIMEOUT, MHP_TURN, MHP_WAKE,
    MOVE_DONE, PING, PING_TIMEOUT, PROCESS, RETRY, STATION, SWAP_DONE, TELEPORT_DONE, Event,
    packet_new, queue_free, queue_pop,
    queue_push, time_sum
)
from qplane_cext.sim.host cimport (
    flow_send, flow_send_void, flow_timeout, flow_timeout_void, host_arp_timeout, host_arp_void,
    host_receive
)
from qplane_cext.sim.ledger cimport ledger_free
from qplane_cext.sim.mhp cimport (
    mhp_plan, mhp_timeout, mhp_timeout_void, mhp_turn, mhp_turn_void
)
from qplane_cext.sim.quantum_link cimport (
    link_herald, link_next, link_station, link_void, link_wake
)
from qplane_cext.sim.qubit_actions cimport device_move_done
from qplane_cext.sim.record cimport record_free
from qplane_cext.sim.teleport cimport teleport_done

cdef void engine_free(Engine* engine) noexcept nogil:
    """What the engine itself allocated; nodes, links and hosts are their owner's."""
    cdef int32_t i
    for i in range(engine.cpu_count):
        free(engine.cpu[i].packet)
    free(engine.cpu)
    queue_free(&engine.queue)
    ledger_free(&engine.ledger)
    record_free(&engine.record)
    memset(engine, 0, sizeof(Engine))


# ---- switches ----

cdef void to_cpu(Engine* engine, Node* node, Packet* packet) noexcept nogil:
    cdef CpuPacket* wider
    cdef int32_t capacity
    if engine.cpu_count == engine.cpu_capacity:
        capacity = 2 * engine.cpu_capacity if engine.cpu_capacity else 16
        wider = <CpuPacket*>realloc(engine.cpu, capacity * sizeof(CpuPacket))
        if wider == NULL:
            engine.queue.out_of_memory = True
            free(packet)
            return
        engine.cpu = wider
        engine.cpu_capacity = capacity
    engine.cpu[engine.cpu_count].node = node.index
    engine.cpu[engine.cpu_count].packet = packet
    engine.cpu_count += 1
    node.frames_to_cpu += 1


cdef void emit(void* context, uint32_t port, const uint8_t* data, uint32_t length) noexcept nogil:
    """A packet leaves the switch."""
    cdef Emission* emission = <Emission*>context
    cdef Engine* engine = emission.engine
    cdef Node* node = emission.node
    cdef Port* out = NULL
    cdef Packet* packet
    if port < PORTS:
        out = &node.ports[port]
    if out == NULL or out.kind == UNCONNECTED:
        node.frames_to_nowhere += 1
        return
    node.frames_out += 1
    if out.capture != NULL:
        capture_frame(out.capture, engine.queue.now_ps, data, length)
    packet = packet_new(&engine.queue, data, length)
    if packet == NULL:
        return
    if out.kind == TO_CHANNEL:
        channel_send(&engine.queue, out.out, packet)
    elif out.kind == TO_DEVICE:
        queue_push(&engine.queue, engine.queue.now_ps, DEVICE_RECEIVE, node.index, 0, packet)
    else:
        to_cpu(engine, node, packet)


cdef void call_python(
    void* core, int port, const uint8_t* data, uint32_t length, int64_t now_us, Emission* emission
) noexcept with gil:
    cdef bytes frame
    try:
        outputs = (<object>core).process(port, (<const char*>data)[:length], now_us)
        for out, output in outputs:
            frame = output
            emit(emission, out, <const uint8_t*><const char*>frame, len(frame))
    except BaseException as error:  # raised again by Network.run
        Py_XDECREF(<PyObject*>emission.engine.error)
        Py_INCREF(error)
        emission.engine.error = <void*>error


cdef void process_in_python(
    void* core, int port, const uint8_t* data, uint32_t length, int64_t now_us, void* context
) noexcept nogil:
    call_python(core, port, data, length, now_us, <Emission*>context)


cdef void process(Engine* engine, Node* node, int port, Packet* packet) noexcept nogil:
    cdef Emission emission
    emission.engine = engine
    emission.node = node
    node.process(
        node.core, port, packet.data, packet.length, engine.queue.now_ps // 1000000, &emission
    )
    free(packet)


cdef void arrive(Engine* engine, Event* event) noexcept nogil:
    cdef Node* node = engine.nodes[event.where]
    cdef Port* port = &node.ports[event.value]
    node.frames_in += 1
    if port.capture != NULL:
        capture_frame(
            port.capture, event.time_ps, event.packet.data, event.packet.length
        )
    if node.delay_ps > 0:
        queue_push(
            &engine.queue, time_sum(event.time_ps, node.delay_ps), PROCESS, event.where,
            event.value, event.packet,
        )
    else:
        process(engine, node, event.value, event.packet)


# ---- the loop ----

cdef void dispatch(Engine* engine, QuantumMemory memory, Event* event) noexcept nogil:
    cdef int kind = event.kind
    cdef Queue* queue = &engine.queue
    cdef Ledger* ledger = &engine.ledger
    cdef int where = event.where
    if kind == ARRIVE:
        arrive(engine, event)
    elif kind == PROCESS:
        process(engine, engine.nodes[where], event.value, event.packet)
    elif kind == DEVICE_RECEIVE:
        device_port_receive(engine.nodes[where].device, queue, ledger, memory, event.packet)
    elif kind == HERALD:
        link_herald(engine.links[where], queue, ledger, event.value)
    elif kind == LINK_WAKE:
        link_wake(engine.links[where], queue)
    elif kind == STATION:
        link_station(engine.links[where], queue, ledger, memory)
    elif kind == LINK_NEXT:
        link_next(engine.links[where], queue)
    elif kind == MHP_TURN:
        mhp_turn(engine.mhps[where], queue, ledger, memory)
    elif kind == MHP_TIMEOUT:
        mhp_timeout(engine.mhps[where], queue, ledger, memory, event.value)
    elif kind == MHP_WAKE:
        mhp_plan(engine.mhps[where], queue)
    elif kind == MOVE_DONE:
        device_move_done(engine.nodes[where].device, queue, ledger, memory, event.value)
    elif kind == SWAP_DONE:
        device_swap_done(engine.nodes[where].device, queue, ledger, memory, event.value)
    elif kind == CUTOFF:
        distil_cutoff(engine.nodes[where].device, queue, ledger, memory, event.value)
    elif kind == DISTIL_DONE:
        distil_done(engine.nodes[where].device, queue, ledger, memory, event.value)
    elif kind == DISTIL_RETRY:
        distil_retry(engine.nodes[where].device, queue, event.value)
    elif kind == TELEPORT_DONE:
        teleport_done(engine.nodes[where].device, queue, ledger, memory, event.value)
    elif kind == EARLY_CUTOFF:
        device_early_cutoff(engine.nodes[where].device, queue, ledger, memory, event.value)
    elif kind == RETRY:
        device_retry(engine.nodes[where].device, queue, event.value)
    elif kind == CHANNEL_FREE:
        channel_free_now(queue, <Direction*><size_t>event.value)
    elif kind == HOST_RECEIVE:
        host_receive(
            engine.hosts[where], queue, engine.flows, engine.flow_count, event.packet
        )
    elif kind == PING:
        flow_send(&engine.flows[where], engine.hosts[engine.flows[where].host], queue)
    elif kind == PING_TIMEOUT:
        flow_timeout(&engine.flows[where], event.value)
    elif kind == ARP_TIMEOUT:
        host_arp_timeout(engine.hosts[where], queue, event.value)


cdef bint is_void(Engine* engine, const Event* event) noexcept nogil:
    """A timer whose reason is gone. It is dropped, and the clock does not go there for it."""
    cdef int kind = event.kind
    cdef int where = event.where
    if kind == STATION or kind == LINK_NEXT:
        return link_void(engine.links[where], event.value)
    if kind == MHP_TURN:
        return mhp_turn_void(engine.mhps[where], event.value)
    if kind == MHP_TIMEOUT:
        return mhp_timeout_void(engine.mhps[where], event.value)
    if kind == CUTOFF:
        return device_cutoff_void(engine.nodes[where].device, event.value)
    if kind == DISTIL_DONE or kind == DISTIL_RETRY:
        return distil_timer_void(engine.nodes[where].device, event.value)
    if kind == EARLY_CUTOFF:
        return device_early_cutoff_void(engine.nodes[where].device, event.value)
    if kind == RETRY:
        return device_retry_void(engine.nodes[where].device, event.value)
    if kind == PING:
        return flow_send_void(&engine.flows[where])
    if kind == PING_TIMEOUT:
        return flow_timeout_void(&engine.flows[where], event.value)
    if kind == ARP_TIMEOUT:
        return host_arp_void(engine.hosts[where], event.value)
    return False


cdef bint failed(Engine* engine) noexcept nogil:
    return (
        engine.error != NULL
        or engine.queue.out_of_memory
        or engine.ledger.out_of_memory
        or engine.record.out_of_memory
        or engine.ledger.failure != 0
    )


cdef Stop engine_run(
    Engine* engine, QuantumMemory memory, int64_t until_ps, uint64_t deliveries, int32_t limit
) noexcept nogil:
    """At most ``limit`` events. until_ps < 0: no end; deliveries 0: any number."""
    cdef Event event
    cdef int32_t i
    for i in range(limit):
        if deliveries and engine.ledger.delivered >= deliveries:
            return STOP_DELIVERED
        while engine.queue.count and is_void(engine, &engine.queue.items[0]):
            queue_pop(&engine.queue, &event)
        # The clock stands still for the controller once the instant of its packets is over: what a
        # thousand devices answer at one instant is handed over at once.
        if engine.cpu_count and (
            engine.queue.count == 0 or engine.queue.items[0].time_ps > engine.queue.now_ps
        ):
            return STOP_CPU
        if engine.queue.count == 0:
            if until_ps >= 0:  # time passes even where nothing happens
                engine.queue.now_ps = max(until_ps, engine.queue.now_ps)
            return STOP_IDLE
        if until_ps >= 0 and engine.queue.items[0].time_ps > until_ps:
            engine.queue.now_ps = max(until_ps, engine.queue.now_ps)
            return STOP_UNTIL
        queue_pop(&engine.queue, &event)
        engine.queue.now_ps = event.time_ps
        engine.events += 1
        dispatch(engine, memory, &event)
        if failed(engine):
            return STOP_FAILED
    return SLICE_OVER
