"""Keys: FieldMatch messages against the packet path's key parts.

The rules of the specification's "Match Format": a field that does not care is left out, masked
bits are zero, one match a field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from finsy.proto import p4r

from .. import bytestrings
from ..errors import invalid, text_translation
from ..p4info import MatchField, MatchKind

if TYPE_CHECKING:
    from qplane_cext.switch.core import KeyPart

Key: TypeAlias = "tuple[KeyPart, ...]"


def decode_key(
    fields: Sequence[MatchField],
    by_id: Mapping[int, MatchField],
    matches: Iterable[p4r.FieldMatch],
    what: str,
) -> Key:
    """The key parts of a match, in key order; ``what`` names table or value set in errors."""
    parts: list[KeyPart | None] = [None] * len(fields)
    for match in matches:
        field = by_id.get(match.field_id)
        if field is None:
            raise invalid(f"{what}: no match field with id {match.field_id}")
        if parts[field.position] is not None:
            raise invalid(f"{what}: field {field.name!r} is given twice")
        parts[field.position] = _decode_part(field, match, what)
    for field in fields:
        if parts[field.position] is None:
            parts[field.position] = _any_value(field, what)
    return tuple(parts)  # type: ignore[arg-type]


def encode_key(fields: Sequence[MatchField], key: Sequence[KeyPart]) -> list[p4r.FieldMatch]:
    """The canonical messages of a key: don't-care fields are left out."""
    matches = []
    for field, part in zip(fields, key, strict=True):
        match = _encode_part(field, part)
        if match is not None:
            matches.append(match)
    return matches


def _any_value(field: MatchField, what: str) -> KeyPart:
    zeros = bytes(len(field.full))
    if field.kind is MatchKind.EXACT:
        raise invalid(f"{what}: exact field {field.name!r} (id {field.id}) is missing")
    if field.kind is MatchKind.LPM:
        return zeros, 0
    if field.kind is MatchKind.RANGE:
        return zeros, field.full
    return zeros, zeros


def _decode_part(field: MatchField, match: p4r.FieldMatch, what: str) -> KeyPart:
    kind = match.WhichOneof("field_match_type")
    if kind != field.kind.value:
        raise invalid(
            f"{what}: field {field.name!r} is {field.kind.value}, the match is {kind or 'not set'}"
        )
    name = f"{what}, field {field.name!r}"
    if field.is_text:
        raise text_translation(name)
    bits = field.bitwidth
    if field.kind is MatchKind.EXACT:
        return bytestrings.decode(match.exact.value, bits, name)
    if field.kind is MatchKind.OPTIONAL:
        return bytestrings.decode(match.optional.value, bits, name), field.full
    if field.kind is MatchKind.LPM:
        return _decode_lpm(field, match.lpm, name)
    if field.kind is MatchKind.TERNARY:
        value = bytestrings.decode(match.ternary.value, bits, name)
        mask = bytestrings.decode(match.ternary.mask, bits, f"{name}, mask")
        number = int.from_bytes(mask, "big")
        if number == 0:
            raise invalid(f"{name}: a zero mask; a field that does not care must be left out")
        if int.from_bytes(value, "big") & ~number:
            raise invalid(f"{name}: value 0x{value.hex()} has bits outside mask 0x{mask.hex()}")
        return value, mask
    low = bytestrings.decode(match.range.low, bits, f"{name}, low")
    high = bytestrings.decode(match.range.high, bits, f"{name}, high")
    if low > high:
        raise invalid(f"{name}: low 0x{low.hex()} is above high 0x{high.hex()}")
    if not any(low) and high == field.full:
        raise invalid(f"{name}: the range of all values; such a field must be left out")
    return low, high


def _decode_lpm(field: MatchField, lpm: p4r.FieldMatch.LPM, name: str) -> KeyPart:
    value = bytestrings.decode(lpm.value, field.bitwidth, name)
    length = lpm.prefix_len
    if length == 0:
        raise invalid(f"{name}: prefix length 0; a field that does not care must be left out")
    if not 0 < length <= field.bitwidth:
        raise invalid(f"{name}: prefix length {length} of a field of {field.bitwidth} bits")
    spare = field.bitwidth - length
    if int.from_bytes(value, "big") & ((1 << spare) - 1):
        raise invalid(f"{name}: 0x{value.hex()} has bits set beyond prefix length {length}")
    return value, length


def _encode_part(field: MatchField, part: KeyPart) -> p4r.FieldMatch | None:
    encode = bytestrings.encode
    if field.kind is MatchKind.EXACT:
        assert isinstance(part, bytes)
        return p4r.FieldMatch(field_id=field.id, exact=p4r.FieldMatch.Exact(value=encode(part)))
    value, second = part
    assert isinstance(value, bytes)
    if field.kind is MatchKind.LPM:
        assert isinstance(second, int)
        if second == 0:
            return None
        lpm = p4r.FieldMatch.LPM(value=encode(value), prefix_len=second)
        return p4r.FieldMatch(field_id=field.id, lpm=lpm)
    assert isinstance(second, bytes)
    if field.kind is MatchKind.RANGE:
        if not any(value) and second == field.full:
            return None
        limits = p4r.FieldMatch.Range(low=encode(value), high=encode(second))
        return p4r.FieldMatch(field_id=field.id, range=limits)
    if not any(second):
        return None
    if field.kind is MatchKind.OPTIONAL:
        optional = p4r.FieldMatch.Optional(value=encode(value))
        return p4r.FieldMatch(field_id=field.id, optional=optional)
    ternary = p4r.FieldMatch.Ternary(value=encode(value), mask=encode(second))
    return p4r.FieldMatch(field_id=field.id, ternary=ternary)
