"""What one slice gets while another floods the repeater that both share, with and without slices.

Two circuits cross one repeater and its link to the far end. The other slice (red) floods it:
with plain packets of its host, with packets under a label of its own from a host that is blue's
(so that the label alone says whose they are), with QCI messages on its own circuit (CIRCUIT_PONGs,
more than the link to the far end can carry), or with requests for circuits.
Virtual time, real P4Runtime.  python benchmarks/slices.py [--json FILE] [--seconds S]
"""

from __future__ import annotations

import argparse
import asyncio
import json
from ipaddress import ip_address
from pathlib import Path

from qplane.control import CircuitPlan, ControlError
from qplane.control.tables import node_mac
from qplane.net import Network, loads
from qplane.net.request import circuit_request
from qplane.simulate.session import Simulation, simulation
from qplane.wire import CircuitFrame, CircuitPingBody, QciMessage, QciType

FLOODS = ("none", "packets", "labelled", "messages", "requests")
STEP_PS = 1_000_000_000
MESSAGES_PER_STEP = 160
LABELLED_PER_STEP = 143
LABEL = 1000
OFFERED = 20
"""Circuits that red asks for."""

NODES = """
[network]
name = "slices"
seed = 1
[memories.m]
slots = 16
t2 = "20 ms"
[nodes]
a = { memory = "m" }
r = { memory = "m" }
b = { memory = "m" }
[[links]]
between = ["a", "r"]
length = "10 km"
attenuation = "0 dB/km"
[[links]]
between = ["r", "b"]
length = "10 km"
attenuation = "0 dB/km"
bandwidth = "100 Mb/s"
"""

SLICES = """
[slices.blue]
slots = "0-7"
[slices.red]
slots = "8-15"
qci_rate = "400 msg/s"
qci_burst = 8
classical_rate = "100 kb/s"
classical_burst = "1 kB"
"""


def network_text(*, sliced: bool, flood: str, pings: bool = True) -> str:
    """The network file: blue's circuit, red's circuit and
    red's host behind the repeater, which pings if it is to flood with packets."""
    red, blue = ('slice = "red"\n', 'slice = "blue"\n') if sliced else ("", "")
    text = NODES + (SLICES if sliced else "")
    circuit = '[[circuits]]\nname = "{0}"\nfrom = "a"\nto = "b"\nslots = 2\ncutoff = "4 ms"\n{1}'
    if flood != "requests":
        text += circuit.format("blue", blue) + circuit.format("red", red)
    host = blue if flood == "labelled" else red
    text += f'[[hosts]]\nname = "flooder"\nnode = "r"\nip = "10.0.0.1"\n{host}'
    text += '[[hosts]]\nname = "sink"\nnode = "b"\nip = "10.0.0.2"\n'
    if flood == "packets" and pings:
        text += '[[pings]]\nfrom = "flooder"\nto = "sink"\ninterval = "7 us"\n'
    if flood == "labelled":
        text += (
            f'[[label_paths]]\nname = "p"\nfrom = "flooder"\nto = "sink"\nlabel = {LABEL}\n{red}'
        )
    return text


async def measure(*, sliced: bool, flood: str, seconds: float) -> dict[str, object]:
    """What blue gets in one case: pairs, their fidelity, their latency; or its admission."""
    async with simulation(loads(network_text(sliced=sliced, flood=flood))) as simulated:
        await simulated.set_up()
        if flood == "requests":
            return await requests(simulated.controller, sliced)
        clock = simulated.clock
        await simulated.controller.start(["blue"])
        end_ps = clock.now_ps() + round(seconds * 1e12)
        while clock.now_ps() < end_ps:
            if flood == "messages":
                _inject_messages(simulated)
            elif flood == "labelled":
                _inject_labelled(simulated)
            # Not `advance`, which comes back at each packet-in: answers would drive the flood.
            await clock.sleep(STEP_PS)
        summary = await simulated.summary()
        blue = next(circuit for circuit in summary.circuits if circuit.name == "blue")
        await simulated.check_entries()  # meters too
        return {
            "pairs": blue.delivered,
            "fidelity": round(blue.fidelity.value, 4),
            "latency_ms": blue.latency_ms.get("mean"),
            "dropped": {k: n for k, n in summary.drops.items() if "slice" in k.lower()},
        }


def through_red(network: Network, red: CircuitPlan) -> tuple[int, int, bytes]:
    """A CIRCUIT_PONG that reaches the repeater as if red's head-end had sent it, and ends at the
    next node (TTL), so that controllers are not flooded as well; where: node, port, frame."""
    side = red.hops[1].sides[0]
    frame = CircuitFrame(
        node_mac(network.nodes["r"].id),
        node_mac(network.nodes["a"].id),
        side.label,
        QciMessage(QciType.CIRCUIT_PONG, CircuitPingBody(0, 0)),
        ttl=2,
    ).to_bytes()
    return list(network.nodes).index("r"), side.port, frame


def _inject_messages(simulated: Simulation) -> None:
    place = through_red(simulated.plan, simulated.controller.plans["red"])
    for _ in range(MESSAGES_PER_STEP):
        simulated.emulation.engine.inject(*place)


def labelled(network: Network, label: int = LABEL) -> bytes:
    """An IPv4 packet of 98 bytes from the flooder to the sink, as the flooder sends it."""
    source, sink = network.hosts["flooder"], network.hosts["sink"]
    ethernet = bytes.fromhex((network.nodes["r"].mac + source.mac).replace(":", "")) + b"\x88\x47"
    shim = (label << 12 | 1 << 8 | 64).to_bytes(4, "big")
    addresses = ip_address(source.ip).packed + ip_address(sink.ip).packed
    ip = bytes.fromhex("45000050000100004011") + b"\x00\x00" + addresses
    total = sum(int.from_bytes(ip[i : i + 2], "big") for i in range(0, 20, 2))
    total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return ethernet + shim + ip[:10] + total.to_bytes(2, "big") + ip[12:] + bytes(60)


def _inject_labelled(simulated: Simulation) -> None:
    """From the flooder's port at the repeater."""
    node = list(simulated.emulation.nodes).index("r")
    frame = labelled(simulated.plan)
    for _ in range(LABELLED_PER_STEP):
        simulated.emulation.engine.inject(node, simulated.plan.hosts["flooder"].port, frame)


async def requests(controller, sliced: bool) -> dict[str, object]:
    """Red asks for circuits until it is refused, then blue for one."""
    granted = 0
    keys = {"from": "a", "to": "b", "slots": 2}
    for number in range(OFFERED):
        asked = {**keys, "name": f"red{number}", "slice": "red" if sliced else None}
        try:
            await controller.add(circuit_request(controller.network, asked))
        except ControlError:
            break
        granted += 1
    asked = {**keys, "name": "blue", "slice": "blue" if sliced else None}
    try:
        await controller.add(circuit_request(controller.network, asked))
    except ControlError as error:
        return {"red": granted, "blue": f"refused: {error}"}
    return {"red": granted, "blue": "admitted"}


def main() -> None:
    """All cases, as a table and a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.2, help="virtual time of each run")
    parser.add_argument("--json", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    found = []
    for flood in FLOODS:
        for sliced in (False, True):
            result = asyncio.run(measure(sliced=sliced, flood=flood, seconds=options.seconds))
            print(f"{flood:10} {'slices' if sliced else 'no slices':10} {result}", flush=True)
            found.append({"flood": flood, "sliced": sliced, **result})
    report = {"seconds": options.seconds, "runs": found}
    options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
