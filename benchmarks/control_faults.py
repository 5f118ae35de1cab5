"""A million pairs while everything fails at once: messages, gRPC, switches, fibres, controllers.

    python benchmarks/control_faults.py [--pairs 1000000] [--seeds 1] [--output FILE.json]
    python benchmarks/control_faults.py --only tampering --seeds 3 --pairs 100000

`--seeds 1 2 3` makes three runs of so many pairs each; `--only` leaves out all other faults of the
control plane (those of messages and of calls stay).

Six nodes in a ring with two chords, five circuits of which two distil, in virtual time through real
P4Runtime. Message faults as in FAULTS below on every channel; control-plane faults as in RATES, per
second of virtual time; calls to switches fail as in CALLS. When the pairs are delivered no fault
happens any more, and the controller has to bring the network to rest; then circuits are stopped,
drained, torn down.

Wanted: no wrong frame, no pair joined with another's half, no slot in use, no expiry unconfirmed,
no entry left. *One-sided*: delivered at one end, and lost at the other without word of it; that
happens where entries that a pair under way needs are deleted behind the controller's back.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from qplane.net import loads
from qplane.simulate.chaos import CallFaults, Chaos, FaultySwitch, Rates
from qplane.simulate.session import StuckError, simulation

FAULTS = {
    "loss": 0.02,
    "duplication": 0.05,
    "reordering": 0.05,
    "delay": 0.05,
    "corruption": 0.02,
    "mean_delay": "1 ms",
}
RATES = Rates(
    stream_drops=1.0,
    restarts=0.5,
    cuts=0.7,
    tampering=1.0,
    moves=0.7,
    controller_restarts=0.1,
    checks=8.0,
)
CALLS = {"lost_request": 0.02, "lost_answer": 0.02, "ended_stream": 0.002}
LINKS = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (1, 4), (0, 3)]
CIRCUITS = [(0, 2, 0), (0, 4, 1), (1, 3, 0), (5, 3, 0), (2, 5, 1)]
"""Ends, and rounds of distillation."""


def network_file(seed: int) -> str:
    """The network as TOML."""
    parts = [f'[network]\nname = "storm"\nseed = {seed}', "[memories.m]\nslots = 48", "[nodes]"]
    parts += [f'n{i} = {{ memory = "m" }}' for i in range(6)]
    parts += [f'[[links]]\nbetween = ["n{a}", "n{b}"]\nlength = "10 km"' for a, b in LINKS]
    for i, (a, b, rounds) in enumerate(CIRCUITS):
        parts.append(
            f'[[circuits]]\nname = "c{i}"\nfrom = "n{a}"\nto = "n{b}"\n'
            f'slots = {2 + 4 * rounds}\ndistil = {rounds}\ncutoff = "20 ms"'
        )
    faults = "\n".join(f"{key} = {json.dumps(value)}" for key, value in FAULTS.items())
    return "\n".join([*parts, f"[faults]\n{faults}"])


async def storm(pairs: int, rates: Rates, seed: int, store: Path) -> dict[str, object]:
    """Deliver `pairs`, come to rest, drain, tear down; the figures."""
    faults = CallFaults(seed=seed)
    began = time.monotonic()
    async with simulation(
        loads(network_file(seed)),
        store=store,
        sample_limit=0,
        switch_type=FaultySwitch.with_faults(faults),
    ) as running:
        await running.set_up()
        await running.controller.start()
        for name, value in CALLS.items():
            setattr(faults, name, value)
        chaos = Chaos(running, faults, rates, seed)
        await chaos.run(pairs)
        virtual_s = running.clock.now_ps() / 1e12
        converged = await chaos.settle()
        differences = await running.controller.verify()
        try:
            await running.drain()
        except StuckError as error:
            waiting = [line for line in error.waiting if "was delivered, its other end" not in line]
            if waiting:
                raise StuckError(waiting) from error
        await running.tear_down()
        engine = running.emulation.engine
        counted, counters = engine.circuits(), engine.counters()
        return {
            "pairs": engine.delivered,
            "pairs_of_circuits": per_circuit(counted, running.emulation.nodes),
            "wrong_frames": sum(c["wrong_frames"] for c in counted),
            "mismatches": sum(c["mismatches"] for c in counted),
            "one_sided": counters["one_sided"],
            "voids": counters["voids"],
            "voids_after_complete": counters["voids_after_complete"],
            "void_mismatches": counters["void_mismatches"],
            "slots_in_use": counters["slots_in_use"],
            "expired": counters["expired"],
            "messages": {
                name: counters[f"channel_{name}"]
                for name in ("qci", "lost", "duplicated", "reordered", "delayed", "corrupted")
            },
            "control_faults": dict(chaos.happened),
            "call_faults": dict(faults.happened),
            "events": {kind.value: count for kind, count in chaos.events.items()},
            "differences_at_rest": len(differences),
            "converged": {**asdict(converged), "after_s": converged.after_ps / 1e12},
            "virtual_s": virtual_s,
            "real_s": time.monotonic() - began,
        }


def per_circuit(counted: list[dict[str, Any]], nodes: Mapping[str, int]) -> dict[str, int]:
    """Pairs delivered between the ends of each circuit, whichever path it took."""
    counts: Counter[frozenset[int]] = Counter()
    for row in counted:
        counts[frozenset((row["head_node"], row["tail_node"]))] += row["count"]
    return {
        f"c{i}: n{a} - n{b}, {rounds} rounds": counts[frozenset((nodes[f"n{a}"], nodes[f"n{b}"]))]
        for i, (a, b, rounds) in enumerate(CIRCUITS)
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    kinds = [kind.name for kind in fields(Rates) if kind.name not in ("checks", "mean_cut_s")]
    parser.add_argument("--only", choices=kinds, nargs="+", help="faults of the control plane")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rates = RATES
    if options.only is not None:
        rates = replace(RATES, **{kind: 0.0 for kind in kinds if kind not in options.only})
    runs = []
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            figures = asyncio.run(storm(options.pairs, rates, seed, Path(folder) / "intent.db"))
        circumstances = {"faults": FAULTS, "calls": CALLS, "rates_per_s": asdict(rates)}
        runs.append({"seed": seed, **circumstances, **figures})
    text = json.dumps(runs, indent=2)
    print(text)
    if options.output is not None:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
