"""How the ends of links stand, as JSON values: for `qplane link status` and `top`."""

from __future__ import annotations

from typing import Any

from qplane.link.end import LinkEnd
from qplane.link.holding import Holding
from qplane.link.layer import LinkLayer
from qplane.wire.link import BRIGHT_ONE
from qplane.wire.service import RequestType


def rows(layer: LinkLayer, holding: Holding, now_ps: int, node: str | None) -> list[dict[str, Any]]:
    """One for each end of each link (of `node`, or of all)."""
    return [
        _row(end, now_ps) | {"held": holding.rows(end), "copies": _copies(layer, end)}
        for end in layer.ends.values()
        if node is None or end.node == node
    ]


def _copies(layer: LinkLayer, end: LinkEnd) -> dict[str, int]:
    every, pairs = layer.sampled(end.node, end.remote)
    return {"every": every, "pairs": pairs}


def _row(end: LinkEnd, now_ps: int) -> dict[str, Any]:
    egp, statistics = end.egp, end.egp.statistics
    best = egp.estimator.best(RequestType.MEASURE)
    estimate = egp.estimator.fidelity(best.bright_state, RequestType.MEASURE)
    settings = {
        "best": _setting(end, best.bright_state),
        "fastest": _setting(end, egp.estimator.fastest(RequestType.MEASURE).bright_state),
        "tested": [_setting(end, bright) for bright in sorted(egp.estimator.tests)],
    }
    qber = {
        basis.name: {"pairs": counted.pairs, "rate": counted.rate.value}
        for basis, counted in egp.estimator.error_rates.items()
        if counted.pairs
    }
    return {
        "node": end.node,
        "remote": end.remote,
        "role": "master" if egp.options.is_master else "slave",
        "scheduler": egp.scheduler.name,
        "queued": [len(egp.queue.order(queue)) for queue in range(8)],
        "waiting": egp.queue.waiting(),
        "memory": {"held": len(egp.memory), "capacity": egp.memory.capacity},
        "requests": statistics.requests,
        "pairs": statistics.pairs,
        "void": statistics.void,
        "rate_per_s": statistics.rate(now_ps),
        "fidelity": {"value": estimate.value, "error": estimate.error},
        "settings": settings,
        "implausible": egp.numbering.implausible,
        "qber": qber,
        "errors": {error.name: count for error, count in sorted(statistics.errors.items())},
        "mhp_errors": dict(sorted(statistics.mismatches.items())),
    }


def _setting(end: LinkEnd, bright_state: int) -> dict[str, Any]:
    """What a bright-state parameter gives on a link (0: the link has none)."""
    estimator = end.egp.estimator
    estimate = estimator.fidelity(bright_state, RequestType.MEASURE)
    tests = estimator.tests.get(bright_state)
    tested = None if tests is None else tests.fidelity
    said: dict[str, Any] = {
        "bright_state": round(bright_state / BRIGHT_ONE, 6) if bright_state else None,
        "fidelity": {"value": estimate.value, "error": estimate.error},
        "success": estimator.calibrated(bright_state).success,
    }
    if tests is not None and tested is not None:
        rates = {basis.name: counted.rate.value for basis, counted in tests.counts.items()}
        said["tested"] = {
            "value": tested.value,
            "error": tested.error,
            "pairs": tests.pairs,
            "qber": rates,
        }
    return said
