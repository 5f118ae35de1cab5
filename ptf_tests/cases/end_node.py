"""An end node of a circuit: announces its pairs with TRACK, delivers what both ends hold, and makes
sure that both ends know when a pair is lost."""

from base import CONSTANTS
from ptf.testutils import group
from qnode import (
    ACK_REQUESTED,
    DOWN,
    HOST_A,
    LOST,
    OTHER,
    QUANTUM,
    UP,
    HeadEndTest,
    TailEndTest,
)

from qplane.wire.scapy import ACH, QCI

CORRECT = CONSTANTS["DEVICE_FLAG_CORRECT"]
ANNOUNCE = CONSTANTS["DEVICE_FLAG_ANNOUNCE"]
FAR = CONSTANTS["DEVICE_FLAG_FAR"]
CUTOFF, SWAP_FAILED, DEAD_PAIR, UNKNOWN_PAIR = (
    CONSTANTS[f"REASON_{name}"] for name in ("CUTOFF", "SWAP_FAILED", "DEAD_PAIR", "UNKNOWN_PAIR")
)
RING_OF_RECORDS = 4096  # a pair's record stands at its sequence number modulo this


class HeadEnd(HeadEndTest):
    """Helpers; the circuit's messages travel on port DOWN."""

    def herald(self, seq, bell=0, **qubit):
        """The device reports a pair, and the node announces it."""
        with self.counts(pair_events="EVENT_TRACK_SENT"):
            self.send(QUANTUM, self.down.event("PAIR", seq, bell=bell, **qubit))
            self.expect(DOWN, self.down.leaving("TRACK", seq, seq, bell=bell))

    def deliver(self, seq, origin, bell=0, **qubit):
        """A TRACK comes for a heralded pair, and the device is told to deliver."""
        with self.counts(pair_events="EVENT_DELIVER"):
            self.send(DOWN, self.down.arriving("TRACK", seq, origin, bell=bell))
            self.expect(QUANTUM, self.down.command("DELIVER", seq, bell=bell, seq2=origin, **qubit))


# ---- good ----


@group("qci")
class PairIsAnnouncedTest(HeadEnd):
    """PAIR becomes a TRACK with TTL 255, the pair's own number and its heralded Bell index."""

    def runTest(self):
        for seq, bell in ((0, 0), (1, 1), (2, 2), (0xFFFFFFFF, 3)):
            self.herald(seq, bell)
        self.expect_nothing()


@group("qci")
class PairIsDeliveredTest(HeadEnd):
    """TRACK for a pair in memory: DELIVER with its handle, the frame, and the far end's number."""

    def runTest(self):
        for seq, bell in ((5, 0), (6, 1), (7, 2), (8, 3)):
            self.herald(seq, slot=9, generation=300 + seq)
            self.deliver(seq, 7000 + seq, bell, slot=9, generation=300 + seq)
        self.expect_nothing()


@group("qci")
class TailEndCorrectsTest(TailEndTest):
    """One end applies the frame, so that the pair is Φ+: the tail-end."""

    def runTest(self):
        self.send(QUANTUM, self.up.event("PAIR", 5, slot=1, generation=2))
        self.expect(UP, self.up.leaving("TRACK", 5, 5))
        self.send(UP, self.up.arriving("TRACK", 5, 70, bell=3))
        self.expect_only(
            QUANTUM,
            self.up.command("DELIVER", 5, slot=1, generation=2, bell=3, flags=CORRECT, seq2=70),
        )


@group("qci")
class TrackAheadOfTheHeraldWaitsTest(HeadEnd):
    """Then the herald brings both: DELIVER to the device and TRACK to the far end, one group."""

    def runTest(self):
        with self.counts(pair_events="EVENT_TRACK_WAITS"):
            self.send(DOWN, self.down.arriving("TRACK", 5, 70, bell=2))
        self.expect_nothing()
        with self.counts(pair_events={"EVENT_TRACK_SENT": 1, "EVENT_DELIVER": 1}):
            self.send(QUANTUM, self.down.event("PAIR", 5, slot=1, generation=2, bell=1))
            self.expect(DOWN, self.down.leaving("TRACK", 5, 5, bell=1))
            self.expect_only(
                QUANTUM, self.down.command("DELIVER", 5, slot=1, generation=2, bell=2, seq2=70)
            )


