"""A summary as aligned tables for the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qplane.simulate.summary import CircuitSummary, Estimate, Summary
from qplane.terminal import table


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
    made = table(title, *columns)
    made.columns[0].min_width = 16  # the tables stand below each other
    return made


def _circuit(circuit: CircuitSummary) -> Table:
    shown = _table(
        f"{circuit.name}: {circuit.head} to {circuit.tail}, {circuit.hops} links",
        "",
        "measured",
        "± std. err.",
        "expected",
        "a priori",
    )
    shown.add_row("pairs delivered", str(circuit.delivered))
    shown.add_row("rate", *_estimate(circuit.rate_per_s, 1, " /s"))
    shown.add_row("fidelity", *_estimate(circuit.fidelity))
    shown.add_row("QBER Z", *_estimate(circuit.qber_z))
    shown.add_row("QBER X", *_estimate(circuit.qber_x))
    for label in ("p50", "p90", "p99"):
        shown.add_row(f"latency, {label}", _with_unit(circuit.latency_ms.get(label), " ms"))
    return shown


def _estimate(estimate: Estimate, digits: int = 5, unit: str = "") -> tuple[str, str, str, str]:
    values = (estimate.value, estimate.std_error, estimate.expected, estimate.a_priori)
    value, error, expected, a_priori = (
        "" if each is None else f"{each:.{digits}f}{unit}" for each in values
    )
    return value, error, expected, a_priori


def _network(summary: Summary) -> Table:
    shown = _table("the whole network", "", "")
    shown.show_header = False
    wrong = summary.wrong_frames + summary.mismatches + summary.void_mismatches
    shown.add_row("virtual time", f"{summary.virtual_time_s:.4f} s")
    shown.add_row("pairs delivered", str(summary.delivered))
    per_pair = summary.messages_per_pair
    shown.add_row("QCI messages per pair", "" if per_pair is None else f"{per_pair:.2f}")
    shown.add_row("pairs expired on the way", str(summary.expired))
    shown.add_row("wrong frames, mismatched pairs", _must_be_zero(wrong))
    if summary.slots_in_use is not None and summary.unconfirmed is not None:
        shown.add_row("delivered at one end alone", _must_be_zero(summary.one_sided))
        shown.add_row("slots left in use", _must_be_zero(summary.slots_in_use))
        shown.add_row("expiries unconfirmed", _must_be_zero(summary.unconfirmed))
    shown.add_row("frames dropped by switches", str(sum(summary.drops.values())))
    for reason, count in summary.drops.items():
        shown.add_row(f"  {reason}", str(count))
    for fault, count in summary.faults.items():
        if count:
            shown.add_row(f"frames {fault} by a fault", str(count))
    return shown


def _pings(summary: Summary) -> Table:
    shown = _table("classical round trips", "", "sent", "received", "min", "mean", "max")
    for ping in summary.pings:
        shown.add_row(
            f"{ping.source} → {ping.target}",
            str(ping.sent),
            str(ping.received),
            *(_with_unit(ping.rtt_ms[name], " ms") for name in ("min", "mean", "max")),
        )
    return shown


def _must_be_zero(count: int) -> str:
    return f"[bold red]{count}[/]" if count else "0"


def _with_unit(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3f}{unit}"
