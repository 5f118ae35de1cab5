"""The two-sided fidelity check: both ends of a circuit measure a range of its pairs, and compare.

A CIRCUIT_PING with SAMPLE makes both ends' switches agree on a range of pairs by their sequence
numbers at the head-end. The devices measure those, each in Z or X by that number, and say what they
read; the switches pass it on as packet-ins (DELIVERED). Formats: docs/wire.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import IntEnum

from qplane.clock import Clock
from qplane.control import generation
from qplane.control.devices import Devices
from qplane.control.errors import ControlError, DeviceError
from qplane.control.plans import CircuitPlan, Request
from qplane.wire import (
    DeviceFlag,
    DeviceFrame,
    DeviceType,
    LinkFeatures,
    QubitBody,
    WireError,
    from_fraction,
)

LARGEST_RANGE = 0xFFFF
MARGIN = 32
"""Pairs between the last one known at the head-end and the first of a range, besides those that
come up while the question is under way."""

SeqRange = tuple[int, int]  # first sequence number at the head-end, how many
Agree = Callable[[SeqRange], Awaitable[bool]]
"""Tells both ends of a range; whether they have heard."""


class Basis(IntEnum):
    """In which both ends measured."""

    Z = 0
    X = 1


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """How many pairs both ends measured in one basis, and how many outcomes differed."""

    pairs: int
    errors: int

    @property
    def value(self) -> float:
        """NaN where there were no pairs."""
        return self.errors / self.pairs if self.pairs else math.nan

    @property
    def standard_error(self) -> float:
        """Of the estimate, with Laplace's (n + 2) so that it is not 0 where no error was seen."""
        guess = (self.errors + 1) / (self.pairs + 2)
        return math.sqrt(guess * (1 - guess) / self.pairs) if self.pairs else math.nan


@dataclass(frozen=True)
class Sample:
    """What was measured of a circuit. `unmatched`: outcomes that one end alone told of."""

    circuit: str
    z: ErrorRate
    x: ErrorRate
    unmatched: int

    @property
    def pairs(self) -> int:
        return self.z.pairs + self.x.pairs

    @property
    def fidelity_least(self) -> float:
        """1 - e_z - e_x: what Z and X alone guarantee of the fidelity to Φ+ (reached where no
        pair has both errors, as with dephasing alone)."""
        return 1 - self.z.value - self.x.value

    @property
    def fidelity_most(self) -> float:
        """1 - max(e_z, e_x)."""
        return 1 - max(self.z.value, self.x.value)

    @property
    def standard_error(self) -> float:
        """Of `fidelity_least`."""
        return math.hypot(self.z.standard_error, self.x.standard_error)


@dataclass
class _Out:
    """A sample that is being taken: outcomes by head-end sequence number, of either end."""

    plan: CircuitPlan
    wanted: int
    done: asyncio.Future[None]
    head: dict[int, tuple[Basis, int]] = field(default_factory=dict)
    tail: dict[int, tuple[Basis, int]] = field(default_factory=dict)
    matched: list[int] = field(default_factory=list)
    unmatched: set[int] = field(default_factory=set)
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    def close(self) -> None:
        """What one end alone has told of by now is `unmatched`, until the other tells of it:
        then the sample is `complete`."""
        self.unmatched = self.head.keys() ^ self.tail.keys()
        if not self.unmatched:
            self.complete.set()

    def take(self, node: str, frame: DeviceFrame, body: QubitBody) -> bool:
        """Whether the outcome is of this circuit."""
        for hop, outcomes, others, seq in (
            (self.plan.hops[0], self.head, self.tail, body.seq),
            (self.plan.hops[-1], self.tail, self.head, body.seq2),
        ):
            (side,) = hop.sides
            if (node, frame.link, body.label) == (hop.node, side.number, side.label):
                if seq not in outcomes and seq in others:
                    self.matched.append(seq)
                    if self.unmatched == {seq}:
                        self.complete.set()
                    self.unmatched.discard(seq)
                outcomes[seq] = (Basis(frame.bell >> 1), frame.bell & 1)
                if len(self.matched) >= self.wanted and not self.done.done():
                    self.done.set_result(None)
                return True
        return False

    def result(self) -> Sample:
        pairs, errors = [0, 0], [0, 0]
        for seq in self.matched:
            (basis, at_head), (also, at_tail) = self.head[seq], self.tail[seq]
            if basis is not also:
                raise DeviceError(
                    f"the ends of circuit {self.plan.name} measured pair {seq} in different bases"
                )
            pairs[basis] += 1
            errors[basis] += at_head != at_tail
        return Sample(
            self.plan.name,
            ErrorRate(pairs[Basis.Z], errors[Basis.Z]),
            ErrorRate(pairs[Basis.X], errors[Basis.X]),
            len(self.unmatched),
        )


