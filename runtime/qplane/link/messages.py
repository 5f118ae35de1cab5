"""What the link layer tells the higher layer: draft-03's message, and what goes with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from qplane.link.mhp import Qubit
from qplane.link.numbers import SeqRange
from qplane.wire.service import Err, OkKeep, OkMeasure


@dataclass(frozen=True, slots=True)
class Ok:
    """A pair. `message` is OK as the draft has it, with the lower 16 bits of `seq`.

    Pairs are Φ+: the originator's end has corrected the heralded state (K: by a gate, M: in its
    outcome). `qubit` is where a kept pair is.
    """

    message: OkKeep | OkMeasure
    seq: int
    fidelity: float  # estimated
    qubit: Qubit | None = None


class Best(NamedTuple):
    """What the link gives at most: where no setting has the fidelity asked for, the highest
    fidelity and its rate, else the highest rate with that fidelity."""

    fidelity: float
    rate_per_s: float


@dataclass(frozen=True, slots=True)
class Failure:
    """ERR. `pairs`: those that are void, all 32 bits; `best`: of UNSUPP; `why`: of what this end
    itself refuses, for people."""

    message: Err
    pairs: SeqRange | None = None
    best: Best | None = None
    why: str = ""


class Consumer(Protocol):
    """Who takes the pairs of a request, at either end. Called while the protocol runs: be quick."""

    def ok(self, ok: Ok) -> None:
        """A pair."""
        ...

    def failed(self, failure: Failure) -> None:
        """Some pairs (with `pairs`), or what is still missing of the request, will not be."""
        ...

    def queued(self, create_id: int) -> None:
        """Both ends have the request."""
        ...

    def closed(self, create_id: int) -> None:
        """The request is over: after all its OKs, or after the `failed` that ended it."""
        ...


class Discard:
    """A consumer that wants no pair: what comes is released at once."""

    def __init__(self, release: Callable[[Qubit], None]) -> None:
        self._release = release

    def ok(self, ok: Ok) -> None:
        if ok.qubit is not None:
            self._release(ok.qubit)

    def failed(self, failure: Failure) -> None:
        pass

    def queued(self, create_id: int) -> None:
        pass

    def closed(self, create_id: int) -> None:
        pass
