"""Reading the captures that the switch writes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HEADER_BYTES = 24


class Record(NamedTuple):
    """One captured packet."""

    time_ns: int
    data: bytes


def read_pcap(path: Path) -> Iterator[Record]:
    """The whole packets of a little-endian file with microseconds, even while it is written."""
    content = path.read_bytes()
    assert content[:4] == b"\xd4\xc3\xb2\xa1"
    at = HEADER_BYTES
    while at + 16 <= len(content):
        seconds, micros, length, _ = struct.unpack_from("<IIII", content, at)
        at += 16 + length
        if at <= len(content):
            yield Record(seconds * 1_000_000_000 + micros * 1000, content[at - length : at])
