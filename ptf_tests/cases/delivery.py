"""What an end node does for an application: K, M and E requests, COMPLETE, corrections of
teleportations, and the time that a TRACK may take."""

from base import CONSTANTS
from ptf.testutils import group
from qnode import ACK_REQUESTED, DOWN, QUANTUM, UP, HeadEndTest, RepeaterTest, TailEndTest

CORRECT, REPORT, MEASURE, EARLY, ANNOUNCE, ASK = (
    CONSTANTS[f"DEVICE_FLAG_{name}"]
    for name in ("CORRECT", "REPORT", "MEASURE", "EARLY", "ANNOUNCE", "ASK")
)
CUTOFF, DEAD_PAIR, TIME_UP, NO_ROOM = (
    CONSTANTS[f"REASON_{name}"] for name in ("CUTOFF", "DEAD_PAIR", "TIME_UP", "NO_ROOM")
)
RECORDS = 4096


@group("requests")
class MeasuredPairTest(TailEndTest):
    """M: DELIVER says to measure, after the correction."""

    request = CONSTANTS["REQUEST_MEASURE"]

    def runTest(self):
        self.send(QUANTUM, self.up.event("PAIR", 1))
        self.expect(UP, self.up.leaving("TRACK", 1, 1))
        self.send(UP, self.up.arriving("TRACK", 1, 70, bell=2))
        flags = CORRECT | MEASURE
        self.expect_only(QUANTUM, self.up.command("DELIVER", 1, bell=2, seq2=70, flags=flags))


class EarlyHeadEnd(HeadEndTest):
    """E: the application gets the qubit at once."""

    request = CONSTANTS["REQUEST_EARLY"]

    def hand_over(self, seq):
        with self.counts(pair_events={"EVENT_TRACK_SENT": 1, "EVENT_EARLY": 1}):
            self.send(QUANTUM, self.down.event("PAIR", seq, slot=3, generation=4))
            command = self.down.command("DELIVER", seq, slot=3, generation=4, flags=EARLY)
            self.expect(QUANTUM, command)
            self.expect(DOWN, self.down.leaving("TRACK", seq, seq))

    def command(self, type_, seq, **fields):
        return self.down.command(type_, seq, slot=3, generation=4, **fields)


@group("requests")
class EarlyDeliveryIsConfirmedTest(EarlyHeadEnd):
    """The TRACK brings the frame, once; what has come early counts as delivered only then."""

    def runTest(self):
        self.hand_over(1)
        delivered = self.circuit * 8 + CONSTANTS["CIRCUIT_DELIVERED"]
        with self.counts(pair_events="EVENT_CONFIRM", circuit_events={delivered: 1}):
            self.send(DOWN, self.down.arriving("TRACK", 1, 70, bell=3))
            self.expect_only(QUANTUM, self.command("CONFIRM", 1, bell=3, seq2=70))
        self.dropped(DOWN, self.down.arriving("TRACK", 1, 70, bell=3), "DROP_TRACK_DUPLICATE")


@group("requests")
class EarlyTailEndCorrectsLaterTest(TailEndTest):
    request = CONSTANTS["REQUEST_EARLY"]

    def runTest(self):
        self.send(QUANTUM, self.up.event("PAIR", 1))
        self.expect(QUANTUM, self.up.command("DELIVER", 1, flags=EARLY))
        self.expect(UP, self.up.leaving("TRACK", 1, 1))
        self.send(UP, self.up.arriving("TRACK", 1, 70, bell=1))
        self.expect_only(QUANTUM, self.up.command("CONFIRM", 1, bell=1, seq2=70, flags=CORRECT))


@group("requests")
class EarlyDeliveryIsVoidedTest(EarlyHeadEnd):
    """EXPIRE from the way: VOID, which the device announces to the other end until that confirms.
    From the other end itself: VOID and the acknowledgement."""

    def runTest(self):
        self.hand_over(1)
        self.send(DOWN, self.down.arriving("EXPIRE", 1, 70, reason=CUTOFF))
        self.expect_only(QUANTUM, self.command("VOID", 1, flags=ANNOUNCE))
        self.hand_over(2)
        self.send(DOWN, self.down.arriving("EXPIRE", 2, 71, reason=CUTOFF, flags=ACK_REQUESTED))
        self.expect(QUANTUM, self.command("VOID", 2))
        self.expect_only(DOWN, self.down.leaving("EXPIRE_ACK", 2, 71))
        self.send(DOWN, self.down.arriving("TRACK", 2, 71))
        self.expect_only(DOWN, self.down.leaving("EXPIRE", 2, 71, reason=DEAD_PAIR))