class Samples:
    """Samples of circuits, one of each at a time."""

    def __init__(self, devices: Devices, clock: Clock) -> None:
        self._devices = devices
        self._clock = clock
        self._out: dict[str, _Out] = {}

    async def sample(
        self,
        plan: CircuitPlan,
        features: LinkFeatures,
        wanted: int,
        timeout_ps: int,
        agree: Agree,
    ) -> Sample:
        """Have both ends measure `wanted` pairs; fewer where `timeout_ps` passed before.

        `features` are those of the head-end's link. Raises ControlError where the circuit does not
        serve for that or its ends can't agree, DeviceError.
        """
        if not 1 <= wanted <= LARGEST_RANGE:
            raise ControlError(f"sample {wanted}: 1 to {LARGEST_RANGE} pairs are possible")
        if plan.hops[0].request is Request.EARLY:
            raise ControlError(
                f"circuit {plan.name} delivers early: its devices do not measure on command"
            )
        if plan.name in self._out:
            raise ControlError(f"a sample of circuit {plan.name} is being taken already")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        out = self._out[plan.name] = _Out(plan, wanted, done)
        try:
            await self._rounds(out, features, self._clock.now_ps() + timeout_ps, agree)
            out.close()
            # The other end's are under way. Ends that hear at different times that the range is
            # over measure some pairs at one end alone: those don't count.
            with contextlib.suppress(TimeoutError):
                await self._clock.wait_for(out.complete.wait(), plan.timing.retry_ps)
        finally:
            del self._out[plan.name]
            await agree((0, 0))
        return out.result()

    async def _rounds(self, out: _Out, features: LinkFeatures, end_ps: int, agree: Agree) -> None:
        """One range after the other, until so many pairs as are wanted were measured."""
        plan, done = out.plan, out.done
        lead_ps = plan.timing.retry_ps
        per_ps = from_fraction(features.success) / features.attempt_ps
        while not done.done() and self._clock.now_ps() < end_ps:
            first = await self._last_seq(plan) + MARGIN + math.ceil(per_ps * lead_ps)
            if done.done():  # the last came while the device was asked
                break
            count = min(2 * (out.wanted - len(out.matched)) + MARGIN, LARGEST_RANGE)
            if not await agree((first % 2**32, count)):
                raise ControlError(f"the ends of circuit {plan.name} could not agree: no answer")
            # The numbers are the link's, so other circuits' pairs are among the range.
            round_ps = round(2 * lead_ps + (count + MARGIN) / per_ps)
            with contextlib.suppress(TimeoutError):
                await self._clock.wait_for(
                    asyncio.shield(done), min(round_ps, end_ps - self._clock.now_ps())
                )

    async def _last_seq(self, plan: CircuitPlan) -> int:
        """Of the head-end's link."""
        (status, *_) = await generation.status(self._devices, [plan])
        return status.last_seq

    def packet_in(self, node: str, packet: bytes) -> bool:
        """Take a packet-in from a quantum port; False if it is no outcome of a sample."""
        if len(packet) < 16 or packet[15] != DeviceType.DELIVERED:
            return False
        try:
            frame = DeviceFrame.from_bytes(packet)
        except WireError:
            return False
        body = frame.body
        assert isinstance(body, QubitBody)
        if frame.flags & DeviceFlag.MEASURED:
            for out in self._out.values():
                if out.take(node, frame, body):
                    break
        return True
