"""What a running network offers of its link layer: link.create, link.status, link.top and more."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

from qplane.clock import PS_PER_SECOND, Clock
from qplane.control import ControlError
from qplane.link.end import DEFAULT_PURPOSE, ENTANGLED, LinkEnd
from qplane.link.errors import LinkLayerError
from qplane.link.holding import HOLD_PURPOSE, Holding
from qplane.link.layer import LinkLayer
from qplane.link.messages import Ok
from qplane.link.request import LinkRequestError, Request
from qplane.link.status import rows
from qplane.live.api import Operation, OperationError, WrongArgumentError
from qplane.wire.errors import WireError
from qplane.wire.service import OkMeasure, RandomBasis

LONGEST_HOLD_S = 86_400

_MOST_WAITS = 100
"""Round trips until outcomes that have not come are taken for lost."""

_BASES = {"z": RandomBasis.NONE, "xz": RandomBasis.XZ, "xyz": RandomBasis.XYZ}


def operations(layer: LinkLayer, clock: Clock) -> dict[str, Operation]:
    """By name."""
    holding = Holding(layer)

    async def find(node: str, remote: str) -> LinkEnd:
        await layer.begun()
        try:
            return layer.end(node, remote)
        except LinkLayerError as error:
            raise WrongArgumentError(None, [node, remote], str(error)) from None

    async def create(
        node: str,
        remote: str,
        pairs: int = 1,
        min_fidelity: float = ENTANGLED,
        keep: bool = False,
        priority: int = 0,
        purpose_id: int = DEFAULT_PURPOSE,
        max_time_s: float = 0.0,
        atomic: bool = False,
        consecutive: bool = True,
        basis: str = "xz",
        hold_s: float = 0.0,
    ) -> AsyncIterator[object]:
        """Order pairs; one object per pair as it comes, at last how the request ended.

        Kept pairs are held for `hold_s` at both ends, or until link.release; with 0 they are
        released as soon as they are reported. Closing the stream cancels the request.
        """
        end = await find(node, remote)
        if hold_s and not keep:
            raise WrongArgumentError("hold_s", hold_s, "only kept pairs can be held")
        if not 0 <= hold_s <= LONGEST_HOLD_S:
            raise WrongArgumentError("hold_s", hold_s, f"0 to {LONGEST_HOLD_S} s are possible")
        if hold_s:
            holding.prepare(end, round(hold_s * PS_PER_SECOND))
            purpose_id = HOLD_PURPOSE
        if basis not in _BASES:
            raise WrongArgumentError("basis", basis, f"it is one of {', '.join(_BASES)}")
        start_ps = clock.now_ps()
        try:
            request = await end.create(
                pairs,
                min_fidelity=min_fidelity,
                keep=keep,
                priority=priority,
                purpose_id=purpose_id,
                max_time_ps=round(max_time_s * PS_PER_SECOND),
                atomic=atomic,
                consecutive=consecutive,
                basis=RandomBasis.NONE if keep else _BASES[basis],
            )
        except WireError as error:
            raise OperationError(str(error)) from None
        if not hold_s:
            async with aclosing(_follow(end, request, clock, start_ps, end.release)) as items:
                async for item in items:
                    yield item
            return

        async def keep_it(ok: Ok) -> None:
            holding.keep(end, ok)

        holding.begin(end, request.create_id, round(hold_s * PS_PER_SECOND))
        try:
            async with aclosing(_follow(end, request, clock, start_ps, keep_it)) as items:
                async for item in items:
                    yield item
        finally:
            holding.finish(end, request.create_id)

    async def release(node: str, remote: str) -> object:
        """Let go of the pairs that are held on a link, at both ends."""
        return {
            "node": node,
            "remote": remote,
            "released": await holding.release(await find(node, remote)),
        }

    async def test(
        node: str, remote: str, pairs: int = 300, min_fidelity: float = ENTANGLED
    ) -> AsyncIterator[object]:
        """Order test pairs, from which both ends estimate fidelity and error rates.

        They are made with the setting of the highest rate that meets `min_fidelity`.
        """
        end = await find(node, remote)
        start_ps = clock.now_ps()
        try:
            request = await end.test(pairs, min_fidelity=min_fidelity)
        except WireError as error:
            raise OperationError(str(error)) from None
        async with aclosing(_follow(end, request, clock, start_ps, end.release)) as items:
            async for item in items:
                yield item
        await _compared((end, layer.end(remote, node)), clock)

    async def status(node: str | None = None) -> object:
        """How each end of each link stands (of one node, or of all)."""
        await layer.begun()
        nodes = sorted({end.node for end in layer.ends.values()})
        if node is not None and node not in nodes:
            known = ", ".join(nodes) or "none"
            raise WrongArgumentError(
                "node", node, f"no link with a link layer there; these have one: {known}"
            )
        return rows(layer, holding, clock.now_ps(), node)

    async def top(interval_s: float = 1.0, count: int = 0) -> AsyncIterator[object]:
        """`status` of all links again and again (`count` 0: until the stream is closed)."""
        if not interval_s > 0:
            raise WrongArgumentError("interval_s", interval_s, "it must be more than 0")
        await layer.begun()
        shown = 0
        while True:
            yield rows(layer, holding, clock.now_ps(), None)
            shown += 1
            if shown == count:
                return
            await clock.sleep(round(interval_s * PS_PER_SECOND))

    async def use_scheduler(
        node: str, remote: str, name: str, weights: list[int] | None = None
    ) -> object:
        """Choose what a link serves next: fcfs, priority or wfq with weights (0: strict)."""
        await find(node, remote)
        try:
            await layer.use_scheduler(node, remote, name, weights or ())
        except ValueError as error:
            raise WrongArgumentError(None, [name, weights], str(error)) from None
        return {"node": node, "remote": remote, "scheduler": name, "weights": weights or []}

    async def sample(node: str, remote: str, every: int) -> object:
        """Have each `every`-th pair of a link copied to the controller by its station (0: none)."""
        await find(node, remote)
        try:
            await layer.sample(node, remote, every)
        except ValueError as error:
            raise WrongArgumentError(None, every, str(error)) from None
        except ControlError as error:
            raise OperationError(str(error)) from None
        return {"node": node, "remote": remote, "every": every}

    return {
        "link.create": create,
        "link.release": release,
        "link.test": test,
        "link.status": status,
        "link.top": top,
        "link.scheduler": use_scheduler,
        "link.sample": sample,
    }


async def _compared(ends: Sequence[LinkEnd], clock: Clock) -> None:
    """Until both ends have heard of each other's outcomes, or some of that seem to be lost."""
    for _ in range(_MOST_WAITS):
        if not any(end.egp.outcomes_awaited for end in ends):
            return
        await clock.sleep(ends[0].egp.options.timing.round_trip_ps)


async def _follow(
    end: LinkEnd,
    request: Request,
    clock: Clock,
    start_ps: int,
    take: Callable[[Ok], Awaitable[None]],
) -> AsyncGenerator[object, None]:
    """Each pair, then the end. Raises OperationError where the request fails."""

    def seconds() -> float:
        return (clock.now_ps() - start_ps) / PS_PER_SECOND

    try:
        async for ok in request:
            yield {"pair": _pair(ok), "time_s": seconds()}
            await take(ok)
    except LinkRequestError as error:
        raise OperationError(str(error)) from None
    finally:
        await request.cancel()
    yield {
        "end": {
            "state": request.state.value,
            "create_id": request.create_id,
            "wanted": request.wanted,
            "pairs": request.pairs,
            "void": sorted(request.void),
        },
        "time_s": seconds(),
    }


def _pair(ok: Ok) -> dict[str, Any]:
    message = ok.message
    said: dict[str, Any] = {
        "seq": ok.seq,
        "create_id": message.create_id,
        "fidelity": round(ok.fidelity, 6),
    }
    if isinstance(message, OkMeasure):
        return said | {"basis": message.basis.name, "outcome": message.outcome}
    return said | {"logical_qubit_id": message.logical_qubit_id}
