"""Packets that a program's parser goes deep into: a walk through its states.

Nothing is evaluated: where a state selects on fields that it extracted (or looks ahead), a case is
chosen and the bits are set so that it is taken. Selects on computed values are left to chance.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from .programs import Program
from .values import number

Json = dict[str, Any]

MAX_STATES = 12
MAX_BYTES = 200
POOL = 5  # numbers of a width that fields and table entries share


def pool(program: Program, bits: int) -> list[int]:
    """Numbers of that width that packets and table entries of a program have in common."""
    rng = Random(f"{program.name} {bits}")
    return [number(rng, bits) for _ in range(POOL)]


class Grammar:
    """Makes packets for one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        root = json.loads(program.json)
        self._types = {item["name"]: item for item in root["header_types"]}
        self._headers = {item["name"]: item["header_type"] for item in root["headers"]}
        self._stacks = {item["name"]: item["header_type"] for item in root["header_stacks"]}
        unions = {item["name"]: dict(item["headers"]) for item in root["header_union_types"]}
        self._union_stacks = {
            item["name"]: unions[item["union_type"]] for item in root["header_union_stacks"]
        }
        (parser,) = (item for item in root["parsers"] if item["name"] == "parser")
        self._states = {state["name"]: state for state in parser["parse_states"]}
        self._start = parser["init_state"]
        self._pools: dict[int, list[int]] = {}

    def packet(self, rng: Random) -> bytes:
        """A packet that takes some way through the parser, and a payload."""
        walk = _Walk(self, rng)
        name = self._start
        for _ in range(MAX_STATES):
            if name is None or len(walk.bits) > MAX_BYTES * 8:
                break
            name = walk.visit(self._states[name])
        return walk.finish()

    def value(self, rng: Random, bits: int) -> int:
        """A field's value: often one that entries have too."""
        if bits not in self._pools:
            self._pools[bits] = pool(self.program, bits)
        return number(rng, bits, self._pools[bits] if rng.random() < 0.6 else ())

    def fields(self, parameter: Json) -> tuple[str, list[list[Any]]] | None:
        """(name, fields) of what an extract reads."""
        kind, value = parameter["type"], parameter["value"]
        if kind == "regular":
            return value, self._types[self._headers[value]]["fields"]
        if kind == "stack":
            return value, self._types[self._stacks[value]]["fields"]
        if kind == "union_stack":
            return value[0], self._types[self._union_stacks[value[0]][value[1]]]["fields"]
        return None


class _Walk:
    def __init__(self, grammar: Grammar, rng: Random) -> None:
        self._grammar, self._rng = grammar, rng
        self.bits: list[int] = []
        self._forced: dict[int, int] = {}  # bits that a lookahead has chosen
        self._at: dict[tuple[str, str], tuple[int, int]] = {}  # field -> (first bit, bits)

    def visit(self, state: Json) -> str | None:
        for op in state["parser_ops"]:
            if op["op"] in ("extract", "extract_VL"):
                found = self._grammar.fields(op["parameters"][0])
                if found is not None:
                    self._extract(*found)
            elif op["op"] == "advance":
                self._append(0, 8 * self._rng.randrange(4))
        return self._follow(state)

    def finish(self) -> bytes:
        while self._forced and max(self._forced) >= len(self.bits):
            self._append(self._grammar.value(self._rng, 8), 8)
        self._append(0, -len(self.bits) % 8)
        whole = int("".join(map(str, self.bits)) or "0", 2).to_bytes(len(self.bits) // 8, "big")
        payload = bytes(self._rng.randrange(256) for _ in range(self._rng.randrange(24)))
        return (whole + payload) or b"\0"

    def _append(self, value: int, bits: int) -> None:
        for i in range(bits):
            place = len(self.bits)
            self.bits.append(self._forced.get(place, value >> (bits - 1 - i) & 1))

    def _extract(self, name: str, fields: list[list[Any]]) -> None:
        for field in fields:
            bits = 8 * self._rng.randrange(5) if field[1] == "*" else field[1]
            self._at[name, field[0]] = len(self.bits), bits
            self._append(self._grammar.value(self._rng, bits) if bits else 0, bits)

    def _follow(self, state: Json) -> str | None:
        cases = state["transitions"]
        chosen: Json = self._rng.choice(cases)
        if chosen.get("type") == "hexstr":
            value = int(chosen["value"], 16)
            mask = None if chosen.get("mask") is None else int(chosen["mask"], 16)
            self._force(state["transition_key"], value, mask)
        follows: str | None = chosen["next_state"]
        return follows

    def _force(self, key: list[Json], value: int, mask: int | None) -> None:
        """Set the bits of a key; its parts are whole bytes in `value`."""
        for part in reversed(key):
            place, bits = self._place(part)
            if bits < 0:
                return  # of unknown width: so are those in front of it
            for i in range(bits):
                if place >= 0 and (mask is None or mask >> i & 1):
                    self._set(place + bits - 1 - i, value >> i & 1)
            width = (bits + 7) // 8 * 8
            value >>= width
            mask = None if mask is None else mask >> width

    def _place(self, part: Json) -> tuple[int, int]:
        if part["type"] == "lookahead":
            return len(self.bits) + part["value"][0], part["value"][1]
        if part["type"] in ("field", "stack_field"):
            name, field = part["value"]
            if (name, field) in self._at:
                return self._at[name, field]
            kind = self._grammar._headers.get(name) or self._grammar._stacks.get(name)
            if kind is not None:
                for item in self._grammar._types[kind]["fields"]:
                    if item[0] == field and item[1] != "*":
                        return -1, item[1]
        return -1, -1

    def _set(self, place: int, bit: int) -> None:
        if place < len(self.bits):
            self.bits[place] = bit
        else:
            self._forced[place] = bit
