"""Scapy layers for every format of ``docs/wire.md``, for tests and tools (extra ``scapy``).

Importing this module binds them: ``Ether(frame)`` then shows QCI messages on a circuit (0x8847, or
MPLS in UDP) and on a link (0x88B5), and device frames (0x88B6). In place of Scapy's MPLS layer
stands a subclass that knows the generic associated channel. Nothing else in qplane imports Scapy.
"""

# ruff: noqa: RUF012 (fields_desc is Scapy's: its metaclass reads the list and no one changes it)

from typing import Any

from scapy.contrib.mpls import MPLS as ScapyMPLS
from scapy.fields import (
    BitEnumField,
    BitField,
    ByteEnumField,
    ByteField,
    IntField,
    LongField,
    ShortField,
    SignedLongField,
    XBitField,
    XByteField,
    XIntField,
    XShortField,
)
from scapy.layers.inet import UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, bind_bottom_up, bind_layers, bind_top_down, split_layers

from qplane.wire.cpu import PacketInReason
from qplane.wire.device import (
    BODIES,
    DEVICE_VERSION,
    FRACTION_ONE,
    DeviceType,
    LinkStatusCode,
    QubitBody,
)
from qplane.wire.device import DeviceFeatures as DeviceFeaturesBody
from qplane.wire.device import LinkControl as LinkControlBody
from qplane.wire.device import LinkFeatures as LinkFeaturesBody
from qplane.wire.device import Transaction as TransactionBody
from qplane.wire.dqp import DqpBody, DqpReason
from qplane.wire.egp import EgpBody, OutcomesBody
from qplane.wire.ethernet import CHANNEL_TYPE_QCI, GAL_LABEL, UDP_PORT_MPLS, EtherType
from qplane.wire.link import (
    ActionStatus,
    GenBody,
    LinkScheme,
    MhpError,
    MhpKind,
    MhpOutcome,
    MhpState,
    OutcomeBody,
    ReplyBody,
)
from qplane.wire.link import Calibration as CalibrationBody
from qplane.wire.link import MhpOrder as MhpOrderBody
from qplane.wire.link import MhpResult as MhpResultBody
from qplane.wire.link import MhpStatus as MhpStatusBody
from qplane.wire.link import QubitAction as QubitActionBody
from qplane.wire.qci import BODIES as QCI_BODIES
from qplane.wire.qci import (
    QCI_VERSION,
    BellIndex,
    CircuitPingBody,
    CircuitRole,
    ExpireReason,
    PairBody,
    QciType,
    qci_checksum,
)
from qplane.wire.service import RandomBasis, RequestType
from qplane.wire.teleport import TeleportOrder as TeleportOrderBody
from qplane.wire.teleport import TeleportResult as TeleportResultBody
from qplane.wire.teleport import TeleportRole, TeleportStatus


def _names(values: Any) -> dict[int, str]:
    return {int(value): value.name for value in values}


class _Body(Packet):
    """A body of fixed length: what follows it is Ethernet padding."""

    def extract_padding(self, data: bytes) -> tuple[bytes, bytes]:
        return b"", data


class MPLS(ScapyMPLS):
    """Label stack entry; one with label 13 at the bottom of the stack is the GAL."""

    name = "MPLS"
    fields_desc = [
        BitField("label", 16, 20),
        BitField("tc", 0, 3),
        BitField("s", 0, 1),
        ByteField("ttl", 64),
    ]

    def guess_payload_class(self, payload: bytes) -> Any:
        if not self.s:
            return MPLS
        if self.label == GAL_LABEL:
            return ACH
        return super().guess_payload_class(payload)  # type: ignore[no-untyped-call]


def gal() -> MPLS:
    """The generic associated channel label (RFC 5586)."""
    return MPLS(label=GAL_LABEL, s=1, ttl=1)


class ACH(Packet):
    """Associated channel header (RFC 5586)."""

    name = "ACH"
    fields_desc = [
        BitField("nibble", 1, 4),
        BitField("version", 0, 4),
        BitField("reserved", 0, 8),
        XShortField("channel_type", CHANNEL_TYPE_QCI),
    ]


