"""What requests wait under load, on the real engine: first come first served, and WFQ.

    python benchmarks/links/latency.py [--requests 2500] [--load 0.7 ...]

Classes as in Dahlberg et al. 2019: NL (network layer: keep 1 pair, strict priority), CK (keep 1 to
3), MD (measure 1 to 10), with 1 : 2 : 2 of the requests, at either end alike, at random times. Load
1 is what the link does of this mixture when it is never idle.

With one class of requests for one measured pair each, FCFS at load 0.7 is compared with the formula
of Pollaczek and Khinchine (M/G/1): attempts up to a success are geometric, so S = (G − 1 + R)·cycle
with R the cycles until both ends know, and the mean wait is λE[S²] / (2(1 − λE[S])).
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from load import Kind, Load, Served  # beside this script
from world import MS, SECOND, World, merge, plan, read, run, world, write

from qplane.wire.service import RequestType

LINK = {"length": "10 km", "emission_efficiency": 0.35, "detector_efficiency": 0.8}
NL = Kind("NL", 0, True, 1, 1)
CK = Kind("CK", 1, True, 1, 3)
MD = Kind("MD", 2, False, 1, 10)
SHARES = {NL: 0.2, CK: 0.4, MD: 0.4}
ONE = Kind("one", 0, False, 1, 1)
WEIGHTS = (0, 10, 1)
SCHEDULERS = ("fcfs", "wfq")
LOADS = (0.7, 0.99, 1.5)
BATCHES = 20
WARM_UP = 0.1
"""Of the time of a run, whose requests do not count."""


def mean_ms(served: list[Served]) -> tuple[float, float]:
    """Mean latency and its standard error, from the means of batches: neighbours are alike."""
    ordered = sorted(served)
    size = max(1, len(ordered) // BATCHES)
    means = [
        statistics.fmean(s.latency_ps for s in ordered[n * size : (n + 1) * size])
        for n in range(min(BATCHES, len(ordered) // size))
    ]
    error = statistics.stdev(means) / len(means) ** 0.5 if len(means) > 1 else 0.0
    return statistics.fmean(s.latency_ps for s in ordered) / MS, error / MS


async def use(w: World, scheduler: str) -> None:
    """FCFS, or WFQ with the weights."""
    await w.layer.use_scheduler("a", "b", scheduler, WEIGHTS if scheduler == "wfq" else ())


async def capacity(requests: int) -> float:
    """Requests a second of the mixture, of a link that always has some."""
    async with world(plan(LINK, seed=1)) as w:
        load = Load(w, seed=1)
        for kind, share in SHARES.items():
            load.poisson(kind, share * 3000)
        while sum(map(len, load.served.values())) < requests // 10:
            await w.clock.sleep(10 * MS)
        start_ps, before = w.clock.now_ps(), sum(map(len, load.served.values()))
        while sum(map(len, load.served.values())) < before + requests:
            await w.clock.sleep(10 * MS)
        served = sum(map(len, load.served.values())) - before
        await load.close()
        return served * SECOND / (w.clock.now_ps() - start_ps)


async def row(scheduler: str, share: float, per_s: float, requests: int) -> list[dict[str, Any]]:
    """One load and scheduler: figures of each class."""
    async with world(plan(LINK, seed=2)) as w:
        await use(w, scheduler)
        load = Load(w, seed=5)
        for kind, of_all in SHARES.items():
            load.poisson(kind, of_all * share * per_s)
        seconds = requests / (share * per_s)
        await w.clock.sleep(round(seconds * SECOND))
        warm_ps = round(WARM_UP * seconds * SECOND)
        rows = []
        for kind in SHARES:
            served = [s for s in load.served[kind.name] if s.asked_ps > warm_ps]
            latencies = sorted(s.latency_ps / MS for s in served)
            mean, error = mean_ms(served)
            rows.append(
                {
                    "load": share,
                    "scheduler": scheduler,
                    "class": kind.name,
                    "asked": load.asked[kind.name],
                    "served": len(load.served[kind.name]),
                    "pairs_per_s": load.pairs[kind.name] / seconds,
                    "mean_ms": mean,
                    "error_ms": error,
                    "median_ms": statistics.median(latencies),
                    "p95_ms": latencies[int(0.95 * len(latencies))],
                }
            )
        await load.close()
        return rows


async def table(
    requests: int, full: float, loads: list[float], schedulers: list[str]
) -> list[dict[str, Any]]:
    """These loads and schedulers. `full`: requests a second at load 1."""
    print(f"load 1: {full:.1f} requests/s; {requests} requests for each load and scheduler")
    print("load  scheduler  class  asked  served  pairs/s   mean ms    ±    median ms  95 % ms")
    rows = []
    for share in loads:
        for scheduler in schedulers:
            for found in await row(scheduler, share, full, requests):
                rows.append(found)
                print(
                    f"{share:<5} {scheduler:<10} {found['class']:<5} {found['asked']:>6}"
                    f" {found['served']:>7} {found['pairs_per_s']:>8.1f} {found['mean_ms']:>9.2f}"
                    f" {found['error_ms']:>6.2f} {found['median_ms']:>10.2f}"
                    f" {found['p95_ms']:>8.2f}",
                    flush=True,
                )
    return rows


async def single(share: float, requests: int) -> dict[str, float]:
    """FCFS, one class of one pair each: mean latency at this load, and the wait by the formula."""
    async with world(plan(LINK, seed=3)) as w:
        timing = w.a.egp.options.timing
        success = w.a.egp.estimator.best(RequestType.MEASURE).success
        known = max(timing.keep_cycles, timing.reply_cycles)
        cycle_s = timing.cycle_ps / SECOND
        mean = (1 / success - 1 + known) * cycle_s
        square = mean**2 + (1 - success) / success**2 * cycle_s**2
        per_s = share / mean
        load = Load(w, seed=7)
        load.poisson(ONE, per_s)
        await w.clock.sleep(round(requests / per_s * SECOND))
        warm_ps = round(WARM_UP * requests / per_s * SECOND)
        latency, error = mean_ms([s for s in load.served["one"] if s.asked_ps > warm_ps])
        await load.close()
        return {
            "load": share,
            "requests": len(load.served["one"]),
            "mean_ms": latency,
            "error_ms": error,
            "service_ms": mean * 1e3,
            "wait_ms": per_s * square / (2 * (1 - share)) * 1e3,
        }


async def formula(requests: int) -> dict[str, Any]:
    """Latency at load 0.7 from that of a link that is nearly idle, and the formula's waits."""
    idle, busy = await single(0.02, requests // 4), await single(0.7, requests)
    expected = idle["mean_ms"] - idle["wait_ms"] + busy["wait_ms"]
    error = (idle["error_ms"] ** 2 + busy["error_ms"] ** 2) ** 0.5
    print(
        f"M/G/1, FCFS at 0.7: mean latency {busy['mean_ms']:.3f} ms, formula {expected:.3f} ms "
        f"(± {error:.3f}); service {busy['service_ms']:.3f} ms, wait {busy['wait_ms']:.3f} ms"
    )
    return {"idle": idle, "busy": busy, "expected_ms": expected, "error_ms": error}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=2500)
    parser.add_argument("--singles", type=int, default=12000, help="requests of the one class")
    parser.add_argument("--load", type=float, action="append", help="0.7, 0.99, 1.5: all of them")
    parser.add_argument("--scheduler", choices=SCHEDULERS, action="append", help="both of them")
    parser.add_argument("--formula", action="store_true", help="compare with the formula alone")
    parser.add_argument("--capacity", action="store_true", help="measure what load 1 is alone")
    options = parser.parse_args()
    results = read("latency") or {}
    everything = not (options.formula or options.capacity or options.load)
    if options.formula or everything:
        results["formula"] = run(formula(options.singles))
    if options.capacity or everything or "requests_per_s_at_load_1" not in results:
        results["requests_per_s_at_load_1"] = run(capacity(options.requests))
    if options.load or everything:
        full = results["requests_per_s_at_load_1"]
        schedulers = options.scheduler or list(SCHEDULERS)
        rows = run(table(options.requests, full, options.load or list(LOADS), schedulers))
        results["rows"] = merge("latency", rows, "load", "scheduler", "class")
    write("latency", results)


if __name__ == "__main__":
    main()