@group("qci")
class CutOffIsTheFarEndsBusinessTest(HeadEnd):
    """EXPIRED becomes an EXPIRE that asks to be acknowledged; the acknowledgement ends it."""

    def runTest(self):
        self.herald(5)
        for _ in range(2):  # the device repeats it
            with self.counts(pair_events="EVENT_EXPIRE_SENT"):
                self.send(QUANTUM, self.down.event("EXPIRED", 5))
                self.expect_only(
                    DOWN,
                    self.down.leaving("EXPIRE", 5, 5, flags=ACK_REQUESTED, reason=CUTOFF),
                )
        with self.counts(pair_events="EVENT_EXPIRE_CONFIRMED"):
            self.send(DOWN, self.down.arriving("EXPIRE_ACK", 5, 5))
            command = self.down.command("EXPIRE_CONFIRMED", 5)
            self.expect_only(QUANTUM, command)


@group("qci")
class FarEndsCutOffReleasesTest(HeadEnd):
    """EXPIRE for a pair in memory: RELEASE and the acknowledgement leave as one group."""

    def runTest(self):
        self.herald(5, slot=1, generation=2)
        with self.counts(pair_events={"EVENT_EXPIRE_RECEIVED": 1, "EVENT_RELEASE": 1}):
            self.send(DOWN, self.down.arriving("EXPIRE", 5, 70, flags=ACK_REQUESTED, reason=CUTOFF))
            self.expect(QUANTUM, self.down.command("RELEASE", 5, slot=1, generation=2))
            self.expect_only(DOWN, self.down.leaving("EXPIRE_ACK", 5, 70))


@group("qci")
class ExpireFromOnTheWayIsAnnouncedTest(HeadEnd):
    """A repeater says that the pair is dead, not the far end: the device must see that it knows."""

    def runTest(self):
        self.herald(5, slot=1, generation=2)
        self.send(DOWN, self.down.arriving("EXPIRE", 5, 5, reason=SWAP_FAILED))
        self.expect_only(
            QUANTUM, self.down.command("RELEASE", 5, slot=1, generation=2, flags=ANNOUNCE)
        )


@group("qci")
class DeliveryThatDoesNotCountTest(HeadEnd):
    """The far end lost its half after this end had delivered: VOID, and acknowledged."""

    def runTest(self):
        self.herald(5, slot=1, generation=2)
        self.deliver(5, 70, slot=1, generation=2)
        with self.counts(pair_events={"EVENT_EXPIRE_RECEIVED": 1, "EVENT_VOID": 1}):
            self.send(DOWN, self.down.arriving("EXPIRE", 5, 70, flags=ACK_REQUESTED, reason=CUTOFF))
            self.expect(QUANTUM, self.down.command("VOID", 5, slot=1, generation=2, seq2=70))
            self.expect_only(DOWN, self.down.leaving("EXPIRE_ACK", 5, 70))


@group("qci")
class OnlyTheFarEndVoidsADeliveryTest(HeadEnd):
    """An EXPIRE that does not ask for an acknowledgement is a repeater's: it comes too late."""

    def runTest(self):
        self.herald(5)
        self.deliver(5, 70)
        with self.counts(pair_events="EVENT_EXPIRE_RECEIVED", drops={}):
            self.send(DOWN, self.down.arriving("EXPIRE", 5, 5, reason=SWAP_FAILED))
        self.expect_nothing()


# ---- late and duplicated ----


@group("qci")
class DuplicatedTrackDeliversOnceTest(HeadEnd):
    def runTest(self):
        self.herald(5)
        self.deliver(5, 70)
        for _ in range(3):
            self.dropped(DOWN, self.down.arriving("TRACK", 5, 70), "DROP_TRACK_DUPLICATE")


