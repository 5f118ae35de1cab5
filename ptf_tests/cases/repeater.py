"""A repeater: swaps when halves wait on both sides, and leads messages across the swap of that very
pair, with the Pauli frame that crossing it adds."""

from base import CONSTANTS
from ptf.testutils import group
from qnode import (
    ACK_REQUESTED,
    DOWN,
    LOST,
    OTHER,
    QUANTUM,
    UP,
    RepeaterTest,
)

from qplane.wire.scapy import Device, Qubit

CUTOFF, SWAP_FAILED, DEAD_PAIR, UNKNOWN_PAIR, NO_ROOM = (
    CONSTANTS[f"REASON_{name}"]
    for name in ("CUTOFF", "SWAP_FAILED", "DEAD_PAIR", "UNKNOWN_PAIR", "NO_ROOM")
)
RING = 32


# ---- good ----


@group("qci")
class PairWaitsForItsPartnerTest(RepeaterTest):
    """Nothing leaves until there is a half on either side; then the oldest two are swapped."""

    def runTest(self):
        for seq in (5, 6):
            self.send(QUANTUM, self.up.event("PAIR", seq, slot=seq, generation=10))
        self.expect_nothing()
        for seq, partner in ((8, 5), (9, 6)):
            with self.counts(pair_events="EVENT_SWAP"):
                self.send(QUANTUM, self.down.event("PAIR", seq, slot=seq, generation=20))
                self.expect_only(
                    QUANTUM,
                    self.down.command(
                        "SWAP", seq, slot=seq, generation=20,
                        link2=self.up.link, seq2=partner, slot2=partner, generation2=10,
                    ),
                )  # fmt: skip


@group("qci")
class TrackCrossesTheSwapTest(RepeaterTest):
    """Both ways: the number of the pair beyond, its label, TTL less one; the frame grows by
    the outcome and by the Bell index of the pair beyond."""

    def runTest(self):
        self.swap(5, 8, bell_up=1, bell_down=2, outcome=3)
        with self.counts(pair_events={"EVENT_TRACK_FORWARDED": 2}):
            self.send(UP, self.up.arriving("TRACK", 5, 70, bell=1))
            self.expect_only(DOWN, self.down.leaving("TRACK", 8, 70, ttl=199, bell=1 ^ 3 ^ 2))
            self.send(DOWN, self.down.arriving("TRACK", 8, 90, bell=2))
            self.expect_only(UP, self.up.leaving("TRACK", 5, 90, ttl=199, bell=2 ^ 3 ^ 1))


@group("qci")
class EveryFrameTest(RepeaterTest):
    """Composing Bell indices is XOR: all outcomes with all pairs and frames."""

    def runTest(self):
        for seq in range(16):
            bell_up, bell_down, outcome, frame = seq & 3, seq >> 2, seq * 7 & 3, seq * 5 >> 1 & 3
            self.swap(seq, seq, bell_up=bell_up, bell_down=bell_down, outcome=outcome)
            self.send(UP, self.up.arriving("TRACK", seq, 70, bell=frame))
            self.expect(
                DOWN,
                self.down.leaving("TRACK", seq, 70, ttl=199, bell=frame ^ outcome ^ bell_down),
            )


@group("qci")
class TrackWaitsForTheSwapTest(RepeaterTest):
    """A TRACK that is there before the outcome goes on with it."""

    def runTest(self):
        with self.counts(pair_events="EVENT_TRACK_WAITS"):
            self.send(UP, self.up.arriving("TRACK", 5, 70, bell=1))
        self.expect_nothing()
        self.swap(5, 8, bell_up=1, bell_down=2, outcome=3)
        self.expect_only(DOWN, self.down.leaving("TRACK", 8, 70, bell=1 ^ 3 ^ 2))


@group("qci")
@group("multicast")
class TwoTracksWaitForTheSwapTest(RepeaterTest):
    """The outcome releases both: one multicast group, two replicas told apart by replica id."""

    def runTest(self):
        self.send(UP, self.up.arriving("TRACK", 5, 70, bell=1))
        self.send(DOWN, self.down.arriving("TRACK", 8, 90, bell=2))
        self.swap(5, 8, bell_up=1, bell_down=2, outcome=3)
        self.expect(DOWN, self.down.leaving("TRACK", 8, 70, bell=1 ^ 3 ^ 2))
        self.expect(UP, self.up.leaving("TRACK", 5, 90, bell=2 ^ 3 ^ 1))
        self.expect_nothing()


