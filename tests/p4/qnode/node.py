"""A node to test: qnode.p4 on the embedded switch, its tables and its counters, by their meaning.

Frames go in and come out as the codecs' dataclasses; a frame that comes out is decoded and must be
what the codec would write, bit for bit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from qplane.p4 import directory, load
from qplane.wire import (
    BellIndex,
    CircuitFrame,
    DeviceFlag,
    DeviceFrame,
    DeviceType,
    Ethernet,
    ExpireReason,
    LinkFrame,
    PacketIn,
    PairBody,
    QciFlag,
    QciMessage,
    QciType,
    QubitBody,
)
from qplane_cext.switch.core import Pipeline, SwitchCore

# The ports of every node in these tests.
HOST, OTHER_HOST = 1, 2
WEST, EAST, NORTH = 3, 4, 5  # neighbours
QUANTUM = 9
CPU = 510

HOST_KIND, NEIGHBOUR_KIND, QUANTUM_KIND = 0, 1, 2

DOWN, UP, DEVICE = 1, 2, 3  # COPY_* of metadata.p4: sides and replication ids
MY_MAC = 0x020000000A00

Frame = CircuitFrame | LinkFrame | DeviceFrame | bytes
Out = tuple[int, Frame | tuple[PacketIn, Frame]]


@cache
def pipeline() -> Pipeline:
    """qnode.p4 as committed, compiled once for all tests."""
    return Pipeline(load("qnode").json)


@cache
def names(prefix: str) -> dict[int, str]:
    """Number -> name, of the constants of metadata.p4 that begin with ``prefix``."""
    text = (Path(directory()) / "include/metadata.p4").read_text(encoding="utf-8")
    found = re.findall(rf"const bit<32> {prefix}_(\w+) = (\d+);", text)
    return {int(number): name for name, number in found if name != "NONE"}


@dataclass(frozen=True)
class Side:
    """One side of a circuit at a node: its quantum link, neighbour port, label and neighbour."""

    link: int
    port: int
    label: int
    mac: int


KEEP, MEASURE, EARLY = 0, 1, 2  # kinds of requests


@dataclass(frozen=True)
class End:
    """A circuit that ends here; ``direction`` is the way to the other end."""

    direction: int
    side: Side
    request: int = KEEP
    complete: bool = False
    budget_us: int = 0
    delay_us: int = 0
    far_end: tuple[int, int] = (2, 1)  # node id and link number, where the other halves are
    serial: int = 0

    def sides(self) -> dict[int, Side]:
        return {self.direction: self.side}


@dataclass(frozen=True)
class Repeater:
    """A circuit that is swapped on here."""

    up: Side
    down: Side
    delay_up_us: int = 0
    delay_down_us: int = 0

    def sides(self) -> dict[int, Side]:
        return {UP: self.up, DOWN: self.down}


Circuit = End | Repeater

# Circuit 7: the usual one. Circuit 8 shares both neighbour ports and both links with it.
WEST_SIDE: Final = Side(link=0, port=WEST, label=100, mac=0x020000000301)
EAST_SIDE: Final = Side(link=1, port=EAST, label=200, mac=0x020000000401)
WEST_SIDE_2: Final = Side(link=0, port=WEST, label=101, mac=0x020000000301)
EAST_SIDE_2: Final = Side(link=1, port=EAST, label=201, mac=0x020000000401)
NORTH_SIDE: Final = Side(link=2, port=NORTH, label=300, mac=0x020000000501)


def qci(
    kind: QciType,
    pair_seq: int,
    origin_seq: int = 0,
    bell: int = 0,
    reason: ExpireReason = ExpireReason.NONE,
    *,
    ack: bool = False,
    remaining_us: int = 0,
) -> QciMessage:
    """A QCI message on a circuit; ``ack`` asks for an acknowledgement."""
    flags = QciFlag.ACK_REQUESTED if ack else QciFlag.NONE
    return QciMessage(
        kind, PairBody(pair_seq, origin_seq, BellIndex(bell), reason, remaining_us), flags
    )


def sent(side: Side, message: QciMessage, ttl: int = 255) -> Out:
    """The message leaves to the neighbour on this side."""
    return side.port, CircuitFrame(side.mac, MY_MAC, side.label, message, ttl)


def qubit(side: Side, seq: int, handle: tuple[int, int] = (0, 0), **second: int) -> QubitBody:
    """A device frame's body about pair ``seq`` of this side."""
    return QubitBody(side.label, seq, *handle, **second)


def event(kind: DeviceType, side: Side, body: QubitBody, bell: int = 0) -> DeviceFrame:
    """What the device reports."""
    return DeviceFrame(kind, side.link, body, BellIndex(bell))


def command(kind: DeviceType, side: Side, body: QubitBody, bell: int = 0, flags: int = 0) -> Out:
    """The device is told."""
    return QUANTUM, DeviceFrame(kind, side.link, body, BellIndex(bell), DeviceFlag(flags))


def decode(port: int, data: bytes) -> Frame | tuple[PacketIn, Frame]:
    """What a frame that came out says; bytes where it is not one of ours."""
    if port == CPU:
        header = PacketIn.from_bytes(data[:4])
        assert header.to_bytes() == data[:4]
        return header, decode(-1, data[4:])
    ethertype = Ethernet.from_bytes(data[:14]).ethertype
    kinds = {0x88B5: LinkFrame, 0x88B6: DeviceFrame}
    is_qci_on_circuit = ethertype == 0x8847 and data[18:21] == b"\x00\x00\xd1"
    kind = CircuitFrame if is_qci_on_circuit else kinds.get(ethertype)
    if kind is None:
        return data
    frame = kind.from_bytes(data)
    assert frame.to_bytes() == data, "the frame has reserved bits or padding of its own"
    return frame


