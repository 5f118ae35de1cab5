"""The quantum ping: one CIRCUIT_PING along a circuit, one CIRCUIT_PONG from every node on it.

The question leaves the asking end's switch as a packet-out; the answers come there as packet-ins. A
node is known by its hop number, its id and the circuit's plan. An answer is believed if nonce,
time, label, id and place agree with a ping that is out; others are counted. Formats: docs/wire.md,
circuit ping.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import islice

from qplane.clock import Clock
from qplane.control import tunnels
from qplane.control.errors import ControlError
from qplane.control.mac import node_mac
from qplane.control.plans import CircuitPlan, HopPlan
from qplane.control.session import Session
from qplane.net import Network
from qplane.wire import (
    CircuitFrame,
    CircuitPingBody,
    CircuitRole,
    EtherType,
    QciFlag,
    QciMessage,
    QciType,
    WireError,
)


@dataclass(frozen=True, slots=True)
class Side:
    """What a node holds of a circuit on one side.

    `held`: pairs in memory; `line`: places in line for a swap, the dead included; `age_us`: since
    the last pair came up, or since the switch's start if none did.
    """

    held: int
    line: int
    age_us: int


@dataclass(frozen=True, slots=True)
class Reply:
    """One node's answer. `towards` is its side towards the asker, `beyond` the other one (None at
    an end). The circuit's slice may use the memory slots `first_slot` to `last_slot`."""

    hop: int
    node: str
    role: CircuitRole
    round_trip_ps: int
    towards: Side
    beyond: Side | None
    first_slot: int
    last_slot: int


@dataclass(frozen=True)
class Ping:
    """What one ping found. `path` begins with the asker; `replies` are in order of hops."""

    circuit: str
    path: tuple[str, ...]
    replies: tuple[Reply, ...]

    @property
    def is_answered(self) -> bool:
        """Whether the far end has answered."""
        return self._last == len(self.path) - 1

    @property
    def broken(self) -> tuple[str, str] | None:
        """The last node that answered (or the asker) and the next one, which did not.

        The ping, or the answer, was lost between them; or the next node is down.
        """
        return None if self.is_answered else (self.path[self._last], self.path[self._last + 1])

    @property
    def _last(self) -> int:
        return self.replies[-1].hop if self.replies else 0


@dataclass
class _Out:
    """A ping that is out."""

    done: asyncio.Future[None]
    asker: str
    label: int
    sent: CircuitPingBody
    hops: tuple[HopPlan, ...]  # the asker's first
    replies: dict[int, Reply] = field(default_factory=dict)


