"""Where everything lives in a packet's word file: headers, fields, stacks, unions.

The word file ``F`` is an array of uint64. Its first part is the packet's state, cleared for every
packet: one word per header (its validity), one per stack (its next index), then the fields, those
of metadata first. A field of up to 64 bits is one word (signed ones sign extended), a wider one
little-endian limbs, a varbit its length in bits followed by its bytes. Behind the state come the
action parameters, constants and temporaries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import PipelineError

Json = dict[str, Any]

MAX_FIELD_BITS = 1 << 16
MAX_VARBIT_BYTES = 1 << 13
MAX_STATE_WORDS = 1 << 20


def limbs(bits: int) -> int:
    """64-bit limbs of a value of that many bits (at least one)."""
    return max(1, (bits + 63) // 64)


def where(item: Any) -> str:
    """ " (file.p4 line 12: fragment)" of a JSON object, or nothing."""
    info = item.get("source_info") if isinstance(item, dict) else None
    if not info:
        return ""
    text = f" ({info.get('filename', '?')} line {info.get('line', '?')}"
    fragment = str(info.get("source_fragment", "")).strip()
    return text + (f": {fragment})" if fragment else ")")


@dataclass(slots=True)
class Field:
    name: str
    bits: int  # 0 for a varbit
    signed: bool
    varbit: bool
    offset: int = 0  # words from the header's first
    words: int = 1


@dataclass(slots=True)
class HeaderType:
    name: str
    fields: list[Field]
    words: int
    bits: int  # without the varbit
    varbit: Field | None
    max_bytes: int  # of the whole header, 0 when it has no varbit
    index: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Header:
    name: str
    id: int
    type: HeaderType
    metadata: bool
    slot: int = 0
    union: int = -1


@dataclass(slots=True)
class Stack:
    name: str
    id: int
    type: HeaderType
    elements: list[int]  # header ids
    spare: int  # header id that stands for an element out of range


@dataclass(slots=True)
class Union:
    name: str
    id: int
    members: list[int]
    names: list[str]


@dataclass(slots=True)
class UnionStack:
    name: str
    id: int
    elements: list[int]  # union ids
    names: list[str]
    spare: int


class Layout:
    """All headers of a program, with their slots."""

    def __init__(self, root: Json) -> None:
        self.types: dict[str, HeaderType] = {}
        self.headers: list[Header] = []
        self.header_by_name: dict[str, Header] = {}
        self.stacks: list[Stack] = []
        self.stack_by_name: dict[str, Stack] = {}
        self.unions: list[Union] = []
        self.union_by_name: dict[str, Union] = {}
        self.union_stacks: list[UnionStack] = []
        self.union_stack_by_name: dict[str, UnionStack] = {}
        self._ids: dict[int, int] = {}  # the JSON's header id -> ours
        self._union_ids: dict[int, int] = {}
        for item in root.get("header_types", ()):
            kind = _header_type(item)
            if kind.name in self.types:
                raise PipelineError(f"two header types are named {kind.name!r}")
            self.types[kind.name] = kind
        for item in root.get("headers", ()):
            self._add_header(item)
        for item in root.get("header_stacks", ()):
            self._add_stack(item)
        self._add_unions(root)
        self._add_union_stacks(root)
        self._place()
        self.aliases: dict[str, tuple[str, str]] = {}
        for name, target in root.get("field_aliases", ()):
            self.aliases[name] = (target[0], target[1])

    # ---- building ----

    def _add_header(self, item: Json) -> None:
        name = item["name"]
        kind = self._type(item["header_type"], f"header {name!r}")
        if name in self.header_by_name:
            raise PipelineError(f"two headers are named {name!r}")
        if item["id"] in self._ids:
            raise PipelineError(f"two headers have the id {item['id']}")
        self._ids[item["id"]] = len(self.headers)
        self._new_header(name, kind, bool(item.get("metadata")))

    def _new_header(self, name: str, kind: HeaderType, metadata: bool) -> Header:
        if kind.bits % 8 and not metadata:
            raise PipelineError(f"header {name!r} has {kind.bits} bits: not a multiple of 8")
        header = Header(name, len(self.headers), kind, metadata)
        self.headers.append(header)
        self.header_by_name[name] = header
        return header

    def _type(self, name: str, user: str) -> HeaderType:
        if name not in self.types:
            raise PipelineError(f"{user} has the unknown header type {name!r}")
        return self.types[name]

    def _elements(self, ids: list[int], user: str) -> list[int]:
        try:
            return [self._ids[i] for i in ids]
        except KeyError as error:
            raise PipelineError(f"{user} contains the unknown header id {error}") from None

    def _add_stack(self, item: Json) -> None:
        name = item["name"]
        kind = self._type(item["header_type"], f"header stack {name!r}")
        elements = self._elements(item["header_ids"], f"header stack {name!r}")
        if not elements or any(self.headers[i].type is not kind for i in elements):
            raise PipelineError(f"header stack {name!r} must hold headers of type {kind.name!r}")
        spare = self._new_header(f"{name}[out of range]", kind, False)
        self.stacks.append(Stack(name, len(self.stacks), kind, elements, spare.id))
        self.stack_by_name[name] = self.stacks[-1]

    def _new_union(self, name: str, members: list[int], names: list[str]) -> Union:
        union = Union(name, len(self.unions), members, names)
        for member in members:
            if self.headers[member].union >= 0:
                raise PipelineError(f"header {self.headers[member].name!r} is in two header unions")
            self.headers[member].union = union.id
        self.unions.append(union)
        self.union_by_name[name] = union
        return union

    def _add_unions(self, root: Json) -> None:
        kinds = {
            item["name"]: [pair[0] for pair in item["headers"]]
            for item in root.get("header_union_types", ())
        }
        for item in root.get("header_unions", ()):
            name = item["name"]
            if item["union_type"] not in kinds:
                raise PipelineError(f"header union {name!r} has an unknown type")
            members = self._elements(item["header_ids"], f"header union {name!r}")
            names = kinds[item["union_type"]]
            if len(names) != len(members) or not members:
                raise PipelineError(f"header union {name!r} does not have its type's members")
            self._union_ids[item["id"]] = len(self.unions)
            self._new_union(name, members, names)

    def _add_union_stacks(self, root: Json) -> None:
        for item in root.get("header_union_stacks", ()):
            name = item["name"]
            try:
                elements = [self._union_ids[i] for i in item["header_union_ids"]]
            except KeyError as error:
                raise PipelineError(
                    f"header union stack {name!r} contains the unknown union id {error}"
                ) from None
            if not elements:
                raise PipelineError(f"header union stack {name!r} is empty")
            first = self.unions[elements[0]]
            if any(self.unions[i].names != first.names for i in elements):
                raise PipelineError(f"header union stack {name!r} mixes union types")
            spares = [
                self._new_header(f"{name}[out of range].{member}", self.headers[i].type, False).id
                for member, i in zip(first.names, first.members, strict=True)
            ]
            spare = self._new_union(f"{name}[out of range]", spares, first.names)
            self.union_stacks.append(
                UnionStack(name, len(self.union_stacks), elements, first.names, spare.id)
            )
            self.union_stack_by_name[name] = self.union_stacks[-1]

    def _place(self) -> None:
        slot = len(self.headers)  # the validity words
        self.next_slot = slot
        slot += len(self.stacks)
        self.union_next_slot = slot
        slot += len(self.union_stacks)
        self.metadata_slot = slot
        for header in self.headers:
            if header.metadata:
                header.slot = slot
                slot += header.type.words
        self.metadata_end = slot
        for header in self.headers:
            if not header.metadata:
                header.slot = slot
                slot += header.type.words
        if slot > MAX_STATE_WORDS:
            raise PipelineError(f"the headers need {slot} words; {MAX_STATE_WORDS} are the limit")
        self.state_words = slot

    # ---- looking up ----

    def header(self, name: str) -> Header:
        if name not in self.header_by_name:
            raise PipelineError(f"unknown header {name!r}")
        return self.header_by_name[name]

    def stack(self, name: str) -> Stack:
        if name not in self.stack_by_name:
            raise PipelineError(f"unknown header stack {name!r}")
        return self.stack_by_name[name]

    def union(self, name: str) -> Union:
        if name not in self.union_by_name:
            raise PipelineError(f"unknown header union {name!r}")
        return self.union_by_name[name]

    def union_stack(self, name: str) -> UnionStack:
        if name not in self.union_stack_by_name:
            raise PipelineError(f"unknown header union stack {name!r}")
        return self.union_stack_by_name[name]

    def field(self, value: list[str]) -> tuple[int, Field]:
        """(slot, field) of ["header", "field"]; "$valid$" gives the header's validity word."""
        header = self.header(value[0])
        if value[1] == "$valid$":
            return header.id, Field("$valid$", 1, False, False)
        found = type_field(header.type, value[1])
        return header.slot + found.offset, found

    def alias(self, header: str, name: str) -> tuple[int, Field] | None:
        """What BMv2 calls header.name, by alias or directly; None where the program has no such."""
        target = self.aliases.get(f"{header}.{name}", (header, name))
        found = self.header_by_name.get(target[0])
        if found is None or target[1] not in found.type.index:
            return None
        return self.field([target[0], target[1]])