@group("qci")
@group("multicast")
class FailedSwapExpiresBothSidesTest(RepeaterTest):
    """Each side hears about its own pair."""

    def runTest(self):
        self.begin_swap(5, 8)
        with self.counts(pair_events="EVENT_SWAP_FAILED"):
            self.send(QUANTUM, self.swapped(5, 8, type_="SWAP_FAILED"))
            self.expect(UP, self.up.leaving("EXPIRE", 5, 5, reason=SWAP_FAILED))
            self.expect(DOWN, self.down.leaving("EXPIRE", 8, 8, reason=SWAP_FAILED))
        self.expect_nothing()


@group("qci")
class CutOffExpiresItsOwnSideTest(RepeaterTest):
    """Nobody is asked to acknowledge: the end tells the other end."""

    def runTest(self):
        self.send(QUANTUM, self.up.event("PAIR", 5))
        with self.counts(pair_events="EVENT_EXPIRE_SENT"):
            self.send(QUANTUM, self.up.event("EXPIRED", 5))
            self.expect_only(UP, self.up.leaving("EXPIRE", 5, 5, reason=CUTOFF))


@group("qci")
class ExpireAndItsAcknowledgementCrossTheSwapTest(RepeaterTest):
    def runTest(self):
        self.swap(5, 8)
        self.send(UP, self.up.arriving("EXPIRE", 5, 70, flags=ACK_REQUESTED, reason=CUTOFF))
        expire = self.down.leaving("EXPIRE", 8, 70, ttl=199, flags=ACK_REQUESTED, reason=CUTOFF)
        self.expect_only(DOWN, expire)
        self.send(DOWN, self.down.arriving("EXPIRE_ACK", 8, 70))
        self.expect_only(UP, self.up.leaving("EXPIRE_ACK", 5, 70, ttl=199))


@group("qci")
class ExpireOfAnUnknownPairGoesOnAsLostTest(RepeaterTest):
    """The pair may have been swapped before this switch restarted: the far end answers, each time,
    by the number that the pair has at the end that gave it up."""

    def runTest(self):
        for _ in range(2):
            self.send(UP, self.up.arriving("EXPIRE", 5, 70, flags=ACK_REQUESTED, reason=CUTOFF))
            lost = self.down.leaving(
                "EXPIRE", 70, 70, ttl=199, flags=ACK_REQUESTED | LOST, reason=CUTOFF
            )
            self.expect_only(DOWN, lost)
        self.send(DOWN, self.down.arriving("EXPIRE_ACK", 70, 70, flags=LOST))
        self.expect_only(UP, self.up.leaving("EXPIRE_ACK", 70, 70, ttl=199, flags=LOST))
        # Its TRACK finds it dead.
        self.send(UP, self.up.arriving("TRACK", 5, 70))
        self.expect_only(UP, self.up.leaving("EXPIRE", 5, 70, reason=DEAD_PAIR))


@group("qci")
class ExpireReleasesAPairThatWaitsTest(RepeaterTest):
    """It is not swapped any more; its side hears the acknowledgement."""

    def runTest(self):
        self.send(QUANTUM, self.up.event("PAIR", 5, slot=1, generation=10))
        self.send(QUANTUM, self.up.event("PAIR", 6, slot=3, generation=10))
        self.send(UP, self.up.arriving("EXPIRE", 5, 70, flags=ACK_REQUESTED, reason=CUTOFF))
        self.expect(QUANTUM, self.up.command("RELEASE", 5, slot=1, generation=10))
        self.expect(UP, self.up.leaving("EXPIRE_ACK", 5, 70))
        self.send(QUANTUM, self.down.event("PAIR", 8, slot=2, generation=20))
        self.expect_only(
            QUANTUM,
            self.down.command(
                "SWAP", 8, slot=2, generation=20,
                link2=self.up.link, seq2=6, slot2=3, generation2=10,
            ),
        )  # fmt: skip


