"""One slice's flood of packets or requests does not change what another gets (benchmarks/slices.py
in short form): virtual time, real P4Runtime."""

import asyncio
import importlib.util
from pathlib import Path

PLACE = Path(__file__).parents[2] / "benchmarks" / "slices.py"
SPEC = importlib.util.spec_from_file_location("benchmark_slices", PLACE)
slices = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(slices)


def got(flood, sliced):
    return asyncio.run(slices.measure(sliced=sliced, flood=flood, seconds=0.2))


def test_a_flood_of_packets():
    alone = got("none", True)
    without, with_slices = got("packets", False), got("packets", True)
    assert without["pairs"] < 0.2 * alone["pairs"]
    assert with_slices["pairs"] > 0.9 * alone["pairs"]
    assert with_slices["fidelity"] > alone["fidelity"] - 0.01
    assert with_slices["dropped"]["slice classical"] > 100


def test_a_flood_of_requests():
    assert got("requests", False)["blue"].startswith("refused: ")
    assert got("requests", True) == {"red": 2, "blue": "admitted"}
