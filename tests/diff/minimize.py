"""The smallest state and packet sequence that still make a difference."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from finsy.proto import p4r
from google.protobuf import text_format

from qplane.switch.pcap import PcapWriter

from .compare import Difference, Pair, Step
from .programs import Program

Item = TypeVar("Item")
SECONDS = 120.0  # a smaller reproducer is not worth waiting longer for


def minimize(pair: Pair, program: Program, found: Difference) -> Difference | None:
    """The difference with as little as possible; None when it does not show again."""
    deadline = time.monotonic() + SECONDS
    last: Difference | None = None

    def differs(state: Sequence[p4r.Update], steps: Sequence[Step]) -> bool:
        nonlocal last
        try:
            pair.load(program, state)
            pair.run(steps)
            pair.finish()
        except Difference as difference:
            if difference.loading:
                return False
            last = difference
            return True
        return False

    if not differs(found.state, found.steps):
        return None
    steps = _shrink(found.steps, lambda some: differs(found.state, some), deadline)
    state = _shrink(found.state, lambda some: differs(some, steps), deadline)
    differs(state, steps)
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
    """Write the reproducer: entries as text protobuf, packets as pcap, all steps in order."""
    folder.mkdir(parents=True, exist_ok=True)
    request = p4r.WriteRequest(updates=difference.state)
    (folder / "entries.txtpb").write_text(text_format.MessageToString(request))
    (folder / "steps.txt").write_text("\n".join(map(show, difference.steps)) + "\n")
    pcap = PcapWriter(folder / "packets.pcap")
    for step in difference.steps:
        if not isinstance(step, p4r.Update):
            pcap.write(step[1])
    pcap.close()


def show(step: Step) -> str:
    """A step in one line."""
    if isinstance(step, p4r.Update):
        return text_format.MessageToString(step, as_one_line=True)
    port, data = step
    return f"packet into port {port}: {data.hex()}"
