"""A network in real time, from its start to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from qplane.control import ArbitrationError, ControlError, Controller
from qplane.control.operations import operations as circuit_operations
from qplane.link.layer import LinkLayer
from qplane.link.operations import operations as link_operations
from qplane.live import guests, outside, rundir
from qplane.live.clock import NetworkClock
from qplane.live.fabric import Fabric, Report
from qplane.live.inside import InsideFabric
from qplane.live.keeping_up import KeepingUp
from qplane.live.operations import operations
from qplane.live.server import OperationServer
from qplane.live.status import Status, status
from qplane.net import Network
from qplane.simulate.summary import Counted, Summary, summarize

INSIDE_TIME_SCALE = 1.0
OUTSIDE_TIME_SCALE = 100.0
"""So that a millisecond, which a switch process may take on a busy machine, is 10 µs of the
network's time: little against coherence times of milliseconds."""

KEEP_INTERVAL_S = 1.0
"""Wall time between two looks at the switches; a lost connection is looked at once."""


@dataclass(frozen=True)
class Options:
    """How to run a network. `bmv2`: the program, None: from PATH; `time_scale` None: the default;
    `processes`: each switch in a process and namespace of its own (always so with BMv2); `store`:
    where the controller keeps its intent, None: it ends with the network."""

    target: str = "embedded"
    processes: bool = False
    bmv2: str | None = None
    time_scale: float | None = None
    listen: str = "127.0.0.1:0"
    seed: int | None = None
    pcap: Path | None = None
    store: Path | None = None


class LiveNetwork:
    """A network that runs: its switches, its engine, its controller, its operations."""

    def __init__(
        self, plan: Network, fabric: Fabric, folder: Path, report: Report, store: Path | None
    ) -> None:
        """Raises ControlError where `store` can't be used."""
        self.plan = plan
        self.fabric = fabric
        self.clock = NetworkClock(fabric.paced.pacer)
        self.controller = Controller(
            plan,
            fabric.addresses,
            self.clock,
            store=store,
            switch_time_scale=self.clock.time_scale if fabric.is_external else 1.0,
        )
        self.stopping = asyncio.Event()
        """Set to end the network: by Ctrl-C, by `qplane net down`."""
        self.mark = guests.new_mark(plan.name)
        """In the environment of commands that are run in its namespaces."""
        self._folder = folder
        self._report = report
        self.links = LinkLayer(self.controller, self.clock)
        offered = {
            **operations(self),
            **circuit_operations(self.controller, self.clock),
            **link_operations(self.links, self.clock),
        }
        self._server = OperationServer(folder, offered)
        self._keeping_up = KeepingUp(plan, fabric, report)
        self._beside: asyncio.Task[None] | None = None
        self._generating_since = time.monotonic()
        self._generating_since_ps = 0

    async def set_up(self) -> None:
        """Switches, engine, tables, circuits; then pairs are generated. Raises OperationError,
        ControlError, OSError."""
        guests.remember(self._folder, self.mark, self.fabric.namespaces())
        (self._folder / "hosts").write_text(guests.hosts_file(self.plan))
        await self.fabric.start()
        await self.controller.connect()
        await self.controller.discover()
        await self.controller.install()
        if not await self.fabric.paced.call(self.fabric.start_pings) and self.plan.pings:
            self._report("hosts are real: the [[pings]] of the file are left to `qplane net exec`")
        await self.controller.start()
        self._generating_since = time.monotonic()
        self._generating_since_ps = self.fabric.paced.pacer.now_ps()
        self.controller.events.subscribe(lambda event: self._report(str(event)))
        self._beside = asyncio.create_task(self._link_layer())
        await self._server.start()

    async def _control(self) -> None:
        """Keep the network as intended, for ever. Another controller that takes over (a P4Runtime
        client with a higher election id) has it until it leaves."""
        interval_ps = self.clock.network_ps(KEEP_INTERVAL_S)
        while True:
            try:
                await self.controller.keep(interval_ps)
            except ArbitrationError as error:
                self._report(f"{error}; standing by until it leaves")
                await self.controller.stand_by(interval_ps)

    async def _link_layer(self) -> None:
        """Beside the rest: where devices have no MHP, it waits for their answers in vain."""
        try:
            await self.links.start()
        except ControlError as error:
            self._report(f"there is no link layer: {error}")

    async def run(self) -> None:
        """Until `stopping`. Raises what ends the network by itself."""
        tasks: list[asyncio.Future[object]] = [
            asyncio.create_task(self.fabric.paced.until_failed()),
            asyncio.create_task(self._keeping_up.watch()),
            asyncio.create_task(self._control()),
            asyncio.create_task(self.stopping.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def status(self) -> Status:
        """How it stands."""
        return await status(self.plan, self.fabric, self.controller.plans, self._generating_since)

    async def summary(self) -> Summary:
        """What was measured, as of a simulation."""
        try:
            counted = await Counted.read(self.controller, None)
        except ControlError as error:  # a switch is away just now
            self._report(f"the switches' own counts are left out: {error}")
            counted = Counted({}, {}, self.controller.plans)
        return await self.fabric.paced.call(
            lambda: summarize(self.fabric.emulation, self._generating_since_ps, "stopped", counted)
        )

    async def close(self) -> None:
        """End and remove everything."""
        await self._server.stop()
        if self._beside is not None:
            self._beside.cancel()
            await asyncio.gather(self._beside, return_exceptions=True)
            await self.links.close()
        await self.controller.close()
        guests.end(self.mark, self.fabric.namespaces())
        await self.fabric.stop()


@asynccontextmanager
async def live_network(
    plan: Network, options: Options, folder: Path, report: Report
) -> AsyncIterator[LiveNetwork]:
    """A :class:`LiveNetwork` of `plan`, not set up yet; closed on the way out, whatever happens.

    `folder` is what :func:`qplane.live.rundir.claim` gave. Raises OperationError, OSError.
    """
    for pid in guests.end_forgotten(folder):
        report(f"ended process {pid}, which a killed run of this network had left")
    rundir.clear(folder)
    fabric = _fabric(plan, options, folder, report)
    try:
        try:
            network = LiveNetwork(plan, fabric, folder, report, options.store)
        except BaseException:
            await fabric.stop()
            raise
        try:
            yield network
        finally:
            await network.close()
    finally:
        rundir.clear(folder)


def _fabric(plan: Network, options: Options, folder: Path, report: Report) -> Fabric:
    if options.target == "bmv2":
        program = outside.bmv2(options.bmv2)
        outside.check_permitted("--target bmv2")
    elif options.processes:
        program = outside.embedded()
        outside.check_permitted("--clock real")
    else:
        return InsideFabric(
            plan,
            time_scale=options.time_scale or INSIDE_TIME_SCALE,
            listen=options.listen,
            seed=options.seed,
            pcap=options.pcap,
        )
    return outside.OutsideFabric(
        plan,
        program,
        folder,
        report,
        time_scale=options.time_scale or OUTSIDE_TIME_SCALE,
        listen=options.listen,
        seed=options.seed,
        pcap=options.pcap,
    )
