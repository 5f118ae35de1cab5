"""Mutated packets through a program with random tables, until one of them breaks something.

``python -m fuzz.packets`` in tests/ runs more of them than the test does, over the programs of the
repository or of any folder of compiled ones.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path
from random import Random

import numpy as np
from diff.grammar import Grammar, pool
from diff.programs import ROOT, Program
from diff.states import StateMaker
from finsy.proto import p4i
from google.protobuf import text_format
from numpy.typing import NDArray

from qplane.switch import Switch

FOLDERS = ("tests/switch/programs", "tests/golden/programs", "p4src/build", "benchmarks/programs")
SEEDS = 400  # well-formed packets that the others are made of
WIDTH = 256  # longest of them after mutation; jumbo packets are made apart
JUMBO = 9216
BATCH = 10_000


def programs(*folders: Path) -> list[Program]:
    """Every compiled program of some folders."""
    found = []
    for folder in folders or [ROOT / name for name in FOLDERS]:
        for path in sorted(folder.glob("*.json")):
            text = path.with_suffix(".p4info.txtpb")
            if text.exists():
                info = p4i.P4Info()
                text_format.Parse(text.read_text(), info)
                found.append(Program(path.stem, path.read_bytes(), info))
    return found


class PacketFuzzer:
    """One program with a random state, and packets for it."""

    def __init__(self, program: Program, seed: int) -> None:
        self._rng = Random(f"{seed} {program.name}")
        self._numbers = np.random.Generator(np.random.Philox(seed))
        self.switch = Switch(program.json, program.p4info)
        known = {
            field.name: pool(program, field.bitwidth)
            for table in program.p4info.tables
            for field in table.match_fields
            if field.bitwidth
        }
        for update in StateMaker(program, self._rng, known).state():
            try:
                self.switch.write(update.type, update.entity)
            except Exception as error:
                # A random key can be there twice, or not fit a translated type.
                if type(error).__name__ != "StatusError":
                    raise
        grammar = Grammar(program)
        self._seeds = np.zeros((SEEDS, WIDTH), np.uint8)
        self._lengths = np.zeros(SEEDS, np.int64)
        for row in range(SEEDS):
            packet = grammar.packet(self._rng)[:WIDTH]
            self._seeds[row, : len(packet)] = np.frombuffer(packet, np.uint8)
            self._lengths[row] = len(packet)

    def run(self, count: int) -> int:
        """Send so many packets in, all mutated in some way; how many came out."""
        numbers, out = self._numbers, 0
        while count > 0:
            size = min(count, BATCH)
            count -= size
            rows = numbers.integers(0, SEEDS, size)
            packets = self._seeds[rows]
            lengths = self._mutate(packets, self._lengths[rows])
            ports = numbers.integers(0, 512, size).astype(np.uint32)
            burst = self.switch.inject_batch(ports, packets, lengths)
            out += self._check(burst.lengths, burst.offsets, burst.data)
            jumbo = numbers.integers(0, 256, (1, JUMBO)).astype(np.uint8)
            jumbo[0, :WIDTH] = packets[0]
            self.switch.inject_batch(3, jumbo)
        return out

    def _mutate(self, packets: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Flip bits, set bytes, cut, pad with noise; a quarter is noise all over."""
        numbers, size = self._numbers, len(packets)
        places = numbers.integers(0, np.maximum(lengths, 1))
        every = np.arange(size)
        packets[every, places] ^= np.where(
            numbers.random(size) < 0.5, 1 << numbers.integers(0, 8, size), 0
        ).astype(np.uint8)
        edges = np.array((0, 1, 0x7F, 0x80, 0xFF), np.uint8)
        places = numbers.integers(0, np.maximum(lengths, 1))
        chosen = numbers.random(size) < 0.3
        packets[every[chosen], places[chosen]] = numbers.choice(edges, chosen.sum())
        noise = numbers.random(size) < 0.25
        packets[noise] = numbers.integers(0, 256, (noise.sum(), WIDTH), dtype=np.uint8)
        draw = numbers.random(size)
        lengths = np.where(draw < 0.2, numbers.integers(0, lengths + 1), lengths)
        return np.where(draw > 0.8, numbers.integers(lengths, WIDTH + 1), lengths)

    @staticmethod
    def _check(
        lengths: NDArray[np.uint32], offsets: NDArray[np.int64], data: NDArray[np.uint8]
    ) -> int:
        if len(lengths):
            assert int(offsets[-1]) + int(lengths[-1]) == len(data)
        return len(lengths)


def resident_kb() -> int:
    """Resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


def main() -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="fuzz.packets", description=__doc__)
    parser.add_argument("--packets", type=int, default=1_000_000, help="in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("folders", nargs="*", type=Path, help="of compiled programs")
    given = parser.parse_args()
    chosen = programs(*given.folders)
    each = -(-given.packets // len(chosen))
    begun, sent, out, worst = time.monotonic(), 0, 0, 0
    for program in chosen:
        fuzzer = PacketFuzzer(program, given.seed)
        out += fuzzer.run(each // 2)
        before = resident_kb()
        out += fuzzer.run(each - each // 2)
        grown = resident_kb() - before
        worst = max(worst, grown)
        sent += each
        print(f"{program.name}: {each} packets, resident memory {grown:+d} kB", flush=True)
    seconds = time.monotonic() - begun
    print(
        f"{sent} packets in, {out} out, {len(chosen)} programs, {seconds:.0f} s; most that "
        f"resident memory grew in the second half of a program's packets: {worst} kB"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
