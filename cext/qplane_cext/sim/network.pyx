"""A whole quantum-classical network in virtual time; documented in network.pyi."""

from cpython.exc cimport PyErr_CheckSignals
from cpython.ref cimport Py_DECREF
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free

from qplane_cext.memory.core cimport QuantumMemory
from qplane_cext.sim.capture cimport capture_flush
from qplane_cext.sim.channel cimport ChannelCounters
from qplane_cext.sim.device cimport (
    DEVICE_COUNTERS, FREE, PAIRS_PER_LINK, Device, DeviceLink, Early, Expiry, Request, Slot
)
from qplane_cext.sim.engine cimport (
    PORTS, SLICE_OVER, STOP_CPU, STOP_DELIVERED, STOP_FAILED, STOP_IDLE, STOP_UNTIL, CpuPacket,
    Engine, Node, Stop, engine_run
)
from qplane_cext.sim.events cimport ARRIVE, packet_new, queue_push
from qplane_cext.sim.frames cimport FRAME_TELEPORTED
from qplane_cext.sim.host cimport HOST_COUNTERS, Flow, Host
from qplane_cext.sim.ledger cimport ALIVE, Half, Ledger, half_at
from qplane_cext.sim.pacing cimport Pacer, pace_sockets, paced_run
from qplane_cext.sim.mhp cimport MHP_COUNTERS, Mhp
from qplane_cext.sim.quantum_link cimport QuantumLink
from qplane_cext.sim.record cimport circuits_list, hops_dict, moments_dict, rows_dict
from qplane_cext.sim.topology cimport Topology

import ipaddress
import os
import threading
import time
from collections import Counter
from operator import itemgetter

import numpy as np

from qplane_cext.sim.arguments import Faults, duration, within

__all__ = ["Faults", "Network"]

cdef enum:
    SLICE_EVENTS = 2000
    MOST_RECORDS = 1 << 20

cdef double PROGRESS_S = 0.1

cdef tuple DEVICE_COUNTER_NAMES = (
    "pairs", "swaps", "swaps_without_outcome", "delivers", "measures", "early_delivers", "confirms",
    "completed", "holds", "distillations", "distilled", "distil_failures", "distil_repeated",
    "stale_distils", "held_lost", "fed", "releases", "releases_announced", "device_voids", "expired",
    "expired_repeated", "expires_confirmed", "teleported", "teleports_failed",
    "teleports_confirmed", "corrections", "unknown_corrections", "stale_swaps", "repeated_swaps",
    "stale_delivers", "stale_releases", "stale_confirms", "unknown_confirms", "unknown_voids",
    "unknown_completed", "voids_after_complete", "device_bad_ethernet", "device_bad_version",
    "device_bad_type", "device_bad_length",
)
cdef tuple HOST_COUNTER_NAMES = (
    "arp_requests_sent", "arp_replies_sent", "arp_resolved", "arp_failed", "echo_requests_sent",
    "echo_replies_sent", "echo_replies_received", "unexpected_echo_replies",
    "host_frames_ignored", "unresolved_dropped",
)
cdef tuple MHP_COUNTER_NAMES = (
    "attempts", "alone", "heralds", "gens", "replies", "stale_replies", "pairs", "measured",
    "errors", "timeouts", "false_heralds",
)
cdef tuple SLOT_STATES = (
    "free", "attempting", "in memory", "in a Bell measurement", "moving to another slot",
    "being distilled", "in the Bell measurement of a teleportation",
    "waiting for the bits of a teleportation",
)


