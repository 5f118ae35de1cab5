"""The programs that are compared, and the ports of the switches that run them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from finsy.proto import p4i
from google.protobuf import text_format

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "tests" / "golden" / "programs"
OURS = ("qnode", "herald")
PORTS = range(8)
CPU_PORT = 510


@dataclass(frozen=True)
class Program:
    """A compiled program."""

    name: str
    json: bytes
    p4info: p4i.P4Info

    @property
    def has_packet_out(self) -> bool:
        """Whether it takes packets from the controller."""
        return any(
            item.preamble.name == "packet_out" for item in self.p4info.controller_packet_metadata
        )


@cache
def load(name: str) -> Program:
    """A program by name: one of ours, or one of tests/golden/programs."""
    folder = ROOT / "p4src" / "build" if name in OURS else PROGRAMS
    info = p4i.P4Info()
    text_format.Parse((folder / f"{name}.p4info.txtpb").read_text(), info)
    return Program(name, (folder / f"{name}.json").read_bytes(), info)


def names() -> list[str]:
    """All programs."""
    return [*OURS, *sorted(path.stem for path in PROGRAMS.glob("*.p4"))]
