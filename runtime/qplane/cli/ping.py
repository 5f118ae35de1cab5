"""`qplane ping`: each node of a circuit, what it holds and how far it is."""

from __future__ import annotations

import json
from typing import Any

from qplane.cli.acting import stream
from qplane.cli.errors import FAILED, fail

SLOTS = 0xFFFF
"""Last slot of a slice that may use all."""

_ROW = (
    "{seq:>4} {hop:>4}  {node:<{width}}  {role:<8}  {rtt:>12}  {held:>10}  {line:>7}  {age:>21}  "
    "{slots}"
)
_HEADINGS = {
    "seq": "ping",
    "hop": "hop",
    "node": "node",
    "role": "role",
    "rtt": "round trip",
    "held": "pairs held",
    "line": "in line",
    "age": "last pair ago",
    "slots": "slots",
}


def run(net: str | None, as_json: bool, **arguments: Any) -> None:
    """The whole command; JSON is one object for each ping."""
    told: list[dict[str, Any]] = []
    try:
        for ping in stream(net, "circuit.ping", **arguments):
            told.append(ping)
            if as_json:
                print(json.dumps(ping, ensure_ascii=False), flush=True)
            else:
                _print(ping, arguments["timeout"], is_first=len(told) == 1)
    except KeyboardInterrupt:
        pass
    if not told:
        return
    if not as_json:
        _print_statistics(told)
    if not any(ping["answered"] for ping in told):
        last, missing = told[-1]["broken_between"]
        fail(
            f"circuit {told[-1]['circuit']} does not answer beyond {last}: time-out at hop "
            f"{told[-1]['path'].index(missing)}, {missing}",
            FAILED,
        )


def _print(ping: dict[str, Any], timeout_s: float, *, is_first: bool) -> None:
    path = ping["path"]
    width = max(4, *map(len, path))
    if is_first:
        still = "" if ping["generating"] else " (no pairs are being generated)"
        print(f"PING {ping['circuit']}: {' - '.join(path)}{still}")
        print(_ROW.format(width=width, **_HEADINGS))
    for hop in ping["hops"]:
        sides = [side for side in (hop["towards"], hop["beyond"]) if side is not None]
        first, last = hop["slots_of_slice"]
        print(
            _ROW.format(
                width=width,
                seq=ping["sequence"],
                hop=hop["hop"],
                node=hop["node"],
                role=hop["role"],
                rtt=_time(hop["round_trip_us"]),
                held=" / ".join(str(side["pairs_held"]) for side in sides),
                line="-"
                if hop["beyond"] is None
                else " / ".join(str(side["in_line"]) for side in sides),
                age=" / ".join(_time(side["last_pair_us_ago"]) for side in sides),
                slots="all" if (first, last) == (0, SLOTS) else f"{first}-{last}",
            )
        )
    if not ping["answered"]:
        last, missing = ping["broken_between"]
        print(
            f"{ping['sequence']:>4} {path.index(missing):>4}  {missing:<{width}}  no answer within "
            f"{timeout_s:g} s: broken between {last} and {missing}"
        )


def _print_statistics(told: list[dict[str, Any]]) -> None:
    answered = [ping for ping in told if ping["answered"]]
    lost = 100 * (len(told) - len(answered)) / len(told)
    print(f"--- {told[0]['circuit']} ping statistics ---")
    print(
        f"{len(told)} pings, {len(answered)} answered by {told[0]['path'][-1]}, {lost:.0f} % lost"
    )
    if answered:
        times = [ping["hops"][-1]["round_trip_us"] for ping in answered]
        mean = sum(times) / len(times)
        deviation = (sum((one - mean) ** 2 for one in times) / len(times)) ** 0.5
        shown = " / ".join(_time(one) for one in (min(times), mean, max(times), deviation))
        print(f"round trip min / mean / max / deviation: {shown}")


def _time(us: float) -> str:
    """With a unit that fits."""
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if us >= size:
            return f"{us / size:.3f} {unit}"
    return f"{us:.1f} us"
