"""Pairs of queue items: counted as they come, handed over, and taken back where they are void."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from qplane.link import answers
from qplane.link.messages import Failure, Ok
from qplane.link.mhp import Pair
from qplane.link.numbering import Numbering
from qplane.link.numbers import SeqRange, among, ranges
from qplane.link.serial import pair_after
from qplane.link.serving import Serving
from qplane.wire.service import ServiceError

HISTORY = 256
"""Pairs remembered after their request ended, and longer while the other end may void them."""


class DeliveryUser(Protocol):
    """Whose pairs they are."""

    def ok(self, serving: Serving, pair: Pair) -> Ok:
        """The OK of a pair that is handed over now."""
        ...

    def voided(self, serving: Serving, failure: Failure) -> None:
        """A pair is void after its OK: tell the item's consumer."""
        ...

    def discard(self, pair: Pair) -> None:
        """A pair is not needed: free its memory, if it has any."""
        ...

    def complete(self, serving: Serving) -> None:
        """All pairs of an item have been handed over."""
        ...

    def is_served(self, serving: Serving) -> bool:
        """Whether an item has not ended."""
        ...


@dataclass(slots=True)
class _Taken:
    """A pair that this end has counted, as long as it may turn out void."""

    serving: Serving
    ok: Ok | None = None


class Delivery:
    """Of one end."""

    def __init__(self, user: DeliveryUser, numbering: Numbering, remote_node_id: int) -> None:
        self._user = user
        self._numbering = numbering
        self._remote_node_id = remote_node_id
        self._taken: OrderedDict[int, _Taken] = OrderedDict()

    def count(self, serving: Serving, pair: Pair) -> None:
        """A pair of this item has come."""
        serving.pairs[pair.seq] = pair
        self._taken[pair.seq] = _Taken(serving)
        self._forget()

    def hand_over(self, serving: Serving) -> None:
        """What is due of an item."""
        for pair in list(serving.due()):
            ok = self._user.ok(serving, pair)
            serving.handed_over.add(pair.seq)
            self._taken[pair.seq].ok = ok
            serving.consumer.ok(ok)
        if serving.is_complete:
            self._user.complete(serving)

    def void(self, pairs: SeqRange) -> None:
        """The other end does not have these: take them out of whatever they were counted for."""
        reopened: list[Serving] = []
        for seq in among(pairs, self._taken):
            taken = self._taken.pop(seq)
            serving = taken.serving
            if serving not in reopened:
                reopened.append(serving)
            self._user.discard(serving.pairs.pop(seq))
            if taken.ok is not None:
                serving.handed_over.discard(seq)
                failure = answers.failure(
                    serving.item.key[1],
                    ServiceError.EXPIRE,
                    self._remote_node_id,
                    SeqRange(seq, pair_after(seq)),
                )
                self._user.voided(serving, failure)
        for serving in reopened:
            if self._user.is_served(serving):
                if not serving.is_complete and serving.closing is not None:
                    serving.closing.cancel()
                    serving.closing = None
                self.hand_over(serving)

    def give_back(self, serving: Serving) -> None:
        """All pairs of an item, handed over or not, at both ends."""
        for pairs in ranges([*serving.pairs]):
            self.void(pairs)
            self._numbering.miss(pairs)

    def end(self, serving: Serving) -> None:
        """An item gets no more pairs. What was not handed over is given up, unless it is complete
        at both ends."""
        was_complete = serving.is_complete
        kept_back = serving.kept_back()
        for pair in kept_back:
            del serving.pairs[pair.seq]
            del self._taken[pair.seq]
            self._user.discard(pair)
        if not was_complete:
            for missing in ranges(pair.seq for pair in kept_back):
                self._numbering.miss(missing)

    def _forget(self) -> None:
        """Forget pairs of requests that are over and that the other end has counted as well."""
        while len(self._taken) > HISTORY:
            seq, taken = next(iter(self._taken.items()))
            if self._user.is_served(taken.serving) or self._numbering.may_be_voided(seq):
                return
            del self._taken[seq]
