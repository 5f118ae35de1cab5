"""The quantum ping: what each node on a circuit answers, and the two-sided fidelity check."""

from base import CONSTANTS
from ptf.testutils import group
from qnode import DOWN, NODE_MAC, QUANTUM, UP, HeadEndTest, RepeaterTest, TailEndTest
from scapy.layers.l2 import Ether

from qplane.wire.scapy import ACH, MPLS, QCI, QCICircuitPing, gal

SAMPLE = CONSTANTS["QCI_FLAG_SAMPLE"]
MEASURE_AND_REPORT = CONSTANTS["DEVICE_FLAG_MEASURE"] | CONSTANTS["DEVICE_FLAG_REPORT"]
CORRECT = CONSTANTS["DEVICE_FLAG_CORRECT"]
END, REPEATER = CONSTANTS["ROLE_END"], CONSTANTS["ROLE_REPEATER"]
PONG, MEASURED = CONSTANTS["PACKET_IN_PONG"], CONSTANTS["PACKET_IN_SAMPLE"]
NODE_ID = 0x01020304
ASKED = {"nonce": 0xCAFE, "time_ps": -5}


def ping(type_, src, dst, side, *, ttl, flags=0, **body):
    return (
        Ether(dst=dst, src=src, type=0x8847)
        / MPLS(label=side.label, ttl=ttl)
        / gal()
        / ACH()
        / QCI(type=CONSTANTS[f"QCI_CIRCUIT_{type_}"], flags=flags)
        / QCICircuitPing(**ASKED, **body)
    )


def arriving(type_, side, *, ttl=255, **fields):
    return ping(type_, side.mac, NODE_MAC, side, ttl=ttl, **fields)


def leaving(type_, side, *, ttl=255, **fields):
    return ping(type_, NODE_MAC, side.mac, side, ttl=ttl, **fields)


class Answers:
    """Helpers: the node knows its id; a PONG whose ages, which nobody can foretell, are looked at
    alone."""

    def know_itself(self):
        self.set_default("node", "set_node", node_id=NODE_ID)

    def expect_pong(self, side, **state):
        result = self.dataplane.poll(device_number=0, port_number=side.port, timeout=5)
        self.assertTrue(hasattr(result, "packet"), "no PONG")
        seen = Ether(bytes(result.packet))[QCICircuitPing]
        ages = {"age_us": seen.age_us, "other_age_us": seen.other_age_us}
        expected = leaving("PONG", side, node_id=NODE_ID, last_slot=0xFFFF, **ages, **state)
        self.assertEqual(bytes(result.packet).hex(), bytes(expected).hex())
        return ages


@group("ping")
class RepeaterAnswersAndPassesOnTest(RepeaterTest, Answers):
    """Hop number, role, pairs in memory and in line on both sides; the question goes on without
    them."""

    def runTest(self):
        self.know_itself()
        for seq in range(3):
            self.send(QUANTUM, self.down.event("PAIR", seq))
        self.send(QUANTUM, self.down.event("EXPIRED", 0))
        self.expect(DOWN, self.down.leaving("EXPIRE", 0, 0, reason=1))
        self.send(UP, arriving("PING", self.up, ttl=253))
        ages = self.expect_pong(self.up, hop=3, role=REPEATER, other_held=2, other_ring=3)
        self.assertLess(ages["other_age_us"], 60_000_000)
        self.expect_only(DOWN, leaving("PING", self.down, ttl=252))
        self.send(DOWN, arriving("PING", self.down))
        self.expect_pong(self.down, hop=1, role=REPEATER, held=2, ring=3)
        self.expect_only(UP, leaving("PING", self.up, ttl=254))


@group("ping")
class SlotsOfTheSliceAreToldTest(RepeaterTest, Answers):
    def runTest(self):
        self.insert("slot_range", {"slice": 0}, "set_slot_range", first_slot=4, last_slot=9)
        self.know_itself()
        self.send(UP, arriving("PING", self.up))
        result = self.dataplane.poll(device_number=0, port_number=UP, timeout=5)
        seen = Ether(bytes(result.packet))[QCICircuitPing]
        self.assertEqual((seen.first_slot, seen.last_slot), (4, 9))


@group("ping")
class EndNodeAnswersTest(TailEndTest, Answers):
    """The question ends here. What is in memory: until it is delivered."""

    def runTest(self):
        self.know_itself()
        self.send(QUANTUM, self.up.event("PAIR", 1))
        self.expect(UP, self.up.leaving("TRACK", 1, 1))
        self.send(UP, arriving("PING", self.up, ttl=200))
        self.expect_pong(self.up, hop=56, role=END, held=1)
        self.send(UP, self.up.arriving("TRACK", 1, 70))
        self.expect(QUANTUM, self.up.command("DELIVER", 1, seq2=70, flags=CORRECT))
        self.send(UP, arriving("PING", self.up, ttl=200))
        self.expect_pong(self.up, hop=56, role=END)
        self.expect_nothing()


