"""Slices: their meters, counters and slot ranges. What one sends too much of takes nothing from
others."""

from base import CONSTANTS
from probes import probe
from ptf.testutils import group, simple_udp_packet
from qnode import (
    DOWN,
    HOST_A,
    HOST_B,
    HOST_B_MAC,
    NODE_MAC,
    QUANTUM,
    UP,
    UP_MAC,
    HeadEndTest,
    QnodeTest,
    RepeaterTest,
)
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from qplane.wire.scapy import MPLS

GREEN, YELLOW, RED = 0, 1, 2
CLASSICAL, QCI, PAIRS, DELIVERED = (
    CONSTANTS[f"SLICE_{name}"] for name in ("CLASSICAL", "QCI", "PAIR", "DELIVER")
)


def cell(slice_, kind, colour=0):
    """Index into slice_traffic."""
    return slice_ * 8 + kind + colour


class Sliced(QnodeTest):
    """Port A belongs to slice 3, the neighbour above to slice 4, all else to slice 0."""

    port_slices = {HOST_A: 3, UP: 4}  # noqa: RUF012

    def setUp(self):
        super().setUp()
        self.insert("l2", {"dst": HOST_B_MAC}, "forward", port=HOST_B)


@group("slices")
@group("meters")
class ClassicalTrafficOfAPortTest(Sliced):
    """Green and yellow packets pass, red ones are dropped; each is counted in its slice."""

    def runTest(self):
        packet = simple_udp_packet(eth_dst=HOST_B_MAC, pktlen=100)
        self.meter("classical_meter", 3, committed=300, peak=500)
        grows = {
            cell(3, CLASSICAL, GREEN): 3,
            cell(3, CLASSICAL, YELLOW): 2,
            cell(3, CLASSICAL, RED): 2,
        }
        with self.counts(slice_traffic=grows, drops={"DROP_SLICE_CLASSICAL": 2}):
            for _ in range(7):
                self.send(HOST_A, packet)
        for _ in range(5):
            self.expect(HOST_B, packet)
        self.expect_nothing()
        with self.counts(slice_traffic={cell(0, CLASSICAL, GREEN): 1}):
            self.send(DOWN, packet)  # another slice has its own meter
            self.expect_only(HOST_B, packet)


@group("slices")
@group("meters")
class UserLabelBelongsToASliceTest(Sliced):
    """MPLS user data is classified by its label, not by the port where many slices meet."""

    def runTest(self):
        self.insert("label_slice", {"ingress_port": DOWN, "label": 777}, "set_slice", slice=9)
        self.insert(
            "mpls_label", {"label": 777}, "label_swap", label=778, port=UP, src_mac=NODE_MAC,
            dst_mac=UP_MAC,
        )  # fmt: skip
        self.meter("classical_meter", 9, committed=70, peak=70)
        data = Ether(dst=NODE_MAC) / MPLS(label=777, s=1, ttl=9) / Raw(bytes(42))
        with self.counts(slice_traffic={cell(9, CLASSICAL, GREEN): 1, cell(9, CLASSICAL, RED): 1}):
            self.send(DOWN, data)
            self.send(DOWN, data)
        self.expect_only(
            UP, Ether(dst=UP_MAC, src=NODE_MAC) / MPLS(label=778, s=1, ttl=8) / Raw(bytes(42))
        )
        with self.counts(slice_traffic={cell(3, CLASSICAL, GREEN): 1}):
            self.send(HOST_A, data)  # the label is of slice 9 on that port only
            self.expect(
                UP, Ether(dst=UP_MAC, src=NODE_MAC) / MPLS(label=778, s=1, ttl=8) / Raw(bytes(42))
            )


