"""The node answers ARP for the gateway addresses of its host ports, and switches other ARP."""

from ptf.testutils import group
from qnode import HOST_A, HOST_A_MAC, HOST_B, HOST_B_MAC, NODE_MAC, QnodeTest
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

GATEWAY = "10.0.0.254"


def request(asked):
    return Ether(dst="ff:ff:ff:ff:ff:ff", src=HOST_A_MAC) / ARP(
        op=1, hwsrc=HOST_A_MAC, psrc="10.0.0.1", hwdst="00:00:00:00:00:00", pdst=asked
    )


def reply(asked):
    return Ether(dst=HOST_A_MAC, src=NODE_MAC) / ARP(
        op=2, hwsrc=NODE_MAC, psrc=asked, hwdst=HOST_A_MAC, pdst="10.0.0.1"
    )


class ArpTest(QnodeTest):
    def setUp(self):
        super().setUp()
        match = {"ingress_port": HOST_A, "target_ip": GATEWAY}
        self.insert("arp_responder", match, "arp_reply", mac=NODE_MAC)


@group("classical")
class GatewayIsAnsweredTest(ArpTest):
    def runTest(self):
        self.send(HOST_A, request(GATEWAY))
        self.expect_only(HOST_A, reply(GATEWAY))


@group("classical")
class GatewayOfAnotherPortIsNotAnsweredTest(ArpTest):
    def runTest(self):
        self.dropped(HOST_B, request(GATEWAY), "DROP_UNKNOWN_MAC")


@group("classical")
class OtherAddressesAreFloodedTest(ArpTest):
    def runTest(self):
        self.multicast(1, (HOST_A, 1), (HOST_B, 1))
        self.insert("l2", {"dst": "ff:ff:ff:ff:ff:ff"}, "flood", group=1)
        self.send(HOST_A, request("10.0.0.9"))
        self.expect_only(HOST_B, request("10.0.0.9"))


@group("classical")
class RepliesAreSwitchedTest(ArpTest):
    """Only requests are answered: a reply about the gateway is somebody's business."""

    def runTest(self):
        self.insert("l2", {"dst": HOST_B_MAC}, "forward", port=HOST_B)
        answer = reply("10.0.0.9")
        answer[Ether].dst = HOST_B_MAC
        answer[ARP].pdst = GATEWAY
        self.send(HOST_A, answer)
        self.expect_only(HOST_B, answer)


@group("classical")
class TruncatedArpIsDroppedTest(ArpTest):
    def runTest(self):
        self.dropped(HOST_A, Raw(bytes(request(GATEWAY))[:41]), "DROP_PARSER_ERROR")
