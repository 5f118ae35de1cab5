"""The heralding station: two GENs and an outcome become one REPLY to each node, or an error."""

from base import CONSTANTS
from ptf.testutils import group
from scapy.layers.l2 import Ether
from station import (
    DETECTORS,
    LINK,
    OTHER,
    OTHER_LINK,
    PSI_MINUS,
    PSI_PLUS,
    STATION_MAC,
    A,
    B,
    C,
    D,
    HeraldTest,
)

QUEUE, TIME, OTHER_GONE = (
    CONSTANTS[f"MHP_{name}"] for name in ("QUEUE_MISMATCH", "TIME_MISMATCH", "NO_CLASSICAL_OTHER")
)


@group("herald")
class ASuccessIsNumberedAndAnsweredTest(HeraldTest):
    """The station owns the number: it grows with each pair, on each link by itself."""

    def runTest(self):
        for number, (cycle, outcome) in enumerate(
            ((5, PSI_PLUS), (6, PSI_MINUS), (1 << 40, PSI_PLUS)), start=1
        ):
            with self.counts(replies={8 * LINK + CONSTANTS["REPLY_SUCCESS"]: 1}):
                self.attempt(cycle, outcome)
                self.answered(cycle, mhp_seq=number, outcome=outcome)
        for port in (C, D):
            self.send(port, self.gen(port, 6))
        self.send(DETECTORS, self.outcome(6, link=OTHER_LINK))
        for port in (C, D):
            self.expect(port, self.reply(port, 6, mhp_seq=1, outcome=PSI_PLUS))
        self.expect_nothing()


@group("herald")
class AFailureHasTheNumberOfTheLastPairTest(HeraldTest):
    def runTest(self):
        self.attempt(1, 0)
        self.answered(1, mhp_seq=0, outcome=0)
        self.attempt(2)
        self.answered(2, mhp_seq=1, outcome=PSI_PLUS)
        with self.counts(replies={8 * LINK + CONSTANTS["REPLY_FAIL"]: 1}):
            self.attempt(3, 0)
            self.answered(3, mhp_seq=1, outcome=0)


@group("herald")
class OtherQueueItemsOrKindsAreNoPairTest(HeraldTest):
    """Each node gets its own queue id echoed, and the other's."""

    def runTest(self):
        for cycle, queues in ((1, ((7, 9), (7, 8))), (2, ((7, 9), (6, 9)))):
            with self.counts(replies={8 * LINK + CONSTANTS["REPLY_QUEUE_MISMATCH"]: 1}):
                self.attempt(cycle, queues=queues)
                for port, own, other in ((A, *queues), (B, *queues[::-1])):
                    self.expect(port, self.reply(port, cycle, own, other, error_code=QUEUE))
                self.expect_nothing()
        self.send(A, self.gen(A, 3))
        self.send(B, self.gen(B, 3, kind=1))
        self.send(DETECTORS, self.outcome(3))
        self.answered(3, error_code=QUEUE)


@group("herald")
class AMissingGenIsToldToBothTest(HeraldTest):
    """The node that was heard learns that the other was not, and the other one too. What then comes
    late changes nothing."""

    def runTest(self):
        for cycle, (there, missing) in enumerate(((A, B), (B, A)), start=1):
            self.send(there, self.gen(there, cycle))
            with self.counts(replies={8 * LINK + CONSTANTS["REPLY_ONE_GEN"]: 1}):
                self.send(DETECTORS, self.outcome(cycle))
                self.expect(there, self.reply(there, cycle, other=(0, 0), error_code=OTHER_GONE))
                self.expect(missing, self.reply(missing, cycle, own=(0, 0), error_code=TIME))
                self.expect_nothing()
            self.dropped(missing, self.gen(missing, cycle), "HERALD_DROP_LATE")
            self.dropped(DETECTORS, self.outcome(cycle), "HERALD_DROP_STALE_OUTCOME")
        self.attempt(3)
        self.answered(3, mhp_seq=1, outcome=PSI_PLUS)


@group("herald")
class AnOutcomeWithoutAnyGenIsNotAnsweredTest(HeraldTest):
    def runTest(self):
        self.dropped(DETECTORS, self.outcome(1), "HERALD_DROP_NO_GEN")
        self.dropped(A, self.gen(A, 1), "HERALD_DROP_LATE")
        self.dropped(DETECTORS, self.outcome(1), "HERALD_DROP_STALE_OUTCOME")


