"""One run from beginning to end: set up, generate, drain, measure, tear down.

Nothing here knows how the controller or the switches work; they talk P4Runtime over gRPC, while the
engine's clock runs only when :mod:`qplane.simulate.clock` lets it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from qplane.clock import PS_PER_SECOND
from qplane.control import Controller, DrainError, LinkStatus
from qplane.control.client import grpc_client
from qplane.control.timing import LONGEST_PS
from qplane.net import Network
from qplane.simulate.clock import Interrupted, VirtualClock
from qplane.simulate.direct import DirectClient
from qplane.simulate.emulated import EmulatedSwitch
from qplane.simulate.emulation import Emulation
from qplane.simulate.summary import Counted, Summary, summarize

_SLICE_PS = PS_PER_SECOND // 100


class StuckError(RuntimeError):
    """No event is left, yet there is work to do. `waiting` says what waits for what."""

    def __init__(self, waiting: list[str]) -> None:
        shown = "; ".join(waiting[:10]) + ("; ..." if len(waiting) > 10 else "")
        super().__init__(f"nothing can happen any more, but there is work left: {shown}")
        self.waiting = waiting


class StalledError(RuntimeError):
    """No pair was delivered for so long that none is to be expected."""


class UnfinishedError(RuntimeError):
    """A run that delivered too little or could not be brought to an end; `summary` is what it
    measured."""

    def __init__(self, problem: str, summary: Summary) -> None:
        super().__init__(problem)
        self.summary = summary


class LeftBehindError(RuntimeError):
    """Entries stand in a switch that should not, or are missing."""


class Stopped(str, Enum):
    """Why a run ended."""

    PAIRS = "pairs"
    TIME = "time"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Goal:
    """When to stop: after so many delivered pairs, at a virtual time, whichever comes first.

    Without a time, a run is given up when no pair is delivered for `patience_ps` of virtual time
    (None: a hundred times the longest cut-off of an end node, and a second).
    """

    pairs: int | None = None
    until_ps: int | None = None
    patience_ps: int | None = None

    def __post_init__(self) -> None:
        if self.pairs is None and self.until_ps is None:
            raise ValueError("a run needs a number of pairs or a time to stop at")


class Simulation:
    """A network that runs in virtual time, with its controller connected.

    Made by :func:`simulation`. `emulation`, `controller` and `clock` are there for tests and
    scripts that want more than :meth:`run`.
    """

    def __init__(
        self,
        plan: Network,
        emulation: Emulation,
        store: str | Path | None = None,
        *,
        direct: bool = False,
    ) -> None:
        self.plan = plan
        self.emulation = emulation
        self.clock = VirtualClock(emulation.engine, self._under_way)
        self._unsettled: set[str] = set()  # nodes where something may be under way
        self._store = store
        self._direct = direct
        emulation.on_inject = self.clock.wake
        self.controller = self._new_controller()
        self.stopped: Stopped | None = None
        self._started_ps = 0
        self._is_set_up = False
        self._standing: list[LinkStatus] | None = None

    def _new_controller(self) -> Controller:
        def direct_client(node: str, address: str) -> DirectClient:
            return DirectClient(address, lambda: self.emulation.devices[node])

        controller = Controller(
            self.plan,
            self.emulation.address,
            self.clock,
            store=self._store,
            secret=self.emulation.seed.to_bytes(8, "big"),  # what it sends follows from the seed
            new_client=direct_client if self._direct else grpc_client,
        )
        controller.on_exchange(self.clock.wake)
        return controller

    async def restart_controller(self) -> Controller:
        """The controller ends as it is, and another begins with the same store; not connected."""
        await self.controller.close()
        self.controller = self._new_controller()
        return self.controller

    def _under_way(self) -> tuple[int, str]:
        """A switch that another client has taken over exchanges nothing with our controller; one
        that ended our stream is about to be noticed."""
        # Asked again and again, of a thousand nodes: only those are looked at where something
        # happened since all was quiet there.
        for exchanged in (self.emulation.exchanged, self.controller.exchanged):
            while exchanged:
                self._unsettled.add(exchanged.pop())
        for name in [*self._unsettled]:
            packets = self.controller.packets(name)
            if packets is None:
                continue  # our controller may be about to become its primary
            device = self.emulation.devices[name]
            ins = max(device.packet_ins_to_primary - packets.ins_handled, 0)
            outs = max(packets.outs_sent - device.packet_outs_received, packets.sending)
            ended = not device.has_primary
            if ins or outs or ended:
                what = "its stream ended" if ended else f"{ins} packet-ins, {outs} packet-outs"
                return ins + outs + ended, f"{name}: {what}"
            self._unsettled.discard(name)
        return 0, ""

    async def set_up(self) -> None:
        """Connect, discover, install all circuits, start the hosts' pings."""
        await self.controller.connect()
        await self.controller.discover()
        await self.controller.install()
        self.emulation.start_pings()
        self._is_set_up = True

    async def generate(self, goal: Goal) -> Stopped:
        """Make and deliver pairs until the goal is reached. Raises StuckError, StalledError."""
        engine = self.emulation.engine
        self._started_ps = engine.now_ps
        await self.controller.start()
        self.clock.deliveries = goal.pairs
        patience_ps = goal.patience_ps or self._patience_ps()
        seen, give_up_ps = engine.delivered, engine.now_ps + patience_ps
        try:
            while True:
                if goal.pairs is not None and engine.delivered >= goal.pairs:
                    return self._stop(Stopped.PAIRS)
                if goal.until_ps is not None and engine.now_ps >= goal.until_ps:
                    return self._stop(Stopped.TIME)
                if engine.delivered > seen:
                    seen, give_up_ps = engine.delivered, engine.now_ps + patience_ps
                if goal.until_ps is None and engine.now_ps >= give_up_ps:
                    raise StalledError(
                        f"no pair was delivered for {patience_ps / PS_PER_SECOND:g} s of virtual "
                        f"time, after {engine.delivered} that were"
                    )
                reason = await self.clock.advance(goal.until_ps or give_up_ps)
                if reason == "interrupted":
                    raise Interrupted
                if reason == "idle" and goal.until_ps is None:
                    raise StuckError(engine.waiting() or ["no circuit generates pairs"])
        finally:
            self.clock.deliveries = None

    def _patience_ps(self) -> int:
        cutoffs = [plan.timing.end_cutoff_ps for plan in self.controller.plans.values()]
        return min(100 * max(cutoffs, default=0) + PS_PER_SECOND, LONGEST_PS)

    def _stop(self, why: Stopped) -> Stopped:
        self.stopped = why
        return why

    async def drain(self) -> None:
        """Generate no more; let everything under way end. Raises StuckError, DrainError."""
        self.emulation.engine.stop_pings()
        await self.controller.stop()
        await self.controller.drain()
        while (reason := await self.clock.advance(None)) != "idle":
            if reason == "interrupted":
                raise Interrupted
        waiting = self.emulation.engine.waiting()
        if waiting:
            raise StuckError(waiting)
        self._standing = await self.controller.status()

    async def check_entries(self) -> None:
        """Read all switches back. Raises LeftBehindError unless all is as it was written."""
        differences = await self.controller.verify()
        if differences:
            raise LeftBehindError("; ".join(str(difference) for difference in differences))

    async def tear_down(self) -> None:
        """Delete what was installed; read back that nothing is left. Raises LeftBehindError."""
        await self.check_entries()
        await self.controller.teardown()
        await self.check_entries()

    async def keep_going(self) -> None:
        """Generate pairs again, as fast as real time passes, until the task is cancelled."""
        try:
            await self.controller.start()
            self.emulation.start_pings()
            while True:
                await self.clock.advance(self.clock.now_ps() + _SLICE_PS)
                await asyncio.sleep(_SLICE_PS / PS_PER_SECOND)
        except (Interrupted, asyncio.CancelledError):
            return

    async def summary(self) -> Summary:
        """What was measured so far."""
        counted = Counted({}, {}, {})
        if self._is_set_up:
            counted = await Counted.read(self.controller, self._standing)
        return summarize(self.emulation, self._started_ps, self.stopped, counted)


