"""Classical channels: timing, order, and the rates of the faults."""

import math

import pytest
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from qplane_cext.sim.network import Faults, Network

US = 10**6
QCI = bytes.fromhex("0200000000aa0200000000bb88b5") + bytes(range(40))
PLAIN = bytes(Ether(src="02:00:00:00:00:bb", dst="02:00:00:00:00:aa") / IP() / UDP() / bytes(40))


class Forward:
    """Sends what comes in on port 1 out on port 2."""

    def __init__(self):
        self.sent_us = []

    def process(self, port, data, now_us):
        self.sent_us.append(now_us)
        return [(2, data)] if port == 1 else []


class Sink:
    def __init__(self):
        self.seen = []
        self.source = None

    def process(self, port, data, now_us):
        self.seen.append((now_us, data))
        return []


def line(faults=None, delay_ps=100 * US, rate_bps=1e9, seed=3):
    network, sink = Network(seed), Sink()
    sink.source = Forward()
    a = network.add_node("a", 1, sink.source, switch_delay_ps=0)
    b = network.add_node("b", 2, sink, switch_delay_ps=0)
    network.add_channel(a, 2, b, 1, delay_ps=delay_ps, rate_bps=rate_bps, faults=faults)
    return network, sink


def spaced(network, frames, gap_ps=10 * US):
    """One frame after the other, `gap_ps` apart."""
    for frame in frames:
        network.inject(0, 1, frame)
        network.run(until_ps=network.now_ps + gap_ps)
    network.run()


def test_serialisation_then_propagation_first_in_first_out():
    network, sink = line(rate_bps=8e6)  # a byte takes 1 us
    frames = [bytes(12) + bytes([8, 0]) + bytes([n]) * (100 - 14 + 50 * n) for n in range(3)]
    for frame in frames:
        network.inject(0, 1, frame)
    network.run()
    assert sink.seen == [
        (100 + 100, frames[0]),
        (100 + 150 + 100, frames[1]),
        (100 + 150 + 200 + 100, frames[2]),
    ]


def numbered(count, template=QCI):
    return [template[:-4] + n.to_bytes(4, "big") for n in range(count)]


def near(observed, count, probability):
    """Within 4 standard errors of a binomial."""
    assert abs(observed - count * probability) < 4 * math.sqrt(
        count * probability * (1 - probability)
    )


COUNT = 20_000


@pytest.mark.parametrize("kind", ["loss", "duplication", "reordering", "delay", "corruption"])
def test_each_fault_comes_at_its_rate(kind):
    network, sink = line(Faults(**{kind: 0.1}, mean_delay_ps=30 * US))
    spaced(network, numbered(COUNT))
    counters = network.channel_counters(0)
    names = {"loss": "lost", "duplication": "duplicated", "reordering": "reordered"}
    names |= {"delay": "delayed", "corruption": "corrupted"}
    assert {name for name in names.values() if counters[name]} == {names[kind]}
    near(counters[names[kind]], COUNT, 0.1)
    arrived = [data for _, data in sink.seen]
    assert (counters["frames"], counters["qci"]) == (COUNT, COUNT)
    assert len(arrived) == COUNT - counters["lost"] + counters["duplicated"]
    in_order = [data for _, data in sorted(sink.seen, key=lambda item: item[1])]
    if kind == "corruption":
        changed = [(a, b) for a, b in zip(arrived, numbered(COUNT), strict=True) if a != b]
        assert len(changed) == counters["corrupted"]
        flipped = [sum((x ^ y).bit_count() for x, y in zip(a, b, strict=True)) for a, b in changed]
        assert set(flipped) == {1, 2, 3}
        near(flipped.count(2), len(flipped), 1 / 3)
        assert all(a[:12] == b[:12] for a, b in changed)
        places = {i for a, b in changed for i in range(len(a)) if a[i] != b[i]}
        assert places == set(range(12, len(QCI)))
    else:
        assert set(arrived) <= set(numbered(COUNT))
        assert (arrived == in_order) == (kind in {"loss", "delay"})


def test_delayed_frames_keep_their_order_and_the_mean_of_the_delay_is_as_given():
    network, sink = line(Faults(delay=1.0, mean_delay_ps=50 * US))
    spaced(network, numbered(5_000), gap_ps=1000 * US)  # so far apart that none waits for another
    sent_us = sink.source.sent_us
    late = [now - sent - 100 for sent, (now, _) in zip(sent_us, sink.seen, strict=True)]
    assert abs(sum(late) / 5_000 - 50) < 4 * 50 / math.sqrt(5_000) + 1


def test_only_frames_that_carry_qci_are_touched():
    stack = MPLS(label=16, s=0) / MPLS(label=13, s=1)
    ach = bytes(Ether(type=0x8847) / stack / b"\x10\x00\x7f\xf8")
    not_gal = bytes(Ether(type=0x8847) / MPLS(label=16, s=0) / MPLS(label=17, s=1) / b"\x10\0\0\0")
    not_ach = bytes(Ether(type=0x8847) / stack / b"\x45\x00\x00\x00")
    no_end = bytes(Ether(type=0x8847) / MPLS(label=16, s=0))
    network, sink = line(Faults(loss=1.0))
    spaced(network, [QCI, ach, PLAIN, not_gal, not_ach, no_end, b"short"])
    assert [data for _, data in sink.seen] == [PLAIN, not_gal, not_ach, no_end, b"short"]
    assert network.channel_counters(0)["qci"] == network.channel_counters(0)["lost"] == 2


def test_classical_traffic_is_touched_when_asked():
    network, sink = line(Faults(loss=1.0, all_traffic=True))
    spaced(network, [PLAIN, QCI])
    assert sink.seen == []


def test_a_frame_of_a_header_alone_can_be_corrupted():
    network, sink = line(Faults(corruption=1.0, max_flipped_bits=16, all_traffic=True))
    spaced(network, [bytes(14)] * 200)
    assert all(data[:12] == bytes(12) and data[12:] != bytes(2) for _, data in sink.seen)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": 1.1}, "faults.loss is 1.1"),
        ({"corruption": -0.5}, "faults.corruption is -0.5"),
        ({"mean_delay_ps": -1}, "faults.mean_delay_ps is -1"),
        ({"max_flipped_bits": 0}, "faults.max_flipped_bits is 0"),
        ({"max_flipped_bits": 17}, "faults.max_flipped_bits is 17"),
    ],
)
def test_impossible_faults_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        line(Faults(**changes))
