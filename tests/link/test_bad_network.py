"""Both layers on channels that lose, double and reorder, and a station whose REPLYs get lost."""

from __future__ import annotations

import pytest

from qplane.wire.service import RandomBasis, RequestType, TimeUnit

from .rig import Link, Sink
from .world import MS, Faults, World

MEASURE = {
    "request_type": RequestType.MEASURE,
    "random_basis_local": RandomBasis.XZ,
    "random_basis_remote": RandomBasis.XZ,
}


@pytest.mark.parametrize("loss", [1e-4, 1e-2, 0.1, 0.3])
@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4, 7, 25, 52])
def test_no_wrong_ok_and_everything_ends(loss: float, seed: int) -> None:
    world = World(seed)
    link = Link(world, faults=Faults(loss, duplication=0.1, reordering=0.2))
    link.use(["fcfs", "priority", "wfq"][seed % 3])
    random = world.random
    link.station.lose_reply = lambda end, seq: random.random() < loss
    link.station.lose_error = lambda end: random.random() < loss
    sinks: list[tuple[int, Sink]] = []
    for n in range(60):
        end = random.randrange(2)
        fields: dict[str, object] = dict(MEASURE) if random.random() < 0.5 else {}
        fields["number"] = random.randint(1, 4)
        fields["priority"] = random.randrange(8)
        fields["consecutive"] = random.randrange(2)
        fields["atomic"] = random.randrange(2)
        if random.random() < 0.2:
            fields |= {"max_time": random.randint(1, 30), "time_unit": TimeUnit.MILLISECOND}
        sinks.append((end, link.create(end, **fields)))
        world.run(for_ps=round(random.expovariate(1) * MS))
        if n % 15 == 14:
            end, sink = sinks[random.randrange(len(sinks))]
            if not sink.is_closed and sink.create_id is not None:
                link.ends[end].cancel(sink.create_id)
    assert world.run(lambda: link.is_idle, for_ps=100_000 * MS)
    link.check(sinks)
    complete = [s for _, s in sinks if not any(f.pairs is None for f in s.failures)]
    assert len(complete) > 25
