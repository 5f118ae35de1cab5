"""Whether the machine keeps up with the network, and what it means if not.

What counts is how much a qubit ages because the machine is slow: engine and switches are too slow
when in one of a hundred cases they take more than 1 % of the shortest time that matters in the
network, be it the coherence time of a memory or the cut-off of a circuit. The figures of a run are
right even then: qubits age by the wall clock, wherever the time goes. But they are those of a
network with slower switches than real ones.

With switches inside the engine no delay of the machine reaches the physics at all. There only a
network that is behind for good is worth a word.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping

from qplane.clock import PS_PER_SECOND
from qplane.live.fabric import Fabric, Report
from qplane.net import Network

SHARE = 0.01
INTERVAL_S = 10.0
BEHIND_S = 0.05
"""Half of the events are later than that: it is not a hiccup."""

NS_PER_S = 1e9


def tolerance_s(plan: Network, time_scale: float) -> float:
    """Wall time that engine or switch may take; infinite where no qubit ages."""
    times = [circuit.cutoff_ps for circuit in plan.circuits.values() if circuit.cutoff_ps]
    for node in plan.nodes.values():
        if node.memory is not None:
            times += [time for time in (node.memory.t1_ps, node.memory.t2_ps) if time]
    return min(times, default=float("inf")) / PS_PER_SECOND * SHARE * time_scale


def slow(
    tolerance_s: float, lateness: Mapping[str, float], transit: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """What took too long, with the seconds that it took in one of a hundred cases.

    `lateness` of the engine, `transit` of each external switch, as the engine measures them.
    """
    if not transit:
        behind_s = lateness["p50_ns"] / NS_PER_S
        return {"the engine is behind the clock by": behind_s} if behind_s > BEHIND_S else {}
    delays = {"the engine was late by": lateness}
    delays.update({f"the switch of {node} took": times for node, times in transit.items()})
    return {
        what: times["p99_ns"] / NS_PER_S
        for what, times in delays.items()
        if times["p99_ns"] / NS_PER_S > tolerance_s
    }


class KeepingUp:
    """Says so, in one line, when the machine did not keep up in the last ten seconds."""

    def __init__(self, plan: Network, fabric: Fabric, report: Report) -> None:
        self._fabric = fabric
        self._report = report
        self._scale = fabric.paced.pacer.time_scale
        self._tolerance_s = tolerance_s(plan, self._scale)

    async def watch(self) -> None:
        """For ever."""
        await self._fabric.paced.call(self._slow)  # the set-up does not count
        while True:
            await asyncio.sleep(INTERVAL_S)
            line = self._line(await self._fabric.paced.call(self._slow))
            if line is not None:
                self._report(line)

    def _slow(self) -> dict[str, float]:
        """Since the last call. In the engine's thread."""
        lateness = self._fabric.paced.pacer.lateness(recent=True)
        return slow(self._tolerance_s, lateness, self._fabric.transit(recent=True))

    def _line(self, slow_s: Mapping[str, float]) -> str | None:
        if not slow_s:
            return None
        listed = ", ".join(f"{what} {delay_s * 1e3:.3g} ms" for what, delay_s in slow_s.items())
        if not self._fabric.is_external:
            return (
                f"can't keep up: {listed}; no figure of the network changes by that; a longer "
                f"--time-scale than {self._scale:g} lets it keep up"
            )
        scale = math.ceil(self._scale * max(slow_s.values()) / self._tolerance_s)
        return (
            f"can't keep up: in 1 % of cases {listed}, more than {self._tolerance_s * 1e3:.3g} ms: "
            "qubits wait longer than they would for real switches; "
            f"--time-scale {scale} would suit the machine as it is now"
        )
