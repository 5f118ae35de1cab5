"""One slice's flood of packets, messages or requests does not change what another gets
(benchmarks/slices.py in short form): virtual time, real P4Runtime."""

import asyncio
import importlib.util
from pathlib import Path

from scapy.utils import rdpcap

from qplane.net import loads
from qplane.wire import parse_mac

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


def test_a_flood_of_packets_with_a_label():
    """From a port of the slice that must not suffer: the label alone says whose they are."""
    alone, without, flooded = got("none", True), got("labelled", False), got("labelled", True)
    assert_untouched(flooded, alone)
    assert not without["dropped"]
    assert flooded["dropped"]["slice classical"] > 20_000


def test_a_labelled_packet_arrives_without_its_label(tmp_path):
    async def main():
        plan = loads(slices.network_text(sliced=True, flood="labelled"))
        async with slices.simulation(plan, pcap_dir=tmp_path) as simulated:
            await simulated.set_up()
            node = list(simulated.emulation.nodes).index("r")
            port = plan.hosts["flooder"].port
            for label in (slices.LABEL, slices.LABEL + 1):  # nobody knows the second
                frame = slices.labelled(plan, label)
                simulated.emulation.engine.inject(node, port, frame)
            await simulated.clock.sleep(slices.STEP_PS)
            counted = await simulated.controller.counters("r", "QnodeIngress.drops")
            await simulated.check_entries()
            return frame, counted

    frame, dropped = asyncio.run(main())
    assert dropped == {6: 1}  # UNKNOWN_LABEL
    plan = loads(slices.network_text(sliced=True, flood="labelled"))
    sink = plan.hosts["sink"]
    arrived = rdpcap(str(tmp_path / f"b-{sink.port}.pcap"))
    (packet,) = [bytes(one) for one in arrived if bytes(one)[12:14] == b"\x08\x00"]
    assert (
        packet == parse_mac(sink.mac).to_bytes(6, "big") + packet[6:12] + b"\x08\x00" + frame[18:]
    )


def test_a_flood_of_messages():
    alone, without, flooded = got("none", True), got("messages", False), got("messages", True)
    assert without["pairs"] < 0.5 * alone["pairs"]
    assert_untouched(flooded, alone)
    assert flooded["dropped"]["slice qci"] > 20_000


def test_a_flood_of_requests():
    assert got("requests", False)["blue"].startswith("refused: ")
    assert got("requests", True) == {"red": 2, "blue": "admitted"}
