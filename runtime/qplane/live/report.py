"""A running network's status as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from qplane.net import Network
from qplane.terminal import table


def overview(status: Mapping[str, Any], plan: Network) -> RenderableType:
    """What is printed when a network has come up. `status` is that of net.status."""
    nodes = table("P4Runtime", "node", "device id", "address")
    for switch in status["switches"]:
        nodes.add_row(switch["node"], str(switch["device_id"]), switch["address"])
    parts: list[RenderableType] = [_title(status), nodes]
    if plan.hosts:
        hosts = table("hosts", "host", "node", "address", text=["node"])
        for host in plan.hosts.values():
            hosts.add_row(host.name, host.node, host.ip)
        parts.append(hosts)
    return Group(*parts)


def status_report(status: Mapping[str, Any]) -> RenderableType:
    """What `qplane net status` prints."""
    circuits = table(
        "circuits", "", "delivered", "pairs/s", "fidelity", "± std. err.", "wrong", "last, s ago"
    )
    for circuit in status["circuits"]:
        circuits.add_row(
            circuit["name"],
            str(circuit["delivered"]),
            f"{circuit['rate_per_s']:.2f}",
            _number(circuit["fidelity"], 5),
            _number(circuit["fidelity_std_error"], 5),
            str(circuit["wrong_frames"] + circuit["mismatches"]),
            _number(circuit["last_delivery_s"], 1),
        )
    delays = table("wall time in ms", "", "count", "mean", "p50", "p99", "max", "restarts")
    delays.add_row("engine late", *_delay(status["lateness"]), "")
    for switch in status["switches"]:
        if switch["transit"] is not None:
            delays.add_row(
                f"switch {switch['node']}", *_delay(switch["transit"]), str(switch["restarts"])
            )
    return Group(_title(status), circuits, delays, _keeps_up(status))


def _keeps_up(status: Mapping[str, Any]) -> Text:
    limit = status["tolerance_us"]
    allowed = "" if limit is None else f" (99 % of the delays are to be below {limit / 1e3:g} ms)"
    if status["keeps_up"]:
        return Text(f"The machine keeps up{allowed}.")
    return Text(f"The machine does not keep up{allowed}.", style="bold red")


def _title(status: Mapping[str, Any]) -> Text:
    scale = status["time_scale"]
    behind = status["behind_s"]
    text = (
        f"{status['network']}: {status['target']}; time-scale {scale:g}: a second of the network "
        f"takes {scale:g} s; running {status['running_s']:.1f} s"
    )
    return Text(text + (f"; behind by {behind:.3f} s" if behind > 0.1 else ""), style="bold")


def _delay(delay: Mapping[str, Any]) -> list[str]:
    return [
        str(delay["count"]),
        *(f"{delay[name] / 1e3:.3f}" for name in ("mean_us", "p50_us", "p99_us", "max_us")),
    ]


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
