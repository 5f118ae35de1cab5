"""The link layer of whole networks under load: 1, 10, 100 links, 1000 requests each.

Real devices, stations and switches (P4 programs on the embedded switch) and a controller that talks
P4Runtime, in virtual time; its packet-ins and packet-outs stay within the process unless --grpc is
given. Requests of either kind, at three priorities, come from both ends as a Poisson stream; some
have a time limit, some can't be met. At the end every request must have ended in one way (all its
OKs, or an ERR), both ends of a link must have the same pairs, and no slot may be taken; else the
exit is 1. Goal: the CPU time of a pair depends neither on the number of links nor on how many pairs
came before it.

    python benchmarks/link_load.py --store                 # table, stored figures, plot
    python benchmarks/link_load.py --links 1,10 --requests 100 --json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.progress import Progress

from qplane.collector import collect_seldom
from qplane.link.layer import LinkLayer
from qplane.link.messages import Failure, Ok
from qplane.net import loads
from qplane.simulate.session import Simulation, simulation
from qplane.wire.service import (
    Create,
    RandomBasis,
    RequestType,
    ServiceError,
    TimeUnit,
    encode_fidelity,
)

RESULTS = Path(__file__).parent / "link_load.json"
PLOT = RESULTS.with_suffix(".svg")
COLUMNS = ("links", "requests", "pairs", "packets", "virtual_s", "cpu_s", "cpu_us_per_pair")
TENTHS = 10
MS = 1_000_000_000
PURPOSE = 9
WEIGHTS = (0, 10, 1)
SCHEDULERS = ("fcfs", "priority", "wfq")
MOST_PAIRS = 5
SLOTS = 4  # of each end of a link
FAULTS = ("lost", "stuck_links", "disagreeing_links", "pairs_left")
DRAIN_PS = 20_000 * MS  # of virtual time, for what is under way at the end


def network(links: int) -> str:
    """A ring of as many nodes as links (two nodes for one link), a station on each link."""
    nodes = max(links, 2)
    lines = [
        '[network]\nname = "load"\nseed = 1\n',
        f'[memories.m]\nslots = {2 * SLOTS + 2}\nt2 = "1 s"\n[nodes]\n',
        *(f'n{n} = {{ memory = "m" }}\n' for n in range(nodes)),
        *(f"s{n} = {{ station = true }}\n" for n in range(links)),
        f'[defaults.link]\nlength = "5 km"\nemission_efficiency = 0.6\nlink_slots = {SLOTS}\n',
    ]
    lines += [
        f'[[links]]\nbetween = ["n{n}", "n{(n + 1) % nodes}"]\nherald = "s{n}"\n'
        for n in range(links)
    ]
    return "".join(lines)


@dataclass
class Tally:
    """What came of the requests of one link, and the sum of the pairs' numbers at either end."""

    ended: Counter[str] = field(default_factory=Counter)
    made: int = 0
    pairs: int = 0  # OKs at the originators that stayed valid
    sums: list[int] = field(default_factory=lambda: [0, 0])


class Taker:
    """A consumer that keeps nothing: pairs are counted and released."""

    def __init__(self, tally: Tally, side: int, release) -> None:  # type: ignore[no-untyped-def]
        self.tally = tally
        self.side = side
        self.release = release
        self.count = 0

    def ok(self, ok: Ok) -> None:
        self.count += 1
        self.tally.sums[self.side] += ok.seq
        if ok.qubit is not None:
            self.release(ok.qubit)

    def failed(self, failure: Failure) -> None:
        if failure.pairs is not None:  # the other end does not have it
            self.count -= 1
            self.tally.sums[self.side] -= failure.pairs.low

    def queued(self, create_id: int) -> None:
        pass

    def closed(self, create_id: int) -> None:
        pass


class Asker(Taker):
    """The originator's."""

    def __init__(self, tally: Tally, side: int, release, wanted: int) -> None:  # type: ignore[no-untyped-def]
        super().__init__(tally, side, release)
        self.wanted = wanted
        self.error: ServiceError | None = None

    def failed(self, failure: Failure) -> None:
        super().failed(failure)
        if failure.pairs is None:
            assert self.error is None, "a request failed twice"
            self.error = failure.message.error

    def closed(self, create_id: int) -> None:
        if self.error is None:
            assert self.count == self.wanted, (self.count, self.wanted)
        self.tally.ended["OK" if self.error is None else self.error.name] += 1
        self.tally.pairs += self.count