@group("qci")
class SidesWithTheSameNumbersAreToldApartTest(RepeaterTest):
    """Numbers are the link's: 5 here and 5 there are two pairs."""

    def runTest(self):
        self.swap(5, 5, outcome=1)
        self.send(UP, self.up.arriving("TRACK", 5, 70))
        self.expect_only(DOWN, self.down.leaving("TRACK", 5, 70, ttl=199, bell=1))


# ---- limits ----


@group("qci")
class NoPlaceForMoreWaitingPairsTest(RepeaterTest):
    """32 wait on a side; the next is released at once, and the first 32 are swapped in order."""

    def runTest(self):
        for seq in range(RING):
            self.send(QUANTUM, self.up.event("PAIR", seq, slot=seq))
        with self.counts(pair_events="EVENT_NO_ROOM"):
            self.send(QUANTUM, self.up.event("PAIR", RING, slot=RING))
            self.expect(QUANTUM, self.up.command("RELEASE", RING, slot=RING))
            self.expect_only(UP, self.up.leaving("EXPIRE", RING, RING, reason=NO_ROOM))
        for seq in range(RING):
            self.send(QUANTUM, self.down.event("PAIR", seq))
            self.expect(
                QUANTUM,
                self.down.command("SWAP", seq, link2=self.up.link, seq2=seq, slot2=seq),
            )
        self.expect_nothing()


@group("qci")
class DeadPairsMakeRoomTest(RepeaterTest):
    """A full ring of expired pairs is no obstacle: the event is resubmitted past each of them."""

    def runTest(self):
        for seq in range(RING):
            self.send(QUANTUM, self.up.event("PAIR", seq))
            self.send(QUANTUM, self.up.event("EXPIRED", seq))
            self.expect(UP, self.up.leaving("EXPIRE", seq, seq, reason=CUTOFF))
        with self.counts(pair_events={}, drops={}):
            self.send(QUANTUM, self.up.event("PAIR", RING, slot=7))
        self.send(QUANTUM, self.down.event("PAIR", 1))
        self.expect_only(
            QUANTUM, self.down.command("SWAP", 1, link2=self.up.link, seq2=RING, slot2=7)
        )


# ---- late, duplicated ----


@group("qci")
class DuplicatedTrackIsLedOnAgainTest(RepeaterTest):
    """It is the ends that tell duplicates."""

    def runTest(self):
        self.swap(5, 8)
        for _ in range(2):
            self.send(UP, self.up.arriving("TRACK", 5, 70))
            self.expect_only(DOWN, self.down.leaving("TRACK", 8, 70, ttl=199))


@group("qci")
class DuplicatedOutcomeIsDroppedTest(RepeaterTest):
    """A swap that was done stays done, even if it is said to have failed afterwards."""

    def runTest(self):
        self.swap(5, 8, outcome=1)
        self.dropped(QUANTUM, self.swapped(5, 8, 2), "DROP_DEVICE_STALE")
        self.dropped(QUANTUM, self.swapped(5, 8, 2, type_="SWAP_FAILED"), "DROP_DEVICE_STALE")
        self.send(UP, self.up.arriving("TRACK", 5, 70))
        self.expect_only(DOWN, self.down.leaving("TRACK", 8, 70, ttl=199, bell=1))


@group("qci")
class LateTrackFindsTheDeadPairTest(RepeaterTest):
    def runTest(self):
        self.send(QUANTUM, self.up.event("PAIR", 5))
        self.send(QUANTUM, self.up.event("EXPIRED", 5))
        self.expect(UP, self.up.leaving("EXPIRE", 5, 5, reason=CUTOFF))
        with self.counts(pair_events="EVENT_TRACK_DEAD"):
            self.send(UP, self.up.arriving("TRACK", 5, 70))
            self.expect_only(UP, self.up.leaving("EXPIRE", 5, 70, reason=DEAD_PAIR))


