"""What each queue gets of a link under weighted fair queueing, on the real engine.

    python benchmarks/links/shares.py [--pairs 12000]

Queue 0 (weight 0: strict) has requests at random that want about 30 % of the link; queues 1 and 2
(weights 10 and 1) always have some waiting. The strict queue should get all it asks, the others
10/11 and 1/11 of the rest. Then the scheduler is changed twice while requests queue: strict
priority, first come first served, and WFQ again with the weights the other way round.
"""

from __future__ import annotations

import argparse
from typing import Any

from load import Kind, Load  # beside this script
from world import MS, World, plan, run, world, write

from qplane.wire.service import RequestType

LINK = {"length": "5 km", "emission_efficiency": 0.5, "detector_efficiency": 0.7}
STRICT = Kind("strict", 0, False, 5, 5)
TEN = Kind("ten", 1, False, 5, 5)
ONE = Kind("one", 2, False, 5, 5)
KINDS = (STRICT, TEN, ONE)
DEPTH = 12
STRICT_SHARE = 0.3
PHASES: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("wfq", (0, 10, 1)),
    ("priority", ()),
    ("fcfs", ()),
    ("wfq", (0, 1, 10)),
)


async def phase(w: World, load: Load, name: str, weights: tuple[int, ...], pairs: int) -> Any:
    """Change the scheduler, let what was queued before pass, and count so many pairs."""
    await w.layer.use_scheduler("a", "b", name, weights)
    start = load.pairs.total()
    while load.pairs.total() < start + 2 * DEPTH * TEN.most + 100:
        await w.clock.sleep(5 * MS)
    before, asked, start_ps = load.pairs.copy(), load.asked.copy(), w.clock.now_ps()
    while load.pairs.total() < before.total() + pairs:
        await w.clock.sleep(5 * MS)
    seconds = (w.clock.now_ps() - start_ps) / 1e12
    got = {kind.name: load.pairs[kind.name] - before[kind.name] for kind in KINDS}
    rest = got["ten"] + got["one"]
    strict = [s for s in load.served["strict"] if s.asked_ps >= start_ps]
    return {
        "scheduler": name,
        "weights": weights,
        "seconds": seconds,
        "pairs": got,
        "strict_asked": (load.asked["strict"] - asked["strict"]) * STRICT.most,
        "strict_mean_ms": sum(s.latency_ps for s in strict) / max(1, len(strict)) / MS,
        "of_the_rest": {name: got[name] / rest for name in ("ten", "one")},
    }


async def study(pairs: int, others: int) -> list[dict[str, Any]]:
    """Rows of the table."""
    async with world(plan(LINK, seed=4)) as w:
        estimator, timing = w.a.egp.estimator, w.a.egp.options.timing
        success = estimator.best(RequestType.MEASURE).success
        # A request's last pair is known to both ends some cycles after it was made.
        cycles = STRICT.most / success + max(timing.keep_cycles, timing.reply_cycles) - 1
        requests_per_s = 1e12 / (cycles * timing.cycle_ps)
        load = Load(w, seed=8)
        load.poisson(STRICT, STRICT_SHARE * requests_per_s)
        load.backlog(TEN, DEPTH)
        load.backlog(ONE, DEPTH)
        rows = []
        print("scheduler        pairs  strict: asked  got   mean ms  of the rest: ten     one")
        for number, (name, weights) in enumerate(PHASES):
            row = await phase(w, load, name, weights, others if number else pairs)
            rows.append(row)
            title = name + (f" {','.join(map(str, weights))}" if weights else "")
            print(
                f"{title:<14} {sum(row['pairs'].values()):>7} {row['strict_asked']:>13}"
                f" {row['pairs']['strict']:>5} {row['strict_mean_ms']:>8.2f}"
                f" {row['of_the_rest']['ten']:>18.4f} {row['of_the_rest']['one']:>7.4f}",
                flush=True,
            )
        load.stop()
        await w.settle()
        await load.close()
        return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=12000, help="counted with weights 0, 10, 1")
    parser.add_argument("--others", type=int, default=3000, help="with the other schedulers")
    options = parser.parse_args()
    write("shares", run(study(options.pairs, options.others)))


if __name__ == "__main__":
    main()
