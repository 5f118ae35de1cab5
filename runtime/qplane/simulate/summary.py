"""What a run measured, as plain numbers: the content of summary.json and of the printed report.

Everything here follows from the network file, the goal and the seed: no wall-clock time, no path.
docs/simulate.md describes each field.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import qplane
from qplane.control import CircuitPlan, Controller, LinkStatus
from qplane.net import Link
from qplane.simulate import reasons
from qplane.simulate.apriori import Apriori, LinkModel, apriori
from qplane.simulate.emulation import Emulation, node_physics, physics_of
from qplane.simulate.expected import Expected, expected

PS_PER_MS = 1e9
PS_PER_S = 1e12
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


@dataclass(frozen=True)
class Estimate:
    """A measured mean with its standard error, beside what theory says (None: not known).

    `expected`: the closed form, given the storage times that occurred; `a_priori`: without them.
    """

    value: float | None
    std_error: float | None
    count: int
    expected: float | None
    a_priori: float | None = None


@dataclass(frozen=True)
class CircuitSummary:
    """One circuit. Times in milliseconds of virtual time."""

    name: str
    head: str
    tail: str
    hops: int
    delivered: int
    rate_per_s: Estimate
    fidelity: Estimate
    qber_z: Estimate
    qber_x: Estimate
    latency_ms: Mapping[str, float | None]
    wrong_frames: int
    mismatches: int


@dataclass(frozen=True)
class PingSummary:
    """ICMP echo from one host to another; round-trip times in milliseconds."""

    source: str
    target: str
    sent: int
    received: int
    timed_out: int
    rtt_ms: Mapping[str, float | None]


@dataclass(frozen=True)
class Summary:
    """A whole run."""

    qplane: str
    network: str
    seed: int
    nodes: int
    stopped: str
    virtual_time_s: float
    generation_time_s: float
    delivered: int
    one_sided: int
    voided: int
    expired: int
    wrong_frames: int
    mismatches: int
    void_mismatches: int
    qci_messages: int
    messages_per_pair: float | None
    slots_in_use: int | None
    unconfirmed: int | None
    waiting: list[str]
    circuits: list[CircuitSummary]
    pings: list[PingSummary]
    drops: Mapping[str, int]
    pair_events: Mapping[str, int]
    faults: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; NaN has become null."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Counted:
    """What the controller knows: the switches' own counters, summed over the network, and how the
    devices stand (None: not asked)."""

    drops: Mapping[str, int]
    pair_events: Mapping[str, int]
    plans: Mapping[str, CircuitPlan]
    slots_in_use: int | None = None
    unconfirmed: int | None = None

    @classmethod
    async def read(cls, controller: Controller, standing: Sequence[LinkStatus] | None) -> Counted:
        """Over P4Runtime, from all switches. `standing` is the devices' last word."""
        drops: Counter[str] = Counter()
        events: Counter[str] = Counter()
        for node, what in controller.network.nodes.items():
            if what.is_station:
                continue  # its program has counters of its own, and no pair of a circuit is there
            for name in (reasons.DROPS_INGRESS, reasons.DROPS_EGRESS):
                for index, count in (await controller.counters(node, name)).items():
                    drops[reasons.DROPS.get(index, f"reason {index}")] += count
            for index, count in (await controller.counters(node, reasons.PAIR_EVENTS)).items():
                events[reasons.EVENTS.get(index, f"event {index}")] += count
        return cls(
            dict(sorted(drops.items())),
            dict(sorted(events.items())),
            controller.plans,
            None if standing is None else sum(status.in_use for status in standing),
            None if standing is None else sum(status.unconfirmed for status in standing),
        )


