"""A request and a listener as programs hold them: states, and pairs as they come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import Enum

from qplane.link.messages import Failure, Ok
from qplane.wire.service import ServiceError

REMEMBERED = 4096
"""Void pairs that a consumer is reminded of; pairs are voided no later than the EGP's history."""

_MEANING = {
    ServiceError.UNSUPP: "the link can't give that",
    ServiceError.CREATE: "the request makes no sense on this link",
    ServiceError.REJECTED: "the other end does not accept it",
    ServiceError.OTHER: "the other end does not answer, or has no such request any more",
    ServiceError.EXPIRE: "pairs are void",
    ServiceError.TIMEOUT: "its time is over",
}


class LinkRequestError(Exception):
    """A request came to nothing, or to fewer pairs than wanted. `failure` is the ERR."""

    def __init__(self, failure: Failure) -> None:
        error = failure.message.error
        text = f"{error.name}: {_MEANING[error]}"
        if failure.why:
            text += f" ({failure.why})"
        if failure.best is not None:
            fidelity, rate_per_s = failure.best
            text += f"; the best on this link: fidelity {fidelity:.4f} at {rate_per_s:.4g} pairs/s"
        super().__init__(text)
        self.failure = failure

    @property
    def error(self) -> ServiceError:
        """Its code."""
        return self.failure.message.error


class RequestState(Enum):
    """How far a request is."""

    ASKED = "asked"  # the other end has not accepted it yet
    QUEUED = "queued"  # both ends have it
    DONE = "done"  # all pairs are there, at both ends
    CANCELLED = "cancelled"
    FAILED = "failed"


class Pairs:
    """A consumer whose pairs are taken with ``async for``.

    A pair that was taken may turn out void: its number is in `void` then, for the last `REMEMBERED`
    of them.
    """

    def __init__(self) -> None:
        self._void: dict[int, None] = {}  # in the order in which they came
        self._waiting: deque[Ok] = deque()
        self._changed = asyncio.Event()
        self._is_over = False
        self._broken: BaseException | None = None

    @property
    def void(self) -> frozenset[int]:
        """Numbers of pairs that were taken and do not count."""
        return frozenset(self._void)

    def ok(self, ok: Ok) -> None:
        self._waiting.append(ok)
        self._changed.set()

    def failed(self, failure: Failure) -> None:
        if failure.pairs is None:
            return
        seq = failure.pairs.low
        waiting = [ok for ok in self._waiting if ok.seq != seq]
        if len(waiting) < len(self._waiting):
            self._waiting = deque(waiting)  # never taken
            return
        self._void[seq] = None
        if len(self._void) > REMEMBERED:
            del self._void[next(iter(self._void))]

    def queued(self, create_id: int) -> None:
        pass

    def closed(self, create_id: int) -> None:
        pass

    def break_off(self, error: BaseException) -> None:
        """The link layer itself has failed."""
        self._broken = error
        self._end()

    def _end(self) -> None:
        self._is_over = True
        self._changed.set()

    async def __aiter__(self) -> AsyncIterator[Ok]:
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._is_over:
                break
            self._changed.clear()
            await self._changed.wait()
        self._raise()

    def _raise(self) -> None:
        if self._broken is not None:
            raise RuntimeError("the link layer has failed") from self._broken


class Request(Pairs):
    """A CREATE under way. ``async for ok in request`` ends with the request.

    It raises LinkRequestError where the request fails before all its pairs are there. `pairs`
    counts those that are valid.
    """

    def __init__(self, wanted: int, cancel: Callable[[Request], Awaitable[None]]) -> None:
        super().__init__()
        self.wanted = wanted
        self.create_id = -1
        self.state = RequestState.ASKED
        self.pairs = 0
        self.failures: list[Failure] = []
        self._cancel = cancel
        self._over = asyncio.Event()

    async def cancel(self) -> None:
        """Make no more pairs; those that came stay valid."""
        if not self._is_over:
            self.state = RequestState.CANCELLED
            await self._cancel(self)

    async def done(self) -> RequestState:
        """Wait for its end and say which it was. Pairs are kept for ``async for``."""
        await self._over.wait()
        if self._broken is not None:
            self._raise()
        return self.state

    # ---- qplane.link.messages.Consumer ----

    def ok(self, ok: Ok) -> None:
        self.pairs += 1
        super().ok(ok)

    def failed(self, failure: Failure) -> None:
        super().failed(failure)
        self.failures.append(failure)
        if failure.pairs is not None:
            self.pairs -= 1
        else:
            self.state = RequestState.FAILED

    def queued(self, create_id: int) -> None:
        self.state = RequestState.QUEUED

    def closed(self, create_id: int) -> None:
        if self.state in (RequestState.ASKED, RequestState.QUEUED):
            self.state = RequestState.DONE
        self._end()

    def _end(self) -> None:
        super()._end()
        self._over.set()

    def _raise(self) -> None:
        super()._raise()
        if self.state is RequestState.FAILED:
            raise LinkRequestError(self.failures[-1])


class Listener(Pairs):
    """Pairs of the other end's requests for one purpose."""

    def __init__(self, close: Callable[[], None]) -> None:
        super().__init__()
        self._close = close

    def close(self) -> None:
        """Accept no more requests; ``async for`` ends."""
        self._close()
        self._end()
