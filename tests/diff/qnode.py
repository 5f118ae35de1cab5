"""Circuits, entries and packets for qnode.p4, from few values each, so that they meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from finsy.proto import p4r

from qplane.wire import (
    BellIndex,
    CircuitFrame,
    CircuitPingBody,
    CircuitRole,
    DeviceFrame,
    DeviceType,
    ExpireReason,
    LinkFrame,
    PairBody,
    ProbeBody,
    QciFlag,
    QciMessage,
    QciType,
    QubitBody,
)
from qplane.wire.device import DeviceFeatures, LinkControl

from . import link_layer
from .entries import Entries
from .programs import Program
from .values import number

NODE_MAC = 0x060000000100
UDP_PORT_MPLS = (6635).to_bytes(2, "big")
MACS = (NODE_MAC, 0x060000000200, 0x020000000A01, 0xFFFFFFFFFFFF)
LABELS = (100, 101, 102, 103)
LINKS = (0, 1, 2)
CIRCUITS = (0, 1, 2, 3)
IPV4 = (0x0A000001, 0x0A000002, 0x0A000101, 0xC0000201)
IPV6 = tuple(0x20010DB8 << 96 | low for low in (1, 2, 1 << 64, 0xFFFF << 80))
QUANTUM_PORTS = (5, 6)
TUNNELS = (513, 514)
TELEMETRY_SESSION = 100
CPU_PORT = 510

KNOWN: Mapping[str, Sequence[int]] = {
    "hdr.ethernet.dst": MACS,
    "hdr.arp.target_ip": IPV4,
    "hdr.ipv4.dst": IPV4,
    "hdr.ipv6.dst": IPV6,
    "hdr.mpls.label": LABELS,
    "hdr.qubit.label": LABELS,
    "hdr.device.link": LINKS,
    "meta.circuit": CIRCUITS,
    "meta.copy": (1, 2),
    "meta.slice": range(4),
    "meta.event": range(17),
    "ingress": (*range(8), *TUNNELS),
    "hdr.ipv4.src": IPV4,
    "hdr.ipv6.src": IPV6,
    "standard_metadata.ingress_port": range(8),
    "circuit_id": CIRCUITS,
    "side": (1, 2),
    "label": LABELS,
    "link": LINKS,
    "link_up": LINKS,
    "link_down": LINKS,
    "device_port": QUANTUM_PORTS,
    "kind": (0, 1, 2),
    "budget_us": (0, 777),
    **{f"delay{side}_us": (10,) for side in ("", "_up", "_down")},
    "slice": range(4),
    "first_slot": range(3),
    "last_slot": range(2, 9),
    "tunnel": TUNNELS,
    "interval": range(1, 4),
    "src_ip": IPV4,
    "dst_ip": IPV4,
    "reason": range(20),
    "ethertype": (0x0800, 0x86DD),
    **{f"group{suffix}": range(5) for suffix in ("", "_device", "_device_up", "_both")},
}


def circuits(program: Program, rng: Random) -> list[p4r.Update]:
    """Circuits that fit together; the random entries come on top."""
    make = Entries(program)
    updates = [
        make.entry("port_kind", {"ingress_port": port}, "set_port_kind", kind=2, slice=0)
        for port in QUANTUM_PORTS
    ]
    copies = p4r.Update(type=p4r.Update.INSERT)
    session = copies.entity.packet_replication_engine_entry.clone_session_entry
    session.session_id = TELEMETRY_SESSION
    session.replicas.add(egress_port=CPU_PORT, instance=0)
    updates.append(copies)
    for tunnel, dst, src in zip(TUNNELS, IPV4[:2], IPV4[2:], strict=True):
        updates.append(
            make.entry("tunnel_ipv4", {"dst": dst, "src": src}, "set_tunnel", tunnel=tunnel)
        )
    match = {"dst": IPV6[0], "src": IPV6[1]}
    updates.append(make.entry("tunnel_ipv6", match, "set_tunnel", tunnel=TUNNELS[0]))
    for circuit in CIRCUITS:
        sides = [(1, LABELS[circuit], 0, 3), (2, LABELS[-1 - circuit], 1, 4)]
        ends = rng.random() < 0.5
        if ends:
            sides = [rng.choice(sides)]
            side, _, link, port = sides[0]
            updates.append(
                make.entry(
                    "circuit", {"circuit": circuit}, "end_node", device_port=5, side=side,
                    link=link, port=port, group_device=rng.randint(0, 4),
                    request=rng.randrange(3), complete=rng.randrange(2), budget_us=0, delay_us=10,
                    far_node=2, far_link=rng.randrange(2), serial=rng.randrange(2),
                )
            )  # fmt: skip
        else:
            updates.append(
                make.entry(
                    "circuit", {"circuit": circuit}, "repeater", device_port=5,
                    link_up=1, port_up=4, group_device_up=2,
                    link_down=0, port_down=3, group_device_down=3, group_both=4,
                    delay_up_us=10, delay_down_us=10,
                )
            )  # fmt: skip
        for side, label, link, port in sides:
            where = {"circuit_id": circuit, "side": side, "slice": circuit}
            updates += [
                *(
                    make.entry(
                        "label_in", {"ingress": ingress, "label": label}, "set_circuit", **where
                    )
                    for ingress in (port, TUNNELS[side - 1])
                ),
                make.entry("pair_in", {"link": link, "label": label}, "set_circuit", **where),
                make.entry(
                    "adjacency", {"circuit": circuit, "copy": side}, "set_adjacency",
                    label=label, src_mac=NODE_MAC, dst_mac=MACS[1],
                ),
            ]  # fmt: skip
    return updates


class Traffic:
    """Packets of a node's life: pairs that are numbered, swaps that are answered, messages about
    both, and everything else. `heard` tells it what the switch sent."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._newest = [rng.choice((0, 1, 4090, 0xFFFFFFF0)) for _ in LINKS]
        self._swaps: list[DeviceFrame] = []
        # Now and then all pairs come on one link, so that they fill a ring.
        self._lopsided = rng.random() < 0.25

    def heard(self, outputs: Sequence[tuple[int, bytes]]) -> None:
        """Remember what the device was told to swap."""
        for _, data in outputs:
            if data[12:14] == b"\x88\xb6" and data[15] == DeviceType.SWAP:
                self._swaps.append(DeviceFrame.from_bytes(data))

    def packet(self) -> tuple[int, bytes]:
        """A well-formed packet, and the port it comes in by."""
        rng = self._rng
        draw = rng.random()
        if draw < 0.3:
            return self._message()
        if draw < 0.65:
            port = 5 if rng.random() < 0.95 else rng.randrange(8)
            return port, self._device_frame()
        if draw < 0.72:
            return rng.choice((3, 4, rng.randrange(8))), _probe(rng)
        if draw < 0.78:
            return link_layer.packet(rng)
        return rng.randrange(8), _classical(rng)

    def _seq(self, link: int) -> int:
        draw = self._rng.random()
        if draw < 0.9:
            return (self._newest[link] - self._rng.randrange(8)) & 0xFFFFFFFF
        return (self._newest[link] + self._rng.choice((1, 2, 4096, -4096))) & 0xFFFFFFFF

    def _circuit(self) -> tuple[int, int, int]:
        """A circuit's link, label and port on one side; seldom some that do not belong together."""
        rng = self._rng
        circuit = rng.choice(CIRCUITS)
        if rng.random() < 0.05:
            return rng.choice(LINKS), rng.choice(LABELS), rng.randrange(8)
        if rng.random() < (0.95 if self._lopsided else 0.5):
            return 0, LABELS[circuit], 3
        return 1, LABELS[-1 - circuit], 4

    def _message(self) -> tuple[int, bytes]:
        rng = self._rng
        link, label, port = self._circuit()
        kind = rng.choice((QciType.TRACK,) * 8 + _ABOUT_PAIRS)
        flags = QciFlag.ACK_REQUESTED if rng.random() < 0.3 else QciFlag.NONE
        body: PairBody | CircuitPingBody
        if rng.random() < 0.05:
            # No CIRCUIT_PING: its answer tells the time.
            kind = QciType.CIRCUIT_PONG
            flags = QciFlag.SAMPLE if rng.random() < 0.5 else QciFlag.NONE
            body = CircuitPingBody(
                rng.getrandbits(32), 7, self._seq(link), rng.randrange(3), 2,
                CircuitRole(rng.randrange(2)), 9, held=3, ring=4, age_us=5, last_slot=6,
            )  # fmt: skip
        else:
            reason = ExpireReason(rng.randrange(7)) if kind == QciType.EXPIRE else ExpireReason.NONE
            # 5 us is less than the repeaters' links take; what waits tells the time.
            left = 5 if kind == QciType.TRACK and rng.random() < 0.1 else 0
            body = PairBody(
                self._seq(link), rng.randrange(100), BellIndex(rng.randrange(4)), reason, left
            )
        ttl = rng.choice((255, 255, 64, 2, 2, 1, 0))
        message = QciMessage(kind, body, flags)
        frame = CircuitFrame(NODE_MAC, MACS[1], label, message, ttl, rng.randrange(8))
        if rng.random() < 0.2:
            return rng.randrange(8), _tunnelled(rng, frame.to_bytes()[14:])
        return port, frame.to_bytes()

    def _device_frame(self) -> bytes:
        rng = self._rng
        bell = BellIndex(rng.randrange(4))
        if self._swaps and rng.random() < 0.4:
            swap = self._swaps[rng.randrange(len(self._swaps))]
            if rng.random() < 0.8:
                self._swaps.remove(swap)
            kind = DeviceType.SWAP_FAILED if rng.random() < 0.2 else DeviceType.SWAPPED
            return DeviceFrame(kind, swap.link, swap.body, bell).to_bytes()
        link, label, _ = self._circuit()
        draw = rng.random()
        if draw < 0.75:
            self._newest[link] = (self._newest[link] + 1) & 0xFFFFFFFF
            body = QubitBody(label, self._newest[link], rng.randrange(9), rng.randrange(9))
            return DeviceFrame(DeviceType.PAIR, link, body, bell).to_bytes()
        if draw < 0.95:
            kind = rng.choice((DeviceType.EXPIRED, DeviceType.EXPIRED, *_EVENTS))
            body = QubitBody(
                label, self._seq(link), rng.randrange(9), rng.randrange(9),
                rng.choice(LINKS), rng.choice(self._newest), 0, 0,
            )  # fmt: skip
            return DeviceFrame(kind, link, body, bell).to_bytes()
        answers: tuple[DeviceFrame, ...] = (
            DeviceFrame(
                DeviceType.DEVICE_FEATURES, 0xFF, DeviceFeatures(1, 2, 1, 2, 8, 0, 0, 5, 6, 7)
            ),
            DeviceFrame(DeviceType.LINK_STATUS, link, LinkControl(3, label)),
            DeviceFrame(DeviceType.LINK_START, link, LinkControl(3, label)),
        )
        return rng.choice(answers).to_bytes()