class Node:
    """qnode.p4 with its port kinds set and nothing else programmed."""

    def __init__(self) -> None:
        self.core = SwitchCore(cpu_port=CPU)
        self.core.commit(pipeline())
        self.now_us = 0
        for port in (WEST, EAST, NORTH):
            self.add("port_kind", [port], "set_port_kind", NEIGHBOUR_KIND, 0)
        self.add("port_kind", [QUANTUM], "set_port_kind", QUANTUM_KIND, 0)

    # ---- programming ----

    def add(
        self,
        table: str,
        key: Sequence[int | tuple[int, int]],
        action: str,
        *params: int,
    ) -> int:
        """Insert an entry: table and action by the last part of their names; exact and LPM keys."""
        (name,) = (t for t in pipeline().tables if t.split(".")[-1] == table)
        info = pipeline().tables[name]
        (action_id,) = (i for a, i in info.action_ids.items() if a.split(".")[-1] == action)
        widths = next(
            a.param_bitwidths
            for several in pipeline().actions.values()
            for a in several
            if a.action_id == action_id
        )
        assert len(params) == len(widths), f"{action} takes {len(widths)} parameters"
        values = [
            value.to_bytes((w + 7) // 8, "big") for value, w in zip(params, widths, strict=True)
        ]
        parts: list[bytes | tuple[bytes, int]] = []
        for part, key_info in zip(key, info.keys, strict=True):
            size = (key_info.bitwidth + 7) // 8
            if isinstance(part, tuple):
                parts.append((part[0].to_bytes(size, "big"), part[1]))
            else:
                parts.append(part.to_bytes(size, "big"))
        return self.core.table_add(name, parts, 0, ("action", action_id, values))

    def program(self, number: int, circuit: Circuit) -> None:
        """Install a circuit: classification, the circuit itself, adjacencies and groups."""
        for direction, side in circuit.sides().items():
            self.add("pair_in", [side.link, side.label], "set_circuit", number, direction, 0)
            self.add("label_in", [side.port, side.label], "set_circuit", number, direction, 0)
            self.add(
                "adjacency", [number, direction], "set_adjacency", side.label, MY_MAC, side.mac
            )
            group = 10 * number + direction
            self.core.multicast_set(group, [(QUANTUM, DEVICE), (side.port, direction)])
        if isinstance(circuit, End):
            self.end(number, circuit)
        else:
            up, down = circuit.up, circuit.down
            self.core.multicast_set(10 * number, [(up.port, UP), (down.port, DOWN)])
            self.add(
                "circuit", [number], "repeater", QUANTUM,
                up.link, up.port, 10 * number + UP,
                down.link, down.port, 10 * number + DOWN,
                10 * number, circuit.delay_up_us, circuit.delay_down_us,
            )  # fmt: skip

    def end(self, number: int, circuit: End) -> int:
        """Insert what the node is to a circuit that ends here; the handle of the entry."""
        side = circuit.side
        return self.add(
            "circuit", [number], "end_node",
            QUANTUM, circuit.direction, side.link, side.port, 10 * number + circuit.direction,
            circuit.request, int(circuit.complete), circuit.budget_us, circuit.delay_us,
            *circuit.far_end, circuit.serial,
        )  # fmt: skip

    def leads_elsewhere(self, number: int, circuit: End) -> None:
        """A circuit has gone, and another one has its number, label and side: `circuit`."""
        (name,) = (t for t in pipeline().tables if t.split(".")[-1] == "circuit")
        for handle, *_ in self.core.table_entries(name):
            self.core.table_delete(name, handle)
        self.end(number, circuit)

    # ---- packets ----

    def receives(self, port: int, frame: Frame) -> list[Out]:
        """What comes out, by port, when this frame comes in."""
        data = frame if isinstance(frame, bytes) else frame.to_bytes()
        outputs = self.core.process(port, data, self.now_us)
        return sorted(((p, decode(p, out)) for p, out in outputs), key=lambda item: item[0])

    def hears(self, side: Side, message: QciMessage, ttl: int = 255) -> list[Out]:
        """What comes out when the neighbour on this side sends this message."""
        return self.receives(side.port, CircuitFrame(MY_MAC, side.mac, side.label, message, ttl))

    def device_reports(
        self, kind: DeviceType, side: Side, body: QubitBody, bell: int = 0
    ) -> list[Out]:
        """What comes out when the quantum device reports this."""
        return self.receives(QUANTUM, event(kind, side, body, bell))

    # ---- counters ----

    def _count(self, counter: str, prefix: str) -> dict[str, int]:
        size = pipeline().counters[counter].size
        counts = [self.core.counter_read(counter, index)[0] for index in range(size)]
        return {names(prefix)[index]: n for index, n in enumerate(counts) if n}

    def drops(self) -> dict[str, int]:
        """Packets dropped, by reason; reasons that did not occur are left out."""
        total = self._count("QnodeIngress.drops", "DROP")
        for reason, count in self._count("QnodeEgress.drops", "DROP").items():
            total[reason] = total.get(reason, 0) + count
        return total

    def events(self) -> dict[str, int]:
        """What happened to pairs; what did not occur is left out."""
        return self._count("pair_events", "EVENT")