class QCI(Packet):
    """QCI header; length and checksum are computed when None."""

    name = "QCI"
    fields_desc = [
        BitField("version", QCI_VERSION, 4),
        BitField("flags", 0, 4),
        ByteEnumField("type", QciType.TRACK, _names(QciType)),
        ShortField("length", None),
        XIntField("checksum", None),
    ]

    def circuit_label(self) -> int:
        """Label of the circuit that this message is on; 0 on a link."""
        layer = self.underlayer
        while layer is not None:
            if isinstance(layer, MPLS) and layer.label != GAL_LABEL:
                return int(layer.label)
            layer = layer.underlayer
        return 0

    def post_build(self, header: bytes, payload: bytes) -> bytes:
        if self.length is None:
            length = len(header) + len(payload)
            header = header[:2] + length.to_bytes(2, "big") + header[4:]
        if self.checksum is None:
            checksum = qci_checksum(self.circuit_label(), header + payload)
            header = header[:4] + checksum.to_bytes(4, "big")
        return header + payload


class QCIPair(_Body):
    """Body of the messages about one pair of a circuit."""

    name = "QCI pair"
    fields_desc = [
        IntField("pair_seq", 0),
        IntField("origin_seq", 0),
        BitEnumField("bell", 0, 2, _names(BellIndex)),
        BitField("reserved", 0, 6),
        ByteEnumField("reason", 0, _names(ExpireReason)),
        ShortField("reserved2", 0),
        IntField("remaining_us", 0),
    ]


class QCICircuitPing(_Body):
    """Body of CIRCUIT_PING and CIRCUIT_PONG."""

    name = "QCI circuit ping"
    fields_desc = [
        XIntField("nonce", 0),
        SignedLongField("time_ps", 0),
        IntField("sample_first", 0),
        ShortField("sample_count", 0),
        ByteField("hop", 0),
        ByteEnumField("role", 0, _names(CircuitRole)),
        XIntField("node_id", 0),
        ShortField("held", 0),
        ShortField("other_held", 0),
        ByteField("ring", 0),
        ByteField("other_ring", 0),
        ShortField("reserved", 0),
        IntField("age_us", 0),
        IntField("other_age_us", 0),
        ShortField("first_slot", 0),
        ShortField("last_slot", 0),
    ]


class QCIProbe(_Body):
    """Body of HELLO, PING and PONG."""

    name = "QCI probe"
    fields_desc = [
        XIntField("node_id", 0),
        ShortField("port", 0),
        ShortField("nonce", 0),
        SignedLongField("time_ps", 0),
    ]


class DQP(_Body):
    """Body of the messages of the distributed queue."""

    name = "DQP"
    fields_desc = [
        ByteField("comm_seq", 0),
        ByteField("queue_id", 0),
        ByteField("queue_seq", 0),
        ByteEnumField("reason", 0, _names(DqpReason)),
        IntField("expected_seq", 0),
        XIntField("origin_node_id", 0),
        ShortField("create_id", 0),
        ShortField("purpose_id", 0),
        LongField("start_cycle", 0),
        LongField("timeout_cycle", 0),
        LongField("virtual_finish", 0),
        IntField("cycles_per_pair", 0),
        ShortField("number", 0),
        ShortField("min_fidelity", 0),
        ShortField("bright_state", 0),
        ShortField("reserved", 0),
        BitField("priority", 0, 3),
        BitEnumField("request_type", 0, 1, _names(RequestType)),
        BitField("atomic", 0, 1),
        BitField("consecutive", 0, 1),
        BitEnumField("random_basis_local", 0, 2, _names(RandomBasis)),
        BitEnumField("random_basis_remote", 0, 2, _names(RandomBasis)),
        BitField("reserved2", 0, 6),
        ByteField("probability_local_1", 0),
        ByteField("probability_local_2", 0),
        ByteField("probability_remote_1", 0),
        ByteField("probability_remote_2", 0),
        ByteField("rotation_local_x1", 0),
        ByteField("rotation_local_y", 0),
        ByteField("rotation_local_x2", 0),
        ByteField("rotation_remote_x1", 0),
        ByteField("rotation_remote_y", 0),
        ByteField("rotation_remote_x2", 0),
    ]


class EGP(_Body):
    """Body of EXPIRE, EXPIRE_ACK and the memory messages of EGP."""

    name = "EGP"
    fields_desc = [
        XIntField("origin_node_id", 0),
        IntField("seq_low", 0),
        IntField("seq_high", 0),
        IntField("expected_seq", 0),
        ShortField("free_communication", 0),
        ShortField("free_storage", 0),
        IntField("serial", 0),
    ]


class EGPOutcomes(_Body):
    """Body of EGP_OUTCOMES."""

    name = "EGP outcomes"
    fields_desc = [
        IntField("seq_low", 0),
        IntField("expected_seq", 0),
        XBitField("outcomes", 0, 128),
    ]


