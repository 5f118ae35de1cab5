"""A device that is faster than the controller hears of it: large requests come in pieces."""

from __future__ import annotations

from collections.abc import Callable

from qplane.link.mhp import Pair
from qplane.wire.service import RequestType

from .rig import Link
from .world import MS, US, World

MEASURE = RequestType.MEASURE
IN_FLIGHT = 40
"""A piece of 32, and what is heralded until a device has stopped."""


def heard_slowly(link: Link, each_ps: int) -> None:
    """The link layer takes so long for each pair; those that come meanwhile queue up."""
    for device, egp in zip(link.station.devices, link.ends, strict=True):
        free_ps = [0]

        def queue(
            pair: Pair,
            on_pair: Callable[[Pair], None] = egp.on_pair,
            free_ps: list[int] = free_ps,
        ) -> None:
            free_ps[0] = max(free_ps[0], link.world.now_ps()) + each_ps
            link.world.at(free_ps[0], lambda: on_pair(pair))

        device.on_pair = queue


def test_a_device_is_never_far_ahead_and_a_cancel_reaches_it() -> None:
    """20 pairs a millisecond are made, 5 are heard of: without pieces it is 1500 ahead of 500."""
    link = Link(World())
    heard_slowly(link, 200 * US)
    big = link.create(0, number=60_000, request_type=MEASURE)
    most = 0

    def is_far() -> bool:
        nonlocal most
        most = max(most, link.station.seq - big.seen)
        return big.seen >= 500

    assert link.world.run(is_far, for_ps=2000 * MS)
    assert 20 <= most <= IN_FLIGHT
    assert big.create_id is not None
    link.ends[0].cancel(big.create_id)
    small = link.create(0, number=5, request_type=MEASURE)
    assert link.world.run(lambda: link.is_idle, for_ps=2000 * MS)
    assert (len(small.oks), small.failures) == (5, [])
    assert link.station.seq < 500 + 2 * IN_FLIGHT
    link.check([(0, big), (0, small)])


def test_pieces_cost_no_pairs() -> None:
    """A request of many pieces ends with just as many pairs as were wanted, at both ends."""
    link = Link(World())
    sinks = [(end, link.create(end, number=331, request_type=MEASURE)) for end in (0, 1)]
    assert link.world.run(lambda: link.is_idle, for_ps=2000 * MS)
    link.check(sinks)
    assert [len(sink.oks) for _, sink in sinks] == [331, 331]