_EVENTS = (
    DeviceType.PAIR,
    DeviceType.SWAPPED,
    DeviceType.SWAP_FAILED,
    DeviceType.EXPIRED,
    DeviceType.DELIVERED,
    DeviceType.DELIVERED,
    DeviceType.TELEPORTED,
    DeviceType.DISTILLED,
)
_ABOUT_PAIRS = (
    QciType.EXPIRE,
    QciType.EXPIRE,
    QciType.EXPIRE_ACK,
    QciType.COMPLETE,
    QciType.COMPLETE,
    QciType.CORRECTION,
    QciType.CORRECTION_ACK,
    QciType.DISTIL,
    QciType.DISTIL,
)


def _tunnelled(rng: Random, message: bytes) -> bytes:
    """MPLS in UDP, mostly of a tunnel that there is; now and then with a wrong UDP checksum."""
    udp = bytearray(rng.randrange(0xC000, 0x10000).to_bytes(2, "big") + UDP_PORT_MPLS)
    udp += (8 + len(message)).to_bytes(2, "big") + bytes(2) + message
    ethernet = NODE_MAC.to_bytes(6, "big") + MACS[1].to_bytes(6, "big")
    if rng.random() < 0.6:
        tunnel = rng.randrange(2)
        src, dst = IPV4[2 + tunnel].to_bytes(4, "big"), IPV4[tunnel].to_bytes(4, "big")
        if rng.random() < 0.1:
            dst = IPV4[3].to_bytes(4, "big")
        header = bytearray(
            b"\x45\0" + (20 + len(udp)).to_bytes(2, "big") + b"\0\7\x40\0\x20\x11\0\0"
        )
        header += src + dst
        header[10:12] = _sum16(bytes(header)).to_bytes(2, "big")
        outer, pseudo = b"\x08\x00" + bytes(header), src + dst + b"\0\x11"
    else:
        src, dst = IPV6[1].to_bytes(16, "big"), IPV6[0].to_bytes(16, "big")
        header = bytearray(b"\x60\0\0\0" + len(udp).to_bytes(2, "big") + b"\x11\x20")
        outer, pseudo = b"\x86\xdd" + bytes(header) + src + dst, src + dst + b"\0\x11"
    if rng.random() < 0.6:
        pseudo += len(udp).to_bytes(2, "big")
        udp[6:8] = (_sum16(pseudo + bytes(udp)) ^ (rng.random() < 0.1)).to_bytes(2, "big")
    return ethernet + outer + bytes(udp)


