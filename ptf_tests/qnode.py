"""The node under test: its ports, addresses and circuits, and the messages it speaks.

    host A -- port 1 .------------. port 3 -- neighbour towards the head-end ("up")
    host B -- port 2 |  the node  | port 4 -- neighbour towards the tail-end ("down")
                     '------------'
                        port 5: the quantum device        port 510: the controller

Frames are Scapy packets of `qplane.wire.scapy`; see docs/wire.md.
"""

from base import CONSTANTS, SwitchTest
from scapy.layers.l2 import Ether

from qplane.wire.qci import QciFlag
from qplane.wire.scapy import ACH, MPLS, QCI, Device, QCIPair, Qubit, gal

HOST_A, HOST_B, UP, DOWN, QUANTUM, OTHER = 1, 2, 3, 4, 5, 6

NODE_MAC = "06:00:00:00:01:00"
UP_MAC = "06:00:00:00:02:00"
DOWN_MAC = "06:00:00:00:03:00"
HOST_A_MAC = "02:00:00:00:0a:01"
HOST_B_MAC = "02:00:00:00:0a:02"
SWITCH_SIDE_MAC = "02:00:00:00:00:01"
DEVICE_MAC = "02:00:00:00:00:02"

SIDE_DOWN, SIDE_UP, TO_DEVICE = (CONSTANTS[f"COPY_{name}"] for name in ("DOWN", "UP", "DEVICE"))
ACK_REQUESTED = int(QciFlag.ACK_REQUESTED)
LOST = int(QciFlag.LOST)


class QnodeTest(SwitchTest):
    """Ports of every kind and the node's MAC address are programmed."""

    port_slices = {}  # noqa: RUF012 (a test's own, instead of slice 0)

    def setUp(self):
        super().setUp()
        kinds = {UP: "NEIGHBOUR", DOWN: "NEIGHBOUR", QUANTUM: "QUANTUM", HOST_A: "HOST"}
        for port, kind in kinds.items():
            self.insert(
                "port_kind", {"ingress_port": port}, "set_port_kind",
                kind=CONSTANTS[f"PORT_{kind}"], slice=self.port_slices.get(port, 0),
            )  # fmt: skip
        self.insert("my_mac", {"dst": NODE_MAC}, "NoAction")


class Side:
    """One side of a circuit at this node: how messages arrive and leave, and its quantum link."""

    def __init__(self, port, mac, label, link, side):
        self.port = port
        self.mac = mac
        self.label = label
        self.link = link
        self.side = side

    def arriving(self, type_, seq, origin, *, label=None, ttl=200, flags=0, **body):
        """A QCI message from the neighbour on this side."""
        label = self.label if label is None else label
        return _message(self.mac, NODE_MAC, label, ttl, flags, type_, seq, origin, body)

    def leaving(self, type_, seq, origin, *, ttl=255, flags=0, **body):
        """A QCI message as this node sends it on this side."""
        return _message(NODE_MAC, self.mac, self.label, ttl, flags, type_, seq, origin, body)

    def event(self, type_, seq, *, slot=0, generation=0, bell=0, flags=0, **qubit):
        """What the quantum device reports about a pair of this side's link."""
        return (
            Ether(dst=SWITCH_SIDE_MAC, src=DEVICE_MAC, type=0x88B6)
            / Device(type=CONSTANTS[f"DEVICE_{type_}"], link=self.link, bell=bell, flags=flags)
            / Qubit(label=self.label, seq=seq, slot=slot, generation=generation, **qubit)
        )

    def command(self, type_, seq, *, slot=0, generation=0, bell=0, flags=0, **qubit):
        """What the device is told to do with a pair of this side's link."""
        return (
            Ether(dst=DEVICE_MAC, src=SWITCH_SIDE_MAC, type=0x88B6)
            / Device(type=CONSTANTS[f"DEVICE_{type_}"], link=self.link, bell=bell, flags=flags)
            / Qubit(label=self.label, seq=seq, slot=slot, generation=generation, **qubit)
        )


def _message(src, dst, label, ttl, flags, type_, seq, origin, body):
    return (
        Ether(dst=dst, src=src, type=0x8847)
        / MPLS(label=label, ttl=ttl)
        / gal()
        / ACH()
        / QCI(type=CONSTANTS[f"QCI_{type_}"], flags=flags)
        / QCIPair(pair_seq=seq, origin_seq=origin, **body)
    )


