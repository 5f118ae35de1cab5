"""A summary as aligned tables for the terminal."""

from __future__ import annotations

from rich.box import ROUNDED
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qplane.simulate.summary import CircuitSummary, Estimate, Summary


def report(summary: Summary) -> RenderableType:
    """What `qplane simulate` prints at the end."""
    title = f"{summary.network}: {summary.nodes} nodes, seed {summary.seed}"
    parts: list[RenderableType] = [Text(title, style="bold")]
    parts += [_circuit(circuit) for circuit in summary.circuits]
    if summary.pings:
        parts.append(_pings(summary))
    parts.append(_network(summary))
    if summary.stopped == "interrupted":
        parts.append(Text("interrupted: this is what was measured so far", style="yellow"))
    return Group(*parts)


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="", header_style="dim", box=ROUNDED
    )
    table.add_column(columns[0], min_width=16)
    for column in columns[1:]:
        table.add_column(column, justify="right")
    return table


def _circuit(circuit: CircuitSummary) -> Table:
    table = _table(
        f"{circuit.name}: {circuit.head} to {circuit.tail}, {circuit.hops} links",
        "",
        "measured",
        "± std. err.",
        "expected",
        "a priori",
    )
    table.add_row("pairs delivered", str(circuit.delivered))
    table.add_row("rate", *_estimate(circuit.rate_per_s, 1, " /s"))
    table.add_row("fidelity", *_estimate(circuit.fidelity))
    table.add_row("QBER Z", *_estimate(circuit.qber_z))
    table.add_row("QBER X", *_estimate(circuit.qber_x))
    for label in ("p50", "p90", "p99"):
        table.add_row(f"latency, {label}", _with_unit(circuit.latency_ms.get(label), " ms"))
    return table


def _estimate(estimate: Estimate, digits: int = 5, unit: str = "") -> tuple[str, str, str, str]:
    values = (estimate.value, estimate.std_error, estimate.expected, estimate.a_priori)
    value, error, expected, a_priori = (
        "" if each is None else f"{each:.{digits}f}{unit}" for each in values
    )
    return value, error, expected, a_priori


def _network(summary: Summary) -> Table:
    table = _table("the whole network", "", "")
    table.show_header = False
    wrong = summary.wrong_frames + summary.mismatches + summary.void_mismatches
    table.add_row("virtual time", f"{summary.virtual_time_s:.4f} s")
    table.add_row("pairs delivered", str(summary.delivered))
    per_pair = summary.messages_per_pair
    table.add_row("QCI messages per pair", "" if per_pair is None else f"{per_pair:.2f}")
    table.add_row("pairs expired on the way", str(summary.expired))
    table.add_row("wrong frames, mismatched pairs", _must_be_zero(wrong))
    if summary.slots_in_use is not None and summary.unconfirmed is not None:
        table.add_row("delivered at one end alone", _must_be_zero(summary.one_sided))
        table.add_row("slots left in use", _must_be_zero(summary.slots_in_use))
        table.add_row("expiries unconfirmed", _must_be_zero(summary.unconfirmed))
    table.add_row("frames dropped by switches", str(sum(summary.drops.values())))
    for reason, count in summary.drops.items():
        table.add_row(f"  {reason}", str(count))
    for fault, count in summary.faults.items():
        if count:
            table.add_row(f"frames {fault} by a fault", str(count))
    return table


def _pings(summary: Summary) -> Table:
    table = _table("classical round trips", "", "sent", "received", "min", "mean", "max")
    for ping in summary.pings:
        table.add_row(
            f"{ping.source} → {ping.target}",
            str(ping.sent),
            str(ping.received),
            *(_with_unit(ping.rtt_ms[name], " ms") for name in ("min", "mean", "max")),
        )
    return table


def _must_be_zero(count: int) -> str:
    return f"[bold red]{count}[/]" if count else "0"


def _with_unit(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3f}{unit}"
