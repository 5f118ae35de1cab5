"""What every packet test needs: a P4Runtime session, undone writes, packets, counters, registers.

A test writes entries with `insert` and `multicast`; `tearDown` deletes them, newest first, so that
tests do not see each other. What P4Runtime can't undo on every target (registers, counters) is
treated by its nature: counters are compared before and after, and tests that change per-pair
registers start from a new pipeline (`new_pipeline`).
"""

import contextlib
import re
import time
from pathlib import Path
from typing import ClassVar

import p4runtime_sh.shell as sh
import ptf
from p4.v1 import p4runtime_pb2
from p4runtime_sh.context import P4Type
from ptf import testutils
from ptf.base_tests import BaseTest
from scapy.packet import Raw

SECONDS_TO_WAIT = 5  # for what must come; a test that passes never waits so long


def _constants():
    """The program's own names for numbers: constants of p4src/include, by name."""
    found = {}
    folder = Path(__file__).resolve().parent.parent / "p4src" / "include"
    for path in sorted(folder.glob("*.p4")):
        for name, value in re.findall(r"const bit<\d+> (\w+) = (\w+);", path.read_text()):
            found[name] = int(value, 0)
    return found


CONSTANTS = _constants()


class _Meter:
    """A meter cell that a test has configured; to delete it is to take the limit away."""

    def __init__(self, entry):
        self._entry = entry

    def delete(self):
        self._entry.clear_config()
        self._entry.modify()


class _Default:
    """A default action that a test has set; to delete it is to go back to the program's own."""

    def __init__(self, table):
        self._table = table

    def delete(self):
        entry = sh.TableEntry(self._table)
        entry.is_default = True
        entry.modify()


def _entry(table, match, action, parameters):
    """A table entry that is not written yet. Values: as p4runtime-shell has them."""
    entry = sh.TableEntry(table)(action=action)
    for field, value in match.items():
        entry.match[field] = str(value)
    for name, value in parameters.items():
        entry.action[name] = str(value)
    return entry


