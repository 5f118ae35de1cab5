"""`qplane ping`: each node of a circuit, what it holds and how far it is."""

from __future__ import annotations

import json
import time
from typing import Any

from qplane.cli.acting import call, stream
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


def run(
    net: str | None, as_json: bool, count: int | None, interval: float, **arguments: Any
) -> None:
    """The whole command; JSON is one object for each ping.

    The interval is the user's time, whatever the network's time-scale.
    """
    told: list[dict[str, Any]] = []
    arguments["interval"] = interval  # so that the network refuses what makes no sense
    next_s = time.monotonic()
    try:
        while count is None or len(told) < count:
            time.sleep(max(next_s - time.monotonic(), 0))
            next_s = time.monotonic() + interval
            for ping in stream(net, "circuit.ping", count=1, **arguments):
                told.append(ping | {"sequence": len(told) + 1})
            if as_json:
                print(json.dumps(told[-1], ensure_ascii=False), flush=True)
            else:
                _print(told[-1], arguments["timeout"], is_first=len(told) == 1)
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


def run_sample(net: str | None, as_json: bool, **arguments: Any) -> None:
    """`--sample`: the two-sided fidelity check."""
    found = call(net, "circuit.sample", **arguments)
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        print(f"SAMPLE {found['circuit']}: {found['pairs']} pairs measured at both ends")
        print("basis   pairs  errors  error rate")
        for basis in ("z", "x"):
            row = found[basis]
            shown = "-"
            if row["pairs"]:
                shown = f"{row['error_rate']:.4f} ± {row['standard_error']:.4f}"
            print(f"{basis.upper():5} {row['pairs']:>7} {row['errors']:>7}  {shown}")
        if found["standard_error"] is not None:
            least, most = found["fidelity_least"], found["fidelity_most"]
            error = found["standard_error"]
            print(f"fidelity: at least {least:.4f} ± {error:.4f}, at most {most:.4f}")
    if found["pairs"] < arguments["pairs"]:
        fail(
            f"{found['pairs']} of {arguments['pairs']} pairs within {arguments['timeout']:g} s "
            f"of the network's time; {found['unmatched']} outcomes came from one end alone",
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
