"""QCI on a link, between neighbours: PING is answered by the switch, HELLO and PONG are the
controller's."""

from base import CONSTANTS
from ptf.testutils import group
from qnode import DOWN, HOST_A, NODE_MAC, OTHER, QUANTUM, UP, UP_MAC, QnodeTest
from scapy.layers.l2 import Ether

from qplane.wire.scapy import QCI, QCIProbe

PACKET_IN_QCI = CONSTANTS["PACKET_IN_QCI"]


def probe(type_, *, src=UP_MAC, dst=NODE_MAC, **header):
    body = QCIProbe(node_id=77, port=3, nonce=0x1234, time_ps=-5_000_000_000_000)
    return (
        Ether(src=src, dst=dst, type=0x88B5) / QCI(type=CONSTANTS[f"QCI_{type_}"], **header) / body
    )


def padded(frame):
    """As a network card sends it: at least 60 bytes."""
    return bytes(frame).ljust(60, b"\0")


@group("qci")
class PingIsAnsweredWhereItCameInTest(QnodeTest):
    """All that the asker sent comes back, its clock included; only type and checksum change."""

    def runTest(self):
        for port in (UP, DOWN):
            self.send(port, probe("PING"))
            self.expect_only(port, probe("PONG", src=NODE_MAC, dst=UP_MAC))


@group("qci")
class PaddingComesBackTest(QnodeTest):
    def runTest(self):
        self.send(UP, padded(probe("PING")))
        self.expect_only(UP, Ether(padded(probe("PONG", src=NODE_MAC, dst=UP_MAC))))


@group("qci")
@group("cpu")
class HelloAndPongGoToTheControllerTest(QnodeTest):
    def runTest(self):
        for port in (UP, DOWN):
            for type_ in ("HELLO", "PONG"):
                self.send(port, probe(type_))
                self.expect_packet_in(
                    probe(type_), ingress_port=port, reason=PACKET_IN_QCI, detail=0
                )
        self.expect_nothing()


@group("qci")
class ProbesFromOtherPortsAreForgedTest(QnodeTest):
    """Host ports, the quantum port, and ports that nothing is known about."""

    def runTest(self):
        for port in (HOST_A, QUANTUM, OTHER):
            for type_ in ("PING", "PONG", "HELLO"):
                self.dropped(port, probe(type_), "DROP_QCI_PORT")


@group("qci")
class DamagedProbeIsDroppedTest(QnodeTest):
    """Each bit that the CRC-32 covers, and the CRC-32 itself: one flipped bit in every byte."""

    def runTest(self):
        good = bytes(probe("PING"))
        flips = [place for place in range(18, len(good))]  # checksum and body
        with self.counts(drops={"DROP_BAD_CHECKSUM": len(flips)}):
            for place in flips:
                self.send(UP, good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :])
        self.expect_nothing()


@group("qci")
class MalformedProbeIsDroppedTest(QnodeTest):
    """Version, type or length that do not go together; message types that belong on a circuit."""

    def runTest(self):
        for header in (
            {"version": 0},
            {"version": 2},
            {"length": 20},
            {"length": 25},
            {"length": 0},
            {"flags": 8},  # kept for authentication
        ):
            self.dropped(UP, probe("PING", **header), "DROP_QCI_MALFORMED")
        for type_ in ("TRACK", "EXPIRE", "EXPIRE_ACK"):
            self.dropped(UP, probe(type_), "DROP_QCI_MALFORMED")
        unknown = probe("PING")
        unknown[QCI].type = 0x13
        self.dropped(UP, unknown, "DROP_QCI_MALFORMED")


@group("qci")
class TooLongProbeIsDroppedTest(QnodeTest):
    """Padding ends at Ethernet's minimum; beyond it, somebody hides something."""

    def runTest(self):
        self.dropped(UP, padded(probe("PING")) + b"\0", "DROP_QCI_MALFORMED")


@group("qci")
class TruncatedProbeIsDroppedTest(QnodeTest):
    def runTest(self):
        whole = bytes(probe("PING"))
        for length in (15, 21, 22, 37):
            self.dropped(UP, whole[:length], "DROP_PARSER_ERROR")