@group("requests")
class EarlyRequestWithAnEarlyTrackTest(EarlyHeadEnd):
    """The frame is there before the pair: an ordinary delivery."""

    def runTest(self):
        self.send(DOWN, self.down.arriving("TRACK", 1, 70, bell=1))
        self.send(QUANTUM, self.down.event("PAIR", 1))
        self.expect(QUANTUM, self.down.command("DELIVER", 1, bell=1, seq2=70))
        self.expect_only(DOWN, self.down.leaving("TRACK", 1, 1))


class CompletingHeadEnd(HeadEndTest):
    complete = 1

    def deliver(self, seq, origin):
        self.send(QUANTUM, self.down.event("PAIR", seq))
        self.expect(DOWN, self.down.leaving("TRACK", seq, seq))
        self.send(DOWN, self.down.arriving("TRACK", seq, origin))
        self.expect(QUANTUM, self.down.command("DELIVER", seq, seq2=origin, flags=REPORT))


@group("requests")
class DeliveryIsToldToTheOtherEndTest(CompletingHeadEnd):
    """The device's word makes COMPLETE leave; the other end's makes the delivery final, once."""

    def runTest(self):
        self.deliver(1, 70)
        with self.counts(pair_events="EVENT_COMPLETE_SENT"):
            self.send(QUANTUM, self.down.event("DELIVERED", 1))
            self.expect_only(DOWN, self.down.leaving("COMPLETE", 1, 1))
        completed = self.circuit * 8 + CONSTANTS["CIRCUIT_COMPLETED"]
        with self.counts(pair_events="EVENT_COMPLETED", circuit_events={completed: 1}):
            self.send(DOWN, self.down.arriving("COMPLETE", 1, 70))
            self.expect_only(QUANTUM, self.down.command("COMPLETED", 1, seq2=70))
        self.dropped(DOWN, self.down.arriving("COMPLETE", 1, 70), "DROP_MESSAGE_STALE")


@group("requests")
class CompletePairIsNotVoidedTest(CompletingHeadEnd):
    """An EXPIRE that comes after COMPLETE is an old or a false one: acknowledged, no VOID."""

    def runTest(self):
        self.deliver(1, 70)
        self.send(DOWN, self.down.arriving("COMPLETE", 1, 70))
        self.expect(QUANTUM, self.down.command("COMPLETED", 1, seq2=70))
        self.send(DOWN, self.down.arriving("EXPIRE", 1, 70, flags=ACK_REQUESTED, reason=CUTOFF))
        self.expect_only(DOWN, self.down.leaving("EXPIRE_ACK", 1, 70))


@group("requests")
class CompleteForNoDeliveredPairIsStaleTest(CompletingHeadEnd):
    def runTest(self):
        self.dropped(DOWN, self.down.arriving("COMPLETE", 1, 70), "DROP_MESSAGE_STALE")
        self.send(QUANTUM, self.down.event("PAIR", 1))
        self.expect(DOWN, self.down.leaving("TRACK", 1, 1))
        self.dropped(DOWN, self.down.arriving("COMPLETE", 1, 70), "DROP_MESSAGE_STALE")
        self.dropped(QUANTUM, self.down.event("DELIVERED", 1), "DROP_DEVICE_STALE")


@group("requests")
class MessagesCrossTheSwapTest(RepeaterTest):
    """COMPLETE, CORRECTION and its acknowledgement, DISTIL are about the pair beyond on the other
    side; the bits stay as they are. Where nothing is swapped they are stale."""

    def runTest(self):
        self.swap(5, 8, bell_up=1, bell_down=2, outcome=3)
        for type_ in ("COMPLETE", "CORRECTION", "CORRECTION_ACK", "DISTIL"):
            self.send(UP, self.up.arriving(type_, 5, 50, bell=2, ttl=9))
            self.expect_only(DOWN, self.down.leaving(type_, 8, 50, bell=2, ttl=8))
            self.dropped(UP, self.up.arriving(type_, 6, 50), "DROP_MESSAGE_STALE")
        self.dropped(QUANTUM, self.up.event("DELIVERED", 5), "DROP_DEVICE_MALFORMED")
        self.dropped(QUANTUM, self.up.event("TELEPORTED", 5), "DROP_DEVICE_MALFORMED")
        self.dropped(QUANTUM, self.up.event("DISTILLED", 5), "DROP_DEVICE_MALFORMED")