class Device(Packet):
    """Device frame header."""

    name = "Device frame"
    fields_desc = [
        BitField("version", DEVICE_VERSION, 4),
        BitField("flags", 0, 4),
        ByteEnumField("type", DeviceType.PAIR, _names(DeviceType)),
        XByteField("link", 0),
        BitEnumField("bell", 0, 2, _names(BellIndex)),
        BitField("reserved", 0, 6),
    ]


class Qubit(_Body):
    """Body of the events and commands about qubits."""

    name = "Qubit"
    fields_desc = [
        BitField("label", 0, 20),
        BitField("reserved", 0, 12),
        IntField("seq", 0),
        ShortField("slot", 0),
        ShortField("generation", 0),
        ByteField("link2", 0),
        BitField("reserved2", 0, 24),
        IntField("seq2", 0),
        ShortField("slot2", 0),
        ShortField("generation2", 0),
        SignedLongField("time_ps", 0),
    ]


class Transaction(_Body):
    """Body of FEATURES_REQUEST."""

    name = "Transaction"
    fields_desc = [IntField("transaction", 0)]


class DeviceFeatures(_Body):
    """Body of DEVICE_FEATURES."""

    name = "Device features"
    fields_desc = [
        IntField("transaction", 0),
        XIntField("node_id", 0),
        ByteField("qci_version", QCI_VERSION),
        ByteField("links", 0),
        ShortField("slots", 0),
        LongField("t1_ps", 0),
        LongField("t2_ps", 0),
        LongField("swap_time_ps", 0),
        IntField("two_qubit_error", 0),
        IntField("readout_error", 0),
        IntField("one_qubit_error", 0),
        IntField("swap_success", FRACTION_ONE),
    ]


class LinkFeatures(_Body):
    """Body of LINK_FEATURES."""

    name = "Link features"
    fields_desc = [
        IntField("transaction", 0),
        XIntField("remote_node_id", 0),
        ByteField("remote_link", 0),
        ByteEnumField("scheme", LinkScheme.DOUBLE_CLICK, _names(LinkScheme)),
        ShortField("zz", 0),
        IntField("length_m", 0),
        LongField("attempt_ps", 0),
        IntField("success", 0),
        IntField("fidelity", 0),
        LongField("delay_ps", 0),
    ]


class LinkControl(_Body):
    """Body of LINK_START, LINK_STOP, LINK_STATUS_REQUEST and LINK_STATUS."""

    name = "Link control"
    fields_desc = [
        IntField("transaction", 0),
        BitField("label", 0, 20),
        BitField("slice", 0, 6),
        BitField("rounds", 0, 6),
        ShortField("slot_first", 0),
        ShortField("slot_count", 0),
        LongField("cutoff_ps", 0),
        LongField("retry_ps", 0),
        ShortField("in_use", 0),
        ShortField("unconfirmed", 0),
        ByteEnumField("status", 0, _names(LinkStatusCode)),
        BitField("reserved", 0, 4),
        BitField("feeds", 0, 20),
        ShortField("linger_ms", 0),
        ShortField("bright_state", 0),
        IntField("last_seq", 0),
    ]


class Gen(_Body):
    """Body of GEN, on the wire and on the quantum port."""

    name = "GEN"
    fields_desc = [
        ByteField("queue_id", 0),
        ByteField("queue_seq", 0),
        BitEnumField("kind", 0, 1, _names(MhpKind)),
        BitField("present", 0, 1),
        BitField("reserved", 0, 14),
        LongField("cycle", 0),
    ]


class Reply(_Body):
    """Body of REPLY, on the wire and on the quantum port."""

    name = "REPLY"
    fields_desc = [
        ByteField("queue_id", 0),
        ByteField("queue_seq", 0),
        ByteField("other_queue_id", 0),
        ByteField("other_queue_seq", 0),
        IntField("mhp_seq", 0),
        BitEnumField("outcome", 0, 2, _names(MhpOutcome)),
        BitField("reserved", 0, 6),
        ByteEnumField("error_code", 0, _names(MhpError)),
        ShortField("reserved2", 0),
        LongField("cycle", 0),
    ]


class Outcome(_Body):
    """Body of MHP_OUTCOME."""

    name = "Outcome"
    fields_desc = [
        BitEnumField("outcome", 0, 2, _names(MhpOutcome)),
        BitField("reserved", 0, 30),
        LongField("cycle", 0),
    ]


