"""IPv4 packets to the node's address are routed by the longest prefix of their destination."""

from ptf.testutils import (
    group,
    simple_icmp_packet,
    simple_ip_packet,
    simple_tcp_packet,
    simple_udp_packet,
)
from qnode import HOST_A, HOST_A_MAC, HOST_B, HOST_B_MAC, NODE_MAC, UP, UP_MAC, QnodeTest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether


class RoutedTest(QnodeTest):
    """10.0.2.0/24 leads up; 10.0.2.2 is host B."""

    def setUp(self):
        super().setUp()
        self.route("10.0.2.0/24", UP, UP_MAC)
        self.route("10.0.2.2/32", HOST_B, HOST_B_MAC)

    def route(self, prefix, port, mac):
        """A route; a prefix of None matches everything (P4Runtime: the field is left out)."""
        match = {"hdr.ipv4.dst": prefix} if prefix else {}
        self.insert("ipv4_route", match, "route", port=port, src_mac=NODE_MAC, dst_mac=mac)


def to_node(make=simple_udp_packet, dst="10.0.2.2", ttl=64, **fields):
    return make(
        eth_dst=NODE_MAC, eth_src=HOST_A_MAC, ip_src="10.0.1.1", ip_dst=dst, ip_ttl=ttl, **fields
    )


def routed(packet, mac=HOST_B_MAC):
    """The packet as the next hop gets it: addresses of that hop, TTL less one, checksum anew."""
    packet = packet.copy()
    packet[Ether].src, packet[Ether].dst = NODE_MAC, mac
    packet[IP].ttl -= 1
    del packet[IP].chksum
    return packet


@group("classical")
class EveryProtocolIsRoutedTest(RoutedTest):
    def runTest(self):
        for make in (simple_udp_packet, simple_tcp_packet, simple_icmp_packet, simple_ip_packet):
            for length in (60, 100, 1500):
                packet = to_node(make, pktlen=length)
                self.send(HOST_A, packet)
                self.expect(HOST_B, routed(packet))
        self.expect_nothing()


@group("classical")
class LongestPrefixWinsTest(RoutedTest):
    def runTest(self):
        for dst, port, mac in (("10.0.2.2", HOST_B, HOST_B_MAC), ("10.0.2.3", UP, UP_MAC)):
            packet = to_node(dst=dst)
            self.send(HOST_A, packet)
            self.expect_only(port, routed(packet, mac))


@group("classical")
class DefaultRouteTakesTheRestTest(RoutedTest):
    def runTest(self):
        self.route(None, UP, UP_MAC)
        packet = to_node(dst="192.0.2.1")
        self.send(HOST_A, packet)
        self.expect_only(UP, routed(packet, UP_MAC))


@group("classical")
class NoRouteIsDroppedTest(RoutedTest):
    def runTest(self):
        self.dropped(HOST_A, to_node(dst="10.0.3.1"), "DROP_NO_ROUTE")


@group("classical")
class OptionsAreKeptTest(RoutedTest):
    """Options are covered by the header checksum, which is computed anew."""

    def runTest(self):
        for words in (1, 5, 10):
            packet = to_node(simple_ip_packet, ip_options=b"\x01" * (4 * words - 1) + b"\x00")
            self.assertEqual(Ether(bytes(packet))[IP].ihl, 5 + words)
            self.send(HOST_A, packet)
            self.expect_only(HOST_B, routed(packet))


@group("classical")
class FragmentsAreRoutedTest(RoutedTest):
    """A later fragment has no UDP header: what stands in its place is payload."""

    def runTest(self):
        packet = to_node(pktlen=40)
        packet[IP].frag = 185
        packet[IP].remove_payload()
        packet[IP].proto = 17
        packet = packet / b"abc"
        self.send(HOST_A, packet)
        self.expect_only(HOST_B, routed(packet))


@group("classical")
class TtlOfTwoIsTheLastThatIsRoutedTest(RoutedTest):
    def runTest(self):
        packet = to_node(ttl=2)
        self.send(HOST_A, packet)
        self.expect_only(HOST_B, routed(packet))
        for ttl in (1, 0):
            self.dropped(HOST_A, to_node(ttl=ttl), "DROP_TTL")


@group("classical")
class BadHeaderChecksumIsDroppedTest(RoutedTest):
    def runTest(self):
        packet = to_node()
        good = Ether(bytes(packet))[IP].chksum
        for wrong in (good ^ 0x0001, good ^ 0x8000, 0):
            packet[IP].chksum = wrong
            self.dropped(HOST_A, packet, "DROP_BAD_CHECKSUM")


@group("classical")
class BadPayloadChecksumIsNotTheNodesBusinessTest(RoutedTest):
    def runTest(self):
        packet = to_node()
        packet["UDP"].chksum = 0x1234
        self.send(HOST_A, packet)
        self.expect_only(HOST_B, routed(packet))


@group("classical")
class WrongVersionOrHeaderLengthIsDroppedTest(RoutedTest):
    def runTest(self):
        for fields in ({"version": 6}, {"version": 5}, {"ihl": 4}, {"ihl": 0}):
            packet = to_node(simple_tcp_packet)
            for name, value in fields.items():
                setattr(packet[IP], name, value)
            self.dropped(HOST_A, packet, "DROP_PARSER_ERROR")


@group("classical")
class TruncatedHeadersAreDroppedTest(RoutedTest):
    """Inside the IPv4 header, its options or the UDP header; payload may be cut anywhere."""

    def runTest(self):
        plain = bytes(to_node())
        with_options = bytes(to_node(simple_ip_packet, ip_options=b"\x01" * 8))
        for packet in (plain[:15], plain[:33], with_options[:41], plain[:34], plain[:41]):
            self.dropped(HOST_A, packet, "DROP_PARSER_ERROR")
        self.send(HOST_A, plain[:43])
        self.expect_only(HOST_B, Ether(bytes(routed(to_node()))[:43]))


@group("classical")
class PacketsForOthersAreSwitchedNotRoutedTest(RoutedTest):
    def runTest(self):
        self.insert("l2", {"hdr.ethernet.dst": HOST_B_MAC}, "forward", port=HOST_B)
        packet = to_node()
        packet[Ether].dst = HOST_B_MAC
        self.send(HOST_A, packet)
        self.expect_only(HOST_B, packet)


@group("classical")
class OtherEtherTypesToTheNodeHaveNoRouteTest(RoutedTest):
    def runTest(self):
        packet = Ether(dst=NODE_MAC, src=HOST_A_MAC, type=0x9000) / (b"\0" * 50)
        self.dropped(HOST_A, packet, "DROP_NO_ROUTE")
