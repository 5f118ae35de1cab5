"""How circuits look on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

Values = Mapping[str, Any]


def _table(*columns: str) -> Table:
    """The first column is text, the others numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place and not column.islower() else "left")
    return table


def _promised(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def circuits_table(circuits: Iterable[Values]) -> RenderableType:
    """One row each."""
    table = _table("circuit", "path", "Slots", "Cut-off ms", "Fidelity", "Rate/s", "state")
    for circuit in circuits:
        table.add_row(
            circuit["name"],
            " - ".join(circuit["path"]),
            str(circuit["slots"]),
            f"{circuit['cutoff_ms']:.3g}",
            _promised(circuit["fidelity"]),
            _promised(circuit["rate_per_s"]),
            "running" if circuit["generating"] else "stopped",
        )
    return table


def circuit_report(circuit: Values) -> RenderableType:
    """One circuit with its hops."""
    promise = Text("best effort: nothing was asked for")
    if circuit["fidelity"] is not None:
        promise = Text(
            f"promised: fidelity {circuit['fidelity']:.4g} at {circuit['rate_per_s']:.4g} pairs/s"
        )
    table = _table("node", "Label in", "Slots", "In use", "Heralded", "Swapped", "Delivered",
                   "Expired")  # fmt: skip
    for hop in circuit["hops"]:
        sides = hop["sides"]
        table.add_row(
            hop["node"],
            " ".join(str(side["label"]) for side in sides),
            " ".join(f"{side['slots'][0]}-{side['slots'][1]}" for side in sides),
            str(sum(side["in_use"] for side in sides)),
            str(hop["heralded"]),
            str(hop["swapped"]),
            str(hop["delivered"]),
            str(hop["expired"]),
        )
    return Group(circuits_table([circuit]), promise, table)


def top_report(now: Values) -> RenderableType:
    """What `qplane top` shows."""
    table = _table("circuit", "ends", "Hops", "Delivered", "Rate/s", "Promised", "Expired")
    for circuit in now["circuits"]:
        table.add_row(
            circuit["name"],
            f"{circuit['head']} - {circuit['tail']}",
            str(len(circuit["path"]) - 1),
            str(circuit["delivered"]),
            _promised(circuit["measured_rate_per_s"]),
            _promised(circuit["rate_per_s"]),
            str(circuit["expired"]),
        )
    nodes = _table("node", "Slots", "In use")
    for node in now["nodes"]:
        nodes.add_row(node["node"], str(node["slots"]), str(node["in_use"]))
    return Group(Text(f"network time {now['time_s']:.1f} s"), table, Text(), nodes)
