"""Packets from the controller leave by the port that it names; nothing in them is looked at."""

from ptf.testutils import group, simple_udp_packet
from qnode import DOWN, HOST_A, HOST_B, NODE_MAC, QUANTUM, UP, QnodeTest
from scapy.packet import Raw


@group("cpu")
class PacketOutLeavesByEveryPortTest(QnodeTest):
    def runTest(self):
        # The TTL of 1 to the node's own address would be dropped if it were looked at.
        packet = simple_udp_packet(eth_dst=NODE_MAC, ip_ttl=1)
        for port in (HOST_A, HOST_B, UP, DOWN, QUANTUM):
            self.packet_out(packet, egress_port=port)
            self.expect_only(port, packet)


@group("cpu")
class PacketOutOfAnySizeTest(QnodeTest):
    def runTest(self):
        for length in (1, 13, 14, 60, 1500, 9000):
            packet = Raw(bytes(number % 251 for number in range(length)))
            self.packet_out(packet, egress_port=HOST_A)
            self.expect(HOST_A, packet)
        self.expect_nothing()


@group("cpu")
class PacketOutsKeepTheirOrderTest(QnodeTest):
    def runTest(self):
        packets = [Raw(number.to_bytes(4, "big") * 10) for number in range(40)]
        for packet in packets:
            self.packet_out(packet, egress_port=HOST_A)
        for packet in packets:
            self.expect(HOST_A, packet)
        self.expect_nothing()
