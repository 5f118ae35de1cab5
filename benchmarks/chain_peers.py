"""Wall time for a delivered pair beside SeQUeNCe and SimQN: one link of 20 km, no noise.

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


async def ours(efficiency: float, attempt_us: float) -> tuple[float, float, float]:
    """Seconds of wall clock and of CPU, and pairs a second of virtual time, set-up apart."""
    text = NETWORK.format(efficiency=efficiency, attempt_us=attempt_us)
    async with simulation(loads(text), sample_limit=1) as simulated:
        await simulated.set_up()
        engine = simulated.emulation.engine
        begin, begin_cpu, begin_ps = time.perf_counter(), time.process_time(), engine.now_ps
        await simulated.generate(Goal(pairs=PAIRS))
        cpu_s, wall_s = time.process_time() - begin_cpu, time.perf_counter() - begin
        rate = PAIRS / ((engine.now_ps - begin_ps) * 1e-12)
        (circuit,) = engine.circuits()
        assert circuit["fidelity"]["mean"] > 1 - 1e-9
        await simulated.drain()
        await simulated.tear_down()
    return wall_s, cpu_s, rate


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
    wall_s, cpu_s, rate = asyncio.run(ours(peer["detector_efficiency"], attempt_us))
    simqn_s = PAIRS / rate
    simqn = run_peer(options.peer, "simqn_chain.py", success, attempt_us * 1e-6, DELAY_S, simqn_s)
    simqn_rate = simqn["pairs"] / simqn_s
    of = {"SeQUeNCe": (peer, peer["pairs"]), "SimQN": (simqn, simqn["pairs"])}
    of["qplane"] = {"wall_s": wall_s, "cpu_s": cpu_s}, PAIRS
    wall_us = {name: 1e6 * took["wall_s"] / pairs for name, (took, pairs) in of.items()}
    cpu_us = {name: 1e6 * took["cpu_s"] / pairs for name, (took, pairs) in of.items()}
    times_less = {name: wall_us[name] / wall_us["qplane"] for name in ("SeQUeNCe", "SimQN")}
    rates = {"SeQUeNCe": peer_rate, "SimQN": simqn_rate, "qplane": rate}
    print(f"success of an attempt {success:.4f}, duration {attempt_us} us")
    print("           pairs/s   us of wall clock for a pair   us of CPU")
    for name in of:
        print(f"{name:9} {rates[name]:8.1f} {wall_us[name]:29.1f} {cpu_us[name]:11.1f}")
    for name, times in times_less.items():
        print(f"{times:.1f} times less than {name}{' (goal 50)' if name == 'SeQUeNCe' else ''}")
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
        "pairs_per_s": rates,
        "wall_us_per_pair": wall_us,
        "cpu_us_per_pair": cpu_us,
        "times_less_wall": times_less,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