@group("ping")
class PongsPassARepeaterTest(RepeaterTest):
    """All that another node said stays as it is."""

    def runTest(self):
        state = {
            "hop": 2, "role": END, "node_id": 9, "held": 1, "other_held": 2, "ring": 3,
            "other_ring": 4, "age_us": 5, "other_age_us": 6, "first_slot": 7, "last_slot": 8,
            "sample_first": 10, "sample_count": 11, "flags": SAMPLE,
        }  # fmt: skip
        self.send(DOWN, arriving("PONG", self.down, ttl=255, **state))
        self.expect_only(UP, leaving("PONG", self.up, ttl=254, **state))


@group("ping")
@group("cpu")
class PongGoesToTheControllerTest(HeadEndTest):
    def runTest(self):
        pong = arriving("PONG", self.down, ttl=254, hop=2, role=REPEATER, node_id=9)
        self.send(DOWN, pong)
        self.expect_packet_in(pong, ingress_port=DOWN, reason=PONG, detail=0)
        self.expect_nothing()


@group("ping")
class PingOfTheWrongCircuitTest(RepeaterTest):
    """Wrong port, damaged, used up, or too long: dropped."""

    def runTest(self):
        good = arriving("PING", self.up)
        self.dropped(DOWN, good, "DROP_UNKNOWN_LABEL")
        bad = bytearray(bytes(good))
        bad[40] ^= 4
        self.dropped(UP, bytes(bad), "DROP_BAD_CHECKSUM")
        self.dropped(UP, arriving("PING", self.up, ttl=1), "DROP_TTL")
        self.dropped(UP, bytes(good) + b"\0", "DROP_QCI_MALFORMED")
        self.dropped(UP, bytes(good)[:70], "DROP_PARSER_ERROR")


@group("ping")
@group("cpu")
class TailEndMeasuresTheAgreedPairsTest(TailEndTest, Answers):
    """A ping with SAMPLE: pairs 70 and 71, as the head-end counts, are measured, and their
    outcomes go to the controller; those before and after are delivered as ever."""

    def runTest(self):
        self.know_itself()
        agreed = {"sample_first": 70, "sample_count": 2, "flags": SAMPLE}
        self.send(UP, arriving("PING", self.up, **agreed))
        self.expect_pong(self.up, hop=1, role=END, **agreed)
        for seq, origin in ((1, 69), (2, 70), (3, 71), (4, 72)):
            self.send(QUANTUM, self.up.event("PAIR", seq))
            self.expect(UP, self.up.leaving("TRACK", seq, seq))
            self.send(UP, self.up.arriving("TRACK", seq, origin))
            sampled = origin in (70, 71)
            flags = CORRECT | (MEASURE_AND_REPORT if sampled else 0)
            self.expect(QUANTUM, self.up.command("DELIVER", seq, seq2=origin, flags=flags))
            if sampled:
                outcome = self.up.event("DELIVERED", seq, bell=3)
                self.send(QUANTUM, outcome)
                self.expect_packet_in(outcome, ingress_port=QUANTUM, reason=MEASURED, detail=0)
        self.expect_nothing()


@group("ping")
@group("cpu")
class AnotherCircuitOfTheNumberMeasuresNoneOfTheAgreedPairsTest(TailEndTest, Answers):
    """What both ends of a circuit agreed on is nothing to a later one that has its number."""

    def runTest(self):
        self.know_itself()
        agreed = {"sample_first": 70, "sample_count": 2, "flags": SAMPLE}
        self.send(UP, arriving("PING", self.up, **agreed))
        self.expect_pong(self.up, hop=1, role=END, **agreed)
        self.serial = 1
        self.modify("circuit", {"circuit": self.circuit}, "end_node", **self.end_node(self.up))
        for seq, origin in ((1, 70), (2, 71)):
            self.send(QUANTUM, self.up.event("PAIR", seq))
            self.expect(UP, self.up.leaving("TRACK", seq, seq))
            self.send(UP, self.up.arriving("TRACK", seq, origin))
            self.expect(QUANTUM, self.up.command("DELIVER", seq, seq2=origin, flags=CORRECT))
        self.expect_nothing()


@group("ping")
@group("cpu")
class HeadEndMeasuresOnceTheOtherEndHasAgreedTest(HeadEndTest):
    """By the PONG of the end, not by a repeater's. The pair's number is the head-end's own, and
    wraps."""

    def runTest(self):
        agreed = {"sample_first": 0xFFFFFFFF, "sample_count": 2, "flags": SAMPLE}
        for role, sampled in ((REPEATER, False), (END, True)):
            pong = arriving("PONG", self.down, hop=2, role=role, **agreed)
            self.send(DOWN, pong)
            self.expect_packet_in(pong, ingress_port=DOWN, reason=PONG, detail=0)
            for seq in (0xFFFFFFFF, 0) if sampled else (0xFFFFFFFE,):
                self.send(QUANTUM, self.down.event("PAIR", seq))
                self.expect(DOWN, self.down.leaving("TRACK", seq, seq))
                self.send(DOWN, self.down.arriving("TRACK", seq, 9))
                flags = MEASURE_AND_REPORT if sampled else 0
                self.expect(QUANTUM, self.down.command("DELIVER", seq, seq2=9, flags=flags))
