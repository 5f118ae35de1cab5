"""MPLS user data is switched by its label, whatever the frame's destination address."""

from ptf.testutils import group, simple_icmp_packet, simple_udpv6_packet
from qnode import DOWN, DOWN_MAC, HOST_B, HOST_B_MAC, NODE_MAC, UP, UP_MAC, QnodeTest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from qplane.wire.scapy import ACH, MPLS, gal


def labelled(payload, *stack, src=UP_MAC, dst=NODE_MAC):
    """A frame with these (label, traffic class, TTL) entries on top of the payload."""
    frame = Ether(src=src, dst=dst, type=0x8847)
    for place, (label, tc, ttl) in enumerate(stack, 1):
        frame = frame / MPLS(label=label, tc=tc, ttl=ttl, s=place == len(stack))
    return frame / payload


def ip(make=simple_icmp_packet):
    return make().payload


class LabelTest(QnodeTest):
    """Label 30 goes on downwards as 31; labels 40 (IPv4) and 41 (IPv6) end at host B."""

    def setUp(self):
        super().setUp()
        down = {"port": DOWN, "src_mac": NODE_MAC, "dst_mac": DOWN_MAC}
        self.insert("mpls_label", {"label": 30}, "label_swap", label=31, **down)
        for label, ethertype in ((40, 0x0800), (41, 0x86DD)):
            self.insert(
                "mpls_label", {"label": label}, "label_pop", ethertype=ethertype,
                port=HOST_B, src_mac=NODE_MAC, dst_mac=HOST_B_MAC,
            )  # fmt: skip


@group("classical")
class SwapTest(LabelTest):
    """New label, TTL less one; traffic class and all that is below stay."""

    def runTest(self):
        for below in ((), ((500, 1, 7),), ((500, 1, 7), (501, 0, 8))):
            self.send(UP, labelled(ip(), (30, 5, 64), *below))
            swapped = labelled(ip(), (31, 5, 63), *below, src=NODE_MAC, dst=DOWN_MAC)
            self.expect_only(DOWN, swapped)


@group("classical")
class PopTest(LabelTest):
    """The payload leaves as it was, under the EtherType that the entry gives."""

    def runTest(self):
        for label, make, ethertype in (
            (40, simple_icmp_packet, 0x0800),
            (41, simple_udpv6_packet, 0x86DD),
        ):
            self.send(UP, labelled(ip(make), (label, 0, 64)))
            popped = Ether(src=NODE_MAC, dst=HOST_B_MAC, type=ethertype) / ip(make)
            self.expect_only(HOST_B, popped)


@group("classical")
class TtlOfTwoIsTheLastThatGoesOnTest(LabelTest):
    def runTest(self):
        self.send(UP, labelled(ip(), (30, 0, 2)))
        self.expect_only(DOWN, labelled(ip(), (31, 0, 1), src=NODE_MAC, dst=DOWN_MAC))
        for ttl in (1, 0):
            self.dropped(UP, labelled(ip(), (30, 0, ttl)), "DROP_TTL")
            self.dropped(UP, labelled(ip(), (40, 0, ttl)), "DROP_TTL")


@group("classical")
class UnknownLabelIsDroppedTest(LabelTest):
    def runTest(self):
        self.dropped(UP, labelled(ip(), (99, 0, 64)), "DROP_UNKNOWN_LABEL")


@group("classical")
class OtherAssociatedChannelsAreUserDataTest(LabelTest):
    """OAM of others (here BFD, RFC 5885) passes along the label-switched path untouched."""

    def runTest(self):
        def channel(label, ttl, **addresses):
            frame = Ether(type=0x8847, **addresses) / MPLS(label=label, ttl=ttl)
            return frame / gal() / ACH(channel_type=0x0007) / Raw(b"BFD")

        self.send(UP, channel(30, 64, src=UP_MAC, dst=NODE_MAC))
        self.expect_only(DOWN, channel(31, 63, src=NODE_MAC, dst=DOWN_MAC))


@group("classical")
class TruncatedLabelStackIsDroppedTest(LabelTest):
    """The entry itself, the entry below that might be a GAL, or the channel header is cut."""

    def runTest(self):
        frame = bytes(labelled(ip(), (30, 0, 64), (500, 0, 64)))
        for length in (15, 17, 18, 21):
            self.dropped(UP, frame[:length], "DROP_PARSER_ERROR")
        frame = bytes(Ether(type=0x8847) / MPLS(label=30, ttl=64) / gal() / ACH())
        for length in (22, 25):
            self.dropped(UP, frame[:length], "DROP_PARSER_ERROR")


@group("classical")
class BadChecksumBelowALabelIsNotTheNodesBusinessTest(LabelTest):
    def runTest(self):
        payload = ip()
        payload[IP].chksum = 0x1234
        self.send(UP, labelled(payload, (30, 0, 64)))
        self.expect_only(DOWN, labelled(payload, (31, 0, 63), src=NODE_MAC, dst=DOWN_MAC))
