"""A summary as aligned tables for the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qplane.simulate.summary import CircuitSummary, Estimate, Summary


def report(summary: Summary) -> RenderableType:
    """What `qplane simulate` prints at the end."""
    parts: list[RenderableType] = [_circuits(summary), _network(summary)]
    if summary.pings:
        parts.append(_pings(summary))
    parts.append(_counts(summary))
    if summary.stopped == "interrupted":
        parts.append(Text("interrupted: this is what was measured so far", style="yellow"))
    return Group(*parts)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="")
    table.add_column(columns[0])
    for column in columns[1:]:
        table.add_column(column, justify="right")
    return table


def _circuits(summary: Summary) -> Table:
    table = _table(
        f"{summary.network}: {summary.nodes} nodes, seed {summary.seed}",
        "circuit",
        "",
        "measured",
        "std. error",
        "expected",
        "a priori",
    )
    for circuit in summary.circuits:
        _circuit_rows(table, circuit)
    return table


def _circuit_rows(table: Table, circuit: CircuitSummary) -> None:
    table.add_section()
    name = f"{circuit.name}: {circuit.head} – {circuit.tail}, {circuit.hops} hops"
    table.add_row(name, "pairs delivered", str(circuit.delivered))
    table.add_row("", "rate per second", *_estimate(circuit.rate_per_s, 2))
    for label, estimate in (
        ("fidelity", circuit.fidelity),
        ("QBER Z", circuit.qber_z),
        ("QBER X", circuit.qber_x),
    ):
        table.add_row("", label, *_estimate(estimate))
    for label in ("p50", "p90", "p99"):
        table.add_row("", f"latency {label}", _with_unit(circuit.latency_ms.get(label), " ms"))


def _estimate(estimate: Estimate, digits: int = 5) -> tuple[str, str, str, str]:
    error = estimate.std_error
    return (
        _fixed(estimate.value, digits),
        "" if error is None else f"± {error:.{digits}f}",
        _fixed(estimate.expected, digits),
        _fixed(estimate.a_priori, digits),
    )


def _network(summary: Summary) -> Table:
    table = _table("network", "", "")
    table.show_header = False
    wrong = summary.wrong_frames + summary.mismatches + summary.void_mismatches
    table.add_row("virtual time", f"{summary.virtual_time_s:.4f} s")
    table.add_row("pairs delivered", str(summary.delivered))
    table.add_row("QCI messages per pair", _fixed(summary.messages_per_pair, 2))
    table.add_row("pairs expired on the way", str(summary.expired))
    table.add_row("wrong frames, mismatched pairs", _must_be_zero(wrong))
    if summary.slots_in_use is not None and summary.unconfirmed is not None:
        table.add_row("delivered at one end alone", _must_be_zero(summary.one_sided))
        table.add_row("slots left in use", _must_be_zero(summary.slots_in_use))
        table.add_row("expiries unconfirmed", _must_be_zero(summary.unconfirmed))
    for fault, count in summary.faults.items():
        if count:
            table.add_row(f"frames {fault}", str(count))
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


def _counts(summary: Summary) -> Table:
    table = _table("frames dropped by switches", "reason", "frames")
    for reason, count in summary.drops.items():
        table.add_row(reason, str(count))
    if not summary.drops:
        table.add_row("none", "0")
    return table


def _must_be_zero(count: int) -> str:
    return f"[bold red]{count}[/]" if count else "0"


def _fixed(value: float | None, digits: int = 5) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _with_unit(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3f}{unit}"