@group("requests")
class CorrectionOfATeleportationTest(HeadEndTest):
    """Two bits go out with the number of the pair that was used; the other end's are given to the
    device and acknowledged, as often as they come."""

    def runTest(self):
        self.dropped(QUANTUM, self.down.event("TELEPORTED", 1, bell=3), "DROP_DEVICE_STALE")
        self.send(QUANTUM, self.down.event("PAIR", 1, slot=2, generation=9))
        self.expect(DOWN, self.down.leaving("TRACK", 1, 1))
        early = self.down.arriving("CORRECTION", 1, 70, bell=2, flags=ACK_REQUESTED)
        self.dropped(DOWN, early, "DROP_MESSAGE_STALE")  # it is repeated
        self.send(DOWN, self.down.arriving("TRACK", 1, 70))
        handle = {"slot": 2, "generation": 9, "seq2": 70}
        self.expect(QUANTUM, self.down.command("DELIVER", 1, **handle))
        with self.counts(pair_events={"EVENT_CORRECTION_SENT": 2}):
            for _ in range(2):
                self.send(QUANTUM, self.down.event("TELEPORTED", 1, bell=3))
                self.expect_only(
                    DOWN, self.down.leaving("CORRECTION", 1, 1, bell=3, flags=ACK_REQUESTED)
                )
        self.send(DOWN, self.down.arriving("CORRECTION_ACK", 1, 1))
        confirmed = self.down.command("CORRECTION_CONFIRMED", 1, slot=2, generation=9)
        self.expect_only(QUANTUM, confirmed)
        for _ in range(2):
            self.send(DOWN, early)
            self.expect(QUANTUM, self.down.command("APPLY_CORRECTION", 1, bell=2, **handle))
            self.expect_only(DOWN, self.down.leaving("CORRECTION_ACK", 1, 70))


@group("requests")
class CorrectionForADeadPairTest(HeadEndTest):
    """It is acknowledged, so that it is not repeated, and nothing is corrected."""

    def runTest(self):
        self.send(DOWN, self.down.arriving("EXPIRE", 1, 70, reason=CUTOFF))
        self.send(DOWN, self.down.arriving("CORRECTION", 1, 70, bell=2, flags=ACK_REQUESTED))
        self.expect_only(DOWN, self.down.leaving("CORRECTION_ACK", 1, 70))


# ---- time ----

LONG = 10_000_000  # microseconds: no test takes so long


@group("time")
class TrackBeginsWithTheBudgetTest(HeadEndTest):
    budget_us = 123_456

    def runTest(self):
        self.send(QUANTUM, self.down.event("PAIR", 1))
        self.expect_only(DOWN, self.down.leaving("TRACK", 1, 1, remaining_us=123_456))


class SlowRepeater(RepeaterTest):
    delay_us = 250  # of the links on both sides


@group("time")
class DelayOfTheLinkIsTakenOffTest(SlowRepeater):
    """A TRACK that crosses a swap that is done leaves at once; without a limit it stays without
    one."""

    def runTest(self):
        self.swap(5, 8)
        self.send(UP, self.up.arriving("TRACK", 5, 50, remaining_us=1000))
        self.expect_only(DOWN, self.down.leaving("TRACK", 8, 50, ttl=199, remaining_us=750))
        self.send(DOWN, self.down.arriving("TRACK", 8, 80, remaining_us=251))
        self.expect_only(UP, self.up.leaving("TRACK", 5, 80, ttl=199, remaining_us=1))
        self.send(UP, self.up.arriving("TRACK", 5, 50))
        self.expect_only(DOWN, self.down.leaving("TRACK", 8, 50, ttl=199))


