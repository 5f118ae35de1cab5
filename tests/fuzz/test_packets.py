"""Mutated packets through every test program: nothing breaks, and memory stays flat."""

from __future__ import annotations

import pytest

from .packets import PacketFuzzer, programs, resident_kb

PACKETS = 5000
GROWTH_KB = 2048  # within a program's second half; allocators grow in steps


@pytest.mark.parametrize("program", programs(), ids=lambda program: program.name)
def test_mutated_packets_break_nothing(program) -> None:
    fuzzer = PacketFuzzer(program, seed=1)
    fuzzer.run(PACKETS)
    before = resident_kb()
    fuzzer.run(PACKETS)
    assert resident_kb() - before < GROWTH_KB
    stats = fuzzer.switch.core.stats
    assert stats["processed"] == 2 * PACKETS + 2
    assert stats["out_of_memory"] == 0
