"""Checksums and hashes against independent code, and when they apply."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from random import Random

import pytest

from qplane_cext.switch.compiler.program import ALGORITHMS
from qplane_cext.switch.core import SwitchCore
from qplane_cext.switch.hashing import digest

Make = Callable[..., SwitchCore]


def ones_sum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def crc(data: bytes, bits: int, polynomial: int, start: int, final: int, *, reflected: bool) -> int:
    """Bit by bit, as in the textbook."""
    value = start
    for byte in data:
        one = int(f"{byte:08b}"[::-1], 2) if reflected else byte
        value ^= one << (bits - 8)
        for _ in range(8):
            top = value >> (bits - 1)
            value = (value << 1) & ((1 << bits) - 1)
            if top:
                value ^= polynomial
    if reflected:
        value = int(f"{value:0{bits}b}"[::-1], 2)
    return value ^ final


def xor16(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    value = 0
    for i in range(0, len(data), 2):
        value ^= int.from_bytes(data[i : i + 2], "big")
    return value


REFERENCES: dict[str, Callable[[bytes], int]] = {
    "csum16": ones_sum,
    "crc16": lambda data: crc(data, 16, 0x8005, 0, 0, reflected=True),
    "crc16_custom": lambda data: crc(data, 16, 0x8005, 0, 0, reflected=True),
    "crc32": binascii.crc32,
    "crc32_custom": binascii.crc32,
    "crcCCITT": lambda data: binascii.crc_hqx(data, 0xFFFF),
    "crc8_custom": lambda data: crc(data, 8, 0x07, 0, 0, reflected=False),
    "crc64_custom": lambda data: crc(data, 64, 0x1B, 0, 0, reflected=True),
    "xor16": xor16,
    "identity": lambda data: int.from_bytes(data[:8], "big"),
}


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_algorithms_agree_with_independent_code(name: str) -> None:
    random = Random(name)
    for length in [*range(40), 255, 1500]:
        data = random.randbytes(length)
        assert digest(ALGORITHMS.index(name), data) == REFERENCES[name](data), length


def test_xxh64_has_its_published_values() -> None:
    number = ALGORITHMS.index("xxh64")
    assert digest(number, b"") == 0xEF46DB3751D8E999
    assert digest(number, b"abc") == 0x44BC2CF5AD770999
    text = b"Nobody inspects the spammish repetition"
    assert digest(number, text) == 0xFBCEA83C8A378BF1


def packet(mode: int, a: int = 0x123456, sums: bytes = bytes(21), extra: bytes = b"") -> bytes:
    return bytes([mode]) + a.to_bytes(3, "big") + b"\x5c" + bytes(range(16)) + sums + extra


@pytest.mark.parametrize("payload", [b"", b"x", b"even", bytes(range(255))])
@pytest.mark.parametrize("mode", [1, 9])
def test_updates_are_right_with_and_without_an_optional_header(
    switch: Make, mode: int, payload: bytes
) -> None:
    extra = b"\x42" if mode == 9 else b""
    [(_, out)] = switch("checksums").process(0, packet(mode, extra=extra) + payload, 0)
    fields, sums = out[:21], out[21:42]
    assert int.from_bytes(sums[0:2], "big") == ones_sum(fields + extra)
    assert int.from_bytes(sums[2:4], "big") == REFERENCES["crc16"](fields)
    assert int.from_bytes(sums[4:8], "big") == binascii.crc32(fields)
    assert int.from_bytes(sums[8:10], "big") == xor16(fields)
    assert int.from_bytes(sums[10:12], "big") == REFERENCES["crc16"](fields)
    assert int.from_bytes(sums[12:16], "big") == binascii.crc32(fields)
    covered = fields[1:4] + fields[5:21] + payload
    assert int.from_bytes(sums[16:18], "big") == ones_sum(covered)
    assert out[42:] == extra + payload


def test_verify_sees_good_and_bad_sums(switch: Make) -> None:
    core = switch("checksums")
    good = ones_sum(packet(1)[:21]).to_bytes(2, "big") + bytes(19)
    for sums, wrong in ((good, 0), (bytes(21), 1)):
        [(_, out)] = core.process(0, packet(1, sums=sums), 0)
        assert out[21 + 18] == wrong
    assert core.stats["checksum_errors"] == 1
    core.process(0, packet(3), 0)  # its condition is false: not verified
    assert core.stats["checksum_errors"] == 1


def test_verify_with_payload(switch: Make) -> None:
    core = switch("checksums")
    head = packet(4)
    first = ones_sum(head[:21]).to_bytes(2, "big")
    second = ones_sum(head[1:4] + head[5:21] + b"body").to_bytes(2, "big")
    core.process(0, packet(4, sums=first + bytes(14) + second + bytes(3)) + b"body", 0)
    assert core.stats["checksum_errors"] == 0
    core.process(0, packet(4, sums=first + bytes(14) + second + bytes(3)) + b"bodY", 0)
    assert core.stats["checksum_errors"] == 1


def test_a_false_condition_leaves_the_field_alone(switch: Make) -> None:
    sums = bytes(16) + b"\xbe\xef" + bytes(3)
    [(_, out)] = switch("checksums").process(0, packet(5, sums=sums) + b"body", 0)
    assert out[37:39] == b"\xbe\xef"


def test_updates_come_after_what_the_pipeline_changed(switch: Make) -> None:
    [(_, out)] = switch("checksums").process(0, packet(6), 0)
    assert out[1:4] == b"\x12\x34\x57"
    assert int.from_bytes(out[21:23], "big") == ones_sum(out[:21])
