"""Device frames: golden bytes, round trips, refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qplane.wire import (
    WHOLE_DEVICE,
    BellIndex,
    DeviceFeatures,
    DeviceFlag,
    DeviceFrame,
    DeviceType,
    LinkControl,
    LinkFeatures,
    LinkScheme,
    LinkStatusCode,
    QubitBody,
    TeleportOrder,
    TeleportResult,
    TeleportRole,
    TeleportStatus,
    Transaction,
    WireError,
    from_fraction,
    to_fraction,
)

from .mhp_frames import DEVICE_CASES as MHP_CASES
from .strategies import device_frames, nibbles

TO_DEVICE = "020000000002 020000000001 88b6"
FROM_DEVICE = "020000000001 020000000002 88b6"

QUBIT = QubitBody(
    label=0x12345,
    seq=0x01020304,
    slot=0x0A0B,
    generation=0x0C0D,
    link2=7,
    seq2=0x11121314,
    slot2=0x1A1B,
    generation2=0x1C1D,
    time_ps=-1,
)
QUBIT_BYTES = (
    "12345 000 01020304 0a0b 0c0d 07 000000 11121314 1a1b 1c1d ffffffffffffffff"  # 32 bytes
)
CONTROL = LinkControl(
    transaction=9,
    label=0x54321,
    slot_first=4,
    slot_count=2,
    cutoff_ps=10**10,
    retry_ps=1,
    in_use=3,
    unconfirmed=5,
    status=LinkStatusCode.REFUSED,
    slice=7,
    rounds=2,
    linger_ms=0x0102,
    last_seq=0x03040506,
    feeds=0xABCDE,
)
CONTROL_BYTES = (
    "00000009 54321 1c2 0004 0002 00000002540be400 0000000000000001 0003 0005 03 0abcde"
    "0102 0000 03040506"
)
TELEPORT = TeleportOrder(
    1, 0x54321, TeleportRole.SENDER, TeleportStatus.UNKNOWN_LABEL, 0x0304, 1 << 31, 1 << 30
)
TELEPORT_BYTES = "00000001 54321 000 01 02 0304 80000000 40000000"
CASES = [
    (DeviceFrame(DeviceType.PAIR, 3, QUBIT, BellIndex.PSI_MINUS), "10 01 03 c0" + QUBIT_BYTES),
    (DeviceFrame(DeviceType.SWAPPED, 3, QUBIT, BellIndex.PSI_PLUS), "10 02 03 80" + QUBIT_BYTES),
    (DeviceFrame(DeviceType.SWAP_FAILED, 3, QUBIT), "10 03 03 00" + QUBIT_BYTES),
    (DeviceFrame(DeviceType.EXPIRED, 3, QUBIT), "10 04 03 00" + QUBIT_BYTES),
    (DeviceFrame(DeviceType.SWAP, 3, QUBIT), "10 81 03 00" + QUBIT_BYTES),
    (
        DeviceFrame(DeviceType.DELIVER, 3, QUBIT, BellIndex.PHI_MINUS, DeviceFlag.CORRECT),
        "11 82 03 40" + QUBIT_BYTES,
    ),
    (
        DeviceFrame(DeviceType.DISTILLED, 3, QUBIT, BellIndex(1), DeviceFlag.ASK),
        "11 07 03 40" + QUBIT_BYTES,
    ),
    (
        DeviceFrame(DeviceType.DISTIL, 3, QUBIT, BellIndex(1), DeviceFlag.ASK),
        "11 8a 03 40" + QUBIT_BYTES,
    ),
    (DeviceFrame(DeviceType.RELEASE, 3, QUBIT), "10 83 03 00" + QUBIT_BYTES),
    (DeviceFrame(DeviceType.VOID, 3, QUBIT), "10 84 03 00" + QUBIT_BYTES),
    (DeviceFrame(DeviceType.EXPIRE_CONFIRMED, 3, QUBIT), "10 85 03 00" + QUBIT_BYTES),
    (
        DeviceFrame(DeviceType.DELIVERED, 3, QUBIT, BellIndex.PSI_MINUS, DeviceFlag.MEASURED),
        "11 05 03 c0" + QUBIT_BYTES,
    ),
    (DeviceFrame(DeviceType.TELEPORTED, 3, QUBIT, BellIndex(1)), "10 06 03 40" + QUBIT_BYTES),
    (
        DeviceFrame(DeviceType.CONFIRM, 3, QUBIT, BellIndex(1), DeviceFlag(3)),
        "13 86 03 40" + QUBIT_BYTES,
    ),
    (DeviceFrame(DeviceType.COMPLETED, 3, QUBIT), "10 87 03 00" + QUBIT_BYTES),
    (DeviceFrame(DeviceType.APPLY_CORRECTION, 3, QUBIT), "10 88 03 00" + QUBIT_BYTES),
    (DeviceFrame(DeviceType.CORRECTION_CONFIRMED, 3, QUBIT), "10 89 03 00" + QUBIT_BYTES),
    (
        DeviceFrame(DeviceType.FEATURES_REQUEST, WHOLE_DEVICE, Transaction(0xCAFE)),
        "10 41 ff 00 0000cafe",
    ),
    (
        DeviceFrame(
            DeviceType.DEVICE_FEATURES,
            WHOLE_DEVICE,
            DeviceFeatures(1, 2, 1, 3, 4, 5, 6, 7, 8, to_fraction(1.0), 9, 10),
        ),
        "10 42 ff 00 00000001 00000002 01 03 0004 0000000000000005 0000000000000006"
        "0000000000000007 00000008 ffffffff 00000009 0000000a",
    ),
    (
        DeviceFrame(
            DeviceType.LINK_FEATURES,
            2,
            LinkFeatures(1, 2, 3, LinkScheme.DOUBLE_CLICK, 0x090A, 25000, 5, 6, 7, 8),
        ),
        "10 43 02 00 00000001 00000002 03 01 090a 000061a8 0000000000000005 00000006 00000007"
        "0000000000000008",
    ),
    (
        DeviceFrame(DeviceType.LINK_START, 2, CONTROL, flags=DeviceFlag.END),
        "11 44 02 00" + CONTROL_BYTES,
    ),
    (DeviceFrame(DeviceType.LINK_STOP, 2, CONTROL), "10 45 02 00" + CONTROL_BYTES),
    (DeviceFrame(DeviceType.LINK_STATUS_REQUEST, 2, CONTROL), "10 46 02 00" + CONTROL_BYTES),
    (DeviceFrame(DeviceType.LINK_STATUS, 2, CONTROL), "10 47 02 00" + CONTROL_BYTES),
    *MHP_CASES,
    *(
        (DeviceFrame(type_, 3, TELEPORT), f"10 {type_:02x} 03 00 {TELEPORT_BYTES}")
        for type_ in (DeviceType.TELEPORT_ORDER, DeviceType.TELEPORT_ANSWER)
    ),
    (
        DeviceFrame(
            DeviceType.TELEPORT_RESULT,
            3,
            TeleportResult(1, 0x54321, 2, TeleportRole.RECEIVER, 1, -1),
            BellIndex.PSI_MINUS,
        ),
        "10 5f 03 c0 00000001 54321 000 00000002 02 80 0000 ffffffffffffffff",
    ),
]
FROM_THE_DEVICE = {
    "PAIR",
    "SWAPPED",
    "SWAP_FAILED",
    "EXPIRED",
    "DELIVERED",
    "TELEPORTED",
    "DISTILLED",
    "DEVICE_FEATURES",
    "LINK_FEATURES",
    "LINK_STATUS",
    "MHP_GEN",
    "MHP_OUTCOME",
    "MHP_STATUS",
    "MHP_PAIR",
    "MHP_MEASURED",
    "MHP_ERROR",
    "QUBIT_DONE",
    "CALIBRATION",
    "TELEPORT_ANSWER",
    "TELEPORT_RESULT",
}


def test_every_type_has_a_golden_frame() -> None:
    assert {frame.type for frame, _ in CASES} == set(DeviceType)


@pytest.mark.parametrize(("frame", "text"), CASES, ids=[case[0].type.name for case in CASES])
def test_golden_frame(frame: DeviceFrame, text: str) -> None:
    addresses = FROM_DEVICE if frame.type.name in FROM_THE_DEVICE else TO_DEVICE
    data = nibbles(addresses + text)
    assert frame.to_bytes() == data
    assert DeviceFrame.from_bytes(data) == frame


@given(device_frames(), st.booleans())
def test_round_trip(frame: DeviceFrame, padded: bool) -> None:
    data = frame.to_bytes()
    assert DeviceFrame.from_bytes(data.ljust(60, b"\0") if padded else data) == frame


LISTS = st.sampled_from(
    [
        [DeviceType.LINK_START, DeviceType.LINK_STOP, DeviceType.LINK_STATUS_REQUEST],
        [DeviceType.LINK_STATUS, DeviceType.DEVICE_FEATURES, DeviceType.LINK_FEATURES],
    ]
).flatmap(lambda types: st.lists(device_frames(types), min_size=1, max_size=5))


@given(LISTS)
def test_several_messages_go_in_one_frame(frames: list[DeviceFrame]) -> None:
    data = DeviceFrame.list_to_bytes(frames)
    assert DeviceFrame.list_from_bytes(data) == frames
    assert data[14:] == b"".join(frame.to_bytes()[14:] for frame in frames)
    if len(frames) > 1:
        for cut in (data[:-1], data + b"\0"):
            with pytest.raises(WireError):
                DeviceFrame.list_from_bytes(cut)


@given(device_frames(), st.booleans())
def test_a_list_of_one_is_the_frame(frame: DeviceFrame, padded: bool) -> None:
    data = DeviceFrame.list_to_bytes([frame])
    assert data == frame.to_bytes()
    assert DeviceFrame.list_from_bytes(data.ljust(60, b"\0") if padded else data) == [frame]


def test_what_can_t_go_in_one_frame_is_refused() -> None:
    start = DeviceFrame(DeviceType.LINK_START, 2, CONTROL)
    with pytest.raises(WireError, match="messages is 32, expected 1 to 31"):
        DeviceFrame.list_to_bytes([start] * 32)
    with pytest.raises(WireError, match="messages is 0"):
        DeviceFrame.list_to_bytes([])
    with pytest.raises(WireError, match="type is 'SWAP'"):
        DeviceFrame.list_to_bytes([start, DeviceFrame(DeviceType.SWAP, 2, QUBIT)])
    with pytest.raises(WireError, match="one direction"):
        DeviceFrame.list_to_bytes([start, DeviceFrame(DeviceType.LINK_STATUS, 2, CONTROL)])
    swap = DeviceFrame(DeviceType.SWAP, 2, QUBIT).to_bytes()
    with pytest.raises(WireError, match="type is 'SWAP'"):
        DeviceFrame.list_from_bytes(start.to_bytes() + swap[14:])


@given(device_frames(), st.integers(0, 100))
def test_a_frame_of_a_wrong_size_is_refused(frame: DeviceFrame, size: int) -> None:
    data = frame.to_bytes()
    if not len(data) <= size <= max(len(data), 60):
        with pytest.raises(WireError):
            DeviceFrame.from_bytes(data.ljust(size, b"\0")[:size])


@pytest.mark.parametrize(
    ("offset", "value", "field"),
    [
        (12, "88b5", "ethertype"),
        (14, "00", "version"),
        (14, "20", "version"),
        (15, "00", "type"),
        (15, "40", "type"),
        (15, "8b", "type"),
    ],
)
def test_a_frame_of_another_kind_is_refused(offset: int, value: str, field: str) -> None:
    data = bytearray(CASES[0][0].to_bytes())
    data[offset : offset + len(value) // 2] = nibbles(value)
    with pytest.raises(WireError) as caught:
        DeviceFrame.from_bytes(bytes(data))
    assert caught.value.field == field


def test_a_body_of_another_type_is_refused() -> None:
    with pytest.raises(WireError, match="device frame PAIR: body"):
        DeviceFrame(DeviceType.PAIR, 0, Transaction(1))


@given(st.floats(0, 1))
def test_a_fraction_survives_within_half_a_step(value: float) -> None:
    assert abs(from_fraction(to_fraction(value)) - value) <= 0.5 / (2**32 - 1) + 1e-16


def test_the_ends_of_the_fractions_are_exact() -> None:
    assert (to_fraction(0.0), to_fraction(1.0)) == (0, 2**32 - 1)
    assert (from_fraction(0), from_fraction(2**32 - 1)) == (0.0, 1.0)


@pytest.mark.parametrize("value", [-1e-9, 1.0000001, float("nan"), float("inf")])
def test_what_is_no_fraction_is_refused(value: float) -> None:
    with pytest.raises(WireError, match="a number from 0 to 1"):
        to_fraction(value)
