"""P4Runtime's byte strings: any length that holds the value in, the shortest one out.

The packet path wants exactly ``ceil(bitwidth / 8)`` bytes. See the specification, "Bytestrings".
"""

from __future__ import annotations

from .errors import Code, StatusError


def byte_width(bitwidth: int) -> int:
    """Bytes that hold ``bitwidth`` bits."""
    return (bitwidth + 7) // 8


def _out_of_range(value: bytes, bitwidth: int, what: str, kind: str = "bit") -> StatusError:
    shown = f"0x{value[:32].hex()}{'...' if len(value) > 32 else ''}"
    return StatusError(Code.OUT_OF_RANGE, f"{what}: {shown} does not fit {kind}<{bitwidth}>")


def decode(value: bytes, bitwidth: int, what: str) -> bytes:
    """An unsigned value as the packet path wants it; ``what`` names it in errors.

    OUT_OF_RANGE when it is empty or needs more than ``bitwidth`` bits.
    """
    if not value:
        raise StatusError(Code.OUT_OF_RANGE, f"{what}: the byte string is empty")
    width = (bitwidth + 7) >> 3
    length = len(value)
    if length > width:
        if value[: length - width].strip(b"\0"):
            raise _out_of_range(value, bitwidth, what)
        value = value[length - width :]
    elif length < width:
        return value.rjust(width, b"\0")
    spare = bitwidth & 7
    if spare and value[0] >> spare:
        raise _out_of_range(value, bitwidth, what)
    return value


def decode_signed(value: bytes, bitwidth: int, what: str) -> bytes:
    """A signed value (``int<W>``, two's complement) in ``ceil(W / 8)`` bytes, spare bits zero."""
    if not value:
        raise StatusError(Code.OUT_OF_RANGE, f"{what}: the byte string is empty")
    number = int.from_bytes(value, "big", signed=True)
    if not -(1 << (bitwidth - 1)) <= number < 1 << (bitwidth - 1):
        raise _out_of_range(value, bitwidth, what, "int")
    return (number & ((1 << bitwidth) - 1)).to_bytes(byte_width(bitwidth), "big")


def encode(value: bytes) -> bytes:
    """The canonical form: no leading zero bytes, one byte at least."""
    return value.lstrip(b"\0") or b"\0"


def encode_signed(value: bytes, bitwidth: int) -> bytes:
    """The canonical form of a signed value given in ``ceil(bitwidth / 8)`` bytes."""
    number = int.from_bytes(value, "big") & ((1 << bitwidth) - 1)
    if number >> (bitwidth - 1):
        number -= 1 << bitwidth
    magnitude = number if number >= 0 else ~number
    return number.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True)
