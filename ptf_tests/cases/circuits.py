"""Circuits that are programmed in part: nothing is guessed."""

from ptf.testutils import group
from qnode import (
    DOWN,
    NODE_MAC,
    QUANTUM,
    SIDE_DOWN,
    SIDE_UP,
    UP,
    CircuitTest,
    Side,
)


@group("qci")
class CircuitThatIsNotProgrammedTest(CircuitTest):
    """Its labels are known, what it is here is not."""

    def runTest(self):
        self.program_side(self.down)
        self.dropped(DOWN, self.down.arriving("TRACK", 5, 70), "DROP_UNKNOWN_CIRCUIT")
        self.dropped(QUANTUM, self.down.event("PAIR", 5), "DROP_UNKNOWN_CIRCUIT")


@group("qci")
class CircuitWithoutANeighbourTest(CircuitTest):
    """No entry in `adjacency`: the message can't be written, and is counted in egress."""

    def runTest(self):
        self.insert("circuit", {"circuit": self.circuit}, "end_node", **self.end_node(self.down))
        where = {"circuit_id": self.circuit, "side": SIDE_DOWN, "slice": 0}
        self.insert(
            "pair_in", {"link": self.down.link, "label": self.down.label}, "set_circuit", **where
        )
        with self.counts(drops={}, drops_in_egress="DROP_UNKNOWN_CIRCUIT"):
            self.send(QUANTUM, self.down.event("PAIR", 5))
        self.expect_nothing()


@group("qci")
class CircuitsDoNotShareRecordsTest(CircuitTest):
    """Two circuits end here and use the same link: a pair of one is never the other's."""

    def runTest(self):
        other = Side(UP, self.up.mac, label=101, link=self.down.link, side=SIDE_UP)
        self.program_end_node(self.down)
        end_node = {**self.end_node(other), "group_device": 12}
        self.insert("circuit", {"circuit": 8}, "end_node", **end_node)
        self.multicast(12, (QUANTUM, 3), (UP, SIDE_UP))
        self.insert(
            "adjacency", {"circuit": 8, "copy": SIDE_UP}, "set_adjacency",
            label=other.label, src_mac=NODE_MAC, dst_mac=other.mac,
        )  # fmt: skip
        where = {"circuit_id": 8, "side": SIDE_UP, "slice": 0}
        self.insert("label_in", {"ingress": UP, "label": other.label}, "set_circuit", **where)
        self.send(QUANTUM, self.down.event("PAIR", 5))
        self.expect(DOWN, self.down.leaving("TRACK", 5, 5))
        with self.counts(pair_events="EVENT_TRACK_UNKNOWN"):
            self.send(UP, other.arriving("TRACK", 5, 70))
            self.expect_only(UP, other.leaving("EXPIRE", 5, 70, reason=3))
