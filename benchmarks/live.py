"""A network on real switches for ten minutes, then one of them is killed.

    sudo .venv/bin/python benchmarks/live.py --target bmv2 --minutes 10

Runs `qplane net up` and looks on: pairs, frames, fidelity beside the closed form for the storage
times of this very run and beside the embedded switch in virtual time; how long engine and switches
took. Then SIGKILL to the switch of a repeater: when the controller noticed, when the first pair was
delivered again. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
QPLANE = Path(sys.executable).with_name("qplane")


class Lines:
    """What the network says on stderr, each line with its time; also printed."""

    def __init__(self, stream):
        self.heard = []
        self._thread = threading.Thread(target=self._read, args=[stream], daemon=True)
        self._thread.start()

    def _read(self, stream):
        for line in stream:
            self.heard.append((time.monotonic(), line.strip()))
            print(line, end="", file=sys.stderr, flush=True)

    def first_after(self, start, text):
        """Seconds from `start` to the first line with `text`; None: there is none."""
        return next((at - start for at, line in self.heard if at >= start and text in line), None)


def status():
    done = subprocess.run([QPLANE, "net", "status", "--json"], capture_output=True, check=True)
    return json.loads(done.stdout)


def circuits(document):
    """What counts of a summary."""
    return {
        circuit["name"]: {
            "delivered": circuit["delivered"],
            "wrong_frames": circuit["wrong_frames"],
            "mismatches": circuit["mismatches"],
            **{
                f"{quantity}{suffix}": circuit[quantity][key]
                for quantity in ("fidelity", "qber_z", "qber_x")
                for suffix, key in (("", "value"), ("_error", "std_error"), ("_model", "expected"))
            },
            "rate_per_s": circuit["rate_per_s"]["value"],
            "latency_p50_ms": circuit["latency_ms"].get("p50"),
        }
        for circuit in document["circuits"]
    }


def kill(document, node):
    """SIGKILL to the switch of `node`; when that was."""
    (switch,) = (each for each in document["switches"] if each["node"] == node)
    os.kill(switch["pid"], signal.SIGKILL)
    return time.monotonic()


def until_delivered(names, since, timeout=120.0):
    """Seconds from `since` to the latest delivery of each circuit, as soon as there is one."""
    found = {}
    while len(found) < len(names) and time.monotonic() < since + timeout:
        for circuit in status()["circuits"]:
            at = time.monotonic() - (circuit["last_delivery_s"] or math.inf)
            # A pair that was swapped before the switch died may still have been delivered.
            if circuit["name"] not in found and at > since + 0.3:
                found[circuit["name"]] = round(at - since, 2)
        time.sleep(0.1)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--network", type=Path, default=ROOT / "examples" / "repeater.toml")
    parser.add_argument("--target", default="bmv2", choices=["bmv2", "embedded"])
    parser.add_argument("--time-scale", default="200")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kill", default="repeater", help="the node whose switch is killed")
    arguments = parser.parse_args()
    network = subprocess.Popen(
        [
            *(QPLANE, "net", "up", arguments.network, "--json", "--clock", "real"),
            *("--target", arguments.target, "--time-scale", arguments.time_scale),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = Lines(network.stderr)
    try:
        first = network.stdout.readline()
        if not first:
            sys.exit(network.wait() or 1)
        time.sleep(arguments.minutes * 60)
        undisturbed = status()
        killed = kill(undisturbed, arguments.kill)
        again = until_delivered([each["name"] for each in undisturbed["circuits"]], killed)
        time.sleep(10)
        network.send_signal(signal.SIGINT)
        last = json.loads(network.stdout.readline())
        code = network.wait(60)
    finally:
        network.kill()
    emulated = subprocess.run(
        [QPLANE, "simulate", arguments.network, "--pairs", "20000", "--json"],
        capture_output=True,
        check=True,
    )
    result = {
        "target": last["status"]["target"],
        "time_scale": last["status"]["time_scale"],
        "before the kill": undisturbed,
        "killed": arguments.kill,
        "noticed_s": lines.first_after(killed, "switch-lost"),
        "repaired_s": lines.first_after(killed, "repaired"),
        "delivering_again_s": again,
        "whole run": circuits(last["summary"]),
        "one_sided, voided, expired": [
            last["summary"][key] for key in ("one_sided", "voided", "expired")
        ],
        "exit status": code,
        "complaints": sum("can't keep up" in line for _, line in lines.heard),
        "virtual time, embedded": circuits(json.loads(emulated.stdout)),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