def _sum16(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _probe(rng: Random) -> bytes:
    kind = rng.choice((QciType.HELLO, QciType.PING, QciType.PONG))
    body = ProbeBody(
        rng.getrandbits(32), rng.randrange(8), rng.getrandbits(16), rng.getrandbits(40)
    )
    return LinkFrame(NODE_MAC, MACS[1], QciMessage(kind, body)).to_bytes()


def _classical(rng: Random) -> bytes:
    ethernet = rng.choice(MACS).to_bytes(6, "big") + MACS[2].to_bytes(6, "big")
    payload = rng.randbytes(rng.randrange(30))
    draw = rng.random()
    if draw < 0.15:
        arp = (
            b"\0\1\x08\0\6\4"
            + rng.choice((1, 1, 2)).to_bytes(2, "big")
            + MACS[2].to_bytes(6, "big")
        )
        arp += rng.choice(IPV4).to_bytes(4, "big") + bytes(6) + rng.choice(IPV4).to_bytes(4, "big")
        return ethernet + b"\x08\x06" + arp + payload
    if draw < 0.45:
        return ethernet + b"\x08\x00" + _ipv4(rng) + payload
    if draw < 0.65:
        ttl = rng.choice((0, 1, 2, 64))
        header = (
            b"\x60\0\0\0" + len(payload).to_bytes(2, "big") + bytes((rng.choice((6, 17, 58)), ttl))
        )
        return (
            ethernet + b"\x86\xdd" + header + rng.choice(IPV6).to_bytes(16, "big")
            + rng.choice(IPV6).to_bytes(16, "big") + rng.randbytes(8) + payload
        )  # fmt: skip
    if draw < 0.9:
        stack = b""
        for last in (False, True) if rng.random() < 0.5 else (True,):
            word = rng.choice((*LABELS, 13)) << 12 | rng.randrange(8) << 9 | last << 8
            stack += (word | rng.choice((0, 1, 2, 255))).to_bytes(4, "big")
        return ethernet + b"\x88\x47" + stack + payload
    return ethernet + number(rng, 16).to_bytes(2, "big") + payload


def _ipv4(rng: Random) -> bytes:
    options = b"\x01" * (4 * rng.choice((0, 0, 0, 1, 10)))
    header = bytearray(20)
    header[0] = 0x45 + len(options) // 4
    header[6:8] = rng.choice((0, 0, 0x4000, 0x00B9)).to_bytes(2, "big")
    header[8], header[9] = rng.choice((0, 1, 2, 64)), rng.choice((1, 6, 17))
    header[12:16], header[16:20] = (rng.choice(IPV4).to_bytes(4, "big") for _ in range(2))
    header += options
    header[10:12] = _sum16(bytes(header)).to_bytes(2, "big")
    return bytes(header) + rng.randbytes(rng.choice((0, 8, 8)))