cdef class Network(Topology):
    cdef QuantumMemory memory  # made when the run begins and the number of slots is known
    cdef list inbox
    cdef object lock
    cdef bint running, interrupted

    def __init__(self, seed, *, first_seq=0, sample_limit=100_000, pcap_dir=None):
        super().__init__(
            seed, first_seq=first_seq, sample_limit=sample_limit, pcap_dir=pcap_dir
        )
        self.inbox = []
        self.lock = threading.Lock()

    @property
    def now_ps(self):
        return self.engine.queue.now_ps

    @property
    def delivered(self):
        return self.engine.ledger.delivered

    # ---- running ----

    def inject(self, int64_t node, int64_t port, data):
        self._node(node)
        within("port", port, 0, PORTS - 1)
        with self.lock:
            self.inbox.append((node, port, bytes(data)))

    def interrupt(self):
        self.interrupted = True

    cdef int _prepare(self) except -1:
        """At the first run: the quantum memory, with room for every slot, and its profiles."""
        cdef int32_t i, side
        cdef int64_t slots = 0
        cdef Device* device
        for i in range(self.engine.node_count):
            device = self.engine.nodes[i].device
            if device != NULL:
                slots += device.slot_count + 1  # a move takes a pair more
        # An entangled pair keeps at most two records. One of its halves is in a slot, or it was
        # delivered early; a link has less than PAIRS_PER_LINK of those under way.
        self.memory = QuantumMemory(
            min(2 * slots + 64 + PAIRS_PER_LINK * self.engine.link_count, MOST_RECORDS)
        )
        for i in range(self.engine.link_count):
            for side in range(2):
                device = self.engine.links[i].devices[side]
                self.engine.links[i].profiles[side] = self.memory.c_profile(
                    device.t1_s, device.t2_s, 0.0
                )
                if self.engine.links[i].profiles[side] < 0:
                    raise MemoryError("too many different memories (pairs of T1 and T2)")
        for i in range(self.engine.node_count):
            device = self.engine.nodes[i].device
            if device != NULL and (
                device.storage_t1_s != device.t1_s or device.storage_t2_s != device.t2_s
            ):
                device.storage_profile = self.memory.c_profile(
                    device.storage_t1_s, device.storage_t2_s, 0.0
                )
                if device.storage_profile < 0:
                    raise MemoryError("too many different memories (pairs of T1 and T2)")
        self.started = True
        return 0

    cdef int _take_inbox(self) except -1:
        cdef int64_t node, port
        cdef bytes data
        with self.lock:
            waiting, self.inbox = self.inbox, []
        waiting.sort(key=itemgetter(0))  # stable: of one node, in order of the calls
        for node, port, data in waiting:
            queue_push(
                &self.engine.queue, self.engine.queue.now_ps, ARRIVE, node, port,
                packet_new(&self.engine.queue, <const uint8_t*><const char*>data, len(data)),
            )
        return 0

    cdef int _hand_over(self) except -1:
        """Give the controller what is for it, one by one, so that an exception loses nothing."""
        cdef CpuPacket* first
        cdef int32_t i, done = 0
        try:
            while done < self.engine.cpu_count:
                first = &self.engine.cpu[done]
                callback = self.callbacks[first.node]
                data = (<const char*>first.packet.data)[: first.packet.length]
                free(first.packet)
                done += 1
                if callback is not None:
                    callback(data)
        finally:
            for i in range(done, self.engine.cpu_count):
                self.engine.cpu[i - done] = self.engine.cpu[i]
            self.engine.cpu_count -= done
        return 0

    cdef int _raise_failure(self) except -1:
        cdef object error
        if self.engine.error != NULL:
            error = <object>self.engine.error
            Py_DECREF(<object>self.engine.error)
            self.engine.error = NULL
            if isinstance(error, KeyboardInterrupt):
                self.interrupted = True
                return 0
            raise error
        if self.engine.ledger.failure != 0:
            raise RuntimeError(
                f"the quantum memory refused an operation with code {self.engine.ledger.failure} "
                f"(qplane_cext/memory/api.h) at {self.engine.queue.now_ps} ps"
            )
        raise MemoryError("the event loop ran out of memory")

    def run(self, *, until_ps=None, deliveries=None, stop_on_cpu=True, on_progress=None):
        if until_ps is not None:
            duration("until_ps", until_ps)
        if deliveries is not None:
            within("deliveries", deliveries, 1, INT64_MAX)
        if self.running:
            raise RuntimeError("the network is running already")
        if not self.started:
            self._prepare()
        self.running = True
        try:
            reason = self._run(
                -1 if until_ps is None else until_ps,
                0 if deliveries is None else deliveries,
                stop_on_cpu,
                on_progress,
            )
        finally:
            self.running = False
        if reason != "cpu":
            self._flush()
        return reason

    cdef str _run(self, int64_t until_ps, uint64_t deliveries, bint stop_on_cpu, on_progress):
        cdef Stop stop
        cdef QuantumMemory memory = self.memory
        cdef Engine* engine = &self.engine
        next_progress = time.monotonic() + PROGRESS_S
        while True:
            self._take_inbox()
            with nogil:
                stop = engine_run(engine, memory, until_ps, deliveries, SLICE_EVENTS)
            if stop == STOP_FAILED:
                self._raise_failure()
            try:
                PyErr_CheckSignals()
            except KeyboardInterrupt:
                self.interrupted = True
            if self.interrupted:
                self.interrupted = False
                return "interrupted"
            if stop != SLICE_OVER:
                self._hand_over()
            if stop == STOP_CPU:
                if stop_on_cpu:
                    return "cpu"
            elif stop == STOP_UNTIL:
                return "until"
            elif stop == STOP_DELIVERED:
                return "delivered"
            elif stop == STOP_IDLE and not self.inbox:
                return "idle"
            if on_progress is not None and time.monotonic() >= next_progress:
                on_progress()
                next_progress = time.monotonic() + PROGRESS_S

    def run_paced(self, Pacer pacer):
        cdef Stop stop
        cdef QuantumMemory memory
        if self.running:
            raise RuntimeError("the network is running already")
        if not self.started:
            self._prepare()
        if pacer.pace.polled == NULL:
            pace_sockets(&pacer.pace, &self.engine)
        memory = self.memory
        self.running = True
        try:
            self._take_inbox()
            with nogil:
                stop = paced_run(&self.engine, memory, &pacer.pace)
            if stop == STOP_FAILED:
                self._raise_failure()
            self._hand_over()
        finally:
            self.running = False
        return "cpu" if stop == STOP_CPU else "woken"

    cdef int _flush(self) except -1:
        cdef int32_t i
        cdef int code
        for i in range(self.capture_count):
            code = capture_flush(self.captures[i])
            if code:
                raise OSError(code, os.strerror(code), os.fsdecode(self.captures[i].path))
        return 0

    def close(self):
        self._flush()

    # ---- what is outstanding ----

    cdef list _orders_at(self, str name, Mhp* mhp, int side):
        cdef int place
        cdef list lines = []
        for place in range(2):
            if mhp.sides[side].orders[place].loaded:
                queue = mhp.sides[side].orders[place].order.queue
                lines.append(
                    f"{name}: link {mhp.sides[side].number} has an order, queue id "
                    f"{queue >> 8}/{queue & 255}, {mhp.sides[side].orders[place].pairs_left} pairs "
                    "left"
                )
        return lines

    cdef list _waiting_at(self, Node* node):
        cdef Device* device = node.device
        cdef DeviceLink* link
        cdef Request* request
        cdef Slot* slot
        cdef Expiry* expiry
        cdef int32_t i, j
        cdef list lines = []
        name = self.names[node.index]
        for i in range(255):
            link = &device.links[i]
            for j in range(link.request_count):
                request = &link.requests[j]
                if request.active:
                    lines.append(f"{name}: link {i} generates pairs for label {request.label}")
            if link.mhp != NULL:
                lines += self._orders_at(name, <Mhp*>link.mhp, link.side)
        for i in range(device.slot_count):
            slot = &device.slots[i]
            if slot.state == FREE:
                continue
            what = f"pair {slot.seq} of link {slot.link}" if slot.half >= 0 else f"link {slot.link}"
            lines.append(
                f"{name}: slot {i} ({what}, label {slot.label}) is {SLOT_STATES[slot.state]}"
            )
        for i in range(device.expiry_count):
            expiry = &device.expiries[i]
            if expiry.used:
                what = "teleported" if expiry.type == FRAME_TELEPORTED else "expired"
                lines.append(
                    f"{name}: nobody confirmed that pair {expiry.seq} of link {expiry.link} "
                    f"(label {expiry.label}) {what}"
                )
        return lines

    def waiting(self):
        cdef int32_t i
        cdef size_t j
        cdef int32_t half
        cdef Half* h
        cdef Flow* flow
        cdef list lines = []
        for i in range(self.engine.node_count):
            if self.engine.nodes[i].device != NULL:
                lines += self._waiting_at(self.engine.nodes[i])
        for j in range(self.engine.ledger.deliveries.capacity):
            half = self.engine.ledger.deliveries.values[j]
            if half < 0:
                continue
            h = half_at(&self.engine.ledger, half)
            other = half_at(&self.engine.ledger, h.partner)
            lines.append(
                f"{self.names[h.node]}: pair {self.engine.ledger.pairs[half >> 1].seq} of link "
                f"{h.link} (label {h.label}) was delivered, its other end at "
                f"{self.names[other.node]} {'not yet' if other.state == ALIVE else 'is lost'}"
            )
        for i in range(self.engine.flow_count):
            flow = &self.engine.flows[i]
            name = self.host_names[flow.host]
            target = ipaddress.IPv4Address(flow.destination)
            outstanding = flow.sent - flow.received - flow.timed_out
            if outstanding:
                lines.append(f"{name}: {outstanding} pings to {target} are unanswered")
            if flow.active:
                lines.append(f"{name}: pings to {target} go on")
        return lines

    # ---- results ----

    def deliveries(self):
        return rows_dict(&self.engine.record)

    def hops(self):
        return hops_dict(&self.engine.record)

    def circuits(self):
        return circuits_list(&self.engine.record)

    def counters(self):
        total = Counter()
        for i in range(self.engine.node_count):
            total.update(self.node_counters(i))
        for i in range(self.engine.link_count):
            total["attempts"] += self.engine.links[<int>i].attempts
            total["heralds"] += self.engine.links[<int>i].heralds
            if self.engine.mhps[<int>i] != NULL:
                total.update({f"mhp_{k}": n for k, n in self.mhp_counters(i).items()})
        for i in range(self.channel_count):
            total.update(
                {f"channel_{key}": value for key, value in self.channel_counters(i).items()}
            )
        for i in range(self.engine.host_count):
            for j, name in enumerate(HOST_COUNTER_NAMES):
                total[name] += self.engine.hosts[<int>i].counters[<int>j]
        total["slots_in_use"] = self._slots_in_use()
        total["events"] = self.engine.events
        total["delivered"] = self.engine.ledger.delivered
        total["one_sided"] = self.engine.ledger.one_sided
        total["voids"] = self.engine.ledger.voids
        total["void_mismatches"] = self.engine.ledger.void_mismatches
        total["entangled_link_pairs"] = self.engine.ledger.live
        return dict(total)

    cdef int64_t _slots_in_use(self):
        cdef Device* device
        cdef int32_t i, j
        cdef int64_t in_use = 0
        for i in range(self.engine.node_count):
            device = self.engine.nodes[i].device
            if device != NULL:
                for j in range(device.slot_count):
                    in_use += device.slots[j].state != FREE
        return in_use

    def node_counters(self, int64_t node):
        cdef Node* n = self._node(node)
        cdef int i
        counters = {
            "frames_in": n.frames_in,
            "frames_out": n.frames_out,
            "frames_to_nowhere": n.frames_to_nowhere,
            "frames_to_cpu": n.frames_to_cpu,
        }
        if n.device != NULL:
            counters["unconfirmed"] = n.device.unconfirmed.count
            for i in range(DEVICE_COUNTERS):
                counters[DEVICE_COUNTER_NAMES[i]] = n.device.counters[i]
        return counters

    def link_counters(self, int64_t link):
        cdef QuantumLink* l
        within("link", link, 0, self.engine.link_count - 1)
        l = self.engine.links[link]
        model, herald = self.link_models[link]
        return {
            "attempts": l.attempts,
            "heralds": l.heralds,
            "times_held_back": l.times_held_back,
            "success_probability": herald.p_success,
            "fidelity": herald.fidelity,
            "attempt_ps": l.attempt_ps,
            "delay_ps": sum(model.arms_ps),
        }

    def cut_channel(self, int64_t channel, bint cut=True):
        within("channel", channel, 0, self.channel_count - 1)
        for side in range(2):
            self.directions[2 * channel + <int>side].cut = cut

    def lose_frame(self, int64_t channel, int64_t side, int64_t number):
        within("channel", channel, 0, self.channel_count - 1)
        within("side", side, 0, 1)
        within("number", number, 0, INT64_MAX)
        self.directions[2 * channel + side].losing = number

    def lose_qci(self, int64_t place):
        within("place", place, 1, INT64_MAX)
        self.engine.queue.lose_qci = place

    def mhp_counters(self, int64_t link):
        cdef Mhp* mhp
        cdef int i
        within("link", link, 0, self.engine.link_count - 1)
        mhp = self.engine.mhps[link]
        if mhp == NULL:
            raise ValueError(f"link {link} has no station")
        return {MHP_COUNTER_NAMES[i]: mhp.counters[i] for i in range(MHP_COUNTERS)}

    def link_pairs(self):
        cdef Ledger* ledger = &self.engine.ledger
        cdef Half* a
        cdef Half* b
        cdef Half* half
        cdef int32_t i, side
        cdef int bell
        cdef double fidelity
        cdef list rows = []
        for i in range(ledger.used):
            a = &ledger.pairs[i].halves[0]
            b = &ledger.pairs[i].halves[1]
            if ledger.pairs[i].link < 0 or a.label or b.label:
                continue
            if a.state != ALIVE and b.state != ALIVE:
                continue
            row = {
                "link": ledger.pairs[i].link, "seq": ledger.pairs[i].seq,
                "bell": ledger.pairs[i].bell, "halves": [], "fidelities": None,
            }
            for side in range(2):
                half = &ledger.pairs[i].halves[side]
                row["halves"].append({
                    "node": half.node, "link": half.link, "slot": self._slot_of(2 * i + side),
                    "emitted_ps": half.emitted_ps,
                })
            if a.state == ALIVE and b.state == ALIVE and a.partner == 2 * i + 1:
                row["fidelities"] = []
                for bell in range(4):
                    fidelity = 0.0
                    if self.memory.c_peek_fidelity(
                        a.qubit, self.engine.queue.now_ps, b.qubit, self.engine.queue.now_ps,
                        bell, &fidelity,
                    ):
                        fidelity = float("nan")  # not there yet
                    row["fidelities"].append(fidelity)
            rows.append(row)
        return rows

    cdef object _slot_of(self, int32_t half):
        """(slot, generation) where a half is in memory, or None."""
        cdef Half* h = half_at(&self.engine.ledger, half)
        cdef Device* device = self.engine.nodes[h.node].device
        cdef int32_t i
        if h.state == ALIVE:
            for i in range(device.slot_count):
                if device.slots[i].state != FREE and device.slots[i].half == half:
                    return i, device.slots[i].generation
        return None

    def channel_counters(self, int64_t channel):
        cdef ChannelCounters* c
        within("channel", channel, 0, self.channel_count - 1)
        total = Counter()
        for side in range(2):
            c = &self.directions[2 * channel + <int>side].counters
            total.update({
                "frames": c.frames,
                "bytes": c.bytes,
                "qci": c.qci,
                "lost": c.lost,
                "duplicated": c.duplicated,
                "reordered": c.reordered,
                "delayed": c.delayed,
                "corrupted": c.corrupted,
                "overflowed": c.overflowed,
            })
        return dict(total)

    def pings(self):
        cdef Flow* flow
        cdef int32_t i, j
        flows = []
        for i in range(self.engine.flow_count):
            flow = &self.engine.flows[i]
            sample = np.empty(flow.rtt_sampled, dtype=np.int64)
            for j in range(flow.rtt_sampled):
                sample[j] = flow.rtt_sample_ps[j]
            flows.append({
                "host": flow.host,
                "destination_ip": str(ipaddress.IPv4Address(flow.destination)),
                "sent": flow.sent,
                "received": flow.received,
                "timed_out": flow.timed_out,
                "outstanding": flow.sent - flow.received - flow.timed_out,
                "rtt_ps": moments_dict(&flow.rtt),
                "rtt_sample_ps": sample,
            })
        return flows
