"""Messages of the link layer through a node: GEN, REPLY, and what goes to the CPU port."""

from base import CONSTANTS
from ptf.testutils import group
from qnode import (
    DEVICE_MAC,
    DOWN,
    HOST_A,
    NODE_MAC,
    OTHER,
    QUANTUM,
    SWITCH_SIDE_MAC,
    UP,
    UP_MAC,
    QnodeTest,
)
from scapy.layers.l2 import Ether

from qplane.wire.scapy import DQP, EGP, QCI, Device, EGPOutcomes, Gen, MhpResult, Reply

STATION_MAC = "06:00:00:00:09:00"
LINK = 2
REPLY_BODY = Reply(queue_id=1, queue_seq=2, other_queue_id=3, mhp_seq=4, outcome=2, cycle=1 << 50)


class LinkTest(QnodeTest):
    """The station of link 2 is on port UP."""

    def setUp(self):
        super().setUp()
        self.insert(
            "gen_out", {"link": LINK}, "send_gen", port=UP, src_mac=NODE_MAC, dst_mac=STATION_MAC
        )
        self.insert("reply_in", {"ingress_port": UP}, "take_reply", link=LINK, device_port=QUANTUM)

    def from_device(self, type_, body, link=LINK):
        header = Device(type=CONSTANTS[f"DEVICE_{type_}"], link=link)
        return Ether(dst=SWITCH_SIDE_MAC, src=DEVICE_MAC, type=0x88B6) / header / body

    def on_link(self, type_, body, **header):
        return Ether(src=UP_MAC, dst=NODE_MAC, type=0x88B5) / QCI(type=type_, **header) / body


@group("link")
class GenGoesToTheStationTest(LinkTest):
    """With a checksum, and without padding."""

    def runTest(self):
        body = Gen(queue_id=5, queue_seq=6, kind=1, present=1, cycle=(1 << 64) - 2)
        frame = self.from_device("MHP_GEN", body)
        gen = Ether(src=NODE_MAC, dst=STATION_MAC, type=0x88B5) / QCI(type=0x30) / body
        for sent in (frame, Ether(bytes(frame).ljust(60, b"\0"))):
            self.send(QUANTUM, sent)
            self.expect_only(UP, gen)


@group("link")
class ReplyGoesToTheDeviceTest(LinkTest):
    def runTest(self):
        reply = self.on_link(0x31, REPLY_BODY)
        frame = (
            Ether(dst=DEVICE_MAC, src=SWITCH_SIDE_MAC, type=0x88B6)
            / Device(type=CONSTANTS["DEVICE_MHP_REPLY"], link=LINK)
            / REPLY_BODY
        )
        for sent in (reply, Ether(bytes(reply).ljust(60, b"\0"))):
            self.send(UP, sent)
            self.expect_only(QUANTUM, frame)


@group("link")
class NoStationIsGuessedTest(LinkTest):
    """GEN of a link, REPLY from a neighbour, that nothing is programmed for."""

    def runTest(self):
        self.dropped(QUANTUM, self.from_device("MHP_GEN", Gen(), link=LINK + 1), "DROP_NO_STATION")
        self.dropped(DOWN, self.on_link(0x31, REPLY_BODY), "DROP_NO_STATION")


@group("link")
class NobodyElseSpeaksForStationOrDeviceTest(LinkTest):
    def runTest(self):
        for port in (HOST_A, QUANTUM, OTHER):
            self.dropped(port, self.on_link(0x31, REPLY_BODY), "DROP_QCI_PORT")
        for port in (UP, DOWN, HOST_A, OTHER):
            self.dropped(port, self.from_device("MHP_GEN", Gen()), "DROP_DEVICE_PORT")
        self.dropped(UP, self.on_link(0x30, Gen()), "DROP_QCI_MALFORMED")  # no station here


@group("link")
class DamagedRepliesAreDroppedTest(LinkTest):
    def runTest(self):
        whole = bytes(self.on_link(0x31, REPLY_BODY))
        for place in range(14, len(whole)):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << place % 8
            self.send(UP, Ether(bytes(damaged)))
        for size in range(15, len(whole)):
            self.send(UP, Ether(whole[:size]))
        self.send(UP, Ether(whole.ljust(61, b"\0")))
        self.expect_nothing()


@group("link")
@group("cpu")
class WhatLinkLayersSayGoesToTheControllerTest(LinkTest):
    """From neighbours, checksum verified and otherwise unread."""

    def runTest(self):
        bodies = [(kind, DQP(comm_seq=3, number=9)) for kind in range(0x20, 0x25)]
        bodies += [(kind, EGP(seq_low=7)) for kind in range(0x28, 0x2C)]
        bodies.append((0x2C, EGPOutcomes(outcomes=1 << 100)))
        for type_, body in bodies:
            message = self.on_link(type_, body)
            self.send(UP, message)
            self.expect_packet_in(
                message, ingress_port=UP, reason=CONSTANTS["PACKET_IN_QCI"], detail=0
            )
            self.dropped(HOST_A, message, "DROP_QCI_PORT")
            damaged = bytearray(bytes(message))
            damaged[-1] ^= 4
            self.dropped(UP, Ether(bytes(damaged)), "DROP_BAD_CHECKSUM")
            self.dropped(UP, self.on_link(type_, body, flags=8), "DROP_QCI_MALFORMED")


@group("link")
@group("cpu")
class WhatTheDeviceSaysToTheLinkLayerGoesToTheControllerTest(LinkTest):
    def runTest(self):
        frame = self.from_device("LINK_LAYER", MhpResult(mhp_seq=77))
        frame[Device].type = 0x53
        self.send(QUANTUM, frame)
        self.expect_packet_in(
            frame, ingress_port=QUANTUM, reason=CONSTANTS["PACKET_IN_DEVICE"], detail=0
        )
        self.dropped(UP, frame, "DROP_DEVICE_PORT")
