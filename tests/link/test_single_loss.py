"""Each single message lost, one by one: no wrong OK, everything ends, every slot is free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from qplane.wire.qci import Body, QciType
from qplane.wire.service import RandomBasis, RequestType, TimeUnit

from .rig import Link, Sink
from .world import MS, World

LIMIT_PS = 3_000 * MS
MEASURE = {
    "request_type": RequestType.MEASURE,
    "random_basis_local": RandomBasis.XZ,
    "random_basis_remote": RandomBasis.XZ,
    "probability_local_1": 128,
    "probability_remote_1": 128,
}


@dataclass
class Run:
    """One run of a scenario, with one loss or none."""

    link: Link
    sinks: list[tuple[int, Sink]] = field(default_factory=list)
    messages: int = 0
    replies: int = 0
    errors: int = 0
    lost: str = ""

    def create(self, end: int, **fields: object) -> Sink:
        sink = self.link.create(end, **fields)
        self.sinks.append((end, sink))
        return sink


def keep_and_measure(run: Run) -> None:
    """Both ends ask, all kinds."""
    run.create(0, number=2)
    run.create(1, number=3, consecutive=0)
    run.create(0, number=3, **MEASURE)
    run.create(1, number=2, atomic=1)
    run.create(1, number=2, consecutive=0, **MEASURE)


def one_pair_each(run: Run) -> None:
    """The last pair of a request is the last of all."""
    run.create(0, number=1)
    run.link.world.run(lambda: run.link.is_idle, for_ps=LIMIT_PS)
    run.create(1, number=1, **MEASURE)


def time_out_and_cancel(run: Run) -> None:
    """Requests that end before all their pairs are there."""
    run.create(0, number=80, consecutive=0, max_time=900, time_unit=TimeUnit.MICROSECOND, **MEASURE)
    run.create(1, number=50, max_time=2, time_unit=TimeUnit.MILLISECOND)
    sink = run.create(0, number=100)
    run.link.world.run(lambda: sink.seen >= 2, for_ps=LIMIT_PS)
    create_id = next(iter(sink.oks.values())).message.create_id if sink.oks else 1
    run.link.ends[0].cancel(create_id)


def rejected(run: Run) -> None:
    """A purpose that the other end does not accept, and too many pairs at once."""
    run.create(0, purpose_id=99)
    run.create(1, number=2)


def many_small(run: Run) -> None:
    """One after the other, from both sides, in several queues."""
    for n in range(6):
        run.create(n % 2, number=1 + n % 2, priority=n % 3)


def out_of_memory(run: Run) -> None:
    """Pairs are held until there is no room, then given back."""
    sink = run.create(0, number=6, holds=True)
    run.link.world.run(for_ps=4 * MS)
    for ok in list(sink.oks.values()):
        assert ok.qubit is not None
        run.link.ends[0].release(ok.qubit)
    sink.holds = False


SCENARIOS = [
    keep_and_measure,
    one_pair_each,
    time_out_and_cancel,
    rejected,
    many_small,
    out_of_memory,
]


def play(
    scenario: Callable[[Run], None],
    *,
    message: int = -1,
    reply: int = -1,
    error: int = -1,
) -> Run:
    """Run a scenario to its end, losing the message, REPLY or error REPLY of this number."""
    link = Link(World(seed=5))
    run = Run(link)

    def drop(type: QciType, body: Body) -> bool:
        run.messages += 1
        if run.messages - 1 == message:
            run.lost = f"{type.name} {body}"
        return run.messages - 1 == message

    def lose_reply(end: int, seq: int) -> bool:
        run.replies += 1
        if run.replies - 1 == reply:
            run.lost = f"REPLY {seq} to end {end}"
        return run.replies - 1 == reply

    def lose_error(end: int) -> bool:
        run.errors += 1
        return run.errors - 1 == error

    for channel in link.channels:
        channel.drop = drop
    link.station.lose_reply = lose_reply
    link.station.lose_error = lose_error
    scenario(run)
    link.world.run(lambda: link.is_idle, for_ps=LIMIT_PS)
    return run


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_without_loss_all_is_well(scenario: Callable[[Run], None]) -> None:
    run = play(scenario)
    run.link.check(run.sinks)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_single_loss_is_survived(scenario: Callable[[Run], None]) -> None:
    whole = play(scenario)
    for kind, count in (
        ("message", whole.messages),
        ("reply", whole.replies),
        ("error", whole.errors),
    ):
        for number in range(count):
            run = play(scenario, **{kind: number})
            try:
                run.link.check(run.sinks)
            except AssertionError as failed:
                raise AssertionError(f"{kind} {number} lost: {run.lost}") from failed
