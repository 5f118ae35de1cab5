"""Device frames: only the quantum port may send them. FEATURES and STATUS are the controller's."""

from base import CONSTANTS
from ptf.testutils import group
from qnode import (
    DEVICE_MAC,
    HOST_A,
    OTHER,
    QUANTUM,
    SWITCH_SIDE_MAC,
    UP,
    HeadEndTest,
    QnodeTest,
)
from scapy.layers.l2 import Ether

from qplane.wire.scapy import Device, DeviceFeatures, LinkControl, LinkFeatures, Qubit, Transaction

PACKET_IN_DEVICE = CONSTANTS["PACKET_IN_DEVICE"]


def from_device(type_, body, **header):
    return (
        Ether(dst=SWITCH_SIDE_MAC, src=DEVICE_MAC, type=0x88B6)
        / Device(type=type_, **header)
        / body
    )


ANSWERS = (
    from_device(0x42, DeviceFeatures(transaction=9, node_id=1, links=2, slots=8), link=0xFF),
    from_device(0x43, LinkFeatures(transaction=9, remote_node_id=2, length_m=10_000), link=1),
    from_device(0x47, LinkControl(transaction=10, label=100, status=1), link=1),
)


@group("device")
@group("cpu")
class AnswersGoToTheControllerTest(QnodeTest):
    def runTest(self):
        for answer in ANSWERS:
            self.send(QUANTUM, answer)
            self.expect_packet_in(answer, ingress_port=QUANTUM, reason=PACKET_IN_DEVICE, detail=0)
        self.expect_nothing()


@group("device")
@group("cpu")
class ControllerReachesTheDeviceTest(QnodeTest):
    """What the controller sends out of a port leaves as it is."""

    def runTest(self):
        for frame in (
            from_device(0x41, Transaction(transaction=9), link=0xFF),
            from_device(0x44, LinkControl(transaction=9, label=100), link=1, flags=1),
        ):
            self.packet_out(frame, egress_port=QUANTUM)
            self.expect_only(QUANTUM, frame)


@group("device")
class DeviceFramesFromOtherPortsAreForgedTest(HeadEndTest):
    """Nobody else can drive the node's memory, or speak to the controller as the device."""

    def runTest(self):
        for port in (HOST_A, UP, OTHER):
            for frame in (self.down.event("PAIR", 1), self.down.event("EXPIRED", 1), *ANSWERS):
                self.dropped(port, frame, "DROP_DEVICE_PORT")


@group("device")
class CommandsAreNotEventsTest(HeadEndTest):
    """The device does not send what a switch sends; nor types that nobody knows."""

    def runTest(self):
        for type_ in (0x81, 0x82, 0x83, 0x84, 0x85, 0x41, 0x44, 0x00, 0x08, 0xFF):
            self.dropped(QUANTUM, from_device(type_, Qubit()), "DROP_DEVICE_MALFORMED")


@group("device")
class WrongVersionIsDroppedTest(HeadEndTest):
    def runTest(self):
        for version in (0, 2, 15):
            event = self.down.event("PAIR", 1)
            event[Device].version = version
            self.dropped(QUANTUM, event, "DROP_DEVICE_MALFORMED")


@group("device")
class LinkThatIsNotThereIsDroppedTest(HeadEndTest):
    """32 links are what the registers have room for."""

    def runTest(self):
        for link in (32, 0xFF):
            event = self.down.event("PAIR", 1)
            event[Device].link = link
            self.dropped(QUANTUM, event, "DROP_DEVICE_MALFORMED")


@group("device")
class LabelThatIsNotProgrammedIsDroppedTest(HeadEndTest):
    """No circuit has this label on this link: neither by the label nor by the link."""

    def runTest(self):
        wrong_label = self.down.event("PAIR", 1)
        wrong_label[Qubit].label = 201
        self.dropped(QUANTUM, wrong_label, "DROP_DEVICE_LABEL")
        self.dropped(QUANTUM, self.up.event("PAIR", 1), "DROP_DEVICE_LABEL")


@group("device")
class TooLongEventIsDroppedTest(HeadEndTest):
    def runTest(self):
        event = bytes(self.down.event("PAIR", 1)).ljust(61, b"\0")
        self.dropped(QUANTUM, event, "DROP_DEVICE_MALFORMED")


@group("device")
class TruncatedEventIsDroppedTest(HeadEndTest):
    def runTest(self):
        event = bytes(self.down.event("PAIR", 1))
        for length in (15, 17, 18, 49):
            self.dropped(QUANTUM, event[:length], "DROP_PARSER_ERROR")
