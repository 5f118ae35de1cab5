"""Trace events of the engine, made readable: names instead of numbers, with P4 source lines."""

from __future__ import annotations

from typing import Any, NamedTuple

# In the order of tracing.pxd, then the compiler's TRACE_ constants.
KINDS = (
    "ingress", "state", "parser_error", "checksum_error", "hit", "miss", "action", "exit",
    "assert_failed", "clone", "digest", "resubmit", "multicast", "drop", "egress", "drop",
    "recirculate", "emit", "key", "state", "condition", "primitive", "action",
)  # fmt: skip


_WORD = (1 << 64) - 1


class TraceEvent(NamedTuple):
    """One step of a packet.

    ``kind`` is one of KINDS; ``name`` the state, table, action, condition, primitive, error or
    digest; ``value`` the port of ingress and emit, the entry handle of a hit (-1 for a miss),
    the truth of a condition, a number of copies; ``source`` the P4 file and line where known;
    ``key`` what was looked up in a table: each field's name, bits and value.
    """

    kind: str
    name: str
    value: int
    source: str
    key: tuple[tuple[str, int, int], ...] = ()


def readable(program: Any, events: list[tuple[int, int, int]]) -> list[TraceEvent]:
    """The events of one call, in order."""
    errors = {number: name for name, number in program.errors.items()}
    digests = {one.id: one.name for one in program.digests}
    out: list[TraceEvent] = []
    dropped_at = ""
    words: list[int] = []  # of the key that is being told
    for number, ident, given in events:
        value = given
        kind = KINDS[number]
        if kind == "key":
            words.append(given & _WORD)
            if len(words) == program.tables[ident].words:
                out[-1] = out[-1]._replace(key=_unpacked(program.tables[ident].keys, words))
                words = []
            continue
        name, source = "", ""
        if kind == "state":
            name = program.state_names[ident]
        elif kind == "parser_error":
            name = errors.get(ident, str(ident))
        elif kind in ("hit", "miss"):
            name, source = program.tables[ident].name, program.tables[ident].source
        elif kind == "action":
            name, source = program.actions[ident].name, program.actions[ident].source
        elif kind == "condition":
            name, source = program.conditions[ident]
        elif kind in ("primitive", "assert_failed"):
            name, source = program.sources[ident]
            if name in ("mark_to_drop", "drop"):
                dropped_at = source
        elif kind == "drop":
            source = dropped_at
            name = ("", "priority out of range", "queue full")[ident]
        elif kind == "digest":
            name = digests.get(ident, str(ident))
        elif kind in ("ingress", "egress", "emit"):
            value = ident
        line = source.strip().removeprefix("(").removesuffix(")")
        out.append(TraceEvent(kind, name, value, line))
    return out


def _unpacked(fields: Any, words: list[int]) -> tuple[tuple[str, int, int], ...]:
    """A packed key's fields: (name, bits, value)."""
    key = []
    for one in fields:
        value = 0
        for place, (_, word, shift, mask) in enumerate(one.parts):
            value |= (words[word] >> shift & mask) << 64 * place
        key.append((one.name, one.bits, value))
    return tuple(key)


def format_message(text: str, values: list[int]) -> str:
    """BMv2's log_msg: each {...} takes the next value."""
    out: list[str] = []
    rest = list(values)
    i = 0
    while i < len(text):
        if text[i] == "\\" and text[i + 1 : i + 2] in ("{", "}"):
            out.append(text[i + 1])
            i += 2
        elif text[i] == "{" and "}" in text[i:]:
            out.append(str(rest.pop(0)) if rest else "{}")
            i = text.index("}", i) + 1
        else:
            out.append(text[i])
            i += 1
    return "".join(out)