def summarize(
    emulation: Emulation, started_ps: int, stopped: str | None, counted: Counted
) -> Summary:
    """`stopped` None: the run goes on."""
    engine = emulation.engine
    totals = engine.counters()
    circuits = _circuits(emulation, started_ps, counted.plans)
    channels = [engine.channel_counters(index) for index in emulation.channels.values()]
    qci = sum(channel["qci"] for channel in channels)
    fault_names = ("lost", "duplicated", "reordered", "delayed", "corrupted")
    return Summary(
        qplane=qplane.__version__,
        network=emulation.plan.name,
        seed=emulation.seed,
        nodes=len(emulation.nodes),
        stopped=stopped or "running",
        virtual_time_s=engine.now_ps / PS_PER_S,
        generation_time_s=(engine.now_ps - started_ps) / PS_PER_S,
        delivered=engine.delivered,
        one_sided=totals["one_sided"],
        voided=totals["voids"],
        expired=totals.get("expired", 0),
        wrong_frames=sum(circuit.wrong_frames for circuit in circuits),
        mismatches=sum(circuit.mismatches for circuit in circuits),
        void_mismatches=totals["void_mismatches"] + totals.get("voids_after_complete", 0),
        qci_messages=qci,
        messages_per_pair=qci / engine.delivered if engine.delivered else None,
        slots_in_use=counted.slots_in_use,
        unconfirmed=counted.unconfirmed,
        waiting=engine.waiting(),
        circuits=circuits,
        pings=_pings(emulation),
        drops=counted.drops,
        pair_events=counted.pair_events,
        faults={name: sum(channel[name] for channel in channels) for name in fault_names},
    )


def _circuits(
    emulation: Emulation, started_ps: int, plans: Mapping[str, CircuitPlan]
) -> list[CircuitSummary]:
    measured = {
        (entry["head_node"], entry["head_link"], entry["head_label"]): entry
        for entry in emulation.engine.circuits()
    }
    sample = emulation.engine.deliveries()
    foreseen = expectation(emulation, sample)
    # Those of circuits that came and went, or moved, took turns on links that they share no more.
    others = measured.keys() - {
        _key(emulation, part) for plan in plans.values() for part in plan.parts
    }
    found = []
    for name, plan in plans.items():
        first = plan.hops[0]
        key = _key(emulation, plan)
        chosen = (
            (sample["head_node"] == key[0])
            & (sample["head_link"] == key[1])
            & (sample["head_label"] == key[2])
            & (
                not any(plan.bright_states) and not plan.feeders
            )  # the closed form has the links' own
        )
        theory = None if others else _apriori(emulation, plan, plans)
        found.append(
            CircuitSummary(
                name=name,
                head=first.node,
                tail=plan.hops[-1].node,
                hops=len(plan.path),
                **_measured(measured.get(key), started_ps, sample, foreseen, chosen, theory),
            )
        )
    return found


def _key(emulation: Emulation, plan: CircuitPlan) -> tuple[int, int, int]:
    """What the engine counts a circuit's deliveries under."""
    first = plan.hops[0]
    side = first.sides[0]
    return emulation.nodes[first.node], side.number, side.label


def _apriori(
    emulation: Emulation, plan: CircuitPlan, plans: Mapping[str, CircuitPlan]
) -> Apriori | None:
    """None where other things than the links' own waiting times play a part."""
    network = emulation.plan
    nodes = [network.nodes[hop.node] for hop in plan.hops]
    alone = all(
        not {link.index for link in other.path} & {link.index for link in plan.path}
        for other in plans.values()
        if other is not plan
    )
    if (
        network.faults.any
        or plan.rounds
        or plan.feeders
        or any(plan.bright_states)
        or not alone
        or any(side.slots.count != 1 for hop in plan.hops for side in hop.sides)
        or any(link.options.station != 0.5 for link in plan.path)
        or any(link.options.attempt_time is not None for link in plan.path)
        or any(link.tunnel is not None for link in plan.path)
        or any(link.options.scheme in ("source", "end-to-end") for link in plan.path)
        or any(node.memory is None or node.memory.swap_success < 1 for node in nodes[1:-1])
    ):
        return None
    return apriori(
        [link_model(link) for link in plan.path],
        [physics_of(node.memory) for node in nodes if node.memory is not None],
        max((node.memory.swap_time for node in nodes[1:-1] if node.memory is not None), default=0),
        plan.timing.cutoff_ps,
    )


def expectation(emulation: Emulation, sample: Mapping[str, Any]) -> Expected:
    """The closed form for each sampled pair, from the network file and the storage times; NaN where
    a link's pair was distilled."""
    hops = emulation.engine.hops()
    before = np.concatenate(([0], np.cumsum(hops["rounds"] > 0)))  # distilled, up to each row
    first = sample["hop_start"]
    plain = before[first + sample["hop_count"]] == before[first]
    known = expected(
        {name: column[plain] for name, column in sample.items()},
        hops,
        link_states(emulation),
        node_physics(emulation.plan),
    )
    whole = Expected(*(np.full(len(first), np.nan) for _ in Expected._fields))
    for column, part in zip(whole, known, strict=True):
        column[plain] = part
    return whole


