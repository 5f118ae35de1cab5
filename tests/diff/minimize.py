"""The smallest state and packet sequence that still make a difference."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from finsy.proto import p4r
from google.protobuf import text_format

from qplane.switch.pcap import PcapWriter

from .compare import Difference, Pair
from .programs import Program
from .target import Packet

Item = TypeVar("Item")
SECONDS = 120.0  # a smaller reproducer is not worth waiting longer for


def minimize(
    pair: Pair, program: Program, state: Sequence[p4r.Update], sent: Sequence[Packet]
) -> Difference | None:
    """The difference with as little as possible; None when it does not show again."""
    deadline = time.monotonic() + SECONDS
    last: Difference | None = None

    def differs(updates: Sequence[p4r.Update], sequence: Sequence[Packet]) -> bool:
        nonlocal last
        try:
            pair.load(program, updates)
            pair.run(sequence)
            pair.finish()
        except Difference as difference:
            if difference.loading:
                return False
            last = difference
            last.state, last.sent = updates, sequence
            return True
        return False

    if not differs(state, sent):
        return None
    packets = _shrink(sent, lambda some: differs(state, some), deadline)
    updates = _shrink(state, lambda some: differs(some, packets), deadline)
    differs(updates, packets)
    return last


def _shrink(
    items: Sequence[Item], differs: Callable[[Sequence[Item]], bool], deadline: float
) -> Sequence[Item]:
    """Leave out ever smaller parts as long as the difference stays (delta debugging)."""
    part = max(1, len(items) // 2)
    while items:
        at = 0
        while at < len(items) and time.monotonic() < deadline:
            fewer = [*items[:at], *items[at + part :]]
            if differs(fewer):
                items = fewer
            else:
                at += part
        if part == 1 or time.monotonic() >= deadline:
            break
        part = max(1, part // 2)
    return items


def save(difference: Difference, folder: Path) -> None:
    """Write the reproducer: entries as text protobuf, packets as pcap and with their ports."""
    folder.mkdir(parents=True, exist_ok=True)
    request = p4r.WriteRequest(updates=difference.state)
    (folder / "entries.txtpb").write_text(text_format.MessageToString(request))
    lines = [f"{port} {data.hex()}" for port, data in difference.sent]
    (folder / "packets.txt").write_text("\n".join(lines) + "\n")
    pcap = PcapWriter(folder / "packets.pcap")
    for _, data in difference.sent:
        pcap.write(data)
    pcap.close()
