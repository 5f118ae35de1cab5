"""The heralding station under test: one link between two nodes, and another one.

node A -- port 1 .-------------. port 2 -- node B       link 3
node C -- port 3 | the station | port 4 -- node D       link 31
                 '-------------'
            port 5: the detectors          port 510: the controller
"""

from typing import ClassVar

import p4runtime_sh.shell as sh
from base import CONSTANTS, SwitchTest
from scapy.layers.l2 import Ether

from qplane.wire.scapy import QCI, Device, Gen, Outcome, Reply

A, B, C, D, DETECTORS, OTHER = 1, 2, 3, 4, 5, 6
LINK, OTHER_LINK = 3, 31
STATION_MAC = "06:00:00:00:09:00"
MACS = {A: "06:00:00:00:01:00", B: "06:00:00:00:02:00",
        C: "06:00:00:00:03:00", D: "06:00:00:00:04:00"}  # fmt: skip
PSI_PLUS, PSI_MINUS = 1, 2


class HeraldTest(SwitchTest):
    """Both links are programmed; registers are empty."""

    program = "herald"
    new_pipeline = True
    counters: ClassVar = {"drops": "HeraldIngress.drops", "replies": "HeraldIngress.replies"}

    def setUp(self):
        super().setUp()
        self.insert("port_kind", {"ingress_port": DETECTORS}, "set_detectors")
        for link, group, ports in ((LINK, 1, (A, B)), (OTHER_LINK, 2, (C, D))):
            self.multicast(
                group,
                (ports[0], CONSTANTS["REPLICA_A"]),
                (ports[1], CONSTANTS["REPLICA_B"]),
            )
            self.insert("link_group", {"link": link}, "set_group", group=group, epoch=0)
            for is_b, port in enumerate(ports):
                self.insert("port_kind", {"ingress_port": port}, "set_node", link=link, is_b=is_b)
                self.insert(
                    "node", {"egress_port": port}, "set_macs", src_mac=STATION_MAC,
                    dst_mac=MACS[port],
                )  # fmt: skip

    def gen(self, port, cycle, queue=(7, 9), *, kind=0, present=1, **header):
        """GEN as the node on a port sends it."""
        return (
            Ether(src=MACS.get(port, MACS[A]), dst=STATION_MAC, type=0x88B5)
            / QCI(type=CONSTANTS["QCI_GEN"], **header)
            / Gen(queue_id=queue[0], queue_seq=queue[1], kind=kind, present=present, cycle=cycle)
        )

    def outcome(self, cycle, outcome=PSI_PLUS, *, link=LINK, version=1):
        """What the detectors report."""
        return (
            Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02", type=0x88B6)
            / Device(version=version, type=CONSTANTS["DEVICE_MHP_OUTCOME"], link=link)
            / Outcome(outcome=outcome, cycle=cycle)
        )

    def reply(self, port, cycle, own=(7, 9), other=(7, 9), **body):
        """REPLY as it leaves for the node on a port."""
        return (
            Ether(src=STATION_MAC, dst=MACS[port], type=0x88B5)
            / QCI(type=CONSTANTS["QCI_REPLY"])
            / Reply(
                queue_id=own[0], queue_seq=own[1], other_queue_id=other[0],
                other_queue_seq=other[1], cycle=cycle, **body,
            )
        )  # fmt: skip

    def attempt(self, cycle, outcome=PSI_PLUS, *, queues=((7, 9), (7, 9))):
        """Both GENs and the outcome of an attempt on the link."""
        for port, queue in zip((A, B), queues, strict=True):
            self.send(port, self.gen(port, cycle, queue))
        self.send(DETECTORS, self.outcome(cycle, outcome))

    def answered(self, cycle, **body):
        """Both nodes get the same REPLY, and nobody gets anything else."""
        for port in (A, B):
            self.expect(port, self.reply(port, cycle, **body))
        self.expect_nothing()

    def sample(self, mask, session):
        """Copy the pairs whose number has no bit of the mask to the controller."""
        clones = sh.CloneSessionEntry(session)
        clones.add(510, 1)
        clones.insert()
        self._written.append(clones)
        self.insert("sampling", {"link": LINK}, "sample", mask=mask, session=session)
