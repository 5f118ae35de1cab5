"""How circuits look on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from qplane.terminal import table

Values = Mapping[str, Any]


def _promised(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _rounds(circuit: Values) -> str:
    """Rounds of distillation: between the ends, or "on links" with the rounds of each."""
    if any(circuit["link_rounds"]):
        return "links " + " ".join(str(rounds) for rounds in circuit["link_rounds"])
    return str(circuit["distil"])


def circuits_table(circuits: Iterable[Values]) -> RenderableType:
    """One row each."""
    shown = table(
        None, "circuit", "path", "slots", "cut-off ms", "distil", "fidelity", "pairs/s", "state",
        text=["path", "state"],
    )  # fmt: skip
    for circuit in circuits:
        shown.add_row(
            circuit["name"],
            " - ".join(circuit["path"]),
            str(circuit["slots"]),
            f"{circuit['cutoff_ms']:.3g}",
            _rounds(circuit),
            _promised(circuit["fidelity"]),
            _promised(circuit["rate_per_s"]),
            "running" if circuit["generating"] else "stopped",
        )
    return shown


def circuit_report(circuit: Values) -> RenderableType:
    """One circuit with its hops."""
    promise = Text("best effort: nothing was asked for")
    if circuit["fidelity"] is not None:
        promise = Text(
            f"promised: fidelity {circuit['fidelity']:.4g} at {circuit['rate_per_s']:.4g} pairs/s"
        )
    if circuit["request"] != "keep":
        promise.append(f"; request: {circuit['request']}")
    shown: list[RenderableType] = [circuits_table([circuit]), promise, _hops_table(circuit)]
    for feeder in circuit["feeders"]:
        on = f"distilled on {' - '.join(feeder['path'])}, rounds: {feeder['distil']}"
        shown += [Text(on), _hops_table(feeder)]
    return Group(*shown)


def _hops_table(circuit: Values) -> RenderableType:
    """What the nodes of a circuit, or of one that distils for it, have counted."""
    columns = ["heralded", "swapped", "delivered", "expired"]
    if circuit["distil"]:
        columns.append("completed")  # what came through the rounds of distillation
    hops = table(None, "node", "label", "slots", "in use", *columns)
    for hop in circuit["hops"]:
        sides = hop["sides"]
        hops.add_row(
            hop["node"],
            " ".join(str(side["label"]) for side in sides),
            " ".join(f"{side['slots'][0]}-{side['slots'][1]}" for side in sides),
            str(sum(side["in_use"] for side in sides)),
            *(str(hop[column]) for column in columns),
        )
    return hops


def top_report(now: Values) -> RenderableType:
    """What `qplane top` shows."""
    circuits = table(
        None, "circuit", "ends", "hops", "delivered", "pairs/s", "promised", "expired",
        text=["ends"],
    )  # fmt: skip
    for circuit in now["circuits"]:
        circuits.add_row(
            circuit["name"],
            f"{circuit['head']} - {circuit['tail']}",
            str(len(circuit["path"]) - 1),
            str(circuit["delivered"]),
            _promised(circuit["measured_rate_per_s"]),
            _promised(circuit["rate_per_s"]),
            str(circuit["expired"]),
        )
    nodes = table(None, "node", "slots", "in use")
    for node in now["nodes"]:
        nodes.add_row(node["node"], str(node["slots"]), str(node["in_use"]))
    shown: list[RenderableType] = [Text(f"network time {now['time_s']:.1f} s"), circuits, nodes]
    if now["unlisted_links"]:
        unlisted = table(
            "Links that the network file lacks", "node", "link", "leads to", "its link"
        )
        for link in now["unlisted_links"]:
            remote = link["remote_node"] or f"node id {link['remote_node_id']}"
            unlisted.add_row(link["node"], str(link["number"]), remote, str(link["remote_link"]))
        shown.append(unlisted)
    if now["telemetry"]:
        telemetry = table(None, "node", "told", "what", "count", text=["told", "what"])
        for row in now["telemetry"]:
            telemetry.add_row(row["node"], row["kind"], row["name"], str(row["count"]))
        shown.append(telemetry)
    return Group(*shown)
