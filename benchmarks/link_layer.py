"""The link layer's protocols under load: latency by scheduler, cost of a pair with many links.

Both ends of every link run the real protocol code in one virtual time. Physics is the stub of
tests/link: a station that draws when attempts succeed, no quantum states, no switches. So the times
measured are those of DQP, EGP, scheduling and codecs.

    python benchmarks/link_layer.py latency     # table of latencies under load 0.7, 0.99, 1.5
    python benchmarks/link_layer.py scale       # 1, 10, 100 links with 1000 requests each
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from link.rig import NODE_IDS, PURPOSE, Link, Sink, create  # (the path above)
from link.world import MS, World

from qplane.link.egp import Egp
from qplane.link.messages import Failure, Ok
from qplane.wire.service import RandomBasis, RequestType

RESULTS = Path(__file__).parent / "link_layer.json"
CLASSES = ("NL", "CK", "MD")
"""As in Dahlberg et al. 2019: network layer (strict), create and keep, measure directly."""

MEASURE = {
    "request_type": RequestType.MEASURE,
    "random_basis_local": RandomBasis.XZ,
    "random_basis_remote": RandomBasis.XZ,
    "probability_local_1": 128,
    "probability_remote_1": 128,
}
WEIGHTS = [0, 10, 1]


def fields_of(priority: int, random: Random) -> dict[str, object]:
    """A request of this class: NL and CK keep 1 or up to 3 pairs, MD measures up to 10."""
    if priority == 2:
        return {"priority": 2, "number": random.randint(1, 10), **MEASURE}
    return {"priority": priority, "number": 1 if priority == 0 else random.randint(1, 3)}


class Tally(Sink):
    """A consumer that keeps no pair: of the ended requests of a long run nothing is left but sums,
    so that the memory of the measuring is not measured."""

    def __init__(self, egp: Egp, ends: list[int], end: int) -> None:
        super().__init__(egp)
        self.ends = ends  # at each end of the link: the sum of the pairs' numbers
        self.end = end

    def ok(self, ok: Ok) -> None:
        self.seen += 1
        self.ends[self.end] += ok.seq
        if ok.qubit is not None:
            assert self.egp is not None
            self.egp.release(ok.qubit)

    def failed(self, failure: Failure) -> None:
        raise AssertionError(failure)  # nothing is lost here


class Load:
    """Poisson arrivals at both ends of a link; `tallied`: nothing is kept of what has ended."""

    def __init__(
        self, link: Link, requests_per_s: float, random: Random, *, tallied: bool = False
    ) -> None:
        self.link = link
        self.mean_ps = 1e12 / requests_per_s
        self.random = random
        self.latencies_ps: dict[int, list[int]] = defaultdict(list)
        self.sinks: list[tuple[int, Sink]] = []
        self.stopped = False
        self.left = -1
        self.made = self.closed = self.pairs = 0
        self.sums = [0, 0]
        self.tallied = tallied
        if tallied:
            for end, egp in enumerate(link.ends):
                egp.listen(PURPOSE, Tally(egp, self.sums, end))
        self._next()

    def _next(self) -> None:
        self.link.world.after(round(self.random.expovariate(1) * self.mean_ps), self._arrive)

    def _arrive(self) -> None:
        if self.stopped or self.left == 0:
            return
        self.left -= 1
        priority = self.random.choices((0, 1, 2), (1, 2, 2))[0]
        end = self.random.randrange(2)
        start_ps = self.link.world.now_ps()
        if self.tallied:
            self._tally(end, priority)
            self._next()
            return
        sink = self.link.create(end, **fields_of(priority, self.random))
        original = sink.closed

        def closed(create_id: int) -> None:
            original(create_id)
            self.latencies_ps[priority].append(self.link.world.now_ps() - start_ps)

        sink.closed = closed  # type: ignore[method-assign]
        self.sinks.append((end, sink))
        self._next()

    def _tally(self, end: int, priority: int) -> None:
        egp = self.link.ends[end]
        fields = fields_of(priority, self.random)
        sink = Tally(egp, self.sums, end)
        self.made += 1

        def closed(create_id: int) -> None:
            assert sink.seen == fields["number"]
            self.closed += 1
            self.pairs += sink.seen

        sink.closed = closed  # type: ignore[method-assign]
        egp.create(create(NODE_IDS[1 - end], **fields), sink)


def capacity(scheduler: str) -> float:
    """Requests per second of a link that is never idle."""
    link, load = build(scheduler, 8000, seed=99)
    link.world.run(for_ps=500 * MS)
    served = sum(len(latencies) for latencies in load.latencies_ps.values())
    return served / 0.5


def build(scheduler: str, requests_per_s: float, seed: int) -> tuple[Link, Load]:
    link = Link(World(seed), success=0.3, slots=8)
    link.use(scheduler, WEIGHTS if scheduler == "wfq" else [])
    return link, Load(link, requests_per_s, Random(seed))


def percentile(values: list[int], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] / MS


def latency(seconds: float) -> list[dict[str, object]]:
    """Rows of the table."""
    rows: list[dict[str, object]] = []
    full = capacity("fcfs")
    print(f"capacity: {full:.0f} requests/s; {seconds} s of virtual time for each row")
    print("load  scheduler  class  requests/s  mean ms  median ms  95 % ms")
    for share in (0.7, 0.99, 1.5):
        for scheduler in ("fcfs", "wfq"):
            link, load = build(scheduler, share * full, seed=5)
            link.world.run(for_ps=round(seconds * 1000) * MS)
            for priority, name in enumerate(CLASSES):
                found = load.latencies_ps[priority]
                row = {
                    "load": share,
                    "scheduler": scheduler,
                    "class": name,
                    "served_per_s": len(found) / seconds,
                    "mean_ms": sum(found) / len(found) / MS,
                    "median_ms": percentile(found, 0.5),
                    "p95_ms": percentile(found, 0.95),
                }
                rows.append(row)
                print(
                    f"{share:<5} {scheduler:<10} {name:<6} {row['served_per_s']:>10.1f}"
                    f" {row['mean_ms']:>8.3f} {row['median_ms']:>10.3f} {row['p95_ms']:>8.3f}",
                    flush=True,
                )
    return rows


def scale(requests: int) -> list[dict[str, object]]:
    """Mixed kinds and priorities at a load of about 0.8, all links in one virtual time."""
    rows: list[dict[str, object]] = []
    per_s = 0.8 * capacity("wfq")
    print("links  requests    pairs  messages  CPU s  µs/pair  lost  stuck")
    for links in (1, 10, 100):
        world = World(1)
        rigs = [Link(world, success=0.3, slots=8) for _ in range(links)]
        loads = []
        for number, link in enumerate(rigs):
            link.use(("fcfs", "priority", "wfq")[number % 3], WEIGHTS if number % 3 == 2 else [])
            load = Load(link, per_s, Random(number), tallied=True)
            load.left = requests
            loads.append(load)
        start = time.process_time()
        while any(load.left for load in loads):
            world.run(for_ps=50 * MS)
        for link in rigs:
            world.run(lambda link=link: link.is_idle, for_ps=60_000 * MS)
        spent = time.process_time() - start
        stuck = sum(not link.is_idle for link in rigs)
        for link, load in zip(rigs, loads, strict=True):
            assert load.sums[0] == load.sums[1], "the ends have other pairs"
            assert not any(device.used for device in link.station.devices)
        pairs = sum(load.pairs for load in loads)
        row = {
            "links": links,
            "requests": sum(load.made for load in loads),
            "pairs": pairs,
            "messages": sum(channel.sent for link in rigs for channel in link.channels),
            "cpu_s": spent,
            "us_per_pair": spent / pairs * 1e6,
            "lost": sum(load.made - load.closed for load in loads),
            "stuck": stuck,
        }
        rows.append(row)
        print(
            f"{links:>5} {row['requests']:>9} {pairs:>8} {row['messages']:>9} {spent:>6.1f}"
            f" {row['us_per_pair']:>8.1f} {row['lost']:>5} {stuck:>6}",
            flush=True,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("latency", "scale"))
    parser.add_argument("--seconds", type=float, default=5.0, help="of virtual time per row")
    parser.add_argument("--requests", type=int, default=1000, help="per link")
    options = parser.parse_args()
    rows = latency(options.seconds) if options.what == "latency" else scale(options.requests)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[options.what] = rows
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
