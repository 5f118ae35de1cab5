"""Captures: what Scapy reads is what passed, at the virtual time at which it passed."""

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapReader

from qplane_cext.sim.network import Network

US = 10**6
FRAMES = [bytes(Ether(type=0x800) / IP() / UDP() / bytes(n)) for n in (0, 1, 1000)]


class Forward:
    def process(self, port, data, now_us):
        return [(2 if port == 1 else 510, data)]


def read(path):
    """(seconds, nanoseconds, length, bytes) of each frame; the file says nanoseconds."""
    with RawPcapReader(str(path)) as reader:
        assert reader.nano
        return reader.linktype, [(m.sec, m.usec, m.wirelen, data) for data, m in reader]


def captured(folder, count=3):
    network = Network(1, pcap_dir=str(folder))
    a = network.add_node("a", 1, Forward(), switch_delay_ps=1 * US)
    b = network.add_node("b", 2, Forward(), switch_delay_ps=1 * US)
    network.add_channel(a, 2, b, 3, delay_ps=5_000_000 * US, rate_bps=8e9)
    for n in range(count):
        network.inject(a, 1, FRAMES[n % 3])
    network.run(stop_on_cpu=False)
    return network


def test_both_ends_of_a_channel_and_the_cpu_port(tmp_path):
    network = captured(tmp_path)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["a-2.pcap", "a-510.pcap", "b-3.pcap", "b-510.pcap"]
    kind, left = read(tmp_path / "a-2.pcap")
    assert kind == 1
    assert [data for *_, data in left] == FRAMES
    assert [(sec, nano) for sec, nano, *_ in left] == [(0, 1000)] * 3
    _, arrived = read(tmp_path / "b-3.pcap")
    assert [data for *_, data in arrived] == FRAMES
    lengths = [len(frame) for frame in FRAMES]
    at_ns = [1000 + sum(lengths[: n + 1]) for n in range(3)]  # a byte a nanosecond, then 5 s
    assert [(sec, nano) for sec, nano, *_ in arrived] == [(5, ns) for ns in at_ns]
    kind, to_cpu = read(tmp_path / "b-510.pcap")
    assert kind == 147
    assert [data for *_, data in to_cpu] == FRAMES
    assert [nano for _, nano, *_ in to_cpu] == [ns + 1000 for ns in at_ns]
    network.close()


def test_more_than_a_buffer(tmp_path):
    captured(tmp_path, count=600)
    _, frames = read(tmp_path / "b-3.pcap")
    assert [data for *_, data in frames] == [FRAMES[n % 3] for n in range(600)]


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a-510\.pcap"):
        captured(tmp_path / "missing")


def test_a_full_device_is_an_error(tmp_path):
    (tmp_path / "a-510.pcap").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left.*a-510\.pcap"):
        captured(tmp_path)


def test_a_folder_that_goes_away_is_an_error_at_the_end_of_the_run(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    network = Network(1, pcap_dir=str(folder))
    a = network.add_node("a", 1, Forward())
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    network.inject(a, 510, FRAMES[0])
    with pytest.raises(FileNotFoundError, match=r"a-510\.pcap"):
        network.run(stop_on_cpu=False)