def link_states(emulation: Emulation) -> list[Mapping[int, Any]]:
    """By the engine's link index: R of a heralded pair by its Bell index."""
    return [link_model(emulation.plan.links[index]).states for index in emulation.links]


def link_model(link: Link) -> LinkModel:
    """How often a link's attempts succeed, how long they take, and what they yield."""
    fibre = link.options.fibre()
    herald = fibre.herald()
    return LinkModel(fibre.period_ps, link.delay_ps, herald.p_success, herald.states)


def _measured(
    entry: Mapping[str, Any] | None,
    started_ps: int,
    sample: Mapping[str, Any],
    foreseen: Expected,
    chosen: Any,
    theory: Apriori | None,
) -> dict[str, Any]:
    if entry is None:
        nothing = Estimate(None, None, 0, None)
        return {
            "delivered": 0,
            "rate_per_s": nothing,
            "fidelity": nothing,
            "qber_z": nothing,
            "qber_x": nothing,
            "latency_ms": {},
            "wrong_frames": 0,
            "mismatches": 0,
        }
    fidelity, count = entry["fidelity"], entry["count"]
    chosen = chosen & (sample["rounds"] == 0)  # no closed form for what was distilled
    in_basis = [chosen & (sample["head_basis"] == basis) for basis in (0, 1)]
    return {
        "delivered": count,
        "rate_per_s": _rate(entry, started_ps, theory),
        "fidelity": Estimate(
            value=fidelity["mean"],
            std_error=_number(fidelity["std"] / math.sqrt(count)),
            count=count,
            expected=_mean(foreseen.fidelity[chosen]),
            a_priori=theory and theory.fidelity,
        ),
        "qber_z": _share(
            entry["z_errors"],
            entry["z_count"],
            foreseen.z_error[in_basis[0]],
            theory and theory.z_error,
        ),
        "qber_x": _share(
            entry["x_errors"],
            entry["x_count"],
            foreseen.x_error[in_basis[1]],
            theory and theory.x_error,
        ),
        "latency_ms": {
            "mean": _number(entry["latency_ps"]["mean"] / PS_PER_MS),
            **{
                name: _number(entry["latency_quantiles"](q) / PS_PER_MS)
                for name, q in QUANTILES.items()
            },
            "max": _number(entry["latency_ps"]["max"] / PS_PER_MS),
        },
        "wrong_frames": entry["wrong_frames"],
        "mismatches": entry["mismatches"],
    }


def _rate(entry: Mapping[str, Any], started_ps: int, theory: Apriori | None) -> Estimate:
    """Pairs a second from the start of generation to the last delivery."""
    count, elapsed_s = entry["count"], (entry["last_ps"] - started_ps) / PS_PER_S
    rate = count / elapsed_s
    interval = entry["interval_ps"]
    error = _number(interval["std"] / interval["mean"] / math.sqrt(count) * rate)
    return Estimate(rate, error, count, None, theory and theory.rate_per_s)


def _share(errors: int, count: int, foreseen: Any, theory: float | None) -> Estimate:
    """A share of errors. Its standard error is that of the expected share, where there is one."""
    if count == 0:
        return Estimate(None, None, 0, None)
    share = errors / count
    wanted = _mean(foreseen)
    spread = share if wanted is None else wanted
    error = math.sqrt(spread * (1 - spread) / count)
    return Estimate(share, error, count, wanted, theory)


def _pings(emulation: Emulation) -> list[PingSummary]:
    summaries = []
    # A flow per ping, in the order of the file; none before the pings have been started.
    for ping, flow in zip(emulation.plan.pings, emulation.engine.pings(), strict=False):
        rtt = flow["rtt_ps"]
        summaries.append(
            PingSummary(
                source=ping.source,
                target=ping.target,
                sent=flow["sent"],
                received=flow["received"],
                timed_out=flow["timed_out"],
                rtt_ms={name: _number(rtt[name] / PS_PER_MS) for name in ("min", "mean", "max")},
            )
        )
    return summaries


def _mean(values: Any) -> float | None:
    return _number(float(np.mean(values))) if len(values) else None


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else float(value)
