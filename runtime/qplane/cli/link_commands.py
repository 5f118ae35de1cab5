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


def seconds(text: str | None) -> float:
    """A time as the user writes it; 0 for none."""
    if text is None:
        return 0.0
    from qplane.net import units

    try:
        return units.TIME.parse(text) * 1e-12
    except units.UnitError as error:
        fail(f"--max-time: {error}")


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


def test(where: Where, arguments: dict[str, Any]) -> None:
    """Order test pairs, then show both ends' estimates."""
    with _source(where) as source:
        _follow(source.stream("link.test", **arguments), arguments["pairs"], where, quiet=True)
        ends = {arguments["node"], arguments["remote"]}
        rows = [row for row in source.call("link.status") if {row["node"], row["remote"]} == ends]
        if where.as_json:
            print(json.dumps(rows))
            return
        shown = table(None, "end", "fidelity", "QBER Z", "QBER X", "QBER Y", "test pairs")
        for row in rows:
            qber, fidelity = row["qber"], row["fidelity"]
            shown.add_row(
                f"{row['node']} to {row['remote']}",
                f"{fidelity['value']:.4f} ± {fidelity['error']:.4f}",
                *(f"{qber[b]['rate']:.4f}" if b in qber else "-" for b in "ZXY"),
                str(sum(of_basis["pairs"] for of_basis in qber.values())),
            )
        console().print(shown)


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
    shown = table(
        None, "link", "sched.", "queued", "memory", "pairs", "void", "pairs/s",
        "fidelity", "errors", text=["sched.", "errors"],
    )  # fmt: skip
    for row in rows:
        memory, fidelity = row["memory"], row["fidelity"]
        errors = {**row["errors"], **row["mhp_errors"]}
        shown.add_row(
            f"{row['node']} → {row['remote']}",
            row["scheduler"],
            "/".join(map(str, row["queued"])) + (f" +{row['waiting']}" if row["waiting"] else ""),
            f"{memory['held']}/{memory['capacity']}",
            str(row["pairs"]),
            str(row["void"]),
            f"{row['rate_per_s']:.4g}",
            f"{fidelity['value']:.4f} ± {fidelity['error']:.4f}",
            ", ".join(f"{name} {count}" for name, count in errors.items()) or "-",
        )
    return shown
