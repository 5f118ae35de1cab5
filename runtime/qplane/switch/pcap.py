"""pcap files: reading any classic one, writing Ethernet ones."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LINKTYPE_ETHERNET = 1
_HEADER = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_MAGICS = {  # -> (byte order, nanoseconds a tick)
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}


class PcapError(ValueError):
    """A file that is no pcap file; names it."""


class Record(NamedTuple):
    """One captured packet."""

    time_ns: int
    data: bytes


def read_pcap(path: Path) -> Iterator[Record]:
    """The packets of a file. Raises PcapError when it is malformed or cut short, OSError."""
    content = path.read_bytes()
    if len(content) < _HEADER.size or content[:4] not in _MAGICS:
        raise PcapError(f"{path}: not a pcap file")
    order, tick_ns = _MAGICS[content[:4]]
    record = struct.Struct(order + "IIII")
    at = _HEADER.size
    while at < len(content):
        if at + record.size > len(content):
            raise PcapError(f"{path}: cut short in a record header at byte {at}")
        seconds, ticks, length, _ = record.unpack_from(content, at)
        at += record.size
        if at + length > len(content):
            raise PcapError(f"{path}: cut short in a packet at byte {at}")
        yield Record(seconds * 1_000_000_000 + ticks * tick_ns, content[at : at + length])
        at += length


class PcapWriter:
    """Appends packets to a new file; thread safe. Raises OSError when it can't be written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._lock = threading.Lock()
        self._file.write(_HEADER.pack(0xA1B2C3D4, 2, 4, 0, 0, 262144, LINKTYPE_ETHERNET))
        self._file.flush()

    def write(self, data: bytes, time_ns: int | None = None) -> None:
        """Append a packet, by default with the time of now."""
        now = time.time_ns() if time_ns is None else time_ns
        head = _RECORD.pack(now // 1_000_000_000, now // 1000 % 1_000_000, len(data), len(data))
        with self._lock:
            self._file.write(head + data)

    def flush(self) -> None:
        """Let readers see what was written."""
        with self._lock:
            self._file.flush()

    def close(self) -> None:
        """Flush and close."""
        with self._lock:
            self._file.close()
