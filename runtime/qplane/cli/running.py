"""Runs a simulation for the command line: progress, Ctrl-C, what is printed and written."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from qplane.cli.errors import FAILED, INTERRUPTED, fail
from qplane.cli.simulate import Options
from qplane.collector import collect_seldom
from qplane.control import ControlError
from qplane.net import Network, NetworkFileError
from qplane.simulate.clock import ControllerStuckError
from qplane.simulate.report import report
from qplane.simulate.session import (
    Goal,
    LeftBehindError,
    Simulation,
    Stopped,
    UnfinishedError,
    simulation,
)
from qplane.simulate.session import run as run_session
from qplane.simulate.summary import Summary
from qplane.terminal import console


def execute(options: Options, plan: Network, goal: Goal) -> None:
    """Run `plan`, print and write the results; ends the command where that is not possible."""
    collect_seldom()
    try:
        summary = asyncio.run(_simulate(options, plan, goal))
    except OSError as error:
        fail(str(error) if error.filename is None else f"{error.filename}: {error.strerror}")
    except NetworkFileError as error:  # what only putting it together shows
        fail(f"{options.network}: {error.problem}")
    except (ControlError, UnfinishedError, LeftBehindError, ControllerStuckError) as error:
        fail(str(error), FAILED)
    if summary.stopped == Stopped.INTERRUPTED:
        raise typer.Exit(INTERRUPTED)


async def _simulate(options: Options, plan: Network, goal: Goal) -> Summary:
    async with simulation(
        plan,
        seed=options.seed,
        pcap_dir=options.out if options.pcap else None,
        listen=options.listen,
    ) as simulated:
        with _interruptible(simulated), _progress(simulated, goal) as on_progress:
            if options.serve:
                _announce(simulated)
            try:
                summary = await run_session(simulated, goal, on_progress, keep=options.serve)
            except UnfinishedError as error:
                _print(error.summary, options.as_json)
                _write(error.summary, simulated, options)
                raise
        _print(summary, options.as_json)
        _write(summary, simulated, options)
        if options.serve and summary.stopped != Stopped.INTERRUPTED:
            with _interruptible(simulated):
                await _serve(simulated)
        return summary


def _announce(simulated: Simulation) -> None:
    ids = ", ".join(f"{node.name} {node.id}" for node in simulated.plan.nodes.values())
    print(f"P4Runtime server: {simulated.emulation.address}", file=sys.stderr)
    print(f"device ids: {ids}", file=sys.stderr, flush=True)


async def _serve(simulated: Simulation) -> None:
    print("The network goes on, in real time. Ctrl-C ends it.", file=sys.stderr, flush=True)
    await simulated.keep_going()


@contextmanager
def _interruptible(simulated: Simulation) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the engine and the task at hand; a second one ends everything."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None  # we are inside a coroutine

    def stop(number: int, frame: FrameType | None) -> None:
        for handled, before in handlers.items():
            signal.signal(handled, before)
        simulated.emulation.engine.interrupt()
        loop.call_soon_threadsafe(task.cancel)

    # Known before the first is replaced: a signal may come at any moment from then on.
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in handlers:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, before in handlers.items():
            signal.signal(number, before)


@contextmanager
def _progress(simulated: Simulation, goal: Goal) -> Iterator[Callable[[], None]]:
    """A bar on stderr, where that is a terminal; yields what moves it."""
    engine = simulated.emulation.engine
    terminal = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn() if goal.pairs else TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=terminal,
        transient=True,
        disable=not terminal.is_terminal,
    ) as bar:
        total = goal.pairs if goal.pairs is not None else goal.until_ps
        task = bar.add_task("pairs" if goal.pairs else "virtual time", total=total)

        def on_progress() -> None:
            bar.update(task, completed=engine.delivered if goal.pairs else engine.now_ps)

        yield on_progress


def _print(summary: Summary, as_json: bool) -> None:
    if as_json:
        print(json.dumps(summary.as_dict(), indent=2, ensure_ascii=False), flush=True)
    else:
        console().print(report(summary))


def _write(summary: Summary, simulated: Simulation, options: Options) -> None:
    if options.out is None:
        return
    text = json.dumps(summary.as_dict(), indent=2, ensure_ascii=False) + "\n"
    (options.out / "summary.json").write_text(text, encoding="utf-8")
    if summary.stopped in (Stopped.INTERRUPTED, Stopped.FAILED):
        return  # a picture takes longer than an impatient user, and may have nothing to show
    from qplane.simulate.plot import plot

    plot(summary, simulated.emulation, options.out / "plot.png")
    if not options.as_json:
        what = "captures, " if options.pcap else ""
        print(f"{what}plot.png and summary.json are in {options.out}/")
