"""Bit tables: a message's fields in wire order, packed and read most significant bit first.

Each message class carries one :class:`Layout` with the very names and widths of ``docs/wire.md``.
Two kinds of field have no attribute: a reserved one (named ``reserved...`` or ``pad...``) is sent
as 0 and ignored on receipt; a fixed one has a single right value, which is sent and demanded.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, TypeVar

from qplane.wire.errors import WireError

RecordT = TypeVar("RecordT", bound="Record")


@dataclass(frozen=True, slots=True)
class Field:
    """One row of a bit table: the values from ``low`` to ``high``, or those of ``values``."""

    name: str
    bits: int
    low: int
    high: int
    values: type[IntEnum] | None = None

    @property
    def is_reserved(self) -> bool:
        """Whether the field carries nothing."""
        return self.name.startswith(("reserved", "pad"))

    @property
    def is_fixed(self) -> bool:
        """Whether the field has a single right value."""
        return self.values is None and self.low == self.high

    @property
    def takes_all(self) -> bool:
        """Whether each bit pattern is a value as it stands."""
        return self.values is None and self.low == 0 and self.high == (1 << self.bits) - 1

    def read(self, title: str, value: object) -> int:
        """``value`` as the field's type. Raises WireError if the field can't carry it."""
        if isinstance(value, int) and self.low <= value <= self.high:
            if self.values is None:
                return value
            member = self.values._value2member_map_.get(value)
            if isinstance(member, IntEnum):
                return member
        raise WireError(title, self.name, value, self._expected())

    def _expected(self) -> str:
        if self.is_fixed:
            return str(self.low)
        if self.values is not None:
            return "one of " + ", ".join(f"{value:d} {value.name}" for value in self.values)
        return f"an integer from {self.low} to {self.high}"


def uint(name: str, bits: int) -> Field:
    """An unsigned number, or a reserved field."""
    return Field(name, bits, 0, (1 << bits) - 1)


def clock_ps(name: str) -> Field:
    """A clock reading: 64-bit signed picoseconds."""
    return Field(name, 64, -(1 << 63), (1 << 63) - 1)


def duration_ps(name: str) -> Field:
    """A duration: 64-bit signed picoseconds, but never negative."""
    return Field(name, 64, 0, (1 << 63) - 1)


def fixed(name: str, bits: int, value: int) -> Field:
    """A field that has one right value, such as a version."""
    return Field(name, bits, value, value)


def enum(name: str, bits: int, values: type[IntEnum]) -> Field:
    """A field whose values are those of an enumeration."""
    return Field(name, bits, min(values), max(values), values)


class Layout:
    """The fields of one message, in wire order."""

    __slots__ = ("_attributes", "_base", "_bounds", "_demanded", "fields", "size", "title")

    def __init__(self, title: str, *fields: Field) -> None:
        self.title = title
        self.fields = fields
        self.size, odd_bits = divmod(sum(field.bits for field in fields), 8)
        if odd_bits:
            raise ValueError(f"{title}: {odd_bits} bits are left over from whole bytes")
        self._base = 0  # the message with all its attributes 0
        attributes = []
        demanded = []
        shift = 8 * self.size
        for field in fields:
            shift -= field.bits
            mask = (1 << field.bits) - 1
            if field.is_fixed:
                self._base |= field.low << shift
                demanded.append((field, shift, mask))
            elif not field.is_reserved:
                attributes.append((field, shift, mask, field.takes_all))
        self._attributes = tuple(attributes)
        self._bounds = tuple((f.name, f.low, f.high, f.values, f) for f, *_ in attributes)
        self._demanded = tuple(demanded)

    def check(self, record: object) -> None:
        """Raise WireError at the first attribute of ``record`` that its field can't carry."""
        for name, low, high, values, field in self._bounds:
            value = getattr(record, name)
            kind = type(value)
            # What nearly all values are, without a call for each.
            if not (low <= value <= high if kind is int and values is None else kind is values):
                field.read(self.title, value)

    def pack(self, record: object) -> bytes:
        """The bytes of a record that passed ``check``."""
        word = self._base
        for field, shift, mask, _ in self._attributes:
            word |= (getattr(record, field.name) & mask) << shift
        return word.to_bytes(self.size, "big")

    def unpack(self, data: bytes) -> list[int]:
        """The attributes in ``data``, in order.

        Raises WireError if ``data`` has another length or a field a value that it can't have.
        """
        if len(data) != self.size:
            raise WireError(self.title, "size", len(data), f"{self.size} bytes")
        word = int.from_bytes(data, "big")
        for field, shift, mask in self._demanded:
            field.read(self.title, word >> shift & mask)
        values = []
        for field, shift, mask, takes_all in self._attributes:
            value = word >> shift & mask
            if not takes_all:
                if field.low < 0 and value > field.high:
                    value -= mask + 1
                value = field.read(self.title, value)
            values.append(value)
        return values


class Record:
    """Base of the messages that are one bit table: frozen, checked when made."""

    __slots__ = ()
    LAYOUT: ClassVar[Layout]

    def __post_init__(self) -> None:
        self.LAYOUT.check(self)

    def to_bytes(self) -> bytes:
        """The message as it is on the wire."""
        return self.LAYOUT.pack(self)

    @classmethod
    def from_bytes(cls: type[RecordT], data: bytes) -> RecordT:
        """The message in ``data``, which it fills. Raises WireError."""
        return cls(*cls.LAYOUT.unpack(data))
