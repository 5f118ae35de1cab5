"""Two items that need their pairs all at once have both begun, and memory has no room for both.

A pair that was under way when another item took its turn still comes: so both have begun, though
the scheduler never meant it.
"""

from __future__ import annotations

import pytest

from qplane.link.mhp import Pair, QueueId
from qplane.wire.qci import BellIndex

from .rig import Link, Sink
from .world import MS, World


def herald(link: Link, id: QueueId) -> None:
    """A pair comes for this item, at both ends."""
    station = link.station
    station.seq += 1
    for device in station.devices:
        qubit = device.take_slot()
        device.reply(Pair(id, station.seq, BellIndex.PSI_PLUS, station.cycle(), 1, qubit=qubit))


@pytest.mark.parametrize("second", [2, 4])
@pytest.mark.parametrize("scheduler", ["fcfs", "priority", "wfq"])
@pytest.mark.parametrize("holds", [False, True])
def test_both_end_with_all_their_pairs(second: int, scheduler: str, holds: bool) -> None:
    """With two pairs for the second it fits beside the first's one; with four, neither does."""
    link = Link(World(1), success=1e-15, slots=4, holds=holds)
    link.use(scheduler)
    sinks: list[tuple[int, Sink]] = []
    for end, number, priority in ((0, 4, 2), (1, second, 0)):
        sinks.append(
            (end, link.create(end, number=number, priority=priority, consecutive=0, holds=holds))
        )
        link.world.run(for_ps=1 * MS)
    link.station.success = 1.0
    for item in sorted(link.ends[0].queue, key=lambda item: -item.number):
        herald(link, item.id)

    def release() -> None:
        for _, sink in sinks:
            for ok in sink.oks.values():
                assert ok.qubit is not None
                link.ends[0].release(ok.qubit)
                link.ends[1].release(ok.qubit)

    link.world.run(for_ps=20 * MS)
    if holds:  # the first to be complete has the memory until it is let go
        release()
        link.world.run(for_ps=20 * MS)
        release()
        link.world.run(for_ps=20 * MS)
    assert [len(sink.oks) for _, sink in sinks] == [4, second]
    assert all(sink.is_closed and not sink.failures for _, sink in sinks)
    assert link.is_idle