@group("time")
class TrackOutOfTimeExpiresBothWaysTest(SlowRepeater):
    """Its pair was swapped on: both ends hold halves, and both are told."""

    def runTest(self):
        self.swap(5, 8)
        for remaining_us in (1, 250):
            with self.counts(pair_events="EVENT_TIME_UP"):
                self.send(UP, self.up.arriving("TRACK", 5, 50, remaining_us=remaining_us))
                self.expect(UP, self.up.leaving("EXPIRE", 5, 50, reason=TIME_UP))
                self.expect_only(DOWN, self.down.leaving("EXPIRE", 8, 50, reason=TIME_UP))
        with self.counts(pair_events="EVENT_TIME_UP"):
            self.send(DOWN, self.down.arriving("TRACK", 8, 80, remaining_us=1))
            self.expect(UP, self.up.leaving("EXPIRE", 5, 80, reason=TIME_UP))
            self.expect_only(DOWN, self.down.leaving("EXPIRE", 8, 80, reason=TIME_UP))


@group("time")
class PairThatWaitsOutOfTimeIsReleasedTest(SlowRepeater):
    """In memory at the repeater: released, its slot is free; its other half is told; nobody swaps
    it."""

    def runTest(self):
        self.send(QUANTUM, self.up.event("PAIR", 5, slot=1, generation=7))
        self.send(UP, self.up.arriving("TRACK", 5, 50, remaining_us=250))
        self.expect(QUANTUM, self.up.command("RELEASE", 5, slot=1, generation=7))
        self.expect_only(UP, self.up.leaving("EXPIRE", 5, 50, reason=TIME_UP))
        self.send(QUANTUM, self.down.event("PAIR", 8))
        self.expect_nothing()


@group("time")
class TimeRunsOutDuringTheSwapTest(SlowRepeater):
    """A TRACK that waits for the swap takes its time with it: when the swap is done and nothing is
    left, both pairs are expired both ways. One with enough left goes on with what is left."""

    def runTest(self):
        self.begin_swap(5, 8)
        self.send(UP, self.up.arriving("TRACK", 5, 50, remaining_us=251))
        self.expect_nothing()  # which takes longer than a microsecond
        self.send(QUANTUM, self.swapped(5, 8))
        self.expect(UP, self.up.leaving("EXPIRE", 5, 5, reason=TIME_UP))
        self.expect_only(DOWN, self.down.leaving("EXPIRE", 8, 8, reason=TIME_UP))
        self.begin_swap(6, 9)
        self.send(UP, self.up.arriving("TRACK", 6, 51, remaining_us=LONG))
        self.expect_nothing()
        self.send(QUANTUM, self.swapped(6, 9))
        result = self.dataplane.poll(device_number=0, port_number=DOWN, timeout=5)
        left = int.from_bytes(bytes(result.packet)[46:50], "big")
        self.assertTrue(0 < left < LONG - 250, left)
        expected = self.down.leaving("TRACK", 9, 51, remaining_us=left)
        self.assertEqual(bytes(result.packet), bytes(expected))


@group("time")
class EndNodeDoesNotDeliverOutOfTimeTest(HeadEndTest):
    """The qubit is released and announced, and EXPIRE goes back. A TRACK that is out of time
    before its pair is heralded leaves a dead record."""

    delay_us = 100

    def runTest(self):
        self.send(QUANTUM, self.down.event("PAIR", 1, slot=1, generation=7))
        self.expect(DOWN, self.down.leaving("TRACK", 1, 1))
        self.send(DOWN, self.down.arriving("TRACK", 1, 70, remaining_us=100))
        release = self.down.command("RELEASE", 1, slot=1, generation=7, flags=ANNOUNCE)
        self.expect(QUANTUM, release)
        self.expect_only(DOWN, self.down.leaving("EXPIRE", 1, 70, reason=TIME_UP))
        self.send(DOWN, self.down.arriving("TRACK", 2, 71, remaining_us=100))
        self.expect_only(DOWN, self.down.leaving("EXPIRE", 2, 71, reason=TIME_UP))
        self.send(QUANTUM, self.down.event("PAIR", 2))
        self.expect_only(QUANTUM, self.down.command("RELEASE", 2))


