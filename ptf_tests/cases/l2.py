"""Frames that are not addressed to the node are switched by their destination address."""

from ptf.testutils import group, simple_eth_packet, simple_tcp_packet
from qnode import DOWN, HOST_A, HOST_B, HOST_B_MAC, UP, QnodeTest

BROADCAST = "ff:ff:ff:ff:ff:ff"


@group("classical")
class KnownAddressIsForwardedTest(QnodeTest):
    """Whatever the payload: nothing of it is changed, IPv4's TTL included."""

    def runTest(self):
        self.insert("l2", {"dst": HOST_B_MAC}, "forward", port=HOST_B)
        for packet in (
            simple_eth_packet(eth_dst=HOST_B_MAC, eth_type=0x9000),
            simple_tcp_packet(eth_dst=HOST_B_MAC, ip_ttl=1),
            simple_tcp_packet(eth_dst=HOST_B_MAC, pktlen=1500),
        ):
            self.send(HOST_A, packet)
            self.expect_only(HOST_B, packet)


@group("classical")
class UnknownAddressIsDroppedTest(QnodeTest):
    def runTest(self):
        self.insert("l2", {"dst": HOST_B_MAC}, "forward", port=HOST_B)
        stranger = simple_eth_packet(eth_dst="02:00:00:00:0a:03", eth_type=0x9000)
        self.dropped(HOST_A, stranger, "DROP_UNKNOWN_MAC")


@group("classical")
class AddressCanBeBlockedTest(QnodeTest):
    """The reason is the entry's, so that an operator's blocks are counted apart."""

    def runTest(self):
        self.insert("l2", {"dst": HOST_B_MAC}, "QnodeIngress.classical.drop", reason=31)
        before = self.counter("QnodeIngress.drops", 31)
        self.send(HOST_A, simple_eth_packet(eth_dst=HOST_B_MAC, eth_type=0x9000))
        self.expect_nothing()
        self.assertEqual(self.counter("QnodeIngress.drops", 31), before + 1)


@group("classical")
@group("multicast")
class FloodGoesToAllPortsButTheOneItCameFromTest(QnodeTest):
    def runTest(self):
        members = (HOST_A, HOST_B, UP, DOWN)
        self.multicast(1, *((port, 0) for port in members))
        self.insert("l2", {"dst": BROADCAST}, "flood", group=1)
        packet = simple_eth_packet(eth_dst=BROADCAST, eth_type=0x9000)
        for came_from in members:
            self.send(came_from, packet)
            for port in members:
                if port != came_from:
                    self.expect(port, packet)
            self.expect_nothing()


@group("classical")
@group("multicast")
class FloodToAGroupWithoutMembersReachesNobodyTest(QnodeTest):
    def runTest(self):
        self.insert("l2", {"dst": BROADCAST}, "flood", group=99)
        with self.counts(drops={}):
            self.send(HOST_A, simple_eth_packet(eth_dst=BROADCAST, eth_type=0x9000))
            self.expect_nothing()


@group("classical")
class ShorterThanAnEthernetHeaderIsDroppedTest(QnodeTest):
    def runTest(self):
        whole = bytes(simple_eth_packet(eth_dst=HOST_B_MAC, eth_type=0x9000))
        self.insert("l2", {"dst": HOST_B_MAC}, "forward", port=HOST_B)
        for length in (1, 6, 13):
            self.dropped(HOST_A, whole[:length], "DROP_PARSER_ERROR")
