"""What the commands of `qplane link` do: on a running network, or on one in virtual time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from qplane.cli.acting import refusals
from qplane.cli.errors import INTERRUPTED, fail
from qplane.terminal import console, table, watch

_NAMES = {
    "node": "NODE",
    "hold_s": "--hold",
    "max_time_s": "--max-time",
    "interval_s": "--interval",
}
"""Arguments of operations whose option has another name, or none."""

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

    with refusals(_NAMES):
        if where.simulate is not None:
            with simulated(where.simulate) as source:
                yield source
        else:
            with client.find(where.net) as running:
                yield running


def seconds(option: str, text: str | None) -> float:
    """The time that an option has, as the user writes it; 0 for none."""
    if text is None:
        return 0.0
    from qplane.net import units

    try:
        return units.TIME.parse(text) * 1e-12
    except units.UnitError as error:
        fail(f"{option} {text}: {error}")


def create(where: Where, arguments: dict[str, Any]) -> None:
    """Order pairs, show progress, say what came."""
    with _source(where) as source:
        followed = _follow(source.stream("link.create", **arguments), arguments["pairs"], where)
        pairs, spent, void = followed.pairs, followed.time_s, followed.void
        if not where.as_json:
            rate = f", {pairs / spent:.4g} pairs/s" if spent > 0 else ""
            print(f"{pairs} of {arguments['pairs']} pairs in {spent:.6g} s{rate}")
            if void:
                print(f"void, as the other end missed them: {', '.join(map(str, void))}")
        if followed.is_interrupted:
            _interrupted("the request is cancelled", where)
        if arguments["hold_s"] and not where.as_json:
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
        tests = source.stream("link.test", **arguments)
        followed = _follow(tests, arguments["pairs"], where, quiet=True)
        ends = {arguments["node"], arguments["remote"]}
        rows = [row for row in source.call("link.status") if {row["node"], row["remote"]} == ends]
        if followed.is_interrupted and not where.as_json:
            print(f"{followed.pairs} of {arguments['pairs']} test pairs were measured")
        _show_test(rows, where)
        if followed.is_interrupted:
            _interrupted("the test is cancelled", where)


def _show_test(rows: list[dict[str, Any]], where: Where) -> None:
    """Both ends' estimates."""
    if where.as_json:
        print(json.dumps(rows))
    else:
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
        if not where.as_json:
            watch(tables, _table)
            return
        with suppress(KeyboardInterrupt):
            for rows in tables:
                print(json.dumps(rows), flush=True)


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


@dataclass
class _Followed:
    """How far a request came: until its end, or until Ctrl-C."""

    pairs: int = 0
    time_s: float = 0.0
    void: Sequence[int] = ()
    is_interrupted: bool = False


def _interrupted(what: str, where: Where) -> NoReturn:
    """End the command after Ctrl-C; what was reached has been shown."""
    if where.as_json:
        print(json.dumps({"interrupted": True}), flush=True)
    fail(f"interrupted; {what}", INTERRUPTED)


def _follow(
    items: Iterator[dict[str, Any]], pairs: int, where: Where, *, quiet: bool = False
) -> _Followed:
    """Show pairs as they come."""
    terminal = Console(stderr=True)
    followed = _Followed()
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
        try:
            for item in items:
                followed.time_s = item["time_s"]
                if where.as_json and not quiet:
                    print(json.dumps(item), flush=True)
                if "pair" in item:
                    followed.pairs += 1
                    bar.advance(task)
                else:
                    followed.pairs, followed.void = item["end"]["pairs"], item["end"]["void"]
        except KeyboardInterrupt:
            followed.is_interrupted = True
    return followed


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
