"""The parts of a network and how they are put together; documented in network.pyi."""

from cpython.ref cimport Py_DECREF
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint32_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset

from qplane_cext.sim.capture cimport Capture, capture_close, capture_open
from qplane_cext.sim.channel cimport MAX_FLIPPED_BITS, Direction, FaultRates, direction_free
from qplane_cext.sim.device cimport Device, DeviceLink, device_free, device_init
from qplane_cext.sim.engine cimport (
    PORTS, TO_CHANNEL, TO_CPU, TO_DEVICE, UNCONNECTED, Node, Port, engine_free, process_in_python
)
from qplane_cext.sim.events cimport ARRIVE, HOST_RECEIVE, PING, queue_init, queue_push
from qplane_cext.sim.external cimport ExternalSwitch, process_external
from qplane_cext.sim.host cimport Flow, Host, flow_free, flow_init, host_free
from qplane_cext.sim.ledger cimport Site, ledger_init
from qplane_cext.sim.mhp cimport Mhp, mhp_free
from qplane_cext.sim.p4switch cimport process_p4
from qplane_cext.sim.quantum_link cimport LINK_FIGURES, QuantumLink
from qplane_cext.sim.record cimport record_init
from qplane_cext.sim.streams cimport Streams
from qplane_cext.switch.core cimport SwitchCore

import os

from qplane_cext.sim.arguments import duration, ipv4, mac as mac_bytes, probability, rate, within
from qplane_cext.sim.heralding import (
    GEN_BYTES, REPLY_BYTES, Attempts, Heralding, Memory, most_bright, zz_of
)
from qplane_cext.sim.photonic import SCHEMES, FibreLink

cdef enum:
    LINKTYPE_ETHERNET = 1
    LINKTYPE_USER0 = 147
    # first elements of the random streams' keys
    STREAM_NODE = 1
    STREAM_LINK = 2
    STREAM_CHANNEL = 3
    STREAM_MHP = 4


cdef FaultRates _fault_rates(faults) except *:
    cdef FaultRates rates
    for name in ("loss", "duplication", "reordering", "delay", "corruption"):
        probability(f"faults.{name}", getattr(faults, name))
    duration("faults.mean_delay_ps", faults.mean_delay_ps)
    within("faults.max_flipped_bits", faults.max_flipped_bits, 1, MAX_FLIPPED_BITS)
    rates.loss = faults.loss
    rates.duplication = faults.duplication
    rates.reordering = faults.reordering
    rates.delay = faults.delay
    rates.corruption = faults.corruption
    rates.mean_delay_ps = faults.mean_delay_ps
    rates.max_flipped_bits = faults.max_flipped_bits
    rates.all_traffic = faults.all_traffic
    return rates


cdef void* _zeroed(size_t size) except NULL:
    cdef void* block = calloc(1, size)
    if block == NULL:
        raise MemoryError
    return block


