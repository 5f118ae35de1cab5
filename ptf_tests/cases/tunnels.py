"""MPLS-in-UDP (RFC 7510): a side of a circuit that leads across an IP network."""

from base import CONSTANTS
from ptf.testutils import group
from qnode import DOWN, HOST_A, HOST_B, NODE_MAC, QUANTUM, UP, UP_MAC, CircuitTest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from qplane.wire.scapy import ACH, MPLS, QCI, QCICircuitPing, QCIPair, gal

HERE, PEER = "192.0.2.1", "198.51.100.7"
HERE6, PEER6 = "2001:db8::1", "2001:db8:1::7"
ROUTER_MAC = "06:00:00:00:0f:00"
TUNNEL = 513
ENTROPY = 0xC000  # and the label


class Tunnelled(CircuitTest):
    """The circuit's head-end; the other end is reached through port DOWN and an IP network."""

    def setUp(self):
        super().setUp()
        side = self.down
        self.multicast(11, (QUANTUM, 3), (DOWN, side.side))
        self.insert("circuit", {"circuit": self.circuit}, "end_node", **self.end_node(side))
        where = {"circuit_id": self.circuit, "side": side.side, "slice": 0}
        self.insert("label_in", {"ingress": TUNNEL, "label": side.label}, "set_circuit", **where)
        self.insert("pair_in", {"link": side.link, "label": side.label}, "set_circuit", **where)
        self.program_tunnel()

    def message(self, type_, seq, origin, **fields):
        """A message as it is inside of the tunnel."""
        return self.down.arriving(type_, seq, origin, **fields).payload

    def deliver(self, packet, seq, origin):
        """The packet's TRACK delivers the pair."""
        self.send(QUANTUM, self.down.event("PAIR", seq))
        self.expect(DOWN, self.leaving("TRACK", seq, seq))
        self.send(UP, packet)  # whichever way it came through the network
        self.expect_only(QUANTUM, self.down.command("DELIVER", seq, seq2=origin))


class OverIpv4(Tunnelled):
    def program_tunnel(self):
        self.insert("tunnel_ipv4", {"dst": HERE, "src": PEER}, "set_tunnel", tunnel=TUNNEL)
        self.insert(
            "adjacency", {"circuit": self.circuit, "copy": self.down.side}, "set_tunnel_ipv4",
            label=self.down.label, src_mac=NODE_MAC, dst_mac=ROUTER_MAC, src_ip=HERE, dst_ip=PEER,
        )  # fmt: skip

    def arriving(self, type_, seq, origin, *, src=PEER, dst=HERE, ttl=30, chksum=0, **fields):
        return (
            Ether(dst=NODE_MAC, src=ROUTER_MAC)
            / IP(src=src, dst=dst, ttl=ttl, id=77)
            / UDP(sport=50000, dport=6635, chksum=chksum)
            / self.message(type_, seq, origin, **fields)
        )

    def leaving(self, type_, seq, origin, **fields):
        return (
            Ether(dst=ROUTER_MAC, src=NODE_MAC)
            / IP(src=HERE, dst=PEER, ttl=64, id=0, flags="DF")
            / UDP(sport=ENTROPY | self.down.label, dport=6635, chksum=0)
            / self.down.leaving(type_, seq, origin, **fields).payload
        )


class OverIpv6(Tunnelled):
    def program_tunnel(self):
        self.insert("tunnel_ipv6", {"dst": HERE6, "src": PEER6}, "set_tunnel", tunnel=TUNNEL)
        self.insert(
            "adjacency", {"circuit": self.circuit, "copy": self.down.side}, "set_tunnel_ipv6",
            label=self.down.label, src_mac=NODE_MAC, dst_mac=ROUTER_MAC, src_ip=HERE6, dst_ip=PEER6,
        )  # fmt: skip

    def arriving(self, type_, seq, origin, *, src=PEER6, dst=HERE6, chksum=None, **fields):
        return (
            Ether(dst=NODE_MAC, src=ROUTER_MAC)
            / IPv6(src=src, dst=dst, hlim=30)
            / UDP(sport=50000, dport=6635, chksum=chksum)
            / self.message(type_, seq, origin, **fields)
        )

    def leaving(self, type_, seq, origin, **fields):
        return (
            Ether(dst=ROUTER_MAC, src=NODE_MAC)
            / IPv6(src=HERE6, dst=PEER6, hlim=64, fl=self.down.label)
            / UDP(sport=ENTROPY | self.down.label, dport=6635)
            / self.down.leaving(type_, seq, origin, **fields).payload
        )


@group("tunnels")
class PairIsDeliveredOverIpv4Test(OverIpv4):
    """Outgoing messages get outer headers: UDP's checksum is 0, the source port holds the label.
    What comes from the peer is taken in, with no UDP checksum or a right one, with options too."""

    def runTest(self):
        self.deliver(self.arriving("TRACK", 1, 70), 1, 70)
        self.deliver(self.arriving("TRACK", 2, 71, chksum=None), 2, 71)
        options = self.arriving("TRACK", 3, 72)
        options[IP].options = [b"\x01\x01\x01\x00"]
        self.deliver(Ether(bytes(options)), 3, 72)


@group("tunnels")
class PairIsDeliveredOverIpv6Test(OverIpv6):
    """The same over IPv6, where there always is a UDP checksum."""

    def runTest(self):
        for number in range(20):
            self.deliver(self.arriving("TRACK", number, 70 + number), number, 70 + number)


