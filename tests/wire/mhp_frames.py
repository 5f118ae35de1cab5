"""Golden bytes of the MHP's frames, written down from docs/wire.md."""

from qplane.wire import (
    ActionStatus,
    BellIndex,
    Calibration,
    DeviceFrame,
    DeviceType,
    GenBody,
    LinkScheme,
    MhpError,
    MhpKind,
    MhpOrder,
    MhpOutcome,
    MhpResult,
    MhpState,
    MhpStatus,
    OutcomeBody,
    QciMessage,
    QciType,
    QubitAction,
    ReplyBody,
)

GEN = GenBody(0x12, 0x34, MhpKind.MEASURE, 1, 0x0102030405060708)
GEN_BYTES = "12 34 c000 0102030405060708"
REPLY = ReplyBody(1, 2, 3, 4, 0xCAFE, MhpOutcome.PSI_MINUS, MhpError.TIME_MISMATCH, 9)
REPLY_BYTES = "01 02 03 04 0000cafe 80 02 0000 0000000000000009"
ORDER = MhpOrder(
    transaction=7,
    queue_id=0xAB,
    queue_seq=0xCD,
    kind=MhpKind.MEASURE,
    random_basis=3,
    probability_1=0x11,
    probability_2=0x22,
    rotation_x1=0x33,
    rotation_y=0x44,
    rotation_x2=0x55,
    bright_state=0x6677,
    pairs=0x8899,
    slot_first=1,
    slot_count=2,
    first_cycle=3,
    end_cycle=4,
)
ORDER_BYTES = (
    "00000007 ab cd e0 11 22 33 44 55 6677 8899 0001 0002 0000000000000003 0000000000000004"
)
RESULT = MhpResult(
    queue_id=1,
    queue_seq=2,
    other_queue_id=3,
    other_queue_seq=4,
    mhp_seq=5,
    error=MhpError.GEN_FAIL,
    basis=5,
    outcome=1,
    surplus=1,
    pairs_left=6,
    slot=7,
    generation=8,
    cycle=9,
    attempts=10,
    time_ps=-1,
)
RESULT_BYTES = (
    "01 02 03 04 00000005 04 b8 0006 0007 0008 0000000000000009 000000000000000a ffffffffffffffff"
)
ACTION = QubitAction(
    transaction=1,
    slot=2,
    generation=3,
    slot2=4,
    generation2=5,
    pauli=2,
    outcome=1,
    status=ActionStatus.REFUSED,
    rotation_x1=6,
    rotation_y=7,
    rotation_x2=8,
    time_ps=9,
)
ACTION_BYTES = "00000001 0002 0003 0004 0005 a0 02 06 07 08 000000 0000000000000009"
CALIBRATION = Calibration(
    transaction=1,
    bright_state=2,
    scheme=LinkScheme.SINGLE_CLICK,
    success=3,
    fidelity_keep=4,
    fidelity_measure=5,
    bright_least=6,
    bright_most=7,
    cycle_ps=8,
    keep_cycles=9,
    reply_cycles=10,
    recovery_cycles=11,
    cycle=12,
    delay_near_ps=13,
    delay_far_ps=14,
    efficiency_near=15,
    efficiency_far=16,
    dark_count=17,
    visibility=18,
    phase_std_urad=19,
)
CALIBRATION_BYTES = (
    "00000001 0002 02 00 00000003 00000004 00000005 0006 0007 0000000000000008 00000009 0000000a"
    "0000000b 00000000 000000000000000c 000000000000000d 000000000000000e 0000000f 00000010"
    "00000011 00000012 00000013 00000000"
)
STATUS = MhpStatus(1, 2, 3, MhpState.SUPERSEDED, 4, 5, 6)

DEVICE_CASES = [
    (DeviceFrame(DeviceType.MHP_GEN, 3, GEN), "10 10 03 00" + GEN_BYTES),
    (
        DeviceFrame(DeviceType.MHP_OUTCOME, 3, OutcomeBody(MhpOutcome.PSI_PLUS, 9)),
        "10 11 03 00 40000000 0000000000000009",
    ),
    (DeviceFrame(DeviceType.MHP_REPLY, 3, REPLY), "10 90 03 00" + REPLY_BYTES),
    (DeviceFrame(DeviceType.MHP_START, 3, ORDER), "10 50 03 00" + ORDER_BYTES),
    (DeviceFrame(DeviceType.MHP_STOP, 3, ORDER), "10 51 03 00" + ORDER_BYTES),
    (
        DeviceFrame(DeviceType.MHP_STATUS, 3, STATUS),
        "10 52 03 00 00000001 02 03 06 00 0004 0000 0000000000000005 0000000000000006",
    ),
    (
        DeviceFrame(DeviceType.MHP_PAIR, 3, RESULT, BellIndex.PSI_PLUS),
        "10 53 03 80" + RESULT_BYTES,
    ),
    (DeviceFrame(DeviceType.MHP_MEASURED, 3, RESULT), "10 54 03 00" + RESULT_BYTES),
    (DeviceFrame(DeviceType.MHP_ERROR, 3, RESULT), "10 55 03 00" + RESULT_BYTES),
    (DeviceFrame(DeviceType.QUBIT_RELEASE, 255, ACTION), "10 56 ff 00" + ACTION_BYTES),
    (DeviceFrame(DeviceType.QUBIT_PAULI, 255, ACTION), "10 57 ff 00" + ACTION_BYTES),
    (DeviceFrame(DeviceType.QUBIT_MOVE, 255, ACTION), "10 58 ff 00" + ACTION_BYTES),
    (DeviceFrame(DeviceType.QUBIT_MEASURE, 255, ACTION), "10 59 ff 00" + ACTION_BYTES),
    (DeviceFrame(DeviceType.QUBIT_DONE, 255, ACTION), "10 5a ff 00" + ACTION_BYTES),
    (
        DeviceFrame(DeviceType.CALIBRATION_REQUEST, 3, CALIBRATION),
        "10 5b 03 00" + CALIBRATION_BYTES,
    ),
    (DeviceFrame(DeviceType.CALIBRATION, 3, CALIBRATION), "10 5c 03 00" + CALIBRATION_BYTES),
]

QCI_CASES = [
    (QciMessage(QciType.GEN, GEN), "10 30 0014", GEN_BYTES),
    (QciMessage(QciType.REPLY, REPLY), "10 31 001c", REPLY_BYTES),
]
"""Message, what comes before the checksum, and the body."""
