"""What the commands of `qplane link` do: on a running network, or on one in virtual time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from qplane.cli.errors import FAILED, fail
from qplane.live.api import OperationError
from qplane.terminal import console, table, watch

WIDE = 100
"""Columns that a table of links with everything in it takes."""


@dataclass(frozen=True)
class Where:
    """Which network, and how to print."""

    net: str | None
    simulate: Path | None
    as_json: bool


class Source(Protocol):
    """Where operations are done; :class:`qplane.live.client.Client` is one."""

    def call(self, operation: str, /, **arguments: Any) -> Any:
        """Do one and return its result."""
        ...

    def stream(self, operation: str, /, **arguments: Any) -> Iterator[Any]:
        """The values of one as they come."""
        ...


@contextmanager
def _source(where: Where) -> Iterator[Source]:
    """Ends the command with one line where an operation is refused."""
    from qplane.cli.link_simulation import simulated
    from qplane.live import client

    try:
        if where.simulate is not None:
            with simulated(where.simulate) as source:
                yield source
        else:
            with client.find(where.net) as running:
                yield running
    except OperationError as error:
        fail(str(error), FAILED)


def seconds(option: str, text: str | None) -> float:
    """The time that an option has, as the user writes it; 0 for none."""
    if text is None:
        return 0.0
    from qplane.net import units

    try:
        return units.TIME.parse(text) * 1e-12
    except units.UnitError as error:
        fail(f"{option}: {error}")


def create(where: Where, arguments: dict[str, Any]) -> None:
    """Order pairs, show progress, say what came."""
    with _source(where) as source:
        end = _follow(source.stream("link.create", **arguments), arguments["pairs"], where)
        if where.as_json:
            return
        ended = end["end"]
        spent = end["time_s"]
        rate = f", {ended['pairs'] / spent:.4g} pairs/s" if spent > 0 else ""
        print(f"{ended['pairs']} of {ended['wanted']} pairs in {spent:.6g} s{rate}")
        if ended["void"]:
            print(f"void, as the other end missed them: {', '.join(map(str, ended['void']))}")
        if arguments["hold_s"]:
            ends = f"{arguments['node']} {arguments['remote']}"
            print(
                f"held for {arguments['hold_s']:g} s each; let go with: qplane link release {ends}"
            )


def release(where: Where, node: str, remote: str) -> None:
    """Let go of what is held on a link."""
    with _source(where) as source:
        said = source.call("link.release", node=node, remote=remote)
        if where.as_json:
            print(json.dumps(said))
        else:
            pairs = "pair" if said["released"] == 1 else "pairs"
            print(f"{said['released']} {pairs} of {node} and {remote} let go")


def test(where: Where, arguments: dict[str, Any]) -> None:
    """Order test pairs, then show both ends' estimates."""
    with _source(where) as source:
        _follow(source.stream("link.test", **arguments), arguments["pairs"], where, quiet=True)
        ends = {arguments["node"], arguments["remote"]}
        rows = [row for row in source.call("link.status") if {row["node"], row["remote"]} == ends]
        if where.as_json:
            print(json.dumps(rows))
            return
        shown = table(
            None, "end", "setting", "calibrated and tested", "test pairs alone", "pairs",
            "QBER Z/X/Y", text=["setting"],
        )  # fmt: skip
        for row in rows:
            for setting in row["settings"]["tested"]:
                tested = setting.get("tested")
                shown.add_row(
                    f"{row['node']} → {row['remote']}",
                    _setting(setting),
                    _estimate(setting["fidelity"]),
                    "-" if tested is None else _estimate(tested),
                    "-" if tested is None else str(tested["pairs"]),
                    "-" if tested is None else "/".join(f"{tested['qber'][b]:.3f}" for b in "ZXY"),
                )
        console().print(shown)
        best = rows[0]["settings"]["best"]
        if best["bright_state"] is not None:
            print(
                f"the best setting of this link ({_setting(best)}) gives an estimated "
                f"{_estimate(best['fidelity'])}; --min-fidelity chooses the setting that is tested"
            )


