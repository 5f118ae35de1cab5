"""What a compiled program offers to a controller, read from its P4Info."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from finsy.proto import p4i
from google.protobuf import text_format

from qplane.p4.sources import P4SourceError, Program


@dataclass(frozen=True)
class TableSummary:
    """A match-action table: "field kind bits" for each key, "name(parameter bits)" per action."""

    name: str
    keys: tuple[str, ...]
    actions: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class ArraySummary:
    """A register, counter, meter, action profile or digest. `size`: cells, 0 if there are none."""

    kind: str
    name: str
    size: int
    bits: int


@dataclass(frozen=True)
class HeaderSummary:
    """A controller header: "field bits" for each field."""

    name: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class ProgramSummary:
    """All that `qplane p4 info` shows."""

    tables: tuple[TableSummary, ...]
    arrays: tuple[ArraySummary, ...]
    headers: tuple[HeaderSummary, ...]


def summarize(program: Program) -> ProgramSummary:
    """Raises P4SourceError when the P4Info can't be read."""
    info = p4i.P4Info()
    try:
        text_format.Parse(program.p4info.decode("utf-8"), info)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise P4SourceError(f"{program.name}.p4info.txtpb: {error}") from error
    actions = {action.preamble.id: _signature(action) for action in info.actions}
    tables = tuple(
        TableSummary(
            name=table.preamble.name,
            keys=tuple(
                f"{field.name} {_match_kind(field)} {field.bitwidth}"
                for field in table.match_fields
            ),
            actions=tuple(actions[reference.id] for reference in table.action_refs),
            size=table.size,
        )
        for table in info.tables
    )
    return ProgramSummary(tables, tuple(_arrays(info)), tuple(_headers(info)))


def _match_kind(field: Any) -> str:
    return str(p4i.MatchField.MatchType.Name(field.match_type)).lower()


def _signature(action: Any) -> str:
    parameters = ", ".join(f"{item.name} {item.bitwidth}" for item in action.params)
    return f"{action.preamble.name}({parameters})"


def _arrays(info: Any) -> list[ArraySummary]:
    found = [
        ArraySummary("register", item.preamble.name, item.size, _bits(item.type_spec))
        for item in info.registers
    ]
    found += [ArraySummary("counter", c.preamble.name, c.size, 0) for c in info.counters]
    found += [
        ArraySummary("direct counter", item.preamble.name, 0, 0) for item in info.direct_counters
    ]
    found += [ArraySummary("meter", item.preamble.name, item.size, 0) for item in info.meters]
    found += [ArraySummary("direct meter", m.preamble.name, 0, 0) for m in info.direct_meters]
    found += [
        ArraySummary("action profile", item.preamble.name, item.size, 0)
        for item in info.action_profiles
    ]
    found += [ArraySummary("digest", item.preamble.name, 0, 0) for item in info.digests]
    return found


def _bits(type_spec: Any) -> int:
    return int(type_spec.bitstring.bit.bitwidth)


def _headers(info: Any) -> list[HeaderSummary]:
    return [
        HeaderSummary(
            item.preamble.name, tuple(f"{field.name} {field.bitwidth}" for field in item.metadata)
        )
        for item in info.controller_packet_metadata
    ]
