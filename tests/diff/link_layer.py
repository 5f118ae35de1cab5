"""Packets of the link layer for qnode.p4: GEN, REPLY, and what goes to the CPU port."""

from __future__ import annotations

from random import Random

from qplane.wire import (
    DeviceFrame,
    DeviceType,
    Ethernet,
    EtherType,
    GenBody,
    LinkFrame,
    MhpError,
    MhpKind,
    MhpOutcome,
    MhpState,
    MhpStatus,
    QciMessage,
    QciType,
    ReplyBody,
    qci_checksum,
)

from .programs import PORTS

MACS = (0x060000000100, 0x060000000900)
LINKS = (0, 1, 2, 3)
QUANTUM_PORT = 5
CARRIED = {0x20: 64, 0x23: 64, 0x27: 64, 0x28: 24, 0x2C: 24, 0x2F: 24, 0x32: 12}
"""Sizes of bodies by type; the data plane reads none of them, and knows no type 0x32."""


def packet(rng: Random) -> tuple[int, bytes]:
    """A well-formed packet, and the port it comes in by."""
    draw = rng.random()
    if draw < 0.6:
        port = QUANTUM_PORT if rng.random() < 0.9 else rng.choice(PORTS)
        return port, _device_frame(rng)
    if draw < 0.8:
        reply = ReplyBody(
            rng.randrange(256), rng.randrange(256), rng.randrange(256), rng.randrange(256),
            rng.getrandbits(32), MhpOutcome(rng.randrange(3)), MhpError(rng.randrange(4)),
            rng.getrandbits(64),
        )  # fmt: skip
        return rng.choice(PORTS), LinkFrame(*MACS, QciMessage(QciType.REPLY, reply)).to_bytes()
    kind, size = rng.choice(list(CARRIED.items()))
    head = bytes((0x10, kind)) + (8 + size).to_bytes(2, "big")
    body = rng.randbytes(size)
    checksum = qci_checksum(0, head + bytes(4) + body).to_bytes(4, "big")
    ethernet = Ethernet(*MACS, EtherType.QCI).to_bytes()
    return rng.choice(PORTS), ethernet + head + checksum + body


def _gen(rng: Random) -> GenBody:
    return GenBody(
        rng.randrange(256), rng.randrange(256), MhpKind(rng.randrange(2)), rng.randrange(2),
        rng.getrandbits(64),
    )  # fmt: skip


def _device_frame(rng: Random) -> bytes:
    if rng.random() < 0.8:
        return DeviceFrame(DeviceType.MHP_GEN, rng.choice(LINKS), _gen(rng)).to_bytes()
    status = MhpStatus(0, 1, 2, MhpState(rng.randrange(9)), 3, rng.getrandbits(64), 4)
    return DeviceFrame(DeviceType.MHP_STATUS, rng.choice(LINKS), status).to_bytes()