class MhpOrder(_Body):
    """Body of MHP_START and MHP_STOP."""

    name = "MHP order"
    fields_desc = [
        IntField("transaction", 0),
        ByteField("queue_id", 0),
        ByteField("queue_seq", 0),
        BitEnumField("kind", 0, 1, _names(MhpKind)),
        BitField("random_basis", 0, 2),
        BitField("reserved", 0, 5),
        ByteField("probability_1", 0),
        ByteField("probability_2", 0),
        ByteField("rotation_x1", 0),
        ByteField("rotation_y", 0),
        ByteField("rotation_x2", 0),
        ShortField("bright_state", 0),
        ShortField("pairs", 0),
        ShortField("slot_first", 0),
        ShortField("slot_count", 0),
        LongField("first_cycle", 0),
        LongField("end_cycle", 0),
    ]


class MhpStatus(_Body):
    """Body of MHP_STATUS."""

    name = "MHP status"
    fields_desc = [
        IntField("transaction", 0),
        ByteField("queue_id", 0),
        ByteField("queue_seq", 0),
        ByteEnumField("state", 0, _names(MhpState)),
        ByteField("reserved", 0),
        ShortField("pairs_left", 0),
        ShortField("reserved2", 0),
        LongField("cycle", 0),
        LongField("attempts", 0),
    ]


class MhpResult(_Body):
    """Body of MHP_PAIR, MHP_MEASURED and MHP_ERROR."""

    name = "MHP result"
    fields_desc = [
        ByteField("queue_id", 0),
        ByteField("queue_seq", 0),
        ByteField("other_queue_id", 0),
        ByteField("other_queue_seq", 0),
        IntField("mhp_seq", 0),
        ByteEnumField("error", 0, _names(MhpError)),
        BitField("basis", 0, 3),
        BitField("outcome", 0, 1),
        BitField("surplus", 0, 1),
        BitField("reserved", 0, 3),
        ShortField("pairs_left", 0),
        ShortField("slot", 0),
        ShortField("generation", 0),
        LongField("cycle", 0),
        LongField("attempts", 0),
        SignedLongField("time_ps", 0),
    ]


class TeleportOrder(_Body):
    """Body of TELEPORT_ORDER and TELEPORT_ANSWER."""

    name = "Teleport order"
    fields_desc = [
        IntField("transaction", 0),
        BitField("label", 0, 20),
        BitField("reserved", 0, 12),
        ByteEnumField("role", 0, _names(TeleportRole)),
        ByteEnumField("status", 0, _names(TeleportStatus)),
        ShortField("count", 0),
        IntField("polar", 0),
        IntField("azimuth", 0),
    ]


class TeleportResult(_Body):
    """Body of TELEPORT_RESULT."""

    name = "Teleport result"
    fields_desc = [
        IntField("transaction", 0),
        BitField("label", 0, 20),
        BitField("reserved", 0, 12),
        IntField("head_seq", 0),
        ByteEnumField("role", 0, _names(TeleportRole)),
        BitField("outcome", 0, 1),
        BitField("reserved2", 0, 23),
        SignedLongField("time_ps", 0),
    ]


class QubitAction(_Body):
    """Body of QUBIT_RELEASE, QUBIT_PAULI, QUBIT_MOVE, QUBIT_MEASURE and QUBIT_DONE."""

    name = "Qubit action"
    fields_desc = [
        IntField("transaction", 0),
        ShortField("slot", 0),
        ShortField("generation", 0),
        ShortField("slot2", 0),
        ShortField("generation2", 0),
        BitField("pauli", 0, 2),
        BitField("outcome", 0, 1),
        BitField("reserved", 0, 5),
        ByteEnumField("status", 0, _names(ActionStatus)),
        ByteField("rotation_x1", 0),
        ByteField("rotation_y", 0),
        ByteField("rotation_x2", 0),
        BitField("reserved2", 0, 24),
        SignedLongField("time_ps", 0),
    ]


class Calibration(_Body):
    """Body of CALIBRATION_REQUEST and CALIBRATION."""

    name = "Calibration"
    fields_desc = [
        IntField("transaction", 0),
        ShortField("bright_state", 0),
        ByteEnumField("scheme", 0, _names(LinkScheme)),
        ByteField("reserved", 0),
        IntField("success", 0),
        IntField("fidelity_keep", 0),
        IntField("fidelity_measure", 0),
        ShortField("bright_least", 0),
        ShortField("bright_most", 0),
        LongField("cycle_ps", 0),
        IntField("keep_cycles", 0),
        IntField("reply_cycles", 0),
        IntField("recovery_cycles", 0),
        ShortField("zz", 0),
        ShortField("reserved2", 0),
        LongField("cycle", 0),
        LongField("delay_near_ps", 0),
        LongField("delay_far_ps", 0),
        IntField("efficiency_near", 0),
        IntField("efficiency_far", 0),
        IntField("dark_count", 0),
        IntField("visibility", 0),
        IntField("phase_std_urad", 0),
        IntField("reserved3", 0),
    ]