def type_field(kind: HeaderType, name: str) -> Field:
    if name not in kind.index:
        # What p4c makes of a local copy of the metadata struct: the renaming of its fields is
        # applied to the uses and not to the type. (BMv2 dies of such a file.)
        name = name.removeprefix("userMetadata.")
    if name not in kind.index:
        raise PipelineError(f"header type {kind.name!r} has no field {name!r}")
    return kind.fields[kind.index[name]]


def _header_type(item: Json) -> HeaderType:
    name = item["name"]
    if item.get("length_exp"):
        raise PipelineError(f"header type {name!r}: 'length_exp' (P4_14 varbit) is not supported")
    fields: list[Field] = []
    varbit: Field | None = None
    bits = 0
    for spec in item["fields"]:
        signed = len(spec) > 2 and bool(spec[2])
        if len(spec) > 3 and spec[3]:
            raise PipelineError(f"field {name}.{spec[0]}: saturating fields are not supported")
        if spec[1] == "*":
            if varbit is not None:
                raise PipelineError(f"header type {name!r} has two varbit fields")
            varbit = Field(spec[0], 0, False, True)
            fields.append(varbit)
            continue
        if not isinstance(spec[1], int) or not 0 <= spec[1] <= MAX_FIELD_BITS:
            raise PipelineError(f"field {name}.{spec[0]} has the width {spec[1]!r}")
        fields.append(Field(spec[0], spec[1], signed, False))
        bits += spec[1]
    max_bytes = 0
    if varbit is not None:
        max_bytes = int(item.get("max_length", 0))
        room = max_bytes - bits // 8
        if not 0 <= room <= MAX_VARBIT_BYTES:
            raise PipelineError(
                f"header type {name!r}: max_length {max_bytes} leaves {room} bytes to the varbit"
            )
        varbit.words = 1 + (room + 7) // 8 + 1
    offset = 0
    for one in fields:
        one.offset = offset
        if not one.varbit:
            one.words = limbs(one.bits)
        offset += one.words
    index = {one.name: i for i, one in enumerate(fields)}
    return HeaderType(name, fields, offset, bits, varbit, max_bytes, index)