@group("herald")
class ADuplicateDoesNotCountTwiceTest(HeraldTest):
    """Before the outcome and after it; the first one stands, whatever the second one says."""

    def runTest(self):
        self.send(A, self.gen(A, 1))
        self.dropped(A, self.gen(A, 1, (1, 1)), "HERALD_DROP_DUPLICATE")
        self.send(B, self.gen(B, 1))
        self.dropped(B, self.gen(B, 1), "HERALD_DROP_DUPLICATE")
        self.send(DETECTORS, self.outcome(1))
        self.answered(1, mhp_seq=1, outcome=PSI_PLUS)
        self.dropped(A, self.gen(A, 1), "HERALD_DROP_LATE")
        self.dropped(DETECTORS, self.outcome(1), "HERALD_DROP_STALE_OUTCOME")


@group("herald")
class AttemptsUnderWayDoNotMixTest(HeraldTest):
    """M attempts follow each other before they are answered, in any order of arrival."""

    def runTest(self):
        for cycle in range(1, 6):
            self.send(A, self.gen(A, cycle, (0, cycle)))
        for cycle in (3, 1, 5, 2, 4):
            self.send(B, self.gen(B, cycle, (0, cycle)))
        for number, cycle in enumerate((2, 1, 3, 5, 4), start=1):
            self.send(DETECTORS, self.outcome(cycle))
            queue = (0, cycle)
            self.answered(cycle, own=queue, other=queue, mhp_seq=number, outcome=PSI_PLUS)


@group("herald")
class OneEndsCyclesAreNotTheOthersTest(HeraldTest):
    """GENs of cycles that differ, also by the number of records, never meet."""

    def runTest(self):
        for cycle, other in ((10, 11), (2000 + 256, 2000)):
            self.send(A, self.gen(A, cycle))
            self.send(B, self.gen(B, other))
            self.send(DETECTORS, self.outcome(cycle))
            self.expect(A, self.reply(A, cycle, other=(0, 0), error_code=OTHER_GONE))
            self.expect(B, self.reply(B, cycle, own=(0, 0), error_code=TIME))
            self.expect_nothing()


@group("herald")
class ANewerAttemptTakesThePlaceOfAnOldOneTest(HeraldTest):
    """And what comes for the old one then is late, across the wrap of the cycle number as well."""

    def runTest(self):
        for old in (4, (1 << 64) - 100):
            new = (old + 256) % (1 << 64)
            self.send(A, self.gen(A, old))
            self.send(A, self.gen(A, new))
            self.dropped(A, self.gen(A, old), "HERALD_DROP_LATE")
            self.send(B, self.gen(B, new))
            self.send(DETECTORS, self.outcome(new, 0))
            self.answered(new, outcome=0)
            self.dropped(DETECTORS, self.outcome(old), "HERALD_DROP_STALE_OUTCOME")


@group("herald")
class AGenOfACycleFarAheadCostsOneAttemptTest(HeraldTest):
    """One forged message must not stop a link: the detectors say which cycle it is."""

    def runTest(self):
        for number, ahead in enumerate((256, 1 << 40, (1 << 63) - 256), start=1):
            cycle = 1000 * number
            self.send(A, self.gen(A, cycle + ahead))
            self.dropped(A, self.gen(A, cycle), "HERALD_DROP_LATE")
            self.send(B, self.gen(B, cycle))
            self.send(DETECTORS, self.outcome(cycle))
            self.expect(A, self.reply(A, cycle, own=(0, 0), mhp_seq=number - 1, error_code=TIME))
            self.expect(
                B,
                self.reply(B, cycle, other=(0, 0), mhp_seq=number - 1, error_code=OTHER_GONE),
            )
            self.expect_nothing()
            self.attempt(cycle + 256)
            self.answered(cycle + 256, mhp_seq=number, outcome=PSI_PLUS)


@group("herald")
class NumbersBeginAnewInAnotherEpochTest(HeraldTest):
    """The controller gives one when a station may have lost its registers; other links go on."""

    def runTest(self):
        self.attempt(1)
        self.answered(1, mhp_seq=1, outcome=PSI_PLUS)
        for cycle, epoch in ((2, 1), (4, 255), (6, 0)):
            self.modify("link_group", {"link": LINK}, "set_group", group=1, epoch=epoch)
            self.attempt(cycle, 0)
            self.answered(cycle, mhp_seq=epoch << 24, outcome=0)
            self.attempt(cycle + 1)
            self.answered(cycle + 1, mhp_seq=epoch << 24 | 1, outcome=PSI_PLUS)


