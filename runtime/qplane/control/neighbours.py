"""Which port leads to which neighbour: a HELLO out of each port, seen where it comes in.

A HELLO carries its sender's node id and port, a nonce and the time. Both are remembered while the
probe is out, and a HELLO that does not agree is *forged* or late: it is counted and believed in
nothing. A second copy of a true one says the same again. So nobody on the network can invent a
link; who relays a true HELLO to another place makes that port look miswired, which is what it is.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from qplane.clock import Clock
from qplane.control.errors import ControlError
from qplane.control.mac import node_mac
from qplane.control.session import Session
from qplane.net import Network
from qplane.wire import LinkFrame, ProbeBody, QciMessage, QciType, WireError

ROUNDS = 3
"""Probes of a port before its link counts as down: one may be lost, and the next."""

WAIT_PS = 100_000_000_000
"""How long a probe may take to come in: 100 ms, 20 000 km of fibre."""

GATHER_PS = 1_000_000_000
"""Probes come in one by one, each after its link's delay: those of 1 ms are looked at together."""

_EVERYBODY = 0x0180C200000E  # nearest bridge group address (IEEE 802.1Q): never forwarded


class Port(NamedTuple):
    """A port of a node."""

    node: str
    port: int


@dataclass
class _Round:
    """Probes that are out, and where they came in."""

    done: asyncio.Future[None]
    sent: dict[tuple[int, int], ProbeBody]  # by node id and port
    seen: dict[Port, Port] = field(default_factory=dict)  # sender to receiver


class Neighbours:
    """Probes of all ports. `unexpected` counts HELLOs that nobody had sent just then.

    `secret` makes the nonces: nobody who lacks it can tell the next.
    """

    def __init__(
        self, network: Network, sessions: Mapping[str, Session], clock: Clock, secret: bytes
    ) -> None:
        self.unexpected = 0
        self._network = network
        self._names = {node.id: node.name for node in network.nodes.values()}
        self._sessions = sessions
        self._clock = clock
        self._secret = secret
        self._count = 0
        self._round: _Round | None = None
        self._probing = asyncio.Lock()

    async def probe(self, ports: Iterable[Port], rounds: int = ROUNDS) -> dict[Port, Port]:
        """Where a HELLO from each of the ports came in; ports of which none did are left out.

        A switch that is away, or runs a program that knows no HELLO, sends none.
        """
        missing = dict.fromkeys(ports)
        found: dict[Port, Port] = {}
        async with self._probing:
            for _ in range(rounds):
                if not missing:
                    break
                found |= await self._once(missing)
                missing = {port: None for port in missing if port not in found}
        return found

    async def _once(self, ports: Iterable[Port]) -> dict[Port, Port]:
        bodies = {port: self._body(port) for port in ports}
        current = self._round = _Round(
            asyncio.get_running_loop().create_future(),
            {(body.node_id, body.port): body for body in bodies.values()},
        )
        try:
            for port, body in bodies.items():
                session = self._sessions[port.node]
                if not session.is_primary or session.is_foreign:
                    del current.sent[body.node_id, body.port]
                    continue
                message = QciMessage(QciType.HELLO, body)
                frame = LinkFrame(_EVERYBODY, node_mac(body.node_id), message).to_bytes()
                try:
                    await session.packet_out(port.port, frame)
                except ControlError:  # lost just now: the session reports it
                    del current.sent[body.node_id, body.port]
            if current.sent.keys() != {self._key(port) for port in current.seen}:
                await self._clock.wait_for(current.done, WAIT_PS, gather_ps=GATHER_PS)
        except TimeoutError:
            pass  # those did not come in
        finally:
            self._round = None
        return current.seen

    def _body(self, port: Port) -> ProbeBody:
        self._count += 1
        seed = f"{port.node} {port.port} {self._count}".encode()
        nonce = hashlib.blake2s(seed, key=self._secret, digest_size=2).digest()
        node_id = self._network.nodes[port.node].id
        return ProbeBody(node_id, port.port, int.from_bytes(nonce, "big"), self._clock.now_ps())

    def _key(self, port: Port) -> tuple[int, int]:
        return self._network.nodes[port.node].id, port.port

    def packet_in(self, node: str, port: int, packet: bytes) -> None:
        """Take a packet-in that came from another port than the quantum port."""
        try:
            message = LinkFrame.from_bytes(packet).message
        except WireError:
            self.unexpected += 1
            return
        body, current = message.body, self._round
        if (
            current is None
            or message.type is not QciType.HELLO
            or not isinstance(body, ProbeBody)
            or current.sent.get((body.node_id, body.port)) != body
        ):
            self.unexpected += 1
            return
        sender, receiver = Port(self._names[body.node_id], body.port), Port(node, port)
        if current.seen.setdefault(sender, receiver) != receiver:
            self.unexpected += 1
        if len(current.seen) == len(current.sent) and not current.done.done():
            current.done.set_result(None)
