"""How fast and how well a chain of repeaters delivers pairs: a model of timing, pair by pair.

Simulates one circuit as nodes in qplane run it, without packets and quantum states: each link makes
one pair after the other as long as there is a free slot at both its ends; a repeater swaps the
oldest waiting pairs of either side as soon as there are two; a half that waits at a repeater for
longer than the cut-off, counted from its emission, is discarded, which is announced both ways and
frees what was joined to it; a swap may fail, which has the same consequence; an end keeps its half
until the TRACK of the other end has come, which waits at each repeater for the swap there.

Other circuits on a link are modelled as always ready: of `turns` turns one is ours.

With rounds of distillation the ends hold delivered pairs. The head-end takes two that went through
equally many rounds, does its part of DEJMPS and asks the tail-end, which does its part and answers.
Links may do so before the circuit gets their pairs, in its slots; cut-offs count from then.

Fidelity follows from products of correlations: those of the links as heralded, e^(-t/T2) in X and
Y and e^(-t/T1) in Z for each half stored for t, and each swap's factors. The pull of T1 towards |0>
(second order in t/T1, of either sign) is left out.

Tests hold it against closed forms and against the whole network in virtual time.
"""

from collections.abc import Sequence
from typing import Protocol, TypedDict

class Link(Protocol):
    """`success` per attempt, `other_success` of the other circuits' attempts; `herald_ps` from a
    half's emission to its herald; `delay_ps` of a message; `correlations` XX, YY, ZZ of a heralded
    pair, signs taken out; `rounds` of distillation on it before its pairs are swapped."""

    @property
    def success(self) -> float: ...
    @property
    def attempt_ps(self) -> int: ...
    @property
    def herald_ps(self) -> int: ...
    @property
    def delay_ps(self) -> int: ...
    @property
    def correlations(self) -> tuple[float, float, float]: ...
    @property
    def turns(self) -> int: ...
    @property
    def other_success(self) -> float: ...
    @property
    def rounds(self) -> int: ...

class Node(Protocol):
    """Memory and swap; `swap_factors` multiply XX, YY, ZZ."""

    @property
    def t1_s(self) -> float: ...
    @property
    def t2_s(self) -> float: ...
    @property
    def swap_ps(self) -> int: ...
    @property
    def swap_success(self) -> float: ...
    @property
    def one_qubit_error(self) -> float: ...
    @property
    def two_qubit_error(self) -> float: ...
    @property
    def readout_error(self) -> float: ...
    @property
    def swap_factors(self) -> tuple[float, float, float]: ...

class Result(TypedDict):
    """Means with their standard errors (from batches); None where too few pairs came."""

    deliveries: int
    time_ps: int
    rate_per_s: tuple[float, float] | None
    fidelity: tuple[float, float] | None
    zz: tuple[float, float] | None
    xx: tuple[float, float] | None
    latency_ps: tuple[float, float] | None
    expired: int

def simulate_chain(
    links: Sequence[Link],
    nodes: Sequence[Node],
    *,
    slots: int,
    cutoff_ps: int,
    deliveries: int,
    seed: int,
    horizon_ps: int = 0,
    most_events: int = -1,
    switch_ps: int = 1_000_000,
    rounds: int = 0,
) -> Result:
    """`slots` on each side of each link; `cutoff_ps` 0: none; `rounds` of distillation between the
    ends, which need one more slot. Runs without the GIL.

    Ends after `deliveries` pairs, at `horizon_ps` (0: none), or after `most_events` steps of the
    simulation (-1: any number). Raises ValueError that names the
    argument.
    """
