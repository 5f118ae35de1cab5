"""One slice's flood of packets, messages or requests does not change what another gets
(benchmarks/slices.py in short form): virtual time, real P4Runtime."""

import asyncio
import importlib.util
from pathlib import Path

PLACE = Path(__file__).parents[2] / "benchmarks" / "slices.py"
SPEC = importlib.util.spec_from_file_location("benchmark_slices", PLACE)
slices = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(slices)


def got(flood, sliced):
    return asyncio.run(slices.measure(sliced=sliced, flood=flood, seconds=0.2))


def assert_untouched(with_flood, alone):
    """To half a percent, where a few pairs are a fifth of that."""
    assert abs(with_flood["pairs"] - alone["pairs"]) <= 0.005 * alone["pairs"]
    assert abs(with_flood["fidelity"] - alone["fidelity"]) < 0.0005
    assert abs(with_flood["latency_ms"] - alone["latency_ms"]) < 0.005 * alone["latency_ms"]


def test_a_flood_of_packets():
    alone, flooded = got("none", True), got("packets", True)
    assert_untouched(flooded, alone)
    assert flooded["dropped"]["slice classical"] > 20_000


def test_a_flood_of_messages():
    alone, without, flooded = got("none", True), got("messages", False), got("messages", True)
    assert without["pairs"] < 0.5 * alone["pairs"]
    assert_untouched(flooded, alone)
    assert flooded["dropped"]["slice qci"] > 20_000


def test_a_flood_of_requests():
    assert got("requests", False)["blue"].startswith("refused: ")
    assert got("requests", True) == {"red": 2, "blue": "admitted"}
