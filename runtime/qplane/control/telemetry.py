"""What the switches tell without being asked: sampled copies of events, digests of refusals.

The network file says which ([telemetry]); the P4 program makes them (docs/p4.md), and who is
interested hears of them as events and finds them counted here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from qplane.control.entries import CloneSession, DigestConfig, Entry, table_entry
from qplane.control.events import EventKind, Events
from qplane.net import CPU_PORT, DROPS, PAIR_EVENTS, Telemetry
from qplane.wire import WireError
from qplane.wire.link import ReplyBody
from qplane.wire.qci import LinkFrame

SESSION = 100
"""The clone session of the P4 program's copies."""

HERALD_SESSION = 101
"""That of a station's copies of REPLYs. The number is ours: its `sampling` table names it."""

ANOMALY = "anomaly_t"
LIST_SIZE = 64
LONGEST_WAIT_NS = 100_000_000
"""An anomaly is told within 0.1 s by the switch's clock."""

NUMBERS = {name: number for number, name in PAIR_EVENTS.items()}


def entries(asked: Telemetry) -> Iterator[Entry]:
    """What a switch of the qnode program has to hold for that."""
    if asked.events:
        yield CloneSession(SESSION, ((CPU_PORT, 1),))
    for name, interval in asked.events.items():
        match = {"event": NUMBERS[name]}
        yield table_entry("telemetry", match, "sample", interval=interval)
    if asked.anomalies:
        yield DigestConfig(ANOMALY, LIST_SIZE, LONGEST_WAIT_NS)


class Reports:
    """Counts by (node, name), and tells `events`: of each copy, and of the anomalies of one digest
    list once for each reason."""

    def __init__(self, events: Events, stations: Mapping[tuple[str, int], str]) -> None:
        """`stations` names the links by station and its number of the link."""
        self.copies: Counter[tuple[str, str]] = Counter()
        self.heralds: Counter[tuple[str, int]] = Counter()  # by station and its number of the link
        self.anomalies: Counter[tuple[str, str]] = Counter()
        self.unreadable = 0  # copies of a station that are no REPLY
        self._events = events
        self._stations = stations

    def copy(self, node: str, event: int, port: int, packet: bytes) -> None:
        """A packet that made `event` happen, as it came in on `port`."""
        name = PAIR_EVENTS.get(event, f"event {event}")
        self.copies[node, name] += 1
        self._events.tell(
            EventKind.TELEMETRY,
            f"{node}: {name}, by a packet of {len(packet)} bytes on port {port}",
            node=node,
        )

    def herald(self, station: str, number: int, packet: bytes) -> None:
        """The REPLY with which a pair of a station's link `number` was announced."""
        try:
            reply = LinkFrame.from_bytes(packet).message.body
        except WireError:
            reply = None
        if not isinstance(reply, ReplyBody):
            self.unreadable += 1
            return
        self.heralds[station, number] += 1
        link = self._stations.get((station, number), f"its link {number}")
        self._events.tell(
            EventKind.TELEMETRY,
            f"{station}: pair {reply.mhp_seq} of {link}: {reply.outcome.name} in cycle "
            f"{reply.cycle}, for queue {reply.queue_id}, place {reply.queue_seq}",
            node=station,
        )

    def digest(self, node: str, anomalies: Iterable[Mapping[str, Any]]) -> None:
        """The anomalies of one list."""
        found: dict[str, list[Mapping[str, Any]]] = {}
        for anomaly in anomalies:
            name = DROPS.get(anomaly["reason"], f"reason {anomaly['reason']}")
            found.setdefault(name, []).append(anomaly)
        for name, ones in found.items():
            self.anomalies[node, name] += len(ones)
            last = ones[-1]
            self._events.tell(
                EventKind.ANOMALY,
                f"{node}: {name}: {len(ones)} refused, the last of type {last['type']:#04x} on "
                f"port {last['ingress']}, label {last['label']}, pair {last['seq']}",
                node=node,
            )
