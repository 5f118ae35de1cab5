"""P4Data messages (registers, digests) against the flat list of fields the packet path has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from finsy.proto import p4d, p4t

from qplane_cext.switch.core import Pipeline

from . import bytestrings
from .bytestrings import byte_width
from .errors import invalid

Leaf = bytes  # ceil(bitwidth / 8) bytes, big-endian
Fill = Callable[[p4d.P4Data, Iterator[Leaf]], None]
Flatten = Callable[[p4d.P4Data], list[Leaf]]


class ProgramTypes:
    """What a device config says of a type: the widths of its leaves, the numbers behind names."""

    def __init__(self, pipeline: Pipeline | None = None, widths: Sequence[int] = ()) -> None:
        self.errors = pipeline.errors if pipeline is not None else {}
        self.enums = pipeline.enums if pipeline is not None else {}
        self._widths = iter(widths)

    def width(self, otherwise: int = 0) -> int:
        """The next leaf's bits; ``otherwise`` when there is no such leaf."""
        return next(self._widths, otherwise)


@dataclass(frozen=True)
class DataType:
    """A P4 type as a converter between a P4Data message and its leaf values, in order."""

    widths: tuple[int, ...]  # bits of each leaf
    _fill: Fill
    _flatten: Flatten
    what: str

    def to_message(self, leaves: Sequence[Leaf]) -> p4d.P4Data:
        """The canonical message of the leaf values."""
        message = p4d.P4Data()
        self._fill(message, iter(leaves))
        return message

    def to_leaves(self, message: p4d.P4Data) -> list[Leaf]:
        """The leaf values of a message. INVALID_ARGUMENT (or OUT_OF_RANGE) when it is not one."""
        return self._flatten(message)


def data_type(
    spec: p4t.P4DataTypeSpec, types: p4t.P4TypeInfo, what: str, program: ProgramTypes | None = None
) -> DataType:
    """The converter of a type; ``what`` names it in errors.

    Raises StatusError(INVALID_ARGUMENT) for a type that a BMv2 pipeline can't hold in a register
    or digest.
    """
    found = _data_type(spec, types, what, program or ProgramTypes())
    if any(bitwidth < 1 for bitwidth in found.widths):
        raise invalid(f"{what}: a field without a width")
    return found


def _data_type(
    spec: p4t.P4DataTypeSpec, types: p4t.P4TypeInfo, what: str, program: ProgramTypes
) -> DataType:
    kind = spec.WhichOneof("type_spec")
    if kind == "bitstring":
        program.width()
        return _bitstring(spec.bitstring, what)
    if kind == "bool":
        program.width()
        return _boolean(what)
    if kind == "new_type":
        new_type = types.new_types.get(spec.new_type.name)
        if new_type is None or new_type.WhichOneof("representation") is None:
            raise invalid(f"{what}: type {spec.new_type.name!r} is not in the P4Info")
        if new_type.WhichOneof("representation") == "original_type":
            return _data_type(new_type.original_type, types, what, program)
        # Values are translated one to one: the packet path's width bounds them.
        return _wrap_bits(program.width(new_type.translated_type.sdn_bitwidth), what)
    if kind == "serializable_enum":
        enum = types.serializable_enums.get(spec.serializable_enum.name)
        if enum is None:
            raise invalid(f"{what}: enum {spec.serializable_enum.name!r} is not in the P4Info")
        program.width()
        return _enum_value(enum.underlying_type.bitwidth, what)
    if kind == "struct":
        struct = types.structs.get(spec.struct.name)
        if struct is None:
            raise invalid(f"{what}: struct {spec.struct.name!r} is not in the P4Info")
        members = [
            _data_type(member.type_spec, types, f"{what}.{member.name}", program)
            for member in struct.members
        ]
        return _struct(members, "struct", what)
    if kind == "tuple":
        members = [
            _data_type(member, types, f"{what}[{place}]", program)
            for place, member in enumerate(spec.tuple.members)
        ]
        return _struct(members, "tuple", what)
    if kind == "header":
        header = types.headers.get(spec.header.name)
        if header is None:
            raise invalid(f"{what}: header {spec.header.name!r} is not in the P4Info")
        for _ in header.members:
            program.width()
        return _header(
            [_bitstring(member.type_spec, f"{what}.{member.name}") for member in header.members],
            what,
        )
    if kind == "error":
        return _named("error", program.errors, program.width(), what)
    if kind == "enum":
        if spec.enum.name not in program.enums:
            raise invalid(f"{what}: enum {spec.enum.name!r} is not in the device config")
        return _named("enum", program.enums[spec.enum.name], program.width(), what)
    raise invalid(f"{what}: type {kind or 'unset'} is not supported")


def _expect(message: p4d.P4Data, kind: str, what: str) -> None:
    found = message.WhichOneof("data")
    if found != kind:
        raise invalid(f"{what}: expected {kind} data, got {found or 'nothing'}")