@group("tunnels")
class AnswersGoBackThroughTheTunnelTest(OverIpv4):
    def runTest(self):
        self.send(UP, self.arriving("EXPIRE", 1, 70, flags=1))
        self.expect(QUANTUM, self.down.command("VOID", 1))
        self.expect_only(DOWN, self.leaving("EXPIRE_ACK", 1, 70))


@group("tunnels")
class PingThroughATunnelTest(OverIpv6):
    """The longer message, with its own checksum over IPv6."""

    def runTest(self):
        inside = (
            MPLS(label=self.down.label, ttl=255) / gal() / ACH()
            / QCI(type=CONSTANTS["QCI_CIRCUIT_PING"]) / QCICircuitPing(nonce=7, time_ps=8)
        )  # fmt: skip
        outer = Ether(dst=NODE_MAC, src=ROUTER_MAC) / IPv6(src=PEER6, dst=HERE6, hlim=30)
        self.send(UP, outer / UDP(sport=50000, dport=6635) / inside)
        result = self.dataplane.poll(device_number=0, port_number=DOWN, timeout=5)
        seen = Ether(bytes(result.packet))
        pong = seen[QCICircuitPing]
        self.assertEqual((pong.nonce, pong.hop, pong.last_slot), (7, 1, 0xFFFF))
        checksums = seen[UDP].chksum, seen[QCI].checksum
        seen[UDP].chksum = seen[QCI].checksum = None
        right = Ether(bytes(seen))
        self.assertEqual((right[UDP].chksum, right[QCI].checksum), checksums)


@group("tunnels")
class WrongUdpChecksumIsDroppedTest(OverIpv4):
    def runTest(self):
        good = self.arriving("TRACK", 1, 70, chksum=None)
        right = Ether(bytes(good))[UDP].chksum
        self.dropped(UP, self.arriving("TRACK", 1, 70, chksum=right ^ 1), "DROP_BAD_CHECKSUM")


@group("tunnels")
class Ipv6WithoutUdpChecksumIsDroppedTest(OverIpv6):
    def runTest(self):
        self.dropped(UP, self.arriving("TRACK", 1, 70, chksum=0), "DROP_BAD_CHECKSUM")
        right = Ether(bytes(self.arriving("TRACK", 1, 70)))[UDP].chksum
        self.dropped(UP, self.arriving("TRACK", 1, 70, chksum=right ^ 0x100), "DROP_BAD_CHECKSUM")


@group("tunnels")
class DamagedMessageInATunnelIsDroppedTest(OverIpv4):
    """QCI's own CRC-32 protects the message where UDP's checksum is 0."""

    def runTest(self):
        bad = Ether(bytes(self.arriving("TRACK", 1, 70)))
        bad[QCIPair].pair_seq = 2
        self.dropped(UP, bad, "DROP_BAD_CHECKSUM")


@group("tunnels")
class OnlyThePeerSpeaksForTheCircuitTest(OverIpv4):
    """From another address, or on a bare port, the circuit's label means nothing."""

    def runTest(self):
        self.dropped(UP, self.arriving("TRACK", 1, 70, src="198.51.100.8"), "DROP_NO_ROUTE")
        self.dropped(DOWN, self.down.arriving("TRACK", 1, 70), "DROP_UNKNOWN_LABEL")
        self.insert("tunnel_ipv4", {"dst": HERE, "src": "198.51.100.8"}, "set_tunnel", tunnel=514)
        self.dropped(UP, self.arriving("TRACK", 1, 70, src="198.51.100.8"), "DROP_UNKNOWN_LABEL")


@group("tunnels")
class OthersTunnelsPassThroughTest(OverIpv4):
    """To an address that is not this node's, MPLS in UDP is user data: routed, and otherwise as it
    was, be the message inside damaged."""

    def runTest(self):
        self.insert(
            "ipv4_route", {"dst": "203.0.113.0/24"}, "route", port=HOST_B, src_mac=NODE_MAC,
            dst_mac=UP_MAC,
        )  # fmt: skip
        packet = Ether(bytes(self.arriving("TRACK", 1, 70, dst="203.0.113.5")))
        packet[QCI].checksum ^= 1
        self.send(HOST_A, packet)
        packet[Ether].dst, packet[Ether].src = UP_MAC, NODE_MAC
        packet[IP].ttl -= 1
        packet[IP].chksum = None
        self.expect_only(HOST_B, packet)


@group("tunnels")
class WhatIsNotAMessageIsUserDataTest(OverIpv4):
    """Of another length, or with something else than the associated channel below the label."""

    def runTest(self):
        outer = Ether(dst=NODE_MAC) / IP(src=PEER, dst=HERE)
        for payload in (bytes(4), bytes(32), bytes(36), bytes(200)):
            packet = outer / UDP(sport=50000, dport=6635, chksum=0) / Raw(payload)
            self.dropped(UP, packet, "DROP_NO_ROUTE")


@group("tunnels")
class TruncatedMessageInATunnelIsDroppedTest(OverIpv4):
    def runTest(self):
        whole = bytes(self.arriving("TRACK", 1, 70))
        for length in (len(whole) - 1, len(whole) - 12, len(whole) - 20, len(whole) - 28):
            self.dropped(UP, whole[:length], "DROP_PARSER_ERROR")