class CircuitTest(QnodeTest):
    """One circuit through the node, from empty per-pair registers."""

    new_pipeline = True
    circuit = 7
    slice = 0
    request = 0  # to keep the pairs
    complete = 0
    budget_us = 0
    delay_us = 0
    serial = 0
    up = Side(UP, UP_MAC, label=100, link=0, side=SIDE_UP)
    down = Side(DOWN, DOWN_MAC, label=200, link=1, side=SIDE_DOWN)

    def program_side(self, side):
        """Messages and pairs of one side are the circuit's, and it has a neighbour there."""
        where = {"circuit_id": self.circuit, "side": side.side, "slice": self.slice}
        self.insert(
            "adjacency", {"circuit": self.circuit, "copy": side.side}, "set_adjacency",
            label=side.label, src_mac=NODE_MAC, dst_mac=side.mac,
        )  # fmt: skip
        self.insert("label_in", {"ingress": side.port, "label": side.label}, "set_circuit", **where)
        self.insert("pair_in", {"link": side.link, "label": side.label}, "set_circuit", **where)

    def program_end_node(self, side):
        """The circuit ends here; its only side is `side`."""
        self.multicast(11, (QUANTUM, TO_DEVICE), (side.port, side.side))
        self.insert("circuit", {"circuit": self.circuit}, "end_node", **self.end_node(side))
        self.program_side(side)

    def end_node(self, side):
        """The parameters of that action."""
        return {
            "device_port": QUANTUM, "side": side.side, "link": side.link, "port": side.port,
            "group_device": 11, "request": self.request, "complete": self.complete,
            "budget_us": self.budget_us, "delay_us": self.delay_us, "far_node": 0, "far_link": 0,
            "serial": self.serial,
        }  # fmt: skip

    def program_repeater(self):
        """The circuit runs through here."""
        self.multicast(21, (QUANTUM, TO_DEVICE), (UP, SIDE_UP))
        self.multicast(22, (QUANTUM, TO_DEVICE), (DOWN, SIDE_DOWN))
        self.multicast(23, (UP, SIDE_UP), (DOWN, SIDE_DOWN))
        self.insert(
            "circuit", {"circuit": self.circuit}, "repeater", device_port=QUANTUM,
            link_up=self.up.link, port_up=UP, group_device_up=21,
            link_down=self.down.link, port_down=DOWN, group_device_down=22, group_both=23,
            delay_up_us=self.delay_us, delay_down_us=self.delay_us,
        )  # fmt: skip
        self.program_side(self.up)
        self.program_side(self.down)


class HeadEndTest(CircuitTest):
    """The node is the circuit's head-end: its side is the one that leads down."""

    def setUp(self):
        super().setUp()
        self.program_end_node(self.down)


class TailEndTest(CircuitTest):
    """The node is the circuit's tail-end: its side is the one that leads up."""

    def setUp(self):
        super().setUp()
        self.program_end_node(self.up)


class RepeaterTest(CircuitTest):
    """The node is a repeater on the circuit."""

    def setUp(self):
        super().setUp()
        self.program_repeater()

    def begin_swap(self, seq_up, seq_down, *, bell_up=0, bell_down=0):
        """Both halves are heralded, and the device is told to swap them."""
        self.send(QUANTUM, self.up.event("PAIR", seq_up, slot=1, generation=10, bell=bell_up))
        self.send(QUANTUM, self.down.event("PAIR", seq_down, slot=2, generation=20, bell=bell_down))
        self.expect(
            QUANTUM,
            self.down.command(
                "SWAP", seq_down, slot=2, generation=20,
                link2=self.up.link, seq2=seq_up, slot2=1, generation2=10,
            ),
        )  # fmt: skip

    def swap(self, seq_up, seq_down, *, bell_up=0, bell_down=0, outcome=0):
        """The same, and the outcome is in."""
        self.begin_swap(seq_up, seq_down, bell_up=bell_up, bell_down=bell_down)
        with self.counts(pair_events="EVENT_SWAPPED"):
            self.send(QUANTUM, self.swapped(seq_up, seq_down, outcome))

    def swapped(self, seq_up, seq_down, outcome=0, type_="SWAPPED"):
        """The device's report of a swap."""
        return self.down.event(
            type_, seq_down, slot=2, generation=20, bell=outcome,
            link2=self.up.link, seq2=seq_up, slot2=1, generation2=10,
        )  # fmt: skip