def _bitstring(spec: p4t.P4BitstringLikeTypeSpec, what: str) -> DataType:
    kind = spec.WhichOneof("type_spec")
    if kind == "bit":
        return _wrap_bits(spec.bit.bitwidth, what)
    if kind == "int":
        return _signed(spec.int.bitwidth, what)
    raise invalid(f"{what}: a varbit can't be held in a register or digest")


def _wrap_bits(bitwidth: int, what: str) -> DataType:
    def fill(message: p4d.P4Data, leaves: Iterator[Leaf]) -> None:
        message.bitstring = bytestrings.encode(next(leaves))

    def flatten(message: p4d.P4Data) -> list[Leaf]:
        _expect(message, "bitstring", what)
        return [bytestrings.decode(message.bitstring, bitwidth, what)]

    return DataType((bitwidth,), fill, flatten, what)


def _signed(bitwidth: int, what: str) -> DataType:
    def fill(message: p4d.P4Data, leaves: Iterator[Leaf]) -> None:
        message.bitstring = bytestrings.encode_signed(next(leaves), bitwidth)

    def flatten(message: p4d.P4Data) -> list[Leaf]:
        _expect(message, "bitstring", what)
        return [bytestrings.decode_signed(message.bitstring, bitwidth, what)]

    return DataType((bitwidth,), fill, flatten, what)


def _boolean(what: str) -> DataType:
    def fill(message: p4d.P4Data, leaves: Iterator[Leaf]) -> None:
        message.bool = any(next(leaves))

    def flatten(message: p4d.P4Data) -> list[Leaf]:
        _expect(message, "bool", what)
        return [b"\1" if message.bool else b"\0"]

    return DataType((1,), fill, flatten, what)


def _enum_value(bitwidth: int, what: str) -> DataType:
    def fill(message: p4d.P4Data, leaves: Iterator[Leaf]) -> None:
        message.enum_value = bytestrings.encode(next(leaves))

    def flatten(message: p4d.P4Data) -> list[Leaf]:
        _expect(message, "enum_value", what)
        return [bytestrings.decode(message.enum_value, bitwidth, what)]

    return DataType((bitwidth,), fill, flatten, what)


def _named(kind: str, numbers: Mapping[str, int], bitwidth: int, what: str) -> DataType:
    """An error or an enum without a representation: names outside, numbers in the packet path."""
    names = {number: name for name, number in numbers.items()}

    def fill(message: p4d.P4Data, leaves: Iterator[Leaf]) -> None:
        number = int.from_bytes(next(leaves), "big")
        setattr(message, kind, names.get(number, str(number)))

    def flatten(message: p4d.P4Data) -> list[Leaf]:
        _expect(message, kind, what)
        name = getattr(message, kind)
        if name not in numbers:
            raise invalid(f"{what}: the program has no {kind} {name!r}")
        return [numbers[name].to_bytes(byte_width(bitwidth), "big")]

    return DataType((bitwidth,), fill, flatten, what)


def _struct(members: Sequence[DataType], kind: str, what: str) -> DataType:
    def fill(message: p4d.P4Data, leaves: Iterator[Leaf]) -> None:
        getattr(message, kind).SetInParent()
        for member in members:
            member._fill(getattr(message, kind).members.add(), leaves)

    def flatten(message: p4d.P4Data) -> list[Leaf]:
        _expect(message, kind, what)
        given = getattr(message, kind).members
        if len(given) != len(members):
            raise invalid(f"{what}: expected {len(members)} members, got {len(given)}")
        return [
            leaf
            for member, value in zip(members, given, strict=True)
            for leaf in member.to_leaves(value)
        ]

    return DataType(tuple(w for member in members for w in member.widths), fill, flatten, what)


def _header(fields: Sequence[DataType], what: str) -> DataType:
    def fill(message: p4d.P4Data, leaves: Iterator[Leaf]) -> None:
        message.header.is_valid = True
        for member in fields:
            value = p4d.P4Data()
            member._fill(value, leaves)
            message.header.bitstrings.append(value.bitstring)

    def flatten(message: p4d.P4Data) -> list[Leaf]:
        _expect(message, "header", what)
        given = message.header.bitstrings
        if not message.header.is_valid or len(given) != len(fields):
            raise invalid(f"{what}: expected a valid header of {len(fields)} fields")
        return [
            member.to_leaves(p4d.P4Data(bitstring=value))[0]
            for member, value in zip(fields, given, strict=True)
        ]

    return DataType(tuple(w for member in fields for w in member.widths), fill, flatten, what)


def split_leaves(packed: bytes, widths: Sequence[int]) -> list[Leaf]:
    """Cut a record whose fields each start on a byte. ValueError when it is too short or long."""
    leaves, at = [], 0
    for bitwidth in widths:
        leaves.append(packed[at : at + byte_width(bitwidth)])
        at += byte_width(bitwidth)
    if at != len(packed):
        raise ValueError(f"a record of {len(packed)} bytes, expected {at}")
    return leaves
