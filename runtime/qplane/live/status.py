"""How a running network stands: what was delivered, and whether it keeps up with the wall clock."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qplane.clock import PS_PER_SECOND
from qplane.control import CircuitPlan
from qplane.live.fabric import Fabric
from qplane.live.keeping_up import slow, tolerance_s
from qplane.net import Network

US = 1e3  # nanoseconds


@dataclass(frozen=True)
class Delay:
    """Durations of wall time, in microseconds."""

    count: int
    mean_us: float
    p50_us: float
    p99_us: float
    max_us: float

    @classmethod
    def of(cls, measured: Mapping[str, float]) -> Delay:
        """From what the engine measured, in nanoseconds."""
        return cls(
            int(measured["count"]),
            *(round(measured[f"{name}_ns"] / US, 1) for name in ("mean", "p50", "p99", "max")),
        )


@dataclass(frozen=True)
class CircuitStatus:
    """One circuit. Rates are pairs a second of wall time; the fidelity is the true one, which no
    node sees. None: nothing delivered yet."""

    name: str
    head: str
    tail: str
    delivered: int
    rate_per_s: float
    fidelity: float | None
    fidelity_std_error: float | None
    wrong_frames: int
    mismatches: int
    last_delivery_s: float | None  # ago, wall time


@dataclass(frozen=True)
class SwitchStatus:
    """`transit`: from the last frame into the switch to the next out of it; None inside."""

    node: str
    device_id: int
    address: str
    pid: int | None
    restarts: int
    transit: Delay | None


@dataclass(frozen=True)
class Status:
    """`lateness`: of the engine, behind the times at which events were due. `keeps_up`: engine and
    switches are quick enough over the whole run (qplane.live.keeping_up); `tolerance_us`: what they
    may take where switches are external, None: any time."""

    network: str
    target: str
    time_scale: float
    running_s: float
    network_time_s: float
    delivered: int
    one_sided: int
    voided: int
    expired: int
    lateness: Delay
    behind_s: float
    keeps_up: bool
    tolerance_us: float | None
    circuits: list[CircuitStatus]
    switches: list[SwitchStatus]

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


async def status(
    plan: Network, fabric: Fabric, plans: Mapping[str, CircuitPlan], generating_since: float
) -> Status:
    """Of now; `generating_since` is an instant of time.monotonic."""
    return await fabric.paced.call(lambda: _status(plan, fabric, plans, generating_since))


def _status(
    plan: Network, fabric: Fabric, plans: Mapping[str, CircuitPlan], generating_since: float
) -> Status:
    engine, pacer = fabric.emulation.engine, fabric.paced.pacer
    totals = engine.counters()
    elapsed_s = time.monotonic() - generating_since
    due_ps = pacer.now_ps()
    transit, lateness = fabric.transit(recent=False), pacer.lateness()
    tolerance = tolerance_s(plan, pacer.time_scale)
    return Status(
        network=plan.name,
        target=fabric.target,
        time_scale=pacer.time_scale,
        running_s=round(elapsed_s, 3),
        network_time_s=engine.now_ps / PS_PER_SECOND,
        delivered=engine.delivered,
        one_sided=totals["one_sided"],
        voided=totals["voids"],
        expired=totals.get("expired", 0),
        lateness=Delay.of(lateness),
        behind_s=max(0.0, (due_ps - engine.now_ps) * pacer.time_scale / PS_PER_SECOND),
        keeps_up=not slow(tolerance, lateness, transit),
        tolerance_us=round(tolerance * 1e6, 1) if transit and math.isfinite(tolerance) else None,
        circuits=_circuits(fabric, plans, elapsed_s, due_ps),
        switches=[
            SwitchStatus(
                state.node,
                state.device_id,
                state.address,
                state.pid,
                state.restarts,
                Delay.of(transit[state.node]) if state.node in transit else None,
            )
            for state in fabric.switches()
        ],
    )


def _circuits(
    fabric: Fabric, plans: Mapping[str, CircuitPlan], elapsed_s: float, now_ps: int
) -> list[CircuitStatus]:
    engine, nodes = fabric.emulation.engine, fabric.emulation.nodes
    scale = fabric.paced.pacer.time_scale
    measured = {
        (entry["head_node"], entry["head_link"], entry["head_label"]): entry
        for entry in engine.circuits()
    }
    found = []
    for name, plan in plans.items():
        head = plan.hops[0]
        side = head.sides[0]
        entry = measured.get((nodes[head.node], side.number, side.label))
        circuit = CircuitStatus(
            name, head.node, plan.hops[-1].node, 0, 0.0, None, None, 0, 0, last_delivery_s=None
        )
        if entry is not None:
            count, fidelity = entry["count"], entry["fidelity"]
            error = fidelity["std"] / math.sqrt(count)
            circuit = dataclasses.replace(
                circuit,
                delivered=count,
                rate_per_s=count / elapsed_s,
                fidelity=fidelity["mean"],
                fidelity_std_error=None if math.isnan(error) else error,
                wrong_frames=entry["wrong_frames"],
                mismatches=entry["mismatches"],
                last_delivery_s=(now_ps - entry["last_ps"]) * scale / PS_PER_SECOND,
            )
        found.append(circuit)
    return found