@asynccontextmanager
async def simulation(
    plan: Network,
    *,
    seed: int | None = None,
    pcap_dir: Path | None = None,
    listen: str = "127.0.0.1:0",
    first_seq: int = 0,
    sample_limit: int = 100_000,
    store: str | Path | None = None,
    switch_type: Callable[..., EmulatedSwitch] = EmulatedSwitch,
    direct: bool = False,
) -> AsyncIterator[Simulation]:
    """A :class:`Simulation` of `plan`; on the way out its server and captures are closed.

    With `direct`, packet-ins and packet-outs stay within the process (`qplane.simulate.direct`).
    Raises OSError where captures can't be written or the address not be listened on.
    """
    emulation = Emulation(
        plan,
        seed=seed,
        pcap_dir=pcap_dir,
        listen=listen,
        first_seq=first_seq,
        sample_limit=sample_limit,
        switch_type=switch_type,
    )
    try:
        running = Simulation(plan, emulation, store, direct=direct)
        try:
            yield running
        finally:
            await running.controller.close()
    finally:
        emulation.close()


async def run(
    simulated: Simulation,
    goal: Goal,
    on_progress: Callable[[], None] | None = None,
    *,
    keep: bool = False,
) -> Summary:
    """Set up, generate, drain, measure, tear down (unless `keep`).

    After Ctrl-C (the engine interrupted, or this task cancelled) what was measured so far is
    returned, and the rest is left out. Raises UnfinishedError where pairs stop coming or memories
    do not become empty, and what the steps before raise.
    """
    simulated.clock.on_progress = on_progress
    try:
        await simulated.set_up()
        try:
            await simulated.generate(goal)
            await simulated.drain()
        except (StuckError, StalledError, DrainError) as error:
            simulated.stopped = Stopped.FAILED
            raise UnfinishedError(str(error), await simulated.summary()) from error
        summary = await simulated.summary()
        await (simulated.check_entries() if keep else simulated.tear_down())
        return summary
    except (Interrupted, asyncio.CancelledError):
        simulated.stopped = Stopped.INTERRUPTED
        return await simulated.summary()
