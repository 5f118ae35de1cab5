"""IPv6 packets to the node's address are routed by the longest prefix of their destination."""

from ptf.testutils import group, simple_icmpv6_packet, simple_tcpv6_packet, simple_udpv6_packet
from qnode import HOST_A, HOST_A_MAC, HOST_B, HOST_B_MAC, NODE_MAC, UP, UP_MAC, QnodeTest
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether


class RoutedTest(QnodeTest):
    """2001:db8:2::/48 leads up; 2001:db8:2::2 is host B."""

    def setUp(self):
        super().setUp()
        self.route("2001:db8:2::/48", UP, UP_MAC)
        self.route("2001:db8:2::2/128", HOST_B, HOST_B_MAC)

    def route(self, prefix, port, mac):
        self.insert(
            "ipv6_route", {"hdr.ipv6.dst": prefix}, "route",
            port=port, src_mac=NODE_MAC, dst_mac=mac,
        )  # fmt: skip


def to_node(make=simple_udpv6_packet, dst="2001:db8:2::2", hop_limit=64, **fields):
    return make(
        eth_dst=NODE_MAC, eth_src=HOST_A_MAC, ipv6_src="2001:db8:1::1", ipv6_dst=dst,
        ipv6_hlim=hop_limit, **fields,
    )  # fmt: skip


def routed(packet, mac=HOST_B_MAC):
    packet = packet.copy()
    packet[Ether].src, packet[Ether].dst = NODE_MAC, mac
    packet[IPv6].hlim -= 1
    return packet


@group("classical")
class EveryProtocolIsRoutedTest(RoutedTest):
    def runTest(self):
        for make in (simple_udpv6_packet, simple_tcpv6_packet, simple_icmpv6_packet):
            for length in (80, 1500):
                packet = to_node(make, pktlen=length)
                self.send(HOST_A, packet)
                self.expect(HOST_B, routed(packet))
        self.expect_nothing()


@group("classical")
class LongestPrefixWinsTest(RoutedTest):
    def runTest(self):
        for dst, port, mac in (
            ("2001:db8:2::2", HOST_B, HOST_B_MAC),
            ("2001:db8:2::3", UP, UP_MAC),
            ("2001:db8:2:ffff::", UP, UP_MAC),
        ):
            packet = to_node(dst=dst)
            self.send(HOST_A, packet)
            self.expect_only(port, routed(packet, mac))


@group("classical")
class NoRouteIsDroppedTest(RoutedTest):
    def runTest(self):
        self.dropped(HOST_A, to_node(dst="2001:db8:3::1"), "DROP_NO_ROUTE")


@group("classical")
class HopLimitOfTwoIsTheLastThatIsRoutedTest(RoutedTest):
    def runTest(self):
        packet = to_node(hop_limit=2)
        self.send(HOST_A, packet)
        self.expect_only(HOST_B, routed(packet))
        for hop_limit in (1, 0):
            self.dropped(HOST_A, to_node(hop_limit=hop_limit), "DROP_TTL")


@group("classical")
class TruncatedHeadersAreDroppedTest(RoutedTest):
    def runTest(self):
        packet = bytes(to_node())
        for length in (15, 53, 54, 61):
            self.dropped(HOST_A, packet[:length], "DROP_PARSER_ERROR")


@group("classical")
class PacketsForOthersAreSwitchedNotRoutedTest(RoutedTest):
    def runTest(self):
        self.insert("l2", {"hdr.ethernet.dst": HOST_B_MAC}, "forward", port=HOST_B)
        packet = to_node()
        packet[Ether].dst = HOST_B_MAC
        self.send(HOST_A, packet)
        self.expect_only(HOST_B, packet)
