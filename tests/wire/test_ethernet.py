"""Ethernet, label stack, channel header, padding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qplane.wire import (
    GAL,
    AssociatedChannel,
    Ethernet,
    LabelStackEntry,
    WireError,
    format_mac,
    parse_mac,
)
from qplane.wire.ethernet import frame_payload

from .strategies import macs, records


def test_golden_headers() -> None:
    ethernet = Ethernet(0x020000000002, 0x020000000001, 0x88B6)
    assert ethernet.to_bytes() == bytes.fromhex("020000000002 020000000001 88b6")
    entry = LabelStackEntry(label=0xABCDE, tc=5, s=0, ttl=255)
    assert entry.to_bytes() == bytes.fromhex("abcdeaff")
    assert GAL.to_bytes() == bytes.fromhex("0000d101")
    assert AssociatedChannel().to_bytes() == bytes.fromhex("10007ff8")


@given(records(Ethernet), records(LabelStackEntry), records(AssociatedChannel))
def test_round_trips(
    ethernet: Ethernet, entry: LabelStackEntry, channel: AssociatedChannel
) -> None:
    assert Ethernet.from_bytes(ethernet.to_bytes()) == ethernet
    assert LabelStackEntry.from_bytes(entry.to_bytes()) == entry
    assert AssociatedChannel.from_bytes(channel.to_bytes()) == channel


@pytest.mark.parametrize("text", ["00007ff8", "20007ff8", "11007ff8"])
def test_a_channel_header_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(WireError, match="associated channel header"):
        AssociatedChannel.from_bytes(bytes.fromhex(text))


@given(macs)
def test_an_address_survives_as_text(address: int) -> None:
    assert parse_mac(format_mac(address)) == address


@pytest.mark.parametrize("text", ["", "02:00:00:00:00", "02-00-00-00-00-01", "0g:00:00:00:00:01"])
def test_text_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(WireError, match="Ethernet address"):
        parse_mac(text)


@given(st.binary(max_size=80), st.integers(0, 80))
def test_only_padding_to_the_minimum_may_follow(frame: bytes, used: int) -> None:
    right = used <= len(frame) and (len(frame) == used or len(frame) <= 60)
    if right:
        assert frame_payload(frame, used) == frame[:used]
    else:
        with pytest.raises(WireError, match="frame: size"):
            frame_payload(frame, used)