@group("slices")
@group("meters")
class ProbesOfAPortAreMeteredTest(Sliced):
    def runTest(self):
        self.meter("qci_meter", 4, committed=1, peak=2)
        grows = {cell(4, QCI, GREEN): 1, cell(4, QCI, YELLOW): 1, cell(4, QCI, RED): 1}
        with self.counts(slice_traffic=grows, drops="DROP_SLICE_QCI"):
            for _ in range(3):
                self.send(UP, probe("PING"))
        for _ in range(2):
            self.expect(UP, probe("PONG", src=NODE_MAC, dst=UP_MAC))
        self.expect_nothing()
        self.send(DOWN, probe("PING"))
        self.expect_only(DOWN, probe("PONG", src=NODE_MAC, dst=UP_MAC))


@group("slices")
@group("meters")
class MetersAreReadBackTest(Sliced):
    def runTest(self):
        entry = self.meter("qci_meter", 63, committed=10, peak=20)
        (seen,) = entry.read()
        self.assertEqual((seen.cir, seen.cburst, seen.pir, seen.pburst), (1, 10, 1, 20))


@group("slices")
@group("meters")
@group("qci")
class RedMessageTouchesNothingTest(HeadEndTest):
    """A TRACK beyond the slice's rate is dropped before it could change a record."""

    slice = 5

    def runTest(self):
        self.meter("qci_meter", 5, committed=1, peak=1)
        with self.counts(
            slice_traffic={cell(5, QCI, GREEN): 1, cell(5, QCI, RED): 1}, drops="DROP_SLICE_QCI"
        ):
            self.send(DOWN, self.down.arriving("TRACK", 1, 70))
            self.send(DOWN, self.down.arriving("TRACK", 2, 71))
        self.expect_nothing()
        with self.counts(slice_traffic={cell(5, PAIRS): 2, cell(5, DELIVERED): 1}):
            self.send(QUANTUM, self.down.event("PAIR", 1))
            self.expect(QUANTUM, self.down.command("DELIVER", 1, seq2=70))
            self.expect(DOWN, self.down.leaving("TRACK", 1, 1))
            self.send(QUANTUM, self.down.event("PAIR", 2))
            self.expect_only(DOWN, self.down.leaving("TRACK", 2, 2))


@group("slices")
@group("device")
class SlotOfAnotherSliceIsNeverTouchedTest(RepeaterTest):
    """Slots 4 to 7 are the slice's: a pair in any other has no part in swaps, gets no command."""

    slice = 6

    def runTest(self):
        self.insert("slot_range", {"slice": 6}, "set_slot_range", first_slot=4, last_slot=7)
        with self.counts(slice_traffic={cell(6, PAIRS): 2}, drops={"DROP_SLICE_SLOT": 3}):
            for number, slot in enumerate((3, 8, 0xFFFF)):
                self.send(QUANTUM, self.up.event("PAIR", number, slot=slot))
            self.expect_nothing()
            self.send(QUANTUM, self.down.event("PAIR", 20, slot=4))
            self.expect_nothing()
            self.send(QUANTUM, self.up.event("PAIR", 21, slot=7, generation=9))
        self.expect_only(
            QUANTUM,
            self.up.command(
                "SWAP", 21, slot=7, generation=9, link2=self.down.link, seq2=20, slot2=4
            ),
        )


@group("slices")
class CircuitsCountTheirPairsTest(RepeaterTest):
    """circuit_events: what happened to each circuit's pairs."""

    def runTest(self):
        heralded, swap, swapped, failed, expired = (
            self.circuit * 8 + CONSTANTS[f"CIRCUIT_{name}"]
            for name in ("HERALDED", "SWAP", "SWAPPED", "SWAP_FAILED", "EXPIRED")
        )
        with self.counts(circuit_events={heralded: 2, swap: 1, swapped: 1}):
            self.swap(1, 2)
        with self.counts(circuit_events={heralded: 2, swap: 1, failed: 1}):
            self.begin_swap(3, 4)
            self.send(QUANTUM, self.swapped(3, 4, type_="SWAP_FAILED"))
        with self.counts(circuit_events={heralded: 1, expired: 1}):
            self.send(QUANTUM, self.up.event("PAIR", 5))
            self.send(QUANTUM, self.up.event("EXPIRED", 5))
