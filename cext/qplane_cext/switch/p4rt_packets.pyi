"""Packet-ins straight to the wire; see the .pyx."""

from collections.abc import Sequence

class PacketInEncoder:
    def __init__(self, fields: Sequence[tuple[int, int, int]], length: int) -> None:
        """ValueError: this header has to be left to the general path."""

    def encode(self, packet: bytes) -> bytes | None: ...
