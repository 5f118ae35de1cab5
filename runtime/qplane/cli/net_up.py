"""`qplane net up`: checks the input, runs the network, prints what it is and what it did."""

from __future__ import annotations

import asyncio
import json
import math
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from qplane.cli.errors import FAILED, INTERRUPTED, fail
from qplane.collector import collect_seldom
from qplane.control import ControlError
from qplane.live import netns, rundir
from qplane.live.api import OperationError
from qplane.live.network import LiveNetwork, Options, live_network
from qplane.live.report import overview, status_report
from qplane.net import Network, NetworkFileError, load
from qplane.simulate.report import report as summary_report
from qplane.switch.listen import ListenError, split_address
from qplane.terminal import console

TARGETS = ("embedded", "bmv2")
CLOCKS = ("paced", "real")


@dataclass(frozen=True)
class Arguments:
    """The command's arguments and options."""

    network: Path
    target: str
    clock: str
    time_scale: float | None
    bmv2: str | None
    listen: str
    seed: int | None
    pcap: Path | None
    store: Path | None
    stations: bool
    as_json: bool


def run(arguments: Arguments) -> None:
    """The whole command."""
    try:
        plan = load(arguments.network, stations=arguments.stations)
    except NetworkFileError as error:
        fail(str(error))
    options = _options(arguments)
    collect_seldom()
    try:
        came_up = asyncio.run(_up(plan, options, arguments.as_json))
    except NetworkFileError as error:  # what only putting it together shows
        fail(f"{arguments.network}: {error.problem}")
    except (OperationError, ControlError) as error:
        fail(str(error), FAILED)
    except OSError as error:
        text = str(error) if error.filename is None else f"{error.filename}: {error.strerror}"
        fail(text, FAILED)
    if not came_up:
        raise typer.Exit(INTERRUPTED)


def _options(arguments: Arguments) -> Options:
    target, clock, scale = arguments.target, arguments.clock, arguments.time_scale
    if target not in TARGETS:
        fail(f"--target {target}: must be one of {', '.join(TARGETS)}")
    clock = clock or ("real" if target == "bmv2" else "paced")
    if clock not in CLOCKS:
        fail(f"--clock {clock}: must be one of {', '.join(CLOCKS)}")
    if target == "bmv2" and clock == "paced":
        fail("--clock paced: BMv2 runs in processes of its own, with --clock real alone")
    if arguments.bmv2 is not None and target != "bmv2":
        fail("--bmv2 is for --target bmv2")
    if scale is not None and not (math.isfinite(scale) and 1e-6 <= scale <= 1e6):
        fail(f"--time-scale {scale:g}: must be from 0.000001 to 1000000")
    try:
        split_address(arguments.listen)
    except ListenError as error:
        fail(f"--listen: {error}")
    if arguments.pcap is not None:
        try:
            arguments.pcap.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fail(f"--pcap {arguments.pcap}: can't be written: {error.strerror}")
    processes = clock == "real"
    if processes and target == "embedded" and not netns.permitted():
        _say("not root: no interfaces, the switches run inside this process (as --clock paced)")
        processes = False
    return Options(
        target=target,
        processes=processes,
        bmv2=arguments.bmv2,
        time_scale=scale,
        listen=arguments.listen,
        seed=arguments.seed,
        pcap=arguments.pcap,
        store=arguments.store,
    )


def _say(line: str) -> None:
    print(f"qplane: {line}", file=sys.stderr, flush=True)


async def _up(plan: Network, options: Options, as_json: bool) -> bool:
    """False if the user stopped it before it was up."""
    with rundir.claim(plan.name) as folder:
        async with live_network(plan, options, folder, _say) as network:
            with _stopped_by_signals(network):
                if not await _unless_stopped(network, network.set_up()):
                    return False
                await _announce(network, as_json)
                await network.run()
            await _sum_up(network, as_json)
            return True


async def _unless_stopped(network: LiveNetwork, work: object) -> bool:
    """Do `work`; False if the user stopped the network before it was done."""
    working = asyncio.ensure_future(work)  # type: ignore[call-overload]  # a coroutine
    stopping = asyncio.create_task(network.stopping.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return False
    working.result()
    return True


@contextmanager
def _stopped_by_signals(network: LiveNetwork) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end the network in order; a second one at once."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)
        network.stopping.set()

    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _announce(network: LiveNetwork, as_json: bool) -> None:
    status = (await network.status()).as_dict()
    if as_json:
        print(json.dumps(status, ensure_ascii=False), flush=True)
        return
    console().print(overview(status, network.plan))
    _say(f"network {network.plan.name} runs; Ctrl-C ends it")


async def _sum_up(network: LiveNetwork, as_json: bool) -> None:
    status = (await network.status()).as_dict()
    summary = await network.summary()
    if as_json:
        document = {"status": status, "summary": summary.as_dict()}
        print(json.dumps(document, ensure_ascii=False), flush=True)
        return
    console().print(summary_report(summary))
    console().print(status_report(status))
