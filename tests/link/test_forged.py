"""One message with a wrong field that no checksum finds: it may cost pairs, but never the link."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from typing import Any

import pytest

from qplane.link.numbering import Numbering
from qplane.link.numbers import SeqRange
from qplane.link.serial import first_of_epoch
from qplane.wire.dqp import DqpBody
from qplane.wire.egp import EgpBody, OutcomesBody
from qplane.wire.qci import Body, QciType

from .rig import TIMING, Link
from .test_single_loss import MEASURE, Run, keep_and_measure, many_small, out_of_memory
from .world import MS, World

LIMIT_PS = 2_000 * MS
STEP = 7
"""Of each message every seventh forgery is tried; over all messages that is each kind."""


def forgeries(body: Body) -> Iterator[Body]:
    """The message with one field after the other far off: near, half the range, all of it."""
    assert isinstance(body, DqpBody | EgpBody | OutcomesBody)
    for field in body.LAYOUT.fields:
        if field.is_reserved:
            continue
        value: Any = getattr(body, field.name)
        if isinstance(value, Enum):
            others: list[Any] = [member for member in type(value) if member is not value]
        else:
            top = 1 << field.bits
            near = range(1, 3) if top > 4 else ()
            others = [(value + step) % top for step in (*near, 200, top // 2 - 1, top - 1)]
        for other in dict.fromkeys(others):
            if other != value:
                yield replace(body, **{field.name: other})


def play(scenario: Any, number: int, variant: int) -> tuple[Run, str]:
    """Run a scenario in which message `number` is forged, with the `variant`th forgery ("": there
    is none)."""
    link = Link(World(seed=5))
    run = Run(link)
    said = ""

    for channel in link.channels:
        original = channel.send

        def send(type: QciType, body: Body, original: Any = original) -> None:
            nonlocal said
            run.messages += 1
            if run.messages - 1 == number:
                forged = [*forgeries(body)]
                if variant < len(forged):
                    body = forged[variant]
                    said = f"{type.name} {body}"
            original(type, body)

        channel.send = send  # type: ignore[method-assign]
    scenario(run)
    link.world.run(lambda: link.is_idle or (not said and run.messages > number), for_ps=LIMIT_PS)
    return run, said


def still_serves(run: Run) -> None:
    """Both ends get what they ask for."""
    link = run.link
    for sink in (*(sink for _, sink in run.sinks), *link.remote_sinks):
        for ok in [*sink.oks.values()]:
            if ok.qubit is not None:
                sink.egp.release(ok.qubit)  # type: ignore[union-attr]
        sink.holds = False
    late = [
        link.create(end, number=3, **(MEASURE if measured else {}))
        for end in (0, 1)
        for measured in (False, True)
    ]
    link.world.run(lambda: all(sink.is_closed for sink in late), for_ps=LIMIT_PS)
    assert all(sink.is_closed for sink in late)
    # An originator may find its create id in use by a forged item: refused, but not stuck.
    assert sum(len(sink.oks) == 3 for sink in late) >= 3


@pytest.mark.parametrize("scenario", [keep_and_measure, many_small, out_of_memory])
def test_no_single_forged_message_stalls_a_link(scenario: Any) -> None:
    messages = play(scenario, -1, 0)[0].messages
    tried = 0
    for number in range(messages):
        variant = number % STEP
        while True:
            run, said = play(scenario, number, variant)
            if not said:
                break
            try:
                still_serves(run)
            except AssertionError as failed:
                raise AssertionError(f"message {number}, now {said}") from failed
            tried += 1
            variant += STEP
    assert tried > 100


class Words:
    """One end's numbering, with what it sends, in an epoch that is not 0."""

    def __init__(self) -> None:
        self.world = World()
        self.world.run(for_ps=1000 * TIMING.cycle_ps)
        self.expired: list[SeqRange] = []
        self.first = first_of_epoch(9)
        self.numbering = Numbering(
            self.first, timing=TIMING, timers=self.world, send_expire=self.expired.append
        )

    def cycle(self) -> int:
        return self.world.now_ps() // TIMING.cycle_ps


def test_the_other_end_is_believed_only_what_the_cycles_allow() -> None:
    words = Words()
    numbering, first = words.numbering, words.first
    words.world.run(for_ps=100 * TIMING.cycle_ps)
    assert numbering.arrive(first, words.cycle())
    words.world.run(for_ps=50 * TIMING.cycle_ps)
    most = first + 1 + 50 + TIMING.reply_cycles
    for wrong in (most + 1, first + 10_000, first_of_epoch(10), first_of_epoch(137)):
        numbering.peer_expects(wrong)
        assert not numbering.peer_lacks(SeqRange(first, wrong))
    assert not numbering.peer_lacks(SeqRange(first + 5, first))
    assert numbering.implausible == 8 and numbering.is_settled
    numbering.peer_expects(most)
    words.world.run(for_ps=1000 * TIMING.cycle_ps)
    assert set(words.expired) == {SeqRange(first + 1, most)}  # repeated until acknowledged
    assert numbering.peer_lacks(SeqRange(most, most + 500))  # a thousand cycles on


def test_repeated_expires_leave_one_range() -> None:
    words = Words()
    numbering, first = words.numbering, words.first
    words.world.run(for_ps=1000 * TIMING.cycle_ps)
    for low, high in ((3, 9), (3, 9), (5, 12), (20, 22), (12, 20)):
        assert numbering.peer_lacks(SeqRange(first + low, first + high))
    assert numbering._numbers._void == [SeqRange(first + 3, first + 22)]
    counted = [n for n in range(30) if numbering.arrive(first + n, words.cycle() + n)]
    assert counted == [0, 1, 2, *range(22, 30)]
    assert numbering._numbers._void == []


def test_a_stations_first_word_may_be_any_number_that_can_be() -> None:
    """It may have counted long before this end listened; from then on, jumps are bounded."""
    words = Words()
    numbering, first = words.numbering, words.first
    assert not numbering.arrive(first + 5000, words.cycle())
    assert numbering.arrive(first + 900, words.cycle())
    assert words.expired == [SeqRange(first, first + 900)]
    assert not numbering.arrive(first + 950, words.cycle() + 10)
    assert numbering.arrive(first + 905, words.cycle() + 10)


def test_a_restarted_station_is_believed_itself_and_through_the_controller() -> None:
    for told in (False, True):
        words = Words()
        numbering, first = words.numbering, words.first
        assert numbering.arrive(first, words.cycle())
        begun = first_of_epoch(10)
        if told:
            numbering.renumber(begun)
            assert numbering.expected == begun
            numbering.peer_knows(words.expired[0])  # else the next is told with it, later
        assert numbering.arrive(begun + 1, words.cycle() + 1)
        expired = [SeqRange(first + 1, begun), SeqRange(begun, begun + 1)]
        assert words.expired == (expired if told else [SeqRange(first + 1, begun + 1)])
        assert not numbering.arrive(first + 1, words.cycle() + 1)  # of the old epoch
        numbering.station_is_at(0)
        assert numbering.expected == begun + 2
