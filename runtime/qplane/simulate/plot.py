"""A picture of a run: how good the pairs were, and when they came."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from qplane.simulate.emulation import Emulation
from qplane.simulate.summary import CircuitSummary, Summary


def plot(summary: Summary, emulation: Emulation, path: Path) -> None:
    """Write the fidelity histogram and the delivery times of each circuit to `path` (PNG).

    Raises OSError where that can't be written.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    sample = emulation.engine.deliveries()
    names = list(emulation.nodes)
    for index, circuit in enumerate(summary.circuits):
        chosen = (sample["head_node"] == names.index(circuit.head)) & (
            sample["tail_node"] == names.index(circuit.tail)
        )
        colour = f"C{index % 10}"
        _fidelities(left, circuit, sample["fidelity"][chosen], colour)
        delivered = np.maximum(sample["head_delivered_ps"], sample["tail_delivered_ps"])[chosen]
        _times(right, circuit, (delivered - sample["emitted_ps"][chosen]) / 1e9, delivered, colour)
    left.set(title="fidelity of the delivered pairs", xlabel="fidelity to Φ+", ylabel="pairs")
    right.set(
        title="delivery times",
        xlabel="virtual time (s)",
        ylabel="latency, first emission to delivery (ms)",
    )
    right.set_ylim(bottom=0)
    if summary.circuits:
        left.legend(loc="upper left")
    figure.suptitle(f"{summary.network}, seed {summary.seed}: {summary.delivered} pairs")
    # No date and no version of the library, so that the same run gives the same bytes.
    figure.savefig(path, dpi=120, metadata={"Software": None})


def _fidelities(
    axes: Axes, circuit: CircuitSummary, values: NDArray[np.float64], colour: str
) -> None:
    if not len(values):
        return
    # A wrong read-out at a swap leaves a few pairs far below all others; they would squeeze these.
    least = float(np.quantile(values, 0.01)) - 0.01
    shown = values[values >= least]
    hidden = len(values) - len(shown)
    label = circuit.name + (f" ({hidden} pairs further left)" if hidden else "")
    axes.hist(shown, bins=60, color=colour, alpha=0.6, label=label)
    if circuit.fidelity.value is not None:
        axes.axvline(circuit.fidelity.value, color=colour, linewidth=1.5, label="mean")
    if circuit.fidelity.expected is not None:
        axes.axvline(
            circuit.fidelity.expected,
            color="black",
            linewidth=1.5,
            linestyle=":",
            label="expected mean",
        )


def _times(
    axes: Axes,
    circuit: CircuitSummary,
    latency_ms: NDArray[np.float64],
    delivered_ps: NDArray[np.int64],
    colour: str,
) -> None:
    axes.plot(
        delivered_ps / 1e12,
        latency_ms,
        linestyle="none",
        marker=".",
        markersize=2,
        color=colour,
        alpha=0.4,
        label=circuit.name,
        rasterized=True,
    )