@group("herald")
class ASourceNeedsBothPhotonsTest(HeraldTest):
    """A node that stored nothing says so; there is no pair then, whatever the source says."""

    def runTest(self):
        for cycle, present in enumerate(((1, 0), (0, 1), (0, 0)), start=1):
            for port, there in zip((A, B), present, strict=True):
                self.send(port, self.gen(port, cycle, present=there))
            self.send(DETECTORS, self.outcome(cycle))
            self.answered(cycle, mhp_seq=0, outcome=0)


@group("herald")
class ForgedMessagesAreDroppedTest(HeraldTest):
    """GEN is taken from the ends of links alone, and as that end's; outcomes from the detectors."""

    def runTest(self):
        self.send(A, self.gen(A, 1))
        for port in (DETECTORS, OTHER):
            self.dropped(port, self.gen(B, 1), "HERALD_DROP_GEN_PORT")
        for port in (A, B, OTHER):
            self.dropped(port, self.outcome(1), "HERALD_DROP_OUTCOME_PORT")
        self.send(C, self.gen(B, 1))  # B's address, but another link's end
        self.send(DETECTORS, self.outcome(1))
        self.expect(A, self.reply(A, 1, other=(0, 0), error_code=OTHER_GONE))
        self.expect(B, self.reply(B, 1, own=(0, 0), error_code=TIME))
        self.expect_nothing()


@group("herald")
class DamagedMessagesAreDroppedTest(HeraldTest):
    """Any bit behind the Ethernet header; cut off anywhere; too long."""

    def runTest(self):
        whole = bytes(self.gen(A, 1))
        for place in range(14, len(whole)):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << place % 8
            self.send(A, Ether(bytes(damaged)))
        for size in range(15, len(whole)):
            self.send(A, Ether(whole[:size]))
        self.send(A, Ether(whole.ljust(61, b"\0")))
        self.expect_nothing()
        self.send(B, self.gen(B, 1))
        self.send(DETECTORS, self.outcome(1))
        self.expect(A, self.reply(A, 1, own=(0, 0), error_code=TIME))
        self.expect(B, self.reply(B, 1, other=(0, 0), error_code=OTHER_GONE))
        self.expect_nothing()


@group("herald")
class PaddedMessagesAreTakenAndAnsweredWithoutPaddingTest(HeraldTest):
    def runTest(self):
        for port in (A, B):
            self.send(port, Ether(bytes(self.gen(port, 1)).ljust(60, b"\0")))
        self.send(DETECTORS, Ether(bytes(self.outcome(1)).ljust(60, b"\0")))
        self.answered(1, mhp_seq=1, outcome=PSI_PLUS)


@group("herald")
class WhatIsNoneOfTheseIsDroppedTest(HeraldTest):
    def runTest(self):
        wrong = [
            self.gen(A, 1, version=2),
            self.gen(A, 1, flags=1),
            self.reply(A, 1),
            Ether(src=STATION_MAC, type=0x0800) / b"12345678901234567890",
        ]
        for packet in wrong:
            self.dropped(A, packet, "HERALD_DROP_MALFORMED")
        self.dropped(DETECTORS, self.outcome(1, version=2), "HERALD_DROP_MALFORMED")
        for link in (LINK + 1, 32, 255):
            self.dropped(DETECTORS, self.outcome(1, link=link), "HERALD_DROP_UNKNOWN_LINK")


@group("herald")
@group("cpu")
class SampledPairsAreCopiedToTheControllerTest(HeraldTest):
    """Every second pair here, with its link's number; failures never."""

    def runTest(self):
        self.sample(mask=1, session=9)
        for number in (1, 2, 3, 4):
            self.attempt(2 * number)
            self.answered(2 * number, mhp_seq=number, outcome=PSI_PLUS)
            if number % 2 == 0:
                reply = self.reply(A, 2 * number, mhp_seq=number, outcome=PSI_PLUS)
                reply.src, reply.dst = "02:00:00:00:00:02", "02:00:00:00:00:01"
                self.expect_packet_in(
                    reply, ingress_port=DETECTORS, reason=CONSTANTS["PACKET_IN_HERALD"], detail=LINK
                )
            self.attempt(2 * number + 1, 0)
            self.answered(2 * number + 1, mhp_seq=number, outcome=0)


@group("herald")
@group("cpu")
class TheControllersPacketsLeaveAsTheyAreTest(HeraldTest):
    def runTest(self):
        packet = self.gen(B, 3)
        self.packet_out(packet, egress_port=C, pad=0)
        self.expect_only(C, packet)
