"""pcap files."""

from __future__ import annotations

from pathlib import Path

from qplane.switch.pcap import PcapWriter

from ..captures import read_pcap


def test_what_is_written_is_read_back_with_microsecond_times(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    writer = PcapWriter(path)
    writer.write(b"one", 1_000_002_345)
    writer.write(b"", 5_000_000_000)
    writer.close()
    assert list(read_pcap(path)) == [(1_000_002_000, b"one"), (5_000_000_000, b"")]


def test_scapy_reads_what_is_written(tmp_path: Path) -> None:
    from scapy.all import Ether, rdpcap

    writer = PcapWriter(tmp_path / "a.pcap")
    writer.write(bytes(Ether(dst="00:00:00:00:00:01", type=0x1234) / b"payload"))
    writer.close()
    (packet,) = rdpcap(str(tmp_path / "a.pcap"))
    assert packet[Ether].dst == "00:00:00:00:00:01"
