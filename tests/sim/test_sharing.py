"""How a link shares itself between slices, circuits and the records of its pairs."""

from collections import Counter

import pytest

from qplane.wire.device import DeviceFlag, DeviceFrame, DeviceType, LinkControl
from qplane_cext.sim.network import Network

from .rig import CPU, MS, QUANTUM, Recorder, about, chain, tell

RECORDS = 4096
"""Pairs of a link that a switch has records for (docs/p4.md)."""


def start(label, slots, slice_=0, linger_ms=0):
    range_ = {"slot_first": slots[0], "slot_count": slots[1]}
    body = LinkControl(7, label, slice=slice_, linger_ms=linger_ms, **range_)
    return DeviceFrame(DeviceType.LINK_START, 0, body, flags=DeviceFlag.END).to_bytes()


class Releaser(Recorder):
    """Releases each pair as soon as it is heralded, but for those of `kept` sequence numbers."""

    def __init__(self, kept=()):
        super().__init__()
        self.kept = set(kept)
        self.pairs = {}
        self.heralded = Counter()

    def answer(self, frame):
        if frame.type is not DeviceType.PAIR:
            return []
        self.heralded[frame.body.label] += 1
        if frame.body.seq in self.kept:
            self.pairs[frame.body.seq] = frame
            return []
        return [(QUANTUM, about(DeviceType.RELEASE, frame))]


def two(kept=(), **options):
    switches = [Releaser(kept), Releaser(kept)]
    return chain(switches, slots=64, **options), switches


@pytest.mark.parametrize("first_seq", [0, 2**32 - 100])
def test_a_link_does_not_herald_a_pair_whose_record_is_another_live_pairs(first_seq):
    oldest = (first_seq + 3) % 2**32
    network, switches = two(kept=[oldest], first_seq=first_seq)
    for node in (0, 1):
        tell(network, node, start(16, (0, 4)))
    network.run(until_ps=2000 * MS)
    assert network.link_counters(0)["heralds"] == RECORDS + 3
    assert network.link_counters(0)["times_held_back"] > 0
    held_until_ps = network.now_ps
    tell(network, 0, about(DeviceType.RELEASE, switches[0].pairs[oldest]))
    network.run(until_ps=held_until_ps + 100 * MS)
    assert network.link_counters(0)["heralds"] == RECORDS + 3  # the other end still holds it
    tell(network, 1, about(DeviceType.RELEASE, switches[1].pairs[oldest]))
    network.run(until_ps=held_until_ps + 200 * MS)
    assert network.link_counters(0)["heralds"] > RECORDS + 300


def test_a_link_waits_until_no_message_about_a_pair_can_be_under_way():
    network, _ = two()
    linger_ms = 3000
    for node in (0, 1):
        tell(network, node, start(16, (0, 4), linger_ms=linger_ms))
    network.run(until_ps=2000 * MS)
    assert network.link_counters(0)["heralds"] == RECORDS
    # The first pair's slot was vacated within a few milliseconds of the start.
    network.run(until_ps=(linger_ms - 10) * MS)
    assert network.link_counters(0)["heralds"] == RECORDS
    network.run(until_ps=(linger_ms + 1000) * MS)
    assert RECORDS + 1000 < network.link_counters(0)["heralds"] <= 2 * RECORDS


def test_an_early_delivery_is_under_way_until_its_frame_is_there():
    class Early(Releaser):
        def answer(self, frame):
            out = super().answer(frame)
            if frame.type is DeviceType.PAIR and not out:
                return [(QUANTUM, about(DeviceType.DELIVER, frame, DeviceFlag.EARLY))]
            return out

    switches = [Early([0]), Early([0])]
    network = chain(switches, slots=4)
    for node in (0, 1):
        tell(network, node, start(16, (0, 4)))
    network.run(until_ps=2000 * MS)
    assert network.link_counters(0)["heralds"] == RECORDS
    for node, flags in ((0, DeviceFlag.NONE), (1, DeviceFlag.CORRECT)):
        pair = switches[node].pairs[0]
        tell(network, node, about(DeviceType.CONFIRM, pair, flags, bell=pair.bell))
    network.run(until_ps=2200 * MS)
    assert network.delivered == 1
    assert network.link_counters(0)["heralds"] > RECORDS + 300


def test_slices_take_turns_and_within_a_slice_its_circuits():
    network, switches = two()
    for node in (0, 1):
        tell(network, node, start(16, (0, 2), slice_=1))
        for label in range(17, 27):
            tell(network, node, start(label, (2 * (label - 16), 2), slice_=2))
    network.run(until_ps=1000 * MS)
    heralded = switches[0].heralded
    others = [heralded[label] for label in range(17, 27)]
    assert heralded[16] == pytest.approx(sum(others), abs=2)
    assert max(others) - min(others) <= 1


class Sender(Recorder):
    """Sends what comes from the CPU port out of port 0."""

    def process(self, port, data, now_us):
        self.seen.append((now_us, data))
        return [(0, data)] if port == CPU else []


FRAME = bytes(12) + b"\x08\x00" + bytes(986)  # 1000 bytes
QCI = bytes(12) + b"\x88\xb5" + bytes(36)  # 50 bytes


def slow_line(frames):
    """The frames, sent at once over 1 byte a microsecond; as (microsecond, type) at arrival."""
    switches = [Sender(), Recorder()]
    network = Network(1)
    for i, switch in enumerate(switches):
        network.add_node(f"n{i}", i + 1, switch, cpu_port=CPU, switch_delay_ps=0)
    network.add_channel(0, 0, 1, 0, delay_ps=0, rate_bps=8e6)
    tell(network, 0, *frames)
    assert network.run() == "idle"
    return network, [(when, data[12:14].hex()) for when, data in switches[1].seen]


def test_qci_goes_before_what_waits_for_the_line_but_interrupts_nothing():
    network, arrived = slow_line([FRAME, FRAME, FRAME, QCI, QCI])
    assert arrived == [
        (1000, "0800"),
        (1050, "88b5"),
        (1100, "88b5"),
        (2100, "0800"),
        (3100, "0800"),
    ]
    assert network.channel_counters(0)["overflowed"] == 0


@pytest.mark.parametrize("frame", [FRAME, QCI], ids=["classical", "QCI"])
def test_what_the_queue_of_a_channel_does_not_hold_is_lost(frame):
    network, arrived = slow_line([frame] * 1100)
    assert len(arrived) == 1025  # one on the line, 1024 that wait
    assert network.channel_counters(0)["overflowed"] == 75