class Pings:
    """Pings of circuits. `unexpected` counts answers that no ping was out for, or that contradict
    the plan; `secret` makes the nonces, so that nobody who lacks it can forge an answer."""

    def __init__(
        self, network: Network, sessions: Mapping[str, Session], clock: Clock, secret: bytes
    ) -> None:
        self.unexpected = 0
        self._network = network
        self._sessions = sessions
        self._clock = clock
        self._secret = secret
        self._count = 0
        self._out: dict[int, _Out] = {}

    async def ping(
        self,
        plan: CircuitPlan,
        asker: str,
        timeout_ps: int,
        sample: tuple[int, int] | None = None,
        down: Collection[int] = (),
    ) -> Ping:
        """Ask from one end of a circuit, and wait for all answers or `timeout_ps`.

        With `sample`, both ends agree to measure that range of pairs: the first one's sequence
        number at the head-end, and how many. `down`: indices of links that tunnels go around.

        Raises ControlError if `asker` is no end of it, ConnectionFailedError.
        """
        hops = _seen_from(plan, asker)
        (side,) = hops[0].sides
        nonce = self._nonce()
        first, count = sample or (0, 0)
        sent = CircuitPingBody(nonce, self._clock.now_ps(), sample_first=first, sample_count=count)
        flags = QciFlag.NONE if sample is None else QciFlag.SAMPLE
        frame = CircuitFrame(
            node_mac(self._network.nodes[side.neighbour].id),
            node_mac(self._network.nodes[asker].id),
            side.label,
            QciMessage(QciType.CIRCUIT_PING, sent, flags),
        )
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        out = self._out[nonce] = _Out(done, asker, side.label, sent, hops)
        try:
            port, sent_frame = tunnels.leaving(self._network, side, asker, frame.to_bytes(), down)
            await self._sessions[asker].packet_out(port, sent_frame)
            await self._clock.wait_for(done, timeout_ps)
        except TimeoutError:
            pass  # what is missing is said by the result
        finally:
            del self._out[nonce]
        replies = tuple(reply for _, reply in sorted(out.replies.items()))
        return Ping(plan.name, tuple(hop.node for hop in hops), replies)

    def packet_in(self, node: str, packet: bytes) -> bool:
        """Take a packet-in; False if it is no message on a circuit."""
        packet = tunnels.arrived(packet)
        if packet[12:14] != EtherType.MPLS.to_bytes(2, "big"):
            return False
        try:
            frame = CircuitFrame.from_bytes(packet)
        except WireError:
            self.unexpected += 1
            return True
        body = frame.message.body
        out = self._out.get(body.nonce) if isinstance(body, CircuitPingBody) else None
        if (
            out is None
            or frame.message.type is not QciType.CIRCUIT_PONG
            or (node, frame.label) != (out.asker, out.label)
            or not isinstance(body, CircuitPingBody)
            or not _agrees(body, out, self._network)
        ):
            self.unexpected += 1
            return True
        node = out.hops[body.hop].node
        out.replies.setdefault(body.hop, _reply(body, node, self._clock.now_ps()))
        if len(out.replies) == len(out.hops) - 1 and not out.done.done():
            out.done.set_result(None)
        return True

    def _nonce(self) -> int:
        self._count += 1
        seed = f"circuit ping {self._count}".encode()
        nonce = int.from_bytes(
            hashlib.blake2s(seed, key=self._secret, digest_size=4).digest(), "big"
        )
        return nonce if nonce not in self._out else self._nonce()


def find_circuit(
    plans: Mapping[str, CircuitPlan], source: str, target: str, name: str | None = None
) -> CircuitPlan:
    """The circuit that joins two nodes, in either direction: `name`, or the only one.

    Raises ControlError that says what there is.
    """
    between = {plan.name: plan for plan in plans.values() if {source, target} == _ends(plan)}
    if name is not None and name not in plans:
        known = ", ".join(plans) or "none"
        raise ControlError(f"no circuit is named {name}; there are: {known}")
    if name is not None and name not in between:
        head, tail = plans[name].hops[0].node, plans[name].hops[-1].node
        raise ControlError(f"circuit {name} joins {head} and {tail}, not {source} and {target}")
    if not between:
        shown = [f"{plan.name} ({' - '.join(sorted(_ends(plan)))})" for plan in plans.values()]
        more = ", ".join(islice(shown, 10)) + (", ..." if len(shown) > 10 else "")
        raise ControlError(f"no circuit joins {source} and {target}; there are: {more or 'none'}")
    if name is None and len(between) > 1:
        raise ControlError(
            f"several circuits join {source} and {target}; say which circuit: {', '.join(between)}"
        )
    return between[name] if name is not None else next(iter(between.values()))


def _ends(plan: CircuitPlan) -> set[str]:
    return {plan.hops[0].node, plan.hops[-1].node}


def _seen_from(plan: CircuitPlan, asker: str) -> tuple[HopPlan, ...]:
    if asker == plan.hops[0].node:
        return plan.hops
    if asker == plan.hops[-1].node:
        return plan.hops[::-1]
    raise ControlError(f"{asker} is no end of circuit {plan.name}")


def _agrees(body: CircuitPingBody, out: _Out, network: Network) -> bool:
    """Whether an answer's echo is what was sent, and its place, node and role are the plan's."""
    if body.time_ps != out.sent.time_ps or not 1 <= body.hop < len(out.hops):
        return False
    if body.node_id != network.nodes[out.hops[body.hop].node].id:
        return False
    return (body.role is CircuitRole.END) == out.hops[body.hop].is_end


def _reply(body: CircuitPingBody, node: str, now_ps: int) -> Reply:
    return Reply(
        body.hop,
        node,
        body.role,
        now_ps - body.time_ps,
        Side(body.held, body.ring, body.age_us),
        None
        if body.role is CircuitRole.END
        else Side(body.other_held, body.other_ring, body.other_age_us),
        body.first_slot,
        body.last_slot,
    )
