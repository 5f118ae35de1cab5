"""Schedulers: order, WFQ's shares, and that both ends decide alike."""

from __future__ import annotations

from collections import Counter

import pytest

from qplane.link.items import Item
from qplane.link.mhp import QueueId
from qplane.link.scheduler import Fcfs, StrictPriority, Wfq, scheduler
from qplane.wire.dqp import DqpBody
from qplane.wire.service import RandomBasis, RequestType

from .rig import Link
from .world import MS, World

MEASURE = {
    "request_type": RequestType.MEASURE,
    "random_basis_local": RandomBasis.XZ,
    "random_basis_remote": RandomBasis.XZ,
}


def item(queue: int, seq: int, start: int = 0, finish: int = 0) -> Item:
    return Item(QueueId(queue, seq), DqpBody(start_cycle=start, virtual_finish=finish))


def test_first_come_first_served_knows_no_priority() -> None:
    items = [item(0, 1, start=30), item(7, 0, start=10), item(3, 2, start=20)]
    assert [i.id.queue for i in sorted(items, key=Fcfs().key)] == [7, 3, 0]


def test_strict_priority_is_first_come_first_served_within_a_queue() -> None:
    items = [item(1, 1, start=30), item(1, 0, start=40), item(0, 2, start=50)]
    assert [i.id for i in sorted(items, key=StrictPriority().key)] == [(0, 2), (1, 1), (1, 0)]


def test_virtual_finish_is_start_plus_cycles_over_relative_weight() -> None:
    """start = max(now, last finish); relative weights 2/3 and 1/3; times in 1/256 cycles."""
    wfq = Wfq([2, 1, *[0] * 6])
    assert wfq.finish(0, 100) == 150 * 256
    assert wfq.finish(1, 100) == 300 * 256
    assert wfq.finish(0, 100) == 300 * 256
    wfq.serve(item(1, 0, finish=900 * 256))
    assert wfq.finish(0, 100) == 1050 * 256


def test_weight_0_goes_before_all_others() -> None:
    wfq = Wfq([0, 10, 1])
    items = [item(1, 0, finish=wfq.finish(1, 5)), item(0, 0, finish=wfq.finish(0, 5))]
    assert min(items, key=wfq.key).id.queue == 0


@pytest.mark.parametrize(
    ("name", "weights", "said"),
    [("lifo", [], "fcfs, priority, wfq"), ("wfq", [-1], "-1"), ("fcfs", [1], "only wfq")],
)
def test_what_is_no_scheduler_is_refused(name: str, weights: list[int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        scheduler(name, weights)


def test_shares_of_wfq_in_a_saturated_link() -> None:
    """Weights [strict, 10, 1]: the strict queue gets all it asks, the others 10/11 and 1/11."""
    world = World(seed=11)
    link = Link(world, success=0.5)
    link.use("wfq", [0, 10, 1])
    asked = Counter[int]()
    served = Counter[int]()

    def keep_full(priority: int) -> None:
        """A new request for each that ends, from both sides."""
        for end in (0, 1):
            for _ in range(8):
                renew(end, priority)

    def renew(end: int, priority: int) -> None:
        sink = link.create(end, number=2, priority=priority, **MEASURE)
        asked[priority] += 1

        def closed(create_id: int) -> None:
            served[priority] += 1
            world.after(0, lambda: renew(end, priority))

        sink.closed = closed  # type: ignore[method-assign]

    def strict() -> None:
        """As much as a third of the link."""
        sink = link.create(0, number=2, priority=0, **MEASURE)
        asked[0] += 1

        def closed(create_id: int) -> None:
            served[0] += 1

        sink.closed = closed  # type: ignore[method-assign]
        world.after(round(world.random.expovariate(1.0) * 360 * 1_000_000), strict)

    keep_full(1)
    keep_full(2)
    strict()
    world.run(for_ps=20 * MS)
    before = served.copy()
    world.run(for_ps=250 * MS)
    got = served - before
    assert asked[0] - served[0] < 10
    assert got[0] > 500
    weighted = got[1] + got[2]
    assert got[1] / weighted == pytest.approx(10 / 11, rel=0.02)
    assert got[2] / weighted == pytest.approx(1 / 11, rel=0.02)


def test_both_ends_serve_the_same_item_at_the_same_time() -> None:
    """No attempt is lost to the ends' disagreeing while messages are not."""
    world = World(seed=2)
    link = Link(world, success=0.3)
    link.use("wfq", [0, 10, 1])
    for n in range(60):
        link.create(n % 2, number=1 + n % 4, priority=n % 3, **(MEASURE if n % 2 else {}))
        world.run(for_ps=MS // 10)
    assert world.run(lambda: link.is_idle, for_ps=1000 * MS)
    assert not any(egp.statistics.mismatches["QUEUE_MISMATCH"] for egp in link.ends)