@group("qci")
class CutOffDuringTheSwapTest(RepeaterTest):
    """One half expires while the swap is under way: whatever the outcome, both are lost."""

    def runTest(self):
        self.begin_swap(5, 8)
        self.send(QUANTUM, self.up.event("EXPIRED", 5, slot=1, generation=10))
        self.expect(UP, self.up.leaving("EXPIRE", 5, 5, reason=CUTOFF))
        with self.counts(pair_events="EVENT_SWAP_FAILED"):
            self.send(QUANTUM, self.swapped(5, 8))
            self.expect(UP, self.up.leaving("EXPIRE", 5, 5, reason=SWAP_FAILED))
            self.expect(DOWN, self.down.leaving("EXPIRE", 8, 8, reason=SWAP_FAILED))


@group("qci")
class EventsForPairsThatNobodyKnowsAreDroppedTest(RepeaterTest):
    def runTest(self):
        self.dropped(QUANTUM, self.up.event("EXPIRED", 5), "DROP_DEVICE_STALE")
        self.dropped(QUANTUM, self.swapped(5, 8), "DROP_DEVICE_STALE")
        self.dropped(QUANTUM, self.swapped(5, 8, type_="SWAP_FAILED"), "DROP_DEVICE_STALE")


@group("qci")
class AcknowledgementThatNobodyWaitsForIsDroppedTest(RepeaterTest):
    def runTest(self):
        self.dropped(UP, self.up.arriving("EXPIRE_ACK", 5, 70), "DROP_ACK_STALE")


# ---- forged, malformed ----


@group("qci")
class MessageOnTheOtherSidesPortIsForgedTest(RepeaterTest):
    """The label of one side on the port of the other, and either on a port that has no circuit."""

    def runTest(self):
        self.swap(5, 8)
        for port, side in ((DOWN, self.up), (UP, self.down), (OTHER, self.up), (OTHER, self.down)):
            self.dropped(port, side.arriving("TRACK", 5, 70), "DROP_UNKNOWN_LABEL")


@group("qci")
class OutcomeThatNamesAnotherLinkIsMalformedTest(RepeaterTest):
    def runTest(self):
        outcome = self.swapped(5, 8)
        for link2 in (self.down.link, 9):
            outcome[Qubit].link2 = link2
            self.dropped(QUANTUM, outcome, "DROP_DEVICE_MALFORMED")


@group("qci")
class OutcomeOfAPairWithAStrangerTest(RepeaterTest):
    """5 is being swapped with 8; an outcome that says 5 and 9 can't be right: 5 is given up."""

    def runTest(self):
        self.begin_swap(5, 8)
        with self.counts(pair_events="EVENT_SWAP_FAILED"):
            self.send(QUANTUM, self.swapped(5, 9))
            self.expect(UP, self.up.leaving("EXPIRE", 5, 5, reason=SWAP_FAILED))
            self.expect(DOWN, self.down.leaving("EXPIRE", 9, 9, reason=SWAP_FAILED))
        self.expect_nothing()


@group("qci")
class LabelOfOneSideOnTheLinkOfTheOtherIsDroppedTest(RepeaterTest):
    def runTest(self):
        event = self.up.event("PAIR", 5)
        event[Device].link = self.down.link
        self.dropped(QUANTUM, event, "DROP_DEVICE_LABEL")


# ---- registers ----


@group("registers")
class SwapRecordsCanBeReadTest(RepeaterTest):
    """After a swap the two records name each other, with the frame that crossing it adds."""

    def runTest(self):
        self.skip_on_bmv2("simple_switch_grpc does not offer registers over P4Runtime")
        self.swap(5, 8, bell_up=1, bell_down=2, outcome=3)
        at_up, at_down = (self.up.link << 12) + 5, (self.down.link << 12) + 8
        self.assertEqual(
            self.register("pair_peer", at_up), 8 << 16 | self.down.link << 8 | (3 ^ 2) << 6
        )
        self.assertEqual(
            self.register("pair_peer", at_down), 5 << 16 | self.up.link << 8 | (3 ^ 1) << 6
        )
        self.assertEqual(self.register("pair_identity", at_up) >> 2 & 15, CONSTANTS["SWAPPED"])
        # One pair waited on the up side and was taken: the ring's ends met again.
        ring = self.circuit << 1 | 1
        self.assertEqual(self.register("ring_ends", ring), 1 << 16 | 1)
        self.assertEqual(self.register("ring_pairs", ring * RING), 5)
