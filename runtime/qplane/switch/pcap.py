"""Writing pcap files of Ethernet frames."""

from __future__ import annotations

import struct
import threading
import time
from pathlib import Path

LINKTYPE_ETHERNET = 1
_HEADER = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")


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