def request(random: Random, remote_node_id: int) -> Create:
    """One of the mix: K (2 in 5) and M, priorities 0 to 2, atomic ones, limits, impossible ones."""
    keep = random.random() < 0.4
    number = random.randint(1, MOST_PAIRS)
    atomic = keep and random.random() < 0.2 and number <= SLOTS
    limit_ms = random.choice((2, 20, 200)) if random.random() < 0.2 else 0
    asked = random.random()
    basis = RandomBasis.NONE if keep else random.choice((RandomBasis.NONE, RandomBasis.XZ))
    share = 128 if basis is RandomBasis.XZ else 0
    return Create(
        remote_node_id=remote_node_id,
        min_fidelity=encode_fidelity(0.9999 if asked < 0.02 else 0.8),  # more than the link gives
        time_unit=TimeUnit.MILLISECOND,
        max_time=limit_ms,
        purpose_id=99 if asked > 0.98 else PURPOSE,  # nobody listens to 99
        number=number,
        priority=random.choices((0, 1, 2), (1, 2, 2))[0],
        request_type=RequestType.KEEP if keep else RequestType.MEASURE,
        atomic=int(atomic),
        consecutive=int(not atomic and random.random() < 0.7),
        random_basis_local=basis,
        random_basis_remote=basis,
        probability_local_1=share,
        probability_remote_1=share,
    )


class Load:
    """Poisson arrivals at both ends of one link."""

    def __init__(self, layer: LinkLayer, ends, seed: int, count: int, per_s: float) -> None:  # type: ignore[no-untyped-def]
        self.layer = layer
        self.ends = ends
        self.random = Random(seed)
        self.left = count
        self.mean_ps = 1e12 / per_s
        self.tally = Tally()
        for side, end in enumerate(ends):
            end.egp.listen(PURPOSE, Taker(self.tally, side, end.egp.release))
        self._next()

    def _next(self) -> None:
        wait_ps = round(self.random.expovariate(1) * self.mean_ps)
        self.layer.timers.at(self.layer.timers.now_ps() + wait_ps, self._arrive)

    def _arrive(self) -> None:
        side = self.random.randrange(2)
        egp = self.ends[side].egp
        create = request(self.random, egp.options.remote_node_id)
        self.tally.made += 1
        egp.create(create, Asker(self.tally, side, egp.release, create.number))
        self.left -= 1
        if self.left:
            self._next()

    @property
    def is_over(self) -> bool:
        return not self.left and all(end.egp.is_idle for end in self.ends)


async def measure(
    links: int, requests: int, per_s: float, direct: bool, progress: Progress
) -> dict[str, object]:
    """One row of the table."""
    set_up = time.process_time()
    async with simulation(loads(network(links)), sample_limit=1, direct=direct) as running:
        await running.controller.connect()
        await running.controller.discover()
        await running.controller.install([])
        layer = LinkLayer(running.controller, running.clock)
        await layer.start()
        pairs_of = list(layer.ends.values())
        ends = [pairs_of[n : n + 2] for n in range(0, 2 * links, 2)]
        for number, (near, _) in enumerate(ends):
            name = SCHEDULERS[number % 3]
            await layer.use_scheduler(
                near.node, near.remote, name, WEIGHTS if name == "wfq" else ()
            )
        set_up = time.process_time() - set_up
        try:
            return {
                "links": links,
                **await run(running, layer, ends, requests, per_s, progress),
            } | {"set_up_s": set_up}
        finally:
            await layer.close()


class Tenths:
    """CPU time of a pair in each tenth of the pairs, as the run goes on."""

    def __init__(self, requests: int) -> None:
        self.us_per_pair: list[float] = []
        self._step = requests / TENTHS
        self._last = (time.process_time(), 0)

    def note(self, ended: int, pairs: int) -> None:
        if ended >= (len(self.us_per_pair) + 1) * self._step:
            cpu_s, before = self._last
            self._last = (time.process_time(), pairs)
            self.us_per_pair.append((self._last[0] - cpu_s) / max(1, pairs - before) * 1e6)


