"""pcap files."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from qplane.switch.pcap import PcapError, PcapWriter, read_pcap


def test_what_is_written_is_read_back_with_microsecond_times(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    writer = PcapWriter(path)
    writer.write(b"one", 1_000_002_345)
    writer.write(b"", 5_000_000_000)
    writer.close()
    assert list(read_pcap(path)) == [(1_000_002_000, b"one"), (5_000_000_000, b"")]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "tick"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_both_byte_orders_and_both_resolutions_are_read(
    tmp_path: Path, order: str, magic: int, tick: int
) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(
        struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
        + struct.pack(order + "IIII", 3, 7, 2, 2)
        + b"ab"
    )
    assert list(read_pcap(path)) == [(3_000_000_000 + 7 * tick, b"ab")]


def test_scapy_reads_what_is_written(tmp_path: Path) -> None:
    from scapy.all import Ether, rdpcap

    writer = PcapWriter(tmp_path / "a.pcap")
    writer.write(bytes(Ether(dst="00:00:00:00:00:01", type=0x1234) / b"payload"))
    writer.close()
    (packet,) = rdpcap(str(tmp_path / "a.pcap"))
    assert packet[Ether].dst == "00:00:00:00:00:01"


@pytest.mark.parametrize("cut", [10, 30, 41])
def test_a_file_cut_short_is_refused_by_name(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.pcap"
    writer = PcapWriter(path)
    writer.write(b"0123456789", 0)
    writer.close()
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(PcapError, match=r"a\.pcap"):
        list(read_pcap(path))