class PacketIn(Packet):
    """Controller header before a packet from the switch."""

    name = "Packet-in"
    fields_desc = [
        BitField("ingress_port", 0, 9),
        BitEnumField("reason", PacketInReason.DEVICE_FRAME, 7, _names(PacketInReason)),
        ShortField("detail", 0),
    ]


class PacketOut(Packet):
    """Controller header before a packet to the switch."""

    name = "Packet-out"
    fields_desc = [BitField("egress_port", 0, 9), XBitField("pad", 0, 23)]


def _bind() -> None:
    split_layers(Ether, ScapyMPLS, type=EtherType.MPLS)
    bind_layers(Ether, MPLS, type=EtherType.MPLS)
    split_layers(UDP, ScapyMPLS)
    bind_layers(UDP, MPLS, dport=UDP_PORT_MPLS)
    bind_layers(MPLS, MPLS, s=0)
    bind_layers(ACH, QCI, channel_type=CHANNEL_TYPE_QCI)
    bind_layers(Ether, QCI, type=EtherType.QCI)
    for probe in (QciType.HELLO, QciType.PING, QciType.PONG):
        bind_bottom_up(QCI, QCIProbe, type=probe)
    bind_top_down(QCI, QCIProbe, type=QciType.HELLO)
    by_body: dict[type, type[Packet]] = {
        PairBody: QCIPair,
        CircuitPingBody: QCICircuitPing,
        DqpBody: DQP,
        EgpBody: EGP,
        OutcomesBody: EGPOutcomes,
    }
    for qci_type, qci_body in QCI_BODIES.items():
        if qci_body in by_body:
            bind_bottom_up(QCI, by_body[qci_body], type=qci_type)
    bind_top_down(QCI, QCICircuitPing, type=QciType.CIRCUIT_PING)
    bind_top_down(QCI, DQP, type=QciType.DQP_ADD)
    bind_top_down(QCI, EGP, type=QciType.EGP_EXPIRE)
    bind_top_down(QCI, EGPOutcomes, type=QciType.EGP_OUTCOMES)
    bind_layers(QCI, Gen, type=QciType.GEN)
    bind_layers(QCI, Reply, type=QciType.REPLY)
    bind_layers(Ether, Device, type=EtherType.DEVICE)
    layers: dict[type, type[Packet]] = {
        QubitBody: Qubit,
        TransactionBody: Transaction,
        DeviceFeaturesBody: DeviceFeatures,
        LinkFeaturesBody: LinkFeatures,
        LinkControlBody: LinkControl,
        GenBody: Gen,
        ReplyBody: Reply,
        OutcomeBody: Outcome,
        MhpOrderBody: MhpOrder,
        MhpStatusBody: MhpStatus,
        MhpResultBody: MhpResult,
        QubitActionBody: QubitAction,
        CalibrationBody: Calibration,
        TeleportOrderBody: TeleportOrder,
        TeleportResultBody: TeleportResult,
    }
    for device_type, body in BODIES.items():
        bind_bottom_up(Device, layers[body], type=device_type)
    bind_top_down(Device, Transaction, type=DeviceType.FEATURES_REQUEST)
    bind_top_down(Device, DeviceFeatures, type=DeviceType.DEVICE_FEATURES)
    bind_top_down(Device, LinkFeatures, type=DeviceType.LINK_FEATURES)
    bind_top_down(Device, LinkControl, type=DeviceType.LINK_START)
    bind_top_down(Device, Gen, type=DeviceType.MHP_GEN)
    bind_top_down(Device, Outcome, type=DeviceType.MHP_OUTCOME)
    bind_top_down(Device, Reply, type=DeviceType.MHP_REPLY)
    bind_top_down(Device, MhpOrder, type=DeviceType.MHP_START)
    bind_top_down(Device, MhpStatus, type=DeviceType.MHP_STATUS)
    bind_top_down(Device, MhpResult, type=DeviceType.MHP_PAIR)
    bind_top_down(Device, QubitAction, type=DeviceType.QUBIT_DONE)
    bind_top_down(Device, Calibration, type=DeviceType.CALIBRATION)
    bind_top_down(Device, TeleportOrder, type=DeviceType.TELEPORT_ORDER)
    bind_top_down(Device, TeleportResult, type=DeviceType.TELEPORT_RESULT)
    bind_layers(PacketIn, Ether)
    bind_layers(PacketOut, Ether)


_bind()
