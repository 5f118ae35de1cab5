"""CPU time for a delivered pair beside SeQUeNCe and SimQN: one link of 20 km, no noise.

Goal: 50 times less than SeQUeNCe. Both have the same photons (0.2 dB/km, detectors of the peer's
efficiency, so that an attempt succeeds with η²/2), and report the same rate: the duration of an
attempt in qplane is the peer's mean one, which is fitted (its negotiation ends early where the
first photon is lost). So the rate checks that both make as many attempts, not how long one takes.
SimQN (its own application for distribution) is given that probability and duration: its rate is
checked against the same number. It has neither station nor heralds; a pair's half is sent, gets
lost or arrives. qplane runs everything it has: P4 programs, P4Runtime, frames. SimQN's and qplane's
fidelities must be 1.

    make bench-memory                        # prepares .venv-bench with the peers
    python benchmarks/chain_peers.py         # --peer PATH of that environment's python
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import subprocess
import sys
import time
from pathlib import Path

from qplane.net import loads
from qplane.simulate.session import Goal, simulation

PEERS = Path(__file__).parent / "peers"
PAIRS = 20_000
DELAY_S = 1e-4  # 20 km of fibre

NETWORK = """\
[network]
name = "link"

[memories.m]
slots = 1

[nodes]
a = {{ memory = "m" }}
b = {{ memory = "m" }}

[[links]]
between = ["a", "b"]
length = "20 km"
detector_efficiency = {efficiency}
attempt_time = "{attempt_us} us"

[[circuits]]
name = "c"
from = "a"
to = "b"
slots = 1
"""


async def ours(efficiency: float, attempt_us: float) -> tuple[float, float]:
    """CPU seconds and pairs a second of virtual time, set-up apart."""
    text = NETWORK.format(efficiency=efficiency, attempt_us=attempt_us)
    async with simulation(loads(text), sample_limit=1) as simulated:
        await simulated.set_up()
        engine = simulated.emulation.engine
        begin, begin_ps = time.process_time(), engine.now_ps
        await simulated.generate(Goal(pairs=PAIRS))
        cpu_s = time.process_time() - begin
        rate = PAIRS / ((engine.now_ps - begin_ps) * 1e-12)
        (circuit,) = engine.circuits()
        assert circuit["fidelity"]["mean"] > 1 - 1e-9
        await simulated.drain()
        await simulated.tear_down()
    return cpu_s, rate


def run_peer(python: str, script: str, *arguments: float) -> dict[str, float]:
    """What a peer's script says of itself."""
    command = [python, str(PEERS / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", default=".venv-bench/bin/python", help="python with sequence")
    parser.add_argument("--seconds", type=float, default=4.0, help="of the peer's virtual time")
    options = parser.parse_args()
    peer = run_peer(options.peer, "sequence_chain.py", 1, options.seconds)
    success = (peer["detector_efficiency"] * 10**-0.2) ** 2 / 2
    peer_rate = peer["pairs"] / options.seconds
    attempt_us = round(success / peer_rate * 1e6)
    cpu_s, rate = asyncio.run(ours(peer["detector_efficiency"], attempt_us))
    simqn_s = PAIRS / rate
    simqn = run_peer(options.peer, "simqn_chain.py", success, attempt_us * 1e-6, DELAY_S, simqn_s)
    simqn_rate = simqn["pairs"] / simqn_s
    mean_us = {
        "SeQUeNCe": 1e6 * peer["cpu_s"] / peer["pairs"],
        "SimQN": 1e6 * simqn["cpu_s"] / simqn["pairs"],
        "qplane": 1e6 * cpu_s / PAIRS,
    }
    print(f"success of an attempt {success:.4f}, duration {attempt_us} us")
    print(f"SeQUeNCe: {peer_rate:7.1f} pairs/s, {mean_us['SeQUeNCe']:9.1f} us of CPU for each")
    print(f"SimQN:    {simqn_rate:7.1f} pairs/s, {mean_us['SimQN']:9.1f} us of CPU for each")
    print(f"qplane:   {rate:7.1f} pairs/s, {mean_us['qplane']:9.1f} us of CPU for each")
    for name in ("SeQUeNCe", "SimQN"):
        goal = " (goal 50)" if name == "SeQUeNCe" else ""
        print(f"{mean_us[name] / mean_us['qplane']:.1f} times less than {name}{goal}")
    error = math.hypot(peer_rate / math.sqrt(peer["pairs"]), rate / math.sqrt(PAIRS))
    if abs(rate - peer_rate) > 4 * error:
        sys.exit("the rates differ by more than 4 standard errors")
    if abs(simqn_rate - success / (attempt_us * 1e-6)) > 4 * simqn_rate / math.sqrt(simqn["pairs"]):
        sys.exit("SimQN's rate differs by more than 4 standard errors from its attempts' successes")
    if simqn["fidelity"] != 1.0:
        sys.exit("SimQN's pairs are not perfect")
    figures = {
        "success": success,
        "attempt_us": attempt_us,
        "pairs_per_s": {"SeQUeNCe": peer_rate, "SimQN": simqn_rate, "qplane": rate},
        "cpu_us_per_pair": mean_us,
        "times_less": {name: mean_us[name] / mean_us["qplane"] for name in ("SeQUeNCe", "SimQN")},
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