cdef class Topology:
    def __cinit__(self):
        memset(&self.engine, 0, sizeof(Engine))

    def __init__(self, seed, *, first_seq=0, sample_limit=100_000, pcap_dir=None):
        if self.streams is not None:
            raise RuntimeError("a network is initialised once")
        within("first_seq", first_seq, 0, 0xFFFFFFFF)
        within("sample_limit", sample_limit, 0, 1 << 40)
        queue_init(&self.engine.queue)
        record_init(&self.engine.record, sample_limit)
        if ledger_init(&self.engine.ledger, &self.engine.record) != 0:
            raise MemoryError
        self.streams = Streams(seed)
        self.first_seq = first_seq
        self.pcap_dir = None if pcap_dir is None else os.fsencode(pcap_dir)
        self.names, self.node_ids, self.cores, self.callbacks = [], [], [], []
        self.host_names, self.link_models, self.heraldings = [], [], {}
        self.attempts = []

    def __dealloc__(self):
        cdef int32_t i
        for i in range(self.capture_count):
            capture_close(self.captures[i])
            free(self.captures[i])
        free(self.captures)
        for i in range(2 * self.channel_count):
            if self.directions[i] != NULL:
                direction_free(self.directions[i])
            free(self.directions[i])
        free(self.directions)
        for i in range(self.engine.node_count):
            if self.engine.nodes[i].device != NULL:
                device_free(self.engine.nodes[i].device)
                free(self.engine.nodes[i].device)
            free(self.engine.nodes[i])
        free(self.engine.nodes)
        for i in range(self.engine.link_count):
            free(self.engine.links[i].figures)
            free(self.engine.links[i])
            if self.engine.mhps[i] != NULL:
                mhp_free(self.engine.mhps[i])
                free(self.engine.mhps[i])
        free(self.engine.links)
        free(self.engine.mhps)
        for i in range(self.engine.host_count):
            host_free(self.engine.hosts[i])
            free(self.engine.hosts[i])
        free(self.engine.hosts)
        for i in range(self.engine.flow_count):
            flow_free(&self.engine.flows[i])
        free(self.engine.flows)
        if self.engine.error != NULL:
            Py_DECREF(<object>self.engine.error)
        engine_free(&self.engine)

    # ---- what there is ----

    cdef int _check_open(self) except -1:
        if self.started:
            raise RuntimeError("nodes, channels, links and hosts are added before the first run")
        return 0

    cdef Node* _node(self, int64_t node) except NULL:
        if not 0 <= node < self.engine.node_count:
            raise ValueError(f"node is {node}; there are {self.engine.node_count}, from 0")
        return self.engine.nodes[node]

    cdef Port* _free_port(self, int64_t node, int64_t port) except NULL:
        cdef Port* found
        self._node(node)
        within("port", port, 0, PORTS - 1)
        found = &self.engine.nodes[node].ports[port]
        if found.kind != UNCONNECTED:
            raise ValueError(f"port {port} of {self.names[node]} is connected already")
        return found

    cdef int _capture(self, int64_t node, int64_t port, uint32_t link_type) except -1:
        """Record this port, if recording is on."""
        cdef Capture* capture
        cdef Capture** captures
        cdef int code
        if self.pcap_dir is None:
            return 0
        captures = <Capture**>realloc(
            self.captures, (self.capture_count + 1) * sizeof(Capture*)
        )
        if captures == NULL:
            raise MemoryError
        self.captures = captures
        capture = <Capture*>_zeroed(sizeof(Capture))
        self.captures[self.capture_count] = capture
        self.capture_count += 1
        path = os.path.join(self.pcap_dir, os.fsencode(f"{self.names[node]}-{port}.pcap"))
        code = capture_open(capture, path, link_type)
        if code:
            raise OSError(code, os.strerror(code), os.fsdecode(path))
        self.engine.nodes[node].ports[port].capture = capture
        return 0

    def add_node(
        self, str name, node_id, core, *, cpu_port=510, quantum_port=None, on_cpu=None,
        switch_delay_ps=1_000_000, slots=0, double t1_s=float("inf"), double t2_s=float("inf"),
        swap_time_ps=0, double two_qubit_error=0.0, double one_qubit_error=0.0,
        double readout_error=0.0, double swap_success=1.0,
        emitters=0, move_time_ps=0, double move_error=0.0, storage_t1_s=None, storage_t2_s=None,
    ):
        cdef Node** nodes
        cdef Node* node
        cdef Site* sites
        cdef Device* device
        cdef int32_t index = self.engine.node_count
        self._check_open()
        if name in self.names:
            raise ValueError(f"name is {name!r}; there is such a node already")
        if not name or "/" in name or "\0" in name:
            raise ValueError(f"name is {name!r}; it must be good for a file name")
        if node_id in self.node_ids:
            raise ValueError(f"node_id {node_id} is {self.names[self.node_ids.index(node_id)]}'s")
        within("node_id", node_id, 0, 0xFFFFFFFF)
        within("cpu_port", cpu_port, 0, PORTS - 1)
        duration("switch_delay_ps", switch_delay_ps)
        within("slots", slots, 0, 0xFFFF)
        duration("swap_time_ps", swap_time_ps)
        duration("move_time_ps", move_time_ps)
        within("emitters", emitters, 0, slots)
        for label, value in (
            ("two_qubit_error", two_qubit_error), ("one_qubit_error", one_qubit_error),
            ("readout_error", readout_error), ("swap_success", swap_success),
            ("move_error", move_error),
        ):
            probability(label, value)
        if not t1_s > 0 or not t2_s > 0 or t2_s > 2 * t1_s:
            raise ValueError(f"t1_s is {t1_s}, t2_s is {t2_s}; 0 < t2_s <= 2 t1_s must hold")
        stored_t1_s = t1_s if storage_t1_s is None else float(storage_t1_s)
        stored_t2_s = t2_s if storage_t2_s is None else float(storage_t2_s)
        if not stored_t1_s > 0 or not stored_t2_s > 0 or stored_t2_s > 2 * stored_t1_s:
            raise ValueError(
                f"storage_t1_s is {stored_t1_s}, storage_t2_s is {stored_t2_s}; "
                "0 < storage_t2_s <= 2 storage_t1_s must hold"
            )
        if quantum_port is not None:
            within("quantum_port", quantum_port, 0, PORTS - 1)
            if quantum_port == cpu_port:
                raise ValueError(f"quantum_port and cpu_port are both {cpu_port}")
        elif slots:
            raise ValueError(f"slots is {slots}, but there is no quantum_port")
        nodes = <Node**>realloc(self.engine.nodes, (index + 1) * sizeof(Node*))
        if nodes == NULL:
            raise MemoryError
        self.engine.nodes = nodes
        sites = <Site*>realloc(self.engine.ledger.sites, (index + 1) * sizeof(Site))
        if sites == NULL:
            raise MemoryError
        self.engine.ledger.sites = sites
        sites[index].stream = self.streams.open((STREAM_NODE, node_id))
        sites[index].noise.two_qubit_error = two_qubit_error
        sites[index].noise.one_qubit_error = one_qubit_error
        sites[index].noise.readout_error = readout_error
        node = <Node*>_zeroed(sizeof(Node))
        nodes[index] = node
        self.engine.node_count += 1
        self.names.append(name)
        self.node_ids.append(node_id)
        self.cores.append(core)
        self.callbacks.append(on_cpu)
        node.index = index
        if isinstance(core, ExternalSwitch):
            node.core = &(<ExternalSwitch>core).external
            node.process = process_external
        else:
            node.core = <void*>core
            node.process = process_p4 if isinstance(core, SwitchCore) else process_in_python
        node.delay_ps = switch_delay_ps
        node.ports[<int>cpu_port].kind = TO_CPU
        self._capture(index, cpu_port, LINKTYPE_USER0)
        if quantum_port is not None:
            device = <Device*>_zeroed(sizeof(Device))
            node.device = device
            if device_init(device, slots) != 0:
                raise MemoryError
            device.node = index
            device.node_id = node_id
            device.quantum_port = quantum_port
            device.t1_s = t1_s
            device.t2_s = t2_s
            device.storage_t1_s = stored_t1_s
            device.storage_t2_s = stored_t2_s
            device.storage_profile = -1
            device.swap_time_ps = swap_time_ps
            device.swap_success = swap_success
            device.two_qubit_error = two_qubit_error
            device.one_qubit_error = one_qubit_error
            device.readout_error = readout_error
            device.emitters = emitters
            device.move_time_ps = move_time_ps
            device.move_error = move_error
            node.ports[<int>quantum_port].kind = TO_DEVICE
            self._capture(index, quantum_port, LINKTYPE_ETHERNET)
        return index

    def add_channel(
        self, int64_t node_a, int64_t port_a, int64_t node_b, int64_t port_b, *, delay_ps,
        double rate_bps=1e10, faults=None,
    ):
        cdef Direction** directions
        cdef Direction* direction
        cdef FaultRates rates
        cdef int32_t index = self.channel_count, side
        self._check_open()
        self._free_port(node_a, port_a)
        self._free_port(node_b, port_b)
        if node_a == node_b and port_a == port_b:
            raise ValueError(f"port {port_a} of {self.names[node_a]} can't be linked to itself")
        duration("delay_ps", delay_ps)
        rate("rate_bps", rate_bps)
        memset(&rates, 0, sizeof(FaultRates))
        if faults is not None:
            rates = _fault_rates(faults)
        directions = <Direction**>realloc(
            self.directions, 2 * (index + 1) * sizeof(Direction*)
        )
        if directions == NULL:
            raise MemoryError
        self.directions = directions
        directions[2 * index] = <Direction*>_zeroed(sizeof(Direction))
        directions[2 * index + 1] = NULL  # so that what fails in between leaks nothing
        self.channel_count += 1
        directions[2 * index + 1] = <Direction*>_zeroed(sizeof(Direction))
        ends = ((node_a, port_a), (node_b, port_b))
        for side in range(2):
            node, port = ends[side]
            direction = directions[2 * index + side]
            direction.arrival_kind = ARRIVE
            direction.where, direction.port = ends[1 - side]
            direction.delay_ps = delay_ps
            direction.ps_per_byte = 8e12 / rate_bps
            direction.faulty = faults is not None
            direction.faults = rates
            direction.stream = self.streams.open((STREAM_CHANNEL, self.node_ids[node], port))
            self.engine.nodes[<int>node].ports[<int>port].kind = TO_CHANNEL
            self.engine.nodes[<int>node].ports[<int>port].out = direction
            self._capture(node, port, LINKTYPE_ETHERNET)
        return index

    def add_quantum_link(
        self, int64_t node_a, int64_t link_a, int64_t node_b, int64_t link_b, **photonic
    ):
        cdef QuantumLink** links
        cdef Mhp** mhps
        cdef QuantumLink* link
        cdef DeviceLink* end
        cdef int32_t index = self.engine.link_count, side
        self._check_open()
        model = FibreLink(**photonic)
        herald = model.herald()
        if node_a == node_b:
            raise ValueError(f"a quantum link can't join {self.names[node_a]} to itself")
        ends = ((node_a, link_a), (node_b, link_b))
        for node, number in ends:
            if self._node(node).device == NULL:
                raise ValueError(f"node {self.names[node]} has no quantum device")
            within("link number", number, 0, 0xFE)
            if self.engine.nodes[<int>node].device.links[<int>number].quantum_link >= 0:
                raise ValueError(f"link {number} of {self.names[node]} is in use already")
        links = <QuantumLink**>realloc(self.engine.links, (index + 1) * sizeof(QuantumLink*))
        if links == NULL:
            raise MemoryError
        self.engine.links = links
        mhps = <Mhp**>realloc(self.engine.mhps, (index + 1) * sizeof(Mhp*))
        if mhps == NULL:
            raise MemoryError
        self.engine.mhps = mhps
        mhps[index] = NULL
        link = <QuantumLink*>_zeroed(sizeof(QuantumLink))
        links[index] = link
        self.engine.link_count += 1
        self.link_models.append((model, herald))
        link.index = index
        link.herald_ps = model.herald_ps
        link.attempt_ps = model.period_ps
        link.aligned = model.aligned
        link.next_seq = self.first_seq
        link.stream = self.streams.open(
            (STREAM_LINK, self.node_ids[node_a], link_a, self.node_ids[node_b], link_b)
        )
        arms = model.arms_ps
        for side in range(2):
            node, number = ends[side]
            other, other_number = ends[1 - side]
            link.devices[side] = self.engine.nodes[<int>node].device
            link.numbers[side] = number
            link.arms_ps[side] = arms[side]
            link.born_ps[side] = model.born_ps[side]
            link.devices[side].link_numbers[link.devices[side].link_count] = number
            link.devices[side].link_count += 1
            end = &link.devices[side].links[<int>number]
            end.quantum_link = index
            end.remote_node_id = self.node_ids[other]
            end.remote_link = other_number
            end.length_m = round(model.length_km * 1000)
            end.attempt_ps = model.period_ps
            end.success = herald.p_success
            end.fidelity = herald.fidelity
            end.zz = zz_of(herald)
            end.side = side
            end.most_bright = most_bright(model.scheme)
            end.delay_ps = arms[0] + arms[1]
            end.scheme = SCHEMES[model.scheme]
        times_s = tuple([(link.devices[side].t1_s, link.devices[side].t2_s) for side in range(2)])
        attempts = Attempts(model, herald, times_s)
        figures_of, calibration_of = attempts.figures, attempts.calibration
        self.attempts.append((figures_of, calibration_of))
        link.figures_of = <void*>figures_of
        link.figure_room = LINK_FIGURES if most_bright(model.scheme) else 1
        for side in range(2):
            link.devices[side].links[link.numbers[side]].calibration_of = <void*>calibration_of
        return index

    cdef Direction* _towards(self, int64_t node, int64_t port, int64_t station) except NULL:
        """The channel from a port of a node to the station."""
        cdef Port* found
        within("port", port, 0, PORTS - 1)
        found = &self.engine.nodes[node].ports[port]
        if found.kind != TO_CHANNEL or found.out.arrival_kind != ARRIVE \
                or found.out.where != station:
            raise ValueError(
                f"port {port} of {self.names[node]} does not lead to {self.names[station]}"
            )
        return found.out

    def add_station(
        self, int64_t link, int64_t node, int64_t number, *, ports, cycle_ps=None,
        margin_ps=1_000_000, every_attempt=False,
    ):
        cdef Mhp* mhp
        cdef DeviceLink* end_of
        cdef Node* station = self._node(node)
        cdef Node* end
        cdef Direction* up
        cdef Direction* down
        cdef Device* device
        cdef int32_t side
        self._check_open()
        within("link", link, 0, self.engine.link_count - 1)
        within("number", number, 0, 31)
        duration("margin_ps", margin_ps)
        if cycle_ps is not None:
            within("cycle_ps", cycle_ps, 1, INT64_MAX)
        if station.device == NULL:
            raise ValueError(f"node {self.names[node]} has no quantum port for its detectors")
        if self.engine.mhps[link] != NULL:
            raise ValueError(f"link {link} has a station already")
        if (node, number) in {(h[0], h[1]) for h in self.heraldings.values()}:
            raise ValueError(f"number {number} of {self.names[node]} is in use already")
        model = self.link_models[link][0]
        ups, downs, memories = [], [], []
        for side in range(2):
            device = self.engine.links[link].devices[side]
            end = self.engine.nodes[device.node]
            up = self._towards(device.node, ports[side], node)
            down = station.ports[up.port].out
            ups.append(end.delay_ps + round(GEN_BYTES * up.ps_per_byte) + up.delay_ps)
            downs.append(
                station.delay_ps + round(REPLY_BYTES * down.ps_per_byte) + down.delay_ps
                + end.delay_ps
            )
            memories.append(
                Memory(
                    device.t1_s, device.t2_s, device.emitters > 0, device.move_time_ps,
                    device.move_error,
                )
            )
        heralding = Heralding(model, tuple(memories), tuple(ups), tuple(downs), margin_ps, cycle_ps)
        figures_of, calibration_of = heralding.figures, heralding.calibration
        mhp = <Mhp*>_zeroed(sizeof(Mhp))
        self.engine.mhps[link] = mhp
        self.heraldings[link] = (node, number, heralding, figures_of, calibration_of)
        mhp.index = link
        mhp.link = self.engine.links[link]
        mhp.figures_of = <void*>figures_of
        mhp.station = node
        mhp.station_port = station.device.quantum_port
        mhp.station_link = number
        mhp.cycle_ps = heralding.cycle_ps
        mhp.attempt_cycles = heralding.attempt_cycles
        mhp.recovery_cycles = heralding.recovery_cycles
        mhp.outcome_ps = heralding.outcome_ps
        mhp.every_attempt = every_attempt
        mhp.is_source = model.scheme == "source"
        mhp.planned_from = INT64_MAX
        mhp.stream = self.streams.open((STREAM_MHP, self.node_ids[node], number))
        for side in range(2):
            mhp.gen_ps[side] = heralding.gen_ps[side]
            mhp.sides[side].device = mhp.link.devices[side]
            mhp.sides[side].number = mhp.link.numbers[side]
            mhp.sides[side].slot = -1
            mhp.sides[side].target = -1
            mhp.link.devices[side].links[mhp.link.numbers[side]].mhp = mhp
            end_of = &mhp.link.devices[side].links[mhp.link.numbers[side]]
            end_of.calibration_of = <void*>calibration_of
        return heralding

    def add_host(
        self, str name, int64_t node, int64_t port, *, str mac, ip, gateway_ip=None,
        prefix_length=24, delay_ps=1_000_000, double rate_bps=1e9,
    ):
        cdef Host** hosts
        cdef Host* host
        cdef Direction* direction
        cdef int32_t index = self.engine.host_count
        cdef bytes address = mac_bytes("mac", mac)
        self._check_open()
        self._free_port(node, port)
        duration("delay_ps", delay_ps)
        within("prefix_length", prefix_length, 0, 32)
        rate("rate_bps", rate_bps)
        host_ip = ipv4("ip", ip)
        gateway = 0 if gateway_ip is None else ipv4("gateway_ip", gateway_ip)
        hosts = <Host**>realloc(self.engine.hosts, (index + 1) * sizeof(Host*))
        if hosts == NULL:
            raise MemoryError
        self.engine.hosts = hosts
        host = <Host*>_zeroed(sizeof(Host))
        hosts[index] = host
        self.engine.host_count += 1
        self.host_names.append(name)
        host.index = index
        memcpy(host.mac, <const char*>address, 6)
        host.ip = host_ip
        host.mask = (0xFFFFFFFF << (32 - prefix_length)) & 0xFFFFFFFF
        host.gateway = gateway
        host.link.arrival_kind = ARRIVE
        host.link.where = node
        host.link.port = port
        host.link.delay_ps = delay_ps
        host.link.ps_per_byte = 8e12 / rate_bps
        direction = &host.towards
        direction[0] = host.link
        direction.arrival_kind = HOST_RECEIVE
        direction.where = index
        direction.port = 0
        self.engine.nodes[node].ports[port].kind = TO_CHANNEL
        self.engine.nodes[node].ports[port].out = direction
        self._capture(node, port, LINKTYPE_ETHERNET)
        return index

    def add_ping(
        self, int64_t host, destination_ip, *, interval_ps, count=None, start_ps=0,
        payload_bytes=56, timeout_ps=1_000_000_000_000,
    ):
        cdef Flow* flows
        cdef Flow* flow
        cdef int32_t index = self.engine.flow_count
        if not 0 <= host < self.engine.host_count:
            raise ValueError(f"host is {host}; there are {self.engine.host_count}, from 0")
        destination = ipv4("destination_ip", destination_ip)
        within("interval_ps", interval_ps, 1, INT64_MAX)
        duration("start_ps", start_ps)
        within("payload_bytes", payload_bytes, 0, 1472)
        within("timeout_ps", timeout_ps, 1, INT64_MAX)
        within("ping flows", index + 1, 1, 0xFFFF)
        if count is not None:
            within("count", count, 1, INT64_MAX)
        flows = <Flow*>realloc(self.engine.flows, (index + 1) * sizeof(Flow))
        if flows == NULL:
            raise MemoryError
        self.engine.flows = flows
        flow = &flows[index]
        if flow_init(flow) != 0:
            raise MemoryError
        self.engine.flow_count += 1
        flow.index = index
        flow.host = host
        flow.destination = destination
        flow.interval_ps = interval_ps
        flow.count = -1 if count is None else count
        flow.timeout_ps = timeout_ps
        flow.payload_bytes = payload_bytes
        flow.active = True
        queue_push(
            &self.engine.queue, self.engine.queue.now_ps + <int64_t>start_ps, PING, index, 0, NULL
        )
        return index

    def stop_pings(self):
        cdef int32_t i
        for i in range(self.engine.flow_count):
            self.engine.flows[i].active = False
