"""All switches of a network: connecting to them, and what becomes of the connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import finsy as fy

from qplane.control.client import NewClient, grpc_client
from qplane.control.errors import ArbitrationError, ConnectionFailedError, ControlError
from qplane.control.events import EventKind, Events
from qplane.control.session import PacketHandler, Role, Session
from qplane.control.telemetry import Reports
from qplane.net import Network, Telemetry

ALIVE_TIMEOUT_S = 5.0
"""How long a switch's server may take to answer before it counts as gone; of real time."""

_PARALLEL = 16  # connections being set up at once


class Packets(NamedTuple):
    """On the present connection: packet-ins dealt with, packet-outs given to gRPC, and how many of
    these whoever sends them still waits for: they may have arrived, but the sender goes on later.
    """

    ins_handled: int
    outs_sent: int
    sending: int


class Switches:
    """The sessions by name of node.

    `changed` is set when a connection is lost, or a switch gets or loses its primary. `deposed` is
    the error with which another controller took a switch over, if one did. `exchanged` holds the
    nodes that packets were exchanged with, and `on_exchange` is called after each. `reports` takes
    what stations copy, and, where the network file asks for it, what the other switches tell.
    """

    def __init__(
        self,
        network: Network,
        address: str | Mapping[str, str],
        schemas: Mapping[str, fy.P4Schema],
        events: Events,
        *,
        on_packet: PacketHandler,
        on_error: Callable[[ControlError], None],
        reports: Reports,
        new_client: NewClient = grpc_client,
        answer_timeout_s: float = ALIVE_TIMEOUT_S,
    ) -> None:
        self._answer_timeout_s = answer_timeout_s
        self.changed = asyncio.Event()
        self.exchanged: set[str] = set()
        self.on_exchange: Callable[[], None] = lambda: None
        self.deposed: ArbitrationError | None = None
        self._events = events
        self._on_error = on_error
        asked = network.telemetry != Telemetry()
        self.sessions = {
            node.name: Session(
                node.name,
                address if isinstance(address, str) else address[node.name],
                node.id,
                schemas[node.program],
                on_packet=on_packet,
                on_error=self._failed,
                on_change=self.changed.set,
                on_exchange=self._exchanged,
                reports=reports if asked or node.is_station else None,
                new_client=new_client,
            )
            for node in network.nodes.values()
        }

    def in_role(self, role: Role) -> list[str]:
        """The nodes to whose switches we are that."""
        return [name for name, session in self.sessions.items() if session.role is role]

    def packets(self, node: str) -> Packets | None:
        """Packets exchanged with a switch; None where we are not its primary, or do not know it."""
        session = self.sessions.get(node)
        if session is None or not session.is_primary:
            return None
        return Packets(session.packet_ins, session.packet_outs, session.sending)

    async def open(
        self, nodes: Iterable[str], election_id: int | None
    ) -> dict[str, ControlError | None]:
        """Connect to switches, several at once; what went wrong with each."""
        bound = asyncio.Semaphore(_PARALLEL)

        async def one(name: str) -> ControlError | None:
            async with bound:
                try:
                    await self.sessions[name].open(election_id)
                except ControlError as error:
                    return error
            return None

        names = [*nodes]
        return dict(zip(names, await asyncio.gather(*map(one, names)), strict=True))

    async def probe(self) -> None:
        """Lose the connections to servers that do not answer any more: asked once each, through
        one of the switches that are there."""
        by_address: dict[str, list[Session]] = {}
        for session in self.sessions.values():
            if session.role is not Role.AWAY:
                by_address.setdefault(session.address, []).append(session)

        async def one(sessions: list[Session]) -> None:
            try:
                await sessions[0].probe(self._answer_timeout_s)
            except ConnectionFailedError as error:
                for session in sessions:
                    session.give_up(error.problem)

        await asyncio.gather(*map(one, by_address.values()))

    async def close(self) -> None:
        """Leave the switches as they are."""
        await asyncio.gather(*(session.close() for session in self.sessions.values()))

    def _exchanged(self, node: str) -> None:
        self.exchanged.add(node)
        self.on_exchange()

    def _failed(self, error: ControlError) -> None:
        self._on_error(error)
        if isinstance(error, ArbitrationError):
            self.deposed = error
        if error.node and self.sessions[error.node].role is Role.AWAY:
            self._events.tell(EventKind.SWITCH_LOST, str(error), node=error.node)
            self.changed.set()
