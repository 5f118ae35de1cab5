"""The primary controller is killed: how long until the back-up has taken over, and what is missed.

    python benchmarks/failover.py [--trials 10] [--output FILE.json]

A chain of five nodes in real time (embedded switches, the engine paced by the wall clock) with a
circuit from end to end; two controllers in processes of their own over one store. In each trial the
primary is killed with SIGKILL and later started again, as back-up. Three cases:

- *kill*: nothing else happens, so delivery should go on as if nothing had happened;
- *kill and restart*: in the same moment the switch in the middle loses its program and entries, so
  no pair is delivered until the back-up has taken over and repaired it;
- *restart*: the switch restarts while the primary lives, for comparison.

`gap_ms` is the longest time between two deliveries around the event, `usual_ms` the longest before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from qplane.clock import RealClock
from qplane.control import ArbitrationError, Controller, Event, EventKind
from qplane.live.paced import PacedEngine
from qplane.net import load
from qplane.simulate.emulation import Emulation

NETWORK = """
[network]
name = "fail-over"
[memories.m]
slots = 8
[nodes]
n0 = { memory = "m" }
n1 = { memory = "m" }
n2 = { memory = "m" }
n3 = { memory = "m" }
n4 = { memory = "m" }
[defaults.link]
length = "25 km"
[[links]]
between = ["n0", "n1"]
[[links]]
between = ["n1", "n2"]
[[links]]
between = ["n2", "n3"]
[[links]]
between = ["n3", "n4"]
[[circuits]]
name = "c"
from = "n0"
to = "n4"
slots = 2
cutoff = "50 ms"
"""
MIDDLE = "n2"


# ---- a controller, in a process of its own ----


async def control(folder: Path, address: str) -> None:
    """Stand by, be primary, stand by again; the first that comes sets the circuit up."""
    network = load(folder / "net.toml")
    controller = Controller(network, address, RealClock(), store=folder / "intent.db")

    def tell(event: Event) -> None:
        print(json.dumps([time.monotonic(), event.kind.value, event.text]), flush=True)

    controller.events.subscribe(tell)
    while True:
        await controller.stand_by()
        try:
            if not controller.plans:
                await controller.discover()
                await controller.install()
                await controller.start()
            await controller.keep()
        except ArbitrationError:
            continue


class Process:
    """Such a process and the events that it told."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[tuple[float, str, str]] = []
        self.is_primary = False
        self._changed = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, folder: Path, address: str) -> Process:
        command = [sys.executable, __file__, "--control", str(folder), "--address", address]
        return cls(await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE))

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            when, kind, text = json.loads(line)
            async with self._changed:
                self.events.append((when, kind, text))
                if kind in (EventKind.PRIMARY, EventKind.BACK_UP):
                    self.is_primary = kind == EventKind.PRIMARY
                self._changed.notify_all()

    async def told(self, kind: EventKind, since: float) -> float:
        """When it told of something, waiting until it does."""
        async with self._changed:
            while True:
                times = [when for when, k, _ in self.events if k == kind.value and when >= since]
                if times:
                    return times[0]
                await asyncio.wait_for(self._changed.wait(), 60)

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


# ---- the network and the trials ----


class Bench:
    """The running network, and when its pairs were delivered."""

    def __init__(self, folder: Path) -> None:
        self.plan = load(folder / "net.toml")
        self.emulation = Emulation(self.plan, sample_limit=5_000_000)
        self.paced = PacedEngine(self.emulation.engine, 1.0)
        self.emulation.on_inject = self.paced.pacer.wake

    async def now_ps(self) -> int:
        return await self.paced.call(lambda: self.emulation.engine.now_ps)

    async def longest_gap_ms(self, from_ps: int, to_ps: int) -> float:
        """The longest time without a delivery in that interval, its ends included."""

        def measure() -> float:
            rows = self.emulation.engine.deliveries()
            times = np.sort(np.maximum(rows["head_delivered_ps"], rows["tail_delivered_ps"]))
            times = times[(times > from_ps) & (times < to_ps)]
            return float(np.diff(np.concatenate([[from_ps], times, [to_ps]])).max()) / 1e9

        return await self.paced.call(measure)

    async def delivering(self) -> None:
        """Wait until pairs come."""
        before = await self.paced.call(lambda: self.emulation.engine.delivered)
        while await self.paced.call(lambda: self.emulation.engine.delivered) < before + 100:
            await asyncio.sleep(0.01)

    async def restart_middle(self) -> None:
        await asyncio.to_thread(self.emulation.restart_switch, MIDDLE)


async def trial(
    bench: Bench, primary: Process, other: Process, *, kill: bool, restart: bool
) -> dict[str, float]:
    """One case; the figures in milliseconds."""
    await bench.delivering()
    before_ps = await bench.now_ps()
    await asyncio.sleep(1.0)
    event_ps, began = await bench.now_ps(), time.monotonic()
    if kill:
        await primary.kill()
    if restart:
        await bench.restart_middle()
    figures: dict[str, float] = {}
    if kill:
        figures["take_over_ms"] = 1e3 * (await other.told(EventKind.PRIMARY, began) - began)
    else:
        figures["repaired_ms"] = 1e3 * (await primary.told(EventKind.REPAIRED, began) - began)
    await bench.delivering()
    await asyncio.sleep(1.0)
    # Not before: the engine stands still while it is asked.
    figures["usual_ms"] = await bench.longest_gap_ms(before_ps, event_ps)
    figures["gap_ms"] = await bench.longest_gap_ms(event_ps, await bench.now_ps())
    return figures


CASES = {
    "kill": {"kill": True, "restart": False},
    "kill and restart": {"kill": True, "restart": True},
    "restart": {"kill": False, "restart": True},
}


async def run(trials: int, folder: Path) -> dict[str, object]:
    """All trials; median and maximum of each figure, and what must be 0."""
    (folder / "net.toml").write_text(NETWORK)
    bench = Bench(folder)
    bench.paced.start()
    address = bench.emulation.address
    processes = [await Process.start(folder, address)]
    try:
        await processes[0].told(EventKind.CIRCUIT_UP, 0)
        processes.append(await Process.start(folder, address))
        await processes[1].told(EventKind.BACK_UP, 0)
        measured: dict[str, list[dict[str, float]]] = {name: [] for name in CASES}
        for _ in range(trials):
            for name, case in CASES.items():
                primary, other = sorted(processes, key=lambda p: not p.is_primary)
                measured[name].append(await trial(bench, primary, other, **case))
                if case["kill"]:
                    processes = [other, await Process.start(folder, address)]
                    await processes[1].told(EventKind.BACK_UP, 0)
        circuits = await bench.paced.call(bench.emulation.engine.circuits)
    finally:
        for process in processes:
            if process.process.returncode is None:
                await process.kill()
        bench.paced.stop()
        bench.emulation.close()
    figures = {
        name: {
            key: {
                "median": round(statistics.median(f[key] for f in listed), 1),
                "max": round(max(f[key] for f in listed), 1),
            }
            for key in listed[0]
        }
        for name, listed in measured.items()
    }
    return {
        "trials": trials,
        "cpus": os.cpu_count(),
        **figures,
        "delivered": sum(c["count"] for c in circuits),
        "wrong_frames": sum(c["wrong_frames"] for c in circuits),
        "mismatches": sum(c["mismatches"] for c in circuits),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--control", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--address", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.control is not None:
        asyncio.run(control(options.control, options.address))
        return
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(asyncio.run(run(options.trials, Path(folder))), indent=2)
    print(text)
    if options.output is not None:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
