"""Whether the machine keeps up with the network, and what it means if not.

What counts is how much a qubit ages because the machine is slow: engine and switches are too slow
when they take more than 1 % of the shortest time that matters in the network, be it the coherence
time of a memory or the cut-off of a circuit, in one of a hundred cases. The figures of a run are
right even then: qubits age by the wall clock, wherever the time goes. But they are those of a
network with slower switches than real ones.

With switches inside the engine no delay of the machine reaches the physics at all; there it only
means that the network runs slower than the time-scale says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from qplane.clock import PS_PER_SECOND
from qplane.live.fabric import Fabric, Report
from qplane.net import Network

SHARE = 0.01
INTERVAL_S = 10.0
NS_PER_S = 1e9


def tolerance_s(plan: Network, time_scale: float) -> float:
    """Wall time that engine or switch may take; infinite where no qubit ages."""
    times = [circuit.cutoff_ps for circuit in plan.circuits.values() if circuit.cutoff_ps]
    for node in plan.nodes.values():
        if node.memory is not None:
            times += [time for time in (node.memory.t1_ps, node.memory.t2_ps) if time]
    return min(times, default=float("inf")) / PS_PER_SECOND * SHARE * time_scale


class KeepingUp:
    """Says so, in one line, when the machine did not keep up in the last ten seconds."""

    def __init__(self, plan: Network, fabric: Fabric, report: Report) -> None:
        self._fabric = fabric
        self._report = report
        self._tolerance_s = tolerance_s(plan, fabric.paced.pacer.time_scale)

    async def watch(self) -> None:
        """For ever."""
        await self._fabric.paced.call(self._slow)  # the set-up does not count
        while True:
            await asyncio.sleep(INTERVAL_S)
            for line in await self._fabric.paced.call(self._slow):
                self._report(line)

    def _slow(self) -> list[str]:
        """In the engine's thread."""
        measured: dict[str, Mapping[str, float]] = {
            "the engine was late": self._fabric.paced.pacer.lateness(recent=True)
        }
        for node, transit in self._fabric.transit(recent=True).items():
            measured[f"the switch of {node} took"] = transit
        scale = self._fabric.paced.pacer.time_scale
        return [
            f"can't keep up: {what} {delay['p99_ns'] / 1e6:.3g} ms in 1 % of {delay['count']:.0f} "
            f"cases (at most {delay['max_ns'] / 1e6:.3g} ms), more than "
            f"{self._tolerance_s * 1e3:.3g} ms; a --time-scale of "
            f"{scale * delay['p99_ns'] / NS_PER_S / self._tolerance_s:.2g} would suit this machine"
            for what, delay in measured.items()
            if delay["p99_ns"] / NS_PER_S > self._tolerance_s
        ]