class SwitchTest(BaseTest):
    """A test against a switch that runs the program given by --test-params.

    Parameters: grpcaddr (host:port), device_id, p4info and config (files), target ("embedded" or
    "bmv2": what it can't offer is skipped with the reason).
    """

    new_pipeline = False
    """Push the pipeline anew before the test, which empties all registers."""
    program = "qnode"
    """Which of the programs beside the one in the parameters it is."""
    counters: ClassVar = {
        "drops": "QnodeIngress.drops",
        "drops_in_egress": "QnodeEgress.drops",
        "pair_events": "pair_events",
        "slice_traffic": "slice_traffic",
        "circuit_events": "circuit_events",
    }
    """The program's counters, by the names that `counts` takes."""
    _pushed = ""

    def setUp(self):
        super().setUp()
        self.dataplane = ptf.dataplane_instance
        self.dataplane.flush()
        self.target = testutils.test_param_get("target", "embedded")
        config = None
        if self.new_pipeline or SwitchTest._pushed != self.program:
            files = (testutils.test_param_get("p4info"), testutils.test_param_get("config"))
            config = sh.FwdPipeConfig(*(file.replace("qnode", self.program) for file in files))
        sh.setup(
            device_id=int(testutils.test_param_get("device_id", 0)),
            grpc_addr=testutils.test_param_get("grpcaddr", "localhost:9559"),
            election_id=(0, 1),
            config=config,
            verbose=False,
        )
        SwitchTest._pushed = self.program
        self._written = []

    def tearDown(self):
        try:
            for entry in reversed(self._written):
                entry.delete()
        finally:
            sh.teardown()
            super().tearDown()

    # ---- control plane ----

    def insert(self, table, match, action, **parameters):
        """Insert an entry, deleted again after the test. Values: as p4runtime-shell has them."""
        entry = _entry(table, match, action, parameters)
        entry.insert()
        self._written.append(entry)
        return entry

    def modify(self, table, match, action, **parameters):
        """Give an entry that :meth:`insert` wrote another action or other parameters."""
        _entry(table, match, action, parameters).modify()

    def set_default(self, table, action, **parameters):
        """Set the action of a table without keys; reset after the test."""
        entry = _entry(table, {}, action, parameters)
        entry.is_default = True
        entry.modify()
        self._written.append(_Default(table))

    def multicast(self, group, *replicas):
        """Insert a multicast group of (port, replica id) pairs, deleted again after the test."""
        entry = sh.MulticastGroupEntry(group)
        for port, instance in replicas:
            entry.add(port, instance)
        entry.insert()
        self._written.append(entry)
        return entry

    def meter(self, name, index, *, committed, peak):
        """Let that much through at once: green up to `committed`, yellow up to `peak`, then red."""
        entry = sh.MeterEntry(name)
        entry.index = index
        entry.cir, entry.cburst, entry.pir, entry.pburst = 1, committed, 1, peak
        entry.modify()
        self._written.append(_Meter(entry))
        return entry

    def telemetry_session(self, session, port):
        """Copies of that clone session leave by the port."""
        entry = sh.CloneSessionEntry(session)
        entry.add(port, 1)
        entry.insert()
        self._written.append(entry)

    def digests(self, name):
        """Hear of each digest at once."""
        entry = sh.DigestEntry(name)
        entry.max_list_size = 1
        entry.insert()
        self._written.append(entry)

    def expect_digest(self, *values):
        """The next digest has these members; it is acknowledged."""
        message = sh.client.get_stream_packet("digest", timeout=SECONDS_TO_WAIT)
        self.assertIsNotNone(message, "no digest")
        (data,) = message.digest.data
        seen = tuple(int.from_bytes(member.bitstring, "big") for member in data.struct.members)
        acknowledgement = p4runtime_pb2.StreamMessageRequest()
        acknowledgement.digest_ack.digest_id = message.digest.digest_id
        acknowledgement.digest_ack.list_id = message.digest.list_id
        sh.client.stream_out_q.put(acknowledgement)
        self.assertEqual(seen, values)

    def counter(self, name, index):
        """Packets counted in one cell."""
        entry = sh.CounterEntry(name)
        entry.index = index
        (cell,) = entry.read()
        return cell.packet_count

    @contextlib.contextmanager
    def counts(self, **expected):
        """The body makes these counters grow, and no other cell of the same counters.

        drops="DROP_TTL" or pair_events="EVENT_SWAP", or a dictionary of name (or index) and number;
        drops_in_egress, slice_traffic, circuit_events likewise.
        """
        before = {name: self._cells(self.counters[name]) for name in expected}
        yield
        for name, constants in expected.items():
            growth = {constants: 1} if isinstance(constants, str) else constants
            wanted = list(before[name])
            for constant, number in growth.items():
                wanted[CONSTANTS.get(constant, constant)] += number
            # A drop leaves no packet to wait for, and egress runs beside ingress: look until the
            # count is there, but never accept a wrong one.
            self._eventually(
                lambda name=name: self._cells(self.counters[name]),
                wanted,
                f"counter {self.counters[name]}",
            )

    def _cells(self, name):
        entry = sh.CounterEntry(name)
        return [cell.packet_count for cell in sorted(entry.read(), key=lambda cell: cell.index)]

    def _eventually(self, read, wanted, what):
        deadline = time.monotonic() + SECONDS_TO_WAIT
        while (seen := read()) != wanted and time.monotonic() < deadline:
            time.sleep(0.002)
        self.assertEqual(seen, wanted, what)

    def register(self, name, index):
        """One cell of a register, as a number (p4runtime-shell has no command for that)."""
        (info,) = (item for item in sh.context.p4info.registers if item.preamble.name == name)
        request = p4runtime_pb2.ReadRequest(device_id=sh.client.device_id)
        entry = request.entities.add().register_entry
        entry.register_id = info.preamble.id
        entry.index.index = index
        (answer,) = sh.client.stub.Read(request)
        (entity,) = answer.entities
        return int.from_bytes(entity.register_entry.data.bitstring, "big")

    def skip_on_bmv2(self, reason):
        """Skip what stock BMv2 does not offer."""
        if self.target == "bmv2":
            self.skipTest(reason)

    def packet_out(self, packet, **metadata):
        """Send a packet from the controller."""
        sh.PacketOut(bytes(packet), **{key: str(value) for key, value in metadata.items()}).send()

    def expect_packet_in(self, packet, **metadata):
        """The next packet-in is exactly this packet, with these metadata."""
        message = sh.client.get_stream_packet("packet", timeout=SECONDS_TO_WAIT)
        self.assertIsNotNone(message, "no packet-in")
        names = {
            item.id: item.name
            for item in sh.P4Objects(P4Type.controller_packet_metadata)["packet_in"].metadata
        }
        seen = {
            names[item.metadata_id]: int.from_bytes(item.value, "big")
            for item in message.packet.metadata
        }
        self._compare(message.packet.payload, packet, "packet-in")
        self.assertEqual(seen, metadata)

    # ---- packets ----

    def send(self, port, packet):
        """Send a packet into a port of the switch."""
        testutils.send_packet(self, port, packet)

    def expect(self, port, packet):
        """The next packet out of `port` is this one, byte for byte (PTF overlooks padding)."""
        result = self.dataplane.poll(device_number=0, port_number=port, timeout=SECONDS_TO_WAIT)
        if isinstance(result, self.dataplane.PollFailure):
            elsewhere = self.dataplane.poll(device_number=0, timeout=0)
            if isinstance(elsewhere, self.dataplane.PollSuccess):
                self.fail(
                    f"nothing on port {port}, but on port {elsewhere.port}:\n{elsewhere.format()}"
                )
            self.fail(f"nothing on port {port}\n{packet.show(dump=True)}")
        self._compare(result.packet, packet, f"port {port}")

    def expect_only(self, port, packet):
        """This packet out of `port`, and nothing else anywhere."""
        self.expect(port, packet)
        self.expect_nothing()

    def expect_nothing(self):
        """No packet on any port."""
        testutils.verify_no_other_packets(self)

    def dropped(self, port, packet, reason):
        """Send a packet; it is dropped, and counted under that reason and no other."""
        with self.counts(drops=reason):
            self.send(port, packet)
        self.expect_nothing()

    def _compare(self, seen, wanted, where):
        if bytes(seen) != bytes(wanted):
            shown = type(wanted)(bytes(seen)) if bytes(seen) else Raw(b"")
            self.fail(
                f"{where}: wanted\n{wanted.__class__(bytes(wanted)).show(dump=True)}"
                f"{bytes(wanted).hex()}\ngot\n{shown.show(dump=True)}{bytes(seen).hex()}"
            )
