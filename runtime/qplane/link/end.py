"""A link as programs see it from one of its ends: create, listen, release, measure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from weakref import WeakSet

from qplane.arguments import checked
from qplane.link.egp import Egp
from qplane.link.messages import Ok
from qplane.link.mhp import Measurement
from qplane.link.policy import TEST_PURPOSE
from qplane.link.request import Listener, Request
from qplane.wire.link import ActionStatus
from qplane.wire.service import (
    Basis,
    Create,
    RandomBasis,
    RequestType,
    TimeUnit,
    encode_fidelity,
)

if TYPE_CHECKING:
    from qplane.clock import Clock
    from qplane.link.device import DeviceMhp

DEFAULT_PURPOSE = 1
"""What `qplane link create` asks for; both ends listen to it from the start."""

ENTANGLED = 0.5
"""Fidelity that is asked for where none is said: above it a pair is surely entangled. Where none is
needed, a single-click link is fastest with pairs that are of no use."""

_ANSWER_TIMEOUT_PS = 1_000_000_000_000

_ROTATIONS = {
    Basis.Z: Measurement(),
    Basis.X: Measurement(rotation_y=192),
    Basis.Y: Measurement(rotation_x1=64),
}
"""Rotations after which a measurement of Z measures this basis."""


class QubitGoneError(Exception):
    """A kept pair is not in memory any more."""


class LinkEnd:
    """The end at `node`; its neighbour is `remote`."""

    def __init__(
        self,
        node: str,
        remote: str,
        egp: Egp,
        device: DeviceMhp,
        clock: Clock,
        flush: Callable[[], Awaitable[None]],
    ) -> None:
        self.node = node
        self.remote = remote
        self.egp = egp
        self.device = device
        self.consumers: WeakSet[Request | Listener] = WeakSet()
        self._clock = clock
        self._flush = flush

    @checked
    async def create(
        self,
        pairs: int = 1,
        *,
        min_fidelity: float = ENTANGLED,
        keep: bool = True,
        priority: int = 0,
        purpose_id: int = DEFAULT_PURPOSE,
        max_time_ps: int = 0,
        atomic: bool = False,
        consecutive: bool = True,
        basis: RandomBasis = RandomBasis.NONE,
    ) -> Request:
        """Order pairs with the neighbour: kept in memory, or measured (`keep` false).

        With `basis`, each end measures in one of these at random, all equally likely; else in Z.
        Raises WireError where a number does not fit into CREATE.
        """
        unit, amount = _time(max_time_ps)
        first, second = _probabilities(basis)
        return await self.create_message(
            Create(
                remote_node_id=self.egp.options.remote_node_id,
                min_fidelity=encode_fidelity(min_fidelity),
                time_unit=unit,
                max_time=amount,
                purpose_id=purpose_id,
                number=pairs,
                priority=priority,
                request_type=RequestType.KEEP if keep else RequestType.MEASURE,
                atomic=int(atomic),
                consecutive=int(consecutive),
                random_basis_local=basis,
                random_basis_remote=basis,
                probability_local_1=first,
                probability_local_2=second,
                probability_remote_1=first,
                probability_remote_2=second,
            )
        )

    async def create_message(self, create: Create) -> Request:
        """The same for a CREATE as the draft has it."""
        request = Request(create.number, self._cancel)
        self.consumers.add(request)
        request.create_id = self.egp.create(create, request)
        await self._flush()
        return request

    async def _cancel(self, request: Request) -> None:
        self.egp.cancel(request.create_id)
        await self._flush()

    @checked
    def listen(self, purpose_id: int) -> Listener:
        """Accept the neighbour's requests for this purpose, and take the pairs here."""
        listener = Listener(lambda: self.egp.listen(purpose_id, None))
        self.consumers.add(listener)
        self.egp.listen(purpose_id, listener)
        return listener

    async def release(self, ok: Ok) -> None:
        """A kept pair is needed no more. Nothing happens where it is gone already."""
        if ok.qubit is not None:
            self.egp.release(ok.qubit)
            await self._flush()

    @checked
    async def measure(self, ok: Ok, basis: Basis = Basis.Z) -> int:
        """Measure this end's half of a kept pair in Z, X or Y, and give its slot back.

        Raises QubitGoneError where the pair is gone, TimeoutError without an answer.
        """
        if ok.qubit is None or self.egp.memory.seq(ok.qubit) != ok.seq:
            raise QubitGoneError(f"pair {ok.seq} is not in the memory of {self.node}")
        asked = self.device.measure(ok.qubit, _ROTATIONS[basis])
        await self._flush()
        answer = await self._clock.wait_for(asked, _ANSWER_TIMEOUT_PS)
        if answer.status is not ActionStatus.DONE:
            raise QubitGoneError(f"pair {ok.seq} is gone from the memory of {self.node}")
        self.egp.on_gone(ok.qubit)
        await self._flush()
        return answer.outcome

    @checked
    async def test(self, pairs: int, *, min_fidelity: float = ENTANGLED) -> Request:
        """Order test pairs, measured in random bases, from which both ends estimate fidelity.

        They are made with the setting of the highest rate that meets `min_fidelity`.
        """
        return await self.create(
            pairs,
            min_fidelity=min_fidelity,
            keep=False,
            priority=7,
            purpose_id=TEST_PURPOSE,
            basis=RandomBasis.XYZ,
        )


def _time(limit_ps: int) -> tuple[TimeUnit, int]:
    """A time limit in CREATE's 14 bits, rounded up; the finest unit that reaches so far."""
    units = ((TimeUnit.MICROSECOND, 10**6), (TimeUnit.MILLISECOND, 10**9))
    for unit, unit_ps in units:
        if limit_ps <= 0x3FFF * unit_ps:
            return unit, -(-limit_ps // unit_ps)
    return TimeUnit.SECOND, -(-limit_ps // 10**12)


def _probabilities(basis: RandomBasis) -> tuple[int, int]:
    if basis is RandomBasis.XYZ:
        return 85, 85
    return (0, 0) if basis is RandomBasis.NONE else (128, 0)
