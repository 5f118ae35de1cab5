"""Records what BMv2 does, for tests that run without it: ``python -m golden.record`` in tests/.

Needs simple_switch_grpc on PATH (or BMV2=PATH). One packet at a time: so it is known what left for
which, and nothing overtakes anything.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

from diff import packets
from diff.compare import make_maker, make_state, queries
from diff.programs import Program, load, names
from diff.target import OK, Packet, Target, TargetError, find_bmv2

from golden.recording import RECORDINGS, Recording, digest, save
from qplane.switch import Switch

PACKETS = 250
SECONDS_OF_SILENCE = 0.01  # after which nothing more leaves for a packet
SEEDS = {"qnode": range(6), "herald": range(3)}  # the others: two


def record(target: Target, reference: str, program: Program, seed: int) -> Path:
    """Record one program with one seed."""
    rng = Random(f"golden {seed} {program.name}")
    target.push(program)
    recording = Recording(program.name, digest(program), reference)
    recording.writes = make_state(make_maker(program, rng))
    codes = target.write(recording.writes)
    if set(codes) != {OK}:
        raise TargetError(f"BMv2 refuses a write: {codes}")
    # How many packets should leave is foretold by the embedded switch: only to wait for late ones.
    foretold = Switch(program.json, program.p4info)
    for update in recording.writes:
        foretold.write(update.type, update.entity)
    for packet in packets.sequence(program, recording.writes, rng, PACKETS):
        target.send([packet])
        left: list[Packet] = []
        for wanted in (Counter(port for port, _ in foretold.inject(*packet)), {-1: 1}):
            seen = target.wait(wanted, 1.0 if wanted != {-1: 1} else SECONDS_OF_SILENCE)
            left += [(port, data) for port, several in seen.items() for data in several]
        recording.packets.append((packet, sorted(left)))
    for query in queries(program):
        if not query.HasField("table_entry"):
            recording.reads += target.read(query)
    path = RECORDINGS / f"{program.name}-{seed}.jsonl"
    save(recording, path)
    return path


def main() -> int:
    """The command; returns the exit status."""
    bmv2 = find_bmv2()
    if bmv2 is None:
        print("no simple_switch_grpc on PATH: name it with BMV2=PATH", file=sys.stderr)
        return 2
    said = subprocess.run([bmv2, "--version"], capture_output=True, text=True, check=True)
    reference = f"simple_switch_grpc {said.stdout.strip()}"
    for name in sys.argv[1:] or names():
        for seed in SEEDS.get(name, range(2)):
            # A process each: BMv2's replication engine keeps what another pipeline had.
            with Target("bmv2", bmv2) as target:
                print(record(target, reference, load(name), seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
