"""Links, entries and packets for herald.p4, from few values each, so that they meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from finsy.proto import p4r

from qplane.wire import (
    DeviceFrame,
    DeviceType,
    GenBody,
    LinkFrame,
    MhpKind,
    MhpOutcome,
    OutcomeBody,
    QciFlag,
    QciMessage,
    QciType,
)

from .entries import Entries
from .programs import Program

STATION_MAC = 0x060000000900
MACS = (STATION_MAC, 0x060000000100, 0x060000000200)
LINKS = (0, 1, 31)
DETECTORS = 7
PORTS = {0: (0, 1), 1: (2, 3), 31: (4, 5)}
SESSIONS = (1, 2)

KNOWN: Mapping[str, Sequence[int]] = {
    "standard_metadata.ingress_port": range(8),
    "standard_metadata.egress_port": range(8),
    "meta.link": LINKS,
    "link": LINKS,
    "is_b": (0, 1),
    "group": (1, 2, 11, 12, 13),
    "epoch": (0, 1, 255),
    "mask": (0, 1, 3),
    "session": SESSIONS,
}


def links(program: Program, rng: Random) -> list[p4r.Update]:
    """Links that fit together; the random entries come on top."""
    make = Entries(program)
    updates = [make.entry("port_kind", {"ingress_port": DETECTORS}, "set_detectors")]
    for group, (link, ports) in enumerate(PORTS.items(), start=11):
        update = p4r.Update(type=p4r.Update.INSERT)
        entry = update.entity.packet_replication_engine_entry.multicast_group_entry
        entry.multicast_group_id = group
        for replica, port in enumerate(ports, start=1):
            entry.replicas.add(egress_port=port, instance=replica)
        epoch = rng.choice(KNOWN["epoch"])
        updates += [
            update,
            make.entry("link_group", {"link": link}, "set_group", group=group, epoch=epoch),
        ]
        for side, port in enumerate(ports):
            updates.append(
                make.entry("port_kind", {"ingress_port": port}, "set_node", link=link, is_b=side)
            )
            updates.append(
                make.entry(
                    "node", {"egress_port": port}, "set_macs",
                    src_mac=STATION_MAC, dst_mac=rng.choice(MACS),
                )
            )  # fmt: skip
    return updates


class Traffic:
    """Attempts on all links: GENs of either end and the outcome, most of them in time and whole;
    some lost, doubled, late, of another cycle, for another queue item, on a wrong port."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        start = rng.choice((0, 250, (1 << 64) - 40, (1 << 63) - 40, 1 << 40))
        self._cycle = dict.fromkeys(LINKS, start)
        self._due: list[tuple[int, bytes]] = []

    def heard(self, outputs: Sequence[tuple[int, bytes]]) -> None:
        """Nothing that a station sends changes what comes next."""

    def packet(self) -> tuple[int, bytes]:
        """A well-formed packet, and the port it comes in by."""
        while len(self._due) < 4:
            self._attempt()
        place = 0 if self._rng.random() < 0.8 else self._rng.randrange(len(self._due))
        port, data = self._due[place]
        if self._rng.random() > 0.08:
            del self._due[place]
        return (port if self._rng.random() < 0.97 else self._rng.randrange(8)), data

    def _attempt(self) -> None:
        rng = self._rng
        link = rng.choice(LINKS)
        self._cycle[link] += rng.choice((1, 1, 1, 2, 256))
        queue, kind = (rng.randrange(256), rng.randrange(4)), MhpKind(rng.random() < 0.3)
        for port in PORTS[link]:
            own = queue if rng.random() < 0.9 else (9, 9)
            gen = GenBody(*own, kind, int(rng.random() < 0.95), self._near(link))
            flags = QciFlag.NONE if rng.random() < 0.98 else QciFlag.ACK_REQUESTED
            message = QciMessage(QciType.GEN, gen, flags)
            if rng.random() < 0.93:
                self._due.append((port, LinkFrame(STATION_MAC, MACS[1], message).to_bytes()))
        outcome = OutcomeBody(MhpOutcome(rng.choice((0, 1, 1, 2, 2))), self._near(link))
        number = link if rng.random() < 0.97 else rng.randrange(256)
        frame = DeviceFrame(DeviceType.MHP_OUTCOME, number, outcome)
        self._due.append((DETECTORS, frame.to_bytes()))

    def _near(self, link: int) -> int:
        """The cycle of the attempt, seldom another one."""
        off = self._rng.choice((-1, 1, 256, -256, 1 << 63)) if self._rng.random() < 0.04 else 0
        return (self._cycle[link] + off) & (1 << 64) - 1
