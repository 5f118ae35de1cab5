"""Kept pairs that a user wants held for a time, at both ends of a link, or until let go."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from qplane.clock import PS_PER_SECOND
from qplane.link.end import LinkEnd
from qplane.link.layer import LinkLayer
from qplane.link.messages import Failure, Ok

HOLD_PURPOSE = 2
"""Purpose of requests whose pairs both ends hold."""

_Key = tuple[str, str]  # an end: its node and its neighbour


class _Held(NamedTuple):
    ok: Ok
    until_ps: int


class _Keeper:
    """Takes the pairs of the other end's requests; see :class:`qplane.link.messages.Consumer`."""

    def __init__(self, holding: Holding, end: LinkEnd) -> None:
        self._holding = holding
        self._end = end

    def ok(self, ok: Ok) -> None:
        self._holding.keep_far(self._end, ok)

    def failed(self, failure: Failure) -> None:
        if failure.pairs is not None:
            self._holding.forget(self._end, failure.pairs.low)

    def queued(self, create_id: int) -> None:
        pass

    def closed(self, create_id: int) -> None:
        pass


class Holding:
    """What users hold on the links of a network."""

    def __init__(self, layer: LinkLayer) -> None:
        self._layer = layer
        self._held: dict[_Key, dict[int, _Held]] = {}
        self._wanted_ps: dict[tuple[_Key, int], int] = {}  # by originator and create id
        self._last_ps: dict[_Key, int] = {}  # by originator, of its last request

    def prepare(self, end: LinkEnd, hold_ps: int) -> None:
        """Have the other end of a link take what this one is about to ask for."""
        self._last_ps[end.node, end.remote] = hold_ps
        far = self._layer.end(end.remote, end.node)
        far.egp.listen(HOLD_PURPOSE, _Keeper(self, far))

    def begin(self, end: LinkEnd, create_id: int, hold_ps: int) -> None:
        """Pairs of this request are held so long, each from when it comes."""
        self._wanted_ps[(end.node, end.remote), create_id] = hold_ps

    def finish(self, end: LinkEnd, create_id: int) -> None:
        """The request is over; its pairs are held on."""
        self._wanted_ps.pop(((end.node, end.remote), create_id), None)

    def keep(self, end: LinkEnd, ok: Ok) -> None:
        """A pair has come at the end that asked for it."""
        self._keep(end, ok, (end.node, end.remote))

    def keep_far(self, end: LinkEnd, ok: Ok) -> None:
        """A pair has come at the other end."""
        self._keep(end, ok, (end.remote, end.node))

    def _keep(self, end: LinkEnd, ok: Ok, originator: _Key) -> None:
        last_ps = self._last_ps[originator]
        hold_ps = self._wanted_ps.get((originator, ok.message.create_id), last_ps)
        timers = self._layer.timers
        until_ps = timers.now_ps() + hold_ps
        self._held.setdefault((end.node, end.remote), {})[ok.seq] = _Held(ok, until_ps)
        timers.at(until_ps, partial(self._drop, end, ok.seq))

    def forget(self, end: LinkEnd, seq: int) -> None:
        """A pair turned out void; its memory is free already."""
        self._held.get((end.node, end.remote), {}).pop(seq, None)

    def _let_go(self, end: LinkEnd, seq: int) -> bool:
        held = self._held.get((end.node, end.remote), {}).pop(seq, None)
        if held is None or held.ok.qubit is None:
            return False
        end.egp.release(held.ok.qubit)
        return True

    def _drop(self, end: LinkEnd, seq: int) -> None:
        """Its time is over."""
        self._let_go(end, seq)

    async def release(self, end: LinkEnd) -> int:
        """Let go of all pairs that are held on a link, at both ends; how many there were."""
        far = self._layer.end(end.remote, end.node)
        seqs = {*self._of(end), *self._of(far)}
        for seq in seqs:
            self._let_go(end, seq)
            self._let_go(far, seq)
        await self._layer.flush()
        return len(seqs)

    def _of(self, end: LinkEnd) -> dict[int, _Held]:
        return self._held.get((end.node, end.remote), {})

    def rows(self, end: LinkEnd) -> list[dict[str, Any]]:
        """The pairs held at one end, as JSON values."""
        now_ps = self._layer.timers.now_ps()
        return [
            {
                "seq": seq,
                "fidelity": round(held.ok.fidelity, 6),
                "left_s": max(0, held.until_ps - now_ps) / PS_PER_SECOND,
            }
            for seq, held in sorted(self._of(end).items())
        ]