@group("qci")
class DuplicatedHeraldIsDroppedTest(HeadEnd):
    def runTest(self):
        self.herald(5)
        self.dropped(QUANTUM, self.down.event("PAIR", 5), "DROP_DEVICE_STALE")
        self.deliver(5, 70)
        self.dropped(QUANTUM, self.down.event("PAIR", 5), "DROP_DEVICE_STALE")


@group("qci")
class LateTrackFindsTheDeadPairTest(HeadEnd):
    """It is answered with EXPIRE, so that the sender does not wait for ever."""

    def runTest(self):
        self.herald(5)
        self.send(QUANTUM, self.down.event("EXPIRED", 5))
        self.expect(DOWN, self.down.leaving("EXPIRE", 5, 5, flags=ACK_REQUESTED, reason=CUTOFF))
        with self.counts(pair_events="EVENT_TRACK_DEAD"):
            self.send(DOWN, self.down.arriving("TRACK", 5, 70))
            self.expect_only(DOWN, self.down.leaving("EXPIRE", 5, 70, reason=DEAD_PAIR))


@group("qci")
class ExpireOvertakesTheHeraldTest(HeadEnd):
    """The record remembers it: the pair is released once it is heralded, and not announced."""

    def runTest(self):
        self.send(DOWN, self.down.arriving("EXPIRE", 5, 70, flags=ACK_REQUESTED, reason=CUTOFF))
        self.expect(QUANTUM, self.down.command("VOID", 5))  # the switch may have forgotten it
        self.expect_only(DOWN, self.down.leaving("EXPIRE_ACK", 5, 70))
        with self.counts(pair_events="EVENT_RELEASE"):
            self.send(QUANTUM, self.down.event("PAIR", 5, slot=1, generation=2))
            self.expect_only(QUANTUM, self.down.command("RELEASE", 5, slot=1, generation=2))


@group("qci")
class RepeatedExpireIsAcknowledgedEachTimeTest(HeadEnd):
    """The acknowledgement may have been lost; the qubit is released once."""

    def runTest(self):
        self.herald(5)
        expire = self.down.arriving("EXPIRE", 5, 70, flags=ACK_REQUESTED, reason=CUTOFF)
        self.send(DOWN, expire)
        self.expect(QUANTUM, self.down.command("RELEASE", 5))
        self.expect(DOWN, self.down.leaving("EXPIRE_ACK", 5, 70))
        for _ in range(2):
            self.send(DOWN, expire)
            self.expect(QUANTUM, self.down.command("VOID", 5))
            self.expect_only(DOWN, self.down.leaving("EXPIRE_ACK", 5, 70))


@group("qci")
class PairOfALostRecordIsFoundByItsOriginTest(HeadEnd):
    """A repeater on the way has no record: the far end's number of the pair is all there is."""

    def runTest(self):
        self.herald(5)
        self.send(DOWN, self.down.arriving("TRACK", 5, 70))
        self.expect(QUANTUM, self.down.command("DELIVER", 5, seq2=70))
        lost = {"flags": ACK_REQUESTED | LOST, "reason": CUTOFF}
        with self.counts(pair_events={"EVENT_EXPIRE_RECEIVED": 1, "EVENT_VOID": 1}):
            self.send(DOWN, self.down.arriving("EXPIRE", 70, 70, **lost))
            self.expect(QUANTUM, self.down.command("VOID", 5, seq2=70))
            self.expect_only(DOWN, self.down.leaving("EXPIRE_ACK", 70, 70, flags=LOST))
        # Of a number that has not come yet nothing is delivered later; the device is asked, too.
        self.send(DOWN, self.down.arriving("EXPIRE", 71, 71, **lost))
        self.expect(QUANTUM, self.down.command("VOID", 0, seq2=71, flags=FAR))
        self.expect_only(DOWN, self.down.leaving("EXPIRE_ACK", 71, 71, flags=LOST))
        self.herald(6)
        self.send(DOWN, self.down.arriving("TRACK", 6, 71))
        self.expect(QUANTUM, self.down.command("RELEASE", 6, flags=1))
        self.expect_only(DOWN, self.down.leaving("EXPIRE", 6, 71, reason=DEAD_PAIR))


