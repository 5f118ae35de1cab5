"""What the controller hears of without asking: copies of events, digests of what was refused."""

from base import CONSTANTS
from probes import probe
from ptf.testutils import group
from qnode import DOWN, HOST_A, QUANTUM, UP, UP_MAC, HeadEndTest, QnodeTest

TRACK_SENT, TRACK_WAITS = CONSTANTS["EVENT_TRACK_SENT"], CONSTANTS["EVENT_TRACK_WAITS"]
CPU = 510


def mac(text):
    return int(text.replace(":", ""), 16)


@group("telemetry")
@group("cpu")
class EachThirdEventIsCopiedTest(HeadEndTest):
    """The first and then each third PAIR goes to the controller as it came in; the rate is changed
    while packets pass; other events are not copied."""

    def runTest(self):
        self.telemetry_session(CONSTANTS["TELEMETRY_SESSION"], CPU)
        entry = self.insert("telemetry", {"event": TRACK_SENT}, "sample", interval=3)
        about = {
            "ingress_port": QUANTUM, "reason": CONSTANTS["PACKET_IN_TELEMETRY"],
            "detail": TRACK_SENT,
        }  # fmt: skip
        self.send(DOWN, self.down.arriving("TRACK", 99, 99))  # waits for its herald
        for seq in range(7):
            pair = self.down.event("PAIR", seq, slot=seq)
            self.send(QUANTUM, pair)
            self.expect(DOWN, self.down.leaving("TRACK", seq, seq))
            if seq % 3 == 0:
                self.expect_packet_in(pair, **about)
        entry.action["interval"] = "1"
        entry.modify()
        for seq in (7, 8):  # these two were let go by with the old interval
            self.send(QUANTUM, self.down.event("PAIR", seq))
            self.expect(DOWN, self.down.leaving("TRACK", seq, seq))
        for seq in (9, 10):
            pair = self.down.event("PAIR", seq)
            self.send(QUANTUM, pair)
            self.expect(DOWN, self.down.leaving("TRACK", seq, seq))
            self.expect_packet_in(pair, **about)
        self.expect_nothing()


@group("telemetry")
class WithoutASessionNothingIsCopiedTest(HeadEndTest):
    def runTest(self):
        self.insert("telemetry", {"event": TRACK_WAITS}, "sample", interval=1)
        with self.counts(pair_events={"EVENT_TRACK_WAITS": 2}):
            self.send(DOWN, self.down.arriving("TRACK", 1, 70))
            self.send(DOWN, self.down.arriving("TRACK", 2, 71))
        self.expect_nothing()


@group("telemetry")
@group("digests")
class RefusedMessagesMakeDigestsTest(HeadEndTest):
    """Reason, port, type, label, pair and source address of what was refused."""

    def runTest(self):
        self.digests("anomaly_t")
        side = self.down
        track = side.arriving("TRACK", 5, 70)
        self.dropped(UP, track, "DROP_UNKNOWN_LABEL")  # a circuit's label on a wrong port
        self.expect_digest(
            CONSTANTS["DROP_UNKNOWN_LABEL"],
            UP,
            CONSTANTS["QCI_TRACK"],
            side.label,
            5,
            mac(side.mac),
        )
        damaged = bytearray(bytes(track))
        damaged[-1] ^= 1
        self.dropped(DOWN, bytes(damaged), "DROP_BAD_CHECKSUM")
        self.expect_digest(
            CONSTANTS["DROP_BAD_CHECKSUM"], DOWN, CONSTANTS["QCI_TRACK"], side.label, 5,
            mac(side.mac),
        )  # fmt: skip
        forged = side.event("PAIR", 6)
        self.dropped(HOST_A, forged, "DROP_DEVICE_PORT")
        self.expect_digest(
            CONSTANTS["DROP_DEVICE_PORT"], HOST_A, CONSTANTS["DEVICE_PAIR"], side.label, 6,
            mac(forged.src),
        )  # fmt: skip
        self.send(QUANTUM, side.event("PAIR", 6))
        self.expect(DOWN, side.leaving("TRACK", 6, 6))
        self.send(DOWN, side.arriving("TRACK", 6, 71))
        self.expect(QUANTUM, side.command("DELIVER", 6, seq2=71))
        self.dropped(DOWN, side.arriving("TRACK", 6, 71), "DROP_TRACK_DUPLICATE")
        self.expect_digest(
            CONSTANTS["DROP_TRACK_DUPLICATE"], DOWN, CONSTANTS["QCI_TRACK"], side.label, 6,
            mac(side.mac),
        )  # fmt: skip
        self.dropped(QUANTUM, side.event("PAIR", 6), "DROP_DEVICE_STALE")
        self.expect_digest(
            CONSTANTS["DROP_DEVICE_STALE"], QUANTUM, CONSTANTS["DEVICE_PAIR"], side.label, 6,
            mac(forged.src),
        )  # fmt: skip


@group("telemetry")
@group("digests")
class RefusedProbeMakesADigestTest(QnodeTest):
    """A message without a circuit has neither label nor pair."""

    def runTest(self):
        self.digests("anomaly_t")
        self.dropped(HOST_A, probe("HELLO"), "DROP_QCI_PORT")
        self.expect_digest(
            CONSTANTS["DROP_QCI_PORT"], HOST_A, CONSTANTS["QCI_HELLO"], 0, 0, mac(UP_MAC)
        )
