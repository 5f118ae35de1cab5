"""The files of recorded behaviour: what a program's switch was given, and what real BMv2 did.

JSON lines. The first has `program`, `reference` (BMv2's version) and `sha256` (of the program's
JSON); then, in the order in which things happened,

- `write`: an update as text protobuf;
- `in`: [port, packet], and `out`: what left for it, as [[port, packet], ...], sorted;
- `read`: at the end, an entity as text protobuf (counters).

Packets are hexadecimal. Port 510 is the controller's: packets to and from it have the controller
header in front.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from diff.programs import Program
from diff.target import Packet
from finsy.proto import p4r
from google.protobuf import text_format

RECORDINGS = Path(__file__).parent / "recordings"


@dataclass
class Recording:
    """One program with one state, and packets one after the other."""

    program: str
    sha256: str
    reference: str
    writes: list[p4r.Update] = field(default_factory=list)
    packets: list[tuple[Packet, list[Packet]]] = field(default_factory=list)
    reads: list[p4r.Entity] = field(default_factory=list)


def digest(program: Program) -> str:
    """What ties a recording to the compiled program that it was made with."""
    return hashlib.sha256(program.json).hexdigest()


def save(recording: Recording, path: Path) -> None:
    """Write the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        for line in _lines(recording):
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


def _lines(recording: Recording) -> Iterator[dict[str, object]]:
    yield {
        "program": recording.program,
        "reference": recording.reference,
        "sha256": recording.sha256,
    }
    for update in recording.writes:
        yield {"write": text_format.MessageToString(update, as_one_line=True)}
    for (port, data), left in recording.packets:
        yield {"in": [port, data.hex()], "out": [[out, packet.hex()] for out, packet in left]}
    for entity in recording.reads:
        yield {"read": text_format.MessageToString(entity, as_one_line=True)}


def load(path: Path) -> Recording:
    """Read a file."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    recording = Recording(**lines[0])
    for line in lines[1:]:
        if "write" in line:
            recording.writes.append(text_format.Parse(line["write"], p4r.Update()))
        elif "in" in line:
            recording.packets.append((_packet(line["in"]), [_packet(out) for out in line["out"]]))
        else:
            recording.reads.append(text_format.Parse(line["read"], p4r.Entity()))
    return recording


def _packet(pair: Sequence[object]) -> Packet:
    port, data = pair
    assert isinstance(port, int) and isinstance(data, str)
    return port, bytes.fromhex(data)