def _setting(setting: dict[str, Any]) -> str:
    bright = setting["bright_state"]
    return "-" if bright is None else f"α {bright:.4g}"


def _estimate(said: dict[str, Any]) -> str:
    return f"{said['value']:.4f} ± {said['error']:.4f}"


def status(where: Where, node: str | None) -> None:
    """How links stand."""
    with _source(where) as source:
        rows = source.call("link.status", node=node)
        if where.as_json:
            print(json.dumps(rows, indent=2))
        else:
            console().print(_table(rows))


def top(where: Where, interval_s: float, count: int) -> None:
    """The same again and again."""
    with _source(where) as source:
        tables = source.stream("link.top", interval_s=interval_s, count=count)
        if where.as_json:
            for rows in tables:
                print(json.dumps(rows), flush=True)
            return
        watch(tables, _table)


def scheduler(where: Where, node: str, remote: str, name: str, weights: str) -> None:
    """Choose what a link serves next."""
    try:
        numbers = [int(weight) for weight in weights.split(",") if weight]
    except ValueError:
        fail(f"--weights is {weights!r}; whole numbers with commas between are wanted, like 0,10,1")
    with _source(where) as source:
        said = source.call("link.scheduler", node=node, remote=remote, name=name, weights=numbers)
        print(json.dumps(said) if where.as_json else f"{node}-{remote} is served by {name}")


def sample(where: Where, node: str, remote: str, every: int) -> None:
    """Have the station copy pairs to the controller."""
    with _source(where) as source:
        said = source.call("link.sample", node=node, remote=remote, every=every)
    if where.as_json:
        print(json.dumps(said))
    elif every:
        share = "each pair" if every == 1 else f"one pair in {every}"
        print(f"{share} of {node}-{remote} is copied to the controller")
    else:
        print(f"no pair of {node}-{remote} is copied to the controller")


def _follow(
    items: Iterator[dict[str, Any]], pairs: int, where: Where, *, quiet: bool = False
) -> dict[str, Any]:
    """Show pairs as they come; the last item."""
    terminal = Console(stderr=True)
    last: dict[str, Any] = {}
    with Progress(
        TextColumn("pairs"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=terminal,
        transient=True,
        disable=not terminal.is_terminal,
    ) as bar:
        task = bar.add_task("pairs", total=pairs)
        for item in items:
            last = item
            if where.as_json and not quiet:
                print(json.dumps(item), flush=True)
            if "pair" in item:
                bar.advance(task)
    return last


def _table(rows: list[dict[str, Any]]) -> Table:
    out = console()
    narrow = out.is_terminal and out.width < WIDE
    columns = [
        "link",
        "sched.",
        "queued",
        "memory",
        "pairs",
        "void",
        "pairs/s",
        "best F",
        "errors",
    ]
    left_out = {"sched.", "void"} if narrow else set()
    shown = table(
        None, *(c for c in columns if c not in left_out), text={"sched.", "errors"} - left_out
    )
    for row in rows:
        memory, fidelity = row["memory"], row["fidelity"]
        errors = {**row["errors"], **row["mhp_errors"]}
        held = f" ({len(row['held'])} held)" if row["held"] and not narrow else ""
        cells = {
            "link": f"{row['node']} → {row['remote']}",
            "sched.": row["scheduler"],
            "queued": _queued(row),
            "memory": f"{memory['held']}/{memory['capacity']}{held}",
            "pairs": str(row["pairs"]),
            "void": str(row["void"]),
            "pairs/s": f"{row['rate_per_s']:.4g}",
            "best F": f"{fidelity['value']:.3f}" if narrow else _estimate(fidelity),
            "errors": ", ".join(f"{name} {count}" for name, count in errors.items()) or "-",
        }
        shown.add_row(*(text for column, text in cells.items() if column not in left_out))
    return shown


def _queued(row: dict[str, Any]) -> str:
    """Items by priority, those at the end that are 0 left out; and what waits to be accepted."""
    queued = row["queued"]
    while len(queued) > 1 and not queued[-1]:
        queued = queued[:-1]
    return "/".join(map(str, queued)) + (f" +{row['waiting']}" if row["waiting"] else "")
