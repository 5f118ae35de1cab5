"""Draw the last figures of this folder into docs/.

python benchmarks/links/plot.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"


def results(name: str) -> Any:
    """What a script wrote."""
    return json.loads((HERE / f"{name}.json").read_text())


def save(figure: Any, name: str) -> None:
    """Without a date, so that the same figures give the same file."""
    figure.savefig(DOCS / name, metadata={"Date": None}, bbox_inches="tight")


def latency() -> None:
    """Mean latency of each class, by load and scheduler."""
    rows = results("latency")["rows"]
    loads = sorted({row["load"] for row in rows})
    figure, axes = plt.subplots(1, len(loads), figsize=(8, 2.6), sharey=True)
    for axis, load in zip(axes, loads, strict=True):
        for shift, scheduler in ((-0.2, "fcfs"), (0.2, "wfq")):
            of_these = [r for r in rows if r["load"] == load and r["scheduler"] == scheduler]
            axis.bar(
                [n + shift for n in range(len(of_these))],
                [row["mean_ms"] for row in of_these],
                width=0.36,
                yerr=[row["error_ms"] for row in of_these],
                label=scheduler,
            )
            axis.set_xticks(range(len(of_these)), [row["class"] for row in of_these])
        axis.set_yscale("log")
        axis.set_title(f"load {load}", fontsize=10)
    axes[0].set_ylabel("mean latency, ms")
    axes[0].legend(fontsize=8)
    save(figure, "link-latency.svg")


def closed_forms() -> None:
    """Success probability and fidelity over length: lines are closed forms, points the engine."""
    rows = results("closed_forms")["rows"]
    figure, (success, fidelity) = plt.subplots(1, 2, figsize=(8, 3))
    for scheme in dict.fromkeys(row["scheme"] for row in rows):
        of_these = [row for row in rows if row["scheme"] == scheme]
        km = [row["length_km"] for row in of_these]
        (line,) = success.plot(km, [r["success"]["closed_form"] for r in of_these], label=scheme)
        colour = line.get_color()
        success.plot(km, [r["success"]["engine"] for r in of_these], "o", ms=3, color=colour)
        fidelity.plot(km, [row["fidelity"]["closed_form"] for row in of_these], color=colour)
        fidelity.plot(km, [row["fidelity"]["engine"] for row in of_these], "o", ms=3, color=colour)
    success.set_yscale("log")
    success.set_ylabel("success probability of an attempt")
    fidelity.set_ylabel("heralded fidelity")
    for axis in (success, fidelity):
        axis.set_xlabel("km")
    success.legend(fontsize=6)
    figure.tight_layout()
    save(figure, "link-schemes.svg")


if __name__ == "__main__":
    plt.rcParams["svg.hashsalt"] = "qplane"
    latency()
    closed_forms()