@group("time")
class HeraldAfterTheTimeOfItsTrackTest(HeadEndTest):
    """The TRACK waited for the pair longer than it may: the pair is not delivered."""

    def runTest(self):
        self.send(DOWN, self.down.arriving("TRACK", 1, 70, remaining_us=1))
        self.expect_nothing()
        self.send(QUANTUM, self.down.event("PAIR", 1))
        self.expect(QUANTUM, self.down.command("RELEASE", 1))
        self.expect_only(DOWN, self.down.leaving("EXPIRE", 1, 1, reason=TIME_UP))


@group("time")
class RecordOfALivePairIsNotOverwrittenTest(RepeaterTest):
    """4096 pairs later: the newer pair is released and told, the older one is swapped as ever."""

    def runTest(self):
        self.send(QUANTUM, self.up.event("PAIR", 5, slot=1, generation=10))
        with self.counts(pair_events="EVENT_NO_ROOM"):
            self.send(QUANTUM, self.up.event("PAIR", 5 + RECORDS, slot=3, generation=11))
            release = self.up.command("RELEASE", 5 + RECORDS, slot=3, generation=11)
            self.expect(QUANTUM, release)
            expire = self.up.leaving("EXPIRE", 5 + RECORDS, 5 + RECORDS, reason=NO_ROOM)
            self.expect_only(UP, expire)
        self.send(QUANTUM, self.down.event("PAIR", 8))
        swap = self.down.command("SWAP", 8, link2=self.up.link, seq2=5, slot2=1, generation2=10)
        self.expect_only(QUANTUM, swap)


class Distillation:
    """The kept pair is number 1 here and 70 there, the spent one 2 and 71."""

    def deliver_two(self):
        for seq, origin in ((1, 70), (2, 71)):
            self.send(QUANTUM, self.end.event("PAIR", seq, slot=seq, generation=9))
            self.expect(self.port, self.end.leaving("TRACK", seq, seq))
            self.send(self.port, self.end.arriving("TRACK", seq, origin))
            handle = {"slot": seq, "generation": 9, "seq2": origin}
            self.expect(QUANTUM, self.end.command("DELIVER", seq, flags=self.correct, **handle))

    def runTest(self):
        self.dropped(QUANTUM, self.end.event("DISTILLED", 1, seq2=71), "DROP_DEVICE_STALE")
        self.dropped(self.port, self.end.arriving("DISTIL", 1, 2), "DROP_MESSAGE_STALE")
        self.deliver_two()
        for bit, ask in ((1, True), (0, True), (1, False)):
            with self.counts(pair_events={"EVENT_DISTIL_SENT": 1}):
                flags = ASK if ask else 0
                event = self.end.event("DISTILLED", 1, seq2=71, bell=bit, flags=flags)
                self.send(QUANTUM, event)
                flags = ACK_REQUESTED if ask else 0
                self.expect_only(
                    self.port, self.end.leaving("DISTIL", 1, 71, bell=bit, flags=flags)
                )
            with self.counts(pair_events={"EVENT_DISTIL": 1}):
                self.send(self.port, self.end.arriving("DISTIL", 1, 2, bell=bit, flags=flags))
                flags = ASK if ask else 0
                self.expect_only(
                    QUANTUM,
                    self.end.command(
                        "DISTIL", 1, slot=1, generation=9, seq2=2, bell=bit, flags=flags
                    ),
                )
        self.send(self.port, self.end.arriving("EXPIRE", 1, 70, flags=ACK_REQUESTED, reason=CUTOFF))
        void = self.end.command("VOID", 1, slot=1, generation=9, seq2=70)
        self.expect(QUANTUM, void)
        self.expect_only(self.port, self.end.leaving("EXPIRE_ACK", 1, 70))
        self.dropped(self.port, self.end.arriving("DISTIL", 1, 2), "DROP_MESSAGE_STALE")


@group("requests")
class DistillationAtTheHeadEndTest(Distillation, HeadEndTest):
    """What the device measured goes out with the other end's number of the spent pair; what comes
    is given to the device, as often as it comes, while the kept pair counts as delivered."""

    port, correct = DOWN, 0

    @property
    def end(self):
        return self.down


@group("requests")
class DistillationAtTheTailEndTest(Distillation, TailEndTest):
    """The same from the other side."""

    port, correct = UP, CORRECT

    @property
    def end(self):
        return self.up