async def run(running: Simulation, layer, ends, requests, per_s, progress) -> dict[str, object]:  # type: ignore[no-untyped-def]
    engine = running.emulation.engine
    begin, begin_ps = time.process_time(), engine.now_ps
    events = engine.counters()["events"]
    loads = [Load(layer, pair, seed, requests, per_s) for seed, pair in enumerate(ends)]
    bar = progress.add_task(f"{len(ends)} links", total=requests * len(ends))
    give_up_ps = begin_ps + round(requests / per_s * 1e12) + DRAIN_PS
    tenths = Tenths(requests * len(ends))
    while not all(load.is_over for load in loads) and engine.now_ps < give_up_ps:
        await running.clock.sleep(10 * MS)
        done = sum(load.tally.ended.total() for load in loads)
        tenths.note(done, sum(load.tally.pairs for load in loads))
        progress.update(bar, completed=done)
    cpu_s = time.process_time() - begin
    ended: Counter[str] = Counter()
    for load in loads:
        ended += load.tally.ended
    pairs = sum(load.tally.pairs for load in loads)
    ins = sum(device.packet_ins_sent for device in running.emulation.devices.values())
    outs = sum(device.packet_outs_received for device in running.emulation.devices.values())
    return {
        "requests": sum(load.tally.made for load in loads),
        "ended": dict(sorted(ended.items())),
        "pairs": pairs,
        "lost": sum(load.tally.made - load.tally.ended.total() for load in loads),
        "stuck_links": sum(not load.is_over for load in loads),
        "disagreeing_links": sum(load.tally.sums[0] != load.tally.sums[1] for load in loads),
        "pairs_left": len(engine.link_pairs()),
        "packets": ins + outs,
        "events": engine.counters()["events"] - events,
        "virtual_s": (engine.now_ps - begin_ps) * 1e-12,
        "cpu_s": cpu_s,
        "cpu_us_per_pair": cpu_s / pairs * 1e6,
        "tenths_us_per_pair": tenths.us_per_pair,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--links", default="1,10,100")
    parser.add_argument("--requests", type=int, default=1000, help="per link")
    parser.add_argument("--rate", type=float, default=150.0, help="requests per second and link")
    parser.add_argument("--grpc", action="store_true", help="packets to the controller over gRPC")
    parser.add_argument("--store", action="store_true", help=f"write {RESULTS.name}, {PLOT.name}")
    parser.add_argument("--json", action="store_true", help="all figures, for machines")
    options = parser.parse_args()
    collect_seldom()
    rows = []
    with Progress(console=Console(stderr=True)) as progress:
        for links in map(int, options.links.split(",")):
            row = measure(links, options.requests, options.rate, not options.grpc, progress)
            rows.append(asyncio.run(row))
    if options.store:
        RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        plot(rows)
    print(json.dumps(rows, indent=1) if options.json else table(rows))
    sys.exit(any(row[fault] for row in rows for fault in FAULTS))


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["".join(f"{name:>16}" for name in COLUMNS)]
    for row in rows:
        lines.append("".join(f"{row[name]:>16.5g}" for name in COLUMNS))
        lines.append("  ended: " + ", ".join(f"{n} {how}" for how, n in row["ended"].items()))
        lines.append("  " + ", ".join(f"{fault} {row[fault]}" for fault in FAULTS))
    return "\n".join(lines)


def plot(rows: list[dict[str, Any]]) -> None:
    """CPU time of a pair over the run, a line for each number of links."""
    from matplotlib.figure import Figure

    axes = (figure := Figure(figsize=(6, 3.5), layout="constrained")).subplots()
    for row in rows:
        figures = row["tenths_us_per_pair"]
        shares = [(n + 1) / len(figures) for n in range(len(figures))]
        axes.plot(shares, figures, marker="o", label=f"{row['links']} links")
    axes.set(xlabel="share of the requests that have ended", ylabel="CPU time of a pair, µs")
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(PLOT, metadata={"Date": None})


if __name__ == "__main__":
    main()
