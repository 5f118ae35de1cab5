"""Compares the embedded switch with BMv2: ``python -m diff`` in tests/, or ``make diff``."""

from __future__ import annotations

import argparse
import sys
import time
from random import Random

from .compare import Difference, Pair, compare
from .minimize import minimize, save, show
from .programs import ROOT, Program, load, names
from .target import Target, TargetError, find_bmv2, find_embedded


def report(difference: Difference) -> str:
    """The difference as text."""
    lines = [str(difference)]
    for name, seen in difference.seen.items():
        lines.append(f"  {name}:")
        if isinstance(seen, dict):
            for port, packets in seen.items():
                lines += [f"    port {port}: {packet.hex()}" for packet in packets]
        else:
            lines += [f"    {item}" for item in seen]
    lines += [f"  {show(packet)}" for packet in difference.burst]
    return "\n".join(lines)


def shrink(pair: Pair, program: Program, difference: Difference) -> None:
    """Find, print and save the smallest reproducer."""
    smallest = minimize(pair, program, difference)
    if smallest is None:
        print("It does not show again from a fresh start: a matter of timing.")
        return
    folder = ROOT / "build" / "diff" / program.name
    save(smallest, folder)
    print(f"\nSmallest reproducer ({folder}):")
    for step in [*smallest.state, *smallest.steps]:
        print(f"  {show(step)}")
    print(report(smallest))


def main() -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="diff", description=__doc__)
    parser.add_argument("--packets", type=int, default=100_000, help="in all (default %(default)s)")
    parser.add_argument("--each", type=int, default=500, help="packets per state (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("programs", nargs="*", help=f"of {', '.join(names())}; default all")
    given = parser.parse_args()
    bmv2 = find_bmv2()
    if bmv2 is None:
        print("no simple_switch_grpc on PATH: name it with BMV2=PATH", file=sys.stderr)
        return 2
    chosen = given.programs or names()
    try:
        with Target("bmv2", bmv2) as reference, Target("embedded", find_embedded()) as tested:
            pair = Pair(reference, tested)
            seed = given.seed
            begun = time.monotonic()
            while pair.packets < given.packets:
                for name in chosen:
                    program = load(name)
                    try:
                        compare(pair, program, Random(f"{seed} {name}"), given.each)
                    except Difference as difference:
                        print(f"seed {seed}: {report(difference)}")
                        if not difference.loading:
                            shrink(pair, program, difference)
                        return 1
                seed += 1
            seconds = time.monotonic() - begun
    except TargetError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(
        f"{pair.packets} packets in, {pair.outputs} out, {pair.bad_writes} bad writes: "
        f"no difference; {seconds:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
