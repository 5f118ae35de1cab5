"""What one slice gets on real switches while another floods the repeater that both share.

The networks and the floods of slices.py, by the wall clock: with BMv2 (as root) or with embedded
switches in processes. The figures are for a processor core
that does nothing else (chrt -f 10 taskset -c 1): BMv2 has one line for all packets.
python benchmarks/slices_live.py [--target bmv2|embedded] [--seconds S] [--rounds N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from slices import FLOODS, labelled, network_text, requests, through_red

from qplane.live import netns, rundir
from qplane.live.network import LiveNetwork, Options, live_network
from qplane.net import Network, loads
from qplane.simulate import reasons

TIME_SCALE = 400.0
PER_S = 600
"""Frames of a flood in a second of wall time: 240,000 in one of the network's."""

SEND = """
import socket, sys, time
frame, rate = bytes.fromhex(sys.argv[1]), float(sys.argv[2])
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("eth0", 0))
began, sent = time.monotonic(), 0
while True:
    while sent < (time.monotonic() - began) * rate:
        out.send(frame)
        sent += 1
    time.sleep(0.002)
"""


def ip_packet(plan: Network) -> bytes:
    """Of the flooder's, without a label."""
    frame = labelled(plan)
    return frame[:12] + b"\x08\x00" + frame[18:]


@asynccontextmanager
async def flooding(network: LiveNetwork, flood: str) -> AsyncIterator[None]:
    """Packets from the namespace of red's host; messages where red's head-end would send them."""
    plan = network.plan
    if flood == "none":
        yield
    elif flood == "messages":
        task = asyncio.create_task(_messages(network))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    else:
        frame = labelled(plan) if flood == "labelled" else ip_packet(plan)
        inside = network.fabric._wiring.hosts["flooder"]
        words = ["python3", "-c", SEND, frame.hex(), str(PER_S)]
        with subprocess.Popen(netns.command(inside, words)) as process:
            try:
                yield
            finally:
                process.kill()


async def _messages(network: LiveNetwork) -> None:
    node, port, frame = through_red(network.plan, network.controller.plans["red"])
    loop = asyncio.get_running_loop()
    began, sent = loop.time(), 0
    while True:
        while sent < (loop.time() - began) * PER_S:
            network.fabric.paced.inject(node, port, frame)
            sent += 1
        await asyncio.sleep(0.002)


async def measure(*, sliced: bool, flood: str, seconds: float, target: str) -> dict[str, object]:
    """What blue gets in so many seconds of wall time."""
    plan = loads(network_text(sliced=sliced, flood=flood, pings=False))
    options = Options(target=target, processes=True, time_scale=TIME_SCALE)
    with rundir.claim(plan.name) as folder:
        async with live_network(plan, options, folder, print) as network:
            await network.set_up()
            if flood == "requests":
                return await requests(network.controller, sliced)
            await network.controller.stop(["red"])
            async with flooding(network, flood):
                await asyncio.sleep(1)
                before = await _blue(network)
                await asyncio.sleep(seconds)
                after = await _blue(network)
            drops: dict[str, int] = {}
            for node in plan.nodes:
                counts = await network.controller.counters(node, reasons.DROPS_INGRESS)
                for index, count in counts.items():
                    name = reasons.DROPS[index]
                    drops[name] = drops.get(name, 0) + count
            await network.controller.stop()
            await network.controller.drain()
            assert await network.controller.verify() == []  # the meters, too
            return {
                "pairs": after[0] - before[0],
                "fidelity": round(after[1], 4),
                "dropped": {name: n for name, n in drops.items() if "slice" in name},
            }


async def _blue(network: LiveNetwork) -> tuple[int, float]:
    summary = await network.summary()
    blue = next(circuit for circuit in summary.circuits if circuit.name == "blue")
    return blue.delivered, blue.fidelity.value or 0.0


def main() -> None:
    """All cases, as a table and, where wanted, a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=("bmv2", "embedded"), default="bmv2")
    parser.add_argument("--seconds", type=float, default=10, help="wall time of each run")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        for _ in range(options.rounds):
            for flood in FLOODS:
                for sliced in (False, True):
                    result = asyncio.run(
                        measure(
                            sliced=sliced,
                            flood=flood,
                            seconds=options.seconds,
                            target=options.target,
                        )
                    )
                    kind = "slices" if sliced else "no slices"
                    print(f"{flood:10} {kind:10} {result}", flush=True)
                    found.append({"flood": flood, "sliced": sliced, **result})
    if options.json:
        report = {"target": options.target, "seconds": options.seconds, "runs": found}
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