@group("qci")
class PairWhoseOriginIsForgottenIsLeftToTheDeviceTest(HeadEnd):
    """The switch keeps one number of the other end at a place: a later pair has taken it."""

    def runTest(self):
        for seq, origin in ((5, 70), (6, 70 + RING_OF_RECORDS)):
            self.herald(seq)
            self.send(DOWN, self.down.arriving("TRACK", seq, origin))
            self.expect(QUANTUM, self.down.command("DELIVER", seq, seq2=origin))
        lost = {"flags": ACK_REQUESTED | LOST, "reason": CUTOFF}
        with self.counts(pair_events={"EVENT_EXPIRE_UNKNOWN": 1}):
            self.send(DOWN, self.down.arriving("EXPIRE", 70, 70, **lost))
            self.expect(QUANTUM, self.down.command("VOID", 0, seq2=70, flags=FAR))
            self.expect_only(DOWN, self.down.leaving("EXPIRE_ACK", 70, 70, flags=LOST))


# ---- another pair's record stands in the way ----


@group("qci")
class TrackIsNeverJoinedWithAnotherPairTest(HeadEnd):
    """5 and 5 + 4096 share a record. While 5 lives there, a TRACK for the other is refused."""

    def runTest(self):
        self.herald(5)
        for other in (5 + RING_OF_RECORDS, 5 - RING_OF_RECORDS & 0xFFFFFFFF):
            with self.counts(pair_events="EVENT_TRACK_UNKNOWN"):
                self.send(DOWN, self.down.arriving("TRACK", other, 70))
                self.expect_only(DOWN, self.down.leaving("EXPIRE", other, 70, reason=UNKNOWN_PAIR))
        self.deliver(5, 71)


@group("qci")
class ANewerPairTakesOverTheRecordTest(HeadEnd):
    """Once 5 is delivered, a TRACK for the next pair that has its place waits there."""

    def runTest(self):
        newer = 5 + RING_OF_RECORDS
        self.herald(5)
        self.deliver(5, 70)
        with self.counts(pair_events="EVENT_TRACK_WAITS"):
            self.send(DOWN, self.down.arriving("TRACK", newer, 80, bell=1))
        self.send(QUANTUM, self.down.event("PAIR", newer))
        self.expect(DOWN, self.down.leaving("TRACK", newer, newer))
        self.expect_only(QUANTUM, self.down.command("DELIVER", newer, bell=1, seq2=80))


@group("qci")
class NumbersWrapTest(HeadEnd):
    """After 0xFFFFFFFF comes 0: the record of the pair 4096 before gives way."""

    def runTest(self):
        old, new = 0xFFFFFFFF - 10, RING_OF_RECORDS - 11
        self.assertEqual((old - new) % RING_OF_RECORDS, 0)
        self.herald(old)
        self.deliver(old, 70)
        with self.counts(pair_events="EVENT_TRACK_WAITS"):
            self.send(DOWN, self.down.arriving("TRACK", new, 71))
        # The old pair's messages now find another record, newer than theirs.
        with self.counts(pair_events="EVENT_TRACK_UNKNOWN"):
            self.send(DOWN, self.down.arriving("TRACK", old, 70))
            self.expect_only(DOWN, self.down.leaving("EXPIRE", old, 70, reason=UNKNOWN_PAIR))


# ---- forged ----


@group("qci")
class MessagesFromOtherPortsAreForgedTest(HeadEnd):
    """A circuit's label is taken from its own ports alone."""

    def runTest(self):
        self.herald(5)
        for port in (HOST_A, UP, QUANTUM, OTHER):
            for type_ in ("TRACK", "EXPIRE", "EXPIRE_ACK"):
                self.dropped(port, self.down.arriving(type_, 5, 70), "DROP_UNKNOWN_LABEL")
        self.deliver(5, 70)


@group("qci")
class UnknownLabelIsDroppedTest(HeadEnd):
    def runTest(self):
        message = self.down.arriving("TRACK", 5, 70, label=201)
        self.dropped(DOWN, message, "DROP_UNKNOWN_LABEL")


