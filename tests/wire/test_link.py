"""GEN and REPLY on the wire: golden bytes and refusals; the device's frames are in test_device."""

import zlib

import pytest

from qplane.wire import LinkFrame, QciMessage, WireError

from .mhp_frames import QCI_CASES
from .strategies import nibbles


@pytest.mark.parametrize(("message", "head", "body"), QCI_CASES)
def test_golden_bytes(message: QciMessage, head: str, body: str) -> None:
    crc = zlib.crc32(nibbles("00000000" + head + body))
    expected = nibbles(head) + crc.to_bytes(4, "big") + nibbles(body)
    assert message.to_bytes(0) == expected
    assert QciMessage.from_bytes(expected, 0) == message


@pytest.mark.parametrize(("message", "head", "body"), QCI_CASES)
def test_a_flipped_bit_anywhere_is_refused(message: QciMessage, head: str, body: str) -> None:
    frame = LinkFrame(1, 2, message).to_bytes()
    for bit in range(8 * 14, 8 * len(frame)):
        damaged = bytearray(frame)
        damaged[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises(WireError):
            LinkFrame.from_bytes(bytes(damaged))


@pytest.mark.parametrize(("message", "head", "body"), QCI_CASES)
def test_truncated_and_too_long_messages_are_refused(
    message: QciMessage, head: str, body: str
) -> None:
    data = message.to_bytes(0)
    for wrong in (data[:-1], data + b"\0", b""):
        with pytest.raises(WireError):
            QciMessage.from_bytes(wrong, 0)
