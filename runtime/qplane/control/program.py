"""The P4 program that the controller gives to every switch, in finsy's terms."""

from __future__ import annotations

from functools import lru_cache

import finsy as fy
from finsy.proto import p4i
from google.protobuf import text_format

from qplane import p4


@lru_cache(maxsize=4)
def schema(name: str = "qnode") -> fy.P4Schema:
    """P4Info and device configuration of one of qplane's programs. Raises P4SourceError."""
    program = p4.load(name)
    info = text_format.Parse(program.p4info.decode(), p4i.P4Info())
    return fy.P4Schema(info, program.device_config())