@group("qci")
class DamagedMessageIsDroppedTest(HeadEnd):
    """One flipped bit, in the label or in any byte that the CRC-32 covers. Traffic class and TTL,
    which each hop may change, are not covered."""

    def runTest(self):
        self.herald(5)
        good = bytes(self.down.arriving("TRACK", 5, 70))
        flips = [14, 15, *range(30, len(good))]  # label; checksum and body
        with self.counts(drops={"DROP_BAD_CHECKSUM": len(flips)}, pair_events={}):
            for place in flips:
                self.send(DOWN, good[:place] + bytes([good[place] ^ 0x04]) + good[place + 1 :])
        self.expect_nothing()
        self.deliver(5, 70)


@group("qci")
class MalformedMessageIsDroppedTest(HeadEnd):
    """Versions, types and lengths that do not go together; messages that belong on a link."""

    def runTest(self):
        for header in ({"version": 0}, {"version": 2}, {"length": 20}, {"length": 0}, {"flags": 8}):
            message = self.down.arriving("TRACK", 5, 70)
            for name, value in header.items():
                setattr(message[QCI], name, value)
            self.dropped(DOWN, message, "DROP_QCI_MALFORMED")
        for type_ in (0x00, 0x0A, 0x10, 0x11, 0x12, 0xFF):
            message = self.down.arriving("TRACK", 5, 70)
            message[QCI].type = type_
            self.dropped(DOWN, message, "DROP_QCI_MALFORMED")


@group("qci")
class TtlIsCheckedTest(HeadEnd):
    def runTest(self):
        for ttl in (0, 1):
            self.dropped(DOWN, self.down.arriving("TRACK", 5, 70, ttl=ttl), "DROP_TTL")


# ---- truncated, padded ----


@group("qci")
class TruncatedMessageIsDroppedTest(HeadEnd):
    def runTest(self):
        self.herald(5)
        whole = bytes(self.down.arriving("TRACK", 5, 70))
        for length in (17, 21, 22, 25, 33, 34, 45):
            self.dropped(DOWN, whole[:length], "DROP_PARSER_ERROR")
        self.deliver(5, 70)


@group("qci")
class PaddedMessageIsTakenTooLongOneIsNotTest(HeadEnd):
    """Padding up to Ethernet's 60 bytes is cut off by what the message becomes."""

    def runTest(self):
        self.herald(5)
        whole = bytes(self.down.arriving("TRACK", 5, 70))
        self.dropped(DOWN, whole.ljust(61, b"\0"), "DROP_QCI_MALFORMED")
        self.send(DOWN, whole.ljust(60, b"\0"))
        self.expect_only(QUANTUM, self.down.command("DELIVER", 5, seq2=70))


@group("qci")
class OtherChannelsAreNotQciTest(HeadEnd):
    """On the circuit's label, but not QCI: user data of a label that has no user data entry."""

    def runTest(self):
        message = self.down.arriving("TRACK", 5, 70)
        message[ACH].channel_type = 0x7FF9
        self.dropped(DOWN, message, "DROP_UNKNOWN_LABEL")


# ---- registers ----


@group("registers")
class RecordsCanBeReadTest(HeadEnd):
    """pair_identity holds number, circuit, state and Bell index; pair_handle slot and generation;
    pair_track the TRACK that came."""

    def runTest(self):
        self.skip_on_bmv2("simple_switch_grpc does not offer registers over P4Runtime")
        index = (self.down.link << 12) + 5
        self.assertEqual(self.register("pair_identity", index), 0)
        self.herald(5, bell=2, slot=9, generation=300)
        identity = 5 << 16 | self.circuit << 6 | CONSTANTS["WAITING"] << 2 | 2
        self.assertEqual(self.register("pair_identity", index), identity)
        self.assertEqual(self.register("pair_handle", index), 9 << 16 | 300)
        self.deliver(5, 70, bell=1, slot=9, generation=300)
        identity = 5 << 16 | self.circuit << 6 | CONSTANTS["DELIVERED"] << 2 | 2
        self.assertEqual(self.register("pair_identity", index), identity)
        self.assertEqual(self.register("pair_track", index), 70 << 8 | 1 << 7 | 1 << 5)
